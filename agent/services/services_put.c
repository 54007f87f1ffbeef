/*
 * A registration on its way in: judged, given to its entry, written.  What
 * fails leaves the entry as it was.
 */
#include "agent/services/services_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/catalog/catalog.h"
#include "agent/core/core.h"
#include "agent/identity/identity.h"

uint16_t services_slot(const struct core *core, const char *function,
                       uint16_t current)
{
    const struct catalog_function *found =
        catalog_find_any(core->catalog, function);

    if (found != NULL && found->is_declared) {
        return current;
    }
    return found != NULL && found->address.family != 0
               ? found->slot
               : catalog_free_slot(core->catalog, function);
}

/* Equal but for what we choose ourselves: slot, health and finding. */
static bool services_equal(const struct registration *a,
                           const struct registration *b)
{
    struct registration left = *a;
    uint8_t body_a[LIMIT_RECORD_SIZE];
    uint8_t body_b[LIMIT_RECORD_SIZE];
    size_t size_a;
    size_t size_b;

    left.service.slot = b->service.slot;
    left.service.health = b->service.health;
    left.service.finding = b->service.finding;
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

int services_require_source(const struct services_entry *entry,
                            const char *source, char **ret_problem)
{
    char key[SERVICES_KEY_SIZE];

    if (entry->source == NULL ||
        (source != NULL && strcmp(entry->source, source) == 0)) {
        return 0;
    }
    services_key(&entry->registration.service, key);
    return services_refuse(ret_problem,
                           "%s comes from %s: change or remove it there", key,
                           entry->source);
}

/* What a change gives an entry; after the swap, what it had before. */
struct services_content {
    struct registration registration;
    char *source;
    struct services_checker *checker;
    bool is_held;
};

static void services_content_done(struct services_content *content)
{
    content->checker = services_check_stop(content->checker);
    free(content->source);
}

/* A new instance, or one whose check changes, is written when its first check
 * has answered, or at once without one.  0 or -ENOMEM. */
static int services_content_init(struct services_content *content,
                                 struct services_entry *entry,
                                 const struct registration *registration,
                                 const char *source)
{
    struct body_service *service = &content->registration.service;
    bool is_checked = registration->check.type != REGISTRATION_CHECK_NONE;

    *content = (struct services_content){.registration = *registration,
                                         .is_held = is_checked};
    service->slot = services_slot(entry->services->core, service->function,
                                  entry->registration.service.slot);
    service->health = BODY_HEALTH_PASSING;
    service->finding = BODY_FINDING_NONE;
    service->finding = services_finding_now(entry->services->core,
                                            &content->registration.service);
    if (source != NULL) {
        content->source = strdup(source);
        if (content->source == NULL) {
            return -ENOMEM;
        }
    }
    return is_checked ? services_checker_new(entry, true, &content->checker)
                      : 0;
}

static void services_content_swap(struct services_content *content,
                                  struct services_entry *entry)
{
    struct services_content before = {.registration = entry->registration,
                                      .source = entry->source,
                                      .checker = entry->checker,
                                      .is_held = entry->is_held};

    entry->registration = content->registration;
    entry->source = content->source;
    entry->checker = content->checker;
    entry->is_held = content->is_held;
    *content = before;
}

/* Gives `entry` its new content and writes it, now or after the first check.
 * When that fails the entry is as before. */
static int services_change(struct services_entry *entry,
                           const struct registration *registration,
                           const char *source, services_done_fn done,
                           void *data)
{
    struct services_content content;
    int error = services_content_init(&content, entry, registration, source);

    if (error == 0) {
        error = services_add_waiter(entry, done, data);
    }
    if (error != 0) {
        services_content_done(&content);
        return error;
    }
    services_content_swap(&content, entry);
    if (!entry->is_held) {
        error = services_write(entry, true);
    }
    if (error != 0) {
        services_content_swap(&content, entry);
        if (done != NULL) {
            struct services_waiter *waiter = entry->waiters;

            LL_DELETE(entry->waiters, waiter);
            free(waiter);
        }
    } else if (entry->checker != NULL) {
        services_check_start(entry->checker);
    }
    services_content_done(&content);
    return error;
}

_Static_assert(SERVICES_KEY_SIZE - 1 <= LIMIT_KEY_SIZE, "two names fit");

/* What would make the write fail later is said now, while somebody listens. */
static int services_can_write(const struct services *services,
                              const struct registration *registration)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    char key[SERVICES_KEY_SIZE];
    size_t size;

    services_key(&registration->service, key);
    if (!services->core->is_ready || !services->is_loaded) {
        return NODE_E_NOT_READY;
    }
    if (body_put_service(&registration->service, body, sizeof(body), &size) !=
            0 ||
        RECORD_HEADER_SIZE + strlen(key) + size + RECORD_SIGNATURE_SIZE >
            LIMIT_RECORD_SIZE) {
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
           !address_equal(&entry->registration.service.address,
                          &wanted->address) ||
           strcmp(entry->registration.service.port_name, wanted->port_name) !=
               0;
}

/* Already registered just so: `done` is called when that is on disk. */
static int services_put_again(struct services_entry *entry,
                              services_done_fn done, void *data)
{
    return entry->is_held
               ? services_add_waiter(entry, done, data)
               : services_report_unchanged(entry->services->core, done, data);
}

static int services_put_new(struct services *services,
                            const struct registration *registration,
                            const char *source, services_done_fn done,
                            void *data, struct services_entry **ret)
{
    struct services_entry *entry;
    int error = services_entry_new(services, registration, &entry);

    if (error != 0) {
        return error;
    }
    /* One that could not be erased when its instance went would come back
     * with this one, after a restart. */
    entry->has_setting = services->has_strays;
    error = services_change(entry, registration, source, done, data);
    if (error != 0) {
        services_entry_free(entry);
        return error;
    }
    *ret = entry;
    return 0;
}

/* 0, or SERVICES_E_REFUSED and a text. */
static int services_judge(const struct services *services,
                          const struct registration *wanted, const char *source,
                          const struct services_entry *entry,
                          char **ret_problem)
{
    int error = services_validate(services->core, wanted, ret_problem);

    if (error == 0 && entry != NULL) {
        error = services_require_source(entry, source, ret_problem);
    }
    if (error == 0 && services_binds_anew(entry, &wanted->service)) {
        error = services_validate_port(services->core, &wanted->service,
                                       ret_problem);
    }
    return error;
}

int services_put(struct services *services,
                 const struct registration *registration, const char *source,
                 services_done_fn done, void *data, char **ret_problem)
{
    struct registration wanted = *registration;
    struct services_entry *entry;
    int error;

    registration_name_instance(&wanted, services->core->identity->body.name);
    entry = services_find(services, wanted.service.function,
                          wanted.service.instance);
    error = services_judge(services, &wanted, source, entry, ret_problem);
    if (error != 0) {
        return error;
    }
    error = services_can_write(services, &wanted);
    if (error != 0) {
        return services_write_refuse(error, ret_problem);
    }
    if (entry == NULL) {
        error = services_put_new(services, &wanted, source, done, data, &entry);
    } else if (!entry->is_dirty &&
               services_equal(&entry->registration, &wanted) &&
               (entry->source == NULL) == (source == NULL)) {
        error = services_put_again(entry, done, data);
    } else {
        error = services_change(entry, &wanted, source, done, data);
    }
    if (error != 0) {
        return services_write_refuse(error, ret_problem);
    }
    entry->is_seen = true;
    return 0;
}

int services_register(struct services *services,
                      const struct registration *registration,
                      services_done_fn done, void *data, char **ret_problem)
{
    return services_put(services, registration, NULL, done, data, ret_problem);
}
