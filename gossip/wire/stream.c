/*
 * Encrypted streams: frames and buffers.  See stream.h; the handshake is in
 * stream_handshake.c, agent/net/net.c moves the bytes, node.c reads the frames.
 */
#include "gossip/wire/stream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/cursor.h"

/* The largest frame on the wire. */
#define STREAM_WIRE_MAX (LIMIT_FRAME_SIZE + STREAM_FRAME_OVERHEAD)
/* A frame waiting for the keys: u32 size, u8 is_last, plaintext. */
#define STREAM_PENDING_HEAD 5

struct stream *stream_free(struct stream *stream)
{
    if (stream == NULL) {
        return NULL;
    }
    stream_buffer_done(&stream->input);
    stream_buffer_done(&stream->output);
    stream_buffer_done(&stream->pending);
    stream_buffer_done(&stream->frame);
    sodium_memzero(stream, sizeof(*stream));
    free(stream);
    return NULL;
}

void stream_free_pointer(struct stream **stream)
{
    *stream = stream_free(*stream);
}

/* Encrypts one frame onto the output. */
static int encrypt_frame(struct stream *stream, const uint8_t *bytes,
                         size_t size, bool is_last)
{
    unsigned char tag = is_last
                            ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
                            : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
    int error =
        stream_buffer_reserve(&stream->output, STREAM_FRAME_OVERHEAD + size);
    struct writer writer;
    uint8_t *to;

    if (error < 0) {
        return error;
    }
    to = stream->output.data + stream->output.end;
    writer = writer_init(to, 4);
    writer_u32(&writer, (uint32_t)(size + STREAM_TAG_SIZE));
    /* Cannot fail: the size is far below the cipher's. */
    (void)crypto_secretstream_xchacha20poly1305_push(
        &stream->push, to + 4, NULL, bytes, size, NULL, 0, tag);
    stream->output.end += STREAM_FRAME_OVERHEAD + size;
    return 0;
}

int stream_flush_pending(struct stream *stream)
{
    while (stream_buffer_size(&stream->pending) > 0) {
        const uint8_t *at = stream->pending.data + stream->pending.start;
        struct reader reader = reader_init(at, STREAM_PENDING_HEAD);
        size_t size = reader_u32(&reader);
        bool is_last = reader_u8(&reader) != 0;
        int error =
            encrypt_frame(stream, at + STREAM_PENDING_HEAD, size, is_last);

        if (error < 0) {
            return error;
        }
        stream_buffer_consume(&stream->pending, STREAM_PENDING_HEAD + size);
    }
    return 0;
}

int stream_receive(struct stream *stream, const uint8_t *bytes, size_t size)
{
    int error;

    if (stream->failed != 0) {
        return stream->failed;
    }
    if (size == 0) {
        return 0;
    }
    if (stream->is_ended) {
        stream->failed = STREAM_E_PROTOCOL;
        return stream->failed;
    }
    if (stream_buffer_size(&stream->input) >= STREAM_WIRE_MAX) {
        return -ENOBUFS;
    }
    error = stream_buffer_append(&stream->input, bytes, size);
    if (error == 0 && !stream->has_receive) {
        error = stream_handshake_advance(stream);
    }
    /* Half a handshake, or a gap in the input, cannot be continued. */
    stream->failed = error;
    return error;
}

/* Decrypts the `size` bytes at the front of the input into `frame`. */
static int decrypt_frame(struct stream *stream, size_t size,
                         size_t *ret_plain_size)
{
    const uint8_t *bytes = stream->input.data + stream->input.start + 4;
    unsigned long long plain_size = 0;
    unsigned char tag = 0;

    if (crypto_secretstream_xchacha20poly1305_pull(
            &stream->pull, stream->frame.data, &plain_size, &tag, bytes, size,
            NULL, 0) != 0) {
        return STREAM_E_CRYPTO;
    }
    if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL) {
        stream->is_ended = true;
    } else if (tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE) {
        return STREAM_E_PROTOCOL;
    }
    *ret_plain_size = (size_t)plain_size;
    return 0;
}

