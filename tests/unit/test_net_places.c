/*
 * Who gets a place at the TCP port: agent/net with clients that hold streams
 * and prove nothing, and many who join at once.  The node's members, the
 * issuer and core are played here; streams and sockets are real.
 */
#include "agent/net/net.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/config/config.h"
#include "agent/identity/identity.h"
#include "agent/join/join_issuer.h"
#include "agent/net/net_internal.h"
#include "agent/system/clock.h"
#include "tests/unit/support.h"

/* Turns of a millisecond each that anything may take. */
#define TURNS 20000
/* Members 1 to this, at 127.0.0.NUMBER; 0 is we, and an issuer. */
#define MEMBERS 40

struct issuer_play {
    join_issuer_send_fn send;
    void *data;
};

struct client {
    int fd;
    struct stream *stream;
    bool is_closed;
};

static uv_loop_t loop;
static struct config config;
static struct identity identity;
static struct core core = {
    .loop = &loop, .config = &config, .identity = &identity};
static struct net *net;
static struct support_keys keys[MEMBERS + 1];
static struct body_certificate certificates[MEMBERS + 1];
static unsigned n_opened[MEMBERS + 1];
static unsigned n_ended[MEMBERS + 1];
static struct issuer_play *joins[LIMIT_JOINS + 1];
static size_t n_joins; /* whose request is there */
static uint64_t now_ms = 1000;

/* --- What is played --------------------------------------------------------
 */

static unsigned number_of(const uint8_t key[32])
{
    unsigned i = 0;

    while (i <= MEMBERS && memcmp(keys[i].sign_public, key, 32) != 0) {
        i++;
    }
    return i;
}

bool __wrap_node_member_find(const struct node *node, const uint8_t key[32],
                             struct node_member *ret);
int __wrap_node_check_certificate(const struct node *node, const uint8_t *bytes,
                                  size_t size, struct body_certificate *ret);
void __wrap_core_step(struct core *the_core, struct node_event *event);
uint64_t __wrap_clock_now_ms(void);
int __wrap_join_issuer_new(struct core *the_core, join_issuer_send_fn send,
                           void *data, struct join_issuer **ret);
struct join_issuer *__wrap_join_issuer_free(struct join_issuer *issuer);
void __wrap_join_issuer_frame(struct join_issuer *issuer, const uint8_t *bytes,
                              size_t size);

uint64_t __wrap_clock_now_ms(void)
{
    return now_ms;
}

bool __wrap_node_member_find(const struct node *node, const uint8_t key[32],
                             struct node_member *ret)
{
    unsigned who = number_of(key);

    (void)node;
    if (who > MEMBERS) {
        return false;
    }
    *ret = (struct node_member){.certificate = &certificates[who]};
    return true;
}

int __wrap_node_check_certificate(const struct node *node, const uint8_t *bytes,
                                  size_t size, struct body_certificate *ret)
{
    (void)node;
    assert_int_equal(size, 32); /* a member's key is its certificate here */
    *ret = certificates[number_of(bytes)];
    return 0;
}

void __wrap_core_step(struct core *the_core, struct node_event *event)
{
    unsigned who = number_of(event->peer);

    (void)the_core;
    assert_true(who <= MEMBERS);
    n_opened[who] += event->type == NODE_EVENT_STREAM_OPENED ? 1 : 0;
    n_ended[who] += event->type == NODE_EVENT_STREAM_CLOSED ? 1 : 0;
}

int __wrap_join_issuer_new(struct core *the_core, join_issuer_send_fn send,
                           void *data, struct join_issuer **ret)
{
    struct issuer_play *play = calloc(1, sizeof(*play));

    (void)the_core;
    assert_non_null(play);
    *play = (struct issuer_play){send, data};
    *ret = (struct join_issuer *)play;
    return 0;
}

struct join_issuer *__wrap_join_issuer_free(struct join_issuer *issuer)
{
    free(issuer);
    return NULL;
}

