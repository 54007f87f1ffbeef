/*
 * Candidates are numbered; what is held becomes intervals of numbers, and the
 * first number outside of all of them is free.  See join_allocate.h.
 */
#include "agent/join/join_allocate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/identity/token_ledger.h"
#include "agent/join/join_judge.h"

#define NAME_PREFIX "node"
/* Names are numbered so far. */
#define NAMES_MAX 1000000u
/* Candidates of one range are numbered by so many bits at most. */
#define NUMBER_BITS_MAX 32u

struct interval {
    uint64_t low;
    uint64_t high; /* included */
};

/* What is looked for, and the numbers that are held. */
struct search {
    const struct join_allocate *from;
    const struct prefix *range; /* NULL: of names */
    uint8_t len;                /* of a candidate */
    uint64_t n_candidates;
    struct interval *held;
    size_t n_held;
    size_t n_room;
    int error;
};

/* `n_bits` of the address from `first` on, at most 64 of them. */
static uint64_t get_bits(const struct address *address, unsigned first,
                         unsigned n_bits)
{
    uint64_t value = 0;

    for (unsigned i = first; i < first + n_bits; i++) {
        value =
            value << 1 | ((unsigned)address->bytes[i / 8] >> (7 - i % 8) & 1u);
    }
    return value;
}

/* Numbers are the last bits of a candidate. */
static unsigned number_bits(const struct search *search)
{
    return MIN_OF((unsigned)(search->len - search->range->len),
                  NUMBER_BITS_MAX);
}

static struct prefix candidate(const struct search *search, uint64_t number)
{
    struct prefix prefix = {.address = search->range->address,
                            .len = search->len};

    for (unsigned i = 0; i < number_bits(search); i++) {
        unsigned at = search->len - 1u - i;

        if ((number >> i & 1) != 0) {
            prefix.address.bytes[at / 8] =
                (uint8_t)(prefix.address.bytes[at / 8] | 0x80u >> at % 8);
        }
    }
    return prefix;
}

static void hold_numbers(struct search *search, uint64_t low, uint64_t high)
{
    if (search->n_held == search->n_room) {
        size_t n_room = search->n_room == 0 ? 64 : 2 * search->n_room;
        struct interval *held =
            reallocarray(search->held, n_room, sizeof(*held));

        if (held == NULL) {
            search->error = -ENOMEM;
            return;
        }
        search->held = held;
        search->n_room = n_room;
    }
    search->held[search->n_held++] = (struct interval){low, high};
}

/* The candidates that overlap a prefix. */
static void hold(struct search *search, const struct prefix *prefix)
{
    unsigned first = search->len - number_bits(search);
    unsigned n_bits = number_bits(search);
    uint64_t low;
    unsigned n_free;

    if (!prefix_overlaps(search->range, prefix)) {
        return;
    }
    if (prefix->len <= search->range->len) {
        hold_numbers(search, 0, search->n_candidates - 1);
        return;
    }
    for (unsigned i = search->range->len; i < first; i += 32) {
        if (get_bits(&prefix->address, i, MIN_OF(first - i, 32u)) != 0) {
            return; /* none of the numbered ones */
        }
    }
    low = get_bits(&prefix->address, first, n_bits);
    n_free = prefix->len >= search->len ? 0 : search->len - prefix->len;
    hold_numbers(search, low, low | ((UINT64_C(1) << MIN_OF(n_free, 63u)) - 1));
}

static void hold_address(struct search *search, const struct address *address)
{
    hold(search,
         &(struct prefix){.address = *address,
                          .len = (uint8_t)address_bits(address->family)});
}

/* "node7" holds 7. */
static void hold_name(struct search *search, const char *name)
{
    char canonical[BODY_NAME_SIZE];
    uint64_t number = 0;
    const char *at;

    if (body_name_canonical(name, canonical) != 0 ||
        strncmp(canonical, NAME_PREFIX, strlen(NAME_PREFIX)) != 0) {
        return;
    }
    for (at = canonical + strlen(NAME_PREFIX);
         *at >= '0' && *at <= '9' && number <= NAMES_MAX; at++) {
        number = 10 * number + (uint64_t)(*at - '0');
    }
    if (*at == '\0' && number > 0 && number <= NAMES_MAX) {
        hold_numbers(search, number - 1, number - 1);
    }
}

