/*
 * Streams of purpose join.  A joiner has only a token: the name of the issuer
 * and an address of any node.  The issuer serves it (join_issuer.h); every
 * other node carries the bytes to the issuer without reading them.
 */
#include "agent/net/net_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/join/join_issuer.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

/* A relayed join may wait at the issuer too. */
#define NET_RELAY_MS (LIMIT_WAITING_MS + LIMIT_SYNC_STREAM_MS)

static void net_join_send(const uint8_t *frame, size_t size, bool is_last,
                          void *data)
{
    struct net_connection *connection = data;

    if (connection->is_closing || connection->role != NET_JOIN) {
        return;
    }
    if (stream_send_frame(connection->stream, frame, size, is_last) != 0) {
        net_connection_close(connection);
        return;
    }
    net_connection_flush(connection);
    if (is_last) {
        net_connection_finish(connection);
    }
}

void net_join_frame(struct net_connection *connection, const uint8_t *bytes,
                    size_t size)
{
    join_issuer_frame(connection->join, bytes, size);
}

void net_join_closed(struct net_connection *connection)
{
    connection->join = join_issuer_free(connection->join);
}

static void net_join_serve(struct net_connection *connection,
                           const struct stream_opening *opening)
{
    const struct identity *identity = connection->net->core->identity;
    struct stream_config config = {.purpose = STREAM_JOIN,
                                   .cluster = identity->genesis.cluster_id,
                                   .own_sign_public = identity->sign_public,
                                   .own_exchange_secret =
                                       identity->exchange_secret};
    uint8_t ephemeral[32];
    int error;

    randombytes_buf(ephemeral, sizeof(ephemeral));
    config.ephemeral_secret = ephemeral;
    config.peer_sign_public = opening->initiator;
    error = stream_new_responder(&config, opening, &connection->stream);
    sodium_memzero(ephemeral, sizeof(ephemeral));
    if (error == 0) {
        error = join_issuer_new(connection->net->core, net_join_send,
                                connection, &connection->join);
    }
    if (error != 0) {
        net_connection_close(connection);
        return;
    }
    connection->role = NET_JOIN;
    connection->deadline_ms = clock_now_ms() + LIMIT_PROOF_MS;
    connection->bytes_in_max = NET_RELAY_BYTES;
    net_connection_flush(connection);
}

void net_relay_bytes(struct net_connection *connection, const uint8_t *bytes,
                     size_t size)
{
    struct net_connection *other = connection->other;

    net_connection_write(other, bytes, size);
    if (!connection->is_closing && !other->is_closing &&
        uv_stream_get_write_queue_size((uv_stream_t *)&other->tcp) >
            NET_RELAY_QUEUE) {
        connection->is_paused = true;
        (void)uv_read_stop((uv_stream_t *)&connection->tcp); /* never fails */
    }
}

void net_relay_written(struct net_connection *connection)
{
    struct net_connection *other = connection->other;

    if (other != NULL && other->is_paused && !other->is_closing &&
        uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp) <
            NET_RELAY_QUEUE / 2) {
        other->is_paused = false;
        net_connection_read(other);
    }
}

static void net_relay_shut(uv_shutdown_t *request, int status)
{
    struct net_connection *connection = request->data;

    if (status != 0) {
        net_connection_close(connection);
    }
}

/* One side has said all: the other may still answer. */
void net_relay_end(struct net_connection *connection)
{
    struct net_connection *other = connection->other;

    if (other->is_at_end) {
        net_connection_close(connection); /* which finishes the other */
        return;
    }
    other->is_shutdown = true;
    if (uv_shutdown(&other->shutdown, (uv_stream_t *)&other->tcp,
                    net_relay_shut) != 0) {
        net_connection_close(connection);
    }
}

static void net_relay_connected(uv_connect_t *request, int status)
{
    struct net_connection *connection = request->data;
    struct net_connection *joiner = connection->other;

    if (connection->is_closing) {
        return;
    }
    if (joiner == NULL) {
        net_connection_close(connection);
        return;
    }
    if (status != 0) {
        log_warning("join not relayed: the issuer cannot be reached: %s",
                    uv_strerror(status));
        connection->other = NULL;
        joiner->other = NULL;
        net_connection_close(connection);
        net_connection_refuse(joiner, STREAM_REFUSED_UNKNOWN_RESPONDER);
        return;
    }
    connection->net->counters.joins_relayed++;
    net_connection_write(connection, joiner->opening, joiner->opening_size);
    free(joiner->opening);
    joiner->opening = NULL;
    joiner->opening_size = 0;
    net_connection_read(connection);
    net_connection_read(joiner);
}

static void net_join_relay(struct net_connection *connection,
                           const struct node_member *issuer)
{
    struct net_connection *other =
        net_connection_new(connection->net, NET_RELAY);

    if (other == NULL) {
        net_connection_close(connection);
        return;
    }
    connection->role = NET_RELAY;
    connection->bytes_in_max = NET_RELAY_BYTES;
    /* Nothing more is read before there is somewhere to send it. */
    (void)uv_read_stop((uv_stream_t *)&connection->tcp); /* never fails */
    connection->deadline_ms = clock_now_ms() + NET_RELAY_MS;
    other->is_initiator = true;
    other->deadline_ms = connection->deadline_ms;
    if (net_connection_connect(other, &issuer->certificate->mesh[0],
                               net_relay_connected) != 0) {
        net_connection_close(other);
        net_connection_refuse(connection, STREAM_REFUSED_UNKNOWN_RESPONDER);
        return;
    }
    connection->other = other;
    other->other = connection;
}

/* The opening is one that net_join_accept took. */
static void net_join_start(struct net_connection *connection,
                           const struct stream_opening *opening)
{
    struct core *core = connection->net->core;
    bool is_own =
        memcmp(opening->responder, core->identity->sign_public, 32) == 0;
    struct node_member issuer;

    if (!node_member_find(core->node, opening->responder, &issuer) ||
        (issuer.certificate->roles & BODY_ROLE_ISSUER) == 0 ||
        issuer.certificate->n_mesh == 0 || node_member_is_gone(&issuer)) {
        net_connection_refuse(connection, STREAM_REFUSED_UNKNOWN_RESPONDER);
        return;
    }
    if (is_own) {
        net_join_serve(connection, opening);
    } else {
        net_join_relay(connection, &issuer);
    }
}

void net_join_accept(struct net_connection *connection,
                     const struct stream_opening *opening)
{
    if (net_join_has_room(connection->net) &&
        net_count(connection->net, NET_WAITING) == 0) {
        net_join_start(connection, opening);
        return;
    }
    net_wait_join(connection);
    net_next(connection->net);
}

void net_join_begin(struct net_connection *connection)
{
    struct stream_opening opening;

    /* It parsed before it had to wait. */
    if (stream_parse_opening(connection->opening, connection->opening_size,
                             &opening) != 0) {
        net_connection_close(connection);
        return;
    }
    connection->role = NET_OPENING;
    net_join_start(connection, &opening);
    net_connection_rest(connection, opening.size);
}
