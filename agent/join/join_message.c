/*
 * Join requests and answers as bytes; see join_message.h.
 */
#include "agent/join/join_message.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/pack.h"
#include "gossip/base/unpack.h"

/* With the terminating NUL, which is signed too. */
#define JOIN_DOMAIN "socketnet/v1/join"
/* Pair 9: key, bin8 header, signature. */
#define JOIN_SIGNATURE_PAIR_SIZE (1 + 2 + 64)

enum join_request_key {
    REQUEST_KEY_TOKEN = 1,
    REQUEST_KEY_SECRET = 2,
    REQUEST_KEY_SIGN = 3,
    REQUEST_KEY_EXCHANGE = 4,
    REQUEST_KEY_WIREGUARD = 5,
    REQUEST_KEY_NAME = 6,
    REQUEST_KEY_MESH = 7,
    REQUEST_KEY_SUBNETS = 8,
    REQUEST_KEY_SIGNATURE = 9,
    REQUEST_KEY_REPLACES = 10,
    REQUEST_N_KEYS = 10,
};

enum join_answer_key {
    ANSWER_KEY_STATUS = 1,
    ANSWER_KEY_TEXT = 2,
    ANSWER_KEY_GENESIS = 3,
    ANSWER_KEY_CERTIFICATE = 4,
};

/* The signed bytes: what is in front of the frame, then its beginning. */
struct join_signed {
    uint8_t bytes[sizeof(JOIN_DOMAIN) + LIMIT_JOIN_REQUEST_SIZE];
    size_t size;
};

static int make_signed(const uint8_t *bytes, size_t size,
                       struct join_signed *ret)
{
    if (size > LIMIT_JOIN_REQUEST_SIZE) {
        return -ENOBUFS;
    }
    memcpy(ret->bytes, JOIN_DOMAIN, sizeof(JOIN_DOMAIN));
    memcpy(ret->bytes + sizeof(JOIN_DOMAIN), bytes, size);
    ret->size = sizeof(JOIN_DOMAIN) + size;
    return 0;
}

static void pack_addresses(struct pack *pack,
                           const struct join_request *request)
{
    pack_key(pack, REQUEST_KEY_MESH);
    pack_array(pack, request->n_mesh);
    for (size_t i = 0; i < request->n_mesh; i++) {
        pack_endpoint(pack, &request->mesh[i]);
    }
    pack_key(pack, REQUEST_KEY_SUBNETS);
    pack_array(pack, request->n_subnets);
    for (size_t i = 0; i < request->n_subnets; i++) {
        pack_prefix(pack, &request->subnets[i]);
    }
}

int join_request_pack(const struct join_request *request,
                      const uint8_t sign_secret[64], uint8_t *buffer,
                      size_t size, size_t *ret_size)
{
    bool has_wireguard = !sodium_is_zero(request->wireguard_public, 32);
    uint8_t signature[64];
    struct join_signed text;
    struct pack pack;

    pack_begin(&pack, buffer, size);
    pack_map(&pack, (size_t)REQUEST_N_KEYS - (has_wireguard ? 0 : 1) -
                        (request->replaces ? 0 : 1));
    pack_key_bin(&pack, REQUEST_KEY_TOKEN, request->token_id,
                 sizeof(request->token_id));
    pack_key_bin(&pack, REQUEST_KEY_SECRET, request->secret,
                 sizeof(request->secret));
    pack_key_bin(&pack, REQUEST_KEY_SIGN, request->sign_public, 32);
    pack_key_bin(&pack, REQUEST_KEY_EXCHANGE, request->exchange_public, 32);
    if (has_wireguard) {
        pack_key_bin(&pack, REQUEST_KEY_WIREGUARD, request->wireguard_public,
                     32);
    }
    pack_key_text(&pack, REQUEST_KEY_NAME, request->name);
    pack_addresses(&pack, request);
    if (request->replaces) {
        pack_key(&pack, REQUEST_KEY_REPLACES);
        pack_bool(&pack, true);
    }
    if (pack.writer.failed ||
        make_signed(buffer, writer_size(&pack.writer), &text) != 0) {
        return -ENOBUFS;
    }
    /* Never fails (libsodium manual). */
    (void)crypto_sign_detached(signature, NULL, text.bytes, text.size,
                               sign_secret);
    sodium_memzero(&text, sizeof(text));
    pack_key_bin(&pack, REQUEST_KEY_SIGNATURE, signature, sizeof(signature));
    return pack_end(&pack, ret_size);
}

