/*
 * Messages between the three processes of one host, over SOCK_SEQPACKET: one
 * datagram, one msgpack array [type, ...], at most IPC_MESSAGE_MAX bytes.
 * Full layout: docs/WIRE.md, "Between the processes".
 *
 * The launcher (root) gives each child one control socket at IPC_CONTROL_FD
 * and, in a PEER message, one end of a fresh core-worker socketpair whenever
 * either side (re)starts.  After that core and worker talk directly.
 *
 * Received messages are untrusted on both sides: malformed ones are counted
 * and dropped, never fatal.
 */
#ifndef SOCKETNET_AGENT_IPC_IPC_H
#define SOCKETNET_AGENT_IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

#define IPC_VERSION     2
#define IPC_CONTROL_FD  3
#define IPC_MESSAGE_MAX 65536

enum ipc_type {
    /* core to worker */
    IPC_SNAPSHOT_BEGIN = 1, /* [1, number]: forget everything before */
    IPC_SNAPSHOT_ITEM = 2,  /* [2, item bin] */
    IPC_SNAPSHOT_END = 3,   /* [3, number]: the state is now `number` */
    IPC_DELTA = 4,          /* [4, number, op, item bin]; number = last + 1 */
    IPC_QUERY = 5,          /* [5, id, name str] */
    /* both ways, first of all; with another version nothing else counts */
    IPC_HELLO =
        16, /* [16, IPC_VERSION, pid, is_observing bool (core: false)] */
    /* worker to core */
    IPC_WANT_SNAPSHOT = 17, /* [17, last number]: start, or a gap */
    IPC_APPLIED = 18,  /* [18, number, n changes, duration us, error str] */
    IPC_PORT = 19,     /* [19, port name, ofport int (-1: absent, 0: not open,
                          IPC_PORT_DEAD: its device was made anew,
                          IPC_PORT_GONE: it has none any more)] */
    IPC_OVS = 20,      /* [20, is_up bool, text] */
    IPC_REFUSED = 21,  /* [21, item key str, reason str ("" = no longer)] */
    IPC_REPLY = 22,    /* [22, id, is_last bool, chunk bin] */
    IPC_TUNNEL = 23,   /* [23, device str, is_up bool, text] */
    IPC_NOTE = 24,     /* [24, level uint, text]: for the log and events */
    IPC_NEIGHBOR = 25, /* [25, address str, port name str ("" = no longer)]:
                          behind which port a container was seen */
    IPC_BLOCKED = 26,  /* [26, n, text]: so many of our flows do not act, and
                          why (n 0: all do) */
    /* launcher to children, with one descriptor (SCM_RIGHTS) */
    IPC_PEER = 40, /* [40] */
    /* children to launcher */
    IPC_READY = 41, /* [41] */
    /* core to launcher */
    IPC_RESTART = 42, /* [42]: the worker is of another version than core */
};

/* In place of an OpenFlow port number. */
#define IPC_PORT_DEAD (-2)
#define IPC_PORT_GONE (-3)

enum ipc_delta_op {
    IPC_DELTA_PUT = 1,
    IPC_DELTA_REMOVE = 2, /* the item holds the key fields only */
};

enum ipc_error {
    IPC_E_AGAIN = 1,     /* the socket is full: queue and retry on writable */
    IPC_E_MALFORMED = 2, /* dropped */
    IPC_E_CLOSED = 3,    /* the other process is gone */
};

/* A decoded message; text and bytes borrow from the receive buffer and are
 * valid until the next ipc_receive.  Fields by position: numbers, text (with
 * its length, not terminated) and bytes as the type says. */
struct ipc_message {
    uint8_t type;
    uint64_t number; /* number, id, version */
    int64_t value;   /* ofport, n changes, pid, op, level */
    uint64_t duration_us;
    bool flag; /* is_up, is_last, is_observing */
    const char *name;
    size_t name_len;
    const char *text;
    size_t text_len;
    const uint8_t *bytes;
    size_t size;
    int fd; /* PEER: received descriptor, owned by the caller; else -1 */
};

/* Encodes and sends one message without blocking.  `message->fd` >= 0 is
 * passed along and stays the caller's.  0; IPC_E_AGAIN; IPC_E_CLOSED;
 * -EMSGSIZE; negative errno. */
_must_check_ int ipc_send(int fd, const struct ipc_message *message);
/* The same for a message that is packed already; passed_fd -1: none. */
_must_check_ int ipc_send_bytes(int fd, const uint8_t *bytes, size_t size,
                                int passed_fd);
/* Receives one message into `buffer` without blocking.  0; IPC_E_AGAIN;
 * IPC_E_MALFORMED; IPC_E_CLOSED; negative errno. */
_must_check_ int ipc_receive(int fd, uint8_t *buffer, size_t buffer_size,
                             struct ipc_message *ret);
/* The codec alone.  Packing cuts text to 1,024 bytes and replaces what is not
 * clean UTF-8 in names and text; unpacking refuses it.  pack: 0, -EMSGSIZE,
 * -EINVAL (no such type, a name over 255 bytes).  unpack: 0 or
 * IPC_E_MALFORMED. */
_must_check_ int ipc_pack(const struct ipc_message *message, uint8_t *buffer,
                          size_t buffer_size, size_t *ret_size);
/* A buffer of this size never is too small for the message. */
size_t ipc_pack_bound(const struct ipc_message *message);
_must_check_ int ipc_unpack(const uint8_t *bytes, size_t size,
                            struct ipc_message *ret);

#endif
