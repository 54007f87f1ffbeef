/*
 * gossip/node/own.c by its public interface, as test_node.c: what a node does
 * when records that it signed, and does not know of, come from outside.
 * Somebody shows a backup's owner where it stood, lies about that, or writes
 * with its key at the same time.
 */
#include "tests/unit/puppet.h"

#include <stdlib.h>

static int setup(void **state)
{
    struct puppets *puppets = calloc(1, sizeof(*puppets));

    assert_non_null(puppets);
    puppets_start(puppets, 4);
    puppets_run(puppets, 100);
    *state = puppets;
    return 0;
}

static uint32_t boot(const struct puppets *puppets)
{
    return (uint32_t)(node_epoch(puppets->node) >> 32);
}

/* A member record that the node's key signed in that boot, elsewhere. */
static void make_own(struct puppets *puppets, uint32_t of_boot,
                     struct puppet_record *ret)
{
    uint64_t epoch = puppets->epoch;

    puppets->epoch = (uint64_t)of_boot << 32 | 77;
    puppet_member(puppets, 0, ret);
    puppets->epoch = epoch;
}

static enum node_trouble trouble(const struct puppets *puppets)
{
    uint8_t source[32];

    return node_trouble(puppets->node, source);
}

/* A record of ours proves that we were further: we go on after it, once. */
static void test_shown_record(void **state)
{
    struct puppets *puppets = *state;
    uint32_t before = boot(puppets);
    struct puppet_record shown;

    make_own(puppets, before + 100, &shown);
    puppet_hello_with(puppets, 1, NULL, &shown);
    assert_int_equal(boot(puppets), before + 101);
    assert_int_equal(puppets_member(puppets, 0).incarnation.epoch,
                     node_epoch(puppets->node));
    assert_int_equal(trouble(puppets), NODE_TROUBLE_NONE);
    assert_int_equal(puppets_write(puppets, "a"), 0);
}

