/*
 * An issuer's renewals: past half of its life it says for longer what a
 * member's certificate says, by itself, for whom it hears.  On a node that is
 * no issuer it does nothing.
 *
 * The live issuer with the lowest key renews at once, the others what is still
 * not renewed after 60 s.  Each member has a time of its own after that half,
 * so that those who joined together do not come together.  Not renewed by
 * itself is an issuer (its owner of the roots does that), who is revoked, lost
 * a clash, left or contradicted itself, whose end lies more than 90 days back,
 * and what an issuer signed who is revoked since: that is a person's to say
 * (agentctl cert renew).  docs/WIRE.md, "Renewal".
 */
#ifndef SOCKETNET_AGENT_RENEWALS_RENEWALS_H
#define SOCKETNET_AGENT_RENEWALS_RENEWALS_H

#include <stdint.h>

#include "agent/core/core.h"
#include "gossip/base/macros.h"

struct renewals;

/* 0 or -ENOMEM. */
_must_check_ int renewals_new(struct core *core, struct renewals **ret);
/* After core_end; NULL is taken, NULL returned. */
struct renewals *renewals_free(struct renewals *renewals);
/* What core tells it.  Valid while `renewals` is. */
struct core_listener renewals_listener(struct renewals *renewals);

/* Why a certificate is not renewed. */
enum renewals_refusal {
    RENEWALS_OK = 0,
    RENEWALS_NOT_ISSUER, /* this node is none */
    RENEWALS_ISSUER,     /* the member is one: a root renews it */
    RENEWALS_DENIED,     /* revoked, lost a clash, outside the ranges */
    RENEWALS_GONE,       /* it left, or contradicted itself */
    RENEWALS_OVER,       /* its end lies more than 90 days back */
    RENEWALS_NO_GAIN,    /* it would not end later: our own end comes first */
};
/* What this issuer would sign for a member now: until `until_s`, or a year
 * from now when that is 0, and never beyond its own end. */
enum renewals_refusal renewals_make(const struct core *core,
                                    const struct node_member *member,
                                    uint64_t until_s,
                                    struct body_certificate *ret);
/* Signs and writes it.  As core_write. */
_must_check_ int renewals_write(struct core *core,
                                const struct body_certificate *body,
                                core_written_fn done, void *data);
/* When half of a certificate's life is over, s since 1970; and three quarters.
 */
uint64_t renewals_half_s(const struct body_certificate *certificate);
uint64_t renewals_late_s(const struct body_certificate *certificate);

#endif
