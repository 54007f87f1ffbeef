/*
 * What a node costs under much traffic, and with many writers; one core, in
 * process, without sockets:
 *
 *   writers    bytes of memory per writer known (certificate, member record,
 *              one service), with LIMIT_WRITERS of them
 *   known      packets of six records that are known: per second, and how many
 *              signatures were checked (none)
 *   verify     signatures alone: per second
 *   new        new records of many writers: per second
 *   forged     packets with a forged tag, of a member's address; with a
 *              stranger's; hellos with a forged certificate: per second, and
 *              the part of a core that 50,000 a second take
 *
 * usage: tests/bench/flood.  Build it as a release: it is not built by default.
 */
#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "gossip/base/cursor.h"
#include "gossip/node/node.h"
#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"
#include "gossip/wire/sign.h"
#include "tests/unit/charter_sample.h"

#define WALL_MS  UINT64_C(1767225600000)
#define WRITERS  (LIMIT_WRITERS - 2) /* the root and the node are two */
#define EPOCH    (UINT64_C(5) << 32 | 1)
#define N_FORGED 200000u
#define N_KNOWN  20000u
#define FLOOD    50000.0

struct keys {
    uint8_t sign_public[32], sign_secret[64];
    uint8_t exchange_public[32], exchange_secret[32];
};

struct packet {
    uint8_t bytes[LIMIT_DATAGRAM_SIZE];
    size_t size;
};

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1};
static struct keys root, own, *writers;
static struct node *node;
static struct node_actions *actions;
static uint64_t now_ms = 1000;
static uint64_t counter;

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct keys make_keys(void)
{
    struct keys keys;

    crypto_sign_keypair(keys.sign_public, keys.sign_secret);
    randombytes_buf(keys.exchange_secret, 32);
    (void)crypto_scalarmult_curve25519_base(keys.exchange_public,
                                            keys.exchange_secret);
    return keys;
}

static struct endpoint endpoint_of(unsigned who)
{
    return (struct endpoint){
        .address = {4, {10, 9, (uint8_t)(who >> 8), (uint8_t)who}},
        .port = 7720};
}

static size_t sign(const struct keys *writer, uint8_t kind, uint64_t serial,
                   uint64_t seq, const void *key, size_t key_size,
                   const uint8_t *body, size_t body_size, uint8_t *ret)
{
    struct record_fields fields = {.kind = kind,
                                   .cluster = cluster,
                                   .writer = writer->sign_public,
                                   .serial = serial,
                                   .order = {EPOCH, seq},
                                   .hlc = WALL_MS << 16,
                                   .key = key,
                                   .key_size = key_size,
                                   .body = body,
                                   .body_size = body_size};
    size_t size = record_build(&fields, ret, LIMIT_RECORD_SIZE);

    if (size == 0 || sign_record(ret, size, writer->sign_secret) != 0) {
        abort();
    }
    return size;
}

static size_t certificate(const struct keys *keys, unsigned who, uint8_t *ret)
{
    uint8_t packed[LIMIT_RECORD_SIZE];
    size_t size = 0;
    struct body_certificate body = {
        .mesh = {endpoint_of(who)},
        .n_mesh = 1,
        .subnets = {{.address = {4,
                                 {172, (uint8_t)(16 + (who >> 14)),
                                  (uint8_t)(who >> 6), (uint8_t)(who << 2)}},
                     .len = 30}},
        .n_subnets = 1,
        .roles = BODY_ROLE_MEMBER,
        .functions = {"*"},
        .n_functions = 1,
        .not_before_s = 1577836800,
        .not_after_s = 2208988800,
        .generation = 1,
        .serial = who + 1,
    };

    (void)snprintf(body.name, sizeof(body.name), "node-%u", who);
    memcpy(body.sign_public, keys->sign_public, 32);
    memcpy(body.exchange_public, keys->exchange_public, 32);
    if (body_put_certificate(&body, packed, sizeof(packed), &size) != 0) {
        abort();
    }
    return sign(&root, RECORD_CERTIFICATE, 0, who + 1, keys->sign_public, 32,
                packed, size, ret);
}

