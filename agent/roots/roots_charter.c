/*
 * agent charter show, propose, sign, apply.
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

static int start_from_file(const struct roots *roots, const char *path,
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

static int start_from_agent(struct roots *roots, struct roots_proposal *ret,
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

/* --- propose -----------------------------------------------------------------
 */

/* The ranges of an option in the place of those there are, when it is given.
 * "none" empties a list that may be empty. */
static int take_ranges(const struct roots *roots, const char *option,
                       size_t max, bool may_be_none, struct prefix *ranges,
                       size_t *n_ranges)
{
    const struct args *args = &roots->call->args;
    const char *text;
    size_t at = 0;
    size_t n = 0;

    if (args_get(args, option) == NULL) {
        return 0;
    }
    while ((text = args_next(args, option, &at)) != NULL) {
        if (may_be_none && strcmp(text, "none") == 0) {
            continue;
        }
        if (n == max) {
            return program_usage(roots->call, "%s: at most %zu can be given",
                                 option, max);
        }
        if (prefix_parse(text, &ranges[n]) != 0) {
            return program_usage(roots->call,
                                 "%s %s: expected a subnet such as "
                                 "10.0.0.0/16 or fd00:1::/48, no bit set past "
                                 "its length",
                                 option, text);
        }
        n++;
    }
    *n_ranges = n;
    return 0;
}

/* The index of a root, or n_roots. */
static size_t find_root(const struct body_charter *charter,
                        const uint8_t key[32])
{
    size_t i = 0;

    while (i < charter->n_roots && memcmp(charter->roots[i], key, 32) != 0) {
        i++;
    }
    return i;
}

static int remove_roots(struct roots *roots, struct body_charter *charter)
{
    const char *text;
    uint8_t key[32];
    size_t at = 0;

    while ((text = args_next(&roots->call->args, "--remove-root", &at)) !=
           NULL) {
        int status = roots_key_public(roots, text, key);
        size_t i;

        if (status != 0) {
            return status;
        }
        i = find_root(charter, key);
        if (i == charter->n_roots) {
            (void)roots_fail(roots,
                             "--remove-root %s is no root of generation %u; "
                             "agent charter show names them",
                             text, (unsigned)charter->generation - 1);
            return CTL_EXIT_USAGE;
        }
        charter->n_roots--;
        memmove(charter->roots[i], charter->roots[i + 1],
                (charter->n_roots - i) * sizeof(charter->roots[0]));
    }
    return 0;
}

static int add_roots(struct roots *roots, struct body_charter *charter)
{
    const char *text;
    uint8_t key[32];
    size_t at = 0;

    while ((text = args_next(&roots->call->args, "--add-root", &at)) != NULL) {
        int status = roots_key_public(roots, text, key);

        if (status != 0) {
            return status;
        }
        if (find_root(charter, key) < charter->n_roots) {
            (void)roots_fail(roots, "--add-root %s is a root already", text);
            return CTL_EXIT_USAGE;
        }
        if (charter->n_roots == LIMIT_GENESIS_ROOTS) {
            (void)roots_fail(roots, "--add-root: at most %d roots can be",
                             LIMIT_GENESIS_ROOTS);
            return CTL_EXIT_USAGE;
        }
        memcpy(charter->roots[charter->n_roots++], key, sizeof(key));
    }
    return 0;
}

static int take_threshold(const struct roots *roots,
                          struct body_charter *charter)
{
    const char *text = roots_option(roots, "--threshold");
    uint64_t threshold = charter->threshold;

    if (text != NULL &&
        args_number(text, 1, LIMIT_GENESIS_ROOTS, &threshold) != 0) {
        return program_usage(roots->call, "--threshold %s: expected 1 to %d",
                             text, LIMIT_GENESIS_ROOTS);
    }
    if (charter->n_roots == 0 || threshold > charter->n_roots) {
        (void)roots_fail(roots,
                         "%zu roots would be left, and %u of them would have "
                         "to sign: add roots with --add-root, or give a lower "
                         "--threshold",
                         charter->n_roots, (unsigned)threshold);
        return CTL_EXIT_USAGE;
    }
    charter->threshold = (uint8_t)threshold;
    return 0;
}

/* Addresses of functions are hashed into the range. */
static bool services_usable(const struct body_charter *charter)
{
    for (size_t i = 0; i < charter->n_services; i++) {
        const struct prefix *range = &charter->services[i];

        if (range->address.family == 4 ? range->len < 8 || range->len > 24
                                       : range->len < 32 || range->len > 112) {
            return false;
        }
    }
    return charter->n_services > 0 && charter->services[0].address.family == 4;
}

