/*
 * agent key, charter and admission, as the roots' owner runs them away from all
 * hosts: files in, files out.  What comes out is judged as every node judges
 * it.  tests/e2e/test_roots.py has them on running agents.
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
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "agent/commands.h"
#include "agent/ctl/ctl.h"
#include "agent/roots/roots_internal.h"
#include "gossip/base/text.h"
#include "gossip/wire/sign.h"
#include "tests/unit/charter_sample.h"
#include "tests/unit/program_fixture.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

/* Later than any renewal of today: 2096. */
#define END_S UINT64_C(4000000000)

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1};

struct fixture {
    struct scratch scratch;
    struct test_writer root; /* r1.key */
    struct charter_sample sample;
    struct test_writer issuer;
    struct test_writer node;
};

static void write_bytes(const char *path, const uint8_t *bytes, size_t size,
                        const char *mode, mode_t rights)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, rights), 0);
}

static size_t read_bytes(const char *path, uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t n;

    assert_non_null(file);
    n = fread(bytes, 1, size, file);
    assert_int_equal(fclose(file), 0);
    return n;
}

/* A certificate by a root (serial 0) or an issuer, behind the others in
 * certs. */
static void put_certificate(const struct test_writer *writer,
                            const struct test_writer *subject, const char *name,
                            uint32_t roles, uint64_t serial,
                            uint64_t not_after_s)
{
    struct body_certificate body = {.roles = roles,
                                    .serial = serial,
                                    .generation = 4,
                                    .n_mesh = 1,
                                    .n_functions = 1,
                                    .not_before_s = 1700000000,
                                    .not_after_s = not_after_s};
    uint8_t packed[LIMIT_RECORD_SIZE], bytes[LIMIT_RECORD_SIZE];
    struct record_fields fields = {.kind = RECORD_CERTIFICATE,
                                   .cluster = cluster,
                                   .writer = writer->public,
                                   .order = {1, 1},
                                   .hlc = UINT64_C(1700000000000) << 16,
                                   .key = subject->public,
                                   .key_size = 32,
                                   .body = packed};
    size_t size;

    memcpy(body.sign_public, subject->public, 32);
    memset(body.exchange_public, 7, 32);
    (void)snprintf(body.name, sizeof(body.name), "%s", name);
    (void)strcpy(body.functions[0], "*");
    assert_int_equal(endpoint_parse("10.9.0.1:7720", 0, &body.mesh[0]), 0);
    assert_int_equal(
        body_put_certificate(&body, packed, sizeof(packed), &fields.body_size),
        0);
    size = record_build(&fields, bytes, sizeof(bytes));
    assert_int_equal(sign_record(bytes, size, writer->secret), 0);
    write_bytes("certs", bytes, size, "a", 0644);
}

/* In a directory of its own: r1.key, the root of the charter in `charter`. */
static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->scratch = scratch_make();
    fixture->root = test_writer_make(1);
    fixture->issuer = test_writer_make(2);
    fixture->node = test_writer_make(3);
    assert_int_equal(chdir(fixture->scratch.path), 0);
    fixture->sample = charter_sample_make(cluster, fixture->root.secret,
                                          &(const struct charter_ranges){
                                              .containers = {"10.70.0.0/16"},
                                              .mesh = {"10.9.0.0/16"},
                                              .services = {"100.80.0.0/12"},
                                          });
    write_bytes("r1.key", fixture->root.secret, 64, "w", 0600);
    write_bytes("charter", fixture->sample.bytes, fixture->sample.size, "w",
                0644);
    put_certificate(&fixture->root, &fixture->issuer, "host1",
                    BODY_ROLE_MEMBER | BODY_ROLE_ISSUER, 11, END_S);
    put_certificate(&fixture->issuer, &fixture->node, "host2", BODY_ROLE_MEMBER,
                    12, END_S);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(chdir("/"), 0);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

static void run(const char *words, int status, const char *out, const char *err)
{
    program_fixture_assert(commands_main, "agent", words, status, out, err);
}

/* --- Keys --------------------------------------------------------------------
 */