/* As stream_next_frame; a positive result but AGAIN ends the stream. */
static int take_frame(struct stream *stream, const uint8_t **ret_bytes,
                      size_t *ret_size)
{
    size_t left = stream_buffer_size(&stream->input);
    struct reader reader;
    size_t size;
    int error;

    if (stream->is_ended) {
        return left == 0 ? STREAM_E_END : STREAM_E_PROTOCOL;
    }
    if (!stream->has_receive || left < 4) {
        return STREAM_E_AGAIN;
    }
    reader = reader_init(stream->input.data + stream->input.start, 4);
    size = reader_u32(&reader);
    if (size < STREAM_TAG_SIZE || size > LIMIT_FRAME_SIZE + STREAM_TAG_SIZE) {
        return STREAM_E_PROTOCOL;
    }
    if (left - 4 < size) {
        return STREAM_E_AGAIN;
    }
    /* At least one byte, so that an empty frame has an address too. */
    error = stream_buffer_reserve(&stream->frame, size);
    if (error < 0) {
        return error;
    }
    error = decrypt_frame(stream, size, ret_size);
    if (error != 0) {
        return error;
    }
    stream_buffer_consume(&stream->input, 4 + size);
    *ret_bytes = stream->frame.data;
    return 0;
}

int stream_next_frame(struct stream *stream, const uint8_t **ret_bytes,
                      size_t *ret_size)
{
    int error;

    if (stream->failed != 0) {
        return stream->failed;
    }
    error = take_frame(stream, ret_bytes, ret_size);
    if (error > 0 && error != STREAM_E_AGAIN) {
        stream->failed = error;
    }
    if (error != 0) {
        /* Nothing is lent out now; an idle stream holds no frame. */
        stream_buffer_done(&stream->frame);
    }
    return error;
}

/* Keeps a frame until there are keys. */
static int queue_pending(struct stream *stream, const uint8_t *bytes,
                         size_t size, bool is_last)
{
    uint8_t head[STREAM_PENDING_HEAD];
    struct writer writer = writer_init(head, sizeof(head));
    int error =
        stream_buffer_reserve(&stream->pending, STREAM_PENDING_HEAD + size);

    if (error < 0) {
        return error;
    }
    writer_u32(&writer, (uint32_t)size);
    writer_u8(&writer, is_last ? 1 : 0);
    error = stream_buffer_append(&stream->pending, head, sizeof(head));
    if (error < 0) {
        return error;
    }
    return stream_buffer_append(&stream->pending, bytes, size);
}

int stream_send_frame(struct stream *stream, const uint8_t *bytes, size_t size,
                      bool is_last)
{
    size_t waiting = stream_buffer_size(&stream->output) +
                     stream_buffer_size(&stream->pending);
    int error;

    if (size > LIMIT_FRAME_SIZE) {
        return -EMSGSIZE;
    }
    if (stream->is_sent) {
        return -EPIPE;
    }
    if (waiting + size + STREAM_FRAME_OVERHEAD > LIMIT_STREAM_OUTPUT) {
        return -ENOBUFS;
    }
    /* Frames keep their order: none overtakes one that still waits. */
    if (stream->has_send && stream_buffer_size(&stream->pending) == 0) {
        error = encrypt_frame(stream, bytes, size, is_last);
    } else {
        error = queue_pending(stream, bytes, size, is_last);
    }
    if (error == 0) {
        stream->is_sent = is_last;
    }
    return error;
}

void stream_output(const struct stream *stream, const uint8_t **ret_bytes,
                   size_t *ret_size)
{
    *ret_size = stream_buffer_size(&stream->output);
    *ret_bytes =
        *ret_size > 0 ? stream->output.data + stream->output.start : NULL;
}

void stream_consume_output(struct stream *stream, size_t size)
{
    stream_buffer_consume(&stream->output,
                          MIN_OF(size, stream_buffer_size(&stream->output)));
}

bool stream_is_established(const struct stream *stream)
{
    return stream->has_send && stream->has_receive && stream->failed == 0;
}

uint16_t stream_n_before(const struct stream *stream)
{
    return stream->n_before;
}

uint8_t stream_refusal_reason(const struct stream *stream)
{
    return stream->refusal;
}
