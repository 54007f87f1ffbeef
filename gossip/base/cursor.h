/*
 * Bounded reading and writing of big-endian binary data.  A cursor that once
 * ran out stays failed and every later call is a no-op returning zero, so a
 * decoder checks `failed` once, at its end (the idea is knot's wire_ctx).
 * Used by record, packet, message, stream and the OpenFlow codec.
 */
#ifndef SOCKETNET_GOSSIP_BASE_CURSOR_H
#define SOCKETNET_GOSSIP_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reads from borrowed bytes; valid as long as those bytes are. */
struct reader {
    const uint8_t *pos;
    const uint8_t *end;
    bool failed;
};

/* Writes into a borrowed buffer of fixed size. */
struct writer {
    uint8_t *start;
    uint8_t *pos;
    uint8_t *end;
    bool failed;
};

static inline struct reader reader_init(const void *bytes, size_t size)
{
    const uint8_t *start = bytes;

    /* NULL + 0 is undefined in C. */
    return (struct reader){.pos = start,
                           .end = size == 0 ? start : start + size};
}

static inline size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->pos);
}

/* Returns `size` borrowed bytes and moves past them, or NULL when short. */
static inline const uint8_t *reader_take(struct reader *reader, size_t size)
{
    const uint8_t *bytes = reader->pos;

    if (reader->failed || reader_left(reader) < size) {
        reader->failed = true;
        return NULL;
    }
    reader->pos += size;
    return bytes;
}

static inline void reader_copy(struct reader *reader, void *to, size_t size)
{
    const uint8_t *bytes = reader_take(reader, size);

    if (bytes != NULL && size > 0) {
        memcpy(to, bytes, size);
    }
}

static inline uint64_t reader_be(struct reader *reader, size_t size)
{
    const uint8_t *bytes = reader_take(reader, size);
    uint64_t value = 0;

    if (bytes == NULL) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        value = (value << 8) | bytes[i];
    }
    return value;
}

static inline uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)reader_be(reader, 1);
}

static inline uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)reader_be(reader, 2);
}

static inline uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)reader_be(reader, 4);
}

static inline uint64_t reader_u64(struct reader *reader)
{
    return reader_be(reader, 8);
}

static inline struct writer writer_init(void *buffer, size_t size)
{
    uint8_t *start = buffer;

    return (struct writer){
        .start = start, .pos = start, .end = size == 0 ? start : start + size};
}

static inline size_t writer_size(const struct writer *writer)
{
    return (size_t)(writer->pos - writer->start);
}

static inline size_t writer_left(const struct writer *writer)
{
    return (size_t)(writer->end - writer->pos);
}

/* Reserves `size` bytes and returns them, or NULL when there is no room. */
static inline uint8_t *writer_reserve(struct writer *writer, size_t size)
{
    uint8_t *bytes = writer->pos;

    if (writer->failed || writer_left(writer) < size) {
        writer->failed = true;
        return NULL;
    }
    writer->pos += size;
    return bytes;
}

static inline void writer_put(struct writer *writer, const void *from,
                              size_t size)
{
    uint8_t *bytes = writer_reserve(writer, size);

    if (bytes != NULL && size > 0) {
        memcpy(bytes, from, size);
    }
}

static inline void writer_be(struct writer *writer, uint64_t value, size_t size)
{
    uint8_t *bytes = writer_reserve(writer, size);

    if (bytes == NULL) {
        return;
    }
    for (size_t i = size; i > 0; i--) {
        bytes[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

static inline void writer_u8(struct writer *writer, uint8_t value)
{
    writer_be(writer, value, 1);
}

static inline void writer_u16(struct writer *writer, uint16_t value)
{
    writer_be(writer, value, 2);
}

static inline void writer_u32(struct writer *writer, uint32_t value)
{
    writer_be(writer, value, 4);
}

static inline void writer_u64(struct writer *writer, uint64_t value)
{
    writer_be(writer, value, 8);
}

#endif
