/* Hostile traffic.  See attacker.h. */
#include "tests/sim/attacker.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "gossip/base/cursor.h"
#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"

void attacker_send(struct cluster *cluster, uint32_t from, uint32_t to,
                   uint64_t counter, const struct simkeys_record *record)
{
    const struct cluster_node *source = &cluster->nodes[from];
    const struct cluster_node *target = &cluster->nodes[to];
    struct endpoint endpoint = simkeys_endpoint(from);
    uint8_t payload[PACKET_PAYLOAD_MAX];
    uint8_t datagram[LIMIT_DATAGRAM_SIZE];
    struct writer writer = writer_init(payload, sizeof(payload));
    struct packet_context context = {.cluster = cluster->cluster,
                                     .source = source->keys.sign_public,
                                     .destination = target->keys.sign_public};
    struct packet_header header = {
        .type = PACKET_MESSAGES,
        .source_boot = ATTACKER_BOOT,
        .destination_boot = (uint32_t)(node_epoch(target->node) >> 32),
        .source_id = record_node_id(source->keys.sign_public),
        .counter = counter,
        .payload = payload};
    struct packet_keys keys;
    size_t size;
    int result = packet_keys_derive(source->keys.exchange_secret,
                                    source->keys.exchange_public,
                                    target->keys.exchange_public, &keys);

    assert(result == 0);
    message_put_record(&writer, record->bytes, record->size);
    assert(!writer.failed);
    header.payload_size = writer_size(&writer);
    size = packet_build(&header, &context, &keys, datagram);
    cluster_inject(cluster, to, &endpoint, datagram, size);
}

void attacker_sign(const struct cluster *cluster, const struct simkeys *signer,
                   const struct simkeys *name, struct record_fields *fields,
                   struct simkeys_record *ret)
{
    uint8_t message[32 + LIMIT_RECORD_SIZE];
    int prefix = snprintf((char *)message, 32, "socketnet/v1/%u",
                          (unsigned)fields->kind);
    size_t size;

    fields->cluster = cluster->cluster;
    fields->writer = name->sign_public;
    ret->size = record_build(fields, ret->bytes, sizeof(ret->bytes));
    assert(prefix > 0 && ret->size > 0);
    size = ret->size - RECORD_SIGNATURE_SIZE;
    memcpy(message + prefix + 1, ret->bytes, size);
    crypto_sign_detached(ret->bytes + size, NULL, message,
                         (size_t)prefix + 1 + size, signer->sign_secret);
}

void attacker_service(const struct cluster *cluster,
                      const struct simkeys *signer, const struct simkeys *name,
                      uint32_t index, struct record_order order,
                      const char *instance, uint16_t port,
                      struct simkeys_record *ret)
{
    struct body_service service = {.function = "redis",
                                   .protocol = 6,
                                   .port = port,
                                   .address = simkeys_container(index, 20),
                                   .weight = 100};
    char key[LIMIT_KEY_SIZE];
    uint8_t body[512];
    struct record_fields fields = {.kind = RECORD_SERVICE,
                                   .serial = index + 1u,
                                   .order = order,
                                   .hlc = (uint64_t)CLUSTER_WALL_MS << 16,
                                   .key = (const uint8_t *)key,
                                   .body = body};
    int result;

    (void)snprintf(service.instance, sizeof(service.instance), "%s", instance);
    (void)snprintf(key, sizeof(key), "redis/%s", instance); /* fits */
    fields.key_size = strlen(key);
    result = body_put_service(&service, body, sizeof(body), &fields.body_size);
    assert(result == 0);
    attacker_sign(cluster, signer, name, &fields, ret);
}

void attacker_member(const struct cluster *cluster, uint32_t index,
                     struct record_order order, struct simkeys_record *ret)
{
    struct body_member member = {.state = BODY_MEMBER_ALIVE,
                                 .version = "evil",
                                 .protocol_min = 1,
                                 .protocol_max = 1};
    uint8_t body[128];
    struct record_fields fields = {.kind = RECORD_MEMBER,
                                   .serial = index + 1u,
                                   .order = order,
                                   .hlc = (uint64_t)CLUSTER_WALL_MS << 16,
                                   .body = body};
    int result =
        body_put_member(&member, body, sizeof(body), &fields.body_size);

    assert(result == 0);
    attacker_sign(cluster, &cluster->nodes[index].keys,
                  &cluster->nodes[index].keys, &fields, ret);
}

void attacker_accusation(const struct cluster *cluster,
                         const struct simkeys *signer, uint32_t index,
                         const uint8_t accused[32],
                         struct record_order incarnation, uint64_t seq,
                         struct simkeys_record *ret)
{
    struct body_accusation accusation = {.incarnation = incarnation};
    uint8_t body[64];
    struct record_fields fields = {
        .kind = RECORD_ACCUSATION,
        .serial = index + 1u,
        .order = {.epoch = (uint64_t)ATTACKER_BOOT << 32, .seq = seq},
        .hlc = (uint64_t)CLUSTER_WALL_MS << 16,
        .key = accused,
        .key_size = 32,
        .body = body};
    int result =
        body_put_accusation(&accusation, body, sizeof(body), &fields.body_size);

    assert(result == 0);
    attacker_sign(cluster, signer, signer, &fields, ret);
}
