/*
 * See command_store.h.  What may be damaged is read here, so that LMDB's way
 * of telling that a file is cut off, a signal, is caught.
 */
#include "agent/command_store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "agent/config/config.h"
#include "agent/core/store_thread.h"
#include "agent/ctl/ctl.h"
#include "agent/identity/identity.h"
#include "agent/json/json_build.h"
#include "agent/json/json_text.h"
#include "gossip/base/address.h"
#include "gossip/wire/record.h"
#include "store/store.h"

static int fail(const char *verb, const char *directory, int error)
{
    (void)fprintf(
        stderr, "agent store %s: cannot read %s: %s\n", verb, directory,
        error == -ENOENT    ? "there is none: this host belongs to no cluster"
        : error == -EBADMSG ? "it is damaged: restore a backup (agent restore)"
                            : store_error_text(error));
    return CTL_EXIT_FAILED;
}

/* A page that the file has not, or an address that it made up. */
static void on_damage(int signum)
{
    static const char text[] =
        "agent store: the store is damaged: its file is cut off or overwritten;"
        " restore a backup (agent restore)\n";

    (void)signum;
    /* Nothing is left to do when it cannot be said. */
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(CTL_EXIT_FAILED);
}

/* 0, or the exit status with the reason printed. */
static int open_store(const struct config *config, const char *verb,
                      struct store **ret)
{
    _cleanup_(free_pointer) char *directory =
        identity_store_path(config->state_dir);
    const struct sigaction damage = {.sa_handler = on_damage};
    int error;

    if (directory == NULL) {
        return fail(verb, "the store", -ENOMEM);
    }
    (void)sigaction(SIGBUS, &damage, NULL);  /* cannot fail */
    (void)sigaction(SIGSEGV, &damage, NULL); /* likewise */
    error = store_open_readonly(directory, NULL, ret);
    return error == 0 ? 0 : fail(verb, directory, error);
}

/* --- check --- */

static void print_fault(const char *text, void *data)
{
    (void)data;
    (void)printf("%s\n", text);
}

int command_store_check(const struct config *config)
{
    struct store_checked checked = {0};
    struct store *store = NULL;
    int status = open_store(config, "check", &store);
    int error;

    if (status != 0) {
        return status;
    }
    error = store_check(store, print_fault, NULL, &checked);
    if (error != 0) {
        status = fail("check", store_directory(store), error);
    } else {
        (void)printf("%zu records, %zu writers, %zu settings, %zu tokens: %zu "
                     "faults\n",
                     checked.n_records, checked.n_heads, checked.n_settings,
                     checked.n_tokens, checked.n_faults);
        status = checked.n_faults == 0 ? CTL_EXIT_OK : CTL_EXIT_FAILED;
    }
    (void)store_close(store);
    return status;
}

/* --- dump --- */

struct dump {
    const char *kind; /* NULL: all */
};

static const char *const table_kinds[] = {"head", "setting", "token"};

