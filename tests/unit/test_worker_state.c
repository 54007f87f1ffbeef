/*
 * The worker's desired set: snapshots, deltas, gaps, refusals, whose open
 * connections are cut off; and the hold-down.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/ipc/ipc.h"
#include "agent/worker/worker_cache.h"
#include "agent/worker/worker_holddown.h"
#include "agent/worker/worker_state.h"

static const struct plan_policy policy = {
    .bridge = "socket",
    .subnets = {{.address = {.family = 4, .bytes = {10, 0, 1, 0}}, .len = 24}},
    .n_subnets = 1,
    .service_range = {.address = {.family = 4, .bytes = {100, 80}}, .len = 12},
    .tunnel_device = "vx-socket",
    .mesh_interface = "nm-privacy",
};

static struct address ip(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct address){.family = 4, .bytes = {a, b, c, d}};
}

/* A function with a backend on each of these hosts; '-' before one: it
 * accepts no new connection. */
static struct desired_item make_function(const char *name, const char *hosts)
{
    struct desired_item item = {.type = DESIRED_FUNCTION,
                                .function = {.protocol = 6,
                                             .port = 6379,
                                             .address = ip(100, 80, 0, 5)}};
    bool accepts_new = true;

    (void)snprintf(item.function.name, sizeof(item.function.name), "%s", name);
    item.function.backends = calloc(8, sizeof(*item.function.backends));
    assert_non_null(item.function.backends);
    for (; *hosts != '\0'; hosts++) {
        uint8_t host = (uint8_t)(*hosts - '0');

        if (*hosts == '-') {
            accepts_new = false;
            continue;
        }
        item.function.backends[item.function.n_backends++] =
            (struct desired_backend){.instance = "one",
                                     .host_id = host,
                                     .address = ip(10, 0, host, 200),
                                     .port = 6379,
                                     .weight = 100,
                                     .accepts_new = accepts_new};
        accepts_new = true;
    }
    return item;
}

static struct desired_item make_local(uint8_t third)
{
    return (struct desired_item){
        .type = DESIRED_LOCAL,
        .local = {.address = ip(10, 0, third, 200), .port_name = "veth200"}};
}

/* Takes the item over. */
static int handle(struct worker_state *state, uint8_t type, uint64_t number,
                  int64_t op, struct desired_item item)
{
    uint8_t bytes[4096];
    struct ipc_message message = {
        .type = type, .number = number, .value = op, .fd = -1};

    if (item.type != 0) {
        assert_int_equal(
            desired_item_pack(&item, bytes, sizeof(bytes), &message.size), 0);
        message.bytes = bytes;
        desired_item_done(&item);
    }
    return worker_state_handle(state, &message);
}

static const struct desired_item none;

static void begin(struct worker_state *state)
{
    assert_int_equal(handle(state, IPC_SNAPSHOT_BEGIN, 0, 0, none), 0);
}

static void end(struct worker_state *state, uint64_t number)
{
    assert_int_equal(handle(state, IPC_SNAPSHOT_END, number, 0, none),
                     WORKER_STATE_CHANGED);
}

static size_t take_flushes(struct worker_state *state, uint8_t *ret_hosts)
{
    struct worker_state_flush *flushes;
    size_t n = worker_state_take_flushes(state, &flushes);

    for (size_t i = 0; i < n; i++) {
        ret_hosts[i] = flushes[i].backend.bytes[2];
    }
    free(flushes);
    return n;
}

static void test_snapshot_takes_effect_whole(void **unused)
{
    struct worker_state state;

    (void)unused;
    worker_state_init(&state, &policy);
    begin(&state);
    assert_int_equal(
        handle(&state, IPC_SNAPSHOT_ITEM, 0, 0, make_function("redis", "2")),
        0);
    assert_false(state.is_synced);
    assert_int_equal(state.desired.n_items, 0);
    end(&state, 7);
    assert_true(state.is_synced);
    assert_int_equal(state.number, 7);
    assert_int_equal(state.desired.n_items, 1);
    /* One that breaks off leaves everything as it was. */
    begin(&state);
    worker_state_reconnected(&state);
    assert_int_equal(handle(&state, IPC_SNAPSHOT_END, 8, 0, none),
                     WORKER_STATE_BAD);
    assert_int_equal(state.desired.n_items, 1);
    worker_state_done(&state);
}

