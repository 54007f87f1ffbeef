/*
 * Attacks with records: others' names, addresses and functions, deletions,
 * accusations, contradictions, floods.  What a member may write for itself,
 * whatever it is good for, is told to the check beforehand; nothing else may
 * ever be accepted.  See hostile.h.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/macros.h"
#include "gossip/wire/evidence.h"
#include "tests/sim/hostile_internal.h"

/* So many are accused at once. */
#define HOSTILE_MANY 20
/* Records of one burst, and of all of one node: enough to be noticed, little
 * enough for a sweep of many seeds. */
#define HOSTILE_FLOOD     40
#define HOSTILE_FLOOD_MAX 120
/* More than LIMIT_FORGED_BURST. */
#define HOSTILE_POUR 80

static void hostile_service(const struct body_service *service,
                            char key[LIMIT_KEY_SIZE],
                            struct hostile_record *what)
{
    int error = body_put_service(service, what->body, sizeof(what->body),
                                 &what->body_size);

    assert(error == 0);
    (void)snprintf(key, LIMIT_KEY_SIZE, "%s/%s", service->function,
                   service->instance); /* fits */
    what->kind = RECORD_SERVICE;
    what->key = key;
    what->key_size = strlen(key);
}

/* An instance of its own function at its own address. */
static struct body_service hostile_instance(uint32_t self, uint64_t number)
{
    struct body_service service = {.function = CLUSTER_HOSTILE_FUNCTION,
                                   .protocol = 6,
                                   .port = 80,
                                   .address = simkeys_container(self, 66),
                                   .weight = 100};

    (void)snprintf(service.instance, sizeof(service.instance), "e%u",
                   (unsigned)number); /* fits */
    return service;
}

static const uint8_t *hostile_key(const struct hostile *hostile, uint32_t node)
{
    return hostile->cluster->nodes[node].keys.sign_public;
}

/* An order that would be the newest of that writer. */
static struct record_order hostile_newer(struct hostile *hostile, uint32_t self,
                                         uint32_t writer)
{
    const struct cluster_node *node = &hostile->cluster->nodes[writer];
    struct record_order order = hostile_next(hostile, self);

    if (node->node != NULL) {
        order.epoch = node_epoch(node->node);
    }
    return order;
}

