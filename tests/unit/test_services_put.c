/*
 * Registrations on their way to disk and back: what is kept, who hears of it,
 * what becomes of failures, and that no allocation that fails loses anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "tests/unit/heap.h"
#include "tests/unit/scratch.h"
#include "tests/unit/services_fixture.h"

#define ALLOCATIONS_MAX 10000

#define REDIS(port)                                                            \
    "{\"name\":\"redis\",\"instance\":\"a\",\"port\":" #port                   \
    ",\"address\":\"10.0.3.203\"}"
#define CHECKED(port)                                                          \
    "{\"name\":\"redis\",\"instance\":\"a\",\"port\":" #port                   \
    ",\"address\":\"10.0.3.203\",\"check\":\"tcp\"}"

static const struct registration *registered(void)
{
    const struct services_entry *entry =
        services_find(stage.services, "redis", "a");

    return entry != NULL ? &entry->registration : NULL;
}

static int deregister(void)
{
    char *problem = NULL;
    int error = services_deregister(stage.services, "redis", "a",
                                    services_stage_done, &stage, &problem);

    free(problem);
    return error;
}

static void test_kept(void **state)
{
    (void)state;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    assert_int_equal(stage.n_done, 0);
    services_stage_turn();
    assert_int_equal(stage.n_done, 1);
    assert_int_equal(stage.done_error, 0);
    assert_int_equal(services_stage_record("redis/a")->port, 1);
    assert_int_equal(services_stage_record("redis/a")->slot, 5);
    assert_null(services_stage_setting("redis/a")); /* nothing to keep */
    services_stage_restart();
    assert_int_equal(registered()->service.port, 1);
    assert_int_equal(registered()->check.type, REGISTRATION_CHECK_NONE);

    assert_int_equal(services_stage_register(CHECKED(1)), 0);
    services_stage_tick();
    services_stage_answer(0);
    services_stage_turn();
    assert_string_equal(services_stage_setting("redis/a"),
                        "{\"schema\":1,\"source\":null,\"check\":{\"type\":"
                        "\"tcp\",\"interval_ms\":1000,\"timeout_ms\":2000,"
                        "\"port\":0,\"pass\":1,\"fail\":3}}");
    services_stage_restart();
    assert_int_equal(registered()->check.type, REGISTRATION_CHECK_TCP);
    assert_int_equal(registered()->check.fail, 3);

    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    assert_null(services_stage_setting("redis/a")); /* erased */
    assert_int_equal(deregister(), 0);
    services_stage_turn();
    assert_int_equal(stage.n_done, 4);
    assert_null(services_stage_record("redis/a"));
    assert_int_equal(deregister(), SERVICES_E_REFUSED);
}

/* What others offer is not ours to check and write. */
static void test_others(void **state)
{
    (void)state;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    stage.records[0].is_foreign = true;
    services_stage_restart();
    assert_null(registered());
}

/* What no record has room for is refused while somebody listens. */
static void test_too_large(void **state)
{
    static const char value[] =
        "0123456789012345678901234567890123456789012345678901234567890";
    char text[2048];
    int len = snprintf(text, sizeof(text),
                       "{\"name\":\"redis\",\"instance\":\"a\",\"port\":1,"
                       "\"address\":\"10.0.3.203\",\"tags\":[");

    (void)state;
    for (int i = 0; i < LIMIT_SERVICE_TAGS; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s\"%s\"",
                        i > 0 ? "," : "", value);
    }
    len += snprintf(text + len, sizeof(text) - (size_t)len, "],\"meta\":{");
    for (int i = 0; i < LIMIT_SERVICE_META; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len,
                        "%s\"%d\":\"%s\"", i > 0 ? "," : "", i, value);
    }
    (void)snprintf(text + len, sizeof(text) - (size_t)len, "}}");
    assert_int_equal(services_stage_register(text), SERVICES_E_REFUSED);
    assert_null(registered());
}

