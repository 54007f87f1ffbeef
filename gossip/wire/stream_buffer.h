/*
 * Internal to stream*.c: a byte queue that may hold plaintext, so it
 * never leaves a copy behind when it grows, shrinks or is freed.
 */
#ifndef SOCKETNET_GOSSIP_WIRE_STREAM_BUFFER_H
#define SOCKETNET_GOSSIP_WIRE_STREAM_BUFFER_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/macros.h"

/* Bytes [start, end) of `data` are in the queue. */
struct stream_buffer {
    uint8_t *data;
    size_t start;
    size_t end;
    size_t capacity;
};

static inline size_t stream_buffer_size(const struct stream_buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline void stream_buffer_done(struct stream_buffer *buffer)
{
    if (buffer->data != NULL) {
        sodium_memzero(buffer->data, buffer->capacity);
        free(buffer->data);
    }
    *buffer = (struct stream_buffer){.data = NULL};
}

/* Room for `size` more bytes at the end.  0 or -ENOMEM. */
_must_check_ static inline int
stream_buffer_reserve(struct stream_buffer *buffer, size_t size)
{
    size_t used = stream_buffer_size(buffer);
    size_t capacity = buffer->capacity;
    uint8_t *data;

    if (capacity - buffer->end >= size) {
        return 0;
    }
    if (used > 0 && buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, used);
    }
    buffer->start = 0;
    buffer->end = used;
    if (capacity - used >= size) {
        return 0;
    }
    /* Twice as much each time, so that many small appends stay cheap. */
    capacity = MAX_OF(capacity * 2, used + size);
    capacity = MAX_OF(capacity, (size_t)512);
    data = malloc(capacity);
    if (data == NULL) {
        return -ENOMEM;
    }
    if (used > 0) {
        memcpy(data, buffer->data, used);
    }
    stream_buffer_done(buffer);
    *buffer = (struct stream_buffer){
        .data = data,
        .end = used,
        .capacity = capacity,
    };
    return 0;
}

/* 0 or -ENOMEM. */
_must_check_ static inline int
stream_buffer_append(struct stream_buffer *buffer, const void *bytes,
                     size_t size)
{
    int error = stream_buffer_reserve(buffer, size);

    if (error < 0) {
        return error;
    }
    if (size > 0) {
        memcpy(buffer->data + buffer->end, bytes, size);
    }
    buffer->end += size;
    return 0;
}

/* Drops bytes from the front; an empty queue gives its memory back, since a
 * stream is idle far longer than it is busy. */
static inline void stream_buffer_consume(struct stream_buffer *buffer,
                                         size_t size)
{
    buffer->start += size;
    if (buffer->start == buffer->end) {
        stream_buffer_done(buffer);
    }
}

#endif
