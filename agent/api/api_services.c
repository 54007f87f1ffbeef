/*
 * GET /api/v1/services, /services/NAME and /resolve/NAME: the catalogue, as
 * seen from this node.
 */
#include "agent/api/api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/core/worker_link.h"
#include "agent/services/services.h"
#include "agent/text/suggest.h"

static const char *health_name(uint8_t health)
{
    static const char *const names[] = {"passing", "critical", "draining",
                                        "maintenance"};

    return health < ARRAY_SIZE(names) ? names[health] : "unknown";
}

static const char *protocol_name(uint8_t protocol)
{
    return protocol == 17 ? "udp" : "tcp";
}

const char *api_service_problem(const struct core *core,
                                const struct catalog_function *function,
                                const struct catalog_instance *instance,
                                const char **ret_reason)
{
    const struct catalog_service *service = &instance->service;
    const char *text;

    if (core->worker == NULL || !instance->is_local) {
        return NULL;
    }
    text = worker_link_refusal(core->worker, &service->address, function->name,
                               service->protocol, service->port);
    if (text[0] != '\0') {
        *ret_reason = text;
        return "refused";
    }
    text = service->port_name[0] != '\0'
               ? worker_link_port_problem(core->worker, service->port_name)
               : "";
    if (text[0] != '\0') {
        *ret_reason = text;
        return "pending";
    }
    return NULL;
}

/* State and reason as people read them. */
static const char *instance_state(const struct api *api,
                                  const struct catalog_function *function,
                                  const struct catalog_instance *instance,
                                  char *reason, size_t reason_size)
{
    const struct core *core = api->core;
    const char *problem_reason;
    const char *problem =
        api_service_problem(core, function, instance, &problem_reason);
    struct node_member member;
    const char *check;

    reason[0] = '\0';
    if (problem != NULL) {
        (void)snprintf(reason, reason_size, "%s", problem_reason);
        return problem;
    }
    switch (instance->state) {
    case CATALOG_FROZEN:
        (void)snprintf(reason, reason_size,
                       "node %s signed two records under one number, so "
                       "nothing of it is believed: see agentctl record "
                       "evidence",
                       instance->node);
        break;
    case CATALOG_REFUSED:
        (void)snprintf(reason, reason_size,
                       "node %s refuses it: `agentctl service show %s` there "
                       "says why",
                       instance->node, function->name);
        break;
    case CATALOG_PENDING:
        (void)snprintf(reason, reason_size, "node %s finds no port %s for it",
                       instance->node, instance->service.port_name);
        break;
    case CATALOG_CRITICAL:
        check = instance->is_local
                    ? services_check_text(api->services, function->name,
                                          instance->service.instance)
                    : NULL;
        (void)snprintf(reason, reason_size, "%s",
                       check != NULL ? check : "its check fails");
        break;
    case CATALOG_NODE_DOWN:
        (void)snprintf(reason, reason_size, "its node %s is %s", instance->node,
                       node_member_find(core->node, instance->writer, &member)
                           ? node_member_state_name(member.state)
                           : "gone");
        break;
    case CATALOG_HOST_FAULT:
        (void)snprintf(reason, reason_size, "node %s says: %s", instance->node,
                       node_member_find(core->node, instance->writer, &member)
                           ? api_member_finding(&member)
                           : "it does not serve");
        break;
    case CATALOG_UNREACHABLE:
        (void)snprintf(reason, reason_size, "node %s does not answer this node",
                       instance->node);
        break;
    case CATALOG_NOT_HEARD:
        (void)snprintf(reason, reason_size,
                       "node %s has not been heard since this agent started",
                       instance->node);
        break;
    case CATALOG_USABLE:
    case CATALOG_DRAINING:
    case CATALOG_MAINTENANCE:
        break;
    }
    return catalog_state_name(instance->state);
}

static json_t *tags_json(const struct catalog_service *service)
{
    json_t *list = json_array();

    for (size_t i = 0; i < service->n_tags; i++) {
        json_build_append(&list, json_string(service->tags[i]));
    }
    return list;
}

static json_t *meta_json(const struct catalog_service *service)
{
    json_t *root = json_object();

    for (size_t i = 0; i < service->n_meta; i++) {
        json_build_set(&root, service->meta[i].key,
                       json_string(service->meta[i].value));
    }
    return root;
}

