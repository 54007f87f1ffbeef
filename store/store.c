/*
 * The operations of store.h in terms of transactions (txn.h) and keys
 * (keys.h).  Knows records only by their header, tombstones also by the kind
 * they end, and certificates by whom they still let write.
 */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/keys.h"
#include "store/schema.h"
#include "store/txn.h"

static int store_allocate(const char *directory, struct store **ret)
{
    struct store *store;
    int error;

    store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return -ENOMEM;
    }
    store->directory = strdup(directory);
    if (store->directory == NULL) {
        free(store);
        return -ENOMEM;
    }
    error = pthread_rwlock_init(&store->lock, NULL);
    if (error != 0) {
        free(store->directory);
        free(store);
        return -error;
    }
    *ret = store;
    return 0;
}

static int open_as(const char *directory, bool is_readonly,
                   const uint8_t *cluster, struct store **ret)
{
    struct store *store = NULL;
    int error = store_allocate(directory, &store);

    if (error != 0) {
        return error;
    }
    store->is_readonly = is_readonly;
    error = txn_open_environment(store);
    if (error == 0) {
        error = schema_verify(store, cluster);
    }
    if (error == 0) {
        error = txn_open_databases(store);
    }
    if (error != 0) {
        store_close(store);
        return error;
    }
    *ret = store;
    return 0;
}

int store_open(const char *directory,
               const uint8_t cluster[RECORD_CLUSTER_SIZE], struct store **ret)
{
    if (mkdir(directory, 0700) < 0 && errno != EEXIST) {
        return errno == ENOSPC || errno == EDQUOT ? STORE_E_FULL : -errno;
    }
    return open_as(directory, false, cluster, ret);
}

int store_open_readonly(const char *directory,
                        const uint8_t cluster[RECORD_CLUSTER_SIZE],
                        struct store **ret)
{
    return open_as(directory, true, cluster, ret);
}

struct store *store_close(struct store *store)
{
    if (store == NULL) {
        return NULL;
    }
    txn_close_environment(store);
    (void)pthread_rwlock_destroy(&store->lock); /* nobody holds it */
    free(store->directory);
    free(store);
    return NULL;
}

const char *store_directory(const struct store *store)
{
    return store->directory;
}

int store_batch_begin(struct store *store, struct store_batch **ret)
{
    struct store_batch *batch;
    int error;

    batch = calloc(1, sizeof(*batch));
    if (batch == NULL) {
        return -ENOMEM;
    }
    error = txn_begin(store, true, &batch->txn);
    if (error != 0) {
        free(batch);
        return error;
    }
    *ret = batch;
    return 0;
}

int store_batch_commit(struct store_batch *batch)
{
    int error = txn_commit(&batch->txn);

    free(batch);
    return error;
}

void store_batch_abort(struct store_batch *batch)
{
    if (batch != NULL) {
        txn_abort(&batch->txn);
        free(batch);
    }
}

static int get_head(struct txn *txn, const uint8_t *writer,
                    struct record_order *ret)
{
    struct txn_bytes value;
    int error = txn_get(txn, TXN_HEADS, writer, RECORD_WRITER_SIZE, &value);

    return error != 0 ? error : keys_get_head(value.bytes, value.size, ret);
}

static int raise_head(struct txn *txn, const struct record *record)
{
    uint8_t value[KEYS_HEAD_SIZE];
    struct record_order head = {0};
    int error = get_head(txn, record->writer, &head);

    if (error != 0 && error != STORE_E_NOT_FOUND) {
        return error;
    }
    if (error == 0 && record_order_compare(head, record->order) >= 0) {
        return 0;
    }
    keys_put_head(record->order, value);
    return txn_put(txn, TXN_HEADS, record->writer, RECORD_WRITER_SIZE, value,
                   sizeof(value));
}

/* How the record at `key` compares with `order`: <0 older (or none), 0, >0. */
static int compare_stored(struct txn *txn, const uint8_t *key,
                          struct record_order order, int *ret)
{
    struct txn_bytes value;
    struct record stored;
    int error = txn_get(txn, TXN_RECORDS, key, KEYS_RECORD_SIZE, &value);

    if (error == STORE_E_NOT_FOUND) {
        *ret = -1;
        return 0;
    }
    if (error != 0) {
        return error;
    }
    /* What does not parse is worth less than anything that does. */
    *ret = record_parse(value.bytes, value.size, &stored) != 0
               ? -1
               : record_order_compare(stored.order, order);
    return 0;
}

static int parse(const uint8_t *bytes, size_t size, struct record *ret_record,
                 uint8_t ret_key[KEYS_RECORD_SIZE])
{
    if (record_parse(bytes, size, ret_record) != 0 ||
        ret_record->kind == RECORD_ACCUSATION) {
        return -EINVAL;
    }
    return keys_of_record(ret_record, ret_key);
}

int store_put_record(struct store_batch *batch, const uint8_t *bytes,
                     size_t size)
{
    struct txn *txn = &batch->txn;
    uint8_t key[KEYS_RECORD_SIZE];
    struct record record;
    int order = 0;
    int error;

    error = parse(bytes, size, &record, key);
    if (error == 0) {
        error = compare_stored(txn, key, record.order, &order);
    }
    if (error == 0 && order < 0) {
        error = txn_put(txn, TXN_RECORDS, key, sizeof(key), bytes, size);
    }
    return error != 0 ? error : raise_head(txn, &record);
}

