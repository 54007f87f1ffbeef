/*
 * The life of core: everything of its own is made in core_new in the order in
 * which it depends on each other and goes in the opposite order in core_free.
 * agent/core_run.c hangs the rest on it.
 */
#include "agent/core/core.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/catalog/catalog.h"
#include "agent/catalog/desired_builder.h"
#include "agent/config/config.h"
#include "agent/core/core_internal.h"
#include "agent/core/events.h"
#include "agent/core/store_thread.h"
#include "agent/core/worker_link.h"
#include "agent/identity/identity.h"
#include "agent/identity/token_ledger.h"
#include "agent/ipc/ipc.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "gossip/wire/sign.h"

/* The launcher's messages to core are tiny. */
#define CORE_CONTROL_SIZE 1024

static enum core_status core_fail(struct core *core, const char *what,
                                  int error)
{
    return core_refuse(core, CORE_STATUS_FAILED, "%s: %s", what,
                       strerror(error < 0 ? -error : EIO));
}

/* The certificate binds this node to its mesh addresses: peers refuse it at
 * any other, so that it is better not to start. */
static enum core_status core_verify_mesh(struct core *core)
{
    struct config *config = core->config;
    const struct body_certificate *body = &core->identity->body;
    char wanted[ENDPOINT_TEXT_SIZE];
    char certified[ENDPOINT_TEXT_SIZE];
    struct endpoint own;
    char *error = NULL;

    if (config->mesh.family == 0 && config->mesh_interface != NULL &&
        config->mesh_interface[0] != '\0' &&
        config_resolve_mesh(config, &error) != 0) {
        /* The interface may come later; the certificate knows the address. */
        log_warning("%s; taking the certificate's address",
                    error != NULL ? error : "mesh.interface has no address");
        free(error);
    }
    if (body->n_mesh == 0) {
        return core_refuse(
            core, CORE_STATUS_CONFIG,
            "the certificate of this node has no mesh address: join "
            "again with mesh.address in the configuration");
    }
    if (config->mesh.family == 0) {
        config->mesh = body->mesh[0].address;
    }
    own = (struct endpoint){.address = config->mesh, .port = config->mesh_port};
    for (size_t i = 0; i < body->n_mesh; i++) {
        if (endpoint_equal(&own, &body->mesh[i])) {
            return CORE_STATUS_OK;
        }
    }
    return core_refuse(
        core, CORE_STATUS_CONFIG,
        "this node was admitted at %s, but its configuration says %s: "
        "peers would refuse it. Set mesh.address and mesh.port back, or "
        "run `agent reset --yes` and join again",
        endpoint_text(&body->mesh[0], certified), endpoint_text(&own, wanted));
}

static enum core_status core_open_store(struct core *core, struct store **ret)
{
    _cleanup_(free_pointer) char *path = NULL;
    uint8_t left[1];
    size_t size;
    int error;

    if (asprintf(&path, "%s/db", core->config->state_dir) < 0) {
        path = NULL;
        return core_fail(core, "cannot start", -ENOMEM);
    }
    error = store_open(path, core->identity->genesis.cluster_id, ret);
    if (error == STORE_E_CLUSTER) {
        return core_refuse(
            core, CORE_STATUS_CONFIG,
            "%s belongs to another cluster than the certificate beside "
            "it: restore both from one backup, or run `agent reset "
            "--yes` and join again",
            path);
    }
    if (error == STORE_E_SCHEMA) {
        return core_refuse(
            core, CORE_STATUS_CONFIG,
            "%s was written by a newer version of agent: install that "
            "one again",
            path);
    }
    if (error == STORE_E_OLDER) {
        return core_refuse(
            core, CORE_STATUS_CONFIG,
            "%s was written by an older release of agent (store schema 1), "
            "and its formats are no longer spoken: run `agent reset --yes`, "
            "then `agent init` or `agent join` with a new token",
            path);
    }
    if (error != 0) {
        return core_refuse(core, CORE_STATUS_FAILED, "cannot open %s: %s", path,
                           store_error_text(error));
    }
    if (store_get_setting(*ret, CORE_SETTING_LEFT, left, sizeof(left), &size) ==
        0) {
        *ret = store_close(*ret);
        return core_refuse(core, CORE_STATUS_CONFIG,
                           "this node has left its cluster: run `agent reset "
                           "--yes`, then `agent join` with a new token");
    }
    return CORE_STATUS_OK;
}

