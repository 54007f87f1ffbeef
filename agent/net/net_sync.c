/*
 * Streams of purpose sync: between two certified nodes, for the node's own
 * frames.  A certificate is public: it counts from an address that it names,
 * is checked before anything is computed with its keys, and its holder has a
 * place among the streams once its first frame opens.
 */
#include "agent/net/net_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/system/clock.h"

/* What both sides of a sync fill in alike. */
static struct stream_config net_sync_config(const struct identity *identity,
                                            const uint8_t *peer,
                                            const uint8_t *peer_exchange,
                                            const uint8_t *ephemeral)
{
    return (struct stream_config){
        .purpose = STREAM_SYNC,
        .cluster = identity->genesis.cluster_id,
        .own_sign_public = identity->sign_public,
        .own_exchange_secret = identity->exchange_secret,
        .peer_sign_public = peer,
        .peer_exchange_public = peer_exchange,
        .own_certificate = identity->certificate,
        .own_certificate_size = identity->certificate_size,
        .ephemeral_secret = ephemeral};
}

/* Streams served to others that have proved themselves, beside this one: of
 * one key, or all. */
static size_t count_served(const struct net_connection *beside,
                           const uint8_t *key)
{
    size_t n = 0;

    for (const struct net_connection *connection = beside->net->connections;
         connection != NULL; connection = connection->next) {
        n += connection != beside && connection->role == NET_SYNC &&
             connection->is_proved && !connection->is_initiator &&
             !connection->is_closing &&
             (key == NULL ||
              memcmp(connection->peer, key, sizeof(connection->peer)) == 0);
    }
    return n;
}

/* Whether the initiator is a member, and this one of its addresses. */
static bool is_from_member(const struct net_connection *connection,
                           const struct stream_opening *opening)
{
    struct node_member member;

    if (!node_member_find(connection->net->core->node, opening->initiator,
                          &member)) {
        return false;
    }
    for (size_t i = 0; i < member.certificate->n_mesh; i++) {
        if (address_equal(&member.certificate->mesh[i].address,
                          &connection->from)) {
            return true;
        }
    }
    return false;
}

/* The peer has proved itself: an older stream of its key ends, being what it
 * left behind.  False when there is no place, and the stream has ended. */
static bool net_sync_proved(struct net_connection *connection)
{
    size_t n_of_address = 0;

    for (struct net_connection *other = connection->net->connections;
         other != NULL; other = other->next) {
        if (other == connection || other->role != NET_SYNC ||
            !other->is_proved || other->is_initiator || other->is_closing) {
            continue;
        }
        if (memcmp(other->peer, connection->peer, sizeof(other->peer)) == 0) {
            net_connection_close(other);
        } else {
            n_of_address += address_equal(&other->from, &connection->from);
        }
    }
    if (n_of_address >= LIMIT_SYNC_STREAMS_PER_ADDRESS ||
        count_served(connection, NULL) >= LIMIT_SYNC_STREAMS) {
        connection->net->counters.connections_refused++;
        net_connection_finish(connection);
        return false;
    }
    return true;
}

void net_sync_accept(struct net_connection *connection,
                     const struct stream_opening *opening)
{
    struct core *core = connection->net->core;
    struct body_certificate certificate;
    struct stream_config config;
    uint8_t ephemeral[32];
    int error;

    if (memcmp(opening->responder, core->identity->sign_public, 32) != 0) {
        net_connection_refuse(connection, STREAM_REFUSED_UNKNOWN_RESPONDER);
        return;
    }
    if (!is_from_member(connection, opening)) {
        net_connection_refuse(connection, STREAM_REFUSED_CERTIFICATE);
        return;
    }
    if (count_served(connection, NULL) >= LIMIT_SYNC_STREAMS &&
        count_served(connection, opening->initiator) == 0) {
        net_connection_refuse(connection, STREAM_REFUSED_BUSY);
        return;
    }
    if (node_check_certificate(core->node, opening->certificate,
                               opening->certificate_size, &certificate) != 0 ||
        memcmp(certificate.sign_public, opening->initiator, 32) != 0 ||
        memcmp(certificate.sign_public, core->identity->sign_public, 32) == 0) {
        net_connection_refuse(connection, STREAM_REFUSED_CERTIFICATE);
        return;
    }
    randombytes_buf(ephemeral, sizeof(ephemeral));
    config = net_sync_config(core->identity, opening->initiator,
                             certificate.exchange_public, ephemeral);
    error = stream_new_responder(&config, opening, &connection->stream);
    sodium_memzero(ephemeral, sizeof(ephemeral));
    if (error != 0) {
        net_connection_close(connection);
        return;
    }
    connection->role = NET_SYNC;
    connection->is_sync = true;
    memcpy(connection->peer, opening->initiator, sizeof(connection->peer));
    net_connection_flush(connection);
}

