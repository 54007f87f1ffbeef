/*
 * The worker's end of the socketpair to core: desired state in, observations
 * out.  When core is gone the data plane stays as it is and goes on being
 * repaired; a new core gets everything told again.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"
#include "agent/worker/worker_private.h"

/* Messages of one turn of the loop; the rest stays readable. */
#define MESSAGES_PER_TURN 1024

void worker_core_send(struct worker *worker, const struct ipc_message *message)
{
    int error;

    if (worker->core_fd < 0) {
        return;
    }
    error = ipc_queue_send(&worker->core_queue, worker->core_fd, message);
    if (error != 0 && error != IPC_E_CLOSED) {
        log_warning("core does not keep up error=%d, a message is lost", error);
    }
}

void worker_core_send_ovs(struct worker *worker)
{
    struct ipc_message message = {.type = IPC_OVS,
                                  .flag = worker->is_ovs_up,
                                  .text = worker->ovs_text,
                                  .text_len = strlen(worker->ovs_text),
                                  .fd = -1};

    worker_core_send(worker, &message);
}

static void send_tunnel(struct worker *worker)
{
    struct ipc_message message = {.type = IPC_TUNNEL,
                                  .flag = worker->told_tunnel_up,
                                  .name = worker->policy.tunnel_device,
                                  .name_len =
                                      strlen(worker->policy.tunnel_device),
                                  .text = worker->told_tunnel,
                                  .text_len = strlen(worker->told_tunnel),
                                  .fd = -1};

    worker_core_send(worker, &message);
}

void worker_core_send_tunnel(struct worker *worker, bool is_up,
                             const char *text)
{
    if (worker->told_tunnel_up == is_up &&
        strcmp(worker->told_tunnel, text) == 0) {
        return;
    }
    worker->told_tunnel_up = is_up;
    (void)snprintf(worker->told_tunnel, sizeof(worker->told_tunnel), "%s",
                   text);
    log_info("tunnel device=%s up=%d%s%s", worker->policy.tunnel_device, is_up,
             text[0] != '\0' ? " why=" : "", text);
    send_tunnel(worker);
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

void worker_core_send_ports(struct worker *worker)
{
    struct worker_port *told = NULL;
    size_t i = 0;

    if (worker->n_ports > 0) {
        told = calloc(worker->n_ports, sizeof(*told));
        if (told == NULL) {
            return; /* said at the next change */
        }
    }
    /* Both lists are sorted by name. */
    for (size_t j = 0; j < worker->n_ports; j++) {
        const struct plan_port *new = &worker->ports[j];
        enum worker_device device =
            worker_kernel_port_device(worker, new->name);
        bool is_known;

        while (i < worker->n_told_ports &&
               strcmp(worker->told_ports[i].name, new->name) < 0) {
            send_port(worker, worker->told_ports[i++].name, -1);
        }
        is_known = i < worker->n_told_ports &&
                   strcmp(worker->told_ports[i].name, new->name) == 0;
        memcpy(told[j].name, new->name, sizeof(told[j].name));
        told[j].ofport = new->ofport;
        told[j].device = device;
        if (is_known && worker->told_ports[i].device != device) {
            note_device(worker, new->name, device);
        }
        if (!is_known || worker->told_ports[i].ofport != told[j].ofport ||
            worker->told_ports[i].device != device) {
            send_port(worker, new->name,
                      device == WORKER_DEVICE_ANEW   ? IPC_PORT_DEAD
                      : device == WORKER_DEVICE_GONE ? IPC_PORT_GONE
                                                     : told[j].ofport);
        }
        i += is_known;
    }
    while (i < worker->n_told_ports) {
        send_port(worker, worker->told_ports[i++].name, -1);
    }
    free(worker->told_ports);
    worker->told_ports = told;
    worker->n_told_ports = worker->n_ports;
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
    const struct worker_neighbors *neighbors = &worker->neighbors;
    struct worker_told_neighbor *told =
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
        const struct worker_told_neighbor *old = NULL;

        if (entry->ofport == 0) {
            continue; /* its port is away, and it with it */
        }
        while (i < worker->n_told_neighbors &&
               address_compare(&worker->told_neighbors[i].address,
                               &entry->address) < 0) {
            send_neighbor(worker, &worker->told_neighbors[i++].address, "");
        }
        if (i < worker->n_told_neighbors &&
            address_equal(&worker->told_neighbors[i].address,
                          &entry->address)) {
            old = &worker->told_neighbors[i++];
        }
        if (old == NULL || strcmp(old->port_name, port_name) != 0) {
            send_neighbor(worker, &entry->address, port_name);
        }
        told[n_told].address = entry->address;
        memcpy(told[n_told].port_name, port_name, DESIRED_PORT_SIZE);
        n_told++;
    }
    while (i < worker->n_told_neighbors) {
        send_neighbor(worker, &worker->told_neighbors[i++].address, "");
    }
    free(worker->told_neighbors);
    worker->told_neighbors = told;
    worker->n_told_neighbors = n_told;
}

