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
#include "agent/core/core.h"
#include "agent/dns/dns.h"
#include "agent/net/net.h"
#include "agent/services/services.h"
#include "agent/system/log.h"
#include "agent/system/privileges.h"

/* What hangs on core. */
struct core_run {
    struct core *core;
    struct net *net;
    struct services *services;
    struct dns *dns;
    struct api *api;
};

/* Everything that listens; after it no right is needed any more. */
static enum core_status core_run_make(struct core_run *run)
{
    char *text = NULL;
    int error = services_new(run->core, &run->services);

    if (error == 0) {
        error = net_new(run->core, &run->net, &text);
    }
    if (error == 0) {
        error = dns_new(run->core, &run->dns, &text);
    }
    if (error == 0) {
        error = api_new(run->core, run->services, &run->api, &text);
    }
    if (error == 0) {
        error = privileges_drop_bind();
    }
    if (error == 0) {
        return CORE_STATUS_OK;
    }
    log_error("%s", text != NULL ? text : strerror(-error));
    free(text);
    return CORE_STATUS_FAILED;
}

static void core_run_end(struct core_run *run)
{
    if (run->core == NULL) {
        return;
    }
    core_end(run->core);
    run->services = services_free(run->services);
    run->dns = dns_free(run->dns);
    run->api = api_free(run->api);
    run->net = net_free(run->net);
    run->core = core_free(run->core);
}

int core_run(struct config *config, bool has_launcher)
{
    struct core_run run = {0};
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
        status = core_run_make(&run);
    }
    if (status == CORE_STATUS_OK) {
        run.core->transport = net_transport(run.net);
        run.core->listener = services_listener(run.services);
        core_run_loop(run.core);
    }
    core_run_end(&run);
    if (uv_loop_close(&loop) != 0) {
        log_debug("some handle was left open at the end");
    }
    return (int)status;
}
