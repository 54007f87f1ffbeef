/*
 * What arrives: judged, and handed to the part that it is for.  Nothing here
 * answers a stranger: an answer goes only to a certified mesh address, after
 * the tag held.  That to a hello is not larger than the hello; a member's
 * other packets cause at most LIMIT_BURST_PACKETS each, and these are larger
 * than what they answer only within the member's budget.  transport_send.c
 * builds what leaves.
 */
#include "gossip/node/node_internal.h"

#include <limits.h>

/* So many old packets with no new one between are not the network's work: the
 * sender was set back to an earlier state, and a hello tells it. */
#define TRANSPORT_STALE_MAX 8

static const struct budget_rate peer_rate = {LIMIT_PEER_RATE, LIMIT_PEER_BURST};
static const struct budget_rate stranger_rate = {LIMIT_STRANGER_RATE,
                                                 LIMIT_STRANGER_BURST};

bool transport_may_receive(struct node *node, struct peer *peer, size_t size)
{
    if (!budget_take(&peer->link.received, peer_rate, node->now_ms,
                     size + LIMIT_PACKET_EXTRA)) {
        node->counters.dropped_rate++;
        return false;
    }
    return true;
}

/* The source must be an address that the sender's certificate names; its
 * port may differ. */
static bool is_certified_source(struct node *node,
                                const struct body_certificate *certificate,
                                const struct endpoint *from)
{
    for (size_t i = 0; i < certificate->n_mesh; i++) {
        if (address_equal(&certificate->mesh[i].address, &from->address)) {
            return true;
        }
    }
    node->counters.dropped_source++;
    return false;
}

/* Whether one more certificate not seen before is looked at of this address.
 * Which addresses share a place only we know. */
static bool may_introduce(struct node *node, const struct address *from)
{
    struct reader secret = reader_init(node->exchange_secret, 8);
    struct rng place = rng_init(reader_u64(&secret));

    for (size_t i = 0; i < sizeof(from->bytes); i += 8) {
        struct reader part = reader_init(&from->bytes[i], 8);

        place = rng_init(rng_next(&place) ^ reader_u64(&part));
    }
    if (!budget_take(&node->strangers
                          .budgets[rng_below(&place, LIMIT_STRANGER_ADDRESSES)],
                     stranger_rate, node->now_ms, 1)) {
        node->counters.dropped_rate++;
        return false;
    }
    return true;
}

static bool is_authentic(struct node *node, struct peer *peer,
                         const struct node_event *event)
{
    struct packet_context context = {node->cluster, peer->key, node->self->key};

    if (!peers_need_keys(node, peer) ||
        packet_verify(event->bytes, event->size, &context, &peer->link.keys) !=
            0) {
        node->counters.dropped_tag++;
        return false;
    }
    return true;
}

/* Boot and counter of a packet whose tag held. */
static bool is_fresh(struct node *node, struct peer *peer,
                     const struct packet_header *header)
{
    if (header->source_boot < peer->link.window_boot) {
        node->counters.dropped_stale_boot++;
        return false;
    }
    if (header->source_boot > peer->link.window_boot) {
        peer->link.window_boot = header->source_boot;
        peer->link.window = (struct packet_window){0};
    }
    if (packet_window_accept(&peer->link.window, header->counter) != 0) {
        node->counters.dropped_replay++;
        return false;
    }
    if (header->source_boot > peer->link.boot) {
        peer->link.boot = header->source_boot;
    }
    peers_heard(node, peer);
    peer->link.n_stale = 0;
    return true;
}

static void receive_message(struct node *node, struct peer *peer,
                            const struct message *message,
                            struct node_actions *actions)
{
    struct view_offer offer = {message->bytes, message->size, peer, false,
                               false};

    switch (message->type) {
    case MESSAGE_PING:
        probe_on_ping(node, peer, message, actions);
        break;
    case MESSAGE_ACK:
        probe_on_ack(node, peer, message, actions);
        break;
    case MESSAGE_NACK:
        probe_on_nack(node, peer, message);
        break;
    case MESSAGE_PING_REQ:
        probe_on_request(node, peer, message, actions);
        break;
    case MESSAGE_RECORD:
        /* Out of memory here is as if the packet had been lost. */
        (void)view_offer(node, &offer, actions);
        break;
    case MESSAGE_IHAVE:
        spread_on_ihave(node, peer, message, actions);
        break;
    case MESSAGE_WANT:
        spread_on_want(node, peer, message, actions);
        break;
    case MESSAGE_HEADS:
    case MESSAGE_HAVE:
        sync_on_message(node, peer, 0, message, actions);
        break;
    default:
        break;
    }
}

