/*
 * The registrations of this node as the last run left them: own service
 * records, each with the setting that keeps what only this node needs to know
 * of it.
 */
#include "agent/services/services_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/core/core.h"
#include "agent/core/store_thread.h"
#include "agent/identity/identity.h"
#include "agent/system/log.h"

#define SERVICES_SETTING_MAX 4096

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
    struct store *store = store_thread_store(entry->services->core->store);
    char name[SERVICES_SETTING_NAME_SIZE];
    char text[SERVICES_SETTING_MAX];
    json_auto_t *root = NULL;
    const char *source;
    size_t size;
    int error;

    services_setting_name(&entry->registration.service, name);
    if (store_get_setting(store, name, text, sizeof(text), &size) != 0) {
        return 0;
    }
    entry->has_setting = true;
    error = services_setting_parse(text, MIN_OF(size, sizeof(text)), &root);
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
    int error = node_records_each(services->core->node, RECORD_SERVICE,
                                  services_load_record, services);

    while (error != 0 && services->entries != NULL) {
        services_entry_free(services->entries);
    }
    services->is_loaded = error == 0;
    return error;
}
