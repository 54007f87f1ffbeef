/*
 * The desired state: hosts, functions with their backends, local ports; what
 * drains, what goes at once, what is kept.
 */
#include "agent/catalog/desired_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "agent/catalog/catalog.h"
#include "fake_node.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = "0123456789abcdef";

struct world {
    struct node *node;
    struct node_member *members[5]; /* by number, 1 is this node */
    struct catalog *catalog;
    struct desired_builder *builder;
    struct desired desired;
    uint64_t now_ms;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct prefix range;

    if (world == NULL || prefix_parse("100.80.0.0/12", &range) != 0 ||
        catalog_new(cluster, &range, &world->catalog) != 0 ||
        desired_builder_new(&world->builder) != 0) {
        free(world);
        return -1;
    }
    world->node = fake_node_new();
    for (uint8_t i = 1; i < 5; i++) {
        world->members[i] = fake_node_member(world->node, i);
    }
    world->now_ms = 1000000;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    desired_done(&world->desired);
    (void)desired_builder_free(world->builder);
    (void)catalog_free(world->catalog);
    fake_node_free(world->node);
    free(world);
    return 0;
}

static void build(struct world *world)
{
    desired_done(&world->desired);
    world->desired = (struct desired)DESIRED_INIT;
    assert_int_equal(catalog_rebuild(world->catalog, world->node), 0);
    assert_int_equal(desired_builder_run(world->builder, world->catalog,
                                         world->node, world->now_ms,
                                         &world->desired),
                     0);
}

static void put(struct world *world, uint8_t member, const char *address,
                uint8_t health)
{
    struct body_service service = fake_service("redis", address, 6379);

    service.health = health;
    fake_node_service(world->node, member, &service);
}

static void take(struct world *world, uint8_t member, const char *address)
{
    struct body_service service = fake_service("redis", address, 6379);

    fake_node_remove(world->node, member, &service);
}

static const struct desired_function *find(const struct world *world,
                                           const char *name, uint16_t port)
{
    struct desired_item key = {.type = DESIRED_FUNCTION};
    const struct desired_item *item;

    (void)snprintf(key.function.name, sizeof(key.function.name), "%s", name);
    key.function.protocol = 6;
    key.function.port = port;
    item = desired_find(&world->desired, &key);
    return item != NULL ? &item->function : NULL;
}

/* "10.0.2.1+ 10.0.3.1-": addresses of the backends, + takes new ones. */
static const char *backends(const struct world *world, char text[512])
{
    const struct desired_function *function = find(world, "redis", 6379);
    char address[ADDRESS_TEXT_SIZE];
    size_t len = 0;
    const char *parts[8];
    char kept[8][64];
    size_t n = 0;

    if (function == NULL) {
        return "none";
    }
    text[0] = '\0';
    for (size_t i = 0; i < function->n_backends && n < 8; i++) {
        const struct desired_backend *backend = &function->backends[i];

        (void)snprintf(kept[n], sizeof(kept[n]), "%s%c",
                       address_text(&backend->address, address),
                       backend->accepts_new ? '+' : '-');
        parts[n] = kept[n];
        n++;
    }
    for (size_t i = 0; i < n; i++) { /* by text, so that tests can compare */
        for (size_t j = i + 1; j < n; j++) {
            if (strcmp(parts[j], parts[i]) < 0) {
                const char *swap = parts[i];

                parts[i] = parts[j];
                parts[j] = swap;
            }
        }
        len += (size_t)snprintf(text + len, 512 - len, "%s%s", i > 0 ? " " : "",
                                parts[i]);
    }
    return text;
}

static size_t count(const struct world *world, enum desired_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < world->desired.n_items; i++) {
        n += world->desired.items[i].type == type ? 1 : 0;
    }
    return n;
}

static void test_hosts(void **state)
{
    struct world *world = *state;
    struct desired_item key = {.type = DESIRED_HOST};
    const struct desired_item *item;
    char text[PREFIX_TEXT_SIZE];

    build(world);
    assert_int_equal(count(world, DESIRED_HOST), 4);
    assert_int_equal(world->desired.n_items, 4);
    key.host.id = world->members[3]->id;
    item = desired_find(&world->desired, &key);
    assert_non_null(item);
    assert_string_equal(item->host.name, "host3");
    assert_string_equal(address_text(&item->host.mesh, text), "100.104.70.3");
    assert_int_equal(item->host.n_subnets, 1);
    assert_string_equal(prefix_text(&item->host.subnets[0], text),
                        "10.0.3.0/24");
    assert_false(item->host.is_self);
    key.host.id = world->members[1]->id;
    assert_true(desired_find(&world->desired, &key)->host.is_self);
    /* A dead member keeps its routes, one who left does not. */
    world->members[3]->state = NODE_MEMBER_DEAD;
    build(world);
    assert_int_equal(count(world, DESIRED_HOST), 4);
    world->members[3]->state = NODE_MEMBER_LEFT;
    build(world);
    assert_int_equal(count(world, DESIRED_HOST), 3);
    /* Nor one that is certified no more. */
    world->members[3]->state = NODE_MEMBER_ALIVE;
    build(world);
    assert_int_equal(count(world, DESIRED_HOST), 4);
    world->members[3]->state = NODE_MEMBER_REMOVED;
    build(world);
    assert_int_equal(count(world, DESIRED_HOST), 3);
}