/* The same once more writes nothing, and is answered all the same. */
static void test_unchanged(void **state)
{
    (void)state;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    stage.write_error = NODE_E_LIMIT; /* nothing is written any more */
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    assert_int_equal(stage.n_done, 2);
    assert_int_equal(stage.done_error, 0);
    assert_int_equal(services_stage_register(REDIS(2)), SERVICES_E_REFUSED);
    assert_int_equal(registered()->service.port, 1);
    /* While it waits for its first check, both wait. */
    stage.write_error = 0;
    assert_int_equal(services_stage_register(CHECKED(1)), 0);
    assert_int_equal(services_stage_register(CHECKED(1)), 0);
    services_stage_turn();
    assert_int_equal(stage.n_done, 2);
    services_stage_tick();
    services_stage_answer(0);
    services_stage_turn();
    assert_int_equal(stage.n_done, 4);
}

static void test_source(void **state)
{
    (void)state;
    assert_int_equal(services_stage_put(REDIS(1), "/x/a.yaml"), 0);
    services_stage_turn();
    services_stage_restart();
    assert_int_equal(services_stage_put(REDIS(2), "/x/b.yaml"),
                     SERVICES_E_REFUSED);
    assert_int_equal(services_stage_register(REDIS(2)), SERVICES_E_REFUSED);
    assert_int_equal(deregister(), SERVICES_E_REFUSED);
    assert_int_equal(services_stage_put(REDIS(2), "/x/a.yaml"), 0);
    services_stage_turn();
    assert_int_equal(services_stage_record("redis/a")->port, 2);
}

/* Nothing is taken before the node takes writes and the old ones are known. */
static void test_not_ready(void **state)
{
    (void)state;
    stage.core.is_ready = false;
    assert_int_equal(services_stage_register(REDIS(1)), SERVICES_E_REFUSED);
    stage.core.is_ready = true;
    stage.services->is_loaded = false;
    assert_int_equal(services_stage_register(REDIS(1)), SERVICES_E_REFUSED);
    assert_int_equal(deregister(), SERVICES_E_REFUSED);
    assert_null(registered());
}

/* Whoever registers hears that it failed, and nothing stays behind. */
static void test_disk_full(void **state)
{
    (void)state;
    stage.commit_error = -ENOSPC;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    assert_int_equal(stage.n_done, 1);
    assert_int_equal(stage.done_error, -ENOSPC);
    assert_null(registered());
    /* The first check's write fails at once. */
    stage.write_error = NODE_E_LIMIT;
    assert_int_equal(services_stage_register(CHECKED(1)), 0);
    services_stage_tick();
    services_stage_answer(0);
    assert_int_equal(stage.n_done, 2);
    assert_true(stage.done_error < 0);
    assert_null(registered());
    /* A file asks again by itself. */
    stage.write_error = 0;
    assert_int_equal(services_stage_put(REDIS(1), "/x/a.yaml"), 0);
    services_stage_turn();
    assert_null(services_stage_record("redis/a"));
    services_stage_tick();
    services_stage_turn();
    assert_null(services_stage_record("redis/a"));
    stage.commit_error = 0;
    assert_int_equal(services_stage_put(REDIS(1), "/x/a.yaml"), 0);
    services_stage_turn();
    assert_int_equal(stage.done_error, 0);
    assert_non_null(
        services_stage_record("redis/a")); /* written, not "as is" */
    services_stage_tick();
    services_stage_turn();
    assert_non_null(services_stage_record("redis/a"));
    assert_int_equal(stage.n_timers, 0); /* and is content */
}

/* One that is on disk stays there when a change of it is not. */
static void change_on_a_full_disk(void)
{
    stage.commit_error = -ENOSPC;
    assert_int_equal(services_stage_register(REDIS(2)), 0);
    services_stage_turn();
    assert_int_equal(stage.done_error, -ENOSPC);
    assert_int_equal(services_stage_record("redis/a")->port, 1);
    assert_non_null(registered());
    stage.commit_error = 0;
    services_stage_tick();
    services_stage_turn();
    assert_int_equal(services_stage_record("redis/a")->port, 2);
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
}

