/*
 * A blocking OpenFlow client for tests that use the codec against a real
 * switch, without ofconn.c.  Every failure fails the test.
 */
#ifndef SOCKETNET_TESTS_UNIT_SWITCH_CLIENT_H
#define SOCKETNET_TESTS_UNIT_SWITCH_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "reconcilers/openflow/openflow.h"
#include "reconcilers/plan/plan.h"

#define CLIENT_BUFFER_SIZE  65536
#define CLIENT_BUNDLE       7
#define CLIENT_BUNDLE_FLAGS (OPENFLOW_BUNDLE_ATOMIC | OPENFLOW_BUNDLE_ORDERED)

struct client {
    int fd;
    uint32_t xid;
    uint8_t message[CLIENT_BUFFER_SIZE]; /* last one received */
    struct openflow_header header;
};

struct dump {
    struct flow *flows;
    size_t n_flows;
    struct group *groups;
    size_t n_groups;
    struct openflow_port *ports;
    size_t n_ports;
};

/* Connects to a management socket and greets. */
void client_open(struct client *client, const char *path);
void client_send(struct client *client, const struct writer *writer);
/* Skips messages until one of this type; an error fails the test. */
void client_expect(struct client *client, enum openflow_type type);
void client_barrier(struct client *client);

struct dump client_dump(struct client *client);
void dump_done(struct dump *dump);

/* One bundle at a time. */
void bundle_control(struct client *client, uint16_t type);
void bundle_add(struct client *client, const struct flow *flow,
                const struct group *group, enum openflow_command command);
/* A whole bundle, in the order of plan.h. */
void client_apply(struct client *client, const struct diff *diff);
struct diff make_diff(const struct plan *plan, struct dump *dump);

#endif