static int core_verify(const struct record *record, void *data)
{
    (void)data; /* only the simulator remembers results */
    return sign_verify(record);
}

/* The node with everything that was stored. */
static enum core_status core_make_node(struct core *core, struct store *store)
{
    const struct identity *identity = core->identity;
    struct node_config config = {
        .charters = identity->charters.bytes,
        .charters_size = identity->charters.size,
        .certificate = identity->certificate,
        .certificate_size = identity->certificate_size,
        .version = SOCKETNET_VERSION,
        .tuning = NODE_TUNING_DEFAULT,
        .verify = core_verify,
        .examine = core_examine,
        .examined = core_examined,
        .examine_data = core,
    };
    enum core_status status = CORE_STATUS_OK;
    struct node_member self;
    int error;

    core_load_poison(core);
    if (core->config->probe_interval_ms != 0) {
        config.tuning.probe_interval_ms = core->config->probe_interval_ms;
        config.tuning.probe_timeout_ms =
            MIN_OF(config.tuning.probe_timeout_ms,
                   core->config->probe_interval_ms / 2);
    }
    genesis_parent(&identity->genesis, &config.genesis);
    memcpy(config.cluster, identity->genesis.cluster_id,
           sizeof(config.cluster));
    memcpy(config.sign_public, identity->sign_public,
           sizeof(config.sign_public));
    memcpy(config.sign_secret, identity->sign_secret,
           sizeof(config.sign_secret));
    memcpy(config.exchange_public, identity->exchange_public,
           sizeof(config.exchange_public));
    memcpy(config.exchange_secret, identity->exchange_secret,
           sizeof(config.exchange_secret));
    randombytes_buf(&config.seed, sizeof(config.seed));
    error = core_load_epoch(store, identity->sign_public, core->floor_ms,
                            &config.epoch);
    if (error != 0) {
        status = core_refuse(core, CORE_STATUS_FAILED,
                             "the number of this start cannot be stored, so "
                             "that none of its records would be safe: %s",
                             store_error_text(error));
    } else {
        error = node_new(&config, &core->node);
        if (error == -ENOMEM) {
            status = core_fail(core, "cannot start", error);
        } else if (error != 0) {
            status = core_refuse(core, CORE_STATUS_CONFIG,
                                 "the certificate in %s does not fit this "
                                 "node's keys and cluster: restore the "
                                 "directory from one backup, or run `agent "
                                 "reset --yes` and join again",
                                 core->config->state_dir);
        }
    }
    sodium_memzero(&config, sizeof(config));
    if (status != CORE_STATUS_OK) {
        return status;
    }
    error = store_expire(store, core_wall_ms(core) / 1000);
    if (error != 0) {
        /* What is over does no harm; the next start tries again. */
        log_warning("old records not removed: %s", store_error_text(error));
    }
    error = core_load_records(store, core->node, core_wall_ms(core));
    if (error != 0) {
        return core_fail(core, "records not loaded", error);
    }
    if (!node_member_find(core->node, identity->sign_public, &self)) {
        return core_refuse(
            core, CORE_STATUS_CONFIG,
            "%s/db lacks the certificates that make this node's own "
            "valid: restore the directory from one backup, or run "
            "`agent reset --yes` and join again",
            core->config->state_dir);
    }
    return CORE_STATUS_OK;
}

static void core_problem_changed(const char *problem, void *data)
{
    core_events_store_problem(data, problem);
}

static enum core_status core_make_state(struct core *core)
{
    struct core_internal *internal = core->internal;
    struct store *store = NULL;
    _cleanup_(free_pointer) char *text = NULL;
    int error = identity_load(core->config->state_dir, &core->identity, &text);
    enum core_status status;

