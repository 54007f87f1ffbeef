/*
 * What is wrong with this node, in words that say what to do.  A problem is
 * worked out anew at every question, so it goes away by itself.
 *
 * Level "fail" makes the node unhealthy; "warn" is told and no more.
 */
#include "agent/api/api_health.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/core/poison.h"
#include "agent/core/worker_link.h"
#include "agent/services/services.h"

void api_health_add(void *data, const char *level, const char *id,
                    const char *text, const char *next)
{
    struct problems *problems = data;

    json_build_append(&problems->list,
                      json_pack("{s:s, s:s, s:o, s:o}", "id", id, "level",
                                level, "text", json_build_string(text), "next",
                                json_build_string(next)));
    problems->is_healthy &= strcmp(level, "fail") != 0;
}

/* Two of our own records contradict each other. */
static void find_frozen(const struct core *core, struct problems *problems)
{
    uint8_t source[32];

    if (node_trouble(core->node, source) == NODE_TROUBLE_FROZEN) {
        api_health_add(
            problems, "fail", "frozen",
            "two records under one number were signed with this node's key (a "
            "machine set back to a snapshot while it ran, a clone, or a stolen "
            "key): all members have them, and use nothing of this node",
            "agentctl record evidence shows them; stop what else has this "
            "key, then agentctl token create --name NODE on an issuer, and, "
            "with the agent stopped, agent key rotate --token T here");
    }
}

/* Others are. */
static void find_frozen_members(const struct core *core,
                                struct problems *problems)
{
    struct node_member member;

    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        char text[BODY_NAME_SIZE + 96];

        if (!member.is_frozen || member.is_self) {
            continue;
        }
        (void)snprintf(text, sizeof(text),
                       "%s signed two records under one number: nothing of it "
                       "is believed or used",
                       member.certificate->name);
        api_health_add(
            problems, "warn", "frozen-member", text,
            "agentctl record evidence shows them; agentctl status there says "
            "what to do");
    }
}

static void find_charter_problems(const struct core *core,
                                  struct problems *problems)
{
    char text[160];

    if (api_charter_rivals(core, text, sizeof(text)) != 0) {
        json_build_append(&problems->list, NULL);
    } else if (text[0] != '\0') {
        api_health_add(
            problems, "warn", "charter-rivals", text,
            "agent charter show names both and who signed; when you did not, a "
            "root's key is in the wrong hands: agent charter propose "
            "--remove-root");
    }
}

/* What core died on is not looked at again. */
static void find_poison(const struct core *core, struct problems *problems)
{
    size_t n = poison_n_set_aside(core->poison);
    char text[160];

    if (n > 0) {
        (void)snprintf(text, sizeof(text),
                       "this agent died three times on each of %zu packets or "
                       "records: they are set aside, by their hash",
                       n);
        api_health_add(
            problems, "warn", "set-aside", text,
            "report it with the log of agent run; after an upgrade, remove "
            "poison in run_dir and restart");
    }
}

/* An operator had the cluster stand still. */
static void find_hold(const struct core *core, struct problems *problems)
{
    struct node_hold hold;
    char who[BODY_NAME_SIZE];
    char text[3 * BODY_NAME_SIZE + 96];

    if (node_holds(core->node, &hold, 1) == 0) {
        return;
    }
    api_node_name(core, hold.writer, who);
    (void)snprintf(text, sizeof(text),
                   "%s froze the cluster%s%s: no host applies anything new, "
                   "flows stay as they are",
                   who, hold.reason[0] != '\0' ? " for " : "", hold.reason);
    api_health_add(problems, "warn", "cluster-frozen", text,
                   "agentctl cluster release, on an issuer");
}

/* Another agent writes with our key. */
static void find_twin(const struct core *core, struct problems *problems)
{
    uint8_t source[32];
    struct node_member witness;
    char who[BODY_NAME_SIZE + ENDPOINT_TEXT_SIZE + 64] = "";
    char mesh[ENDPOINT_TEXT_SIZE];
    char text[512];

    if (node_trouble(core->node, source) != NODE_TROUBLE_TWIN) {
        return;
    }
    if (node_member_find(core->node, source, &witness)) {
        (void)snprintf(who, sizeof(who),
                       "; %s (%s) showed it, where `wg show` names the "
                       "address that the other speaks from",
                       witness.certificate->name,
                       endpoint_text(&witness.certificate->mesh[0], mesh));
    }
    (void)snprintf(text, sizeof(text),
                   "another agent writes with this node's key (a cloned disk "
                   "or machine, or a backup beside its original), so this "
                   "one has stopped writing%s",
                   who);
    api_health_add(
        problems, "fail", "twin", text,
        "stop one of the two, then, to keep this one: systemctl restart "
        "socketnet; to keep the other: agent reset --yes here, and agent join "
        "under another name");
}

