/*
 * GET /api/v1/records, /records/verify and /evidence: the signed records
 * themselves.
 *
 * Verifying all of them takes a while (some 15,000 signatures a second), so
 * it runs on a copy, a few records per turn of the loop.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "agent/system/clock.h"
#include "gossip/wire/evidence.h"
#include "gossip/wire/sign.h"

#define RECORDS_PER_TURN 16

/* The key as people read it: a name where it is somebody's signing key,
 * text where it is text, else hexadecimal. */
static json_t *key_json(const struct core *core, const struct record *record)
{
    char name[BODY_NAME_SIZE];

    if (record->key_size == 32 && (record->kind == RECORD_CERTIFICATE ||
                                   record->kind == RECORD_REVOCATION ||
                                   record->kind == RECORD_ACCUSATION)) {
        api_node_name(core, record->key, name);
        return json_string(name);
    }
    for (size_t i = 0; i < record->key_size; i++) {
        if (record->key[i] < 0x20 || record->key[i] >= 0x7f) {
            return api_json_hex(record->key, record->key_size);
        }
    }
    return json_stringn((const char *)record->key, record->key_size);
}

static void writer_name(const struct core *core, const uint8_t key[32],
                        char ret_name[BODY_NAME_SIZE])
{
    if (node_is_root(core->node, key)) {
        (void)snprintf(ret_name, BODY_NAME_SIZE, "(admission)");
    } else {
        api_node_name(core, key, ret_name);
    }
}

json_t *api_json_record_head(const struct core *core,
                             const struct record *record)
{
    uint8_t id[RECORD_ID_SIZE];
    char writer[BODY_NAME_SIZE];

    record_id(record, id);
    writer_name(core, record->writer, writer);
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:I, s:I, s:o}", "kind",
        record_kind_name(record->kind), "writer", writer, "writer_key",
        api_json_hex(record->writer, 32), "key", key_json(core, record),
        "epoch", (json_int_t)record->order.epoch, "seq",
        (json_int_t)record->order.seq, "time", api_json_time(record->hlc >> 16),
        "ttl_s", (json_int_t)record->ttl_s, "size", (json_int_t)record->size,
        "id", api_json_hex(id, RECORD_ID_SIZE));
}

struct list_job {
    const struct core *core;
    json_t *list;
};

static int add_record(const struct record *record, void *data)
{
    struct list_job *job = data;

    return json_array_append_new(job->list,
                                 api_json_record_head(job->core, record));
}

/* The kind of the query, 0 for all; false and answered when there is none. */
static bool get_kind(struct http_exchange *exchange, uint8_t *ret)
{
    char name[24];
    int error = http_request_query(http_exchange_request(exchange), "kind",
                                   name, sizeof(name));

    *ret = 0;
    if (error == HTTP_E_AGAIN) {
        return true;
    }
    for (uint8_t kind = RECORD_CERTIFICATE;
         error == 0 && kind <= RECORD_MANIFEST; kind++) {
        if (strcmp(record_kind_name(kind), name) == 0) {
            *ret = kind;
            return true;
        }
    }
    api_problem(exchange, 400, NULL,
                "kinds: certificate, revocation, member, service, function, "
                "intent, tombstone, manifest",
                "there is no such kind of record");
    return false;
}

void api_records_get(struct http_exchange *exchange, void *data)
{
    struct list_job job = {.core = ((struct api *)data)->core};
    uint8_t kind;

    if (!get_kind(exchange, &kind)) {
        return;
    }
    job.list = json_array();
    if (node_records_each(job.core->node, kind, add_record, &job) != 0) {
        json_decref(job.list);
        api_reply(exchange, 500, NULL);
        return;
    }
    api_reply(
        exchange, 200,
        json_pack("{s:i, s:o}", "schema", API_SCHEMA, "records", job.list));
}

static int add_evidence(const struct record *record, void *data)
{
    struct list_job *job = data;
    struct record first, second;
    char writer[BODY_NAME_SIZE];

    if (evidence_get(record, &first, &second) != 0) {
        return 0; /* the node would not have taken it */
    }
    writer_name(job->core, record->writer, writer);
    return json_array_append_new(
        job->list,
        json_pack("{s:s, s:o, s:o, s:I, s:I, s:[o, o]}", "writer", writer,
                  "writer_key", api_json_hex(record->writer, 32), "serial",
                  api_json_id(record->serial), "epoch",
                  (json_int_t)record->order.epoch, "seq",
                  (json_int_t)record->order.seq, "records",
                  api_json_record_head(job->core, &first),
                  api_json_record_head(job->core, &second)));
}

