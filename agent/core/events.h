/*
 * The event log: a ring of the last EVENTS_KEPT changes, each one JSON object,
 * followed live by any number of API clients.
 */
#ifndef SOCKETNET_AGENT_CORE_EVENTS_H
#define SOCKETNET_AGENT_CORE_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

#define EVENTS_KEPT 512

struct events;

/* One event; text is valid while the event is in the ring. */
struct event {
    uint64_t index; /* from 1, never reused within one run; one that had no
                       memory leaves a gap */
    uint64_t wall_ms;
    const char *kind; /* "member", "service", "record", "ovs", "port", ... */
    const char *json; /* the whole object, without newline */
};

typedef void (*events_fn)(const struct event *event, void *data);

_must_check_ int events_new(struct events **ret);
struct events *events_free(struct events *events);

/* Adds an event: `fields` is the JSON text of an object with the fields of
 * this kind; index, time and kind are added.  Subscribers are called before
 * it returns. */
void events_publish(struct events *events, const char *kind,
                    const char *fields);
/* Calls fn for each kept event with index > since, then for each new one
 * until events_unsubscribe(token).  Returns the token, 0 when out of memory. */
uint64_t events_subscribe(struct events *events, uint64_t since, events_fn fn,
                          void *data);
void events_unsubscribe(struct events *events, uint64_t token);

#endif