/* What a plan refuses lasts until the next plan, whatever core sends. */
static void test_plan_refuses(void **unused)
{
    static const struct plan_problem refused = {
        .item = "local/10.0.1.200", .reason = "10.0.1.200 lives behind veth9"};
    struct worker_state_refusal refusal;
    struct worker_state state;

    (void)unused;
    worker_state_init(&state, &policy);
    begin(&state);
    assert_int_equal(handle(&state, IPC_SNAPSHOT_ITEM, 0, 0, make_local(1)), 0);
    end(&state, 7);
    assert_int_equal(worker_state_judge(&state, &refused, 1), 0);
    assert_true(worker_state_next_refusal(&state, &refusal));
    assert_string_equal(refusal.key, refused.item);
    assert_string_equal(refusal.reason, refused.reason);
    assert_int_equal(worker_state_judge(&state, &refused, 1), 0);
    assert_int_equal(handle(&state, IPC_DELTA, 8, IPC_DELTA_PUT, make_local(1)),
                     WORKER_STATE_CHANGED);
    begin(&state);
    end(&state, 9);
    assert_false(worker_state_next_refusal(&state, &refusal));
    assert_int_equal(worker_state_judge(&state, NULL, 0), 0);
    assert_true(worker_state_next_refusal(&state, &refusal));
    assert_string_equal(refusal.reason, "");
    assert_false(worker_state_next_refusal(&state, &refusal));
    worker_state_done(&state);
}

static void test_deltas_and_gaps(void **unused)
{
    struct worker_state state;

    (void)unused;
    worker_state_init(&state, &policy);
    /* Before a snapshot a delta says nothing. */
    assert_int_equal(handle(&state, IPC_DELTA, 1, IPC_DELTA_PUT, make_local(1)),
                     0);
    begin(&state);
    end(&state, 3);
    assert_int_equal(handle(&state, IPC_DELTA, 4, IPC_DELTA_PUT, make_local(1)),
                     WORKER_STATE_CHANGED);
    assert_int_equal(state.number, 4);
    assert_int_equal(
        handle(&state, IPC_DELTA, 6, IPC_DELTA_REMOVE, make_local(1)),
        WORKER_STATE_GAP);
    /* Said once; what comes meanwhile is in the snapshot. */
    assert_int_equal(
        handle(&state, IPC_DELTA, 7, IPC_DELTA_REMOVE, make_local(1)), 0);
    assert_int_equal(state.desired.n_items, 1);
    begin(&state);
    end(&state, 8);
    assert_int_equal(state.desired.n_items, 0);
    assert_int_equal(handle(&state, IPC_DELTA, 9, IPC_DELTA_PUT, make_local(1)),
                     WORKER_STATE_CHANGED);
    assert_int_equal(
        handle(&state, IPC_DELTA, 10, IPC_DELTA_REMOVE, make_local(1)),
        WORKER_STATE_CHANGED);
    assert_int_equal(state.desired.n_items, 0);
    /* An unknown operation, and an item that is none. */
    assert_int_equal(handle(&state, IPC_DELTA, 11, 9, make_local(1)),
                     WORKER_STATE_GAP);
    begin(&state);
    end(&state, 12);
    assert_int_equal(handle(&state, IPC_DELTA, 13, IPC_DELTA_PUT, none),
                     WORKER_STATE_GAP);
    /* A new connection begins with a snapshot. */
    worker_state_reconnected(&state);
    assert_int_equal(handle(&state, IPC_DELTA, 1, IPC_DELTA_PUT, make_local(1)),
                     0);
    assert_int_equal(state.desired.n_items, 0);
    worker_state_done(&state);
}

static void test_cuts_off_who_is_gone(void **unused)
{
    struct worker_state state;
    uint8_t hosts[8];

    (void)unused;
    worker_state_init(&state, &policy);
    begin(&state);
    assert_int_equal(
        handle(&state, IPC_SNAPSHOT_ITEM, 0, 0, make_function("redis", "234")),
        0);
    end(&state, 1);
    assert_int_equal(take_flushes(&state, hosts), 0);
    /* Draining: open connections live. */
    assert_int_equal(handle(&state, IPC_DELTA, 2, IPC_DELTA_PUT,
                            make_function("redis", "2-34")),
                     WORKER_STATE_CHANGED);
    assert_int_equal(take_flushes(&state, hosts), 0);
    /* Gone, drained or not. */
    assert_int_equal(handle(&state, IPC_DELTA, 3, IPC_DELTA_PUT,
                            make_function("redis", "4")),
                     WORKER_STATE_CHANGED);
    assert_int_equal(take_flushes(&state, hosts), 2);
    assert_int_equal(hosts[0] + hosts[1], 5);
    /* The same in a snapshot, and when the function goes. */
    begin(&state);
    assert_int_equal(
        handle(&state, IPC_SNAPSHOT_ITEM, 0, 0, make_function("redis", "2")),
        0);
    end(&state, 4);
    assert_int_equal(take_flushes(&state, hosts), 1);
    assert_int_equal(hosts[0], 4);
    assert_int_equal(handle(&state, IPC_DELTA, 5, IPC_DELTA_REMOVE,
                            make_function("redis", "")),
                     WORKER_STATE_CHANGED);
    assert_int_equal(take_flushes(&state, hosts), 1);
    assert_int_equal(hosts[0], 2);
    worker_state_done(&state);
}

