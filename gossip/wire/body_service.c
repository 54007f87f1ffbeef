/*
 * The body of a service record: one instance of a function.  See body.h.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gossip/base/pack.h"
#include "gossip/wire/body_internal.h"

#define SERVICE_WEIGHT_DEFAULT 100
#define SERVICE_WEIGHT_MAX     1000

/* What the kernel allows as the name of a device, in ASCII: the text reaches
 * OVSDB and rtnetlink.  "" stands for none. */
static bool port_name_valid(const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (*name <= ' ' || *name > '~' || *name == '/' || *name == ':') {
            return false;
        }
    }
    return true;
}

static void read_tags(struct unpack *unpack, const msgpack_object *value,
                      struct body_service *service)
{
    const msgpack_object *items;

    service->n_tags = unpack_array(unpack, value, LIMIT_SERVICE_TAGS, &items);
    for (size_t i = 0; i < service->n_tags; i++) {
        body_read_name(unpack, &items[i], service->tags[i]);
    }
}

static void read_meta(struct unpack *unpack, const msgpack_object *value,
                      struct body_service *service)
{
    const msgpack_object_kv *pairs;

    service->n_meta = unpack_map(unpack, value, LIMIT_SERVICE_META, &pairs);
    for (size_t i = 0; i < service->n_meta; i++) {
        body_read_name(unpack, &pairs[i].key, service->meta[i].key);
        unpack_text(unpack, &pairs[i].val, 0, service->meta[i].value,
                    BODY_NAME_SIZE);
    }
}

static bool protocol_valid(uint64_t protocol)
{
    return protocol == 6 || protocol == 17;
}

static void read_port(struct unpack *unpack, const msgpack_object *value,
                      struct body_ports *ports)
{
    const msgpack_object *items;
    size_t n = unpack_array(unpack, value, 4, &items);

    unpack_require(unpack, n == 4);
    if (n != 4) {
        return;
    }
    body_read_name(unpack, &items[0], ports->name);
    ports->protocol = (uint8_t)unpack_uint(unpack, &items[1], 1, UINT8_MAX);
    unpack_require(unpack, protocol_valid(ports->protocol));
    ports->first = (uint16_t)unpack_uint(unpack, &items[2], 1, UINT16_MAX);
    ports->last = (uint16_t)unpack_uint(unpack, &items[3], 1, UINT16_MAX);
    unpack_require(unpack, ports->first <= ports->last);
}

static void read_ports(struct unpack *unpack, const msgpack_object *value,
                       struct body_service *service)
{
    const msgpack_object *items;

    service->n_ports = unpack_array(unpack, value, LIMIT_SERVICE_PORTS, &items);
    for (size_t i = 0; i < service->n_ports; i++) {
        read_port(unpack, &items[i], &service->ports[i]);
        for (size_t j = 0; j < i; j++) {
            unpack_require(unpack, strcmp(service->ports[i].name,
                                          service->ports[j].name) != 0);
        }
    }
}

/* Keys 6 to 14. */
static void read_optionals(struct unpack *unpack, struct body_service *service)
{
    const msgpack_object *value = unpack_key(unpack, 6);

    if (value != NULL) {
        unpack_text(unpack, value, 0, service->port_name,
                    sizeof(service->port_name));
        unpack_require(unpack, port_name_valid(service->port_name));
    }
    service->weight = (uint16_t)body_read_optional(
        unpack, 7, 1, SERVICE_WEIGHT_MAX, SERVICE_WEIGHT_DEFAULT);
    service->priority =
        (uint16_t)body_read_optional(unpack, 8, 0, UINT16_MAX, 0);
    service->health = (uint8_t)body_read_optional(
        unpack, 9, BODY_HEALTH_PASSING, BODY_HEALTH_MAINTENANCE,
        BODY_HEALTH_PASSING);
    value = unpack_key(unpack, 10);
    if (value != NULL) {
        read_tags(unpack, value, service);
    }
    value = unpack_key(unpack, 11);
    if (value != NULL) {
        read_meta(unpack, value, service);
    }
    service->slot = (uint16_t)body_read_optional(unpack, 12, 0, UINT16_MAX, 0);
    service->finding = (uint8_t)body_read_optional(unpack, 13, 0, UINT8_MAX, 0);
    value = unpack_key(unpack, 14);
    if (value != NULL) {
        read_ports(unpack, value, service);
    }
}

int body_get_service(const struct record *record, struct body_service *ret)
{
    struct body_service service = {.function = ""};
    char record_key[2 * BODY_NAME_SIZE];
    struct unpack unpack;
    int len;

    body_open(record, RECORD_SERVICE, &unpack);
    body_read_canonical(&unpack, unpack_key(&unpack, 1), service.function);
    body_read_name(&unpack, unpack_key(&unpack, 2), service.instance);
    service.protocol = (uint8_t)unpack_key_uint(&unpack, 3, 1, UINT8_MAX);
    unpack_require(&unpack, protocol_valid(service.protocol));
    service.port = (uint16_t)unpack_key_uint(&unpack, 4, 1, UINT16_MAX);
    unpack_address(&unpack, unpack_key(&unpack, 5), &service.address);
    read_optionals(&unpack, &service);
    len = snprintf(record_key, sizeof(record_key), "%s/%s", service.function,
                   service.instance);
    unpack_require(&unpack, body_key_equal(record, record_key, (size_t)len));
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = service;
    return 0;
}

int body_put_service(const struct body_service *body, uint8_t *buffer,
                     size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    assert(body->n_tags <= LIMIT_SERVICE_TAGS);
    assert(body->n_meta <= LIMIT_SERVICE_META);
    assert(body->n_ports <= LIMIT_SERVICE_PORTS);
    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, 14);
    pack_key_text(&pack, 1, body->function);
    pack_key_text(&pack, 2, body->instance);
    pack_key_uint(&pack, 3, body->protocol);
    pack_key_uint(&pack, 4, body->port);
    pack_key_address(&pack, 5, &body->address);
    pack_key_text(&pack, 6, body->port_name);
    pack_key_uint(&pack, 7, body->weight);
    pack_key_uint(&pack, 8, body->priority);
    pack_key_uint(&pack, 9, body->health);
    pack_key(&pack, 10);
    pack_array(&pack, body->n_tags);
    for (size_t i = 0; i < body->n_tags; i++) {
        pack_text(&pack, body->tags[i]);
    }
    pack_key(&pack, 11);
    pack_map(&pack, body->n_meta);
    for (size_t i = 0; i < body->n_meta; i++) {
        pack_text(&pack, body->meta[i].key);
        pack_text(&pack, body->meta[i].value);
    }
    pack_key_uint(&pack, 12, body->slot);
    pack_key_uint(&pack, 13, body->finding);
    pack_key(&pack, 14);
    pack_array(&pack, body->n_ports);
    for (size_t i = 0; i < body->n_ports; i++) {
        pack_array(&pack, 4);
        pack_text(&pack, body->ports[i].name);
        pack_uint(&pack, body->ports[i].protocol);
        pack_uint(&pack, body->ports[i].first);
        pack_uint(&pack, body->ports[i].last);
    }
    return pack_end(&pack, ret_size);
}
