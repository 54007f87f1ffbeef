/* Who attacks how and when, and what the attacks share.  See hostile.h. */
#include "tests/sim/hostile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/macros.h"
#include "gossip/wire/message.h"
#include "tests/sim/attacker.h"
#include "tests/sim/hostile_internal.h"

/* One attack of each node in so long, on average. */
#define HOSTILE_PAUSE_MS 1500
/* Attacks that one node draws. */
#define HOSTILE_KINDS 5
/* How long all have the same victim. */
#define HOSTILE_VICTIM_US 15000000u
/* One packet of so many is kept. */
#define HOSTILE_SHARE 64
/* Orders of a driver are past those of the node that it drives. */
#define HOSTILE_SEQ 1000000u

struct hostile_attack {
    const char *name;
    hostile_fn run;
    bool is_heard; /* the others' views change by it, so that they are never
                      equal while it goes on */
};

static const struct hostile_attack hostile_attacks[] = {
    {"forge", hostile_forge, false},
    {"alter", hostile_alter, false},
    {"address", hostile_take_address, false},
    {"function", hostile_take_function, false},
    {"claim", hostile_claim, false},
    {"hold", hostile_hold, false},
    {"revoke", hostile_revoke, false},
    {"certify", hostile_certify, false},
    {"bury", hostile_bury, false},
    {"depart", hostile_depart, false},
    {"end-all", hostile_end_all, true},
    {"accuse", hostile_accuse, true},
    {"accuse-many", hostile_accuse_many, true},
    {"contradict", hostile_contradict, true},
    {"frame", hostile_frame, false},
    {"rush", hostile_rush, true},
    {"flood", hostile_flood, true},
    {"pour", hostile_pour, false},
    {"repeat", hostile_repeat, false},
    {"replay", hostile_replay, false},
    {"garble", hostile_garble, false},
    {"amplify", hostile_amplify, false},
    {"promise", hostile_promise, false},
    {"show-past", hostile_show_past, false},
    {"relay", hostile_relay, false},
    {"swallow", hostile_swallow, false},
    {"lie", hostile_lie, false},
};

_Static_assert(ARRAY_SIZE(hostile_attacks) <= 32, "the bits of a driver");

const char *hostile_attack_name(uint32_t attack)
{
    return attack < ARRAY_SIZE(hostile_attacks) ? hostile_attacks[attack].name
                                                : NULL;
}

uint32_t hostile_attack_find(const char *name)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(hostile_attacks); i++) {
        if (strcmp(hostile_attacks[i].name, name) == 0) {
            return i;
        }
    }
    return CLUSTER_NONE;
}

/* --- Whom, and with what -----------------------------------------------------
 */

uint32_t hostile_target(struct hostile *hostile)
{
    const struct cluster *cluster = hostile->cluster;

    for (uint32_t i = 0; i < 20; i++) {
        uint32_t node =
            (uint32_t)random_below(&hostile->random, cluster->config.n_nodes);

        if (cluster_is_running(cluster, node) &&
            !cluster->nodes[node].is_hostile) {
            return node;
        }
    }
    return CLUSTER_NONE;
}

uint32_t hostile_victim(struct hostile *hostile)
{
    const struct cluster *cluster = hostile->cluster;
    struct random random = random_init(
        cluster->config.seed, 1000 + cluster->now_us / HOSTILE_VICTIM_US);
    uint32_t node;

    do {
        node = (uint32_t)random_below(&random, cluster->config.n_nodes);
    } while (cluster->nodes[node].is_hostile);
    return node;
}

const struct simkeys_record *hostile_heard(struct hostile *hostile)
{
    return hostile->n_records == 0 ? NULL
                                   : &hostile->records[random_below(
                                         &hostile->random, hostile->n_records)];
}

const struct hostile_packet *hostile_overheard(struct hostile *hostile)
{
    return hostile->n_packets == 0 ? NULL
                                   : &hostile->packets[random_below(
                                         &hostile->random, hostile->n_packets)];
}

/* --- Sending -----------------------------------------------------------------
 */

static const struct packet_keys *hostile_keys(struct hostile *hostile,
                                              uint32_t self, uint32_t to)
{
    struct hostile_driver *driver = &hostile->drivers[self];
    const struct cluster_node *nodes = hostile->cluster->nodes;
    int error;

    if (!driver->has_keys[to]) {
        error = packet_keys_derive(
            nodes[self].keys.exchange_secret, nodes[self].keys.exchange_public,
            nodes[to].keys.exchange_public, &driver->keys[to]);
        assert(error == 0);
        driver->has_keys[to] = true;
    }
    return &driver->keys[to];
}

