/*
 * See ctl_client.h.  One connection per question, poll() with a deadline, and
 * http-parser for the answer.
 */
#include "agent/ctl/ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <http_parser.h>

#include "agent/system/clock.h"

#define LINE_MAX_SIZE (1u << 20)
#define RETRY_MS      10

struct client {
    const struct ctl_request *request;
    int fd;
    uint64_t deadline_ms; /* UINT64_MAX: none */
    http_parser parser;
    char *body; /* or the unfinished line of a stream */
    size_t size;
    size_t capacity;
    bool is_stream; /* status 200 of a request with `line` */
    bool is_complete;
    bool is_stopped; /* `line` has had enough */
    int error;       /* of a callback */
};

static const char *address_path(const struct ctl_request *request)
{
    const char *address =
        request->address != NULL ? request->address : CTL_ADDRESS_DEFAULT;

    return strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
}

static int fail(const struct ctl_request *request, int code, char **ret_error,
                const char *what, const char *detail, const char *next)
{
    if (asprintf(ret_error, "%s unix:%s (%s): %s", what, address_path(request),
                 detail, next) < 0) {
        *ret_error = NULL;
    }
    return code;
}

static int fail_connect(const struct ctl_request *request, int error,
                        char **ret_error)
{
    if (error == EACCES || error == EPERM) {
        char next[512];

        ctl_denied(address_path(request), geteuid(), next);
        return fail(request, CTL_E_DENIED, ret_error, "may not open",
                    strerror(error), next);
    }
    return fail(request, CTL_E_UNREACHABLE, ret_error,
                "cannot reach the agent at",
                error == ENOENT         ? "no such file"
                : error == ECONNREFUSED ? "nothing listens there"
                                        : strerror(error),
                "is it running? start it with: agent run (or systemctl start "
                "socketnet)");
}

static int fail_timeout(const struct ctl_request *request, char **ret_error)
{
    return fail(request, CTL_E_TIMEOUT, ret_error,
                "no answer from the agent at", "time is over",
                "it may be busy; try again with a longer --timeout");
}

/* Waits for `events` on the socket.  False when the deadline passed. */
static bool wait_for(struct client *client, short events)
{
    struct pollfd pollfd = {.fd = client->fd, .events = events};

    for (;;) {
        uint64_t now = clock_now_ms();
        int timeout = -1;
        int n;

        if (client->deadline_ms != UINT64_MAX) {
            if (now >= client->deadline_ms) {
                return false;
            }
            timeout =
                (int)MIN_OF(client->deadline_ms - now, (uint64_t)INT32_MAX);
        }
        n = poll(&pollfd, 1, timeout);
        if (n > 0 || (n < 0 && errno != EINTR)) {
            return true; /* an error shows in the read or write after this */
        }
    }
}

static int connect_to(struct client *client, char **ret_error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = address_path(client->request);
    struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

    if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path)) {
        return fail(client->request, CTL_E_ADDRESS, ret_error,
                    "not an address of an agent:",
                    path[0] == '/' ? "a path of at most 107 bytes is meant"
                                   : "unix:/PATH is meant",
                    "give --addr unix:/run/socketnet/api.sock");
    }
    memcpy(address.sun_path, path, strlen(path));
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0) {
        return -errno;
    }
    while (connect(client->fd, (const struct sockaddr *)&address,
                   sizeof(address)) < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            return fail_connect(client->request, errno, ret_error);
        }
        /* Its queue of connections is full. */
        if (clock_now_ms() >= client->deadline_ms) {
            return fail_timeout(client->request, ret_error);
        }
        (void)nanosleep(&pause, NULL); /* shorter is as good */
    }
    return 0;
}