static void find_gossip_problems(const struct core *core,
                                 struct problems *problems)
{
    if (!node_is_ready(core->node)) {
        api_health_add(
            problems, "warn", "gossip-not-ready",
            "the node still asks its peers for its own past before it writes",
            "wait a few seconds; see agentctl members");
    }
    if (node_is_cut_off(core->node)) {
        api_health_add(
            problems, "fail", "cut-off",
            "a third of the members or more went silent at once: this node "
            "is probably the one that is cut off, so nobody is declared dead",
            "check this host's mesh interface and its underlay");
    }
    if (core->store_problem != NULL) {
        api_health_add(
            problems, "fail", "store", core->store_problem,
            "make room on the disk of state_dir; reading goes on meanwhile");
    }
}

/* Whether some other host has subnets that are reached by the tunnel. */
static bool needs_tunnel(const struct core *core)
{
    struct node_member member;

    for (size_t at = 0; node_member_next(core->node, &at, &member);) {
        if (!member.is_self && !node_member_is_gone(&member) &&
            member.certificate != NULL && member.certificate->n_subnets > 0) {
            return true;
        }
    }
    return false;
}

static void find_worker_problems(const struct core *core,
                                 struct problems *problems)
{
    const struct worker_status *status;

    if (core->worker == NULL) {
        return;
    }
    status = worker_link_status(core->worker);
    if (!status->is_connected && status->other_version != 0) {
        char text[160];

        (void)snprintf(
            text, sizeof(text),
            "the worker is of another version than core (it speaks %" PRIu64
            "): flows stay as they are and follow no change",
            status->other_version);
        api_health_add(
            problems, "fail", "worker-version", text,
            "the launcher starts it again; when this stays, the program was "
            "replaced under it: systemctl restart socketnet");
        return;
    }
    if (!status->is_connected) {
        api_health_add(
            problems, "fail", "worker",
            "the worker is not connected: flows stay as they are and follow "
            "no change",
            "it is restarted by itself; see the log of agent run");
        return;
    }
    if (!status->is_ovs_up) {
        api_health_add(
            problems, "fail", "ovs",
            status->ovs_text[0] != '\0' ? status->ovs_text
                                        : "Open vSwitch does not answer",
            "systemctl status openvswitch-switch; the agent heals by itself");
    }
    if (!status->is_tunnel_up && status->tunnel_text[0] != '\0' &&
        status->is_ovs_up && needs_tunnel(core)) {
        api_health_add(
            problems, "fail", "tunnel", status->tunnel_text,
            "check the mesh interface; the agent makes its device again");
    }
    if (status->n_blocked > 0) {
        char text[640];

        (void)snprintf(text, sizeof(text),
                       "%" PRIu64 " flows of this host do not act: %s",
                       status->n_blocked, status->blocked);
        api_health_add(
            problems, "fail", "flows-blocked", text,
            "remove what is in their way, or whoever writes it; `agentctl flow "
            "diff` shows ours");
    }
    if (status->applied_error[0] != '\0') {
        api_health_add(problems, "fail", "apply", status->applied_error,
                       "agentctl flow diff shows what is missing");
    }
    if (status->is_observing) {
        api_health_add(problems, "warn", "observe",
                       "the agent only observes: it plans and changes nothing",
                       "run it without --observe to let it act");
    }
}

json_t *api_health_pending(const struct core *core)
{
    json_t *list = json_array();

    for (size_t i = 0; i < catalog_count(core->catalog); i++) {
        const struct catalog_function *function = catalog_at(core->catalog, i);

        for (size_t k = 0; k < function->n_instances; k++) {
            const struct catalog_instance *instance = &function->instances[k];
            const char *reason;
            const char *state =
                api_service_problem(core, function, instance, &reason);
            char item[2 * BODY_NAME_SIZE];

            if (state == NULL) {
                continue;
            }
            (void)snprintf(item, sizeof(item), "%s/%s", function->name,
                           instance->service.instance);
            json_build_append(&list, json_pack("{s:s, s:s, s:o}", "item", item,
                                               "state", state, "reason",
                                               json_build_string(reason)));
        }
    }
    return list;
}

static void find_file_problems(const struct api *api, struct problems *problems)
{
    const char *text = services_problem(api->services);

    if (text != NULL && text[0] != '\0') {
        api_health_add(problems, "warn", "services.d", text,
                       "correct the file; it is read again when it is saved");
    }
}

static void find_pending_problems(const struct core *core,
                                  struct problems *problems)
{
    json_auto_t *pending = api_health_pending(core);
    json_t *item;
    size_t i;

    if (pending == NULL) {
        json_build_append(&problems->list, NULL);
    }
    json_array_foreach (pending, i, item) {
        const char *state = json_string_value(json_object_get(item, "state"));
        char text[512];

        (void)snprintf(text, sizeof(text), "%s is %s: %s",
                       json_string_value(json_object_get(item, "item")), state,
                       json_string_value(json_object_get(item, "reason")));
        api_health_add(problems, "warn", state, text,
                       strcmp(state, "pending") == 0
                           ? "it is applied when the port appears"
                           : "change the registration, or deregister it");
    }
}

