/*
 * The service address of a function (catalog.h, head): candidate addresses
 * from a hash, claims from the records, one winner per address.  Every node
 * computes the same from the same records; nothing here depends on what this
 * node can reach.
 */
#include "agent/catalog/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/catalog/catalog_internal.h"
#include "gossip/base/cursor.h"
#include "gossip/base/search.h"

/* What a function's right to an address rests on, the best first. */
enum catalog_ground {
    CATALOG_DECLARED = 0, /* an operator's function record */
    CATALOG_CLAIMED,      /* an issuer's */
    CATALOG_NAMED,        /* a service record; the certificate has the name */
    CATALOG_MATCHED,      /* ... a pattern that fits */
};

/* A function's candidate address. */
struct catalog_claim {
    struct address address;
    struct catalog_function *function;
    const struct catalog_wish *wish; /* CLAIMED */
    uint8_t hash[32];                /* of the name */
    uint16_t slot;
    enum catalog_ground ground;
    bool is_won;
};

void catalog_slot_address(const struct catalog *catalog, const char *name,
                          uint16_t slot, struct address *ret)
{
    static const char domain[] = "socketnet/v1/slot";
    const struct prefix *range = &catalog->range;
    size_t size = address_size(&range->address);
    uint8_t input[sizeof(domain) + RECORD_CLUSTER_SIZE + BODY_NAME_SIZE + 3];
    struct writer writer = writer_init(input, sizeof(input));
    size_t name_len = strlen(name);
    unsigned host_bits = (unsigned)size * 8 - range->len;
    uint8_t hash[32];
    struct reader reader = reader_init(hash, 8);
    uint64_t offset;
    unsigned carry = 0;

    writer_put(&writer, domain, sizeof(domain)); /* with its NUL */
    writer_put(&writer, catalog->cluster, RECORD_CLUSTER_SIZE);
    writer_u8(&writer, (uint8_t)name_len);
    writer_put(&writer, name, name_len);
    writer_u16(&writer, slot);
    (void)crypto_generichash(hash, sizeof(hash), input, writer_size(&writer),
                             NULL, 0); /* fails only for bad sizes */
    offset = reader_u64(&reader);
    if (host_bits < 64) {
        offset &= (UINT64_C(1) << host_bits) - 1;
    }
    /* The first address is kept for containers that call themselves. */
    offset += offset == 0;
    *ret = range->address;
    for (size_t i = size; i > 0; i--) {
        unsigned sum = ret->bytes[i - 1] + (unsigned)(offset & 0xff) + carry;

        ret->bytes[i - 1] = (uint8_t)sum;
        carry = sum >> 8;
        offset >>= 8;
    }
}

/* Which of two claims for one address comes first: the better ground, then
 * the lower slot, then the lower hash of the name. */
static int catalog_claim_rank(const struct catalog_claim *a,
                              const struct catalog_claim *b)
{
    int result;

    if (a->ground != b->ground) {
        return a->ground < b->ground ? -1 : 1;
    }
    if (a->slot != b->slot) {
        return a->slot < b->slot ? -1 : 1;
    }
    result = memcmp(a->hash, b->hash, sizeof(a->hash));
    return result != 0 ? result : strcmp(a->function->name, b->function->name);
}

static int catalog_claim_compare(const void *left, const void *right)
{
    const struct catalog_claim *a = left;
    const struct catalog_claim *b = right;
    int result = address_compare(&a->address, &b->address);

    return result != 0 ? result : catalog_claim_rank(a, b);
}

static void catalog_claim_init(struct catalog_claim *claim,
                               struct catalog_function *function, uint16_t slot)
{
    *claim = (struct catalog_claim){.function = function, .slot = slot};
    (void)crypto_generichash(
        claim->hash, sizeof(claim->hash), (const uint8_t *)function->name,
        strlen(function->name), NULL, 0); /* fails only for bad sizes */
}

/* The candidates of a function from issuers' claims: a claim counts for the
 * address that its slot has.  Returns how many. */
static size_t catalog_collect_claimed(const struct catalog *catalog,
                                      struct catalog_function *function,
                                      const struct catalog_content *content,
                                      size_t first, size_t n_wishes,
                                      struct catalog_claim *claims)
{
    size_t n = 0;

    for (size_t i = first; i < first + n_wishes; i++) {
        const struct catalog_wish *wish = &content->wishes[i];
        struct catalog_claim *claim = &claims[n];

        if (!wish->is_claim) {
            continue;
        }
        catalog_claim_init(claim, function, wish->slot);
        catalog_slot_address(catalog, function->name, wish->slot,
                             &claim->address);
        if (address_equal(&claim->address, &wish->address)) {
            claim->ground = CATALOG_CLAIMED;
            claim->wish = wish;
            n++;
        }
    }
    return n;
}

/* ... from its service records. */
static size_t catalog_collect_carried(const struct catalog *catalog,
                                      struct catalog_function *function,
                                      struct catalog_claim *claims)
{
    size_t n = 0;

