/*
 * What the worker reports: its state, the ports of the bridge, what it
 * refuses.  Kept for the API; changes become events.
 */
#include "agent/core/worker_link_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/core/core_internal.h"
#include "agent/core/events.h"
#include "agent/json/json_text.h"
#include "agent/system/log.h"
#include "gossip/base/search.h"
#include "reconcilers/plan/plan.h"

/* Takes the reference; without memory the event is lost. */
static void publish(struct worker_link *link, const char *kind, json_t *fields)
{
    _cleanup_(free_pointer) char *text = json_text_dump(fields);

    json_decref(fields);
    if (text != NULL && link->core->events != NULL) {
        events_publish(link->core->events, kind, text);
    }
}

static void copy_text(char *to, size_t size, const char *text, size_t len)
{
    len = MIN_OF(len, size - 1);
    memcpy(to, text, len);
    to[len] = '\0';
}

static int compare_name(const void *key, const void *element)
{
    const struct worker_link_port *port = element;

    return strcmp(key, port->name);
}

/* Index of the name, or where it belongs. */
static bool find_port(const struct worker_link *link, const char *name,
                      size_t *ret_index)
{
    bool is_found;

    *ret_index = search_index(name, link->ports, link->n_ports,
                              sizeof(*link->ports), compare_name, &is_found);
    return is_found;
}

static bool insert_port(struct worker_link *link, size_t index,
                        const char *name)
{
    if (link->n_ports >= WORKER_LINK_PORTS_MAX) {
        return false;
    }
    if (link->n_ports == link->ports_capacity) {
        size_t capacity = MAX_OF(link->ports_capacity * 2, 16);
        void *grown = realloc(link->ports, capacity * sizeof(*link->ports));

        if (grown == NULL) {
            return false;
        }
        link->ports = grown;
        link->ports_capacity = capacity;
    }
    memmove(&link->ports[index + 1], &link->ports[index],
            (link->n_ports - index) * sizeof(*link->ports));
    link->ports[index] = (struct worker_link_port){.ofport = -1};
    memcpy(link->ports[index].name, name, strlen(name) + 1);
    link->n_ports++;
    return true;
}

static void take_port(struct worker_link *link,
                      const struct ipc_message *message)
{
    char name[DESIRED_PORT_SIZE];
    bool is_known;
    size_t index;

    if (message->name_len == 0 || message->name_len >= sizeof(name)) {
        link->n_malformed++;
        return;
    }
    copy_text(name, sizeof(name), message->name, message->name_len);
    is_known = find_port(link, name, &index);
    if (!is_known &&
        (message->value == -1 || !insert_port(link, index, name))) {
        return;
    }
    if (link->ports[index].ofport == message->value) {
        return;
    }
    link->ports[index].ofport = message->value;
    if (message->value == -1) {
        memmove(&link->ports[index], &link->ports[index + 1],
                (link->n_ports - index - 1) * sizeof(*link->ports));
        link->n_ports--;
    }
    if (link->is_settled) {
        publish(link, "port",
                json_pack("{s:s, s:I}", "name", name, "ofport",
                          (json_int_t)message->value));
    }
}

