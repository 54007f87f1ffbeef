/*
 * See claims.h.  At each change of the catalogue its functions are gone
 * through; those that something is to be done for are kept, with the time since
 * when, in the order of their names, which is the catalogue's.
 */
#include "agent/claims/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "agent/catalog/catalog.h"
#include "agent/identity/identity.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "gossip/wire/body.h"

/* An issuer that is not the first leaves the first so much time. */
#define CLAIMS_WAIT_MS 60000u
/* A function without an instance for so long is called idle, and one that was
 * idle for so long gives its address back. */
#define CLAIMS_IDLE_MS  3600000u
#define CLAIMS_KEPT_S   (30u * 86400u)
#define CLAIMS_RETRY_MS 10000u
/* Claims on their way to the disk at once. */
#define CLAIMS_WRITING_MAX 32

/* A function that something is to be done for. */
struct claims_due {
    char name[BODY_NAME_SIZE];
    uint64_t since_ms;
};

struct claims {
    struct core *core;
    uv_timer_t timer;
    struct claims_due *due; /* by name */
    size_t n_due;
    unsigned n_writing;
    int said; /* the error that was logged last; 0: none, or it is over */
};

enum claims_work {
    CLAIMS_NOTHING,
    CLAIMS_CLAIM,  /* nobody has claimed it */
    CLAIMS_IDLE,   /* ours, without an instance, and does not say so */
    CLAIMS_IN_USE, /* ours, says that it is idle, and is not */
    CLAIMS_END,    /* ours, idle for long enough */
};

int claims_new(struct core *core, struct claims **ret)
{
    struct claims *claims = calloc(1, sizeof(*claims));

    if (claims == NULL) {
        return -ENOMEM;
    }
    claims->core = core;
    (void)uv_timer_init(core->loop, &claims->timer); /* cannot fail */
    claims->timer.data = claims;
    *ret = claims;
    return 0;
}

static void claims_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct claims *claims_free(struct claims *claims)
{
    if (claims != NULL) {
        free(claims->due);
        uv_close((uv_handle_t *)&claims->timer, claims_closed);
    }
    return NULL;
}

static bool claims_is_issuer(const struct core *core)
{
    return (core->identity->body.roles & BODY_ROLE_ISSUER) != 0;
}

static enum claims_work claims_judge(const struct core *core,
                                     const struct catalog_function *function)
{
    if (function->is_declared) {
        return CLAIMS_NOTHING;
    }
    if (!function->is_claimed) {
        return function->n_instances > 0 ? CLAIMS_CLAIM : CLAIMS_NOTHING;
    }
    if (memcmp(function->claimer, core->identity->sign_public, 32) != 0) {
        return CLAIMS_NOTHING;
    }
    if (function->n_instances > 0) {
        return function->idle_since_s != 0 ? CLAIMS_IN_USE : CLAIMS_NOTHING;
    }
    return function->idle_since_s != 0 ? CLAIMS_END : CLAIMS_IDLE;
}

/* When it is to be done; monotonic, of what has been so since `since_ms`. */
static uint64_t claims_due_ms(const struct catalog_function *function,
                              enum claims_work work, bool is_first,
                              uint64_t since_ms)
{
    uint64_t end_s = function->idle_since_s + CLAIMS_KEPT_S;
    uint64_t wall_s = clock_wall_ms() / 1000;

    switch (work) {
    case CLAIMS_CLAIM:
        return is_first ? since_ms : since_ms + CLAIMS_WAIT_MS;
    case CLAIMS_IDLE:
        return since_ms + CLAIMS_IDLE_MS;
    case CLAIMS_END:
        return end_s <= wall_s ? since_ms
                               : clock_now_ms() + (end_s - wall_s) * 1000;
    case CLAIMS_IN_USE:
    case CLAIMS_NOTHING:
    default:
        return since_ms;
    }
}

static void claims_review(struct claims *claims);

static void claims_retry(uv_timer_t *timer)
{
    claims_review(timer->data);
}

static void claims_later(struct claims *claims, uint64_t wait_ms)
{
    (void)uv_timer_start(&claims->timer, claims_retry, wait_ms,
                         0); /* fails only when closing */
}

static void claims_written(struct core *core, int error,
                           struct record_order order, void *data)
{
    struct claims *claims = data;

    (void)core;
    (void)order;
    claims->n_writing--;
    if (error != -ECANCELED && claims->n_writing == 0) {
        /* Those past CLAIMS_WRITING_MAX, and those that failed. */
        claims_later(claims, error == 0 ? 0 : CLAIMS_RETRY_MS);
    }
}

static int claims_write(struct claims *claims,
                        const struct catalog_function *function,
                        enum claims_work work)
{
    struct core *core = claims->core;
    struct body_function claim = {
        .address = function->address, .is_claim = true, .slot = function->slot};
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t size;
    int error;

