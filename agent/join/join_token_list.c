/*
 * Listing and revoking tokens; part of join_token.h.
 */
#include "agent/join/join_token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/core/store_thread.h"
#include "agent/identity/token_ledger.h"

struct token_list {
    struct store_token *tokens;
    size_t n;
    size_t n_more;
    size_t n_room;
    uint64_t now_s;
    int error; /* of growing */
    join_token_list_fn done;
    void *data;
};

static bool is_open(const struct store_token *token, uint64_t now_s)
{
    return token->used_s == 0 && token->revoked_s == 0 &&
           token->expires_s > now_s;
}

/* <0: a comes first. */
static int compare(const struct store_token *a, const struct store_token *b,
                   uint64_t now_s)
{
    int by_state = is_open(b, now_s) - is_open(a, now_s);

    if (by_state != 0) {
        return by_state;
    }
    if (a->expires_s != b->expires_s) {
        return a->expires_s > b->expires_s ? -1 : 1;
    }
    return memcmp(a->id, b->id, sizeof(a->id));
}

/* Room for one more; when the list is full its last one goes. */
static int make_room(struct token_list *list)
{
    struct store_token *tokens;
    size_t n_room = list->n_room == 0 ? 16 : 2 * list->n_room;

    if (list->n == JOIN_TOKENS_LISTED_MAX) {
        list->n--;
        list->n_more++;
    }
    if (list->n < list->n_room) {
        return 0;
    }
    tokens = reallocarray(list->tokens, n_room, sizeof(*tokens));
    if (tokens == NULL) {
        return -ENOMEM;
    }
    list->tokens = tokens;
    list->n_room = n_room;
    return 0;
}

static int add_token(const struct store_token *token, void *data)
{
    struct token_list *list = data;
    size_t low = 0;
    size_t high = list->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(&list->tokens[middle], token, list->now_s) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == JOIN_TOKENS_LISTED_MAX) {
        list->n_more++;
        return 0;
    }
    list->error = make_room(list);
    if (list->error != 0) {
        return 1; /* ends the walk */
    }
    memmove(&list->tokens[low + 1], &list->tokens[low],
            (list->n - low) * sizeof(list->tokens[0]));
    list->tokens[low] = *token;
    list->n++;
    return 0;
}

static int read_tokens(struct store *store, void *data)
{
    struct token_list *list = data;
    int error = store_tokens_each(store, add_token, list);

    return list->error != 0 ? list->error : error;
}

static void listed(int error, void *data)
{
    struct token_list *list = data;

    list->done(error, list->tokens, list->n, list->n_more, list->data);
    free(list->tokens);
    free(list);
}

int join_token_list(struct core *core, join_token_list_fn done, void *data)
{
    struct token_list *list = calloc(1, sizeof(*list));
    int error;

    if (list == NULL) {
        return -ENOMEM;
    }
    list->now_s = core_wall_ms(core) / 1000;
    list->done = done;
    list->data = data;
    error = store_thread_call(core->store, read_tokens, listed, list);
    if (error != 0) {
        free(list);
    }
    return error;
}

/* A revocation on its way to the disk. */
struct token_revocation {
    struct core *core;
    uint8_t id[STORE_TOKEN_ID_SIZE];
    uint64_t now_s;
    join_token_revoke_fn done;
    void *data;
};

static int write_revocation(struct store *store, void *data)
{
    const struct token_revocation *revocation = data;

    return store_token_revoke(store, revocation->id, revocation->now_s);
}

static void revoked(int error, void *data)
{
    struct token_revocation *revocation = data;

    if (error == 0) {
        token_ledger_remove(revocation->core->tokens, revocation->id);
    }
    revocation->done(error, revocation->data);
    free(revocation);
}

int join_token_revoke(struct core *core, const uint8_t id[STORE_TOKEN_ID_SIZE],
                      join_token_revoke_fn done, void *data)
{
    struct token_revocation *revocation = calloc(1, sizeof(*revocation));
    int error;

    if (revocation == NULL) {
        return -ENOMEM;
    }
    *revocation = (struct token_revocation){
        .core = core,
        .now_s = core_wall_ms(core) / 1000,
        .done = done,
        .data = data,
    };
    memcpy(revocation->id, id, sizeof(revocation->id));
    error =
        store_thread_call(core->store, write_revocation, revoked, revocation);
    if (error != 0) {
        free(revocation);
    }
    return error;
}
