/*
 * Every maximum that a peer can push against, in one place.  Each has a test
 * at the maximum and one past it; the comment says what happens past it.
 */
#ifndef SOCKETNET_GOSSIP_BASE_LIMITS_H
#define SOCKETNET_GOSSIP_BASE_LIMITS_H

/* UDP payload.  WireGuard's default MTU is 1420; 1232 = 1280 - 40 - 8 passes
 * every IPv6 path (RFC 8200 section 5, and the DNS flag day's figure).
 * Larger datagrams are dropped and counted. */
#define LIMIT_DATAGRAM_SIZE 1232

/* A whole record, header to signature.  Larger ones are refused. */
#define LIMIT_RECORD_SIZE 1024
/* A certificate, so that it fits a hello beside two other records.  Larger ones
 * are refused. */
#define LIMIT_CERTIFICATE_SIZE 640
/* A manifest may be longer, and travels by stream only: it lists
 * LIMIT_RECORDS_PER_WRITER ids of 16 bytes. */
#define LIMIT_MANIFEST_SIZE 16896

/* Record key.  Longer ones are refused. */
#define LIMIT_KEY_SIZE 128
/* Names of nodes, functions, instances, tags: one DNS label (RFC 1035
 * section 2.3.4). */
#define LIMIT_NAME_LEN 63

/* Shape of a msgpack body, checked before anything is allocated. */
#define LIMIT_MSGPACK_DEPTH    8
#define LIMIT_MSGPACK_ELEMENTS 256

/* In a certificate. */
#define LIMIT_CERT_ADDRESSES 4
#define LIMIT_CERT_SUBNETS   8
#define LIMIT_CERT_FUNCTIONS 16

/* In a service record. */
#define LIMIT_SERVICE_TAGS  8
#define LIMIT_SERVICE_META  8
#define LIMIT_SERVICE_PORTS 8 /* further ones, besides the first */

/* WireGuard endpoints in a member record; more refuse it. */
#define LIMIT_MEMBER_ENDPOINTS 4

/* In a charter; more refuse it. */
#define LIMIT_CHARTER_RANGES   8 /* of containers, and of the mesh */
#define LIMIT_CHARTER_SERVICES 2 /* one of a family */
#define LIMIT_CHARTER_SHARED   4
/* Charter records of a cluster; later ones are refused and counted. */
#define LIMIT_CHARTERS 64

/* Live records one writer may have; a new key past it is refused and
 * counted. */
#define LIMIT_RECORDS_PER_WRITER 1024
/* Writers known at once; certificates past it are refused and counted. */
#define LIMIT_WRITERS 16384
/* Claims (automatic function records) of all writers; they are in no manifest
 * and not among a writer's records.  Refused and counted past it. */
#define LIMIT_CLAIMS 16384
/* Freezes of the cluster that one release names; those past it stay. */
#define LIMIT_HOLDS 32
/* Accusations kept per accused member; later ones are dropped. */
#define LIMIT_ACCUSERS 4

/* What others say about us makes us probe: at most so many probes at once,
 * later ones wait for the next interval. */
#define LIMIT_PROBES 16
/* Pings made for others at once, of all and of one asker; more requests are
 * ignored. */
#define LIMIT_RELAYS          64
#define LIMIT_RELAYS_PER_PEER 16
/* News waiting to be passed on; past it the oldest are dropped (anti-entropy
 * carries them then). */
#define LIMIT_NEWS 1024
/* Hashes of one announcement that are looked at; the rest is ignored. */
#define LIMIT_ANNOUNCED 128
/* Records asked for lately, so that two announcements make one request; past
 * it the oldest is forgotten. */
#define LIMIT_WANTED 256
/* Packets that one received packet may cause at once, whatever is in it; what
 * is left goes by stream or is asked for again. */
#define LIMIT_BURST_PACKETS 8
/*
 * Rates: so much a second, and a burst of so much at once (base/budget.h).
 * What is past them is dropped and counted; anti-entropy brings it when there
 * is room again, so that no view lacks it for good.
 */
/* Bytes that a peer's packets and frames may have; each packet counts so much
 * more than its size, which is its work. */
#define LIMIT_PEER_RATE    (4u << 20)
#define LIMIT_PEER_BURST   (16u << 20)
#define LIMIT_PACKET_EXTRA 256
/* Bytes of answers in packets to one peer, beyond what it sent itself: an
 * answer is larger than its request only within this. */
