/*
 * The messages between launcher, core and worker: one table says what each
 * type carries, the packer and the reader follow it.  Packing is msgpack-c's;
 * reading is by hand, because a message is a flat array of scalars and the
 * reader neither allocates nor recurses: msgpack-c would allocate what a
 * hostile array header claims.
 */
#include "agent/ipc/ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <msgpack.h>

#include "gossip/base/cursor.h"

/* Text for people is cut to this when sent; longer is malformed. */
#define IPC_TEXT_MAX 1024
#define IPC_NAME_MAX 255
/* More descriptors than expected must fit, to be closed. */
#define IPC_FDS_MAX 4

/* What follows the type, one letter per element:
 *   n number   v value   d duration_us   f flag   a name   t text   b bytes */
static const char *ipc_shape(uint8_t type)
{
    switch (type) {
    case IPC_SNAPSHOT_BEGIN:
    case IPC_SNAPSHOT_END:
    case IPC_WANT_SNAPSHOT:
        return "n";
    case IPC_SNAPSHOT_ITEM:
        return "b";
    case IPC_DELTA:
        return "nvb";
    case IPC_QUERY:
        return "na";
    case IPC_HELLO:
        return "nvf";
    case IPC_APPLIED:
        return "nvdt";
    case IPC_PORT:
        return "av";
    case IPC_OVS:
        return "ft";
    case IPC_REFUSED:
        return "at";
    case IPC_REPLY:
        return "nfb";
    case IPC_TUNNEL:
        return "aft";
    case IPC_NOTE:
        return "vt";
    case IPC_PEER:
    case IPC_READY:
        return "";
    default:
        return NULL;
    }
}

/* Length of the UTF-8 sequence at `text`, 0 when it is none or a control
 * character (RFC 3629: no surrogates, no overlong forms). */
