/*
 * See services_fixture.h.  Functions of core, store and libuv that services
 * calls are defined here instead.
 */
#include "tests/unit/services_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <utlist.h>

#include "agent/catalog/catalog.h"
#include "agent/core/events.h"
#include "agent/core/store_thread.h"
#include "agent/core/worker_link.h"
#include "tests/unit/heap.h"

/* Something asked of core or the store, and not answered yet. */
struct stage_pending {
    struct stage_pending *next;
    bool is_record;
    bool is_removal;
    bool is_call;
    int call_error;
    char name[SERVICES_SETTING_NAME_SIZE];
    struct body_service service;
    char text[512];
    core_written_fn record_done;
    store_thread_done_fn setting_done;
    void *data;
};

struct services_stage stage;

/* --- core ------------------------------------------------------------------
 */

static struct stage_pending *pending_new(const char *name, size_t len,
                                         bool is_record)
{
    struct stage_pending *pending = calloc(1, sizeof(*pending));

    if (pending != NULL) {
        assert_true(len < sizeof(pending->name));
        memcpy(pending->name, name, len);
        pending->is_record = is_record;
        LL_APPEND(stage.pending, pending);
    }
    return pending;
}

static struct record record_of(const char *key, const uint8_t *body,
                               size_t body_size)
{
    return (struct record){.kind = RECORD_SERVICE,
                           .writer = stage.identity.sign_public,
                           .key = (const uint8_t *)key,
                           .key_size = strlen(key),
                           .body = body,
                           .body_size = body_size};
}

int core_write(struct core *core, uint8_t kind, const uint8_t *key,
               size_t key_size, const uint8_t *body, size_t body_size,
               core_written_fn done, void *data)
{
    struct stage_pending *pending;
    struct record record;

    assert_ptr_equal(core, &stage.core);
    assert_int_equal(kind, RECORD_SERVICE);
    if (stage.write_error != 0) {
        return stage.write_error;
    }
    pending = pending_new((const char *)key, key_size, true);
    if (pending == NULL) {
        return -ENOMEM;
    }
    record = record_of(pending->name, body, body_size);
    assert_int_equal(body_get_service(&record, &pending->service), 0);
    pending->record_done = done;
    pending->data = data;
    return 0;
}

size_t node_n_pending(const struct node *node)
{
    (void)node;
    return stage.pending != NULL ? 1 : 0;
}

uint64_t node_n_returned(const struct node *node)
{
    (void)node;
    return stage.n_returned;
}

int core_remove(struct core *core, uint8_t kind, const uint8_t *key,
                size_t key_size, core_written_fn done, void *data)
{
    struct stage_pending *pending;
    char name[SERVICES_KEY_SIZE] = "";

    assert_ptr_equal(core, &stage.core);
    assert_int_equal(kind, RECORD_SERVICE);
    memcpy(name, key, key_size);
    if (services_stage_record(name) == NULL) {
        return NODE_E_NOT_FOUND;
    }
    pending = pending_new(name, key_size, true);
    if (pending == NULL) {
        return -ENOMEM;
    }
    pending->is_removal = true;
    pending->record_done = done;
    pending->data = data;
    return 0;
}

int core_write_nothing(struct core *core, core_written_fn done, void *data)
{
    struct stage_pending *pending = pending_new("", 0, true);

    assert_ptr_equal(core, &stage.core);
    if (pending == NULL) {
        return -ENOMEM;
    }
    pending->record_done = done;
    pending->data = data;
    return 0;
}

int node_records_each(const struct node *node, uint8_t kind, node_record_fn fn,
                      void *data)
{
    static const uint8_t foreign[RECORD_WRITER_SIZE] = {1};
    int result = 0;

    (void)node;
    assert_int_equal(kind, RECORD_SERVICE);
    for (size_t i = 0; i < STAGE_MAX && result == 0; i++) {
        const struct stage_kept *kept = &stage.records[i];
        uint8_t body[LIMIT_RECORD_SIZE];
        struct record record;
        size_t size;

        if (kept->is_there) {
            assert_int_equal(
                body_put_service(&kept->service, body, sizeof(body), &size), 0);
            record = record_of(kept->name, body, size);
            record.writer = kept->is_foreign ? foreign : record.writer;
            result = fn(&record, data);
        }
    }
    return result;
}

const struct catalog_function *catalog_find_any(const struct catalog *catalog,
                                                const char *name)
{
    (void)catalog;
    (void)name;
    return NULL;
}

uint16_t catalog_free_slot(const struct catalog *catalog, const char *name)
{
    (void)catalog;
    (void)name;
    return stage.free_slot;
}

const char *worker_link_neighbor_port(const struct worker_link *link,
                                      const struct address *address)
{
    (void)link;
    (void)address;
    return "";
}

