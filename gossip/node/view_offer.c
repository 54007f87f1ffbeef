/*
 * view_offer is the one way of a record into the view, for records from
 * peers, from the store and our own: bounds, cluster, known, writer, order,
 * rights, limits, signature, in the order of what a check costs.
 */
#include "gossip/node/view_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "gossip/base/search.h"
#include "gossip/wire/evidence.h"

/* --- Manifests -------------------------------------------------------------
 */

static int compare_ids(const void *key, const void *element)
{
    return memcmp(key, element, BODY_MANIFEST_ID_SIZE);
}

static bool manifest_lists(const struct body_manifest *manifest,
                           const uint8_t id[BODY_MANIFEST_ID_SIZE])
{
    return search_find(id, manifest->ids, manifest->n_ids,
                       BODY_MANIFEST_ID_SIZE, compare_ids) != NULL;
}

/* Whether the writer's manifest says that this record is gone for good. */
static bool is_ended(const struct peer *writer, const struct record *record,
                     const uint8_t *id)
{
    struct body_manifest manifest;

    if (writer->records.manifest_entry == NULL ||
        rights_class(record) != RIGHTS_COUNTED ||
        body_get_manifest(&writer->records.manifest_entry->record, &manifest) !=
            0) {
        return false;
    }
    return record_order_compare(record->order, manifest.upto) <= 0 &&
           !manifest_lists(&manifest, id);
}

static void apply_manifest(struct node *node, struct peer *writer,
                           struct node_actions *actions)
{
    for (size_t i = writer->records.n_entries; i > 0; i--) {
        struct entry *entry = writer->records.entries[i - 1];

        if (is_ended(writer, &entry->record, entry->id)) {
            view_remove(node, entry, true, actions);
        }
    }
}

/* --- The way in ------------------------------------------------------------
 */

static int refuse(uint64_t *counter)
{
    (*counter)++;
    return VIEW_REFUSED;
}

static int refuse_parse(struct node *node, int error)
{
    switch (error) {
    case RECORD_E_VERSION:
        return refuse(&node->counters.refused_version);
    case RECORD_E_RESERVED:
        return refuse(&node->counters.refused_reserved);
    default:
        return refuse(&node->counters.refused_size);
    }
}

/* What a record in hand leads to; filled by check and prepare, used by take. */
struct incoming {
    struct record record;
    uint8_t id[RECORD_ID_SIZE];
    struct peer *writer;
    struct entry *old;
    uint8_t slot_kind;
    struct peer *subject;         /* of a certificate */
    struct body_charter *charter; /* room for one, NULL for other kinds */
    struct entry *entry;          /* linked by take */
    uint8_t *news;                /* for spread_add, NULL for what was loaded */
};

/* Another record of the writer under the same order, or NULL. */
static struct entry *find_contradiction(const struct peer *writer,
                                        const struct record *record,
                                        const uint8_t *id)
{
    if (record_order_compare(record->order, writer->records.high) > 0 ||
        record->kind == RECORD_EVIDENCE) {
        return NULL;
    }
    for (size_t i = 0; i < writer->records.n_entries; i++) {
        struct entry *entry = writer->records.entries[i];

        if (record_order_compare(entry->record.order, record->order) == 0 &&
            entry->record.kind != RECORD_EVIDENCE) {
            return memcmp(entry->id, id, sizeof(entry->id)) != 0 ? entry : NULL;
        }
    }
    return NULL;
}

/* A member that left has nothing but its certificates; what it wrote before
 * leaving may still be under way. */
static bool is_from_before_leaving(const struct peer *writer,
                                   const struct record *record)
{
    return writer->member.has_body &&
           writer->member.body.state == BODY_MEMBER_LEFT &&
           record->kind != RECORD_MEMBER && record->kind != RECORD_REVOCATION &&
           record->kind != RECORD_EVIDENCE && record->kind != RECORD_HOLD &&
           record->kind != RECORD_CHARTER &&
           record_order_compare(record->order, writer->member.incarnation) < 0;
}

