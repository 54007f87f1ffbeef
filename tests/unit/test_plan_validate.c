/* The worker's judgement of what core wants: what is refused, in which words.
 */
#include "tests/unit/plan_sample.h"

static void expect_refused(const struct plan_sample *sample,
                           const struct desired_item *item, const char *words)
{
    char reason[160] = "";

    assert_int_equal(plan_validate(item, &sample->policy, reason),
                     PLAN_E_REFUSED);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
}

static void test_validate_hosts(void **state)
{
    struct plan_sample sample;
    struct desired_item item = {.type = DESIRED_HOST};
    char reason[160];

    (void)state;
    sample_init(&sample);
    for (size_t i = 0; i < sample.desired.n_items; i++) {
        assert_int_equal(
            plan_validate(&sample.desired.items[i], &sample.policy, reason), 0);
    }
    (void)snprintf(item.host.name, sizeof(item.host.name), "host9");
    item.host.mesh = sample_address("100.104.70.9");
    item.host.n_subnets = 1;
    item.host.subnets[0] = sample_prefix("10.0.1.128/25");
    expect_refused(&sample, &item,
                   "overlaps this host's own subnet 10.0.1.0/24");
    item.host.subnets[0] = sample_prefix("0.0.0.0/0");
    expect_refused(&sample, &item, "too wide");
    item.host.subnets[0] = sample_prefix("100.80.1.0/24");
    expect_refused(&sample, &item, "overlaps the service range");
    item.host.subnets[0] = sample_prefix("127.0.0.0/24");
    expect_refused(&sample, &item, "not for containers");
    item.host.subnets[0] = sample_prefix("10.0.9.0/24");
    assert_int_equal(plan_validate(&item, &sample.policy, reason), 0);
    item.host.mesh = sample_address("10.0.1.7");
    expect_refused(&sample, &item, "mesh address 10.0.1.7");
    item.host.mesh = (struct address){0};
    expect_refused(&sample, &item, "no usable mesh address");
    item.host.mesh = sample_address("100.104.70.9");
    item.host.is_self = true;
    expect_refused(&sample, &item, "not in bridge.subnets");
    item.host.subnets[0] = sample_prefix("10.0.1.0/25");
    assert_int_equal(plan_validate(&item, &sample.policy, reason), 0);
    item.host.name[0] = '-';
    expect_refused(&sample, &item, "node name");
    sample_done(&sample);
}

static void expect_allowed(const struct plan_sample *sample,
                           const struct desired_item *item)
{
    char reason[160] = "";

    if (plan_validate(item, &sample->policy, reason) != 0) {
        fail_msg("refused: %s", reason);
    }
}

static void connect(struct plan_sample *sample, enum plan_connected_kind kind,
                    const char *prefix, const char *interface)
{
    struct plan_connected *connected =
        &sample->policy.connected[sample->policy.n_connected++];

    connected->kind = kind;
    connected->prefix = sample_prefix(prefix);
    connected->is_bridge = strcmp(interface, "socket") == 0;
    (void)snprintf(connected->interface, sizeof(connected->interface), "%s",
                   interface);
}

/* Nobody takes what this host is connected to, nor a part of it; containers'
 * subnets may lie in the bridge's own network, and in others' routes. */
