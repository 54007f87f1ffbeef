/*
 * Ports whose container was started again.  Open vSwitch keeps the port open
 * on the device that is gone, and carries nothing; asked for another number,
 * it closes and opens it.  So a dead port that a registered instance names
 * gets a free number, its old one back, and then the request that it had:
 * nobody sees a difference but that it works.  Ports that nobody registered
 * are another's business: `status` names them.
 */
#include "agent/worker/worker_revive.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/clock.h"
#include "agent/worker/worker_core.h"
#include "agent/worker/worker_ports.h"
#include "agent/worker/worker_private.h"
#include "agent/worker/worker_reconcile.h"
#include "agent/worker/worker_removal.h"
#include "agent/worker/worker_switch.h"

/* OpenFlow's own numbers start at 0xff00, ovs-vswitchd gives up to 0xfeff. */
#define NUMBER_MAX 0xfeff
/* Devices that were tried are remembered, so that one which does not come to
 * life is not tried again and again. */
#define TRIED_MAX 64

enum step {
    STEP_IDLE,
    STEP_AWAY,    /* to a free number */
    STEP_BACK,    /* to the number that it had */
    STEP_RESTORE, /* the request as it was */
};

struct worker_revive {
    enum step step;
    char name[DESIRED_PORT_SIZE];
    uint16_t number;
    uint16_t request;
    unsigned tried[TRIED_MAX]; /* interface indexes, a ring */
    size_t n_tried;
};

static void go_on(struct worker *worker);

static void on_done(int error, const char *text, void *data)
{
    struct worker *worker = data;
    struct worker_revive *revive = worker->revive;

    if (error != 0) {
        worker_core_note(worker, LOG_LEVEL_WARNING,
                         "port %s cannot be revived: %s", revive->name,
                         text != NULL && text[0] != '\0' ? text
                                                         : strerror(-error));
        revive->step = STEP_IDLE;
        return;
    }
    go_on(worker);
}

static void request(struct worker *worker, uint16_t number)
{
    struct worker_revive *revive = worker->revive;
    struct ovsdb *ovsdb = worker_switch_ovsdb(worker);
    int error = ovsdb == NULL
                    ? -ENOTCONN
                    : ovsdb_request_number(ovsdb, clock_now_ms(), revive->name,
                                           number, on_done, worker);

    if (error != 0) {
        on_done(error, NULL, worker);
    }
}

/* The step is done: the next one. */
static void go_on(struct worker *worker)
{
    struct worker_revive *revive = worker->revive;

    revive->step++;
    if (revive->step == STEP_BACK) {
        request(worker, revive->number);
    } else if (revive->step == STEP_RESTORE &&
               revive->request != revive->number) {
        request(worker, revive->request);
    } else {
        revive->step = STEP_IDLE;
        worker_core_note(worker, LOG_LEVEL_INFO,
                         "revived port %s: its device was made anew",
                         revive->name);
        worker_reconcile_soon(worker); /* there may be another */
    }
}

static uint16_t free_number(const struct ovsdb *ovsdb)
{
    int64_t highest = 0;

    for (size_t i = 0; i < ovsdb_n_ports(ovsdb); i++) {
        const struct ovsdb_port *port = ovsdb_port_at(ovsdb, i);

        highest = MAX_OF(highest, port->ofport);
        highest = MAX_OF(highest, port->request);
    }
    return highest < NUMBER_MAX ? (uint16_t)(highest + 1) : 0;
}

static bool is_registered(const struct worker *worker, const char *name)
{
    const struct desired *desired = &worker->state.desired;

    for (size_t i = 0; i < desired->n_items; i++) {
        if (desired->items[i].type == DESIRED_LOCAL &&
            strcmp(desired->items[i].local.port_name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* True once for each device. */
static bool is_new(struct worker_revive *revive, unsigned ifindex)
{
    for (size_t i = 0; i < MIN_OF(revive->n_tried, (size_t)TRIED_MAX); i++) {
        if (revive->tried[i] == ifindex) {
            return false;
        }
    }
    revive->tried[revive->n_tried++ % TRIED_MAX] = ifindex;
    return true;
}

static void start(struct worker *worker, const struct ovsdb *ovsdb,
                  const struct ovsdb_port *port)
{
    struct worker_revive *revive = worker->revive;
    uint16_t number = free_number(ovsdb);

    if (number == 0) {
        return; /* 65,279 ports: `status` names this one */
    }
    (void)snprintf(revive->name, sizeof(revive->name), "%s", port->name);
    revive->number = (uint16_t)port->ofport;
    revive->request = (uint16_t)port->request;
    revive->step = STEP_AWAY;
    request(worker, number);
}

/* Whether ovs-vswitchd knows of the new device.  The kernel tells us first; one
 * that is opened again before it has heard of the old one's end stays dead. */
static bool is_noticed(const struct ovsdb_port *port)
{
    return port->device_ifindex == (int64_t)if_nametoindex(port->name);
}

void worker_revive_ports(struct worker *worker)
{
    const struct ovsdb *ovsdb = worker_switch_ovsdb(worker);

    if (ovsdb == NULL || worker_removal_is_asked(worker) ||
        (worker->revive != NULL && worker->revive->step != STEP_IDLE)) {
        return; /* seen again when that is over */
    }
    for (size_t i = 0; i < ovsdb_n_ports(ovsdb); i++) {
        const struct ovsdb_port *port = ovsdb_port_at(ovsdb, i);

        if (port->is_ours || port->ofport <= 0 || port->ofport > NUMBER_MAX ||
            worker_ports_device(port) != WORKER_DEVICE_ANEW ||
            !is_noticed(port) || !is_registered(worker, port->name)) {
            continue;
        }
        if (worker->revive == NULL) {
            worker->revive = calloc(1, sizeof(*worker->revive));
        }
        if (worker->revive == NULL) {
            return; /* in a later round */
        }
        if (is_new(worker->revive, if_nametoindex(port->name))) {
            start(worker, ovsdb, port);
            return;
        }
    }
}

void worker_revive_forget(struct worker *worker)
{
    if (worker->revive != NULL) {
        worker->revive->step = STEP_IDLE;
    }
}

void worker_revive_free(struct worker *worker)
{
    free(worker->revive);
    worker->revive = NULL;
}
