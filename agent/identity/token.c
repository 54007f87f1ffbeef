/*
 * Join tokens: text codec, making one and what the issuer keeps; see token.h.
 */
#include "agent/identity/token.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/identity/identity.h"
#include "gossip/base/pack.h"
#include "gossip/base/unpack.h"

#define TOKEN_BASE64    sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define TOKEN_PACK_SIZE ((TOKEN_TEXT_SIZE - sizeof(TOKEN_PREFIX)) / 4 * 3)

enum token_key {
    TOKEN_KEY_CLUSTER = 1,
    TOKEN_KEY_ISSUER_SIGN = 2,
    TOKEN_KEY_ISSUER_EXCHANGE = 3,
    TOKEN_KEY_ID = 4,
    TOKEN_KEY_SECRET = 5,
    TOKEN_KEY_EXPIRES = 6,
    TOKEN_KEY_FUNCTIONS = 7,
    TOKEN_KEY_NAME = 8,
    TOKEN_KEY_HOLDER = 9,
    TOKEN_KEY_MESH = 10,
    TOKEN_KEY_SUBNETS = 11,
    TOKEN_N_KEYS = 11,
};

static int fail(char **ret_problem, const char *format, ...) _printf_(2, 3);

static int fail(char **ret_problem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_problem, format, arguments) < 0) {
        *ret_problem = NULL;
    }
    va_end(arguments);
    return -EINVAL;
}

void token_wipe(struct token *token)
{
    sodium_memzero(token, sizeof(*token));
}

void token_hash_secret(const uint8_t secret[TOKEN_SECRET_SIZE],
                       uint8_t ret_hash[32])
{
    /* Fails only for sizes out of its range, and ours are constant. */
    (void)crypto_generichash(ret_hash, 32, secret, TOKEN_SECRET_SIZE, NULL, 0);
}

static int pack_token(const struct token *token, uint8_t *buffer, size_t size,
                      size_t *ret_size)
{
    struct pack pack;

    pack_begin(&pack, buffer, size);
    pack_map(&pack, TOKEN_N_KEYS);
    pack_key_bin(&pack, TOKEN_KEY_CLUSTER, token->cluster_id, 32);
    pack_key_bin(&pack, TOKEN_KEY_ISSUER_SIGN, token->issuer_sign, 32);
    pack_key_bin(&pack, TOKEN_KEY_ISSUER_EXCHANGE, token->issuer_exchange, 32);
    pack_key_bin(&pack, TOKEN_KEY_ID, token->id, sizeof(token->id));
    pack_key_bin(&pack, TOKEN_KEY_SECRET, token->secret, sizeof(token->secret));
    pack_key_uint(&pack, TOKEN_KEY_EXPIRES, token->expires_s);
    pack_key(&pack, TOKEN_KEY_FUNCTIONS);
    pack_array(&pack, token->n_functions);
    for (size_t i = 0; i < token->n_functions; i++) {
        pack_text(&pack, token->functions[i]);
    }
    pack_key_text(&pack, TOKEN_KEY_NAME, token->cluster_name);
    pack_key_text(&pack, TOKEN_KEY_HOLDER, token->name);
    pack_key(&pack, TOKEN_KEY_MESH);
    pack_array(&pack, token->n_mesh);
    for (size_t i = 0; i < token->n_mesh; i++) {
        pack_address(&pack, &token->mesh[i]);
    }
    pack_key(&pack, TOKEN_KEY_SUBNETS);
    pack_array(&pack, token->n_subnets);
    for (size_t i = 0; i < token->n_subnets; i++) {
        pack_prefix(&pack, &token->subnets[i]);
    }
    return pack_end(&pack, ret_size);
}

