/*
 * GET /api/v1/status: this node at a glance.
 */
#include "agent/api/api_internal.h"

#include "agent/catalog/catalog.h"
#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/core/worker_link.h"
#include "agent/identity/identity.h"
#include "agent/system/clock.h"

static json_t *members_json(const struct core *core)
{
    size_t counts[API_MEMBER_STATES];
    json_t *root = json_object();

    api_members_count(core->node, counts);
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        json_build_set(&root, api_member_state_name(i),
                       json_integer((json_int_t)counts[i]));
    }
    return root;
}

static json_t *worker_json(const struct core *core)
{
    const struct worker_status *status;

    if (core->worker == NULL) {
        return json_null();
    }
    status = worker_link_status(core->worker);
    return json_pack(
        "{s:b, s:b, s:{s:b, s:o}, s:{s:b, s:o}, s:I, s:I, s:I, s:o}",
        "connected", status->is_connected, "observing", status->is_observing,
        "ovs", "up", status->is_ovs_up, "text", api_json_text(status->ovs_text),
        "tunnel", "up", status->is_tunnel_up, "text",
        api_json_text(status->tunnel_text), "sent",
        (json_int_t)status->sent_number, "applied",
        (json_int_t)status->applied_number, "applied_us",
        (json_int_t)status->applied_us, "error",
        api_json_text(status->applied_error));
}

static json_t *identity_json(const struct core *core)
{
    const struct identity *identity = core->identity;
    struct endpoint mesh = {.address = core->config->mesh,
                            .port = core->config->mesh_port};
    char mesh_text[ENDPOINT_TEXT_SIZE];
    struct node_member self;
    bool is_known = node_member_find(core->node, identity->sign_public, &self);

    return json_pack(
        "{s:i, s:s, s:o, s:o, s:s, s:s, s:b, s:{s:s, s:o}, s:b}", "schema",
        API_SCHEMA, "node", identity->body.name, "key",
        api_json_hex(identity->sign_public, 32), "id",
        api_json_id(record_node_id(identity->sign_public)), "state",
        node_member_state_name(is_known ? self.state : NODE_MEMBER_UNKNOWN),
        "mesh", endpoint_text(&mesh, mesh_text), "issuer",
        (identity->body.roles & BODY_ROLE_ISSUER) != 0, "cluster", "name",
        identity->genesis.name, "id",
        api_json_hex(identity->genesis.cluster_id, 32), "cut_off",
        node_is_cut_off(core->node));
}

static size_t count_functions(const struct catalog *catalog)
{
    size_t n = 0;

    for (size_t i = 0; i < catalog_count(catalog); i++) {
        n += !catalog_at(catalog, i)->is_idle;
    }
    return n;
}

static size_t count_instances(const struct catalog *catalog)
{
    size_t n = 0;

    for (size_t i = 0; i < catalog_count(catalog); i++) {
        n += catalog_at(catalog, i)->n_instances;
    }
    return n;
}

void api_status_get(struct http_exchange *exchange, void *data)
{
    const struct api *api = data;
    const struct core *core = api->core;
    uint64_t wall_ms = clock_wall_ms();
    bool is_healthy;
    json_t *problems = api_health_problems(api, &is_healthy);
    json_t *root = identity_json(core);
    json_t *rest = json_pack(
        "{s:s, s:I, s:I, s:o, s:o, s:I, s:o, s:I, s:I, s:{s:o}, s:o, s:o, "
        "s:o, s:b}",
        "version", SOCKETNET_VERSION, "epoch",
        (json_int_t)node_epoch(core->node), "uptime_s",
        (json_int_t)(wall_ms > core->started_wall_ms
                         ? (wall_ms - core->started_wall_ms) / 1000
                         : 0),
        "started", api_json_time(core->started_wall_ms), "members",
        members_json(core), "records", (json_int_t)node_n_records(core->node),
        "fingerprint", api_json_id(node_fingerprint(core->node)), "functions",
        (json_int_t)count_functions(core->catalog), "instances",
        (json_int_t)count_instances(core->catalog), "store", "problem",
        api_json_text(core->store_problem), "worker", worker_json(core),
        "pending", api_health_pending(core), "problems", problems, "healthy",
        is_healthy);

    if (root == NULL || rest == NULL || json_object_update(root, rest) != 0) {
        json_decref(root);
        root = NULL;
    }
    json_decref(rest);
    api_reply(exchange, 200, root);
}
