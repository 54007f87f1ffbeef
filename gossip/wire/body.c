/*
 * The small bodies (member, function, tombstone, manifest, accusation,
 * revocation) and the rules of names.  See body.h; certificate and service
 * are in body_certificate.c and body_service.c.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "gossip/base/pack.h"
#include "gossip/wire/body_internal.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

bool body_name_valid(const char *name)
{
    size_t len = strnlen(name, BODY_NAME_SIZE);

    if (len == 0 || len > LIMIT_NAME_LEN || !is_alphanumeric(name[0]) ||
        !is_alphanumeric(name[len - 1])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_alphanumeric(name[i]) && name[i] != '-' && name[i] != '_') {
            return false;
        }
    }
    return true;
}

char body_name_fold(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return c == '_' ? '-' : c;
}

int body_name_canonical(const char *name, char ret_name[BODY_NAME_SIZE])
{
    size_t len;

    if (!body_name_valid(name)) {
        return -EINVAL;
    }
    len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        ret_name[i] = body_name_fold(name[i]);
    }
    ret_name[len] = '\0';
    return 0;
}

void body_open(const struct record *record, uint8_t kind, struct unpack *unpack)
{
    unpack_begin(unpack, record->body, record->body_size);
    unpack_require(unpack, record->kind == kind);
    unpack_require(unpack, unpack->root.type == MSGPACK_OBJECT_MAP);
}

int body_close(const struct unpack *unpack)
{
    return unpack_end(unpack) != 0 ? RECORD_E_BODY : 0;
}

void body_read_name(struct unpack *unpack, const msgpack_object *value,
                    char name[])
{
    unpack_text(unpack, value, 1, name, BODY_NAME_SIZE);
    unpack_require(unpack, body_name_valid(name));
}

void body_read_canonical(struct unpack *unpack, const msgpack_object *value,
                         char name[])
{
    char canonical[BODY_NAME_SIZE];

    body_read_name(unpack, value, name);
    unpack_require(unpack, body_name_canonical(name, canonical) == 0 &&
                               strcmp(name, canonical) == 0);
}

bool body_key_equal(const struct record *record, const void *bytes, size_t size)
{
    return record->key_size == size && memcmp(record->key, bytes, size) == 0;
}

uint64_t body_read_optional(struct unpack *unpack, unsigned key, uint64_t min,
                            uint64_t max, uint64_t absent)
{
    const msgpack_object *value = unpack_key(unpack, key);

    return value == NULL ? absent : unpack_uint(unpack, value, min, max);
}

static void read_endpoints(struct unpack *unpack, struct body_member *member)
{
    const msgpack_object *items;

    if (unpack_key(unpack, 6) == NULL) {
        return;
    }
    member->n_endpoints =
        unpack_key_array(unpack, 6, LIMIT_MEMBER_ENDPOINTS, &items);
    for (size_t i = 0; i < member->n_endpoints; i++) {
        unpack_endpoint(unpack, &items[i], &member->endpoints[i]);
        unpack_require(unpack, member->endpoints[i].port != 0);
    }
}

int body_get_member(const struct record *record, struct body_member *ret)
{
    struct body_member member = {.state = BODY_MEMBER_ALIVE};
    struct unpack unpack;
    const msgpack_object *optional;

    body_open(record, RECORD_MEMBER, &unpack);
    member.state = (uint8_t)unpack_key_uint(&unpack, 1, BODY_MEMBER_ALIVE,
                                            BODY_MEMBER_LEFT);
    optional = unpack_key(&unpack, 2);
    if (optional != NULL) {
        member.pause_s =
            (uint32_t)unpack_uint(&unpack, optional, 0, UINT32_MAX);
    }
    optional = unpack_key(&unpack, 3);
    if (optional != NULL) {
        unpack_text(&unpack, optional, 0, member.version,
                    sizeof(member.version));
    }
    member.protocol_min = (uint8_t)unpack_key_uint(&unpack, 4, 1, UINT8_MAX);
    member.protocol_max = (uint8_t)unpack_key_uint(&unpack, 5, 1, UINT8_MAX);
    read_endpoints(&unpack, &member);
    member.finding = (uint8_t)body_read_optional(&unpack, 7, 0, UINT8_MAX, 0);
    unpack_require(&unpack, member.protocol_min <= member.protocol_max);
    unpack_require(&unpack, record->key_size == 0);
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = member;
    return 0;
}

int body_put_member(const struct body_member *body, uint8_t *buffer,
                    size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    assert(body->n_endpoints <= LIMIT_MEMBER_ENDPOINTS);
    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, 7);
    pack_key_uint(&pack, 1, body->state);
    pack_key_uint(&pack, 2, body->pause_s);
    pack_key_text(&pack, 3, body->version);
    pack_key_uint(&pack, 4, body->protocol_min);
    pack_key_uint(&pack, 5, body->protocol_max);
    pack_key(&pack, 6);
    pack_array(&pack, body->n_endpoints);
    for (size_t i = 0; i < body->n_endpoints; i++) {
        pack_endpoint(&pack, &body->endpoints[i]);
    }
    pack_key_uint(&pack, 7, body->finding);
    return pack_end(&pack, ret_size);
}

int body_get_function(const struct record *record, struct body_function *ret)
{
    struct body_function function = {.name = ""};
    const msgpack_object_kv *pairs;
    struct unpack unpack;
    const msgpack_object *optional;

    body_open(record, RECORD_FUNCTION, &unpack);
    body_read_canonical(&unpack, unpack_key(&unpack, 1), function.name);
    optional = unpack_key(&unpack, 2);
    if (optional != NULL) {
        unpack_address(&unpack, optional, &function.address);
    }
    optional = unpack_key(&unpack, 3);
    if (optional != NULL) { /* only its type is known yet */
        (void)unpack_map(&unpack, optional, LIMIT_MSGPACK_ELEMENTS, &pairs);
    }
    function.is_claim = unpack_key(&unpack, 4) != NULL;
    function.slot = (uint16_t)body_read_optional(&unpack, 4, 0, UINT16_MAX, 0);
    function.idle_since_s = body_read_optional(&unpack, 5, 0, UINT64_MAX, 0);
    unpack_require(
        &unpack, body_key_equal(record, function.name, strlen(function.name)));
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = function;
    return 0;
}

