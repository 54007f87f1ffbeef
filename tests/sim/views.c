/* Equality of views.  See views.h. */
#include "tests/sim/views.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines of a difference; the rest is only counted. */
#define VIEWS_LINES_MAX 40

struct views_text {
    FILE *file;
    size_t n_lines;
};

/* One node's records, borrowed from it, in its order (kind, writer, key). */
struct views_set {
    struct record *records;
    size_t n_records;
    size_t n_allocated;
};

static enum node_member_state views_state(const struct node_member *member)
{
    return member->state == NODE_MEMBER_SUSPECT ? NODE_MEMBER_ALIVE
                                                : member->state;
}

static bool views_is_hostile(const struct cluster *cluster,
                             const uint8_t key[32])
{
    uint32_t node = cluster->config.n_hostile == 0
                        ? CLUSTER_NONE
                        : cluster_find_key(cluster, key);

    return node != CLUSTER_NONE && cluster->nodes[node].is_hostile;
}

/* Whether a hostile member lives is for each to say: it may answer some. */
static bool views_have_same_members(const struct cluster *cluster,
                                    const struct node *a, const struct node *b)
{
    struct node_member member_a;
    struct node_member member_b;
    size_t at_a = 0;
    size_t at_b = 0;

    for (;;) {
        bool has_a = node_member_next(a, &at_a, &member_a);
        bool has_b = node_member_next(b, &at_b, &member_b);

        if (!has_a || !has_b) {
            return has_a == has_b;
        }
        if (memcmp(member_a.key, member_b.key, 32) != 0 ||
            (views_state(&member_a) != views_state(&member_b) &&
             !views_is_hostile(cluster, member_a.key))) {
            return false;
        }
    }
}

/* Hostile nodes may see what they like. */
static bool views_matters(const struct cluster_node *node)
{
    return node->node != NULL && !node->is_hostile;
}

static const struct cluster_node *views_first(const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        if (views_matters(&cluster->nodes[i])) {
            return &cluster->nodes[i];
        }
    }
    return NULL;
}

struct views_count {
    const struct node *node;
    size_t n;
};

/* All but what a frozen writer wrote: each node took other parts of that. */
static int views_count_one(const struct record *record, void *data)
{
    struct views_count *count = data;
    struct node_member writer;
    bool is_frozen = node_member_find(count->node, record->writer, &writer) &&
                     writer.is_frozen;

    count->n += !is_frozen || record->kind == RECORD_CERTIFICATE ||
                record->kind == RECORD_MEMBER ||
                record->kind == RECORD_EVIDENCE;
    return 0;
}

static bool views_have_as_many(const struct node *a, const struct node *b)
{
    struct views_count count_a = {a, 0};
    struct views_count count_b = {b, 0};

    if (node_n_records(a) == node_n_records(b)) {
        return true;
    }
    (void)node_records_each(a, 0, views_count_one, &count_a); /* always 0 */
    (void)node_records_each(b, 0, views_count_one, &count_b);
    return count_a.n == count_b.n;
}

bool views_are_equal(const struct cluster *cluster)
{
    const struct cluster_node *first = views_first(cluster);

    /* Cheap things first: this is asked often. */
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        const struct cluster_node *node = &cluster->nodes[i];

        if (views_matters(node) &&
            (!node->is_ready ||
             node_fingerprint(node->node) != node_fingerprint(first->node) ||
             !views_have_as_many(node->node, first->node))) {
            return false;
        }
    }
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        const struct cluster_node *node = &cluster->nodes[i];

        if (views_matters(node) &&
            !views_have_same_members(cluster, first->node, node->node)) {
            return false;
        }
    }
    return true;
}

static int views_collect_one(const struct record *record, void *data)
{
    struct views_set *set = data;

    if (set->n_records == set->n_allocated) {
        set->n_allocated = set->n_allocated * 2 + 64;
        set->records =
            realloc(set->records, set->n_allocated * sizeof(*set->records));
        assert(set->records != NULL);
    }
    set->records[set->n_records++] = *record;
    return 0;
}

static struct views_set views_collect(const struct node *node)
{
    struct views_set set = {0};

    (void)node_records_each(node, 0, views_collect_one, &set); /* always 0 */
    return set;
}

static int views_compare(const struct record *a, const struct record *b)
{
    size_t size = a->key_size < b->key_size ? a->key_size : b->key_size;
    int order = memcmp(a->writer, b->writer, RECORD_WRITER_SIZE);

    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (order == 0) {
        order = memcmp(a->key, b->key, size);
    }
    if (order == 0 && a->key_size != b->key_size) {
        order = a->key_size < b->key_size ? -1 : 1;
    }
    return order;
}