static bool is_over_limit(const struct peer *writer,
                          const struct record *record)
{
    switch (rights_class(record)) {
    case RIGHTS_EXEMPT:
        /* For a certificate's subject there is a limit of its own: peers_get.
         * Whom an issuer revokes must not hang on how much it offers. */
        return false;
    case RIGHTS_CLAIM:
        return writer->records.n_claims >= LIMIT_CLAIMS;
    case RIGHTS_COUNTED:
    default:
        return writer->records.n_limited >= LIMIT_RECORDS_PER_WRITER;
    }
}

/* In a function of its own: the body is large, and most records have none. */
static bool is_good_certificate(struct node *node, const struct record *record)
{
    struct body_certificate certificate;

    return rights_check_certificate(node, record, &certificate) == 0;
}

static int check_writer(struct node *node, const struct view_offer *offer,
                        struct incoming *in)
{
    if (in->record.kind == RECORD_CERTIFICATE &&
        !is_good_certificate(node, &in->record)) {
        return VIEW_REFUSED;
    }
    in->writer = peers_find(node, in->record.writer);
    if (in->writer == NULL) {
        return refuse(&node->counters.refused_writer);
    }
    switch (in->record.kind) {
    case RECORD_CERTIFICATE:
        return VIEW_ACCEPTED;
    case RECORD_CHARTER:
        return charter_check(node, &in->record, offer->is_loaded, in->charter);
    default:
        return rights_check(node, in->writer, &in->record) == 0 ? VIEW_ACCEPTED
                                                                : VIEW_REFUSED;
    }
}

static int check_order(struct node *node, struct incoming *in, bool is_own)
{
    struct peer *writer = in->writer;

    in->slot_kind = rights_slot_kind(&in->record);
    in->old = view_find(node, writer, in->slot_kind, in->record.key,
                        in->record.key_size);
    if (in->old != NULL &&
        record_order_compare(in->record.order, in->old->record.order) < 0) {
        return refuse(&node->counters.refused_old);
    }
    if (writer->is_self && !is_own && own_has_newer(node, &in->record)) {
        return refuse(&node->counters.refused_old);
    }
    if (is_ended(writer, &in->record, in->id) ||
        is_from_before_leaving(writer, &in->record)) {
        return refuse(&node->counters.refused_old);
    }
    /* One that changes its class counts as new, or limits could be climbed. */
    if ((in->old == NULL || in->old->class != rights_class(&in->record)) &&
        is_over_limit(writer, &in->record)) {
        return refuse(&node->counters.refused_limit);
    }
    return VIEW_ACCEPTED;
}

/* Of a writer that contradicted itself nothing more is taken, but who it is and
 * that it lives.  What was taken before stays, after a restart too: it is
 * shown, and used by nobody. */
static int check_frozen(struct node *node, const struct view_offer *offer,
                        const struct incoming *in)
{
    if (!view_is_frozen(&in->writer->records) ||
        (offer->is_loaded && in->record.kind != RECORD_EVIDENCE)) {
        return VIEW_ACCEPTED;
    }
    switch (in->record.kind) {
    case RECORD_CERTIFICATE:
    case RECORD_REVOCATION:
    case RECORD_MEMBER:
        return VIEW_ACCEPTED;
    default:
        return refuse(&node->counters.refused_frozen);
    }
}

/* Two records under one order: together they are evidence, which freezes their
 * writer here and goes on to all others.  Roots are above that. */
static int judge_two(struct node *node, const struct view_offer *offer,
                     struct incoming *in, const struct entry *other,
                     struct node_actions *actions)
{
    struct view_offer evidence = {.source = NULL};
    uint8_t *bytes = NULL;
    int result = in->writer->is_root ? EVIDENCE_E_NONE
                                     : evidence_new(&other->record, &in->record,
                                                    &bytes, &evidence.size);

