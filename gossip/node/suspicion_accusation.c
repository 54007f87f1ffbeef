/*
 * Accusations: signed claims that a member does not answer.  Ours are made
 * here, others' are checked, kept and passed on, and those of ourselves
 * refuted.
 */
#include "gossip/node/node_internal.h"
#include "gossip/node/suspicion_internal.h"

#include <errno.h>
#include <stdlib.h>

const struct accusation *suspicion_accusation(const struct peer *peer)
{
    return peer->member.n_accusations == 0 ? NULL
                                           : &peer->member.accusations[0];
}

bool suspicion_has_accuser(const struct peer *peer, const struct peer *accuser)
{
    for (size_t i = 0; i < peer->member.n_accusations; i++) {
        if (peer->member.accusations[i].accuser == accuser) {
            return true;
        }
    }
    return false;
}

static uint64_t hash_of(const struct record *record)
{
    uint8_t id[RECORD_ID_SIZE];
    struct reader reader;

    record_id(record, id);
    reader = reader_init(id, 8);
    return reader_u64(&reader);
}

/* An accusation with the memory for all that follows from it. */
struct prepared {
    struct peer *accused;
    struct peer *accuser;
    uint8_t *news;
};

/* 0, or -ENOMEM with nothing to be undone. */
static int prepare(struct peer *accused, struct peer *accuser,
                   struct node_actions *actions, struct prepared *ret)
{
    if (accused->member.accusations == NULL) {
        accused->member.accusations =
            calloc(LIMIT_ACCUSERS, sizeof(accused->member.accusations[0]));
    }
    if (accused->member.accusations == NULL ||
        !actions_reserve(actions, 1, 0)) {
        return -ENOMEM;
    }
    *ret = (struct prepared){
        accused, accuser, malloc(sizeof(accused->member.accusations[0].bytes))};
    return ret->news == NULL ? -ENOMEM : 0;
}

/* Keeps the accusation, which fits, and passes it on. */
static void add_accusation(struct node *node, const struct prepared *prepared,
                           const struct record *record, struct peer *source)
{
    struct peer *accused = prepared->accused;
    struct accusation *accusation =
        &accused->member.accusations[accused->member.n_accusations++];

    accused->member.accused_ms = node->now_ms;
    *accusation = (struct accusation){
        .accuser = prepared->accuser,
        .incarnation = accused->member.incarnation,
        .hash = hash_of(record),
        .size = record->size,
    };
    memcpy(accusation->bytes, record->bytes, record->size);
    memcpy(prepared->news, record->bytes, record->size);
    spread_add(node, prepared->news, record->size, accusation->hash, source,
               NEWS_MEMBERSHIP);
}

static void become_suspect(struct node *node, struct peer *peer,
                           struct node_actions *actions)
{
    if (!suspicion_is_possible(node, peer)) {
        return;
    }
    if (peer->member.state != NODE_MEMBER_SUSPECT) {
        node->counters.suspicions++;
        suspicion_set_state(node, peer, NODE_MEMBER_SUSPECT, actions);
    }
    suspicion_plan_review(node, peer);
}

/* Signs an accusation of the peer's present incarnation and spreads it.  0 or
 * -ENOMEM. */
int suspicion_accuse(struct node *node, struct peer *peer,
                     struct node_actions *actions)
{
    struct body_accusation body = {.incarnation = peer->member.incarnation};
    uint8_t bytes[sizeof(peer->member.accusations[0].bytes)];
    uint8_t packed[64];
    struct prepared prepared;
    struct record record;
    size_t size;

