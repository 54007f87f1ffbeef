/*
 * See puppet.h.
 */
#include "tests/unit/puppet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gossip/wire/body.h"

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {0xc1, 0xc2};

static struct endpoint endpoint_of(unsigned who)
{
    return (struct endpoint){.address = {4, {10, 9, 0, (uint8_t)(who + 1)}},
                             .port = 7720};
}

/* --- Records ---------------------------------------------------------------
 */

static void sign(const struct support_keys *keys, uint64_t serial,
                 struct record_fields *fields, struct puppet_record *ret)
{
    struct record record;
    uint8_t id[RECORD_ID_SIZE];
    struct reader reader;

    fields->cluster = fields->cluster != NULL ? fields->cluster : cluster;
    fields->writer = keys->sign_public;
    fields->serial = serial;
    ret->size = record_build(fields, ret->bytes, sizeof(ret->bytes));
    assert_int_not_equal(ret->size, 0);
    assert_int_equal(sign_record(ret->bytes, ret->size, keys->sign_secret), 0);
    assert_int_equal(record_parse(ret->bytes, ret->size, &record), 0);
    record_id(&record, id);
    reader = reader_init(id, 8);
    ret->hash = reader_u64(&reader);
}

static void certify(const struct support_keys *issuer, uint64_t issuer_serial,
                    struct record_order order,
                    const struct body_certificate *body,
                    struct puppet_record *ret)
{
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct record_fields fields = {.kind = RECORD_CERTIFICATE,
                                   .order = order,
                                   .hlc = PUPPET_WALL_MS << 16,
                                   .key = body->sign_public,
                                   .key_size = 32,
                                   .body = packed};

    assert_int_equal(
        body_put_certificate(body, packed, sizeof(packed), &fields.body_size),
        0);
    sign(issuer, issuer_serial, &fields, ret);
}

static uint64_t serial_of(const struct puppets *puppets, unsigned who)
{
    return puppets->serials[who] != 0 ? puppets->serials[who] : who + 1;
}

struct body_certificate puppet_body(const struct support_keys *keys,
                                    unsigned who)
{
    struct body_certificate body = {
        .mesh = {endpoint_of(who)},
        .n_mesh = 1,
        .subnets = {{.address = {4, {10, 70, (uint8_t)who}}, .len = 24}},
        .n_subnets = 1,
        .roles = BODY_ROLE_MEMBER | (who == 1 ? (uint32_t)BODY_ROLE_ISSUER : 0),
        .functions = {"redis", "web-*"},
        .n_functions = 2,
        .not_before_s = 1577836800,
        .not_after_s = 2208988800,
        .generation = 1,
        .serial = who + 1,
    };

    (void)snprintf(body.name, sizeof(body.name), "n%u", who);
    memcpy(body.sign_public, keys->sign_public, 32);
    memcpy(body.exchange_public, keys->exchange_public, 32);
    return body;
}

void puppet_sign(struct puppets *puppets, unsigned from, uint8_t kind,
                 const void *key, size_t key_size, const uint8_t *body,
                 size_t body_size, uint64_t wall_ms, struct puppet_record *ret)
{
    struct record_fields fields = {.kind = kind,
                                   .order = {puppets->epoch, ++puppets->seq},
                                   .hlc = wall_ms << 16,
                                   .key = key,
                                   .key_size = key_size,
                                   .body = body,
                                   .body_size = body_size,
                                   .cluster = puppets->cluster};

    if (from == PUPPET_ROOT) {
        sign(&puppets->root, 0, &fields, ret);
    } else {
        sign(&puppets->keys[from], serial_of(puppets, from), &fields, ret);
    }
}

static size_t service_body(unsigned from, const char *instance, uint8_t *packed,
                           size_t packed_size)
{
    struct body_service body = {
        .function = "redis",
        .protocol = 6,
        .port = 6379,
        .address = {4, {10, 70, (uint8_t)from, 20}},
        .weight = 100,
    };
    size_t size = 0;

    (void)snprintf(body.instance, sizeof(body.instance), "%s", instance);
    assert_int_equal(body_put_service(&body, packed, packed_size, &size), 0);
    return size;
}

void puppet_service(struct puppets *puppets, unsigned from,
                    const char *instance, uint64_t wall_ms,
                    struct puppet_record *ret)
{
    uint8_t packed[512];
    char key[LIMIT_KEY_SIZE];
    size_t size = service_body(from, instance, packed, sizeof(packed));

