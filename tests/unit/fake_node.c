/*
 * See fake_node.h.
 */
#include "fake_node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/wire/evidence.h"

#define FAKE_RECORDS 8192

struct fake_record {
    uint8_t bytes[LIMIT_RECORD_SIZE];
    size_t size;
};

struct fake_member {
    struct node_member member;
    struct body_certificate certificate;
};

struct node {
    struct fake_member **members; /* by key */
    size_t n_members;
    struct fake_record *records;
    size_t n_records;
    uint64_t seq;
    enum node_trouble trouble;
    bool is_held;
    bool has_charter;
    struct body_charter charter;
    uint8_t charter_hash[BODY_CHARTER_HASH_SIZE];
    uint8_t trouble_source[32];
    uint8_t issuer[32]; /* of all certificates, when has_issuer */
    bool has_issuer;
};

static const uint8_t fake_cluster[RECORD_CLUSTER_SIZE] = "a test's cluster";

struct node *fake_node_new(void)
{
    struct node *node = calloc(1, sizeof(*node));

    assert(node != NULL);
    node->records = calloc(FAKE_RECORDS, sizeof(*node->records));
    assert(node->records != NULL);
    return node;
}

void fake_node_free(struct node *node)
{
    for (size_t i = 0; i < node->n_members; i++) {
        free(node->members[i]);
    }
    free(node->members);
    free(node->records);
    free(node);
}

void fake_node_set_trouble(struct node *node, enum node_trouble trouble,
                           const uint8_t source[32])
{
    node->trouble = trouble;
    memcpy(node->trouble_source, source, 32);
}

static struct address fake_address(const char *text)
{
    struct address address = {0};
    int error = address_parse(text, &address);

    assert(error == 0);
    (void)error;
    return address;
}

/* Keys ascend with the numbers. */
static void fake_member_key(uint32_t number, uint8_t key[32])
{
    memset(key, number < 255 ? (int)number : 255, 32);
    if (number >= 255) {
        for (size_t i = 0; i < 4; i++) {
            key[1 + i] = (uint8_t)(number >> (24 - 8 * i));
        }
    }
}

struct node_member *fake_node_member(struct node *node, uint32_t number)
{
    struct fake_member *made = calloc(1, sizeof(*made));
    struct body_certificate *certificate;
    struct node_member *member;
    char text[32];

    assert(made != NULL);
    node->members = reallocarray(node->members, node->n_members + 1,
                                 sizeof(struct fake_member *));
    assert(node->members != NULL);
    node->members[node->n_members] = made;
    certificate = &made->certificate;
    member = &made->member;
    fake_member_key(number, member->key);
    assert(node->n_members == 0 ||
           memcmp(node->members[node->n_members - 1]->member.key, member->key,
                  32) < 0);
    node->n_members++;
    memcpy(certificate->sign_public, member->key, 32);
    (void)snprintf(certificate->name, sizeof(certificate->name), "host%u",
                   number);
    (void)snprintf(text, sizeof(text), "100.104.%u.%u",
                   number < 255 ? 70 : 71 + number / 256, number % 256);
    certificate->mesh[0].address = fake_address(text);
    certificate->mesh[0].port = 7720;
    certificate->n_mesh = 1;
    (void)snprintf(text, sizeof(text), "10.%u.%u.0", number / 256,
                   number % 256);
    certificate->subnets[0].address = fake_address(text);
    certificate->subnets[0].len = 24;
    certificate->n_subnets = 1;
    certificate->roles = BODY_ROLE_MEMBER;
    memcpy(certificate->functions[0], "*", 2);
    certificate->n_functions = 1;
    member->id = record_node_id(member->key);
    member->certificate = certificate;
    member->state = NODE_MEMBER_ALIVE;
    member->is_self = number == 1;
    member->is_heard = true;
    member->is_reachable = true;
    member->rtt_us = number == 1 ? 0 : 1000u * number;
    return member;
}

struct body_certificate *fake_node_certificate(struct node_member *member)
{
    return (struct body_certificate *)(uintptr_t)member->certificate;
}

struct body_service fake_service(const char *function, const char *address,
                                 uint16_t port)
{
    struct body_service service = {.protocol = 6,
                                   .port = port,
                                   .address = fake_address(address),
                                   .weight = 100};

    (void)snprintf(service.function, sizeof(service.function), "%s", function);
    (void)snprintf(service.instance, sizeof(service.instance), "i-%u",
                   service.address.bytes[3]);
    return service;
}

