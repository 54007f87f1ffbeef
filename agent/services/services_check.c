/*
 * Checks of this node's own instances: connect() within a time.  A refused
 * connection proves at once that nothing listens; a missing answer is counted
 * until a threshold is passed.  An instance is taken for passing until its
 * first check has ended; that one starts at once, and its failure counts in
 * full.  The record of a new instance waits a moment for it, so that what is
 * down is never announced as up in the usual case.
 */
#include "agent/services/services_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/system/sockaddr.h"

/* The record of a new instance waits so long for its first check. */
#define SERVICES_HOLD_MS 50
/* First checks begin so far apart, and what began apart stays apart: a
 * thousand instances that come in at once are asked over a second. */
#define SERVICES_FIRST_GAP_MS 1
/* A new instance that does not answer yet is asked this often, so many
 * times, before its own interval holds. */
#define SERVICES_NEW_INTERVAL_MS 1000
#define SERVICES_NEW_TRIES       30

enum services_check_phase {
    SERVICES_CHECK_BEGINS = 0, /* the timer starts an attempt */
    SERVICES_CHECK_HOLDS,      /* the timer ends the hold */
    SERVICES_CHECK_CONNECTS,   /* the timer ends the attempt */
};

/* One connect(). */
struct services_attempt {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct services_checker *checker; /* NULL: given up */
};

struct services_checker {
    struct services_entry *entry; /* NULL: stopped */
    struct services_attempt *attempt;
    uv_timer_t timer;
    enum services_check_phase phase;
    bool has_ended; /* at least one attempt */
    bool has_passed;
    unsigned n_new; /* quick attempts left */
    uint32_t n_passes;
    uint32_t n_fails;
    uint64_t started_us;
    char text[160];
};

static void services_check_tick(uv_timer_t *timer);

static void services_check_wait(struct services_checker *checker,
                                enum services_check_phase phase,
                                uint64_t wait_ms)
{
    checker->phase = phase;
    (void)uv_timer_start(&checker->timer, services_check_tick, wait_ms,
                         0); /* fails only when closing */
}

static void services_attempt_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void services_attempt_end(struct services_checker *checker)
{
    struct services_attempt *attempt = checker->attempt;

    if (attempt != NULL) {
        checker->attempt = NULL;
        attempt->checker = NULL;
        uv_close((uv_handle_t *)&attempt->tcp, services_attempt_closed);
    }
}

static struct endpoint
services_check_endpoint(const struct services_checker *checker)
{
    const struct registration *registration = &checker->entry->registration;

    return (struct endpoint){.address = registration->service.address,
                             .port = registration->check.port != 0
                                         ? registration->check.port
                                         : registration->service.port};
}

/* Interval with a tenth of it spread, so that checks do not march in step. */
static uint64_t services_check_interval_ms(struct services_checker *checker)
{
    uint32_t interval_ms = checker->entry->registration.check.interval_ms;
    uint32_t spread_ms = interval_ms / 10;

    if (!checker->has_passed && checker->n_new > 0) {
        checker->n_new--;
        return MIN_OF(interval_ms, (uint32_t)SERVICES_NEW_INTERVAL_MS);
    }
    return interval_ms - spread_ms / 2 +
           (spread_ms > 0 ? checker->started_us % spread_ms : 0);
}

/* Failures that say something of this process and nothing of the instance. */
static bool services_check_is_ours(int error)
{
    return error == UV_ENOMEM || error == UV_ENOBUFS || error == UV_EMFILE ||
           error == UV_ENFILE;
}

static uint8_t services_check_passed(struct services_checker *checker,
                                     const char *text)
{
    const struct services_entry *entry = checker->entry;
    uint64_t took_us = clock_now_us() - checker->started_us;

    checker->n_fails = 0;
    checker->n_passes++;
    checker->has_ended = true;
    checker->has_passed = true;
    (void)snprintf(checker->text, sizeof(checker->text),
                   "tcp %s: connected in %" PRIu64 " us", text, took_us);
    return checker->n_passes >= entry->registration.check.pass
               ? BODY_HEALTH_PASSING
               : entry->registration.service.health;
}

static uint8_t services_check_failed(struct services_checker *checker,
                                     int error, const char *text)
{
    const struct services_entry *entry = checker->entry;
    bool is_proof = error == UV_ECONNREFUSED || !checker->has_ended;

    checker->n_passes = 0;
    checker->n_fails++;
    checker->has_ended = true;
    (void)snprintf(checker->text, sizeof(checker->text), "tcp %s: %s", text,
                   error == UV_ETIMEDOUT ? "no answer in time"
                                         : uv_strerror(error));
    return is_proof || checker->n_fails >= entry->registration.check.fail
               ? BODY_HEALTH_CRITICAL
               : entry->registration.service.health;
}

