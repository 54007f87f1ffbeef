/*
 * Identities of simulated nodes: keys from the seed, certificates signed for
 * real.  Node i has the mesh endpoint 10.0.(i/250).(i%250+1):7720 and the
 * container subnet 10.(64+i/256).(i%256).0/24.
 */
#ifndef SOCKETNET_TESTS_SIM_SIMKEYS_H
#define SOCKETNET_TESTS_SIM_SIMKEYS_H

#include <stddef.h>
#include <stdint.h>

#include "gossip/base/address.h"
#include "gossip/base/limits.h"
#include "gossip/wire/body.h"
#include "gossip/wire/record.h"

#define SIMKEYS_PORT 7720
/* Index of the admission key, and of who is in no cluster. */
#define SIMKEYS_ROOT     0xffff0000u
#define SIMKEYS_STRANGER 0xffff0001u

struct simkeys {
    uint8_t sign_public[32];
    uint8_t sign_secret[64];
    uint8_t exchange_public[32];
    uint8_t exchange_secret[32];
};

struct simkeys_record {
    uint8_t bytes[LIMIT_RECORD_SIZE];
    size_t size;
};

void simkeys_make(uint64_t seed, uint32_t index, struct simkeys *ret);
void simkeys_cluster(uint64_t seed, uint8_t ret_cluster[RECORD_CLUSTER_SIZE]);
struct endpoint simkeys_endpoint(uint32_t index);
/* An address inside the node's subnet. */
struct address simkeys_container(uint32_t index, uint8_t last_byte);

/* The body of node `index`'s certificate: every function, roles as given,
 * serial index + 1, valid from 2020 to 2040. */
void simkeys_certificate_body(const struct simkeys *subject, uint32_t index,
                              uint32_t roles, struct body_certificate *ret);
/* Any record, signed with `signer`'s key and naming it as writer.  `fields`'
 * cluster and writer are filled in here. */
void simkeys_sign(uint64_t seed, const struct simkeys *signer,
                  struct record_fields *fields, struct simkeys_record *ret);
void simkeys_certificate(uint64_t seed, const struct simkeys *signer,
                         uint64_t signer_serial, struct record_order order,
                         const struct body_certificate *body,
                         struct simkeys_record *ret);

#endif
