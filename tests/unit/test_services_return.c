/*
 * agent/services/services_return.c: registrations follow the records of this
 * node that come back from others, as after a restored backup.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/services_fixture.h"

#define REDIS                                                                  \
    "{\"name\": \"redis\", \"instance\": \"a\", \"port\": 6379, "              \
    "\"address\": \"10.0.3.203\", \"port_name\": \"veth203\"}"

/* The kept record of "redis/a". */
static struct stage_kept *kept(const char *key)
{
    for (size_t i = 0; i < STAGE_MAX; i++) {
        if (stage.records[i].is_there &&
            strcmp(stage.records[i].name, key) == 0) {
            return &stage.records[i];
        }
    }
    fail_msg("no record %s", key);
    return NULL;
}

/* Something of ours came from a peer: the view changed. */
static void come_back(void)
{
    struct core_listener listener = services_listener(stage.services);

    stage.n_returned++;
    listener.catalog_changed(listener.data);
}

static void register_redis(void)
{
    assert_int_equal(services_stage_register(REDIS), 0);
    services_stage_turn();
    assert_non_null(services_stage_record("redis/a"));
}

static const struct body_service *entry_of(const char *instance)
{
    const struct services_entry *entry =
        services_find(stage.services, "redis", instance);

    return entry == NULL ? NULL : &entry->registration.service;
}

/* What the backup did not have is this node's again. */
static void test_unknown_is_taken(void **state)
{
    struct stage_kept *other;

    (void)state;
    register_redis();
    other = &stage.records[STAGE_MAX - 1];
    *other = *kept("redis/a");
    (void)snprintf(other->name, sizeof(other->name), "redis/b");
    (void)snprintf(other->service.instance, sizeof(other->service.instance),
                   "b");
    assert_null(entry_of("b"));
    come_back();
    assert_non_null(entry_of("b"));
    assert_null(stage.pending);
}

static void test_newer_is_followed(void **state)
{
    (void)state;
    register_redis();
    kept("redis/a")->service.port = 7000;
    assert_int_equal(entry_of("a")->port, 6379);
    come_back();
    assert_int_equal(entry_of("a")->port, 7000);
    assert_null(stage.pending);
}

/* What this host finds out about it now is written over it. */
static void test_finding_is_corrected(void **state)
{
    (void)state;
    stage.worker_knows = true;
    stage.core.worker = (struct worker_link *)&stage;
    register_redis();
    kept("redis/a")->service.finding = BODY_FINDING_NO_PORT;
    come_back();
    services_stage_turn();
    assert_int_equal(services_stage_record("redis/a")->finding,
                     BODY_FINDING_NONE);
    stage.core.worker = NULL;
}

static void test_ended_is_gone(void **state)
{
    (void)state;
    register_redis();
    kept("redis/a")->is_there = false;
    come_back();
    assert_null(entry_of("a"));
    assert_null(services_stage_record("redis/a"));
}

/* A file that is still there says so still. */
static void test_file_is_the_truth(void **state)
{
    (void)state;
    assert_int_equal(services_stage_put(REDIS, "a.json"), 0);
    services_stage_turn();
    kept("redis/a")->service.port = 7000;
    come_back();
    services_stage_turn();
    assert_int_equal(services_stage_record("redis/a")->port, 6379);
    kept("redis/a")->is_there = false;
    come_back();
    services_stage_turn();
    assert_int_equal(services_stage_record("redis/a")->port, 6379);
}

/* What was taken back here, and is not on disk yet, does not come back. */
static void test_removal_is_waited_for(void **state)
{
    char *problem = NULL;

    (void)state;
    register_redis();
    assert_int_equal(services_drop(services_find(stage.services, "redis", "a"),
                                   NULL, NULL, &problem),
                     0);
    come_back();
    assert_null(entry_of("a"));
    services_stage_turn();
    come_back();
    assert_null(entry_of("a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unknown_is_taken,
                                        services_stage_setup,
                                        services_stage_teardown),
        cmocka_unit_test_setup_teardown(test_newer_is_followed,
                                        services_stage_setup,
                                        services_stage_teardown),
        cmocka_unit_test_setup_teardown(test_finding_is_corrected,
                                        services_stage_setup,
                                        services_stage_teardown),
        cmocka_unit_test_setup_teardown(
            test_ended_is_gone, services_stage_setup, services_stage_teardown),
        cmocka_unit_test_setup_teardown(test_file_is_the_truth,
                                        services_stage_setup,
                                        services_stage_teardown),
        cmocka_unit_test_setup_teardown(test_removal_is_waited_for,
                                        services_stage_setup,
                                        services_stage_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
