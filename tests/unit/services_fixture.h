/*
 * The services of a node, with all around them played by the test: core and
 * the store take writes and answer when they are told to (services_stage_turn),
 * timers run out when the test says so, and a connect() ends as it says.  One
 * stage at a time.
 */
#ifndef SOCKETNET_TESTS_UNIT_SERVICES_FIXTURE_H
#define SOCKETNET_TESTS_UNIT_SERVICES_FIXTURE_H

#include <stdbool.h>

#include "agent/config/config.h"
#include "agent/identity/identity.h"
#include "agent/services/services_internal.h"

#define STAGE_MAX 64

/* What the store has of one key; `text` of settings. */
struct stage_kept {
    char name[SERVICES_SETTING_NAME_SIZE];
    struct body_service service;
    char text[512];
    bool is_there;
    bool is_foreign; /* a record of another node */
};

/* A timer of services that runs. */
struct stage_timer {
    uv_timer_t *timer;
    uv_timer_cb fn;
    uint64_t due_ms;
};

struct services_stage {
    uv_loop_t loop;
    struct core core;
    struct identity identity;
    struct config config;
    struct services *services;
    struct stage_kept records[STAGE_MAX];
    struct stage_kept settings[STAGE_MAX];
    struct stage_pending *pending;
    int write_error;     /* of core_write itself */
    int commit_error;    /* of every record, told later */
    int read_error;      /* of the settings, at the start */
    int setting_error;   /* of every setting, told later */
    uint64_t now_ms;     /* of timers and clock */
    uint64_t n_returned; /* records that came back */
    uint16_t free_slot;  /* what the catalogue proposes */
    /* What the worker says; with core.worker set. */
    bool worker_knows;
    const char *refusal;
    const char *port_problem;
    struct stage_timer timers[STAGE_MAX];
    size_t n_timers;
    /* Attempts under way, in order; the test ends them. */
    uv_connect_t *connects[STAGE_MAX];
    uv_connect_cb connect_fns[STAGE_MAX];
    size_t n_connects;
    int connect_error; /* of uv_tcp_connect itself */
    /* What waiters heard: stage_done counts here. */
    unsigned n_done;
    int done_error; /* the last one */
};

extern struct services_stage stage;

/* cmocka's setup and teardown.  The stage is ready, nothing registered. */
int services_stage_setup(void **state);
int services_stage_teardown(void **state);
/* Ends the services and makes new ones, as a restart of the agent: what is
 * kept stays. */
void services_stage_restart(void);
/* Core and store do what was asked of them, in order. */
void services_stage_turn(void);
/* Runs the earliest timer out. */
void services_stage_tick(void);
/* Ends the oldest attempt. */
void services_stage_answer(int status);

/* Registers from the text of a JSON object; the result of services_register.
 * The problem is freed. */
int services_stage_register(const char *text);
/* The same through services_put, for a file. */
int services_stage_put(const char *text, const char *source);
/* A services_done_fn. */
void services_stage_done(struct core *core, int error, void *data);
/* The record kept of "redis/a", NULL: none. */
const struct body_service *services_stage_record(const char *key);
/* The setting kept of "redis/a", NULL: none. */
const char *services_stage_setting(const char *key);

#endif
