/*
 * agent/token: text and back, what the issuer keeps, refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>

#include "agent/identity/identity.h"
#include "agent/identity/token.h"

static struct identity *make_identity(void)
{
    struct identity *identity = calloc(1, sizeof(*identity));

    identity_generate_keys(identity);
    identity->body.roles = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER;
    strcpy(identity->body.name, "host1");
    strcpy(identity->genesis.name, "lab");
    memset(identity->genesis.cluster_id, 0xc1, 32);
    return identity;
}

static void make(const char *const *functions, size_t n, struct token *token,
                 struct store_token *stored)
{
    struct identity *identity = make_identity();
    char *problem = NULL;

    assert_int_equal(
        token_new(identity, functions, n, 1000, 600, token, stored, &problem),
        0);
    assert_null(problem);
    identity_free(identity);
}

static void text_and_back(void **state)
{
    const char *functions[] = {"redis", "Vector_DB", "db-*"};
    struct token token;
    struct token parsed;
    struct store_token stored;
    char text[TOKEN_TEXT_SIZE];
    char padded[TOKEN_TEXT_SIZE + 2];
    char *problem = NULL;

    (void)state;
    make(functions, 3, &token, &stored);
    assert_string_equal(token.functions[1], "vector-db");
    assert_string_equal(token.functions[2], "db-*");
    assert_int_equal(token.expires_s, 1600);
    assert_int_equal(token_encode(&token, text), 0);
    assert_memory_equal(text, "snt2.", 5);
    assert_int_equal(token_parse(text, &parsed, &problem), 0);
    assert_memory_equal(&parsed, &token, sizeof(token));
    /* Copied from a terminal, with its line end. */
    strcpy(padded, text);
    strcat(padded, "\n");
    assert_int_equal(token_parse(padded, &parsed, &problem), 0);
}

static void issuer_keeps_no_secret(void **state)
{
    struct token token;
    struct store_token stored;
    uint8_t hash[32];

    (void)state;
    make(NULL, 0, &token, &stored);
    assert_memory_equal(stored.id, token.id, sizeof(stored.id));
    token_hash_secret(token.secret, hash);
    assert_memory_equal(stored.secret_hash, hash, 32);
    assert_int_equal(stored.expires_s, 1600);
    assert_int_equal(stored.used_s, 0);
    for (size_t i = 0; i + TOKEN_SECRET_SIZE <= sizeof(stored); i++) {
        assert_memory_not_equal((const uint8_t *)&stored + i, token.secret,
                                TOKEN_SECRET_SIZE);
    }
}

static void no_function_means_all_with_a_warning(void **state)
{
    const char *some[] = {"redis"};
    const char *mixed[] = {"redis", "*"};
    struct token token;
    struct store_token stored;

    (void)state;
    make(NULL, 0, &token, &stored);
    assert_int_equal(token.n_functions, 1);
    assert_string_equal(stored.functions[0], "*");
    assert_non_null(token_warning(&token));
    make(mixed, 2, &token, &stored);
    assert_non_null(token_warning(&token));
    make(some, 1, &token, &stored);
    assert_non_null(strstr(token_warning(&token), "as any host"));
    assert_null(strstr(token_warning(&token), "every function"));
    (void)strcpy(token.name, "host2");
    assert_null(token_warning(&token));
}

static void refuse(struct identity *identity, const char *const *functions,
                   size_t n, uint64_t ttl_s, const char *expected)
{
    struct token token;
    struct store_token stored;
    char *problem = NULL;

    assert_int_equal(token_new(identity, functions, n, 1000, ttl_s, &token,
                               &stored, &problem),
                     -EINVAL);
    assert_non_null(strstr(problem, expected));
    free(problem);
}

