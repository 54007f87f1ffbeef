/* Safety of every step.  See check.h. */
#include "tests/sim/check.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <uthash.h>

#include "gossip/base/limits.h"
#include "gossip/wire/body.h"
#include "gossip/wire/evidence.h"
#include "gossip/wire/sign.h"

#define CHECK_HASH_SIZE 16
/* Later failures are only counted. */
#define CHECK_TEXT_MAX 4000

struct check_seen {
    uint8_t hash[CHECK_HASH_SIZE];
    uint8_t id[CHECK_HASH_SIZE]; /* orders: of the record that has it */
    UT_hash_handle hh;
};

struct check_grant {
    uint8_t key[32];
    struct body_certificate body;
    UT_hash_handle hh;
};

struct check_slot {
    uint8_t hash[CHECK_HASH_SIZE];
    struct record_order order;
    UT_hash_handle hh;
};

struct check_verified {
    uint8_t hash[32];
    int result;
    UT_hash_handle hh;
};

void check_init(struct check *check, uint32_t n_nodes)
{
    *check = (struct check){.n_nodes = n_nodes};
    check->slots = calloc(n_nodes, sizeof(struct check_slot *));
    check->hostile = calloc(n_nodes, sizeof(check->hostile[0]));
    assert(check->slots != NULL && check->hostile != NULL);
}

void check_grant(struct check *check, const struct body_certificate *body)
{
    struct check_grant *grant = calloc(1, sizeof(*grant));

    assert(grant != NULL);
    memcpy(grant->key, body->sign_public, sizeof(grant->key));
    grant->body = *body;
    HASH_ADD(hh, check->grants, key, sizeof(grant->key), grant);
}

int check_verify(const struct record *record, void *data)
{
    struct check *check = data;
    struct check_verified *known = NULL;
    uint8_t hash[32];

    crypto_generichash(hash, sizeof(hash), record->bytes, record->size, NULL,
                       0);
    HASH_FIND(hh, check->verified, hash, sizeof(hash), known);
    if (known == NULL) {
        known = calloc(1, sizeof(*known));
        assert(known != NULL);
        memcpy(known->hash, hash, sizeof(hash));
        known->result = sign_verify(record);
        check->n_verified++;
        HASH_ADD(hh, check->verified, hash, sizeof(known->hash), known);
    }
    return known->result;
}

void check_fail(struct check *check, uint32_t node, const char *format, ...)
{
    char line[512];
    char text[600];
    va_list arguments;
    int size;

    if (check->hostile[node]) {
        return;
    }
    check->n_failures++;
    if (check->text_size > CHECK_TEXT_MAX) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments); /* may be cut */
    va_end(arguments);
    size = snprintf(text, sizeof(text), "%10.3f node %" PRIu32 ": %s\n",
                    (double)check->now_us / 1e6, node, line);
    assert(size > 0 && (size_t)size < sizeof(text));
    check->text = realloc(check->text, check->text_size + (size_t)size + 1);
    assert(check->text != NULL);
    memcpy(check->text + check->text_size, text, (size_t)size + 1);
    check->text_size += (size_t)size;
}

static void check_id(const struct record *record, uint8_t ret[CHECK_HASH_SIZE])
{
    uint8_t id[RECORD_ID_SIZE];

    record_id(record, id);
    memcpy(ret, id, CHECK_HASH_SIZE);
}

static void check_order_hash(const struct record *record,
                             uint8_t ret[CHECK_HASH_SIZE])
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, CHECK_HASH_SIZE);
    crypto_generichash_update(&state, record->writer, RECORD_WRITER_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)&record->order,
                              sizeof(record->order));
    crypto_generichash_final(&state, ret, CHECK_HASH_SIZE);
}

static void check_slot_hash(const struct record *record,
                            uint8_t ret[CHECK_HASH_SIZE])
{
    struct body_tombstone tombstone;
    crypto_generichash_state state;
    uint8_t kind = record->kind;

    if (kind == RECORD_TOMBSTONE &&
        body_get_tombstone(record, &tombstone) == 0) {
        kind = tombstone.kind;
    }
    crypto_generichash_init(&state, NULL, 0, CHECK_HASH_SIZE);
    crypto_generichash_update(&state, record->writer, RECORD_WRITER_SIZE);
    crypto_generichash_update(&state, &kind, 1);
    crypto_generichash_update(&state, record->key, record->key_size);
    crypto_generichash_final(&state, ret, CHECK_HASH_SIZE);
}