static void views_say_record(const struct cluster *cluster,
                             struct views_text *text, uint32_t node,
                             const char *what, const struct record *record)
{
    bool is_text =
        record->kind == RECORD_SERVICE || record->kind == RECORD_TOMBSTONE;

    if (text->n_lines++ < VIEWS_LINES_MAX) {
        (void)fprintf(text->file,
                      "  node %" PRIu32 " %s %s of node %" PRId32
                      " key \"%.*s\" boot %" PRIu64 " seq %" PRIu64 "\n",
                      node, what, record_kind_name(record->kind),
                      (int32_t)cluster_find_key(cluster, record->writer),
                      is_text ? (int)record->key_size : 0,
                      (const char *)record->key, record->order.epoch >> 32,
                      record->order.seq); /* memory stream */
    }
}

static void views_diff_records(const struct cluster *cluster,
                               struct views_text *text,
                               const struct cluster_node *a,
                               const struct cluster_node *b)
{
    struct views_set set_a = views_collect(a->node);
    struct views_set set_b = views_collect(b->node);
    size_t i = 0;
    size_t j = 0;

    while (i < set_a.n_records || j < set_b.n_records) {
        int order = i == set_a.n_records ? 1
                    : j == set_b.n_records
                        ? -1
                        : views_compare(&set_a.records[i], &set_b.records[j]);

        if (order < 0) {
            views_say_record(cluster, text, b->index, "lacks",
                             &set_a.records[i++]);
        } else if (order > 0) {
            views_say_record(cluster, text, b->index, "alone has",
                             &set_b.records[j++]);
        } else {
            int age = record_order_compare(set_a.records[i].order,
                                           set_b.records[j].order);

            if (age != 0) {
                views_say_record(cluster, text, b->index,
                                 age > 0 ? "has an older" : "has a newer",
                                 &set_b.records[j]);
            }
            i++;
            j++;
        }
    }
    free(set_a.records);
    free(set_b.records);
}

static void views_diff_members(const struct cluster *cluster,
                               struct views_text *text,
                               const struct cluster_node *a,
                               const struct cluster_node *b)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        struct node_member member_a = {.state = NODE_MEMBER_UNKNOWN};
        struct node_member member_b = {.state = NODE_MEMBER_UNKNOWN};
        const uint8_t *key = cluster->nodes[i].keys.sign_public;
        bool has_a = node_member_find(a->node, key, &member_a);
        bool has_b = node_member_find(b->node, key, &member_b);

        if ((has_a != has_b ||
             views_state(&member_a) != views_state(&member_b)) &&
            !cluster->nodes[i].is_hostile &&
            text->n_lines++ < VIEWS_LINES_MAX) {
            (void)fprintf(text->file,
                          "  node %" PRIu32 " sees node %" PRIu32
                          " %s, node %" PRIu32 " sees it %s\n",
                          b->index, i,
                          has_b ? node_member_state_name(member_b.state)
                                : "not",
                          a->index,
                          has_a ? node_member_state_name(member_a.state)
                                : "not"); /* memory stream */
        }
    }
}

char *views_difference(const struct cluster *cluster)
{
    const struct cluster_node *first = views_first(cluster);
    char *bytes = NULL;
    size_t size = 0;
    struct views_text text = {.file = open_memstream(&bytes, &size)};

    assert(text.file != NULL);
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        const struct cluster_node *node = &cluster->nodes[i];

        if (!views_matters(node)) {
            continue;
        }
        if (!node->is_ready && text.n_lines++ < VIEWS_LINES_MAX) {
            (void)fprintf(text.file, "  node %" PRIu32 " is not ready\n",
                          i); /* memory stream */
        }
        if (node != first) {
            views_diff_members(cluster, &text, first, node);
            views_diff_records(cluster, &text, first, node);
        }
    }
    if (text.n_lines > VIEWS_LINES_MAX) {
        (void)fprintf(text.file, "  and %zu more\n",
                      text.n_lines - VIEWS_LINES_MAX); /* memory stream */
    }
    (void)fclose(text.file); /* memory stream */
    return bytes;
}

static int views_sum(const struct record *record, void *data)
{
    uint64_t *sum = data;
    uint8_t id[RECORD_ID_SIZE];
    uint64_t hash = 0;

    record_id(record, id);
    for (size_t i = 0; i < 8; i++) {
        hash = hash << 8 | id[i];
    }
    *sum += hash;
    return 0;
}

static int views_stop(const struct record *record, void *data)
{
    (void)record;
    (void)data;
    return 1;
}

void views_check_fingerprints(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->config.n_nodes; i++) {
        const struct node *node = cluster->nodes[i].node;
        uint64_t sum = 0;

        /* Frozen writers do not count, and are not told apart here. */
        if (node == NULL ||
            node_records_each(node, RECORD_EVIDENCE, views_stop, NULL) != 0) {
            continue;
        }
        (void)node_records_each(node, 0, views_sum, &sum); /* always 0 */
        if (sum != node_fingerprint(node)) {
            check_fail(&cluster->check, i,
                       "its fingerprint is not that of its records");
        }
    }
}