int token_encode(const struct token *token, char text[TOKEN_TEXT_SIZE])
{
    uint8_t bytes[TOKEN_PACK_SIZE];
    size_t size = 0;
    int error = pack_token(token, bytes, sizeof(bytes), &size);

    if (error == 0) {
        (void)memcpy(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
        (void)sodium_bin2base64(text + strlen(TOKEN_PREFIX),
                                TOKEN_TEXT_SIZE - strlen(TOKEN_PREFIX), bytes,
                                size, TOKEN_BASE64);
    }
    sodium_memzero(bytes, sizeof(bytes));
    return error;
}

/* Keys 9 to 11, each optional. */
static void unpack_holder(struct unpack *unpack, struct token *ret)
{
    const msgpack_object *items;

    if (unpack_key(unpack, TOKEN_KEY_HOLDER) != NULL) {
        unpack_key_text(unpack, TOKEN_KEY_HOLDER, 0, ret->name,
                        sizeof(ret->name));
    }
    if (unpack_key(unpack, TOKEN_KEY_MESH) != NULL) {
        ret->n_mesh = unpack_key_array(unpack, TOKEN_KEY_MESH,
                                       LIMIT_CERT_ADDRESSES, &items);
        for (size_t i = 0; i < ret->n_mesh; i++) {
            unpack_address(unpack, &items[i], &ret->mesh[i]);
        }
    }
    if (unpack_key(unpack, TOKEN_KEY_SUBNETS) != NULL) {
        ret->n_subnets = unpack_key_array(unpack, TOKEN_KEY_SUBNETS,
                                          LIMIT_CERT_SUBNETS, &items);
        for (size_t i = 0; i < ret->n_subnets; i++) {
            unpack_prefix(unpack, &items[i], &ret->subnets[i]);
        }
    }
}

static int unpack_token(const uint8_t *bytes, size_t size, struct token *ret)
{
    const msgpack_object *functions;
    struct unpack unpack;

    unpack_begin(&unpack, bytes, size);
    unpack_key_bin(&unpack, TOKEN_KEY_CLUSTER, ret->cluster_id, 32);
    unpack_key_bin(&unpack, TOKEN_KEY_ISSUER_SIGN, ret->issuer_sign, 32);
    unpack_key_bin(&unpack, TOKEN_KEY_ISSUER_EXCHANGE, ret->issuer_exchange,
                   32);
    unpack_key_bin(&unpack, TOKEN_KEY_ID, ret->id, sizeof(ret->id));
    unpack_key_bin(&unpack, TOKEN_KEY_SECRET, ret->secret, sizeof(ret->secret));
    ret->expires_s = unpack_key_uint(&unpack, TOKEN_KEY_EXPIRES, 1, UINT64_MAX);
    ret->n_functions = unpack_key_array(&unpack, TOKEN_KEY_FUNCTIONS,
                                        STORE_TOKEN_FUNCTIONS, &functions);
    for (size_t i = 0; i < ret->n_functions; i++) {
        unpack_text(&unpack, &functions[i], 0, ret->functions[i],
                    sizeof(ret->functions[i]));
    }
    unpack_key_text(&unpack, TOKEN_KEY_NAME, 0, ret->cluster_name,
                    sizeof(ret->cluster_name));
    unpack_holder(&unpack, ret);
    return unpack_end(&unpack);
}

int token_parse(const char *text, struct token *ret, char **ret_problem)
{
    uint8_t bytes[TOKEN_PACK_SIZE];
    struct token token = {0};
    size_t size = 0;
    int error;

    *ret_problem = NULL;
    if (strncmp(text, TOKEN_PREFIX_OLD, strlen(TOKEN_PREFIX_OLD)) == 0) {
        return fail(ret_problem,
                    "this is a token of an older release (formats 1); install "
                    "the same release on both hosts, and make a new one with "
                    "\"agentctl token create\"");
    }
    if (strncmp(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) != 0) {
        return fail(ret_problem,
                    "this is not a token: one begins with \"%s\"; copy what "
                    "\"agentctl token create\" printed",
                    TOKEN_PREFIX);
    }
    error = sodium_base642bin(bytes, sizeof(bytes), text + strlen(TOKEN_PREFIX),
                              strlen(text) - strlen(TOKEN_PREFIX), " \r\n",
                              &size, NULL, TOKEN_BASE64);
    if (error == 0) {
        error = unpack_token(bytes, size, &token);
    }
    sodium_memzero(bytes, sizeof(bytes));
    if (error != 0) {
        token_wipe(&token);
        return fail(ret_problem, "the token is damaged or cut off; copy all of "
                                 "what \"agentctl token create\" printed");
    }
    *ret = token;
    token_wipe(&token);
    return 0;
}

int token_pattern_canonical(const char *pattern,
                            char ret_pattern[STORE_TOKEN_FUNCTION_SIZE])
{
    char name[STORE_TOKEN_FUNCTION_SIZE + 1];
    char canonical[BODY_NAME_SIZE];
    size_t len = strlen(pattern);
    bool is_prefix = len > 0 && pattern[len - 1] == '*';

    if (strcmp(pattern, "*") == 0) {
        (void)strcpy(ret_pattern, "*");
        return 0;
    }
    if (len >= STORE_TOKEN_FUNCTION_SIZE) {
        return -EINVAL;
    }
    /* A prefix may end in '-' ("db-*"), a name may not: judge it as if a
     * letter followed. */
    memcpy(name, pattern, len + 1);
    if (is_prefix) {
        name[len - 1] = 'x';
    }
    if (body_name_canonical(name, canonical) != 0) {
        return -EINVAL;
    }
    if (is_prefix) {
        canonical[len - 1] = '*';
    }
    memcpy(ret_pattern, canonical, len + 1);
    return 0;
}

static int set_functions(struct token *token, const char *const *functions,
                         size_t n_functions, char **ret_problem)
{
    static const char *const any[] = {"*"};

    if (n_functions == 0) {
        functions = any;
        n_functions = 1;
    }
    if (n_functions > MIN_OF(STORE_TOKEN_FUNCTIONS, LIMIT_CERT_FUNCTIONS)) {
        return fail(ret_problem,
                    "%zu function patterns; a token holds at most %d: use "
                    "prefixes such as \"db-*\"",
                    n_functions,
                    MIN_OF(STORE_TOKEN_FUNCTIONS, LIMIT_CERT_FUNCTIONS));
    }
    for (size_t i = 0; i < n_functions; i++) {
        if (token_pattern_canonical(functions[i], token->functions[i]) != 0) {
            return fail(ret_problem,
                        "\"%s\" is not a function pattern; expected a name, a "
                        "prefix such as \"db-*\", or \"*\"",
                        functions[i]);
        }
    }
    token->n_functions = n_functions;
    return 0;
}

static void fill_stored(const struct token *token, struct store_token *ret)
{
    memcpy(ret->id, token->id, sizeof(ret->id));
    token_hash_secret(token->secret, ret->secret_hash);
    ret->expires_s = token->expires_s;
    memcpy(ret->functions, token->functions, sizeof(ret->functions));
    ret->n_functions = token->n_functions;
}

int token_new(const struct identity *identity, const char *const *functions,
              size_t n_functions, uint64_t now_s, uint64_t ttl_s,
              struct token *ret_token, struct store_token *ret_stored,
              char **ret_problem)
{
    struct token token = {0};
    int error;

    *ret_problem = NULL;
    if ((identity->body.roles & BODY_ROLE_ISSUER) == 0) {
        return fail(ret_problem,
                    "this node (%s) may not admit others: its certificate "
                    "lacks the role \"issuer\"; run this on the node where "
                    "\"agent init\" was run",
                    identity->body.name);
    }
    if (ttl_s < TOKEN_TTL_MIN_S || ttl_s > TOKEN_TTL_MAX_S) {
        return fail(ret_problem,
                    "a lifetime of %llu s is not possible; expected %u s to "
                    "%u s",
                    (unsigned long long)ttl_s, TOKEN_TTL_MIN_S,
                    TOKEN_TTL_MAX_S);
    }
    error = set_functions(&token, functions, n_functions, ret_problem);
    if (error != 0) {
        return error;
    }
    memcpy(token.cluster_id, identity->genesis.cluster_id, 32);
    memcpy(token.issuer_sign, identity->sign_public, 32);
    memcpy(token.issuer_exchange, identity->exchange_public, 32);
    memcpy(token.cluster_name, identity->genesis.name,
           sizeof(token.cluster_name));
    randombytes_buf(token.id, sizeof(token.id));
    randombytes_buf(token.secret, sizeof(token.secret));
    token.expires_s = now_s + ttl_s;
    *ret_stored = (struct store_token){0};
    fill_stored(&token, ret_stored);
    *ret_token = token;
    token_wipe(&token);
    return 0;
}

static int bind_mesh(const struct token_bounds *bounds,
                     const struct body_charter *charter, struct token *token,
                     char **ret_problem)
{
    for (size_t i = 0; i < bounds->n_mesh; i++) {
        if (address_parse(bounds->mesh[i], &token->mesh[i]) != 0 ||
            !address_is_host(&token->mesh[i])) {
            return fail(ret_problem,
                        "\"%s\" is not an address that a host can have; "
                        "expected one such as 100.104.70.5",
                        bounds->mesh[i]);
        }
        if (!body_charter_allows_mesh(charter, &token->mesh[i])) {
            return fail(ret_problem,
                        "mesh address %s is outside the mesh ranges of the "
                        "cluster's charter; use one inside them",
                        bounds->mesh[i]);
        }
    }
    token->n_mesh = bounds->n_mesh;
    return 0;
}

static int bind_subnets(const struct token_bounds *bounds,
                        const struct body_charter *charter, struct token *token,
                        char **ret_problem)
{
    for (size_t i = 0; i < bounds->n_subnets; i++) {
        if (prefix_parse(bounds->subnets[i], &token->subnets[i]) != 0) {
            return fail(ret_problem,
                        "\"%s\" is not a subnet; expected one such as "
                        "10.0.5.0/24, no bit set past its length",
                        bounds->subnets[i]);
        }
        if (!body_charter_allows_subnet(charter, &token->subnets[i])) {
            return fail(ret_problem,
                        "subnet %s is outside the container ranges of the "
                        "cluster's charter; use one inside them",
                        bounds->subnets[i]);
        }
    }
    token->n_subnets = bounds->n_subnets;
    return 0;
}

int token_bind(const struct token_bounds *bounds,
               const struct body_charter *charter, struct token *token,
               struct store_token *stored, char **ret_problem)
{
    int error;

    *ret_problem = NULL;
    if (bounds->name != NULL && !body_name_valid(bounds->name)) {
        return fail(ret_problem,
                    "\"%s\" cannot name a node; expected 1 to 63 letters, "
                    "digits, \"-\" and \"_\"",
                    bounds->name);
    }
    if (bounds->name != NULL) {
        (void)strcpy(token->name, bounds->name); /* a valid name fits */
    }
    error = bind_mesh(bounds, charter, token, ret_problem);
    if (error == 0) {
        error = bind_subnets(bounds, charter, token, ret_problem);
    }
    if (error != 0) {
        return error;
    }
    memcpy(stored->name, token->name, sizeof(stored->name));
    memcpy(stored->mesh, token->mesh, sizeof(stored->mesh));
    stored->n_mesh = token->n_mesh;
    memcpy(stored->subnets, token->subnets, sizeof(stored->subnets));
    stored->n_subnets = token->n_subnets;
    return 0;
}

const char *token_warning(const struct token *token)
{
    bool is_any = false;

    for (size_t i = 0; i < token->n_functions; i++) {
        is_any |= strcmp(token->functions[i], "*") == 0;
    }
    if (token->name[0] == '\0' && token->n_subnets == 0) {
        return is_any ? "whoever gets hold of this token may join as any host, "
                        "with any free subnet of the cluster, and offer every "
                        "function; leave --open out, and name functions "
                        "(--function PATTERN), to allow less"
                      : "whoever gets hold of this token may join as any host, "
                        "with any free subnet of the cluster; leave --open "
                        "out, or give --name or --subnet, to allow less";
    }
    return is_any ? "whoever joins with this token may offer every function; "
                    "name functions to allow fewer (--function PATTERN)"
                  : NULL;
}