int store_erase_record(struct store_batch *batch, const uint8_t *bytes,
                       size_t size)
{
    struct txn *txn = &batch->txn;
    uint8_t key[KEYS_RECORD_SIZE];
    struct record record;
    int order = 0;
    int error;

    error = parse(bytes, size, &record, key);
    if (error == 0) {
        error = compare_stored(txn, key, record.order, &order);
    }
    if (error == 0 && order <= 0) {
        error = txn_erase(txn, TXN_RECORDS, key, sizeof(key));
    }
    return error;
}

int store_put_setting(struct store_batch *batch, const char *name,
                      const void *value, size_t size)
{
    size_t len = strlen(name);

    if (len == 0 || len > STORE_SETTING_NAME_MAX) {
        return -EINVAL;
    }
    if (value == NULL) {
        return txn_erase(&batch->txn, TXN_SETTINGS, name, len);
    }
    return txn_put(&batch->txn, TXN_SETTINGS, name, len, value, size);
}

struct records_walk {
    store_record_fn fn;
    void *data;
};

static int visit_record(struct txn_bytes key, struct txn_bytes value,
                        bool *ret_erase, void *data)
{
    const struct records_walk *walk = data;

    (void)key;
    (void)ret_erase;
    return walk->fn(value.bytes, value.size, walk->data);
}

int store_records_each(struct store *store, store_record_fn fn, void *data)
{
    struct records_walk walk = {.fn = fn, .data = data};
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    error = txn_each(&txn, TXN_RECORDS, NULL, 0, visit_record, &walk);
    txn_abort(&txn);
    return error;
}

int store_high_water(struct store *store,
                     const uint8_t writer[RECORD_WRITER_SIZE],
                     struct record_order *ret)
{
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    error = get_head(&txn, writer, ret);
    txn_abort(&txn);
    return error;
}

int store_get_setting(struct store *store, const char *name, void *value,
                      size_t size, size_t *ret_size)
{
    struct txn_bytes found;
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    error = txn_get(&txn, TXN_SETTINGS, name, strlen(name), &found);
    if (error == 0) {
        if (size > 0 && found.size > 0) {
            memcpy(value, found.bytes, MIN_OF(size, found.size));
        }
        *ret_size = found.size;
    }
    txn_abort(&txn);
    return error;
}

struct settings_walk {
    const char *prefix;
    size_t prefix_len;
    store_setting_fn fn;
    void *data;
    int result;
};

/* Ends the walk without being an answer of the caller's function. */
#define SETTINGS_STOP 1

static int visit_setting(struct txn_bytes key, struct txn_bytes value,
                         bool *ret_erase, void *data)
{
    struct settings_walk *walk = data;
    char name[STORE_SETTING_NAME_MAX + 1] = {0};

    (void)ret_erase;
    if (key.size >= sizeof(name) || key.size < walk->prefix_len ||
        memcmp(key.bytes, walk->prefix, walk->prefix_len) != 0) {
        return SETTINGS_STOP;
    }
    memcpy(name, key.bytes, key.size);
    walk->result = walk->fn(name, value.bytes, value.size, walk->data);
    return walk->result != 0 ? SETTINGS_STOP : 0;
}

int store_settings_each(struct store *store, const char *prefix,
                        store_setting_fn fn, void *data)
{
    struct settings_walk walk = {
        .prefix = prefix,
        .prefix_len = strlen(prefix),
        .fn = fn,
        .data = data,
    };
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    error = txn_each(&txn, TXN_SETTINGS, walk.prefix_len > 0 ? prefix : NULL,
                     walk.prefix_len, visit_setting, &walk);
    txn_abort(&txn);
    return error == SETTINGS_STOP ? walk.result : error;
}

int store_copy(struct store *store, int fd)
{
    return txn_copy(store, fd);
}

int store_open_copy(const char *directory,
                    const uint8_t cluster[RECORD_CLUSTER_SIZE],
                    struct store **ret)
{
    struct store *store = NULL;
    int error = store_allocate(directory, &store);

    if (error != 0) {
        return error;
    }
    store->is_readonly = true;
    /* Before its databases are looked for: they may lie in what lacks. */
    error = txn_check_copy(store);
    store_close(store);
    return error != 0 ? error : store_open_readonly(directory, cluster, ret);
}

const char *store_error_text(int error)
{
    switch (error) {
    case STORE_E_NOT_FOUND:
        return "not found";
    case STORE_E_SCHEMA:
        return "it was written by a newer version of the agent: install that "
               "version";
    case STORE_E_CLUSTER:
        return "it belongs to another cluster";
    case STORE_E_FULL:
        return "the disk is full: free space on it";
    case STORE_E_USED:
        return "the token was used before";
    case STORE_E_EXPIRED:
        return "the token has expired";
    case STORE_E_REVOKED:
        return "the token was revoked";
    case STORE_E_OLDER:
        return "it was written by an older release, which this one cannot "
               "read: run `agent reset --yes`, then join anew";
    default:
        return error < 0 ? strerror(-error) : "unknown error";
    }
}
