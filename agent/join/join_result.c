/*
 * What a join brought, into a store; part of join_client.h.
 */
#include "agent/join/join_client.h"

#include <errno.h>

#include "store/store.h"

static int put_records(struct store_batch *batch,
                       const struct join_result *result)
{
    size_t offset = 0;
    int error;

    error =
        store_put_record(batch, result->certificate, result->certificate_size);
    while (error == 0 && offset < result->records_size) {
        size_t size = 0;

        /* join_verify has cut them out once already. */
        if (record_peek_size(result->records + offset,
                             result->records_size - offset, &size) != 0) {
            return -EBADMSG;
        }
        error = store_put_record(batch, result->records + offset, size);
        offset += size;
    }
    return error;
}

int join_result_store(const struct join_result *result, struct store *store)
{
    struct store_batch *batch = NULL;
    int error = store_batch_begin(store, &batch);

    if (error != 0) {
        return error;
    }
    error = put_records(batch, result);
    if (error != 0) {
        store_batch_abort(batch);
        return error;
    }
    return store_batch_commit(batch);
}
