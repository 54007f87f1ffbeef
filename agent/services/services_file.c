/*
 * services.d: each *.yaml or *.json file registers what it lists, and what it
 * lists no more, or a file that is gone, is deregistered.  A file with a
 * mistake in it takes nothing away of what it registered before: a slip of the
 * pen takes no service down.
 */
#include "agent/services/services_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/config/config.h"
#include "agent/core/events.h"
#include "agent/services/services_parse.h"
#include "agent/system/log.h"

/* Editors and Nix write in several steps: their quiet is waited for. */
#define SERVICES_SETTLE_MS 30
/* A directory that is not there yet is looked for again. */
#define SERVICES_LOOK_MS 10000

struct services_files {
    struct services *services;
    uv_fs_event_t watch;
    uv_timer_t timer;
    unsigned n_handles;
    bool is_closing;
};

/* What one reading of the directory finds out. */
struct services_reading {
    struct services *services;
    char *problems; /* one per line, malloc'd; NULL: none */
    bool is_short;  /* of memory: what it did not see may be there */
};

/* `text` NULL: there was no memory for it. */
static void services_reading_add(struct services_reading *reading,
                                 const char *text)
{
    char *joined = NULL;

    if (text == NULL) {
        reading->is_short = true;
        return;
    }
    if (asprintf(&joined, "%s%s%s",
                 reading->problems != NULL ? reading->problems : "",
                 reading->problems != NULL ? "\n" : "", text) < 0) {
        reading->is_short = true; /* what was said before stays */
        return;
    }
    free(reading->problems);
    reading->problems = joined;
}

static void services_files_keep(struct services *services, const char *path)
{
    struct services_entry *entry = NULL;

    DL_FOREACH (services->entries, entry) {
        if (entry->source != NULL && strcmp(entry->source, path) == 0) {
            entry->is_seen = true;
        }
    }
}

static void services_files_put(const struct registration *registration,
                               const char *path, size_t line, void *data)
{
    struct services_reading *reading = data;
    _cleanup_(free_pointer) char *problem = NULL;
    _cleanup_(free_pointer) char *text = NULL;

    if (services_put(reading->services, registration, path, NULL, NULL,
                     &problem) == 0) {
        return;
    }
    if (problem == NULL ||
        asprintf(&text, "%s:%zu: %s", path, line, problem) < 0) {
        text = NULL;
    }
    services_reading_add(reading, text);
    services_files_keep(reading->services, path);
}

static int services_files_filter(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 ||
            strcmp(dot, ".json") == 0);
}

static void services_files_read_one(struct services_reading *reading,
                                    const char *directory, const char *name)
{
    _cleanup_(free_pointer) char *path = NULL;
    _cleanup_(free_pointer) char *problem = NULL;
    int error;

    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        services_reading_add(reading, NULL);
        return;
    }
    error = services_parse(path, services_files_put, reading, &problem);
    if (error != 0 && error != -ENOENT) {
        services_reading_add(reading, error == -ENOMEM ? NULL : problem);
        services_files_keep(reading->services, path);
    }
}

static void services_files_drop_unseen(struct services_reading *reading)
{
    struct services_entry *entry = NULL;
    struct services_entry *next = NULL;

    DL_FOREACH_SAFE(reading->services->entries, entry, next)
    {
        _cleanup_(free_pointer) char *problem = NULL;

        if (entry->source == NULL || entry->is_seen || reading->is_short) {
            continue;
        }
        log_info("function=%s instance=%s deregistered: no longer in %s",
                 entry->registration.service.function,
                 entry->registration.service.instance, entry->source);
        if (services_drop(entry, NULL, NULL, &problem) != 0) {
            services_reading_add(reading, problem);
        }
    }
}

/* Tells what is wrong when that is news. */
static void services_files_tell(struct services *services,
                                struct services_reading *reading)
{
    const char *before = services_problem(services);
    char *old = services->problem; /* what `before` may point into */
    bool was_bad = before != NULL;
    bool is_bad;
    const char *now;

