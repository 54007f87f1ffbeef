/*
 * An issuer's claims in the view: a limit of their own, and no manifest speaks
 * of them.
 */
#include "tests/unit/puppet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER 1

static int setup(void **state)
{
    struct puppets *puppets = calloc(1, sizeof(*puppets));

    assert_non_null(puppets);
    puppets_prepare(puppets, 3);
    assert_int_equal(puppets_make_node(puppets), 0);
    puppets->trusts_all = true;
    *state = puppets;
    return 0;
}

/* What the store gives at a start passes every check but the signature. */
static int load(struct puppets *puppets, const struct puppet_record *record)
{
    return node_load(puppets->node, record->bytes, record->size,
                     PUPPET_WALL_MS);
}

static void sign_function(struct puppets *puppets, const char *name,
                          bool is_claim, struct puppet_record *ret)
{
    struct body_function function = {.address = {4, {100, 80, 0, 1}},
                                     .is_claim = is_claim};
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t size = 0;

    (void)snprintf(function.name, sizeof(function.name), "%s", name);
    assert_int_equal(body_put_function(&function, body, sizeof(body), &size),
                     0);
    puppet_sign(puppets, ISSUER, RECORD_FUNCTION, name, strlen(name), body,
                size, PUPPET_WALL_MS, ret);
}

static int put(struct puppets *puppets, const char *name, bool is_claim)
{
    static struct puppet_record record;

    sign_function(puppets, name, is_claim, &record);
    return load(puppets, &record);
}

static int end(struct puppets *puppets, const char *name)
{
    static struct puppet_record record;
    struct body_tombstone tombstone = {.kind = RECORD_FUNCTION};
    uint8_t body[16];
    size_t size = 0;

    assert_int_equal(body_put_tombstone(&tombstone, body, sizeof(body), &size),
                     0);
    puppet_sign(puppets, ISSUER, RECORD_TOMBSTONE, name, strlen(name), body,
                size, PUPPET_WALL_MS, &record);
    return load(puppets, &record);
}

/* A manifest that lists nothing ends what is declared, and neither claims nor
 * what became of them. */
static void test_manifest(void **state)
{
    static struct puppet_record ended;
    static struct puppet_record record;
    struct puppets *puppets = *state;
    struct body_manifest manifest = {0};
    uint8_t body[64];
    size_t size = 0;

    sign_function(puppets, "ended", true, &ended);
    assert_int_equal(put(puppets, "claimed", true), 0);
    assert_int_equal(put(puppets, "declared", false), 0);
    assert_int_equal(end(puppets, "ended"), 0);
    assert_true(puppets_has(puppets, ISSUER, RECORD_FUNCTION, "claimed") &&
                puppets_has(puppets, ISSUER, RECORD_FUNCTION, "declared"));
    manifest.upto =
        (struct record_order){.epoch = puppets->epoch, .seq = puppets->seq};
    assert_int_equal(body_put_manifest(&manifest, body, sizeof(body), &size),
                     0);
    puppet_sign(puppets, ISSUER, RECORD_MANIFEST, NULL, 0, body, size,
                PUPPET_WALL_MS, &record);
    assert_int_equal(load(puppets, &record), 0);
    assert_true(puppets_has(puppets, ISSUER, RECORD_FUNCTION, "claimed"));
    assert_false(puppets_has(puppets, ISSUER, RECORD_FUNCTION, "declared"));
    /* Its tombstone is still there. */
    assert_int_equal(load(puppets, &ended), NODE_LOAD_REFUSED);
    assert_false(puppets_has(puppets, ISSUER, RECORD_FUNCTION, "ended"));
    /* One from before the manifest that was late: a claim lives by its order
     * alone. */
    assert_int_equal(put(puppets, "later", true), 0);
}

/* LIMIT_CLAIMS, beside what else the writer has, and not to be climbed by
 * turning one into the other. */
static void test_limit(void **state)
{
    struct puppets *puppets = *state;
    char name[BODY_NAME_SIZE];

    assert_int_equal(put(puppets, "declared", false), 0);
    for (unsigned i = 0; i < LIMIT_CLAIMS; i++) {
        (void)snprintf(name, sizeof(name), "f%u", i); /* fits */
        assert_int_equal(put(puppets, name, true), 0);
    }
    assert_int_equal(put(puppets, "more", true), NODE_LOAD_REFUSED);
    assert_int_equal(put(puppets, "declared", true), NODE_LOAD_REFUSED);
    assert_int_equal(end(puppets, "declared"), NODE_LOAD_REFUSED);
    assert_int_equal(puppets_counters(puppets)->refused_limit, 3);
    /* What is there can be changed, and there is room for the rest. */
    assert_int_equal(put(puppets, "f7", true), 0);
    assert_int_equal(put(puppets, "other", false), 0);
    assert_int_equal(put(puppets, "f7", false), 0);
    assert_int_equal(put(puppets, "more", true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_manifest, setup, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, puppets_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
