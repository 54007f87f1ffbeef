/*
 * The conversation of `agent join`; see join_client.h.  Bytes and encryption
 * are stream.h's, messages join_message.h's, judgement join_verify.c's.
 */
#include "agent/join/join_client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/config/config.h"
#include "agent/system/clock.h"
#include "agent/system/sockaddr.h"
#include "gossip/wire/message.h"
#include "gossip/wire/stream.h"

#define JOIN_ENDPOINTS_MAX 8
/* Who was told that the peer is busy asks again after this, and as much more
 * at most, by chance: not all at once. */
#define JOIN_AGAIN_MS 1000u
/* A connection that ended when it was our turn is made again so often. */
#define JOIN_AGAIN_MAX 3

struct client {
    const struct token *token;
    const struct join_request *request;
    const char *peer;
    char peer_text[ENDPOINT_TEXT_SIZE];
    int fd;
    uint64_t deadline_ms;
    uint64_t wait_until_ms;
    uint64_t holder_until_ms;
    unsigned n_before;
    unsigned n_again;
    bool is_again; /* what failed may go well the next time */
    const char *again_text;
    join_say_fn say;
    void *say_data;
    struct stream *stream;
    bool is_request_sent;
    bool is_answered;
    bool is_done;
    struct join_result *result;
    char **ret_error;
};

static int fail(struct client *client, int error, const char *format, ...)
    _printf_(3, 4);

static int fail(struct client *client, int error, const char *format, ...)
{
    va_list arguments;

    free(*client->ret_error);
    va_start(arguments, format);
    if (vasprintf(client->ret_error, format, arguments) < 0) {
        *client->ret_error = NULL;
    }
    va_end(arguments);
    return error;
}

void join_result_done(struct join_result *result)
{
    charters_done(&result->charters);
    free(result->records);
    result->records = NULL;
}

/* 0, or -ETIMEDOUT at the deadline. */
static int wait_for(const struct client *client, short events)
{
    for (;;) {
        struct pollfd poll_fd = {.fd = client->fd, .events = events};
        uint64_t now_ms = clock_now_ms();
        int n;

        if (now_ms >= client->deadline_ms) {
            return -ETIMEDOUT;
        }
        n = poll(&poll_fd, 1, (int)(client->deadline_ms - now_ms));
        if (n > 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
    }
}

static int connect_to(struct client *client, const struct endpoint *endpoint)
{
    struct sockaddr_storage address;
    socklen_t size = sockaddr_put(endpoint, &address);
    socklen_t refused_size = sizeof(int);
    int refused = 0;
    int error;

    client->fd = socket(address.ss_family,
                        SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0) {
        return -errno;
    }
    client->deadline_ms = clock_now_ms() + JOIN_CONNECT_MS;
    if (connect(client->fd, (struct sockaddr *)&address, size) < 0 &&
        errno != EINPROGRESS) {
        error = -errno;
    } else {
        error = wait_for(client, POLLOUT);
    }
    if (error == 0 && getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &refused,
                                 &refused_size) == 0) {
        error = -refused;
    }
    if (error != 0) {
        (void)close(client->fd); /* never used */
        client->fd = -1;
    }
    return error;
}

/* Tries each address of the peer in turn. */
static int connect_peer(struct client *client)
{
    struct endpoint endpoints[JOIN_ENDPOINTS_MAX];
    size_t n;
    int error = -ENOENT;

    n = join_resolve(client->peer, CONFIG_PORT_DEFAULT, endpoints,
                     JOIN_ENDPOINTS_MAX, client->ret_error);
    if (n == 0) {
        return JOIN_E_UNREACHED;
    }
    for (size_t i = 0; i < n; i++) {
        (void)endpoint_text(&endpoints[i], client->peer_text);
        error = connect_to(client, &endpoints[i]);
        if (error == 0) {
            return 0;
        }
    }
    return fail(client, JOIN_E_UNREACHED,
                "no agent answers at %s: %s; check the address, that the agent "
                "runs there, and that TCP port %u is open over the mesh",
                client->peer_text, strerror(-error), endpoints[n - 1].port);
}