/* Finds or adds; *ret_is_new tells. */
static struct check_seen *check_see(struct check_seen **set,
                                    const uint8_t hash[CHECK_HASH_SIZE],
                                    bool *ret_is_new)
{
    struct check_seen *seen = NULL;

    HASH_FIND(hh, *set, hash, CHECK_HASH_SIZE, seen);
    *ret_is_new = seen == NULL;
    if (seen == NULL) {
        seen = calloc(1, sizeof(*seen));
        assert(seen != NULL);
        memcpy(seen->hash, hash, CHECK_HASH_SIZE);
        HASH_ADD(hh, *set, hash, CHECK_HASH_SIZE, seen);
    }
    return seen;
}

void check_allow(struct check *check, const uint8_t *bytes, size_t size)
{
    struct record record;
    uint8_t hash[CHECK_HASH_SIZE];
    bool is_new;
    int result = record_parse(bytes, size, &record);

    assert(result == 0);
    check_id(&record, hash);
    (void)check_see(&check->seen, hash, &is_new); /* only to have it */
}

static void check_written(struct check *check, uint32_t node,
                          const struct record *record)
{
    uint8_t hash[CHECK_HASH_SIZE];
    uint8_t id[CHECK_HASH_SIZE];
    struct check_seen *seen;
    bool is_new;

    check_id(record, id);
    (void)check_see(&check->seen, id, &is_new); /* only to have it */
    if (check->hostile[node]) {
        return;
    }
    check_order_hash(record, hash);
    seen = check_see(&check->orders, hash, &is_new);
    if (is_new) {
        memcpy(seen->id, id, sizeof(id));
    } else if (memcmp(seen->id, id, sizeof(id)) != 0) {
        check_fail(check, node,
                   "wrote two records under epoch %016" PRIx64 " seq %" PRIu64,
                   record->order.epoch, record->order.seq);
    }
}

/* Addresses of others and functions that the writer was not granted, and what
 * only issuers write.  Judged here anew, not by what is tested. */
static bool check_is_hijack(const struct check *check,
                            const struct record *record)
{
    struct check_grant *grant = NULL;
    struct body_service service;
    const struct body_certificate *body;

    HASH_FIND(hh, check->grants, record->writer, RECORD_WRITER_SIZE, grant);
    if (grant == NULL) {
        return false; /* a root */
    }
    body = &grant->body;
    switch (record->kind) {
    case RECORD_CERTIFICATE:
    case RECORD_REVOCATION:
    case RECORD_FUNCTION:
    case RECORD_HOLD:
        return (body->roles & BODY_ROLE_ISSUER) == 0;
    case RECORD_SERVICE:
        return body_get_service(record, &service) != 0 ||
               memcmp(service.address.bytes, body->subnets[0].address.bytes,
                      3) != 0 ||
               (strcmp(body->functions[0], "*") != 0 &&
                strncmp(service.function, body->functions[0],
                        strlen(body->functions[0]) - 1) != 0);
    default:
        return false;
    }
}

static void check_accepted(struct check *check, uint32_t node,
                           const struct record *record)
{
    struct check_seen *seen = NULL;
    struct record halves[2];
    uint8_t id[CHECK_HASH_SIZE];

    if (evidence_get(record, &halves[0], &halves[1]) == 0) {
        check_accepted(check, node, &halves[0]); /* which are no evidence */
        check_accepted(check, node, &halves[1]);
        return;
    }
    check_id(record, id);
    HASH_FIND(hh, check->seen, id, sizeof(id), seen);
    if (seen == NULL) {
        check_fail(check, node,
                   "accepted a %s record that its writer never made",
                   record_kind_name(record->kind));
    }
    if (check_is_hijack(check, record)) {
        check_fail(check, node,
                   "accepted a %s record that its writer had no right to",
                   record_kind_name(record->kind));
    }
    if (check_verify(record, check) != 0) {
        check_fail(check, node, "accepted a %s record with a wrong signature",
                   record_kind_name(record->kind));
    }
}

/* Two records of one order exist only of writers who cheat. */
static bool check_is_not_newer(struct check *check, const struct record *record,
                               struct record_order old)
{
    int order = record_order_compare(record->order, old);
    struct check_seen *seen = NULL;
    uint8_t hash[CHECK_HASH_SIZE];