void __wrap_join_issuer_frame(struct join_issuer *issuer, const uint8_t *bytes,
                              size_t size)
{
    (void)bytes;
    (void)size;
    assert_true(n_joins < ARRAY_SIZE(joins));
    joins[n_joins++] = (struct issuer_play *)issuer;
}

/* --- Clients ---------------------------------------------------------------
 */

static int setup(void **state)
{
    char *error = NULL;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    memset(n_opened, 0, sizeof(n_opened));
    memset(n_ended, 0, sizeof(n_ended));
    n_joins = 0;
    for (unsigned i = 0; i <= MEMBERS; i++) {
        keys[i] = support_keys_make((uint8_t)(i + 1));
        certificates[i] = (struct body_certificate){
            .mesh = {{.address = {4, {127, 0, 0, (uint8_t)i}}, .port = 17721}},
            .n_mesh = 1,
            .roles = i == 0 ? BODY_ROLE_ISSUER : 0};
        memcpy(certificates[i].sign_public, keys[i].sign_public, 32);
        memcpy(certificates[i].exchange_public, keys[i].exchange_public, 32);
    }
    memcpy(identity.sign_public, keys[0].sign_public, 32);
    memcpy(identity.exchange_secret, keys[0].exchange_secret, 32);
    memcpy(identity.certificate, keys[0].sign_public, 32);
    identity.certificate_size = 32;
    /* An address of the loopback that is this process' own. */
    config.mesh = (struct address){
        .family = 4,
        .bytes = {127, (uint8_t)(1 + ((unsigned)getpid() >> 16) % 250),
                  (uint8_t)((unsigned)getpid() >> 8), (uint8_t)getpid()}};
    config.mesh_port = 17721;
    assert_int_equal(net_new(&core, &net, &error), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net = net_free(net);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

/* Connected from 127.0.0.`host`; with an opening as member `who` (a joiner: 0)
 * sent. */
static struct client client_new(uint8_t host, unsigned who)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr = {htonl(0x7f000000u | host)}};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(config.mesh_port)};
    uint8_t ephemeral[32];
    struct stream_config stream = {
        .purpose = who == 0 ? STREAM_JOIN : STREAM_SYNC,
        .cluster = identity.genesis.cluster_id,
        .own_sign_public = keys[who].sign_public,
        .own_exchange_secret = keys[who].exchange_secret,
        .peer_sign_public = keys[0].sign_public,
        .peer_exchange_public = keys[0].exchange_public,
        .own_certificate = keys[who].sign_public,
        .own_certificate_size = 32,
        .ephemeral_secret = ephemeral};
    struct client client = {.fd =
                                socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    randombytes_buf(ephemeral, sizeof(ephemeral));
    assert_true(client.fd >= 0);
    assert_int_equal(bind(client.fd, (struct sockaddr *)&from, sizeof(from)),
                     0);
    memcpy(&to.sin_addr, config.mesh.bytes, 4);
    assert_int_equal(connect(client.fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(stream_new_initiator(&stream, &client.stream), 0);
    return client;
}

static void client_end(struct client *client)
{
    client->stream = stream_free(client->stream);
    (void)close(client->fd);
}

/* A turn of everything: what the client has to say, the loop, what it hears.
 */
static void turn(struct client *client)
{
    const uint8_t *bytes = NULL;
    uint8_t chunk[4096];
    size_t size = 0;
    ssize_t n;

    stream_output(client->stream, &bytes, &size);
    if (size > 0 && !client->is_closed) {
        n = send(client->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        stream_consume_output(client->stream, n > 0 ? (size_t)n : 0);
    }
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    n = recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (n > 0) {
        /* A refusal is the end, too. */
        client->is_closed =
            stream_receive(client->stream, chunk, (size_t)n) != 0;
    } else if (n == 0 || errno != EAGAIN) {
        client->is_closed = true;
    }
}

static void turns(struct client *clients, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        turn(&clients[i]);
    }
    /* sleeps on purpose: it is the body of the loops that wait */
    (void)usleep(1000);
}

/* Turns of the clients until it is so. */
#define UNTIL(clients, n, is_so)                                               \
    do {                                                                       \
        for (int turn_ = 0; !(is_so); turn_++) {                               \
            assert_true(turn_ < TURNS);                                        \
            turns(clients, n);                                                 \
        }                                                                      \
    } while (0)

/* The first frame, which proves the key. */
static void prove(struct client *client)
{
    assert_int_equal(
        stream_send_frame(client->stream, (const uint8_t *)"hi", 2, false), 0);
}

static void end_all(struct client *clients, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        client_end(&clients[i]);
    }
}

/* --- Streams ---------------------------------------------------------------
 */

/* Certificates are public.  Who shows those of others from its own address is
 * refused; with its own it has few places, and them not for long; and all the
 * while the others are served. */
static void test_idle_streams_keep_nobody_out(void **state)
{
    struct client idle[LIMIT_SYNC_STREAMS + 8];
    struct client good;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(idle); i++) {
        idle[i] = client_new(MEMBERS, i < LIMIT_SYNC_STREAMS ? i + 1 : MEMBERS);
    }
    turns(idle, ARRAY_SIZE(idle));
    good = client_new(1, 1);
    prove(&good);
    UNTIL(&good, 1, n_opened[1] == 1);
    /* None of the idle proves anything: in time all are gone, those too that
     * waited for a place of theirs. */
    now_ms += LIMIT_PROOF_MS;
    UNTIL(idle, ARRAY_SIZE(idle),
          net_count(net, NET_QUEUED) == 0 &&
              idle[LIMIT_SYNC_STREAMS].is_closed);
    now_ms += LIMIT_PROOF_MS;
    for (unsigned i = 0; i < ARRAY_SIZE(idle); i++) {
        UNTIL(idle, ARRAY_SIZE(idle), idle[i].is_closed);
        assert_int_equal(stream_refusal_reason(idle[i].stream),
                         i < LIMIT_SYNC_STREAMS ? STREAM_REFUSED_CERTIFICATE
                                                : 0);
    }
    assert_int_equal(n_opened[MEMBERS], 0);
    assert_int_equal(n_ended[1], 0);
    client_end(&good);
    end_all(idle, ARRAY_SIZE(idle));
}