static void test_function(void **state)
{
    struct world *world = *state;
    struct body_service other = fake_service("redis", "10.0.3.9", 6380);
    const struct desired_function *function;
    char text[512];

    put(world, 2, "10.0.2.1", BODY_HEALTH_PASSING);
    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    other.priority = 7;
    fake_node_service(world->node, 3, &other);
    build(world);
    assert_int_equal(count(world, DESIRED_FUNCTION), 2);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1+");
    function = find(world, "redis", 6380);
    assert_non_null(function);
    assert_int_equal(function->n_backends, 1);
    assert_int_equal(function->backends[0].host_id, world->members[3]->id);
    assert_int_equal(function->backends[0].weight, 100);
    assert_int_equal(function->backends[0].priority, 7);
    assert_int_equal(function->backends[0].port, 6380);
    assert_string_equal(function->backends[0].instance, "i-9");
    assert_true(address_equal(&function->address,
                              &catalog_find(world->catalog, "redis")->address));
    assert_int_equal(desired_builder_deadline_ms(world->builder), UINT64_MAX);
}

static void test_drain(void **state)
{
    struct world *world = *state;
    char text[512];

    put(world, 2, "10.0.2.1", BODY_HEALTH_PASSING);
    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    build(world);
    take(world, 3, "10.0.3.1");
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1-");
    assert_int_equal(desired_builder_deadline_ms(world->builder),
                     world->now_ms + DESIRED_BUILDER_DRAIN_MS);
    /* Other changes in the meantime do not move its end. */
    world->now_ms += DESIRED_BUILDER_DRAIN_MS - 1;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1-");
    world->now_ms += 1;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+");
    assert_int_equal(desired_builder_deadline_ms(world->builder), UINT64_MAX);
}

static void test_drain_ends_early(void **state)
{
    struct world *world = *state;
    char text[512];

    put(world, 2, "10.0.2.1", BODY_HEALTH_PASSING);
    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    build(world);
    take(world, 3, "10.0.3.1");
    build(world);
    /* Registered again: an ordinary backend at once. */
    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1+");
    assert_int_equal(desired_builder_deadline_ms(world->builder), UINT64_MAX);
    /* Its node dies: nothing is left to drain. */
    take(world, 3, "10.0.3.1");
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1-");
    world->members[3]->state = NODE_MEMBER_DEAD;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+");
}

/* The last instance goes: the function's item stays with its address until
 * the open connections had their time. */
static void test_drain_last(void **state)
{
    struct world *world = *state;
    struct address address;
    char text[512];

    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    build(world);
    address = find(world, "redis", 6379)->address;
    take(world, 3, "10.0.3.1");
    build(world);
    assert_null(catalog_find(world->catalog, "redis"));
    assert_string_equal(backends(world, text), "10.0.3.1-");
    assert_true(address_equal(&find(world, "redis", 6379)->address, &address));
    /* Another function is given that address: it must not be held back. */
    fake_node_function(world->node, 1, "other", address_text(&address, text));
    build(world);
    assert_string_equal(backends(world, text), "none");
}

static void put_many(struct world *world, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct body_service service = fake_service("many", "10.0.3.1", 80);

        service.address.bytes[2] = (uint8_t)(i >> 8);
        service.address.bytes[3] = (uint8_t)i;
        (void)snprintf(service.instance, sizeof(service.instance), "i%zu", i);
        fake_node_add_service(world->node, 3, &service);
    }
}

/* As many drain as may, and one more: the one that would end first goes. */
static void test_drain_limit(void **state)
{
    struct world *world = *state;
    char text[512];

    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    build(world);
    fake_node_forget_records(world->node);
    build(world);
    assert_string_equal(backends(world, text), "10.0.3.1-");
    world->now_ms += 1;
    put_many(world, DESIRED_BUILDER_DRAINING_MAX - 1);
    build(world);
    fake_node_forget_records(world->node);
    build(world);
    assert_string_equal(backends(world, text), "10.0.3.1-");
    assert_non_null(find(world, "many", 80));
    put(world, 4, "10.0.4.1", BODY_HEALTH_PASSING);
    build(world);
    fake_node_forget_records(world->node);
    build(world);
    assert_string_equal(backends(world, text), "10.0.4.1-");
}