static void test_change_on_a_full_disk(void **state)
{
    (void)state;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    change_on_a_full_disk();
    services_stage_restart();
    change_on_a_full_disk();
}

static void register_checked(const char *text)
{
    assert_int_equal(services_stage_register(text), 0);
    while (services_find(stage.services, "redis", "a")->is_held) {
        services_stage_tick();
        services_stage_answer(0);
    }
    services_stage_turn();
}

/* A change of the check alone, or of where it comes from, is a change. */
static void test_small_changes(void **state)
{
    static const char *const checks[] = {"\"interval_ms\":5000",
                                         "\"timeout_ms\":70", "\"port\":9",
                                         "\"pass\":2", "\"fail\":4"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"name\":\"redis\",\"instance\":\"a\",\"port\":1,"
                       "\"address\":\"10.0.3.203\",\"check\":{\"type\":"
                       "\"tcp\",%s}}",
                       checks[i]);
        register_checked(CHECKED(1));
        register_checked(text);
        assert_non_null(strstr(services_stage_setting("redis/a"), checks[i]));
    }
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    assert_null(services_stage_setting("redis/a"));
    assert_int_equal(services_stage_put(REDIS(1), "/x/a.yaml"), 0);
    services_stage_turn();
    assert_non_null(strstr(services_stage_setting("redis/a"), "/x/a.yaml"));
}

/* Which of several has to be said; one that was never written goes too. */
static void test_deregister(void **state)
{
    char *problem = NULL;

    (void)state;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    assert_int_equal(
        services_stage_register("{\"name\":\"redis\",\"instance\":\"b\","
                                "\"port\":2,\"address\":\"10.0.3.4\"}"),
        0);
    services_stage_turn();
    assert_int_equal(services_deregister(stage.services, "redis", NULL, NULL,
                                         NULL, &problem),
                     SERVICES_E_REFUSED);
    assert_string_equal(problem, "this node has 2 instances of redis: name one "
                                 "of a, b");
    free(problem);
    problem = NULL;
    assert_int_equal(
        services_deregister(stage.services, "redis", "c", NULL, NULL, &problem),
        SERVICES_E_REFUSED);
    assert_string_equal(problem,
                        "this node has no instance c of redis, only: a, b");
    free(problem);
    problem = NULL;
    assert_int_equal(
        services_deregister(stage.services, "Redis", "b", NULL, NULL, &problem),
        0);
    services_stage_turn();
    assert_null(services_stage_record("redis/b"));
    assert_int_equal(deregister(), 0);
    services_stage_turn();
    stage.n_done = 0;
    assert_int_equal(services_stage_register(CHECKED(1)), 0);
    assert_int_equal(deregister(), 0);
    services_stage_turn();
    assert_int_equal(stage.n_done, 2); /* cancelled, and done */
    assert_int_equal(stage.done_error, 0);
    assert_null(registered());
}

/* When the function's slot is lost, its record is written with the next. */
static void test_slot(void **state)
{
    struct core_listener listener = services_listener(stage.services);

    (void)state;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    stage.free_slot = 6;
    listener.catalog_changed(listener.data); /* it is on its way yet */
    services_stage_turn();
    assert_int_equal(services_stage_record("redis/a")->slot, 5);
    listener.catalog_changed(listener.data);
    services_stage_turn();
    assert_int_equal(services_stage_record("redis/a")->slot, 6);
    listener.catalog_changed(listener.data);
    assert_null(stage.pending);
}

