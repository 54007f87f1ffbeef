/*
 * Snapshots and deltas of the desired set.  A snapshot is collected beside
 * the set in use and takes its place when it is whole, so that a core that
 * dies half-way leaves the data plane as it was.
 */
#include "agent/worker/worker_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ipc/ipc.h"

void worker_state_init(struct worker_state *state,
                       const struct plan_policy *policy)
{
    *state = (struct worker_state){.policy = policy};
}

void worker_state_done(struct worker_state *state)
{
    desired_done(&state->desired);
    desired_done(&state->incoming);
    free(state->flushes);
    free(state->refusals);
    *state = (struct worker_state){0};
}

static struct worker_state_refusal *find_refusal(struct worker_state *state,
                                                 const char *key)
{
    for (size_t i = 0; i < state->n_refusals; i++) {
        if (strcmp(state->refusals[i].key, key) == 0) {
            return &state->refusals[i];
        }
    }
    return NULL;
}

static int refuse(struct worker_state *state, const char *key,
                  const char *reason, bool is_of_plan)
{
    struct worker_state_refusal *refusal = find_refusal(state, key);

    if (refusal == NULL) {
        if (state->n_refusals == state->refusals_capacity) {
            size_t capacity = MAX_OF(state->refusals_capacity * 2, 8);
            void *grown =
                realloc(state->refusals, capacity * sizeof(*state->refusals));

            if (grown == NULL) {
                return -ENOMEM;
            }
            state->refusals = grown;
            state->refusals_capacity = capacity;
        }
        refusal = &state->refusals[state->n_refusals++];
        *refusal = (struct worker_state_refusal){0};
        memcpy(refusal->key, key, strlen(key) + 1);
    } else if (strcmp(refusal->reason, reason) == 0) {
        refusal->is_seen = true;
        refusal->is_of_plan = is_of_plan;
        return 0;
    }
    memcpy(refusal->reason, reason, strlen(reason) + 1);
    refusal->is_reported = false;
    refusal->is_seen = true;
    refusal->is_of_plan = is_of_plan;
    return 0;
}

static void end_refusal(struct worker_state_refusal *refusal)
{
    if (refusal->reason[0] != '\0') {
        refusal->reason[0] = '\0';
        refusal->is_reported = false;
        refusal->is_of_plan = false;
    }
}

/* The policy has nothing against the item; the plan may still have. */
static void accept_again(struct worker_state *state, const char *key)
{
    struct worker_state_refusal *refusal = find_refusal(state, key);

    if (refusal != NULL && !refusal->is_of_plan) {
        end_refusal(refusal);
    }
}

static bool is_refused(const struct plan_problem *refused, size_t n_refused,
                       const char *key)
{
    for (size_t i = 0; i < n_refused; i++) {
        if (strcmp(refused[i].item, key) == 0) {
            return true;
        }
    }
    return false;
}

int worker_state_judge(struct worker_state *state,
                       const struct plan_problem *refused, size_t n_refused)
{
    int error = 0;

    for (size_t i = 0; i < state->n_refusals; i++) {
        struct worker_state_refusal *refusal = &state->refusals[i];

        if (refusal->is_of_plan &&
            !is_refused(refused, n_refused, refusal->key)) {
            end_refusal(refusal);
        }
    }
    for (size_t i = 0; i < n_refused && error == 0; i++) {
        error = refuse(state, refused[i].item, refused[i].reason, true);
    }
    return error;
}

bool worker_state_next_refusal(struct worker_state *state,
                               struct worker_state_refusal *ret)
{
    for (size_t i = 0; i < state->n_refusals; i++) {
        struct worker_state_refusal *refusal = &state->refusals[i];

        if (refusal->is_reported) {
            continue;
        }
        refusal->is_reported = true;
        *ret = *refusal;
        if (refusal->reason[0] == '\0') {
            *refusal = state->refusals[--state->n_refusals];
        }
        return true;
    }
    return false;
}

