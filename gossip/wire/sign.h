/*
 * Signatures over records.  Ed25519 detached over
 * "socketnet/v1/" + kind number in decimal + NUL + header + key + body, so
 * that a signature made for one kind never verifies as another (RFC 8032;
 * libsodium's verification rule, pinned by sign_self_test).
 */
#ifndef SOCKETNET_GOSSIP_WIRE_SIGN_H
#define SOCKETNET_GOSSIP_WIRE_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "gossip/wire/record.h"

#define SIGN_SECRET_SIZE 64 /* libsodium's seed + public key */
#define SIGN_PUBLIC_SIZE 32

/* Signs a record laid out by record_build in place.  0, or -EINVAL when
 * `bytes` is not a record or its writer is not the secret's own key. */
_must_check_ int sign_record(uint8_t *bytes, size_t size,
                             const uint8_t secret[SIGN_SECRET_SIZE]);

/* 0, or RECORD_E_SIGNATURE. */
_must_check_ int sign_verify(const struct record *record);

/*
 * Verifies fixed vectors, so that a libsodium with another rule is refused at
 * start-up rather than splitting a cluster.  The rule: S is canonical, neither
 * the key nor R is of small order, and S*B - h*A encodes to R byte by byte
 * (no cofactor).  0, or -EBADMSG.
 */
_must_check_ int sign_self_test(void);

#endif
