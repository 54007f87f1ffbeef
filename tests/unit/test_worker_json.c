/*
 * The worker's answers as JSON: what is in them, and that they are whole or
 * not there at all when the n-th allocation fails, for every n.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>

#include "agent/json/json_text.h"
#include "agent/worker/worker_json.h"
#include "tests/unit/heap.h"
#include "tests/unit/plan_sample.h"

/* More than any of these needs: a loop that does not end is a fault. */
#define ALLOCATIONS_MAX 5000
/* As many flows and groups as make an answer with more than one of each. */
#define N_FLOWS  3
#define N_GROUPS 2

struct world {
    struct plan_sample sample;
    struct plan plan;    /* what is wanted */
    struct plan present; /* what the switch has */
    struct ofconn_dump dump;
};

/* The switch lacks a flow of ours, has another's flow and another's group. */
static void world_init(struct world *world)
{
    sample_init(&world->sample);
    world->plan = sample_plan(&world->sample);
    world->present = sample_plan(&world->sample);
    while (world->plan.n_flows > N_FLOWS) {
        flow_done(&world->plan.flows[--world->plan.n_flows]);
    }
    while (world->present.n_flows > N_FLOWS) {
        flow_done(&world->present.flows[--world->present.n_flows]);
    }
    assert_true(world->plan.n_groups >= N_GROUPS);
    world->dump = (struct ofconn_dump){.flows = world->present.flows,
                                       .n_flows = N_FLOWS,
                                       .groups = world->present.groups,
                                       .n_groups = world->present.n_groups};
    world->present.flows[N_FLOWS - 1].cookie = 4711;
    world->present.groups[0].id = 7;
}

static void world_done(struct world *world)
{
    plan_done(&world->present);
    plan_done(&world->plan);
    sample_done(&world->sample);
}

static json_t *make_flows(struct world *world)
{
    return worker_json_flows("socket", &world->dump, &world->plan);
}

static json_t *make_diff(struct world *world)
{
    struct worker_json_changes changes;

    worker_json_begin(&changes);
    worker_json_diff(&changes, &world->dump, &world->plan);
    worker_json_note(&changes, "route add 10.0.2.0/24");
    worker_json_conflict(&changes, "no answer");
    return worker_json_end(&changes, "socket", &world->plan);
}

static json_t *make_port(struct world *world)
{
    static const struct ovsdb_port port = {.name = "veth201", .ofport = 201};
    struct plan_neighbor entries[] = {
        {.address = sample_address("10.0.1.201"), .ofport = 201},
        {.address = sample_address("10.0.1.202"), .ofport = 202},
        {.address = sample_address("fd00::1"), .ofport = 201},
    };
    struct worker_neighbors known = {.entries = entries,
                                     .n_entries = ARRAY_SIZE(entries)};

    (void)world;
    return worker_json_port(&port, WORKER_DEVICE_GONE, &known);
}

static size_t count(const json_t *root, const char *name)
{
    return json_array_size(json_object_get(root, name));
}

static void test_flows(void **state)
{
    struct world world;
    json_auto_t *root = NULL;
    json_t *foreign, *first;

    (void)state;
    world_init(&world);
    root = make_flows(&world);
    assert_int_equal(count(root, "flows"), N_FLOWS - 1);
    assert_int_equal(count(root, "groups"), world.present.n_groups - 1);
    foreign = json_object_get(root, "foreign");
    assert_int_equal(json_integer_value(json_object_get(foreign, "flows")), 1);
    assert_int_equal(json_integer_value(json_object_get(foreign, "groups")), 1);
    first = json_array_get(json_object_get(root, "groups"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "for")),
                        world.plan.groups[1].label);
    world_done(&world);
}

static void test_diff(void **state)
{
    struct world world;
    json_auto_t *root = NULL;
    json_t *last;

    (void)state;
    world_init(&world);
    root = make_diff(&world);
    /* The foreign flow is in the way of ours; the group of ours is missing. */
    assert_int_equal(count(root, "conflicts"), 2);
    assert_int_equal(count(root, "changes"), 2);
    assert_int_equal(count(root, "pending"), world.plan.n_pending);
    last = json_array_get(json_object_get(root, "changes"), 1);
    assert_string_equal(json_string_value(json_object_get(last, "what")),
                        "kernel");
    last = json_array_get(json_object_get(root, "conflicts"), 1);
    assert_string_equal(json_string_value(json_object_get(last, "text")),
                        "no answer");
    world_done(&world);
}

static void test_port(void **state)
{
    json_auto_t *root = make_port(NULL);

    (void)state;
    assert_int_equal(count(root, "addresses"), 2);
    assert_string_equal(json_string_value(json_object_get(root, "problem")),
                        "device gone");
}

static char *text_of(const json_t *root)
{
    struct json_text text = {0};

    json_text_json(&text, root);
    json_text_put(&text, "", 1);
    if (text.error != 0) {
        json_text_done(&text);
        return NULL;
    }
    return text.bytes;
}

static void starve(json_t *(*make)(struct world *world))
{
    struct world world;
    bool has_failed = true;
    json_t *root;
    char *whole;

    world_init(&world);
    root = make(&world);
    whole = text_of(root);
    json_decref(root);
    assert_non_null(whole);
    for (unsigned n = 1; has_failed; n++) {
        char *text;

        assert_true(n < ALLOCATIONS_MAX);
        heap_fail_at(n);
        root = make(&world);
        text = text_of(root);
        has_failed = heap_off();
        json_decref(root);
        if (text != NULL) {
            assert_string_equal(text, whole);
        } else {
            assert_true(has_failed);
        }
        free(text);
    }
    free(whole);
    world_done(&world);
}

static void test_starved(void **state)
{
    (void)state;
    starve(make_flows);
    starve(make_diff);
    starve(make_port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flows),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_starved),
    };

    json_set_alloc_funcs(malloc, free); /* those that fail on demand */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
