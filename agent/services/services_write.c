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
#include "agent/json/json_text.h"
#include "agent/system/log.h"

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
    bool is_setting_lost; /* the record alone is on disk */
};

void services_key(const struct body_service *service,
                  char ret_key[SERVICES_KEY_SIZE])
{
    (void)snprintf(ret_key, SERVICES_KEY_SIZE, "%s/%s", service->function,
                   service->instance);
}

void services_setting_name(const struct body_service *service,
                           char ret_name[SERVICES_SETTING_NAME_SIZE])
{
    char key[SERVICES_KEY_SIZE];

    services_key(service, key);
    (void)snprintf(ret_name, SERVICES_SETTING_NAME_SIZE,
                   SERVICES_SETTING_PREFIX "%s", key);
}

static void services_retry(uv_timer_t *timer)
{
    struct services *services = timer->data;
    struct services_entry *entry = NULL;

    if (!services->is_loaded) {
        services_start(services);
    }
    DL_FOREACH (services->entries, entry) {
        if (entry->is_dirty && entry->n_writing == 0 && !entry->is_held) {
            (void)services_write_or_log(entry, true); /* tried again */
        }
    }
}

void services_retry_later(struct services *services)
{
    (void)uv_timer_start(&services->retry, services_retry, SERVICES_RETRY_MS,
                         0); /* fails only when closing */
}

/* What could not be stored is tried again by itself, but for a registration
 * whose caller was told that it failed. */