bool worker_link_knows(const struct worker_link *link)
{
    (void)link;
    return stage.worker_knows;
}

const char *worker_link_refusal(const struct worker_link *link,
                                const struct address *address,
                                const char *function, uint8_t protocol,
                                uint16_t port)
{
    (void)link;
    (void)address;
    (void)function;
    (void)protocol;
    (void)port;
    return stage.refusal;
}

const char *worker_link_port_problem(const struct worker_link *link,
                                     const char *port_name)
{
    (void)link;
    assert_string_not_equal(port_name, "");
    return stage.port_problem;
}

void events_publish(struct events *events, const char *kind, const char *fields)
{
    (void)events;
    (void)kind;
    (void)fields;
}

/* --- the store -------------------------------------------------------------
 */

int store_thread_put_setting(struct store_thread *thread, const char *name,
                             const void *value, size_t size,
                             store_thread_done_fn done, void *data)
{
    struct stage_pending *pending = pending_new(name, strlen(name), false);

    (void)thread;
    if (pending == NULL) {
        return -ENOMEM;
    }
    assert_true(size < sizeof(pending->text));
    if (value != NULL) {
        memcpy(pending->text, value, size);
    }
    pending->is_removal = value == NULL;
    pending->setting_done = done;
    pending->data = data;
    return 0;
}

const char *store_error_text(int error)
{
    (void)error;
    return "an error";
}

static struct stage_kept *find_kept(struct stage_kept *all, const char *name)
{
    for (size_t i = 0; i < STAGE_MAX; i++) {
        if (all[i].is_there && strcmp(all[i].name, name) == 0) {
            return &all[i];
        }
    }
    return NULL;
}

int store_settings_each(struct store *store, const char *prefix,
                        store_setting_fn fn, void *data)
{
    int result = stage.read_error;

    (void)store;
    for (size_t i = 0; i < STAGE_MAX && result == 0; i++) {
        const struct stage_kept *kept = &stage.settings[i];

        if (kept->is_there &&
            strncmp(kept->name, prefix, strlen(prefix)) == 0) {
            result = fn(kept->name, kept->text, strlen(kept->text), data);
        }
    }
    return result;
}

int store_thread_call(struct store_thread *thread, store_thread_call_fn call,
                      store_thread_done_fn done, void *data)
{
    struct stage_pending *pending = pending_new("", 0, false);

    (void)thread;
    if (pending == NULL) {
        return -ENOMEM;
    }
    pending->is_call = true;
    pending->call_error = call(NULL, data);
    pending->setting_done = done;
    pending->data = data;
    return 0;
}

static void keep(struct stage_kept *all, const struct stage_pending *pending)
{
    struct stage_kept *kept = find_kept(all, pending->name);

    for (size_t i = 0; kept == NULL && i < STAGE_MAX; i++) {
        kept = all[i].is_there ? NULL : &all[i];
    }
    assert_non_null(kept);
    memcpy(kept->name, pending->name, sizeof(kept->name));
    memcpy(kept->text, pending->text, sizeof(kept->text));
    kept->service = pending->service;
    kept->is_there = !pending->is_removal;
}

static void answer_pending(const struct stage_pending *pending, bool is_ending)
{
    int error = is_ending            ? -ECANCELED
                : pending->is_call   ? pending->call_error
                : pending->is_record ? stage.commit_error
                                     : stage.setting_error;

    if (error == 0 && pending->name[0] != '\0') {
        keep(pending->is_record ? stage.records : stage.settings, pending);
    }
    if (pending->record_done != NULL) {
        pending->record_done(&stage.core, error, (struct record_order){0},
                             pending->data);
    }
    if (pending->setting_done != NULL) {
        pending->setting_done(error, pending->data);
    }
}

static void answer_all(bool is_ending)
{
    while (stage.pending != NULL) {
        struct stage_pending *pending = stage.pending;

        LL_DELETE(stage.pending, pending);
        answer_pending(pending, is_ending);
        free(pending);
    }
}

void services_stage_turn(void)
{
    answer_all(false);
}

/* --- timers and connections ------------------------------------------------
 */

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb fn, uint64_t timeout,
                          uint64_t repeat);
uint64_t __wrap_clock_now_ms(void);
int __wrap_uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp,
                          const struct sockaddr *address, uv_connect_cb fn);
void __wrap_uv_close(uv_handle_t *handle, uv_close_cb fn);
void __real_uv_close(uv_handle_t *handle, uv_close_cb fn);

static void forget_timer(const void *timer)
{
    size_t n = 0;

    for (size_t i = 0; i < stage.n_timers; i++) {
        if (stage.timers[i].timer != timer) {
            stage.timers[n++] = stage.timers[i];
        }
    }
    stage.n_timers = n;
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb fn, uint64_t timeout,
                          uint64_t repeat)
{
    assert_int_equal(repeat, 0);
    forget_timer(timer);
    assert_true(stage.n_timers < STAGE_MAX);
    stage.timers[stage.n_timers++] = (struct stage_timer){
        .timer = timer, .fn = fn, .due_ms = stage.now_ms + timeout};
    return 0;
}