static void test_keys(void **state)
{
    char public[65] = "";
    struct stat info;
    const struct program_run *one;

    (void)state;
    one = program_fixture_run(commands_main, "agent", "key create k", -1);
    assert_int_equal(one->status, 0);
    assert_int_equal(strlen(one->out), 65);
    memcpy(public, one->out, 64);
    assert_int_equal(stat("k", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    run("key show k", 0, public, "");
    run("key create k", CTL_EXIT_FAILED, "", "no key is overwritten");
    run("key show k", 0, public, "");
    assert_int_equal(symlink("nowhere", "link"), 0);
    run("key create link", CTL_EXIT_FAILED, "", "there already");
    run("key show charter", CTL_EXIT_FAILED, "", "no root's key");
    run("key show nothing", CTL_EXIT_FAILED, "", "cannot read");
    assert_int_equal(chmod("k", 0640), 0);
    run("key show k", CTL_EXIT_FAILED, "", "readable by others");
}

/* --- Charters ----------------------------------------------------------------
 */

static json_t *load_json(const char *path)
{
    json_t *root = json_load_file(path, 0, NULL);

    assert_non_null(root);
    return root;
}

/* The record of a whole proposal goes behind the charters there are; it is what
 * every node takes after the one before. */
static void follow(const char *path, struct body_charter_parent *parent)
{
    json_auto_t *root = load_json(path);
    const char *hex = json_string_value(json_object_get(root, "record"));
    uint8_t bytes[LIMIT_RECORD_SIZE];
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    struct body_charter charter;
    struct record record;

    assert_non_null(hex);
    assert_int_equal(text_to_bytes(hex, strlen(hex), bytes, strlen(hex) / 2),
                     0);
    assert_int_equal(record_parse(bytes, strlen(hex) / 2, &record), 0);
    assert_int_equal(body_verify_charter(&record, parent, &charter), 0);
    assert_int_equal(sign_verify(&record), 0);
    body_hash_charter(&charter, record.body, record.body_size, hash);
    body_follow_charter(&charter, hash, parent);
    write_bytes("charter", bytes, strlen(hex) / 2, "a", 0644);
}

static void start(const struct fixture *fixture,
                  struct body_charter_parent *parent)
{
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    struct record record;

    assert_int_equal(
        record_parse(fixture->sample.bytes, fixture->sample.size, &record), 0);
    body_hash_charter(&fixture->sample.charter, record.body, record.body_size,
                      hash);
    body_follow_charter(&fixture->sample.charter, hash, parent);
}

/* From one root to two of three; then one of them is lost, and two replace
 * it. */
static void test_two_of_three(void **state)
{
    const struct fixture *fixture = *state;
    struct body_charter_parent parent;

    start(fixture, &parent);
    run("key create r2.key", 0, "", "");
    run("key create r3.key", 0, "", "");
    run("key create r4.key", 0, "", "");
    run("charter propose --from charter --add-root r2.key --add-root r3.key "
        "--threshold 2 --output p2",
        0, "threshold 1 becomes 2", "");
    run("charter apply p2", CTL_EXIT_FAILED, "", "0 of the 1 signatures");
    run("charter sign p2 --key r2.key", CTL_EXIT_FAILED, "",
        "no root of generation 1");
    run("charter sign p2 --key r1.key", 0, "it is whole", "");
    follow("p2", &parent);
    assert_int_equal(parent.n_roots, 3);
    assert_int_equal(parent.threshold, 2);
    /* Nothing of the lost one's is needed. */
    run("charter propose --from charter --remove-root r1.key --add-root r4.key "
        "--output p3",
        0, "needs 2 of 3 signatures", "");
    run("charter sign p3 --key r2.key", 0, "1 signature is missing", "");
    run("charter sign p3 --key r2.key", CTL_EXIT_FAILED, "",
        "has signed it already");
    run("charter apply p3", CTL_EXIT_FAILED, "", "1 of the 2 signatures");
    run("charter sign p3 --key r3.key", 0, "it is whole", "");
    follow("p3", &parent);
    run("charter propose --from charter --mesh 10.10.0.0/16 --output p4", 0, "",
        "");
    run("charter sign p4 --key r1.key", CTL_EXIT_FAILED, "",
        "no root of generation 3");
    run("charter show charter", 0, "generation  3", "");
}

static void test_changes(void **state)
{
    struct body_charter_parent parent;

    start(*state, &parent);
    run("charter propose --from charter --containers 10.70.0.0/16 "
        "--containers 10.99.0.0/16 --shared 10.99.1.0/24 --output p",
        0, "+ container 10.99.0.0/16\n+ shared    10.99.1.0/24\n", "");
    run("charter sign p --key r1.key", 0, "+ container 10.99.0.0/16", "");
    run("charter show p", 0, "containers  10.70.0.0/16 10.99.0.0/16", "");
    follow("p", &parent);
    run("charter propose --from charter --shared none --output p2", 0,
        "- shared    10.99.1.0/24\n", "");
}

static void test_refused_proposals(void **state)
{
    static const char *const options[][2] = {
        {"", "nothing"},
        {"--containers 10.70.0.0/16", "nothing"},
        {"--containers 10.9.0.0/24", "no host would take it"},
        {"--shared 10.71.0.0/24", "no host would take it"},
        {"--threshold 2", "1 roots would be left"},
        {"--threshold 0", "expected 1 to 8"},
        {"--remove-root r1.key", "0 roots would be left"},
        {"--remove-root charter", "no root: expected"},
        {"--add-root r1.key", "a root already"},
        {"--add-root 00", "no root: expected"},
        {"--services 10.200.0.0/30", "--services"},
        {"--mesh 10.9.0.1/16", "no bit set"},
    };
    struct stat info;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        char words[256];

        (void)snprintf(words, sizeof(words),
                       "charter propose --from charter %s --output p",
                       options[i][0]);
        run(words, CTL_EXIT_USAGE, "", options[i][1]);
        assert_int_equal(stat("p", &info), -1);
    }
    run("charter propose --from charter --mesh 10.8.0.0/16", CTL_EXIT_USAGE, "",
        "--output");
    run("charter propose --from r1.key --output p", CTL_EXIT_USAGE, "",
        "no charter");
    run("charter propose --from charter --mesh 10.8.0.0/16 --output charter",
        CTL_EXIT_FAILED, "", "there already");
}

static void store_json(const char *path, const json_t *root)
{
    assert_int_equal(json_dump_file(root, path, JSON_INDENT(2)), 0);
}

/* The bytes decide: what somebody wrote beside them is not read, and a byte
 * that is another costs the signature. */
static void test_altered(void **state)
{
    json_auto_t *root = NULL;
    const char *hex;
    char *text;

    (void)state;
    run("charter propose --from charter --mesh 10.10.0.0/16 --output p", 0, "",
        "");
    run("charter sign p --key r1.key", 0, "it is whole", "");
    root = load_json("p");
    json_object_set_new(json_object_get(root, "readable"), "mesh",
                        json_pack("[s]", "10.66.0.0/16"));
    store_json("p", root);
    run("charter show p", 0, "mesh        10.10.0.0/16", "");
    /* 10.10.0.0 becomes 10.11.0.0. */
    hex = json_string_value(json_object_get(root, "charter"));
    text = strdup(hex);
    assert_non_null(text);
    assert_non_null(strstr(text, "0a0a0000"));
    memcpy(strstr(text, "0a0a0000"), "0a0b0000", 8);
    json_object_set_new(root, "charter", json_string(text));
    free(text);
    json_object_set_new(root, "record", json_null());
    store_json("p", root);
    run("charter show p", 0, "signatures  0 of 1", "");
    run("charter apply p", CTL_EXIT_FAILED, "", "0 of the 1 signatures");
    json_object_set_new(root, "after", json_string("00"));
    store_json("p", root);
    run("charter show p", CTL_EXIT_USAGE, "", "\"after\" is no charter");
    json_object_set_new(root, "format", json_integer(2));
    store_json("p", root);
    run("charter sign p --key r1.key", CTL_EXIT_USAGE, "", "this release");
}

/* --- Admission ---------------------------------------------------------------
 */

/* The n-th record of a file, by the root. */
static struct record nth(const char *path, size_t n, size_t n_all,
                         uint8_t bytes[4096])
{
    size_t size = read_bytes(path, bytes, 4096);
    struct record found = {.size = 0};
    size_t at = 0, one = 0, count = 0;

    for (; at < size; at += one, count++) {
        struct record record;

        assert_int_equal(record_peek_size(bytes + at, size - at, &one), 0);
        assert_int_equal(record_parse(bytes + at, one, &record), 0);
        assert_int_equal(sign_verify(&record), 0);
        if (count == n) {
            found = record;
        }
    }
    assert_int_equal(count, n_all);
    return found;
}

static struct body_certificate certificate(const struct record *record)
{
    struct body_certificate body;

    assert_int_equal(body_get_certificate(record, &body), 0);
    return body;
}

#define OFFLINE " --key r1.key --certificate certs --output out"

static void test_grant(void **state)
{
    const struct fixture *fixture = *state;
    struct body_certificate body;
    struct record record;
    uint8_t bytes[4096];

    run("admission grant host2" OFFLINE, 0, "out has 1 record", "");
    record = nth("out", 0, 1, bytes);
    body = certificate(&record);
    assert_memory_equal(record.writer, fixture->root.public, 32);
    assert_memory_equal(record.cluster, cluster, sizeof(cluster));
    assert_memory_equal(body.sign_public, fixture->node.public, 32);
    assert_int_equal(body.roles, BODY_ROLE_MEMBER | BODY_ROLE_ISSUER);
    assert_int_equal(body.generation, 5);
    assert_int_not_equal(body.serial, 12);
    assert_string_equal(body.name, "host2");
    assert_true(body.not_after_s - body.not_before_s > 3 * 365 * 86400);
    run("admission grant host1 --key r1.key --certificate certs --output o2",
        CTL_EXIT_FAILED, "", "an issuer already");
    run("admission grant host9" OFFLINE, CTL_EXIT_NOT_FOUND, "", "host9");
    run("admission grant host2" OFFLINE, CTL_EXIT_FAILED, "", "there already");
}

/* Serial and generation stay: it is one grant. */
static void test_renew(void **state)
{
    const struct fixture *fixture = *state;
    struct body_certificate body;
    struct record record;
    uint8_t bytes[4096];

    run("admission renew host1" OFFLINE, CTL_EXIT_FAILED, "", "later");
    run("admission renew host2" OFFLINE, CTL_EXIT_FAILED, "",
        "agentctl cert renew host2");
    assert_int_equal(unlink("certs"), 0);
    put_certificate(&fixture->root, &fixture->issuer, "host1",
                    BODY_ROLE_MEMBER | BODY_ROLE_ISSUER, 11, 1700000001);
    put_certificate(&fixture->root, &fixture->node, "host2", BODY_ROLE_MEMBER,
                    12, 1700000001);
    run("admission renew host1" OFFLINE, 0, "out has 1 record", "");
    record = nth("out", 0, 1, bytes);
    body = certificate(&record);
    assert_int_equal(body.serial, 11);
    assert_int_equal(body.generation, 4);
    assert_int_equal(body.not_before_s, 1700000000);
    assert_true(body.not_after_s > (uint64_t)time(NULL) + 1094 * 86400);
    assert_int_equal(unlink("out"), 0);
    run("admission renew HOST2" OFFLINE, 0, "out has 1 record", "");
    record = nth("out", 0, 1, bytes);
    body = certificate(&record);
    assert_int_equal(body.serial, 12);
    assert_true(body.not_after_s < (uint64_t)time(NULL) + 366 * 86400);
}

/* Whom it admitted goes first, as it was, by the root; then its role. */
static void test_revoke(void **state)
{
    const struct fixture *fixture = *state;
    struct body_revocation revocation;
    struct body_certificate body;
    struct record record;
    uint8_t bytes[4096];

    run("admission revoke host2" OFFLINE, CTL_EXIT_FAILED, "", "no issuer");
    run("admission revoke host1" OFFLINE, 0, "out has 2 records",
        "no issuer is left");
    record = nth("out", 0, 2, bytes);
    body = certificate(&record);
    assert_memory_equal(record.writer, fixture->root.public, 32);
    assert_memory_equal(body.sign_public, fixture->node.public, 32);
    assert_int_equal(body.serial, 12);
    assert_int_equal(body.generation, 4);
    assert_int_equal(body.not_after_s, END_S);
    record = nth("out", 1, 2, bytes);
    body = certificate(&record);
    assert_memory_equal(body.sign_public, fixture->issuer.public, 32);
    assert_int_equal(body.roles, BODY_ROLE_MEMBER);
    assert_int_equal(body.generation, 5);
    assert_int_not_equal(body.serial, 11);
    /* The root wrote the last one too: this one is newer. */
    assert_true(record.order.epoch >> 32 > 1);
    unlink("out");
    run("admission revoke host1 --key-lost" OFFLINE, 0, "out has 2 records",
        "");
    record = nth("out", 0, 2, bytes);
    assert_memory_equal(record.key, fixture->node.public, 32);
    record = nth("out", 1, 2, bytes);
    assert_int_equal(body_get_revocation(&record, &revocation), 0);
    assert_memory_equal(record.key, fixture->issuer.public, 32);
    assert_int_equal(revocation.serial, 0);
    assert_false(revocation.is_lifted);
    unlink("out");
    run("admission lift host1" OFFLINE, 0, "out has 1 record", "");
    record = nth("out", 0, 1, bytes);
    assert_int_equal(body_get_revocation(&record, &revocation), 0);
    assert_true(revocation.is_lifted);
}

/* Files that are none, and no agent there. */
static void test_wrong(void **state)
{
    (void)state;
    run("admission grant host2 --key r1.key --certificate r1.key --output o",
        CTL_EXIT_USAGE, "", "expected certificates");
    run("admission grant host2 --key certs --certificate certs --output o",
        CTL_EXIT_FAILED, "", "no root's key");
    run("charter show --config nothing.yaml", CTL_EXIT_USAGE, "",
        "nothing.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_of_three, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_proposals, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_altered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoke, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