static void test_validate_connected(void **state)
{
    struct plan_sample sample;
    struct desired_item host = {.type = DESIRED_HOST};
    struct prefix *subnet = &host.host.subnets[0];

    (void)state;
    sample_init(&sample);
    connect(&sample, PLAN_CONNECTED_ADDRESS, "192.168.7.5/32", "eth0");
    connect(&sample, PLAN_CONNECTED_NETWORK, "192.168.7.0/24", "eth0");
    connect(&sample, PLAN_CONNECTED_NETWORK, "10.0.0.0/16", "socket");
    connect(&sample, PLAN_CONNECTED_GATEWAY, "172.16.9.1/32", "eth1");
    connect(&sample, PLAN_CONNECTED_ADDRESS, "100.104.70.1/32", "nm-privacy");
    connect(&sample, PLAN_CONNECTED_ROUTE, "172.20.0.0/16", "eth1");
    (void)snprintf(host.host.name, sizeof(host.host.name), "host9");
    host.host.mesh = sample_address("100.104.70.9");
    host.host.n_subnets = 1;
    *subnet = sample_prefix("10.0.9.0/24");
    expect_allowed(&sample, &host);
    assert_null(plan_covering_route(&sample.policy, subnet));
    *subnet = sample_prefix("192.168.0.0/16");
    expect_refused(&sample, &host, "holds 192.168.7.5/32, this host's own");
    *subnet = sample_prefix("192.168.7.128/25");
    expect_refused(&sample, &host,
                   "is a part of 192.168.7.0/24, which this host is connected "
                   "to by eth0");
    *subnet = sample_prefix("172.16.9.0/24");
    expect_refused(&sample, &host, "holds 172.16.9.1/32, this host's gateway");
    *subnet = sample_prefix("172.16.9.1/32");
    expect_refused(&sample, &host, "this host's gateway");
    *subnet = sample_prefix("172.16.8.0/24");
    expect_allowed(&sample, &host);
    *subnet = sample_prefix("172.20.3.0/24");
    expect_allowed(&sample, &host);
    assert_string_equal(plan_covering_route(&sample.policy, subnet)->interface,
                        "eth1");
    *subnet = sample_prefix("172.0.0.0/8"); /* the gateway is in it */
    expect_refused(&sample, &host, "this host's gateway");
    *subnet = sample_prefix("10.0.9.0/24");
    host.host.mesh = sample_address("100.104.70.1");
    expect_refused(&sample, &host,
                   "mesh address 100.104.70.1 is this host's own, on "
                   "nm-privacy");
    host.host.is_self = true;
    *subnet = sample_prefix("10.0.1.0/24");
    expect_allowed(&sample, &host);
    sample_done(&sample);
}

/* What lies outside the charter's ranges, and what the host itself is. */
static void test_validate_ranges(void **state)
{
    struct plan_sample sample;
    struct desired_item host = {.type = DESIRED_HOST};
    struct desired_item function = sample_function("x", 6, 80, "100.80.0.1");

    (void)state;
    sample_init(&sample);
    sample.policy.containers[0] = sample_prefix("10.0.0.0/16");
    sample.policy.n_containers = 1;
    sample.policy.mesh[0] = sample_prefix("100.104.0.0/16");
    sample.policy.n_mesh = 1;
    connect(&sample, PLAN_CONNECTED_ADDRESS, "10.0.7.5/32", "eth0");
    connect(&sample, PLAN_CONNECTED_NETWORK, "10.0.6.0/24", "eth0");
    (void)snprintf(host.host.name, sizeof(host.host.name), "host9");
    host.host.mesh = sample_address("100.104.70.9");
    host.host.n_subnets = 1;
    host.host.subnets[0] = sample_prefix("10.0.9.0/24");
    expect_allowed(&sample, &host);
    host.host.subnets[0] = sample_prefix("8.8.8.0/24");
    expect_refused(&sample, &host,
                   "8.8.8.0/24 is outside the container ranges");
    host.host.subnets[0] = sample_prefix("10.0.0.0/15");
    expect_refused(&sample, &host, "overlaps this host's own subnet");
    host.host.subnets[0] = sample_prefix("10.0.7.0/24");
    expect_refused(&sample, &host, "10.0.7.0/24 holds 10.0.7.5/32");
    host.host.subnets[0] = sample_prefix("10.0.6.0/24");
    expect_refused(&sample, &host, "10.0.6.0/24 holds 10.0.6.0/24");
    host.host.mesh = sample_address("100.105.0.1");
    expect_refused(&sample, &host, "100.105.0.1 is outside the mesh ranges");
    function.function.n_backends = 1;
    function.function.backends =
        &(struct desired_backend){.instance = "a",
                                  .address = sample_address("10.0.9.1"),
                                  .port = 80,
                                  .weight = 1};
    expect_allowed(&sample, &function);
    function.function.backends->address = sample_address("100.104.70.9");
    expect_allowed(&sample, &function);
    function.function.backends->address = sample_address("8.8.8.8");
    expect_refused(&sample, &function,
                   "instance a has address 8.8.8.8, outside the ranges");
    sample_done(&sample);
}

