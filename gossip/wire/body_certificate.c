/*
 * The body of a certificate, and what it allows its subject.  See body.h.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "gossip/wire/body_pack.h"

/* A name, "*", or the start of a name followed by '*'. */
static bool pattern_valid(const char *pattern)
{
    char name[BODY_NAME_SIZE];
    size_t len = strlen(pattern);

    if (len == 0 || pattern[len - 1] != '*') {
        return body_name_valid(pattern);
    }
    /* Completed by any letter the start must be a name: "vec-*" is fine. */
    memcpy(name, pattern, len);
    name[len - 1] = 'a';
    name[len] = '\0';
    return body_name_valid(name);
}

static void read_mesh(struct body_map *map, struct body_certificate *cert)
{
    cert->n_mesh = body_read_array(map, LIMIT_CERT_ADDRESSES);
    body_require(map, cert->n_mesh > 0);
    for (size_t i = 0; i < cert->n_mesh; i++) {
        size_t size;
        const uint8_t *bytes = body_read_slice(map, &size);

        body_require(map,
                     bytes != NULL &&
                         endpoint_unpack(bytes, size, &cert->mesh[i]) == 0 &&
                         cert->mesh[i].port != 0);
    }
}

static void read_subnets(struct body_map *map, struct body_certificate *cert)
{
    cert->n_subnets = body_read_array(map, LIMIT_CERT_SUBNETS);
    for (size_t i = 0; i < cert->n_subnets; i++) {
        size_t size;
        const uint8_t *bytes = body_read_slice(map, &size);

        body_require(map,
                     bytes != NULL &&
                         prefix_unpack(bytes, size, &cert->subnets[i]) == 0);
    }
}

static void read_functions(struct body_map *map, struct body_certificate *cert)
{
    cert->n_functions = body_read_array(map, LIMIT_CERT_FUNCTIONS);
    for (size_t i = 0; i < cert->n_functions; i++) {
        body_read_text(map, 1, cert->functions[i], BODY_NAME_SIZE);
        body_require(map, pattern_valid(cert->functions[i]));
    }
}

static void read_scope(struct body_map *map, struct body_certificate *cert)
{
    cert->n_scope = body_read_array(map, LIMIT_CERT_FUNCTIONS);
    for (size_t i = 0; i < cert->n_scope; i++) {
        body_read_text(map, 1, cert->scope[i], BODY_NAME_SIZE);
    }
}

static void read_wireguard(struct body_map *map, struct body_certificate *cert)
{
    body_read_bin(map, cert->wireguard_public, sizeof(cert->wireguard_public));
    /* Unknown is written by leaving it out: one meaning, one form. */
    body_require(map, sodium_is_zero(cert->wireguard_public,
                                     sizeof(cert->wireguard_public)) == 0);
}

static void read_field(struct body_map *map, unsigned key,
                       struct body_certificate *cert)
{
    switch (key) {
    case 1:
        body_read_bin(map, cert->sign_public, sizeof(cert->sign_public));
        break;
    case 2:
        body_read_bin(map, cert->exchange_public,
                      sizeof(cert->exchange_public));
        break;
    case 3:
        read_wireguard(map, cert);
        break;
    case 4:
        body_read_name(map, cert->name);
        break;
    case 5:
        read_mesh(map, cert);
        break;
    case 6:
        read_subnets(map, cert);
        break;
    case 7:
        cert->roles = (uint32_t)body_read_uint(map, 0, UINT32_MAX);
        break;
    case 8:
        read_functions(map, cert);
        break;
    case 9:
        read_scope(map, cert);
        break;
    case 10:
        cert->not_before_s = body_read_uint(map, 0, UINT64_MAX);
        break;
    case 11:
        cert->not_after_s = body_read_uint(map, 0, UINT64_MAX);
        break;
    case 12:
        cert->generation = (uint32_t)body_read_uint(map, 0, UINT32_MAX);
        break;
    case 13:
        cert->serial = body_read_uint(map, 1, UINT64_MAX);
        break;
    default:
        body_read_skip(map);
        break;
    }
}

int body_get_certificate(const struct record *record,
                         struct body_certificate *ret)
{
    const uint32_t required = BODY_KEY(1) | BODY_KEY(2) | BODY_KEY(4) |
                              BODY_KEY(5) | BODY_KEY(6) | BODY_KEY(7) |
                              BODY_KEY(8) | BODY_KEY(9) | BODY_KEY(10) |
                              BODY_KEY(11) | BODY_KEY(12) | BODY_KEY(13);
    struct body_map map = body_map_open(record, RECORD_CERTIFICATE);
    struct body_certificate cert = {.roles = 0};
    unsigned key;

