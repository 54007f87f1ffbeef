/*
 * gossip/wire/body.h: each kind there and back, each rule of each key broken
 * once.
 */
#include "gossip/wire/body.h"

#include <errno.h>

#include "gossip/base/pack.h"
#include "gossip/base/unpack.h"
#include "tests/unit/body_samples.h"
#include "tests/unit/support.h"

static struct support_keys keys;

typedef int (*get_fn)(const struct record *record);

#define GET(kind)                                                              \
    static int get_##kind(const struct record *record)                         \
    {                                                                          \
        struct body_##kind body;                                               \
                                                                               \
        return body_get_##kind(record, &body);                                 \
    }

GET(certificate)
GET(member)
GET(service)
GET(function)
GET(tombstone)
GET(manifest)
GET(accusation)
GET(revocation)
GET(hold)

/* Its record key is a hash of the body, which the tests here edit: it is judged
 * in test_charter.c. */
static int get_charter(const struct record *record)
{
    struct body_charter body;

    return record->kind == RECORD_CHARTER &&
                   record->key_size == BODY_CHARTER_KEY_SIZE
               ? body_unpack_charter(record->body, record->body_size, &body)
               : body_get_charter(record, &body);
}

/* One of each kind but intents. */
#define N_SAMPLES 10

static const struct body_member sample_member = {
    .state = BODY_MEMBER_PAUSED,
    .pause_s = 60,
    .version = "0.1.0",
    .protocol_min = 1,
    .protocol_max = 2,
    .endpoints = {{.address = {4, {192, 0, 2, 1}}, .port = 51820},
                  {.address = {6, {0x20, 1}}, .port = 51821}},
    .n_endpoints = 2,
    .finding = BODY_MEMBER_FINDING_TUNNEL,
};

/* An encoded body with the key its record has. */
struct sample {
    uint8_t kind;
    get_fn get;
    const void *key;
    size_t key_size;
    uint32_t required; /* keys that must be there */
    uint32_t known;    /* keys that are written */
    uint8_t bytes[LIMIT_RECORD_SIZE];
    size_t size;
};

/* Kinds in the order of enum record_kind, without intent. */
static size_t make_samples(struct sample samples[N_SAMPLES])
{
    static const uint8_t ids[32] = {[0] = 1, [16] = 2};
    const size_t room = LIMIT_RECORD_SIZE;
    struct body_certificate cert = sample_certificate(&keys);
    struct body_service service = sample_service();
    struct body_function function = {.name = "vector-db",
                                     .address = {4, {100, 80, 1, 2}},
                                     .is_claim = true,
                                     .slot = 7,
                                     .idle_since_s = 1700000000};
    struct body_tombstone tombstone = {.kind = RECORD_SERVICE};
    struct body_manifest manifest = {
        .upto = {.epoch = SUPPORT_EPOCH, .seq = 5}, .ids = ids, .n_ids = 2};
    struct body_accusation accusation = {.incarnation = {.epoch = 9, .seq = 8}};
    struct body_revocation revocation = {
        .serial = 7, .reason = "lost", .is_lifted = true};
    struct body_charter charter = sample_charter(&keys);
    static uint8_t charter_key[BODY_CHARTER_KEY_SIZE];
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    struct body_hold hold = {
        .is_held = true, .reason = "why", .ids = ids, .n_ids = 2};
    struct sample *s = samples;

    memset(samples, 0, N_SAMPLES * sizeof(*samples));
    *s = (struct sample){RECORD_CERTIFICATE,
                         get_certificate,
                         keys.sign_public,
                         32,
                         0x3ff6,
                         0x3ffe,
                         {0},
                         0};
    assert_int_equal(body_put_certificate(&cert, s->bytes, room, &s->size), 0);
    s++;
    *s = (struct sample){RECORD_REVOCATION,
                         get_revocation,
                         keys.sign_public,
                         32,
                         0x2,
                         0xe,
                         {0},
                         0};
    assert_int_equal(body_put_revocation(&revocation, s->bytes, room, &s->size),
                     0);
    s++;
    *s = (struct sample){RECORD_MEMBER, get_member, "", 0, 0x32, 0xfe, {0}, 0};
    assert_int_equal(body_put_member(&sample_member, s->bytes, room, &s->size),
                     0);
    s++;
    *s = (struct sample){RECORD_SERVICE, get_service, "vector-db/a", 11,
                         0x3e,           0x7ffe,      {0},           0};
    assert_int_equal(body_put_service(&service, s->bytes, room, &s->size), 0);
    s++;
    *s = (struct sample){
        RECORD_FUNCTION, get_function, "vector-db", 9, 0x2, 0x16, {0}, 0};
    assert_int_equal(body_put_function(&function, s->bytes, room, &s->size), 0);
    s++;
    *s = (struct sample){
        RECORD_TOMBSTONE, get_tombstone, "redis/a", 7, 0x2, 0x2, {0}, 0};
    assert_int_equal(body_put_tombstone(&tombstone, s->bytes, room, &s->size),
                     0);
    s++;
    *s =
        (struct sample){RECORD_MANIFEST, get_manifest, "", 0, 0xe, 0xe, {0}, 0};
    assert_int_equal(body_put_manifest(&manifest, s->bytes, room, &s->size), 0);
    s++;
    *s = (struct sample){RECORD_ACCUSATION,
                         get_accusation,
                         keys.sign_public,
                         32,
                         0x6,
                         0x6,
                         {0},
                         0};
    assert_int_equal(body_put_accusation(&accusation, s->bytes, room, &s->size),
                     0);
    s++;
    *s = (struct sample){RECORD_CHARTER, get_charter, charter_key, 16,
                         0x3fe,          0x3fe,       {0},         0};
    assert_int_equal(body_put_charter(&charter, s->bytes, room, &s->size), 0);
    body_hash_charter(&charter, s->bytes, s->size, hash);
    body_key_charter(&charter, hash, charter_key);
    s++;
    *s = (struct sample){RECORD_HOLD, get_hold, "", 0, 0x2, 0xe, {0}, 0};
    assert_int_equal(body_put_hold(&hold, s->bytes, room, &s->size), 0);
    return N_SAMPLES;
}

