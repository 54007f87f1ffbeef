/*
 * The worker process from its start to its end: policy, rights, loop, the
 * control socket to the launcher.
 */
#include "agent/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/identity/identity.h"
#include "agent/ipc/ipc.h"
#include "agent/system/log.h"
#include "agent/system/memory.h"
#include "agent/system/privileges.h"
#include "agent/system/sockaddr.h"
#include "agent/system/watch.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_hold.h"
#include "agent/worker/worker_kernel.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_observe.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_probe.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_removal.h"
#include "agent/worker/worker_revive.h"
#include "agent/worker/worker_switch.h"

/* Used while there is no genesis: agent/identity/identity.h. */
#define SERVICE_RANGE_DEFAULT "100.80.0.0/12"

/* --- policy --- */

/* A file of the state directory.  0, negative errno, -EBADMSG: too long. */
static int read_state(const struct config *config, const char *name,
                      uint8_t *bytes, size_t size, size_t *ret_size)
{
    char path[PATH_MAX];
    ssize_t n;
    int fd;

    if (snprintf(path, sizeof(path), "%s/%s", config->state_dir, name) >=
        (int)sizeof(path)) {
        return -ENAMETOOLONG;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    n = read(fd, bytes, size);
    if (n < 0) {
        n = -errno;
    }
    (void)close(fd); /* read from only */
    if (n < 0) {
        return (int)n;
    }
    *ret_size = (size_t)n;
    return 0;
}

/* What the interfaces have now: their networks and their own addresses. */
static void find_connected(struct plan_policy *policy)
{
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) < 0) {
        log_warning("the host's own addresses cannot be read: %s; subnets of "
                    "others are not compared with them",
                    strerror(errno));
        return;
    }
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        struct endpoint address;
        struct endpoint mask;
        struct prefix prefix;

        if (policy->n_connected + 2 > ARRAY_SIZE(policy->connected) ||
            one->ifa_addr == NULL || one->ifa_netmask == NULL ||
            !sockaddr_get(one->ifa_addr, &address) ||
            !sockaddr_get(one->ifa_netmask, &mask)) {
            continue;
        }
        prefix = (struct prefix){
            .address = address.address,
            .len = (uint8_t)address_bits(address.address.family)};
        policy->connected[policy->n_connected++] = prefix;
        prefix.len = 0;
        for (size_t i = 0; i < address_size(&mask.address); i++) {
            prefix.len = (uint8_t)(prefix.len +
                                   __builtin_popcount(mask.address.bytes[i]));
        }
        (void)address_clear_host(&prefix.address, prefix.len);
        policy->connected[policy->n_connected++] = prefix;
    }
    freeifaddrs(all);
}

/* From the charter that follows the genesis, verified here once more.  It still
 * must not cover our own subnets. */
static int read_ranges(const struct config *config, struct plan_policy *policy)
{
    _cleanup_(free_pointer) uint8_t *bytes = malloc(CHARTERS_SIZE_MAX);
    struct charters_found charters;
    struct genesis genesis;
    size_t size = 0;
    int error = -ENOMEM;

    if (bytes != NULL) {
        error = read_state(config, "genesis", bytes, LIMIT_GENESIS_SIZE, &size);
    }
    if (error == -ENOENT) {
        return prefix_parse(SERVICE_RANGE_DEFAULT, &policy->service_range);
    }
    if (error == 0) {
        error = genesis_parse(bytes, size, &genesis);
    }
    if (error == 0) {
        error = read_state(config, "charter", bytes, CHARTERS_SIZE_MAX, &size);
    }
    if (error == 0) {
        error = charters_find(&genesis, bytes, size, &charters);
    }
    if (error == 0) {
        policy->service_range = charters.charter.services[0];
        policy->n_containers = charters.charter.n_containers;
        memcpy(policy->containers, charters.charter.containers,
               sizeof(policy->containers));
        policy->n_mesh = charters.charter.n_mesh;
        memcpy(policy->mesh, charters.charter.mesh, sizeof(policy->mesh));
        charters_done(&charters);
    }
    return error;
}

_Static_assert(PLAN_RANGES_MAX == LIMIT_CHARTER_RANGES, "charter");