static size_t utf8_len(const uint8_t *text, size_t left)
{
    uint8_t first = text[0];
    size_t len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (first < 0x80) {
        return first >= 0x20 && first != 0x7f ? 1 : 0;
    }
    if (first < 0xc2 || first > 0xf4 || left < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((first == 0xe0 && text[1] < 0xa0) ||
        (first == 0xed && text[1] > 0x9f) ||
        (first == 0xf0 && text[1] < 0x90) ||
        (first == 0xf4 && text[1] > 0x8f)) {
        return 0;
    }
    return len;
}

static bool text_is_clean(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len(text + i, len - i);

        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

/* What the switch said may hold anything; the other side takes only clean
 * text. */
static void text_clean(uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len(text + i, len - i);

        if (n == 0) {
            text[i] = text[i] < 0x20 ? ' ' : '?';
            n = 1;
        }
        i += n;
    }
}

static int write_packed(void *data, const char *bytes, size_t size)
{
    struct writer *writer = data;

    writer_put(writer, bytes, size);
    return writer->failed ? -1 : 0;
}

static void pack_text(msgpack_packer *packer, struct writer *writer,
                      const char *text, size_t len)
{
    (void)msgpack_pack_str(packer, len); /* failure shows in the writer */
    (void)msgpack_pack_str_body(packer, text, len);
    if (!writer->failed) {
        text_clean(writer->pos - len, len);
    }
}

static void pack_element(msgpack_packer *packer, struct writer *writer,
                         char letter, const struct ipc_message *message)
{
    /* Failure of any of these shows in the writer. */
    switch (letter) {
    case 'n':
        (void)msgpack_pack_uint64(packer, message->number);
        break;
    case 'v':
        (void)msgpack_pack_int64(packer, message->value);
        break;
    case 'd':
        (void)msgpack_pack_uint64(packer, message->duration_us);
        break;
    case 'f':
        (void)(message->flag ? msgpack_pack_true(packer)
                             : msgpack_pack_false(packer));
        break;
    case 'a':
        pack_text(packer, writer, message->name, message->name_len);
        break;
    case 't':
        pack_text(packer, writer, message->text,
                  MIN_OF(message->text_len, IPC_TEXT_MAX));
        break;
    default:
        (void)msgpack_pack_bin(packer, message->size);
        (void)msgpack_pack_bin_body(packer, message->bytes, message->size);
        break;
    }
}

int ipc_pack(const struct ipc_message *message, uint8_t *buffer,
             size_t buffer_size, size_t *ret_size)
{
    struct writer writer =
        writer_init(buffer, MIN_OF(buffer_size, IPC_MESSAGE_MAX));
    const char *shape = ipc_shape(message->type);
    msgpack_packer packer;

    if (shape == NULL || message->name_len > IPC_NAME_MAX) {
        return -EINVAL;
    }
    msgpack_packer_init(&packer, &writer, write_packed);
    (void)msgpack_pack_array(&packer, 1 + strlen(shape));
    (void)msgpack_pack_uint8(&packer, message->type);
    for (const char *letter = shape; *letter != '\0'; letter++) {
        pack_element(&packer, &writer, *letter, message);
    }
    if (writer.failed) {
        return -EMSGSIZE;
    }
    *ret_size = writer_size(&writer);
    return 0;
}

/* Reads msgpack's unsigned forms; negative ones are no unsigned number. */
static uint64_t read_unsigned(struct reader *reader)
{
    uint8_t tag = reader_u8(reader);

    if (tag <= 0x7f) {
        return tag;
    }
    if (tag >= 0xcc && tag <= 0xcf) {
        return reader_be(reader, (size_t)1 << (tag - 0xcc));
    }
    reader->failed = true;
    return 0;
}

static int64_t read_signed(struct reader *reader)
{
    uint8_t tag = reader_left(reader) > 0 ? *reader->pos : 0;
    uint64_t value;

    if (tag >= 0xe0) {
        (void)reader_u8(reader);
        return (int8_t)tag;
    }
    if (tag >= 0xd0 && tag <= 0xd3) {
        unsigned bits = 8u << (tag - 0xd0);

        (void)reader_u8(reader);
        value = reader_be(reader, bits / 8) << (64 - bits);
        return (int64_t)value >> (64 - bits);
    }
    value = read_unsigned(reader);
    if (value > INT64_MAX) {
        reader->failed = true;
        return 0;
    }
    return (int64_t)value;
}

static bool read_flag(struct reader *reader)
{
    uint8_t tag = reader_u8(reader);

    if (tag != 0xc2 && tag != 0xc3) {
        reader->failed = true;
    }
    return tag == 0xc3;
}

/* A str (fixstr to str 32) or, with `is_bytes`, a bin. */
static const uint8_t *read_block(struct reader *reader, bool is_bytes,
                                 size_t max, size_t *ret_size)
{
    uint8_t tag = reader_u8(reader);
    uint8_t first = is_bytes ? 0xc4 : 0xd9;
    size_t size = 0;

    if (!is_bytes && (tag & 0xe0) == 0xa0) {
        size = tag & 0x1f;
    } else if (tag >= first && tag < first + 3) {
        size = (size_t)reader_be(reader, (size_t)1 << (tag - first));
    } else {
        reader->failed = true;
    }
    if (size > max) {
        reader->failed = true;
    }
    *ret_size = size;
    return reader_take(reader, size);
}

static const char *read_text(struct reader *reader, size_t max, size_t *ret_len)
{
    const uint8_t *text = read_block(reader, false, max, ret_len);

    if (text == NULL || !text_is_clean(text, *ret_len)) {
        reader->failed = true;
        *ret_len = 0;
        return "";
    }
    return (const char *)text;
}

static void unpack_element(struct reader *reader, char letter,
                           struct ipc_message *message)
{
    switch (letter) {
    case 'n':
        message->number = read_unsigned(reader);
        break;
    case 'v':
        message->value = read_signed(reader);
        break;
    case 'd':
        message->duration_us = read_unsigned(reader);
        break;
    case 'f':
        message->flag = read_flag(reader);
        break;
    case 'a':
        message->name = read_text(reader, IPC_NAME_MAX, &message->name_len);
        break;
    case 't':
        message->text = read_text(reader, IPC_TEXT_MAX, &message->text_len);
        break;
    default:
        message->bytes =
            read_block(reader, true, IPC_MESSAGE_MAX, &message->size);
        break;
    }
}

int ipc_unpack(const uint8_t *bytes, size_t size, struct ipc_message *ret)
{
    struct reader reader = reader_init(bytes, size);
    struct ipc_message message = {.name = "", .text = "", .fd = -1};
    uint8_t head = reader_u8(&reader);
    uint64_t type = read_unsigned(&reader);
    const char *shape =
        !reader.failed && type <= UINT8_MAX ? ipc_shape((uint8_t)type) : NULL;

    if (size > IPC_MESSAGE_MAX || shape == NULL ||
        head != 0x90 + 1 + strlen(shape)) {
        return IPC_E_MALFORMED;
    }
    message.type = (uint8_t)type;
    for (const char *letter = shape; *letter != '\0'; letter++) {
        unpack_element(&reader, *letter, &message);
    }
    if (reader.failed || reader_left(&reader) > 0) {
        return IPC_E_MALFORMED;
    }
    *ret = message;
    return 0;
}

/* Room for the control messages of IPC_FDS_MAX descriptors, aligned. */
union ipc_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

int ipc_send_bytes(int fd, const uint8_t *bytes, size_t size, int passed_fd)
{
    union ipc_control control = {0};
    struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes,
                           .iov_len = size};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};

    if (passed_fd >= 0) {
        struct cmsghdr *rights;

        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(sizeof(int));
        rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &passed_fd, sizeof(int));
    }
    for (;;) {
        if (sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
            return 0;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno == EAGAIN || errno == ENOBUFS) {
            return IPC_E_AGAIN;
        }
        return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN
                   ? IPC_E_CLOSED
                   : -errno;
    }
}

