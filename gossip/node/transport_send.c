/*
 * What leaves: packets built for a peer, hellos, and how much may be answered.
 * transport.c judges what arrives.
 */
#include "gossip/node/node_internal.h"

/* A peer is told who we are at most this often. */
#define TRANSPORT_HELLO_MS 1000

static const struct budget_rate answer_rate = {LIMIT_ANSWER_RATE,
                                               LIMIT_ANSWER_BURST};

bool transport_endpoint(const struct peer *peer, struct endpoint *ret)
{
    if (peer->certificate == NULL || peer->certificate->n_mesh == 0) {
        return false;
    }
    *ret = peer->certificate->mesh[0];
    return true;
}

uint32_t transport_boot(const struct node *node)
{
    return (uint32_t)(node->own.epoch >> 32);
}

static void send_packet(struct node *node, struct peer *peer, uint8_t type,
                        const uint8_t *payload, size_t payload_size,
                        struct node_actions *actions)
{
    uint8_t datagram[LIMIT_DATAGRAM_SIZE];
    struct packet_header header = {
        .type = type,
        .source_boot = transport_boot(node),
        .destination_boot = type == PACKET_HELLO ? 0 : peer->link.boot,
        .source_id = node->self->id,
        .counter = ++peer->link.counter,
        .payload = payload,
        .payload_size = payload_size,
    };
    struct packet_context context = {node->cluster, node->self->key, peer->key};
    struct node_action *action;
    struct endpoint endpoint;
    size_t size;

    if (!peers_need_keys(node, peer) || !transport_endpoint(peer, &endpoint)) {
        return;
    }
    size = packet_build(&header, &context, &peer->link.keys, datagram);
    action = actions_add(actions, NODE_ACTION_SEND, datagram, size);
    if (action != NULL) {
        action->endpoint = endpoint;
        node->counters.datagrams_out++;
        node->counters.bytes_out += size;
    }
}

/* The newest of the peer's own records that fits, or NULL: it proves to one
 * that was set back where it has to go on. */
static const struct entry *newest_of(const struct peer *peer, size_t room)
{
    const struct entry *best = NULL;

    for (size_t i = 0; i < peer->records.n_entries; i++) {
        const struct entry *entry = peer->records.entries[i];

        if (entry->record.size <= MIN_OF(room, (size_t)LIMIT_RECORD_SIZE) &&
            (best == NULL || record_order_compare(entry->record.order,
                                                  best->record.order) > 0)) {
            best = entry;
        }
    }
    return best;
}

/* What there is room for, besides the certificate. */
static void add_records(const struct node *node, const struct peer *peer,
                        struct packet_hello *hello)
{
    const struct entry *member = node->self->records.member_entry;
    size_t room = PACKET_HELLO_RECORDS_SIZE - hello->certificate_size;
    const struct entry *shown = peers_is_certified(peer)
                                    ? newest_of(peer, room)
                                    : certify_deciding(node, peer);

    if (shown != NULL && shown->record.size <= room) {
        hello->shown = shown->bytes;
        hello->shown_size = shown->record.size;
        room -= shown->record.size;
    }
    if (member != NULL && member->record.size <= room) {
        hello->member = member->bytes;
        hello->member_size = member->record.size;
    }
}

static void send_hello(struct node *node, struct peer *peer, bool is_answer,
                       struct node_actions *actions)
{
    const struct entry *own = node->self->certificate_entry;
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct packet_hello hello = {
        .is_answer = is_answer,
        .protocol_min = PACKET_VERSION,
        .protocol_max = PACKET_VERSION,
        .epoch = node->own.epoch,
    };
    size_t size;

    if (own == NULL) {
        return;
    }
    hello.certificate = own->bytes;
    hello.certificate_size = own->record.size;
    add_records(node, peer, &hello);
    size = packet_build_hello(&hello, payload, sizeof(payload));
    if (size > 0) {
        peer->link.hello_ms = node->now_ms;
        send_packet(node, peer, PACKET_HELLO, payload, size, actions);
    }
}

bool transport_may_hello(const struct node *node, const struct peer *peer)
{
    return peer->link.hello_ms == 0 ||
           node->now_ms - peer->link.hello_ms >= TRANSPORT_HELLO_MS;
}

void transport_hello(struct node *node, struct peer *peer, bool is_answer,
                     struct node_actions *actions)
{
    if (is_answer || transport_may_hello(node, peer)) {
        send_hello(node, peer, is_answer, actions);
    }
}

void transport_answer(struct node *node, struct peer *peer, size_t free)
{
    node->answering = (struct answering){peer, free};
}

/* The size of the largest packet that may leave now. */
static size_t packet_room(const struct node *node)
{
    const struct answering *answering = &node->answering;

    if (answering->peer == NULL) {
        return LIMIT_DATAGRAM_SIZE;
    }
    return MIN_OF((size_t)LIMIT_DATAGRAM_SIZE,
                  answering->free + budget_left(&answering->peer->link.answers,
                                                answer_rate, node->now_ms));
}

static void charge(struct node *node, size_t size)
{
    struct answering *answering = &node->answering;
    size_t paid = MIN_OF(answering->free, size);

    if (answering->peer != NULL) {
        answering->free -= paid;
        budget_spend(&answering->peer->link.answers, answer_rate, node->now_ms,
                     size - paid);
    }
}

static void start_payload(struct outgoing *outgoing)
{
    size_t room = packet_room(outgoing->node);

    outgoing->writer = writer_init(
        outgoing->buffer, room - MIN_OF(room, (size_t)PACKET_OVERHEAD));
}

bool outgoing_begin(struct outgoing *outgoing, struct node *node,
                    struct peer *peer, struct node_actions *actions)
{
    if (peer->is_self || !peers_is_certified(peer) || node->n_burst == 0) {
        return false;
    }
    if (peer->link.boot == 0) {
        transport_hello(node, peer, false, actions);
        return false;
    }
    outgoing->node = node;
    outgoing->peer = peer;
    outgoing->actions = actions;
    outgoing->n_packets = 0;
    start_payload(outgoing);
    if (writer_left(&outgoing->writer) == 0) {
        node->counters.answers_limited++;
        return false;
    }
    return true;
}

void outgoing_flush(struct outgoing *outgoing)
{
    size_t size = writer_size(&outgoing->writer);

    if (size > 0 && !outgoing->writer.failed) {
        send_packet(outgoing->node, outgoing->peer, PACKET_MESSAGES,
                    outgoing->buffer, size, outgoing->actions);
        outgoing->n_packets++;
        outgoing->node->n_burst--;
        charge(outgoing->node, size + PACKET_OVERHEAD);
    } else if (outgoing->writer.failed) {
        outgoing->node->counters.answers_limited++;
    }
    start_payload(outgoing);
}

bool outgoing_reserve(struct outgoing *outgoing, size_t size, unsigned budget)
{
    if (size > PACKET_PAYLOAD_MAX) {
        return false;
    }
    if (writer_left(&outgoing->writer) < size) {
        if (outgoing->n_packets + 1 >= budget || outgoing->node->n_burst < 2) {
            return false;
        }
        outgoing_flush(outgoing);
        if (writer_left(&outgoing->writer) < size) {
            outgoing->node->counters.answers_limited++;
            return false;
        }
    }
    return true;
}
