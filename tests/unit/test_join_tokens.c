/*
 * An issuer's tokens: made, listed, revoked, against a real store thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "agent/core/store_thread.h"
#include "agent/identity/token_ledger.h"
#include "agent/join/join_grant.h"
#include "agent/join/join_token.h"
#include "tests/unit/join_fixture.h"

struct made {
    bool is_done;
    int error;
    struct token token;
};

static void on_made(int error, const char *text, const struct token *token,
                    const char *warning, void *data)
{
    struct made *made = data;

    (void)warning;
    made->is_done = true;
    made->error = error;
    if (error == 0) {
        assert_non_null(text);
        made->token = *token;
    }
}

static struct token make(struct join_fixture *fixture, uint64_t ttl_s,
                         const struct token_bounds *bounds)
{
    struct join_token_wish wish = {
        .ttl_s = ttl_s, .bounds = *bounds, .is_open = true};
    struct made made = {0};
    char *problem = NULL;

    assert_int_equal(
        join_token_create(&fixture->core, &wish, on_made, &made, &problem), 0);
    join_fixture_run(fixture, &made.is_done);
    assert_int_equal(made.error, 0);
    return made.token;
}

struct listed {
    bool is_done;
    struct store_token tokens[8];
    size_t n;
    size_t n_more;
};

static void on_listed(int error, const struct store_token *tokens, size_t n,
                      size_t n_more, void *data)
{
    struct listed *listed = data;

    assert_int_equal(error, 0);
    listed->is_done = true;
    listed->n = n;
    listed->n_more = n_more;
    memcpy(listed->tokens, tokens,
           MIN_OF(n, ARRAY_SIZE(listed->tokens)) * sizeof(*tokens));
}

static struct listed list(struct join_fixture *fixture)
{
    struct listed listed = {0};

    assert_int_equal(join_token_list(&fixture->core, on_listed, &listed), 0);
    join_fixture_run(fixture, &listed.is_done);
    return listed;
}

struct revoked {
    bool is_done;
    int error;
};

static void on_revoked(int error, void *data)
{
    *(struct revoked *)data = (struct revoked){true, error};
}

static int revoke_token(struct join_fixture *fixture, const uint8_t *id)
{
    struct revoked revoked = {0};

    assert_int_equal(
        join_token_revoke(&fixture->core, id, on_revoked, &revoked), 0);
    join_fixture_run(fixture, &revoked.is_done);
    return revoked.error;
}

static size_t n_in_ledger(const struct join_fixture *fixture)
{
    size_t at = 0;
    size_t n = 0;

    while (token_ledger_next(fixture->core.tokens, fixture->now_s, &at) !=
           NULL) {
        n++;
    }
    return n;
}

static const struct token_bounds anybody = {0};

/* Open ones first, of each the one that ends last. */
static void lists_in_order(void **state)
{
    struct join_fixture *fixture = *state;
    struct token expired = make(fixture, 60, &anybody);
    struct token first = make(fixture, 700, &anybody);
    struct token second = make(fixture, 600, &anybody);
    struct token revoked = make(fixture, 900, &anybody);
    struct listed listed;

    assert_int_equal(n_in_ledger(fixture), 4);
    assert_int_equal(revoke_token(fixture, revoked.id), 0);
    fixture->now_s += 60;
    listed = list(fixture);
    assert_int_equal(listed.n, 4);
    assert_int_equal(listed.n_more, 0);
    assert_memory_equal(listed.tokens[0].id, first.id, sizeof(first.id));
    assert_memory_equal(listed.tokens[1].id, second.id, sizeof(second.id));
    assert_memory_equal(listed.tokens[2].id, revoked.id, sizeof(revoked.id));
    assert_memory_equal(listed.tokens[3].id, expired.id, sizeof(expired.id));
    assert_int_equal(n_in_ledger(fixture), 2);
}

static void set_flag(int error, void *data)
{
    assert_int_equal(error, 0);
    *(bool *)data = true;
}

/* JOIN_TOKENS_LISTED_MAX, and one past it: the one that ends first goes. */
static void list_is_limited(void **state)
{
    struct join_fixture *fixture = *state;
    struct listed listed;

    for (uint32_t i = 0; i <= JOIN_TOKENS_LISTED_MAX; i++) {
        struct store_token token = {
            .id = {(uint8_t)(i * 7u), (uint8_t)(i >> 8), (uint8_t)i},
            .expires_s = fixture->now_s + 1000 + (i * 7919u) % 1001u,
        };
        bool is_stored = false;

        assert_int_equal(store_thread_put_token(fixture->core.store, &token,
                                                set_flag, &is_stored),
                         0);
        if (i + 1 >= JOIN_TOKENS_LISTED_MAX) {
            join_fixture_run(fixture, &is_stored);
            listed = list(fixture);
            assert_int_equal(listed.n, JOIN_TOKENS_LISTED_MAX);
            assert_int_equal(listed.n_more, i + 1 - JOIN_TOKENS_LISTED_MAX);
        }
    }
}