size_t ipc_pack_bound(const struct ipc_message *message)
{
    /* At most six elements with heads of at most nine bytes. */
    size_t bound = 64 + message->name_len +
                   MIN_OF(message->text_len, IPC_TEXT_MAX) + message->size;

    return MIN_OF(bound, IPC_MESSAGE_MAX);
}

int ipc_send(int fd, const struct ipc_message *message)
{
    size_t size = ipc_pack_bound(message);
    _cleanup_(free_pointer) uint8_t *buffer = malloc(size);
    int error;

    if (buffer == NULL) {
        return -ENOMEM;
    }
    error = ipc_pack(message, buffer, size, &size);
    return error != 0 ? error : ipc_send_bytes(fd, buffer, size, message->fd);
}

/* Takes the first descriptor out of the control messages and closes every
 * other one, so that a peer cannot fill our table. */
static int take_descriptor(struct msghdr *header)
{
    int taken = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL;
         c = CMSG_NXTHDR(header, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (taken < 0) {
                taken = fd;
            } else {
                (void)close(fd); /* nothing was written to it */
            }
        }
    }
    return taken;
}

int ipc_receive(int fd, uint8_t *buffer, size_t buffer_size,
                struct ipc_message *ret)
{
    union ipc_control control;
    struct iovec vector = {.iov_base = buffer, .iov_len = buffer_size};
    struct msghdr header = {.msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    struct ipc_message message;
    ssize_t n;
    int passed;
    int error;

    do {
        n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN       ? IPC_E_AGAIN
               : errno == ECONNRESET ? IPC_E_CLOSED
                                     : -errno;
    }
    passed = take_descriptor(&header);
    if (n == 0 && passed < 0) {
        return IPC_E_CLOSED; /* nobody sends empty messages */
    }
    error = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0
                ? IPC_E_MALFORMED
                : ipc_unpack(buffer, (size_t)n, &message);
    if (error == 0 && (message.type == IPC_PEER) != (passed >= 0)) {
        error = IPC_E_MALFORMED; /* a descriptor comes with PEER only */
    }
    if (error != 0) {
        if (passed >= 0) {
            (void)close(passed); /* nothing was written to it */
        }
        return error;
    }
    message.fd = passed;
    *ret = message;
    return 0;
}
