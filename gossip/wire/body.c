/*
 * The small bodies (member, function, tombstone, manifest, accusation,
 * revocation) and the rules of names.  See body.h; certificate and service
 * are in body_certificate.c and body_service.c.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "gossip/wire/body_pack.h"

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

int body_get_member(const struct record *record, struct body_member *ret)
{
    struct body_map map = body_map_open(record, RECORD_MEMBER);
    struct body_member member = {.state = BODY_MEMBER_ALIVE};
    unsigned key;

    while (body_map_next(&map, &key)) {
        switch (key) {
        case 1:
            member.state = (uint8_t)body_read_uint(&map, BODY_MEMBER_ALIVE,
                                                   BODY_MEMBER_LEFT);
            break;
        case 2:
            member.pause_s = (uint32_t)body_read_uint(&map, 0, UINT32_MAX);
            break;
        case 3:
            body_read_text(&map, 0, member.version, sizeof(member.version));
            break;
        case 4:
            member.protocol_min = (uint8_t)body_read_uint(&map, 1, UINT8_MAX);
            break;
        case 5:
            member.protocol_max = (uint8_t)body_read_uint(&map, 1, UINT8_MAX);
            break;
        default:
            body_read_skip(&map);
            break;
        }
    }
    body_require(&map, member.protocol_min <= member.protocol_max);
    body_require(&map, record->key_size == 0);
    if (body_map_close(&map, BODY_KEY(1) | BODY_KEY(4) | BODY_KEY(5)) != 0) {
        return RECORD_E_BODY;
    }
    *ret = member;
    return 0;
}

int body_put_member(const struct body_member *body, uint8_t *buffer,
                    size_t buffer_size, size_t *ret_size)
{
    struct body_packer pack;

    body_pack_begin(&pack, buffer, buffer_size, 5);
    body_pack_key_uint(&pack, 1, body->state);
    body_pack_key_uint(&pack, 2, body->pause_s);
    body_pack_key_text(&pack, 3, body->version);
    body_pack_key_uint(&pack, 4, body->protocol_min);
    body_pack_key_uint(&pack, 5, body->protocol_max);
    return body_pack_end(&pack, ret_size);
}

int body_get_function(const struct record *record, struct body_function *ret)
{
    struct body_map map = body_map_open(record, RECORD_FUNCTION);
    struct body_function function = {.name = ""};
    char canonical[BODY_NAME_SIZE];
    unsigned key;

    while (body_map_next(&map, &key)) {
        struct body_map policy;

        switch (key) {
        case 1:
            body_read_name(&map, function.name);
            break;
        case 2:
            body_read_address(&map, &function.address);
            break;
        case 3:
            /* Only its type is known yet: look, then pass over it. */
            policy = map;
            (void)body_read_map(&policy, LIMIT_MSGPACK_ELEMENTS);
            body_require(&map, !policy.failed);
            body_read_skip(&map);
            break;
        default:
            body_read_skip(&map);
            break;
        }
    }
    body_require(&map, body_name_canonical(function.name, canonical) == 0 &&
                           strcmp(function.name, canonical) == 0);
    body_require(&map,
                 body_key_equal(record, function.name, strlen(function.name)));
    if (body_map_close(&map, BODY_KEY(1)) != 0) {
        return RECORD_E_BODY;
    }
    *ret = function;
    return 0;
}

int body_put_function(const struct body_function *body, uint8_t *buffer,
                      size_t buffer_size, size_t *ret_size)
{
    bool has_address = body->address.family != 0;
    struct body_packer pack;

    body_pack_begin(&pack, buffer, buffer_size, has_address ? 2 : 1);
    body_pack_key_text(&pack, 1, body->name);
    if (has_address) {
        body_pack_key_address(&pack, 2, &body->address);
    }
    return body_pack_end(&pack, ret_size);
}

int body_get_tombstone(const struct record *record, struct body_tombstone *ret)
{
    struct body_map map = body_map_open(record, RECORD_TOMBSTONE);
    struct body_tombstone tombstone = {.kind = 0};
    unsigned key;

    while (body_map_next(&map, &key)) {
        if (key == 1) {
            tombstone.kind = (uint8_t)body_read_uint(&map, 1, UINT8_MAX);
            /* A tombstone of a tombstone would bring something back. */
            body_require(&map, tombstone.kind != RECORD_TOMBSTONE);
        } else {
            body_read_skip(&map);
        }
    }
    if (body_map_close(&map, BODY_KEY(1)) != 0) {
        return RECORD_E_BODY;
    }
    *ret = tombstone;
    return 0;
}

