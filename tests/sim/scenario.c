/* Shared parts of the scenario tests.  See scenario.h. */
#include "tests/sim/scenario.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gossip/base/cursor.h"
#include "gossip/wire/message.h"
#include "gossip/wire/packet.h"
#include "tests/sim/views.h"

static void scenario_say(struct scenario *scenario, const char *line)
{
    size_t size = strlen(line);

    scenario->trace = realloc(scenario->trace, scenario->trace_size + size + 1);
    assert_non_null(scenario->trace);
    memcpy(scenario->trace + scenario->trace_size, line, size + 1);
    scenario->trace_size += size;
}

static void scenario_see_record(struct scenario *scenario, uint32_t node,
                                const struct message *message)
{
    struct record record;
    uint32_t accuser;
    uint32_t accused;
    char line[64];

    if (record_parse(message->bytes, message->size, &record) != 0) {
        return;
    }
    (void)node;
    if (memcmp(record.writer, scenario->tracked, 32) == 0) {
        scenario->n_tracked++;
    }
    if (record.kind != RECORD_ACCUSATION || record.key_size != 32) {
        return;
    }
    accuser = cluster_find_key(scenario->cluster, record.writer);
    accused = cluster_find_key(scenario->cluster, record.key);
    if (accuser != CLUSTER_NONE && accused != CLUSTER_NONE &&
        !scenario->has_accused[accuser][accused]) {
        scenario->has_accused[accuser][accused] = true;
        (void)snprintf(line, sizeof(line),
                       "n%" PRIu32 " accuses n%" PRIu32 "\n", accuser, accused);
        scenario_say(scenario, line);
    }
}

/* Packets are authenticated, not encrypted: look what a node says. */
static void scenario_see_packet(struct scenario *scenario, uint32_t node,
                                const struct node_action *action)
{
    struct packet_header header;
    struct message message;
    struct reader reader;

    if (packet_parse(action->bytes, action->size, &header) != 0 ||
        header.type != PACKET_MESSAGES) {
        return;
    }
    reader = reader_init(header.payload, header.payload_size);
    while (reader_left(&reader) > 0 && message_next(&reader, &message) == 0) {
        if (message.type == MESSAGE_RECORD) {
            scenario_see_record(scenario, node, &message);
        }
    }
}

static void scenario_watch(struct cluster *cluster, uint32_t node,
                           const struct node_action *action, void *data)
{
    struct scenario *scenario = data;
    uint32_t subject;
    char line[96];

    if (action->type == NODE_ACTION_SEND) {
        scenario_see_packet(scenario, node, action);
    }
    if (action->type != NODE_ACTION_MEMBER) {
        return;
    }
    subject = cluster_find_key(cluster, action->peer);
    assert_int_not_equal(subject, CLUSTER_NONE);
    scenario->n_member_changes++;
    (void)snprintf(line, sizeof(line), "n%" PRIu32 ": n%" PRIu32 " %s > %s\n",
                   node, subject, node_member_state_name(action->old_state),
                   node_member_state_name(action->new_state));
    scenario_say(scenario, line);
    if (action->new_state == NODE_MEMBER_DEAD &&
        scenario->dead_ms[node][subject] == 0) {
        scenario->dead_ms[node][subject] = cluster_now_ms(cluster);
    }
    if (action->new_state == NODE_MEMBER_SUSPECT &&
        scenario->suspect_ms[node][subject] == 0) {
        scenario->suspect_ms[node][subject] = cluster_now_ms(cluster);
    }
}

void scenario_begin_with(struct scenario *scenario,
                         const struct cluster_config *config)
{
    assert_true(config->n_nodes <= SCENARIO_NODES_MAX);
    *scenario = (struct scenario){0};
    scenario->cluster = cluster_new(config);
    scenario->cluster->watch = scenario_watch;
    scenario->cluster->watch_data = scenario;
}

