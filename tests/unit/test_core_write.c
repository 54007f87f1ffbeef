/*
 * agent/core/core_write.c: who writes a record is answered, whatever memory
 * lacks on the way.  Core is put together here of a real node (puppet.h), a
 * real store thread and a loop; each allocation of a write, from the call to
 * its answer, fails once.
 */
#include "tests/unit/puppet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/catalog/catalog.h"
#include "agent/core/core_internal.h"
#include "agent/core/events.h"
#include "agent/core/store_thread.h"
#include "agent/identity/identity.h"
#include "agent/config/config.h"
#include "agent/system/file.h"
#include "agent/system/log.h"
#include "store/store.h"
#include "tests/unit/heap.h"
#include "tests/unit/scratch.h"

/* More than one write allocates. */
#define WRITE_ALLOCATIONS_MAX 500
#define WRITE_WAIT_MS         20000

struct fixture {
    struct puppets puppets;
    struct scratch scratch;
    uv_loop_t loop;
    uv_timer_t guard;
    bool is_late;
    struct core core;
    struct core_internal internal;
    struct identity identity; /* of puppet 0 */
    struct config config;
    unsigned n_done;
    int error;
};

static void on_catalog(void *data)
{
    (void)data; /* nobody looks */
}

static void on_guard(uv_timer_t *timer)
{
    struct fixture *fixture = timer->data;

    fixture->is_late = true;
}

static void on_written(struct core *core, int error, struct record_order order,
                       void *data)
{
    struct fixture *fixture = data;

    (void)core;
    (void)order;
    fixture->n_done++;
    fixture->error = error;
}

static void drop(void *data, const struct endpoint *endpoint,
                 const uint8_t *bytes, size_t size)
{
    (void)data; /* no network */
    (void)endpoint;
    (void)bytes;
    (void)size;
}

static void start_handles(struct fixture *fixture)
{
    struct core_internal *internal = &fixture->internal;

    assert_int_equal(uv_timer_init(&fixture->loop, &internal->tick), 0);
    assert_int_equal(uv_timer_init(&fixture->loop, &internal->view_timer), 0);
    assert_int_equal(uv_check_init(&fixture->loop, &internal->check), 0);
    assert_int_equal(uv_idle_init(&fixture->loop, &internal->idle), 0);
    assert_int_equal(uv_timer_init(&fixture->loop, &fixture->guard), 0);
    internal->tick.data = &fixture->core;
    internal->view_timer.data = &fixture->core;
    assert_int_equal(uv_timer_init(&fixture->loop, &internal->identity_timer),
                     0);
    internal->identity_timer.data = &fixture->core;
    internal->check.data = &fixture->core;
    fixture->guard.data = fixture;
    core_view_start(&fixture->core);
}

/* Who it is, as the state directory has it. */
static void make_identity(struct fixture *fixture)
{
    const struct puppets *puppets = &fixture->puppets;
    struct identity *identity = &fixture->identity;
    const uint8_t *hash = NULL;

    memcpy(identity->sign_public, puppets->keys[0].sign_public, 32);
    memcpy(identity->exchange_public, puppets->keys[0].exchange_public, 32);
    memcpy(identity->certificate, puppets->certificates[0].bytes,
           puppets->certificates[0].size);
    identity->certificate_size = puppets->certificates[0].size;
    memcpy(identity->genesis.roots[0], puppets->root.sign_public, 32);
    identity->genesis.n_roots = 1;
    identity->genesis.threshold = 1;
    memcpy(identity->genesis.cluster_id, (const uint8_t[2]){0xc1, 0xc2}, 2);
    identity->charters.size = puppets->charter.size;
    identity->charters.bytes = malloc(puppets->charter.size);
    assert_non_null(identity->charters.bytes);
    memcpy(identity->charters.bytes, puppets->charter.bytes,
           puppets->charter.size);
    identity->charters.charter = *node_charter(puppets->node, &hash);
    memcpy(identity->charters.hash, hash, sizeof(identity->charters.hash));
    fixture->config.state_dir = fixture->scratch.path;
    fixture->core.identity = identity;
    fixture->core.config = &fixture->config;
}