static int hold_certificate(const struct record *record, void *data)
{
    struct search *search = data;
    struct body_certificate body;

    if (body_get_certificate(record, &body) != 0 ||
        !join_judge_holds(search->from->node, &body, search->from->now_s)) {
        return 0;
    }
    if (search->range == NULL) {
        hold_name(search, body.name);
        return search->error;
    }
    for (size_t i = 0; i < body.n_subnets; i++) {
        hold(search, &body.subnets[i]);
    }
    for (size_t i = 0; i < body.n_mesh; i++) {
        hold_address(search, &body.mesh[i].address);
    }
    return search->error;
}

static void hold_tokens(struct search *search)
{
    const struct store_token *token;
    size_t at = 0;

    while ((token = token_ledger_next(search->from->tokens, search->from->now_s,
                                      &at)) != NULL) {
        struct node_member holder;

        if (token->used_s != 0 &&
            node_member_find(search->from->node, token->used_by, &holder)) {
            continue; /* its certificate says what it has */
        }
        if (search->range == NULL) {
            hold_name(search, token->name);
            continue;
        }
        for (size_t i = 0; i < token->n_subnets; i++) {
            hold(search, &token->subnets[i]);
        }
        for (size_t i = 0; i < token->n_mesh; i++) {
            hold_address(search, &token->mesh[i]);
        }
    }
}

static int compare_intervals(const void *a, const void *b)
{
    const struct interval *x = a;
    const struct interval *y = b;

    return x->low < y->low ? -1 : x->low > y->low;
}

/* The first number from `at` on that is `part` modulo `n_parts`. */
static uint64_t next_of_part(uint64_t at, uint64_t part, uint64_t n_parts)
{
    return at + (part + n_parts - at % n_parts) % n_parts;
}

/* The first free number of a part; `held` is in order.  False: none. */
static bool find_free(const struct search *search, uint64_t part,
                      uint64_t n_parts, uint64_t *ret)
{
    uint64_t at = part;

    for (size_t i = 0; i < search->n_held && search->held[i].low <= at; i++) {
        if (search->held[i].high >= at) {
            at = next_of_part(search->held[i].high + 1, part, n_parts);
        }
    }
    if (at >= search->n_candidates) {
        return false;
    }
    *ret = at;
    return true;
}

/* How many issuers there are, and which of them this node is. */
static uint64_t find_part(const struct node *node, uint64_t *ret_n)
{
    struct node_member member;
    uint8_t self[32] = {0};
    uint64_t part = 0;
    uint64_t n = 0;

    for (size_t at = 0; node_member_next(node, &at, &member);) {
        if (member.is_self) {
            memcpy(self, member.key, sizeof(self));
        }
    }
    for (size_t at = 0; node_member_next(node, &at, &member);) {
        if (node_member_is_gone(&member) || member.denial != NODE_DENIAL_NONE ||
            (member.certificate->roles & BODY_ROLE_ISSUER) == 0) {
            continue;
        }
        n++;
        part += memcmp(member.key, self, sizeof(self)) < 0;
    }
    *ret_n = MAX_OF(n, 1u);
    return n == 0 ? 0 : part % n;
}

static void search_done(struct search *search)
{
    free(search->held);
}

/* Collects what is held, then looks in the own part or everywhere.  0, -ENOMEM,
 * -ENOSPC. */
static int run(struct search *search, bool is_anywhere, uint64_t *ret)
{
    const struct join_allocate *from = search->from;
    uint64_t n_parts = 1;
    uint64_t part = is_anywhere ? 0 : find_part(from->node, &n_parts);

    (void)node_records_each(from->node, RECORD_CERTIFICATE, hold_certificate,
                            search);
    hold_tokens(search);
    if (search->error != 0) {
        return search->error;
    }
    if (search->n_held > 0) {
        qsort(search->held, search->n_held, sizeof(search->held[0]),
              compare_intervals);
    }
    return find_free(search, part, n_parts, ret) ? 0 : -ENOSPC;
}