void scenario_begin(struct scenario *scenario, uint32_t n_nodes,
                    uint32_t n_absent)
{
    struct cluster_config config = CLUSTER_CONFIG(n_nodes);

    scenario_begin_with(scenario, &config);
    for (uint32_t i = 0; i + n_absent < n_nodes; i++) {
        cluster_start(scenario->cluster, i);
    }
}

bool scenario_all_see(const struct scenario *scenario, uint32_t subject,
                      enum node_member_state state)
{
    const struct cluster *cluster = scenario->cluster;

    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (cluster_is_running(cluster, i) && i != subject &&
            cluster_state(cluster, i, subject) != state) {
            return false;
        }
    }
    return true;
}

static bool scenario_is_settled(struct cluster *cluster, void *data)
{
    const struct scenario *scenario = data;

    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (cluster_is_running(cluster, i) &&
            !scenario_all_see(scenario, i, NODE_MEMBER_ALIVE)) {
            return false;
        }
    }
    return views_are_equal(cluster);
}

void scenario_settle(struct scenario *scenario, uint64_t ms)
{
    char *difference;

    if (!cluster_run_until(scenario->cluster, ms, scenario_is_settled,
                           scenario)) {
        difference = views_difference(scenario->cluster);
        print_message("not settled:\n%s%s", difference,
                      scenario->trace != NULL ? scenario->trace : "");
        free(difference);
        fail();
    }
}

void scenario_clear(struct scenario *scenario)
{
    struct cluster *cluster = scenario->cluster;

    free(scenario->trace);
    *scenario = (struct scenario){.cluster = cluster};
    memset(scenario->tracked, 0, sizeof(scenario->tracked));
}

size_t scenario_n_accusers(const struct scenario *scenario, uint32_t subject)
{
    size_t n_accusers = 0;

    for (uint32_t i = 0; i < SCENARIO_NODES_MAX; i++) {
        n_accusers += scenario->has_accused[i][subject] ? 1 : 0;
    }
    return n_accusers;
}

void scenario_end(struct scenario *scenario)
{
    views_check_fingerprints(scenario->cluster);
    if (scenario->cluster->check.n_failures > 0) {
        print_message("%s", scenario->cluster->check.text);
    }
    assert_int_equal(scenario->cluster->check.n_failures, 0);
    scenario->cluster->watch = NULL;
    scenario->cluster = cluster_free(scenario->cluster);
    free(scenario->trace);
    scenario->trace = NULL;
}

void scenario_register(struct cluster *cluster, uint32_t node, uint32_t from,
                       uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(cluster_register(cluster, node, "redis", instance, 80),
                         0);
        cluster_run_for(cluster, 10);
    }
}

void scenario_deregister(struct cluster *cluster, uint32_t node, uint32_t from,
                         uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        assert_int_equal(cluster_deregister(cluster, node, "redis", instance),
                         0);
        cluster_run_for(cluster, 10);
    }
}

bool scenario_is_nowhere(const struct cluster *cluster, uint32_t owner,
                         const char *instance)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (cluster_has_service(cluster, i, owner, "redis", instance)) {
            return false;
        }
    }
    return true;
}

bool scenario_is_everywhere(const struct cluster *cluster, uint32_t owner,
                            const char *instance)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (cluster_is_running(cluster, i) &&
            !cluster_has_service(cluster, i, owner, "redis", instance)) {
            return false;
        }
    }
    return true;
}

static int scenario_count_one(const struct record *record, void *data)
{
    struct scenario_count *count = data;

    if (record->kind == count->kind &&
        memcmp(record->writer, count->writer, 32) == 0) {
        count->n++;
        count->size_max =
            record->size > count->size_max ? record->size : count->size_max;
    }
    return 0;
}

struct scenario_count scenario_count(const struct cluster *cluster,
                                     uint32_t observer, uint32_t writer,
                                     uint8_t kind)
{
    struct scenario_count count = {
        .writer = cluster->nodes[writer].keys.sign_public, .kind = kind};

    assert_int_equal(node_records_each(cluster->nodes[observer].node, 0,
                                       scenario_count_one, &count),
                     0);
    return count;
}
