/*
 * An instance on its way to disk: the record that everybody gets, and a
 * setting with what only this node needs to know of it (its check, the file
 * it came from).  Both are queued together, and whoever registered hears of
 * it when both are done.
 */
#include "agent/services/services_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <utlist.h>

#include "agent/core/store_thread.h"
#include "agent/system/log.h"

#define SERVICES_SETTING_PREFIX "service/"
#define SERVICES_SETTING_MAX    4096
/* Until an entry that could not be stored is tried again. */
#define SERVICES_RETRY_MS 5000

/* One write of an entry, which may be gone before it ends. */
struct services_write_job {
    struct services *services;
    char function[BODY_NAME_SIZE];
    char instance[BODY_NAME_SIZE];
    struct services_waiter *waiters;
    unsigned n_pending;
    int error;
};

void services_key(const struct body_service *service,
                  char ret_key[SERVICES_KEY_SIZE])
{
    (void)snprintf(ret_key, SERVICES_KEY_SIZE, "%s/%s", service->function,
                   service->instance);
}

static void services_setting_name(const struct body_service *service,
                                  char name[SERVICES_KEY_SIZE + 16])
{
    char key[SERVICES_KEY_SIZE];

    services_key(service, key);
    (void)snprintf(name, SERVICES_KEY_SIZE + 16, SERVICES_SETTING_PREFIX "%s",
                   key);
}

static void services_retry(uv_timer_t *timer)
{
    struct services *services = timer->data;
    struct services_entry *entry = NULL;

    DL_FOREACH (services->entries, entry) {
        if (entry->is_dirty && entry->n_writing == 0 && !entry->is_held) {
            services_write_or_log(entry, true);
        }
    }
}

/* What could not be stored is tried again by itself, but for a registration
 * whose caller was told that it failed. */
static void services_entry_settle(struct services_entry *entry, int error)
{
    struct services *services = entry->services;

    if (entry->n_writing > 0) {
        entry->n_writing--;
    }
    if (error == 0) {
        entry->is_written = true;
        entry->is_dirty = entry->is_dirty && entry->n_writing > 0;
    } else if (error != -ECANCELED) {
        entry->is_dirty = true;
        if (!entry->is_written && entry->source == NULL) {
            services_forget(entry);
            services_entry_cancel(entry, error);
            services_entry_free(entry);
        } else {
            (void)uv_timer_start(&services->retry, services_retry,
                                 SERVICES_RETRY_MS,
                                 0); /* fails only when closing */
        }
    }
}

static void services_job_settle(struct services_write_job *job)
{
    struct services_entry *entry;

    job->n_pending--;
    if (job->n_pending > 0) {
        return;
    }
    entry = services_find(job->services, job->function, job->instance);
    if (entry != NULL) {
        services_entry_settle(entry, job->error);
    }
    while (job->waiters != NULL) {
        struct services_waiter *waiter = job->waiters;

        LL_DELETE(job->waiters, waiter);
        waiter->done(job->services->core, job->error, waiter->data);
        free(waiter);
    }
    free(job);
}

static void services_record_written(struct core *core, int error,
                                    struct record_order order, void *data)
{
    struct services_write_job *job = data;

    (void)core;
    (void)order;
    if (error != 0) {
        job->error = error;
    }
    services_job_settle(job);
}

static void services_setting_written(int error, void *data)
{
    struct services_write_job *job = data;

    if (error != 0 && error != -ECANCELED) {
        log_warning("check of function=%s instance=%s not stored: %s; after a "
                    "restart it is not checked",
                    job->function, job->instance, store_error_text(error));
    }
    services_job_settle(job);
}

/* The setting's JSON text, malloc'd; NULL without memory. */
static char *services_setting_text(const struct services_entry *entry)
{
    const struct services_check *check = &entry->spec.check;
    json_auto_t *root = json_pack(
        "{s:i, s:o, s:{s:s, s:I, s:I, s:I, s:I, s:I}}", "schema", 1, "source",
        entry->source != NULL ? json_string(entry->source) : json_null(),
        "check", "type", check->type == SERVICES_CHECK_TCP ? "tcp" : "none",
        "interval_ms", (json_int_t)check->interval_ms, "timeout_ms",
        (json_int_t)check->timeout_ms, "port", (json_int_t)check->port, "pass",
        (json_int_t)check->pass, "fail", (json_int_t)check->fail);

    return root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
}

/* Queues the entry's setting, or its removal when there is nothing to keep. */
static int services_store_setting(struct services_entry *entry,
                                  struct services_write_job *job)
{
    bool is_wanted =
        entry->source != NULL || entry->spec.check.type != SERVICES_CHECK_NONE;
    _cleanup_(free_pointer) char *text = NULL;
    char name[SERVICES_KEY_SIZE + 16];
    int error;

