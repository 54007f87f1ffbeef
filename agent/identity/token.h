/*
 * Join tokens: what `agentctl token create` prints and `agent join --token`
 * takes.  Text: "snt2." and, in base64url without padding, a msgpack map
 *   1 cluster id bin32         2 issuer's signing key bin32
 *   3 issuer's exchange key bin32
 *   4 token id bin8            5 secret bin16
 *   6 expires, s since 1970    7 function patterns [str]
 *   8 cluster name str         9 name str, empty: the joiner says it
 *  10 mesh addresses [bin]    11 container subnets [bin5|bin17]; none of
 *                                them: the joiner says them
 * The issuer keeps the id, a hash of the secret, the time, the patterns and
 * what the holder will be (store.h); the secret itself is nowhere but in the
 * text.
 */
#ifndef SOCKETNET_AGENT_IDENTITY_TOKEN_H
#define SOCKETNET_AGENT_IDENTITY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "gossip/wire/body.h"
#include "store/store.h"

#define TOKEN_PREFIX        "snt2."
#define TOKEN_PREFIX_OLD    "snt1." /* of formats 1 */
#define TOKEN_TEXT_SIZE     2560    /* with the terminating zero */
#define TOKEN_SECRET_SIZE   16
#define TOKEN_TTL_DEFAULT_S 600u
#define TOKEN_TTL_MIN_S     10u
#define TOKEN_TTL_MAX_S     (7u * 86400u)

struct identity;

/* Secret: wipe with token_wipe. */
struct token {
    uint8_t cluster_id[32];
    uint8_t issuer_sign[32];
    uint8_t issuer_exchange[32];
    uint8_t id[STORE_TOKEN_ID_SIZE];
    uint8_t secret[TOKEN_SECRET_SIZE];
    uint64_t expires_s;
    char functions[STORE_TOKEN_FUNCTIONS][STORE_TOKEN_FUNCTION_SIZE];
    size_t n_functions;
    char cluster_name[BODY_NAME_SIZE];
    char name[BODY_NAME_SIZE];                 /* of its holder; empty: open */
    struct address mesh[LIMIT_CERT_ADDRESSES]; /* none: open */
    size_t n_mesh;
    struct prefix subnets[LIMIT_CERT_SUBNETS]; /* none: open */
    size_t n_subnets;
};

/* What a token's holder shall be, as texts; NULL and none: open. */
struct token_bounds {
    const char *name;
    const char *mesh[LIMIT_CERT_ADDRESSES];
    size_t n_mesh;
    const char *subnets[LIMIT_CERT_SUBNETS];
    size_t n_subnets;
};

/* The text of a token in `text` of TOKEN_TEXT_SIZE bytes.  0, -ENOBUFS. */
_must_check_ int token_encode(const struct token *token,
                              char text[TOKEN_TEXT_SIZE]);
/* 0, or -EINVAL and a malloc'd text that says what is wrong with it (cut off,
 * not a token, a newer kind of token). */
_must_check_ int token_parse(const char *text, struct token *ret,
                             char **ret_problem);
void token_wipe(struct token *token);
/* BLAKE2b-256 of the secret, as the issuer stores it. */
void token_hash_secret(const uint8_t secret[TOKEN_SECRET_SIZE],
                       uint8_t ret_hash[32]);

/* A pattern as certificates have them, made canonical: a name, "*", or a
 * prefix ending in '*'.  0 or -EINVAL. */
_must_check_ int
token_pattern_canonical(const char *pattern,
                        char ret_pattern[STORE_TOKEN_FUNCTION_SIZE]);

/*
 * Makes a fresh token of this node and what its store keeps of it.  No
 * functions means "*".  0; -EINVAL and a malloc'd problem (not an issuer, a bad
 * pattern, a lifetime out of range, too many functions).
 */
_must_check_ int token_new(const struct identity *identity,
                           const char *const *functions, size_t n_functions,
                           uint64_t now_s, uint64_t ttl_s,
                           struct token *ret_token,
                           struct store_token *ret_stored, char **ret_problem);
/* Says in a token, and in what the store keeps of it, what its holder will be.
 * 0, or -EINVAL and a malloc'd problem: no name, no address, not the charter's.
 */
_must_check_ int token_bind(const struct token_bounds *bounds,
                            const struct body_charter *charter,
                            struct token *token, struct store_token *stored,
                            char **ret_problem);
/* What to say beside the token: NULL, or that it allows every function, or
 * every name and subnet. */
const char *token_warning(const struct token *token);

#endif
