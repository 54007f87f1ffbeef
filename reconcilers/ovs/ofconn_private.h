/*
 * Shared by the three files of the OpenFlow connection:
 *   ofconn.c          socket, buffers, queue of requests
 *   ofconn_receive.c  handshake, and what comes unasked
 *   ofconn_bundle.c   one diff -> one bundle, and what the switch said to it
 *   ofconn_dump.c     ports, flows and groups of the switch
 */
#ifndef SOCKETNET_RECONCILERS_OVS_OFCONN_PRIVATE_H
#define SOCKETNET_RECONCILERS_OVS_OFCONN_PRIVATE_H

#include "reconcilers/ovs/channel.h"
#include "reconcilers/ovs/ofconn.h"

/* The length field of a message has 16 bits. */
#define OFCONN_MESSAGE_MAX 65535

enum ofconn_state {
    OFCONN_WAIT_HELLO,
    OFCONN_WAIT_SETUP, /* our settings are sent, their barrier is not back */
    OFCONN_READY,
    OFCONN_FAILED,
};

enum ofconn_request_type {
    OFCONN_REQUEST_APPLY,
    OFCONN_REQUEST_DUMP,
    OFCONN_REQUEST_MESSAGES, /* sent in turn, no answer awaited */
};

struct ofconn_bundle;
struct ofconn_collect;

/* One queued request; the head of the queue is the one in progress. */
struct ofconn_request {
    struct ofconn_request *next;
    enum ofconn_request_type type;
    struct ofconn_bundle *bundle;   /* APPLY */
    struct ofconn_collect *collect; /* DUMP */
    struct channel_buffer messages; /* MESSAGES */
};

struct ofconn {
    struct channel channel;
    struct ofconn_callbacks callbacks;
    void *data;
    enum ofconn_state state;
    int error; /* why FAILED */
    char why[192];
    uint32_t next_xid;
    uint32_t setup_xid; /* barrier that ends the handshake */
    uint32_t next_bundle_id;
    struct ofconn_request *first; /* in progress */
    struct ofconn_request *last;
    bool is_first_sent;
    uint8_t *scratch;     /* two messages of OFCONN_MESSAGE_MAX */
    bool are_flows_dirty; /* told at the end of ofconn_run */
    bool are_groups_dirty;
    bool are_ports_dirty;
    bool is_running;  /* inside ofconn_run ... */
    bool is_orphaned; /* ... and closed by a callback: free at its end */
};

/* Never 0: switch-made messages carry that. */
uint32_t ofconn_new_xid(struct ofconn *conn);

/* A writer over the first half of the scratch space, and the sending of what
 * it holds: 0, -EMSGSIZE, -ENOMEM. */
struct writer ofconn_writer(struct ofconn *conn);
_must_check_ int ofconn_send(struct ofconn *conn, const struct writer *writer);
/* Keeps why the connection is about to end, and returns `error`. */
_must_check_ int ofconn_fail(struct ofconn *conn, int error, const char *why);

/* Whether the switch's HELLO allows our version. */
bool ofconn_hello_is_good(const struct openflow_header *header,
                          const uint8_t *message);
/* All that goes between HELLO and the first request. */
_must_check_ int ofconn_send_setup(struct ofconn *conn);
/* An error, or any message, that is no answer to a request.  0, or negative
 * errno: the connection must end. */
_must_check_ int ofconn_receive_error(struct ofconn *conn,
                                      const struct openflow_header *header,
                                      const uint8_t *message);
_must_check_ int ofconn_receive_async(struct ofconn *conn,
                                      const struct openflow_header *header,
                                      const uint8_t *message);

/* Takes the request over.  0 or -ENOMEM (then it is freed). */
_must_check_ int ofconn_enqueue(struct ofconn *conn,
                                enum ofconn_request_type type,
                                struct ofconn_bundle *bundle,
                                struct ofconn_collect *collect,
                                struct channel_buffer *messages);

/* Sends the opening messages of a bundle or a dump.  0 or negative errno. */
_must_check_ int ofconn_bundle_start(struct ofconn *conn,
                                     struct ofconn_bundle *bundle);
_must_check_ int ofconn_collect_start(struct ofconn *conn,
                                      struct ofconn_collect *collect);

/* Offers a received message.  True when it belonged to the request; then
 * ret_error is 0 or negative errno (the connection must end), and
 * ret_is_complete says that the request is over (finish it). */
bool ofconn_bundle_receive(struct ofconn *conn, struct ofconn_bundle *bundle,
                           const struct openflow_header *header,
                           const uint8_t *message, bool *ret_is_complete,
                           int *ret_error);
bool ofconn_collect_receive(struct ofconn_collect *collect,
                            const struct openflow_header *header,
                            const uint8_t *message, bool *ret_is_complete,
                            int *ret_error);

/* Calls the owner back with the result, or with `error` when it is not 0. */
void ofconn_bundle_finish(struct ofconn_bundle *bundle, int error);
void ofconn_collect_finish(struct ofconn_collect *collect, int error);
struct ofconn_bundle *ofconn_bundle_free(struct ofconn_bundle *bundle);
struct ofconn_collect *ofconn_collect_free(struct ofconn_collect *collect);

#endif