/* A newer record of ours is taken, and that is told; an older one is not. */
static void test_newer_record_is_taken(void **state)
{
    struct puppets *puppets = *state;
    uint64_t epoch = puppets->epoch;
    struct puppet_record record;

    puppets->epoch = UINT64_C(6) << 32; /* of an earlier boot */
    puppet_service(puppets, 0, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(node_n_returned(puppets->node), 1);
    assert_int_equal(boot(puppets), 7);
    puppets->epoch = UINT64_C(5) << 32;
    puppet_service(puppets, 0, "a", PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(node_n_returned(puppets->node), 1);
    puppets->epoch = epoch;
}

/* Nor does a hello more than one write, however often it comes. */
static void test_shown_again(void **state)
{
    struct puppets *puppets = *state;
    uint32_t before = boot(puppets);
    size_t n_written = puppets->n_written;
    struct puppet_record shown;

    make_own(puppets, before + 100, &shown);
    for (unsigned i = 0; i < 50; i++) {
        puppet_hello_with(puppets, 1 + i % 3, NULL, &shown);
        puppets->now_ms += 20;
    }
    assert_int_equal(boot(puppets), before + 101);
    assert_int_equal(puppets->n_written, n_written + 1);
    assert_int_equal(trouble(puppets), NODE_TROUBLE_NONE);
}

/* Bare words, others' records and forgeries move nothing. */
static void test_claims_prove_nothing(void **state)
{
    struct puppets *puppets = *state;
    uint64_t epoch = node_epoch(puppets->node);
    size_t n_written = puppets->n_written;
    struct puppet_record shown;

    for (unsigned i = 0; i < 50; i++) {
        make_own(puppets, UINT32_MAX / 2 + i, &shown);
        shown.bytes[shown.size - 1] ^= 1;
        puppet_hello_with(puppets, 1, NULL, &shown);
        puppets->now_ms += 20;
    }
    assert_int_equal(puppets_counters(puppets)->refused_signature, 50);
    puppets->epoch = UINT64_C(1) << 62;
    puppet_member(puppets, 2, &shown);
    puppet_hello_with(puppets, 1, NULL, &shown);
    make_own(puppets, (uint32_t)(epoch >> 32) - 1, &shown);
    puppet_hello_with(puppets, 1, NULL, &shown);
    puppet_hello_with(puppets, 1, NULL, &puppets->certificates[0]);
    shown.size = 3;
    puppet_hello_with(puppets, 1, NULL, &shown);
    assert_true(node_epoch(puppets->node) == epoch);
    assert_int_equal(puppets->n_written, n_written);
    assert_int_equal(trouble(puppets), NODE_TROUBLE_NONE);
}

/* Another cluster's record with our key is no proof here. */
static void test_other_cluster(void **state)
{
    struct puppets *puppets = *state;
    uint64_t epoch = node_epoch(puppets->node);
    struct puppet_record shown;

    make_own(puppets, boot(puppets) + 9, &shown);
    shown.bytes[4] ^= 1; /* the cluster */
    assert_int_equal(
        sign_record(shown.bytes, shown.size, puppets->keys[0].sign_secret), 0);
    puppet_hello_with(puppets, 1, NULL, &shown);
    assert_true(node_epoch(puppets->node) == epoch);
}

static void check_twin(struct puppets *puppets, unsigned source)
{
    size_t n_written = puppets->n_written;
    struct puppet_record record;
    uint8_t key[32];

    assert_int_equal(node_trouble(puppets->node, key), NODE_TROUBLE_TWIN);
    assert_memory_equal(key, puppets->keys[source].sign_public, 32);
    assert_int_equal(puppets_write(puppets, "b"), NODE_E_TWIN);
    assert_int_equal(puppets_remove(puppets, "a"), NODE_E_TWIN);
    puppet_accusation(puppets, 1, 0, &record);
    puppet_send_record(puppets, 1, &record);
    puppets_run(puppets, 700000);
    assert_int_equal(puppets->n_written, n_written);
}

/* Who outdoes us twice in one run writes at the same time: we stop, and do
 * not answer what is said of us. */
static void test_twin(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record shown;

    assert_int_equal(puppets_write(puppets, "a"), 0);
    make_own(puppets, boot(puppets) + 1, &shown);
    puppet_hello_with(puppets, 1, NULL, &shown);
    assert_int_equal(trouble(puppets), NODE_TROUBLE_NONE);
    make_own(puppets, boot(puppets) + 1, &shown);
    puppet_hello_with(puppets, 2, NULL, &shown);
    check_twin(puppets, 2);
}

/* The same when its records come as records do. */
static void test_twin_by_records(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    assert_int_equal(puppets_write(puppets, "a"), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(trouble(puppets), NODE_TROUBLE_NONE);
        make_own(puppets, boot(puppets) + 1, &record);
        puppet_send_record(puppets, 3, &record);
    }
    check_twin(puppets, 3);
}

/* A machine's memory was set back: its numbers of now are used already. */
static void test_number_of_this_run(void **state)
{
    struct puppets *puppets = *state;
    uint32_t before = boot(puppets);
    struct puppet_record shown;
    uint64_t epoch = puppets->epoch;

    puppets->epoch = node_epoch(puppets->node);
    puppet_member(puppets, 0, &shown); /* far more than it has written */
    puppets->epoch = epoch;
    puppet_hello_with(puppets, 1, NULL, &shown);
    assert_int_equal(boot(puppets), before + 1);
}

/* The last boot there can be: nothing comes after it. */
static void test_last_boot(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record shown;

    make_own(puppets, UINT32_MAX, &shown);
    puppet_hello_with(puppets, 1, NULL, &shown);
    assert_int_equal(trouble(puppets), NODE_TROUBLE_TWIN);
}

/* What an earlier run left is told before the first write, by several who
 * know more or less: no twin is suspected for it. */
static void test_before_the_first_write(void **state)
{
    struct puppets *puppets = *state;
    struct node_event start = {.type = NODE_EVENT_START};
    struct puppet_record shown;

    puppets_end(puppets);
    puppets_prepare(puppets, 4);
    assert_int_equal(puppets_make_node(puppets), 0);
    puppet_member(puppets, 1, &shown); /* one is known to be alive */
    assert_int_equal(
        node_load(puppets->node, shown.bytes, shown.size, PUPPET_WALL_MS), 0);
    puppets_step(puppets, &start);
    assert_int_equal(puppets->n_hellos, 1);
    make_own(puppets, 30, &shown);
    puppet_send_record(puppets, 2, &shown);
    make_own(puppets, 40, &shown);
    puppet_send_record(puppets, 3, &shown);
    make_own(puppets, 50, &shown);
    puppet_hello_with(puppets, 1, NULL, &shown); /* the awaited answer */
    puppets_run(puppets, 2000);
    assert_true(node_is_ready(puppets->node));
    assert_int_equal(boot(puppets), 51);
    assert_int_equal(trouble(puppets), NODE_TROUBLE_NONE);
    make_own(puppets, 60, &shown); /* a late one is not either */
    puppet_hello_with(puppets, 2, NULL, &shown);
    assert_int_equal(boot(puppets), 61);
    assert_int_equal(trouble(puppets), NODE_TROUBLE_NONE);
}

/* Its own member record makes one who says hello alive at once. */
static void test_member_in_hello(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record other;
    struct puppet_record member;

    puppets_end(puppets);
    puppets_prepare(puppets, 4);
    {
        struct node_event start = {.type = NODE_EVENT_START};

        assert_int_equal(puppets_make_node(puppets), 0);
        puppets_step(puppets, &start);
        puppets_run(puppets, 2000);
    }
    puppet_member(puppets, 3, &other);
    puppet_hello_with(puppets, 2, &other, NULL);
    assert_int_equal(puppets_member(puppets, 2).state, NODE_MEMBER_UNKNOWN);
    assert_int_equal(puppets_member(puppets, 3).state, NODE_MEMBER_UNKNOWN);
    puppet_member(puppets, 2, &member);
    puppet_hello_with(puppets, 2, &member, NULL);
    assert_int_equal(puppets_member(puppets, 2).state, NODE_MEMBER_ALIVE);
}

/* What the node itself says in a hello: its member record, and the newest
 * record that it has of who is told. */
static void test_hello_of_the_node(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record service;
    struct record record;

    puppets->epoch++;
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &service);
    puppet_send_record(puppets, 2, &service);
    puppets_run(puppets, 3000);
    puppets->counters[2] = 0; /* set back: it is told */
    puppet_hello(puppets, 2);
    assert_int_equal(puppets->hello.shown_size, service.size);
    assert_memory_equal(puppets->hello.shown, service.bytes, service.size);
    assert_int_equal(record_parse(puppets->hello.member,
                                  puppets->hello.member_size, &record),
                     0);
    assert_int_equal(record.kind, RECORD_MEMBER);
    assert_memory_equal(record.writer, puppets->keys[0].sign_public, 32);
}

/* --- What does not wait for the disk ---------------------------------------
 */

/* The disk refuses the oldest write that it was given. */
static void fail_oldest(struct puppets *puppets)
{
    struct node_event event = {.type = NODE_EVENT_STORE_FAILED};

    assert_true(puppets->n_held > 0);
    event.order = puppets->held[0];
    puppets->n_held--;
    memmove(&puppets->held[0], &puppets->held[1],
            puppets->n_held * sizeof(puppets->held[0]));
    puppets_step(puppets, &event);
}

/* How many records of this kind and of the node's went out. */
static size_t n_sent(const struct puppets *puppets, uint8_t kind)
{
    size_t n = 0;

    for (size_t i = 0; i < puppets->n_seen; i++) {
        const struct message *message = &puppets->seen[i].message;
        struct record record;

        n += message->type == MESSAGE_RECORD &&
             record_parse(message->bytes, message->size, &record) == 0 &&
             record.kind == kind &&
             memcmp(record.writer, puppets->keys[0].sign_public, 32) == 0;
    }
    return n;
}

/* A refutation is on its way while the disk stands still, and the next one. */
static void test_refutation_is_at_once(void **state)
{
    struct puppets *puppets = *state;
    struct puppet_record record;

    puppets->holds_commits = true;
    for (unsigned i = 1; i <= 3; i++) {
        struct record_order before = puppets_member(puppets, 0).incarnation;

        puppets_clear(puppets);
        puppet_accusation(puppets, i, 0, &record);
        puppet_send_record(puppets, i, &record);
        assert_true(record_order_compare(puppets_member(puppets, 0).incarnation,
                                         before) > 0);
        puppets_run(puppets, NODE_TUNING_DEFAULT.coalesce_ms);
        assert_true(n_sent(puppets, RECORD_MEMBER) > 0);
    }
    assert_int_equal(puppets->n_held, 3);
    /* What others have is not said again because the disk was full. */
    while (puppets->n_held > 0) {
        fail_oldest(puppets);
    }
    puppets_run(puppets, 5000);
    assert_int_equal(puppets->n_held, 0);
}

static int write_service(struct puppets *puppets, uint8_t health, uint16_t port)
{
    struct body_service body = {.function = "redis",
                                .instance = "a",
                                .protocol = 6,
                                .port = port,
                                .address = {4, {10, 70, 0, 20}},
                                .weight = 100,
                                .health = health};
    struct node_written written = {.result = -1};
    uint8_t packed[512];
    struct node_event event = {.type = NODE_EVENT_WRITE,
                               .kind = RECORD_SERVICE,
                               .key = (const uint8_t *)"redis/a",
                               .key_size = 7,
                               .body = packed,
                               .written = &written};

    assert_int_equal(
        body_put_service(&body, packed, sizeof(packed), &event.body_size), 0);
    puppets_step(puppets, &event);
    return written.result;
}

/* As in the node's view. */
static struct body_service find_service(const struct puppets *puppets)
{
    struct body_service body = {.port = 0};
    struct record record;

    if (node_record_find(puppets->node, puppets->keys[0].sign_public,
                         RECORD_SERVICE, (const uint8_t *)"redis/a", 7,
                         &record)) {
        assert_int_equal(body_get_service(&record, &body), 0);
    }
    return body;
}

/* A failed check is told at once, a new instance or port when it is durable. */
static void test_health_is_at_once(void **state)
{
    struct puppets *puppets = *state;

    puppets->holds_commits = true;
    assert_int_equal(write_service(puppets, BODY_HEALTH_PASSING, 80), 0);
    assert_int_equal(find_service(puppets).port, 0);
    puppets_commit(puppets);
    assert_int_equal(find_service(puppets).port, 80);
    puppets_run(puppets, 100);
    puppets_clear(puppets);
    assert_int_equal(write_service(puppets, BODY_HEALTH_CRITICAL, 80), 0);
    assert_int_equal(find_service(puppets).health, BODY_HEALTH_CRITICAL);
    puppets_run(puppets, NODE_TUNING_DEFAULT.coalesce_ms);
    assert_true(n_sent(puppets, RECORD_SERVICE) > 0);
    fail_oldest(puppets);
    /* Tried again: the disk gets it, and nobody else. */
    puppets_clear(puppets);
    assert_int_equal(write_service(puppets, BODY_HEALTH_CRITICAL, 80), 0);
    assert_int_equal(write_service(puppets, BODY_HEALTH_PASSING, 81), 0);
    assert_int_equal(find_service(puppets).health, BODY_HEALTH_CRITICAL);
    assert_int_equal(find_service(puppets).port, 80);
    puppets_commit(puppets);
    assert_int_equal(find_service(puppets).port, 81);
}

static void find(struct puppets *puppets, uint8_t finding)
{
    struct node_event event = {.type = NODE_EVENT_FINDING, .finding = finding};

    puppets_step(puppets, &event);
}

/* What ails the host is one member record, sent at once; what was told already
 * is none, and a refutation keeps it. */
static void test_finding_is_at_once(void **state)
{
    struct puppets *puppets = *state;
    struct record_order before = puppets_member(puppets, 0).incarnation;
    struct puppet_record record;

    puppets->holds_commits = true;
    find(puppets, BODY_MEMBER_FINDING_NONE);
    assert_int_equal(puppets->n_held, 0);
    find(puppets, BODY_MEMBER_FINDING_SWITCH);
    assert_int_equal(puppets->n_held, 1);
    assert_int_equal(puppets_member(puppets, 0).body->finding,
                     BODY_MEMBER_FINDING_SWITCH);
    assert_true(record_order_compare(puppets_member(puppets, 0).incarnation,
                                     before) > 0);
    puppets_clear(puppets);
    puppets_run(puppets, NODE_TUNING_DEFAULT.coalesce_ms);
    assert_true(n_sent(puppets, RECORD_MEMBER) > 0);
    puppets_commit(puppets);
    find(puppets, BODY_MEMBER_FINDING_SWITCH);
    puppets_run(puppets, 1000);
    assert_int_equal(puppets->n_held, 0);
    puppet_accusation(puppets, 1, 0, &record);
    puppet_send_record(puppets, 1, &record);
    assert_int_equal(puppets->n_held, 1);
    assert_int_equal(puppets_member(puppets, 0).body->finding,
                     BODY_MEMBER_FINDING_SWITCH);
    puppets_commit(puppets);
    find(puppets, BODY_MEMBER_FINDING_NONE);
    assert_int_equal(puppets_member(puppets, 0).body->finding,
                     BODY_MEMBER_FINDING_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shown_record, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_shown_again, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_newer_record_is_taken, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_claims_prove_nothing, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_other_cluster, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_twin, setup, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_twin_by_records, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_number_of_this_run, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_last_boot, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_refutation_is_at_once, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_health_is_at_once, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_finding_is_at_once, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_before_the_first_write, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_member_in_hello, setup,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_hello_of_the_node, setup,
                                        puppets_teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
