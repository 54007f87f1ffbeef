/*
 * store/: every byte of its schema as docs/STORE.md has it, the exact second
 * at which something expires, what becomes of damaged entries, its messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "gossip/base/cursor.h"
#include "store/keys.h"
#include "store/store.h"
#include "store/txn.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1, 2, 3};

struct fixture {
    struct scratch scratch;
    char directory[128];
    struct store *store;
    struct test_writer writer;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)alarm(15); /* what waits for its own lock fails, and does not hang */
    fixture->scratch = scratch_make();
    fixture->writer = test_writer_make(1);
    strcpy(fixture->directory, scratch_path(&fixture->scratch, "db"));
    assert_int_equal(store_open(fixture->directory, cluster, &fixture->store),
                     0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    scratch_remove(&fixture->scratch);
    free(fixture);
    (void)alarm(0);
    return 0;
}

static void put(struct fixture *fixture, const struct test_record *record)
{
    struct store_batch *batch = NULL;

    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    assert_int_equal(store_put_record(batch, record->bytes, record->size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
}

/* Any bytes at any place, as a damaged disk or a faulty program leaves. */
static void put_raw(struct fixture *fixture, enum txn_db db, const void *key,
                    size_t key_size, const void *value, size_t size)
{
    struct txn txn;

    assert_int_equal(txn_begin(fixture->store, true, &txn), 0);
    assert_int_equal(txn_put(&txn, db, key, key_size, value, size), 0);
    assert_int_equal(txn_commit(&txn), 0);
}

static void erase_raw(struct fixture *fixture, enum txn_db db, const void *key,
                      size_t key_size)
{
    struct txn txn;

    assert_int_equal(txn_begin(fixture->store, true, &txn), 0);
    assert_int_equal(txn_erase(&txn, db, key, key_size), 0);
    assert_int_equal(txn_commit(&txn), 0);
}

static void assert_raw(struct fixture *fixture, enum txn_db db, const void *key,
                       size_t key_size, const void *value, size_t size)
{
    struct txn_bytes found;
    struct txn txn;

    assert_int_equal(txn_begin(fixture->store, false, &txn), 0);
    assert_int_equal(txn_get(&txn, db, key, key_size, &found), 0);
    assert_int_equal(found.size, size);
    assert_memory_equal(found.bytes, value, size);
    txn_abort(&txn);
}

static int count_entry(struct txn_bytes key, struct txn_bytes value,
                       bool *ret_erase, void *data)
{
    (void)key;
    (void)value;
    (void)ret_erase;
    (*(size_t *)data)++;
    return 0;
}

static size_t n_entries(struct fixture *fixture, enum txn_db db)
{
    struct txn txn;
    size_t n = 0;

    assert_int_equal(txn_begin(fixture->store, false, &txn), 0);
    assert_int_equal(txn_each(&txn, db, NULL, 0, count_entry, &n), 0);
    txn_abort(&txn);
    return n;
}

static void record_key(const struct fixture *fixture, uint8_t kind,
                       const char *text, uint8_t ret[49])
{
    memcpy(ret, fixture->writer.public, 32);
    ret[32] = kind;
    assert_int_equal(crypto_generichash(ret + 33, 16, (const uint8_t *)text,
                                        strlen(text), NULL, 0),
                     0);
}

static void records_and_heads_lie_where_they_should(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t head[16] = {0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 1, 2};
    struct test_record record;
    uint8_t key[49];

    test_record_service(&fixture->writer, 5, 0x102, "redis", &record);
    put(fixture, &record);
    record_key(fixture, RECORD_SERVICE, "redis/a", key);
    assert_raw(fixture, TXN_RECORDS, key, sizeof(key), record.bytes,
               record.size);
    assert_raw(fixture, TXN_HEADS, fixture->writer.public, 32, head,
               sizeof(head));
    test_record_tombstone(&fixture->writer, 5, 0x103, "redis", &record);
    put(fixture, &record);
    assert_raw(fixture, TXN_RECORDS, key, sizeof(key), record.bytes,
               record.size);
    assert_int_equal(n_entries(fixture, TXN_RECORDS), 1);
    assert_int_equal(n_entries(fixture, TXN_HEADS), 1);
}

static void tokens_lie_where_they_should(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = {
        .id = {1, 2, 3, 4, 5, 6, 7, 8},
        .expires_s = 0x1122334455667788,
        .used_s = 0x0102030405060708,
        .revoked_s = 0x0807060504030201,
        .name = "web-3",
        .mesh = {{.family = 4, .bytes = {192, 0, 2, 7}}},
        .n_mesh = 1,
        .subnets = {{.address = {.family = 6, .bytes = {0x20, 1, 0xd, 0xb8}},
                     .len = 64}},
        .n_subnets = 1,
        .functions = {"redis", "db-*"},
        .n_functions = 2,
    };
    struct store_batch *batch = NULL;
    uint8_t value[32 + 8 + 8 + 8 + 32 + 6 + 1 + 5 + 1 + 18 + 1 + 6 + 5];
    struct writer writer = writer_init(value, sizeof(value));

    memset(token.secret_hash, 0xaa, 32);
    memset(token.used_by, 0xbb, 32);
    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    assert_int_equal(store_put_token(batch, &token), 0);
    assert_int_equal(store_batch_commit(batch), 0);

    writer_put(&writer, token.secret_hash, 32);
    writer_u64(&writer, token.expires_s);
    writer_u64(&writer, token.used_s);
    writer_u64(&writer, token.revoked_s);
    writer_put(&writer, token.used_by, 32);
    writer_put(&writer, "\5web-3", 6);
    writer_put(&writer, "\1\4\300\0\2\7", 6);
    writer_put(&writer, "\1\21\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\0\100", 19);
    writer_u8(&writer, 2);
    writer_u8(&writer, 5);
    writer_put(&writer, "redis", 5);
    writer_u8(&writer, 4);
    writer_put(&writer, "db-*", 4);
    assert_int_equal(writer_size(&writer), sizeof(value));
    assert_raw(fixture, TXN_TOKENS, token.id, 8, value, sizeof(value));
    assert_raw(fixture, TXN_META, "schema", 6, "\0\0\0\2", 4);
    assert_raw(fixture, TXN_META, "cluster", 7, cluster, sizeof(cluster));
}

static void make_tombstone(const struct fixture *fixture, const char *key,
                           uint64_t seq, uint64_t hlc, uint32_t ttl_s,
                           struct test_record *ret)
{
    struct body_tombstone tombstone = {.kind = RECORD_SERVICE};
    uint8_t body[16];
    size_t size = 0;
    struct record_fields fields = {
        .kind = RECORD_TOMBSTONE,
        .cluster = fixture->writer.cluster,
        .writer = fixture->writer.public,
        .serial = 1,
        .order = {.epoch = 1, .seq = seq},
        .hlc = hlc,
        .ttl_s = ttl_s,
        .key = (const uint8_t *)key,
        .key_size = strlen(key),
        .body = body,
    };

    assert_int_equal(body_put_tombstone(&tombstone, body, sizeof(body), &size),
                     0);
    fields.body_size = size;
    ret->size = record_build(&fields, ret->bytes, sizeof(ret->bytes));
    assert_true(ret->size > 0);
    assert_int_equal(sign_record(ret->bytes, ret->size, fixture->writer.secret),
                     0);
}

static void tombstones_expire_at_the_second(void **state)
{
    struct fixture *fixture = *state;
    /* Written in the last millisecond of second 1,700,000,000. */
    const uint64_t hlc = UINT64_C(1700000000999) << 16 | 0xffff;
    const uint64_t written_s = 1700000000;
    struct test_record record;

    make_tombstone(fixture, "redis/a", 1, hlc, 100, &record);
    put(fixture, &record);
    make_tombstone(fixture, "redis/b", 2, hlc, 0, &record); /* for good */
    put(fixture, &record);
    test_record_service(&fixture->writer, 1, 3, "redis2", &record);
    put(fixture, &record);
    assert_int_equal(store_expire(fixture->store, written_s + 99), 0);
    assert_int_equal(n_entries(fixture, TXN_RECORDS), 3);
    assert_int_equal(store_expire(fixture->store, written_s + 100), 0);
    assert_int_equal(n_entries(fixture, TXN_RECORDS), 2);
    assert_int_equal(store_expire(fixture->store, UINT64_MAX), 0);
    assert_int_equal(n_entries(fixture, TXN_RECORDS), 2);
}

/* A mark goes only when its writer has neither records nor a certificate; one
 * of the two is enough. */
static void mark_stays_while_there_are_records(void **state)
{
    struct fixture *fixture = *state;
    struct record_order order;
    struct test_record record;
    struct store_batch *batch = NULL;

    test_record_service(&fixture->writer, 1, 3, "redis", &record);
    put(fixture, &record);
    assert_int_equal(store_expire(fixture->store, 1), 0);
    assert_int_equal(
        store_high_water(fixture->store, fixture->writer.public, &order), 0);
    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    assert_int_equal(store_erase_record(batch, record.bytes, record.size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_int_equal(store_expire(fixture->store, 1), 0);
    assert_int_equal(
        store_high_water(fixture->store, fixture->writer.public, &order),
        STORE_E_NOT_FOUND);
}

static int no_record(const uint8_t *bytes, size_t size, void *data)
{
    (void)bytes;
    (void)size;
    (void)data;
    return -ECANCELED;
}

static int no_token(const struct store_token *token, void *data)
{
    (void)token;
    (void)data;
    return -ECANCELED;
}

/* What the caller's function returns ends the walk and is its result. */
static void walks_end_when_told(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = {.id = {1}};
    struct store_batch *batch = NULL;
    struct test_record record;

    assert_int_equal(store_records_each(fixture->store, no_record, NULL), 0);
    assert_int_equal(store_tokens_each(fixture->store, no_token, NULL), 0);
    test_record_service(&fixture->writer, 1, 3, "redis", &record);
    put(fixture, &record);
    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    assert_int_equal(store_put_token(batch, &token), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_int_equal(store_records_each(fixture->store, no_record, NULL),
                     -ECANCELED);
    assert_int_equal(store_tokens_each(fixture->store, no_token, NULL),
                     -ECANCELED);
}

static void damaged_records_are_told(void **state)
{
    struct fixture *fixture = *state;
    struct test_record record;
    struct record_order order;
    uint8_t key[49];

    /* A value that is no record gives way to one that is. */
    record_key(fixture, RECORD_SERVICE, "redis/a", key);
    put_raw(fixture, TXN_RECORDS, key, sizeof(key), "garbage", 7);
    assert_int_equal(store_expire(fixture->store, 1), -EBADMSG);
    test_record_service(&fixture->writer, 1, 1, "redis", &record);
    put(fixture, &record);
    assert_raw(fixture, TXN_RECORDS, key, sizeof(key), record.bytes,
               record.size);
    assert_int_equal(store_expire(fixture->store, 1), 0);
    /* A key of another size. */
    put_raw(fixture, TXN_RECORDS, "x", 1, record.bytes, record.size);
    assert_int_equal(store_expire(fixture->store, 1), -EBADMSG);
    erase_raw(fixture, TXN_RECORDS, "x", 1);

    put_raw(fixture, TXN_HEADS, "x", 1, "0123456789abcdef", 16);
    assert_int_equal(store_expire(fixture->store, 1), -EBADMSG);
    erase_raw(fixture, TXN_HEADS, "x", 1);
    for (size_t size = 15; size <= 17; size += 2) {
        put_raw(fixture, TXN_HEADS, fixture->writer.public, 32,
                "0123456789abcdefg", size);
        assert_int_equal(
            store_high_water(fixture->store, fixture->writer.public, &order),
            -EBADMSG);
    }
}

static void damaged_tokens_are_told(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t id[8] = {1};
    struct store_token token = {.n_functions = 1, .functions = {"redis"}};
    uint8_t value[KEYS_TOKEN_MAX + 1] = {0};
    size_t size = keys_put_token(&token, value);
    struct store_token found;

    /* A byte less, a byte more. */
    for (size_t wrong = size - 1; wrong <= size + 1; wrong += 2) {
        put_raw(fixture, TXN_TOKENS, id, sizeof(id), value, wrong);
        assert_int_equal(store_get_token(fixture->store, id, &found), -EBADMSG);
        assert_int_equal(store_tokens_each(fixture->store, no_token, NULL),
                         -EBADMSG);
        assert_int_equal(store_expire(fixture->store, 1), -EBADMSG);
    }
    put_raw(fixture, TXN_TOKENS, id, sizeof(id), value, size);
    assert_int_equal(store_get_token(fixture->store, id, &found), 0);
    assert_string_equal(found.functions[0], "redis");
    put_raw(fixture, TXN_TOKENS, id, 7, value, size);
    assert_int_equal(store_tokens_each(fixture->store, no_token, NULL),
                     -EBADMSG);
    assert_int_equal(store_expire(fixture->store, 1), -EBADMSG);
}

/* The lists of a token behind its fixed part, the rest empty. */
static int get_lists(const void *lists, size_t size, struct store_token *ret)
{
    const uint8_t id[8] = {1};
    uint8_t value[KEYS_TOKEN_MAX + 256] = {0};

    memcpy(value + 88, lists, size);
    return keys_get_token(id, value, 88 + size, ret);
}

/* One more than there are places, one longer than fits. */
static void token_lists_have_an_end(void **state)
{
    struct store_token found;
    uint8_t lists[256] = {0};

    (void)state;
    assert_int_equal(get_lists(lists, 4, &found), 0);
    lists[3] = STORE_TOKEN_FUNCTIONS;
    assert_int_equal(get_lists(lists, 4 + STORE_TOKEN_FUNCTIONS, &found), 0);
    lists[3]++;
    assert_int_equal(get_lists(lists, 4 + STORE_TOKEN_FUNCTIONS + 1, &found),
                     -EBADMSG);
    lists[3] = 1;
    lists[4] = STORE_TOKEN_FUNCTION_SIZE - 1;
    assert_int_equal(get_lists(lists, 4 + STORE_TOKEN_FUNCTION_SIZE, &found),
                     0);
    lists[4]++;
    assert_int_equal(get_lists(lists, 5 + STORE_TOKEN_FUNCTION_SIZE, &found),
                     -EBADMSG);
    memset(lists, 0, sizeof(lists));
    lists[0] = LIMIT_NAME_LEN;
    assert_int_equal(get_lists(lists, LIMIT_NAME_LEN + 4, &found), 0);
    lists[0]++;
    assert_int_equal(get_lists(lists, LIMIT_NAME_LEN + 5, &found), -EBADMSG);
}

static void token_addresses_are_addresses(void **state)
{
    struct store_token found;

    (void)state;
    assert_int_equal(get_lists("\0\1\4\12\0\0\1\0\0", 9, &found), 0);
    assert_int_equal(found.n_mesh, 1);
    assert_int_equal(get_lists("\0\1\3\12\0\0\0\0", 8, &found), -EBADMSG);
    assert_int_equal(get_lists("\0\1\0\0\0", 5, &found), -EBADMSG);
    assert_int_equal(get_lists("\0\5", 2, &found), -EBADMSG);
    assert_int_equal(get_lists("\0\0\1\5\12\0\0\0\10\0", 10, &found), 0);
    assert_int_equal(found.n_subnets, 1);
    /* Host bits, a length that no address has, one prefix too many. */
    assert_int_equal(get_lists("\0\0\1\5\12\0\0\1\10\0", 10, &found), -EBADMSG);
    assert_int_equal(get_lists("\0\0\1\5\12\0\0\0\41\0", 10, &found), -EBADMSG);
    assert_int_equal(get_lists("\0\0\11", 3, &found), -EBADMSG);
}

/* Opens with these bytes under a key of `meta`; what it says. */
static int open_with(struct fixture *fixture, const char *key,
                     const void *value, size_t size)
{
    struct store *store = NULL;
    int error;

    put_raw(fixture, TXN_META, key, strlen(key), value, size);
    fixture->store = store_close(fixture->store);
    error = store_open(fixture->directory, cluster, &store);
    assert_true((store != NULL) == (error == 0));
    store_close(store);
    /* Without looking at `meta`, so that it can be mended. */
    fixture->store = calloc(1, sizeof(*fixture->store));
    assert_non_null(fixture->store);
    fixture->store->directory = strdup(fixture->directory);
    assert_int_equal(pthread_rwlock_init(&fixture->store->lock, NULL), 0);
    assert_int_equal(txn_open_environment(fixture->store), 0);
    return error;
}

static void damaged_schema_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(open_with(fixture, "schema", "\0\0\0", 3), -EBADMSG);
    assert_int_equal(open_with(fixture, "schema", "\0\0\0\0", 4), -EBADMSG);
    assert_int_equal(open_with(fixture, "schema", "\0\0\0\3", 4),
                     STORE_E_SCHEMA);
    assert_int_equal(open_with(fixture, "schema", "\0\0\0\1", 4),
                     STORE_E_OLDER);
    assert_int_equal(open_with(fixture, "schema", "\0\0\0\2", 4), 0);
    assert_int_equal(open_with(fixture, "cluster", cluster, 15),
                     STORE_E_CLUSTER);
    assert_int_equal(open_with(fixture, "cluster", cluster, 16), 0);
}

static void errors_have_words(void **state)
{
    (void)state;
    assert_string_equal(store_error_text(STORE_E_NOT_FOUND), "not found");
    assert_non_null(strstr(store_error_text(STORE_E_SCHEMA), "newer version"));
    assert_non_null(strstr(store_error_text(STORE_E_CLUSTER), "cluster"));
    assert_non_null(strstr(store_error_text(STORE_E_FULL), "free space"));
    assert_non_null(strstr(store_error_text(STORE_E_USED), "used"));
    assert_non_null(strstr(store_error_text(STORE_E_EXPIRED), "expired"));
    assert_non_null(strstr(store_error_text(STORE_E_REVOKED), "revoked"));
    assert_non_null(strstr(store_error_text(STORE_E_OLDER), "agent reset"));
    assert_string_equal(store_error_text(-EACCES), "Permission denied");
    assert_string_equal(store_error_text(0), "unknown error");
    assert_string_equal(store_error_text(99), "unknown error");
}

static void a_directory_that_cannot_be_made(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;

    assert_int_equal(store_open("/nowhere/at/all", cluster, &store), -ENOENT);
    assert_null(store);
    /* A file where the directory should be. */
    assert_true(store_open(scratch_write(&fixture->scratch, "file", "text"),
                           cluster, &store) < 0);
    assert_null(store);
    assert_null(store_close(NULL));
    store_batch_abort(NULL);
    assert_string_equal(store_directory(fixture->store), fixture->directory);
}

#define EDGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE_TEST(records_and_heads_lie_where_they_should),
        EDGE_TEST(tokens_lie_where_they_should),
        EDGE_TEST(tombstones_expire_at_the_second),
        EDGE_TEST(mark_stays_while_there_are_records),
        EDGE_TEST(walks_end_when_told),
        EDGE_TEST(damaged_records_are_told),
        EDGE_TEST(damaged_tokens_are_told),
        EDGE_TEST(token_lists_have_an_end),
        EDGE_TEST(token_addresses_are_addresses),
        EDGE_TEST(damaged_schema_is_refused),
        EDGE_TEST(errors_have_words),
        EDGE_TEST(a_directory_that_cannot_be_made),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