/* Of two streams of one key the newer lives, once it has proved itself. */
static void test_one_stream_a_key(void **state)
{
    struct client two[2];

    (void)state;
    two[0] = client_new(1, 1);
    prove(&two[0]);
    UNTIL(two, 1, n_opened[1] == 1);
    two[1] = client_new(1, 1);
    UNTIL(two, 2, stream_is_established(two[1].stream));
    assert_false(two[0].is_closed);
    prove(&two[1]);
    UNTIL(two, 2, two[0].is_closed);
    assert_int_equal(n_opened[1], 2);
    assert_false(two[1].is_closed);
    end_all(two, 2);
}

/* LIMIT_SYNC_STREAMS_PER_ADDRESS: members that share an address. */
static void test_streams_of_an_address(void **state)
{
    struct client clients[LIMIT_SYNC_STREAMS_PER_ADDRESS + 1];
    unsigned n = LIMIT_SYNC_STREAMS_PER_ADDRESS;

    (void)state;
    for (unsigned i = 0; i <= n; i++) {
        certificates[i + 1].mesh[0].address.bytes[3] = 1;
        clients[i] = client_new(1, i + 1);
        prove(&clients[i]);
        if (i < n) {
            UNTIL(clients, i + 1, n_opened[i + 1] == 1);
        }
    }
    UNTIL(clients, n + 1, clients[n].is_closed);
    assert_int_equal(n_opened[n + 1], 0);
    assert_false(clients[0].is_closed);
    assert_false(clients[n - 1].is_closed);
    end_all(clients, n + 1);
}