static int add_flush(struct worker_state *state,
                     const struct desired_function *function,
                     const struct desired_backend *backend)
{
    if (state->n_flushes == state->flushes_capacity) {
        size_t capacity = MAX_OF(state->flushes_capacity * 2, 8);
        void *grown =
            realloc(state->flushes, capacity * sizeof(*state->flushes));

        if (grown == NULL) {
            return -ENOMEM;
        }
        state->flushes = grown;
        state->flushes_capacity = capacity;
    }
    state->flushes[state->n_flushes++] =
        (struct worker_state_flush){.service = function->address,
                                    .backend = backend->address,
                                    .protocol = function->protocol};
    return 0;
}

static bool has_backend(const struct desired_item *item,
                        const struct desired_function *of,
                        const struct desired_backend *backend)
{
    if (item == NULL || !address_equal(&item->function.address, &of->address)) {
        return false;
    }
    for (size_t i = 0; i < item->function.n_backends; i++) {
        const struct desired_backend *other = &item->function.backends[i];

        if (address_equal(&other->address, &backend->address) &&
            other->port == backend->port) {
            return true;
        }
    }
    return false;
}

/* Notes every backend of `old` that `new` (NULL: nothing) does not have; all
 * of them or, with -ENOMEM, none. */
static int note_withdrawn(struct worker_state *state,
                          const struct desired_item *old,
                          const struct desired_item *new)
{
    size_t n_before = state->n_flushes;

    if (old == NULL || old->type != DESIRED_FUNCTION) {
        return 0;
    }
    for (size_t i = 0; i < old->function.n_backends; i++) {
        const struct desired_backend *backend = &old->function.backends[i];
        int error;

        if (has_backend(new, &old->function, backend)) {
            continue;
        }
        error = add_flush(state, &old->function, backend);
        if (error < 0) {
            state->n_flushes = n_before;
            return error;
        }
    }
    return 0;
}

/* Asks the policy, and notes what it says.  0 or -ENOMEM. */
static int judge_item(struct worker_state *state,
                      const struct desired_item *item, size_t n_items,
                      bool *ret_is_allowed)
{
    char key[WORKER_STATE_KEY_SIZE];
    char reason[WORKER_STATE_KEY_SIZE] = "more items than a host can have";

    plan_item_text(item, key);
    if (n_items >= WORKER_STATE_ITEMS_MAX ||
        plan_validate(item, state->policy, reason) != 0) {
        *ret_is_allowed = false;
        return refuse(state, key, reason, false);
    }
    accept_again(state, key);
    *ret_is_allowed = true;
    return 0;
}

static int take_snapshot_item(struct worker_state *state,
                              const struct ipc_message *message)
{
    struct desired_item item = {0};
    bool is_allowed = false;
    int error = desired_item_unpack(message->bytes, message->size, &item);

    if (error != 0) {
        return error < 0 ? error : WORKER_STATE_BAD;
    }
    error = judge_item(state, &item, state->incoming.n_items, &is_allowed);
    if (error == 0 && is_allowed) {
        error = desired_put(&state->incoming, &item);
    }
    desired_item_done(&item);
    return error;
}

static int finish_snapshot(struct worker_state *state, uint64_t number)
{
    struct desired old = state->desired;
    size_t n_before = state->n_flushes;

    for (size_t i = 0; i < old.n_items; i++) {
        int error =
            note_withdrawn(state, &old.items[i],
                           desired_find(&state->incoming, &old.items[i]));

        if (error < 0) {
            /* The old set stays, whole: the next snapshot finds the same. */
            state->n_flushes = n_before;
            return error;
        }
    }
    for (size_t i = 0; i < state->n_refusals; i++) {
        if (!state->refusals[i].is_seen) {
            accept_again(state, state->refusals[i].key);
        }
    }
    state->desired = state->incoming;
    state->incoming = (struct desired)DESIRED_INIT;
    state->is_receiving = false;
    state->is_synced = true;
    state->is_in_step = true;
    state->number = number;
    desired_done(&old);
    return WORKER_STATE_CHANGED;
}

