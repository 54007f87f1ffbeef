/* See sync_fixture.h. */
#include "tests/unit/sync_fixture.h"

#include <stdio.h>
#include <stdlib.h>

struct sync_held {
    uint64_t writer; /* its node id */
    uint64_t hash;
};

struct sync_all {
    struct sync_held list[512];
    size_t n;
};

static int list_record(const struct record *record, void *data)
{
    struct sync_all *all = data;
    uint8_t id[RECORD_ID_SIZE];
    struct reader reader;

    assert_true(all->n < ARRAY_SIZE(all->list));
    record_id(record, id);
    reader = reader_init(id, 8);
    all->list[all->n++] =
        (struct sync_held){record_node_id(record->writer), reader_u64(&reader)};
    return 0;
}

static struct sync_all sync_all(const struct puppets *puppets)
{
    struct sync_all all = {.n = 0};

    assert_int_equal(node_records_each(puppets->node, 0, list_record, &all), 0);
    return all;
}

static int sync_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* Hashes of the writers in the range, ascending. */
size_t sync_hashes(const struct puppets *puppets, uint64_t first, uint64_t last,
                   uint64_t *ret)
{
    struct sync_all all = sync_all(puppets);
    size_t n = 0;

    for (size_t i = 0; i < all.n; i++) {
        if (all.list[i].writer >= first && all.list[i].writer <= last) {
            ret[n++] = all.list[i].hash;
        }
    }
    qsort(ret, n, sizeof(ret[0]), sync_compare);
    return n;
}

struct message_head sync_head(const struct puppets *puppets, uint64_t first,
                              uint64_t last)
{
    struct message_head head = {.first = first, .last = last};
    uint64_t hashes[512];
    size_t n = sync_hashes(puppets, first, last, hashes);

    head.n_records = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        head.fingerprint += hashes[i];
    }
    return head;
}

/* The ids of all writers, the root too, ascending. */
size_t sync_ids(const struct puppets *puppets, uint64_t *ret)
{
    size_t n = 0;

    for (unsigned i = 0; i < puppets->n; i++) {
        ret[n++] = record_node_id(puppets->keys[i].sign_public);
    }
    ret[n++] = record_node_id(puppets->root.sign_public);
    qsort(ret, n, sizeof(ret[0]), sync_compare);
    return n;
}

void sync_send_head(struct puppets *puppets, uint64_t first, uint64_t last,
                    uint32_t n_records, uint64_t fingerprint)
{
    struct message_head head = {first, last, n_records, fingerprint};
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_heads(&writer, &head, 1);
    puppets_clear(puppets);
    puppet_send(puppets, SYNC_ASKER, &writer);
}

void sync_send_have(struct puppets *puppets, const struct message_head *range,
                    uint64_t lowest, uint64_t highest, const uint64_t *hashes,
                    size_t n)
{
    uint8_t payload[PACKET_PAYLOAD_MAX];
    struct writer writer = writer_init(payload, sizeof(payload));

    message_put_have(&writer, range->first, range->last, lowest, highest,
                     hashes, n);
    puppets_clear(puppets);
    puppet_send(puppets, SYNC_ASKER, &writer);
}

void sync_add_services(struct puppets *puppets, unsigned from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct puppet_record record;
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "i%u", i); /* fits */
        if (from == 0) {
            assert_int_equal(puppets_write(puppets, instance), 0);
        } else {
            puppet_service(puppets, from, instance, PUPPET_WALL_MS, &record);
            puppet_send_record(puppets, from, &record);
        }
    }
}

/* The records sent to it are just these. */
void sync_check_sent(const struct puppets *puppets, unsigned to,
                     const uint64_t *hashes, size_t n)
{
    uint64_t sent[512];
    size_t n_sent = puppet_n_seen(puppets, to, MESSAGE_RECORD);

    assert_int_equal(n_sent, n);
    for (size_t i = 0; i < n; i++) {
        const struct puppet_seen *seen =
            puppet_seen(puppets, to, MESSAGE_RECORD, i);
        struct sync_all one = {.n = 0};
        struct record record;

        assert_int_equal(record_parse(seen->bytes, seen->message.size, &record),
                         0);
        assert_int_equal(list_record(&record, &one), 0);
        sent[i] = one.list[0].hash;
    }
    qsort(sent, n, sizeof(sent[0]), sync_compare);
    assert_memory_equal(sent, hashes, n * sizeof(sent[0]));
}