int body_put_function(const struct body_function *body, uint8_t *buffer,
                      size_t buffer_size, size_t *ret_size)
{
    bool has_address = body->address.family != 0;
    struct pack pack;

    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, 1u + has_address + 2u * body->is_claim);
    pack_key_text(&pack, 1, body->name);
    if (has_address) {
        pack_key_address(&pack, 2, &body->address);
    }
    if (body->is_claim) {
        pack_key_uint(&pack, 4, body->slot);
        pack_key_uint(&pack, 5, body->idle_since_s);
    }
    return pack_end(&pack, ret_size);
}

int body_get_tombstone(const struct record *record, struct body_tombstone *ret)
{
    struct body_tombstone tombstone;
    struct unpack unpack;

    body_open(record, RECORD_TOMBSTONE, &unpack);
    tombstone.kind = (uint8_t)unpack_key_uint(&unpack, 1, 1, UINT8_MAX);
    /* A tombstone of a tombstone would bring something back. */
    unpack_require(&unpack, tombstone.kind != RECORD_TOMBSTONE);
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = tombstone;
    return 0;
}

int body_put_tombstone(const struct body_tombstone *body, uint8_t *buffer,
                       size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, 1);
    pack_key_uint(&pack, 1, body->kind);
    return pack_end(&pack, ret_size);
}

