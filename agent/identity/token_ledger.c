/*
 * A sorted array of tokens; see token_ledger.h.
 */
#include "agent/identity/token_ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct token_ledger {
    struct store_token *tokens; /* ascending by id */
    size_t n;
    size_t n_room;
};

int token_ledger_new(struct token_ledger **ret)
{
    struct token_ledger *ledger = calloc(1, sizeof(*ledger));

    if (ledger == NULL) {
        return -ENOMEM;
    }
    *ret = ledger;
    return 0;
}

struct token_ledger *token_ledger_free(struct token_ledger *ledger)
{
    if (ledger != NULL) {
        free(ledger->tokens);
        free(ledger);
    }
    return NULL;
}

/* Where the id is, or would be. */
static size_t find(const struct token_ledger *ledger,
                   const uint8_t id[STORE_TOKEN_ID_SIZE])
{
    size_t i = 0;

    while (i < ledger->n &&
           memcmp(ledger->tokens[i].id, id, STORE_TOKEN_ID_SIZE) < 0) {
        i++;
    }
    return i;
}

static bool is_at(const struct token_ledger *ledger, size_t i,
                  const uint8_t id[STORE_TOKEN_ID_SIZE])
{
    return i < ledger->n &&
           memcmp(ledger->tokens[i].id, id, STORE_TOKEN_ID_SIZE) == 0;
}

static void drop_expired(struct token_ledger *ledger, uint64_t now_s)
{
    size_t n = 0;

    for (size_t i = 0; i < ledger->n; i++) {
        if (ledger->tokens[i].expires_s > now_s) {
            ledger->tokens[n++] = ledger->tokens[i];
        }
    }
    ledger->n = n;
}

static int make_room(struct token_ledger *ledger)
{
    size_t n_room = ledger->n_room == 0 ? 8 : 2 * ledger->n_room;
    struct store_token *tokens;

    if (ledger->n == TOKEN_LEDGER_MAX) {
        return -ENOBUFS;
    }
    if (ledger->n < ledger->n_room) {
        return 0;
    }
    tokens = reallocarray(ledger->tokens, n_room, sizeof(*tokens));
    if (tokens == NULL) {
        return -ENOMEM;
    }
    ledger->tokens = tokens;
    ledger->n_room = n_room;
    return 0;
}

int token_ledger_put(struct token_ledger *ledger,
                     const struct store_token *token, uint64_t now_s)
{
    size_t i;
    int error;

    if (ledger == NULL) {
        return 0;
    }
    if (token->revoked_s != 0) {
        token_ledger_remove(ledger, token->id);
        return 0;
    }
    drop_expired(ledger, now_s);
    i = find(ledger, token->id);
    if (is_at(ledger, i, token->id)) {
        ledger->tokens[i] = *token;
        return 0;
    }
    if (token->expires_s <= now_s) {
        return 0;
    }
    error = make_room(ledger);
    if (error != 0) {
        return error;
    }
    memmove(&ledger->tokens[i + 1], &ledger->tokens[i],
            (ledger->n - i) * sizeof(ledger->tokens[0]));
    ledger->tokens[i] = *token;
    ledger->n++;
    return 0;
}

void token_ledger_use(struct token_ledger *ledger,
                      const struct store_token *token)
{
    size_t i = ledger == NULL ? 0 : find(ledger, token->id);

    if (ledger != NULL && is_at(ledger, i, token->id)) {
        ledger->tokens[i].used_s = token->used_s;
        memcpy(ledger->tokens[i].used_by, token->used_by,
               sizeof(token->used_by));
    }
}

void token_ledger_remove(struct token_ledger *ledger,
                         const uint8_t id[STORE_TOKEN_ID_SIZE])
{
    size_t i = ledger == NULL ? 0 : find(ledger, id);

    if (ledger != NULL && is_at(ledger, i, id)) {
        ledger->n--;
        memmove(&ledger->tokens[i], &ledger->tokens[i + 1],
                (ledger->n - i) * sizeof(ledger->tokens[0]));
    }
}

const struct store_token *token_ledger_next(const struct token_ledger *ledger,
                                            uint64_t now_s, size_t *at)
{
    while (ledger != NULL && *at < ledger->n) {
        const struct store_token *token = &ledger->tokens[(*at)++];

        if (token->expires_s > now_s) {
            return token;
        }
    }
    return NULL;
}

bool token_is_wide(const struct store_token *token)
{
    for (size_t i = 0; i < token->n_functions; i++) {
        if (strcmp(token->functions[i], "*") == 0) {
            return true;
        }
    }
    return token->name[0] == '\0' && token->n_subnets == 0;
}
