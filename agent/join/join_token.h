/*
 * Making a join token on an issuer: token.h makes it, the store thread commits
 * what the issuer keeps of it before anybody sees the text.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_TOKEN_H
#define SOCKETNET_AGENT_JOIN_JOIN_TOKEN_H

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

/* token_new and token_bind, committed by the store thread before `done` has it.
 * 0: `done` comes later.  Else as token_new, or -ENOMEM, and a malloc'd
 * problem. */
_must_check_ int join_token_create(struct core *core,
                                   const char *const *functions,
                                   size_t n_functions, uint64_t ttl_s,
                                   const struct token_bounds *bounds,
                                   join_token_fn done, void *data,
                                   char **ret_problem);

#endif