/* A health that could not be written is written later. */
static void test_health_is_written_later(void **state)
{
    (void)state;
    assert_int_equal(services_stage_register(CHECKED(1)), 0);
    services_stage_tick();
    services_stage_answer(0);
    services_stage_turn();
    stage.write_error = -ENOMEM;
    services_stage_tick();
    services_stage_answer(UV_ECONNREFUSED);
    services_stage_turn();
    assert_int_equal(services_stage_record("redis/a")->health,
                     BODY_HEALTH_PASSING);
    stage.write_error = 0;
    while (services_stage_record("redis/a")->health == BODY_HEALTH_PASSING) {
        assert_true(stage.now_ms < 10000);
        services_stage_tick();
        if (stage.n_connects > 0) {
            services_stage_answer(UV_ECONNREFUSED);
        }
        services_stage_turn();
    }
}

/* A setting that could not be stored is stored later. */
static void test_setting_is_stored_later(void **state)
{
    (void)state;
    stage.setting_error = -EIO;
    assert_int_equal(services_stage_put(REDIS(1), "/x/a.yaml"), 0);
    services_stage_turn();
    assert_int_equal(stage.done_error, 0); /* the record is there */
    assert_non_null(services_stage_record("redis/a"));
    assert_null(services_stage_setting("redis/a"));
    stage.setting_error = 0;
    services_stage_tick();
    services_stage_turn();
    assert_non_null(services_stage_setting("redis/a"));
    assert_int_equal(stage.n_timers, 0);
}

/* One that could not be erased does not come back with the next instance. */
static void test_setting_left_behind(void **state)
{
    (void)state;
    assert_int_equal(services_stage_put(CHECKED(1), "/x/a.yaml"), 0);
    services_stage_tick();
    services_stage_answer(0);
    services_stage_turn();
    stage.setting_error = -EIO;
    assert_int_equal(services_drop(services_find(stage.services, "redis", "a"),
                                   NULL, NULL, &(char *){NULL}),
                     0);
    services_stage_turn();
    assert_non_null(services_stage_setting("redis/a"));
    stage.setting_error = 0;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    assert_null(services_stage_setting("redis/a"));
    services_stage_restart();
    assert_int_equal(registered()->check.type, REGISTRATION_CHECK_NONE);
}

static void restart_with_setting(const char *text)
{
    struct stage_kept *kept = &stage.settings[0];

    kept->is_there = true;
    (void)snprintf(kept->name, sizeof(kept->name), "service/redis/a");
    (void)snprintf(kept->text, sizeof(kept->text), "%s", text);
    services_stage_restart();
    assert_non_null(registered());
}

/* A setting that cannot be read costs the check and nothing else. */
static void test_bad_setting(void **state)
{
    (void)state;
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    restart_with_setting("{\"check\":{\"type\":\"tcp\",\"interval_ms\":0}}");
    assert_int_equal(registered()->check.type, REGISTRATION_CHECK_NONE);
    restart_with_setting("not JSON");
    assert_int_equal(registered()->check.type, REGISTRATION_CHECK_NONE);
    restart_with_setting("{\"schema\":1,\"source\":null}");
    assert_int_equal(registered()->check.type, REGISTRATION_CHECK_NONE);
    /* As older agents wrote it, for a file without a check. */
    restart_with_setting(
        "{\"schema\":1,\"source\":\"/x/a\",\"check\":{\"type\":\"none\","
        "\"interval_ms\":0,\"timeout_ms\":0,\"port\":0,\"pass\":0,"
        "\"fail\":0}}");
    assert_int_equal(registered()->check.type, REGISTRATION_CHECK_NONE);
    assert_string_equal(services_find(stage.services, "redis", "a")->source,
                        "/x/a");
}

/* Settings that the disk does not give are asked for again, and nothing is
 * taken for gone meanwhile. */
