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

#include "agent/catalog/catalog.h"
#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/identity/identity.h"
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
    /* Only fails for a loop that is not one. */
    (void)uv_timer_init(core->loop, &services->retry);
    services->retry.data = services;
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
    free(services->problem);
    uv_close((uv_handle_t *)&services->retry, services_closed);
    return NULL;
}

struct services_entry *services_find(const struct services *services,
                                     const char *function, const char *instance)
{
    struct services_entry *entry = services->entries;

    while (entry != NULL &&
           (strcmp(entry->spec.service.function, function) != 0 ||
            strcmp(entry->spec.service.instance, instance) != 0)) {
        entry = entry->next;
    }
    return entry;
}

static struct services_entry *services_add(struct services *services,
                                           const struct services_spec *spec)
{
    struct services_entry *entry = calloc(1, sizeof(*entry));

    if (entry != NULL) {
        entry->services = services;
        entry->spec = *spec;
        DL_APPEND(services->entries, entry);
    }
    return entry;
}

/* The slot that the record of an instance of this function should carry. */
static uint16_t services_slot(const struct core *core, const char *function,
                              uint16_t current)
{
    const struct catalog_function *found =
        catalog_find(core->catalog, function);

    if (found != NULL && found->is_declared) {
        return current;
    }
    return found != NULL && found->address.family != 0
               ? found->slot
               : catalog_free_slot(core->catalog, function);
}

/* Equal but for what we choose ourselves: slot and health. */
static bool services_spec_equal(const struct services_spec *a,
                                const struct services_spec *b)
{
    struct services_spec left = *a;
    uint8_t body_a[LIMIT_RECORD_SIZE];
    uint8_t body_b[LIMIT_RECORD_SIZE];
    size_t size_a;
    size_t size_b;

    left.service.slot = b->service.slot;
    left.service.health = b->service.health;
    return left.check.type == b->check.type &&
           left.check.interval_ms == b->check.interval_ms &&
           left.check.timeout_ms == b->check.timeout_ms &&
           left.check.port == b->check.port &&
           left.check.pass == b->check.pass &&
           left.check.fail == b->check.fail &&
           body_put_service(&left.service, body_a, sizeof(body_a), &size_a) ==
               0 &&
           body_put_service(&b->service, body_b, sizeof(body_b), &size_b) ==
               0 &&
           size_a == size_b && memcmp(body_a, body_b, size_a) == 0;
}

static int services_report_unchanged(struct core *core, services_done_fn done,
                                     void *data)
{
    struct services_callback *unchanged;
    int error;

    if (done == NULL) {
        return 0;
    }
    unchanged = calloc(1, sizeof(*unchanged));
    if (unchanged == NULL) {
        return -ENOMEM;
    }
    unchanged->done = done;
    unchanged->data = data;
    error = core_write_nothing(core, services_call, unchanged);
    if (error != 0) {
        free(unchanged);
    }
    return error;
}

static int services_add_waiter(struct services_entry *entry,
                               services_done_fn done, void *data)
{
    struct services_waiter *waiter;

    if (done == NULL) {
        return 0;
    }
    waiter = calloc(1, sizeof(*waiter));
    if (waiter == NULL) {
        return -ENOMEM;
    }
    waiter->done = done;
    waiter->data = data;
    LL_PREPEND(entry->waiters, waiter);
    return 0;
}

int services_check_source(const struct services_entry *entry,
                          const char *source, char **ret_problem)
{
    char key[SERVICES_KEY_SIZE];

    if (entry->source == NULL ||
        (source != NULL && strcmp(entry->source, source) == 0)) {
        return 0;
    }
    services_key(&entry->spec.service, key);
    return services_refuse(ret_problem,
                           "%s comes from %s: change or remove it there", key,
                           entry->source);
}

/* Starts (or ends) the check of a new or changed entry.  A new instance is
 * written when its first check has answered, or at once without one. */
static int services_set_check(struct services_entry *entry)
{
    entry->checker = services_check_stop(entry->checker);
    entry->is_held = false;
    entry->spec.service.health = BODY_HEALTH_PASSING;
    if (entry->spec.check.type == SERVICES_CHECK_NONE) {
        return 0;
    }
    entry->is_held = true;
    return services_check_start(entry, true);
}

/* Gives `entry` its new content and writes it, now or after the first
 * check. */
static int services_change(struct services_entry *entry,
                           const struct services_spec *spec, const char *source,
                           services_done_fn done, void *data)
{
    char *copy = source != NULL ? strdup(source) : NULL;
    uint16_t slot = services_slot(entry->services->core, spec->service.function,
                                  entry->spec.service.slot);
    int error = source != NULL && copy == NULL
                    ? -ENOMEM
                    : services_add_waiter(entry, done, data);

    if (error != 0) {
        free(copy);
        return error;
    }
    free(entry->source);
    entry->source = copy;
    entry->spec = *spec;
    entry->spec.service.slot = slot;
    error = services_set_check(entry);
    if (error == 0 && !entry->is_held) {
        error = services_write(entry, true);
    }
    if (error != 0 && done != NULL) {
        struct services_waiter *waiter = entry->waiters;

        LL_DELETE(entry->waiters, waiter);
        free(waiter);
    }
    return error;
}

