/*
 * agent charter show, sign, apply, and the charter that a command begins with;
 * roots_charter_propose.c makes the next one.
 */
#include "agent/roots/roots_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/ctl/ctl.h"
#include "agent/system/clock.h"
#include "agent/system/file.h"
#include "gossip/base/text.h"

/* The charters of a state directory, one after another. */
#define CHARTERS_SIZE_MAX ((size_t)LIMIT_CHARTERS * LIMIT_RECORD_SIZE)

/* --- The one to start from ---------------------------------------------------
 */

/* The record of the highest generation in a file of records. */
static int follow_last(const uint8_t *bytes, size_t size,
                       struct roots_proposal *ret)
{
    struct roots_proposal one;
    bool is_found = false;
    size_t one_size = 0;

    for (size_t at = 0; at < size; at += one_size) {
        if (record_peek_size(bytes + at, size - at, &one_size) != 0 ||
            one_size > size - at) {
            return -EBADMSG;
        }
        if (roots_proposal_follow(bytes + at, one_size, &one) == 0 &&
            (!is_found || one.after.generation > ret->after.generation)) {
            *ret = one;
            is_found = true;
        }
    }
    return is_found ? 0 : -EBADMSG;
}

int roots_charter_from_file(const struct roots *roots, const char *path,
                            struct roots_proposal *ret)
{
    _cleanup_(free_pointer) uint8_t *bytes = malloc(CHARTERS_SIZE_MAX);
    size_t size = 0;
    int error;

    if (bytes == NULL) {
        return roots_no_memory(roots);
    }
    error = file_read(path, bytes, CHARTERS_SIZE_MAX, &size);
    if (error == 0) {
        error = follow_last(bytes, size, ret);
    }
    if (error == -EBADMSG) {
        (void)roots_fail(roots,
                         "%s holds no charter; expected the file charter of a "
                         "state directory",
                         path);
        return CTL_EXIT_USAGE;
    }
    return error == 0 ? 0
                      : roots_fail(roots, "cannot read %s: %s", path,
                                   strerror(-error));
}

int roots_charter_from_agent(struct roots *roots, struct roots_proposal *ret,
                             json_t **ret_answer)
{
    uint8_t bytes[LIMIT_RECORD_SIZE];
    size_t size = 0;
    int status = roots_ask(roots, "GET", "/api/v1/charter", NULL, ret_answer);

    if (status == 0 &&
        (!roots_get_bytes(*ret_answer, "raw", bytes, sizeof(bytes), &size) ||
         roots_proposal_follow(bytes, size, ret) != 0)) {
        status = roots_fail(roots, "the agent's answer has no charter");
    }
    return status;
}

/* --- show --------------------------------------------------------------------
 */

static void print_rivals(const json_t *answer)
{
    const json_t *rival;
    size_t i;

    json_array_foreach (json_object_get(answer, "rivals"), i, rival) {
        (void)printf("%-11s generation %" JSON_INTEGER_FORMAT
                     " %.16s..., of %s\n",
                     i == 0 ? "rivals" : "",
                     json_integer_value(json_object_get(rival, "generation")),
                     json_string_value(json_object_get(rival, "hash")),
                     json_string_value(json_object_get(rival, "time")));
    }
}

static int show_agent(struct roots *roots)
{
    struct roots_proposal proposal;
    json_auto_t *answer = NULL;
    const json_t *root;
    size_t i;
    int status = roots_charter_from_agent(roots, &proposal, &answer);

    if (status != 0) {
        return status;
    }
    roots_view_charter(&proposal.after);
    (void)printf("%-11s %s\n", "hash",
                 json_string_value(json_object_get(answer, "hash")));
    json_array_foreach (json_object_get(answer, "signed_by"), i, root) {
        (void)printf("%-11s %s\n", i == 0 ? "signed by" : "",
                     json_string_value(root));
    }
    print_rivals(answer);
    return CTL_EXIT_OK;
}

/* -1: there is none, or no file. */
static int first_byte(const char *path)
{
    FILE *file = fopen(path, "re");
    int first = -1;

    if (file != NULL) {
        first = fgetc(file);
        (void)fclose(file); /* only read from */
    }
    return first;
}