/* Each bound exactly, and one beyond it. */
static void test_validate_bounds(void **state)
{
    struct plan_sample sample;
    struct desired_item host = {.type = DESIRED_HOST};
    struct desired_item function = sample_function("x", 6, 80, "100.80.0.1");

    (void)state;
    sample_init(&sample);
    (void)snprintf(host.host.name, sizeof(host.host.name), "host9");
    host.host.mesh = sample_address("100.104.70.9");
    host.host.n_subnets = 1;
    host.host.subnets[0] = sample_prefix("12.0.0.0/8");
    expect_allowed(&sample, &host);
    host.host.subnets[0] = sample_prefix("12.0.0.0/7");
    expect_refused(&sample, &host, "12.0.0.0/7 is too wide, at least /8");
    host.host.subnets[0] = sample_prefix("fd02::/16");
    expect_allowed(&sample, &host);
    host.host.subnets[0] = sample_prefix("fd02::/15");
    expect_refused(&sample, &host, "fd02::/15 is too wide, at least /16");
    host.host.subnets[0] = (struct prefix){.len = 24};
    expect_refused(&sample, &host, "too wide");
    /* The last one counts like the first. */
    host.host.n_subnets = DESIRED_SUBNETS_MAX;
    for (size_t i = 0; i < DESIRED_SUBNETS_MAX; i++) {
        host.host.subnets[i] = sample_prefix("12.0.0.0/8");
    }
    expect_allowed(&sample, &host);
    host.host.subnets[DESIRED_SUBNETS_MAX - 1] = sample_prefix("127.0.0.0/24");
    expect_refused(&sample, &host, "not for containers");
    host.host.n_subnets = DESIRED_SUBNETS_MAX + 1;
    expect_refused(&sample, &host, "more than 8 subnets");
    host.host.n_subnets = 0;
    host.host.mesh = sample_address("100.80.0.9");
    expect_refused(&sample, &host, "100.80.0.9 is in the service range");
    host.host.mesh = sample_address("224.0.0.1");
    expect_refused(&sample, &host, "no usable mesh address");

    for (unsigned i = 0; i < DESIRED_BACKENDS_MAX; i++) {
        sample_add_backend(&function, 2, "a", "10.0.2.1");
    }
    expect_allowed(&sample, &function);
    function.function.backends[DESIRED_BACKENDS_MAX - 1].port = 0;
    expect_refused(&sample, &function, "a has no port");
    function.function.n_backends++; /* not looked at */
    expect_refused(&sample, &function, "more than 256 instances");
    function.function.n_backends--;
    function.function.name[0] = '-';
    expect_refused(&sample, &function, "function name");
    desired_item_done(&function);
    sample_done(&sample);
}

/* The own certificate gives no more than the policy does. */
static void test_validate_own_subnets(void **state)
{
    struct plan_sample sample;
    struct desired_item host = {.type = DESIRED_HOST};

    (void)state;
    sample_init(&sample);
    (void)snprintf(host.host.name, sizeof(host.host.name), "host1");
    host.host.is_self = true;
    host.host.mesh = sample_address("100.104.70.1");
    host.host.n_subnets = 1;
    sample.policy.subnets[0] = sample_prefix("10.0.0.0/24");
    host.host.subnets[0] = sample_prefix("10.0.0.0/24");
    expect_allowed(&sample, &host);
    host.host.subnets[0] = sample_prefix("10.0.0.0/23");
    expect_refused(&sample, &host, "10.0.0.0/23 is not in bridge.subnets");
    host.host.subnets[0] = sample_prefix("10.0.1.0/24");
    expect_refused(&sample, &host, "10.0.1.0/24 is not in bridge.subnets");
    host.host.subnets[0] = sample_prefix("fd00:1::/64"); /* the second one */
    expect_allowed(&sample, &host);
    sample_done(&sample);
}