/* What would make the write fail later is said now, while somebody listens. */
static int services_can_write(const struct services *services,
                              const struct services_spec *spec)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    char key[SERVICES_KEY_SIZE];
    size_t size;

    services_key(&spec->service, key);
    if (!services->core->is_ready) {
        return NODE_E_NOT_READY;
    }
    if (body_put_service(&spec->service, body, sizeof(body), &size) != 0 ||
        RECORD_HEADER_SIZE + strlen(key) + size + RECORD_SIGNATURE_SIZE >
            LIMIT_RECORD_SIZE ||
        strlen(key) > LIMIT_KEY_SIZE) {
        return NODE_E_TOO_LARGE;
    }
    return 0;
}

/* What is registered already was judged then; if it proves wrong, the worker
 * refuses the binding. */
static bool services_binds_anew(const struct services_entry *entry,
                                const struct body_service *wanted)
{
    return entry == NULL ||
           !address_equal(&entry->spec.service.address, &wanted->address) ||
           strcmp(entry->spec.service.port_name, wanted->port_name) != 0;
}

int services_put(struct services *services, const struct services_spec *spec,
                 const char *source, services_done_fn done, void *data,
                 char **ret_problem)
{
    struct services_spec wanted = *spec;
    struct services_entry *entry;
    bool is_new;
    int error;

    if (services_validate(services->core, &wanted, ret_problem) != 0) {
        return 1;
    }
    entry = services_find(services, wanted.service.function,
                          wanted.service.instance);
    is_new = entry == NULL;
    if (!is_new && services_check_source(entry, source, ret_problem) != 0) {
        return 1;
    }
    if (services_binds_anew(entry, &wanted.service) &&
        services_validate_port(services->core, &wanted.service, ret_problem) !=
            0) {
        if (!is_new) {
            entry->is_seen = true; /* it stays as it was */
        }
        return 1;
    }
    error = services_can_write(services, &wanted);
    if (error == 0 && !is_new && !entry->is_dirty &&
        services_spec_equal(&entry->spec, &wanted) &&
        (entry->source == NULL) == (source == NULL)) {
        /* One that is just being written is waited for. */
        error = entry->is_held
                    ? services_add_waiter(entry, done, data)
                    : services_report_unchanged(services->core, done, data);
        if (error == 0) {
            entry->is_seen = true;
            return 0;
        }
    }
    if (error == 0 && is_new) {
        entry = services_add(services, &wanted);
        error = entry == NULL ? -ENOMEM : 0;
    }
    if (error == 0) {
        error = services_change(entry, &wanted, source, done, data);
        if (error != 0 && is_new) {
            services_entry_free(entry);
        }
    }
    if (error != 0) {
        *ret_problem = services_write_problem(error);
        return 1;
    }
    entry->is_seen = true;
    return 0;
}

int services_register(struct services *services,
                      const struct services_spec *spec, services_done_fn done,
                      void *data, char **ret_problem)
{
    return services_put(services, spec, NULL, done, data, ret_problem);
}

void services_check_first(struct services_entry *entry)
{
    if (entry->is_held) {
        entry->is_held = false;
        services_write_or_log(entry, true);
    }
}

void services_health_changed(struct services_entry *entry, uint8_t health)
{
    if (entry->spec.service.health == health) {
        return;
    }
    entry->spec.service.health = health;
    if (!entry->is_held) {
        log_info("function=%s instance=%s health=%s: %s",
                 entry->spec.service.function, entry->spec.service.instance,
                 health == BODY_HEALTH_PASSING ? "passing" : "critical",
                 services_checker_text(entry->checker));
        services_write_or_log(entry, false);
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
    DL_FOREACH (services->entries, entry) {
        struct body_service *service = &entry->spec.service;
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
            services_write_or_log(entry, false);
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

static int services_load_record(const struct record *record, void *data)
{
    struct services *services = data;
    struct services_spec spec = {0};
    struct services_entry *entry;

    if (memcmp(record->writer, services->core->identity->sign_public,
               RECORD_WRITER_SIZE) != 0 ||
        body_get_service(record, &spec.service) != 0) {
        return 0;
    }
    entry = services_add(services, &spec);
    if (entry == NULL) {
        return -ENOMEM;
    }
    entry->is_written = true;
    services_recall(entry);
    if (entry->spec.check.type != SERVICES_CHECK_NONE &&
        services_check_start(entry, false) != 0) {
        return -ENOMEM;
    }
    return 0;
}

static void services_start(void *data)
{
    struct services *services = data;
    size_t n;
    struct services_entry *entry = NULL;

    if (node_records_each(services->core->node, RECORD_SERVICE,
                          services_load_record, services) != 0) {
        log_error("own services not loaded: out of memory");
    }
    DL_COUNT(services->entries, entry, n);
    log_info("ready services=%zu", n);
    services_files_read(services->files);
}

static void services_reload(void *data)
{
    struct services *services = data;

    if (services->core->is_ready) {
        services_files_read(services->files);
    }
}

const char *services_problem(const struct services *services)
{
    return services->problem;
}

struct core_listener services_listener(struct services *services)
{
    return (struct core_listener){.ready = services_start,
                                  .catalog_changed = services_catalog_changed,
                                  .reload = services_reload,
                                  .data = services};
}
