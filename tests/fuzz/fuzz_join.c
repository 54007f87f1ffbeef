/*
 * Everything that is decoded before a joiner or an issuer trusts the other:
 * requests, answers, the genesis, the text of tokens.  The first byte of the
 * input chooses.  What decodes must encode, and decode to the same again.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/identity/identity.h"
#include "agent/identity/token.h"
#include "agent/join/join_message.h"
#include "agent/join/join_provision.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_request(const uint8_t *data, size_t size)
{
    struct join_request request;

    if (join_request_unpack(data, size, &request) == 0) {
        assert(request.n_mesh <= LIMIT_CERT_ADDRESSES);
        assert(request.n_subnets <= LIMIT_CERT_SUBNETS);
        assert(strlen(request.name) <= LIMIT_NAME_LEN);
    }
}

static void fuzz_answer(const uint8_t *data, size_t size)
{
    uint8_t packed[2 * JOIN_ANSWER_SIZE];
    struct join_answer answer;
    struct join_answer again;
    size_t packed_size = 0;

    if (size > JOIN_ANSWER_SIZE ||
        join_answer_unpack(data, size, &answer) != 0) {
        return;
    }
    assert(join_answer_pack(&answer, packed, sizeof(packed), &packed_size) ==
           0);
    assert(join_answer_unpack(packed, packed_size, &again) == 0);
    assert(again.status == answer.status);
    assert(strcmp(again.text, answer.text) == 0);
    assert(again.certificate_size == answer.certificate_size);
}

static void fuzz_genesis(const uint8_t *data, size_t size)
{
    struct genesis genesis = {0};

    if (genesis_parse(data, size, &genesis) == 0) {
        assert(genesis.size == size);
        assert(memcmp(genesis.bytes, data, size) == 0);
        assert(genesis.n_roots >= 1 && genesis.n_roots <= LIMIT_GENESIS_ROOTS);
    }
}

static void fuzz_token(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    char encoded[TOKEN_TEXT_SIZE];
    struct token token;
    struct token again;
    char *problem = NULL;

    assert(text != NULL);
    memcpy(text, data, size);
    if (token_parse(text, &token, &problem) == 0) {
        assert(token_encode(&token, encoded) == 0);
        assert(token_parse(encoded, &again, &problem) == 0);
        assert(memcmp(&token, &again, sizeof(token)) == 0);
    }
    free(problem);
    free(text);
}

/* An answer that came as a file. */
static void fuzz_provision(const uint8_t *data, size_t size)
{
    const struct identity identity = {0};
    struct join_result result = {0};
    char *problem = NULL;

    if (join_provision_read(data, size, &identity, "host2", &result,
                            &problem) == 0) {
        join_result_done(&result);
    }
    free(problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (sodium_init() < 0 || size == 0) {
        return 0;
    }
    switch (data[0] % 5) {
    case 0:
        fuzz_request(data + 1, size - 1);
        break;
    case 1:
        fuzz_answer(data + 1, size - 1);
        break;
    case 2:
        fuzz_genesis(data + 1, size - 1);
        break;
    case 3:
        fuzz_token(data + 1, size - 1);
        break;
    default:
        fuzz_provision(data + 1, size - 1);
        break;
    }
    return 0;
}
