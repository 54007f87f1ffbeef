/*
 * What a renewal says, and when there is one; see renewals.h.
 */
#include "agent/renewals/renewals.h"

#include <errno.h>
#include <string.h>

#include "agent/identity/identity.h"

#define RENEWALS_VALID_S    (365u * 86400u)
#define RENEWALS_BACKDATE_S 3600u

uint64_t renewals_half_s(const struct body_certificate *certificate)
{
    return certificate->not_before_s +
           (certificate->not_after_s - certificate->not_before_s) / 2;
}

uint64_t renewals_late_s(const struct body_certificate *certificate)
{
    uint64_t life_s = certificate->not_after_s - certificate->not_before_s;

    return certificate->not_before_s + life_s / 2 + life_s / 4;
}

enum renewals_refusal renewals_make(const struct core *core,
                                    const struct node_member *member,
                                    uint64_t until_s,
                                    struct body_certificate *ret)
{
    const struct body_certificate *own = &core->identity->body;
    const struct body_certificate *now = member->certificate;
    uint64_t now_s = core_wall_ms(core) / 1000;
    uint64_t wanted_s = until_s != 0 ? until_s : now_s + RENEWALS_VALID_S;

    if ((own->roles & BODY_ROLE_ISSUER) == 0) {
        return RENEWALS_NOT_ISSUER;
    }
    if ((now->roles & BODY_ROLE_ISSUER) != 0) {
        return RENEWALS_ISSUER;
    }
    if (member->denial != NODE_DENIAL_NONE &&
        member->denial != NODE_DENIAL_ISSUER) {
        return RENEWALS_DENIED;
    }
    if (member->state == NODE_MEMBER_LEFT || member->is_frozen) {
        return RENEWALS_GONE;
    }
    if (now_s > now->not_after_s + LIMIT_CERT_RENEW_S) {
        return RENEWALS_OVER;
    }
    *ret = *now;
    /* From now on, so that half of its life is counted from here; a clock
     * that is behind takes it all the same. */
    ret->not_before_s = now_s - RENEWALS_BACKDATE_S;
    ret->not_after_s = MIN_OF(wanted_s, own->not_after_s);
    return ret->not_after_s > now->not_after_s &&
                   ret->not_after_s > ret->not_before_s
               ? RENEWALS_OK
               : RENEWALS_NO_GAIN;
}

int renewals_write(struct core *core, const struct body_certificate *body,
                   core_written_fn done, void *data)
{
    uint8_t packed[LIMIT_RECORD_SIZE];
    size_t size;
    int error = body_put_certificate(body, packed, sizeof(packed), &size);

    return error != 0 ? error
                      : core_write(core, RECORD_CERTIFICATE, body->sign_public,
                                   sizeof(body->sign_public), packed, size,
                                   done, data);
}
