/*
 * The registrations of this node as the last run left them: own service
 * records, each with the setting that keeps what only this node needs to know
 * of it.
 */
#include "agent/services/services_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/core/core.h"
#include <utlist.h>

#include "agent/core/store_thread.h"
#include "agent/identity/identity.h"
#include "agent/system/log.h"

/* Settings as the store thread reads them, for the loop. */
struct services_reading {
    struct services *services;
    struct services_setting *settings;
};

struct services_setting *services_settings_free(struct services_setting *list)
{
    while (list != NULL) {
        struct services_setting *setting = list;

        LL_DELETE(list, setting);
        free(setting);
    }
    return NULL;
}

static int services_setting_add(const char *name, const void *value,
                                size_t size, void *data)
{
    struct services_reading *reading = data;
    struct services_setting *setting = calloc(1, sizeof(*setting) + size);

    if (setting == NULL) {
        return -ENOMEM;
    }
    (void)snprintf(setting->name, sizeof(setting->name), "%s", name);
    setting->size = size;
    if (size > 0) {
        memcpy(setting->text, value, size);
    }
    LL_PREPEND(reading->settings, setting);
    return 0;
}

static int services_settings_read(struct store *store, void *data)
{
    return store_settings_each(store, SERVICES_SETTING_PREFIX,
                               services_setting_add, data);
}

static void services_settings_have(int error, void *data)
{
    struct services_reading *reading = data;
    struct services *services = reading->services;

    services->is_reading = false;
    if (error == 0) {
        services->settings = reading->settings;
        services->has_settings = true;
    } else {
        reading->settings = services_settings_free(reading->settings);
        if (error != -ECANCELED) {
            log_error("kept registrations not read: %s; tried again",
                      store_error_text(error));
        }
    }
    free(reading);
    if (!services->is_started || services->core->is_stopping) {
        return;
    }
    if (services->has_settings) {
        services_start(services);
    } else {
        services_retry_later(services);
    }
}

int services_settings_ask(struct services *services)
{
    struct services_reading *reading = calloc(1, sizeof(*reading));
    int error;

    if (reading == NULL) {
        return -ENOMEM;
    }
    reading->services = services;
    error = store_thread_call(services->core->store, services_settings_read,
                              services_settings_have, reading);
    if (error != 0) {
        free(reading);
        return error;
    }
    services->is_reading = true;
    return 0;
}

static struct services_setting *
services_setting_find(const struct services *services, const char *name)
{
    struct services_setting *setting = services->settings;

    while (setting != NULL && strcmp(setting->name, name) != 0) {
        setting = setting->next;
    }
    return setting;
}

/* A setting that cannot be read costs the check, never the instance. */
static void services_recall_check(struct services_entry *entry,
                                  const json_t *check)
{
    struct registration_problem problem = {0};

    if (registration_parse_check(check, REGISTRATION_JSON,
                                 &entry->registration.check, &problem) != 0) {
        log_warning("function=%s instance=%s is not checked: its kept check is "
                    "wrong (%s: %s); register it again",
                    entry->registration.service.function,
                    entry->registration.service.instance, problem.field,
                    problem.what);
    }
}

/* 0 and the tree, NULL when the text is no JSON; or -ENOMEM.  jansson reports
 * some failed allocations as errors of syntax, others not at all: what is wrong
 * twice is wrong. */
static int services_setting_parse(const char *text, size_t size, json_t **ret)
{
    json_error_t problem;

    *ret = json_loadb(text, size, 0, &problem);
    if (*ret == NULL) {
        *ret = json_loadb(text, size, 0, &problem);
    }
    return *ret == NULL &&
                   (json_error_code(&problem) == json_error_unknown ||
                    json_error_code(&problem) == json_error_out_of_memory)
               ? -ENOMEM
               : 0;
}

/* Fills check and source from the setting of an own record, when it has one.
 * 0 or -ENOMEM. */
static int services_recall(struct services_entry *entry)
{
    char name[SERVICES_SETTING_NAME_SIZE];
    struct services_setting *setting;
    json_auto_t *root = NULL;
    const char *source;
    int error;

    services_setting_name(&entry->registration.service, name);
    setting = services_setting_find(entry->services, name);
    if (setting == NULL) {
        return 0;
    }
    setting->is_claimed = true;
    entry->has_setting = true;
    error = services_setting_parse(setting->text, setting->size, &root);
    if (error != 0) {
        return error;
    }
    source = json_string_value(json_object_get(root, "source"));
    if (source != NULL) {
        entry->source = strdup(source);
        if (entry->source == NULL) {
            return -ENOMEM;
        }
    }
    if (root == NULL) {
        log_warning("%s is not read: it is no JSON; register the instance "
                    "again to have it checked",
                    name);
    }
    services_recall_check(entry, json_object_get(root, "check"));
    return 0;
}

static int services_load_record(const struct record *record, void *data)
{
    struct services *services = data;
    struct registration registration = {0};
    struct services_entry *entry;
    int error;

    if (memcmp(record->writer, services->core->identity->sign_public,
               RECORD_WRITER_SIZE) != 0 ||
        body_get_service(record, &registration.service) != 0) {
        return 0;
    }
    error = services_entry_new(services, &registration, &entry);
    if (error != 0) {
        return error;
    }
    entry->is_written = true;
    error = services_recall(entry);
    if (error == 0 &&
        entry->registration.check.type != REGISTRATION_CHECK_NONE) {
        error = services_checker_new(entry, false, &entry->checker);
        if (error == 0) {
            services_check_start(entry->checker);
        }
    }
    return error;
}

int services_load(struct services *services)
{
    uint64_t n_returned = node_n_returned(services->core->node);
    int error = node_records_each(services->core->node, RECORD_SERVICE,
                                  services_load_record, services);

    while (error != 0 && services->entries != NULL) {
        services_entry_free(services->entries);
    }
    if (error == 0) {
        const struct services_setting *setting = NULL;

        LL_FOREACH (services->settings, setting) {
            services->has_strays = services->has_strays || !setting->is_claimed;
        }
        services->settings = services_settings_free(services->settings);
        services->is_loaded = true;
        services->n_returned = n_returned;
    }
    return error;
}