static int take_options(struct roots *roots, struct body_charter *charter)
{
    int status = take_ranges(roots, "--containers", LIMIT_CHARTER_RANGES, false,
                             charter->containers, &charter->n_containers);

    if (status == 0) {
        status = take_ranges(roots, "--mesh", LIMIT_CHARTER_RANGES, false,
                             charter->mesh, &charter->n_mesh);
    }
    if (status == 0) {
        status = take_ranges(roots, "--services", LIMIT_CHARTER_SERVICES, false,
                             charter->services, &charter->n_services);
    }
    if (status == 0) {
        status = take_ranges(roots, "--shared", LIMIT_CHARTER_SHARED, true,
                             charter->shared, &charter->n_shared);
    }
    if (status == 0) {
        status = remove_roots(roots, charter);
    }
    if (status == 0) {
        status = add_roots(roots, charter);
    }
    if (status == 0) {
        status = take_threshold(roots, charter);
    }
    if (status == 0 && !services_usable(charter)) {
        status = program_usage(
            roots->call, "--services: expected one IPv4 subnet of /8 to /24, "
                         "and after it at most one IPv6 subnet of /32 to /112");
    }
    return status;
}

static bool has_root(const struct body_charter *charter, const uint8_t key[32])
{
    return find_root(charter, key) < charter->n_roots;
}

/* Who would have addresses outside it, and whose certificate ends with the root
 * that made it. */
static int warn_outside(struct roots *roots, const struct body_charter *before,
                        const struct body_charter *charter)
{
    struct roots_certificates certificates;
    int status = roots_certificates_get(roots, &certificates);

    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < certificates.n; i++) {
        const struct roots_certificate *one = &certificates.all[i];

        if (strcmp(one->state, "in-force") != 0) {
            continue;
        }
        if (!body_charter_allows_certificate(charter, &one->body)) {
            (void)fprintf(stderr,
                          "warning: %s would be out: it has addresses outside "
                          "these ranges\n",
                          one->body.name);
        }
        if (has_root(before, one->record.writer) &&
            !has_root(charter, one->record.writer)) {
            (void)fprintf(stderr,
                          "warning: %s is certified by a root that goes, which "
                          "counts for a day more: agent admission renew %s "
                          "with another root's key\n",
                          one->body.name, one->body.name);
        }
    }
    roots_certificates_done(&certificates);
    return 0;
}

static void warn_of_roots(const struct body_charter *charter)
{
    if (charter->n_roots > 1 && charter->threshold == charter->n_roots) {
        (void)fprintf(stderr, "warning: all roots would have to sign: the loss "
                              "of one of their keys would be for good\n");
    }
}

static int write_new(const struct roots *roots,
                     const struct roots_proposal *proposal, const char *path)
{
    _cleanup_(free_pointer) char *text = roots_proposal_text(proposal);
    int error;

    if (text == NULL) {
        return roots_no_memory(roots);
    }
    error = file_create(path, text, strlen(text), 0644);
    if (error != 0) {
        return roots_fail(roots, "cannot make %s: %s", path,
                          error == -EEXIST ? "it is there already"
                                           : strerror(-error));
    }
    (void)printf("%s needs %u of %zu signatures: agent charter sign %s\n", path,
                 (unsigned)proposal->parent.threshold, proposal->parent.n_roots,
                 path);
    return CTL_EXIT_OK;
}

static int propose(struct roots *roots)
{
    const char *output = roots_option(roots, "--output");
    const char *from = roots_option(roots, "--from");
    struct roots_proposal proposal;
    json_auto_t *answer = NULL;
    int status;

    if (output == NULL) {
        return program_usage(roots->call, "--output FILE is needed");
    }
    status = from != NULL ? start_from_file(roots, from, &proposal)
                          : start_from_agent(roots, &proposal, &answer);
    if (status == 0) {
        status = take_options(roots, &proposal.charter);
    }
    if (status != 0) {
        return status;
    }
    if (roots_proposal_check(&proposal) != 0) {
        (void)roots_fail(roots, "no host would take it: ranges of two kinds "
                                "overlap, or a shared one is in no range of "
                                "containers");
        return CTL_EXIT_USAGE;
    }
    if (roots_view_changes(&proposal.after, &proposal.charter) == 0) {
        (void)roots_fail(roots, "it would change nothing");
        return CTL_EXIT_USAGE;
    }
    warn_of_roots(&proposal.charter);
    if (from == NULL) {
        status = warn_outside(roots, &proposal.after, &proposal.charter);
    }
    return status != 0 ? status : write_new(roots, &proposal, output);
}

int roots_charter_propose(const struct program_call *call)
{
    struct roots roots = {.call = call};
    int status = propose(&roots);

    roots_done(&roots);
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
    int status = start_from_agent(roots, &proposal, &answer);

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
        status = start_from_file(roots, path, &proposal);
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
        status = start_from_agent(roots, &now, &answer);
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