    if (!is_wanted && !entry->has_setting) {
        return 0;
    }
    if (is_wanted) {
        text = services_setting_text(entry);
        if (text == NULL) {
            return -ENOMEM;
        }
    }
    services_setting_name(&entry->spec.service, name);
    error = store_thread_put_setting(entry->services->core->store, name, text,
                                     text != NULL ? strlen(text) : 0,
                                     services_setting_written, job);
    if (error == 0) {
        job->n_pending++;
        entry->has_setting = is_wanted;
    }
    return error;
}

int services_write(struct services_entry *entry, bool with_setting)
{
    const struct body_service *service = &entry->spec.service;
    struct services_write_job *job = calloc(1, sizeof(*job));
    uint8_t body[LIMIT_RECORD_SIZE];
    char key[SERVICES_KEY_SIZE];
    size_t size;
    int error;

    if (job == NULL) {
        return -ENOMEM;
    }
    error = body_put_service(service, body, sizeof(body), &size);
    if (error != 0) {
        free(job);
        return error == -ENOBUFS ? NODE_E_TOO_LARGE : error;
    }
    job->services = entry->services;
    memcpy(job->function, service->function, sizeof(job->function));
    memcpy(job->instance, service->instance, sizeof(job->instance));
    services_key(service, key);
    error =
        core_write(entry->services->core, RECORD_SERVICE, (const uint8_t *)key,
                   strlen(key), body, size, services_record_written, job);
    if (error != 0) {
        free(job);
        return error;
    }
    job->n_pending = 1;
    job->waiters = entry->waiters;
    entry->waiters = NULL;
    entry->n_writing++;
    if (with_setting && services_store_setting(entry, job) != 0) {
        log_warning("check of %s not stored: out of memory", key);
    }
    return 0;
}

char *services_write_problem(int error)
{
    char *text = NULL;

    switch (error) {
    case NODE_E_NOT_READY:
        (void)services_refuse(&text, "the agent has only just started: try "
                                     "again in a second");
        break;
    case NODE_E_TOO_LARGE:
        (void)services_refuse(&text,
                              "the record would be larger than %d bytes: give "
                              "fewer or shorter tags and meta",
                              LIMIT_RECORD_SIZE);
        break;
    case NODE_E_NOT_ALLOWED:
        (void)services_refuse(&text,
                              "the certificate of this node does not allow "
                              "this record, or has ended: see `agentctl "
                              "status`");
        break;
    case NODE_E_LIMIT:
        (void)services_refuse(&text,
                              "this node has %d records already, which is the "
                              "most: deregister some",
                              LIMIT_RECORDS_PER_WRITER);
        break;
    case NODE_E_BODY:
        (void)services_refuse(&text, "the values do not make a valid record");
        break;
    default:
        (void)services_refuse(&text, "the record was not written: %s",
                              strerror(error < 0 ? -error : EIO));
        break;
    }
    return text;
}

void services_write_or_log(struct services_entry *entry, bool with_setting)
{
    int error = services_write(entry, with_setting);

    if (error != 0) {
        _cleanup_(free_pointer) char *text = services_write_problem(error);

        log_warning("function=%s instance=%s: %s", entry->spec.service.function,
                    entry->spec.service.instance,
                    text != NULL ? text : "out of memory");
        entry->is_dirty = true; /* registering it again writes it */
        services_entry_cancel(entry, error < 0 ? error : -EIO);
    }
}

void services_forget(struct services_entry *entry)
{
    char name[SERVICES_KEY_SIZE + 16];

    if (!entry->has_setting) {
        return;
    }
    services_setting_name(&entry->spec.service, name);
    if (store_thread_put_setting(entry->services->core->store, name, NULL, 0,
                                 NULL, NULL) != 0) {
        log_warning("%s not erased: out of memory", name);
    }
    entry->has_setting = false;
}

static uint32_t services_recall_uint(const json_t *check, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(check, key));

    return value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

void services_recall(struct services_entry *entry)
{
    struct store *store = store_thread_store(entry->services->core->store);
    struct services_check *check = &entry->spec.check;
    char name[SERVICES_KEY_SIZE + 16];
    char text[SERVICES_SETTING_MAX];
    json_auto_t *root = NULL;
    const json_t *kept;
    const char *source;
    const char *type;
    size_t size;

    services_setting_name(&entry->spec.service, name);
    if (store_get_setting(store, name, text, sizeof(text), &size) != 0 ||
        size > sizeof(text)) {
        return;
    }
    entry->has_setting = true;
    root = json_loadb(text, size, 0, NULL);
    kept = json_object_get(root, "check");
    source = json_string_value(json_object_get(root, "source"));
    type = json_string_value(json_object_get(kept, "type"));
    if (source != NULL) {
        entry->source = strdup(source);
    }
    if (type != NULL && strcmp(type, "tcp") == 0) {
        check->type = SERVICES_CHECK_TCP;
        check->interval_ms = services_recall_uint(kept, "interval_ms");
        check->timeout_ms = services_recall_uint(kept, "timeout_ms");
        check->port = (uint16_t)services_recall_uint(kept, "port");
        check->pass = services_recall_uint(kept, "pass");
        check->fail = services_recall_uint(kept, "fail");
    }
}
