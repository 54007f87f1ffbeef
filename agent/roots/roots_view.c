/*
 * Charters for people.
 */
#include "agent/roots/roots_internal.h"

#include <stdio.h>
#include <string.h>

#include "gossip/base/text.h"

static void print_ranges(const char *what, const struct prefix *ranges,
                         size_t n)
{
    char text[PREFIX_TEXT_SIZE];

    (void)printf("%-11s", what);
    for (size_t i = 0; i < n; i++) {
        (void)printf(" %s", prefix_text(&ranges[i], text));
    }
    (void)printf("%s\n", n == 0 ? " -" : "");
}

void roots_view_charter(const struct body_charter *charter)
{
    char text[65];

    (void)printf("%-11s %u\n", "generation", (unsigned)charter->generation);
    for (size_t i = 0; i < charter->n_roots; i++) {
        (void)printf("%-11s %s\n", i == 0 ? "roots" : "",
                     text_from_bytes(charter->roots[i], 32, text));
    }
    (void)printf("%-11s %u of %zu roots sign what follows it\n", "threshold",
                 (unsigned)charter->threshold, charter->n_roots);
    print_ranges("containers", charter->containers, charter->n_containers);
    print_ranges("mesh", charter->mesh, charter->n_mesh);
    print_ranges("services", charter->services, charter->n_services);
    print_ranges("shared", charter->shared, charter->n_shared);
}

void roots_view_signers(const struct roots_proposal *proposal)
{
    char text[65];

    for (size_t i = 0; i < proposal->n_signers; i++) {
        (void)printf("%-11s %s\n", i == 0 ? "signed by" : "",
                     text_from_bytes(proposal->signers[i], 32, text));
    }
    (void)printf("%-11s %zu of %u, by the roots of generation %u\n",
                 "signatures", proposal->n_signers,
                 (unsigned)proposal->parent.threshold,
                 (unsigned)proposal->parent.generation);
}

static bool has_prefix(const struct prefix *list, size_t n,
                       const struct prefix *one)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].len == one->len &&
            address_equal(&list[i].address, &one->address)) {
            return true;
        }
    }
    return false;
}

/* Those of `here` that are not `there`. */
static size_t print_missing(char sign, const char *what,
                            const struct prefix *here, size_t n_here,
                            const struct prefix *there, size_t n_there)
{
    char text[PREFIX_TEXT_SIZE];
    size_t n = 0;

    for (size_t i = 0; i < n_here; i++) {
        if (!has_prefix(there, n_there, &here[i])) {
            (void)printf("%c %-9s %s\n", sign, what,
                         prefix_text(&here[i], text));
            n++;
        }
    }
    return n;
}

static size_t compare_ranges(const char *what, const struct prefix *before,
                             size_t n_before, const struct prefix *after,
                             size_t n_after)
{
    return print_missing('-', what, before, n_before, after, n_after) +
           print_missing('+', what, after, n_after, before, n_before);
}

static size_t print_roots(char sign, const struct body_charter *here,
                          const struct body_charter *there)
{
    char text[65];
    size_t n = 0;

    for (size_t i = 0; i < here->n_roots; i++) {
        bool is_there = false;

        for (size_t j = 0; j < there->n_roots; j++) {
            is_there |= memcmp(here->roots[i], there->roots[j], 32) == 0;
        }
        if (!is_there) {
            (void)printf("%c root      %s\n", sign,
                         text_from_bytes(here->roots[i], 32, text));
            n++;
        }
    }
    return n;
}

size_t roots_view_changes(const struct body_charter *before,
                          const struct body_charter *after)
{
    size_t n =
        print_roots('-', before, after) + print_roots('+', after, before);

    if (before->threshold != after->threshold) {
        (void)printf("  threshold %u becomes %u\n", (unsigned)before->threshold,
                     (unsigned)after->threshold);
        n++;
    }
    return n +
           compare_ranges("container", before->containers, before->n_containers,
                          after->containers, after->n_containers) +
           compare_ranges("mesh", before->mesh, before->n_mesh, after->mesh,
                          after->n_mesh) +
           compare_ranges("services", before->services, before->n_services,
                          after->services, after->n_services) +
           compare_ranges("shared", before->shared, before->n_shared,
                          after->shared, after->n_shared);
}
