/*
 * agent/join/join_charter.h: what ranges a first host's addresses give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/join/join_charter.h"

static struct prefix prefix(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    return prefix;
}

static struct join_request host(const char *mesh, const char *subnet,
                                const char *second)
{
    struct join_request request = {.n_mesh = 1};

    assert_int_equal(endpoint_parse(mesh, 7720, &request.mesh[0]), 0);
    if (subnet != NULL) {
        request.subnets[request.n_subnets++] = prefix(subnet);
    }
    if (second != NULL) {
        request.subnets[request.n_subnets++] = prefix(second);
    }
    return request;
}

static void assert_ranges(const struct prefix *ranges, size_t n,
                          const char *expected)
{
    char text[PREFIX_TEXT_SIZE];
    char all[256] = "";

    for (size_t i = 0; i < n; i++) {
        strcat(all, i == 0 ? "" : " ");
        strcat(all, prefix_text(&ranges[i], text));
    }
    assert_string_equal(all, expected);
}

static void assert_derived(const struct join_request *request,
                           const char *containers, const char *mesh,
                           const char *services)
{
    const struct join_charter_ranges none = {.n_mesh = 0};
    struct body_charter charter;
    char *problem = NULL;

    assert_int_equal(join_charter_derive(&none, request, &charter, &problem),
                     0);
    assert_int_equal(charter.generation, 1);
    assert_ranges(charter.containers, charter.n_containers, containers);
    assert_ranges(charter.mesh, charter.n_mesh, mesh);
    assert_ranges(charter.services, 1, services);
}

static void usual_addresses_give_a_16(void **state)
{
    struct join_request request = host("100.104.70.1", "10.0.1.0/24", NULL);

    (void)state;
    assert_derived(&request, "10.0.0.0/16", "100.104.0.0/16", "100.80.0.0/12");
    request = host("100.104.70.1", "10.0.1.0/24", "10.0.2.0/24");
    assert_derived(&request, "10.0.0.0/16", "100.104.0.0/16", "100.80.0.0/12");
    request = host("100.104.70.1", "10.0.1.0/24", "172.20.1.0/24");
    assert_derived(&request, "10.0.0.0/16 172.20.0.0/16", "100.104.0.0/16",
                   "100.80.0.0/12");
    request = host("100.104.70.1", "10.0.0.0/8", NULL); /* larger already */
    assert_derived(&request, "10.0.0.0/8", "100.104.0.0/16", "100.80.0.0/12");
}

/* Mesh and containers in one /16: each gets what leaves the other alone. */
static void neighbours_are_kept_apart(void **state)
{
    struct join_request request = host("10.0.200.1", "10.0.1.0/24", NULL);

    (void)state;
    assert_derived(&request, "10.0.0.0/17", "10.0.128.0/17", "100.80.0.0/12");
    request = host("10.0.1.200", "10.0.1.0/25", NULL);
    assert_derived(&request, "10.0.1.0/25", "10.0.1.128/25", "100.80.0.0/12");
}

static void services_move_out_of_the_way(void **state)
{
    struct join_request request = host("100.81.0.1", "10.0.1.0/24", NULL);

    (void)state;
    assert_derived(&request, "10.0.0.0/16", "100.81.0.0/16", "100.96.0.0/12");
}

static void a_host_without_containers_gets_a_usual_range(void **state)
{
    struct join_request request = host("10.0.9.1", NULL, NULL);

    (void)state;
    assert_derived(&request, "172.16.0.0/16", "10.0.0.0/16", "100.80.0.0/12");
}

static void ipv6_has_ranges_of_its_own(void **state)
{
    const struct join_charter_ranges none = {.n_mesh = 0};
    struct join_request request =
        host("[fd00:5::1]:7720", "fd00:1:2:3::/64", NULL);
    struct body_charter charter;
    char *problem = NULL;

    (void)state;
    assert_derived(&request, "fd00:1:2::/48", "fd00:5::/48", "100.80.0.0/12");
    assert_int_equal(join_charter_derive(&none, &request, &charter, &problem),
                     0);
    assert_int_equal(charter.n_services, 2);
    assert_int_equal(charter.services[1].address.bytes[0], 0xfd);
    assert_int_equal(charter.services[1].len, 64);
}

static void what_was_asked_for_is_taken(void **state)
{
    struct join_charter_ranges asked = {.containers = {prefix("10.64.0.0/10")},
                                        .n_containers = 1};
    struct join_request request = host("10.0.9.1", "10.70.1.0/24", NULL);
    struct body_charter charter;
    char *problem = NULL;

    (void)state;
    assert_int_equal(join_charter_derive(&asked, &request, &charter, &problem),
                     0);
    assert_ranges(charter.containers, charter.n_containers, "10.64.0.0/10");
    assert_ranges(charter.mesh, charter.n_mesh, "10.0.0.0/16");
}

static void overlaps_are_named(void **state)
{
    struct join_charter_ranges asked = {.containers = {prefix("10.0.0.0/8")},
                                        .n_containers = 1,
                                        .mesh = {prefix("10.9.0.0/16")},
                                        .n_mesh = 1};
    struct join_request request = host("10.9.0.1", "10.0.1.0/24", NULL);
    struct body_charter charter;
    char *problem = NULL;

    (void)state;
    assert_int_equal(join_charter_derive(&asked, &request, &charter, &problem),
                     -EINVAL);
    assert_non_null(
        strstr(problem, "--containers 10.0.0.0/8 and --mesh 10.9.0.0/16"));
    free(problem);
    asked.n_mesh = 0; /* and none can be derived beside it */
    assert_int_equal(join_charter_derive(&asked, &request, &charter, &problem),
                     -EINVAL);
    assert_non_null(strstr(problem, "give one with --mesh SUBNET"));
    free(problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_addresses_give_a_16),
        cmocka_unit_test(neighbours_are_kept_apart),
        cmocka_unit_test(services_move_out_of_the_way),
        cmocka_unit_test(a_host_without_containers_gets_a_usual_range),
        cmocka_unit_test(ipv6_has_ranges_of_its_own),
        cmocka_unit_test(what_was_asked_for_is_taken),
        cmocka_unit_test(overlaps_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
