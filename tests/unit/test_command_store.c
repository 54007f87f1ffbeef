/*
 * agent store check, dump, forget-clock, as people run them: on a whole store,
 * and on one in which each of these things is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/commands.h"
#include "agent/ctl/ctl.h"
#include "store/keys.h"
#include "store/store.h"
#include "store/txn.h"
#include "tests/unit/program_fixture.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

struct fixture {
    struct scratch scratch;
    char directory[128];
    char config[128];
    struct test_writer writer;
    struct store *store;
};

static void open_store(struct fixture *fixture)
{
    assert_int_equal(store_open(fixture->directory, fixture->writer.cluster,
                                &fixture->store),
                     0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char text[256];

    fixture->scratch = scratch_make();
    fixture->writer = test_writer_make(1);
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/db",
             fixture->scratch.path);
    snprintf(text, sizeof(text), "name: host9\nstate_dir: %s\n",
             fixture->scratch.path);
    strcpy(fixture->config,
           scratch_write(&fixture->scratch, "agent.yaml", text));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

static const struct program_run *run(struct fixture *fixture, const char *verb)
{
    char words[256];

    snprintf(words, sizeof(words), "store %s --config %s", verb,
             fixture->config);
    return program_fixture_run(commands_main, "agent", words, -1);
}

static void assert_run(struct fixture *fixture, const char *verb, int status,
                       const char *out, const char *err)
{
    char words[256];

    snprintf(words, sizeof(words), "store %s --config %s", verb,
             fixture->config);
    program_fixture_assert(commands_main, "agent", words, status, out, err);
}

static void put(struct fixture *fixture, uint64_t seq, const char *name)
{
    struct store_batch *batch = NULL;
    struct test_record record;

    test_record_service(&fixture->writer, 5, seq, name, &record);
    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    assert_int_equal(store_put_record(batch, record.bytes, record.size), 0);
    assert_int_equal(store_batch_commit(batch), 0);
}

static void put_raw(struct fixture *fixture, enum txn_db db, const void *key,
                    size_t key_size, const void *value, size_t size)
{
    struct txn txn;

    assert_int_equal(txn_begin(fixture->store, true, &txn), 0);
    assert_int_equal(txn_put(&txn, db, key, key_size, value, size), 0);
    assert_int_equal(txn_commit(&txn), 0);
}

static void a_host_without_a_store(void **state)
{
    assert_run(*state, "check", CTL_EXIT_FAILED, "",
               "there is none: this host belongs to no cluster");
    assert_run(*state, "dump", CTL_EXIT_FAILED, "", "belongs to no cluster");
    assert_run(*state, "forget-clock", CTL_EXIT_FAILED, "",
               "belongs to no cluster");
}

/* Beside the process that writes it, and with nothing made. */
static void a_whole_store(void **state)
{
    struct fixture *fixture = *state;
    char lock[160];

    open_store(fixture);
    put(fixture, 1, "redis");
    put(fixture, 2, "nginx");
    assert_run(fixture, "check", CTL_EXIT_OK,
               "2 records, 1 writers, 0 settings, 0 tokens: 0 faults\n", "");
    fixture->store = store_close(fixture->store);
    snprintf(lock, sizeof(lock), "%s/lock.mdb", fixture->directory);
    assert_int_equal(unlink(lock), 0);
    assert_run(fixture, "check", CTL_EXIT_OK, "2 records", "");
    assert_int_not_equal(access(lock, F_OK), 0);
}

static void check_tells(struct fixture *fixture, const char *fault)
{
    assert_run(fixture, "check", CTL_EXIT_FAILED, fault, "");
}

static void faults_of_records(void **state)
{
    struct fixture *fixture = *state;
    struct test_writer other = test_writer_make(2);
    struct test_record record;
    uint8_t key[KEYS_RECORD_SIZE];
    uint8_t head[KEYS_HEAD_SIZE];
    struct record parsed;

    open_store(fixture);
    put(fixture, 3, "redis");
    test_record_service(&fixture->writer, 5, 3, "redis", &record);
    assert_int_equal(record_parse(record.bytes, record.size, &parsed), 0);
    assert_int_equal(keys_of_record(&parsed, key), 0);
    record.bytes[record.size - 1] ^= 1;
    put_raw(fixture, TXN_RECORDS, key, sizeof(key), record.bytes, record.size);
    check_tells(fixture, "epoch 5, seq 3: its signature does not verify\n");
    record.bytes[record.size - 1] ^= 1;
    put_raw(fixture, TXN_RECORDS, key, sizeof(key), record.bytes, 100);
    check_tells(fixture, "a record of 100 bytes is damaged\n");
    put_raw(fixture, TXN_RECORDS, key, sizeof(key), record.bytes, record.size);
    key[40] ^= 1;
    put_raw(fixture, TXN_RECORDS, key, sizeof(key), record.bytes, record.size);
    check_tells(fixture, "it lies in the place of another one\n");
    keys_put_head((struct record_order){.epoch = 5, .seq = 2}, head);
    put_raw(fixture, TXN_HEADS, fixture->writer.public, 32, head, sizeof(head));
    check_tells(fixture, "it is newer than the mark of its writer\n");
    put_raw(fixture, TXN_HEADS, fixture->writer.public, 32, head, 7);
    check_tells(fixture, "the mark of a writer is damaged\n");

    memset(other.cluster, 9, sizeof(other.cluster));
    test_record_service(&other, 5, 3, "redis", &record);
    assert_int_equal(record_parse(record.bytes, record.size, &parsed), 0);
    assert_int_equal(keys_of_record(&parsed, key), 0);
    put_raw(fixture, TXN_RECORDS, key, sizeof(key), record.bytes, record.size);
    check_tells(fixture, "seq 3: it is of another cluster\n");
}