    for (size_t j = 0; j < function->n_instances; j++) {
        const struct catalog_instance *instance = &function->instances[j];
        enum catalog_ground ground =
            instance->is_named ? CATALOG_NAMED : CATALOG_MATCHED;

        if (n == 0 || claims[n - 1].slot != instance->service.slot) {
            catalog_claim_init(&claims[n], function, instance->service.slot);
            catalog_slot_address(catalog, function->name,
                                 instance->service.slot, &claims[n].address);
            claims[n].ground = ground;
            n++;
        }
        claims[n - 1].ground = MIN_OF(claims[n - 1].ground, ground);
    }
    return n;
}

static size_t catalog_collect_claims(const struct catalog *catalog,
                                     struct catalog_content *content,
                                     struct catalog_claim *claims)
{
    size_t n = 0;
    size_t at = 0;

    for (size_t i = 0; i < content->n_functions; i++) {
        struct catalog_function *function = &content->functions[i];
        size_t n_wishes = 0;
        size_t n_own;

        /* Both are in the order of names. */
        while (at + n_wishes < content->n_wishes &&
               strcmp(content->wishes[at + n_wishes].name, function->name) ==
                   0) {
            n_wishes++;
        }
        if (function->is_declared) {
            catalog_claim_init(&claims[n], function, 0);
            claims[n].address = function->address;
            claims[n].ground = CATALOG_DECLARED;
            n++;
        } else {
            n_own = catalog_collect_claimed(catalog, function, content, at,
                                            n_wishes, &claims[n]);
            n += n_own > 0
                     ? n_own
                     : catalog_collect_carried(catalog, function, &claims[n]);
        }
        function->address = (struct address){0};
        at += n_wishes;
    }
    return n;
}

/* Sorted by address and rank, the first claim of each address wins; a
 * function takes the lowest slot it has won. */
static void catalog_settle_claims(struct catalog_claim *claims, size_t n)
{
    const struct catalog_function *holder = NULL;

    for (size_t i = 0; i < n; i++) {
        if (i == 0 ||
            !address_equal(&claims[i].address, &claims[i - 1].address)) {
            holder = claims[i].function;
        }
        /* A function does not lose to another slot of its own. */
        claims[i].is_won = claims[i].function == holder;
    }
    for (size_t i = 0; i < n; i++) {
        struct catalog_function *function = claims[i].function;

        if (claims[i].is_won && (function->address.family == 0 ||
                                 claims[i].slot < function->slot)) {
            const struct catalog_wish *wish = claims[i].wish;

            function->address = claims[i].address;
            function->slot = claims[i].slot;
            function->is_claimed = wish != NULL;
            if (wish != NULL) {
                memcpy(function->claimer, wish->writer,
                       sizeof(function->claimer));
                function->idle_since_s = wish->idle_since_s;
            }
        }
    }
}

static int catalog_by_address_compare(const void *left, const void *right)
{
    const struct catalog_function *const *a = left;
    const struct catalog_function *const *b = right;

    return address_compare(&(*a)->address, &(*b)->address);
}

int catalog_give_addresses(const struct catalog *catalog,
                           struct catalog_content *content)
{
    _cleanup_(free_pointer) struct catalog_claim *claims = NULL;
    size_t n_max =
        content->n_functions + content->n_instances + content->n_wishes;
    size_t n;

    if (n_max == 0) {
        return 0;
    }
    claims = calloc(n_max, sizeof(*claims));
    content->by_address =
        calloc(content->n_functions, sizeof(struct catalog_function *));
    if (claims == NULL || content->by_address == NULL) {
        return -ENOMEM;
    }
    n = catalog_collect_claims(catalog, content, claims);
    if (n > 0) {
        qsort(claims, n, sizeof(*claims), catalog_claim_compare);
    }
    catalog_settle_claims(claims, n);
    free(content->wishes); /* all that they say is with the functions now */
    content->wishes = NULL;
    content->n_wishes = 0;
    for (size_t i = 0; i < content->n_functions; i++) {
        if (content->functions[i].address.family != 0) {
            content->by_address[content->n_by_address] = &content->functions[i];
            content->n_by_address++;
        }
    }
    if (content->n_by_address > 0) {
        qsort(content->by_address, content->n_by_address,
              sizeof(struct catalog_function *), catalog_by_address_compare);
    }
    return 0;
}

static int compare_address(const void *key, const void *element)
{
    return address_compare(
        key, &(*(struct catalog_function *const *)element)->address);
}

const struct catalog_function *
catalog_find_address(const struct catalog *catalog,
                     const struct address *address)
{
    const struct catalog_content *content = &catalog->content;
    struct catalog_function *const *found =
        search_find(address, content->by_address, content->n_by_address,
                    sizeof(*content->by_address), compare_address);

    return found != NULL ? *found : NULL;
}

uint16_t catalog_free_slot(const struct catalog *catalog, const char *name)
{
    for (uint16_t slot = 0; slot < UINT16_MAX; slot++) {
        const struct catalog_function *holder;
        struct address address;

        catalog_slot_address(catalog, name, slot, &address);
        holder = catalog_find_address(catalog, &address);
        if (holder == NULL || strcmp(holder->name, name) == 0) {
            return slot;
        }
    }
    return UINT16_MAX; /* the whole range is held: nothing is lost by it */
}