static void services_entry_settle(struct services_entry *entry, int error,
                                  bool is_setting_lost)
{
    struct services *services = entry->services;

    if (entry->n_writing > 0) {
        entry->n_writing--;
    }
    if (error == 0) {
        entry->is_written = true;
        entry->is_dirty =
            is_setting_lost || (entry->is_dirty && entry->n_writing > 0);
        if (is_setting_lost) {
            services_retry_later(services);
        }
    } else if (error != -ECANCELED) {
        entry->is_dirty = true;
        if (!entry->is_written && entry->source == NULL) {
            services_forget(entry);
            services_entry_cancel(entry, error);
            services_entry_free(entry);
        } else {
            services_retry_later(services);
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
        services_entry_settle(entry, job->error, job->is_setting_lost);
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
        log_warning("check of function=%s instance=%s not stored: %s; tried "
                    "again, but not checked after a restart before then",
                    job->function, job->instance, store_error_text(error));
        job->is_setting_lost = true;
        job->services->has_strays = true; /* if it was to be erased */
    }
    services_job_settle(job);
}

/* The setting's JSON text; NULL when there is nothing to keep.  0 or
 * -ENOMEM. */
static int services_setting_text(const struct services_entry *entry, char **ret)
{
    const struct registration_check *check = &entry->registration.check;
    json_auto_t *root = NULL;

    *ret = NULL;
    if (entry->source == NULL && check->type == REGISTRATION_CHECK_NONE) {
        return 0;
    }
    root = json_pack("{s:i, s:s?, s:o}", "schema", 1, "source", entry->source,
                     "check", registration_check_json(check));
    if (root != NULL) {
        *ret = json_text_dump(root);
    }
    return *ret != NULL ? 0 : -ENOMEM;
}

/* Queues the entry's setting, or its removal when `text` is NULL. */
static int services_store_setting(struct services_entry *entry,
                                  const char *text,
                                  struct services_write_job *job)
{
    bool is_wanted = text != NULL;
    char name[SERVICES_SETTING_NAME_SIZE];
    int error;

    if (!is_wanted && !entry->has_setting) {
        return 0;
    }
    services_setting_name(&entry->registration.service, name);
    error = store_thread_put_setting(entry->services->core->store, name, text,
                                     text != NULL ? strlen(text) : 0,
                                     services_setting_written, job);
    if (error == 0) {
        job->n_pending++;
        entry->has_setting = is_wanted;
    }
    return error;
}

/* Queues the record, and hands the entry's waiters to the job. */
static int services_store_record(struct services_entry *entry,
                                 struct services_write_job *job)
{
    const struct body_service *service = &entry->registration.service;
    uint8_t body[LIMIT_RECORD_SIZE];
    char key[SERVICES_KEY_SIZE];
    size_t size;
    int error = body_put_service(service, body, sizeof(body), &size);

    if (error != 0) {
        return error == -ENOBUFS ? NODE_E_TOO_LARGE : error;
    }
    job->services = entry->services;
    memcpy(job->function, service->function, sizeof(job->function));
    memcpy(job->instance, service->instance, sizeof(job->instance));
    services_key(service, key);
    error =
        core_write(entry->services->core, RECORD_SERVICE, (const uint8_t *)key,
                   strlen(key), body, size, services_record_written, job);
    if (error == 0) {
        job->n_pending = 1;
        job->waiters = entry->waiters;
        entry->waiters = NULL;
        entry->n_writing++;
    }
    return error;
}

int services_write(struct services_entry *entry, bool with_setting)
{
    struct services_write_job *job = calloc(1, sizeof(*job));
    _cleanup_(free_pointer) char *text = NULL;
    int error;

    if (job == NULL) {
        return -ENOMEM;
    }
    error = with_setting ? services_setting_text(entry, &text) : 0;
    if (error == 0) {
        error = services_store_record(entry, job);
    }
    if (error != 0) {
        free(job);
        return error;
    }
    if (with_setting && services_store_setting(entry, text, job) != 0) {
        /* The record is on its way and cannot be called back. */
        job->is_setting_lost = true;
    }
    return 0;
}

static char *services_write_problem(int error)
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
    case NODE_E_TWIN:
        (void)services_refuse(&text,
                              "this node has stopped writing, since another "
                              "agent writes with its key (a cloned disk?): "
                              "see `agentctl status`");
        break;
    case NODE_E_FROZEN:
        (void)services_refuse(&text,
                              "two records of this node contradict each "
                              "other, so nobody believes it any more: see "
                              "`agentctl record evidence` and `agentctl "
                              "status`");
        break;
    case NODE_E_BODY:
        (void)services_refuse(&text, "the values do not make a valid record");
        break;
    default:
        (void)services_refuse(&text,
                              "the record was not written: %s; see the log of "
                              "agent run",
                              strerror(error < 0 ? -error : EIO));
        break;
    }
    return text;
}

int services_write_refuse(int error, char **ret_problem)
{
    if (error < 0) {
        return error;
    }
    *ret_problem = services_write_problem(error);
    return SERVICES_E_REFUSED;
}

int services_write_or_log(struct services_entry *entry, bool with_setting)
{
    int error = services_write(entry, with_setting);

    if (error != 0) {
        _cleanup_(free_pointer) char *text = services_write_problem(error);

        if (!entry->is_dirty) {
            log_warning("function=%s instance=%s: %s; tried again",
                        entry->registration.service.function,
                        entry->registration.service.instance,
                        text != NULL ? text : "out of memory");
        }
        entry->is_dirty = true;
        services_retry_later(entry->services);
        services_entry_cancel(entry, error < 0 ? error : -EIO);
    }
    return error;
}

static void services_forgotten(int error, void *data)
{
    struct services *services = data;

    services->has_strays = services->has_strays || error != 0;
}

void services_forget(struct services_entry *entry)
{
    struct services *services = entry->services;
    char name[SERVICES_SETTING_NAME_SIZE];

    if (!entry->has_setting) {
        return;
    }
    services_setting_name(&entry->registration.service, name);
    if (store_thread_put_setting(services->core->store, name, NULL, 0,
                                 services_forgotten, services) != 0) {
        log_warning("%s not erased: out of memory", name);
        services->has_strays = true;
    }
    entry->has_setting = false;
}