static void a_writer_without_a_mark(void **state)
{
    struct fixture *fixture = *state;
    struct txn txn;

    open_store(fixture);
    put(fixture, 3, "redis");
    assert_int_equal(txn_begin(fixture->store, true, &txn), 0);
    assert_int_equal(txn_erase(&txn, TXN_HEADS, fixture->writer.public, 32), 0);
    assert_int_equal(txn_commit(&txn), 0);
    check_tells(fixture, "its writer has no mark\n");
}

static void faults_of_the_rest(void **state)
{
    struct fixture *fixture = *state;

    open_store(fixture);
    put_raw(fixture, TXN_TOKENS, "12345678", 8, "x", 1);
    check_tells(fixture, "a token is damaged\n");
    assert_non_null(strstr(run(fixture, "check")->out, ": 1 faults\n"));
}

static void a_file_that_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    char path[160];
    char name[16];
    struct stat info;

    open_store(fixture);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        put(fixture, i + 1, name);
    }
    fixture->store = store_close(fixture->store);
    snprintf(path, sizeof(path), "%s/data.mdb", fixture->directory);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size / 4), 0);
    assert_run(fixture, "check", CTL_EXIT_FAILED, "", "damaged");
    assert_run(fixture, "dump", CTL_EXIT_FAILED, "", "damaged");
    assert_int_equal(truncate(path, 100), 0);
    assert_run(fixture, "check", CTL_EXIT_FAILED, "", "damaged");
}

static void every_kind_is_dumped(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = {
        .id = {1},
        .name = "web-3",
        .mesh = {{.family = 4, .bytes = {192, 0, 2, 7}}},
        .n_mesh = 1,
        .subnets = {{.address = {.family = 4, .bytes = {10, 0, 3}}, .len = 24}},
        .n_subnets = 1,
        .functions = {"web-*"},
        .n_functions = 1,
    };
    struct store_batch *batch = NULL;
    const struct program_run *all;

    open_store(fixture);
    put(fixture, 3, "redis");
    memset(token.secret_hash, 0xab, sizeof(token.secret_hash));
    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    assert_int_equal(store_put_token(batch, &token), 0);
    assert_int_equal(store_put_setting(batch, "boot", "\0\0\0\7", 4), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_run(fixture, "dump --kind service", CTL_EXIT_OK,
               "\"key\":\"redis/a\",\"epoch\":5,\"seq\":3,", "");
    assert_run(fixture, "dump --kind head", CTL_EXIT_OK,
               "\"epoch\":5,\"seq\":3}\n", "");
    assert_run(fixture, "dump --kind setting", CTL_EXIT_OK,
               "{\"kind\":\"setting\",\"name\":\"boot\",\"value\":\"00000007\"}"
               "\n",
               "");
    assert_run(fixture, "dump --kind token", CTL_EXIT_OK,
               "\"name\":\"web-3\",\"mesh\":[\"192.0.2.7\"],\"subnets\":[\"10."
               "0.3.0/24\"],\"functions\":[\"web-*\"]}\n",
               "");
    assert_string_equal(run(fixture, "dump --kind member")->out, "");
    all = run(fixture, "dump");
    assert_null(strstr(all->out, "abab")); /* no hash of a secret */
    for (const char *line = all->out, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        assert_int_equal(memcmp(line, "{\"kind\":\"", 9), 0);
        assert_int_equal(end[-1], '}');
    }
    assert_run(fixture, "dump --kind services", CTL_EXIT_USAGE, "",
               "--kind services: there is no such kind; expected certificate");
}

static void the_clock_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct store_batch *batch = NULL;
    size_t size;

    open_store(fixture);
    assert_int_equal(store_batch_begin(fixture->store, &batch), 0);
    assert_int_equal(store_put_setting(batch, "clock", "12345678", 8), 0);
    assert_int_equal(store_batch_commit(batch), 0);
    assert_run(fixture, "forget-clock", CTL_EXIT_OK, "forgotten", "");
    assert_int_equal(store_get_setting(fixture->store, "clock", NULL, 0, &size),
                     STORE_E_NOT_FOUND);
}

#define COMMAND_TEST(name)                                                     \
    cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMMAND_TEST(a_host_without_a_store),
        COMMAND_TEST(a_whole_store),
        COMMAND_TEST(faults_of_records),
        COMMAND_TEST(a_writer_without_a_mark),
        COMMAND_TEST(faults_of_the_rest),
        COMMAND_TEST(a_file_that_is_cut_off),
        COMMAND_TEST(every_kind_is_dumped),
        COMMAND_TEST(the_clock_is_forgotten),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