    memcpy(claim.name, function->name, sizeof(claim.name));
    if (function->address.family == 0) {
        /* It has lost the one that it had. */
        claim.slot = catalog_free_slot(core->catalog, claim.name);
        catalog_slot_address(core->catalog, claim.name, claim.slot,
                             &claim.address);
    }
    if (work == CLAIMS_IDLE) {
        claim.idle_since_s = clock_wall_ms() / 1000;
    }
    error = body_put_function(&claim, body, sizeof(body), &size);
    if (error == 0) {
        error =
            core_write(core, RECORD_FUNCTION, (const uint8_t *)claim.name,
                       strlen(claim.name), body, size, claims_written, claims);
    }
    return error;
}

static const char *claims_error_text(int error)
{
    switch (error) {
    case NODE_E_NOT_READY:
        return "this node still asks its peers for its own past";
    case NODE_E_NOT_ALLOWED:
        return "this node's certificate does not allow it";
    case NODE_E_LIMIT:
        return "this node writes or has written too much at once";
    case NODE_E_TWIN:
        return "another agent writes with this node's key, so this one writes "
               "nothing (agentctl status says what to do)";
    case NODE_E_FROZEN:
        return "two records of this node contradict each other, so nobody "
               "believes what it writes (agentctl status says what to do)";
    default:
        return error < 0 ? strerror(-error) : "the record cannot be made";
    }
}

/* False: it could not be begun. */
static bool claims_do(struct claims *claims,
                      const struct catalog_function *function,
                      enum claims_work work)
{
    int error;

    error = work == CLAIMS_END
                ? core_remove(claims->core, RECORD_FUNCTION,
                              (const uint8_t *)function->name,
                              strlen(function->name), claims_written, claims)
                : claims_write(claims, function, work);
    if (error != 0) {
        if (error != claims->said) {
            log_warning("function=%s not claimed: %s; tried again every %u s, "
                        "said once",
                        function->name, claims_error_text(error),
                        CLAIMS_RETRY_MS / 1000);
        }
        claims->said = error;
        return false;
    }
    claims->said = 0;
    claims->n_writing++;
    return true;
}

/* Since when the function has been due; `at` moves on in the order of names. */
static uint64_t claims_since(const struct claims *claims, const char *name,
                             size_t *at, uint64_t now_ms)
{
    while (*at < claims->n_due && strcmp(claims->due[*at].name, name) < 0) {
        (*at)++;
    }
    return *at < claims->n_due && strcmp(claims->due[*at].name, name) == 0
               ? claims->due[*at].since_ms
               : now_ms;
}

/* Does what is due, and fills `due` with what is not.  Returns when the next
 * of them is. */
static uint64_t claims_run(struct claims *claims, struct claims_due *due,
                           size_t *ret_n)
{
    const struct core *core = claims->core;
    bool is_first = core_is_first_issuer(core);
    bool is_free = claims->n_writing == 0;
    uint64_t now_ms = clock_now_ms();
    uint64_t next_ms = UINT64_MAX;
    size_t at = 0;
    size_t n = 0;

    for (size_t i = 0; i < catalog_count(core->catalog); i++) {
        const struct catalog_function *function = catalog_at(core->catalog, i);
        enum claims_work work = claims_judge(core, function);
        uint64_t due_ms;

        if (work == CLAIMS_NOTHING) {
            continue;
        }
        memcpy(due[n].name, function->name, sizeof(due[n].name));
        due[n].since_ms = claims_since(claims, function->name, &at, now_ms);
        due_ms = claims_due_ms(function, work, is_first, due[n].since_ms);
        n++;
        if (due_ms > now_ms) {
            next_ms = MIN_OF(next_ms, due_ms);
        } else if (is_free && claims->n_writing < CLAIMS_WRITING_MAX &&
                   !claims_do(claims, function, work)) {
            /* What is on its way is not in the catalogue yet, hence one lot
             * after the other. */
            is_free = false;
            next_ms = MIN_OF(next_ms, now_ms + CLAIMS_RETRY_MS);
        }
    }
    *ret_n = n;
    return next_ms;
}

static size_t claims_count(const struct core *core)
{
    size_t n = 0;

    for (size_t i = 0; i < catalog_count(core->catalog); i++) {
        n += claims_judge(core, catalog_at(core->catalog, i)) != CLAIMS_NOTHING;
    }
    return n;
}

static void claims_review(struct claims *claims)
{
    const struct core *core = claims->core;
    struct claims_due *due = NULL;
    uint64_t next_ms = UINT64_MAX;
    uint64_t now_ms = clock_now_ms();
    size_t n;

    if (!claims_is_issuer(core) || !core->is_ready || core->is_stopping) {
        return;
    }
    n = claims_count(core);
    if (n > 0) {
        due = calloc(n, sizeof(*due));
        if (due == NULL) {
            claims_later(claims, CLAIMS_RETRY_MS);
            return;
        }
        next_ms = claims_run(claims, due, &n);
    }
    free(claims->due);
    claims->due = due;
    claims->n_due = n;
    if (next_ms != UINT64_MAX) {
        claims_later(claims, next_ms > now_ms ? next_ms - now_ms : 0);
    }
}

static void claims_told(void *data)
{
    claims_review(data);
}

struct core_listener claims_listener(struct claims *claims)
{
    return (struct core_listener){
        .ready = claims_told, .catalog_changed = claims_told, .data = claims};
}
