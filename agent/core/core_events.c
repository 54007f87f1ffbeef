/*
 * What the node did, told to people: one event per change of a member or a
 * record, at the moment it happens, and a log line where it matters.
 */
#include "agent/core/core_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/events.h"
#include "agent/system/log.h"
#include "gossip/wire/body.h"

/* Room for the fields of one event: names and addresses are short, and
 * nothing in them needs escaping (body_name_valid). */
#define CORE_FIELDS_SIZE 640

/* Who a key is, for people. */
struct core_who {
    char name[BODY_NAME_SIZE]; /* the id in hexadecimal when unknown */
    char id[17];
    char address[ADDRESS_TEXT_SIZE];
};

static void core_who_find(const struct core *core, const uint8_t key[32],
                          struct core_who *ret)
{
    struct node_member member;

    *ret = (struct core_who){0};
    (void)snprintf(ret->id, sizeof(ret->id), "%016" PRIx64,
                   record_node_id(key));
    memcpy(ret->name, ret->id, sizeof(ret->id));
    if (!node_member_find(core->node, key, &member)) {
        return;
    }
    memcpy(ret->name, member.certificate->name, sizeof(ret->name));
    if (member.certificate->n_mesh > 0) {
        (void)address_text(&member.certificate->mesh[0].address, ret->address);
    }
}

void core_events_member(struct core *core, const struct node_action *action)
{
    const char *state = node_member_state_name(action->new_state);
    const char *was = node_member_state_name(action->old_state);
    char fields[CORE_FIELDS_SIZE];
    struct core_who who;

    core_who_find(core, action->peer, &who);
    log_info("member name=%s address=%s state=%s was=%s", who.name, who.address,
             state, was);
    (void)snprintf(fields, sizeof(fields),
                   "{\"name\":\"%s\",\"id\":\"%s\",\"address\":\"%s\","
                   "\"state\":\"%s\",\"was\":\"%s\"}",
                   who.name, who.id, who.address, state, was);
    events_publish(core->events, "member", fields);
}

void core_events_reachable(struct core *core, const struct node_action *action)
{
    char fields[CORE_FIELDS_SIZE];
    struct node_member member;
    struct core_who who;

    if (!node_member_find(core->node, action->peer, &member)) {
        return;
    }
    core_who_find(core, action->peer, &who);
    log_debug("member name=%s is_reachable=%d", who.name, member.is_reachable);
    (void)snprintf(fields, sizeof(fields),
                   "{\"name\":\"%s\",\"id\":\"%s\",\"address\":\"%s\","
                   "\"reachable\":%s}",
                   who.name, who.id, who.address,
                   member.is_reachable ? "true" : "false");
    events_publish(core->events, "reachable", fields);
}

static const char *core_health_name(uint8_t health)
{
    switch (health) {
    case BODY_HEALTH_PASSING:
        return "passing";
    case BODY_HEALTH_CRITICAL:
        return "critical";
    case BODY_HEALTH_DRAINING:
        return "draining";
    case BODY_HEALTH_MAINTENANCE:
        return "maintenance";
    default:
        return "unknown";
    }
}

static void core_events_service(struct core *core, const struct record *record,
                                enum node_record_change change)
{
    struct body_service service;
    struct core_who who;
    char address[ADDRESS_TEXT_SIZE];
    char fields[CORE_FIELDS_SIZE];

    if (body_get_service(record, &service) != 0) {
        return;
    }
    core_who_find(core, record->writer, &who);
    (void)snprintf(
        fields, sizeof(fields),
        "{\"change\":\"%s\",\"function\":\"%s\",\"instance\":\"%s\","
        "\"node\":\"%s\",\"address\":\"%s\",\"port\":%u,\"protocol\":\"%s\","
        "\"health\":\"%s\"}",
        change == NODE_RECORD_ADDED ? "registered" : "changed",
        service.function, service.instance, who.name,
        address_text(&service.address, address), service.port,
        service.protocol == 17 ? "udp" : "tcp",
        core_health_name(service.health));
    log_debug("service %s", fields);
    events_publish(core->events, "service", fields);
}

/* A service record's key is function '/' instance; of what is gone that is
 * all that is left to tell. */
static void core_events_deregistered(struct core *core,
                                     const struct record *record)
{
    const uint8_t *slash = memchr(record->key, '/', record->key_size);
    struct core_who who;
    char fields[CORE_FIELDS_SIZE];

    if (slash == NULL) {
        return;
    }
    core_who_find(core, record->writer, &who);
    (void)snprintf(fields, sizeof(fields),
                   "{\"change\":\"deregistered\",\"function\":\"%.*s\","
                   "\"instance\":\"%.*s\",\"node\":\"%s\"}",
                   (int)(slash - record->key), (const char *)record->key,
                   (int)(record->key + record->key_size - slash - 1),
                   (const char *)slash + 1, who.name);
    log_debug("service %s", fields);
    events_publish(core->events, "service", fields);
}

/* Any other kind, by the name of what it is about where it has one. */
static void core_events_other(struct core *core, const struct record *record,
                              enum node_record_change change)
{
    static const char *const changes[] = {
        [NODE_RECORD_ADDED] = "added",
        [NODE_RECORD_UPDATED] = "updated",
        [NODE_RECORD_REMOVED] = "removed",
    };
    struct body_certificate certificate;
    struct body_function function;
    char about[BODY_NAME_SIZE] = "";
    char fields[CORE_FIELDS_SIZE];
    struct core_who who;

    if (record->kind == RECORD_CERTIFICATE &&
        body_get_certificate(record, &certificate) == 0) {
        memcpy(about, certificate.name, sizeof(about));
    } else if (record->kind == RECORD_FUNCTION &&
               body_get_function(record, &function) == 0) {
        memcpy(about, function.name, sizeof(about));
    }
    core_who_find(core, record->writer, &who);
    (void)snprintf(fields, sizeof(fields),
                   "{\"change\":\"%s\",\"record\":\"%s\",\"about\":\"%s\","
                   "\"writer\":\"%s\"}",
                   changes[change], record_kind_name(record->kind), about,
                   who.name);
    events_publish(core->events, "record", fields);
}

void core_events_record(struct core *core, const struct node_action *action)
{
    struct record record;
    struct body_tombstone tombstone;

    if (record_parse(action->bytes, action->size, &record) != 0) {
        return;
    }
    switch (record.kind) {
    case RECORD_MEMBER:
    case RECORD_MANIFEST:
        break; /* told as a member's state; housekeeping */
    case RECORD_SERVICE:
        if (action->change == NODE_RECORD_REMOVED) {
            core_events_deregistered(core, &record);
        } else {
            core_events_service(core, &record, action->change);
        }
        break;
    case RECORD_TOMBSTONE:
        if (body_get_tombstone(&record, &tombstone) == 0 &&
            tombstone.kind == RECORD_SERVICE) {
            core_events_deregistered(core, &record);
        }
        break;
    default:
        core_events_other(core, &record, action->change);
        break;
    }
}

void core_events_store_problem(struct core *core, const char *problem)
{
    char *copy = problem != NULL ? strdup(problem) : NULL;

    free(core->store_problem);
    /* Without memory for the text the fact alone is kept. */
    core->store_problem = copy;
    if (problem != NULL) {
        log_error("writes are refused: %s", problem);
        if (copy == NULL) {
            core->store_problem = strdup("the store cannot be written");
        }
    } else {
        log_info("the store can be written again");
    }
    events_publish(core->events, "store",
                   problem != NULL ? "{\"writable\":false}"
                                   : "{\"writable\":true}");
}