static void revoked_is_refused(void **state)
{
    struct join_fixture *fixture = *state;
    static const uint8_t nobody[STORE_TOKEN_ID_SIZE] = {9};
    struct token token = make(fixture, 600, &anybody);
    struct join_request request = {0};
    struct listed listed;

    assert_int_equal(revoke_token(fixture, nobody), STORE_E_NOT_FOUND);
    assert_int_equal(revoke_token(fixture, token.id), 0);
    assert_int_equal(revoke_token(fixture, token.id), 0);
    listed = list(fixture);
    assert_int_equal(listed.tokens[0].revoked_s, fixture->now_s);
    memcpy(request.secret, token.secret, sizeof(request.secret));
    assert_int_equal(
        join_grant_token(&request, &listed.tokens[0], fixture->now_s),
        STORE_E_REVOKED);
    assert_int_equal(n_in_ledger(fixture), 0);
}

/* TOKEN_LEDGER_MAX may be used at a time; there is room after a revocation. */
static void too_many_are_refused(void **state)
{
    struct join_fixture *fixture = *state;
    struct made made = {0};
    char *problem = NULL;
    struct store_token token = {.expires_s = fixture->now_s + 600};
    struct join_token_wish wish = {.ttl_s = 600, .is_open = true};

    for (uint32_t i = 0; i < TOKEN_LEDGER_MAX; i++) {
        token.id[0] = (uint8_t)(i >> 8);
        token.id[1] = (uint8_t)i;
        assert_int_equal(
            token_ledger_put(fixture->core.tokens, &token, fixture->now_s), 0);
    }
    assert_int_equal(
        join_token_create(&fixture->core, &wish, on_made, &made, &problem),
        -ENOBUFS);
    assert_non_null(strstr(problem, "agentctl token revoke ID"));
    free(problem);
    token_ledger_remove(fixture->core.tokens, token.id);
    (void)make(fixture, 600, &anybody);
}

/* The name of a member has what the member has. */
static void a_member_again(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_token_wish wish = {.ttl_s = 600, .bounds = {.name = "HOST1"}};
    static const char *const functions[] = {"redis"};
    struct made made = {0};
    char *problem = NULL;

    assert_int_equal(
        join_token_create(&fixture->core, &wish, on_made, &made, &problem), 0);
    join_fixture_run(fixture, &made.is_done);
    assert_int_equal(made.token.n_mesh, 1);
    assert_int_equal(made.token.mesh[0].bytes[3], 1);
    assert_int_equal(made.token.n_subnets, 1);
    assert_int_equal(made.token.subnets[0].address.bytes[2], 1);
    assert_string_equal(made.token.functions[0], "*");
    /* What is said, is said. */
    wish.functions = functions;
    wish.n_functions = 1;
    wish.bounds.subnets[0] = "10.0.7.0/24";
    wish.bounds.n_subnets = 1;
    made.is_done = false;
    assert_int_equal(
        join_token_create(&fixture->core, &wish, on_made, &made, &problem), 0);
    join_fixture_run(fixture, &made.is_done);
    assert_int_equal(made.token.subnets[0].address.bytes[2], 7);
    assert_string_equal(made.token.functions[0], "redis");
    assert_int_equal(made.token.mesh[0].bytes[3], 1);
}

/* Nobody else is told the same. */
static void gives_what_is_free(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_token_wish wish = {
        .ttl_s = 600, .gives_mesh = true, .gives_name = true};
    struct made made[2] = {0};
    char *problem = NULL;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(join_token_create(&fixture->core, &wish, on_made,
                                           &made[i], &problem),
                         0);
    }
    for (size_t i = 0; i < 2; i++) {
        join_fixture_run(fixture, &made[i].is_done);
        assert_int_equal(made[i].token.n_subnets, 1);
        assert_int_equal(made[i].token.n_mesh, 1);
    }
    assert_false(address_equal(&made[0].token.subnets[0].address,
                               &made[1].token.subnets[0].address));
    assert_false(address_equal(&made[0].token.mesh[0], &made[1].token.mesh[0]));
    assert_string_equal(made[0].token.name, "node1");
    assert_string_equal(made[1].token.name, "node2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_in_order, join_fixture_new,
                                        join_fixture_free),
        cmocka_unit_test_setup_teardown(list_is_limited, join_fixture_new,
                                        join_fixture_free),
        cmocka_unit_test_setup_teardown(revoked_is_refused, join_fixture_new,
                                        join_fixture_free),
        cmocka_unit_test_setup_teardown(a_member_again, join_fixture_new,
                                        join_fixture_free),
        cmocka_unit_test_setup_teardown(gives_what_is_free, join_fixture_new,
                                        join_fixture_free),
        cmocka_unit_test_setup_teardown(too_many_are_refused, join_fixture_new,
                                        join_fixture_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
