/*
 * What an earlier life left: the number of the last boot and the records.
 * Runs before the store thread and the loop, on the caller's thread.
 */
#include "agent/core/core_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "agent/core/store_thread.h"
#include "agent/config/config.h"
#include "agent/core/poison.h"
#include "agent/identity/token_ledger.h"
#include "agent/system/log.h"
#include "gossip/base/cursor.h"
#include "store/store.h"

/* Setting: the number of the last boot, u32. */
#define CORE_SETTING_BOOT "boot"

/* The highest number that a start of this node has had. */
static int core_load_boot(struct store *store, const uint8_t *writer,
                          uint64_t *ret_boot)
{
    struct record_order high = {0};
    uint8_t bytes[4] = {0};
    struct reader reader = reader_init(bytes, sizeof(bytes));
    uint64_t boot = 0;
    size_t size;
    int error = store_get_setting(store, CORE_SETTING_BOOT, bytes,
                                  sizeof(bytes), &size);

    if (error == 0 && size == sizeof(bytes)) {
        boot = reader_u32(&reader);
    } else if (error < 0) {
        return error;
    }
    error = store_high_water(store, writer, &high);
    if (error < 0) {
        return error;
    }
    *ret_boot = MAX_OF(boot, high.epoch >> 32);
    return 0;
}

/* With the time, unless that is 0. */
static int core_load_keep_boot(struct store *store, uint32_t boot,
                               uint64_t floor_ms)
{
    uint8_t bytes[4];
    uint8_t clock[STORE_THREAD_CLOCK_SIZE];
    struct writer out = writer_init(bytes, sizeof(bytes));
    struct writer clock_out = writer_init(clock, sizeof(clock));
    struct store_batch *batch = NULL;
    int error = store_batch_begin(store, &batch);

    if (error != 0) {
        return error;
    }
    writer_u32(&out, boot);
    writer_u64(&clock_out, floor_ms);
    error = store_put_setting(batch, CORE_SETTING_BOOT, bytes, sizeof(bytes));
    if (error == 0 && floor_ms != 0) {
        error =
            store_put_setting(batch, STORE_THREAD_CLOCK, clock, sizeof(clock));
    }
    if (error != 0) {
        store_batch_abort(batch);
        return error;
    }
    return store_batch_commit(batch);
}

int core_load_restored(struct store *store,
                       const uint8_t writer[RECORD_WRITER_SIZE],
                       uint64_t taken_s, uint64_t now_s)
{
    uint64_t boot = 0;
    int error = core_load_boot(store, writer, &boot);

    if (error != 0) {
        return error;
    }
    /* A start takes longer than a second; for clocks that are wrong, more. */
    boot += CORE_RESTORED_BOOTS + (now_s > taken_s ? now_s - taken_s : 0);
    return boot >= UINT32_MAX ? -EOVERFLOW
                              : core_load_keep_boot(store, (uint32_t)boot, 0);
}

int core_load_epoch(struct store *store,
                    const uint8_t writer[RECORD_WRITER_SIZE], uint64_t floor_ms,
                    uint64_t *ret_epoch)
{
    uint64_t boot = 0;
    int error = core_load_boot(store, writer, &boot);

    if (error != 0) {
        return error;
    }
    boot++;
    if (boot > UINT32_MAX) {
        return -EOVERFLOW; /* four thousand million starts */
    }
    error = core_load_keep_boot(store, (uint32_t)boot, floor_ms);
    if (error == 0) {
        *ret_epoch = (boot << 32) | randombytes_random();
    }
    return error;
}

bool core_examine(const uint8_t *bytes, size_t size, void *data)
{
    return poison_begin(((struct core *)data)->poison, POISON_RECORD, bytes,
                        size);
}

void core_examined(void *data)
{
    poison_end(((struct core *)data)->poison, POISON_RECORD);
}

void core_load_poison(struct core *core)
{
    _cleanup_(free_pointer) char *path = NULL;
    int error = -ENOMEM;

    if (asprintf(&path, "%s/poison", core->config->run_dir) >= 0) {
        error = poison_open(path, &core->poison);
    } else {
        path = NULL;
    }
    if (error != 0) {
        log_warning("what kills this agent will not be noted: %s/poison: %s",
                    core->config->run_dir, strerror(-error));
    }
}

void core_load_close(struct core *core)
{
    core->poison = poison_close(core->poison);
}