static void bad_wishes_are_refused(void **state)
{
    struct identity *identity = make_identity();
    const char *bad[] = {"redis", "re dis"};
    const char *star[] = {"a*b"};
    const char *many[STORE_TOKEN_FUNCTIONS + 1];

    (void)state;
    for (size_t i = 0; i < STORE_TOKEN_FUNCTIONS + 1; i++) {
        many[i] = "redis";
    }
    refuse(identity, NULL, 0, TOKEN_TTL_MIN_S - 1, "lifetime");
    refuse(identity, NULL, 0, TOKEN_TTL_MAX_S + 1, "lifetime");
    refuse(identity, bad, 2, 600, "\"re dis\" is not a function pattern");
    refuse(identity, star, 1, 600, "\"a*b\" is not a function pattern");
    refuse(identity, many, STORE_TOKEN_FUNCTIONS + 1, 600, "at most 16");
    identity->body.roles = BODY_ROLE_MEMBER;
    refuse(identity, NULL, 0, 600, "this node (host1) may not admit others");
    identity_free(identity);
}

static void lifetimes_at_their_edges(void **state)
{
    static const uint64_t lifetimes_s[] = {TOKEN_TTL_MIN_S, TOKEN_TTL_MAX_S};
    struct identity *identity = make_identity();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lifetimes_s); i++) {
        struct store_token stored;
        struct token token;
        char *problem = NULL;

        assert_int_equal(token_new(identity, NULL, 0, 1000, lifetimes_s[i],
                                   &token, &stored, &problem),
                         0);
        assert_int_equal(token.expires_s, 1000 + lifetimes_s[i]);
        assert_int_equal(stored.expires_s, token.expires_s);
    }
    identity_free(identity);
}

static void patterns_become_canonical(void **state)
{
    char pattern[STORE_TOKEN_FUNCTION_SIZE];
    char longest[STORE_TOKEN_FUNCTION_SIZE + 1];

    (void)state;
    assert_int_equal(token_pattern_canonical("*", pattern), 0);
    assert_string_equal(pattern, "*");
    assert_int_equal(token_pattern_canonical("DB_*", pattern), 0);
    assert_string_equal(pattern, "db-*");
    assert_int_equal(token_pattern_canonical("d*", pattern), 0);
    assert_int_equal(token_pattern_canonical("", pattern), -EINVAL);
    assert_int_equal(token_pattern_canonical("**", pattern), -EINVAL);
    assert_int_equal(token_pattern_canonical("-a", pattern), -EINVAL);
    memset(longest, 'a', sizeof(longest));
    longest[STORE_TOKEN_FUNCTION_SIZE - 1] = '\0';
    assert_int_equal(token_pattern_canonical(longest, pattern), 0);
    longest[STORE_TOKEN_FUNCTION_SIZE - 1] = 'a';
    longest[STORE_TOKEN_FUNCTION_SIZE] = '\0';
    assert_int_equal(token_pattern_canonical(longest, pattern), -EINVAL);
}

static void largest_token_fits(void **state)
{
    struct token token = {.n_functions = STORE_TOKEN_FUNCTIONS,
                          .expires_s = UINT64_MAX};
    struct token parsed;
    char text[TOKEN_TEXT_SIZE];
    char *problem = NULL;

    (void)state;
    for (size_t i = 0; i < STORE_TOKEN_FUNCTIONS; i++) {
        memset(token.functions[i], 'f', STORE_TOKEN_FUNCTION_SIZE - 1);
    }
    memset(token.cluster_name, 'c', sizeof(token.cluster_name) - 1);
    assert_int_equal(token_encode(&token, text), 0);
    assert_int_equal(token_parse(text, &parsed, &problem), 0);
    assert_memory_equal(&parsed, &token, sizeof(token));
}