static void test_refuses_and_takes_back(void **unused)
{
    struct worker_state_refusal refusal;
    struct worker_state state;

    (void)unused;
    worker_state_init(&state, &policy);
    begin(&state);
    assert_int_equal(handle(&state, IPC_SNAPSHOT_ITEM, 0, 0, make_local(9)), 0);
    end(&state, 1);
    assert_int_equal(state.desired.n_items, 0);
    assert_true(worker_state_next_refusal(&state, &refusal));
    assert_string_equal(refusal.key, "local/10.0.9.200");
    assert_string_not_equal(refusal.reason, "");
    assert_false(worker_state_next_refusal(&state, &refusal));
    /* A new core is told again. */
    worker_state_reconnected(&state);
    assert_true(worker_state_next_refusal(&state, &refusal));
    /* No longer wanted: no longer refused. */
    begin(&state);
    end(&state, 2);
    assert_true(worker_state_next_refusal(&state, &refusal));
    assert_string_equal(refusal.key, "local/10.0.9.200");
    assert_string_equal(refusal.reason, "");
    assert_false(worker_state_next_refusal(&state, &refusal));
    assert_int_equal(state.n_refusals, 0);
    /* By a delta as well. */
    assert_int_equal(handle(&state, IPC_DELTA, 3, IPC_DELTA_PUT, make_local(9)),
                     WORKER_STATE_CHANGED);
    assert_true(worker_state_next_refusal(&state, &refusal));
    assert_int_equal(
        handle(&state, IPC_DELTA, 4, IPC_DELTA_REMOVE, make_local(9)),
        WORKER_STATE_CHANGED);
    assert_true(worker_state_next_refusal(&state, &refusal));
    assert_string_equal(refusal.reason, "");
    worker_state_done(&state);
}

static void test_items_have_a_limit(void **unused)
{
    struct worker_state_refusal refusal;
    struct worker_state state;

    (void)unused;
    worker_state_init(&state, &policy);
    begin(&state);
    for (unsigned i = 0; i <= WORKER_STATE_ITEMS_MAX; i++) {
        struct desired_item item = {
            .type = DESIRED_HOST,
            .host = {.id = i + 1,
                     .mesh = ip(100, (uint8_t)(64 + (i >> 16)),
                                (uint8_t)(i >> 8), (uint8_t)i)}};

        (void)snprintf(item.host.name, sizeof(item.host.name), "h%u", i);
        assert_int_equal(handle(&state, IPC_SNAPSHOT_ITEM, 0, 0, item), 0);
    }
    end(&state, 1);
    assert_int_equal(state.desired.n_items, WORKER_STATE_ITEMS_MAX);
    assert_true(worker_state_next_refusal(&state, &refusal));
    assert_false(worker_state_next_refusal(&state, &refusal));
    worker_state_done(&state);
}

static void test_holds_down_and_doubles(void **unused)
{
    struct worker_holddown holddown = {0};
    struct flow flow = {.table = 7, .priority = 100};
    uint64_t now = 100000;

    (void)unused;
    for (int i = 0; i < HOLDDOWN_REWRITES; i++) {
        assert_int_equal(worker_holddown_note(&holddown, &flow, 0, now), 0);
        now += 10;
    }
    assert_false(worker_holddown_is_held(&holddown, &flow, 0, now));
    /* The fourth within ten seconds, and each one after a hold. */
    for (uint32_t wait = 1000; wait <= 64000; wait *= 2) {
        uint32_t held = MIN_OF(wait, (uint32_t)HOLDDOWN_MAX_MS);

        assert_int_equal(worker_holddown_note(&holddown, &flow, 0, now), held);
        assert_true(worker_holddown_is_held(&holddown, &flow, 0, now));
        assert_int_equal(worker_holddown_next_ms(&holddown, now), now + held);
        /* More of it meanwhile changes nothing. */
        assert_int_equal(worker_holddown_note(&holddown, &flow, 0, now + 1), 0);
        now += held;
        assert_false(worker_holddown_is_held(&holddown, &flow, 0, now));
        now += 100;
    }
    /* Others are not held with it. */
    flow.priority = 101;
    assert_false(worker_holddown_is_held(&holddown, &flow, 0, now - 200));
    /* After a long silence it begins again. */
    flow.priority = 100;
    now += HOLDDOWN_FORGET_MS + HOLDDOWN_MAX_MS;
    assert_int_equal(worker_holddown_note(&holddown, &flow, 0, now), 0);
    worker_holddown_done(&holddown);
}