uint64_t __wrap_clock_now_ms(void)
{
    return stage.now_ms;
}

int __wrap_uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp,
                          const struct sockaddr *address, uv_connect_cb fn)
{
    (void)tcp;
    (void)address;
    if (stage.connect_error != 0) {
        return stage.connect_error;
    }
    assert_true(stage.n_connects < STAGE_MAX);
    stage.connects[stage.n_connects] = request;
    stage.connect_fns[stage.n_connects++] = fn;
    return 0;
}

/* An attempt is given up by closing its socket, which its request's data
 * points to, as services_check.c has them in one struct. */
void __wrap_uv_close(uv_handle_t *handle, uv_close_cb fn)
{
    size_t n = 0;

    forget_timer(handle);
    for (size_t i = 0; i < stage.n_connects; i++) {
        if (stage.connects[i]->data != handle->data) {
            stage.connects[n] = stage.connects[i];
            stage.connect_fns[n++] = stage.connect_fns[i];
        }
    }
    stage.n_connects = n;
    __real_uv_close(handle, fn);
}

void services_stage_tick(void)
{
    struct stage_timer next;
    size_t first = 0;

    assert_true(stage.n_timers > 0);
    for (size_t i = 1; i < stage.n_timers; i++) {
        if (stage.timers[i].due_ms < stage.timers[first].due_ms) {
            first = i;
        }
    }
    next = stage.timers[first];
    stage.now_ms = next.due_ms;
    forget_timer(next.timer);
    next.fn(next.timer);
}

void services_stage_answer(int status)
{
    assert_true(stage.n_connects > 0);
    stage.connect_fns[0](stage.connects[0], status);
}

/* --- the stage -------------------------------------------------------------
 */

static void start(void)
{
    assert_int_equal(services_new(&stage.core, &stage.services), 0);
    stage.services->core->is_ready = true;
    services_start(stage.services); /* before its settings are there */
    assert_false(stage.services->is_loaded);
    services_stage_turn();
}

static void end(void)
{
    answer_all(true);
    stage.services = services_free(stage.services);
    assert_int_equal(uv_run(&stage.loop, UV_RUN_DEFAULT), 0);
}

int services_stage_setup(void **state)
{
    struct body_certificate *certificate = &stage.identity.body;

    (void)state;
    memset(&stage, 0, sizeof(stage));
    stage.free_slot = 5;
    stage.refusal = "";
    stage.port_problem = "";
    assert_int_equal(uv_loop_init(&stage.loop), 0);
    stage.core.loop = &stage.loop;
    stage.core.identity = &stage.identity;
    stage.core.config = &stage.config;
    memcpy(certificate->name, "host3", 6);
    memcpy(certificate->functions[0], "*", 2);
    certificate->n_functions = 1;
    certificate->n_subnets = 1;
    assert_int_equal(prefix_parse("10.0.3.0/24", &certificate->subnets[0]), 0);
    start();
    return 0;
}

int services_stage_teardown(void **state)
{
    (void)state;
    (void)heap_off();
    end();
    return uv_loop_close(&stage.loop);
}

void services_stage_restart(void)
{
    end();
    start();
}

void services_stage_done(struct core *core, int error, void *data)
{
    assert_ptr_equal(core, &stage.core);
    assert_ptr_equal(data, &stage);
    stage.n_done++;
    stage.done_error = error;
}

int services_stage_put(const char *text, const char *source)
{
    struct registration_problem problem = {0};
    struct registration registration;
    json_auto_t *root = json_loads(text, 0, NULL);
    char *refused = NULL;
    int error;

    if (root == NULL) {
        return -ENOMEM;
    }
    if (registration_parse(root, REGISTRATION_JSON, &registration, &problem) !=
        0) {
        fail_msg("%s: %s", problem.field, problem.what);
    }
    error = services_put(stage.services, &registration, source,
                         services_stage_done, &stage, &refused);
    assert_true(error == SERVICES_E_REFUSED || refused == NULL);
    free(refused);
    return error;
}

int services_stage_register(const char *text)
{
    return services_stage_put(text, NULL);
}

const struct body_service *services_stage_record(const char *key)
{
    const struct stage_kept *kept = find_kept(stage.records, key);

    return kept != NULL ? &kept->service : NULL;
}

const char *services_stage_setting(const char *key)
{
    char name[SERVICES_SETTING_NAME_SIZE];
    const struct stage_kept *kept;

    (void)snprintf(name, sizeof(name), "service/%s", key);
    kept = find_kept(stage.settings, name);
    return kept != NULL ? kept->text : NULL;
}