json_t *api_instance_json(const struct api *api,
                          const struct catalog_function *function,
                          const struct catalog_instance *instance)
{
    const struct catalog_service *service = &instance->service;
    char reason[320];
    char signer[BODY_NAME_SIZE];
    const char *state =
        instance_state(api, function, instance, reason, sizeof(reason));
    const char *check = instance->is_local
                            ? services_check_text(api->services, function->name,
                                                  service->instance)
                            : NULL;

    api_node_name(api->core, instance->writer, signer);
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:b, s:o, s:i, s:s, s:o, s:i, s:i, s:s, s:s, "
        "s:o, s:b, s:I, s:o, s:o, s:o, s:{s:s, s:o}, s:I, s:I}",
        "function", function->name, "instance", service->instance, "node",
        instance->node, "node_address",
        api_json_address(&instance->node_address), "local", instance->is_local,
        "address", api_json_address(&service->address), "port",
        (int)service->port, "protocol", protocol_name(service->protocol),
        "port_name", api_json_text(service->port_name), "weight",
        (int)service->weight, "priority", (int)service->priority, "health",
        health_name(service->health), "state", state, "reason",
        api_json_text(reason), "usable",
        strcmp(state, catalog_state_name(CATALOG_USABLE)) == 0, "rtt_us",
        (json_int_t)instance->rtt_us, "tags", tags_json(service), "meta",
        meta_json(service), "check", api_json_text(check), "signer", "node",
        signer, "key", api_json_hex(instance->writer, 32), "epoch",
        (json_int_t)instance->order.epoch, "seq",
        (json_int_t)instance->order.seq);
}

json_t *api_service_json(const struct api *api,
                         const struct catalog_function *function)
{
    json_t *instances = json_array();
    char claimer[BODY_NAME_SIZE] = "";
    char dns_name[BODY_NAME_SIZE + 256];

    for (size_t i = 0; i < function->n_instances; i++) {
        json_build_append(
            &instances,
            api_instance_json(api, function, &function->instances[i]));
    }
    (void)snprintf(dns_name, sizeof(dns_name), "%s.%s", function->name,
                   api->core->config->zone);
    if (function->is_claimed) {
        api_node_name(api->core, function->claimer, claimer);
    }
    return json_pack("{s:s, s:s, s:o, s:b, s:o, s:i, s:o}", "name",
                     function->name, "dns", dns_name, "address",
                     api_json_address(&function->address), "declared",
                     function->is_declared, "claimer", api_json_text(claimer),
                     "slot", (int)function->slot, "instances", instances);
}

void api_services_get(struct http_exchange *exchange, void *data)
{
    const struct api *api = data;
    const struct core *core = api->core;
    json_t *list = json_array();

    for (size_t i = 0; i < catalog_count(core->catalog); i++) {
        const struct catalog_function *function = catalog_at(core->catalog, i);

        if (!function->is_idle) {
            json_build_append(&list, api_service_json(api, function));
        }
    }
    api_reply(exchange, 200,
              json_pack("{s:i, s:o}", "schema", API_SCHEMA, "services", list));
}

void api_service_not_found(struct http_exchange *exchange,
                           const struct core *core, const char *name)
{
    struct suggest suggest = {0};
    char next[BODY_NAME_SIZE + 64];

    for (size_t i = 0; i < catalog_count(core->catalog); i++) {
        const struct catalog_function *function = catalog_at(core->catalog, i);

        if (!function->is_idle) {
            suggest_offer(&suggest, name, function->name);
        }
    }
    if (suggest.word != NULL) {
        (void)snprintf(next, sizeof(next), "did you mean %s?", suggest.word);
    } else {
        (void)snprintf(next, sizeof(next),
                       "agentctl service ls shows what there is");
    }
    api_problem(exchange, 404, "no node has an instance of it", next,
                "there is no function %s", name);
}

void api_service_get(struct http_exchange *exchange, void *data)
{
    const struct api *api = data;
    const struct core *core = api->core;
    const char *name = http_exchange_request(exchange)->segments[3];
    const struct catalog_function *function = catalog_find(core->catalog, name);

    if (function == NULL) {
        api_service_not_found(exchange, core, name);
        return;
    }
    api_reply(exchange, 200,
              json_pack("{s:i, s:o}", "schema", API_SCHEMA, "service",
                        api_service_json(api, function)));
}

/* The instances that new connections go to, best first, and the others. */
void api_resolve_get(struct http_exchange *exchange, void *data)
{
    const struct api *api = data;
    const struct core *core = api->core;
    const char *name = http_exchange_request(exchange)->segments[3];
    const struct catalog_function *function = catalog_find(core->catalog, name);
    char claimer[BODY_NAME_SIZE] = "";
    json_t *chosen;
    json_t *others;

    if (function == NULL) {
        api_service_not_found(exchange, core, name);
        return;
    }
    chosen = json_array();
    others = json_array();
    for (size_t i = 0; i < function->n_usable; i++) {
        json_build_append(
            &chosen, api_instance_json(api, function, function->usable[i]));
    }
    for (size_t i = 0; i < function->n_instances; i++) {
        const struct catalog_instance *instance = &function->instances[i];

        if (function->n_usable == 0 ||
            catalog_state_rank(instance->state) !=
                catalog_state_rank(function->usable[0]->state)) {
            json_build_append(&others,
                              api_instance_json(api, function, instance));
        }
    }
    if (function->is_claimed) {
        api_node_name(core, function->claimer, claimer);
    }
    api_reply(exchange, 200,
              json_pack("{s:i, s:s, s:o, s:o, s:o, s:o}", "schema", API_SCHEMA,
                        "name", function->name, "address",
                        api_json_address(&function->address), "claimer",
                        api_json_text(claimer), "instances", chosen, "unusable",
                        others));
}
