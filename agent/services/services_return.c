/*
 * Records of ours that come back from others: newer ones than this host's disk
 * had, after it was set back to a backup, say.  They are this node's own later
 * word, so registrations follow them; what this run knows better, what its
 * files and checks say, is written over them.
 */
#include "agent/services/services_internal.h"

#include <errno.h>
#include <string.h>

#include <utlist.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/system/log.h"

/* Its record is what we wrote last, or is not there yet. */
static bool services_is_busy(const struct services_entry *entry)
{
    return entry->n_writing > 0 || entry->is_held || entry->is_dirty ||
           !entry->is_written;
}

static bool services_bodies_equal(const struct body_service *a,
                                  const struct body_service *b)
{
    uint8_t bytes[2][LIMIT_RECORD_SIZE];
    size_t sizes[2];

    return body_put_service(a, bytes[0], sizeof(bytes[0]), &sizes[0]) == 0 &&
           body_put_service(b, bytes[1], sizeof(bytes[1]), &sizes[1]) == 0 &&
           sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0;
}

/* The entry's record is another than we wrote. */
static void services_follow(struct services_entry *entry,
                            const struct body_service *service)
{
    struct body_service *ours = &entry->registration.service;
    uint8_t health = ours->health;

    if (services_bodies_equal(ours, service)) {
        return;
    }
    log_info("function=%s instance=%s: a newer record of this node came back",
             ours->function, ours->instance);
    if (entry->source == NULL) {
        *ours = *service;
        if (entry->checker == NULL || health == service->health) {
            return;
        }
        ours->health = health;
    }
    (void)services_write_or_log(entry, false); /* tried again */
}

static int services_review_record(const struct record *record, void *data)
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
    entry = services_find(services, registration.service.function,
                          registration.service.instance);
    if (entry == NULL) {
        log_info("function=%s instance=%s: registered by a record of this node "
                 "that came back",
                 registration.service.function, registration.service.instance);
        error = services_entry_new(services, &registration, &entry);
        if (error != 0) {
            return error;
        }
        entry->is_written = true;
    } else if (!services_is_busy(entry)) {
        services_follow(entry, &registration.service);
    }
    entry->is_seen = true;
    return 0;
}

/* No record is there any more: one that ends it came back. */
static void services_end(struct services_entry *entry)
{
    if (entry->source != NULL) {
        (void)services_write_or_log(entry, false); /* tried again */
        return;
    }
    log_info("function=%s instance=%s: ended by a record of this node that "
             "came back",
             entry->registration.service.function,
             entry->registration.service.instance);
    services_forget(entry);
    services_entry_cancel(entry, -ECANCELED);
    services_entry_free(entry);
}

void services_returned_review(struct services *services)
{
    uint64_t n_returned = node_n_returned(services->core->node);
    struct services_entry *entry = NULL;
    struct services_entry *next = NULL;

    /* What is on its way to the disk, a removal too, comes first: the view
     * changes with it, and this is asked again. */
    if (!services->is_loaded || n_returned == services->n_returned ||
        node_n_pending(services->core->node) > 0) {
        return;
    }
    DL_FOREACH (services->entries, entry) {
        entry->is_seen = false;
    }
    if (node_records_each(services->core->node, RECORD_SERVICE,
                          services_review_record, services) != 0) {
        log_error("records that came back not looked at: out of memory; tried "
                  "again");
        return;
    }
    DL_FOREACH_SAFE(services->entries, entry, next)
    {
        if (!entry->is_seen && !services_is_busy(entry)) {
            services_end(entry);
        }
    }
    services->n_returned = n_returned;
    services_findings_review(services);
}
