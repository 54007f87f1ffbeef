/*
 * What the tests of anti-entropy share: what the node holds, and what a puppet
 * asks it by HEADS and HAVE.
 */
#ifndef SOCKETNET_TESTS_UNIT_SYNC_FIXTURE_H
#define SOCKETNET_TESTS_UNIT_SYNC_FIXTURE_H

#include "tests/unit/puppet.h"

/* Puppet 1 asks, and opens streams. */
#define SYNC_ASKER 1

/* Hashes of the records of the writers in the range, ascending. */
size_t sync_hashes(const struct puppets *puppets, uint64_t first, uint64_t last,
                   uint64_t *ret);
struct message_head sync_head(const struct puppets *puppets, uint64_t first,
                              uint64_t last);
/* The ids of all writers, the root too, ascending. */
size_t sync_ids(const struct puppets *puppets, uint64_t *ret);
/* The asker sends it alone, and what was seen before is forgotten. */
void sync_send_head(struct puppets *puppets, uint64_t first, uint64_t last,
                    uint32_t n_records, uint64_t fingerprint);
void sync_send_have(struct puppets *puppets, const struct message_head *range,
                    uint64_t lowest, uint64_t highest, const uint64_t *hashes,
                    size_t n);
/* "redis/i0" and so on, `n` of them. */
void sync_add_services(struct puppets *puppets, unsigned from, unsigned n);
/* The records sent to it are just these. */
void sync_check_sent(const struct puppets *puppets, unsigned to,
                     const uint64_t *hashes, size_t n);

#endif
