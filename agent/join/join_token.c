/*
 * See join_token.h.
 */
#include "agent/join/join_token.h"

#include <errno.h>
#include <stdlib.h>

#include <sodium.h>

#include "agent/core/core.h"
#include "agent/core/store_thread.h"

/* A creation that waits for the disk. */
struct join_token {
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
        pending->done(error, NULL, NULL, NULL, pending->data);
    }
    sodium_memzero(text, sizeof(text));
    token_wipe(&pending->token);
    free(pending);
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
        error = store_thread_put_token(core->store, &stored, join_token_stored,
                                       pending);
    }
    if (error != 0) {
        token_wipe(&pending->token);
        free(pending);
    }
    return error;
}
