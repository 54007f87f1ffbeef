/*
 * The file of a charter that is to be signed: JSON, so that people can read it
 * and send it to each other.  Three texts of it decide: "after", the record of
 * the charter before; "charter", the body with the signatures so far; "record",
 * the whole once no signature is missing.  The rest says what is in them, for
 * readers, and is never read.
 */
#include "agent/roots/roots_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/ctl/ctl.h"
#include "agent/json/json_build.h"
#include "agent/json/json_text.h"
#include "agent/system/file.h"
#include "gossip/base/text.h"
#include "gossip/wire/sign.h"

#define PROPOSAL_FORMAT   1
#define PROPOSAL_SIZE_MAX 65536

int roots_proposal_follow(const uint8_t *bytes, size_t size,
                          struct roots_proposal *ret)
{
    struct roots_proposal proposal = {.after_size = size};
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
    struct record record;

    if (size > sizeof(proposal.after_bytes) ||
        record_parse(bytes, size, &record) != 0 ||
        body_get_charter(&record, &proposal.after) != 0 ||
        sign_verify(&record) != 0) {
        return -EBADMSG;
    }
    memcpy(proposal.after_bytes, bytes, size);
    memcpy(proposal.cluster, record.cluster, sizeof(proposal.cluster));
    body_hash_charter(&proposal.after, record.body, record.body_size, hash);
    body_follow_charter(&proposal.after, hash, &proposal.parent);
    proposal.charter = proposal.after;
    proposal.charter.generation++;
    proposal.charter.n_signatures = 0;
    memcpy(proposal.charter.previous, hash, sizeof(hash));
    *ret = proposal;
    return 0;
}

/* The body, as it is signed and sent. */
static int encode(const struct body_charter *charter,
                  uint8_t body[LIMIT_RECORD_SIZE], size_t *ret_size)
{
    struct body_charter read;

    if (body_put_charter(charter, body, LIMIT_RECORD_SIZE, ret_size) != 0 ||
        body_unpack_proposal(body, *ret_size, &read) != 0) {
        return -EBADMSG;
    }
    return 0;
}

int roots_proposal_check(const struct roots_proposal *proposal)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t size = 0;

    return encode(&proposal->charter, body, &size);
}

static int count_signers(struct roots_proposal *proposal)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t size = 0;
    int error = encode(&proposal->charter, body, &size);

    if (error == 0) {
        proposal->n_signers =
            body_charter_signers(proposal->cluster, &proposal->charter, body,
                                 size, &proposal->parent, proposal->signers);
    }
    return error;
}

size_t roots_proposal_missing(const struct roots_proposal *proposal)
{
    size_t needed = proposal->parent.threshold;

    return needed > proposal->n_signers ? needed - proposal->n_signers : 0;
}

static bool is_root(const struct body_charter_parent *parent,
                    const uint8_t key[32])
{
    for (size_t i = 0; i < parent->n_roots; i++) {
        if (memcmp(parent->roots[i], key, 32) == 0) {
            return true;
        }
    }
    return false;
}

int roots_proposal_sign(struct roots_proposal *proposal,
                        const struct roots_key *key, uint64_t now_ms)
{
    int error;

    if (!is_root(&proposal->parent, key->public)) {
        return -EACCES;
    }
    error =
        body_sign_charter(proposal->cluster, key->secret, &proposal->charter);
    if (error != 0) {
        return error == -EEXIST ? error : -EBADMSG;
    }
    error = count_signers(proposal);
    if (error != 0 || roots_proposal_missing(proposal) > 0) {
        return error;
    }
    return body_build_charter(
               proposal->cluster, &proposal->charter, key->secret,
               roots_order(now_ms / 1000, (struct record_order){0}),
               now_ms << 16, proposal->record, sizeof(proposal->record),
               &proposal->record_size) == 0
               ? 0
               : -EBADMSG;
}

/* --- As text -----------------------------------------------------------------
 */

static json_t *hex_json(const uint8_t *bytes, size_t size)
{
    char text[2 * LIMIT_RECORD_SIZE + 1];

    return json_string(text_from_bytes(bytes, size, text));
}

static json_t *keys_json(const uint8_t (*keys)[32], size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_build_append(&list, hex_json(keys[i], 32));
    }
    return list;
}

static json_t *prefixes_json(const struct prefix *prefixes, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        char text[PREFIX_TEXT_SIZE];

        json_build_append(&list, json_string(prefix_text(&prefixes[i], text)));
    }
    return list;
}

static json_t *readable_json(const struct roots_proposal *proposal)
{
    const struct body_charter *charter = &proposal->charter;

    return json_pack(
        "{s:I, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:i}", "generation",
        (json_int_t)charter->generation, "roots",
        keys_json(charter->roots, charter->n_roots), "threshold",
        (int)charter->threshold, "containers",
        prefixes_json(charter->containers, charter->n_containers), "mesh",
        prefixes_json(charter->mesh, charter->n_mesh), "services",
        prefixes_json(charter->services, charter->n_services), "shared",
        prefixes_json(charter->shared, charter->n_shared), "signed_by",
        keys_json(proposal->signers, proposal->n_signers), "signatures_missing",
        (int)roots_proposal_missing(proposal));
}

