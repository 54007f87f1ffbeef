/*
 * What this node is changes while it runs: its certificate is renewed, or the
 * roots sign a new charter.  Both come by gossip; from here the rest of core
 * has them, and the files of the state directory, so that the next start and
 * the worker have them too.  The files are written on a thread of libuv's
 * pool: the loop never waits for a disk.
 */
#include "agent/core/core_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/config/config.h"
#include "agent/identity/identity.h"
#include "agent/system/log.h"

/* Until a file that could not be written is tried again. */
#define CORE_IDENTITY_RETRY_MS 10000u

/* Both files, as they are to be: the pool's thread sees nothing else. */
struct core_identity_job {
    uv_work_t work;
    struct core *core;
    char *state_dir;
    uint8_t *charters; /* NULL: stays */
    size_t charters_size;
    uint8_t certificate[LIMIT_RECORD_SIZE];
    size_t certificate_size;
    int error;
};

/* --- What is in force --------------------------------------------------------
 */

static bool core_identity_take_certificate(struct core *core)
{
    struct identity *identity = core->identity;
    struct body_certificate body;
    struct record record;

    if (!node_certificate(core->node, identity->sign_public, &record) ||
        (record.size == identity->certificate_size &&
         memcmp(record.bytes, identity->certificate, record.size) == 0) ||
        record.size > sizeof(identity->certificate) ||
        body_get_certificate(&record, &body) != 0 ||
        memcmp(body.exchange_public, identity->exchange_public, 32) != 0) {
        return false;
    }
    memcpy(identity->certificate, record.bytes, record.size);
    identity->certificate_size = record.size;
    identity->body = body;
    log_info("own certificate serial=%016llx until_s=%llu",
             (unsigned long long)body.serial,
             (unsigned long long)body.not_after_s);
    return true;
}

struct core_identity_records {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

static int core_identity_add(const struct record *record, void *data)
{
    struct core_identity_records *records = data;

    if (record->size > records->capacity - records->size) {
        return 1; /* more than there may be */
    }
    memcpy(records->bytes + records->size, record->bytes, record->size);
    records->size += record->size;
    return 0;
}

/* The chain of charters as it is now.  0, or negative errno. */
static int core_identity_find_charters(const struct core *core,
                                       struct charters_found *ret)
{
    struct core_identity_records records = {.capacity = CHARTERS_SIZE_MAX};
    int error;

    records.bytes = malloc(records.capacity);
    if (records.bytes == NULL) {
        return -ENOMEM;
    }
    error = node_records_each(core->node, RECORD_CHARTER, core_identity_add,
                              &records);
    if (error >= 0) {
        error = charters_find(&core->identity->genesis, records.bytes,
                              records.size, ret);
    }
    free(records.bytes);
    return error;
}

static bool core_identity_take_charter(struct core *core)
{
    struct charters_found *mine = &core->identity->charters;
    struct charters_found found;
    const uint8_t *hash = NULL;

    if (node_charter(core->node, &hash) == NULL || mine->bytes == NULL ||
        memcmp(hash, mine->hash, sizeof(mine->hash)) == 0 ||
        core_identity_find_charters(core, &found) != 0) {
        return false;
    }
    charters_done(mine);
    *mine = found;
    catalog_set_range(core->catalog, &found.charter.services[0]);
    core_view_changed(core);
    core->internal->is_charter_new = true;
    log_info("charter generation=%u is in force",
             (unsigned)found.charter.generation);
    return true;
}

/* --- The files ---------------------------------------------------------------
 */

static void core_identity_work(uv_work_t *work)
{
    struct core_identity_job *job = work->data;

    job->error = 0;
    if (job->charters != NULL) {
        job->error = identity_replace_file(job->state_dir, "charter",
                                           job->charters, job->charters_size);
    }
    if (job->error == 0) {
        job->error =
            identity_replace_file(job->state_dir, "certificate",
                                  job->certificate, job->certificate_size);
    }
}

static void core_identity_free(struct core_identity_job *job)
{
    free(job->state_dir);
    free(job->charters);
    free(job);
}

static void core_identity_write(struct core *core);

static void core_identity_retry(uv_timer_t *timer)
{
    core_identity_write(timer->data);
}

static void core_identity_written(uv_work_t *work, int status)
{
    struct core_identity_job *job = work->data;
    struct core *core = job->core;
    struct core_internal *internal = core->internal;
    bool had_charter = job->charters != NULL;
    int error = status != 0 ? status : job->error;

    internal->is_identity_writing = false;
    core_identity_free(job);
    if (internal->phase == CORE_ENDING) {
        return;
    }
    if (error != 0) {
        log_warning("certificate and charter not written to %s: %s; tried "
                    "again in %u s",
                    core->config->state_dir, strerror(-error),
                    CORE_IDENTITY_RETRY_MS / 1000);
        internal->is_identity_due = true;
        internal->is_charter_new |= had_charter;
        (void)uv_timer_start(&internal->identity_timer, core_identity_retry,
                             CORE_IDENTITY_RETRY_MS,
                             0); /* fails only when closing */
        return;
    }
    if (had_charter) {
        /* It reads the charter when it starts, with the right to do so, which
         * it gives up then; its flows stand meanwhile. */
        core_want_worker(core);
    }
    if (internal->is_identity_due) {
        core_identity_write(core); /* it changed meanwhile */
    }
}

static struct core_identity_job *core_identity_job(struct core *core)
{
    const struct identity *identity = core->identity;
    struct core_identity_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    job->work.data = job;
    job->core = core;
    job->state_dir = strdup(core->config->state_dir);
    memcpy(job->certificate, identity->certificate, identity->certificate_size);
    job->certificate_size = identity->certificate_size;
    if (core->internal->is_charter_new) {
        job->charters_size = identity->charters.size;
        job->charters = malloc(job->charters_size);
        if (job->charters != NULL) {
            memcpy(job->charters, identity->charters.bytes, job->charters_size);
        }
    }
    if (job->state_dir == NULL ||
        (core->internal->is_charter_new && job->charters == NULL)) {
        core_identity_free(job);
        return NULL;
    }
    return job;
}

static void core_identity_write(struct core *core)
{
    struct core_internal *internal = core->internal;
    struct core_identity_job *job;

    if (internal->is_identity_writing || internal->phase == CORE_ENDING) {
        return;
    }
    job = core_identity_job(core);
    if (job == NULL || uv_queue_work(core->loop, &job->work, core_identity_work,
                                     core_identity_written) != 0) {
        if (job != NULL) {
            core_identity_free(job);
        }
        (void)uv_timer_start(&internal->identity_timer, core_identity_retry,
                             CORE_IDENTITY_RETRY_MS,
                             0); /* fails only when closing */
        return;
    }
    internal->is_identity_writing = true;
    internal->is_identity_due = false;
    internal->is_charter_new = false;
}

void core_identity_review(struct core *core)
{
    bool is_new = core_identity_take_certificate(core);

    if (core_identity_take_charter(core) || is_new) {
        core->internal->is_identity_due = true;
        core_identity_write(core);
    }
}

void core_identity_end(struct core *core)
{
    /* A file is written whole or not at all; it is waited for. */
    while (core->internal->is_identity_writing) {
        (void)uv_run(core->loop, UV_RUN_ONCE);
    }
}
