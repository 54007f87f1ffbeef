/* Records written by simulated nodes, and questions about their views.  See
 * cluster.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/cluster.h"
#include "tests/sim/cluster_internal.h"

#define SERVICES_BODY_SIZE 512

static int services_step(struct cluster *cluster, uint32_t node,
                         struct node_event *event,
                         struct record_order *ret_order)
{
    struct node_written written = {.result = NODE_E_NOT_READY};

    if (!cluster_is_running(cluster, node)) {
        return NODE_E_NOT_READY;
    }
    event->written = &written;
    cluster_step(cluster, node, event);
    if (written.result == 0 && ret_order != NULL) {
        *ret_order = written.order;
    }
    return written.result;
}

int cluster_write(struct cluster *cluster, uint32_t node, uint8_t kind,
                  const uint8_t *key, size_t key_size, const uint8_t *body,
                  size_t body_size, struct record_order *ret_order)
{
    struct node_event event = {.type = NODE_EVENT_WRITE,
                               .kind = kind,
                               .key = key,
                               .key_size = key_size,
                               .body = body,
                               .body_size = body_size};

    return services_step(cluster, node, &event, ret_order);
}

static size_t services_key(char key[LIMIT_KEY_SIZE], const char *function,
                           const char *instance)
{
    int size = snprintf(key, LIMIT_KEY_SIZE, "%s/%s", function, instance);

    assert(size > 0 && size < LIMIT_KEY_SIZE);
    return (size_t)size;
}

int cluster_register(struct cluster *cluster, uint32_t node,
                     const char *function, const char *instance, uint16_t port)
{
    struct body_service service = {
        .protocol = 6,
        .port = port,
        .address = simkeys_container(cluster->nodes[node].host, 20),
        .weight = 100,
        .priority = 10};
    char key[LIMIT_KEY_SIZE];
    uint8_t body[SERVICES_BODY_SIZE];
    size_t body_size;
    size_t key_size = services_key(key, function, instance);
    int result;

    (void)snprintf(service.function, sizeof(service.function), "%s", function);
    (void)snprintf(service.instance, sizeof(service.instance), "%s", instance);
    result = body_put_service(&service, body, sizeof(body), &body_size);
    assert(result == 0);
    return cluster_write(cluster, node, RECORD_SERVICE, (const uint8_t *)key,
                         key_size, body, body_size, NULL);
}

int cluster_deregister(struct cluster *cluster, uint32_t node,
                       const char *function, const char *instance)
{
    char key[LIMIT_KEY_SIZE];
    struct node_event event = {.type = NODE_EVENT_REMOVE,
                               .kind = RECORD_SERVICE,
                               .key = (const uint8_t *)key,
                               .key_size =
                                   services_key(key, function, instance)};

    return services_step(cluster, node, &event, NULL);
}

bool cluster_has_service(const struct cluster *cluster, uint32_t observer,
                         uint32_t owner, const char *function,
                         const char *instance)
{
    char key[LIMIT_KEY_SIZE];
    size_t key_size = services_key(key, function, instance);
    struct record record;

    return cluster_is_running(cluster, observer) &&
           node_record_find(cluster->nodes[observer].node,
                            cluster->nodes[owner].keys.sign_public,
                            RECORD_SERVICE, (const uint8_t *)key, key_size,
                            &record) &&
           record.kind == RECORD_SERVICE;
}

enum node_member_state cluster_state(const struct cluster *cluster,
                                     uint32_t observer, uint32_t subject)
{
    struct node_member member;

    if (!cluster_is_running(cluster, observer) ||
        !node_member_find(cluster->nodes[observer].node,
                          cluster->nodes[subject].keys.sign_public, &member)) {
        return NODE_MEMBER_UNKNOWN;
    }
    return member.state;
}