int body_put_tombstone(const struct body_tombstone *body, uint8_t *buffer,
                       size_t buffer_size, size_t *ret_size)
{
    struct body_packer pack;

    body_pack_begin(&pack, buffer, buffer_size, 1);
    body_pack_key_uint(&pack, 1, body->kind);
    return body_pack_end(&pack, ret_size);
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

int body_get_manifest(const struct record *record, struct body_manifest *ret)
{
    struct body_map map = body_map_open(record, RECORD_MANIFEST);
    struct body_manifest manifest = {.n_ids = 0};
    unsigned key;

    while (body_map_next(&map, &key)) {
        size_t size;

        switch (key) {
        case 1:
            manifest.upto.epoch = body_read_uint(&map, 0, UINT64_MAX);
            break;
        case 2:
            manifest.upto.seq = body_read_uint(&map, 1, UINT64_MAX);
            break;
        case 3:
            manifest.ids = body_read_slice(&map, &size);
            body_require(&map,
                         manifest.ids != NULL && ids_valid(manifest.ids, size));
            manifest.n_ids = size / BODY_MANIFEST_ID_SIZE;
            break;
        default:
            body_read_skip(&map);
            break;
        }
    }
    /* It cannot speak of what comes after it. */
    body_require(&map, record_order_compare(manifest.upto, record->order) <= 0);
    body_require(&map, record->key_size == 0);
    if (body_map_close(&map, BODY_KEY(1) | BODY_KEY(2) | BODY_KEY(3)) != 0) {
        return RECORD_E_BODY;
    }
    *ret = manifest;
    return 0;
}

int body_put_manifest(const struct body_manifest *body, uint8_t *buffer,
                      size_t buffer_size, size_t *ret_size)
{
    struct body_packer pack;

    assert(body->n_ids <= LIMIT_RECORDS_PER_WRITER);
    body_pack_begin(&pack, buffer, buffer_size, 3);
    body_pack_key_uint(&pack, 1, body->upto.epoch);
    body_pack_key_uint(&pack, 2, body->upto.seq);
    body_pack_key_bin(&pack, 3, body->ids, body->n_ids * BODY_MANIFEST_ID_SIZE);
    return body_pack_end(&pack, ret_size);
}

int body_get_accusation(const struct record *record,
                        struct body_accusation *ret)
{
    struct body_map map = body_map_open(record, RECORD_ACCUSATION);
    struct body_accusation accusation = {.incarnation = {.epoch = 0}};
    unsigned key;

    while (body_map_next(&map, &key)) {
        if (key == 1) {
            accusation.incarnation.epoch = body_read_uint(&map, 0, UINT64_MAX);
        } else if (key == 2) {
            accusation.incarnation.seq = body_read_uint(&map, 1, UINT64_MAX);
        } else {
            body_read_skip(&map);
        }
    }
    body_require(&map, record->key_size == RECORD_WRITER_SIZE);
    if (body_map_close(&map, BODY_KEY(1) | BODY_KEY(2)) != 0) {
        return RECORD_E_BODY;
    }
    *ret = accusation;
    return 0;
}

int body_put_accusation(const struct body_accusation *body, uint8_t *buffer,
                        size_t buffer_size, size_t *ret_size)
{
    struct body_packer pack;

    body_pack_begin(&pack, buffer, buffer_size, 2);
    body_pack_key_uint(&pack, 1, body->incarnation.epoch);
    body_pack_key_uint(&pack, 2, body->incarnation.seq);
    return body_pack_end(&pack, ret_size);
}

int body_get_revocation(const struct record *record,
                        struct body_revocation *ret)
{
    struct body_map map = body_map_open(record, RECORD_REVOCATION);
    struct body_revocation revocation = {.serial = 0};
    unsigned key;

    while (body_map_next(&map, &key)) {
        if (key == 1) {
            revocation.serial = body_read_uint(&map, 0, UINT64_MAX);
        } else if (key == 2) {
            body_read_text(&map, 0, revocation.reason,
                           sizeof(revocation.reason));
        } else {
            body_read_skip(&map);
        }
    }
    body_require(&map, record->key_size == RECORD_WRITER_SIZE);
    if (body_map_close(&map, BODY_KEY(1)) != 0) {
        return RECORD_E_BODY;
    }
    *ret = revocation;
    return 0;
}

int body_put_revocation(const struct body_revocation *body, uint8_t *buffer,
                        size_t buffer_size, size_t *ret_size)
{
    struct body_packer pack;

    body_pack_begin(&pack, buffer, buffer_size, 2);
    body_pack_key_uint(&pack, 1, body->serial);
    body_pack_key_text(&pack, 2, body->reason);
    return body_pack_end(&pack, ret_size);
}