    if (node->own.phase != NODE_PHASE_READY || !peer->member.has_body ||
        suspicion_has_accuser(peer, node->self) ||
        peer->member.n_accusations >= SUSPICION_ACCUSERS ||
        body_put_accusation(&body, packed, sizeof(packed), &size) != 0) {
        return 0;
    }
    if (prepare(peer, node->self, actions, &prepared) != 0) {
        return -ENOMEM;
    }
    size = own_sign(node, RECORD_ACCUSATION, peer->key, 32, packed, size, bytes,
                    sizeof(bytes));
    if (record_parse(bytes, size, &record) != 0) { /* also of nothing */
        free(prepared.news);
        return 0;
    }
    add_accusation(node, &prepared, &record, NULL);
    become_suspect(node, peer, actions);
    return 0;
}

static void refute(struct node *node, struct node_actions *actions)
{
    if (node->own.is_member_pending || node->own.is_twin ||
        node->own.phase != NODE_PHASE_READY ||
        node->own.state == BODY_MEMBER_LEFT) {
        return;
    }
    node->counters.refutations++;
    /* Others had reason to doubt us: be slower to doubt them (Lifeguard). */
    node->probes.health = MIN_OF(node->probes.health + 1, 8u);
    own_refute(node, actions);
}

/* Who passes an old accusation on has missed the refutation, and would hold
 * the accused for dead soon. */
static void tell_refutation(struct node *node, const struct peer *accused,
                            struct peer *source, struct node_actions *actions)
{
    const struct entry *entry = accused->records.member_entry;
    struct outgoing outgoing;

    if (source != NULL && entry != NULL &&
        outgoing_begin(&outgoing, node, source, actions)) {
        message_put_record(&outgoing.writer, entry->bytes, entry->record.size);
        outgoing_flush(&outgoing);
    }
}

int suspicion_on_accusation(struct node *node, const struct record *record,
                            const struct view_offer *offer,
                            struct node_actions *actions)
{
    struct peer *source = offer->source;
    int result;
    struct peer *accuser = peers_find(node, record->writer);
    struct peer *accused;
    struct body_accusation body;
    struct prepared prepared;

    if (memcmp(record->cluster, node->cluster, RECORD_CLUSTER_SIZE) != 0) {
        node->counters.refused_cluster++;
        return VIEW_REFUSED;
    }
    if (accuser == NULL) {
        node->counters.refused_writer++;
        return VIEW_REFUSED;
    }
    if (record->key_size != 32 || rights_check(node, accuser, record) != 0) {
        return VIEW_REFUSED;
    }
    accused = peers_find(node, record->key);
    if (accused == NULL || accused == accuser || !accused->member.has_body ||
        record->size > sizeof(accused->member.accusations[0].bytes) ||
        body_get_accusation(record, &body) != 0) {
        node->counters.refused_body++;
        return VIEW_REFUSED;
    }
    /* Only the incarnation that the accused itself signed last. */
    if (record_order_compare(body.incarnation, accused->member.incarnation) !=
        0) {
        node->counters.refused_old++;
        if (record_order_compare(body.incarnation,
                                 accused->member.incarnation) < 0) {
            tell_refutation(node, accused, source, actions);
        }
        return VIEW_REFUSED;
    }
    if (suspicion_has_accuser(accused, accuser) ||
        accused->member.n_accusations == LIMIT_ACCUSERS) {
        node->counters.records_known++;
        return VIEW_KNOWN;
    }
    result = view_check_signature(node, accuser, offer, record);
    if (result != VIEW_ACCEPTED) {
        return result;
    }
    if (prepare(accused, accuser, actions, &prepared) != 0) {
        return -ENOMEM;
    }
    add_accusation(node, &prepared, record, source);
    node->counters.records_accepted++;
    if (accused->is_self) {
        refute(node, actions);
        return VIEW_ACCEPTED;
    }
    become_suspect(node, accused, actions);
    if (!accused->member.has_failed &&
        accused->member.state == NODE_MEMBER_SUSPECT) {
        probe_confirm(
            node, accused,
            node->now_ms +
                rng_below(&node->rng, node->tuning.probe_interval_ms / 2));
    }
    return VIEW_ACCEPTED;
}
