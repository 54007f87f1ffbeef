/*
 * See join_token.h.
 */
#include "agent/join/join_token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "agent/core/core.h"
#include "agent/core/store_thread.h"
#include "agent/identity/token_ledger.h"

/* A creation that waits for the disk. */
struct join_token {
    struct core *core;
    struct token token;
    join_token_fn done;
    void *data;
};

static void join_token_stored(int error, void *data)
{
    struct join_token *pending = data;
    char text[TOKEN_TEXT_SIZE];

    if (error == 0) {
        error = token_encode(&pending->token, text);
    }
    if (error == 0) {
        pending->done(0, text, &pending->token, token_warning(&pending->token),
                      pending->data);
    } else {
        token_ledger_remove(pending->core->tokens, pending->token.id);
        pending->done(error, NULL, NULL, NULL, pending->data);
    }
    sodium_memzero(text, sizeof(text));
    token_wipe(&pending->token);
    free(pending);
}

/* In the ledger from now on: the next token promises nothing of this one. */
static int keep(struct core *core, const struct store_token *stored,
                struct join_token *pending, char **ret_problem)
{
    int error =
        token_ledger_put(core->tokens, stored, core_wall_ms(core) / 1000);

    if (error == -ENOBUFS) {
        if (asprintf(ret_problem,
                     "%d tokens of this node may still be used; revoke some "
                     "(agentctl token ls, agentctl token revoke ID), or wait "
                     "until they expire",
                     TOKEN_LEDGER_MAX) < 0) {
            *ret_problem = NULL;
        }
        return error;
    }
    if (error == 0) {
        error = store_thread_put_token(core->store, stored, join_token_stored,
                                       pending);
        if (error != 0) {
            token_ledger_remove(core->tokens, stored->id);
        }
    }
    return error;
}

int join_token_create(struct core *core, const char *const *functions,
                      size_t n_functions, uint64_t ttl_s,
                      const struct token_bounds *bounds, join_token_fn done,
                      void *data, char **ret_problem)
{
    struct join_token *pending = calloc(1, sizeof(*pending));
    struct store_token stored;
    int error;

    *ret_problem = NULL;
    if (pending == NULL) {
        return -ENOMEM;
    }
    pending->core = core;
    pending->done = done;
    pending->data = data;
    error = token_new(core->identity, functions, n_functions,
                      core_wall_ms(core) / 1000, ttl_s, &pending->token,
                      &stored, ret_problem);
    if (error == 0) {
        error = token_bind(bounds, node_charter(core->node, NULL),
                           &pending->token, &stored, ret_problem);
    }
    if (error == 0) {
        error = keep(core, &stored, pending, ret_problem);
    }
    if (error != 0) {
        token_wipe(&pending->token);
        free(pending);
    }
    return error;
}