/* One pass over the stored records. */
struct core_loading {
    struct node *node;
    uint64_t wall_ms;
    int rank; /* of the kinds that it takes */
    size_t n_loaded;
    size_t n_refused; /* in this pass */
    int error;
};

enum {
    CORE_LOAD_CHARTERS = 0,
    CORE_LOAD_CERTIFICATES = 1,
    CORE_LOAD_EVIDENCE = 2,
    CORE_LOAD_OTHERS = 3,
};

/* Charters say whose certificates count, certificates whose records; a frozen
 * writer is one before its records are looked at. */
static int core_load_rank(uint8_t kind)
{
    switch (kind) {
    case RECORD_CHARTER:
        return CORE_LOAD_CHARTERS;
    case RECORD_CERTIFICATE:
        return CORE_LOAD_CERTIFICATES;
    case RECORD_EVIDENCE:
        return CORE_LOAD_EVIDENCE;
    default:
        return CORE_LOAD_OTHERS;
    }
}

/* Ends the walk over the store: loading->error has the reason. */
#define CORE_LOAD_E_STOP 1

static int core_load_record(const uint8_t *bytes, size_t size, void *data)
{
    struct core_loading *loading = data;
    struct record record;
    int error = record_parse(bytes, size, &record);

    if (error == 0 && core_load_rank(record.kind) != loading->rank) {
        return 0;
    }
    if (error == 0) {
        error = node_load(loading->node, bytes, size, loading->wall_ms);
    }
    if (error == 0) {
        loading->n_loaded++;
    } else if (error > 0) {
        loading->n_refused += error != NODE_LOAD_KNOWN;
    } else {
        loading->error = error;
        return CORE_LOAD_E_STOP;
    }
    return 0;
}

static int core_load_once(struct store *store, struct core_loading *loading)
{
    int error;

    loading->n_refused = 0;
    error = store_records_each(store, core_load_record, loading);
    return loading->error != 0 ? loading->error : MIN_OF(error, 0);
}

/* Again as long as that brings more: in the order of the store a record may be
 * met before the one that allows it. */
static int core_load_pass(struct store *store, struct core_loading *loading,
                          int rank)
{
    size_t n_before;
    int error;

    loading->rank = rank;
    do {
        n_before = loading->n_loaded;
        error = core_load_once(store, loading);
    } while (error == 0 && rank <= CORE_LOAD_CERTIFICATES &&
             loading->n_refused > 0 && loading->n_loaded > n_before);
    return error;
}

int core_load_records(struct store *store, struct node *node, uint64_t wall_ms)
{
    struct core_loading loading = {.node = node, .wall_ms = wall_ms};
    size_t n_certificates = 0;
    int error = 0;

    for (int rank = CORE_LOAD_CHARTERS; rank <= CORE_LOAD_OTHERS && error == 0;
         rank++) {
        error = core_load_pass(store, &loading, rank);
        if (rank == CORE_LOAD_CERTIFICATES) {
            n_certificates = loading.n_loaded;
        }
    }
    if (error == 0) {
        log_info("records loaded certificates=%zu others=%zu refused=%zu",
                 n_certificates, loading.n_loaded - n_certificates,
                 loading.n_refused);
    }
    return error;
}

struct core_load_tokens_walk {
    struct core *core;
    size_t n_left_out;
    int error;
};

static int core_load_token(const struct store_token *token, void *data)
{
    struct core_load_tokens_walk *walk = data;
    int error = token_ledger_put(walk->core->tokens, token,
                                 core_wall_ms(walk->core) / 1000);

    walk->n_left_out += error == -ENOBUFS;
    walk->error = error == -ENOBUFS ? 0 : error;
    return walk->error != 0 ? CORE_LOAD_E_STOP : 0;
}

int core_load_tokens(struct core *core, struct store *store)
{
    struct core_load_tokens_walk walk = {.core = core};
    int error = token_ledger_new(&core->tokens);

    if (error == 0) {
        error = store_tokens_each(store, core_load_token, &walk);
        error = error == CORE_LOAD_E_STOP ? walk.error : error;
    }
    if (walk.n_left_out > 0) {
        log_warning("%zu tokens are not shown in status: more than %d may "
                    "still be used",
                    walk.n_left_out, TOKEN_LEDGER_MAX);
    }
    if (error > 0 || error == -EBADMSG) {
        log_warning("tokens cannot be read: %s", store_error_text(error));
        error = 0; /* each is refused when it is used */
    }
    return error;
}
