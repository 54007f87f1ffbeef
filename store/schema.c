/*
 * Schema version and owner of the environment; see schema.h.  Versions only
 * grow.  What another version wrote is refused: a newer one's, since it cannot
 * be known what that means, and schema 1, which no cluster of this release can
 * use (its records are of another format).
 */
#include "store/schema.h"

#include <errno.h>
#include <string.h>

#include "gossip/base/cursor.h"
#include "store/keys.h"

static int verify_version(struct txn *txn, bool *ret_must_write)
{
    struct txn_bytes value;
    struct reader reader;
    uint32_t version;
    int error;

    error = txn_get(txn, TXN_META, KEYS_META_SCHEMA, strlen(KEYS_META_SCHEMA),
                    &value);
    if (error == STORE_E_NOT_FOUND) {
        *ret_must_write = true;
        return 0;
    }
    if (error != 0) {
        return error;
    }
    reader = reader_init(value.bytes, value.size);
    version = reader_u32(&reader);
    if (reader.failed || version == 0) {
        return -EBADMSG;
    }
    if (version < STORE_SCHEMA_VERSION) {
        return STORE_E_OLDER;
    }
    return version > STORE_SCHEMA_VERSION ? STORE_E_SCHEMA : 0;
}

static int verify_cluster(struct txn *txn, const uint8_t *cluster,
                          bool *ret_must_write)
{
    struct txn_bytes value;
    int error;

    if (cluster == NULL) {
        return 0;
    }
    error = txn_get(txn, TXN_META, KEYS_META_CLUSTER, strlen(KEYS_META_CLUSTER),
                    &value);
    if (error == STORE_E_NOT_FOUND) {
        *ret_must_write = true;
        return 0;
    }
    if (error != 0) {
        return error;
    }
    return value.size == RECORD_CLUSTER_SIZE &&
                   memcmp(value.bytes, cluster, RECORD_CLUSTER_SIZE) == 0
               ? 0
               : STORE_E_CLUSTER;
}

static int check(struct store *store, bool is_write, const uint8_t *cluster,
                 bool *ret_must_write)
{
    uint8_t version[4];
    struct writer writer = writer_init(version, sizeof(version));
    bool must_write_version = false;
    bool must_write_cluster = false;
    struct txn txn;
    int error;

    error = txn_begin(store, is_write, &txn);
    if (error != 0) {
        return error;
    }
    error = verify_version(&txn, &must_write_version);
    if (error == 0) {
        error = verify_cluster(&txn, cluster, &must_write_cluster);
    }
    if (error == 0 && is_write && must_write_version) {
        writer_u32(&writer, STORE_SCHEMA_VERSION);
        error = txn_put(&txn, TXN_META, KEYS_META_SCHEMA,
                        strlen(KEYS_META_SCHEMA), version, sizeof(version));
    }
    if (error == 0 && is_write && must_write_cluster) {
        error =
            txn_put(&txn, TXN_META, KEYS_META_CLUSTER,
                    strlen(KEYS_META_CLUSTER), cluster, RECORD_CLUSTER_SIZE);
    }
    if (error != 0 || !is_write) {
        txn_abort(&txn);
    } else {
        error = txn_commit(&txn);
    }
    *ret_must_write = must_write_version || must_write_cluster;
    return error;
}

int schema_verify(struct store *store,
                  const uint8_t cluster[RECORD_CLUSTER_SIZE])
{
    bool must_write = false;
    int error;

    /* Looking first keeps an ordinary start free of a write, so that it
     * succeeds on a full disk. */
    error = check(store, false, cluster, &must_write);
    if (error == 0 && must_write && store->is_readonly) {
        return -EBADMSG; /* a store without a version is none */
    }
    if (error == 0 && must_write) {
        error = check(store, true, cluster, &must_write);
    }
    return error;
}