static void test_settings_are_read_later(void **state)
{
    (void)state;
    assert_int_equal(services_stage_register(CHECKED(1)), 0);
    services_stage_tick();
    services_stage_answer(0);
    services_stage_turn();
    stage.read_error = -EIO;
    services_stage_restart();
    assert_false(stage.services->is_loaded);
    assert_int_equal(services_stage_register(CHECKED(2)), SERVICES_E_REFUSED);
    stage.read_error = 0;
    services_stage_tick();
    services_stage_turn();
    assert_true(stage.services->is_loaded);
    assert_int_equal(registered()->check.type, REGISTRATION_CHECK_TCP);
}

/* A setting whose instance is not there goes when the instance comes. */
static void test_stray_setting_goes(void **state)
{
    struct stage_kept *kept = &stage.settings[0];

    (void)state;
    kept->is_there = true;
    (void)snprintf(kept->name, sizeof(kept->name), "service/redis/a");
    (void)snprintf(kept->text, sizeof(kept->text), "{}");
    services_stage_restart();
    assert_non_null(services_stage_setting("redis/a"));
    assert_int_equal(services_stage_register(REDIS(1)), 0);
    services_stage_turn();
    assert_null(services_stage_setting("redis/a"));
}

/* --- without memory --------------------------------------------------------
 */

/* A change whose n-th allocation fails is made, or leaves all as it was. */
static void change_without_memory(const char *before, const char *after)
{
    bool has_failed = true;

    json_set_alloc_funcs(malloc, free);
    for (unsigned n = 1; has_failed; n++) {
        const struct services_checker *checker;
        struct registration was;
        int error;

        assert_true(n < ALLOCATIONS_MAX);
        assert_int_equal(services_stage_register(before), 0);
        services_stage_turn();
        while (services_stage_record("redis/a") == NULL ||
               services_find(stage.services, "redis", "a")->is_held) {
            services_stage_tick();
            if (stage.n_connects > 0) {
                services_stage_answer(0);
            }
            services_stage_turn();
        }
        services_stage_turn();
        was = *registered();
        checker = services_find(stage.services, "redis", "a")->checker;
        stage.n_done = 0;
        heap_fail_at(n);
        error = services_stage_register(after);
        has_failed = heap_off();
        if (error != 0) {
            assert_int_equal(error, -ENOMEM);
            assert_memory_equal(registered(), &was, sizeof(was));
            assert_ptr_equal(
                services_find(stage.services, "redis", "a")->checker, checker);
            services_stage_turn();
            assert_int_equal(stage.n_done, 0);
        }
        assert_int_equal(services_stage_register(after), 0);
        assert_int_equal(registered()->service.port, 2);
        if (stage.n_timers > 0) {
            services_stage_tick();
        }
        if (stage.n_connects > 0) {
            services_stage_answer(0);
        }
        services_stage_turn();
        assert_int_equal(stage.n_done, error == 0 ? 2 : 1);
        assert_int_equal(services_stage_record("redis/a")->port, 2);
    }
}

static void test_change_without_memory(void **state)
{
    (void)state;
    change_without_memory(REDIS(1), REDIS(2));
}

static void test_check_without_memory(void **state)
{
    (void)state;
    change_without_memory(CHECKED(1), CHECKED(2));
}

static void test_new_without_memory(void **state)
{
    bool has_failed = true;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    for (unsigned n = 1; has_failed; n++) {
        int error;

        assert_true(n < ALLOCATIONS_MAX);
        heap_fail_at(n);
        error = services_stage_put(CHECKED(1), "/x/a.yaml");
        if (error == 0) {
            services_stage_tick();
        }
        if (stage.n_connects > 0) {
            services_stage_answer(0);
        }
        has_failed = heap_off();
        assert_true((error == 0) == (registered() != NULL));
        /* Taken is taken: what failed after that is done later. */
        for (int i = 0;
             error == 0 && (services_stage_record("redis/a") == NULL ||
                            services_stage_setting("redis/a") == NULL);
             i++) {
            assert_true(i < 20);
            services_stage_turn();
            services_stage_tick();
            if (stage.n_connects > 0) {
                services_stage_answer(0);
            }
        }
        services_stage_turn();
        if (error == 0) {
            assert_int_equal(
                services_drop(services_find(stage.services, "redis", "a"), NULL,
                              NULL, &(char *){NULL}),
                0);
            services_stage_turn();
        }
        assert_null(services_stage_record("redis/a"));
        assert_null(services_stage_setting("redis/a"));
    }
}

