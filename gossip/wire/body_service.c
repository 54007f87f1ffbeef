/*
 * The body of a service record: one instance of a function.  See body.h.
 */
#include "gossip/wire/body.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gossip/wire/body_pack.h"

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

static void read_function(struct body_map *map, struct body_service *service)
{
    char canonical[BODY_NAME_SIZE];

    body_read_name(map, service->function);
    body_require(map, body_name_canonical(service->function, canonical) == 0 &&
                          strcmp(service->function, canonical) == 0);
}

static void read_protocol(struct body_map *map, struct body_service *service)
{
    service->protocol = (uint8_t)body_read_uint(map, 1, UINT8_MAX);
    body_require(map, service->protocol == 6 || service->protocol == 17);
}

static void read_tags(struct body_map *map, struct body_service *service)
{
    service->n_tags = body_read_array(map, LIMIT_SERVICE_TAGS);
    for (size_t i = 0; i < service->n_tags; i++) {
        body_read_name(map, service->tags[i]);
    }
}

static void read_meta(struct body_map *map, struct body_service *service)
{
    service->n_meta = body_read_map(map, LIMIT_SERVICE_META);
    for (size_t i = 0; i < service->n_meta; i++) {
        body_read_name(map, service->meta[i].key);
        body_read_text(map, 0, service->meta[i].value, BODY_NAME_SIZE);
    }
}

static void read_field(struct body_map *map, unsigned key,
                       struct body_service *service)
{
    switch (key) {
    case 1:
        read_function(map, service);
        break;
    case 2:
        body_read_name(map, service->instance);
        break;
    case 3:
        read_protocol(map, service);
        break;
    case 4:
        service->port = (uint16_t)body_read_uint(map, 1, UINT16_MAX);
        break;
    case 5:
        body_read_address(map, &service->address);
        break;
    case 6:
        body_read_text(map, 0, service->port_name, sizeof(service->port_name));
        body_require(map, port_name_valid(service->port_name));
        break;
    case 7:
        service->weight = (uint16_t)body_read_uint(map, 1, SERVICE_WEIGHT_MAX);
        break;
    case 8:
        service->priority = (uint16_t)body_read_uint(map, 0, UINT16_MAX);
        break;
    case 9:
        service->health =
            (uint8_t)body_read_uint(map, 0, BODY_HEALTH_MAINTENANCE);
        break;
    case 10:
        read_tags(map, service);
        break;
    case 11:
        read_meta(map, service);
        break;
    case 12:
        service->slot = (uint16_t)body_read_uint(map, 0, UINT16_MAX);
        break;
    default:
        body_read_skip(map);
        break;
    }
}

int body_get_service(const struct record *record, struct body_service *ret)
{
    const uint32_t required =
        BODY_KEY(1) | BODY_KEY(2) | BODY_KEY(3) | BODY_KEY(4) | BODY_KEY(5);
    struct body_map map = body_map_open(record, RECORD_SERVICE);
    struct body_service service = {.weight = SERVICE_WEIGHT_DEFAULT};
    char record_key[2 * BODY_NAME_SIZE];
    unsigned key;
    int len;

    while (body_map_next(&map, &key)) {
        read_field(&map, key, &service);
    }
    len = snprintf(record_key, sizeof(record_key), "%s/%s", service.function,
                   service.instance);
    body_require(&map, body_key_equal(record, record_key, (size_t)len));
    if (body_map_close(&map, required) != 0) {
        return RECORD_E_BODY;
    }
    *ret = service;
    return 0;
}

int body_put_service(const struct body_service *body, uint8_t *buffer,
                     size_t buffer_size, size_t *ret_size)
{
    struct body_packer pack;

    assert(body->n_tags <= LIMIT_SERVICE_TAGS);
    assert(body->n_meta <= LIMIT_SERVICE_META);
    body_pack_begin(&pack, buffer, buffer_size, 12);
    body_pack_key_text(&pack, 1, body->function);
    body_pack_key_text(&pack, 2, body->instance);
    body_pack_key_uint(&pack, 3, body->protocol);
    body_pack_key_uint(&pack, 4, body->port);
    body_pack_key_address(&pack, 5, &body->address);
    body_pack_key_text(&pack, 6, body->port_name);
    body_pack_key_uint(&pack, 7, body->weight);
    body_pack_key_uint(&pack, 8, body->priority);
    body_pack_key_uint(&pack, 9, body->health);
    body_pack_key(&pack, 10);
    body_pack_array(&pack, body->n_tags);
    for (size_t i = 0; i < body->n_tags; i++) {
        body_pack_text(&pack, body->tags[i]);
    }
    body_pack_key(&pack, 11);
    body_pack_map(&pack, body->n_meta);
    for (size_t i = 0; i < body->n_meta; i++) {
        body_pack_text(&pack, body->meta[i].key);
        body_pack_text(&pack, body->meta[i].value);
    }
    body_pack_key_uint(&pack, 12, body->slot);
    return body_pack_end(&pack, ret_size);
}
