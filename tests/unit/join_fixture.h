/*
 * An issuer for tests of joining: a real node and a real store thread, and in
 * place of core.c the little that the issuer's half calls of it.
 */
#ifndef SOCKETNET_TESTS_JOIN_FIXTURE_H
#define SOCKETNET_TESTS_JOIN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/identity/token.h"
#include "agent/join/join_issuer.h"
#include "agent/join/join_message.h"
#include "tests/unit/scratch.h"

#define JOIN_FIXTURE_NOW_S UINT64_C(1700000000)

struct join_fixture {
    struct scratch scratch;
    uv_loop_t loop;
    struct core core;
    struct identity identity;
    uint8_t admission[64];
    uint64_t now_s;
    int write_error;            /* instead of writing, when not 0 */
    unsigned write_error_after; /* so many go well, the next one does not */
    struct node_actions *actions;
};

void join_fixture_setup(struct join_fixture *fixture);
void join_fixture_teardown(struct join_fixture *fixture);
/* The same for cmocka: *state is a fixture. */
int join_fixture_new(void **state);
int join_fixture_free(void **state);
/* Runs the loop until *flag. */
void join_fixture_run(struct join_fixture *fixture, const bool *flag);
/* A token of this issuer that its store knows. */
void join_fixture_token(struct join_fixture *fixture, uint64_t ttl_s,
                        struct token *ret);
/* One that says what its holder will be. */
void join_fixture_bound_token(struct join_fixture *fixture, uint64_t ttl_s,
                              const struct token_bounds *bounds,
                              struct token *ret);

#endif