    check_order_hash(record, hash);
    HASH_FIND(hh, check->orders, hash, sizeof(hash), seen);
    return order < 0 || (order == 0 && seen != NULL);
}

static void check_store(struct check *check, uint32_t node,
                        const struct record *record, bool is_erase)
{
    struct check_slot *slot = NULL;
    uint8_t hash[CHECK_HASH_SIZE];

    check_slot_hash(record, hash);
    HASH_FIND(hh, check->slots[node], hash, sizeof(hash), slot);
    if (is_erase) {
        return; /* what was before that does not come back */
    }
    if (slot == NULL) {
        slot = calloc(1, sizeof(*slot));
        assert(slot != NULL);
        memcpy(slot->hash, hash, sizeof(hash));
        HASH_ADD(hh, check->slots[node], hash, sizeof(slot->hash), slot);
    } else if (check_is_not_newer(check, record, slot->order)) {
        check_fail(check, node,
                   "stored a %s record of seq %" PRIu64 " after seq %" PRIu64,
                   record_kind_name(record->kind), record->order.seq,
                   slot->order.seq);
    }
    slot->order = record->order;
}

static void check_record(struct check *check, uint32_t node,
                         const uint8_t own[32],
                         const struct node_action *action)
{
    struct record record;

    if (record_parse(action->bytes, action->size, &record) != 0) {
        check_fail(check, node, "action %d carries no record", action->type);
        return;
    }
    if (action->type == NODE_ACTION_STORE && action->is_own) {
        if (memcmp(record.writer, own, 32) != 0) {
            check_fail(check, node, "signs for another");
        }
        check_written(check, node, &record);
    }
    if (record.kind == RECORD_ACCUSATION) {
        check_fail(check, node, "keeps an accusation");
    }
    if (action->type == NODE_ACTION_STORE) {
        check_accepted(check, node, &record);
    }
    if (action->type != NODE_ACTION_RECORD) {
        check_store(check, node, &record, action->type == NODE_ACTION_ERASE);
    }
}

void check_actions(struct check *check, uint32_t node, const uint8_t own[32],
                   const struct node_actions *actions)
{
    size_t n_actions = node_actions_count(actions);
    size_t n_sends = 0;

    for (size_t i = 0; i < n_actions; i++) {
        const struct node_action *action = node_actions_at(actions, i);

        if (action->type == NODE_ACTION_SEND) {
            n_sends++;
            if (action->size == 0 || action->size > LIMIT_DATAGRAM_SIZE) {
                check_fail(check, node, "sends %zu bytes", action->size);
            }
        } else if (action->type == NODE_ACTION_STREAM_SEND &&
                   action->size > LIMIT_FRAME_SIZE) {
            check_fail(check, node, "sends a frame of %zu bytes", action->size);
        } else if (action->type == NODE_ACTION_STORE ||
                   action->type == NODE_ACTION_ERASE ||
                   action->type == NODE_ACTION_RECORD) {
            check_record(check, node, own, action);
        }
    }
    if (n_sends > CHECK_SENDS_MAX || n_actions > CHECK_ACTIONS_MAX) {
        check_fail(check, node, "one step: %zu actions, %zu datagrams",
                   n_actions, n_sends);
    }
}

void check_forget(struct check *check, uint32_t node)
{
    struct check_slot *slot;
    struct check_slot *next;

    HASH_ITER (hh, check->slots[node], slot, next) {
        HASH_DEL(check->slots[node], slot);
        free(slot);
    }
}

static void check_seen_free(struct check_seen *set)
{
    struct check_seen *seen;
    struct check_seen *next;

    HASH_ITER (hh, set, seen, next) {
        HASH_DEL(set, seen);
        free(seen);
    }
}

void check_done(struct check *check)
{
    struct check_verified *known;
    struct check_verified *next_known;
    struct check_grant *grant;
    struct check_grant *next_grant;

    check_seen_free(check->seen);
    check_seen_free(check->orders);
    for (uint32_t i = 0; i < check->n_nodes; i++) {
        check_forget(check, i);
    }
    free(check->slots);
    free(check->hostile);
    HASH_ITER (hh, check->grants, grant, next_grant) {
        HASH_DEL(check->grants, grant);
        free(grant);
    }
    HASH_ITER (hh, check->verified, known, next_known) {
        HASH_DEL(check->verified, known);
        free(known);
    }
    free(check->text);
    *check = (struct check){0};
}