/* Nobody gets an answer from such a function; that somebody wants it so, when
 * all are drained or maintained, is no failure. */
static void find_function_problems(const struct core *core,
                                   struct problems *problems)
{
    for (size_t i = 0; i < catalog_count(core->catalog); i++) {
        const struct catalog_function *function = catalog_at(core->catalog, i);
        const struct catalog_instance *first = function->instances;
        bool is_wanted = true;
        char text[512];

        if (function->n_instances == 0 ||
            (function->n_usable > 0 &&
             function->usable[0]->state != CATALOG_HOST_FAULT)) {
            continue;
        }
        for (size_t k = 0; k < function->n_instances; k++) {
            enum catalog_state state = function->instances[k].state;

            is_wanted = is_wanted && (state == CATALOG_DRAINING ||
                                      state == CATALOG_MAINTENANCE);
        }
        (void)snprintf(text, sizeof(text),
                       "no instance of %s can be used: %s on %s is %s%s",
                       function->name, first->service.instance, first->node,
                       catalog_state_name(first->state),
                       function->n_instances > 1 ? ", and none of the others"
                                                 : "");
        api_health_add(
            problems, is_wanted ? "warn" : "fail", "function", text,
            "agentctl resolve shows each instance and why it is out");
    }
}

/* A container's restart leaves its port dead.  The worker revives those that
 * a registered instance names; the others are not ours to touch. */
static void find_dead_ports(const struct core *core, struct problems *problems)
{
    const char *bridge = core->config->bridge;
    const char *name;

    for (size_t i = 0; core->worker != NULL &&
                       (name = worker_link_dead_port(core->worker, i)) != NULL;
         i++) {
        char text[192];
        char next[384];

        (void)snprintf(text, sizeof(text),
                       "port %.15s on %.64s is dead: its device was made "
                       "anew, and Open vSwitch holds the old one",
                       name, bridge);
        (void)snprintf(next, sizeof(next),
                       "ovs-vsctl del-port %.64s %.15s && ovs-vsctl add-port "
                       "%.64s %.15s (with its tag, if it has one)",
                       bridge, name, bridge, name);
        api_health_add(problems, "warn", "port", text, next);
    }
}

/* A reload that could not take everything over. */
static void find_restart_problem(const struct core *core,
                                 struct problems *problems)
{
    char text[640];

    if (core->restart_keys == NULL) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "%s changed in the configuration, and this agent goes on "
                   "with the old",
                   core->restart_keys);
    api_health_add(
        problems, "warn", "restart-needed", text,
        "systemctl restart socketnet (flows stay); or change it back and "
        "reload");
}

json_t *api_health_problems(const struct api *api, bool *ret_healthy)
{
    const struct core *core = api->core;
    struct problems problems = {.list = json_array(), .is_healthy = true};

    find_gossip_problems(core, &problems);
    find_twin(core, &problems);
    find_frozen(core, &problems);
    find_frozen_members(core, &problems);
    find_hold(core, &problems);
    find_charter_problems(core, &problems);
    find_poison(core, &problems);
    api_health_admission(core, &problems);
    api_token_problems(core, api_health_add, &problems);
    find_worker_problems(core, &problems);
    find_file_problems(api, &problems);
    find_restart_problem(core, &problems);
    find_dead_ports(core, &problems);
    find_pending_problems(core, &problems);
    find_function_problems(core, &problems);
    *ret_healthy = problems.is_healthy;
    return problems.list;
}

json_t *api_health_waiting(const struct core *core)
{
    json_t *list = json_array();

    if (!node_is_ready(core->node)) {
        json_build_append(
            &list, json_string("gossip: asking peers for this node's past"));
    }
    if (core->worker != NULL) {
        const struct worker_status *status = worker_link_status(core->worker);

        if (!status->is_connected) {
            json_build_append(&list, json_string("worker: not connected yet"));
        } else if (!status->is_ovs_up) {
            json_build_append(
                &list, json_string("data plane: Open vSwitch does not answer"));
        } else if (!status->is_observing && status->applied_number == 0) {
            json_build_append(
                &list, json_string("data plane: nothing is applied yet"));
        }
    }
    return list;
}

void api_health_get(struct http_exchange *exchange, void *data)
{
    const struct api *api = data;
    bool is_healthy;
    json_t *problems = api_health_problems(api, &is_healthy);

    api_reply(exchange, is_healthy ? 200 : 503,
              json_pack("{s:i, s:b, s:o}", "schema", API_SCHEMA, "healthy",
                        is_healthy, "problems", problems));
}

void api_ready_get(struct http_exchange *exchange, void *data)
{
    const struct core *core = ((struct api *)data)->core;
    json_t *waiting = api_health_waiting(core);
    bool is_ready = json_array_size(waiting) == 0;

    api_reply(exchange, is_ready ? 200 : 503,
              json_pack("{s:i, s:b, s:o}", "schema", API_SCHEMA, "ready",
                        is_ready, "waiting", waiting));
}
