/*
 * The event log: order, the ring, followers who come and go.
 */
#include "agent/core/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/unit/heap.h"

struct seen {
    struct events *events;
    uint64_t indexes[2 * EVENTS_KEPT];
    size_t n;
    uint64_t token;
    uint64_t leave_at; /* unsubscribes at this index */
    char last[256];
};

static void on_event(const struct event *event, void *data)
{
    struct seen *seen = data;

    seen->indexes[seen->n % (2 * EVENTS_KEPT)] = event->index;
    seen->n++;
    (void)snprintf(seen->last, sizeof(seen->last), "%s", event->json);
    if (seen->leave_at == event->index) {
        events_unsubscribe(seen->events, seen->token);
    }
}

static struct events *make(void)
{
    struct events *events = NULL;

    assert_int_equal(events_new(&events), 0);
    return events;
}

static void test_json(void **state)
{
    struct events *events = make();
    struct seen seen = {.events = events};
    json_t *root;

    (void)state;
    seen.token = events_subscribe(events, 0, on_event, &seen);
    assert_int_not_equal(seen.token, 0);
    events_publish(events, "member", "{\"name\":\"host1\",\"state\":\"dead\"}");
    root = json_loads(seen.last, 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
    assert_int_equal(json_integer_value(json_object_get(root, "index")), 1);
    assert_string_equal(json_string_value(json_object_get(root, "kind")),
                        "member");
    assert_string_equal(json_string_value(json_object_get(root, "name")),
                        "host1");
    assert_int_equal(json_string_length(json_object_get(root, "time")),
                     strlen("2025-03-01T12:00:00.123Z"));
    json_decref(root);
    events_publish(events, "store", "{}");
    root = json_loads(seen.last, 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "index")), 2);
    json_decref(root);
    assert_null(events_free(events));
}

static void test_since(void **state)
{
    struct events *events = make();
    struct seen all = {0};
    struct seen late = {0};
    struct seen live = {0};

    (void)state;
    for (int i = 0; i < 5; i++) {
        events_publish(events, "record", "{}");
    }
    assert_int_not_equal(events_subscribe(events, 0, on_event, &all), 0);
    assert_int_equal(all.n, 5);
    assert_int_equal(all.indexes[0], 1);
    assert_int_not_equal(events_subscribe(events, 3, on_event, &late), 0);
    assert_int_equal(late.n, 2);
    assert_int_equal(late.indexes[0], 4);
    /* UINT64_MAX, and any index that is still to come: only what is new. */
    assert_int_not_equal(events_subscribe(events, UINT64_MAX, on_event, &live),
                         0);
    assert_int_equal(live.n, 0);
    events_publish(events, "record", "{}");
    assert_int_equal(all.n, 6);
    assert_int_equal(late.n, 3);
    assert_int_equal(live.n, 1);
    assert_int_equal(live.indexes[0], 6);
    assert_null(events_free(events));
}

static void test_ring(void **state)
{
    struct events *events = make();
    struct seen seen = {0};

    (void)state;
    for (int i = 0; i < EVENTS_KEPT; i++) {
        events_publish(events, "record", "{}");
    }
    assert_int_not_equal(events_subscribe(events, 0, on_event, &seen), 0);
    assert_int_equal(seen.n, EVENTS_KEPT); /* all of them at the limit */
    assert_int_equal(seen.indexes[0], 1);
    events_publish(events, "record", "{}");
    seen.n = 0;
    assert_int_not_equal(events_subscribe(events, 0, on_event, &seen), 0);
    assert_int_equal(seen.n, EVENTS_KEPT); /* one past it: the first is gone */
    assert_int_equal(seen.indexes[0], 2);
    assert_int_equal(seen.indexes[EVENTS_KEPT - 1], EVENTS_KEPT + 1);
    assert_null(events_free(events));
}

static void test_leave_inside(void **state)
{
    struct events *events = make();
    struct seen first = {.events = events, .leave_at = 2};
    struct seen second = {.events = events};

    (void)state;
    first.token = events_subscribe(events, UINT64_MAX, on_event, &first);
    second.token = events_subscribe(events, UINT64_MAX, on_event, &second);
    for (int i = 0; i < 4; i++) {
        events_publish(events, "record", "{}");
    }
    assert_int_equal(first.n, 2);
    assert_int_equal(second.n, 4);
    events_unsubscribe(events, second.token);
    events_unsubscribe(events, second.token); /* twice does no harm */
    events_publish(events, "record", "{}");
    assert_int_equal(second.n, 4);
    assert_null(events_free(events));
    assert_null(events_free(NULL));
}

/* An event without memory is gone, and the gap shows it: now, and for who asks
 * later. */
static void test_no_memory(void **state)
{
    struct events *events = make();
    struct seen seen = {.events = events};
    struct seen late = {.events = events};
    bool has_failed = true;
    uint64_t n_events = 1;

    (void)state;
    seen.token = events_subscribe(events, 0, on_event, &seen);
    for (unsigned n = 1; has_failed; n++, n_events++) {
        assert_true(n < 100);
        heap_fail_at(n);
        events_publish(events, "member", "{\"name\":\"host1\"}");
        has_failed = heap_off();
        assert_int_equal(seen.n, has_failed ? 0 : 1);
    }
    assert_true(n_events > 2);
    assert_int_equal(seen.indexes[0], n_events - 1);
    late.token = events_subscribe(events, 0, on_event, &late);
    assert_int_equal(late.n, 1);
    assert_int_equal(late.indexes[0], n_events - 1);
    heap_fail_at(1);
    assert_int_equal(events_subscribe(events, 0, on_event, &late), 0);
    (void)heap_off();
    assert_int_equal(late.n, 1);
    events = events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),      cmocka_unit_test(test_since),
        cmocka_unit_test(test_ring),      cmocka_unit_test(test_leave_inside),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