/* A proposal, or charters as records. */
static int show_file(struct roots *roots, const char *path)
{
    struct roots_proposal proposal;
    int status;

    if (first_byte(path) == RECORD_VERSION) {
        status = roots_charter_from_file(roots, path, &proposal);
        if (status == 0) {
            roots_view_charter(&proposal.after);
        }
        return status;
    }
    status = roots_proposal_open(roots, path, &proposal);
    if (status != 0) {
        return status;
    }
    roots_view_charter(&proposal.charter);
    roots_view_signers(&proposal);
    (void)printf("changes\n");
    (void)roots_view_changes(&proposal.after, &proposal.charter);
    return CTL_EXIT_OK;
}

int roots_charter_show(const struct program_call *call)
{
    struct roots roots = {.call = call};
    const char *path = roots_word(&roots, 0);
    int status = path != NULL ? show_file(&roots, path) : show_agent(&roots);

    roots_done(&roots);
    return status;
}

/* --- sign --------------------------------------------------------------------
 */

static int refuse_sign(const struct roots *roots, int error,
                       const struct roots_key *key,
                       const struct roots_proposal *proposal)
{
    char text[65];

    (void)text_from_bytes(key->public, sizeof(key->public), text);
    switch (error) {
    case -EEXIST:
        return roots_fail(roots, "this root has signed it already: %s", text);
    case -EACCES:
        return roots_fail(roots,
                          "this key is no root of generation %u, whose roots "
                          "sign this charter: %s",
                          (unsigned)proposal->parent.generation, text);
    default:
        return roots_fail(roots, "it cannot be signed: it would be too long");
    }
}

static void print_signed(const struct roots_proposal *proposal,
                         const char *path)
{
    size_t missing = roots_proposal_missing(proposal);

    roots_view_signers(proposal);
    if (missing > 0) {
        (void)printf("%zu signature%s missing: agent charter sign %s with "
                     "another root's key\n",
                     missing, missing == 1 ? " is" : "s are", path);
    } else {
        (void)printf("it is whole: agent charter apply %s, on any host\n",
                     path);
    }
}

static int sign(struct roots *roots)
{
    const char *path = roots_word(roots, 0);
    _cleanup_(free_pointer) char *text = NULL;
    struct roots_proposal proposal;
    struct roots_key key;
    int status = roots_proposal_open(roots, path, &proposal);
    int error;

    if (status == 0) {
        status = roots_key_open(roots, &key);
    }
    if (status != 0) {
        return status;
    }
    (void)roots_view_changes(&proposal.after, &proposal.charter);
    error = roots_proposal_sign(&proposal, &key, clock_wall_ms());
    if (error != 0) {
        status = refuse_sign(roots, error, &key, &proposal);
    }
    sodium_memzero(&key, sizeof(key));
    if (status != 0) {
        return status;
    }
    text = roots_proposal_text(&proposal);
    error = text == NULL ? -ENOMEM
                         : file_write(path, text, strlen(text), 0644, (uid_t)-1,
                                      (gid_t)-1);
    if (error != 0) {
        return roots_fail(roots, "cannot write %s: %s", path, strerror(-error));
    }
    print_signed(&proposal, path);
    return CTL_EXIT_OK;
}

int roots_charter_sign(const struct program_call *call)
{
    struct roots roots = {.call = call};
    int status = sign(&roots);

    roots_done(&roots);
    return status;
}

/* --- apply -------------------------------------------------------------------
 */

static int apply(struct roots *roots)
{
    const char *path = roots_word(roots, 0);
    struct roots_proposal proposal;
    struct roots_proposal now;
    json_auto_t *answer = NULL;
    int status = roots_proposal_open(roots, path, &proposal);

    if (status != 0) {
        return status;
    }
    if (proposal.record_size == 0) {
        return roots_fail(roots,
                          "%s has %zu of the %u signatures it needs: agent "
                          "charter sign %s with another root's key",
                          path, proposal.n_signers,
                          (unsigned)proposal.parent.threshold, path);
    }
    status = roots_submit(roots, proposal.record, proposal.record_size);
    if (status == 0) {
        status = roots_charter_from_agent(roots, &now, &answer);
    }
    if (status != 0) {
        return status;
    }
    if (now.after.generation < proposal.charter.generation ||
        (now.after.generation == proposal.charter.generation &&
         memcmp(now.after.previous, proposal.charter.previous,
                sizeof(now.after.previous)) != 0)) {
        return roots_fail(roots, "it was taken, and another charter is in "
                                 "force: agent charter show says which");
    }
    (void)printf("charter of generation %u is in force\n",
                 (unsigned)now.after.generation);
    return CTL_EXIT_OK;
}

int roots_charter_apply(const struct program_call *call)
{
    struct roots roots = {.call = call};
    int status = apply(&roots);

    roots_done(&roots);
    return status;
}