/* LIMIT_SYNC_STREAMS are served, one more is told that we are busy, and our
 * own, LIMIT_SYNC_OWN_STREAMS, have places of their own. */
static void test_own_streams_apart(void **state)
{
    struct client clients[LIMIT_SYNC_STREAMS + 1];
    struct endpoint nobody = {.address = config.mesh, .port = 9};
    unsigned n = LIMIT_SYNC_STREAMS;

    (void)state;
    for (unsigned i = 0; i < n; i++) {
        clients[i] = client_new((uint8_t)(i + 1), i + 1);
        prove(&clients[i]);
        UNTIL(clients, i + 1, n_opened[i + 1] == 1);
    }
    clients[n] = client_new((uint8_t)(n + 1), n + 1);
    UNTIL(clients, n + 1, clients[n].is_closed);
    assert_int_equal(stream_refusal_reason(clients[n].stream),
                     STREAM_REFUSED_BUSY);
    for (unsigned i = 0; i <= LIMIT_SYNC_OWN_STREAMS; i++) {
        net_stream_open(net, keys[30].sign_public, &nobody);
        /* Past the limit it is closed at once, before any connecting. */
        assert_int_equal(net->connections->prev->is_closing,
                         i == LIMIT_SYNC_OWN_STREAMS);
    }
    UNTIL(clients, n, n_ended[30] == LIMIT_SYNC_OWN_STREAMS + 1);
    end_all(clients, n + 1);
}

/* --- Joins -----------------------------------------------------------------
 */

static void answer_join(void)
{
    struct issuer_play *play = joins[0];

    n_joins--;
    memmove(&joins[0], &joins[1], n_joins * sizeof(joins[0]));
    play->send((const uint8_t *)"yes", 3, true, play->data);
}

static bool has_answer(struct client *client)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;

    return stream_next_frame(client->stream, &bytes, &size) == 0 && size == 3;
}

/* Thirty hosts behind one address join at once: LIMIT_JOINS are served, the
 * others are told how many are before them, and all are admitted in the end.
 */
static void test_thirty_joins_of_one_address(void **state)
{
    struct client clients[30];
    bool is_answered[30] = {false};
    unsigned n_answered = 0;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i] = client_new(77, 0);
        prove(&clients[i]);
    }
    UNTIL(clients, ARRAY_SIZE(clients),
          n_joins == LIMIT_JOINS &&
              net_count(net, NET_WAITING) == 30 - LIMIT_JOINS);
    UNTIL(clients, ARRAY_SIZE(clients), stream_n_before(clients[29].stream));
    for (unsigned before = LIMIT_JOINS; before < 30; before++) {
        unsigned n = 0;

        for (unsigned i = 0; i < ARRAY_SIZE(clients); i++) {
            n += stream_n_before(clients[i].stream) == before ? 1 : 0;
        }
        assert_int_equal(n, 1);
    }
    while (n_answered < ARRAY_SIZE(clients)) {
        UNTIL(clients, ARRAY_SIZE(clients), n_joins > 0);
        answer_join();
        for (unsigned i = 0; i < ARRAY_SIZE(clients); i++) {
            if (!is_answered[i] && has_answer(&clients[i])) {
                is_answered[i] = true;
                n_answered++;
                (void)shutdown(clients[i].fd, SHUT_WR);
            }
        }
        turns(clients, ARRAY_SIZE(clients));
        if (n_joins == 0) {
            for (unsigned i = 0; i < ARRAY_SIZE(clients); i++) {
                if (!is_answered[i] && has_answer(&clients[i])) {
                    is_answered[i] = true;
                    n_answered++;
                    (void)shutdown(clients[i].fd, SHUT_WR);
                }
            }
        }
    }
    assert_int_equal(net_counters_get(net)->connections_refused, 0);
    end_all(clients, ARRAY_SIZE(clients));
}

