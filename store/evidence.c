/*
 * Evidence against writers: two records under one (epoch, seq).  Part of
 * store.h beside store.c; uses transactions and keys only.
 */
#include "store/store.h"

#include <errno.h>
#include <string.h>

#include "store/keys.h"
#include "store/txn.h"

int store_put_evidence(struct store_batch *batch,
                       const uint8_t writer[RECORD_WRITER_SIZE],
                       const uint8_t *first, size_t first_size,
                       const uint8_t *second, size_t second_size)
{
    uint8_t value[KEYS_EVIDENCE_MAX];
    size_t size;

    if (!keys_is_evidence(writer, first, first_size, second, second_size)) {
        return -EINVAL;
    }
    size = keys_put_evidence(first, first_size, second, second_size, value);
    return size == 0 ? -EINVAL
                     : txn_put(&batch->txn, TXN_EVIDENCE, writer,
                               RECORD_WRITER_SIZE, value, size);
}

int store_erase_evidence(struct store_batch *batch,
                         const uint8_t writer[RECORD_WRITER_SIZE])
{
    return txn_erase(&batch->txn, TXN_EVIDENCE, writer, RECORD_WRITER_SIZE);
}

struct evidence_walk {
    store_evidence_fn fn;
    void *data;
};

static int visit_evidence(struct txn_bytes key, struct txn_bytes value,
                          bool *ret_erase, void *data)
{
    const struct evidence_walk *walk = data;
    const uint8_t *first;
    const uint8_t *second;
    size_t first_size;
    size_t second_size;

    (void)ret_erase;
    if (key.size != RECORD_WRITER_SIZE ||
        keys_get_evidence(value.bytes, value.size, &first, &first_size, &second,
                          &second_size) != 0) {
        return -EBADMSG;
    }
    return walk->fn(key.bytes, first, first_size, second, second_size,
                    walk->data);
}

int store_evidence_each(struct store *store, store_evidence_fn fn, void *data)
{
    struct evidence_walk walk = {.fn = fn, .data = data};
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    error = txn_each(&txn, TXN_EVIDENCE, NULL, 0, visit_evidence, &walk);
    txn_abort(&txn);
    return error;
}
