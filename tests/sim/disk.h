/*
 * A node's disk: what store/ promises and no more.  Per (writer, kind, key)
 * the newest record, a tombstone in the place of what it ends; the high-water
 * mark of each writer's epoch; writes become durable in order, at a sync, and
 * what was not synced is gone after a crash.
 */
#ifndef SOCKETNET_TESTS_SIM_DISK_H
#define SOCKETNET_TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/wire/record.h"

struct disk_slot;

struct disk_write {
    uint64_t number;
    bool is_erase;
    bool is_own;
    uint8_t *bytes; /* owned */
    size_t size;
    struct disk_write *next, *prev; /* utlist */
};

struct disk {
    struct disk_slot *slots;    /* durable, uthash */
    struct disk_write *waiting; /* not yet synced, oldest first */
    uint64_t next_number;
    uint64_t own_boot; /* highest boot number of own records, durable */
    uint8_t own_key[RECORD_WRITER_SIZE];
};

typedef void (*disk_record_fn)(const uint8_t *bytes, size_t size, void *data);
typedef void (*disk_own_fn)(struct record_order order, void *data);

/* Queues a write; returns its number, to be given to disk_sync later. */
uint64_t disk_write(struct disk *disk, bool is_erase, bool is_own,
                    const uint8_t *bytes, size_t size);
/* Makes everything up to `number` durable, then calls fn for each own record
 * among it, in order. */
void disk_sync(struct disk *disk, uint64_t number, disk_own_fn fn, void *data);
/* The sync failed: own records up to `number` are dropped and fn is called
 * for each, the others stay for the next sync (agent/core/store_thread.h). */
void disk_fail(struct disk *disk, uint64_t number, disk_own_fn fn, void *data);
/* Durable at once. */
void disk_preload(struct disk *disk, const uint8_t *bytes, size_t size);
/* Loses what is not synced. */
void disk_crash(struct disk *disk);
/* All durable records, in the order of the store's keys. */
void disk_each(const struct disk *disk, disk_record_fn fn, void *data);
size_t disk_n_records(const struct disk *disk);
/* A backup: the durable state as it is now. */
void disk_copy(const struct disk *disk, struct disk *ret);
void disk_done(struct disk *disk);

#endif