    if (result == 0) {
        evidence.bytes = bytes;
        result = MIN_OF(view_offer(node, &evidence, actions), 0);
    }
    free(bytes);
    if (result < 0) {
        return result;
    }
    /* Of two for one place all keep the same one. */
    if (other == in->old && memcmp(in->id, other->id, sizeof(other->id)) > 0) {
        return refuse(&node->counters.refused_frozen);
    }
    return check_frozen(node, offer, in);
}

static const struct budget_rate forged_rate = {LIMIT_FORGED_RATE,
                                               LIMIT_FORGED_BURST};
static const struct budget_rate writer_rate = {LIMIT_WRITER_RATE,
                                               LIMIT_WRITER_BURST};

/* What may be left of a writer's burst when it writes one more. */
static uint64_t reserve_of(uint8_t kind)
{
    return kind == RECORD_MEMBER ? 0 : LIMIT_WRITER_RESERVE;
}

/* A record that does not verify is its sender's fault, not its writer's: it
 * takes nothing of what the writer may write. */
int view_check_signature(struct node *node, struct peer *writer,
                         const struct view_offer *offer,
                         const struct record *record)
{
    bool is_rated = !offer->is_loaded && !rights_is_admission(record->kind);

    if (is_rated && budget_left(&writer->records.written, writer_rate,
                                node->now_ms) <= reserve_of(record->kind)) {
        return refuse(&node->counters.refused_rate);
    }
    if (offer->source != NULL && budget_left(&offer->source->link.forged,
                                             forged_rate, node->now_ms) == 0) {
        (void)refuse(&node->counters.refused_rate);
        return VIEW_FORGED; /* presumably */
    }
    node->counters.signatures_checked++;
    if (node->verify(record, node->verify_data) != 0) {
        if (offer->source != NULL) {
            budget_spend(&offer->source->link.forged, forged_rate, node->now_ms,
                         1);
        }
        (void)refuse(&node->counters.refused_signature);
        return VIEW_FORGED;
    }
    if (is_rated) {
        budget_spend(&writer->records.written, writer_rate, node->now_ms, 1);
    }
    return VIEW_ACCEPTED;
}

/* Everything but the effects.  enum view_result, or -ENOMEM. */
static int check(struct node *node, const struct view_offer *offer,
                 struct incoming *in, struct node_actions *actions)
{
    struct entry *known;
    struct entry *other;
    int result = record_parse(offer->bytes, offer->size, &in->record);

    if (result != 0) {
        return refuse_parse(node, result);
    }
    if (memcmp(in->record.cluster, node->cluster, RECORD_CLUSTER_SIZE) != 0) {
        return refuse(&node->counters.refused_cluster);
    }
    record_id(&in->record, in->id);
    known = view_find_hash(node, view_hash_of_id(in->id));
    if (known != NULL) {
        node->counters.records_known++;
        return VIEW_KNOWN;
    }
    result = check_writer(node, offer, in);
    if (result == VIEW_ACCEPTED) {
        result = check_frozen(node, offer, in);
    }
    if (result == VIEW_ACCEPTED) {
        result = check_order(node, in, offer->is_own);
    }
    if (result != VIEW_ACCEPTED) {
        return result;
    }
    if (!offer->is_own) {
        result = view_check_signature(node, in->writer, offer, &in->record);
    }
    if (result != VIEW_ACCEPTED) {
        return result;
    }
    /* Only a signed contradiction counts, so this comes after the check. */
    other = find_contradiction(in->writer, &in->record, in->id);
    return other == NULL ? VIEW_ACCEPTED
                         : judge_two(node, offer, in, other, actions);
}

static void take_certificate(struct node *node, struct peer *subject,
                             const struct entry *entry,
                             struct node_actions *actions)
{
    struct body_certificate certificate;