static int write_output(struct client *client)
{
    for (;;) {
        const uint8_t *bytes = NULL;
        size_t size = 0;
        ssize_t n;
        int error;

        stream_output(client->stream, &bytes, &size);
        if (size == 0) {
            return 0;
        }
        n = send(client->fd, bytes, size, MSG_NOSIGNAL);
        if (n >= 0) {
            stream_consume_output(client->stream, (size_t)n);
            continue;
        }
        if (errno == EAGAIN) {
            error = wait_for(client, POLLOUT);
            if (error != 0) {
                return error;
            }
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

static int open_stream(struct client *client)
{
    uint8_t ephemeral[32];
    struct stream_config config = {
        .purpose = STREAM_JOIN,
        .cluster = client->token->cluster_id,
        .peer_sign_public = client->token->issuer_sign,
        .peer_exchange_public = client->token->issuer_exchange,
        .ephemeral_secret = ephemeral,
    };
    int error;

    randombytes_buf(ephemeral, sizeof(ephemeral));
    error = stream_new_initiator(&config, &client->stream);
    sodium_memzero(ephemeral, sizeof(ephemeral));
    return error;
}

static const char *refusal_text(uint8_t reason)
{
    switch (reason) {
    case STREAM_REFUSED_VERSION:
        return "it speaks another version of the formats (ours 2); install "
               "the same release of the agent on both hosts";
    case STREAM_REFUSED_CLUSTER:
        return "it belongs to another cluster than this token; check the "
               "address, or get a token from its own cluster";
    case STREAM_REFUSED_BUSY:
        return "it serves as many joins as it may; run the same command again "
               "in a few seconds";
    case STREAM_REFUSED_UNKNOWN_RESPONDER:
        return "it cannot reach the node that made the token; give that "
               "node's own address as PEER, or check that it runs";
    default:
        return "it gave no reason that this version knows; install the same "
               "version of the agent on both hosts";
    }
}

/* How many come first, when that has changed. */
static void say_before(struct client *client)
{
    unsigned n_before = stream_n_before(client->stream);
    char text[160];

    if (n_before == client->n_before) {
        return;
    }
    client->n_before = n_before;
    client->deadline_ms =
        n_before > 0 ? client->wait_until_ms : clock_now_ms() + JOIN_TIMEOUT_MS;
    if (n_before > 0) {
        (void)snprintf(text, sizeof(text),
                       "%s admits other hosts first, %u before this one; "
                       "waiting for this one's turn",
                       client->peer_text, n_before);
        client->say(text, client->say_data);
    }
}

/* Whether the request had left matters for what the caller may do next. */
static int fail_stream(struct client *client, int error)
{
    if (error == STREAM_E_REFUSED) {
        client->is_again =
            stream_refusal_reason(client->stream) == STREAM_REFUSED_BUSY;
        return fail(client, JOIN_E_UNREACHED, "%s refuses: %s",
                    client->peer_text,
                    refusal_text(stream_refusal_reason(client->stream)));
    }
    if (!client->is_request_sent) {
        return fail(client, JOIN_E_UNREACHED,
                    "%s does not answer as an agent: %s; check that it is one, "
                    "of a version that fits",
                    client->peer_text,
                    error < 0 ? strerror(-error) : "the connection ended");
    }
    client->is_again = !client->is_answered && error == -ECONNRESET &&
                       client->n_again++ < JOIN_AGAIN_MAX;
    return fail(client, JOIN_E_LOST,
                "the connection to %s ended before the whole answer was here "
                "(%s); run the same command again: the token stays good for "
                "this host until it expires",
                client->peer_text,
                error < 0 ? strerror(-error) : "not readable");
}

static int send_request(struct client *client, const uint8_t sign_secret[64])
{
    uint8_t frame[LIMIT_JOIN_REQUEST_SIZE];
    size_t size = 0;
    int error;

    error = join_request_pack(client->request, sign_secret, frame,
                              sizeof(frame), &size);
    if (error == 0) {
        /* Not the last: the issuer would take an ended direction for an end. */
        error = stream_send_frame(client->stream, frame, size, false);
    }
    sodium_memzero(frame, sizeof(frame));
    if (error != 0) {
        return fail(client, error, "cannot make the request: %s",
                    strerror(-error));
    }
    return 0;
}

static int take_answer(struct client *client, const uint8_t *bytes, size_t size)
{
    struct join_result *result = client->result;
    struct join_answer answer;
    int error = join_answer_unpack(bytes, size, &answer);

    if (error != 0) {
        return fail(client, JOIN_E_FORGED,
                    "%s sent an answer that is malformed; nothing was stored",
                    client->peer_text);
    }
    if (answer.status == JOIN_HOLDER_ALIVE &&
        clock_now_ms() < client->holder_until_ms) {
        client->is_again = true;
        client->again_text =
            "the cluster still takes the former one for alive; "
            "asking again";
    }
    if (answer.status != JOIN_OK) {
        /* The issuer's own trouble is no verdict on us, and the token may
         * be used by these keys already. */
        return fail(client,
                    answer.status == JOIN_ISSUER_FAILED ? JOIN_E_LOST
                                                        : JOIN_E_REFUSED,
                    "%s", answer.text);
    }
    if (genesis_parse(answer.genesis, answer.genesis_size, &result->genesis) !=
            0 ||
        answer.certificate_size > sizeof(result->certificate)) {
        return fail(client, JOIN_E_FORGED,
                    "%s sent a genesis or certificate that is malformed; "
                    "nothing was stored",
                    client->peer_text);
    }
    memcpy(result->certificate, answer.certificate, answer.certificate_size);
    result->certificate_size = answer.certificate_size;
    memcpy(result->text, answer.text, sizeof(result->text));
    client->is_answered = true;
    return 0;
}

static int add_record(struct client *client, const uint8_t *bytes, size_t size)
{
    struct join_result *result = client->result;
    uint8_t *records;

    if (size > LIMIT_JOIN_RECORDS_SIZE - result->records_size) {
        return fail(client, JOIN_E_FORGED,
                    "%s sent more records than a cluster can have; nothing was "
                    "stored",
                    client->peer_text);
    }
    records = realloc(result->records, result->records_size + size);
    if (records == NULL) {
        return -ENOMEM;
    }
    memcpy(records + result->records_size, bytes, size);
    result->records = records;
    result->records_size += size;
    result->n_records++;
    return 0;
}

static int take_messages(struct client *client, const uint8_t *bytes,
                         size_t size)
{
    struct reader reader = reader_init(bytes, size);

    while (reader_left(&reader) > 0 && !client->is_done) {
        struct message message;
        int error = message_next(&reader, &message);

        if (error != 0) {
            return fail(client, JOIN_E_FORGED,
                        "%s sent a message that is malformed; nothing was "
                        "stored",
                        client->peer_text);
        }
        if (message.type == MESSAGE_RECORD) {
            error = add_record(client, message.bytes, message.size);
            if (error != 0) {
                return error;
            }
        }
        client->is_done = message.type == MESSAGE_DONE;
    }
    return 0;
}

/* What has come whole.  0 also when more is needed. */
static int take_frames(struct client *client)
{
    while (!client->is_done) {
        const uint8_t *bytes = NULL;
        size_t size = 0;
        int error = stream_next_frame(client->stream, &bytes, &size);

        if (error == STREAM_E_AGAIN) {
            return 0;
        }
        if (error != 0) {
            return fail_stream(client, error);
        }
        error = client->is_answered ? take_messages(client, bytes, size)
                                    : take_answer(client, bytes, size);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* One wait and read. */
static int receive(struct client *client)
{
    uint8_t chunk[16384];
    ssize_t n;
    int error = wait_for(client, POLLIN);

    if (error != 0) {
        return fail_stream(client, error);
    }
    n = recv(client->fd, chunk, sizeof(chunk), 0);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0
                                                 : fail_stream(client, -errno);
    }
    if (n == 0) {
        return fail_stream(client, -ECONNRESET);
    }
    error = stream_receive(client->stream, chunk, (size_t)n);
    say_before(client);
    return error != 0 ? fail_stream(client, error) : take_frames(client);
}

static int converse(struct client *client, const uint8_t sign_secret[64])
{
    int error = open_stream(client);

    if (error != 0) {
        return fail(client, error, "cannot open a stream: %s",
                    strerror(-error));
    }
    client->deadline_ms = clock_now_ms() + JOIN_TIMEOUT_MS;
    client->n_before = 0;
    client->is_request_sent = false;
    error = send_request(client, sign_secret);
    while (error == 0 && !client->is_done) {
        error = write_output(client);
        if (error != 0) {
            return fail_stream(client, error);
        }
        /* The request waits inside the stream until the peer has answered
         * the opening; from then on it may have arrived. */
        client->is_request_sent = stream_is_established(client->stream);
        error = receive(client);
    }
    return error;
}

/* One connection, from its opening to its end. */
static int attempt(struct client *client, const uint8_t sign_secret[64])
{
    int error;

    client->is_again = false;
    client->again_text = "the peer is busy admitting other hosts; asking again";
    error = connect_peer(client);
    if (error == 0) {
        error = converse(client, sign_secret);
        (void)close(client->fd); /* all that matters has been read */
    }
    client->stream = stream_free(client->stream);
    return error;
}

/* A while, so that not all who were told the same ask again at once. */
static void pause_before_again(struct client *client)
{
    client->say(client->again_text, client->say_data);
    (void)poll(NULL, 0,
               (int)(JOIN_AGAIN_MS + randombytes_uniform(JOIN_AGAIN_MS)));
}

int join_client_run(const char *peer, const struct token *token,
                    const struct identity *identity,
                    const struct join_request *request, uint32_t holder_wait_ms,
                    join_say_fn say, void *data, struct join_result *ret,
                    char **ret_error)
{
    struct join_request filled = *request;
    struct join_result result = {0};
    struct client client = {
        .token = token,
        .request = &filled,
        .peer = peer,
        .fd = -1,
        .wait_until_ms = clock_now_ms() + JOIN_WAIT_MS,
        .holder_until_ms = clock_now_ms() + holder_wait_ms,
        .say = say,
        .say_data = data,
        .result = &result,
        .ret_error = ret_error,
    };
    int error;

    *ret_error = NULL;
    memcpy(filled.token_id, token->id, sizeof(filled.token_id));
    memcpy(filled.secret, token->secret, sizeof(filled.secret));
    memcpy(filled.sign_public, identity->sign_public, 32);
    memcpy(filled.exchange_public, identity->exchange_public, 32);
    error = attempt(&client, identity->sign_secret);
    while (error != 0 && client.is_again &&
           clock_now_ms() < client.wait_until_ms) {
        pause_before_again(&client);
        error = attempt(&client, identity->sign_secret);
    }
    if (error == 0) {
        error = join_verify(token, &filled, &result, ret_error);
    }
    sodium_memzero(&filled, sizeof(filled));
    if (error != 0) {
        join_result_done(&result);
        return error;
    }
    *ret = result;
    return 0;
}
