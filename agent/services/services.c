/*
 * The registrations of this node: one entry per instance, in memory, backed
 * by its own service record and a setting.  After a restart both give the
 * entries back as they were.
 */
#include "agent/services/services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/core/core.h"
#include "agent/services/services_internal.h"
#include "agent/system/log.h"

int services_new(struct core *core, struct services **ret)
{
    struct services *services = calloc(1, sizeof(*services));
    int error;

    if (services == NULL) {
        return -ENOMEM;
    }
    services->core = core;
    error = services_files_new(services, &services->files);
    if (error != 0) {
        free(services);
        return error;
    }
    error = services_settings_ask(services);
    if (error != 0) {
        services->files = services_files_free(services->files);
        free(services);
        return error;
    }
    /* Only fails for a loop that is not one. */
    (void)uv_timer_init(core->loop, &services->retry);
    services->retry.data = services;
    (void)uv_timer_init(core->loop, &services->findings);
    services->findings.data = services;
    *ret = services;
    return 0;
}

void services_entry_free(struct services_entry *entry)
{
    entry->checker = services_check_stop(entry->checker);
    DL_DELETE(entry->services->entries, entry);
    free(entry->source);
    free(entry);
}

void services_entry_cancel(struct services_entry *entry, int error)
{
    while (entry->waiters != NULL) {
        struct services_waiter *waiter = entry->waiters;

        LL_DELETE(entry->waiters, waiter);
        waiter->done(entry->services->core, error, waiter->data);
        free(waiter);
    }
}

static void services_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* The other handle of the same memory. */
static void services_half_closed(uv_handle_t *handle)
{
    struct services *services = handle->data;

    uv_close((uv_handle_t *)&services->retry, services_closed);
}

struct services *services_free(struct services *services)
{
    if (services == NULL) {
        return NULL;
    }
    services->files = services_files_free(services->files);
    while (services->entries != NULL) {
        services_entry_cancel(services->entries, -ECANCELED);
        services_entry_free(services->entries);
    }
    services->settings = services_settings_free(services->settings);
    free(services->problem);
    uv_close((uv_handle_t *)&services->findings, services_half_closed);
    return NULL;
}

struct services_entry *services_find(const struct services *services,
                                     const char *function, const char *instance)
{
    struct services_entry *entry = services->entries;

    while (entry != NULL &&
           (strcmp(entry->registration.service.function, function) != 0 ||
            strcmp(entry->registration.service.instance, instance) != 0)) {
        entry = entry->next;
    }
    return entry;
}

int services_entry_new(struct services *services,
                       const struct registration *registration,
                       struct services_entry **ret)
{
    struct services_entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL) {
        return -ENOMEM;
    }
    entry->services = services;
    entry->registration = *registration;
    DL_APPEND(services->entries, entry);
    *ret = entry;
    return 0;
}

void services_check_first(struct services_entry *entry)
{
    if (!entry->is_held) {
        return;
    }
    entry->is_held = false;
    if (services_write_or_log(entry, true) != 0 && !entry->is_written &&
        entry->n_writing == 0 && entry->source == NULL) {
        /* Whoever registered it has been told that it failed. */
        services_forget(entry);
        services_entry_free(entry);
    }
}

void services_health_changed(struct services_entry *entry, uint8_t health)
{
    if (entry->registration.service.health == health) {
        return;
    }
    entry->registration.service.health = health;
    if (!entry->is_held) {
        log_info("function=%s instance=%s health=%s: %s",
                 entry->registration.service.function,
                 entry->registration.service.instance,
                 health == BODY_HEALTH_PASSING ? "passing" : "critical",
                 services_checker_text(entry->checker));
        (void)services_write_or_log(entry, false); /* tried again */
    }
}

/* An own function may have lost its slot. */
static void services_catalog_changed(void *data)
{
    struct services *services = data;
    struct services_entry *entry = NULL;

    if (!services->core->is_ready || services->core->is_stopping) {
        return;
    }
    services_returned_review(services);
    DL_FOREACH (services->entries, entry) {
        struct body_service *service = &entry->registration.service;
        uint16_t slot;

        /* What is on its way is judged when it has arrived. */
        if (entry->n_writing > 0 || entry->is_held) {
            continue;
        }
        slot = services_slot(services->core, service->function, service->slot);
        if (slot != service->slot) {
            log_info("function=%s takes slot=%u instead of slot=%u",
                     service->function, slot, service->slot);
            service->slot = slot;
            (void)services_write_or_log(entry, false); /* tried again */
        }
    }
}

const char *services_check_text(const struct services *services,
                                const char *function, const char *instance)
{
    const struct services_entry *entry =
        services_find(services, function, instance);

    if (entry == NULL) {
        return NULL;
    }
    return entry->checker != NULL ? services_checker_text(entry->checker)
                                  : "not checked";
}

void services_start(void *data)
{
    struct services *services = data;
    struct services_entry *entry = NULL;
    size_t n;

    services->is_started = true;
    if (!services->has_settings) {
        if (!services->is_reading && services_settings_ask(services) != 0) {
            services_retry_later(services);
        }
        return;
    }
    if (services_load(services) != 0) {
        log_error("own services not loaded: out of memory; tried again");
        services_retry_later(services);
        return;
    }
    DL_COUNT(services->entries, entry, n);
    log_info("ready services=%zu", n);
    services_files_read(services->files);
    services_findings_review(services);
}

static void services_reload(void *data)
{
    struct services *services = data;

    if (services->is_loaded) {
        services_files_read(services->files);
    }
}

static void services_observed(void *data)
{
    services_findings_review(data);
}

const char *services_problem(const struct services *services)
{
    if (services->problem == NULL && services->is_short) {
        return "not all read: out of memory; tried again";
    }
    return services->problem;
}

struct core_listener services_listener(struct services *services)
{
    return (struct core_listener){.ready = services_start,
                                  .catalog_changed = services_catalog_changed,
                                  .observed = services_observed,
                                  .reload = services_reload,
                                  .data = services};
}