static void damaged_text_is_refused(void **state)
{
    struct token token;
    struct token parsed;
    struct store_token stored;
    char text[TOKEN_TEXT_SIZE];
    char cut[TOKEN_TEXT_SIZE];
    char *problem = NULL;

    (void)state;
    make(NULL, 0, &token, &stored);
    assert_int_equal(token_encode(&token, text), 0);
    for (size_t len = 0; len < strlen(text); len++) {
        memcpy(cut, text, len);
        cut[len] = '\0';
        assert_int_equal(token_parse(cut, &parsed, &problem), -EINVAL);
        assert_non_null(problem);
        free(problem);
    }
    text[strlen(text) / 2] = '!';
    assert_int_equal(token_parse(text, &parsed, &problem), -EINVAL);
    assert_non_null(strstr(problem, "damaged or cut off"));
    free(problem);
    assert_int_equal(token_parse("snt1.abc", &parsed, &problem), -EINVAL);
    assert_non_null(strstr(problem, "of an older release (formats 1)"));
    free(problem);
    assert_int_equal(token_parse("snt3.abc", &parsed, &problem), -EINVAL);
    assert_non_null(strstr(problem, "begins with \"snt2.\""));
    free(problem);
}

static const struct body_charter charter = {
    .containers = {{.address = {4, {10, 0}}, .len = 16}},
    .n_containers = 1,
    .mesh = {{.address = {4, {100, 104}}, .len = 16}},
    .n_mesh = 1,
};

static void a_token_says_what_its_holder_will_be(void **state)
{
    const struct token_bounds bounds = {.name = "web1",
                                        .mesh = {"100.104.70.5"},
                                        .n_mesh = 1,
                                        .subnets = {"10.0.5.0/24"},
                                        .n_subnets = 1};
    struct token token;
    struct token parsed;
    struct store_token stored;
    char text[TOKEN_TEXT_SIZE];
    char *problem = NULL;

    (void)state;
    make(NULL, 0, &token, &stored);
    assert_int_equal(token_bind(&bounds, &charter, &token, &stored, &problem),
                     0);
    assert_string_equal(stored.name, "web1");
    assert_int_equal(stored.n_mesh, 1);
    assert_int_equal(stored.n_subnets, 1);
    assert_int_equal(stored.subnets[0].len, 24);
    assert_int_equal(token_encode(&token, text), 0);
    assert_int_equal(token_parse(text, &parsed, &problem), 0);
    assert_string_equal(parsed.name, "web1");
    assert_int_equal(parsed.n_mesh, 1);
    assert_int_equal(parsed.mesh[0].bytes[3], 5);
    assert_int_equal(parsed.n_subnets, 1);
    assert_int_equal(parsed.subnets[0].address.bytes[2], 5);
}

static void refuse_bounds(const struct token_bounds *bounds,
                          const char *expected)
{
    struct token token;
    struct store_token stored;
    char *problem = NULL;

    make(NULL, 0, &token, &stored);
    assert_int_equal(token_bind(bounds, &charter, &token, &stored, &problem),
                     -EINVAL);
    assert_non_null(strstr(problem, expected));
    free(problem);
}

static void bounds_are_the_charter_s(void **state)
{
    (void)state;
    refuse_bounds(&(struct token_bounds){.name = "a b"}, "cannot name a node");
    refuse_bounds(&(struct token_bounds){.mesh = {"x"}, .n_mesh = 1},
                  "\"x\" is not an address");
    refuse_bounds(&(struct token_bounds){.mesh = {"10.0.5.1"}, .n_mesh = 1},
                  "10.0.5.1 is outside the mesh ranges");
    refuse_bounds(
        &(struct token_bounds){.subnets = {"10.0.5.1/24"}, .n_subnets = 1},
        "is not a subnet");
    refuse_bounds(
        &(struct token_bounds){.subnets = {"8.8.8.0/24"}, .n_subnets = 1},
        "8.8.8.0/24 is outside the container ranges");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(issuer_keeps_no_secret),
        cmocka_unit_test(no_function_means_all_with_a_warning),
        cmocka_unit_test(bad_wishes_are_refused),
        cmocka_unit_test(lifetimes_at_their_edges),
        cmocka_unit_test(patterns_become_canonical),
        cmocka_unit_test(largest_token_fits),
        cmocka_unit_test(damaged_text_is_refused),
        cmocka_unit_test(a_token_says_what_its_holder_will_be),
        cmocka_unit_test(bounds_are_the_charter_s),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
