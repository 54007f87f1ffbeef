/*
 * What is wrong with this node's certificate, and which members are none any
 * more for a reason that somebody has to mend.
 */
#include "agent/api/api_health.h"

#include <stdio.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/renewals/renewals.h"
#include "agent/system/clock.h"
#include "gossip/wire/packet.h"

#define DAY_S 86400u
/* For so long after the last one. */
#define FOREIGN_SHOWN_MS 600000u

static const char *self_next(enum node_denial denial)
{
    return denial == NODE_DENIAL_CLASH
               ? "take the other one out (agentctl cert revoke, on an issuer), "
                 "or give this host another name and addresses: agent reset "
                 "--yes, and agent join with a new token"
               : "agent reset --yes, and agent join with a new token; a root "
                 "can lift a revocation";
}

static void find_denied_self(const struct core *core,
                             const struct node_member *self,
                             struct problems *problems)
{
    char reason[API_DENIAL_SIZE];
    char text[API_DENIAL_SIZE + 128];

    (void)snprintf(text, sizeof(text),
                   "this node is no member any more, nothing of it counts "
                   "anywhere: %s",
                   api_denial_text(core, self, reason));
    api_health_add(problems, "fail", node_denial_name(self->denial), text,
                   self_next(self->denial));
}

/* A revocation was somebody's wish; the rest should not be. */
static void find_denied_members(const struct core *core,
                                struct problems *problems)
{
    struct node_member member;

    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        char reason[API_DENIAL_SIZE];
        char text[API_DENIAL_SIZE + BODY_NAME_SIZE + 64];

        if (member.denial == NODE_DENIAL_NONE) {
            continue;
        }
        if (member.is_self) {
            find_denied_self(core, &member, problems);
            continue;
        }
        if (member.denial == NODE_DENIAL_REVOKED) {
            continue;
        }
        (void)snprintf(text, sizeof(text), "%s (%016llx) is out: %s",
                       member.certificate->name, (unsigned long long)member.id,
                       api_denial_text(core, &member, reason));
        api_health_add(
            problems, "warn", node_denial_name(member.denial), text,
            member.denial == NODE_DENIAL_CLASH
                ? "give one of the two another name and addresses, or "
                  "agentctl cert revoke the one that is wrong"
                : "agentctl cert renew on an issuer, or a new charter");
    }
}

/* "in 3 days", "in 40 s". */
static const char *in_text(uint64_t seconds, char text[32])
{
    if (seconds >= 2 * DAY_S) {
        (void)snprintf(text, 32, "in %u days", (unsigned)(seconds / DAY_S));
    } else {
        (void)snprintf(text, 32, "in %u s", (unsigned)seconds);
    }
    return text;
}

/* An issuer's is renewed by the roots' owner, who has to be asked in time: all
 * that it signs ends with it. */
static void find_issuer_end(const struct body_certificate *own, uint64_t now_s,
                            struct problems *problems)
{
    char text[192];
    char in[32];
    char next[BODY_NAME_SIZE + 64];

    if (now_s < renewals_half_s(own)) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "this issuer's certificate ends %s, and with it what it "
                   "signs; only a root renews it",
                   in_text(own->not_after_s - now_s, in));
    (void)snprintf(next, sizeof(next),
                   "agent admission renew %s, where a root's key is",
                   own->name);
    api_health_add(problems, "warn", "certificate-ends", text, next);
}

/* Issuers should have renewed it at half of its life. */
static void find_member_end(const struct body_certificate *own, uint64_t now_s,
                            struct problems *problems)
{
    char text[128];
    char in[32];
    char next[BODY_NAME_SIZE + 96];

    if (now_s < renewals_late_s(own)) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "this node's certificate ends %s, and no issuer has "
                   "renewed it",
                   in_text(own->not_after_s - now_s, in));
    (void)snprintf(next, sizeof(next),
                   "see that an issuer is alive (agentctl members); agentctl "
                   "cert renew %s on it says what is wrong",
                   own->name);
    api_health_add(problems, "warn", "certificate-ends", text, next);
}

static void find_ended(const struct core *core, struct problems *problems)
{
    const struct body_certificate *own = &core->identity->body;
    uint64_t now_s = core_wall_ms(core) / 1000;
    bool is_issuer = (own->roles & BODY_ROLE_ISSUER) != 0;
    char next[BODY_NAME_SIZE + 128];

    if (own->not_after_s > now_s) {
        if (is_issuer) {
            find_issuer_end(own, now_s, problems);
        } else {
            find_member_end(own, now_s, problems);
        }
        return;
    }
    (void)snprintf(next, sizeof(next),
                   is_issuer ? "agent admission renew %s, where a root's key is"
                             : "an issuer that hears it renews it, for 90 days "
                               "from then: start one, or agentctl cert renew "
                               "%s on it",
                   own->name);
    api_health_add(problems, "fail", "certificate-ended",
                   "this node's certificate has ended: what it writes is "
                   "refused, what was installed stays",
                   next);
}

/* Past half of their life, and our own end leaves them no more. */
static void find_not_renewed(const struct core *core, struct problems *problems)
{
    uint64_t now_s = core_wall_ms(core) / 1000;
    struct node_member member;
    struct body_certificate body;
    size_t n = 0;
    char text[160];
    char next[BODY_NAME_SIZE + 64];

    if ((core->identity->body.roles & BODY_ROLE_ISSUER) == 0) {
        return;
    }
    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        n += now_s >= renewals_half_s(member.certificate) &&
             renewals_make(core, &member, 0, &body) == RENEWALS_NO_GAIN;
    }
    if (n == 0) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "%zu certificates are past half of their life, and this "
                   "issuer's own ends no later: it does not renew them",
                   n);
    (void)snprintf(next, sizeof(next),
                   "agent admission renew %s, where a root's key is",
                   core->identity->body.name);
    api_health_add(problems, "warn", "renewals", text, next);
}

/* A host of another release speaks to this one, and is not understood. */
static void find_foreign(const struct core *core, struct problems *problems)
{
    struct node_foreign foreign = node_foreign(core->node);
    uint64_t now_ms = clock_now_ms();
    char from[ENDPOINT_TEXT_SIZE];
    char text[192];

    if (foreign.at_ms == 0 || now_ms - foreign.at_ms > FOREIGN_SHOWN_MS) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "packets of format %u come from %s, and are dropped: this "
                   "release speaks format %u",
                   foreign.version, endpoint_text(&foreign.from, from),
                   PACKET_VERSION);
    api_health_add(problems, "warn", "other-format", text,
                   "have that host run the release that the others run");
}

void api_health_admission(const struct core *core, struct problems *problems)
{
    find_ended(core, problems);
    find_not_renewed(core, problems);
    find_denied_members(core, problems);
    find_foreign(core, problems);
}