void worker_core_send_refusals(struct worker *worker)
{
    struct worker_state_refusal refusal;

    while (worker->core_fd >= 0 &&
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

void worker_core_send_applied(struct worker *worker, size_t n_changes,
                              const char *error)
{
    struct ipc_message message = {.type = IPC_APPLIED,
                                  .number = worker->state.number,
                                  .value = (int64_t)n_changes,
                                  .text = error,
                                  .text_len = strlen(error),
                                  .fd = -1};

    if (!worker->state.is_in_step) {
        return; /* the number says nothing until a snapshot came */
    }
    if (n_changes == 0 && error[0] == '\0' &&
        worker->applied_number == worker->state.number) {
        return; /* nothing new to tell */
    }
    message.duration_us = (clock_now_ns() - worker->dirty_ns) / 1000;
    if (error[0] == '\0') {
        worker->applied_number = worker->state.number;
    }
    worker_core_send(worker, &message);
}

void worker_core_note(struct worker *worker, enum log_level level,
                      const char *format, ...)
{
    char text[sizeof(worker->last_note)];
    struct ipc_message message = {
        .type = IPC_NOTE, .value = level, .text = text, .fd = -1};
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (strcmp(text, worker->last_note) == 0) {
        return;
    }
    memcpy(worker->last_note, text, sizeof(text));
    if (level <= LOG_LEVEL_WARNING) {
        log_warning("%s", text);
    } else {
        log_info("%s", text);
    }
    message.text_len = strlen(text);
    worker_core_send(worker, &message);
}

void worker_core_detach(struct worker *worker)
{
    worker->core_watch = watch_free(worker->core_watch);
    if (worker->core_fd >= 0) {
        (void)close(worker->core_fd); /* nobody reads what is unsent */
    }
    worker->core_fd = -1;
    ipc_queue_done(&worker->core_queue);
    worker_query_core_lost(worker);
}

static void send_number(struct worker *worker, uint8_t type, uint64_t number,
                        int64_t value)
{
    struct ipc_message message = {.type = type,
                                  .number = number,
                                  .value = value,
                                  .flag = worker->observe,
                                  .fd = -1};

    worker_core_send(worker, &message);
}

static void take(struct worker *worker, const struct ipc_message *message)
{
    int result;

    if (message->type == IPC_QUERY) {
        worker_query_start(worker, message);
        return;
    }
    result = worker_state_handle(&worker->state, message);
    if (result == WORKER_STATE_CHANGED) {
        worker_core_send_refusals(worker);
        worker_probe_update(worker);
        worker_reconcile_soon(worker);
    } else if (result == WORKER_STATE_BAD) {
        log_debug("dropped message type=%u", message->type);
    } else if (result != 0) {
        log_warning("%s, asking for a snapshot",
                    result < 0 ? strerror(-result) : "a message is missing");
        send_number(worker, IPC_WANT_SNAPSHOT, worker->state.number, 0);
    }
}

static void on_watch(short events, void *data)
{
    struct worker *worker = data;

    for (size_t i = 0; i < MESSAGES_PER_TURN && (events & POLLIN) != 0; i++) {
        struct ipc_message message;
        int error = ipc_receive(worker->core_fd, worker->buffer,
                                IPC_MESSAGE_MAX, &message);

        if (error == IPC_E_AGAIN) {
            break;
        }
        if (error == IPC_E_MALFORMED) {
            log_debug("dropped a malformed message");
            continue;
        }
        if (error != 0) {
            log_info("core is gone, the data plane stays as it is");
            worker_core_detach(worker);
            return;
        }
        if (message.fd >= 0) {
            (void)close(message.fd); /* core has none to give */
        }
        take(worker, &message);
    }
    if (!ipc_queue_is_empty(&worker->core_queue) &&
        ipc_queue_flush(&worker->core_queue, worker->core_fd) < 0) {
        worker_core_detach(worker);
    }
}

void worker_core_settle(struct worker *worker)
{
    watch_want(worker->core_watch, ipc_queue_is_empty(&worker->core_queue)
                                       ? POLLIN
                                       : POLLIN | POLLOUT);
}

void worker_core_attach(struct worker *worker, int fd)
{
    if (worker->core_fd >= 0) {
        worker_core_detach(worker);
    }
    if (watch_new(&worker->loop, fd, on_watch, worker, &worker->core_watch) <
        0) {
        log_error("cannot watch the socket to core");
        (void)close(fd); /* core sees it closed */
        return;
    }
    worker->core_fd = fd;
    worker_state_reconnected(&worker->state);
    worker->applied_number = 0;
    send_number(worker, IPC_HELLO, IPC_VERSION, (int64_t)getpid());
    free(worker->told_ports);
    worker->told_ports = NULL;
    worker->n_told_ports = 0;
    free(worker->told_neighbors);
    worker->told_neighbors = NULL;
    worker->n_told_neighbors = 0;
    worker_core_send_ports(worker);
    worker_core_send_neighbors(worker);
    worker_core_send_ovs(worker);
    send_tunnel(worker);
    worker_core_send_refusals(worker);
    send_number(worker, IPC_WANT_SNAPSHOT, 0, 0);
}