    (void)snprintf(key, sizeof(key), "redis/%s", instance);
    puppet_sign(puppets, from, RECORD_SERVICE, key, strlen(key), packed, size,
                wall_ms, ret);
}

void puppet_member(struct puppets *puppets, unsigned from,
                   struct puppet_record *ret)
{
    struct body_member body = {.state = BODY_MEMBER_ALIVE,
                               .version = "puppet",
                               .protocol_min = 1,
                               .protocol_max = 1};
    uint8_t packed[128];
    size_t size = 0;

    assert_int_equal(body_put_member(&body, packed, sizeof(packed), &size), 0);
    puppet_sign(puppets, from, RECORD_MEMBER, NULL, 0, packed, size,
                PUPPET_WALL_MS, ret);
}

void puppet_accusation(struct puppets *puppets, unsigned from, unsigned accused,
                       struct puppet_record *ret)
{
    struct body_accusation body = {
        .incarnation = puppets_member(puppets, accused).incarnation};
    uint8_t packed[64];
    size_t size = 0;

    assert_int_equal(body_put_accusation(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, from, RECORD_ACCUSATION,
                puppets->keys[accused].sign_public, 32, packed, size,
                PUPPET_WALL_MS, ret);
}

void puppet_certify(struct puppets *puppets, unsigned issuer, uint64_t serial,
                    uint64_t wall_ms, const struct body_certificate *body,
                    struct puppet_record *ret)
{
    uint8_t packed[LIMIT_RECORD_SIZE];
    struct record_fields fields = {.kind = RECORD_CERTIFICATE,
                                   .order = {puppets->epoch, ++puppets->seq},
                                   .hlc = wall_ms << 16,
                                   .key = body->sign_public,
                                   .key_size = 32,
                                   .body = packed};

    assert_int_equal(
        body_put_certificate(body, packed, sizeof(packed), &fields.body_size),
        0);
    sign(issuer == PUPPET_ROOT ? &puppets->root : &puppets->keys[issuer],
         serial, &fields, ret);
}

void puppet_revoke(struct puppets *puppets, unsigned from,
                   const uint8_t key[32], bool is_lifted, uint64_t wall_ms,
                   struct puppet_record *ret)
{
    struct body_revocation body = {.reason = "test", .is_lifted = is_lifted};
    uint8_t packed[128];
    size_t size = 0;

    assert_int_equal(body_put_revocation(&body, packed, sizeof(packed), &size),
                     0);
    puppet_sign(puppets, from, RECORD_REVOCATION, key, 32, packed, size,
                wall_ms, ret);
}

void puppet_charter(struct puppets *puppets, const struct body_charter *charter,
                    const struct support_keys *root, uint64_t wall_ms,
                    struct puppet_record *ret)
{
    uint8_t id[RECORD_ID_SIZE];
    struct reader reader = reader_init(id, 8);
    struct record record;

