/*
 * Which of several issuers does what any of them could: see core.h.
 */
#include "agent/core/core.h"

#include "gossip/wire/body.h"

/* Members are in the order of their keys. */
bool core_is_first_issuer(const struct core *core)
{
    struct node_member member;

    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        if (member.is_self) {
            return true;
        }
        if ((member.certificate->roles & BODY_ROLE_ISSUER) != 0 &&
            member.state == NODE_MEMBER_ALIVE && member.is_heard &&
            !member.is_frozen) {
            return false;
        }
    }
    return true;
}
