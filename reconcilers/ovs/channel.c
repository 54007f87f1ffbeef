/* The stream under ofconn.c and ovsdb.c; see channel.h. */
#include "reconcilers/ovs/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* One read; also the smallest allocation.  The largest OpenFlow message. */
#define CHANNEL_READ_SIZE 65536

static void buffer_done(struct channel_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct channel_buffer){0};
}

/* Makes room for `size` bytes behind what is there.  0 or -ENOMEM. */
static int buffer_reserve(struct channel_buffer *buffer, size_t size)
{
    size_t wanted, capacity;
    uint8_t *bytes;

    if (buffer->head > 0 &&
        buffer->capacity - buffer->head - buffer->size < size) {
        memmove(buffer->bytes, buffer->bytes + buffer->head, buffer->size);
        buffer->head = 0;
    }
    if (size > SIZE_MAX / 4 - buffer->size) {
        return -ENOMEM;
    }
    wanted = buffer->size + size;
    if (buffer->capacity - buffer->head >= wanted) {
        return 0;
    }
    capacity = MAX_OF(buffer->capacity, (size_t)1024);
    while (capacity < wanted) {
        capacity *= 2;
    }
    bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return 0;
}

int channel_buffer_append(struct channel_buffer *buffer, const void *bytes,
                          size_t size)
{
    int error = buffer_reserve(buffer, size);

    if (error != 0 || size == 0) {
        return error;
    }
    memcpy(buffer->bytes + buffer->head + buffer->size, bytes, size);
    buffer->size += size;
    return 0;
}

void channel_buffer_consume(struct channel_buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->head += size;
    buffer->size -= size;
    if (buffer->size > 0) {
        return;
    }
    buffer->head = 0;
    /* A burst (a large bundle, a first dump) must not stay resident. */
    if (buffer->capacity > 4 * CHANNEL_READ_SIZE) {
        buffer_done(buffer);
    }
}

void channel_done(struct channel *channel)
{
    if (channel->fd >= 0) {
        (void)close(channel->fd); /* nothing to be done about its error */
        channel->fd = -1;
    }
    buffer_done(&channel->in);
    buffer_done(&channel->out);
}

int channel_connect(struct channel *channel, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int fd, error;

    assert(channel->fd < 0);
    if (len >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    /* On a unix socket this never is "in progress": it is done, or the
     * listener's queue is full (EAGAIN), or there is no listener. */
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error = -errno;
        (void)close(fd); /* never used */
        return error;
    }
    channel->fd = fd;
    return 0;
}

int channel_send(struct channel *channel, const void *bytes, size_t size)
{
    return channel_buffer_append(&channel->out, bytes, size);
}

int channel_write(struct channel *channel)
{
    while (channel->out.size > 0) {
        ssize_t n = send(channel->fd, channel->out.bytes + channel->out.head,
                         channel->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        if (n < 0) {
            return errno == EPIPE ? -ECONNRESET : -errno;
        }
        channel_buffer_consume(&channel->out, (size_t)n);
    }
    return 0;
}

int channel_read(struct channel *channel, size_t max)
{
    struct channel_buffer *in = &channel->in;
    size_t room = CHANNEL_READ_SIZE;
    ssize_t n;
    int error;

    if (in->size >= max) {
        return -EOVERFLOW;
    }
    room = MIN_OF(room, max - in->size);
    error = buffer_reserve(in, room);
    if (error != 0) {
        return error;
    }
    n = recv(channel->fd, in->bytes + in->head + in->size, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return CHANNEL_E_AGAIN;
    }
    if (n < 0) {
        return -errno;
    }
    if (n == 0) {
        return -ECONNRESET;
    }
    in->size += (size_t)n;
    return 0;
}