static void read_addresses(struct unpack *unpack, struct join_request *request)
{
    const msgpack_object *items;

    request->n_mesh = unpack_key_array(unpack, REQUEST_KEY_MESH,
                                       LIMIT_CERT_ADDRESSES, &items);
    for (size_t i = 0; i < request->n_mesh; i++) {
        unpack_endpoint(unpack, &items[i], &request->mesh[i]);
    }
    request->n_subnets = unpack_key_array(unpack, REQUEST_KEY_SUBNETS,
                                          LIMIT_CERT_SUBNETS, &items);
    for (size_t i = 0; i < request->n_subnets; i++) {
        unpack_prefix(unpack, &items[i], &request->subnets[i]);
    }
}

static int read_request(const uint8_t *bytes, size_t size,
                        struct join_request *request, uint8_t signature[64])
{
    struct unpack unpack;

    unpack_begin(&unpack, bytes, size);
    unpack_key_bin(&unpack, REQUEST_KEY_TOKEN, request->token_id,
                   sizeof(request->token_id));
    unpack_key_bin(&unpack, REQUEST_KEY_SECRET, request->secret,
                   sizeof(request->secret));
    unpack_key_bin(&unpack, REQUEST_KEY_SIGN, request->sign_public, 32);
    unpack_key_bin(&unpack, REQUEST_KEY_EXCHANGE, request->exchange_public, 32);
    if (unpack_key(&unpack, REQUEST_KEY_WIREGUARD) != NULL) {
        unpack_key_bin(&unpack, REQUEST_KEY_WIREGUARD,
                       request->wireguard_public, 32);
    }
    unpack_key_text(&unpack, REQUEST_KEY_NAME, 0, request->name,
                    sizeof(request->name));
    read_addresses(&unpack, request);
    if (unpack_key(&unpack, REQUEST_KEY_REPLACES) != NULL) {
        request->replaces =
            unpack_bool(&unpack, unpack_key(&unpack, REQUEST_KEY_REPLACES));
    }
    unpack_key_bin(&unpack, REQUEST_KEY_SIGNATURE, signature, 64);
    return unpack_end(&unpack);
}

int join_request_unpack(const uint8_t *bytes, size_t size,
                        struct join_request *ret)
{
    static const uint8_t pair_head[] = {REQUEST_KEY_SIGNATURE, 0xc4, 64};
    struct join_request request = {0};
    const uint8_t *pair;
    uint8_t signature[64];
    struct join_signed text;

    if (size > LIMIT_JOIN_REQUEST_SIZE || size <= JOIN_SIGNATURE_PAIR_SIZE) {
        return -EBADMSG;
    }
    if (read_request(bytes, size, &request, signature) != 0) {
        return -EBADMSG;
    }
    pair = bytes + size - JOIN_SIGNATURE_PAIR_SIZE;
    if (memcmp(pair, pair_head, sizeof(pair_head)) != 0 ||
        memcmp(pair + sizeof(pair_head), signature, 64) != 0 ||
        make_signed(bytes, size - JOIN_SIGNATURE_PAIR_SIZE, &text) != 0 ||
        crypto_sign_verify_detached(signature, text.bytes, text.size,
                                    request.sign_public) != 0) {
        return -EBADMSG;
    }
    *ret = request;
    return 0;
}

int join_answer_pack(const struct join_answer *answer, uint8_t *buffer,
                     size_t size, size_t *ret_size)
{
    bool is_ok = answer->status == JOIN_OK;
    struct pack pack;

    pack_begin(&pack, buffer, size);
    pack_map(&pack, is_ok ? 4 : 2);
    pack_key_uint(&pack, ANSWER_KEY_STATUS, answer->status);
    pack_key_text(&pack, ANSWER_KEY_TEXT, answer->text);
    if (is_ok) {
        pack_key_bin(&pack, ANSWER_KEY_GENESIS, answer->genesis,
                     answer->genesis_size);
        pack_key_bin(&pack, ANSWER_KEY_CERTIFICATE, answer->certificate,
                     answer->certificate_size);
    }
    return pack_end(&pack, ret_size);
}

int join_answer_unpack(const uint8_t *bytes, size_t size,
                       struct join_answer *ret)
{
    struct join_answer answer = {0};
    struct unpack unpack;

    unpack_begin(&unpack, bytes, size);
    answer.status = (enum join_status)unpack_key_uint(
        &unpack, ANSWER_KEY_STATUS, 0, UINT8_MAX);
    unpack_key_text(&unpack, ANSWER_KEY_TEXT, 0, answer.text,
                    sizeof(answer.text));
    if (answer.status == JOIN_OK) {
        answer.genesis =
            unpack_key_slice(&unpack, ANSWER_KEY_GENESIS, &answer.genesis_size);
        answer.certificate = unpack_key_slice(&unpack, ANSWER_KEY_CERTIFICATE,
                                              &answer.certificate_size);
    }
    if (unpack_end(&unpack) != 0) {
        return -EBADMSG;
    }
    *ret = answer;
    return 0;
}