    assert_int_equal(body_build_charter(
                         cluster, charter, root->sign_secret,
                         (struct record_order){puppets->epoch, ++puppets->seq},
                         wall_ms << 16, ret->bytes, sizeof(ret->bytes),
                         &ret->size),
                     0);
    assert_int_equal(record_parse(ret->bytes, ret->size, &record), 0);
    record_id(&record, id);
    ret->hash = reader_u64(&reader);
}

void puppet_certificate(struct puppets *puppets, uint8_t byte,
                        uint64_t not_before_s, struct puppet_record *ret)
{
    struct support_keys keys = support_keys_make(byte);
    struct body_certificate body = puppet_body(&keys, byte);

    body.not_before_s = not_before_s;
    certify(
        &puppets->keys[1], 2,
        (struct record_order){(uint64_t)PUPPET_BOOT << 32 | 1, ++puppets->seq},
        &body, ret);
}

void puppet_renew(struct puppets *puppets, unsigned who, uint8_t byte)
{
    struct support_keys *keys = &puppets->keys[who];
    struct support_keys other = support_keys_make(byte);
    struct body_certificate body;

    memcpy(keys->exchange_public, other.exchange_public, 32);
    memcpy(keys->exchange_secret, other.exchange_secret, 32);
    body = puppet_body(keys, who);
    body.generation++;
    body.serial = serial_of(puppets, who);
    body.roles = puppets->roles[who] != 0 ? puppets->roles[who] : body.roles;
    certify(&puppets->root, 0, (struct record_order){2, ++puppets->seq}, &body,
            &puppets->certificates[who]);
}

/* --- What the node does ----------------------------------------------------
 */

static void see_message(struct puppets *puppets, unsigned to,
                        const struct message *message)
{
    struct puppet_seen *seen = &puppets->seen[puppets->n_seen++];

    assert_true(puppets->n_seen <= PUPPET_SEEN_MAX);
    /* Nobody says nothing. */
    assert_true(message->n_items > 0 || (message->type != MESSAGE_IHAVE &&
                                         message->type != MESSAGE_WANT &&
                                         message->type != MESSAGE_HEADS));
    *seen = (struct puppet_seen){.to = to,
                                 .at_ms = puppets->now_ms,
                                 .packet = to < PUPPET_STREAM(0)
                                               ? puppets->n_packets
                                               : puppets->n_frames,
                                 .message = *message};
    if (message->size > 0) {
        assert_true(message->size <= sizeof(seen->bytes));
        memcpy(seen->bytes, message->bytes, message->size);
        seen->message.bytes = seen->bytes;
    }
    if (message->proof != NULL) {
        memcpy(seen->bytes, message->proof, PACKET_PROOF_SIZE);
        seen->message.proof = seen->bytes;
    }
}

static void see_messages(struct puppets *puppets, unsigned to,
                         const uint8_t *bytes, size_t size)
{
    struct reader reader = reader_init(bytes, size);
    struct message message;

    while (reader_left(&reader) > 0) {
        assert_int_equal(message_next(&reader, &message), 0);
        see_message(puppets, to, &message);
    }
}

static void see_packet(struct puppets *puppets,
                       const struct node_action *action)
{
    struct packet_header header;
    unsigned to = 0;
    struct endpoint endpoint = endpoint_of(to);

    while (to < puppets->n && !endpoint_equal(&endpoint, &action->endpoint)) {
        endpoint = endpoint_of(++to);
    }
    puppets->n_packets++;
    assert_int_equal(packet_parse(action->bytes, action->size, &header), 0);
    if (header.type != PACKET_MESSAGES) {
        puppets->n_hellos++;
        memcpy(puppets->hello_bytes, header.payload, header.payload_size);
        header.payload = puppets->hello_bytes;
        assert_int_equal(packet_parse_hello(&header, &puppets->hello), 0);
        return;
    }
    see_messages(puppets, to, header.payload, header.payload_size);
}

static void see_store(struct puppets *puppets, const struct node_action *action)
{
    struct record record;

    assert_int_equal(record_parse(action->bytes, action->size, &record), 0);
    if (record.kind == RECORD_EVIDENCE) {
        puppets->n_evidence++;
        puppets->evidence.size = action->size;
        memcpy(puppets->evidence.bytes, action->bytes, action->size);
    }
    if (!action->is_own) {
        puppets->n_stored++;
        return;
    }
    assert_true(puppets->n_held < ARRAY_SIZE(puppets->held));
    puppets->held[puppets->n_held++] = record.order;
    puppets->n_written++;
    puppets->n_manifests += record.kind == RECORD_MANIFEST ? 1 : 0;
    puppets->own_hlc = record.hlc;
}

void puppets_step(struct puppets *puppets, struct node_event *event)
{
    int error;

    event->now_ms = puppets->now_ms;
    event->wall_ms = PUPPET_WALL_MS + puppets->now_ms;
    error = node_step(puppets->node, event, puppets->actions);
    assert_true(error == 0 || (error == -ENOMEM && puppets->may_lack_memory));
    for (size_t i = 0; i < node_actions_count(puppets->actions); i++) {
        const struct node_action *action = node_actions_at(puppets->actions, i);

        if (action->type == NODE_ACTION_SEND) {
            see_packet(puppets, action);
        } else if (action->type == NODE_ACTION_STORE) {
            see_store(puppets, action);
        } else if (action->type == NODE_ACTION_STREAM_SEND) {
            assert_true(action->size <= LIMIT_FRAME_SIZE);
            puppets->n_frames++;
            puppets->n_stream_bytes += action->size;
            see_messages(puppets, PUPPET_STREAM(action->stream), action->bytes,
                         action->size);
        } else if (action->type == NODE_ACTION_STREAM_OPEN) {
            puppets->n_streams++;
        } else if (action->type == NODE_ACTION_STREAM_CLOSE) {
            puppets->n_closed++;
            puppets->closed = action->stream;
            puppets->closed_ms = puppets->now_ms;
        } else if (action->type == NODE_ACTION_READY) {
            puppets->n_ready++;
        } else if (action->type == NODE_ACTION_ERASE) {
            puppets->n_erased++;
        } else if (action->type == NODE_ACTION_RECORD &&
                   action->change == NODE_RECORD_REMOVED) {
            puppets->n_removed++;
        }
    }
    node_actions_clear(puppets->actions);
    if (!puppets->holds_commits) {
        puppets_commit(puppets);
    }
}

void puppets_commit(struct puppets *puppets)
{
    struct node_event event = {.type = NODE_EVENT_COMMITTED};
    bool holds_commits = puppets->holds_commits;

    puppets->holds_commits = true; /* no recursion */
    for (unsigned i = 0; puppets->n_held > 0; i++) {
        assert_true(i < 10000);
        event.order = puppets->held[0];
        puppets->n_held--;
        memmove(&puppets->held[0], &puppets->held[1],
                puppets->n_held * sizeof(puppets->held[0]));
        puppets_step(puppets, &event);
    }
    puppets->holds_commits = holds_commits;
}

void puppets_run(struct puppets *puppets, uint64_t ms)
{
    uint64_t end_ms = puppets->now_ms + ms;

    for (unsigned i = 0; puppets->now_ms <= end_ms; i++) {
        struct node_event event = {.type = NODE_EVENT_TICK};
        uint64_t deadline_ms = node_deadline_ms(puppets->node);

        assert_true(i < 100000); /* its deadline passes */
        if (deadline_ms > end_ms) {
            break;
        }
        puppets->now_ms = MAX_OF(puppets->now_ms, deadline_ms);
        puppets_step(puppets, &event);
    }
    puppets->now_ms = end_ms;
}

/* --- What puppets do -------------------------------------------------------
 */

static void send_packet(struct puppets *puppets, unsigned from,
                        uint64_t source_id, uint8_t type,
                        const uint8_t *payload, size_t size)
{
    uint8_t datagram[LIMIT_DATAGRAM_SIZE];
    struct packet_context context = {cluster, puppets->keys[from].sign_public,
                                     puppets->keys[0].sign_public};
    struct packet_header header = {
        .type = type,
        .source_boot = PUPPET_BOOT,
        .destination_boot = type == PACKET_HELLO
                                ? 0
                                : (uint32_t)(node_epoch(puppets->node) >> 32),
        .source_id = source_id,
        .counter = ++puppets->counters[from],
        .payload = payload,
        .payload_size = size};
    struct node_event event = {
        .type = NODE_EVENT_DATAGRAM,
        .from = endpoint_of(puppets->is_elsewhere      ? PUPPET_MAX
                            : puppets->address_of != 0 ? puppets->address_of
                                                       : from),
        .bytes = datagram};
    struct packet_keys keys;

    assert_int_equal(packet_keys_derive(puppets->keys[from].exchange_secret,
                                        puppets->keys[from].exchange_public,
                                        puppets->keys[0].exchange_public,
                                        &keys),
                     0);
    event.size = packet_build(&header, &context, &keys, datagram);
    datagram[event.size - 1] ^= puppets->has_no_key;
    puppets_step(puppets, &event);
}

void puppet_send(struct puppets *puppets, unsigned from,
                 const struct writer *messages)
{
    assert_false(messages->failed);
    send_packet(puppets, from, record_node_id(puppets->keys[from].sign_public),
                PACKET_MESSAGES, messages->start, writer_size(messages));
}

static void send_hello(struct puppets *puppets, unsigned from,
                       uint64_t source_id,
                       const struct puppet_record *certificate,
                       const struct puppet_record *member,
                       const struct puppet_record *shown)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct packet_hello hello = {.is_answer = true,
                                 .protocol_min = PACKET_VERSION,
                                 .protocol_max = PACKET_VERSION,
                                 .epoch = (uint64_t)PUPPET_BOOT << 32 | 1,
                                 .certificate = certificate->bytes,
                                 .certificate_size = certificate->size};
    size_t size;