static int decode(const struct sample *sample, uint8_t kind, const void *key,
                  size_t key_size, const uint8_t *body, size_t body_size)
{
    uint8_t buffer[LIMIT_RECORD_SIZE + 512];
    struct record record;

    support_record_unsigned(&keys, kind, key, key_size, body, body_size, buffer,
                            sizeof(buffer), &record);
    return sample->get(&record);
}

static int decode_body(const struct sample *sample, const uint8_t *body,
                       size_t body_size)
{
    return decode(sample, sample->kind, sample->key, sample->key_size, body,
                  body_size);
}

/* Copies a body, with `key` left out (with == NULL) or given another value.
 */
static size_t edit_body(const struct sample *sample, unsigned key,
                        const char *with, size_t with_size, uint8_t *to)
{
    const msgpack_object_kv *pairs;
    struct unpack unpack;
    struct pack pack;
    size_t n_kept = 0;
    size_t n;
    size_t size;

    unpack_begin(&unpack, sample->bytes, sample->size);
    n = unpack_map(&unpack, &unpack.root, LIMIT_MSGPACK_ELEMENTS, &pairs);
    assert_int_equal(unpack_end(&unpack), 0);
    for (size_t i = 0; i < n; i++) {
        n_kept += pairs[i].key.via.u64 != key || with != NULL;
    }
    assert_true(n_kept < 16);
    pack_begin(&pack, to, LIMIT_RECORD_SIZE);
    pack_map(&pack, n_kept);
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].key.via.u64 != key) {
            pack_uint(&pack, pairs[i].key.via.u64);
            assert_int_equal(msgpack_pack_object(&pack.packer, pairs[i].val),
                             0);
        } else if (with != NULL) {
            pack_key(&pack, key);
            writer_put(&pack.writer, with, with_size);
        }
    }
    assert_int_equal(pack_end(&pack, &size), 0);
    return size;
}

static void test_samples(void **state)
{
    struct sample samples[N_SAMPLES];
    size_t n = make_samples(samples);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct sample *s = &samples[i];

        assert_int_equal(
            unpack_validate(s->bytes, s->size, LIMIT_MSGPACK_ELEMENTS), 0);
        assert_int_equal(decode_body(s, s->bytes, s->size), 0);
        /* Read as a record of another kind. */
        assert_int_equal(
            decode(s, RECORD_INTENT, s->key, s->key_size, s->bytes, s->size),
            RECORD_E_BODY);
    }
}