void worker_policy_base(const struct config *config, struct plan_policy *ret)
{
    struct plan_policy policy = {
        .bridge = config->bridge,
        .gateway = config->gateway,
        .tunnel_device = config->tunnel_device,
        .tunnel_vni = config->tunnel_vni,
        .tunnel_port = config->tunnel_port,
        .mesh_interface =
            config->mesh_interface != NULL ? config->mesh_interface : "",
    };

    policy.n_subnets = MIN_OF(config->n_subnets, ARRAY_SIZE(policy.subnets));
    for (size_t i = 0; i < policy.n_subnets; i++) {
        policy.subnets[i] = config->subnets[i];
    }
    *ret = policy;
}

int worker_policy(const struct config *config, struct plan_policy *ret,
                  char **ret_error)
{
    struct plan_policy policy;
    int error;

    worker_policy_base(config, &policy);
    find_connected(&policy);
    error = read_ranges(config, &policy);
    if (error < 0) {
        if (asprintf(ret_error, "cannot use %s/genesis and charter: %s",
                     config->state_dir,
                     error == -EBADMSG ? "they are damaged, or of two "
                                         "clusters; restore both from a backup"
                                       : strerror(-error)) < 0) {
            *ret_error = NULL;
        }
        return error;
    }
    for (size_t i = 0; i < policy.n_subnets; i++) {
        char text[PREFIX_TEXT_SIZE];

        if (!prefix_overlaps(&policy.subnets[i], &policy.service_range)) {
            continue;
        }
        if (asprintf(ret_error,
                     "subnet %s overlaps the cluster's service range: change "
                     "`subnets` in %s",
                     prefix_text(&policy.subnets[i], text),
                     config->path != NULL ? config->path
                                          : CONFIG_PATH_DEFAULT) < 0) {
            *ret_error = NULL;
        }
        return -EINVAL;
    }
    *ret = policy;
    return 0;
}

/* --- the launcher's socket --- */

/* The worker and what holds its process together. */
struct process {
    struct worker worker;
    struct watch *control;
    uv_signal_t signal; /* SIGTERM */
    uv_signal_t reload; /* SIGHUP */
    uv_prepare_t prepare;
};

static void on_control(short events, void *data)
{
    struct worker *worker = data;
    struct ipc_message message;
    int error;

    (void)events; /* only ever readable */
    while ((error = ipc_receive(IPC_CONTROL_FD, worker->buffer, IPC_MESSAGE_MAX,
                                &message)) == 0 ||
           error == IPC_E_MALFORMED) {
        if (error == 0 && message.type == IPC_PEER) {
            worker_core_attach(worker, message.fd);
        }
    }
    if (error != IPC_E_AGAIN) {
        log_info("the launcher is gone, ending; flows stay");
        uv_stop(&worker->loop);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct worker *worker = handle->data;

    log_debug("ending signal=%d, flows stay", number);
    uv_stop(&worker->loop);
}

/* SIGHUP, from the launcher, after it had read the files without a fault.  What
 * else of the worker's part changes, a new worker reads. */
static void on_reload(uv_signal_t *handle, int number)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    _cleanup_(free_pointer) char *text = NULL;
    struct worker *worker = handle->data;

    (void)number;
    if (config_load_again(worker->config, &config, &text) != 0) {
        log_error("log level stays: %s", text != NULL ? text : "out of memory");
        return;
    }
    log_set_level(config->log_level);
}

/* Last before each wait: what was queued is sent, or waited for. */
static void on_prepare(uv_prepare_t *handle)
{
    struct worker *worker = handle->data;

    worker_switch_settle(worker);
    worker_core_settle(worker);
}

/* --- start and end --- */

/* Every part is there before the first of them hears of anything. */
static int make_parts(struct worker *worker)
{
    static int (*const makers[])(struct worker *) = {
        worker_core_new,    worker_ports_new,  worker_learn_new,
        worker_removal_new, worker_probe_new,  worker_reconcile_new,
        worker_kernel_new,  worker_switch_new,
    };
    int error = 0;

    worker->buffer = malloc(IPC_MESSAGE_MAX);
    if (worker->buffer == NULL) {
        return -ENOMEM;
    }
    worker_state_init(&worker->state, &worker->policy);
    for (size_t i = 0; i < ARRAY_SIZE(makers) && error == 0; i++) {
        error = makers[i](worker);
    }
    return error;
}

