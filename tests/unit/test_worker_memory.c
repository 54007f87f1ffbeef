/*
 * Out of memory in the worker's pure parts: the n-th allocation fails, for
 * every n.  What was there before stands, or what was to come, never half of
 * it; and once there is memory again, all is as if there had always been.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/ipc/ipc.h"
#include "agent/worker/worker_cache.h"
#include "agent/worker/worker_neighbors.h"
#include "agent/worker/worker_state.h"
#include "tests/unit/heap.h"
#include "tests/unit/plan_sample.h"

/* More than any of these needs: a loop that does not end is a fault. */
#define ALLOCATIONS_MAX 5000

static bool same_plans(const struct plan *a, const struct plan *b)
{
    if (a->n_flows != b->n_flows || a->n_groups != b->n_groups ||
        a->n_routes != b->n_routes || a->n_forwards != b->n_forwards ||
        a->n_pending != b->n_pending || a->n_refused != b->n_refused) {
        return false;
    }
    for (size_t i = 0; i < a->n_flows; i++) {
        if (flow_compare_key(&a->flows[i], &b->flows[i]) != 0 ||
            !flow_equal(&a->flows[i], &b->flows[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_groups; i++) {
        if (!group_equal(&a->groups[i], &b->groups[i])) {
            return false;
        }
    }
    return true;
}

static void test_plan(void **state)
{
    struct plan_sample sample;
    struct plan right;
    bool has_failed = true;

    (void)state;
    sample_init(&sample);
    sample.neighbors[0].ofport = 201; /* one refused binding, too */
    right = sample_plan(&sample);
    for (unsigned n = 1; has_failed; n++) {
        struct plan plan = {.tunnel_mtu = 4711};
        int error;

        assert_true(n < ALLOCATIONS_MAX);
        heap_fail_at(n);
        error =
            plan_make(&sample.desired, &sample.policy, &sample.observed, &plan);
        has_failed = heap_off();
        if (error != 0) {
            assert_int_equal(error, -ENOMEM);
            assert_int_equal(plan.tunnel_mtu, 4711);
            assert_null(plan.flows);
            continue;
        }
        assert_true(same_plans(&plan, &right));
        plan_done(&plan);
    }
    plan_done(&right);
    sample_done(&sample);
}

static void test_diff(void **state)
{
    struct plan_sample sample;
    struct plan plan, present;
    bool has_failed = true;

    (void)state;
    sample_init(&sample);
    plan = sample_plan(&sample);
    present = sample_plan(&sample);
    flow_done(&present.flows[--present.n_flows]);
    group_done(&present.groups[--present.n_groups]);
    for (unsigned n = 1; has_failed; n++) {
        struct diff diff = {.n_flows = 4711};
        int error;

        assert_true(n < ALLOCATIONS_MAX);
        heap_fail_at(n);
        error = diff_make(&plan, present.flows, present.n_flows, present.groups,
                          present.n_groups, &diff);
        has_failed = heap_off();
        if (error != 0) {
            assert_int_equal(error, -ENOMEM);
            assert_int_equal(diff.n_flows, 4711);
            continue;
        }
        assert_int_equal(diff.n_flows, 1);
        assert_int_equal(diff.n_groups, 1);
        diff_done(&diff);
    }
    plan_done(&present);
    plan_done(&plan);
    sample_done(&sample);
}

static void test_codec(void **state)
{
    uint8_t bytes[4096];
    struct desired_item item = sample_function("redis", 6, 6379, "100.80.0.10");
    bool has_failed = true;
    size_t size;

    (void)state;
    sample_add_backend(&item, 1, "one", "10.0.1.200");
    sample_add_backend(&item, 2, "two", "10.0.2.200");
    for (unsigned n = 1; has_failed; n++) {
        struct desired_item copy = {0}, unpacked = {0};
        int pack_error, unpack_error, copy_error;

        assert_true(n < ALLOCATIONS_MAX);
        heap_fail_at(n);
        size = 0;
        pack_error = desired_item_pack(&item, bytes, sizeof(bytes), &size);
        unpack_error =
            pack_error == 0 ? desired_item_unpack(bytes, size, &unpacked) : 0;
        copy_error = desired_item_copy(&item, &copy);
        has_failed = heap_off();
        assert_true(pack_error == 0 || pack_error == -ENOMEM);
        assert_true(unpack_error == 0 || unpack_error == -ENOMEM);
        assert_true(copy_error == 0 || copy_error == -ENOMEM);
        if (pack_error == 0 && unpack_error == 0) {
            assert_true(desired_item_equal(&unpacked, &item));
        } else {
            assert_int_equal(unpacked.type, 0);
        }
        if (copy_error == 0) {
            assert_true(desired_item_equal(&copy, &item));
        } else {
            assert_int_equal(copy.type, 0);
        }
        desired_item_done(&copy);
        desired_item_done(&unpacked);
    }
    desired_item_done(&item);
}

/* --- the worker's state --- */

struct packed {
    uint8_t type;
    int64_t op;
    uint8_t bytes[4096];
    size_t size;
};

/* What core sends: one snapshot, deltas, another snapshot.  Functions lose
 * backends in both, and one item is refused. */
struct script {
    struct packed messages[32];
    size_t n;
};

static void add(struct script *script, uint8_t type, int64_t op,
                struct desired_item item)
{
    struct packed *message = &script->messages[script->n++];

    assert_true(script->n <= ARRAY_SIZE(script->messages));
    *message = (struct packed){.type = type, .op = op};
    if (item.type != 0) {
        assert_int_equal(desired_item_pack(&item, message->bytes,
                                           sizeof(message->bytes),
                                           &message->size),
                         0);
        desired_item_done(&item);
    }
}

static struct desired_item function(const char *name, unsigned first,
                                    unsigned last)
{
    struct desired_item item = sample_function(name, 6, 6379, "100.80.0.10");
    char address[32];

    for (unsigned n = first; n <= last; n++) {
        (void)snprintf(address, sizeof(address), "10.0.%u.200", n);
        sample_add_backend(&item, n, "one", address);
    }
    return item;
}

static struct desired_item redis(unsigned first, unsigned last)
{
    return function("redis", first, last);
}

static struct desired_item local(const char *address)
{
    struct desired_item item = {.type = DESIRED_LOCAL,
                                .local = {.port_name = "veth200"}};

    item.local.address = sample_address(address);
    return item;
}

static const struct desired_item none;

static void snapshot(struct script *script, const char *address)
{
    add(script, IPC_SNAPSHOT_BEGIN, 0, none);
    add(script, IPC_SNAPSHOT_ITEM, 0, local(address));
    add(script, IPC_SNAPSHOT_ITEM, 0, redis(2, 3));
    add(script, IPC_SNAPSHOT_ITEM, 0, local("192.168.1.1")); /* refused */
    add(script, IPC_SNAPSHOT_END, 0, none);
}

static int feed(struct worker_state *state, const struct packed *packed,
                uint64_t number)
{
    struct ipc_message message = {.type = packed->type,
                                  .number = number,
                                  .value = packed->op,
                                  .bytes = packed->bytes,
                                  .size = packed->size,
                                  .fd = -1};

    return worker_state_handle(state, &message);
}

static bool same_sets(const struct desired *a, const struct desired *b)
{
    if (a->n_items != b->n_items) {
        return false;
    }
    for (size_t i = 0; i < a->n_items; i++) {
        if (!desired_item_equal(&a->items[i], &b->items[i])) {
            return false;
        }
    }
    return true;
}

static void copy_set(const struct desired *from, struct desired *to)
{
    *to = (struct desired)DESIRED_INIT;
    for (size_t i = 0; i < from->n_items; i++) {
        struct desired_item item;

        assert_int_equal(desired_item_copy(&from->items[i], &item), 0);
        assert_int_equal(desired_put(to, &item), 0);
    }
}

static size_t count_refusals(const struct worker_state *state)
{
    size_t n = 0;

    for (size_t i = 0; i < state->n_refusals; i++) {
        n += state->refusals[i].reason[0] != '\0';
    }
    return n;
}

/* Begins with redis on hosts 1 to 20 and another, so that 2 and 3 are what
 * remains. */
static void start(struct worker_state *state, const struct plan_policy *policy)
{
    struct script script = {.n = 0};

    add(&script, IPC_SNAPSHOT_BEGIN, 0, none);
    add(&script, IPC_SNAPSHOT_ITEM, 0, function("old", 1, 9));
    add(&script, IPC_SNAPSHOT_ITEM, 0, redis(1, 20));
    add(&script, IPC_SNAPSHOT_END, 0, none);
    worker_state_init(state, policy);
    for (size_t i = 0; i < script.n; i++) {
        assert_true(feed(state, &script.messages[i], 1) >= 0);
    }
}

/* Fails the n-th allocation of message `at`; then does what the worker does:
 * it asks for a snapshot, which comes. */
static bool run_at(const struct script *script,
                   const struct plan_policy *policy, size_t at, unsigned n,
                   const struct script *again)
{
    struct worker_state state;
    struct desired before;
    size_t n_flushes;
    bool has_failed;
    int error;

    start(&state, policy);
    for (size_t i = 0; i < at; i++) {
        assert_true(feed(&state, &script->messages[i], 2 + i) >= 0);
    }
    copy_set(&state.desired, &before);
    n_flushes = state.n_flushes;
    heap_fail_at(n);
    error = feed(&state, &script->messages[at], 2 + at);
    has_failed = heap_off();
    if (error < 0) {
        assert_int_equal(error, -ENOMEM);
        assert_true(same_sets(&state.desired, &before));
        assert_int_equal(state.n_flushes, n_flushes);
        assert_false(state.is_in_step);
        assert_false(state.is_receiving);
    }
    desired_done(&before);
    for (size_t i = 0; i < again->n; i++) {
        assert_true(feed(&state, &again->messages[i], 99) >= 0);
    }
    assert_int_equal(state.desired.n_items, 2);
    assert_int_equal(state.desired.items[0].function.n_backends, 2);
    assert_int_equal(state.n_flushes, 18 + 9); /* 1, 4 to 20; old */
    assert_int_equal(count_refusals(&state), 1);
    worker_state_done(&state);
    return has_failed;
}

static void run_script(const struct script *script)
{
    struct plan_sample sample;
    struct script again = {.n = 0};

    sample_init(&sample); /* for its policy */
    snapshot(&again, "10.0.1.200");
    for (size_t at = 0; at < script->n; at++) {
        bool has_failed = true;

        for (unsigned n = 1; has_failed; n++) {
            assert_true(n < ALLOCATIONS_MAX);
            has_failed = run_at(script, &sample.policy, at, n, &again);
        }
    }
    sample_done(&sample);
}

static void test_snapshot(void **state)
{
    struct script script = {.n = 0};

    (void)state;
    snapshot(&script, "10.0.1.200");
    run_script(&script);
}

static void test_deltas(void **state)
{
    struct script script = {.n = 0};

    (void)state;
    add(&script, IPC_DELTA, IPC_DELTA_PUT, local("10.0.1.200"));
    add(&script, IPC_DELTA, IPC_DELTA_PUT, redis(1, 4));
    add(&script, IPC_DELTA, IPC_DELTA_PUT, local("192.168.1.1"));
    add(&script, IPC_DELTA, IPC_DELTA_PUT, redis(2, 3));
    add(&script, IPC_DELTA, IPC_DELTA_REMOVE, local("192.168.1.1"));
    run_script(&script);
}

static void test_judge(void **state)
{
    static const struct plan_problem refused[] = {
        {"local/10.0.1.200", "10.0.1.200 lives behind veth9"},
        {"local/10.0.1.201", "10.0.1.201 lives behind veth9"},
    };
    bool has_failed = true;

    (void)state;
    for (unsigned n = 1; has_failed; n++) {
        struct worker_state worker_state = {0};
        int error;

        assert_true(n < ALLOCATIONS_MAX);
        heap_fail_at(n);
        error = worker_state_judge(&worker_state, refused, 2);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        /* Judged again, as it is to be. */
        assert_int_equal(worker_state_judge(&worker_state, refused, 2), 0);
        assert_int_equal(count_refusals(&worker_state), 2);
        worker_state_done(&worker_state);
    }
}

/* --- what is observed --- */

static void test_neighbors(void **state)
{
    struct plan_sample sample;
    bool has_failed = true;

    (void)state;
    sample_init(&sample);
    for (unsigned n = 1; has_failed; n++) {
        struct worker_neighbors neighbors = {0};
        const struct worker_neighbors_rules rules = {.policy = &sample.policy,
                                                     .desired = &sample.desired,
                                                     .ports = sample.ports,
                                                     .n_ports = 4};
        bool has_error = false;

        assert_true(n < ALLOCATIONS_MAX);
        for (unsigned i = 0; i < 40; i++) {
            struct address address = sample_address("10.0.1.100");
            uint8_t frame[WORKER_ARP_SIZE];
            int error;

            address.bytes[3] = (uint8_t)(address.bytes[3] + i);
            worker_neighbors_request(&sample.policy.gateway, &address,
                                     sample.neighbors[0].mac, frame);
            if (i == 0) {
                heap_fail_at(n);
            }
            error = worker_neighbors_learn(&neighbors, &rules, 201, frame,
                                           sizeof(frame));
            if (error < 0) {
                assert_int_equal(error, -ENOMEM);
                assert_int_equal(neighbors.n_entries, i);
                has_error = true;
                /* The same frame again, as a container repeats it. */
                error = worker_neighbors_learn(&neighbors, &rules, 201, frame,
                                               sizeof(frame));
            }
            assert_int_equal(error, WORKER_NEIGHBORS_CHANGED);
        }
        has_failed = heap_off();
        assert_true(has_failed == has_error);
        assert_int_equal(neighbors.n_entries, 40);
        worker_neighbors_done(&neighbors);
    }
    sample_done(&sample);
}

/* The switch took the changes, and we cannot note it: the caller reads anew
 * what it holds, so that only nothing may leak. */
static void test_cache(void **state)
{
    struct plan_sample sample;
    bool has_failed = true;

    (void)state;
    sample_init(&sample);
    for (unsigned n = 1; has_failed; n++) {
        struct plan before, after;
        struct ofconn_dump present = {0};
        struct diff diff = DIFF_INIT;
        int error;

        assert_true(n < ALLOCATIONS_MAX);
        before = sample_plan(&sample);
        sample.neighbors[1].mac[5] ^= 1;
        sample.observed.n_ports = n % 2 == 0 ? 3 : 4; /* no tunnel */
        after = sample_plan(&sample);
        sample.observed.n_ports = 4;
        present.flows = before.flows;
        present.n_flows = before.n_flows;
        present.groups = before.groups;
        present.n_groups = before.n_groups;
        before.flows = NULL;
        before.groups = NULL;
        before.n_flows = 0;
        before.n_groups = 0;
        assert_int_equal(diff_make(&after, present.flows, present.n_flows,
                                   present.groups, present.n_groups, &diff),
                         0);
        heap_fail_at(n);
        error = worker_cache_commit(&present, &after, &diff);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        ofconn_dump_done(&present);
        diff_done(&diff);
        plan_done(&before);
        plan_done(&after);
    }
    sample_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),      cmocka_unit_test(test_diff),
        cmocka_unit_test(test_codec),     cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_deltas),    cmocka_unit_test(test_judge),
        cmocka_unit_test(test_neighbors), cmocka_unit_test(test_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