static void test_validate_functions(void **state)
{
    struct plan_sample sample;
    struct desired_item item = sample_function("x", 6, 80, "100.80.0.1");
    struct desired_backend *backend;
    char reason[160];

    (void)state;
    sample_init(&sample);
    sample_add_backend(&item, 2, "a", "10.0.2.1");
    backend = &item.function.backends[0];
    assert_int_equal(plan_validate(&item, &sample.policy, reason), 0);
    item.function.address = sample_address("8.8.8.8");
    expect_refused(&sample, &item,
                   "8.8.8.8 is outside the service range 100.80.0.0/12");
    item.function.address = sample_address("100.80.0.0");
    expect_refused(&sample, &item, "100.80.0.0 is kept for containers");
    item.function.address = sample_address("100.80.0.1");
    item.function.protocol = 1;
    expect_refused(&sample, &item, "neither TCP nor UDP");
    item.function.protocol = 17;
    item.function.port = 0;
    expect_refused(&sample, &item, "no port");
    item.function.port = 80;
    backend->address = sample_address("100.80.0.2");
    expect_refused(&sample, &item, "of the service range");
    backend->address = sample_address("fd00:2::1");
    expect_refused(&sample, &item, "another family");
    backend->address = sample_address("127.0.0.1");
    expect_refused(&sample, &item, "127.0.0.1");
    backend->address = sample_address("10.0.2.1");
    backend->port = 0;
    expect_refused(&sample, &item, "a has no port");
    backend->instance[0] = '\0';
    expect_refused(&sample, &item, "instance's name");
    desired_item_done(&item);
    sample_done(&sample);
}

static void test_validate_locals(void **state)
{
    struct plan_sample sample;
    struct desired_item item = {.type = DESIRED_LOCAL};
    char text[160];

    (void)state;
    sample_init(&sample);
    item.local.address = sample_address("10.0.2.7");
    (void)snprintf(item.local.port_name, sizeof(item.local.port_name), "veth7");
    plan_item_text(&item, text);
    assert_string_equal(text, "local/10.0.2.7");
    expect_refused(&sample, &item, "outside this host's subnets");
    item.local.address = sample_address("10.0.1.1");
    expect_refused(&sample, &item, "is the gateway's");
    item.local.address = sample_address("10.0.1.7");
    assert_int_equal(plan_validate(&item, &sample.policy, text), 0);
    item.local.port_name[0] = '\0';
    expect_refused(&sample, &item, "no valid port name");
    (void)snprintf(item.local.port_name, sizeof(item.local.port_name),
                   "socket");
    expect_refused(&sample, &item, "not a container's");
    (void)snprintf(item.local.port_name, sizeof(item.local.port_name), "a/b");
    expect_refused(&sample, &item, "no valid port name");
    (void)snprintf(item.local.port_name, sizeof(item.local.port_name),
                   "vx-socket");
    expect_refused(&sample, &item, "not a container's");
    item.type = (enum desired_type)9;
    expect_refused(&sample, &item, "unknown item type");
    sample_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validate_hosts),
        cmocka_unit_test(test_validate_connected),
        cmocka_unit_test(test_validate_ranges),
        cmocka_unit_test(test_validate_bounds),
        cmocka_unit_test(test_validate_own_subnets),
        cmocka_unit_test(test_validate_functions),
        cmocka_unit_test(test_validate_locals),
    };

    return cmocka_run_group_tests_name("plan_validate", tests, NULL, NULL);
}