/* Whole ids, strictly ascending: sorted and without repetition. */
static bool ids_valid(const uint8_t *ids, size_t size)
{
    if (size % BODY_MANIFEST_ID_SIZE != 0 ||
        size > (size_t)LIMIT_RECORDS_PER_WRITER * BODY_MANIFEST_ID_SIZE) {
        return false;
    }
    for (size_t at = BODY_MANIFEST_ID_SIZE; at < size;
         at += BODY_MANIFEST_ID_SIZE) {
        if (memcmp(ids + at - BODY_MANIFEST_ID_SIZE, ids + at,
                   BODY_MANIFEST_ID_SIZE) >= 0) {
            return false;
        }
    }
    return true;
}

/* An (epoch, seq) in keys 1 and 2. */
static struct record_order read_order(struct unpack *unpack)
{
    return (struct record_order){
        .epoch = unpack_key_uint(unpack, 1, 0, UINT64_MAX),
        .seq = unpack_key_uint(unpack, 2, 1, UINT64_MAX),
    };
}

int body_get_manifest(const struct record *record, struct body_manifest *ret)
{
    struct body_manifest manifest;
    struct unpack unpack;
    size_t size;

    body_open(record, RECORD_MANIFEST, &unpack);
    manifest.upto = read_order(&unpack);
    /* It cannot speak of what comes after it. */
    unpack_require(&unpack,
                   record_order_compare(manifest.upto, record->order) <= 0);
    manifest.ids = unpack_key_slice(&unpack, 3, &size);
    unpack_require(&unpack,
                   manifest.ids != NULL && ids_valid(manifest.ids, size));
    manifest.n_ids = size / BODY_MANIFEST_ID_SIZE;
    unpack_require(&unpack, record->key_size == 0);
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = manifest;
    return 0;
}

int body_put_manifest(const struct body_manifest *body, uint8_t *buffer,
                      size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    assert(body->n_ids <= LIMIT_RECORDS_PER_WRITER);
    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, 3);
    pack_key_uint(&pack, 1, body->upto.epoch);
    pack_key_uint(&pack, 2, body->upto.seq);
    pack_key_bin(&pack, 3, body->ids, body->n_ids * BODY_MANIFEST_ID_SIZE);
    return pack_end(&pack, ret_size);
}

int body_get_accusation(const struct record *record,
                        struct body_accusation *ret)
{
    struct body_accusation accusation;
    struct unpack unpack;

    body_open(record, RECORD_ACCUSATION, &unpack);
    accusation.incarnation = read_order(&unpack);
    unpack_require(&unpack, record->key_size == RECORD_WRITER_SIZE);
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = accusation;
    return 0;
}

int body_put_accusation(const struct body_accusation *body, uint8_t *buffer,
                        size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, 2);
    pack_key_uint(&pack, 1, body->incarnation.epoch);
    pack_key_uint(&pack, 2, body->incarnation.seq);
    return pack_end(&pack, ret_size);
}

int body_get_revocation(const struct record *record,
                        struct body_revocation *ret)
{
    struct body_revocation revocation = {.serial = 0};
    struct unpack unpack;
    const msgpack_object *optional;

    body_open(record, RECORD_REVOCATION, &unpack);
    revocation.serial = unpack_key_uint(&unpack, 1, 0, UINT64_MAX);
    optional = unpack_key(&unpack, 2);
    if (optional != NULL) {
        unpack_text(&unpack, optional, 0, revocation.reason,
                    sizeof(revocation.reason));
    }
    optional = unpack_key(&unpack, 3);
    revocation.is_lifted = optional != NULL && unpack_bool(&unpack, optional);
    unpack_require(&unpack, record->key_size == RECORD_WRITER_SIZE);
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = revocation;
    return 0;
}

int body_put_revocation(const struct body_revocation *body, uint8_t *buffer,
                        size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, 3);
    pack_key_uint(&pack, 1, body->serial);
    pack_key_text(&pack, 2, body->reason);
    pack_key(&pack, 3);
    pack_bool(&pack, body->is_lifted);
    return pack_end(&pack, ret_size);
}
