/*
 * What the interfaces of this host have now.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_INTERFACES_H
#define SOCKETNET_AGENT_SYSTEM_INTERFACES_H

#include <stddef.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"

struct interfaces_address {
    struct address address;
    struct prefix network; /* that it is in */
};

/* At most `max` addresses, loopback's too; the rest is passed over.  0 and how
 * many, or negative errno. */
_must_check_ int interfaces_list(struct interfaces_address *addresses,
                                 size_t max, size_t *ret_n);

#endif