bool command_store_has_kind(const char *kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(table_kinds); i++) {
        if (strcmp(table_kinds[i], kind) == 0) {
            return true;
        }
    }
    for (uint8_t i = RECORD_CERTIFICATE; i <= RECORD_HOLD; i++) {
        if (strcmp(record_kind_name(i), kind) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct dump *dump, const char *kind)
{
    return dump->kind == NULL || strcmp(dump->kind, kind) == 0;
}

static json_t *hex(const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    _cleanup_(free_pointer) char *text = malloc(2 * size + 1);

    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    return json_stringn(text, 2 * size);
}

/* Text where it is text, else hexadecimal. */
static json_t *readable(const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    for (size_t i = 0; i < size; i++) {
        if (from[i] < 0x20 || from[i] >= 0x7f) {
            return hex(bytes, size);
        }
    }
    return json_stringn(bytes, size);
}

/* Takes the object over.  0 or negative errno. */
static int print_line(json_t *object)
{
    json_auto_t *line = object;
    _cleanup_(free_pointer) char *text = json_text_dump(line);

    if (text == NULL) {
        return -ENOMEM;
    }
    return printf("%s\n", text) < 0 ? -errno : 0;
}

static int dump_record(const uint8_t *bytes, size_t size, void *data)
{
    struct record record;
    const char *kind;

    if (record_parse(bytes, size, &record) != 0) {
        return is_wanted(data, "damaged")
                   ? print_line(json_pack("{s:s, s:o}", "kind", "damaged",
                                          "bytes", hex(bytes, size)))
                   : 0;
    }
    kind = record_kind_name(record.kind);
    if (!is_wanted(data, kind)) {
        return 0;
    }
    return print_line(json_pack(
        "{s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "kind", kind, "writer",
        hex(record.writer, RECORD_WRITER_SIZE), "key",
        readable(record.key, record.key_size), "epoch",
        (json_int_t)record.order.epoch, "seq", (json_int_t)record.order.seq,
        "time_ms", (json_int_t)(record.hlc >> 16), "ttl_s",
        (json_int_t)record.ttl_s, "bytes", hex(bytes, size)));
}

static int dump_head(const uint8_t writer[RECORD_WRITER_SIZE],
                     struct record_order head, void *data)
{
    (void)data;
    return print_line(json_pack("{s:s, s:o, s:I, s:I}", "kind", "head",
                                "writer", hex(writer, RECORD_WRITER_SIZE),
                                "epoch", (json_int_t)head.epoch, "seq",
                                (json_int_t)head.seq));
}

static int dump_setting(const char *name, const void *value, size_t size,
                        void *data)
{
    (void)data;
    return print_line(json_pack("{s:s, s:s, s:o}", "kind", "setting", "name",
                                name, "value", readable(value, size)));
}

/* The hash of its secret is nobody's to see. */
static int dump_token(const struct store_token *token, void *data)
{
    json_t *mesh = json_array();
    json_t *subnets = json_array();
    json_t *functions = json_array();
    char text[PREFIX_TEXT_SIZE];

    (void)data;
    for (size_t i = 0; i < token->n_mesh; i++) {
        json_build_append(&mesh,
                          json_string(address_text(&token->mesh[i], text)));
    }
    for (size_t i = 0; i < token->n_subnets; i++) {
        json_build_append(&subnets,
                          json_string(prefix_text(&token->subnets[i], text)));
    }
    for (size_t i = 0; i < token->n_functions; i++) {
        json_build_append(&functions, json_string(token->functions[i]));
    }
    return print_line(json_pack(
        "{s:s, s:o, s:I, s:I, s:o, s:I, s:s, s:o, s:o, s:o}", "kind", "token",
        "id", hex(token->id, sizeof(token->id)), "expires_s",
        (json_int_t)token->expires_s, "used_s", (json_int_t)token->used_s,
        "used_by",
        token->used_s == 0 ? json_null()
                           : hex(token->used_by, sizeof(token->used_by)),
        "revoked_s", (json_int_t)token->revoked_s, "name", token->name, "mesh",
        mesh, "subnets", subnets, "functions", functions));
}

static int dump_all(struct store *store, struct dump *dump)
{
    int error = store_records_each(store, dump_record, dump);

    if (error == 0 && is_wanted(dump, "head")) {
        error = store_heads_each(store, dump_head, dump);
    }
    if (error == 0 && is_wanted(dump, "setting")) {
        error = store_settings_each(store, "", dump_setting, dump);
    }
    if (error == 0 && is_wanted(dump, "token")) {
        error = store_tokens_each(store, dump_token, dump);
    }
    return error;
}

int command_store_dump(const struct config *config, const char *kind)
{
    struct dump dump = {.kind = kind};
    struct store *store = NULL;
    int status = open_store(config, "dump", &store);
    int error;

    if (status != 0) {
        return status;
    }
    error = dump_all(store, &dump);
    if (error == 0 && fflush(stdout) != 0) {
        error = -errno;
    }
    if (error != 0) {
        status = fail("dump", store_directory(store), error);
    }
    (void)store_close(store);
    return status;
}

/* --- forget-clock --- */

/* What root has made here is the agent's. */
static int give_to_owner(const struct config *config)
{
    struct stat status;

    if (stat(config->state_dir, &status) < 0) {
        return -errno;
    }
    return identity_give_store(
        config->state_dir,
        (struct identity_owner){.uid = status.st_uid, .gid = status.st_gid});
}

static int forget_clock(const struct config *config)
{
    _cleanup_(free_pointer) char *directory =
        identity_store_path(config->state_dir);
    struct store_batch *batch = NULL;
    struct store *store = NULL;
    int error =
        directory == NULL ? -ENOMEM : store_open(directory, NULL, &store);

    if (error != 0) {
        return error;
    }
    error = store_batch_begin(store, &batch);
    if (error == 0) {
        error = store_put_setting(batch, STORE_THREAD_CLOCK, NULL, 0);
        if (error == 0) {
            error = store_batch_commit(batch);
        } else {
            store_batch_abort(batch);
        }
    }
    (void)store_close(store);
    return error;
}

int command_store_forget_clock(const struct config *config)
{
    struct store *store = NULL;
    int status = open_store(config, "forget-clock", &store);
    int error;

    if (status != 0) {
        return status; /* nothing is made where there is none */
    }
    (void)store_close(store);
    error = forget_clock(config);
    if (error == 0) {
        error = give_to_owner(config);
    }
    if (error != 0) {
        (void)fprintf(stderr,
                      "agent store forget-clock: cannot write the store in "
                      "%s: %s\n",
                      config->state_dir, store_error_text(error));
        return CTL_EXIT_FAILED;
    }
    (void)printf("forgotten; the clock of this host is believed at the next "
                 "start\n");
    return CTL_EXIT_OK;
}
