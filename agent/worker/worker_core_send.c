/*
 * What core is told of this host: each thing when it changed, and everything
 * to a new core.
 */
#include "agent/worker/worker_core_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ipc/ipc.h"
#include "agent/system/clock.h"
#include "agent/worker/worker_learn.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_switch.h"

void worker_core_send_forget(struct worker_core *core)
{
    free(core->ports);
    core->ports = NULL;
    core->n_ports = 0;
    free(core->neighbors);
    core->neighbors = NULL;
    core->n_neighbors = 0;
    core->applied_number = 0;
}

void worker_core_send_ovs(struct worker *worker)
{
    struct ipc_message message = {.type = IPC_OVS,
                                  .flag = worker_switch_is_up(worker),
                                  .text = worker_switch_text(worker),
                                  .fd = -1};

    message.text_len = strlen(message.text);
    worker_core_send(worker, &message);
}

static void send_tunnel(struct worker *worker)
{
    struct ipc_message message = {.type = IPC_TUNNEL,
                                  .flag = worker->core->is_tunnel_up,
                                  .name = worker->policy.tunnel_device,
                                  .name_len =
                                      strlen(worker->policy.tunnel_device),
                                  .text = worker->core->tunnel_text,
                                  .text_len = strlen(worker->core->tunnel_text),
                                  .fd = -1};

    worker_core_send(worker, &message);
}

void worker_core_send_tunnel(struct worker *worker, bool is_up,
                             const char *text)
{
    if (worker->core->is_tunnel_up == is_up &&
        strcmp(worker->core->tunnel_text, text) == 0) {
        return;
    }
    worker->core->is_tunnel_up = is_up;
    (void)snprintf(worker->core->tunnel_text, sizeof(worker->core->tunnel_text),
                   "%s", text);
    log_info("tunnel device=%s up=%d%s%s", worker->policy.tunnel_device, is_up,
             text[0] != '\0' ? " why=" : "", text);
    send_tunnel(worker);
}

static void send_blocked(struct worker *worker)
{
    struct ipc_message message = {.type = IPC_BLOCKED,
                                  .number = worker->core->n_blocked,
                                  .text = worker->core->blocked,
                                  .text_len = strlen(worker->core->blocked),
                                  .fd = -1};

    worker_core_send(worker, &message);
}

void worker_core_send_blocked(struct worker *worker, size_t n, const char *text)
{
    if (worker->core->n_blocked == n &&
        strcmp(worker->core->blocked, text) == 0) {
        return;
    }
    worker->core->n_blocked = n;
    (void)snprintf(worker->core->blocked, sizeof(worker->core->blocked), "%s",
                   text);
    if (n > 0) {
        log_warning("flows of ours that do not act: %zu; %s", n, text);
    } else {
        log_info("all flows of ours act again");
    }
    send_blocked(worker);
}

static void send_port(struct worker *worker, const char *name, int64_t ofport)
{
    struct ipc_message message = {.type = IPC_PORT,
                                  .name = name,
                                  .name_len = strlen(name),
                                  .value = ofport,
                                  .fd = -1};

    worker_core_send(worker, &message);
}

static void note_device(struct worker *worker, const char *name,
                        enum worker_device device)
{
    if (strcmp(name, worker->policy.tunnel_device) == 0) {
        return; /* its end is the tunnel's, which is told */
    }
    if (device == WORKER_DEVICE_ANEW) {
        worker_core_note(worker, LOG_LEVEL_WARNING,
                         "port %s is dead: its device was made anew", name);
    } else if (device == WORKER_DEVICE_GONE) {
        worker_core_note(worker, LOG_LEVEL_WARNING,
                         "port %s carries nothing: device gone", name);
    }
}

static enum worker_device find_device(const struct worker *worker,
                                      const char *name)
{
    const struct ovsdb_port *port = worker_switch_port(worker, name);

    return port != NULL ? worker_ports_device(port) : WORKER_DEVICE_THERE;
}

/* What is said in place of a number, for a device that is not there. */
static int64_t number_told(const struct told_port *port)
{
    return port->device == WORKER_DEVICE_ANEW   ? IPC_PORT_DEAD
           : port->device == WORKER_DEVICE_GONE ? IPC_PORT_GONE
                                                : (int64_t)port->ofport;
}

void worker_core_send_ports(struct worker *worker)
{
    struct worker_core *core = worker->core;
    size_t n_ports;
    const struct plan_port *ports = worker_ports_list(worker, &n_ports);
    struct told_port *told = calloc(n_ports + 1, sizeof(*told));
    size_t i = 0;

    if (told == NULL) {
        return; /* said at the next change */
    }
    /* Both lists are sorted by name. */
    for (size_t j = 0; j < n_ports; j++) {
        const struct told_port *old = NULL;

        memcpy(told[j].name, ports[j].name, sizeof(told[j].name));
        told[j].ofport = ports[j].ofport;
        told[j].device = find_device(worker, ports[j].name);
        while (i < core->n_ports &&
               strcmp(core->ports[i].name, told[j].name) < 0) {
            send_port(worker, core->ports[i++].name, -1);
        }
        if (i < core->n_ports &&
            strcmp(core->ports[i].name, told[j].name) == 0) {
            old = &core->ports[i++];
        }
        if (old != NULL && old->device != told[j].device) {
            note_device(worker, told[j].name, told[j].device);
        }
        if (old == NULL || number_told(old) != number_told(&told[j])) {
            send_port(worker, told[j].name, number_told(&told[j]));
        }
    }
    while (i < core->n_ports) {
        send_port(worker, core->ports[i++].name, -1);
    }
    free(core->ports);
    core->ports = told;
    core->n_ports = n_ports;
}