/* Ends of the range that no host may have. */
static void hold_ends(struct search *search)
{
    const uint64_t ends[] = {0, search->n_candidates - 1};

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct prefix end = candidate(search, ends[i]);

        if (!prefix_is_host(search->range, &end.address)) {
            hold_numbers(search, ends[i], ends[i]);
        }
    }
}

static int search_range(const struct join_allocate *from,
                        const struct prefix *range, uint8_t len, bool is_mesh,
                        bool is_anywhere, struct prefix *ret)
{
    const struct body_charter *charter = node_charter(from->node, NULL);
    _cleanup_(search_done) struct search search = {
        .from = from, .range = range, .len = len};
    uint64_t number = 0;
    int error;

    search.n_candidates = UINT64_C(1) << number_bits(&search);
    for (size_t i = 0; i < charter->n_shared && !is_mesh; i++) {
        hold(&search, &charter->shared[i]);
    }
    for (size_t i = 0; i < from->n_own; i++) {
        hold_address(&search, &from->own[i].address);
        if (!is_mesh) {
            hold(&search, &from->own[i].network);
        }
    }
    if (is_mesh) {
        hold_ends(&search);
    }
    error = run(&search, is_anywhere, &number);
    if (error == 0) {
        *ret = candidate(&search, number);
    }
    return error;
}

/* A length for the range, or 0: it cannot have one. */
static uint8_t choose_len(const struct prefix *range, uint8_t wanted)
{
    uint8_t family = range->address.family;
    uint8_t usual = family == 4 ? JOIN_ALLOCATE_LEN_4 : JOIN_ALLOCATE_LEN_6;
    unsigned small = range->len + JOIN_ALLOCATE_HOSTS_BITS;
    unsigned len = wanted != 0 ? wanted : MAX_OF(usual, small);

    return len < range->len || len > address_bits(family) - 2 ? 0
                                                              : (uint8_t)len;
}

static bool is_family_wanted(const struct body_charter *charter,
                             const struct prefix *range, uint8_t wanted)
{
    bool has_four = false;

    for (size_t i = 0; i < charter->n_containers; i++) {
        has_four |= charter->containers[i].address.family == 4;
    }
    return (range->address.family == 4) == (has_four && wanted <= 32);
}

int join_allocate_subnet(const struct join_allocate *from, uint8_t len,
                         struct prefix *ret)
{
    const struct body_charter *charter = node_charter(from->node, NULL);
    int error = -ENOSPC;

    for (int is_anywhere = 0; is_anywhere < 2; is_anywhere++) {
        for (size_t i = 0; i < charter->n_containers && error == -ENOSPC; i++) {
            const struct prefix *range = &charter->containers[i];
            uint8_t chosen = choose_len(range, len);

            if (chosen != 0 && is_family_wanted(charter, range, len)) {
                error = search_range(from, range, chosen, false,
                                     is_anywhere != 0, ret);
            }
        }
    }
    return error;
}

int join_allocate_mesh(const struct join_allocate *from, struct address *ret)
{
    const struct body_charter *charter = node_charter(from->node, NULL);
    struct prefix found;
    int error = -ENOSPC;

    for (int is_anywhere = 0; is_anywhere < 2; is_anywhere++) {
        for (size_t i = 0; i < charter->n_mesh && error == -ENOSPC; i++) {
            const struct prefix *range = &charter->mesh[i];

            error = search_range(from, range,
                                 (uint8_t)address_bits(range->address.family),
                                 true, is_anywhere != 0, &found);
        }
    }
    if (error == 0) {
        *ret = found.address;
    }
    return error;
}

int join_allocate_name(const struct join_allocate *from,
                       char ret[BODY_NAME_SIZE])
{
    int error = -ENOSPC;

    for (int is_anywhere = 0; is_anywhere < 2 && error == -ENOSPC;
         is_anywhere++) {
        _cleanup_(search_done) struct search search = {
            .from = from, .n_candidates = NAMES_MAX};
        uint64_t number = 0;

        error = run(&search, is_anywhere != 0, &number);
        if (error == 0) {
            (void)snprintf(ret, BODY_NAME_SIZE, NAME_PREFIX "%" PRIu64,
                           number + 1);
        }
    }
    return error;
}
