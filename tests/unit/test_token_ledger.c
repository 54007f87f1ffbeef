/*
 * The tokens that may still be used: order, limit, time, and no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "agent/identity/token_ledger.h"
#include "tests/unit/heap.h"

static struct store_token make(uint16_t number, uint64_t expires_s)
{
    return (struct store_token){
        .id = {(uint8_t)(number >> 8), (uint8_t)number},
        .expires_s = expires_s,
    };
}

static int setup(void **state)
{
    struct token_ledger *ledger = NULL;

    assert_int_equal(token_ledger_new(&ledger), 0);
    *state = ledger;
    return 0;
}

static int teardown(void **state)
{
    *state = token_ledger_free(*state);
    return 0;
}

static size_t count(const struct token_ledger *ledger, uint64_t now_s)
{
    const struct store_token *token;
    uint8_t last[STORE_TOKEN_ID_SIZE] = {0};
    size_t at = 0;
    size_t n = 0;

    while ((token = token_ledger_next(ledger, now_s, &at)) != NULL) {
        assert_true(n == 0 || memcmp(last, token->id, sizeof(last)) < 0);
        memcpy(last, token->id, sizeof(last));
        n++;
    }
    return n;
}

static void put(struct token_ledger *ledger, const struct store_token *token,
                uint64_t now_s, int expected)
{
    assert_int_equal(token_ledger_put(ledger, token, now_s), expected);
}

static void keeps_what_may_be_used(void **state)
{
    struct store_token a = make(7, 100);
    struct store_token b = make(3, 50);
    struct store_token late = make(4, 10);
    const struct store_token *token;
    size_t at = 0;

    put(*state, &a, 10, 0);
    put(*state, &b, 10, 0);
    put(*state, &late, 10, 0);
    assert_int_equal(count(*state, 10), 2);
    assert_int_equal(count(*state, 49), 2);
    assert_int_equal(count(*state, 50), 1);
    b.used_s = 20;
    token_ledger_use(*state, &b);
    token = token_ledger_next(*state, 20, &at);
    assert_memory_equal(token->id, b.id, sizeof(b.id));
    assert_int_equal(token->used_s, 20);
    token_ledger_use(*state, &late); /* is not there */
    a.revoked_s = 30;
    put(*state, &a, 30, 0);
    assert_int_equal(count(*state, 30), 1);
    token_ledger_remove(*state, b.id);
    token_ledger_remove(*state, b.id);
    assert_int_equal(count(*state, 30), 0);
}

static void is_limited(void **state)
{
    struct store_token one;

    for (uint16_t i = 0; i < TOKEN_LEDGER_MAX; i++) {
        one = make((uint16_t)(i * 7919u), 100);
        put(*state, &one, 10, 0);
    }
    assert_int_equal(count(*state, 10), TOKEN_LEDGER_MAX);
    put(*state, &one, 10, 0); /* the same again */
    one = make(1, 200);
    put(*state, &one, 10, -ENOBUFS);
    assert_int_equal(count(*state, 10), TOKEN_LEDGER_MAX);
    put(*state, &one, 100, 0); /* the others have expired */
    assert_int_equal(count(*state, 100), 1);
}

static void without_memory(void **state)
{
    struct store_token one = make(1, 100);
    struct token_ledger *ledger = NULL;

    heap_fail_from(1);
    put(*state, &one, 10, -ENOMEM);
    assert_int_equal(token_ledger_new(&ledger), -ENOMEM);
    (void)heap_off();
    assert_int_equal(count(*state, 10), 0);
    put(NULL, &one, 10, 0);
    token_ledger_remove(NULL, one.id);
    token_ledger_use(NULL, &one);
    assert_int_equal(count(NULL, 10), 0);
}

static void wide_tokens(void **state)
{
    struct store_token token = {.n_functions = 1};

    (void)state;
    strcpy(token.functions[0], "redis");
    assert_true(token_is_wide(&token));
    token.n_subnets = 1;
    assert_false(token_is_wide(&token));
    token.n_subnets = 0;
    strcpy(token.name, "host2");
    assert_false(token_is_wide(&token));
    token.n_functions = 2;
    strcpy(token.functions[1], "*");
    assert_true(token_is_wide(&token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_what_may_be_used, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
        cmocka_unit_test(wide_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