static int setup(void **state)
{
    static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};
    static const struct prefix range = {.address = {4, {10, 96}}, .len = 16};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct store *store = NULL;
    struct core *core;

    assert_non_null(fixture);
    core = &fixture->core;
    puppets_start(&fixture->puppets, 2);
    fixture->scratch = scratch_make();
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(
        store_open(scratch_path(&fixture->scratch, "db"), cluster, &store), 0);
    assert_int_equal(
        store_thread_new(&fixture->loop, store, NULL, NULL, &core->store), 0);
    core->loop = &fixture->loop;
    core->internal = &fixture->internal;
    core->node = fixture->puppets.node;
    make_identity(fixture);
    core->transport.send = drop;
    core->listeners[0].catalog_changed = on_catalog;
    assert_int_equal(events_new(&core->events), 0);
    assert_int_equal(catalog_new(cluster, &range, &core->catalog), 0);
    assert_int_equal(node_actions_new(&fixture->internal.actions), 0);
    start_handles(fixture);
    *state = fixture;
    return 0;
}

static void close_handle(uv_handle_t *handle, void *data)
{
    (void)data; /* none */
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct core *core = &fixture->core;

    (void)heap_off();
    core->store = store_thread_free(core->store);
    core_write_cancel(core);
    core_identity_end(core);
    charters_done(&fixture->identity.charters);
    uv_walk(&fixture->loop, close_handle, NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    core->catalog = catalog_free(core->catalog);
    core->events = events_free(core->events);
    node_actions_free(fixture->internal.actions);
    puppets_end(&fixture->puppets);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

/* Writes "redis/INSTANCE" with this body and waits for the answer; what was
 * answered, or what core_write said. */
static int write_one(struct fixture *fixture, const char *instance,
                     unsigned fail_at, bool *ret_has_failed)
{
    struct body_service body = {.function = "redis",
                                .protocol = 6,
                                .port = 6379,
                                .address = {4, {10, 70, 0, 20}},
                                .weight = 100};
    uint8_t packed[512];
    char key[LIMIT_KEY_SIZE];
    size_t size = 0;
    int result;

    (void)snprintf(body.instance, sizeof(body.instance), "%s", instance);
    (void)snprintf(key, sizeof(key), "redis/%s", instance);
    assert_int_equal(body_put_service(&body, packed, sizeof(packed), &size), 0);
    fixture->n_done = 0;
    fixture->is_late = false;
    assert_int_equal(
        uv_timer_start(&fixture->guard, on_guard, WRITE_WAIT_MS, 0), 0);
    heap_fail_at(fail_at);
    result = core_write(&fixture->core, RECORD_SERVICE, (const uint8_t *)key,
                        strlen(key), packed, size, on_written, fixture);
    while (result == 0 && fixture->n_done == 0 && !fixture->is_late) {
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    *ret_has_failed = heap_off();
    assert_false(fixture->is_late);
    assert_int_equal(fixture->n_done, result == 0 ? 1 : 0);
    return result != 0 ? result : fixture->error;
}

static bool is_in_view(struct fixture *fixture, const char *instance)
{
    char key[LIMIT_KEY_SIZE];
    struct record record;

    (void)snprintf(key, sizeof(key), "redis/%s", instance);
    return node_record_find(
        fixture->core.node, fixture->puppets.keys[0].sign_public,
        RECORD_SERVICE, (const uint8_t *)key, strlen(key), &record);
}

/* Whoever writes is answered once; what was promised comes into the view, and
 * what was refused succeeds when it is tried again. */
static void test_each_allocation(void **state)
{
    struct fixture *fixture = *state;
    bool has_failed = true;
    unsigned n_refused = 0;

    for (unsigned n = 1; has_failed; n++) {
        char instance[16];
        bool ignored;
        int result;

        assert_true(n < WRITE_ALLOCATIONS_MAX);
        (void)snprintf(instance, sizeof(instance), "i%u", n); /* fits */
        result = write_one(fixture, instance, n, &has_failed);
        if (result != 0) {
            n_refused++;
            assert_int_equal(result, -ENOMEM);
            assert_false(is_in_view(fixture, instance));
            assert_int_equal(write_one(fixture, instance, 0, &ignored), 0);
        }
        /* On disk, it may be a tick away from the view. */
        assert_int_equal(
            uv_timer_start(&fixture->guard, on_guard, WRITE_WAIT_MS, 0), 0);
        while (!is_in_view(fixture, instance) && !fixture->is_late) {
            (void)uv_run(&fixture->loop, UV_RUN_ONCE);
        }
        assert_false(fixture->is_late);
        assert_int_equal(fixture->internal.n_storing, 0);
        assert_null(fixture->internal.waiting);
    }
    assert_true(n_refused >= 4);
}

/* --- Records that others signed ----------------------------------------------
 */

struct search {
    const struct puppet_record *record;
    bool is_found;
    bool is_done;
};

static int compare(const uint8_t *bytes, size_t size, void *data)
{
    struct search *search = data;

    search->is_found |= size == search->record->size &&
                        memcmp(bytes, search->record->bytes, size) == 0;
    return 0;
}

static int search_store(struct store *store, void *data)
{
    return store_records_each(store, compare, data);
}

static void on_searched(int error, void *data)
{
    struct search *search = data;

    assert_int_equal(error, 0);
    search->is_done = true;
}

/* Asked before anything else can be written. */
static bool is_on_disk(struct fixture *fixture,
                       const struct puppet_record *record)
{
    struct search search = {.record = record};

    assert_int_equal(store_thread_call(fixture->core.store, search_store,
                                       on_searched, &search),
                     0);
    while (!search.is_done) {
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    return search.is_found;
}

static void on_offered(struct core *core, int error, void *data)
{
    on_written(core, error, (struct record_order){0}, data);
}

/* What core_offer or its callback said; the node's word in *ret_result. */
static int offer_one(struct fixture *fixture,
                     const struct puppet_record *record, unsigned fail_at,
                     bool *ret_has_failed, enum node_offer_result *ret_result)
{
    int error;

    fixture->n_done = 0;
    fixture->is_late = false;
    assert_int_equal(
        uv_timer_start(&fixture->guard, on_guard, WRITE_WAIT_MS, 0), 0);
    heap_fail_at(fail_at);
    error = core_offer(&fixture->core, record->bytes, record->size, on_offered,
                       fixture, ret_result);
    assert_int_equal(fixture->n_done, 0); /* never from inside */
    while (error == 0 && *ret_result <= NODE_OFFER_KNOWN &&
           fixture->n_done == 0 && !fixture->is_late) {
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    *ret_has_failed = heap_off();
    assert_false(fixture->is_late);
    return error != 0 ? error : fixture->n_done > 0 ? fixture->error : 0;
}

/* Who hands a record in is told when it is on disk, not before; also when it
 * is known already. */
static void test_offer_is_on_disk(void **state)
{
    struct fixture *fixture = *state;
    enum node_offer_result result;
    struct puppet_record record;
    bool ignored;

    puppet_service(&fixture->puppets, 1, "x", PUPPET_WALL_MS, &record);
    assert_int_equal(offer_one(fixture, &record, 0, &ignored, &result), 0);
    assert_int_equal(result, NODE_OFFER_TAKEN);
    assert_int_equal(fixture->n_done, 1);
    assert_true(is_on_disk(fixture, &record));
    assert_int_equal(offer_one(fixture, &record, 0, &ignored, &result), 0);
    assert_int_equal(result, NODE_OFFER_KNOWN);
    assert_int_equal(fixture->n_done, 1);
    /* One that came from a peer a moment ago is not on disk yet. */
    puppet_service(&fixture->puppets, 1, "y", PUPPET_WALL_MS, &record);
    puppet_send_record(&fixture->puppets, 1, &record);
    assert_false(is_on_disk(fixture, &record));
    assert_int_equal(offer_one(fixture, &record, 0, &ignored, &result), 0);
    assert_int_equal(result, NODE_OFFER_KNOWN);
    assert_true(is_on_disk(fixture, &record));
    record.bytes[0]++; /* a version of its own */
    assert_int_equal(offer_one(fixture, &record, 0, &ignored, &result), 0);
    assert_int_equal(result, NODE_OFFER_MALFORMED);
    assert_int_equal(fixture->n_done, 0);
    assert_null(fixture->internal.waiting);
}

/* Each allocation of it fails once: told so, or on disk. */
static void test_offer_without_memory(void **state)
{
    struct fixture *fixture = *state;
    bool has_failed = true;
    unsigned n_refused = 0;

    for (unsigned n = 1; has_failed; n++) {
        enum node_offer_result result = NODE_OFFER_TAKEN;
        struct puppet_record record;
        char instance[16];

        assert_true(n < WRITE_ALLOCATIONS_MAX);
        (void)snprintf(instance, sizeof(instance), "o%u", n); /* fits */
        puppet_service(&fixture->puppets, 1, instance, PUPPET_WALL_MS, &record);
        if (offer_one(fixture, &record, n, &has_failed, &result) != 0) {
            n_refused++;
            assert_int_equal(
                offer_one(fixture, &record, 0, &(bool){false}, &result), 0);
        }
        assert_true(result <= NODE_OFFER_KNOWN);
        assert_true(is_on_disk(fixture, &record));
        assert_int_equal(fixture->internal.n_storing, 0);
        assert_null(fixture->internal.waiting);
    }
    assert_true(n_refused >= 4);
}

/* --- What this node is -------------------------------------------------------
 */

static bool has_file(const struct fixture *fixture, const char *name,
                     const uint8_t *bytes, size_t size)
{
    uint8_t found[8192];
    size_t found_size = 0;

    return file_read(scratch_path(&fixture->scratch, name), found,
                     sizeof(found), &found_size) == 0 &&
           found_size == size && memcmp(found, bytes, size) == 0;
}

/* The view changed; until the file is this. */
static void run_until_file(struct fixture *fixture, const char *name,
                           const uint8_t *bytes, size_t size)
{
    fixture->is_late = false;
    assert_int_equal(
        uv_timer_start(&fixture->guard, on_guard, WRITE_WAIT_MS, 0), 0);
    core_view_changed(&fixture->core);
    while (!has_file(fixture, name, bytes, size) ||
           fixture->internal.is_identity_writing) {
        assert_false(fixture->is_late);
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    assert_int_equal(uv_timer_stop(&fixture->guard), 0);
}

/* A renewal comes by gossip: this node has it from then on, in the file too. */
static void test_newer_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct puppets *puppets = &fixture->puppets;
    struct body_certificate body = puppet_body(&puppets->keys[0], 0);
    struct puppet_record record;

    body.not_after_s += 1000;
    puppet_certify(puppets, PUPPET_ROOT, 0, PUPPET_WALL_MS, &body, &record);
    puppet_send_record(puppets, 1, &record);
    assert_true(fixture->identity.body.not_after_s != body.not_after_s);
    run_until_file(fixture, "certificate", record.bytes, record.size);
    assert_true(fixture->identity.body.not_after_s == body.not_after_s);
    assert_int_equal(fixture->identity.certificate_size, record.size);
}

/* Another charter: the catalogue has its range, the file both charters. */
static void test_newer_charter(void **state)
{
    struct fixture *fixture = *state;
    struct puppets *puppets = &fixture->puppets;
    struct body_charter charter = fixture->identity.charters.charter;
    struct address address;
    struct puppet_record record;
    uint8_t both[2 * LIMIT_RECORD_SIZE];

    charter.generation++;
    memcpy(charter.previous, fixture->identity.charters.hash,
           sizeof(charter.previous));
    charter.n_signatures = 0;
    charter.services[0] = (struct prefix){{4, {100, 112}}, 12};
    assert_int_equal(body_sign_charter(fixture->identity.genesis.cluster_id,
                                       puppets->root.sign_secret, &charter),
                     0);
    puppet_charter(puppets, &charter, &puppets->root, PUPPET_WALL_MS, &record);
    puppet_send_record(puppets, 1, &record);
    memcpy(both, puppets->charter.bytes, puppets->charter.size);
    memcpy(both + puppets->charter.size, record.bytes, record.size);
    run_until_file(fixture, "charter", both,
                   puppets->charter.size + record.size);
    catalog_slot_address(fixture->core.catalog, "redis", 0, &address);
    assert_true(prefix_contains(&charter.services[0], &address));
    assert_int_equal(fixture->identity.charters.charter.generation, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_allocation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offer_is_on_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offer_without_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_newer_certificate, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_newer_charter, setup, teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
