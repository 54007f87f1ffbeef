/*
 * Finished records that the local owner hands in: signed elsewhere, by a root
 * as a rule.  They come in by view_offer, as any record does that a peer
 * brings; here they are told why not, by name, and what would be taken and be
 * of no use is refused.
 */
#include "gossip/node/node_internal.h"

/* A counter of refusals, and what it says. */
struct refusal {
    size_t offset;
    enum node_offer_result result;
};

#define REFUSAL(name, result)                                                  \
    {                                                                          \
        offsetof(struct node_counters, refused_##name), NODE_OFFER_##result    \
    }

static const struct refusal refusals[] = {
    REFUSAL(size, MALFORMED),
    REFUSAL(version, MALFORMED),
    REFUSAL(reserved, MALFORMED),
    REFUSAL(cluster, CLUSTER),
    REFUSAL(writer, WRITER),
    REFUSAL(signature, SIGNATURE),
    REFUSAL(body, BODY),
    REFUSAL(rights, RIGHTS),
    REFUSAL(old, OLD),
    REFUSAL(frozen, FROZEN),
    REFUSAL(limit, LIMIT),
    REFUSAL(expired, EXPIRED),
    REFUSAL(quarantined, SET_ASIDE),
    REFUSAL(rate, RATE),
};

static uint64_t counter_at(const struct node_counters *counters, size_t offset)
{
    uint64_t value;

    memcpy(&value, (const uint8_t *)counters + offset, sizeof(value));
    return value;
}

/* The view says why by the counter that it raises. */
static enum node_offer_result find_refusal(const struct node *node,
                                           const struct node_counters *before)
{
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        if (counter_at(&node->counters, refusals[i].offset) !=
            counter_at(before, refusals[i].offset)) {
            return refusals[i].result;
        }
    }
    return NODE_OFFER_RIGHTS; /* each refusal raises one */
}

/* A charter that nobody could place, or that would contend with one that is in
 * force: two people proposed, and one was first. */
static enum node_offer_result judge_charter(const struct node *node,
                                            const struct record *record)
{
    const struct body_charter *in_force = charter_in_force(node);
    struct body_charter body;

    if (body_get_charter(record, &body) != 0) {
        return NODE_OFFER_BODY;
    }
    if (body.generation > 1 && charter_of_hash(node, body.previous) == NULL) {
        return NODE_OFFER_PARENT;
    }
    return in_force != NULL && body.generation <= in_force->generation
               ? NODE_OFFER_GENERATION
               : NODE_OFFER_TAKEN;
}

/* A certificate that would count for nothing. */
static enum node_offer_result judge_certificate(const struct node *node,
                                                const struct record *record)
{
    struct body_certificate body;

    if (body_get_certificate(record, &body) != 0) {
        return NODE_OFFER_BODY;
    }
    switch (certify_denial(node, record, &body)) {
    case NODE_DENIAL_REVOKED:
        return NODE_OFFER_REVOKED;
    case NODE_DENIAL_RANGE:
        return NODE_OFFER_RANGE;
    case NODE_DENIAL_ISSUER:
        return NODE_OFFER_ISSUER;
    case NODE_DENIAL_CLASH: /* of a member, not of a record */
    case NODE_DENIAL_NONE:
    default:
        return certify_is_over(node, &body) ? NODE_OFFER_OVER
                                            : NODE_OFFER_TAKEN;
    }
}

/* What the view would not ask. */
static enum node_offer_result judge(const struct node *node,
                                    const struct record *record)
{
    uint8_t id[RECORD_ID_SIZE];
    struct reader reader;

    record_id(record, id);
    reader = reader_init(id, sizeof(id));
    if (view_find_hash(node, reader_u64(&reader)) != NULL) {
        return NODE_OFFER_TAKEN; /* it is known: the view says so */
    }
    if (memcmp(record->cluster, node->cluster, RECORD_CLUSTER_SIZE) != 0) {
        return NODE_OFFER_CLUSTER;
    }
    if (memcmp(record->writer, node->self->key, sizeof(node->self->key)) == 0) {
        return NODE_OFFER_OWN;
    }
    switch (record->kind) {
    case RECORD_ACCUSATION:
        return NODE_OFFER_KIND;
    case RECORD_CHARTER:
        return judge_charter(node, record);
    case RECORD_CERTIFICATE:
        return peers_find(node, record->writer) == NULL
                   ? NODE_OFFER_WRITER
                   : judge_certificate(node, record);
    default:
        return NODE_OFFER_TAKEN;
    }
}

int offer_take(struct node *node, const uint8_t *bytes, size_t size,
               struct node_actions *actions)
{
    struct view_offer offer = {.bytes = bytes, .size = size};
    struct node_counters before = node->counters;
    struct record record;
    int result;

    if (record_parse(bytes, size, &record) != 0) {
        return NODE_OFFER_MALFORMED;
    }
    result = (int)judge(node, &record);
    if (result != NODE_OFFER_TAKEN) {
        return result;
    }
    result = view_offer(node, &offer, actions);
    switch (result) {
    case VIEW_ACCEPTED:
        return NODE_OFFER_TAKEN;
    case VIEW_KNOWN:
        return NODE_OFFER_KNOWN;
    default:
        return result < 0 ? result : (int)find_refusal(node, &before);
    }
}