static size_t member(unsigned who, uint8_t *ret)
{
    struct body_member body = {.state = BODY_MEMBER_ALIVE,
                               .version = "1.0.0",
                               .protocol_min = 1,
                               .protocol_max = 1};
    uint8_t packed[128];
    size_t size = 0;

    if (body_put_member(&body, packed, sizeof(packed), &size) != 0) {
        abort();
    }
    return sign(&writers[who], RECORD_MEMBER, who + 1, 1, NULL, 0, packed, size,
                ret);
}

static size_t service(unsigned who, unsigned instance, uint64_t seq,
                      uint8_t *ret)
{
    struct body_service body = {
        .function = "redis",
        .protocol = 6,
        .port = 6379,
        .address = {4,
                    {172, (uint8_t)(16 + (who >> 14)), (uint8_t)(who >> 6),
                     (uint8_t)((who << 2) + 1)}},
        .weight = 100};
    uint8_t packed[512];
    char key[LIMIT_KEY_SIZE];
    size_t size = 0;

    (void)snprintf(body.instance, sizeof(body.instance), "i%u", instance);
    (void)snprintf(key, sizeof(key), "redis/i%u", instance);
    if (body_put_service(&body, packed, sizeof(packed), &size) != 0) {
        abort();
    }
    return sign(&writers[who], RECORD_SERVICE, who + 1, seq, key, strlen(key),
                packed, size, ret);
}

static int verify(const struct record *record, void *data)
{
    (void)data;
    return sign_verify(record);
}

static int believe(const struct record *record, void *data)
{
    (void)record;
    (void)data;
    return 0;
}

static void must(int error)
{
    if (error != 0) {
        abort();
    }
}

static void step(enum node_event_type type, unsigned from,
                 const struct packet *packet)
{
    struct node_event event = {.type = type,
                               .now_ms = now_ms,
                               .wall_ms = WALL_MS + now_ms,
                               .from = endpoint_of(from)};

    if (packet != NULL) {
        event.bytes = packet->bytes;
        event.size = packet->size;
    }
    must(node_step(node, &event, actions));
    for (size_t i = 0; i < node_actions_count(actions); i++) {
        const struct node_action *action = node_actions_at(actions, i);
        struct record record;

        if (action->type == NODE_ACTION_STORE && action->is_own &&
            record_parse(action->bytes, action->size, &record) == 0) {
            struct node_event done = {.type = NODE_EVENT_COMMITTED,
                                      .now_ms = now_ms,
                                      .wall_ms = WALL_MS + now_ms,
                                      .order = record.order};
            struct node_actions *more = NULL;

            if (node_actions_new(&more) == 0) {
                must(node_step(node, &done, more));
                node_actions_free(more);
            }
        }
    }
    node_actions_clear(actions);
}

static void make_packet(unsigned from, uint8_t type, uint32_t boot,
                        const uint8_t *payload, size_t size, struct packet *ret)
{
    struct packet_context context = {cluster, writers[from].sign_public,
                                     own.sign_public};
    struct packet_header header = {
        .type = type,
        .source_boot = (uint32_t)(EPOCH >> 32),
        .destination_boot = boot,
        .source_id = record_node_id(writers[from].sign_public),
        .counter = ++counter,
        .payload = payload,
        .payload_size = size};
    struct packet_keys keys;

    if (packet_keys_derive(writers[from].exchange_secret,
                           writers[from].exchange_public, own.exchange_public,
                           &keys) != 0) {
        abort();
    }
    ret->size = packet_build(&header, &context, &keys, ret->bytes);
}

static uint32_t boot(void)
{
    return (uint32_t)(node_epoch(node) >> 32);
}

static void make_node(node_verify_fn how)
{
    uint8_t bytes[LIMIT_RECORD_SIZE];
    static const struct charter_ranges ranges = {
        .containers = {"172.16.0.0/12"},
        .mesh = {"10.9.0.0/16"},
        .services = {"100.80.0.0/12"}};
    struct charter_sample charter =
        charter_sample_make(cluster, root.sign_secret, &ranges);
    struct node_config config = {.genesis = charter.genesis,
                                 .charters = charter.bytes,
                                 .charters_size = charter.size,
                                 .certificate = bytes,
                                 .epoch = UINT64_C(7) << 32 | 1,
                                 .seed = 1,
                                 .version = "bench",
                                 .tuning = NODE_TUNING_DEFAULT,
                                 .verify = how};

    config.certificate_size = certificate(&own, WRITERS, bytes);
    memcpy(config.cluster, cluster, sizeof(cluster));
    memcpy(config.sign_public, own.sign_public, 32);
    memcpy(config.sign_secret, own.sign_secret, 64);
    memcpy(config.exchange_public, own.exchange_public, 32);
    memcpy(config.exchange_secret, own.exchange_secret, 32);
    if (node_new(&config, &node) != 0) {
        abort();
    }
}