/* The attempt came to `error` (0: connected). */
static void services_check_ended(struct services_checker *checker, int error)
{
    struct services_entry *entry = checker->entry;
    struct endpoint endpoint = services_check_endpoint(checker);
    uint8_t health = entry->registration.service.health;
    char text[ENDPOINT_TEXT_SIZE];

    services_attempt_end(checker);
    (void)endpoint_text(&endpoint, text);
    if (services_check_is_ours(error)) {
        (void)snprintf(checker->text, sizeof(checker->text),
                       "tcp %s: the agent could not ask: %s", text,
                       uv_strerror(error));
    } else {
        health = error == 0 ? services_check_passed(checker, text)
                            : services_check_failed(checker, error, text);
    }
    services_check_wait(checker, SERVICES_CHECK_BEGINS,
                        services_check_interval_ms(checker));
    services_health_changed(entry, health);
    services_check_first(entry);
}

static void services_check_connected(uv_connect_t *request, int status)
{
    struct services_attempt *attempt = request->data;

    if (attempt->checker != NULL) {
        services_check_ended(attempt->checker, status);
    }
}

static void services_check_begin(struct services_checker *checker)
{
    struct services_entry *entry = checker->entry;
    const struct registration_check *check = &entry->registration.check;
    struct endpoint endpoint = services_check_endpoint(checker);
    struct services_attempt *attempt = calloc(1, sizeof(*attempt));
    struct sockaddr_storage address;
    int error;

    checker->started_us = clock_now_us();
    if (attempt == NULL) {
        services_check_ended(checker, UV_ENOMEM);
        return;
    }
    (void)sockaddr_put(&endpoint, &address); /* was validated */
    /* Only fails for a loop that is not one. */
    (void)uv_tcp_init(entry->services->core->loop, &attempt->tcp);
    attempt->tcp.data = attempt;
    attempt->connect.data = attempt;
    attempt->checker = checker;
    checker->attempt = attempt;
    error = uv_tcp_connect(&attempt->connect, &attempt->tcp,
                           (const struct sockaddr *)&address,
                           services_check_connected);
    if (error != 0) {
        services_check_ended(checker, error);
    } else if (entry->is_held && check->timeout_ms > SERVICES_HOLD_MS) {
        services_check_wait(checker, SERVICES_CHECK_HOLDS, SERVICES_HOLD_MS);
    } else {
        services_check_wait(checker, SERVICES_CHECK_CONNECTS,
                            check->timeout_ms);
    }
}

static void services_check_tick(uv_timer_t *timer)
{
    struct services_checker *checker = timer->data;
    struct services_entry *entry = checker->entry;

    switch (checker->phase) {
    case SERVICES_CHECK_BEGINS:
        services_check_begin(checker);
        break;
    case SERVICES_CHECK_HOLDS:
        services_check_wait(checker, SERVICES_CHECK_CONNECTS,
                            entry->registration.check.timeout_ms -
                                SERVICES_HOLD_MS);
        services_check_first(entry);
        break;
    case SERVICES_CHECK_CONNECTS:
    default:
        services_check_ended(checker, UV_ETIMEDOUT);
        break;
    }
}

int services_checker_new(struct services_entry *entry, bool is_new,
                         struct services_checker **ret)
{
    struct services_checker *checker = calloc(1, sizeof(*checker));

    if (checker == NULL) {
        return -ENOMEM;
    }
    checker->entry = entry;
    checker->n_new = SERVICES_NEW_TRIES;
    /* After a restart the recorded health holds until a threshold says
     * otherwise. */
    checker->has_ended = !is_new;
    checker->has_passed =
        !is_new && entry->registration.service.health == BODY_HEALTH_PASSING;
    (void)snprintf(checker->text, sizeof(checker->text), "not checked yet");
    /* Only fails for a loop that is not one. */
    (void)uv_timer_init(entry->services->core->loop, &checker->timer);
    checker->timer.data = checker;
    *ret = checker;
    return 0;
}

void services_check_start(struct services_checker *checker)
{
    struct services *services = checker->entry->services;
    uint64_t now_ms = uv_now(services->core->loop);
    uint64_t at_ms = MAX_OF(now_ms, services->first_check_ms);

    services->first_check_ms = at_ms + SERVICES_FIRST_GAP_MS;
    services_check_wait(checker, SERVICES_CHECK_BEGINS, at_ms - now_ms);
}

static void services_checker_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct services_checker *services_check_stop(struct services_checker *checker)
{
    if (checker != NULL) {
        services_attempt_end(checker);
        checker->entry = NULL;
        uv_close((uv_handle_t *)&checker->timer, services_checker_closed);
    }
    return NULL;
}

const char *services_checker_text(const struct services_checker *checker)
{
    return checker->text;
}
