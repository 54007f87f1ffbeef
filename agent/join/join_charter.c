/*
 * The first charter; see join_charter.h.  A host's subnet or mesh address is
 * taken for one of many in a /16 (IPv4) or /48 (IPv6), or in as much of it as
 * keeps containers, mesh and services apart.
 */
#include "agent/join/join_charter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define CHARTER_LEN_4 16
#define CHARTER_LEN_6 48

static uint8_t usual_len(uint8_t family)
{
    return family == 4 ? CHARTER_LEN_4 : CHARTER_LEN_6;
}

static struct prefix around(const struct address *address, uint8_t len)
{
    struct prefix prefix = {.address = *address, .len = len};

    (void)address_clear_host(&prefix.address, len);
    return prefix;
}

static const struct prefix *find_overlap(const struct prefix *prefix,
                                         const struct prefix *others, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (prefix_overlaps(prefix, &others[i])) {
            return &others[i];
        }
    }
    return NULL;
}

/* The largest range around the address that touches none of the others, at
 * most of `max_len`; false when even that does. */
static bool fit(const struct address *address, uint8_t max_len,
                const struct prefix *others, size_t n, struct prefix *ret)
{
    for (uint8_t len = MIN_OF(usual_len(address->family), max_len);
         len <= max_len; len++) {
        struct prefix range = around(address, len);

        if (find_overlap(&range, others, n) == NULL) {
            *ret = range;
            return true;
        }
    }
    return false;
}

static void add(struct prefix *ranges, size_t *n, const struct prefix *range)
{
    for (size_t i = 0; i < *n; i++) {
        if (ranges[i].len <= range->len &&
            prefix_contains(&ranges[i], &range->address)) {
            return;
        }
    }
    if (*n < LIMIT_CHARTER_RANGES) {
        ranges[(*n)++] = *range;
    }
}

static void derive_mesh(const struct join_request *host,
                        struct body_charter *charter)
{
    for (size_t i = 0; i < host->n_mesh && charter->n_mesh == 0; i++) {
        const struct address *address = &host->mesh[i].address;
        struct prefix range;

        if (fit(address, (uint8_t)address_bits(address->family),
                charter->n_containers > 0 ? charter->containers : host->subnets,
                charter->n_containers > 0 ? charter->n_containers
                                          : host->n_subnets,
                &range)) {
            add(charter->mesh, &charter->n_mesh, &range);
        }
    }
}

static void derive_containers(const struct join_request *host,
                              struct body_charter *charter)
{
    static const struct prefix usual[] = {
        {.address = {4, {10, 0}}, .len = 16},
        {.address = {4, {172, 16}}, .len = 16},
        {.address = {4, {192, 168}}, .len = 16},
    };

    for (size_t i = 0; i < host->n_subnets; i++) {
        const struct prefix *subnet = &host->subnets[i];
        struct prefix range;

        if (fit(&subnet->address, subnet->len, charter->mesh, charter->n_mesh,
                &range)) {
            add(charter->containers, &charter->n_containers, &range);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(usual) && charter->n_containers == 0;
         i++) {
        if (find_overlap(&usual[i], charter->mesh, charter->n_mesh) == NULL) {
            add(charter->containers, &charter->n_containers, &usual[i]);
        }
    }
}

static bool is_free(const struct prefix *range,
                    const struct body_charter *charter)
{
    return find_overlap(range, charter->containers, charter->n_containers) ==
               NULL &&
           find_overlap(range, charter->mesh, charter->n_mesh) == NULL;
}

static bool has_family(const struct prefix *ranges, size_t n, uint8_t family)
{
    for (size_t i = 0; i < n; i++) {
        if (ranges[i].address.family == family) {
            return true;
        }
    }
    return false;
}

/* One of IPv4 always; one of IPv6, a random unique local one (RFC 4193), where
 * containers have such addresses. */
static void derive_services(struct body_charter *charter)
{
    static const struct prefix usual[] = {
        {.address = {4, {100, 80}}, .len = 12},
        {.address = {4, {100, 96}}, .len = 12},
        {.address = {4, {100, 64}}, .len = 12},
        {.address = {4, {100, 112}}, .len = 12},
        {.address = {4, {10, 240}}, .len = 12},
    };
    struct prefix six = {.address = {6, {0xfd}}, .len = 64};

    for (size_t i = 0; i < ARRAY_SIZE(usual) && charter->n_services == 0; i++) {
        if (is_free(&usual[i], charter)) {
            charter->services[charter->n_services++] = usual[i];
        }
    }
    randombytes_buf(six.address.bytes + 1, 5);
    if (has_family(charter->containers, charter->n_containers, 6) &&
        charter->n_services > 0 && is_free(&six, charter)) {
        charter->services[charter->n_services++] = six;
    }
}

struct overlap_kind {
    const char *option;
    const struct prefix *ranges;
    size_t n;
};

static int judge(const struct body_charter *charter, char **ret_problem)
{
    const struct overlap_kind kinds[] = {
        {"--containers", charter->containers, charter->n_containers},
        {"--mesh", charter->mesh, charter->n_mesh},
        {"--services", charter->services, charter->n_services},
    };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].n == 0) {
            if (asprintf(ret_problem,
                         "no range of its own fits this host; give one with "
                         "%s SUBNET",
                         kinds[i].option) < 0) {
                *ret_problem = NULL;
            }
            return -EINVAL;
        }
        for (size_t j = 0; j < kinds[i].n * i; j++) {
            const struct overlap_kind *other = &kinds[j / kinds[i].n];
            const struct prefix *range = &kinds[i].ranges[j % kinds[i].n];
            const struct prefix *hit =
                find_overlap(range, other->ranges, other->n);
            char a[PREFIX_TEXT_SIZE];
            char b[PREFIX_TEXT_SIZE];

            if (hit == NULL) {
                continue;
            }
            if (asprintf(ret_problem,
                         "the ranges %s %s and %s %s overlap; an address is "
                         "of one kind only: give others",
                         other->option, prefix_text(hit, a), kinds[i].option,
                         prefix_text(range, b)) < 0) {
                *ret_problem = NULL;
            }
            return -EINVAL;
        }
    }
    return 0;
}

int join_charter_derive(const struct join_charter_ranges *asked,
                        const struct join_request *host,
                        struct body_charter *ret, char **ret_problem)
{
    struct body_charter charter = {
        .generation = 1,
        .n_containers = asked->n_containers,
        .n_mesh = asked->n_mesh,
        .n_services = asked->n_services,
    };
    int error;

    *ret_problem = NULL;
    memcpy(charter.containers, asked->containers, sizeof(charter.containers));
    memcpy(charter.mesh, asked->mesh, sizeof(charter.mesh));
    memcpy(charter.services, asked->services, sizeof(charter.services));
    if (charter.n_mesh == 0) {
        derive_mesh(host, &charter);
    }
    if (charter.n_containers == 0) {
        derive_containers(host, &charter);
    }
    if (charter.n_services == 0) {
        derive_services(&charter);
    }
    error = judge(&charter, ret_problem);
    if (error == 0) {
        *ret = charter;
    }
    return error;
}
