/*
 * What core was looking at when it died: packets and records, by hash, in a
 * file that outlives it.  What it died on three times is set aside, since it
 * would come again and again.
 */
#ifndef SOCKETNET_AGENT_CORE_POISON_H
#define SOCKETNET_AGENT_CORE_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

struct poison;

/* A record is looked at inside of a packet; what is innermost is to blame. */
enum poison_level {
    POISON_PACKET = 0,
    POISON_RECORD = 1,
};
#define POISON_LEVELS 2

/* Opens the file, or makes it, and counts what was under way in it.  0 or
 * negative errno; *ret is NULL then, which all others take: nothing is noted
 * and nothing set aside. */
_must_check_ int poison_open(const char *path, struct poison **ret);
/* Returns NULL. */
struct poison *poison_close(struct poison *poison);

/* Notes what is looked at now.  False: it is set aside, look at something
 * else. */
bool poison_begin(struct poison *poison, enum poison_level level,
                  const uint8_t *bytes, size_t size);
void poison_end(struct poison *poison, enum poison_level level);
/* How many are set aside. */
size_t poison_n_set_aside(const struct poison *poison);

#endif
