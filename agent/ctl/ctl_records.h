/*
 * Records in a file or a buffer, one after another, on their way to the agent:
 * what POST /api/v1/records takes.
 */
#ifndef SOCKETNET_AGENT_CTL_CTL_RECORDS_H
#define SOCKETNET_AGENT_CTL_CTL_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Whether the bytes are records, at least one, and nothing else. */
bool ctl_records_whole(const uint8_t *bytes, size_t size);
/* The body of a request with as many of them as fit, from the first on; they
 * are whole.  A new reference, or NULL without memory; `*ret_used` bytes are in
 * it. */
json_t *ctl_records_body(const uint8_t *bytes, size_t size, size_t *ret_used);

#endif
