/*
 * A non-blocking unix stream with a receive and a send buffer: what ofconn.c
 * and ovsdb.c have in common.  It knows nothing of messages and has no loop;
 * its owner polls the descriptor.
 */
#ifndef SOCKETNET_RECONCILERS_OVS_CHANNEL_H
#define SOCKETNET_RECONCILERS_OVS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

/* Bytes [head, head + size) of an allocation that grows. */
struct channel_buffer {
    uint8_t *bytes;
    size_t head;
    size_t size;
    size_t capacity;
};

struct channel {
    int fd; /* -1: not connected; sends are then only kept */
    struct channel_buffer in;
    struct channel_buffer out;
};

#define CHANNEL_INIT                                                           \
    {                                                                          \
        .fd = -1                                                               \
    }

enum channel_error {
    CHANNEL_E_AGAIN = 1, /* nothing more to read now */
};

void channel_done(struct channel *channel);

/* Connects to a unix socket.  0 or negative errno; -ENOENT and -ECONNREFUSED
 * mean that nobody listens there. */
_must_check_ int channel_connect(struct channel *channel, const char *path);

/* Appends to the send buffer.  0 or -ENOMEM. */
_must_check_ int channel_send(struct channel *channel, const void *bytes,
                              size_t size);
/* Writes as much as the socket takes.  0 or negative errno. */
_must_check_ int channel_write(struct channel *channel);

/* One read into the receive buffer.  0: something came; CHANNEL_E_AGAIN;
 * -ECONNRESET when the other side is gone; -EOVERFLOW when the buffer would
 * exceed `max` bytes; other negative errno. */
_must_check_ int channel_read(struct channel *channel, size_t max);

/* Appends received bytes; the read above, and tests.  0, -ENOMEM. */
_must_check_ int channel_buffer_append(struct channel_buffer *buffer,
                                       const void *bytes, size_t size);
/* Drops bytes from the front. */
void channel_buffer_consume(struct channel_buffer *buffer, size_t size);

#endif