static int put_item(struct worker_state *state, struct desired_item *item)
{
    const struct desired_item *old = desired_find(&state->desired, item);
    size_t n = old != NULL ? 0 : state->desired.n_items;
    bool is_allowed = false;
    int error = judge_item(state, item, n, &is_allowed);

    if (error == 0) {
        /* What a refused one replaces is no longer wanted either. */
        error = note_withdrawn(state, old, is_allowed ? item : NULL);
    }
    if (error == 0 && is_allowed) {
        /* Fails for one without `old` alone: nothing was noted then. */
        error = desired_put(&state->desired, item);
    } else if (error == 0) {
        (void)desired_remove(&state->desired, item); /* may not be there */
    }
    return error;
}

static int remove_item(struct worker_state *state,
                       const struct desired_item *item)
{
    char key[WORKER_STATE_KEY_SIZE];
    int error =
        note_withdrawn(state, desired_find(&state->desired, item), NULL);

    if (error < 0) {
        return error;
    }
    plan_item_text(item, key);
    accept_again(state, key);
    (void)desired_remove(&state->desired, item); /* may have been refused */
    return 0;
}

static int fall_behind(struct worker_state *state)
{
    state->is_in_step = false;
    return WORKER_STATE_GAP;
}

static int take_delta(struct worker_state *state,
                      const struct ipc_message *message)
{
    struct desired_item item = {0};
    int error;

    if (!state->is_in_step || state->is_receiving) {
        return 0; /* a snapshot is on its way and holds it */
    }
    if (message->number != state->number + 1) {
        return fall_behind(state);
    }
    error = desired_item_unpack(message->bytes, message->size, &item);
    if (error == 0 && message->value == IPC_DELTA_PUT) {
        error = put_item(state, &item);
    } else if (error == 0 && message->value == IPC_DELTA_REMOVE) {
        error = remove_item(state, &item);
    } else if (error == 0) {
        error = WORKER_STATE_BAD;
    }
    desired_item_done(&item);
    if (error < 0) {
        return error;
    }
    if (error > 0) {
        /* Its number is lost: only a snapshot makes both sides equal. */
        return fall_behind(state);
    }
    state->number = message->number;
    return WORKER_STATE_CHANGED;
}

static int handle(struct worker_state *state, const struct ipc_message *message)
{
    switch (message->type) {
    case IPC_SNAPSHOT_BEGIN:
        desired_done(&state->incoming);
        state->incoming = (struct desired)DESIRED_INIT;
        state->is_receiving = true;
        for (size_t i = 0; i < state->n_refusals; i++) {
            state->refusals[i].is_seen = false;
        }
        return 0;
    case IPC_SNAPSHOT_ITEM:
        return state->is_receiving ? take_snapshot_item(state, message)
                                   : WORKER_STATE_BAD;
    case IPC_SNAPSHOT_END:
        return state->is_receiving ? finish_snapshot(state, message->number)
                                   : WORKER_STATE_BAD;
    case IPC_DELTA:
        return take_delta(state, message);
    default:
        return WORKER_STATE_BAD;
    }
}

int worker_state_handle(struct worker_state *state,
                        const struct ipc_message *message)
{
    int error = handle(state, message);

    if (error < 0) {
        /* Something is missing now; a snapshot brings it back. */
        worker_state_reconnected(state);
    }
    return error;
}

void worker_state_reconnected(struct worker_state *state)
{
    desired_done(&state->incoming);
    state->incoming = (struct desired)DESIRED_INIT;
    state->is_receiving = false;
    state->is_in_step = false;
    state->number = 0;
    for (size_t i = 0; i < state->n_refusals; i++) {
        state->refusals[i].is_reported = false; /* a new core knows none */
    }
}

size_t worker_state_take_flushes(struct worker_state *state,
                                 struct worker_state_flush **ret)
{
    size_t n = state->n_flushes;

    *ret = state->flushes;
    state->flushes = NULL;
    state->n_flushes = 0;
    state->flushes_capacity = 0;
    return n;
}
