/*
 * Evidence: two records of one writer under one order, as one record that
 * nobody has to sign, since the halves are signed.  Store, synchronisation and
 * view handle it as any record of that writer.
 *
 * Kind evidence: writer, cluster, serial and order are those of both halves;
 * record key empty, flags, clock and time to live 0, the signature's 64 bytes
 * zero.
 *  1 first record bin, 2 second record bin: whole records, their ids ascending,
 *    neither of them evidence
 */
#ifndef SOCKETNET_GOSSIP_WIRE_EVIDENCE_H
#define SOCKETNET_GOSSIP_WIRE_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "gossip/wire/record.h"

/* The halves, borrowed from the record; their signatures are not checked.  0,
 * or RECORD_E_BODY. */
_must_check_ int evidence_get(const struct record *record,
                              struct record *ret_first,
                              struct record *ret_second);
enum evidence_error {
    EVIDENCE_E_NONE = 1, /* the two prove nothing, or are too long together */
};
/* Makes it of two records, in either order; *ret is malloc'd.  0, -ENOMEM or
 * EVIDENCE_E_NONE. */
_must_check_ int evidence_new(const struct record *a, const struct record *b,
                              uint8_t **ret, size_t *ret_size);

#endif