void api_evidence_get(struct http_exchange *exchange, void *data)
{
    struct list_job job = {.core = ((struct api *)data)->core,
                           .list = json_array()};

    if (node_records_each(job.core->node, RECORD_EVIDENCE, add_evidence,
                          &job) != 0) {
        json_decref(job.list);
        api_reply(exchange, 500, NULL);
        return;
    }
    api_reply(
        exchange, 200,
        json_pack("{s:i, s:o}", "schema", API_SCHEMA, "evidence", job.list));
}

/* A verification under way; ends when all is checked or the client goes. */
struct verify_job {
    uv_idle_t idle;
    struct core *core;
    struct http_exchange *exchange;
    uint8_t *bytes; /* all records, one after the other */
    size_t size;
    size_t capacity;
    size_t pos;
    size_t n_checked;
    size_t n_valid;
    uint64_t started_us;
    json_t *invalid;
};

static int copy_record(const struct record *record, void *data)
{
    struct verify_job *job = data;

    if (job->size + record->size > job->capacity) {
        size_t capacity = 2 * (job->capacity + record->size);
        uint8_t *grown = realloc(job->bytes, capacity);

        if (grown == NULL) {
            return -ENOMEM;
        }
        job->bytes = grown;
        job->capacity = capacity;
    }
    memcpy(job->bytes + job->size, record->bytes, record->size);
    job->size += record->size;
    return 0;
}

/* NULL, or why the record would not be accepted now. */
static const char *find_fault(const struct core *core,
                              const struct record *record)
{
    struct body_certificate certificate;
    struct node_member writer;
    uint64_t now_s = core_wall_ms(core) / 1000;

    if (sign_verify(record) != 0) {
        return "the signature does not verify";
    }
    if (record->kind == RECORD_CERTIFICATE) {
        return node_check_certificate(core->node, record->bytes, record->size,
                                      &certificate) == 0
                   ? NULL
                   : "the certificate is not valid now";
    }
    if (node_is_root(core->node, record->writer)) {
        return NULL;
    }
    if (!node_member_find(core->node, record->writer, &writer) ||
        writer.certificate == NULL) {
        return "its writer has no certificate";
    }
    if (writer.certificate->serial != record->serial) {
        return "it was written under another certificate";
    }
    if (writer.certificate->not_before_s > now_s ||
        writer.certificate->not_after_s <= now_s) {
        return "its writer's certificate is not valid now";
    }
    return NULL;
}

/* Checks the record at job->pos.  False at the end. */
static bool verify_next(struct verify_job *job)
{
    struct record record;
    const char *fault;
    size_t size;

    if (record_peek_size(job->bytes + job->pos, job->size - job->pos, &size) !=
            0 ||
        record_parse(job->bytes + job->pos, size, &record) != 0) {
        return false;
    }
    job->pos += size;
    job->n_checked++;
    fault = find_fault(job->core, &record);
    if (fault == NULL) {
        job->n_valid++;
    } else {
        json_t *entry = api_json_record_head(job->core, &record);

        json_build_set(&entry, "fault", json_string(fault));
        json_build_append(&job->invalid, entry);
    }
    return job->pos < job->size;
}

static void on_verify_closed(uv_handle_t *handle)
{
    struct verify_job *job = handle->data;

    job->exchange = http_exchange_unref(job->exchange);
    json_decref(job->invalid);
    free(job->bytes);
    free(job);
}

static void on_verify_turn(uv_idle_t *idle)
{
    struct verify_job *job = idle->data;

    if (http_exchange_is_open(job->exchange)) {
        for (size_t i = 0; i < RECORDS_PER_TURN; i++) {
            if (!verify_next(job)) {
                break;
            }
        }
        if (job->pos < job->size) {
            return;
        }
        api_reply(job->exchange, 200,
                  json_pack("{s:i, s:I, s:I, s:O, s:I}", "schema", API_SCHEMA,
                            "checked", (json_int_t)job->n_checked, "valid",
                            (json_int_t)job->n_valid, "invalid", job->invalid,
                            "took_us",
                            (json_int_t)(clock_now_us() - job->started_us)));
    }
    uv_close((uv_handle_t *)idle, on_verify_closed);
}

void api_records_verify_get(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    struct verify_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return;
    }
    job->core = core;
    job->started_us = clock_now_us();
    job->exchange = http_exchange_ref(exchange);
    job->invalid = json_array();
    (void)uv_idle_init(core->loop, &job->idle); /* never fails */
    job->idle.data = job;
    if (job->invalid == NULL ||
        node_records_each(core->node, 0, copy_record, job) != 0) {
        api_reply(exchange, 500, NULL);
        uv_close((uv_handle_t *)&job->idle, on_verify_closed);
        return;
    }
    (void)uv_idle_start(&job->idle, on_verify_turn); /* fn is set */
}
