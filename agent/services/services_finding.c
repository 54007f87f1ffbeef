/*
 * What this host finds out about its own instances goes into their records, so
 * that all others act on it: a port that is not there, a binding that the
 * worker refuses.  A check that fails is the record's health.  Damped, see
 * damping.h.
 */
#include "agent/services/services_internal.h"

#include <utlist.h>

#include "agent/core/core.h"
#include "agent/core/worker_link.h"
#include "agent/system/clock.h"
#include "agent/system/log.h"

uint8_t services_finding_now(const struct core *core,
                             const struct body_service *service)
{
    if (core->worker == NULL) {
        return BODY_FINDING_NONE;
    }
    if (!worker_link_knows(core->worker)) {
        return service->finding;
    }
    if (worker_link_refusal(core->worker, &service->address, service->function,
                            service->protocol, service->port)[0] != '\0') {
        return BODY_FINDING_REFUSED;
    }
    if (service->port_name[0] != '\0' &&
        worker_link_port_problem(core->worker, service->port_name)[0] != '\0') {
        return BODY_FINDING_NO_PORT;
    }
    return BODY_FINDING_NONE;
}

static const char *services_finding_name(uint8_t finding)
{
    switch (finding) {
    case BODY_FINDING_NONE:
        return "none";
    case BODY_FINDING_NO_PORT:
        return "no-port";
    case BODY_FINDING_REFUSED:
        return "refused";
    default:
        return "other";
    }
}

static void services_findings_due(uv_timer_t *timer)
{
    services_findings_review(timer->data);
}

void services_findings_review(struct services *services)
{
    const struct core *core = services->core;
    uint64_t now_ms = clock_now_ms();
    uint64_t next_ms = UINT64_MAX;
    struct services_entry *entry = NULL;

    if (!services->is_loaded || !core->is_ready || core->is_stopping) {
        return;
    }
    DL_FOREACH (services->entries, entry) {
        struct body_service *service = &entry->registration.service;
        uint8_t found = services_finding_now(core, service);
        uint64_t due_ms =
            damping_due_ms(&entry->damping, service->finding, found, now_ms);

        if (due_ms > now_ms) {
            next_ms = MIN_OF(next_ms, due_ms);
            continue;
        }
        log_info("function=%s instance=%s finding=%s", service->function,
                 service->instance, services_finding_name(found));
        service->finding = found;
        damping_spend(&entry->damping, now_ms);
        if (!entry->is_held) {
            (void)services_write_or_log(entry, false); /* tried again */
        }
    }
    if (next_ms != UINT64_MAX) {
        (void)uv_timer_start(&services->findings, services_findings_due,
                             next_ms - now_ms, 0); /* fails when closing */
    }
}