/* Index of the address, or where it belongs. */
static bool find_neighbor(const struct worker_link *link,
                          const struct address *address, size_t *ret_index)
{
    size_t low = 0;
    size_t high = link->n_neighbors;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = address_compare(&link->neighbors[middle].address, address);

        if (order == 0) {
            *ret_index = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_index = low;
    return false;
}

/* Room at the index; false: there is none, or no memory. */
static bool insert_neighbor(struct worker_link *link, size_t index)
{
    if (link->n_neighbors >= WORKER_LINK_NEIGHBORS_MAX) {
        return false;
    }
    if (link->n_neighbors == link->neighbors_capacity) {
        size_t capacity = MAX_OF(link->neighbors_capacity * 2, 16);
        void *grown =
            reallocarray(link->neighbors, capacity, sizeof(*link->neighbors));

        if (grown == NULL) {
            return false;
        }
        link->neighbors = grown;
        link->neighbors_capacity = capacity;
    }
    memmove(&link->neighbors[index + 1], &link->neighbors[index],
            (link->n_neighbors - index) * sizeof(*link->neighbors));
    link->n_neighbors++;
    return true;
}

static void take_neighbor(struct worker_link *link,
                          const struct ipc_message *message)
{
    struct worker_link_neighbor neighbor = {0};
    char text[ADDRESS_TEXT_SIZE];
    bool is_known;
    size_t index;

    if (message->name_len >= sizeof(text) ||
        message->text_len >= sizeof(neighbor.port_name)) {
        link->n_malformed++;
        return;
    }
    copy_text(text, sizeof(text), message->name, message->name_len);
    copy_text(neighbor.port_name, sizeof(neighbor.port_name), message->text,
              message->text_len);
    if (address_parse(text, &neighbor.address) != 0) {
        link->n_malformed++;
        return;
    }
    is_known = find_neighbor(link, &neighbor.address, &index);
    if (message->text_len == 0) {
        if (is_known) {
            link->n_neighbors--;
            memmove(&link->neighbors[index], &link->neighbors[index + 1],
                    (link->n_neighbors - index) * sizeof(*link->neighbors));
        }
        return;
    }
    if (is_known || insert_neighbor(link, index)) {
        link->neighbors[index] = neighbor;
    }
}

static void take_refusal(struct worker_link *link,
                         const struct ipc_message *message)
{
    struct worker_link_refusal *refusal = NULL;
    char *reason;

    for (size_t i = 0; i < link->n_refusals && refusal == NULL; i++) {
        if (strlen(link->refusals[i].key) == message->name_len &&
            memcmp(link->refusals[i].key, message->name, message->name_len) ==
                0) {
            refusal = &link->refusals[i];
        }
    }
    if (message->text_len == 0) {
        if (refusal != NULL) {
            free(refusal->key);
            free(refusal->reason);
            *refusal = link->refusals[--link->n_refusals];
        }
        return;
    }
    reason = strndup(message->text, message->text_len);
    if (refusal == NULL && reason != NULL &&
        link->n_refusals < WORKER_LINK_REFUSALS_MAX) {
        char *key = strndup(message->name, message->name_len);
        struct worker_link_refusal *grown =
            reallocarray(link->refusals, link->n_refusals + 1, sizeof(*grown));

        link->refusals = grown != NULL ? grown : link->refusals;
        if (key != NULL && grown != NULL) {
            refusal = &link->refusals[link->n_refusals++];
            *refusal = (struct worker_link_refusal){.key = key};
            key = NULL;
        }
        free(key);
    }
    if (refusal == NULL || reason == NULL) {
        free(reason);
        return;
    }
    free(refusal->reason);
    refusal->reason = reason;
    log_warning("worker refuses item=%s why=\"%s\"", refusal->key, reason);
}

static void take_up_down(struct worker_link *link, const char *kind,
                         const struct ipc_message *message, bool *is_up,
                         char *text, size_t size)
{
    bool was_up = *is_up;
    char old[256];

    copy_text(old, sizeof(old), text, strlen(text));
    *is_up = message->flag;
    copy_text(text, size, message->text, message->text_len);
    if (was_up != *is_up || strcmp(old, text) != 0) {
        publish(link, kind,
                json_pack("{s:b, s:s}", "up", *is_up, "text", text));
    }
}

static void take_hello(struct worker_link *link,
                       const struct ipc_message *message)
{
    if (message->number != IPC_VERSION) {
        log_warning("worker speaks version=%llu, core speaks %d: the launcher "
                    "is asked to start it again; flows stay",
                    (unsigned long long)message->number, IPC_VERSION);
        link->status.is_connected = false;
        link->status.other_version = message->number;
        core_want_worker(link->core);
        return;
    }
    link->status.other_version = 0;
    link->status.is_connected = true;
    link->status.is_observing = message->flag;
    link->status.is_ovs_up = false;
    link->status.is_tunnel_up = false;
    link->status.was_ovs_up = false;
    link->status.was_tunnel_up = false;
    link->status.ovs_text[0] = '\0';
    link->status.tunnel_text[0] = '\0';
    link->status.applied_error[0] = '\0';
    link->status.n_blocked = 0;
    link->is_settled = false;
    worker_link_forget(link);
}

static void take_note(struct worker_link *link,
                      const struct ipc_message *message)
{
    publish(link, "note",
            json_pack("{s:s, s:s%}", "level",
                      message->value <= LOG_LEVEL_WARNING ? "warning" : "info",
                      "text", message->text, message->text_len));
}

void worker_link_take(struct worker_link *link,
                      const struct ipc_message *message)
{
    struct worker_status *status = &link->status;

    if (message->type != IPC_HELLO && !status->is_connected) {
        link->n_malformed++; /* HELLO is first */
        return;
    }
    switch (message->type) {
    case IPC_HELLO:
        take_hello(link, message);
        break;
    case IPC_WANT_SNAPSHOT:
        link->is_settled = true;
        link->is_in_step = false;
        link->wants_snapshot = true;
        break;
    case IPC_APPLIED:
        worker_link_take_applied(link, message);
        break;
    case IPC_PORT:
        take_port(link, message);
        break;
    case IPC_NEIGHBOR:
        take_neighbor(link, message);
        break;
    case IPC_OVS:
        take_up_down(link, "ovs", message, &status->is_ovs_up, status->ovs_text,
                     sizeof(status->ovs_text));
        status->was_ovs_up = status->was_ovs_up || status->is_ovs_up;
        if (!status->is_ovs_up) {
            worker_link_fail_asks(link, false, -ENOTCONN);
        }
        break;
    case IPC_REFUSED:
        take_refusal(link, message);
        break;
    case IPC_REPLY:
        worker_link_take_reply(link, message);
        break;
    case IPC_TUNNEL:
        take_up_down(link, "tunnel", message, &status->is_tunnel_up,
                     status->tunnel_text, sizeof(status->tunnel_text));
        status->was_tunnel_up = status->was_tunnel_up || status->is_tunnel_up;
        break;
    case IPC_BLOCKED:
        status->n_blocked = message->number;
        copy_text(status->blocked, sizeof(status->blocked), message->text,
                  message->text_len);
        break;
    case IPC_NOTE:
        take_note(link, message);
        break;
    default:
        link->n_malformed++;
        break;
    }
}

void worker_link_forget(struct worker_link *link)
{
    for (size_t i = 0; i < link->n_refusals; i++) {
        free(link->refusals[i].key);
        free(link->refusals[i].reason);
    }
    link->n_refusals = 0;
    link->n_ports = 0;
    link->n_neighbors = 0;
}

const char *worker_link_neighbor_port(const struct worker_link *link,
                                      const struct address *address)
{
    size_t index;

    return find_neighbor(link, address, &index)
               ? link->neighbors[index].port_name
               : "";
}

bool worker_link_knows(const struct worker_link *link)
{
    return link->status.is_connected && link->is_settled &&
           link->status.is_ovs_up;
}

const char *worker_link_port_problem(const struct worker_link *link,
                                     const char *port_name)
{
    /* The text is a cache of the answer, no part of the link's state. */
    char *text = ((struct worker_link *)(uintptr_t)link)->port_text;
    size_t size = sizeof(link->port_text);
    const char *bridge = link->core->config->bridge;
    size_t index;

    if (!link->status.is_connected) {
        (void)snprintf(text, size, "the worker does not run");
    } else if (!link->status.is_ovs_up) {
        (void)snprintf(text, size, "%.180s",
                       link->status.ovs_text[0] != '\0'
                           ? link->status.ovs_text
                           : "Open vSwitch was not reached yet");
    } else if (!find_port(link, port_name, &index)) {
        (void)snprintf(text, size, "no port %.15s on %.100s", port_name,
                       bridge);
    } else if (link->ports[index].ofport == 0) {
        (void)snprintf(text, size, "port %.15s on %.100s could not be opened",
                       port_name, bridge);
    } else if (link->ports[index].ofport == IPC_PORT_DEAD) {
        (void)snprintf(text, size,
                       "port %.15s on %.100s is dead: its device was made anew",
                       port_name, bridge);
    } else if (link->ports[index].ofport == IPC_PORT_GONE) {
        (void)snprintf(text, size, "port %.15s on %.100s: device gone",
                       port_name, bridge);
    } else {
        text[0] = '\0';
    }
    return text;
}

const char *worker_link_dead_port(const struct worker_link *link, size_t index)
{
    for (size_t i = 0; link->status.is_ovs_up && i < link->n_ports; i++) {
        if (link->ports[i].ofport == IPC_PORT_DEAD && index-- == 0) {
            return link->ports[i].name;
        }
    }
    return NULL;
}

static const char *item_refusal(const struct worker_link *link,
                                const struct desired_item *item)
{
    char key[160];

    plan_item_text(item, key);
    for (size_t i = 0; i < link->n_refusals; i++) {
        if (strcmp(link->refusals[i].key, key) == 0) {
            return link->refusals[i].reason;
        }
    }
    return "";
}

const char *worker_link_refusal(const struct worker_link *link,
                                const struct address *address,
                                const char *function, uint8_t protocol,
                                uint16_t port)
{
    struct desired_item local = {.type = DESIRED_LOCAL,
                                 .local.address = *address};
    struct desired_item wanted = {
        .type = DESIRED_FUNCTION,
        .function = {.protocol = protocol, .port = port},
    };
    const char *reason = item_refusal(link, &local);

    if (reason[0] != '\0') {
        return reason;
    }
    (void)snprintf(wanted.function.name, sizeof(wanted.function.name), "%s",
                   function);
    return item_refusal(link, &wanted);
}
