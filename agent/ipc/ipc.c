/*
 * The messages between launcher, core and worker: one table says what each
 * type carries, the packer and the reader follow it.
 */
#include "agent/ipc/ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gossip/base/pack.h"
#include "gossip/base/text.h"
#include "gossip/base/unpack.h"

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
    case IPC_NEIGHBOR:
        return "at";
    case IPC_REPLY:
        return "nfb";
    case IPC_TUNNEL:
        return "aft";
    case IPC_BLOCKED:
        return "nt";
    case IPC_NOTE:
        return "vt";
    case IPC_PEER:
    case IPC_READY:
    case IPC_RESTART:
        return "";
    default:
        return NULL;
    }
}

/* What the switch said may hold anything; the other side takes only clean
 * text. */
static void pack_clean(struct pack *pack, const char *text, size_t len)
{
    char clean[IPC_TEXT_MAX];

    if (len > 0) {
        memcpy(clean, text, len);
    }
    text_clean(clean, len);
    pack_chars(pack, clean, len);
}

static void pack_element(struct pack *pack, char letter,
                         const struct ipc_message *message)
{
    switch (letter) {
    case 'n':
        pack_uint(pack, message->number);
        break;
    case 'v':
        pack_int(pack, message->value);
        break;
    case 'd':
        pack_uint(pack, message->duration_us);
        break;
    case 'f':
        pack_bool(pack, message->flag);
        break;
    case 'a':
        pack_clean(pack, message->name, message->name_len);
        break;
    case 't':
        pack_clean(pack, message->text,
                   MIN_OF(message->text_len, IPC_TEXT_MAX));
        break;
    default:
        pack_bin(pack, message->bytes, message->size);
        break;
    }
}

int ipc_pack(const struct ipc_message *message, uint8_t *buffer,
             size_t buffer_size, size_t *ret_size)
{
    const char *shape = ipc_shape(message->type);
    struct pack pack;

    if (shape == NULL || message->name_len > IPC_NAME_MAX) {
        return -EINVAL;
    }
    pack_begin(&pack, buffer, MIN_OF(buffer_size, IPC_MESSAGE_MAX));
    pack_array(&pack, 1 + strlen(shape));
    pack_uint(&pack, message->type);
    for (const char *letter = shape; *letter != '\0'; letter++) {
        pack_element(&pack, *letter, message);
    }
    return pack_end(&pack, ret_size) != 0 ? -EMSGSIZE : 0;
}

static void unpack_element(struct unpack *unpack, char letter,
                           const msgpack_object *value,
                           struct ipc_message *message)
{
    switch (letter) {
    case 'n':
        message->number = unpack_uint(unpack, value, 0, UINT64_MAX);
        break;
    case 'v':
        message->value = unpack_int(unpack, value);
        break;
    case 'd':
        message->duration_us = unpack_uint(unpack, value, 0, UINT64_MAX);
        break;
    case 'f':
        message->flag = unpack_bool(unpack, value);
        break;
    case 'a':
        message->name =
            unpack_chars(unpack, value, IPC_NAME_MAX, &message->name_len);
        break;
    case 't':
        message->text =
            unpack_chars(unpack, value, IPC_TEXT_MAX, &message->text_len);
        break;
    default:
        message->bytes = unpack_slice(unpack, value, &message->size);
        break;
    }
}

int ipc_unpack(const uint8_t *bytes, size_t size, struct ipc_message *ret)
{
    struct ipc_message message = {.name = "", .text = "", .fd = -1};
    const msgpack_object *items;
    struct unpack unpack;
    const char *shape;
    size_t n;

    if (size > IPC_MESSAGE_MAX) {
        return IPC_E_MALFORMED;
    }
    unpack_begin(&unpack, bytes, size);
    n = unpack_array(&unpack, &unpack.root, SIZE_MAX, &items);
    if (n == 0) {
        return IPC_E_MALFORMED;
    }
    message.type = (uint8_t)unpack_uint(&unpack, &items[0], 0, UINT8_MAX);
    shape = ipc_shape(message.type);
    if (shape == NULL || n != 1 + strlen(shape)) {
        return IPC_E_MALFORMED;
    }
    for (size_t i = 1; i < n; i++) {
        unpack_element(&unpack, shape[i - 1], &items[i], &message);
    }
    if (unpack_end(&unpack) != 0) {
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

/* The size of a message, or negative errno. */
static ssize_t receive(int fd, struct msghdr *header)
{
    ssize_t n;

    do {
        n = recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
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

    /* The peer closed with something of ours unread: the kernel says so once,
     * before it gives what the peer had said. */
    n = receive(fd, &header);
    if (n == -ECONNRESET) {
        n = receive(fd, &header);
    }
    if (n < 0) {
        return n == -EAGAIN       ? IPC_E_AGAIN
               : n == -ECONNRESET ? IPC_E_CLOSED
                                  : (int)n;
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