static void test_moved(void **state)
{
    struct world *world = *state;
    struct body_service service = fake_service("redis", "10.0.3.1", 6379);
    char text[512];

    fake_node_service(world->node, 3, &service);
    build(world);
    /* The same instance under another address: the old one drains. */
    service.address.bytes[3] = 8;
    fake_node_service(world->node, 3, &service);
    build(world);
    assert_string_equal(backends(world, text), "10.0.3.1- 10.0.3.8+");
}

/* The same instance on another port, or its address on another host: what was
 * there drains in its own place. */
static void test_moved_beside(void **state)
{
    struct world *world = *state;
    struct body_service service = fake_service("redis", "10.0.3.1", 6379);
    const struct desired_function *function;
    char text[512];

    fake_node_service(world->node, 3, &service);
    build(world);
    service.port = 6380;
    fake_node_service(world->node, 3, &service);
    build(world);
    assert_string_equal(backends(world, text), "10.0.3.1-");
    assert_int_equal(find(world, "redis", 6380)->n_backends, 1);
    assert_true(find(world, "redis", 6380)->backends[0].accepts_new);

    fake_node_remove(world->node, 3, &service);
    fake_node_service(world->node, 4, &service);
    build(world);
    function = find(world, "redis", 6380);
    assert_int_equal(function->n_backends, 2);
    assert_true(function->backends[0].accepts_new);
    assert_true(function->backends[0].host_id == world->members[4]->id);
    assert_false(function->backends[1].accepts_new);
    assert_true(function->backends[1].host_id == world->members[3]->id);
}

/* A host without an address in the mesh is none. */
static void test_no_mesh(void **state)
{
    struct world *world = *state;
    struct desired_item key = {.type = DESIRED_HOST};

    build(world);
    key.host.id = world->members[3]->id;
    assert_non_null(desired_find(&world->desired, &key));
    fake_node_certificate(world->members[3])->n_mesh = 0;
    build(world);
    assert_null(desired_find(&world->desired, &key));
}

static void test_at_once(void **state)
{
    struct world *world = *state;
    char text[512];

    put(world, 2, "10.0.2.1", BODY_HEALTH_PASSING);
    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    build(world);
    put(world, 3, "10.0.3.1", BODY_HEALTH_CRITICAL);
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+");
    /* Deregistered while critical: it carried nothing, it drains nothing. */
    take(world, 3, "10.0.3.1");
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+");
    world->members[2]->state = NODE_MEMBER_DEAD;
    build(world);
    /* No backend, yet the address stays and answers with a reset. */
    assert_string_equal(backends(world, text), "");
    assert_int_equal(find(world, "redis", 6379)->n_backends, 0);
    put(world, 3, "10.0.3.1", BODY_HEALTH_DRAINING);
    put(world, 4, "10.0.4.1", BODY_HEALTH_MAINTENANCE);
    build(world);
    assert_string_equal(backends(world, text), "10.0.3.1- 10.0.4.1-");
}

static void test_unreachable(void **state)
{
    struct world *world = *state;
    char text[512];

    put(world, 2, "10.0.2.1", BODY_HEALTH_PASSING);
    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    world->members[3]->is_reachable = false;
    build(world);
    /* No new connection, but a single lost probe cuts no open one. */
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1-");
    world->members[2]->is_reachable = false;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1+");
    world->members[3]->state = NODE_MEMBER_PAUSED;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1- 10.0.3.1+");
}

/* After a restart: connections go to hosts that have been heard, and open ones
 * stay where they are; to the others only while none has been. */
static void test_not_heard(void **state)
{
    struct world *world = *state;
    char text[512];

    put(world, 2, "10.0.2.1", BODY_HEALTH_PASSING);
    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    put(world, 4, "10.0.4.1", BODY_HEALTH_PASSING);
    world->members[2]->is_heard = false;
    world->members[3]->is_heard = false;
    world->members[4]->is_heard = false;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1+ 10.0.4.1+");
    world->members[3]->is_heard = true;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1- 10.0.3.1+ 10.0.4.1-");
    /* One that may be there comes before one that does not answer. */
    world->members[3]->is_reachable = false;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1- 10.0.4.1+");
    world->members[2]->is_heard = true;
    world->members[4]->is_heard = true;
    world->members[3]->is_reachable = true;
    build(world);
    assert_string_equal(backends(world, text), "10.0.2.1+ 10.0.3.1+ 10.0.4.1+");
}

