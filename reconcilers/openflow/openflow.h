/*
 * The OpenFlow 1.5 codec (version 0x06; ONF TS-025) with the Nicira
 * extensions that Open vSwitch 3.1 needs: bytes only, no socket.  ofconn.h
 * moves the bytes.  Everything received is untrusted: a message with a wrong
 * length is OPENFLOW_E_MALFORMED.
 */
#ifndef SOCKETNET_RECONCILERS_OPENFLOW_OPENFLOW_H
#define SOCKETNET_RECONCILERS_OPENFLOW_OPENFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/cursor.h"
#include "gossip/base/macros.h"
#include "reconcilers/openflow/flow.h"

#define OPENFLOW_VERSION         6
#define OPENFLOW_HEADER_SIZE     8
#define OPENFLOW_PORT_LOCAL      UINT32_C(0xfffffffe)
#define OPENFLOW_PORT_IN_PORT    UINT32_C(0xfffffff8)
#define OPENFLOW_PORT_TABLE      UINT32_C(0xfffffff9) /* of packet-outs */
#define OPENFLOW_PORT_CONTROLLER UINT32_C(0xfffffffd)
#define OPENFLOW_PORT_ANY        UINT32_C(0xffffffff)

enum openflow_error {
    OPENFLOW_E_MALFORMED = 1,
    OPENFLOW_E_AGAIN = 2, /* the message is not there whole yet */
};

enum openflow_type {
    OPENFLOW_HELLO = 0,
    OPENFLOW_ERROR = 1,
    OPENFLOW_ECHO_REQUEST = 2,
    OPENFLOW_ECHO_REPLY = 3,
    OPENFLOW_FEATURES_REQUEST = 5,
    OPENFLOW_FEATURES_REPLY = 6,
    OPENFLOW_SET_CONFIG = 9,
    OPENFLOW_PACKET_IN = 10,
    OPENFLOW_FLOW_REMOVED = 11,
    OPENFLOW_PORT_STATUS = 12,
    OPENFLOW_PACKET_OUT = 13,
    OPENFLOW_FLOW_MOD = 14,
    OPENFLOW_GROUP_MOD = 15,
    OPENFLOW_MULTIPART_REQUEST = 18,
    OPENFLOW_MULTIPART_REPLY = 19,
    OPENFLOW_BARRIER_REQUEST = 20,
    OPENFLOW_BARRIER_REPLY = 21,
    OPENFLOW_SET_ASYNC = 28,
    OPENFLOW_METER_MOD = 29,
    OPENFLOW_BUNDLE_CONTROL = 33,
    OPENFLOW_BUNDLE_ADD = 34,
    OPENFLOW_REQUESTFORWARD = 32,
    OPENFLOW_EXPERIMENTER = 4,
};

struct openflow_header {
    uint8_t version;
    uint8_t type;
    uint16_t length; /* whole message, >= 8 */
    uint32_t xid;
};

enum openflow_command {
    OPENFLOW_ADD = 0,
    OPENFLOW_MODIFY = 1,        /* groups, meters */
    OPENFLOW_MODIFY_STRICT = 2, /* flows; sent as ADD, which replaces a flow
                                   of that key and keeps its counters:
                                   MODIFY_STRICT would leave its cookie */
    OPENFLOW_DELETE = 3,        /* flows of ours within the match; table 255
                                   means every table */
    OPENFLOW_DELETE_STRICT = 4, /* flows; only with the flow's own cookie */
    OPENFLOW_GROUP_DELETE = 2,
    OPENFLOW_METER_DELETE = 2,
};

/* Subtypes of a multipart reply, see openflow_parse_multipart. */
enum openflow_multipart {
    OPENFLOW_MULTIPART_FLOWS = 1,
    OPENFLOW_MULTIPART_GROUPS = 7,
    OPENFLOW_MULTIPART_METERS = 10,
    OPENFLOW_MULTIPART_PORTS = 13,
    OPENFLOW_MULTIPART_MONITOR = 16,
};