    if (error != 0) {
        bool passes = error == -EIO || error == -ENOMEM || error == -ENFILE;

        return core_refuse(
            core, passes ? CORE_STATUS_FAILED : CORE_STATUS_CONFIG, "%s",
            text != NULL ? text : "cannot read this node's identity");
    }
    status = core_verify_mesh(core);
    if (status == CORE_STATUS_OK) {
        status = core_open_store(core, &store);
    }
    if (status == CORE_STATUS_OK) {
        status = core_clock_start(core, store, clock_wall_ms());
    }
    if (status == CORE_STATUS_OK) {
        status = core_make_node(core, store);
    }
    if (status == CORE_STATUS_OK && core_load_tokens(core, store) != 0) {
        status = core_fail(core, "tokens not loaded", -ENOMEM);
    }
    if (status != CORE_STATUS_OK) {
        (void)store_close(store);
        return status;
    }
    error = store_thread_new(core->loop, store, core_problem_changed, core,
                             &core->store);
    if (error != 0) {
        (void)store_close(store);
        return core_fail(core, "cannot start the store thread", error);
    }
    error = node_actions_new(&internal->actions);
    if (error == 0) {
        error = events_new(&core->events);
    }
    if (error == 0) {
        error = catalog_new(core->identity->genesis.cluster_id,
                            &node_charter(core->node, NULL)->services[0],
                            &core->catalog);
    }
    if (error == 0) {
        error = desired_builder_new(&internal->builder);
    }
    if (error == 0 && core->config->reconcile) {
        error = worker_link_new(core, &core->worker);
    }
    return error == 0 ? CORE_STATUS_OK : core_fail(core, "cannot start", error);
}

static void core_signalled(uv_signal_t *handle, int signum)
{
    struct core *core = handle->data;

    if (signum == SIGHUP) {
        core_reload(core);
        return;
    }
    core_stop_asked(core);
}

/* The launcher speaks, or is gone. */
static void core_control(uv_poll_t *poll, int status, int events)
{
    struct core *core = poll->data;
    uint8_t buffer[CORE_CONTROL_SIZE];
    struct ipc_message message;
    int error;

    (void)events; /* readable is all that was asked for */
    if (status < 0) {
        core_stop_asked(core);
        return;
    }
    for (;;) {
        error = ipc_receive(IPC_CONTROL_FD, buffer, sizeof(buffer), &message);
        if (error == IPC_E_AGAIN) {
            return;
        }
        if (error == IPC_E_MALFORMED) {
            continue;
        }
        if (error != 0) {
            (void)uv_poll_stop(poll); /* never fails */
            log_warning("the launcher is gone");
            core_stop_asked(core);
            return;
        }
        if (message.type == IPC_PEER && message.fd >= 0) {
            if (core->worker != NULL) {
                worker_link_attach(core->worker, message.fd);
            } else {
                (void)close(message.fd); /* nothing was written */
            }
        }
    }
}

/* The loop's handles of core itself.  They only fail for want of memory or
 * of descriptors. */
static enum core_status core_make_handles(struct core *core, bool has_launcher)
{
    static const int signums[] = {SIGTERM, SIGINT, SIGHUP};
    struct core_internal *internal = core->internal;
    int error = 0;

    (void)signal(SIGPIPE, SIG_IGN); /* EPIPE tells the same */
    (void)uv_timer_init(core->loop, &internal->tick);
    (void)uv_timer_init(core->loop, &internal->view_timer);
    core_finding_start(core);
    (void)uv_timer_init(core->loop, &internal->identity_timer);
    (void)uv_check_init(core->loop, &internal->check);
    (void)uv_idle_init(core->loop, &internal->idle);
    internal->tick.data = core;
    internal->view_timer.data = core;
    internal->identity_timer.data = core;
    internal->check.data = core;
    internal->idle.data = core;
    core_stop_start(core);
    core_view_start(core);
    for (size_t i = 0; i < ARRAY_SIZE(signums); i++) {
        (void)uv_signal_init(core->loop, &internal->signals[i]);
        internal->signals[i].data = core;
        if (error == 0) {
            error = uv_signal_start(&internal->signals[i], core_signalled,
                                    signums[i]);
        }
    }
    internal->has_handles = true;
    if (has_launcher && error == 0) {
        error = uv_poll_init(core->loop, &internal->control, IPC_CONTROL_FD);
        if (error == 0) {
            internal->has_control = true;
            internal->control.data = core;
            error =
                uv_poll_start(&internal->control, UV_READABLE, core_control);
        }
    }
    return error == 0 ? CORE_STATUS_OK
                      : core_fail(core, "cannot start the loop", error);
}

