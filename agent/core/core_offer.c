/*
 * Finished records that the local owner hands in.  They enter the view at once,
 * as those of peers do; who handed one in is told when it is on disk.
 */
#include "agent/core/core_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/core/store_thread.h"
#include "agent/system/log.h"
#include "gossip/base/macros.h"

/* A record on its way in: freed when the store has answered, or when it turns
 * out that there is nothing to store. */
struct core_offering {
    struct core *core;
    core_offered_fn done;
    void *data;
    struct core_waiting *waiting;
    bool is_storing;
    int error; /* the store could not even be asked */
    size_t size;
    uint8_t bytes[];
};

static void told(struct core *core, int error, struct record_order order,
                 void *data)
{
    struct core_offering *offering = data;

    (void)order; /* nobody's number */
    offering->done(core, error, offering->data);
    free(offering);
}

/* Others have it by now: it is not lost, and stays to be written. */
static void keep_trying(struct core_offering *offering)
{
    int error = store_thread_put_foreign(offering->core->store, offering->bytes,
                                         offering->size);

    if (error != 0) {
        log_warning("record not stored: %s", store_error_text(error));
    }
}

static void on_stored(int error, void *data)
{
    struct core_offering *offering = data;
    struct core *core = offering->core;

    core->internal->n_storing--;
    if (error == -ECANCELED) {
        return; /* the end: core_write_cancel tells, and frees */
    }
    if (error != 0) {
        keep_trying(offering);
    }
    core_write_done(core, offering->waiting, error);
}

static int store(struct core_offering *offering, const uint8_t *bytes,
                 size_t size)
{
    struct core *core = offering->core;
    int error =
        store_thread_put_own(core->store, bytes, size, on_stored, offering);

    if (error == 0) {
        core->internal->n_storing++;
        offering->is_storing = true;
    }
    offering->error = error;
    return error;
}

bool core_offer_store(struct core *core, const uint8_t *bytes, size_t size)
{
    struct core_offering *offering = core->internal->offering;

    return offering != NULL && !offering->is_storing &&
           size == offering->size &&
           memcmp(bytes, offering->bytes, size) == 0 &&
           store(offering, bytes, size) == 0;
}

/* One that is known may have come a moment ago, and be on its way to the disk:
 * it is written as the view has it. */
static void store_known(struct core_offering *offering)
{
    struct record offered, known;

    if (record_parse(offering->bytes, offering->size, &offered) == 0 &&
        node_record_find(offering->core->node, offered.writer, offered.kind,
                         offered.key, offered.key_size, &known)) {
        (void)store(offering, known.bytes, known.size); /* offering->error */
    }
}

static int offering_new(struct core *core, const uint8_t *bytes, size_t size,
                        core_offered_fn done, void *data,
                        struct core_offering **ret)
{
    struct core_offering *offering = calloc(1, sizeof(*offering) + size);
    int error;

    if (offering == NULL) {
        return -ENOMEM;
    }
    offering->core = core;
    offering->done = done;
    offering->data = data;
    offering->size = size;
    memcpy(offering->bytes, bytes, size);
    error = core_write_prepare(core, told, offering, &offering->waiting);
    if (error != 0) {
        free(offering);
        return error;
    }
    *ret = offering;
    return 0;
}

int core_offer(struct core *core, const uint8_t *bytes, size_t size,
               core_offered_fn done, void *data,
               enum node_offer_result *ret_result)
{
    /* Of one that core has died on the node hears nothing. */
    struct node_offered offered = {.result = NODE_OFFER_SET_ASIDE};
    struct node_event event = {.type = NODE_EVENT_OFFER,
                               .bytes = bytes,
                               .size = size,
                               .offered = &offered};
    struct core_offering *offering = NULL;
    int error = offering_new(core, bytes, size, done, data, &offering);

    if (error != 0) {
        return error;
    }
    DL_APPEND(core->internal->waiting, offering->waiting);
    core->internal->offering = offering;
    core_step(core, &event);
    core->internal->offering = NULL;
    if (offered.result == NODE_OFFER_KNOWN) {
        store_known(offering);
    }
    if (offered.result != NODE_OFFER_TAKEN &&
        offered.result != NODE_OFFER_KNOWN) {
        DL_DELETE(core->internal->waiting, offering->waiting);
        free(offering->waiting);
        free(offering);
    } else if (!offering->is_storing) {
        core_write_done(core, offering->waiting, offering->error);
    }
    if (offered.result < 0) {
        return offered.result;
    }
    *ret_result = (enum node_offer_result)offered.result;
    return 0;
}