enum openflow_bundle {
    OPENFLOW_BUNDLE_OPEN = 0,
    OPENFLOW_BUNDLE_OPEN_REPLY = 1,
    OPENFLOW_BUNDLE_COMMIT = 4,
    OPENFLOW_BUNDLE_COMMIT_REPLY = 5,
    OPENFLOW_BUNDLE_DISCARD = 6,
    OPENFLOW_BUNDLE_DISCARD_REPLY = 7,
};
#define OPENFLOW_BUNDLE_ATOMIC  1u /* flags */
#define OPENFLOW_BUNDLE_ORDERED 2u

/* Cuts the next message out of a receive buffer. */
_must_check_ int openflow_peek(const uint8_t *bytes, size_t size,
                               struct openflow_header *ret);

/* --- Actions and instructions: append canonical bytes to a writer. --- */
void openflow_put_output(struct writer *writer, uint32_t port,
                         uint16_t max_len);
void openflow_put_group(struct writer *writer, uint32_t group_id);
/* Drops what is over the meter's rate; goes before all other actions. */
void openflow_put_meter(struct writer *writer, uint32_t meter_id);
void openflow_put_resubmit(struct writer *writer, uint8_t table);
void openflow_put_set_eth_dst(struct writer *writer, const uint8_t mac[6]);
void openflow_put_set_eth_src(struct writer *writer, const uint8_t mac[6]);
void openflow_put_set_reg(struct writer *writer, unsigned reg, uint32_t value);
void openflow_put_dec_ttl(struct writer *writer);
/* Bit 0 of reg1 becomes 1 when the frame is longer than so many bytes, its
 * Ethernet header included, else 0. */
void openflow_put_check_larger(struct writer *writer, uint16_t size);
/* Turns an ARP request into its answer: the asked address is at `mac`. */
void openflow_put_arp_answer(struct writer *writer, const uint8_t mac[6]);
/* ct(zone[,commit][,nat...][,table]).  nat: NULL address = plain nat. */
struct openflow_ct {
    uint16_t zone;
    bool commit;
    bool nat;                          /* with an empty range: un-NAT */
    const struct address *destination; /* nat(dst=address:port) */
    const struct address *source;      /* nat(src=address) */
    uint16_t port;                     /* 0 = keep */
    uint8_t table;                     /* 255 = none */
};
void openflow_put_ct(struct writer *writer, const struct openflow_ct *ct);
/* Wraps what `actions` holds into one apply-actions instruction. */
void openflow_put_apply(struct writer *writer, const uint8_t *actions,
                        size_t size);
/* One bucket of a select group. */
void openflow_put_bucket(struct writer *writer, uint32_t bucket_id,
                         uint16_t weight, const uint8_t *actions, size_t size);

/* --- Messages: append a whole message with this xid. --- */
void openflow_put_hello(struct writer *writer, uint32_t xid);
void openflow_put_simple(struct writer *writer, uint8_t type, uint32_t xid,
                         const uint8_t *body, size_t size);
void openflow_put_flow_mod(struct writer *writer, uint32_t xid,
                           enum openflow_command command,
                           const struct flow *flow);
void openflow_put_group_mod(struct writer *writer, uint32_t xid,
                            enum openflow_command command,
                            const struct group *group);
/* A meter that drops packets over so many a second, made or changed. */
void openflow_put_meter_mod(struct writer *writer, uint32_t xid,
                            enum openflow_command command, uint32_t meter_id,
                            uint32_t packets_per_s);
/* `in_port` is where it seems to come from. */
void openflow_put_packet_out(struct writer *writer, uint32_t xid,
                             uint32_t in_port, const uint8_t *actions,
                             size_t actions_size, const uint8_t *frame,
                             size_t frame_size);
/* Bundle control: type 0 open, 4 commit, 6 discard (requests). */
void openflow_put_bundle_control(struct writer *writer, uint32_t xid,
                                 uint32_t bundle_id, uint16_t type,
                                 uint16_t flags);
