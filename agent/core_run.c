/*
 * What hangs on core is made in the order in which it depends on each other,
 * tied to core's two interfaces, and goes in the opposite order.
 */
#include "agent/core_run.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "agent/api/api.h"
#include "agent/claims/claims.h"
#include "agent/core/core.h"
#include "agent/dns/dns.h"
#include "agent/ipc/ipc.h"
#include "agent/net/net.h"
#include "agent/renewals/renewals.h"
#include "agent/services/services.h"
#include "agent/system/log.h"
#include "agent/system/privileges.h"

/* What hangs on core. */
struct core_run {
    struct core *core;
    struct net *net;
    struct services *services;
    struct claims *claims;
    struct renewals *renewals;
    struct dns *dns;
    struct api *api;
};

/* Whether a failure to listen may pass by itself (a port or a socket that
 * somebody has, no memory, no descriptors); the rest a person must mend. */
static bool core_run_passes(int error)
{
    return error != -EACCES && error != -EPERM && error != -EINVAL &&
           error != -EEXIST && error != -ENAMETOOLONG;
}

/* Everything that listens; after it no right is needed any more.  `ret_text`:
 * why it did not work, malloc'd, or NULL. */
static enum core_status core_run_make(struct core_run *run, char **ret_text)
{
    int error = services_new(run->core, &run->services);

    if (error == 0) {
        error = claims_new(run->core, &run->claims);
    }
    if (error == 0) {
        error = renewals_new(run->core, &run->renewals);
    }
    if (error == 0) {
        error = net_new(run->core, &run->net, ret_text);
    }
    if (error == 0) {
        error = dns_new(run->core, &run->dns, ret_text);
    }
    if (error == 0) {
        error = api_new(run->core, run->services, &run->api, ret_text);
    }
    if (error == 0) {
        error = privileges_drop_bind();
    }
    if (error == 0) {
        return CORE_STATUS_OK;
    }
    if (*ret_text == NULL) {
        *ret_text = strdup(strerror(-error));
    }
    return core_run_passes(error) ? CORE_STATUS_FAILED : CORE_STATUS_CONFIG;
}

/* Why core does not run.  What passes is told to the launcher, which says it
 * once and not at each of its tries. */
static void core_run_explain(enum core_status status, char *text,
                             bool has_launcher)
{
    struct ipc_message note = {.type = IPC_NOTE, .value = LOG_LEVEL_WARNING};

    for (char *at = text; at != NULL && (at = strchr(at, '\n')) != NULL;) {
        *at = ' '; /* one line of a log */
    }
    note.fd = -1;
    note.text = text != NULL ? text : "out of memory";
    note.text_len = strlen(note.text);
    if (status != CORE_STATUS_FAILED || !has_launcher ||
        ipc_send(IPC_CONTROL_FD, &note) != 0) {
        log_error("%s", note.text);
    }
}

static void core_run_end(struct core_run *run)
{
    if (run->core == NULL) {
        return;
    }
    core_end(run->core);
    run->claims = claims_free(run->claims);
    run->renewals = renewals_free(run->renewals);
    run->services = services_free(run->services);
    run->dns = dns_free(run->dns);
    run->api = api_free(run->api);
    run->net = net_free(run->net);
    run->core = core_free(run->core);
}

int core_run(struct config *config, bool has_launcher)
{
    struct core_run run = {0};
    _cleanup_(free_pointer) char *text = NULL;
    enum core_status status;
    uv_loop_t loop;

    log_set_process("core");
    /* The store thread allocates little: one heap serves both threads. */
    (void)mallopt(M_ARENA_MAX, 1); /* only costs memory if it fails */
    if (uv_loop_init(&loop) != 0) {
        log_error("cannot start: no event loop");
        return CORE_STATUS_FAILED;
    }
    status = core_new(config, &loop, has_launcher, &run.core);
    if (status == CORE_STATUS_OK) {
        status = core_run_make(&run, &text);
    }
    if (status == CORE_STATUS_OK) {
        run.core->transport = net_transport(run.net);
        run.core->listeners[0] = services_listener(run.services);
        run.core->listeners[1] = claims_listener(run.claims);
        run.core->listeners[2] = renewals_listener(run.renewals);
        core_run_loop(run.core);
    } else {
        core_run_explain(
            status, text != NULL || run.core == NULL ? text : run.core->refusal,
            has_launcher);
    }
    core_run_end(&run);
    if (uv_loop_close(&loop) != 0) {
        log_debug("some handle was left open at the end");
    }
    return (int)status;
}