static void test_deregister_without_memory(void **state)
{
    bool has_failed = true;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    for (unsigned n = 1; has_failed; n++) {
        int error;

        assert_true(n < ALLOCATIONS_MAX);
        assert_int_equal(services_stage_register(REDIS(1)), 0);
        services_stage_turn();
        stage.n_done = 0;
        heap_fail_at(n);
        error = deregister();
        has_failed = heap_off();
        services_stage_turn();
        assert_int_equal(stage.n_done, error == 0 ? 1 : 0);
        assert_true((error == 0) == (registered() == NULL));
        assert_true((error == 0) == (services_stage_record("redis/a") == NULL));
    }
}

/* A start without memory is made good a little later, with the check and the
 * source of each. */
static void test_load_without_memory(void **state)
{
    bool has_failed = true;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(services_stage_put(CHECKED(1), "/x/a.yaml"), 0);
    services_stage_tick();
    services_stage_answer(0);
    services_stage_turn();
    for (unsigned n = 1; has_failed; n++) {
        assert_true(n < ALLOCATIONS_MAX);
        services_stage_restart();
        while (stage.services->entries != NULL) {
            services_entry_free(stage.services->entries);
        }
        stage.services->is_loaded = false;
        stage.services->has_settings = false;
        heap_fail_at(n);
        services_start(stage.services);
        services_stage_turn();
        has_failed = heap_off();
        for (int i = 0; !stage.services->is_loaded; i++) {
            assert_true(i < 3);
            services_stage_tick();
            services_stage_turn();
        }
        assert_int_equal(registered()->check.type, REGISTRATION_CHECK_TCP);
        assert_string_equal(services_find(stage.services, "redis", "a")->source,
                            "/x/a.yaml");
        assert_non_null(services_find(stage.services, "redis", "a")->checker);
    }
}

/* --- services.d ------------------------------------------------------------
 */

static void write_files(const struct scratch *scratch)
{
    (void)scratch_write(scratch, "a.yaml",
                        "service: {name: redis, instance: a, port: 1, "
                        "address: 10.0.3.203}\n");
    (void)scratch_write(scratch, "b.json",
                        "{\"services\":[{\"name\":\"b\",\"port\":2,\"address\":"
                        "\"10.0.3.4\"},{\"name\":\"c\",\"port\":3,\"address\":"
                        "\"10.0.3.5\"}]}\n");
    (void)scratch_write(scratch, "not-read.txt", "service: [\n");
    (void)scratch_write(scratch, ".b.yaml", "service: [\n");
}

static void read_files(const struct scratch *scratch)
{
    stage.config.services_dir = (char *)(uintptr_t)scratch->path;
    services_files_read(stage.services->files);
}

static void assert_three(bool are_there)
{
    assert_true((services_stage_record("redis/a") != NULL) == are_there);
    assert_true((services_stage_record("b/host3") != NULL) == are_there);
    assert_true((services_stage_record("c/host3") != NULL) == are_there);
}

