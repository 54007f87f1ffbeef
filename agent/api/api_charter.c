/*
 * GET /api/v1/charter: the charter in force, and whether the roots contradict
 * themselves.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/identity/identity.h"
#include "gossip/base/text.h"

#define HASH BODY_CHARTER_HASH_SIZE

/* One of the charters that there are, in whatever record. */
struct one {
    struct record record;
    struct body_charter body;
    uint8_t hash[HASH];
};

struct all {
    struct one *list; /* owned; none twice */
    size_t n;
};

static int add_one(const struct record *record, void *data)
{
    struct all *all = data;
    struct one *one = &all->list[all->n];

    if (all->n == LIMIT_CHARTERS || body_get_charter(record, &one->body) != 0) {
        return 0;
    }
    one->record = *record;
    body_hash_charter(&one->body, record->body, record->body_size, one->hash);
    for (size_t i = 0; i < all->n; i++) {
        if (memcmp(all->list[i].hash, one->hash, HASH) == 0) {
            return 0; /* the same in another envelope */
        }
    }
    all->n++;
    return 0;
}

static bool get_all(const struct core *core, struct all *ret)
{
    ret->n = 0;
    ret->list = calloc(LIMIT_CHARTERS + 1, sizeof(ret->list[0]));
    return ret->list != NULL &&
           node_records_each(core->node, RECORD_CHARTER, add_one, ret) == 0;
}

static const struct one *find(const struct all *all, const uint8_t hash[HASH])
{
    for (size_t i = 0; i < all->n; i++) {
        if (memcmp(all->list[i].hash, hash, HASH) == 0) {
            return &all->list[i];
        }
    }
    return NULL;
}

/* The roots whose signatures of it hold. */
static size_t find_signers(const struct core *core, const struct all *all,
                           const struct one *one,
                           uint8_t ret[LIMIT_GENESIS_ROOTS][32])
{
    const struct one *before = find(all, one->body.previous);
    struct body_charter_parent parent;

    if (before != NULL) {
        body_follow_charter(&before->body, before->hash, &parent);
    } else {
        genesis_parent(&core->identity->genesis, &parent);
    }
    return body_charter_signers(one->record.cluster, &one->body,
                                one->record.body, one->record.body_size,
                                &parent, ret);
}

static json_t *keys_json(uint8_t (*keys)[32], size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_build_append(&list, api_json_hex(keys[i], 32));
    }
    return list;
}

static json_t *signers_json(const struct core *core, const struct all *all,
                            const struct one *one)
{
    uint8_t signers[LIMIT_GENESIS_ROOTS][32];
    size_t n = find_signers(core, all, one, signers);

    return keys_json(signers, n);
}

/* Whether there is another of its generation. */
static bool has_rival(const struct all *all, const struct one *one)
{
    for (size_t i = 0; i < all->n; i++) {
        if (&all->list[i] != one &&
            all->list[i].body.generation == one->body.generation) {
            return true;
        }
    }
    return false;
}

/* All charters that have a rival. */
static json_t *rivals_json(const struct core *core, const struct all *all)
{
    json_t *list = json_array();

    for (size_t i = 0; i < all->n; i++) {
        const struct one *one = &all->list[i];

        if (has_rival(all, one)) {
            json_build_append(
                &list, json_pack("{s:I, s:o, s:o, s:o}", "generation",
                                 (json_int_t)one->body.generation, "hash",
                                 api_json_hex(one->hash, HASH), "signed_by",
                                 signers_json(core, all, one), "time",
                                 api_json_time(one->record.hlc >> 16)));
        }
    }
    return list;
}

static json_t *charter_json(const struct core *core, const struct all *all,
                            const struct one *one)
{
    const struct body_charter *body = &one->body;
    json_t *roots = json_array();

    for (size_t i = 0; i < body->n_roots; i++) {
        json_build_append(&roots, api_json_hex(body->roots[i], 32));
    }
    return json_pack(
        "{s:i, s:I, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o}",
        "schema", API_SCHEMA, "generation", (json_int_t)body->generation,
        "hash", api_json_hex(one->hash, HASH), "previous",
        api_json_hex(body->previous, HASH), "time",
        api_json_time(one->record.hlc >> 16), "roots", roots, "threshold",
        (int)body->threshold, "signed_by", signers_json(core, all, one),
        "containers", api_json_prefixes(body->containers, body->n_containers),
        "mesh", api_json_prefixes(body->mesh, body->n_mesh), "services",
        api_json_prefixes(body->services, body->n_services), "shared",
        api_json_prefixes(body->shared, body->n_shared), "rivals",
        rivals_json(core, all), "raw", api_json_record(&one->record));
}

void api_charter_get(struct http_exchange *exchange, void *data)
{
    const struct core *core = ((struct api *)data)->core;
    struct all all;
    const uint8_t *hash = NULL;
    const struct one *one = NULL;

    if (get_all(core, &all) && node_charter(core->node, &hash) != NULL) {
        one = find(&all, hash);
    }
    api_reply(exchange, one != NULL ? 200 : 500,
              one != NULL ? charter_json(core, &all, one) : NULL);
    free(all.list);
}

int api_charter_rivals(const struct core *core, char *text, size_t size)
{
    struct all all;
    const struct one *one = NULL;

    if (!get_all(core, &all)) {
        free(all.list);
        return -ENOMEM;
    }
    for (size_t i = 0; i < all.n && one == NULL; i++) {
        one = has_rival(&all, &all.list[i]) ? &all.list[i] : NULL;
    }
    text[0] = '\0';
    if (one != NULL) {
        (void)snprintf(text, size,
                       "the roots signed two charters of generation %u: every "
                       "host follows the one with the lower hash",
                       (unsigned)one->body.generation);
    }
    free(all.list);
    return 0;
}
