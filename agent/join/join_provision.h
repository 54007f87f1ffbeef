/*
 * Joining without a network between the two: the joiner's request is a file,
 * and so is the answer, frames one after another, each behind its size (u32).
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_PROVISION_H
#define SOCKETNET_AGENT_JOIN_JOIN_PROVISION_H

#include <stddef.h>
#include <stdint.h>

#include "agent/identity/token.h"
#include "agent/join/join_client.h"
#include "agent/join/join_message.h"
#include "gossip/base/macros.h"

struct core;

/* `problem` NULL: `answer` is the file, valid during the call.  Else why there
 * is none. */
typedef void (*join_provision_fn)(const char *problem, const uint8_t *answer,
                                  size_t size, void *data);

/*
 * Certifies the keys of a request on this issuer.  `bounds` as for a token;
 * `functions` none: "*".  0: `done` is called, now or later; -EINVAL and a
 * malloc'd problem: the bounds are wrong; -ENOMEM.
 */
_must_check_ int join_provision_issue(struct core *core, const uint8_t *request,
                                      size_t size, const char *const *functions,
                                      size_t n_functions,
                                      const struct token_bounds *bounds,
                                      join_provision_fn done, void *data,
                                      char **ret_problem);

/*
 * Reads an answer's file for the keys of `identity`.  Which cluster it is, is
 * what the file says: whoever carried it is trusted for that.  0, or JOIN_E_*
 * and a malloc'd text.
 */
_must_check_ int join_provision_read(const uint8_t *bytes, size_t size,
                                     const struct identity *identity,
                                     const char *name, struct join_result *ret,
                                     char **ret_error);

#endif