/* Every required key is required, every optional one is not. */
static void test_missing_keys(void **state)
{
    struct sample samples[N_SAMPLES];
    size_t n = make_samples(samples);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (unsigned key = 1; key < 15; key++) {
            uint8_t body[LIMIT_RECORD_SIZE];
            size_t size;
            bool is_required;

            if ((samples[i].known & 1u << key) == 0) {
                continue;
            }
            is_required = (samples[i].required & 1u << key) != 0;
            size = edit_body(&samples[i], key, NULL, 0, body);
            if (decode_body(&samples[i], body, size) !=
                (is_required ? RECORD_E_BODY : 0)) {
                print_error("kind %u key %u\n", samples[i].kind, key);
                fail();
            }
        }
    }
}

/* No key accepts a value of a type it does not have. */
static void test_wrong_types(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } values[] = {
        {"\xc0", 1},
        {"\xc3", 1},
        {"\xff", 1},
        {"\xca\0\0\0\0", 5},
        {"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", 9},
    };
    struct sample samples[N_SAMPLES];
    size_t n = make_samples(samples);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (unsigned key = 1; key < 15; key++) {
            for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
                uint8_t body[LIMIT_RECORD_SIZE];
                size_t size;

                if ((samples[i].known & 1u << key) == 0 ||
                    (samples[i].kind == RECORD_HOLD && key == 1 &&
                     values[v].bytes[0] == '\xc3') ||
                    (samples[i].kind == RECORD_REVOCATION && key == 3 &&
                     values[v].bytes[0] == '\xc3')) {
                    continue; /* not written, or that very type */
                }
                size = edit_body(&samples[i], key, values[v].bytes,
                                 values[v].size, body);
                if (decode_body(&samples[i], body, size) != RECORD_E_BODY) {
                    print_error("kind %u key %u value %zu\n", samples[i].kind,
                                key, v);
                    fail();
                }
            }
        }
    }
}

/* Keys of later versions are passed over, whatever they hold. */
static void test_unknown_keys(void **state)
{
    static const char extra[] = "\x0f\x92\x81\x01\xa1x\xc0" /* 15: [..] */
                                "\xcc\xc8\xca\0\0\0\0"      /* 200: 0.0 */
                                "\xa3new\xff"               /* "new": -1 */
                                "\x00\x00";                 /* 0: 0 */
    struct sample samples[N_SAMPLES];
    size_t n = make_samples(samples);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct sample *s = &samples[i];
        uint8_t body[LIMIT_RECORD_SIZE];
        uint32_t n_pairs = s->bytes[0] & 0x0f;

        body[0] = 0xde;
        body[1] = 0;
        body[2] = (uint8_t)(n_pairs + 4);
        memcpy(body + 3, extra, sizeof(extra) - 1);
        memcpy(body + 2 + sizeof(extra), s->bytes + 1, s->size - 1);
        assert_int_equal(decode_body(s, body, sizeof(extra) + 1 + s->size), 0);
    }
}

static void test_truncated(void **state)
{
    struct sample samples[N_SAMPLES];
    size_t n = make_samples(samples);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t size = 0; size < samples[i].size; size++) {
            assert_int_equal(decode_body(&samples[i], samples[i].bytes, size),
                             RECORD_E_BODY);
        }
    }
}

/* The record's key and the body must say the same. */
static void test_record_key(void **state)
{
    struct sample samples[N_SAMPLES];
    size_t n = make_samples(samples);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct sample *s = &samples[i];

        if (s->kind == RECORD_TOMBSTONE) {
            continue; /* names another record by its key, whatever it is */
        }
        assert_int_equal(decode(s, s->kind, "other", 5, s->bytes, s->size),
                         RECORD_E_BODY);
        if (s->key_size > 0) {
            assert_int_equal(
                decode(s, s->kind, s->key, s->key_size - 1, s->bytes, s->size),
                RECORD_E_BODY);
        }
    }
}