static void receive_messages(struct node *node, struct peer *peer,
                             const struct packet_header *header,
                             struct node_actions *actions)
{
    struct reader reader = reader_init(header->payload, header->payload_size);
    struct message message;

    /* However many messages are in it. */
    node->n_burst = LIMIT_BURST_PACKETS;
    transport_answer(node, peer,
                     header->payload_size + (size_t)PACKET_OVERHEAD);
    while (reader_left(&reader) > 0) {
        if (message_next(&reader, &message) != 0) {
            node->counters.dropped_message++;
            break;
        }
        receive_message(node, peer, &message, actions);
    }
    node->n_burst = UINT_MAX;
    transport_answer(node, NULL, 0);
}

/* A sender whose disk was set back to an earlier state starts with a boot, or
 * a counter, that is over, and nobody listens: it is shown a record of its
 * own, so that it goes on after that.  The hello may also be a replay, or have
 * been long under way, so this happens seldom, and only if it shows news. */
static void tell_set_back(struct node *node, struct peer *peer, uint64_t epoch,
                          const struct packet_header *header,
                          struct node_actions *actions)
{
    uint64_t known = peer->records.high.epoch;

    if (known != epoch && known >> 32 >= header->source_boot &&
        transport_may_hello(node, peer)) {
        transport_hello(node, peer, true, actions);
    }
}

/* The records of a hello whose tag held.  Out of memory for one is as if the
 * hello had not had it. */
static void receive_records(struct node *node, struct peer *peer,
                            const struct packet_hello *hello,
                            struct node_actions *actions)
{
    struct view_offer offer = {
        .bytes = hello->member, .size = hello->member_size, .source = peer};
    struct record record;

    if (hello->shown_size > 0) {
        own_shown(node, peer, hello->shown, hello->shown_size, actions);
    }
    if (hello->member_size > 0 &&
        record_parse(hello->member, hello->member_size, &record) == 0 &&
        record.kind == RECORD_MEMBER &&
        memcmp(record.writer, peer->key, 32) == 0) {
        (void)view_offer(node, &offer, actions);
    }
}

static bool is_in_force(const struct peer *peer, const struct record *record)
{
    return peer != NULL && peer->certificate != NULL &&
           peer->certificate_entry != NULL &&
           peer->certificate_entry->record.size == record->size &&
           memcmp(peer->certificate_entry->bytes, record->bytes,
                  record->size) == 0;
}

/*
 * Makes the sender of a hello a peer by the certificate in it.  What costs
 * nothing comes first, and a certificate that we hold already costs nothing; a
 * signature is checked of those that come from an address of their own, and
 * not of many.  0, -ENOMEM, or 1 when the hello ends here.
 */
static int introduce(struct node *node, const struct node_event *event,
                     const struct packet_header *header,
                     const struct record *record, struct node_actions *actions)
{
    struct view_offer offer = {.bytes = record->bytes, .size = record->size};
    struct peer *peer = peers_find(node, record->key);
    struct body_certificate body;
    int result;

    if (record_node_id(record->key) != header->source_id) {
        node->counters.dropped_unknown_peer++;
        return 1;
    }
    if (is_in_force(peer, record)) {
        return 0;
    }
    if (body_get_certificate(record, &body) != 0) {
        node->counters.dropped_message++;
        return 1;
    }
    if (!is_certified_source(node, &body, &event->from)) {
        return 1;
    }
    if (peer != NULL && peer->certificate != NULL &&
        memcmp(peer->certificate->exchange_public, body.exchange_public, 32) ==
            0) {
        /* Who renewed its certificate shows that it is the one we know. */
        if (!is_authentic(node, peer, event)) {
            return 1;
        }
        offer.source = peer;
    } else if (!may_introduce(node, &event->from.address)) {
        return 1;
    }
    result = view_offer(node, &offer, actions);
    return MIN_OF(result, 0);
}

