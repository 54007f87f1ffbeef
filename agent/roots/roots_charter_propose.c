/*
 * agent charter propose: what the options change of the charter that is in
 * force, whom that would put out, and the file that is to be signed.
 */
#include "agent/roots/roots_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/ctl/ctl.h"
#include "agent/system/file.h"

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

static int take_options(struct roots *roots, struct body_charter *charter)
{
    int status = program_prefixes(roots->call, "--containers", NULL,
                                  LIMIT_CHARTER_RANGES, charter->containers,
                                  &charter->n_containers);

    if (status == 0) {
        status =
            program_prefixes(roots->call, "--mesh", NULL, LIMIT_CHARTER_RANGES,
                             charter->mesh, &charter->n_mesh);
    }
    if (status == 0) {
        status = program_prefixes(roots->call, "--services", NULL,
                                  LIMIT_CHARTER_SERVICES, charter->services,
                                  &charter->n_services);
    }
    if (status == 0) {
        status = program_prefixes(roots->call, "--shared", "none",
                                  LIMIT_CHARTER_SHARED, charter->shared,
                                  &charter->n_shared);
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
    if (status == 0 &&
        !body_charter_services_usable(charter->services, charter->n_services)) {
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
    status = from != NULL ? roots_charter_from_file(roots, from, &proposal)
                          : roots_charter_from_agent(roots, &proposal, &answer);
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
