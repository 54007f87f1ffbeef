/*
 * What the worker finds out about an instance, on its way into the record: when
 * it is written, and when it is too much.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/core/worker_link.h"
#include "tests/unit/services_fixture.h"

#define REDIS                                                                  \
    "{\"name\":\"redis\",\"instance\":\"a\",\"port\":6379,"                    \
    "\"address\":\"10.0.3.203\",\"port_name\":\"veth203\"}"
#define NEVER UINT64_MAX

/* The link is only ever compared with NULL here. */
static int setup(void **state)
{
    int error = services_stage_setup(state);

    stage.core.worker = (struct worker_link *)&stage;
    stage.worker_knows = true;
    stage.now_ms = 1000;
    return error;
}

static void observe(void)
{
    struct core_listener listener = services_listener(stage.services);

    listener.observed(listener.data);
    services_stage_turn();
}

static uint8_t written(void)
{
    return services_stage_record("redis/a")->finding;
}

static void test_damping(void **state)
{
    struct damping damping = {0};
    uint64_t now = 1000;

    (void)state;
    assert_int_equal(damping_due_ms(&damping, 0, 0, now), NEVER);
    /* The first time better is at once too. */
    assert_int_equal(damping_due_ms(&damping, 1, 0, now), now);
    assert_int_equal(damping_due_ms(&damping, 0, 1, now), now);
    damping_spend(&damping, now);
    assert_int_equal(damping_due_ms(&damping, 1, 1, now), NEVER);
    /* Then it has to last, from its beginning on. */
    now = 1500;
    assert_int_equal(damping_due_ms(&damping, 1, 0, now), 3500);
    now = 3000;
    assert_int_equal(damping_due_ms(&damping, 1, 0, now), 3500);
    assert_int_equal(damping_due_ms(&damping, 1, 1, now), NEVER);
    now = 3499;
    assert_int_equal(damping_due_ms(&damping, 1, 0, now), 5499);
    now = 5499;
    assert_int_equal(damping_due_ms(&damping, 1, 0, now), 5499);
    damping_spend(&damping, now);
    /* Worse, and other, is at once... */
    assert_int_equal(damping_due_ms(&damping, 0, 2, 5500), 5500);
    damping_spend(&damping, 5500);
    /* ... after three it waits for its turn, 10 s after the first. */
    assert_int_equal(damping_due_ms(&damping, 2, 1, 5600), 11000);
    assert_int_equal(damping_due_ms(&damping, 2, 1, 10999), 11000);
    assert_int_equal(damping_due_ms(&damping, 2, 1, 11000), 11000);
    damping_spend(&damping, 11000);
    assert_int_equal(damping_due_ms(&damping, 1, 2, 11001), 21000);
    /* All is forgotten in time. */
    assert_int_equal(damping_due_ms(&damping, 0, 0, 60000), NEVER);
    assert_int_equal(damping.n_spent, 0);
}

/* A port that is not there is in the first record, its coming in the next. */
static void test_port(void **state)
{
    (void)state;
    stage.port_problem = "no port veth203 on socket";
    assert_int_equal(services_stage_register(REDIS), 0);
    services_stage_turn();
    assert_int_equal(written(), BODY_FINDING_NO_PORT);
    observe();
    assert_null(stage.pending);
    stage.port_problem = "";
    observe();
    assert_int_equal(written(), BODY_FINDING_NONE);
    stage.port_problem = "port veth203 on socket: device gone";
    observe();
    assert_int_equal(written(), BODY_FINDING_NO_PORT);
    stage.port_problem = "";
    observe();
    assert_int_equal(written(), BODY_FINDING_NO_PORT);
    services_stage_tick();
    services_stage_turn();
    assert_int_equal(stage.now_ms, 3000);
    assert_int_equal(written(), BODY_FINDING_NONE);
}

static void test_refusal(void **state)
{
    (void)state;
    assert_int_equal(services_stage_register(REDIS), 0);
    services_stage_turn();
    assert_int_equal(written(), BODY_FINDING_NONE);
    stage.refusal = "10.0.3.203 is behind another port";
    stage.port_problem = "no port veth203 on socket";
    observe();
    assert_int_equal(written(), BODY_FINDING_REFUSED);
    /* What nobody knows any more stays as it was. */
    stage.worker_knows = false;
    stage.refusal = "";
    stage.now_ms += 60000;
    observe();
    assert_int_equal(written(), BODY_FINDING_REFUSED);
    stage.worker_knows = true;
    observe();
    assert_int_equal(written(), BODY_FINDING_NO_PORT);
}

/* A registration that is made again is the same one, whatever was found. */
static void test_again(void **state)
{
    (void)state;
    stage.port_problem = "no port veth203 on socket";
    assert_int_equal(services_stage_register(REDIS), 0);
    services_stage_turn();
    assert_int_equal(services_stage_register(REDIS), 0);
    assert_int_equal(stage.services->entries->n_writing, 0);
    services_stage_turn();
    assert_int_equal(written(), BODY_FINDING_NO_PORT);
}

/* After a restart the record's finding is what is known, until it is looked. */
static void test_restart(void **state)
{
    (void)state;
    stage.port_problem = "no port veth203 on socket";
    assert_int_equal(services_stage_register(REDIS), 0);
    services_stage_turn();
    stage.worker_knows = false;
    services_stage_restart();
    services_stage_turn();
    assert_int_equal(written(), BODY_FINDING_NO_PORT);
    stage.worker_knows = true;
    stage.port_problem = "";
    observe();
    assert_int_equal(written(), BODY_FINDING_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damping),
        cmocka_unit_test_setup_teardown(test_port, setup,
                                        services_stage_teardown),
        cmocka_unit_test_setup_teardown(test_refusal, setup,
                                        services_stage_teardown),
        cmocka_unit_test_setup_teardown(test_again, setup,
                                        services_stage_teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup,
                                        services_stage_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
