/*
 * A join by two files: the issuer's answer to a request, and the joiner's look
 * at it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/join/join_provision.h"
#include "gossip/wire/record.h"
#include "tests/unit/join_asker.h"
#include "tests/unit/join_fixture.h"

struct issued {
    bool is_done;
    char problem[JOIN_TEXT_SIZE];
    uint8_t *bytes;
    size_t size;
};

static void on_issued(const char *problem, const uint8_t *answer, size_t size,
                      void *data)
{
    struct issued *issued = data;

    if (problem != NULL) {
        (void)snprintf(issued->problem, sizeof(issued->problem), "%s", problem);
    } else {
        issued->bytes = malloc(size);
        memcpy(issued->bytes, answer, size);
        issued->size = size;
    }
    issued->is_done = true;
}

static struct issued issue(struct join_fixture *fixture,
                           struct join_asker *joiner,
                           const struct token_bounds *bounds)
{
    struct issued issued = {0};
    char *problem = NULL;

    join_asker_pack(joiner);
    assert_int_equal(join_provision_issue(&fixture->core, joiner->frame,
                                          joiner->size, NULL, 0, bounds,
                                          on_issued, &issued, &problem),
                     0);
    join_fixture_run(fixture, &issued.is_done);
    return issued;
}

static struct join_asker make(uint8_t number)
{
    const struct token nothing = {0};

    return join_asker_make(&nothing, number);
}

static void goes_and_comes_as_a_file(void **state)
{
    struct join_fixture *fixture = *state;
    struct token_bounds bounds = {.subnets = {"10.0.9.0/24"}, .n_subnets = 1};
    struct join_asker joiner = make(2);
    struct join_result result = {0};
    struct body_certificate body;
    struct record record;
    struct issued issued;
    struct issued again;
    char *error = NULL;

    joiner.request.n_subnets = 0; /* they are given */
    issued = issue(fixture, &joiner, &bounds);
    assert_string_equal(issued.problem, "");
    assert_int_equal(join_provision_read(issued.bytes, issued.size,
                                         &joiner.keys, "host2", &result,
                                         &error),
                     0);
    assert_int_equal(
        record_parse(result.certificate, result.certificate_size, &record), 0);
    assert_int_equal(body_get_certificate(&record, &body), 0);
    assert_string_equal(body.name, "host2");
    assert_int_equal(body.n_subnets, 1);
    assert_int_equal(body.subnets[0].address.bytes[2], 9);
    assert_true(result.n_records > 0);
    join_result_done(&result);
    /* The same request has the same certificate. */
    again = issue(fixture, &joiner, &bounds);
    assert_int_equal(again.size, issued.size);
    /* Cut off anywhere, or for other keys, it is none. */
    for (size_t size = 0; size < issued.size; size += 1 + size / 7) {
        assert_int_equal(join_provision_read(issued.bytes, size, &joiner.keys,
                                             "host2", &result, &error),
                         JOIN_E_FORGED);
        free(error);
    }
    identity_generate_keys(&joiner.keys);
    assert_int_equal(join_provision_read(issued.bytes, issued.size,
                                         &joiner.keys, "host2", &result,
                                         &error),
                     JOIN_E_FORGED);
    free(error);
    free(issued.bytes);
    free(again.bytes);
}

/* A certificate of somebody who may not make any is none, with all records. */
static void written_by_an_issuer(void **state)
{
    struct join_fixture *fixture = *state;
    struct join_asker joiner = make(2);
    struct issued issued = issue(fixture, &joiner, &(struct token_bounds){0});
    struct join_result result = {0};
    char *error = NULL;

    /* One bit of whatever it holds. */
    for (size_t i = 0; i < issued.size; i += 13) {
        int status;

        issued.bytes[i] ^= 4;
        status = join_provision_read(issued.bytes, issued.size, &joiner.keys,
                                     "host2", &result, &error);
        if (status == 0) {
            join_result_done(&result); /* a member's record, left out */
        } else {
            assert_int_equal(status, JOIN_E_FORGED);
            free(error);
        }
        issued.bytes[i] ^= 4;
    }
    free(issued.bytes);
}

/* The judges are those of a join. */
static void what_is_refused(void **state)
{
    struct join_fixture *fixture = *state;
    struct token_bounds bounds = {.name = "host9"};
    struct join_asker joiner = make(1);
    struct issued issued = issue(fixture, &joiner, &(struct token_bounds){0});
    char *problem = NULL;

    assert_non_null(strstr(issued.problem, "belongs to another node"));
    joiner = make(2);
    issued = issue(fixture, &joiner, &bounds);
    assert_non_null(strstr(issued.problem, "for a node named \"host9\""));
    joiner.request.subnets[0].address.bytes[2] = 1;
    issued = issue(fixture, &joiner, &(struct token_bounds){0});
    assert_non_null(strstr(issued.problem, "of node \"host1\""));
    joiner.frame[20] ^= 1;
    issued = (struct issued){0};
    assert_int_equal(join_provision_issue(&fixture->core, joiner.frame,
                                          joiner.size, NULL, 0, &bounds,
                                          on_issued, &issued, &problem),
                     0);
    assert_true(issued.is_done);
    assert_non_null(strstr(issued.problem, "malformed"));
    bounds.name = "-";
    assert_int_equal(join_provision_issue(&fixture->core, joiner.frame,
                                          joiner.size, NULL, 0, &bounds,
                                          on_issued, &issued, &problem),
                     -EINVAL);
    assert_non_null(strstr(problem, "cannot name a node"));
    free(problem);
    problem = NULL;
    fixture->identity.body.roles = BODY_ROLE_MEMBER;
    bounds.name = NULL;
    assert_int_equal(join_provision_issue(&fixture->core, joiner.frame,
                                          joiner.size, NULL, 0, &bounds,
                                          on_issued, &issued, &problem),
                     -EINVAL);
    assert_non_null(strstr(problem, "may not admit others"));
    free(problem);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, join_fixture_new, join_fixture_free)
    const struct CMUnitTest tests[] = {
        TEST(goes_and_comes_as_a_file),
        TEST(written_by_an_issuer),
        TEST(what_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