void hostile_send(struct hostile *hostile, uint32_t self, uint32_t to,
                  enum packet_type type, uint32_t to_boot,
                  const struct writer *payload)
{
    const struct cluster_node *source = &hostile->cluster->nodes[self];
    struct packet_context context = {
        .cluster = hostile->cluster->cluster,
        .source = source->keys.sign_public,
        .destination = hostile->cluster->nodes[to].keys.sign_public};
    struct packet_header header = {
        .type = (uint8_t)type,
        .source_boot = (uint32_t)(node_epoch(source->node) >> 32),
        .destination_boot = to_boot,
        .source_id = record_node_id(source->keys.sign_public),
        .counter = ++hostile->drivers[self].counter,
        .payload = payload->start,
        .payload_size = writer_size(payload)};
    uint8_t datagram[LIMIT_DATAGRAM_SIZE];
    size_t size;

    assert(!payload->failed);
    if (header.payload_size > 0) {
        size = packet_build(&header, &context, hostile_keys(hostile, self, to),
                            datagram);
        cluster_transmit(hostile->cluster, self, to, datagram, size);
    }
}

void hostile_say(struct hostile *hostile, uint32_t self, uint32_t to,
                 const struct writer *payload)
{
    if (to != CLUSTER_NONE && cluster_is_running(hostile->cluster, to)) {
        uint64_t epoch = node_epoch(hostile->cluster->nodes[to].node);

        hostile_send(hostile, self, to, PACKET_MESSAGES,
                     (uint32_t)(epoch >> 32), payload);
    }
}

void hostile_tell(struct hostile *hostile, uint32_t self, uint32_t to,
                  const struct simkeys_record *record)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_record(&writer, record->bytes, record->size);
    hostile_say(hostile, self, to, &writer);
}

void hostile_tell_some(struct hostile *hostile, uint32_t self,
                       const struct simkeys_record *record)
{
    for (uint32_t i = 0; i < 4; i++) {
        hostile_tell(hostile, self, hostile_target(hostile), record);
    }
}

struct record_order hostile_next(struct hostile *hostile, uint32_t self)
{
    return (struct record_order){
        .epoch = node_epoch(hostile->cluster->nodes[self].node),
        .seq = HOSTILE_SEQ + ++hostile->drivers[self].seq};
}

void hostile_make(struct hostile *hostile, uint32_t self,
                  const struct hostile_record *what, struct simkeys_record *ret)
{
    const struct cluster *cluster = hostile->cluster;
    const struct cluster_node *name = &cluster->nodes[what->name];
    struct record_fields fields = {
        .kind = what->kind,
        .serial = name->body.serial,
        .order = what->order,
        .hlc = what->hlc != 0
                   ? what->hlc
                   : (CLUSTER_WALL_MS + cluster->now_us / 1000) << 16,
        .key = what->key,
        .key_size = what->key_size,
        .body = what->body,
        .body_size = what->body_size};

    attacker_sign(cluster, &cluster->nodes[self].keys, &name->keys, &fields,
                  ret);
}

/* --- What is on the way ------------------------------------------------------
 */

static void hostile_keep_record(struct hostile *hostile,
                                const struct message *message)
{
    struct simkeys_record *kept;
    struct record record;
    uint32_t writer;

    if (message->size > LIMIT_RECORD_SIZE ||
        record_parse(message->bytes, message->size, &record) != 0) {
        return;
    }
    writer = cluster_find_key(hostile->cluster, record.writer);
    if (writer == CLUSTER_NONE || hostile->cluster->nodes[writer].is_hostile) {
        return;
    }
    kept =
        &hostile
             ->records[hostile->n_records < HOSTILE_RECORDS
                           ? hostile->n_records++
                           : random_below(&hostile->random, HOSTILE_RECORDS)];
    memcpy(kept->bytes, message->bytes, message->size);
    kept->size = message->size;
}

static void hostile_keep(struct hostile *hostile, uint32_t from, uint32_t to,
                         const uint8_t *bytes, size_t size)
{
    struct hostile_packet *kept =
        &hostile
             ->packets[hostile->n_packets < HOSTILE_PACKETS
                           ? hostile->n_packets++
                           : random_below(&hostile->random, HOSTILE_PACKETS)];
    struct packet_header header;
    struct message message;
    struct reader reader;

    kept->from = from;
    kept->to = to;
    kept->size = size;
    memcpy(kept->bytes, bytes, size);
    if (packet_parse(bytes, size, &header) != 0 ||
        header.type != PACKET_MESSAGES) {
        return;
    }
    reader = reader_init(header.payload, header.payload_size);
    while (reader_left(&reader) > 0 && message_next(&reader, &message) == 0) {
        if (message.type == MESSAGE_RECORD) {
            hostile_keep_record(hostile, &message);
        }
    }
}

static bool hostile_does(const struct hostile *hostile, uint32_t self,
                         hostile_fn attack)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(hostile_attacks); i++) {
        if (hostile_attacks[i].run == attack) {
            return (hostile->drivers[self].attacks >> i & 1) != 0;
        }
    }
    return false;
}

