/*
 * Signatures over records, and the check at start-up that libsodium still
 * follows the rule every other node follows.  See sign.h.
 */
#include "gossip/wire/sign.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/limits.h"
#include "gossip/base/text.h"
#include "gossip/wire/evidence.h"

/* "socketnet/v1/255" and its NUL. */
#define SIGN_DOMAIN_SIZE 17

_Static_assert(SIGN_SECRET_SIZE == crypto_sign_SECRETKEYBYTES, "libsodium");
_Static_assert(SIGN_PUBLIC_SIZE == crypto_sign_PUBLICKEYBYTES, "libsodium");
_Static_assert(RECORD_SIGNATURE_SIZE == crypto_sign_BYTES, "libsodium");

/* Domain, then all of the record but its signature; returns the size. */
static size_t sign_input(const struct record *record, uint8_t *input)
{
    char domain[SIGN_DOMAIN_SIZE];
    int len = snprintf(domain, sizeof(domain), "socketnet/v1/%u", record->kind);
    size_t domain_size = (size_t)len + 1;
    size_t size = record->size - RECORD_SIGNATURE_SIZE;

    memcpy(input, domain, domain_size);
    memcpy(input + domain_size, record->bytes, size);
    return domain_size + size;
}

typedef int (*sign_apply_fn)(const uint8_t *input, size_t size, void *data);

/* Two functions, so that a small record does not pay for clearing the large
 * buffer (all automatic variables are). */
static int apply_small(const struct record *record, sign_apply_fn apply,
                       void *data)
{
    uint8_t input[SIGN_DOMAIN_SIZE + LIMIT_RECORD_SIZE];

    return apply(input, sign_input(record, input), data);
}

static __attribute__((noinline)) int
apply_large(const struct record *record, sign_apply_fn apply, void *data)
{
    uint8_t input[SIGN_DOMAIN_SIZE + LIMIT_MANIFEST_SIZE];

    return apply(input, sign_input(record, input), data);
}

static int apply_any(const struct record *record, sign_apply_fn apply,
                     void *data)
{
    return record->size <= LIMIT_RECORD_SIZE ? apply_small(record, apply, data)
                                             : apply_large(record, apply, data);
}

struct signing {
    const uint8_t *secret;
    uint8_t *signature;
};

static int apply_sign(const uint8_t *input, size_t size, void *data)
{
    const struct signing *signing = data;

    return crypto_sign_detached(signing->signature, NULL, input, size,
                                signing->secret) == 0
               ? 0
               : -EINVAL;
}

static int apply_verify(const uint8_t *input, size_t size, void *data)
{
    const struct record *record = data;

    return crypto_sign_verify_detached(record->signature, input, size,
                                       record->writer) == 0
               ? 0
               : RECORD_E_SIGNATURE;
}

int sign_record(uint8_t *bytes, size_t size,
                const uint8_t secret[SIGN_SECRET_SIZE])
{
    struct signing signing = {.secret = secret};
    struct record record;

    if (record_parse(bytes, size, &record) != 0) {
        return -EINVAL;
    }
    /* libsodium keeps the public key behind the seed. */
    if (memcmp(record.writer, secret + SIGN_SECRET_SIZE - SIGN_PUBLIC_SIZE,
               SIGN_PUBLIC_SIZE) != 0) {
        return -EINVAL;
    }
    signing.signature = bytes + size - RECORD_SIGNATURE_SIZE;
    return apply_any(&record, apply_sign, &signing);
}

static int verify_one(const struct record *record)
{
    struct record copy = *record;

    return apply_any(record, apply_verify, &copy);
}

int sign_verify(const struct record *record)
{
    struct record first, second;

    if (record->kind != RECORD_EVIDENCE) {
        return verify_one(record);
    }
    /* Nobody signs the whole: its halves speak for themselves. */
    return evidence_get(record, &first, &second) == 0 &&
                   verify_one(&first) == 0 && verify_one(&second) == 0
               ? 0
               : RECORD_E_SIGNATURE;
}

struct sign_vector {
    const char *message; /* hex, as the rest */
    const char *public;
    const char *signature;
    bool is_valid;
};