static void test_no_room(void **state)
{
    struct body_certificate cert = sample_certificate(&keys);
    struct body_service service = sample_service();
    uint8_t buffer[LIMIT_RECORD_SIZE];
    size_t size = 42;
    size_t whole;

    (void)state;
    assert_int_equal(body_put_service(&service, buffer, sizeof(buffer), &whole),
                     0);
    for (size_t room = 0; room < whole; room++) {
        assert_int_equal(body_put_service(&service, buffer, room, &size),
                         -ENOBUFS);
    }
    assert_int_equal(body_put_service(&service, buffer, whole, &size), 0);
    size = 42;
    assert_int_equal(body_put_certificate(&cert, buffer, 64, &size), -ENOBUFS);
    assert_int_equal(size, 42);
}

/* Encoded, decoded, and encoded again to the same bytes. */
#define ASSERT_ROUND_TRIP(kind, number, key, key_size, value)                  \
    do {                                                                       \
        struct body_##kind original_ = (value);                                \
        struct body_##kind decoded_;                                           \
        uint8_t body_[LIMIT_RECORD_SIZE], again_[LIMIT_RECORD_SIZE];           \
        uint8_t buffer_[LIMIT_RECORD_SIZE];                                    \
        size_t size_, again_size_;                                             \
        struct record record_;                                                 \
                                                                               \
        assert_int_equal(                                                      \
            body_put_##kind(&original_, body_, sizeof(body_), &size_), 0);     \
        support_record_unsigned(&keys, number, key, key_size, body_, size_,    \
                                buffer_, sizeof(buffer_), &record_);           \
        assert_int_equal(body_get_##kind(&record_, &decoded_), 0);             \
        assert_int_equal(                                                      \
            body_put_##kind(&decoded_, again_, sizeof(again_), &again_size_),  \
            0);                                                                \
        assert_int_equal(size_, again_size_);                                  \
        assert_memory_equal(body_, again_, size_);                             \
    } while (0)

static void test_round_trips(void **state)
{
    struct body_certificate cert = sample_certificate(&keys);
    struct body_function hashed = {.name = "redis"};

    (void)state;
    ASSERT_ROUND_TRIP(certificate, RECORD_CERTIFICATE, keys.sign_public, 32,
                      cert);
    memset(cert.wireguard_public, 0, 32);
    cert.n_subnets = cert.n_functions = cert.n_scope = 0;
    cert.n_mesh = 1;
    ASSERT_ROUND_TRIP(certificate, RECORD_CERTIFICATE, keys.sign_public, 32,
                      cert);
    ASSERT_ROUND_TRIP(member, RECORD_MEMBER, "", 0, sample_member);
    ASSERT_ROUND_TRIP(service, RECORD_SERVICE, "vector-db/a", 11,
                      sample_service());
    ASSERT_ROUND_TRIP(function, RECORD_FUNCTION, "redis", 5, hashed);
    hashed.is_claim = true; /* slot 0 is a slot */
    ASSERT_ROUND_TRIP(function, RECORD_FUNCTION, "redis", 5, hashed);
}

/* A WireGuard key that is there but zero would be a second way to say none.
 */
static void test_certificate_zero_wireguard(void **state)
{
    struct sample samples[N_SAMPLES];
    char zero[34] = "\xc4\x20";
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t size;

    (void)state;
    (void)make_samples(samples); /* the number is known */
    size = edit_body(&samples[0], 3, zero, sizeof(zero), body);
    assert_int_equal(decode_body(&samples[0], body, size), RECORD_E_BODY);
    zero[9] = 1;
    size = edit_body(&samples[0], 3, zero, sizeof(zero), body);
    assert_int_equal(decode_body(&samples[0], body, size), 0);
}

/* A key of 32 bytes without a zero. */
#define SUBJECT "0123456789abcdef0123456789abcdef"

/* Small bodies as raw bytes: the record's key, the body, the result. */
static void test_small_ranges(void **state)
{
    static const struct {
        get_fn get;
        uint8_t kind;
        const char *key;
        const char *body;
        size_t size;
        int result;
    } cases[] = {
#define RAW(kind, number, key, literal, result)                                \
    {get_##kind, number, key, literal, sizeof(literal) - 1, result}
        RAW(member, RECORD_MEMBER, "", "\x83\x01\x00\x04\x01\x05\x01", 0),
        RAW(member, RECORD_MEMBER, "", "\x83\x01\x02\x04\x01\x05\x01", 0),
        RAW(member, RECORD_MEMBER, "", "\x83\x01\x03\x04\x01\x05\x01",
            RECORD_E_BODY), /* no such state */
        RAW(member, RECORD_MEMBER, "", "\x83\x01\x00\x04\x02\x05\x01",
            RECORD_E_BODY), /* empty range */
        RAW(member, RECORD_MEMBER, "", "\x83\x01\x00\x04\x00\x05\x01",
            RECORD_E_BODY), /* version 0 */
        RAW(member, RECORD_MEMBER, "", "\x83\x01\x00\x04\x01\x05\xcd\x01\x00",
            RECORD_E_BODY), /* version 256 */
        RAW(member, RECORD_MEMBER, "",
            "\x84\x01\x01\x02\xce\xff\xff\xff\xff\x04\x01\x05\x01", 0),
        RAW(member, RECORD_MEMBER, "",
            "\x84\x01\x01\x02\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x04\x01\x05"
            "\x01",
            RECORD_E_BODY), /* pause of 2^32 s */
        RAW(member, RECORD_MEMBER, "x", "\x83\x01\x00\x04\x01\x05\x01",
            RECORD_E_BODY),                                    /* a key */
        RAW(member, RECORD_MEMBER, "", "\x90", RECORD_E_BODY), /* no map */
        RAW(member, RECORD_MEMBER, "", "\x05", RECORD_E_BODY),
        RAW(tombstone, RECORD_TOMBSTONE, "k", "\x81\x01\x01", 0),
        RAW(tombstone, RECORD_TOMBSTONE, "", "\x81\x01\xcc\xff", 0),
        RAW(tombstone, RECORD_TOMBSTONE, "k", "\x81\x01\x00", RECORD_E_BODY),
        RAW(tombstone, RECORD_TOMBSTONE, "k", "\x81\x01\x07", RECORD_E_BODY),
        RAW(tombstone, RECORD_TOMBSTONE, "k", "\x81\x01\xcd\x01\x00",
            RECORD_E_BODY),
        RAW(function, RECORD_FUNCTION, "a", "\x81\x01\xa1\x61", 0),
        RAW(function, RECORD_FUNCTION, "a",
            "\x82\x01\xa1\x61\x03\x81\xa1\x78\x92\x01\x02", 0), /* a policy */
        RAW(function, RECORD_FUNCTION, "a", "\x82\x01\xa1\x61\x03\x90",
            RECORD_E_BODY), /* a policy that is no map */
        RAW(function, RECORD_FUNCTION, "A", "\x81\x01\xa1\x41",
            RECORD_E_BODY), /* not canonical */
        RAW(function, RECORD_FUNCTION, "a",
            "\x82\x01\xa1\x61\x02\xc4\x05\x01\x02\x03\x04\x05",
            RECORD_E_BODY), /* an address of five bytes */
        RAW(manifest, RECORD_MANIFEST, "", "\x83\x01\x01\x02\x01\x03\xc4\x00",
            0), /* nothing is left */
        RAW(manifest, RECORD_MANIFEST, "", "\x83\x01\x01\x02\x00\x03\xc4\x00",
            RECORD_E_BODY), /* seq 0 */
        RAW(manifest, RECORD_MANIFEST, "",
            "\x83\x01\xcf\x00\x00\x00\x07\x01\x02\x03\x04\x02\x06\x03\xc4\x00",
            RECORD_E_BODY), /* one newer than the manifest */
        RAW(manifest, RECORD_MANIFEST, "",
            "\x83\x01\x01\x02\x01\x03\xc4\x0f"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            RECORD_E_BODY), /* half an id */
        RAW(manifest, RECORD_MANIFEST, "",
            "\x83\x01\x01\x02\x01\x03\xc4\x20"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
            RECORD_E_BODY), /* not sorted */
        RAW(manifest, RECORD_MANIFEST, "",
            "\x83\x01\x01\x02\x01\x03\xc4\x20"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
            RECORD_E_BODY), /* twice the same */
        RAW(accusation, RECORD_ACCUSATION,
            "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
            "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01",
            "\x82\x01\x01\x02\x00", RECORD_E_BODY), /* seq 0 */
        RAW(accusation, RECORD_ACCUSATION, "short", "\x82\x01\x01\x02\x01",
            RECORD_E_BODY),
        RAW(revocation, RECORD_REVOCATION, "short", "\x81\x01\x00",
            RECORD_E_BODY),
        RAW(revocation, RECORD_REVOCATION, SUBJECT, "\x82\x01\x00\x03\xc2",
            0), /* not lifted */
        RAW(revocation, RECORD_REVOCATION, SUBJECT, "\x82\x01\x00\x03\xc3",
            0), /* lifted */
        RAW(function, RECORD_FUNCTION, "a", "\x82\x01\xa1\x61\x04\xcd\xff\xff",
            0), /* slot 65535 */
        RAW(function, RECORD_FUNCTION, "a",
            "\x82\x01\xa1\x61\x04\xce\x00\x01\x00\x00",
            RECORD_E_BODY), /* slot 65536 */
        RAW(member, RECORD_MEMBER, "",
            "\x84\x01\x00\x04\x01\x05\x01\x07\xcc\xff",
            0), /* a finding of a later release */
        RAW(member, RECORD_MEMBER, "",
            "\x84\x01\x00\x04\x01\x05\x01\x07\xcd\x01\x00",
            RECORD_E_BODY), /* finding 256 */
        RAW(member, RECORD_MEMBER, "",
            "\x84\x01\x00\x04\x01\x05\x01\x06\x91\xc4\x06\x01\x02\x03\x04"
            "\x00\x01",
            0), /* an endpoint */
        RAW(member, RECORD_MEMBER, "",
            "\x84\x01\x00\x04\x01\x05\x01\x06\x91\xc4\x06\x01\x02\x03\x04"
            "\x00\x00",
            RECORD_E_BODY), /* its port 0 */
#undef RAW
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct sample sample = {.get = cases[i].get};
        int result =
            decode(&sample, cases[i].kind, cases[i].key, strlen(cases[i].key),
                   (const uint8_t *)cases[i].body, cases[i].size);

        if (result != cases[i].result) {
            print_error("case %zu\n", i);
        }
        assert_int_equal(result, cases[i].result);
    }
}

static void test_small_fields(void **state)
{
    struct sample samples[N_SAMPLES];
    uint8_t buffer[LIMIT_RECORD_SIZE];
    struct body_manifest manifest;
    struct body_accusation accusation;
    struct body_revocation revocation;
    struct body_hold hold;
    struct body_function function;
    struct body_tombstone tombstone;
    struct body_member member;
    struct record record;

    (void)state;
    (void)make_samples(samples); /* the number is known */
#define TAKE(index, body)                                                      \
    do {                                                                       \
        const struct sample *s_ = &samples[index];                             \
        support_record_unsigned(&keys, s_->kind, s_->key, s_->key_size,        \
                                s_->bytes, s_->size, buffer, sizeof(buffer),   \
                                &record);                                      \
        assert_int_equal(body_get_##body(&record, &body), 0);                  \
    } while (0)
    TAKE(1, revocation);
    assert_true(revocation.serial == 7);
    assert_string_equal(revocation.reason, "lost");
    assert_true(revocation.is_lifted);
    TAKE(2, member);
    assert_memory_equal(&member, &sample_member, sizeof(member));
    TAKE(4, function);
    assert_string_equal(function.name, "vector-db");
    assert_int_equal(function.address.family, 4);
    assert_int_equal(function.address.bytes[3], 2);
    assert_true(function.is_claim);
    assert_int_equal(function.slot, 7);
    assert_true(function.idle_since_s == 1700000000);
    TAKE(5, tombstone);
    assert_int_equal(tombstone.kind, RECORD_SERVICE);
    TAKE(6, manifest);
    assert_true(manifest.upto.epoch == SUPPORT_EPOCH);
    assert_true(manifest.upto.seq == 5);
    assert_int_equal(manifest.n_ids, 2);
    assert_int_equal(manifest.ids[16], 2);
    TAKE(7, accusation);
    assert_true(accusation.incarnation.epoch == 9);
    assert_true(accusation.incarnation.seq == 8);
    TAKE(9, hold);
    assert_true(hold.is_held);
    assert_string_equal(hold.reason, "why");
    assert_int_equal(hold.n_ids, 2);
    assert_int_equal(hold.ids[16], 2);
#undef TAKE
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_missing_keys),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_record_key),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_certificate_zero_wireguard),
        cmocka_unit_test(test_small_ranges),
        cmocka_unit_test(test_small_fields),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    keys = support_keys_make(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