#define LIMIT_ANSWER_RATE  (128u << 10)
#define LIMIT_ANSWER_BURST (512u << 10)
/* Bytes of answers in streams to one peer. */
#define LIMIT_STREAM_RATE  (2u << 20)
#define LIMIT_STREAM_BURST (16u << 20)
/* New records of one writer.  Certificates and what else only issuers write
 * do not count. */
#define LIMIT_WRITER_RATE  128
#define LIMIT_WRITER_BURST 2048
/* ... of which so many are left for its member record alone. */
#define LIMIT_WRITER_RESERVE 64
/* Records with a bad signature from one peer; past it no record of that peer
 * is looked at that would cost a signature check. */
#define LIMIT_FORGED_RATE  16
#define LIMIT_FORGED_BURST 64
/* Certificates of strangers looked at, of one source address; addresses share
 * so many places. */
#define LIMIT_STRANGER_RATE      5
#define LIMIT_STRANGER_BURST     16
#define LIMIT_STRANGER_ADDRESSES 256
/* A record's clock (HLC) this far ahead of ours is not followed; the record is
 * taken. */
#define LIMIT_CLOCK_AHEAD_MS 10000
/* A certificate may begin this much after our clock's time: skew between
 * issuer and receiver must not keep a node out.  Refused past it. */
#define LIMIT_CERT_EARLY_S 86400

/* A certificate that ended may be renewed so long, and keeps its name and
 * addresses; past it it makes nobody a member. */
#define LIMIT_CERT_RENEW_S (90u * 86400u)
/* What a revoked issuer or a former root had written counts so long, so that
 * another can renew it. */
#define LIMIT_CERT_GRACE_S 86400u
/* A charter that is in force for longer keeps its place against others of its
 * generation. */
#define LIMIT_CHARTER_SETTLED_S 86400u

/* A frame of a TCP stream, plaintext.  Larger ones end the stream. */
#define LIMIT_FRAME_SIZE 32768
/* Bulk synchronisation: streams served at once, of all; streams of our own at
 * once, which those do not keep us from; bytes and time of each. */
#define LIMIT_SYNC_STREAMS      16
#define LIMIT_SYNC_OWN_STREAMS  8
#define LIMIT_SYNC_STREAM_BYTES (8u << 20)
#define LIMIT_SYNC_STREAM_MS    30000u

/* What a stream keeps for its socket, in bytes: a sync's own limit is larger,
 * so its sender waits for the socket to drain. */
#define LIMIT_STREAM_OUTPUT (4u << 20)
/* Connections whose peer has not proved itself yet, by a first frame that
 * decrypts within this time, of all and of one address; more wait. */
#define LIMIT_OPENINGS             16
#define LIMIT_OPENINGS_PER_ADDRESS 4
#define LIMIT_PROOF_MS             2000u
/* Connections that wait: for a place among those, or for their join's turn
 * (they are told how many are before them), of all and of one address; more
 * are told that we are busy.  A join waits no longer than this. */
#define LIMIT_WAITING             64
#define LIMIT_WAITING_PER_ADDRESS 40
#define LIMIT_WAITING_MS          60000u
/* Connections of any kind; more are closed at once. */
#define LIMIT_CONNECTIONS 256
/* Proved sync streams served at once, of one address; a second one of the same
 * key ends the first. */
#define LIMIT_SYNC_STREAMS_PER_ADDRESS 2

/* Joins served or relayed at once; later ones wait. */
#define LIMIT_JOINS 8
/* A join request; longer ones are malformed. */
#define LIMIT_JOIN_REQUEST_SIZE 1024
/* What a joiner takes from its issuer, in bytes: certificates and member
 * records of LIMIT_WRITERS nodes.  Past it the join ends. */
#define LIMIT_JOIN_RECORDS_SIZE (2u * LIMIT_WRITERS * LIMIT_RECORD_SIZE)
/* A cluster's genesis, and the admission keys in it; refused past it. */
#define LIMIT_GENESIS_SIZE  512
#define LIMIT_GENESIS_ROOTS 8

/* Packets behind the newest that are still accepted once (RFC 6479 style
 * window; WireGuard uses 8192 bits). */
#define LIMIT_REPLAY_WINDOW 2048

#endif