static const struct sign_vector sign_vectors[] = {
    /* RFC 8032 section 7.1, TEST 1, TEST 2 and TEST 3. */
    {
        .message = "",
        .public = "d75a980182b10ab7d54bfed3c964073a"
                  "0ee172f3daa62325af021a68f707511a",
        .signature = "e5564300c360ac729086e2cc806e828a"
                     "84877f1eb8e5d974d873e06522490155"
                     "5fb8821590a33bacc61e39701cf9b46b"
                     "d25bf5f0595bbe24655141438e7a100b",
        .is_valid = true,
    },
    {
        .message = "72",
        .public = "3d4017c3e843895a92b70aa74d1b7ebc"
                  "9c982ccf2ec4968cc0cd55f12af4660c",
        .signature = "92a009a9f0d4cab8720e820b5f642540"
                     "a2b27b5416503f8fb3762223ebdb69da"
                     "085ac1e43e15996e458f3613d0f11d8c"
                     "387b2eaeb4302aeeb00d291612bb0c00",
        .is_valid = true,
    },
    {
        .message = "af82",
        .public = "fc51cd8e6218a1a38da47ed00230f058"
                  "0816ed13ba3303ac5deb911548908025",
        .signature = "6291d657deec24024827e69c3abe01a3"
                     "0ce548a284743a445e3680d7db5ac3ac"
                     "18ff9b538d16f290ae67f760984dc659"
                     "4a7c15e9716ed28dc027beceea1ec40a",
        .is_valid = true,
    },
    /* TEST 2 with the order of the group added to S: malleable. */
    {
        .message = "72",
        .public = "3d4017c3e843895a92b70aa74d1b7ebc"
                  "9c982ccf2ec4968cc0cd55f12af4660c",
        .signature = "92a009a9f0d4cab8720e820b5f642540"
                     "a2b27b5416503f8fb3762223ebdb69da"
                     "f52db7415978abc61b2c2eb6aeebfca0"
                     "387b2eaeb4302aeeb00d291612bb0c10",
        .is_valid = false,
    },
    /* The key is the neutral element: any message "verifies" by arithmetic
     * alone. */
    {
        .message = "736f636b65746e6574",
        .public = "01000000000000000000000000000000"
                  "00000000000000000000000000000000",
        .signature = "f6d72ef7e6b3e1cc22052a6e59975105"
                     "65eed1bc3cfa886d18e33bbbe0ee3f0e"
                     "070639981c1a2aaf47c93031a200098f"
                     "972fc8c0f951915b09afea0b518cbb04",
        .is_valid = false,
    },
    /* R is the neutral element, the key an honest one. */
    {
        .message = "736f636b65746e6574",
        .public = "538cc2222f6291d5bc2f4a71d5656ca8"
                  "430f4455e9e93ce009b87aababcc0731",
        .signature = "01000000000000000000000000000000"
                     "00000000000000000000000000000000"
                     "6882458645f255cbd585d95bdd2d82c1"
                     "6cdcbe9f32e00eb92797ce61a2987d07",
        .is_valid = false,
    },
    /* The key has a part of order 8 and the hash is not a multiple of 8: a
     * cofactored rule accepts, ours does not. */
    {
        .message = "736f636b65746e65742030",
        .public = "9b9e8965561f122d5d6eaad536986551"
                  "e9d982ac6dc118367f24082ab27457ad",
        .signature = "f6d72ef7e6b3e1cc22052a6e59975105"
                     "65eed1bc3cfa886d18e33bbbe0ee3f0e"
                     "9ce6037709d9d64df9ff207788133684"
                     "1548745e9c9b0eeaab765df17508da05",
        .is_valid = false,
    },
    /* The same key where the hash is a multiple of 8: both rules accept. */
    {
        .message = "736f636b65746e65742032",
        .public = "9b9e8965561f122d5d6eaad536986551"
                  "e9d982ac6dc118367f24082ab27457ad",
        .signature = "f6d72ef7e6b3e1cc22052a6e59975105"
                     "65eed1bc3cfa886d18e33bbbe0ee3f0e"
                     "ad40ebd692db8ee6ad30e75f4819d4cc"
                     "ba795c6d16e0d1a31385c20e79f1420d",
        .is_valid = true,
    },
};

static int verify_vector(const struct sign_vector *vector)
{
    uint8_t message[32];
    uint8_t public[SIGN_PUBLIC_SIZE];
    uint8_t signature[RECORD_SIGNATURE_SIZE];
    size_t message_size = strlen(vector->message) / 2;
    bool is_valid;

    assert(message_size <= sizeof(message));
    if (text_to_bytes(vector->message, strlen(vector->message), message,
                      message_size) != 0 ||
        text_to_bytes(vector->public, strlen(vector->public), public,
                      sizeof(public)) != 0 ||
        text_to_bytes(vector->signature, strlen(vector->signature), signature,
                      sizeof(signature)) != 0) {
        return -EBADMSG;
    }
    is_valid = crypto_sign_verify_detached(signature, message, message_size,
                                           public) == 0;
    return is_valid == vector->is_valid ? 0 : -EBADMSG;
}

int sign_self_test(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(sign_vectors); i++) {
        int error = verify_vector(&sign_vectors[i]);

        if (error < 0) {
            return error;
        }
    }
    return 0;
}
