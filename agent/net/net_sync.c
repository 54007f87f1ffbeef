/*
 * Streams of purpose sync: between two certified nodes, for the node's own
 * frames.  The certificate is checked before anything is computed with its
 * keys; the peer has shown that it holds them once its first frame opens.
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
    if (net_count(connection->net, NET_SYNC) >= LIMIT_SYNC_STREAMS) {
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
    int error;

    if (!node_member_find(core->node, connection->peer, &member)) {
        return -ENOENT;
    }
    if (net_count(connection->net, NET_SYNC) > LIMIT_SYNC_STREAMS) {
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
