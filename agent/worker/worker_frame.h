/*
 * Ethernet frames of containers: what one is about, and the frames that answer
 * it when nobody else does.  Frames are untrusted.  Pure.
 */
#ifndef SOCKETNET_AGENT_WORKER_WORKER_FRAME_H
#define SOCKETNET_AGENT_WORKER_WORKER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"

/* An answer holds no more of what it answers than IPv6's smallest MTU (RFC
 * 4443, section 2.4 c), and an echo is answered as long as a frame is. */
#define WORKER_FRAME_SIZE 2048

/* An IPv4 or IPv6 packet, untagged, no later fragment. */
struct worker_frame {
    const uint8_t *bytes; /* borrowed */
    size_t size;          /* without what follows the packet */
    size_t payload;       /* where the header after the addresses begins */
    struct address from;
    struct address to;
    uint8_t protocol; /* 6, 17, or what the header says */
    uint16_t from_port;
    uint16_t to_port; /* 0 of what has none */
};

/* False: not such a packet, or cut off. */
bool worker_frame_parse(const uint8_t *bytes, size_t size,
                        struct worker_frame *ret);

/*
 * What refuses the packet, from the address that it went to: a TCP reset with
 * the segment's numbers (RFC 9293, section 3.5.2), for others port unreachable
 * (RFC 792; RFC 4443, section 3.1).  Its size, 0: there is no answer to such
 * (a reset, an error report, a broadcast).
 */
size_t worker_frame_refuse(const struct worker_frame *frame,
                           uint8_t ret_answer[WORKER_FRAME_SIZE]);
/*
 * What says, from the address that it went to, that the packet does not fit
 * into `mtu` bytes (RFC 1191, section 4; RFC 4443, section 3.2), and after
 * which that its sender sends smaller ones.  Its size, 0: there is no answer to
 * such (it may be fragmented, which is not done here).
 */
size_t worker_frame_too_big(const struct worker_frame *frame, uint32_t mtu,
                            uint8_t ret_answer[WORKER_FRAME_SIZE]);
/* The answer to an echo request (ping), 0: it is none. */
size_t worker_frame_echo(const struct worker_frame *frame,
                         uint8_t ret_answer[WORKER_FRAME_SIZE]);

#endif
