/*
 * store/: order of records, tombstones, high-water marks, tokens, settings,
 * schema, expiry.  Full disks and kill -9 are tests/fault's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "records.h"
#include "store/keys.h"
#include "gossip/wire/evidence.h"
#include "store/store.h"
#include "store/txn.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1, 2, 3};

struct fixture {
    char root[64];
    char directory[80];
    struct store *store;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    /* What waits for its own lock is to fail, not to hang. */
    (void)alarm(15);
    assert_non_null(fixture);
    strcpy(fixture->root, "/tmp/test_store.XXXXXX");
    assert_non_null(mkdtemp(fixture->root));
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/db",
             fixture->root);
    assert_int_equal(store_open(fixture->directory, cluster, &fixture->store),
                     0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char command[128];

    (void)alarm(0);
    store_close(fixture->store);
    snprintf(command, sizeof(command), "rm -r %s", fixture->root);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static void reopen(struct fixture *fixture)
{
    fixture->store = store_close(fixture->store);
    assert_int_equal(store_open(fixture->directory, cluster, &fixture->store),
                     0);
}

static struct store_batch *begin(struct fixture *fixture)
{
    struct store_batch *batch = NULL;

    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    return batch;
}

static void put(struct fixture *fixture, const struct test_record *record)
{
    struct store_batch *batch = begin(fixture);

    assert_int_equal(store_put_record(batch, record->bytes, record->size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
}

struct seen {
    struct test_record records[8];
    size_t n;
};

static int remember(const uint8_t *bytes, size_t size, void *data)
{
    struct seen *seen = data;

    assert_true(seen->n < 8);
    memcpy(seen->records[seen->n].bytes, bytes, size);
    seen->records[seen->n].size = size;
    seen->n++;
    return 0;
}

static void assert_only(struct fixture *fixture,
                        const struct test_record *record)
{
    struct seen *seen = calloc(1, sizeof(*seen));

    assert_int_equal(store_records_each(fixture->store, remember, seen), 0);
    assert_int_equal(seen->n, record == NULL ? 0 : 1);
    if (record != NULL) {
        assert_int_equal(seen->records[0].size, record->size);
        assert_memory_equal(seen->records[0].bytes, record->bytes,
                            record->size);
    }
    free(seen);
}

static void newer_record_replaces(void **state)
{
    struct test_writer writer = test_writer_make(1);
    struct test_record old, newer, next_epoch;

    test_record_service(&writer, 5, 9, "redis", &old);
    test_record_service(&writer, 5, 10, "redis", &newer);
    test_record_service(&writer, 6, 1, "redis", &next_epoch);
    put(*state, &newer);
    put(*state, &old); /* stale: kept out */
    assert_only(*state, &newer);
    put(*state, &next_epoch);
    assert_only(*state, &next_epoch);
    reopen(*state);
    assert_only(*state, &next_epoch);
}

static void tombstone_takes_the_place(void **state)
{
    struct test_writer writer = test_writer_make(1);
    struct test_record record, tombstone, again;

    test_record_service(&writer, 5, 1, "redis", &record);
    test_record_tombstone(&writer, 5, 2, "redis", &tombstone);
    test_record_service(&writer, 5, 3, "redis", &again);
    put(*state, &record);
    put(*state, &tombstone);
    assert_only(*state, &tombstone);
    put(*state, &record);
    assert_only(*state, &tombstone);
    put(*state, &again);
    assert_only(*state, &again);
}

static void writers_and_kinds_do_not_meet(void **state)
{
    struct test_writer a = test_writer_make(1);
    struct test_writer b = test_writer_make(2);
    struct test_record record;
    struct seen *seen = calloc(1, sizeof(*seen));

    test_record_service(&a, 5, 1, "redis", &record);
    put(*state, &record);
    test_record_service(&b, 5, 1, "redis", &record);
    put(*state, &record);
    test_record_service(&a, 5, 2, "vector-db", &record);
    put(*state, &record);
    assert_int_equal(
        store_records_each(((struct fixture *)*state)->store, remember, seen),
        0);
    assert_int_equal(seen->n, 3);
    free(seen);
}

static void erase_spares_what_is_newer(void **state)
{
    struct test_writer writer = test_writer_make(1);
    struct test_record old, newer;
    struct store_batch *batch;

    test_record_service(&writer, 5, 1, "redis", &old);
    test_record_service(&writer, 5, 2, "redis", &newer);
    put(*state, &newer);
    batch = begin(*state);
    assert_int_equal(store_erase_record(batch, old.bytes, old.size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_only(*state, &newer);
    batch = begin(*state);
    assert_int_equal(store_erase_record(batch, newer.bytes, newer.size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_only(*state, NULL);
}

static void mark_outlives_its_records(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct record_order order = {0};
    struct test_record record;
    struct store_batch *batch;

    assert_int_equal(store_high_water(fixture->store, writer.public, &order),
                     STORE_E_NOT_FOUND);
    test_record_service(&writer, 5, 7, "redis", &record);
    put(fixture, &record);
    batch = begin(fixture);
    assert_int_equal(store_erase_record(batch, record.bytes, record.size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    test_record_service(&writer, 5, 6, "other", &record);
    put(fixture, &record); /* older: does not lower it */
    reopen(fixture);
    assert_int_equal(store_high_water(fixture->store, writer.public, &order),
                     0);
    assert_int_equal(order.epoch, 5);
    assert_int_equal(order.seq, 7);
}

static void aborted_batch_leaves_nothing(void **state)
{
    struct test_writer writer = test_writer_make(1);
    struct test_record record;
    struct store_batch *batch = begin(*state);

    test_record_service(&writer, 5, 1, "redis", &record);
    assert_int_equal(store_put_record(batch, record.bytes, record.size), 0);
    store_batch_abort(batch);
    assert_only(*state, NULL);
}

static void malformed_records_are_refused(void **state)
{
    struct test_writer writer = test_writer_make(1);
    struct test_record record, good;
    struct store_batch *batch = begin(*state);
    const uint8_t body = 0x80;

    test_record_service(&writer, 5, 1, "redis", &good);
    assert_int_equal(store_put_record(batch, good.bytes, 20), -EINVAL);
    test_record_make(&writer, RECORD_ACCUSATION, 5, 1, writer.public, 32, &body,
                     1, &record);
    assert_int_equal(store_put_record(batch, record.bytes, record.size),
                     -EINVAL);
    test_record_make(&writer, RECORD_TOMBSTONE, 5, 1, "x", 1, &body, 1,
                     &record);
    assert_int_equal(store_put_record(batch, record.bytes, record.size),
                     -EINVAL);
    /* The batch itself is not spoilt. */
    assert_int_equal(store_put_record(batch, good.bytes, good.size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_only(*state, &good);
}

static void largest_record_and_manifest_fit(void **state)
{
    struct test_writer writer = test_writer_make(1);
    struct test_record *record = calloc(1, sizeof(*record));
    uint8_t *body = calloc(1, LIMIT_MANIFEST_SIZE);
    size_t overhead = RECORD_HEADER_SIZE + RECORD_SIGNATURE_SIZE;

    test_record_make(&writer, RECORD_MANIFEST, 5, 1, NULL, 0, body,
                     LIMIT_MANIFEST_SIZE - overhead, record);
    assert_int_equal(record->size, LIMIT_MANIFEST_SIZE);
    put(*state, record);
    assert_only(*state, record);
    free(body);
    free(record);
}

static int count_settings(const char *name, const void *value, size_t size,
                          void *data)
{
    char *list = data;

    strcat(list, name);
    strcat(list, "=");
    strncat(list, value, size);
    strcat(list, " ");
    return 0;
}

static int stop_at_first(const char *name, const void *value, size_t size,
                         void *data)
{
    (void)name;
    (void)value;
    (void)size;
    (void)data;
    return -ECANCELED;
}

static void settings_are_kept_and_listed(void **state)
{
    struct fixture *fixture = *state;
    struct store_batch *batch = begin(fixture);
    char list[256] = "";
    char value[4] = "";
    char name[STORE_SETTING_NAME_MAX + 2];
    size_t size = 0;

    assert_int_equal(store_put_setting(batch, "service/b", "two", 3), 0);
    assert_int_equal(store_put_setting(batch, "service/a", "one", 3), 0);
    assert_int_equal(store_put_setting(batch, "epoch", "12345678", 8), 0);
    assert_int_equal(store_put_setting(batch, "zone", "", 0), 0);
    assert_int_equal(store_put_setting(batch, "", "x", 1), -EINVAL);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(store_put_setting(batch, name, "x", 1), -EINVAL);
    name[STORE_SETTING_NAME_MAX] = '\0';
    assert_int_equal(store_put_setting(batch, name, "x", 1), 0);
    assert_int_equal(store_batch_commit(batch), 0);

    assert_int_equal(
        store_settings_each(fixture->store, "service/", count_settings, list),
        0);
    assert_string_equal(list, "service/a=one service/b=two ");
    assert_int_equal(
        store_settings_each(fixture->store, "service/", stop_at_first, NULL),
        -ECANCELED);
    assert_int_equal(
        store_get_setting(fixture->store, "epoch", value, sizeof(value), &size),
        0);
    assert_int_equal(size, 8); /* the whole size, although only 4 fit */
    assert_memory_equal(value, "1234", 4);
    assert_int_equal(
        store_get_setting(fixture->store, "zone", value, sizeof(value), &size),
        0);
    assert_int_equal(size, 0);
    assert_int_equal(
        store_get_setting(fixture->store, "none", value, sizeof(value), &size),
        STORE_E_NOT_FOUND);

    batch = begin(fixture);
    assert_int_equal(store_put_setting(batch, "service/a", NULL, 0), 0);
    assert_int_equal(store_put_setting(batch, "service/none", NULL, 0), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    list[0] = '\0';
    assert_int_equal(
        store_settings_each(fixture->store, "service/", count_settings, list),
        0);
    assert_string_equal(list, "service/b=two ");
}

static int visit_nothing(struct txn_bytes key, struct txn_bytes value,
                         bool *ret_erase, void *data)
{
    (void)key;
    (void)value;
    (void)ret_erase;
    (void)data;
    return 0;
}

static struct store_token make_token(uint8_t number, uint64_t expires_s)
{
    struct store_token token = {.id = {number}, .expires_s = expires_s};

    token.secret_hash[0] = number;
    strcpy(token.functions[0], "redis");
    strcpy(token.functions[1], "db-*");
    token.n_functions = 2;
    return token;
}

static void put_token(struct fixture *fixture, const struct store_token *token)
{
    struct store_batch *batch = begin(fixture);

    assert_int_equal(store_put_token(batch, token), 0);
    assert_int_equal(store_batch_commit(batch), 0);
}

static void token_is_redeemed_once(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = make_token(7, 1000);
    struct store_token found;
    const uint8_t other[STORE_TOKEN_ID_SIZE] = {8};
    const uint8_t joiner[32] = {1};
    const uint8_t thief[32] = {2};

    put_token(fixture, &token);
    assert_int_equal(
        store_token_redeem(fixture->store, other, joiner, 500, &found),
        STORE_E_NOT_FOUND);
    assert_int_equal(
        store_token_redeem(fixture->store, token.id, joiner, 1000, &found),
        STORE_E_EXPIRED);
    assert_int_equal(
        store_token_redeem(fixture->store, token.id, joiner, 999, &found), 0);
    assert_int_equal(found.used_s, 999);
    assert_string_equal(found.functions[1], "db-*");
    reopen(fixture);
    assert_int_equal(
        store_token_redeem(fixture->store, token.id, thief, 999, &found),
        STORE_E_USED);
    /* The answer got lost: the same key asks again. */
    assert_int_equal(
        store_token_redeem(fixture->store, token.id, joiner, 999, &found), 0);
    assert_int_equal(
        store_token_redeem(fixture->store, token.id, joiner, 1001, &found),
        STORE_E_EXPIRED);
}

static void fill_token(struct store_token *token)
{
    memset(token->name, 'n', LIMIT_NAME_LEN);
    for (size_t i = 0; i < LIMIT_CERT_ADDRESSES; i++) {
        token->mesh[i].family = 6;
        memset(token->mesh[i].bytes, (int)i + 1, 16);
    }
    token->n_mesh = LIMIT_CERT_ADDRESSES;
    for (size_t i = 0; i < LIMIT_CERT_SUBNETS; i++) {
        token->subnets[i].address.family = 6;
        memset(token->subnets[i].address.bytes, (int)i + 1, 15);
        token->subnets[i].len = 120;
    }
    token->n_subnets = LIMIT_CERT_SUBNETS;
    for (size_t i = 0; i < STORE_TOKEN_FUNCTIONS; i++) {
        memset(token->functions[i], 'f', STORE_TOKEN_FUNCTION_SIZE - 1);
    }
    token->n_functions = STORE_TOKEN_FUNCTIONS;
}

static void token_values_at_their_limits(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = {.id = {9}, .expires_s = UINT64_MAX};
    struct store_token found;
    struct store_batch *batch;

    fill_token(&token);
    put_token(fixture, &token);
    assert_int_equal(store_get_token(fixture->store, token.id, &found), 0);
    assert_memory_equal(&found, &token, sizeof(token));
    batch = begin(fixture);
    token.n_functions++;
    assert_int_equal(store_put_token(batch, &token), -EINVAL);
    token.n_functions--;
    token.n_mesh++;
    assert_int_equal(store_put_token(batch, &token), -EINVAL);
    token.n_mesh--;
    token.n_subnets++;
    assert_int_equal(store_put_token(batch, &token), -EINVAL);
    token.n_subnets--;
    token.subnets[0].len = 129;
    assert_int_equal(store_put_token(batch, &token), -EINVAL);
    token.subnets[0].len = 120;
    token.mesh[0].family = 0;
    assert_int_equal(store_put_token(batch, &token), -EINVAL);
    token.mesh[0].family = 6;
    assert_int_equal(store_put_token(batch, &token), 0);
    store_batch_abort(batch);
}

/* Neither who has not redeemed it, nor who has. */
static void revoked_token_is_worth_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = make_token(7, 1000);
    struct store_token found;
    const uint8_t joiner[32] = {1};

    assert_int_equal(store_token_revoke(fixture->store, token.id, 500),
                     STORE_E_NOT_FOUND);
    put_token(fixture, &token);
    assert_int_equal(
        store_token_redeem(fixture->store, token.id, joiner, 499, &found), 0);
    assert_int_equal(store_token_revoke(fixture->store, token.id, 500), 0);
    assert_int_equal(store_token_revoke(fixture->store, token.id, 600), 0);
    reopen(fixture);
    assert_int_equal(
        store_token_redeem(fixture->store, token.id, joiner, 501, &found),
        STORE_E_REVOKED);
    assert_int_equal(store_get_token(fixture->store, token.id, &found), 0);
    assert_int_equal(found.revoked_s, 500);
    assert_int_equal(found.used_s, 499);
    /* A clock at zero marks it all the same. */
    put_token(fixture, &token);
    assert_int_equal(store_token_revoke(fixture->store, token.id, 0), 0);
    assert_int_equal(
        store_token_redeem(fixture->store, token.id, joiner, 1, &found),
        STORE_E_REVOKED);
}

/* It is a record, which no expiry ends, whatever its age. */
static void evidence_stays_until_it_is_erased(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record first, second, evidence;
    struct record halves[2];
    uint8_t *bytes = NULL;
    size_t size;

    test_record_service(&writer, 5, 9, "redis", &first);
    test_record_service(&writer, 5, 9, "nginx", &second);
    assert_int_equal(record_parse(first.bytes, first.size, &halves[0]), 0);
    assert_int_equal(record_parse(second.bytes, second.size, &halves[1]), 0);
    assert_int_equal(evidence_new(&halves[0], &halves[1], &bytes, &size), 0);
    assert_true(size <= sizeof(evidence.bytes));
    memcpy(evidence.bytes, bytes, size);
    evidence.size = size;
    free(bytes);
    put(fixture, &evidence);
    reopen(fixture);
    assert_int_equal(store_expire(fixture->store, UINT64_MAX / 2), 0);
    assert_only(fixture, &evidence);
}

static int count_token(const struct store_token *token, void *data)
{
    (void)token;
    (*(size_t *)data)++;
    return 0;
}

static void old_tokens_expire(void **state)
{
    struct fixture *fixture = *state;
    struct store_token young = make_token(1, 2000);
    struct store_token old = make_token(2, 1000);
    struct store_token found;
    size_t n = 0;

    put_token(fixture, &young);
    put_token(fixture, &old);
    assert_int_equal(
        store_expire(fixture->store, 1000 + STORE_TOKEN_KEPT_S - 1), 0);
    assert_int_equal(store_tokens_each(fixture->store, count_token, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(store_expire(fixture->store, 1000 + STORE_TOKEN_KEPT_S),
                     0);
    assert_int_equal(store_get_token(fixture->store, old.id, &found),
                     STORE_E_NOT_FOUND);
    assert_int_equal(store_get_token(fixture->store, young.id, &found), 0);
}

static void manifest_ends_tombstones(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record first, second, manifest;
    struct body_manifest body = {.upto = {.epoch = 5, .seq = 2}};
    uint8_t bytes[64];
    size_t size = 0;

    test_record_tombstone(&writer, 5, 2, "redis", &first);
    test_record_tombstone(&writer, 5, 3, "vector-db", &second);
    put(fixture, &first);
    put(fixture, &second);
    assert_int_equal(store_expire(fixture->store, 1), 0);
    body.ids = bytes;
    assert_int_equal(body_put_manifest(&body, bytes, sizeof(bytes), &size), 0);
    test_record_make(&writer, RECORD_MANIFEST, 5, 4, NULL, 0, bytes, size,
                     &manifest);
    put(fixture, &manifest);
    assert_int_equal(store_expire(fixture->store, 1), 0);

    struct seen *seen = calloc(1, sizeof(*seen));

    assert_int_equal(store_records_each(fixture->store, remember, seen), 0);
    assert_int_equal(seen->n, 2); /* the second tombstone and the manifest */
    free(seen);
}

static void put_certificate(struct fixture *fixture,
                            const struct test_writer *root,
                            const struct test_writer *subject,
                            uint64_t not_after_s, struct test_record *ret)
{
    struct body_certificate body = {
        .name = "host1",
        .n_mesh = 1,
        .mesh = {{.address = {.family = 4, .bytes = {10, 1, 1, 1}},
                  .port = 7720}},
        .roles = BODY_ROLE_MEMBER,
        .not_after_s = not_after_s,
        .generation = 1,
        .serial = 1,
    };
    uint8_t bytes[LIMIT_RECORD_SIZE];
    size_t size = 0;

    memcpy(body.sign_public, subject->public, 32);
    memcpy(body.exchange_public, subject->public, 32);
    assert_int_equal(body_put_certificate(&body, bytes, sizeof(bytes), &size),
                     0);
    test_record_make(root, RECORD_CERTIFICATE, 1, 1, subject->public, 32, bytes,
                     size, ret);
    put(fixture, ret);
}

static void marks_end_with_certificates(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer root = test_writer_make(1);
    struct test_writer node = test_writer_make(2);
    struct test_writer silent = test_writer_make(3);
    struct test_record certificate, record;
    struct record_order order;
    struct store_batch *batch;

    put_certificate(fixture, &root, &node, 5000, &certificate);
    /* One that has not written anything yet. */
    put_certificate(fixture, &root, &silent, 5000, &certificate);
    test_record_service(&node, 5, 1, "redis", &record);
    put(fixture, &record);
    batch = begin(fixture);
    assert_int_equal(store_erase_record(batch, record.bytes, record.size), 0);
    assert_int_equal(store_batch_commit(batch), 0);

    assert_int_equal(store_expire(fixture->store, 4999), 0);
    assert_int_equal(store_high_water(fixture->store, node.public, &order), 0);
    assert_int_equal(store_expire(fixture->store, 5000), 0);
    assert_int_equal(store_high_water(fixture->store, node.public, &order),
                     STORE_E_NOT_FOUND);
    /* The root's certificate record is still there, and so is its mark. */
    assert_int_equal(store_high_water(fixture->store, root.public, &order), 0);
}

static void other_cluster_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t other[RECORD_CLUSTER_SIZE] = {9};
    struct store *store = NULL;

    fixture->store = store_close(fixture->store);
    assert_int_equal(store_open(fixture->directory, other, &store),
                     STORE_E_CLUSTER);
    assert_int_equal(store_open(fixture->directory, NULL, &fixture->store), 0);
}

/* What another version would write. */
static void set_schema(const char *directory, uint8_t number)
{
    uint8_t version[] = {0, 0, 0, number};
    MDB_val key = {.mv_data = (char[]){KEYS_META_SCHEMA},
                   .mv_size = strlen(KEYS_META_SCHEMA)};
    MDB_val value = {.mv_data = version, .mv_size = sizeof(version)};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi db;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, directory, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", MDB_CREATE, &db), 0);
    assert_int_equal(mdb_put(txn, db, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void newer_schema_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;

    fixture->store = store_close(fixture->store);
    set_schema(fixture->directory, STORE_SCHEMA_VERSION + 1);
    assert_int_equal(store_open(fixture->directory, cluster, &store),
                     STORE_E_SCHEMA);
    assert_null(store);
}

/* Schema 1, as far as that is looked at. */
static void older_schema_is_refused_and_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    char path[128];
    MDB_stat stat;
    MDB_env *env;

    fixture->store = store_close(fixture->store);
    snprintf(path, sizeof(path), "%s/data.mdb", fixture->directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, fixture->directory, 0, 0600), 0);
    mdb_env_close(env);
    set_schema(fixture->directory, 1);
    assert_int_equal(store_open(fixture->directory, cluster, &store),
                     STORE_E_OLDER);
    assert_null(store);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, fixture->directory, 0, 0600), 0);
    assert_int_equal(mdb_env_stat(env, &stat), 0);
    assert_int_equal(stat.ms_entries, 1); /* `meta` and none of ours */
    mdb_env_close(env);
}

static void only_the_owner_may_read(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    struct stat info;

    assert_int_equal(stat(fixture->directory, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    snprintf(path, sizeof(path), "%s/data.mdb", fixture->directory);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    snprintf(path, sizeof(path), "%s/lock.mdb", fixture->directory);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

/* The first error of a transaction is its result, whatever follows it. */
static void error_spoils_the_transaction(void **state)
{
    struct fixture *fixture = *state;
    struct txn_bytes found;
    struct txn txn;

    assert_int_equal(txn_begin(fixture->store, true, &txn), 0);
    assert_int_equal(txn_put(&txn, TXN_SETTINGS, "a", 1, "1", 1), 0);
    assert_int_equal(txn_get(&txn, TXN_SETTINGS, "b", 1, &found),
                     STORE_E_NOT_FOUND); /* is an answer, not an error */
    assert_int_equal(txn_put(&txn, TXN_SETTINGS, "", 0, "1", 1), -EINVAL);
    assert_int_equal(txn_put(&txn, TXN_SETTINGS, "b", 1, "1", 1), -EINVAL);
    assert_int_equal(txn_get(&txn, TXN_SETTINGS, "a", 1, &found), -EINVAL);
    assert_int_equal(txn_get(&txn, TXN_SETTINGS, "b", 1, &found), -EINVAL);
    assert_int_equal(txn_erase(&txn, TXN_SETTINGS, "a", 1), -EINVAL);
    assert_int_equal(txn_each(&txn, TXN_SETTINGS, NULL, 0, visit_nothing, NULL),
                     -EINVAL);
    assert_int_equal(txn_commit(&txn), -EINVAL);

    assert_int_equal(txn_begin(fixture->store, false, &txn), 0);
    assert_int_equal(txn_get(&txn, TXN_SETTINGS, "a", 1, &found),
                     STORE_E_NOT_FOUND);
    txn_abort(&txn);
    txn_abort(&txn); /* has ended: nothing happens */
}

/* Reading takes no lock that a writer holds. */
static void reading_does_not_wait_for_a_batch(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct store_token token = {.id = {1}, .expires_s = 10};
    struct store_token found;
    struct test_record record;
    struct record_order order;
    struct store_batch *batch;
    char value[8];
    size_t size;
    size_t n = 0;

    test_record_service(&writer, 5, 1, "redis", &record);
    batch = begin(fixture);
    assert_int_equal(store_put_record(batch, record.bytes, record.size), 0);
    assert_int_equal(store_put_setting(batch, "a", "1", 1), 0);
    assert_int_equal(store_put_token(batch, &token), 0);
    assert_only(fixture, NULL);
    assert_int_equal(store_high_water(fixture->store, writer.public, &order),
                     STORE_E_NOT_FOUND);
    assert_int_equal(
        store_get_setting(fixture->store, "a", value, sizeof(value), &size),
        STORE_E_NOT_FOUND);
    assert_int_equal(
        store_settings_each(fixture->store, "", stop_at_first, NULL), 0);
    assert_int_equal(store_get_token(fixture->store, token.id, &found),
                     STORE_E_NOT_FOUND);
    assert_int_equal(store_tokens_each(fixture->store, count_token, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_only(fixture, &record);
}

/* Every record of a batch or none: a walk inside the callback sees the
 * transaction that was there when it began. */
static int put_while_reading(const uint8_t *bytes, size_t size, void *data)
{
    struct test_writer writer = test_writer_make(3);
    struct test_record record;

    (void)bytes;
    (void)size;
    test_record_service(&writer, 5, 1, "redis", &record);
    put(data, &record);
    return 0;
}

static void reading_and_writing_do_not_wait(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record record;
    struct seen *seen = calloc(1, sizeof(*seen));

    test_record_service(&writer, 5, 1, "redis", &record);
    put(fixture, &record);
    assert_int_equal(
        store_records_each(fixture->store, put_while_reading, fixture), 0);
    assert_int_equal(store_records_each(fixture->store, remember, seen), 0);
    assert_int_equal(seen->n, 2);
    free(seen);
}

static void a_copy_is_the_last_committed_state(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer writer = test_writer_make(1);
    struct test_record record, later;
    struct store_batch *batch;
    struct store *copy = NULL;
    struct seen *seen = calloc(1, sizeof(*seen));
    char directory[96];
    char path[128];
    struct stat info;
    int fd;

    test_record_service(&writer, 5, 1, "redis", &record);
    test_record_service(&writer, 5, 2, "nginx", &later);
    put(fixture, &record);
    snprintf(directory, sizeof(directory), "%s/copy", fixture->root);
    snprintf(path, sizeof(path), "%s/data.mdb", directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    batch = begin(fixture); /* who writes does not wait, nor is waited for */
    assert_int_equal(store_put_record(batch, later.bytes, later.size), 0);
    assert_int_equal(store_copy(fixture->store, fd), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(store_open_copy(directory, cluster, &copy), 0);
    assert_int_equal(store_records_each(copy, remember, seen), 0);
    assert_int_equal(seen->n, 1);
    assert_memory_equal(seen->records[0].bytes, record.bytes, record.size);
    copy = store_close(copy);
    /* Any page less. */
    for (off_t size = info.st_size - 1; size > 0; size -= 4095) {
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(store_open_copy(directory, cluster, &copy), -EBADMSG);
    }
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_open_copy(directory, cluster, &copy), -ENOENT);
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(store_copy(fixture->store, fd), STORE_E_FULL);
    close(fd);
    free(seen);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(newer_record_replaces),
        STORE_TEST(tombstone_takes_the_place),
        STORE_TEST(writers_and_kinds_do_not_meet),
        STORE_TEST(erase_spares_what_is_newer),
        STORE_TEST(mark_outlives_its_records),
        STORE_TEST(aborted_batch_leaves_nothing),
        STORE_TEST(malformed_records_are_refused),
        STORE_TEST(largest_record_and_manifest_fit),
        STORE_TEST(settings_are_kept_and_listed),
        STORE_TEST(token_is_redeemed_once),
        STORE_TEST(token_values_at_their_limits),
        STORE_TEST(revoked_token_is_worth_nothing),
        STORE_TEST(evidence_stays_until_it_is_erased),
        STORE_TEST(old_tokens_expire),
        STORE_TEST(manifest_ends_tombstones),
        STORE_TEST(marks_end_with_certificates),
        STORE_TEST(other_cluster_is_refused),
        STORE_TEST(newer_schema_is_refused),
        STORE_TEST(older_schema_is_refused_and_left_alone),
        STORE_TEST(a_copy_is_the_last_committed_state),
        STORE_TEST(only_the_owner_may_read),
        STORE_TEST(error_spoils_the_transaction),
        STORE_TEST(reading_does_not_wait_for_a_batch),
        STORE_TEST(reading_and_writing_do_not_wait),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