/* `is_new`: known not to be there, so that it is not looked for. */
static void fake_put(struct node *node, uint8_t number, uint8_t kind,
                     const char *key, const uint8_t *body, size_t body_size,
                     bool is_new)
{
    uint8_t writer[32];
    struct record_fields fields = {.kind = kind,
                                   .cluster = fake_cluster,
                                   .writer = writer,
                                   .serial = 1,
                                   .key = (const uint8_t *)key,
                                   .key_size = strlen(key),
                                   .body = body,
                                   .body_size = body_size};
    struct fake_record *slot = NULL;

    memset(writer, number, sizeof(writer));
    node->seq++;
    fields.order.epoch = 1;
    fields.order.seq = node->seq;
    for (size_t i = 0; i < node->n_records && !is_new; i++) {
        struct record record;
        int error = record_parse(node->records[i].bytes, node->records[i].size,
                                 &record);

        assert(error == 0);
        (void)error;
        if (record.kind == kind && record.writer[0] == number &&
            record.key_size == fields.key_size &&
            memcmp(record.key, key, fields.key_size) == 0) {
            slot = &node->records[i];
        }
    }
    if (slot == NULL) {
        assert(node->n_records < FAKE_RECORDS);
        slot = &node->records[node->n_records];
        node->n_records++;
    }
    slot->size = record_build(&fields, slot->bytes, sizeof(slot->bytes));
    assert(slot->size > 0);
}

static void fake_key(const struct body_service *service, char key[160])
{
    (void)snprintf(key, 160, "%s/%s", service->function, service->instance);
}

static void fake_put_service(struct node *node, uint8_t number,
                             const struct body_service *service, bool is_new)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    char key[160];
    size_t size = 0;
    int error = body_put_service(service, body, sizeof(body), &size);

    assert(error == 0);
    (void)error;
    fake_key(service, key);
    fake_put(node, number, RECORD_SERVICE, key, body, size, is_new);
}

void fake_node_service(struct node *node, uint8_t number,
                       const struct body_service *service)
{
    fake_put_service(node, number, service, false);
}

void fake_node_add_service(struct node *node, uint8_t number,
                           const struct body_service *service)
{
    fake_put_service(node, number, service, true);
}

void fake_node_forget_records(struct node *node)
{
    node->n_records = 0;
}

void fake_node_remove(struct node *node, uint8_t number,
                      const struct body_service *service)
{
    char key[160];

    fake_key(service, key);
    for (size_t i = 0; i < node->n_records; i++) {
        struct record record;
        int error = record_parse(node->records[i].bytes, node->records[i].size,
                                 &record);

        assert(error == 0);
        (void)error;
        if (record.kind == RECORD_SERVICE && record.writer[0] == number &&
            record.key_size == strlen(key) &&
            memcmp(record.key, key, strlen(key)) == 0) {
            node->n_records--;
            node->records[i] = node->records[node->n_records];
            return;
        }
    }
}

void fake_node_evidence(struct node *node, uint8_t number)
{
    static const uint8_t body[] = {0x80};
    struct record halves[2];
    struct fake_record *slot;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int error = 0;

    for (size_t i = 0; i < ARRAY_SIZE(halves) && error == 0; i++) {
        fake_put(node, number, RECORD_SERVICE, i == 0 ? "x/1" : "x/2", body,
                 sizeof(body), true);
        node->seq--;
        slot = &node->records[node->n_records - 1];
        error = record_parse(slot->bytes, slot->size, &halves[i]);
    }
    assert(error == 0);
    error = evidence_new(&halves[0], &halves[1], &bytes, &size);
    assert(error == 0 && size <= sizeof(slot->bytes));
    (void)error;
    node->seq++;
    node->n_records--;
    slot = &node->records[node->n_records - 1];
    slot->size = size;
    memcpy(slot->bytes, bytes, size);
    free(bytes);
}

void fake_node_revoke(struct node *node, uint8_t number, uint8_t subject,
                      const char *reason)
{
    struct body_revocation revocation = {.serial = 0};
    uint8_t body[LIMIT_RECORD_SIZE];
    char key[33] = "";
    size_t size = 0;
    int error;

    memset(key, subject, 32); /* no byte of it is 0 */
    (void)snprintf(revocation.reason, sizeof(revocation.reason), "%s", reason);
    error = body_put_revocation(&revocation, body, sizeof(body), &size);
    assert(error == 0);
    (void)error;
    fake_put(node, number, RECORD_REVOCATION, key, body, size, false);
}

void fake_node_claim(struct node *node, uint8_t number,
                     const struct body_function *claim)
{
    uint8_t body[LIMIT_RECORD_SIZE];
    size_t size = 0;
    int error = body_put_function(claim, body, sizeof(body), &size);

    assert(error == 0);
    (void)error;
    fake_put(node, number, RECORD_FUNCTION, claim->name, body, size, false);
}

void fake_node_function(struct node *node, uint8_t number, const char *name,
                        const char *address)
{
    struct body_function function = {0};

    (void)snprintf(function.name, sizeof(function.name), "%s", name);
    if (address != NULL) {
        function.address = fake_address(address);
    }
    fake_node_claim(node, number, &function);
}

bool node_member_next(const struct node *node, size_t *at,
                      struct node_member *ret)
{
    if (*at >= node->n_members) {
        return false;
    }
    *ret = node->members[*at]->member;
    (*at)++;
    return true;
}

static int fake_find_compare(const void *key, const void *entry)
{
    const struct fake_member *const *member = entry;

    return memcmp(key, (*member)->member.key, 32);
}

bool node_member_find(const struct node *node, const uint8_t key[32],
                      struct node_member *ret)
{
    struct fake_member **found =
        node->n_members == 0
            ? NULL
            : bsearch(key, node->members, node->n_members,
                      sizeof(struct fake_member *), fake_find_compare);

