/*
 * What this host says of itself when it joins: agent/join/join_local.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "agent/join/join_local.h"

#define NAME_63                                                                \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define NAME_70 NAME_63 "ggggggg"
#define RULE                                                                   \
    " cannot name a node: a name has 1 to 63 letters, digits, \"-\" and "      \
    "\"_\", "                                                                  \
    "neither of these at an end; give another with "

static int fill(const char *configured, const char *option,
                struct join_request *request, char **error)
{
    char name[128];
    char path[] = "/etc/socketnet/agent.yaml";
    char interface[] = "";
    struct config config = {.path = path,
                            .name = name,
                            .mesh_interface = interface,
                            .mesh_port = 7720};

    (void)snprintf(name, sizeof(name), "%s", configured);
    assert_int_equal(address_parse("10.0.0.1", &config.mesh), 0);
    *error = NULL;
    return join_local_fill(&config, option, NULL, request, error);
}

static void assert_refused(const char *configured, const char *option,
                           const char *text)
{
    struct join_request request = {0};
    char *error;

    assert_int_equal(fill(configured, option, &request, &error), -EINVAL);
    assert_non_null(error);
    assert_string_equal(error, text);
    free(error);
}

static void test_name(void **state)
{
    struct join_request request = {0};
    char *error;

    (void)state;
    assert_int_equal(fill("host1", NULL, &request, &error), 0);
    assert_string_equal(request.name, "host1");
    assert_int_equal(fill("host1", NAME_63, &request, &error), 0);
    assert_string_equal(request.name, NAME_63);
    /* The name is shown whole: it is what has to be found and changed. */
    assert_refused("host1", NAME_70,
                   "\"" NAME_70 "\" (70 characters)" RULE "--name");
    assert_refused("host1", NAME_63 "g",
                   "\"" NAME_63 "g\" (64 characters)" RULE "--name");
    assert_refused(NAME_70, NULL,
                   "\"" NAME_70 "\" (70 characters)" RULE
                   "\"name\" in /etc/socketnet/agent.yaml");
    assert_refused("", NULL,
                   "\"\" (0 characters)" RULE
                   "\"name\" in /etc/socketnet/agent.yaml");
    assert_refused("host1", "-a", "\"-a\" (2 characters)" RULE "--name");
}

/* What the configuration does not say is the token's. */
static void test_token(void **state)
{
    char name[] = "host1";
    char path[] = "/etc/socketnet/agent.yaml";
    char interface[] = "";
    struct config bare = {.path = path,
                          .name = name,
                          .mesh_interface = interface,
                          .mesh_port = 7720};
    struct config config = bare;
    struct token token = {.name = "node7", .n_mesh = 2, .n_subnets = 1};
    struct join_request request = {0};
    char *error = NULL;

    (void)state;
    assert_int_equal(address_parse("192.0.2.1", &token.mesh[0]), 0);
    assert_int_equal(address_parse("127.0.0.1", &token.mesh[1]), 0);
    assert_int_equal(prefix_parse("10.0.5.0/24", &token.subnets[0]), 0);
    assert_int_equal(join_local_fill(&config, NULL, &token, &request, &error),
                     0);
    assert_string_equal(request.name, "node7");
    assert_memory_equal(&request.mesh[0].address, &token.mesh[1],
                        sizeof(token.mesh[1]));
    assert_int_equal(request.n_subnets, 1);
    assert_memory_equal(&request.subnets[0], &token.subnets[0],
                        sizeof(token.subnets[0]));
    /* An option, or the file's word, comes first. */
    assert_int_equal(join_local_fill(&config, "x", &token, &request, &error),
                     0);
    assert_string_equal(request.name, "x");
    config.is_name_given = true;
    assert_int_equal(prefix_parse("10.0.6.0/24", &config.subnets[0]), 0);
    config.n_subnets = 1;
    assert_int_equal(join_local_fill(&config, NULL, &token, &request, &error),
                     0);
    assert_string_equal(request.name, "host1");
    assert_int_equal(request.subnets[0].address.bytes[2], 6);
    /* Not so what an earlier token gave. */
    config.are_subnets_joined = true;
    assert_int_equal(join_local_fill(&config, NULL, &token, &request, &error),
                     0);
    assert_int_equal(request.subnets[0].address.bytes[2], 5);
    /* A token's address that no interface has. */
    config = bare;
    token.n_mesh = 1;
    assert_int_equal(join_local_fill(&config, NULL, &token, &request, &error),
                     -EADDRNOTAVAIL);
    assert_non_null(strstr(error, "mesh address 192.0.2.1"));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
