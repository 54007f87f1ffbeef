/*
 * POST /api/v1/records: finished records that somebody else signed, the roots'
 * owner as a rule.  Each is judged as one that a peer brings; the answer comes
 * when all that were taken are on disk.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "gossip/base/text.h"
#include "gossip/wire/record.h"

#define OFFER_RECORDS_MAX 64

struct reason {
    const char *name;
    const char *why;
    const char *next;
};

static const struct reason reasons[NODE_OFFER_RESULTS] = {
    [NODE_OFFER_TAKEN] = {.name = "taken"},
    [NODE_OFFER_KNOWN] = {.name = "known"},
    [NODE_OFFER_MALFORMED] = {"malformed", "it is no record of this version",
                              "give whole records, one after another"},
    [NODE_OFFER_KIND] = {"kind", "accusations are not kept", "leave it out"},
    [NODE_OFFER_CLUSTER] = {"cluster", "it is a record of another cluster",
                            "agentctl status names this one"},
    [NODE_OFFER_OWN] = {"own",
                        "it is in this node's own name, who does not "
                        "know it",
                        "this node signs its records by itself"},
    [NODE_OFFER_BODY] = {"body", "what is in it is not what its kind demands",
                         "make it anew"},
    [NODE_OFFER_WRITER] = {"writer",
                           "its writer may write nothing here, or "
                           "nothing more",
                           "agent admission ls names roots and issuers"},
    [NODE_OFFER_RIGHTS] = {"rights", "its writer may not write this",
                           "agent admission ls names roots and issuers"},
    [NODE_OFFER_EXPIRED] = {"expired",
                            "its writer's certificate had ended, or "
                            "ends before this one",
                            "have it signed by somebody else, or for a "
                            "shorter time"},
    [NODE_OFFER_OLD] = {"old", "there is a newer one of it",
                        "make it anew, from what there is now"},
    [NODE_OFFER_SIGNATURE] = {"signature",
                              "signatures in it do not hold, or "
                              "are too few",
                              "agent charter show FILE counts a charter's; "
                              "else take the file again from where it was "
                              "made"},
    [NODE_OFFER_FROZEN] = {"frozen",
                           "its writer signed two records under one "
                           "number",
                           "agentctl record evidence shows them"},
    [NODE_OFFER_LIMIT] = {"limit", "there are as many of them as there can be",
                          "agentctl record ls shows them"},
    [NODE_OFFER_RATE] = {"rate", "its writer wrote too much just now",
                         "try again in a minute"},
    [NODE_OFFER_SET_ASIDE] = {"set-aside", "this agent died three times on it",
                              "agentctl status says what to do"},
    [NODE_OFFER_PARENT] = {"parent", "it follows no charter that is here",
                           "agent charter propose makes one that does"},
    [NODE_OFFER_GENERATION] = {"generation",
                               "a charter of this generation is "
                               "in force",
                               "agent charter show says what it is; propose "
                               "anew, after that one"},
    [NODE_OFFER_REVOKED] = {"revoked", "what it certifies is revoked",
                            "agent admission lift undoes that"},
    [NODE_OFFER_RANGE] = {"range", "it has addresses outside the charter",
                          "agent charter show names the ranges"},
    [NODE_OFFER_ISSUER] = {"issuer",
                           "its writer certifies nobody, or nobody "
                           "any more",
                           "agent admission ls names roots and issuers"},
    [NODE_OFFER_OVER] = {"over", "it ended more than 90 days ago",
                         "have it signed for a later end"},
};

struct offer_job;

/* One record of the request. */
struct offer_part {
    struct offer_job *job;
    enum node_offer_result result;
    int error; /* of the disk */
    uint8_t id[RECORD_ID_SIZE];
    const char *kind;
};

struct offer_job {
    struct http_exchange *exchange;
    struct core *core;
    size_t n;
    size_t n_waiting; /* of them; and one while they are handed over */
    struct offer_part parts[OFFER_RECORDS_MAX];
};

static bool is_refused(const struct offer_part *part)
{
    return part->result > NODE_OFFER_KNOWN;
}

static json_t *part_json(const struct offer_part *part)
{
    const struct reason *reason = &reasons[part->result];

    return json_pack("{s:s, s:o, s:s, s:o, s:o}", "kind", part->kind, "id",
                     api_json_hex(part->id, sizeof(part->id)), "result",
                     is_refused(part) ? "refused" : reason->name, "reason",
                     api_json_text(is_refused(part) ? reason->name : NULL),
                     "why", api_json_text(reason->why));
}