    while (body_map_next(&map, &key)) {
        read_field(&map, key, &cert);
    }
    body_require(&map, cert.not_before_s < cert.not_after_s);
    body_require(&map, body_key_equal(record, cert.sign_public,
                                      sizeof(cert.sign_public)));
    if (body_map_close(&map, required) != 0) {
        return RECORD_E_BODY;
    }
    *ret = cert;
    return 0;
}

static void pack_texts(struct body_packer *pack, unsigned key,
                       const char (*texts)[BODY_NAME_SIZE], size_t n)
{
    body_pack_key(pack, key);
    body_pack_array(pack, n);
    for (size_t i = 0; i < n; i++) {
        body_pack_text(pack, texts[i]);
    }
}

static void pack_networks(struct body_packer *pack,
                          const struct body_certificate *body)
{
    uint8_t bytes[18];

    body_pack_key(pack, 5);
    body_pack_array(pack, body->n_mesh);
    for (size_t i = 0; i < body->n_mesh; i++) {
        size_t size = endpoint_pack(&body->mesh[i], bytes);

        body_pack_bin(pack, bytes, size);
    }
    body_pack_key(pack, 6);
    body_pack_array(pack, body->n_subnets);
    for (size_t i = 0; i < body->n_subnets; i++) {
        size_t size = prefix_pack(&body->subnets[i], bytes);

        body_pack_bin(pack, bytes, size);
    }
}

int body_put_certificate(const struct body_certificate *body, uint8_t *buffer,
                         size_t buffer_size, size_t *ret_size)
{
    bool has_wireguard = sodium_is_zero(body->wireguard_public,
                                        sizeof(body->wireguard_public)) == 0;
    struct body_packer pack;

    assert(body->n_mesh <= LIMIT_CERT_ADDRESSES);
    assert(body->n_subnets <= LIMIT_CERT_SUBNETS);
    assert(body->n_functions <= LIMIT_CERT_FUNCTIONS);
    assert(body->n_scope <= LIMIT_CERT_FUNCTIONS);
    body_pack_begin(&pack, buffer, buffer_size, has_wireguard ? 13 : 12);
    body_pack_key_bin(&pack, 1, body->sign_public, sizeof(body->sign_public));
    body_pack_key_bin(&pack, 2, body->exchange_public,
                      sizeof(body->exchange_public));
    if (has_wireguard) {
        body_pack_key_bin(&pack, 3, body->wireguard_public,
                          sizeof(body->wireguard_public));
    }
    body_pack_key_text(&pack, 4, body->name);
    pack_networks(&pack, body);
    body_pack_key_uint(&pack, 7, body->roles);
    pack_texts(&pack, 8, body->functions, body->n_functions);
    pack_texts(&pack, 9, body->scope, body->n_scope);
    body_pack_key_uint(&pack, 10, body->not_before_s);
    body_pack_key_uint(&pack, 11, body->not_after_s);
    body_pack_key_uint(&pack, 12, body->generation);
    body_pack_key_uint(&pack, 13, body->serial);
    return body_pack_end(&pack, ret_size);
}

bool body_certificate_allows_function(const struct body_certificate *cert,
                                      const char *name)
{
    for (size_t i = 0; i < cert->n_functions; i++) {
        const char *pattern = cert->functions[i];
        size_t len = strlen(pattern);
        size_t at = 0;

        /* Patterns are compared as names are: `vector_*` allows `vector-db`. */
        while (at < len && body_name_fold(pattern[at]) == name[at] &&
               name[at] != '\0') {
            at++;
        }
        if (at == len && name[at] == '\0') {
            return true;
        }
        if (len > 0 && at == len - 1 && pattern[at] == '*') {
            return true;
        }
    }
    return false;
}

bool body_certificate_allows_address(const struct body_certificate *cert,
                                     const struct address *address)
{
    for (size_t i = 0; i < cert->n_subnets; i++) {
        if (prefix_contains(&cert->subnets[i], address)) {
            return true;
        }
    }
    for (size_t i = 0; i < cert->n_mesh; i++) {
        if (address->family != 0 &&
            address_equal(&cert->mesh[i].address, address)) {
            return true;
        }
    }
    return false;
}