/* The contained message must have been written with the same xid. */
void openflow_put_bundle_add(struct writer *writer, uint32_t xid,
                             uint32_t bundle_id, uint16_t flags,
                             const uint8_t *message, size_t size);
/* Multipart: flow stats of one table (255 all) and cookie/mask; group
 * descriptions; port descriptions; flow monitor. */
void openflow_put_flow_stats_request(struct writer *writer, uint32_t xid,
                                     uint64_t cookie, uint64_t mask);
void openflow_put_group_desc_request(struct writer *writer, uint32_t xid);
void openflow_put_port_desc_request(struct writer *writer, uint32_t xid);
/* Of one meter; the switch answers with an error when there is none. */
void openflow_put_meter_desc_request(struct writer *writer, uint32_t xid,
                                     uint32_t meter_id);
void openflow_put_flow_monitor_request(struct writer *writer, uint32_t xid,
                                       uint32_t monitor_id);
/* Packet-in, port status, group changes of others.  Open vSwitch sends none
 * of them on a management socket before SET_CONFIG gave a miss length. */
void openflow_put_set_config(struct writer *writer, uint32_t xid);
void openflow_put_set_async(struct writer *writer, uint32_t xid);
/* NXT_CT_FLUSH of the connections in `zone` whose NATed backend this is. */
void openflow_put_ct_flush(struct writer *writer, uint32_t xid, uint16_t zone,
                           const struct address *service,
                           const struct address *backend, uint8_t protocol);

/* --- Parsing of what the switch sends. --- */
struct openflow_port {
    uint32_t number;
    char name[16];
    uint8_t mac[6];
    bool is_link_down;
};
struct openflow_packet_in {
    uint32_t in_port;
    const uint8_t *frame; /* borrowed */
    size_t frame_size;
    uint8_t table;
    uint64_t cookie;
};
/* Iterates the entries of one multipart flow-stats reply body: 0 and an owned
 * flow, OPENFLOW_E_AGAIN at the end, OPENFLOW_E_MALFORMED, -ENOMEM. */
_must_check_ int openflow_next_flow(struct reader *reader, struct flow *ret);
_must_check_ int openflow_next_group(struct reader *reader, struct group *ret);
_must_check_ int openflow_next_port(struct reader *reader,
                                    struct openflow_port *ret);
_must_check_ int openflow_parse_packet_in(const uint8_t *message, size_t size,
                                          struct openflow_packet_in *ret);
/* Parses a whole multipart reply's head: its subtype, whether more follow,
 * and a reader over the entries. */
_must_check_ int openflow_parse_multipart(const uint8_t *message, size_t size,
                                          uint16_t *ret_type, bool *ret_more,
                                          struct reader *ret_entries);
_must_check_ int openflow_parse_error(const uint8_t *message, size_t size,
                                      uint16_t *ret_type, uint16_t *ret_code);
/* "type 4 code 9" and, where known, words. */
#define OPENFLOW_ERROR_TEXT_SIZE 128
const char *openflow_error_text(uint16_t type, uint16_t code,
                                char ret_text[OPENFLOW_ERROR_TEXT_SIZE]);

/* Entries of a flow monitor's reply.  Our own changes come back as OWN. */
enum openflow_event {
    OPENFLOW_EVENT_OWN = 1,     /* a change this connection made */
    OPENFLOW_EVENT_FOREIGN = 2, /* somebody else changed a flow */
    OPENFLOW_EVENT_PAUSED = 3,  /* changes are being missed ... */
    OPENFLOW_EVENT_RESUMED = 4, /* ... until here: dump again */
};
/* Like openflow_next_flow: 0, OPENFLOW_E_AGAIN at the end, MALFORMED. */
_must_check_ int openflow_next_event(struct reader *reader,
                                     enum openflow_event *ret);

/* A flow as ovs-ofctl would print it (match and actions), for people:
 * malloc'd, or NULL when out of memory. */
char *openflow_flow_text(const struct flow *flow);

#endif