    if (member != NULL) {
        hello.member = member->bytes;
        hello.member_size = member->size;
    }
    if (shown != NULL) {
        hello.shown = shown->bytes;
        hello.shown_size = shown->size;
    }
    size = packet_build_hello(&hello, payload, sizeof(payload));
    assert_int_not_equal(size, 0);
    send_packet(puppets, from, source_id, PACKET_HELLO, payload, size);
}

void puppet_hello_with(struct puppets *puppets, unsigned from,
                       const struct puppet_record *member,
                       const struct puppet_record *shown)
{
    send_hello(puppets, from, record_node_id(puppets->keys[from].sign_public),
               &puppets->certificates[from], member, shown);
}

void puppet_hello(struct puppets *puppets, unsigned from)
{
    puppet_hello_with(puppets, from, NULL, NULL);
}

void puppet_hello_as(struct puppets *puppets, unsigned from,
                     const uint8_t source[32],
                     const struct puppet_record *certificate)
{
    send_hello(puppets, from, record_node_id(source), certificate, NULL, NULL);
}

void puppet_prove(const struct puppets *puppets, unsigned from, unsigned asker,
                  uint64_t challenge, uint8_t ret[PACKET_PROOF_SIZE])
{
    struct packet_context context = {cluster, puppets->keys[from].sign_public,
                                     puppets->keys[asker].sign_public};
    struct packet_keys keys;

    assert_int_equal(packet_keys_derive(puppets->keys[from].exchange_secret,
                                        puppets->keys[from].exchange_public,
                                        puppets->keys[asker].exchange_public,
                                        &keys),
                     0);
    packet_prove(&context, &keys, challenge, ret);
}