/* Whole, or NULL: json_dumps is not when memory ends. */
static char *indent(const json_t *root)
{
    size_t size = json_dumpb(root, NULL, 0, JSON_INDENT(2));
    char *text = size > 0 ? calloc(size + 2, 1) : NULL;

    if (text != NULL && json_dumpb(root, text, size, JSON_INDENT(2)) == size) {
        text[size] = '\n';
        return text;
    }
    free(text);
    return NULL;
}

char *roots_proposal_text(const struct roots_proposal *proposal)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    json_auto_t *root = NULL;
    size_t size = 0;

    if (encode(&proposal->charter, body, &size) != 0) {
        return NULL;
    }
    root = json_pack(
        "{s:i, s:s, s:o, s:o, s:o, s:o}", "format", PROPOSAL_FORMAT, "about",
        "a charter to be signed; what counts are the last three texts, which "
        "agent charter show FILE reads",
        "readable", readable_json(proposal), "after",
        hex_json(proposal->after_bytes, proposal->after_size), "charter",
        hex_json(body, size), "record",
        proposal->record_size > 0
            ? hex_json(proposal->record, proposal->record_size)
            : json_null());
    return root != NULL ? indent(root) : NULL;
}

/* The one before, and the body in its one form: what is signed here is what
 * everybody else reads. */
static const char *read_charter(const json_t *root,
                                struct roots_proposal *proposal)
{
    uint8_t bytes[LIMIT_RECORD_SIZE], again[LIMIT_RECORD_SIZE];
    struct body_charter charter;
    size_t size = 0, again_size = 0;

    if (!roots_get_bytes(root, "after", bytes, sizeof(bytes), &size) ||
        roots_proposal_follow(bytes, size, proposal) != 0) {
        return "\"after\" is no charter's record";
    }
    if (!roots_get_bytes(root, "charter", bytes, sizeof(bytes), &size) ||
        body_unpack_proposal(bytes, size, &charter) != 0) {
        return "\"charter\" is no charter";
    }
    if (encode(&charter, again, &again_size) != 0 || again_size != size ||
        memcmp(again, bytes, size) != 0) {
        return "\"charter\" says more than this release understands";
    }
    if (charter.generation != proposal->charter.generation ||
        memcmp(charter.previous, proposal->charter.previous,
               sizeof(charter.previous)) != 0) {
        return "\"charter\" does not follow \"after\"";
    }
    proposal->charter = charter;
    return count_signers(proposal) == 0 ? NULL : "\"charter\" is no charter";
}

static const char *read_record(const json_t *root,
                               struct roots_proposal *proposal)
{
    struct body_charter charter;
    struct record record;

    if (!json_is_string(json_object_get(root, "record"))) {
        return NULL;
    }
    if (!roots_get_bytes(root, "record", proposal->record,
                         sizeof(proposal->record), &proposal->record_size) ||
        record_parse(proposal->record, proposal->record_size, &record) != 0 ||
        body_verify_charter(&record, &proposal->parent, &charter) != 0 ||
        sign_verify(&record) != 0) {
        return "\"record\" is no record of this charter";
    }
    return NULL;
}

int roots_proposal_parse(const char *text, size_t size,
                         struct roots_proposal *ret, const char **ret_problem)
{
    json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    struct roots_proposal proposal = {.after_size = 0};
    const char *problem;

    if (json_integer_value(json_object_get(root, "format")) !=
        PROPOSAL_FORMAT) {
        *ret_problem = "it is no proposal that this release can read";
        return -EBADMSG;
    }
    problem = read_charter(root, &proposal);
    if (problem == NULL) {
        problem = read_record(root, &proposal);
    }
    if (problem != NULL) {
        *ret_problem = problem;
        return -EBADMSG;
    }
    *ret = proposal;
    return 0;
}

int roots_proposal_open(struct roots *roots, const char *path,
                        struct roots_proposal *ret)
{
    _cleanup_(free_pointer) char *text = malloc(PROPOSAL_SIZE_MAX);
    const char *problem = NULL;
    size_t size = 0;
    int error;

    if (text == NULL) {
        return roots_no_memory(roots);
    }
    error = file_read(path, text, PROPOSAL_SIZE_MAX, &size);
    if (error != 0) {
        return roots_fail(roots, "cannot read %s: %s", path, strerror(-error));
    }
    if (roots_proposal_parse(text, size, ret, &problem) != 0) {
        (void)roots_fail(roots,
                         "%s: %s; expected what agent charter propose wrote",
                         path, problem);
        return CTL_EXIT_USAGE;
    }
    return 0;
}