static void test_slow_rewrites_are_repaired(void **unused)
{
    struct worker_holddown holddown = {0};

    (void)unused;
    for (uint64_t i = 1; i < 50; i++) {
        assert_int_equal(worker_holddown_note(&holddown, NULL, 17, i * 4000),
                         0);
    }
    assert_int_equal(worker_holddown_next_ms(&holddown, 0), UINT64_MAX);
    worker_holddown_done(&holddown);
}

static void test_holddown_has_a_limit(void **unused)
{
    struct worker_holddown holddown = {0};

    (void)unused;
    for (uint32_t id = 0; id <= HOLDDOWN_ENTRIES_MAX; id++) {
        (void)worker_holddown_note(&holddown, NULL, id, 1000 + id);
    }
    assert_int_equal(holddown.n_entries, HOLDDOWN_ENTRIES_MAX);
    worker_holddown_done(&holddown);
}

struct held {
    size_t n;
    char what[64];
};

static void on_held(const char *what, uint32_t wait_ms, void *data)
{
    struct held *held = data;

    assert_true(wait_ms > 0);
    held->n++;
    (void)snprintf(held->what, sizeof(held->what), "%s", what);
}

/* So many flows of ours as if somebody had removed them all: how often was it
 * said that something is held. */
static void remove_all(struct worker_holddown *holddown, size_t n,
                       uint64_t now_ms, struct held *held)
{
    struct ofconn_dump known = {.n_flows = n};
    struct ofconn_dump there = {0};

    known.flows = calloc(n, sizeof(*known.flows));
    assert_non_null(known.flows);
    for (size_t i = 0; i < n; i++) {
        known.flows[i] =
            (struct flow){.table = 7,
                          .priority = (uint16_t)i,
                          .cookie = flow_cookie(FLOW_KIND_BASE, 1)};
    }
    worker_cache_drift(&known, &there, holddown, now_ms, on_held, held);
    ofconn_dump_done(&known);
}

/* Who removes thousands again and again rewrites the whole: it is held whole,
 * for as long as one flow would be; a few at a time are held one by one. */
static void test_many_are_held_whole(void **unused)
{
    static const size_t numbers[] = {HOLDDOWN_WHOLE_MIN - 1, HOLDDOWN_WHOLE_MIN,
                                     3000};

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct worker_holddown holddown = {0};
        struct held held = {0};
        struct flow other = {.table = 4, .priority = 1};
        bool is_whole = numbers[i] >= HOLDDOWN_WHOLE_MIN;

        for (uint64_t n = 0; n < HOLDDOWN_REWRITES; n++) {
            remove_all(&holddown, numbers[i], 1000 + n, &held);
        }
        assert_int_equal(held.n, 0);
        assert_false(worker_holddown_is_held(&holddown, &other, 0, 1003));
        remove_all(&holddown, numbers[i], 1003, &held);
        assert_int_equal(held.n, is_whole ? 1 : numbers[i]);
        assert_int_equal(strcmp(held.what, "the whole bridge") == 0, is_whole);
        assert_int_equal(worker_holddown_is_held(&holddown, &other, 0, 1004),
                         is_whole);
        assert_int_equal(worker_holddown_is_held(&holddown, NULL, 17, 1004),
                         is_whole);
        assert_false(worker_holddown_is_held(&holddown, &other, 0,
                                             1004 + HOLDDOWN_MIN_MS));
        worker_holddown_done(&holddown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_takes_effect_whole),
        cmocka_unit_test(test_deltas_and_gaps),
        cmocka_unit_test(test_plan_refuses),
        cmocka_unit_test(test_cuts_off_who_is_gone),
        cmocka_unit_test(test_refuses_and_takes_back),
        cmocka_unit_test(test_items_have_a_limit),
        cmocka_unit_test(test_holds_down_and_doubles),
        cmocka_unit_test(test_slow_rewrites_are_repaired),
        cmocka_unit_test(test_holddown_has_a_limit),
        cmocka_unit_test(test_many_are_held_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