void puppet_send_proof(struct puppets *puppets, unsigned from, uint16_t nonce,
                       const uint8_t proof[PACKET_PROOF_SIZE])
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_proof(&writer, nonce, node_fingerprint(puppets->node), proof);
    puppet_send(puppets, from, &writer);
}

void puppet_send_record(struct puppets *puppets, unsigned from,
                        const struct puppet_record *record)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_record(&writer, record->bytes, record->size);
    puppet_send(puppets, from, &writer);
}

void puppet_send_hashes(struct puppets *puppets, unsigned from, uint8_t type,
                        const uint64_t *hashes, size_t n)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_hashes(&writer, type, hashes, n);
    puppet_send(puppets, from, &writer);
}

void puppet_send_ping(struct puppets *puppets, unsigned from, uint8_t type,
                      uint16_t nonce, uint64_t fingerprint)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_ping(&writer, type, nonce, fingerprint);
    puppet_send(puppets, from, &writer);
}

/* --- Beginning and end -----------------------------------------------------
 */

static int puppets_verify(const struct record *record, void *data)
{
    const struct puppets *puppets = data;

    return puppets->trusts_all ? 0 : sign_verify(record);
}

int puppets_make_node(struct puppets *puppets)
{
    int error;

    struct node_config config = {
        .genesis = puppets->charter.genesis,
        .charters = puppets->charter.bytes,
        .charters_size = puppets->charter.size,
        .certificate = puppets->certificates[0].bytes,
        .certificate_size = puppets->certificates[0].size,
        .epoch = UINT64_C(7) << 32 | 1,
        .seed = 1,
        .version = "test",
        .tuning = NODE_TUNING_DEFAULT,
        .verify = puppets_verify,
        .examine = puppets->examine,
        .examined = puppets->examined,
        .examine_data = puppets->examine_data,
        .verify_data = puppets,
    };

    memcpy(config.cluster, cluster, sizeof(config.cluster));
    memcpy(config.sign_public, puppets->keys[0].sign_public, 32);
    memcpy(config.sign_secret, puppets->keys[0].sign_secret, 64);
    memcpy(config.exchange_public, puppets->keys[0].exchange_public, 32);
    memcpy(config.exchange_secret, puppets->keys[0].exchange_secret, 32);
    error = node_new(&config, &puppets->node);
    for (unsigned i = 1; i < puppets->n && error == 0; i++) {
        error = node_load(puppets->node, puppets->certificates[i].bytes,
                          puppets->certificates[i].size, PUPPET_WALL_MS);
    }
    if (error != 0) {
        puppets->node = node_free(puppets->node);
    }
    return error;
}

