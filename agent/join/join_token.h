/*
 * The join tokens of an issuer.  Making one: token.h makes it, the store thread
 * commits what the issuer keeps of it before anybody sees the text.  Listing
 * and revoking them goes through the store thread too.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_TOKEN_H
#define SOCKETNET_AGENT_JOIN_JOIN_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/identity/token.h"
#include "gossip/base/macros.h"

struct core;

/* error 0: `text` and `token` are valid during the call, `warning` is NULL or
 * a text.  Else negative errno or STORE_E_FULL, all NULL. */
typedef void (*join_token_fn)(int error, const char *text,
                              const struct token *token, const char *warning,
                              void *data);

/* What a token shall be.  What `bounds` does not say is given by this issuer:
 * to the name of a member that member's own addresses and functions, else a
 * free subnet, and what else is asked for (join_allocate.h). */
struct join_token_wish {
    const char *const *functions; /* none: "*" */
    size_t n_functions;
    uint64_t ttl_s;
    struct token_bounds bounds;
    bool is_open;       /* gives nothing: its holder says what bounds do not */
    uint8_t subnet_len; /* 0: the usual size */
    bool gives_mesh;
    bool gives_name;
};

/* token_new and token_bind, committed by the store thread before `done` has it.
 * 0: `done` comes later.  Else as token_new, or -ENOMEM, -ENOSPC (nothing is
 * free), -ENOBUFS (too many tokens may be used), and a malloc'd problem. */
_must_check_ int join_token_create(struct core *core,
                                   const struct join_token_wish *wish,
                                   join_token_fn done, void *data,
                                   char **ret_problem);

/* A list shows so many tokens at most: first those that may still be used, then
 * the others, of each the ones that end last. */
#define JOIN_TOKENS_LISTED_MAX 1000

/* error 0: `tokens` are valid during the call, `n_more` were left out.  Else
 * negative errno or STORE_E_*. */
typedef void (*join_token_list_fn)(int error, const struct store_token *tokens,
                                   size_t n, size_t n_more, void *data);
/* What the store has, a day after their end.  0: `done` comes later; -ENOMEM,
 * -ECANCELED. */
_must_check_ int join_token_list(struct core *core, join_token_list_fn done,
                                 void *data);

/* 0; STORE_E_NOT_FOUND, _FULL, negative errno. */
typedef void (*join_token_revoke_fn)(int error, void *data);
/* Nobody may use it from now on, not even again who has.  0: `done` comes
 * later; -ENOMEM, -ECANCELED. */
_must_check_ int join_token_revoke(struct core *core,
                                   const uint8_t id[STORE_TOKEN_ID_SIZE],
                                   join_token_revoke_fn done, void *data);

#endif
