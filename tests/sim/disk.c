/* The simulated disk.  See disk.h. */
#include "tests/sim/disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <uthash.h>
#include <utlist.h>

#include "gossip/wire/body.h"

#define DISK_KEY_SIZE (RECORD_WRITER_SIZE + 1 + 16)

struct disk_slot {
    uint8_t key[DISK_KEY_SIZE];
    uint8_t *bytes;
    size_t size;
    struct record_order order;
    UT_hash_handle hh;
};

static void *disk_copy_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size);

    assert(copy != NULL);
    return memcpy(copy, bytes, size);
}

static void disk_make_key(const struct record *record,
                          uint8_t ret_key[DISK_KEY_SIZE])
{
    struct body_tombstone tombstone;
    uint8_t kind = record->kind;

    if (kind == RECORD_TOMBSTONE &&
        body_get_tombstone(record, &tombstone) == 0) {
        kind = tombstone.kind;
    }
    memcpy(ret_key, record->writer, RECORD_WRITER_SIZE);
    ret_key[RECORD_WRITER_SIZE] = kind;
    crypto_generichash(ret_key + RECORD_WRITER_SIZE + 1, 16, record->key,
                       record->key_size, NULL, 0);
}

static void disk_apply(struct disk *disk, bool is_erase, const uint8_t *bytes,
                       size_t size)
{
    struct record record;
    struct disk_slot *slot = NULL;
    uint8_t key[DISK_KEY_SIZE];
    int result = record_parse(bytes, size, &record);

    assert(result == 0);
    if (memcmp(record.writer, disk->own_key, RECORD_WRITER_SIZE) == 0 &&
        !is_erase && record.order.epoch >> 32 > disk->own_boot) {
        disk->own_boot = record.order.epoch >> 32;
    }
    disk_make_key(&record, key);
    HASH_FIND(hh, disk->slots, key, sizeof(key), slot);
    if (slot != NULL && record_order_compare(record.order, slot->order) < 0) {
        return; /* the newer one stays */
    }
    if (slot != NULL) {
        HASH_DEL(disk->slots, slot);
        free(slot->bytes);
        free(slot);
    }
    if (is_erase) {
        return;
    }
    slot = calloc(1, sizeof(*slot));
    assert(slot != NULL);
    memcpy(slot->key, key, sizeof(key));
    slot->bytes = disk_copy_bytes(bytes, size);
    slot->size = size;
    slot->order = record.order;
    HASH_ADD(hh, disk->slots, key, sizeof(slot->key), slot);
}

uint64_t disk_write(struct disk *disk, bool is_erase, bool is_own,
                    const uint8_t *bytes, size_t size)
{
    struct disk_write *entry = calloc(1, sizeof(*entry));

    assert(entry != NULL);
    entry->number = ++disk->next_number;
    entry->is_erase = is_erase;
    entry->is_own = is_own;
    entry->bytes = disk_copy_bytes(bytes, size);
    entry->size = size;
    DL_APPEND(disk->waiting, entry);
    return entry->number;
}

static void disk_drop(struct disk *disk, struct disk_write *entry)
{
    DL_DELETE(disk->waiting, entry);
    free(entry->bytes);
    free(entry);
}

/* Orders of own records that left the queue. */
struct disk_orders {
    struct record_order *orders;
    size_t n_orders;
};

static void disk_note(struct disk_orders *list, const struct disk_write *entry)
{
    struct record record;

    if (entry->is_own &&
        record_parse(entry->bytes, entry->size, &record) == 0) {
        list->orders =
            realloc(list->orders, (list->n_orders + 1) * sizeof(*list->orders));
        assert(list->orders != NULL);
        list->orders[list->n_orders++] = record.order;
    }
}

/* Only now: what is told may write again. */
static void disk_tell(struct disk_orders *list, disk_own_fn fn, void *data)
{
    for (size_t i = 0; i < list->n_orders; i++) {
        fn(list->orders[i], data);
    }
    free(list->orders);
}

void disk_sync(struct disk *disk, uint64_t number, disk_own_fn fn, void *data)
{
    struct disk_orders list = {0};

    while (disk->waiting != NULL && disk->waiting->number <= number) {
        struct disk_write *entry = disk->waiting;

        disk_apply(disk, entry->is_erase, entry->bytes, entry->size);
        disk_note(&list, entry);
        disk_drop(disk, entry);
    }
    disk_tell(&list, fn, data);
}

void disk_fail(struct disk *disk, uint64_t number, disk_own_fn fn, void *data)
{
    struct disk_orders list = {0};
    struct disk_write *entry;
    struct disk_write *next;

    DL_FOREACH_SAFE(disk->waiting, entry, next)
    {
        if (entry->is_own && entry->number <= number) {
            disk_note(&list, entry);
            disk_drop(disk, entry);
        }
    }
    disk_tell(&list, fn, data);
}

void disk_preload(struct disk *disk, const uint8_t *bytes, size_t size)
{
    disk_apply(disk, false, bytes, size);
}

void disk_crash(struct disk *disk)
{
    while (disk->waiting != NULL) {
        disk_drop(disk, disk->waiting);
    }
}

static int disk_compare(const void *a, const void *b)
{
    const struct disk_slot *const *slot_a = a;
    const struct disk_slot *const *slot_b = b;

    return memcmp((*slot_a)->key, (*slot_b)->key, DISK_KEY_SIZE);
}

void disk_each(const struct disk *disk, disk_record_fn fn, void *data)
{
    size_t n_slots = HASH_COUNT(disk->slots);
    const struct disk_slot **sorted = calloc(n_slots + 1, sizeof(void *));
    size_t at = 0;

    assert(sorted != NULL);
    for (const struct disk_slot *slot = disk->slots; slot != NULL;
         slot = slot->hh.next) {
        sorted[at++] = slot;
    }
    qsort(sorted, n_slots, sizeof(void *), disk_compare);
    for (size_t i = 0; i < n_slots; i++) {
        fn(sorted[i]->bytes, sorted[i]->size, data);
    }
    free(sorted);
}

size_t disk_n_records(const struct disk *disk)
{
    return HASH_COUNT(disk->slots);
}

static void disk_copy_one(const uint8_t *bytes, size_t size, void *data)
{
    disk_apply(data, false, bytes, size);
}

void disk_copy(const struct disk *disk, struct disk *ret)
{
    *ret = (struct disk){0};
    memcpy(ret->own_key, disk->own_key, sizeof(ret->own_key));
    disk_each(disk, disk_copy_one, ret);
    ret->own_boot = disk->own_boot;
}

void disk_done(struct disk *disk)
{
    struct disk_slot *slot;
    struct disk_slot *next;

    disk_crash(disk);
    HASH_ITER (hh, disk->slots, slot, next) {
        HASH_DEL(disk->slots, slot);
        free(slot->bytes);
        free(slot);
    }
    *disk = (struct disk){0};
}