void puppets_prepare(struct puppets *puppets, unsigned n)
{
    assert_true(n <= PUPPET_MAX);
    *puppets = (struct puppets){
        .n = n, .epoch = (uint64_t)PUPPET_BOOT << 32 | 1, .now_ms = 1000};
    puppets->root = support_keys_make(201);
    puppets->charter = charter_sample_make(cluster, puppets->root.sign_secret,
                                           &(const struct charter_ranges){
                                               .containers = {"10.70.0.0/16"},
                                               .mesh = {"10.9.0.0/16"},
                                               .services = {"100.80.0.0/12"},
                                           });
    puppets->seen = calloc(PUPPET_SEEN_MAX, sizeof(puppets->seen[0]));
    assert_non_null(puppets->seen);
    puppets->certificates = calloc(n, sizeof(puppets->certificates[0]));
    assert_non_null(puppets->certificates);
    for (unsigned i = 0; i < n; i++) {
        struct body_certificate body;

        puppets->keys[i] = support_keys_make((uint8_t)(i + 1));
        body = puppet_body(&puppets->keys[i], i);
        certify(&puppets->root, 0, (struct record_order){1, i + 1}, &body,
                &puppets->certificates[i]);
    }
    assert_int_equal(node_actions_new(&puppets->actions), 0);
}

void puppets_start(struct puppets *puppets, unsigned n)
{
    struct node_event start = {.type = NODE_EVENT_START};
    struct puppet_record record;

    puppets_prepare(puppets, n);
    assert_int_equal(puppets_make_node(puppets), 0);
    puppets_step(puppets, &start);
    puppets_run(puppets, 2000);
    assert_true(node_is_ready(puppets->node));
    for (unsigned i = 1; i < n; i++) {
        puppet_hello(puppets, i);
        puppet_member(puppets, i, &record);
        puppet_send_record(puppets, i, &record);
    }
    puppets_clear(puppets);
}

void puppets_end(struct puppets *puppets)
{
    puppets->node = node_free(puppets->node);
    puppets->actions = node_actions_free(puppets->actions);
    free(puppets->certificates);
    puppets->certificates = NULL;
    free(puppets->seen);
    puppets->seen = NULL;
}

int puppets_setup(void **state)
{
    *state = calloc(1, sizeof(struct puppets));
    assert_non_null(*state);
    return 0;
}

int puppets_setup_four(void **state)
{
    (void)puppets_setup(state); /* it asserts */
    puppets_start(*state, 4);
    return 0;
}

int puppets_teardown(void **state)
{
    puppets_end(*state);
    free(*state);
    return 0;
}

void puppets_clear(struct puppets *puppets)
{
    puppets->n_seen = 0;
    puppets->n_packets = 0;
}

/* --- Looking ---------------------------------------------------------------
 */

const struct puppet_seen *puppet_seen(const struct puppets *puppets,
                                      unsigned to, uint8_t type, size_t n)
{
    for (size_t i = 0; i < puppets->n_seen; i++) {
        const struct puppet_seen *seen = &puppets->seen[i];

        if (seen->to == to && seen->message.type == type && n-- == 0) {
            return seen;
        }
    }
    return NULL;
}

size_t puppet_n_seen(const struct puppets *puppets, unsigned to, uint8_t type)
{
    size_t n = 0;

    while (puppet_seen(puppets, to, type, n) != NULL) {
        n++;
    }
    return n;
}

bool puppets_has(const struct puppets *puppets, unsigned writer, uint8_t kind,
                 const char *key)
{
    struct record record;

    return node_record_find(puppets->node, puppets->keys[writer].sign_public,
                            kind, (const uint8_t *)key, strlen(key), &record) &&
           record.kind == kind;
}

const struct node_counters *puppets_counters(const struct puppets *puppets)
{
    return node_counters_get(puppets->node);
}

struct node_member puppets_member(const struct puppets *puppets, unsigned who)
{
    struct node_member member;

    assert_true(node_member_find(puppets->node, puppets->keys[who].sign_public,
                                 &member));
    return member;
}

static int write_own(struct puppets *puppets, enum node_event_type type,
                     const char *instance)
{
    struct node_written written = {.result = -1};
    uint8_t packed[512];
    char key[LIMIT_KEY_SIZE];
    struct node_event event = {.type = type,
                               .kind = RECORD_SERVICE,
                               .key = (const uint8_t *)key,
                               .body = packed,
                               .written = &written};

    (void)snprintf(key, sizeof(key), "redis/%s", instance);
    event.key_size = strlen(key);
    event.body_size = service_body(0, instance, packed, sizeof(packed));
    puppets_step(puppets, &event);
    return written.result;
}

int puppets_write(struct puppets *puppets, const char *instance)
{
    return write_own(puppets, NODE_EVENT_WRITE, instance);
}

int puppets_remove(struct puppets *puppets, const char *instance)
{
    return write_own(puppets, NODE_EVENT_REMOVE, instance);
}