/* A packet of one that is a member no more counts for nothing; but that it
 * hears why: it is shown the record that decided it.  In a hello, so to the
 * address that its certificate names, when its tag held, and seldom. */
static void tell_denied(struct node *node, struct peer *peer,
                        const struct node_event *event,
                        struct node_actions *actions)
{
    bool is_proven;

    node->counters.dropped_unknown_peer++;
    if (peer == NULL || peer->is_self || peer->certificate == NULL ||
        !transport_may_hello(node, peer) ||
        certify_deciding(node, peer) == NULL) {
        return;
    }
    is_proven = is_certified_source(node, peer->certificate, &event->from) &&
                is_authentic(node, peer, event) &&
                transport_may_receive(node, peer, event->size);
    if (is_proven) {
        transport_hello(node, peer, true, actions);
    }
}

static int receive_hello(struct node *node, const struct node_event *event,
                         const struct packet_header *header,
                         struct node_actions *actions)
{
    struct packet_hello hello;
    struct record record;
    struct peer *peer;
    bool is_first;
    int result;

    if (packet_parse_hello(header, &hello) != 0 ||
        record_parse(hello.certificate, hello.certificate_size, &record) != 0 ||
        record.kind != RECORD_CERTIFICATE || record.key_size != 32) {
        node->counters.dropped_message++;
        return 0;
    }
    result = introduce(node, event, header, &record, actions);
    if (result != 0) {
        return MIN_OF(result, 0);
    }
    peer = peers_find(node, record.key);
    if (peer == NULL || !peers_is_certified(peer) || peer->is_self) {
        tell_denied(node, peer, event, actions);
        return 0;
    }
    if (!is_certified_source(node, peer->certificate, &event->from) ||
        !is_authentic(node, peer, event) ||
        !transport_may_receive(node, peer, event->size)) {
        return 0;
    }
    is_first = peer->link.boot == 0;
    if (!is_fresh(node, peer, header)) {
        tell_set_back(node, peer, hello.epoch, header, actions);
        return 0;
    }
    receive_records(node, peer, &hello, actions);
    if (hello.is_answer) {
        node->own.n_answers++;
    } else {
        transport_hello(node, peer, true, actions);
    }
    if (is_first) {
        sync_greet(node, peer, actions);
    }
    return 0;
}

/* Whose it is it proves by nothing, so that only the address is kept, and one
 * in a second. */
static void note_version(struct node *node, const struct node_event *event)
{
    struct node_foreign *foreign = &node->strangers.foreign;

    if (foreign->at_ms == 0 || node->now_ms - foreign->at_ms >= 1000) {
        *foreign = (struct node_foreign){.from = event->from,
                                         .version = event->bytes[0],
                                         .at_ms = node->now_ms};
    }
}

int transport_receive(struct node *node, const struct node_event *event,
                      struct node_actions *actions)
{
    struct packet_header header;
    struct peer *peer;

    node->counters.datagrams_in++;
    node->counters.bytes_in += event->size;
    switch (packet_parse(event->bytes, event->size, &header)) {
    case 0:
        break;
    case PACKET_E_VERSION:
        node->counters.dropped_version++;
        note_version(node, event);
        return 0;
    case PACKET_E_TYPE:
        node->counters.dropped_type++;
        return 0;
    default:
        node->counters.dropped_size++;
        return 0;
    }
    if (header.type == PACKET_HELLO) {
        return receive_hello(node, event, &header, actions);
    }
    peer = peers_find_id(node, header.source_id);
    if (peer == NULL || !peers_is_certified(peer) || peer->is_self) {
        tell_denied(node, peer, event, actions);
        return 0;
    }
    if (!is_certified_source(node, peer->certificate, &event->from) ||
        !is_authentic(node, peer, event) ||
        !transport_may_receive(node, peer, event->size)) {
        return 0;
    }
    if (header.destination_boot != transport_boot(node)) {
        node->counters.dropped_stale_boot++;
        transport_hello(node, peer, false, actions);
        return 0;
    }
    if (is_fresh(node, peer, &header)) {
        receive_messages(node, peer, &header, actions);
    } else if (++peer->link.n_stale >= TRANSPORT_STALE_MAX) {
        peer->link.n_stale = 0;
        transport_hello(node, peer, false, actions);
    }
    return 0;
}
