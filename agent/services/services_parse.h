/*
 * One file of services.d -> registrations, by registration.c.  Whether one may
 * be made on this node is services_valid.c's to judge.
 */
#ifndef SOCKETNET_AGENT_SERVICES_SERVICES_PARSE_H
#define SOCKETNET_AGENT_SERVICES_SERVICES_PARSE_H

#include <stddef.h>

#include "agent/services/services.h"
#include "gossip/base/macros.h"

/* More in one file than this are refused. */
#define SERVICES_PER_FILE_MAX 1024

/* `line` is that of the service in the file. */
typedef void (*services_parse_fn)(const struct registration *registration,
                                  const char *path, size_t line, void *data);

/*
 * Reads `service: {...}` or `services: [{...}, ...]` and calls fn for each,
 * in order, once the whole file has been found right.  0; negative errno and a
 * malloc'd text with file:line (NULL: out of memory), then fn was not called.
 */
_must_check_ int services_parse(const char *path, services_parse_fn fn,
                                void *data, char **ret_error);
/* The same from memory. */
_must_check_ int services_parse_text(const char *name, const char *text,
                                     size_t len, services_parse_fn fn,
                                     void *data, char **ret_error);

#endif