static void refuse(const struct offer_job *job, json_t *list, size_t n_refused,
                   size_t first)
{
    const struct offer_part *part = &job->parts[first];
    const struct reason *reason = &reasons[part->result];
    char what[96];
    char where[64];

    if (job->n == 1) {
        (void)snprintf(what, sizeof(what), "the %s record is refused: %s",
                       part->kind, reason->name);
    } else {
        (void)snprintf(what, sizeof(what),
                       "%zu of %zu records are refused, first a %s: %s",
                       n_refused, job->n, part->kind, reason->name);
    }
    (void)snprintf(where, sizeof(where), "record %zu", first + 1);
    api_reply(job->exchange, 422,
              json_pack("{s:i, s:{s:s, s:s, s:s, s:s}, s:o}", "schema",
                        API_SCHEMA, "error", "what", what, "where", where,
                        "why", reason->why, "next", reason->next, "records",
                        list));
}

static void answer(const struct offer_job *job)
{
    json_t *list = json_array();
    size_t n_refused = 0;
    size_t first = 0;
    int error = 0;

    for (size_t i = job->n; i > 0; i--) {
        if (is_refused(&job->parts[i - 1])) {
            n_refused++;
            first = i - 1;
        }
        error = job->parts[i - 1].error != 0 ? job->parts[i - 1].error : error;
    }
    for (size_t i = 0; i < job->n; i++) {
        json_build_append(&list, part_json(&job->parts[i]));
    }
    if (error == -ENOMEM) {
        json_decref(list);
        api_reply(job->exchange, 500, NULL);
    } else if (error != 0) {
        json_decref(list);
        api_problem(job->exchange, error == -ENOSPC ? 507 : 503,
                    job->core->store_problem,
                    "make room on the disk of state_dir; they are written as "
                    "soon as that is possible",
                    "the records are in use and passed on, and not on disk");
    } else if (n_refused > 0) {
        refuse(job, list, n_refused, first);
    } else {
        api_reply(
            job->exchange, 200,
            json_pack("{s:i, s:o}", "schema", API_SCHEMA, "records", list));
    }
}

static void end_one(struct offer_job *job)
{
    job->n_waiting--;
    if (job->n_waiting == 0) {
        answer(job);
        job->exchange = http_exchange_unref(job->exchange);
        free(job);
    }
}

static void on_offered(struct core *core, int error, void *data)
{
    struct offer_part *part = data;

    (void)core;
    part->error = error;
    end_one(part->job);
}

static void offer(struct offer_job *job, const uint8_t *bytes, size_t size)
{
    struct offer_part *part = &job->parts[job->n];
    struct record record;
    int error;

    job->n++;
    part->job = job;
    part->kind = "malformed";
    if (record_parse(bytes, size, &record) == 0) {
        part->kind = record_kind_name(record.kind);
        record_id(&record, part->id);
    }
    job->n_waiting++;
    error = core_offer(job->core, bytes, size, on_offered, part, &part->result);
    if (error != 0) {
        part->error = error;
    }
    if (error != 0 || is_refused(part)) {
        end_one(job);
    }
}

/* The bytes of a text; 0: it has none, or too many. */
static size_t from_hex(const json_t *text, uint8_t bytes[LIMIT_MANIFEST_SIZE])
{
    size_t len = json_string_length(text);

    return json_is_string(text) && len % 2 == 0 &&
                   len / 2 <= LIMIT_MANIFEST_SIZE &&
                   text_to_bytes(json_string_value(text), len, bytes,
                                 len / 2) == 0
               ? len / 2
               : 0;
}

/* The list of the request, each of its texts bytes; NULL: it is answered. */
static const json_t *get_records(struct http_exchange *exchange,
                                 const json_t *body)
{
    const json_t *list = json_object_get(body, "records");
    uint8_t bytes[LIMIT_MANIFEST_SIZE];
    size_t n = json_array_size(list);
    char where[32];

    if (json_object_size(body) != 1 || n == 0 || n > OFFER_RECORDS_MAX) {
        http_reply_problem(
            exchange, 400,
            &(struct http_problem){
                .what = "the body has no list of 1 to 64 records",
                .where = "field records",
                .next = "give {\"records\": [\"020a...\"]}, each record in "
                        "hexadecimal"});
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (from_hex(json_array_get(list, i), bytes) == 0) {
            (void)snprintf(where, sizeof(where), "record %zu", i + 1);
            http_reply_problem(
                exchange, 400,
                &(struct http_problem){
                    .what = "this is not a record's bytes in hexadecimal",
                    .where = where,
                    .next = "give two digits for each byte, nothing else"});
            return NULL;
        }
    }
    return list;
}

void api_records_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    json_auto_t *body = api_body(exchange);
    const json_t *list = body != NULL ? get_records(exchange, body) : NULL;
    uint8_t bytes[LIMIT_MANIFEST_SIZE];
    struct offer_job *job;

    if (list == NULL) {
        return;
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return;
    }
    job->core = core;
    job->exchange = http_exchange_ref(exchange);
    job->n_waiting = 1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t size = from_hex(json_array_get(list, i), bytes);

        offer(job, bytes, size);
    }
    end_one(job);
}