    /* It decoded when it was checked. */
    if (entry->writer->was_root &&
        body_get_certificate(&entry->record, &certificate) == 0 &&
        (certificate.roles & BODY_ROLE_ISSUER) != 0) {
        peers_add_certifier(node, subject);
    }
    certify_again(node, subject);
    view_thaw(node, subject, actions);
}

/* Consequences by kind, once the record is in the view.  The memory for all
 * of them was reserved: nothing here fails. */
static void take_effect(struct node *node, struct incoming *in,
                        struct entry *entry, struct node_actions *actions)
{
    switch (in->record.kind) {
    case RECORD_CERTIFICATE:
        take_certificate(node, in->subject, entry, actions);
        break;
    case RECORD_CHARTER:
        charter_take(node, &entry->record);
        break;
    case RECORD_REVOCATION:
        if (peers_find(node, in->record.key) != NULL) {
            certify_again(node, peers_find(node, in->record.key));
        }
        break;
    case RECORD_MEMBER:
        in->writer->records.member_entry = entry;
        suspicion_on_member(node, in->writer, &entry->record, actions);
        break;
    case RECORD_EVIDENCE:
        view_freeze(node, entry);
        break;
    case RECORD_MANIFEST:
        in->writer->records.manifest_entry = entry;
        apply_manifest(node, in->writer, actions);
        break;
    case RECORD_TOMBSTONE:
        if (in->writer->is_self && entry->class == RIGHTS_COUNTED) {
            if (node->own.n_tombstones++ == 0) {
                node->own.first_tombstone_ms = node->now_ms;
            }
        }
        break;
    default:
        break;
    }
}

static enum node_record_change change_of(const struct incoming *in,
                                         bool had_live)
{
    if (in->record.kind == RECORD_TOMBSTONE) {
        return NODE_RECORD_REMOVED;
    }
    return had_live ? NODE_RECORD_UPDATED : NODE_RECORD_ADDED;
}

/* --- All or nothing --------------------------------------------------------
 */

/* Room for all that can be told of the record: that it is stored and changed
 * the view, two changes of its writer as a member, and each record erased that
 * it may end: its writer's, or those of a frozen writer that it may free. */
static bool reserve_actions(const struct incoming *in,
                            struct node_actions *actions)
{
    const struct view_writer *ended = NULL;
    size_t n = 4, size = 2 * in->record.size;

    if (in->record.kind == RECORD_MANIFEST ||
        suspicion_is_departure(&in->record)) {
        ended = &in->writer->records;
    } else if (in->subject != NULL && view_is_frozen(&in->subject->records)) {
        ended = &in->subject->records;
    }
    for (size_t i = 0; ended != NULL && i < ended->n_entries; i++) {
        n += 2;
        size += 2 * ended->entries[i]->record.size;
    }
    return actions_reserve(actions, n, size);
}

static int prepare_subject(struct node *node, struct incoming *in)
{
    int result = peers_get(node, in->record.key, &in->subject);

    if (result == PEERS_E_FULL) {
        return refuse(&node->counters.refused_limit);
    }
    if (result == 0) {
        result = peers_reserve_certificate(in->subject);
    }
    return result != 0 ? result : peers_reserve_certifier(node);
}

/* All the memory that taking the record needs, so that it is taken whole or
 * not at all.  enum view_result, or -ENOMEM. */
static int prepare(struct node *node, const struct view_offer *offer,
                   struct incoming *in, struct node_actions *actions)
{
    int result = VIEW_ACCEPTED;

    if (in->record.kind == RECORD_CERTIFICATE) {
        result = prepare_subject(node, in);
    } else if (in->record.kind == RECORD_CHARTER) {
        result = charter_prepare(node, in->charter);
    }
    if (result != VIEW_ACCEPTED) {
        return result;
    }
    if (!reserve_actions(in, actions)) {
        return -ENOMEM;
    }
    if (!offer->is_loaded) {
        in->news = spread_copy(offer->bytes, offer->size);
        if (in->news == NULL) {
            return -ENOMEM;
        }
    }
    in->entry = view_entry_new(&in->record, in->id, in->writer, in->slot_kind);
    if (in->entry == NULL || view_entry_link(node, in->entry) != 0) {
        view_entry_free(in->entry);
        free(in->news);
        return -ENOMEM;
    }
    return VIEW_ACCEPTED;
}

