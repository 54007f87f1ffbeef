/*
 * The ring of events and those who follow it.  core, services and
 * worker_link publish; api follows.  Everything runs on the core's loop.
 */
#include "agent/core/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/system/clock.h"

/* One slot of the ring; owns its text. */
struct events_slot {
    uint64_t index; /* 0: empty */
    uint64_t wall_ms;
    char *kind;
    char *json;
};

struct events_follower {
    uint64_t token;
    events_fn fn;
    void *data;
    struct events_follower *next;
};

struct events {
    struct events_slot ring[EVENTS_KEPT];
    uint64_t last_index;
    uint64_t last_token;
    struct events_follower *followers;
    unsigned n_calling; /* callbacks under way: nobody may be freed */
};

int events_new(struct events **ret)
{
    struct events *events = calloc(1, sizeof(*events));

    if (events == NULL) {
        return -ENOMEM;
    }
    *ret = events;
    return 0;
}

static void events_slot_done(struct events_slot *slot)
{
    free(slot->kind);
    free(slot->json);
    *slot = (struct events_slot){0};
}

struct events *events_free(struct events *events)
{
    if (events == NULL) {
        return NULL;
    }
    while (events->followers != NULL) {
        struct events_follower *next = events->followers->next;

        free(events->followers);
        events->followers = next;
    }
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        events_slot_done(&events->ring[i]);
    }
    free(events);
    return NULL;
}

/* "2025-03-01T12:00:00.123Z" */
static void events_format_time(uint64_t wall_ms, char *text, size_t size)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    size_t len = 0;

    if (gmtime_r(&seconds, &tm) != NULL) {
        len = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
    }
    (void)snprintf(text + len, size - len, ".%03uZ",
                   (unsigned)(wall_ms % 1000));
}

/* Takes followers out who left while callbacks ran (their fn is NULL). */
static void events_sweep(struct events *events)
{
    struct events_follower **at = &events->followers;

    if (events->n_calling > 0) {
        return;
    }
    while (*at != NULL) {
        struct events_follower *follower = *at;

        if (follower->fn != NULL) {
            at = &follower->next;
            continue;
        }
        *at = follower->next;
        free(follower);
    }
}

static struct event events_view(const struct events_slot *slot)
{
    return (struct event){.index = slot->index,
                          .wall_ms = slot->wall_ms,
                          .kind = slot->kind,
                          .json = slot->json};
}

void events_publish(struct events *events, const char *kind, const char *fields)
{
    struct events_slot slot = {.index = events->last_index + 1,
                               .wall_ms = clock_wall_ms()};
    size_t at = slot.index % EVENTS_KEPT;
    bool has_fields = strcmp(fields, "{}") != 0;
    char time_text[40];
    struct event event;

    events_format_time(slot.wall_ms, time_text, sizeof(time_text));
    slot.kind = strdup(kind);
    if (slot.kind == NULL || asprintf(&slot.json,
                                      "{\"schema\":1,\"index\":%" PRIu64
                                      ",\"time\":\"%s\",\"kind\":\"%s\"%s%s",
                                      slot.index, time_text, kind,
                                      has_fields ? "," : "", fields + 1) < 0) {
        /* Without memory the event is lost, the state it tells of is not; the
         * gap in the indexes shows it. */
        free(slot.kind);
        events->last_index = slot.index;
        events_slot_done(&events->ring[at]);
        return;
    }
    events->last_index = slot.index;
    events_slot_done(&events->ring[at]);
    events->ring[at] = slot;
    event = events_view(&slot);
    events->n_calling++;
    for (struct events_follower *follower = events->followers; follower != NULL;
         follower = follower->next) {
        if (follower->fn != NULL) {
            follower->fn(&event, follower->data);
        }
    }
    events->n_calling--;
    events_sweep(events);
}

uint64_t events_subscribe(struct events *events, uint64_t since, events_fn fn,
                          void *data)
{
    struct events_follower *follower = calloc(1, sizeof(*follower));
    uint64_t first = 1;
    uint64_t last = events->last_index;

    if (follower == NULL) {
        return 0;
    }
    if (last > EVENTS_KEPT) {
        first = last - EVENTS_KEPT + 1;
    }
    if (since != UINT64_MAX && since + 1 > first) {
        first = since + 1;
    }
    for (uint64_t i = first; since != UINT64_MAX && i <= last; i++) {
        struct event event = events_view(&events->ring[i % EVENTS_KEPT]);

        if (event.json != NULL) {
            fn(&event, data);
        }
    }
    events->last_token++;
    follower->token = events->last_token;
    follower->fn = fn;
    follower->data = data;
    /* At the head: one who subscribes inside a callback gets only what comes
     * after it. */
    follower->next = events->followers;
    events->followers = follower;
    return follower->token;
}

void events_unsubscribe(struct events *events, uint64_t token)
{
    for (struct events_follower *follower = events->followers; follower != NULL;
         follower = follower->next) {
        if (follower->token == token) {
            follower->fn = NULL;
        }
    }
    events_sweep(events);
}