static void test_locals(void **state)
{
    struct world *world = *state;
    struct body_service service = fake_service("redis", "10.0.1.203", 6379);
    struct body_service remote = fake_service("redis", "10.0.2.1", 6379);
    struct body_service host = fake_service("redis", "100.104.70.1", 6379);
    const struct desired_item *item;
    struct desired_item key = {.type = DESIRED_LOCAL};

    memcpy(service.port_name, "veth203", 8);
    memcpy(remote.port_name, "veth1", 6);
    fake_node_service(world->node, 1, &service);
    fake_node_service(world->node, 2, &remote);
    fake_node_service(world->node, 1, &host);
    build(world);
    assert_int_equal(count(world, DESIRED_LOCAL), 1);
    key.local.address = service.address;
    item = desired_find(&world->desired, &key);
    assert_non_null(item);
    assert_string_equal(item->local.port_name, "veth203");
    service.health = BODY_HEALTH_CRITICAL; /* the port is still its own */
    fake_node_service(world->node, 1, &service);
    build(world);
    assert_int_equal(count(world, DESIRED_LOCAL), 1);
    service.health = BODY_HEALTH_PASSING;
    fake_node_service(world->node, 1, &service);
    build(world);
    fake_node_remove(world->node, 1, &service);
    build(world);
    assert_int_equal(count(world, DESIRED_LOCAL), 1); /* drains */
    world->now_ms += DESIRED_BUILDER_DRAIN_MS;
    build(world);
    assert_int_equal(count(world, DESIRED_LOCAL), 0);
}

/* At the limit all backends are there; past it those that take connections
 * come first. */
/* Of two names for the port of one address the first counts; a port of another
 * host's instance is none of ours, also while it drains. */
static void test_locals_first(void **state)
{
    struct world *world = *state;
    struct body_service service = fake_service("redis", "10.0.1.203", 6379);
    struct body_service second = fake_service("web", "10.0.1.203", 80);
    struct body_service remote = fake_service("redis", "10.0.2.1", 6379);
    struct desired_item key = {.type = DESIRED_LOCAL};

    memcpy(service.port_name, "veth203", 8);
    memcpy(second.port_name, "veth204", 8);
    memcpy(remote.port_name, "veth1", 6);
    fake_node_service(world->node, 1, &service);
    fake_node_service(world->node, 1, &second);
    fake_node_service(world->node, 2, &remote);
    build(world);
    key.local.address = service.address;
    assert_string_equal(desired_find(&world->desired, &key)->local.port_name,
                        "veth203");
    key.local.address = remote.address;
    assert_null(desired_find(&world->desired, &key));
    fake_node_remove(world->node, 2, &remote);
    build(world);
    assert_null(desired_find(&world->desired, &key));
}

static void test_many(void **state)
{
    struct world *world = *state;
    char text[ADDRESS_TEXT_SIZE];
    size_t n_accepting = 0;

    for (unsigned i = 0; i < DESIRED_BACKENDS_MAX; i++) {
        struct body_service service;

        (void)snprintf(text, sizeof(text), "10.0.2.%u", i);
        service = fake_service("redis", text, 6379);
        service.health = i < 10 ? BODY_HEALTH_DRAINING : BODY_HEALTH_PASSING;
        fake_node_service(world->node, 2, &service);
    }
    build(world);
    assert_int_equal(find(world, "redis", 6379)->n_backends,
                     DESIRED_BACKENDS_MAX);
    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof(text), "10.0.3.%u", i);
        put(world, 3, text, BODY_HEALTH_PASSING);
    }
    build(world);
    assert_int_equal(find(world, "redis", 6379)->n_backends,
                     DESIRED_BACKENDS_MAX);
    for (size_t i = 0; i < DESIRED_BACKENDS_MAX; i++) {
        n_accepting += find(world, "redis", 6379)->backends[i].accepts_new;
    }
    assert_int_equal(n_accepting, DESIRED_BACKENDS_MAX - 10 + 5);
}

/* The same view gives the same set, so that no delta is sent for nothing. */
static void test_stable(void **state)
{
    struct world *world = *state;
    struct desired before;

    put(world, 2, "10.0.2.1", BODY_HEALTH_PASSING);
    put(world, 3, "10.0.3.1", BODY_HEALTH_PASSING);
    put(world, 1, "10.0.1.1", BODY_HEALTH_PASSING);
    build(world);
    before = world->desired;
    world->desired = (struct desired)DESIRED_INIT;
    build(world);
    assert_int_equal(before.n_items, world->desired.n_items);
    for (size_t i = 0; i < before.n_items; i++) {
        assert_true(
            desired_item_equal(&before.items[i], &world->desired.items[i]));
    }
    desired_done(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_function, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_ends_early, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved_beside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_mesh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreachable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locals_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stable, setup, teardown),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