/* Every datagram of the cluster. */
static bool hostile_wire(struct cluster *cluster, uint32_t from, uint32_t to,
                         const uint8_t *bytes, size_t size, void *data)
{
    struct hostile *hostile = data;
    struct packet_header header;

    if (!cluster->nodes[from].is_hostile) {
        if (random_below(&hostile->random, HOSTILE_SHARE) == 0) {
            hostile_keep(hostile, from, to, bytes, size);
        }
        if (cluster->nodes[to].is_hostile && cluster_is_running(cluster, to) &&
            hostile_does(hostile, to, hostile_relay) &&
            packet_parse(bytes, size, &header) == 0) {
            hostile_answer_probes(hostile, to, from, &header);
        }
        return false;
    }
    if (packet_parse(bytes, size, &header) != 0) {
        return false;
    }
    hostile_rewrite(hostile, from, to,
                    hostile_does(hostile, from, hostile_swallow),
                    hostile_does(hostile, from, hostile_lie),
                    hostile_does(hostile, from, hostile_relay), &header);
    return true;
}

/* --- When --------------------------------------------------------------------
 */

static void hostile_act(void *data, uint32_t self)
{
    struct hostile *hostile = data;
    const struct hostile_driver *driver = &hostile->drivers[self];
    uint32_t attack;

    do {
        attack = (uint32_t)random_below(&hostile->random,
                                        ARRAY_SIZE(hostile_attacks));
    } while ((driver->attacks >> attack & 1) == 0);
    if (cluster_is_running(hostile->cluster, self) &&
        hostile->cluster->nodes[self].is_ready &&
        (!hostile->is_calm || !hostile_attacks[attack].is_heard)) {
        hostile->n_attacks[attack]++;
        hostile_attacks[attack].run(hostile, self);
    }
    cluster_call(hostile->cluster,
                 random_range(&hostile->random, 1, 2 * HOSTILE_PAUSE_MS),
                 hostile_act, hostile, self);
}

static void hostile_drive(struct hostile *hostile, uint32_t self,
                          uint32_t only_attack)
{
    struct hostile_driver *driver = &hostile->drivers[self];
    uint32_t n_nodes = hostile->cluster->config.n_nodes;

    driver->keys = calloc(n_nodes, sizeof(driver->keys[0]));
    driver->has_keys = calloc(n_nodes, sizeof(driver->has_keys[0]));
    assert(driver->keys != NULL && driver->has_keys != NULL);
    for (uint32_t i = 0; i < HOSTILE_KINDS; i++) {
        uint64_t drawn =
            random_below(&hostile->random, ARRAY_SIZE(hostile_attacks));

        driver->attacks |= 1u << drawn;
    }
    if (only_attack != CLUSTER_NONE) {
        driver->attacks = 1u << only_attack;
    }
    cluster_call(hostile->cluster, random_range(&hostile->random, 3000, 10000),
                 hostile_act, hostile, self);
}

struct hostile *hostile_new(struct cluster *cluster, uint32_t only_attack)
{
    struct hostile *hostile = calloc(1, sizeof(*hostile));

    assert(hostile != NULL);
    hostile->cluster = cluster;
    hostile->random = random_init(cluster->config.seed, 5);
    hostile->drivers =
        calloc(cluster->config.n_nodes, sizeof(hostile->drivers[0]));
    hostile->n_attacks =
        calloc(ARRAY_SIZE(hostile_attacks), sizeof(hostile->n_attacks[0]));
    assert(hostile->drivers != NULL && hostile->n_attacks != NULL);
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (cluster->nodes[i].is_hostile) {
            hostile_drive(hostile, i, only_attack);
        }
    }
    if (cluster->config.n_hostile > 0) {
        cluster->wire = hostile_wire;
        cluster->wire_data = hostile;
    }
    return hostile;
}

void hostile_calm(struct hostile *hostile)
{
    hostile->is_calm = true;
}

uint64_t hostile_n_attacks(const struct hostile *hostile)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < ARRAY_SIZE(hostile_attacks); i++) {
        sum += hostile->n_attacks[i];
    }
    return sum;
}

uint32_t hostile_n_kinds(const struct hostile *hostile)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < ARRAY_SIZE(hostile_attacks); i++) {
        n += hostile->n_attacks[i] > 0 ? 1 : 0;
    }
    return n;
}

struct hostile *hostile_free(struct hostile *hostile)
{
    if (hostile == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < hostile->cluster->config.n_nodes; i++) {
        free(hostile->drivers[i].keys);
        free(hostile->drivers[i].has_keys);
    }
    free(hostile->drivers);
    free(hostile->n_attacks);
    hostile->cluster->wire = NULL;
    free(hostile);
    return NULL;
}