static enum news_rank news_rank(uint8_t kind)
{
    switch (kind) {
    case RECORD_REVOCATION:
    case RECORD_CHARTER:
        return NEWS_ADMISSION;
    case RECORD_MEMBER:
        return NEWS_MEMBERSHIP;
    default:
        return NEWS_OTHER;
    }
}

static void take(struct node *node, const struct view_offer *offer,
                 struct incoming *in, struct node_actions *actions)
{
    struct entry *entry = in->entry;
    bool had_live = false;

    if (in->old != NULL) {
        had_live = in->old->record.kind != RECORD_TOMBSTONE;
        view_entry_unlink(node, in->old);
        view_entry_free(in->old);
        in->old = NULL;
    }
    if (record_order_compare(in->record.order, in->writer->records.high) > 0) {
        in->writer->records.high = in->record.order;
    }
    own_merge_hlc(node, in->record.hlc);
    node->counters.records_accepted++;
    if (!offer->is_loaded && !offer->is_own) {
        (void)actions_add(actions, NODE_ACTION_STORE, offer->bytes,
                          offer->size); /* reserved */
    }
    view_announce(entry, change_of(in, had_live), actions);
    if (in->news != NULL) {
        spread_add(node, in->news, entry->record.size, entry->hash,
                   offer->source, news_rank(in->record.kind));
    }
    take_effect(node, in, entry, actions);
}

static int offer_record(struct node *node, const struct view_offer *offer,
                        struct node_actions *actions)
{
    struct body_charter charter;
    struct incoming in = {.charter = &charter};
    int result = check(node, offer, &in, actions);

    if (result == VIEW_ACCEPTED) {
        result = prepare(node, offer, &in, actions);
    }
    if (result == VIEW_ACCEPTED) {
        take(node, offer, &in, actions);
        if (in.writer->is_self && !offer->is_own) {
            node->own.n_returned += offer->is_loaded ? 0 : 1;
            own_outdone(node, &in.record, offer->source, actions);
        }
    }
    return result;
}

static int look_at(struct node *node, const struct view_offer *offer,
                   struct node_actions *actions)
{
    uint8_t id[RECORD_ID_SIZE];
    struct record record;
    bool is_parsed = record_parse(offer->bytes, offer->size, &record) == 0;
    int result;

    if (!is_parsed || record.kind != RECORD_ACCUSATION) {
        result = offer_record(node, offer, actions);
    } else {
        result = offer->is_loaded
                     ? VIEW_REFUSED
                     : suspicion_on_accusation(node, &record, offer, actions);
    }
    if (!is_parsed || offer->source == NULL) {
        return result == VIEW_FORGED ? VIEW_REFUSED : result;
    }
    if (result == VIEW_FORGED) {
        record_id(&record, id);
        spread_note_forged(node, view_hash_of_id(id), offer->source);
        return VIEW_REFUSED;
    }
    /* Without its writer's certificate it may be wanted again soon. */
    if (result == VIEW_REFUSED && peers_find(node, record.writer) != NULL) {
        record_id(&record, id);
        spread_note_refused(node, view_hash_of_id(id), offer->source);
    }
    return result;
}

int view_offer(struct node *node, const struct view_offer *offer,
               struct node_actions *actions)
{
    int result;

    if (node->examine == NULL || offer->is_own) {
        return look_at(node, offer, actions);
    }
    if (!node->examine(offer->bytes, offer->size, node->examine_data)) {
        return refuse(&node->counters.refused_quarantined);
    }
    result = look_at(node, offer, actions);
    node->examined(node->examine_data);
    return result;
}
