/*
 * Writes the committed seeds of fuzz_record, fuzz_packet and fuzz_stream, one
 * file each, named by what it is.  Run it again when a format gains a rule:
 *   ninja -C build tests/fuzz/make_seeds
 *   build/tests/fuzz/make_seeds tests/fuzz/corpus
 * Keys are made from repeated bytes, so the files are the same every time.
 */
#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "gossip/wire/body.h"
#include "gossip/wire/evidence.h"
#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"
#include "gossip/wire/sign.h"
#include "gossip/wire/stream.h"

static const char *seeds_root;
static uint8_t sign_public[32];
static uint8_t sign_secret[64];
static uint8_t exchange_public[32];
static const uint8_t cluster[RECORD_CLUSTER_SIZE] = "a cluster id....";

static void write_seed(const char *target, const char *name, const void *bytes,
                       size_t size)
{
    char path[PATH_MAX];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", seeds_root, target);
    (void)mkdir(path, 0755); /* fopen tells if it is not there */
    (void)snprintf(path, sizeof(path), "%s/%s/%s", seeds_root, target, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

/* A signed record of this body, in a buffer that the next call reuses. */
static size_t make_record(uint8_t kind, const void *key, size_t key_size,
                          const void *body, size_t body_size,
                          const uint8_t **ret_bytes)
{
    static uint8_t bytes[LIMIT_MANIFEST_SIZE];
    const struct record_fields fields = {
        .kind = kind,
        .cluster = cluster,
        .writer = sign_public,
        .serial = 1,
        .order = {.epoch = UINT64_C(0x100000002), .seq = 9},
        .hlc = UINT64_C(1700000000000) << 16,
        .key = key,
        .key_size = key_size,
        .body = body,
        .body_size = body_size,
    };
    size_t size = record_build(&fields, bytes, sizeof(bytes));

    assert(size > 0 && sign_record(bytes, size, sign_secret) == 0);
    *ret_bytes = bytes;
    return size;
}

static void write_record(const char *name, uint8_t kind, const void *key,
                         size_t key_size, const void *body, size_t body_size)
{
    const uint8_t *bytes;
    size_t size = make_record(kind, key, key_size, body, body_size, &bytes);

    write_seed("record", name, bytes, size);
}

/* Encodes a body and writes its record. */
#define WRITE_BODY(name, number, key, key_size, kind, ...)                     \
    do {                                                                       \
        const struct body_##kind body_ = __VA_ARGS__;                          \
        uint8_t bytes_[LIMIT_RECORD_SIZE];                                     \
        size_t size_;                                                          \
                                                                               \
        assert(body_put_##kind(&body_, bytes_, sizeof(bytes_), &size_) == 0);  \
        write_record(name, number, key, key_size, bytes_, size_);              \
    } while (0)

static struct body_certificate make_certificate(void)
{
    struct body_certificate cert = {
        .name = "host1",
        .mesh = {{.address = {4, {100, 104, 70, 1}}, .port = 7720},
                 {.address = {6, {0xfd, [15] = 1}}, .port = 7720}},
        .n_mesh = 2,
        .subnets = {{.address = {4, {10, 0, 1}}, .len = 24}},
        .n_subnets = 1,
        .roles = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER,
        .functions = {"redis", "vector-*", "*"},
        .n_functions = 3,
        .scope = {"host1"},
        .n_scope = 1,
        .not_before_s = 1700000000,
        .not_after_s = 1731536000,
        .generation = 1,
        .serial = 1,
    };

    memcpy(cert.sign_public, sign_public, 32);
    memcpy(cert.exchange_public, exchange_public, 32);
    memset(cert.wireguard_public, 7, 32);
    return cert;
}

static struct body_service make_service(void)
{
    return (struct body_service){
        .function = "redis",
        .instance = "a",
        .protocol = 6,
        .port = 6379,
        .address = {4, {10, 0, 1, 203}},
        .port_name = "veth203",
        .weight = 100,
        .tags = {"v1", "primary"},
        .n_tags = 2,
        .meta = {{"zone", "north"}},
        .n_meta = 1,
        .slot = 1,
        .finding = BODY_FINDING_NO_PORT,
        .ports = {{"admin", 6, 8080, 8080}, {"rtp", 17, 10000, 10099}},
        .n_ports = 2,
    };
}

/* The first of the cluster, by its one root. */
static void write_charter(void)
{
    struct body_charter charter = {
        .generation = 1,
        .n_roots = 1,
        .threshold = 1,
        .containers = {{.address = {4, {10, 0}}, .len = 16}},
        .n_containers = 1,
        .mesh = {{.address = {4, {100, 104}}, .len = 16}},
        .n_mesh = 1,
        .services = {{.address = {4, {100, 80}}, .len = 12}},
        .n_services = 1,
        .shared = {{.address = {4, {10, 0, 9}}, .len = 24}},
        .n_shared = 1,
    };
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    uint8_t key[BODY_CHARTER_KEY_SIZE];
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t size;

    memcpy(charter.roots[0], sign_public, 32);
    assert(body_sign_charter(cluster, sign_secret, &charter) == 0);
    assert(body_put_charter(&charter, body, sizeof(body), &size) == 0);
    body_hash_charter(&charter, body, size, hash);
    body_key_charter(&charter, hash, key);
    write_record("charter", RECORD_CHARTER, key, sizeof(key), body, size);
    body[0]++; /* signatures that are not last */
    memcpy(body + size, "\x0a\x01", 2);
    write_record("charter-signatures-not-last", RECORD_CHARTER, key,
                 sizeof(key), body, size + 2);
}

static void write_records(void)
{
    static const uint8_t ids[32] = {[0] = 1, [16] = 2};
    struct body_certificate bare = make_certificate();

    WRITE_BODY("certificate", RECORD_CERTIFICATE, sign_public, 32, certificate,
               make_certificate());
    memset(bare.wireguard_public, 0, 32);
    bare.n_subnets = bare.n_functions = bare.n_scope = 0;
    WRITE_BODY("certificate-bare", RECORD_CERTIFICATE, sign_public, 32,
               certificate, bare);
    WRITE_BODY("revocation", RECORD_REVOCATION, sign_public, 32, revocation,
               {.serial = 1, .reason = "key lost"});
    WRITE_BODY("revocation-lifted", RECORD_REVOCATION, sign_public, 32,
               revocation, {.serial = 1, .is_lifted = true});
    WRITE_BODY(
        "hold", RECORD_HOLD, "", 0, hold,
        {.is_held = true, .reason = "a new switch", .ids = ids, .n_ids = 2});
    write_charter();
    WRITE_BODY("member-alive", RECORD_MEMBER, "", 0, member,
               {.version = "0.1.0", .protocol_min = 1, .protocol_max = 1});
    WRITE_BODY("member-endpoints", RECORD_MEMBER, "", 0, member,
               {.protocol_min = 2,
                .protocol_max = 2,
                .endpoints = {{.address = {4, {192, 0, 2, 1}}, .port = 51820}},
                .n_endpoints = 1,
                .finding = BODY_MEMBER_FINDING_TUNNEL});
    WRITE_BODY("member-paused", RECORD_MEMBER, "", 0, member,
               {.state = BODY_MEMBER_PAUSED,
                .pause_s = 60,
                .protocol_min = 1,
                .protocol_max = 1});
    WRITE_BODY("service", RECORD_SERVICE, "redis/a", 7, service,
               make_service());
    WRITE_BODY("function-address", RECORD_FUNCTION, "redis", 5, function,
               {.name = "redis", .address = {4, {100, 80, 0, 1}}});
    WRITE_BODY("function-hashed", RECORD_FUNCTION, "redis", 5, function,
               {.name = "redis"});
    WRITE_BODY("function-claim", RECORD_FUNCTION, "redis", 5, function,
               {.name = "redis",
                .address = {4, {100, 80, 0, 1}},
                .is_claim = true,
                .slot = 3});
    WRITE_BODY("tombstone", RECORD_TOMBSTONE, "redis/a", 7, tombstone,
               {.kind = RECORD_SERVICE});
    WRITE_BODY("manifest", RECORD_MANIFEST, "", 0, manifest,
               {.upto = {.epoch = 1, .seq = 8}, .ids = ids, .n_ids = 2});
    WRITE_BODY("accusation", RECORD_ACCUSATION, sign_public, 32, accusation,
               {.incarnation = {.epoch = 3, .seq = 4}});
}

/* Bodies that no encoder of ours makes. */
static void write_raw_records(void)
{
#define WRITE_RAW(name, kind, key, literal)                                    \
    write_record(name, kind, key, strlen(key), literal, sizeof(literal) - 1)
    WRITE_RAW("function-policy", RECORD_FUNCTION, "redis",
              "\x82\x01\xa5redis\x03\x82\xa1x\x92\x01\xc3\xa1y\x81\x01\xc0");
    WRITE_RAW("service-required-only", RECORD_SERVICE, "redis/b",
              "\x85\x01\xa5redis\x02\xa1"
              "b\x03\x11\x04\x35\x05\xc4\x04\x0a\x00\x01\x01");
    WRITE_RAW("member-of-later-version", RECORD_MEMBER, "",
              "\x86\x01\x00\x04\x01\x05\x02\x0e\x91\xc0\xa3new\xff\xcc\xc8\xcb"
              "\x00\x00\x00\x00\x00\x00\x00\x00");
    WRITE_RAW("member-long-integers", RECORD_MEMBER, "",
              "\xde\x00\x03\xd0\x01\xcc\x00\xcd\x00\x04\xd1\x00\x01\xce\x00\x00"
              "\x00\x05\xd3\x00\x00\x00\x00\x00\x00\x00\x02");
    WRITE_RAW("intent-kept-unread", RECORD_INTENT, "route/1", "\x81\x01\x01");
    WRITE_RAW("kind-unknown", 200, "key", "any bytes");
    WRITE_RAW("body-duplicate-key", RECORD_TOMBSTONE, "k",
              "\x82\x01\x04\x01\x04");
    WRITE_RAW("body-ext", RECORD_TOMBSTONE, "k", "\x81\x01\xd4\x01\x00");
    WRITE_RAW("body-huge-array", RECORD_TOMBSTONE, "k",
              "\x82\x01\x04\x02\xdd\xff\xff\xff\xff");
    WRITE_RAW("body-deepest", RECORD_TOMBSTONE, "k",
              "\x82\x01\x04\x02\x91\x91\x91\x91\x91\x91\x90");
    WRITE_RAW("body-too-deep", RECORD_TOMBSTONE, "k",
              "\x82\x01\x04\x02\x91\x91\x91\x91\x91\x91\x91\x90");
    WRITE_RAW("body-bad-text", RECORD_REVOCATION, "k",
              "\x82\x01\x01\x02\xa3\xed\xa0\x80");
    WRITE_RAW("body-empty", RECORD_MEMBER, "", "");
#undef WRITE_RAW
}

/* The tombstone with one byte of its header changed, and cut short. */
static void write_damaged_records(void)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
    } changes[] = {
        {"header-version-1", 0, 1},     {"header-kind-0", 1, 0},
        {"header-flag-optional", 2, 1}, {"header-flag-critical", 3, 1},
        {"header-seq-0", 75, 0},        {"header-key-size", 88, 129},
        {"header-reserved", 89, 1},     {"header-body-size", 91, 99},
        {"signature-wrong", 120, 0xff},
    };
    const uint8_t *bytes;
    size_t size =
        make_record(RECORD_TOMBSTONE, "redis/a", 7, "\x81\x01\x04", 3, &bytes);
    uint8_t copy[LIMIT_RECORD_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        memcpy(copy, bytes, size);
        copy[changes[i].at] = changes[i].value;
        write_seed("record", changes[i].name, copy, size);
    }
    write_seed("record", "truncated-header", bytes, 91);
    write_seed("record", "truncated-signature", bytes, size - 1);
}

static void write_packet(const char *name, uint8_t type, const uint8_t *payload,
                         size_t payload_size)
{
    const struct packet_context context = {
        .cluster = cluster, .source = sign_public, .destination = sign_public};
    const struct packet_keys keys = {.send = {2}};
    const struct packet_header header = {
        .type = type,
        .source_boot = 7,
        .destination_boot = type == PACKET_HELLO ? 0 : 3,
        .source_id = record_node_id(sign_public),
        .counter = 1001,
        .payload = payload,
        .payload_size = payload_size,
    };
    uint8_t buffer[LIMIT_DATAGRAM_SIZE];
    size_t size = packet_build(&header, &context, &keys, buffer);

    write_seed("packet", name, buffer, size);
}

static void write_messages(const char *name, const struct writer *writer)
{
    assert(!writer->failed);
    write_packet(name, PACKET_MESSAGES, writer->start, writer_size(writer));
}

static void write_message_packets(void)
{
    static const uint64_t hashes[] = {1, UINT64_C(0x8000000000000000)};
    static const struct message_head heads[] = {
        {.first = 0, .last = UINT64_MAX, .n_records = 9, .fingerprint = 8},
        {.first = 5, .last = 5, .n_records = 1, .fingerprint = 7}};
    uint8_t buffer[PACKET_PAYLOAD_MAX];
    struct writer w;
    const uint8_t *record;
    size_t size;

#define START() (w = writer_init(buffer, sizeof(buffer)))
    START();
    write_messages("empty", &w);
    message_put_ping(&w, MESSAGE_PING, 1, 2);
    write_messages("ping", &w);
    START();
    message_put_ping(&w, MESSAGE_ACK, 1, 2);
    message_put_nack(&w, 3);
    message_put_ping_req(&w, 4, 5, 6);
    write_messages("ack-nack-ping-req", &w);
    START();
    message_put_hashes(&w, MESSAGE_IHAVE, hashes, 2);
    message_put_hashes(&w, MESSAGE_WANT, hashes, 1);
    message_put_hashes(&w, MESSAGE_WANT, hashes, 0);
    write_messages("ihave-want", &w);
    START();
    message_put_heads(&w, heads, 2);
    message_put_have(&w, 1, 2, 3, 4, hashes, 2);
    message_put_done(&w);
    write_messages("heads-have-done", &w);
    START();
    size =
        make_record(RECORD_TOMBSTONE, "redis/a", 7, "\x81\x01\x04", 3, &record);
    message_put_ping(&w, MESSAGE_PING, 1, 2);
    message_put_record(&w, record, size);
    write_messages("ping-record", &w);
    START();
    writer_put(&w, "\x80\x00\x02ok\x03\x00\x02\x00\x01", 10);
    write_messages("optional-unknown-then-nack", &w);
    START();
    writer_put(&w, "\x0b\x00\x00\x03\x00\x02\x00\x01", 8);
    write_messages("critical-unknown", &w);
    START();
    writer_put(&w, "\x01\x00\x0b\x00\x00", 5);
    write_messages("ping-truncated", &w);
    START();
    writer_put(&w, "\x08\x00\x1d", 3);
    memset(writer_reserve(&w, 29), 0, 29);
    write_messages("heads-of-no-size", &w);
#undef START
}

static void write_evidence(void)
{
    static const uint8_t body[] = {0x80};
    uint8_t bytes[2][256];
    struct record halves[2];
    uint8_t *evidence;
    size_t size = 0;

    for (size_t i = 0; i < 2; i++) {
        const uint8_t *made;

        size = make_record(RECORD_INTENT, i == 0 ? "a" : "b", 1, body,
                           sizeof(body), &made);
        assert(size <= sizeof(bytes[i]));
        memcpy(bytes[i], made, size);
        assert(record_parse(bytes[i], size, &halves[i]) == 0);
    }
    assert(evidence_new(&halves[0], &halves[1], &evidence, &size) == 0);
    write_seed("record", "evidence", evidence, size);
    evidence[RECORD_HEADER_SIZE + 8] ^= 0x80; /* of the first half */
    write_seed("record", "evidence-of-nothing", evidence, size);
    free(evidence);
}

static void write_hello_packets(void)
{
    const uint8_t *record;
    struct packet_hello hello = {
        .protocol_min = 1,
        .protocol_max = 1,
        .epoch = UINT64_C(0x700000001),
        .certificate = NULL,
    };
    struct body_certificate cert = make_certificate();
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t payload[PACKET_PAYLOAD_MAX];
    size_t size;

    assert(body_put_certificate(&cert, body, sizeof(body), &size) == 0);
    hello.certificate_size =
        make_record(RECORD_CERTIFICATE, sign_public, 32, body, size, &record);
    hello.certificate = record;
    size = packet_build_hello(&hello, payload, sizeof(payload));
    write_packet("hello", PACKET_HELLO, payload, size);
    hello.is_answer = true;
    hello.member = hello.certificate;
    hello.member_size = 100; /* whatever it is */
    hello.shown = hello.certificate;
    hello.shown_size = 200;
    size = packet_build_hello(&hello, payload, sizeof(payload));
    write_packet("hello-answer", PACKET_HELLO, payload, size);
    payload[12] = 0xff;
    write_packet("hello-certificate-too-long", PACKET_HELLO, payload, size);
}

/* What an initiator writes, after the letter that chooses the part. */
static void write_stream_opening(const char *name, uint8_t purpose)
{
    static const uint8_t secret[32] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    bool is_sync = purpose == STREAM_SYNC;
    const struct stream_config config = {
        .purpose = purpose,
        .cluster = cluster,
        .own_sign_public = is_sync ? sign_public : NULL,
        .own_exchange_secret = is_sync ? secret : NULL,
        .peer_sign_public = sign_public,
        .peer_exchange_public = exchange_public,
        .own_certificate = sign_public, /* any bytes */
        .own_certificate_size = sizeof(sign_public),
        .ephemeral_secret = secret,
    };
    uint8_t seed[512] = {'r'};
    struct stream *stream;
    const uint8_t *bytes;
    size_t size;

    assert(stream_new_initiator(&config, &stream) == 0);
    stream_output(stream, &bytes, &size);
    memcpy(seed + 1, bytes, size);
    /* A secretstream header and a frame that will not authenticate. */
    memset(seed + 1 + size, 9, 24);
    memcpy(seed + 1 + size + 24, "\x00\x00\x00\x12", 4);
    write_seed("stream", name, seed, 1 + size + 24 + 4 + 18);
    stream = stream_free(stream);
}

static void write_streams(void)
{
    uint8_t answer[1 + STREAM_ANSWER_SIZE + 30] = {'i'};

    write_stream_opening("respond-sync", STREAM_SYNC);
    write_stream_opening("respond-join", STREAM_JOIN);
    stream_build_refusal(STREAM_REFUSED_BUSY, answer + 1);
    write_seed("stream", "initiate-refused", answer, 1 + STREAM_ANSWER_SIZE);
    answer[1 + 4] = STREAM_VERSION;
    answer[1 + 5] = 0;
    memcpy(answer + 1 + 8, exchange_public, 32);
    memcpy(answer + 1 + STREAM_ANSWER_SIZE, "\x00\x00\x00\x11", 4);
    write_seed("stream", "initiate-answered", answer, sizeof(answer));
#define WRITE_SCRIPT(name, literal)                                            \
    write_seed("stream", name, "p" literal, sizeof("p" literal) - 1)
    WRITE_SCRIPT("pair-frames", "\x00\x05\x02\xff\x00\x00\x00\xc8\x01\x0a"
                                "\x01\xff\x01\xff\x01\xff");
    WRITE_SCRIPT("pair-early-frames", "\x00\x05\x00\x06\x04\x07\x02\x20\x02"
                                      "\x20\x01\xff\x01\xff");
    WRITE_SCRIPT("pair-last-frame", "\x02\xff\x04\x03\x00\x03\x01\xff\x01\xff");
    WRITE_SCRIPT("pair-damaged", "\x02\xff\x00\x05\x01\x1c\x03\x01\x01\xff");
    WRITE_SCRIPT("pair-damaged-header", "\x02\xff\x03\x80\x00\x05\x01\xff");
#undef WRITE_SCRIPT
}

int main(int argc, char **argv)
{
    static const uint8_t seed[32] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    if (argc != 2) {
        fprintf(stderr, "usage: make_seeds DIRECTORY\n");
        return 2;
    }
    seeds_root = argv[1];
    if (sodium_init() < 0 ||
        crypto_sign_seed_keypair(sign_public, sign_secret, seed) != 0 ||
        crypto_scalarmult_curve25519_base(exchange_public, seed) != 0) {
        return 1;
    }
    write_records();
    write_raw_records();
    write_damaged_records();
    write_message_packets();
    write_evidence();
    write_hello_packets();
    write_streams();
    return 0;
}
