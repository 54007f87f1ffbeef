/*
 * The body of a certificate, and what it allows its subject.  See body.h.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/pack.h"
#include "gossip/wire/body_internal.h"

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

static void read_networks(struct unpack *unpack, struct body_certificate *cert)
{
    const msgpack_object *items;

    cert->n_mesh = unpack_key_array(unpack, 5, LIMIT_CERT_ADDRESSES, &items);
    unpack_require(unpack, cert->n_mesh > 0);
    for (size_t i = 0; i < cert->n_mesh; i++) {
        unpack_endpoint(unpack, &items[i], &cert->mesh[i]);
        unpack_require(unpack, cert->mesh[i].port != 0);
    }
    cert->n_subnets = unpack_key_array(unpack, 6, LIMIT_CERT_SUBNETS, &items);
    for (size_t i = 0; i < cert->n_subnets; i++) {
        unpack_prefix(unpack, &items[i], &cert->subnets[i]);
    }
}

/* At most LIMIT_CERT_FUNCTIONS texts; returns how many. */
static size_t read_texts(struct unpack *unpack, unsigned key,
                         char (*texts)[BODY_NAME_SIZE])
{
    const msgpack_object *items;
    size_t n = unpack_key_array(unpack, key, LIMIT_CERT_FUNCTIONS, &items);

    for (size_t i = 0; i < n; i++) {
        unpack_text(unpack, &items[i], 1, texts[i], BODY_NAME_SIZE);
    }
    return n;
}

static void read_keys(struct unpack *unpack, struct body_certificate *cert)
{
    const msgpack_object *wireguard = unpack_key(unpack, 3);

    unpack_key_bin(unpack, 1, cert->sign_public, sizeof(cert->sign_public));
    unpack_key_bin(unpack, 2, cert->exchange_public,
                   sizeof(cert->exchange_public));
    if (wireguard != NULL) {
        unpack_bin(unpack, wireguard, cert->wireguard_public,
                   sizeof(cert->wireguard_public));
        /* Unknown is written by leaving it out: one meaning, one form. */
        unpack_require(unpack,
                       sodium_is_zero(cert->wireguard_public,
                                      sizeof(cert->wireguard_public)) == 0);
    }
}

int body_get_certificate(const struct record *record,
                         struct body_certificate *ret)
{
    struct body_certificate cert = {.roles = 0};
    struct unpack unpack;

    body_open(record, RECORD_CERTIFICATE, &unpack);
    read_keys(&unpack, &cert);
    body_read_name(&unpack, unpack_key(&unpack, 4), cert.name);
    read_networks(&unpack, &cert);
    cert.roles = (uint32_t)unpack_key_uint(&unpack, 7, 0, UINT32_MAX);
    cert.n_functions = read_texts(&unpack, 8, cert.functions);
    for (size_t i = 0; i < cert.n_functions; i++) {
        unpack_require(&unpack, pattern_valid(cert.functions[i]));
    }
    cert.n_scope = read_texts(&unpack, 9, cert.scope);
    cert.not_before_s = unpack_key_uint(&unpack, 10, 0, UINT64_MAX);
    cert.not_after_s = unpack_key_uint(&unpack, 11, 0, UINT64_MAX);
    cert.generation = (uint32_t)unpack_key_uint(&unpack, 12, 0, UINT32_MAX);
    cert.serial = unpack_key_uint(&unpack, 13, 1, UINT64_MAX);
    unpack_require(&unpack, cert.not_before_s < cert.not_after_s);
    unpack_require(&unpack, body_key_equal(record, cert.sign_public,
                                           sizeof(cert.sign_public)));
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = cert;
    return 0;
}

static void pack_texts(struct pack *pack, unsigned key,
                       const char (*texts)[BODY_NAME_SIZE], size_t n)
{
    pack_key(pack, key);
    pack_array(pack, n);
    for (size_t i = 0; i < n; i++) {
        pack_text(pack, texts[i]);
    }
}

static void pack_networks(struct pack *pack,
                          const struct body_certificate *body)
{
    pack_key(pack, 5);
    pack_array(pack, body->n_mesh);
    for (size_t i = 0; i < body->n_mesh; i++) {
        pack_endpoint(pack, &body->mesh[i]);
    }
    pack_key(pack, 6);
    pack_array(pack, body->n_subnets);
    for (size_t i = 0; i < body->n_subnets; i++) {
        pack_prefix(pack, &body->subnets[i]);
    }
}

int body_put_certificate(const struct body_certificate *body, uint8_t *buffer,
                         size_t buffer_size, size_t *ret_size)
{
    bool has_wireguard = sodium_is_zero(body->wireguard_public,
                                        sizeof(body->wireguard_public)) == 0;
    struct pack pack;

    assert(body->n_mesh <= LIMIT_CERT_ADDRESSES);
    assert(body->n_subnets <= LIMIT_CERT_SUBNETS);
    assert(body->n_functions <= LIMIT_CERT_FUNCTIONS);
    assert(body->n_scope <= LIMIT_CERT_FUNCTIONS);
    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, has_wireguard ? 13 : 12);
    pack_key_bin(&pack, 1, body->sign_public, sizeof(body->sign_public));
    pack_key_bin(&pack, 2, body->exchange_public,
                 sizeof(body->exchange_public));
    if (has_wireguard) {
        pack_key_bin(&pack, 3, body->wireguard_public,
                     sizeof(body->wireguard_public));
    }
    pack_key_text(&pack, 4, body->name);
    pack_networks(&pack, body);
    pack_key_uint(&pack, 7, body->roles);
    pack_texts(&pack, 8, body->functions, body->n_functions);
    pack_texts(&pack, 9, body->scope, body->n_scope);
    pack_key_uint(&pack, 10, body->not_before_s);
    pack_key_uint(&pack, 11, body->not_after_s);
    pack_key_uint(&pack, 12, body->generation);
    pack_key_uint(&pack, 13, body->serial);
    return pack_end(&pack, ret_size);
}

bool body_certificate_is_renewal(const struct body_certificate *cert,
                                 const struct body_certificate *other)
{
    struct body_certificate same = *other;
    uint8_t a[LIMIT_RECORD_SIZE], b[LIMIT_RECORD_SIZE];
    size_t a_size, b_size;

    same.not_before_s = cert->not_before_s;
    same.not_after_s = cert->not_after_s;
    return body_put_certificate(cert, a, sizeof(a), &a_size) == 0 &&
           body_put_certificate(&same, b, sizeof(b), &b_size) == 0 &&
           a_size == b_size && memcmp(a, b, a_size) == 0;
}

/* Patterns are compared as names are: `vector_*` allows `vector-db`. */
static bool pattern_allows(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);
    size_t at = 0;

    while (at < len && body_name_fold(pattern[at]) == name[at] &&
           name[at] != '\0') {
        at++;
    }
    if (at == len && name[at] == '\0') {
        return true;
    }
    return len > 0 && at == len - 1 && pattern[at] == '*';
}

const char *body_certificate_pattern(const struct body_certificate *cert,
                                     const char *name)
{
    const char *found = NULL;

    for (size_t i = 0; i < cert->n_functions; i++) {
        const char *pattern = cert->functions[i];

        if (!pattern_allows(pattern, name)) {
            continue;
        }
        if (strchr(pattern, '*') == NULL) {
            return pattern;
        }
        if (found == NULL) {
            found = pattern;
        }
    }
    return found;
}

bool body_certificate_allows_function(const struct body_certificate *cert,
                                      const char *name)
{
    return body_certificate_pattern(cert, name) != NULL;
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