static void net_sync_report(struct net_connection *connection,
                            enum node_event_type type, const uint8_t *bytes,
                            size_t size)
{
    struct node_event event = {.type = type,
                               .bytes = bytes,
                               .size = size,
                               .stream =
                                   connection->is_opened ? connection->id : 0,
                               .is_initiator = connection->is_initiator};

    memcpy(event.peer, connection->peer, sizeof(event.peer));
    core_step(connection->net->core, &event);
}

void net_sync_established(struct net_connection *connection)
{
    connection->is_opened = true;
    connection->deadline_ms = clock_now_ms() + LIMIT_SYNC_STREAM_MS;
    net_sync_report(connection, NODE_EVENT_STREAM_OPENED, NULL, 0);
}

void net_sync_frame(struct net_connection *connection, const uint8_t *bytes,
                    size_t size)
{
    if (!connection->is_opened) {
        if (!connection->is_initiator && !net_sync_proved(connection)) {
            return;
        }
        net_sync_established(connection);
    }
    if (size > 0 && connection->role == NET_SYNC) {
        net_sync_report(connection, NODE_EVENT_STREAM_FRAME, bytes, size);
    }
}

void net_sync_closed(struct net_connection *connection)
{
    if (!connection->net->is_closing &&
        (connection->is_opened || connection->is_initiator)) {
        net_sync_report(connection, NODE_EVENT_STREAM_CLOSED, NULL, 0);
    }
}

static void net_sync_connected(uv_connect_t *request, int status)
{
    struct net_connection *connection = request->data;

    if (connection->is_closing) {
        return;
    }
    if (status != 0) {
        net_connection_close(connection);
        return;
    }
    net_connection_flush(connection);
    net_connection_read(connection);
}

/* Makes the initiator's stream.  0 or an error that ends the attempt. */
static int net_sync_start(struct net_connection *connection,
                          const struct endpoint *endpoint)
{
    struct core *core = connection->net->core;
    struct node_member member;
    struct stream_config config;
    uint8_t ephemeral[32];
    size_t n_own = 0;
    int error;

    if (!node_member_find(core->node, connection->peer, &member)) {
        return -ENOENT;
    }
    for (const struct net_connection *other = connection->net->connections;
         other != NULL; other = other->next) {
        n_own += other->role == NET_SYNC && other->is_initiator &&
                 !other->is_closing;
    }
    if (n_own > LIMIT_SYNC_OWN_STREAMS) { /* this one among them */
        return -EBUSY;
    }
    randombytes_buf(ephemeral, sizeof(ephemeral));
    config = net_sync_config(core->identity, connection->peer,
                             member.certificate->exchange_public, ephemeral);
    error = stream_new_initiator(&config, &connection->stream);
    sodium_memzero(ephemeral, sizeof(ephemeral));
    if (error != 0) {
        return error;
    }
    return net_connection_connect(connection, endpoint, net_sync_connected);
}

void net_stream_open(void *data, const uint8_t peer[32],
                     const struct endpoint *endpoint)
{
    struct net *net = data;
    struct net_connection *connection = net_connection_new(net, NET_SYNC);

    if (connection == NULL) {
        return; /* the node asks again when its own time is over */
    }
    connection->is_initiator = true;
    memcpy(connection->peer, peer, sizeof(connection->peer));
    if (net_sync_start(connection, endpoint) != 0) {
        net_connection_close(connection); /* which reports it */
    }
}

static struct net_connection *net_sync_find(const struct net *net, uint32_t id)
{
    struct net_connection *connection = net->connections;

    while (connection != NULL && connection->id != id) {
        connection = connection->next;
    }
    return connection != NULL && connection->role == NET_SYNC &&
                   !connection->is_closing
               ? connection
               : NULL;
}

void net_stream_send(void *data, uint32_t stream, const uint8_t *bytes,
                     size_t size)
{
    struct net *net = data;
    struct net_connection *connection = net_sync_find(net, stream);

    if (connection == NULL) {
        return; /* it ended meanwhile; the node hears of that */
    }
    if (stream_send_frame(connection->stream, bytes, size, false) != 0) {
        net_connection_close(connection);
        return;
    }
    net_connection_flush(connection);
}

void net_stream_close(void *data, uint32_t stream)
{
    struct net *net = data;
    struct net_connection *connection = net_sync_find(net, stream);
    static const uint8_t nothing[1] = {0};

    if (connection == NULL) {
        return;
    }
    if (stream_send_frame(connection->stream, nothing, 0, true) == 0) {
        net_connection_flush(connection);
    }
    net_connection_finish(connection);
}
