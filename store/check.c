/*
 * What is wrong with a store, entry by entry; part of store.h beside store.c.
 * Nothing of it is trusted: signatures are verified, marks compared.
 */
#include "store/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gossip/wire/sign.h"
#include "store/keys.h"
#include "store/txn.h"

#define CHECK_TEXT_SIZE 256

struct check {
    struct txn *txn;
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    store_fault_fn fn;
    void *data;
    struct store_checked checked;
};

static void fault(struct check *check, const char *format, ...) _printf_(2, 3);

static void fault(struct check *check, const char *format, ...)
{
    char text[CHECK_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    check->checked.n_faults++;
    check->fn(text, check->data);
}

/* Writers are told by the beginning of their key. */
static const char *short_key(const uint8_t *key, char text[17])
{
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", key[i]);
    }
    return text;
}

/* NULL, or what is wrong with the record itself. */
static const char *find_fault(const struct check *check,
                              const struct record *record,
                              const struct txn_bytes *key)
{
    uint8_t place[KEYS_RECORD_SIZE];

    if (memcmp(record->cluster, check->cluster, RECORD_CLUSTER_SIZE) != 0) {
        return "it is of another cluster";
    }
    if (sign_verify(record) != 0) {
        return "its signature does not verify";
    }
    if (record->kind == RECORD_ACCUSATION) {
        return "accusations are never stored";
    }
    if (keys_of_record(record, place) != 0 || key->size != sizeof(place) ||
        memcmp(key->bytes, place, sizeof(place)) != 0) {
        return "it lies in the place of another one";
    }
    return NULL;
}

/* NULL, or what is wrong with the writer's mark: it is what keeps an old record
 * from coming back as news. */
static const char *find_head_fault(struct check *check,
                                   const struct record *record)
{
    struct txn_bytes value;
    struct record_order head;
    int error = txn_get(check->txn, TXN_HEADS, record->writer,
                        RECORD_WRITER_SIZE, &value);

    if (error != 0) {
        return "its writer has no mark";
    }
    if (keys_get_head(value.bytes, value.size, &head) != 0) {
        return NULL; /* told with the marks */
    }
    return record_order_compare(record->order, head) > 0
               ? "it is newer than the mark of its writer"
               : NULL;
}

static int check_record(struct txn_bytes key, struct txn_bytes value,
                        bool *ret_erase, void *data)
{
    struct check *check = data;
    struct record record;
    const char *what;
    char writer[17];

    (void)ret_erase;
    check->checked.n_records++;
    if (record_parse(value.bytes, value.size, &record) != 0) {
        fault(check, "a record of %zu bytes is damaged", value.size);
        return 0;
    }
    what = find_fault(check, &record, &key);
    if (what == NULL) {
        what = find_head_fault(check, &record);
    }
    if (what != NULL) {
        fault(check, "%s of writer %s, epoch %llu, seq %llu: %s",
              record_kind_name(record.kind), short_key(record.writer, writer),
              (unsigned long long)record.order.epoch,
              (unsigned long long)record.order.seq, what);
    }
    return 0;
}

static int check_head(struct txn_bytes key, struct txn_bytes value,
                      bool *ret_erase, void *data)
{
    struct check *check = data;
    struct record_order head;

    (void)ret_erase;
    check->checked.n_heads++;
    if (key.size != RECORD_WRITER_SIZE ||
        keys_get_head(value.bytes, value.size, &head) != 0) {
        fault(check, "the mark of a writer is damaged");
    }
    return 0;
}

static int check_setting(struct txn_bytes key, struct txn_bytes value,
                         bool *ret_erase, void *data)
{
    struct check *check = data;

    (void)value;
    (void)ret_erase;
    check->checked.n_settings++;
    if (key.size > STORE_SETTING_NAME_MAX) {
        fault(check, "a setting has a name of %zu bytes", key.size);
    }
    return 0;
}

static int check_token(struct txn_bytes key, struct txn_bytes value,
                       bool *ret_erase, void *data)
{
    struct check *check = data;
    struct store_token token;

    (void)ret_erase;
    check->checked.n_tokens++;
    if (key.size != STORE_TOKEN_ID_SIZE ||
        keys_get_token(key.bytes, value.bytes, value.size, &token) != 0) {
        fault(check, "a token is damaged");
    }
    return 0;
}

static int get_cluster(struct check *check)
{
    struct txn_bytes value;
    int error = txn_get(check->txn, TXN_META, KEYS_META_CLUSTER,
                        strlen(KEYS_META_CLUSTER), &value);

    if (error != 0 || value.size != RECORD_CLUSTER_SIZE) {
        return error < 0 ? error : -EBADMSG;
    }
    memcpy(check->cluster, value.bytes, RECORD_CLUSTER_SIZE);
    return 0;
}

int store_check(struct store *store, store_fault_fn fn, void *data,
                struct store_checked *ret)
{
    static const struct {
        enum txn_db db;
        txn_each_fn fn;
    } passes[] = {
        {TXN_HEADS, check_head},
        {TXN_RECORDS, check_record},
        {TXN_SETTINGS, check_setting},
        {TXN_TOKENS, check_token},
    };
    struct check check = {.fn = fn, .data = data};
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    check.txn = &txn;
    error = get_cluster(&check);
    for (size_t i = 0; i < ARRAY_SIZE(passes) && error == 0; i++) {
        error = txn_each(&txn, passes[i].db, NULL, 0, passes[i].fn, &check);
    }
    txn_abort(&txn);
    if (error == 0) {
        *ret = check.checked;
    }
    return error;
}

struct heads_walk {
    store_head_fn fn;
    void *data;
};

static int visit_head(struct txn_bytes key, struct txn_bytes value,
                      bool *ret_erase, void *data)
{
    const struct heads_walk *walk = data;
    struct record_order head;

    (void)ret_erase;
    if (key.size != RECORD_WRITER_SIZE ||
        keys_get_head(value.bytes, value.size, &head) != 0) {
        return -EBADMSG;
    }
    return walk->fn(key.bytes, head, walk->data);
}

int store_heads_each(struct store *store, store_head_fn fn, void *data)
{
    struct heads_walk walk = {.fn = fn, .data = data};
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    error = txn_each(&txn, TXN_HEADS, NULL, 0, visit_head, &walk);
    txn_abort(&txn);
    return error;
}