/* LIMIT_WAITING_PER_ADDRESS: one more is told that we are busy, in words that
 * it understands, and another address still waits. */
static void test_waiting_is_bounded(void **state)
{
    enum { N = LIMIT_JOINS + LIMIT_WAITING_PER_ADDRESS };
    struct client clients[N + 2];

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        clients[i] = client_new(77, 0);
        prove(&clients[i]);
        UNTIL(&clients[i], 1,
              i < LIMIT_JOINS ? n_joins == i + 1
                              : stream_n_before(clients[i].stream) > 0);
    }
    assert_int_equal(net_counters_get(net)->connections_refused, 0);
    clients[N] = client_new(77, 0);
    UNTIL(&clients[N], 1, clients[N].is_closed);
    assert_int_equal(stream_refusal_reason(clients[N].stream),
                     STREAM_REFUSED_BUSY);
    clients[N + 1] = client_new(78, 0);
    prove(&clients[N + 1]);
    UNTIL(&clients[N + 1], 1, stream_n_before(clients[N + 1].stream) > 0);
    /* Its address has no place yet: it is next. */
    answer_join();
    UNTIL(clients, N + 2, stream_n_before(clients[N + 1].stream) == 0);
    end_all(clients, N + 2);
}

/* --- Edges of two limits ---------------------------------------------------
 */

/* LIMIT_CONNECTIONS of any kind, our own three handles among them, and not one
 * more. */
static void test_connections_of_any_kind(void **state)
{
    struct client last = client_new(1, 1);
    size_t n_refused = net_counters_get(net)->connections_refused;
    struct client past;
    unsigned n_added;

    (void)state;
    /* As many as would be there with this one. */
    n_added = LIMIT_CONNECTIONS - 1 - net->n_handles;
    net->n_handles += n_added;
    prove(&last);
    UNTIL(&last, 1, n_opened[1] == 1);
    assert_int_equal(net->n_handles, LIMIT_CONNECTIONS);
    past = client_new(2, 2);
    UNTIL(&past, 1, past.is_closed);
    assert_int_equal(net_counters_get(net)->connections_refused, n_refused + 1);
    assert_false(last.is_closed);
    net->n_handles -= n_added;
    client_end(&last);
    client_end(&past);
}

/* A join waits for its turn for LIMIT_WAITING_MS, and is ended then; those
 * before it are held here for ever. */
static void test_waiting_ends(void **state)
{
    struct client clients[LIMIT_JOINS + 1];
    struct client *last = &clients[LIMIT_JOINS];

    (void)state;
    for (size_t i = 0; i < LIMIT_JOINS; i++) {
        clients[i] = client_new(1, 0);
        prove(&clients[i]);
    }
    UNTIL(clients, LIMIT_JOINS, n_joins == LIMIT_JOINS);
    for (struct net_connection *connection = net->connections;
         connection != NULL; connection = connection->next) {
        connection->deadline_ms = UINT64_MAX;
    }
    *last = client_new(2, 0);
    UNTIL(last, 1, net_count(net, NET_WAITING) == 1);
    now_ms += LIMIT_WAITING_MS - 1;
    (void)uv_run(&loop, UV_RUN_ONCE); /* looks at deadlines */
    turn(last);
    assert_int_equal(net_count(net, NET_WAITING), 1);
    assert_false(last->is_closed);
    now_ms++;
    UNTIL(last, 1, last->is_closed);
    assert_int_equal(net_count(net, NET_WAITING), 0);
    end_all(clients, ARRAY_SIZE(clients));
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connections_of_any_kind),      TEST(test_waiting_ends),
        TEST(test_idle_streams_keep_nobody_out), TEST(test_one_stream_a_key),
        TEST(test_streams_of_an_address),        TEST(test_own_streams_apart),
        TEST(test_thirty_joins_of_one_address),  TEST(test_waiting_is_bounded),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