static void start(void)
{
    step(NODE_EVENT_START, 0, NULL);
    for (unsigned i = 0; i < 40; i++) {
        now_ms += 100;
        step(NODE_EVENT_TICK, 0, NULL);
    }
}

/* --- Figures ---------------------------------------------------------------
 */

static void load(unsigned n)
{
    uint8_t bytes[LIMIT_RECORD_SIZE];

    for (unsigned who = 0; who < n; who++) {
        if (node_load(node, bytes, certificate(&writers[who], who, bytes),
                      WALL_MS) != 0 ||
            node_load(node, bytes, member(who, bytes), WALL_MS) != 0 ||
            node_load(node, bytes, service(who, 1, 2, bytes), WALL_MS) != 0) {
            abort();
        }
    }
}

static void bench_writers(void)
{
    size_t before = mallinfo2().uordblks;
    size_t used;

    make_node(believe);
    load(WRITERS);
    used = mallinfo2().uordblks - before;
    printf("writers   %u writers, %zu records: %.1f MB, %zu bytes each\n",
           WRITERS + 2, node_n_records(node), (double)used / 1e6,
           used / WRITERS);
    node = node_free(node);
}

static void bench_known(void)
{
    uint8_t payload[PACKET_PAYLOAD_MAX], bytes[LIMIT_RECORD_SIZE];
    struct writer writer = writer_init(payload, sizeof(payload));
    struct packet *packets = calloc(N_KNOWN, sizeof(*packets));
    uint64_t checked;
    double at;
    unsigned n = 0;

    if (packets == NULL) {
        abort();
    }
    while (writer_left(&writer) > 250) {
        message_put_record(&writer, bytes, service(n, 1, 2, bytes));
        n++;
    }
    for (unsigned i = 0; i < N_KNOWN; i++) {
        make_packet(0, PACKET_MESSAGES, boot(), payload, writer_size(&writer),
                    &packets[i]);
    }
    checked = node_counters_get(node)->signatures_checked;
    at = seconds();
    for (unsigned i = 0; i < N_KNOWN; i++) {
        now_ms += i % 4 == 0;
        step(NODE_EVENT_DATAGRAM, 0, &packets[i]);
    }
    at = seconds() - at;
    printf("known     %.0f packets/s of %u known records, %llu signatures "
           "checked\n",
           N_KNOWN / at, n,
           (unsigned long long)(node_counters_get(node)->signatures_checked -
                                checked));
    free(packets);
}

/* What new records cannot be faster than: as many signatures, of as many
 * writers.  Signatures a second. */
static double bench_verify(unsigned n_writers)
{
    enum { TIMES = 20000 };
    struct packet *records = calloc(n_writers, sizeof(*records));
    struct record record;
    double at;

    if (records == NULL) {
        abort();
    }
    for (unsigned i = 0; i < n_writers; i++) {
        records[i].size = service(i, 1, 2, records[i].bytes);
    }
    at = seconds();
    for (unsigned i = 0; i < TIMES; i++) {
        const struct packet *bytes = &records[i % n_writers];

        must(record_parse(bytes->bytes, bytes->size, &record));
        must(sign_verify(&record));
    }
    at = seconds() - at;
    printf("verify    %.0f signatures/s\n", TIMES / at);
    free(records);
    return TIMES / at;
}