static int send_request(struct client *client, char **ret_error)
{
    const struct ctl_request *request = client->request;
    const char *body = request->body != NULL ? request->body : "";
    _cleanup_(free_pointer) char *text = NULL;
    size_t pos = 0;
    int len = asprintf(&text,
                       "%s %s HTTP/1.1\r\nHost: agent\r\n"
                       "Content-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       request->method, request->target, strlen(body), body);

    if (len < 0) {
        text = NULL;
        return -ENOMEM;
    }
    while (pos < (size_t)len) {
        ssize_t n =
            send(client->fd, text + pos, (size_t)len - pos, MSG_NOSIGNAL);

        if (n >= 0) {
            pos += (size_t)n;
        } else if (errno == EAGAIN) {
            if (!wait_for(client, POLLOUT)) {
                return fail_timeout(request, ret_error);
            }
        } else if (errno != EINTR) {
            return 0; /* it may have answered before it closed: read on */
        }
    }
    return 0;
}

static int append(struct client *client, const char *bytes, size_t size)
{
    size_t needed = client->size + size + 1;

    if (needed > (client->is_stream ? LINE_MAX_SIZE : CTL_ANSWER_MAX)) {
        return -EMSGSIZE;
    }
    if (needed > client->capacity) {
        char *grown = realloc(client->body, 2 * needed);

        if (grown == NULL) {
            return -ENOMEM;
        }
        client->body = grown;
        client->capacity = 2 * needed;
    }
    memcpy(client->body + client->size, bytes, size);
    client->size += size;
    client->body[client->size] = '\0';
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct client *client = parser->data;

    client->is_stream =
        client->request->line != NULL && parser->status_code == 200;
    if (client->is_stream) {
        client->deadline_ms = UINT64_MAX;
    }
    return strcmp(client->request->method, "HEAD") == 0;
}

/* Hands over whole lines and keeps the rest. */
static int on_stream_body(struct client *client, const char *at, size_t size)
{
    while (size > 0 && !client->is_stopped) {
        const char *end = memchr(at, '\n', size);
        size_t part = end != NULL ? (size_t)(end - at) : size;

        client->error = append(client, at, part);
        if (client->error != 0 || end == NULL) {
            return client->error;
        }
        client->is_stopped = client->request->line(client->body, client->size,
                                                   client->request->data) != 0;
        client->size = 0;
        at += part + 1;
        size -= part + 1;
    }
    return client->is_stopped ? -1 : 0;
}

static int on_body(http_parser *parser, const char *at, size_t size)
{
    struct client *client = parser->data;

    if (client->is_stream) {
        return on_stream_body(client, at, size);
    }
    client->error = append(client, at, size);
    return client->error;
}

static int on_complete(http_parser *parser)
{
    struct client *client = parser->data;

    /* "100 Continue" and its like come before the answer. */
    client->is_complete = parser->status_code >= 200;
    return 0;
}

static const http_parser_settings client_settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static int fail_closed(struct client *client, char **ret_error)
{
    return fail(client->request, CTL_E_UNREACHABLE, ret_error,
                client->is_stream ? "the agent ended the stream at"
                                  : "the agent ended the connection at",
                client->is_stream ? "it stopped, or this client read too slowly"
                                  : "before it answered",
                "see its log: journalctl -u socketnet");
}

static int fail_parse(struct client *client, char **ret_error)
{
    if (client->error < 0) {
        return client->error;
    }
    return fail(client->request, CTL_E_PROTOCOL, ret_error,
                "what answers is no agent at",
                http_errno_description(HTTP_PARSER_ERRNO(&client->parser)),
                "check --addr");
}

static int read_answer(struct client *client, char **ret_error)
{
    while (!client->is_complete && !client->is_stopped) {
        char buffer[16384];
        ssize_t n = recv(client->fd, buffer, sizeof(buffer), 0);
        bool is_end = n == 0 || (n < 0 && errno == ECONNRESET);

        if (n < 0 && errno == EAGAIN) {
            if (!wait_for(client, POLLIN)) {
                return fail_timeout(client->request, ret_error);
            }
            continue;
        }
        if (n < 0 && !is_end) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        (void)http_parser_execute(&client->parser, &client_settings, buffer,
                                  is_end ? 0 : (size_t)n);
        if (client->is_stopped || client->is_complete) {
            return 0;
        }
        if (is_end) {
            return fail_closed(client, ret_error);
        }
        if (HTTP_PARSER_ERRNO(&client->parser) != HPE_OK) {
            return fail_parse(client, ret_error);
        }
    }
    return 0;
}

int ctl_client_ask(const struct ctl_request *request,
                   struct ctl_answer *ret_answer, char **ret_error)
{
    struct client client = {.request = request, .fd = -1};
    uint32_t timeout_ms =
        request->timeout_ms != 0 ? request->timeout_ms : CTL_TIMEOUT_MS;
    int error;

    client.deadline_ms = clock_now_ms() + timeout_ms;
    http_parser_init(&client.parser, HTTP_RESPONSE);
    client.parser.data = &client;
    error = connect_to(&client, ret_error);
    if (error == 0) {
        error = send_request(&client, ret_error);
    }
    if (error == 0) {
        error = read_answer(&client, ret_error);
    }
    if (error == 0) {
        error = append(&client, "", 0); /* never NULL */
    }
    if (client.fd >= 0) {
        close(client.fd);
    }
    if (error != 0) {
        free(client.body);
        if (error < 0 && asprintf(ret_error, "asking the agent failed: %s",
                                  strerror(-error)) < 0) {
            *ret_error = NULL;
        }
        return error;
    }
    *ret_answer = (struct ctl_answer){.status = client.parser.status_code,
                                      .body = client.body,
                                      .size = client.size};
    return 0;
}

void ctl_answer_done(struct ctl_answer *answer)
{
    free(answer->body);
    *answer = (struct ctl_answer){0};
}