/* A record in another's name. */
void hostile_forge(struct hostile *hostile, uint32_t self)
{
    uint32_t name = hostile_victim(hostile);
    struct body_service service = hostile_instance(name, 0);
    struct hostile_record what = {.name = name,
                                  .order = hostile_newer(hostile, self, name)};
    struct simkeys_record record;
    char key[LIMIT_KEY_SIZE];

    (void)snprintf(service.function, sizeof(service.function), "f0");
    hostile_service(&service, key, &what);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* What another wrote, with one bit changed. */
void hostile_alter(struct hostile *hostile, uint32_t self)
{
    const struct simkeys_record *heard = hostile_heard(hostile);
    struct simkeys_record record;

    if (heard != NULL) {
        record = *heard;
        record.bytes[random_below(&hostile->random, record.size)] ^=
            (uint8_t)(1u << random_below(&hostile->random, 8));
        hostile_tell_some(hostile, self, &record);
    }
}

/* Its own instance at a container's or host's address of another. */
void hostile_take_address(struct hostile *hostile, uint32_t self)
{
    uint32_t victim = hostile_victim(hostile);
    struct body_service service = hostile_instance(self, 1);
    struct hostile_record what = {.name = self,
                                  .order = hostile_next(hostile, self)};
    struct simkeys_record record;
    char key[LIMIT_KEY_SIZE];

    service.address = random_chance(&hostile->random, 500000)
                          ? simkeys_container(victim, 20)
                          : simkeys_endpoint(victim).address;
    hostile_service(&service, key, &what);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* Its own instance of a function that is not granted to it. */
void hostile_take_function(struct hostile *hostile, uint32_t self)
{
    struct body_service service = hostile_instance(self, 2);
    struct hostile_record what = {.name = self,
                                  .order = hostile_next(hostile, self)};
    struct simkeys_record record;
    char key[LIMIT_KEY_SIZE];

    (void)snprintf(service.function, sizeof(service.function), "f%u",
                   (unsigned)random_below(&hostile->random, 4));
    hostile_service(&service, key, &what);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* A function's service address, claimed or declared by who is no issuer; in its
 * own name or in the issuer's. */
void hostile_claim(struct hostile *hostile, uint32_t self)
{
    bool is_own = random_chance(&hostile->random, 500000);
    struct body_function function = {
        .name = "f0",
        .address = {.family = 4, .bytes = {100, 80, 6, 6}},
        .is_claim = random_chance(&hostile->random, 500000)};
    struct hostile_record what = {
        .kind = RECORD_FUNCTION,
        .name = is_own ? self : 0,
        .order = hostile_newer(hostile, self, is_own ? self : 0),
        .key = "f0",
        .key_size = 2};
    struct simkeys_record record;
    int error = body_put_function(&function, what.body, sizeof(what.body),
                                  &what.body_size);

    assert(error == 0);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* Has the cluster stand still. */
void hostile_hold(struct hostile *hostile, uint32_t self)
{
    bool is_own = random_chance(&hostile->random, 500000);
    struct body_hold hold = {.is_held = true, .reason = "evil"};
    struct hostile_record what = {
        .kind = RECORD_HOLD,
        .name = is_own ? self : 0,
        .order = hostile_newer(hostile, self, is_own ? self : 0)};
    struct simkeys_record record;
    int error =
        body_put_hold(&hold, what.body, sizeof(what.body), &what.body_size);

    assert(error == 0);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* Takes a member's certificate away. */
void hostile_revoke(struct hostile *hostile, uint32_t self)
{
    bool is_own = random_chance(&hostile->random, 500000);
    struct body_revocation revocation = {.reason = "evil"};
    struct hostile_record what = {
        .kind = RECORD_REVOCATION,
        .name = is_own ? self : 0,
        .order = hostile_newer(hostile, self, is_own ? self : 0),
        .key = hostile_key(hostile, hostile_victim(hostile)),
        .key_size = 32};
    struct simkeys_record record;
    int error = body_put_revocation(&revocation, what.body, sizeof(what.body),
                                    &what.body_size);

    assert(error == 0);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* A certificate for itself that grants more, or one for an accomplice. */
void hostile_certify(struct hostile *hostile, uint32_t self)
{
    bool is_own = random_chance(&hostile->random, 500000);
    bool is_for_self = random_chance(&hostile->random, 500000);
    struct simkeys subject = hostile->cluster->nodes[self].keys;
    struct body_certificate body;
    struct hostile_record what = {
        .kind = RECORD_CERTIFICATE,
        .name = is_own ? self : 0,
        .order = hostile_newer(hostile, self, is_own ? self : 0),
        .key = subject.sign_public,
        .key_size = 32};
    struct simkeys_record record;
    int error;

    if (!is_for_self) {
        simkeys_make(hostile->cluster->config.seed, SIMKEYS_STRANGER, &subject);
    }
    simkeys_certificate_body(&subject, self,
                             BODY_ROLE_MEMBER |
                                 (is_for_self ? (uint32_t)BODY_ROLE_ISSUER : 0),
                             &body);
    body.generation = 9;
    error = body_put_certificate(&body, what.body, sizeof(what.body),
                                 &what.body_size);
    assert(error == 0);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* Ends another's records: a tombstone, or a manifest that lists none. */
void hostile_bury(struct hostile *hostile, uint32_t self)
{
    uint32_t name = hostile_victim(hostile);
    struct body_tombstone tombstone = {.kind = RECORD_SERVICE};
    struct hostile_record what = {.kind = RECORD_TOMBSTONE,
                                  .name = name,
                                  .order = hostile_newer(hostile, self, name),
                                  .key = "f0/i0",
                                  .key_size = 5};
    struct body_manifest manifest = {.upto = what.order};
    struct simkeys_record record;
    int error;

    if (random_chance(&hostile->random, 500000)) {
        error = body_put_tombstone(&tombstone, what.body, sizeof(what.body),
                                   &what.body_size);
    } else {
        what.kind = RECORD_MANIFEST;
        what.key_size = 0;
        error = body_put_manifest(&manifest, what.body, sizeof(what.body),
                                  &what.body_size);
    }
    assert(error == 0);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* Says that another has left. */
void hostile_depart(struct hostile *hostile, uint32_t self)
{
    uint32_t name = hostile_victim(hostile);
    struct body_member member = {.state = BODY_MEMBER_LEFT,
                                 .version = "evil",
                                 .protocol_min = 1,
                                 .protocol_max = 1};
    struct hostile_record what = {.kind = RECORD_MEMBER,
                                  .name = name,
                                  .order = hostile_newer(hostile, self, name)};
    struct simkeys_record record;
    int error =
        body_put_member(&member, what.body, sizeof(what.body), &what.body_size);

    assert(error == 0);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* Ends all of its own, of which others may have as much as they like. */
void hostile_end_all(struct hostile *hostile, uint32_t self)
{
    struct hostile_record what = {.kind = RECORD_MANIFEST,
                                  .name = self,
                                  .order = hostile_next(hostile, self)};
    struct body_manifest manifest = {.upto = what.order};
    struct simkeys_record record;
    int error = body_put_manifest(&manifest, what.body, sizeof(what.body),
                                  &what.body_size);

    assert(error == 0);
    hostile_make(hostile, self, &what, &record);
    check_allow(&hostile->cluster->check, record.bytes, record.size);
    hostile_tell_some(hostile, self, &record);
}

/* --- Accusations -------------------------------------------------------------
 */

static void hostile_accuse_one(struct hostile *hostile, uint32_t self,
                               uint32_t accused)
{
    const struct node *node = hostile->cluster->nodes[self].node;
    struct hostile_record what = {.kind = RECORD_ACCUSATION,
                                  .name = self,
                                  .order = hostile_next(hostile, self),
                                  .key = hostile_key(hostile, accused),
                                  .key_size = 32};
    struct body_accusation accusation;
    struct simkeys_record record;
    struct node_member member;
    int error;

    if (!node_member_find(node, what.key, &member) ||
        member.incarnation.seq == 0) {
        return;
    }
    accusation.incarnation = member.incarnation;
    error = body_put_accusation(&accusation, what.body, sizeof(what.body),
                                &what.body_size);
    assert(error == 0);
    hostile_make(hostile, self, &what, &record);
    hostile_tell_some(hostile, self, &record);
}

/* All that do this agree whom. */
void hostile_accuse(struct hostile *hostile, uint32_t self)
{
    hostile_accuse_one(hostile, self, hostile_victim(hostile));
}

/* So many at once that the others might believe to be cut off.  Seldom: each
 * is answered by its accused to everybody, which is most of a sweep's work. */
void hostile_accuse_many(struct hostile *hostile, uint32_t self)
{
    uint32_t n = random_chance(&hostile->random, 100000) ? HOSTILE_MANY : 1;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t accused = hostile_target(hostile);

        if (accused != CLUSTER_NONE) {
            hostile_accuse_one(hostile, self, accused);
        }
    }
}

/* --- Contradictions ----------------------------------------------------------
 */

/* Two records under one number, each told to others. */
void hostile_contradict(struct hostile *hostile, uint32_t self)
{
    struct hostile_record what = {.name = self,
                                  .order = hostile_next(hostile, self)};
    struct simkeys_record record;
    char key[LIMIT_KEY_SIZE];

    for (uint16_t port = 80; port < 82; port++) {
        struct body_service service = hostile_instance(self, 3);

        service.port = port;
        hostile_service(&service, key, &what);
        hostile_make(hostile, self, &what, &record);
        check_allow(&hostile->cluster->check, record.bytes, record.size);
        hostile_tell(hostile, self, hostile_target(hostile), &record);
    }
}

/* Evidence against an honest writer: its record, and that record altered. */
void hostile_frame(struct hostile *hostile, uint32_t self)
{
    const struct simkeys_record *heard = hostile_heard(hostile);
    struct simkeys_record altered;
    struct simkeys_record evidence;
    struct record first;
    struct record second;
    uint8_t *bytes = NULL;

    if (heard == NULL) {
        return;
    }
    altered = *heard;
    /* The clock is neither its order nor its shape. */
    altered.bytes[83] ^= 1;
    if (record_parse(heard->bytes, heard->size, &first) == 0 &&
        record_parse(altered.bytes, altered.size, &second) == 0 &&
        evidence_new(&first, &second, &bytes, &evidence.size) == 0 &&
        evidence.size <= sizeof(evidence.bytes)) {
        memcpy(evidence.bytes, bytes, evidence.size);
        hostile_tell_some(hostile, self, &evidence);
    }
    free(bytes);
}

/* --- Too far ahead, too much -------------------------------------------------
 */

/* A clock of tomorrow, or of past its certificate's end; the highest number
 * that there is. */
void hostile_rush(struct hostile *hostile, uint32_t self)
{
    static const uint64_t ahead_ms[] = {86400000u, 1000ull << 36, 0};
    uint64_t which = random_below(&hostile->random, ARRAY_SIZE(ahead_ms));
    uint64_t now_ms = cluster_now_ms(hostile->cluster) + CLUSTER_WALL_MS;
    struct body_service service = hostile_instance(self, 4 + which);
    struct hostile_record what = {.name = self,
                                  .order = hostile_next(hostile, self),
                                  .hlc = (now_ms + ahead_ms[which]) << 16};
    struct simkeys_record record;
    char key[LIMIT_KEY_SIZE];

    if (which == 2) {
        what.order.seq = UINT64_MAX - hostile->drivers[self].seq;
    }
    hostile_service(&service, key, &what);
    hostile_make(hostile, self, &what, &record);
    if (which != 1) {
        check_allow(&hostile->cluster->check, record.bytes, record.size);
    }
    hostile_tell_some(hostile, self, &record);
}

/* Its own, many at once to one. */
void hostile_flood(struct hostile *hostile, uint32_t self)
{
    struct hostile_driver *driver = &hostile->drivers[self];
    uint32_t to = hostile_target(hostile);

    for (uint32_t i = 0;
         i < HOSTILE_FLOOD && driver->n_flood < HOSTILE_FLOOD_MAX; i++) {
        struct body_service service = hostile_instance(self, 100 + i % 30);
        struct hostile_record what = {.name = self,
                                      .order = hostile_next(hostile, self)};
        struct simkeys_record record;
        char key[LIMIT_KEY_SIZE];

        driver->n_flood++;
        hostile_service(&service, key, &what);
        hostile_make(hostile, self, &what, &record);
        check_allow(&hostile->cluster->check, record.bytes, record.size);
        hostile_tell(hostile, self, to, &record);
    }
}

/* Forged ones, past what one may send of them. */
void hostile_pour(struct hostile *hostile, uint32_t self)
{
    uint32_t to = hostile_target(hostile);

    for (uint32_t i = 0; i < HOSTILE_POUR; i++) {
        const struct simkeys_record *heard = hostile_heard(hostile);
        struct simkeys_record record;

        if (heard != NULL) {
            record = *heard;
            record.bytes[75] = (uint8_t)(record.bytes[75] + 1 + i);
            hostile_tell(hostile, self, to, &record);
        }
    }
}

/* What is old: deletions might be undone by it. */
void hostile_repeat(struct hostile *hostile, uint32_t self)
{
    for (uint32_t i = 0; i < 10; i++) {
        const struct simkeys_record *heard = hostile_heard(hostile);

        if (heard != NULL) {
            hostile_tell(hostile, self, hostile_target(hostile), heard);
        }
    }
}
