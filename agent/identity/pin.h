/*
 * What root on this host holds for true of the cluster: a copy of genesis and
 * charters in a directory of root's own beside the state directory
 * (/var/lib/socketnet.pin), since that one is core's user's, and core may have
 * been taken over.  The worker believes the copy.  It is written by root's
 * commands (init, join, restore), and by the worker before it gives up its
 * rights: what is there first counts, and charters only go forward.
 */
#ifndef SOCKETNET_AGENT_IDENTITY_PIN_H
#define SOCKETNET_AGENT_IDENTITY_PIN_H

#include <stdbool.h>

#include "agent/identity/identity.h"
#include "gossip/base/macros.h"

struct pin {
    struct genesis genesis;
    struct charters_found charters;
};

/* The directory, malloc'd; NULL when out of memory. */
char *pin_path(const char *state_dir);
/* Whether it is one of its files. */
bool pin_is_file(const char *name);

/* Reads it; the caller ends what it gets with pin_done.  0; -ENOENT: there is
 * none; -EPERM: others than root may write to it, so it is worth nothing;
 * -EBADMSG: damaged; negative errno. */
_must_check_ int pin_load(const char *state_dir, struct pin *ret);
void pin_done(struct pin *pin);

/* Makes this the copy, in the place of another cluster's too; of one cluster
 * charters of a lower generation change nothing.  Nothing is done when we are
 * not root.  0, or negative errno and a malloc'd text. */
_must_check_ int pin_save(const char *state_dir, const struct genesis *genesis,
                          const struct charters_found *charters,
                          char **ret_error);

#endif