    if (found == NULL) {
        return false;
    }
    *ret = (*found)->member;
    return true;
}

/* In the order of putting: the users have to sort for themselves. */
int node_records_each(const struct node *node, uint8_t kind, node_record_fn fn,
                      void *data)
{
    int result = 0;

    for (size_t i = 0; i < node->n_records && result == 0; i++) {
        struct record record;

        result = record_parse(node->records[i].bytes, node->records[i].size,
                              &record);
        if (result == 0 && (kind == 0 || record.kind == kind)) {
            result = fn(&record, data);
        }
    }
    return result;
}

/* --- What the API reads besides. */

size_t node_n_records(const struct node *node)
{
    return node->n_records;
}

const struct node_counters *node_counters_get(const struct node *node)
{
    static const struct node_counters none;

    (void)node;
    return &none;
}

uint64_t node_epoch(const struct node *node)
{
    (void)node;
    return UINT64_C(1) << 32;
}

uint64_t node_fingerprint(const struct node *node)
{
    return node->seq;
}

bool node_is_ready(const struct node *node)
{
    (void)node;
    return true;
}

bool node_is_cut_off(const struct node *node)
{
    (void)node;
    return false;
}

enum node_trouble node_trouble(const struct node *node, uint8_t ret_source[32])
{
    memcpy(ret_source, node->trouble_source, 32);
    return node->trouble;
}

size_t node_holds(const struct node *node, struct node_hold *ret, size_t n)
{
    if (node->is_held && n > 0) {
        *ret = (struct node_hold){.reason = "a new switch"};
        memset(ret->writer, 2, sizeof(ret->writer));
    }
    return node->is_held ? 1 : 0;
}

void fake_node_hold(struct node *node, bool is_held)
{
    node->is_held = is_held;
}

/* Nobody signs here. */
int node_check_certificate(const struct node *node, const uint8_t *bytes,
                           size_t size, struct body_certificate *ret)
{
    (void)node;
    (void)bytes;
    (void)size;
    (void)ret;
    return NODE_E_NOT_ALLOWED;
}

const struct body_charter *node_charter(const struct node *node,
                                        const uint8_t **ret_hash)
{
    if (node->has_charter && ret_hash != NULL) {
        *ret_hash = node->charter_hash;
    }
    return node->has_charter ? &node->charter : NULL;
}

/* As it comes: the last one is in force. */
void fake_node_charter(struct node *node, const uint8_t *bytes, size_t size)
{
    struct fake_record *slot = &node->records[node->n_records++];
    struct record record;
    int error;

    memcpy(slot->bytes, bytes, size);
    slot->size = size;
    error = record_parse(slot->bytes, slot->size, &record);
    assert(error == 0);
    error = body_get_charter(&record, &node->charter);
    assert(error == 0);
    (void)error;
    body_hash_charter(&node->charter, record.body, record.body_size,
                      node->charter_hash);
    node->has_charter = true;
}

/* One of no signature, by member 1. */
bool node_certificate(const struct node *node, const uint8_t key[32],
                      struct record *ret)
{
    static uint8_t bytes[LIMIT_RECORD_SIZE];
    uint8_t body[LIMIT_RECORD_SIZE];
    uint8_t writer[32];
    struct record_fields fields = {.kind = RECORD_CERTIFICATE,
                                   .cluster = fake_cluster,
                                   .writer = writer,
                                   .serial = 1,
                                   .order = {1, 1},
                                   .key = key,
                                   .key_size = 32,
                                   .body = body};
    struct node_member member;
    size_t size;

    memset(writer, 1, sizeof(writer));
    if (node->has_issuer) {
        memcpy(writer, node->issuer, sizeof(writer));
    }
    if (!node_member_find(node, key, &member) ||
        body_put_certificate(member.certificate, body, sizeof(body),
                             &fields.body_size) != 0) {
        return false;
    }
    size = record_build(&fields, bytes, sizeof(bytes));
    return size > 0 && record_parse(bytes, size, ret) == 0;
}

const char *node_denial_name(enum node_denial denial)
{
    return denial == NODE_DENIAL_REVOKED ? "revoked" : "range";
}

bool node_is_root(const struct node *node, const uint8_t key[32])
{
    (void)node;
    (void)key;
    return false;
}

void fake_node_set_issuer(struct node *node, const uint8_t key[32])
{
    memcpy(node->issuer, key, sizeof(node->issuer));
    node->has_issuer = true;
}

struct node_foreign node_foreign(const struct node *node)
{
    (void)node;
    return (struct node_foreign){.at_ms = 0};
}

const char *node_clash_name(enum node_clash clash)
{
    return clash == NODE_CLASH_NONE ? "none" : "clash";
}

const char *node_member_state_name(enum node_member_state state)
{
    static const char *const names[] = {"unknown", "alive", "suspect", "dead",
                                        "paused",  "left",  "removed"};

    return (size_t)state < ARRAY_SIZE(names) ? names[state] : "?";
}
