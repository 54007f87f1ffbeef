/*
 * Deregistration: the tombstone of the record, and the end of the entry.
 */
#include "agent/services/services_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/core/core.h"

void services_call(struct core *core, int error, struct record_order order,
                   void *data)
{
    struct services_callback *callback = data;

    (void)order;
    callback->done(core, error, callback->data);
    free(callback);
}

int services_drop(struct services_entry *entry, services_done_fn done,
                  void *data, char **ret_problem)
{
    struct core *core = entry->services->core;
    struct services_callback *removal = NULL;
    char key[SERVICES_KEY_SIZE];
    int error = 0;

    services_key(&entry->registration.service, key);
    if (done != NULL) {
        removal = calloc(1, sizeof(*removal));
        if (removal == NULL) {
            return -ENOMEM;
        }
        removal->done = done;
        removal->data = data;
    }
    error = core_remove(core, RECORD_SERVICE, (const uint8_t *)key, strlen(key),
                        removal != NULL ? services_call : NULL, removal);
    if (error == NODE_E_NOT_FOUND) {
        /* Held back until now, or its write failed: nothing was published. */
        error = removal != NULL
                    ? core_write_nothing(core, services_call, removal)
                    : 0;
    }
    if (error != 0) {
        free(removal);
        return services_write_refuse(error, ret_problem);
    }
    services_forget(entry);
    services_entry_cancel(entry, -ECANCELED);
    services_entry_free(entry);
    return 0;
}

/* The only instance of the function, or one by name.  NULL and a text. */
static struct services_entry *services_choose(struct services *services,
                                              const char *function,
                                              const char *instance,
                                              char **ret_problem)
{
    struct services_entry *found = NULL;
    char names[512] = "";
    size_t len = 0;
    size_t n = 0;
    struct services_entry *entry = NULL;

    DL_FOREACH (services->entries, entry) {
        if (strcmp(entry->registration.service.function, function) != 0) {
            continue;
        }
        if (instance != NULL &&
            strcmp(entry->registration.service.instance, instance) == 0) {
            return entry;
        }
        found = entry;
        n++;
        if (len + BODY_NAME_SIZE + 2 < sizeof(names)) {
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
                                    len > 0 ? ", " : "",
                                    entry->registration.service.instance);
        }
    }
    if (n == 0) {
        (void)services_refuse(ret_problem,
                              "this node has registered no instance of %s; "
                              "`agentctl service ls` shows where there is one",
                              function);
        return NULL;
    }
    if (instance != NULL) {
        (void)services_refuse(ret_problem,
                              "this node has no instance %s of %s, only: %s",
                              instance, function, names);
        return NULL;
    }
    if (n > 1) {
        (void)services_refuse(ret_problem,
                              "this node has %zu instances of %s: name one of "
                              "%s",
                              n, function, names);
        return NULL;
    }
    return found;
}

int services_deregister(struct services *services, const char *function,
                        const char *instance, services_done_fn done, void *data,
                        char **ret_problem)
{
    char canonical[BODY_NAME_SIZE];
    struct services_entry *entry;
    int error;

    if (!services->is_loaded) {
        return services_write_refuse(NODE_E_NOT_READY, ret_problem);
    }
    if (body_name_canonical(function, canonical) != 0) {
        return services_refuse(ret_problem,
                               "\"%.80s\" is not a name of a function: 1 "
                               "to 63 letters, digits, '-' and '_'; `agentctl "
                               "service ls` shows them",
                               function);
    }
    entry = services_choose(services, canonical, instance, ret_problem);
    if (entry == NULL) {
        return SERVICES_E_REFUSED;
    }
    error = services_require_source(entry, NULL, ret_problem);
    return error != 0 ? error : services_drop(entry, done, data, ret_problem);
}