static int start(struct process *process)
{
    struct worker *worker = &process->worker;
    struct ipc_message ready = {.type = IPC_READY, .fd = -1};
    int error = make_parts(worker);

    if (error < 0) {
        return error;
    }
    /* None of these fails on an open loop. */
    (void)uv_prepare_init(&worker->loop, &process->prepare);
    (void)uv_signal_init(&worker->loop, &process->signal);
    (void)uv_signal_init(&worker->loop, &process->reload);
    process->prepare.data = worker;
    process->signal.data = worker;
    process->reload.data = worker;
    (void)uv_prepare_start(&process->prepare, on_prepare);
    error = uv_signal_start(&process->signal, on_signal, SIGTERM);
    if (error == 0) {
        error = uv_signal_start(&process->reload, on_reload, SIGHUP);
    }
    if (error == 0) {
        error = watch_new(&worker->loop, IPC_CONTROL_FD, on_control, worker,
                          &process->control);
    }
    if (error < 0) {
        return error;
    }
    watch_want(process->control, POLLIN);
    error = ipc_send(IPC_CONTROL_FD, &ready);
    return error > 0 ? -EPIPE : error;
}

static void stop(struct process *process)
{
    struct worker *worker = &process->worker;

    process->control = watch_free(process->control);
    worker_core_detach(worker);
    worker_switch_stop(worker);
    worker_reconcile_stop(worker);
    worker_kernel_free(worker);
    worker_probe_free(worker);
    worker_core_free(worker);
    uv_close((uv_handle_t *)&process->prepare, NULL);
    uv_close((uv_handle_t *)&process->signal, NULL);
    uv_close((uv_handle_t *)&process->reload, NULL);
    /* Runs the close callbacks; nothing else is left. */
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&worker->loop); /* all handles are closed */
    worker_switch_free(worker);
    worker_reconcile_free(worker);
    worker_removal_free(worker);
    worker_learn_free(worker);
    worker_ports_free(worker);
    worker_revive_free(worker);
    worker_hold_free(worker);
    worker_observe_done(worker);
    worker_state_done(&worker->state);
    free(worker->buffer);
}

static int run(struct config *config, bool observe,
               const struct plan_policy *policy)
{
    struct process *process = calloc(1, sizeof(*process));
    struct worker *worker = process != NULL ? &process->worker : NULL;
    int error = worker == NULL ? -ENOMEM : uv_loop_init(&worker->loop);

    if (error < 0) {
        free(process);
        log_error("cannot start: %s", strerror(-error));
        return WORKER_EXIT_FAILED;
    }
    worker->config = config;
    worker->observe = observe;
    worker->policy = *policy;
    error = start(process);
    if (error < 0) {
        log_error("cannot start: %s", strerror(-error));
        return WORKER_EXIT_FAILED; /* the process ends, and with it all that was
                                      opened */
    }
    log_info("worker runs bridge=%s%s", policy->bridge,
             observe ? ", observing only" : "");
    memory_trim(); /* the configuration is read, the loop needs little */
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT); /* until uv_stop */
    stop(process);
    free(process);
    return WORKER_EXIT_OK;
}

int worker_main(struct config *config, bool observe)
{
    _cleanup_(free_pointer) char *text = NULL;
    struct plan_policy policy;
    int error;

    log_set_process("worker");
    (void)prctl(PR_SET_NAME, "agent-worker", 0, 0, 0); /* for ps only */
    privileges_close_from(IPC_CONTROL_FD + 1);
    /* The genesis lies in core's directory: read while we still can. */
    error = worker_policy(config, &policy, &text);
    if (error == 0) {
        error = privileges_become_worker(&text);
    }
    if (error < 0) {
        log_error("%s", text != NULL ? text : "out of memory");
        return error == -EINVAL ? WORKER_EXIT_CONFIG : WORKER_EXIT_FAILED;
    }
    return run(config, observe, &policy);
}