static void test_files(void **state)
{
    struct scratch scratch = scratch_make();
    char expected[512];

    (void)state;
    write_files(&scratch);
    read_files(&scratch);
    services_stage_turn();
    assert_three(true);
    assert_null(services_problem(stage.services));
    /* A refusal takes nothing away of what the file registered before. */
    (void)scratch_write(
        &scratch, "b.json",
        "{\"services\":[{\"name\":\"b\",\"port\":4,\"address\":"
        "\"10.0.3.4\"},\n{\"name\":\"c\",\"port\":3,\"address\":"
        "\"10.0.9.5\"}]}\n");
    read_files(&scratch);
    services_stage_turn();
    assert_three(true);
    assert_int_equal(services_stage_record("b/host3")->port, 4);
    assert_int_equal(services_stage_record("c/host3")->port, 3);
    (void)snprintf(expected, sizeof(expected),
                   "%s/b.json:2: 10.0.9.5 is not an address of this node",
                   scratch.path);
    assert_memory_equal(services_problem(stage.services), expected,
                        strlen(expected));
    /* Neither does a mistake in it. */
    (void)scratch_write(&scratch, "b.json", "{\"services\":[{");
    read_files(&scratch);
    services_stage_turn();
    assert_three(true);
    assert_non_null(services_problem(stage.services));
    /* What a good file lists no more goes. */
    (void)scratch_write(&scratch, "b.json", "{}");
    read_files(&scratch);
    services_stage_turn();
    assert_null(services_problem(stage.services));
    assert_non_null(services_stage_record("redis/a"));
    assert_null(services_stage_record("b/host3"));
    assert_null(services_stage_record("c/host3"));
    scratch_remove(&scratch);
    read_files(&scratch);
    services_stage_turn();
    assert_three(false);
}

/* A reading without memory drops nothing, says so, and is done again. */
static void test_files_without_memory(void **state)
{
    struct scratch scratch = scratch_make();
    bool has_failed = true;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    write_files(&scratch);
    read_files(&scratch);
    services_stage_turn();
    for (unsigned n = 1; has_failed; n++) {
        assert_true(n < ALLOCATIONS_MAX);
        /* Change one, so that there is something to do. */
        (void)scratch_write(&scratch, "a.yaml",
                            n % 2 == 0 ? "service: {name: redis, instance: a, "
                                         "port: 1, address: 10.0.3.203}\n"
                                       : "service: {name: redis, instance: a, "
                                         "port: 9, address: 10.0.3.203}\n");
        heap_fail_at(n);
        read_files(&scratch);
        has_failed = heap_off();
        services_stage_turn();
        assert_three(true);
        if (services_stage_record("redis/a")->port != (n % 2 == 0 ? 1 : 9)) {
            assert_non_null(services_problem(stage.services));
            assert_true(stage.n_timers > 0);
            services_stage_tick(); /* it is read again by itself */
            services_stage_turn();
        }
        read_files(&scratch);
        services_stage_turn();
        assert_null(services_problem(stage.services));
        assert_int_equal(services_stage_record("redis/a")->port,
                         n % 2 == 0 ? 1 : 9);
    }
    scratch_remove(&scratch);
}

#define STAGE_TEST(test)                                                       \
    cmocka_unit_test_setup_teardown(test, services_stage_setup,                \
                                    services_stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_kept),
        STAGE_TEST(test_others),
        STAGE_TEST(test_too_large),
        STAGE_TEST(test_unchanged),
        STAGE_TEST(test_source),
        STAGE_TEST(test_not_ready),
        STAGE_TEST(test_disk_full),
        STAGE_TEST(test_change_on_a_full_disk),
        STAGE_TEST(test_small_changes),
        STAGE_TEST(test_deregister),
        STAGE_TEST(test_slot),
        STAGE_TEST(test_health_is_written_later),
        STAGE_TEST(test_setting_is_stored_later),
        STAGE_TEST(test_setting_left_behind),
        STAGE_TEST(test_bad_setting),
        STAGE_TEST(test_settings_are_read_later),
        STAGE_TEST(test_stray_setting_goes),
        STAGE_TEST(test_change_without_memory),
        STAGE_TEST(test_check_without_memory),
        STAGE_TEST(test_new_without_memory),
        STAGE_TEST(test_deregister_without_memory),
        STAGE_TEST(test_load_without_memory),
        STAGE_TEST(test_files),
        STAGE_TEST(test_files_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
