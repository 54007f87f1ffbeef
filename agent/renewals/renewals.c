/*
 * See renewals.h.  Every ten seconds the members are gone through, which are
 * in the order of their keys; those that are due are kept, with the time since
 * when, in that order.
 */
#include "agent/renewals/renewals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "agent/identity/identity.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

#define RENEWALS_REVIEW_MS 10000u
/* An issuer that is not the first leaves the first so much time. */
#define RENEWALS_WAIT_MS 60000u
/* Renewals on their way to the disk at once, and so many in a review: each of
 * them goes to every member. */
#define RENEWALS_WRITING_MAX 32
/* After half of its life a certificate waits for its member's moment, at most
 * this part of its life. */
#define RENEWALS_SPREAD 16u
/* Not for less than this part of a life: when our own end comes soon, each
 * renewal would be followed by another. */
#define RENEWALS_GAIN 8u

struct renewals_due {
    uint8_t key[32];
    uint64_t since_ms;
};

struct renewals {
    struct core *core;
    uv_timer_t timer;
    struct renewals_due *due; /* by key */
    size_t n_due;
    unsigned n_writing;
};

int renewals_new(struct core *core, struct renewals **ret)
{
    struct renewals *renewals = calloc(1, sizeof(*renewals));

    if (renewals == NULL) {
        return -ENOMEM;
    }
    renewals->core = core;
    (void)uv_timer_init(core->loop, &renewals->timer); /* cannot fail */
    renewals->timer.data = renewals;
    *ret = renewals;
    return 0;
}

static void renewals_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct renewals *renewals_free(struct renewals *renewals)
{
    if (renewals != NULL) {
        free(renewals->due);
        uv_close((uv_handle_t *)&renewals->timer, renewals_closed);
    }
    return NULL;
}

/* Whoever signed it has the word of others still: what a revoked issuer signed
 * is not made to last by itself. */
static bool renewals_is_trusted(const struct core *core,
                                const struct node_member *member)
{
    struct node_member issuer;
    struct record record;

    return node_certificate(core->node, member->key, &record) &&
           (node_is_root(core->node, record.writer) ||
            (node_member_find(core->node, record.writer, &issuer) &&
             issuer.denial == NODE_DENIAL_NONE));
}

/* The moment of this member: the same on every issuer. */
static uint64_t renewals_moment_s(const struct node_member *member)
{
    const struct body_certificate *certificate = member->certificate;
    uint64_t spread_s = (certificate->not_after_s - certificate->not_before_s) /
                        RENEWALS_SPREAD;

    return renewals_half_s(certificate) +
           (spread_s == 0 ? 0 : member->id % spread_s);
}

static bool renewals_is_due(const struct core *core,
                            const struct node_member *member, uint64_t now_s,
                            struct body_certificate *ret)
{
    const struct body_certificate *certificate = member->certificate;

    return !member->is_self && member->is_heard &&
           member->state == NODE_MEMBER_ALIVE &&
           member->denial == NODE_DENIAL_NONE &&
           now_s >= renewals_moment_s(member) &&
           renewals_make(core, member, 0, ret) == RENEWALS_OK &&
           ret->not_after_s - certificate->not_after_s >=
               (certificate->not_after_s - certificate->not_before_s) /
                   RENEWALS_GAIN &&
           renewals_is_trusted(core, member);
}

static void renewals_review(struct renewals *renewals);

static void renewals_timer(uv_timer_t *timer)
{
    renewals_review(timer->data);
}

static void renewals_written(struct core *core, int error,
                             struct record_order order, void *data)
{
    struct renewals *renewals = data;

    (void)core;
    (void)order;
    renewals->n_writing--;
    if (error != 0 && error != -ECANCELED) {
        log_warning("certificate not renewed: %s; tried again",
                    strerror(-error));
    }
}

static void renewals_do(struct renewals *renewals,
                        const struct body_certificate *body)
{
    int error =
        renewals_write(renewals->core, body, renewals_written, renewals);

    if (error != 0) {
        log_warning("name=%s certificate not renewed: error=%d; tried again",
                    body->name, error);
        return;
    }
    renewals->n_writing++;
    log_info("certificate renewed name=%s serial=%016llx until_s=%llu",
             body->name, (unsigned long long)body->serial,
             (unsigned long long)body->not_after_s);
}

/* Since when it has been due; `at` moves on in the order of keys. */
static uint64_t renewals_since(const struct renewals *renewals,
                               const uint8_t key[32], size_t *at,
                               uint64_t now_ms)
{
    int order = -1;

    while (*at < renewals->n_due &&
           (order = memcmp(renewals->due[*at].key, key, 32)) < 0) {
        (*at)++;
    }
    return *at < renewals->n_due && order == 0 ? renewals->due[*at].since_ms
                                               : now_ms;
}

/* Signs what is due, and fills `due`. */
static size_t renewals_run(struct renewals *renewals, struct renewals_due *due,
                           size_t n_max)
{
    const struct core *core = renewals->core;
    bool is_first = core_is_first_issuer(core);
    bool is_free = renewals->n_writing == 0;
    uint64_t now_s = core_wall_ms(core) / 1000;
    uint64_t now_ms = clock_now_ms();
    struct body_certificate body;
    struct node_member member;
    size_t n = 0, at_due = 0;

    for (size_t at = 0;
         n < n_max && node_member_next(core->node, &at, &member);) {
        if (!renewals_is_due(core, &member, now_s, &body)) {
            continue;
        }
        memcpy(due[n].key, member.key, sizeof(due[n].key));
        due[n].since_ms = renewals_since(renewals, member.key, &at_due, now_ms);
        if (is_free && renewals->n_writing < RENEWALS_WRITING_MAX &&
            (is_first || now_ms - due[n].since_ms >= RENEWALS_WAIT_MS)) {
            renewals_do(renewals, &body);
        }
        n++;
    }
    return n;
}

static void renewals_review(struct renewals *renewals)
{
    const struct core *core = renewals->core;
    struct renewals_due *due = NULL;
    struct node_member member;
    size_t n = 0;

    (void)uv_timer_start(&renewals->timer, renewals_timer, RENEWALS_REVIEW_MS,
                         0); /* fails only when closing */
    if ((core->identity->body.roles & BODY_ROLE_ISSUER) == 0 ||
        !core->is_ready || core->is_stopping) {
        return;
    }
    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        n++;
    }
    due = calloc(n + 1, sizeof(*due));
    if (due == NULL) {
        return; /* in the next review */
    }
    n = renewals_run(renewals, due, n);
    free(renewals->due);
    renewals->due = due;
    renewals->n_due = n;
}

static void renewals_ready(void *data)
{
    renewals_review(data);
}

struct core_listener renewals_listener(struct renewals *renewals)
{
    return (struct core_listener){.ready = renewals_ready, .data = renewals};
}
