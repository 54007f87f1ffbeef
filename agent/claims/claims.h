/*
 * An issuer's claims: for each function that it sees it signs which service
 * address the function has (a function record with a slot), so that nobody who
 * may only register services takes it away.  On a node that is no issuer it
 * does nothing.
 *
 * The live issuer with the lowest key claims at once, the others what is still
 * unclaimed after 60 s.  A claim of ours whose function has had no instance for
 * an hour says so, and ends after 30 days of that.  docs/WIRE.md, "Service
 * addresses".
 */
#ifndef SOCKETNET_AGENT_CLAIMS_CLAIMS_H
#define SOCKETNET_AGENT_CLAIMS_CLAIMS_H

#include "agent/core/core.h"
#include "gossip/base/macros.h"

struct claims;

/* 0 or -ENOMEM. */
_must_check_ int claims_new(struct core *core, struct claims **ret);
/* After core_end; NULL is taken, NULL returned. */
struct claims *claims_free(struct claims *claims);
/* What core tells it.  Valid while `claims` is. */
struct core_listener claims_listener(struct claims *claims);

#endif
