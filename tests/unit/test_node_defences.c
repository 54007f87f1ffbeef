/*
 * What a hostile member, or somebody who is none, sends, and what the node does
 * with it: nothing.  Each of these defences is named in docs/SECURITY.md, and
 * `tests/run defences` takes it out to see the test of its name fail.
 */
#include "tests/unit/puppet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Somebody on the network without the key of whom he names. */
static void test_tag(void **state)
{
    struct puppets *puppets = *state;
    uint64_t n_dropped = puppets_counters(puppets)->dropped_tag;
    struct puppet_record record;

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    puppets->has_no_key = true;
    puppet_send_ping(puppets, 2, MESSAGE_PING, 7, 0);
    puppet_send_record(puppets, 2, &record);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_ACK), 0);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    assert_int_equal(puppets_counters(puppets)->dropped_tag, n_dropped + 2);
    puppets->has_no_key = false;
    puppet_send_record(puppets, 2, &record);
    assert_true(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
}

/* With the right key, from an address that its certificate does not name. */
static void test_source(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    puppets->is_elsewhere = true;
    puppet_send_ping(puppets, 2, MESSAGE_PING, 7, 0);
    puppet_send_record(puppets, 2, &record);
    puppet_hello(puppets, 2);
    assert_int_equal(puppet_n_seen(puppets, 2, MESSAGE_ACK), 0);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    assert_int_equal(puppets_counters(puppets)->dropped_source, 3);
}

/* A record of our writer's, made for another cluster. */
static void test_cluster(void **state)
{
    static const uint8_t other[RECORD_CLUSTER_SIZE] = {9};
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppets->cluster = other;
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    assert_int_equal(puppets_counters(puppets)->refused_cluster, 1);
}

/* What somebody else passes on, changed on the way. */
static void test_signature(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    record.bytes[record.size - 1] ^= 1;
    puppet_send_record(puppets, 3, &record);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    assert_int_equal(puppets_counters(puppets)->refused_signature, 1);
}

/* Replays: what was replaced, and what was ended. */
static void test_older(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record older;
    struct puppet_record newer;
    struct record found;

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &older);
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &newer);
    puppet_send_record(puppets, 2, &newer);
    puppet_send_record(puppets, 3, &older);
    assert_int_equal(puppets_counters(puppets)->refused_old, 1);
    assert_true(node_record_find(puppets->node, puppets->keys[2].sign_public,
                                 RECORD_SERVICE, (const uint8_t *)"redis/a", 7,
                                 &found));
    assert_int_equal(found.size, newer.size);
    assert_memory_equal(found.bytes, newer.bytes, newer.size);
}

static void test_ended(void **state)
{
    struct puppets *puppets = *state;
    struct body_manifest manifest = {0};
    struct puppet_record ended;
    struct puppet_record record;
    uint8_t body[64];
    size_t size = 0;

    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &ended);
    manifest.upto =
        (struct record_order){.epoch = puppets->epoch, .seq = puppets->seq};
    assert_int_equal(body_put_manifest(&manifest, body, sizeof(body), &size),
                     0);
    puppet_sign(puppets, 2, RECORD_MANIFEST, NULL, 0, body, size,
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
    puppet_send_record(puppets, 3, &ended);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    assert_int_equal(puppets_counters(puppets)->refused_old, 1);
}

/* A service that the certificate does not allow: its function, its address. */
static void offer(struct puppets *puppets, const char *function,
                  uint8_t third_byte)
{
    struct body_service service = {.instance = "a",
                                   .protocol = 6,
                                   .port = 80,
                                   .address = {4, {10, 70, third_byte, 5}},
                                   .weight = 100};
    struct puppet_record record;
    uint8_t body[LIMIT_RECORD_SIZE];
    char key[80];
    size_t size = 0;

    (void)snprintf(service.function, sizeof(service.function), "%s", function);
    (void)snprintf(key, sizeof(key), "%s/a", function);
    assert_int_equal(body_put_service(&service, body, sizeof(body), &size), 0);
    puppet_sign(puppets, 2, RECORD_SERVICE, key, strlen(key), body, size,
                PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 2, &record);
}

static void test_function(void **state)
{
    struct puppets *puppets = *state;

    offer(puppets, "mcp", 2);
    offer(puppets, "we", 2);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "mcp/a") ||
                 puppets_has(puppets, 2, RECORD_SERVICE, "we/a"));
    assert_int_equal(puppets_counters(puppets)->refused_rights, 2);
    offer(puppets, "web-shop", 2);
    assert_true(puppets_has(puppets, 2, RECORD_SERVICE, "web-shop/a"));
}

static void test_address(void **state)
{
    struct puppets *puppets = *state;

    offer(puppets, "redis", 3);
    assert_false(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
    assert_int_equal(puppets_counters(puppets)->refused_rights, 1);
    offer(puppets, "redis", 2);
    assert_true(puppets_has(puppets, 2, RECORD_SERVICE, "redis/a"));
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, puppets_setup_four, puppets_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_tag),       TEST(test_source),  TEST(test_cluster),
        TEST(test_signature), TEST(test_older),   TEST(test_ended),
        TEST(test_function),  TEST(test_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