static void send_neighbor(struct worker *worker, const struct address *address,
                          const char *port_name)
{
    char text[ADDRESS_TEXT_SIZE];
    struct ipc_message message = {.type = IPC_NEIGHBOR,
                                  .name = address_text(address, text),
                                  .text = port_name,
                                  .text_len = strlen(port_name),
                                  .fd = -1};

    message.name_len = strlen(text);
    worker_core_send(worker, &message);
}

void worker_core_send_neighbors(struct worker *worker)
{
    const struct worker_neighbors *neighbors = worker_learn_neighbors(worker);
    struct told_neighbor *told =
        calloc(neighbors->n_entries + 1, sizeof(*told));
    size_t n_told = 0;
    size_t i = 0;

    if (told == NULL) {
        return; /* said at the next change */
    }
    /* Both lists are sorted by address. */
    for (size_t j = 0; j < neighbors->n_entries; j++) {
        const struct plan_neighbor *entry = &neighbors->entries[j];
        const char *port_name = neighbors->port_names[j];
        const struct told_neighbor *old = NULL;

        if (entry->ofport == 0) {
            continue; /* its port is away, and it with it */
        }
        while (i < worker->core->n_neighbors &&
               address_compare(&worker->core->neighbors[i].address,
                               &entry->address) < 0) {
            send_neighbor(worker, &worker->core->neighbors[i++].address, "");
        }
        if (i < worker->core->n_neighbors &&
            address_equal(&worker->core->neighbors[i].address,
                          &entry->address)) {
            old = &worker->core->neighbors[i++];
        }
        if (old == NULL || strcmp(old->port_name, port_name) != 0) {
            send_neighbor(worker, &entry->address, port_name);
        }
        told[n_told].address = entry->address;
        memcpy(told[n_told].port_name, port_name, DESIRED_PORT_SIZE);
        n_told++;
    }
    while (i < worker->core->n_neighbors) {
        send_neighbor(worker, &worker->core->neighbors[i++].address, "");
    }
    free(worker->core->neighbors);
    worker->core->neighbors = told;
    worker->core->n_neighbors = n_told;
}

void worker_core_send_refusals(struct worker *worker)
{
    struct worker_state_refusal refusal;

    while (worker->core->fd >= 0 &&
           worker_state_next_refusal(&worker->state, &refusal)) {
        struct ipc_message message = {.type = IPC_REFUSED,
                                      .name = refusal.key,
                                      .name_len = strlen(refusal.key),
                                      .text = refusal.reason,
                                      .text_len = strlen(refusal.reason),
                                      .fd = -1};

        if (refusal.reason[0] != '\0') {
            log_warning("refused item=%s why=\"%s\"", refusal.key,
                        refusal.reason);
        }
        worker_core_send(worker, &message);
    }
}

void worker_core_send_applied(struct worker *worker,
                              const struct worker_core_round *round,
                              size_t n_changes, const char *error)
{
    struct ipc_message message = {.type = IPC_APPLIED,
                                  .number = round->number,
                                  .value = (int64_t)n_changes,
                                  .duration_us =
                                      clock_now_us() - round->since_us,
                                  .text = error,
                                  .text_len = strlen(error),
                                  .fd = -1};

    if (!round->is_numbered) {
        return; /* the number says nothing until a snapshot came */
    }
    if (n_changes == 0 && error[0] == '\0' &&
        worker->core->applied_number == round->number) {
        return; /* nothing new to tell */
    }
    if (error[0] == '\0') {
        worker->core->applied_number = round->number;
    }
    worker_core_send(worker, &message);
}

void worker_core_note(struct worker *worker, enum log_level level,
                      const char *format, ...)
{
    char text[sizeof(worker->core->last_note)];
    struct ipc_message message = {
        .type = IPC_NOTE, .value = level, .text = text, .fd = -1};
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (strcmp(text, worker->core->last_note) == 0) {
        return;
    }
    memcpy(worker->core->last_note, text, sizeof(text));
    if (level <= LOG_LEVEL_WARNING) {
        log_warning("%s", text);
    } else {
        log_info("%s", text);
    }
    message.text_len = strlen(text);
    worker_core_send(worker, &message);
}

void worker_core_send_all(struct worker *worker)
{
    worker_core_send_ports(worker);
    worker_core_send_neighbors(worker);
    worker_core_send_ovs(worker);
    send_tunnel(worker);
    send_blocked(worker);
    worker_core_send_refusals(worker);
}