static void bench_new(unsigned n_writers, double n_verified)
{
    enum { EACH = 20 };
    unsigned n = n_writers * EACH;
    struct packet *packets = calloc(n, sizeof(*packets));
    uint64_t before = node_counters_get(node)->records_accepted;
    uint64_t checked = node_counters_get(node)->signatures_checked;
    uint64_t accepted;
    double at;

    if (packets == NULL) {
        abort();
    }
    for (unsigned i = 0; i < n; i++) {
        uint8_t payload[PACKET_PAYLOAD_MAX], bytes[LIMIT_RECORD_SIZE];
        struct writer writer = writer_init(payload, sizeof(payload));
        unsigned who = i % n_writers;

        message_put_record(&writer, bytes,
                           service(who, i / n_writers, 10 + i, bytes));
        make_packet(who, PACKET_MESSAGES, boot(), payload, writer_size(&writer),
                    &packets[i]);
    }
    at = seconds();
    for (unsigned i = 0; i < n; i++) {
        now_ms += i % 25 == 0;
        step(NODE_EVENT_DATAGRAM, i % n_writers, &packets[i]);
    }
    at = seconds() - at;
    accepted = node_counters_get(node)->records_accepted - before;
    printf("new       %.0f records/s, one a packet, %.2f of the signatures "
           "alone, %llu accepted of %u, %llu signatures checked\n",
           (double)accepted / at, (double)accepted / at / n_verified,
           (unsigned long long)accepted, n,
           (unsigned long long)(node_counters_get(node)->signatures_checked -
                                checked));
    free(packets);
}

static void bench_forged(const char *what, unsigned from, struct packet *packet)
{
    uint64_t checked = node_counters_get(node)->signatures_checked;
    double at = seconds();

    for (unsigned i = 0; i < N_FORGED; i++) {
        now_ms += i % 50 == 0; /* 50,000 a second */
        packet->bytes[packet->size - 1] = (uint8_t)i;
        packet->bytes[packet->size - 2] = (uint8_t)(i >> 8);
        step(NODE_EVENT_DATAGRAM, from, packet);
    }
    at = (seconds() - at) / N_FORGED;
    printf("forged    %-38s %.2f us each, %.1f %% of a core at 50,000/s, "
           "%llu signatures checked\n",
           what, at * 1e6, at * FLOOD * 100,
           (unsigned long long)(node_counters_get(node)->signatures_checked -
                                checked));
}

static void bench_all_forged(void)
{
    uint8_t payload[PACKET_PAYLOAD_MAX] = {0};
    uint8_t bytes[LIMIT_RECORD_SIZE];
    struct keys stranger = make_keys();
    struct packet_hello hello = {.protocol_min = PACKET_VERSION,
                                 .protocol_max = PACKET_VERSION,
                                 .epoch = EPOCH,
                                 .certificate = bytes};
    struct packet packet;
    size_t size;

    make_packet(1, PACKET_MESSAGES, boot(), payload, sizeof(payload), &packet);
    bench_forged("largest, of a member's address:", 1, &packet);
    make_packet(1, PACKET_MESSAGES, boot(), payload, 40, &packet);
    bench_forged("small, of a member's address:", 1, &packet);
    bench_forged("small, of another address:", 2, &packet);
    hello.certificate_size = certificate(&writers[1], 1, bytes);
    size = packet_build_hello(&hello, payload, sizeof(payload));
    make_packet(1, PACKET_HELLO, 0, payload, size, &packet);
    bench_forged("hello, a member's certificate:", 1, &packet);
    hello.certificate_size = certificate(&stranger, 5, bytes);
    bytes[hello.certificate_size - 1] ^= 1;
    size = packet_build_hello(&hello, payload, sizeof(payload));
    writers[1] = stranger; /* the sender's name */
    make_packet(1, PACKET_HELLO, 0, payload, size, &packet);
    bench_forged("hello, a forged certificate:", 5, &packet);
}

int main(void)
{
    enum { MEMBERS = 1000 };

    if (sodium_init() < 0 || node_actions_new(&actions) != 0) {
        return 1;
    }
    root = make_keys();
    own = make_keys();
    writers = calloc(WRITERS, sizeof(*writers));
    if (writers == NULL) {
        return 1;
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = make_keys();
    }
    bench_writers();
    make_node(verify);
    load(MEMBERS);
    start();
    bench_known();
    bench_new(MEMBERS, bench_verify(MEMBERS));
    bench_all_forged();
    node = node_free(node);
    actions = node_actions_free(actions);
    free(writers);
    return 0;
}
