/*
 * Durations as people write them: "10s", "250ms", "5m", "2h", "1d"; a number
 * alone is seconds.  Pure; used by the command line and the configuration.
 */
#ifndef SOCKETNET_AGENT_TEXT_DURATION_H
#define SOCKETNET_AGENT_TEXT_DURATION_H

#include <stdint.h>

#include "gossip/base/macros.h"

/* Milliseconds.  A whole number below 2^32 and its unit, nothing before,
 * between or after.  0, or -EINVAL and the output is as it was. */
_must_check_ int duration_parse(const char *text, uint64_t *ret_ms);

#endif