static void core_tell_launcher(const struct core *core)
{
    struct ipc_message message = {.type = IPC_READY, .fd = -1};

    if (core->internal->has_control &&
        ipc_send(IPC_CONTROL_FD, &message) != 0) {
        log_warning("the launcher could not be told that core is ready");
    }
}

void core_want_worker(const struct core *core)
{
    struct ipc_message message = {.type = IPC_RESTART, .fd = -1};

    if (core->internal->has_control &&
        ipc_send(IPC_CONTROL_FD, &message) != 0) {
        log_warning("the launcher could not be asked for another worker");
    }
}

static void core_close_handle(void *handle)
{
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void core_end(struct core *core)
{
    core->internal->phase = CORE_ENDING;
    /* First, while there is still a network: what it commits now is sent. */
    core->store = store_thread_free(core->store);
    core_write_cancel(core);
    core->worker = worker_link_free(core->worker);
}

static void core_close_handles(struct core *core)
{
    struct core_internal *internal = core->internal;

    if (internal->has_handles) {
        core_close_handle(&internal->tick);
        core_close_handle(&internal->view_timer);
        core_close_handle(&internal->finding_timer);
        core_close_handle(&internal->identity_timer);
        core_close_handle(&internal->stop_timer);
        core_close_handle(&internal->check);
        core_close_handle(&internal->idle);
        for (size_t i = 0; i < ARRAY_SIZE(internal->signals); i++) {
            core_close_handle(&internal->signals[i]);
        }
    }
    if (internal->has_control) {
        core_close_handle(&internal->control);
    }
    /* Each turn calls some close callbacks back; none may wait. */
    for (int i = 0; i < 64 && uv_loop_alive(core->loop); i++) {
        (void)uv_run(core->loop, UV_RUN_NOWAIT);
    }
}

struct core *core_free(struct core *core)
{
    if (core == NULL) {
        return NULL;
    }
    core_identity_end(core);
    core_close_handles(core);
    core->events = events_free(core->events);
    core->catalog = catalog_free(core->catalog);
    core->internal->builder = desired_builder_free(core->internal->builder);
    core->internal->actions = node_actions_free(core->internal->actions);
    core->tokens = token_ledger_free(core->tokens);
    core->node = node_free(core->node);
    core_load_close(core);
    core->identity = identity_free(core->identity);
    free(core->store_problem);
    free(core->refusal);
    free(core->restart_keys);
    free(core->internal);
    free(core);
    return NULL;
}

enum core_status core_new(struct config *config, uv_loop_t *loop,
                          bool has_launcher, struct core **ret)
{
    struct core *core = calloc(1, sizeof(*core));
    enum core_status status;

    if (core == NULL) {
        return CORE_STATUS_FAILED;
    }
    core->loop = loop;
    core->config = config;
    core->started_wall_ms = clock_wall_ms();
    core->internal = calloc(1, sizeof(*core->internal));
    if (core->internal == NULL) {
        free(core);
        return CORE_STATUS_FAILED;
    }
    *ret = core;
    status = core_make_handles(core, has_launcher);
    if (status == CORE_STATUS_OK) {
        status = core_make_state(core);
    }
    return status;
}

void core_run_loop(struct core *core)
{
    struct node_event start = {.type = NODE_EVENT_START};
    struct endpoint own = {.address = core->config->mesh,
                           .port = core->config->mesh_port};
    char text[ENDPOINT_TEXT_SIZE];

    log_info("started version=%s name=%s cluster=%s mesh=%s boot=%u",
             SOCKETNET_VERSION, core->identity->body.name,
             core->identity->genesis.name, endpoint_text(&own, text),
             (unsigned)(node_epoch(core->node) >> 32));
    core_step(core, &start);
    core_view_changed(core);
    core_tell_launcher(core);
    (void)uv_run(core->loop, UV_RUN_DEFAULT); /* until uv_stop */
    log_info("stopped");
}