    services->problem = reading->problems;
    services->is_short = reading->is_short;
    now = services_problem(services);
    is_bad = now != NULL;
    if (is_bad && (!was_bad || strcmp(before, now) != 0)) {
        log_warning("services.d: %s", now);
    } else if (was_bad && !is_bad) {
        log_info("services.d: every file is used again");
    }
    if (was_bad != is_bad) {
        events_publish(services->core->events, "services.d",
                       is_bad ? "{\"ok\":false}" : "{\"ok\":true}");
    }
    free(old);
}

static void services_files_later(struct services_files *files,
                                 uint64_t wait_ms);
static void services_files_watch(struct services_files *files);

/* The directory itself cannot be read: all stays as it is. */
static void services_files_unread(struct services_reading *reading,
                                  const char *directory, int error)
{
    _cleanup_(free_pointer) char *text = NULL;

    if (asprintf(&text,
                 "%s cannot be read: %s; make it readable for the agent's user "
                 "(`user` of agent.yaml), then send SIGHUP",
                 directory, strerror(error)) < 0) {
        text = NULL;
    }
    services_reading_add(reading, text);
}

void services_files_read(struct services_files *files)
{
    struct services *services = files->services;
    const char *directory = services->core->config->services_dir;
    struct services_reading reading = {.services = services};
    struct services_entry *entry = NULL;
    struct dirent **names = NULL;
    int n;

    if (directory == NULL || directory[0] == '\0') {
        return;
    }
    /* The watch first: what changes while we read is seen again. */
    services_files_watch(files);
    n = scandir(directory, &names, services_files_filter, alphasort);
    if (n < 0 && errno != ENOENT) {
        services_files_unread(&reading, directory, errno);
        services_files_tell(services, &reading);
        return;
    }
    DL_FOREACH (services->entries, entry) {
        entry->is_seen = false;
    }
    for (int i = 0; i < n; i++) {
        services_files_read_one(&reading, directory, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    services_files_drop_unseen(&reading);
    services_files_tell(services, &reading);
    if (reading.is_short) {
        services_files_later(files, SERVICES_LOOK_MS);
    }
}

static void services_files_due(uv_timer_t *timer)
{
    struct services_files *files = timer->data;

    services_files_read(files);
}

static void services_files_later(struct services_files *files, uint64_t wait_ms)
{
    if (!files->is_closing) {
        (void)uv_timer_start(&files->timer, services_files_due, wait_ms,
                             0); /* fails only when closing */
    }
}

static void services_files_changed(uv_fs_event_t *watch, const char *name,
                                   int events, int status)
{
    (void)name; /* the whole directory is read: it is small */
    (void)events;
    (void)status;
    services_files_later(watch->data, SERVICES_SETTLE_MS);
}

static void services_files_watch(struct services_files *files)
{
    const char *directory = files->services->core->config->services_dir;
    int error;

    /* Anew each time: the directory itself may be another one by now. */
    (void)uv_fs_event_stop(&files->watch); /* never fails */
    error =
        uv_fs_event_start(&files->watch, services_files_changed, directory, 0);
    if (error == UV_ENOENT) {
        services_files_later(files, SERVICES_LOOK_MS);
    } else if (error != 0) {
        log_warning("%s is not watched: %s; SIGHUP reads it", directory,
                    uv_strerror(error));
    }
}

int services_files_new(struct services *services, struct services_files **ret)
{
    struct services_files *files = calloc(1, sizeof(*files));

    if (files == NULL) {
        return -ENOMEM;
    }
    files->services = services;
    /* Only fail for a loop that is not one. */
    (void)uv_fs_event_init(services->core->loop, &files->watch);
    (void)uv_timer_init(services->core->loop, &files->timer);
    files->n_handles = 2;
    files->watch.data = files;
    files->timer.data = files;
    *ret = files;
    return 0;
}

static void services_files_closed(uv_handle_t *handle)
{
    struct services_files *files = handle->data;

    files->n_handles--;
    if (files->n_handles == 0) {
        free(files);
    }
}

struct services_files *services_files_free(struct services_files *files)
{
    if (files != NULL) {
        files->is_closing = true;
        uv_close((uv_handle_t *)&files->watch, services_files_closed);
        uv_close((uv_handle_t *)&files->timer, services_files_closed);
    }
    return NULL;
}
