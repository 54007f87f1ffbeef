/*
 * Giving up rights: the launcher's child does it before it becomes core, the
 * worker as its first step, so that neither reads a byte of anybody with more
 * than it needs.  Capabilities by raw system calls, so that no libcap is
 * linked.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_PRIVILEGES_H
#define SOCKETNET_AGENT_SYSTEM_PRIVILEGES_H

#include "gossip/base/macros.h"

/*
 * For core, before its program is executed: becomes `user` with no
 * supplementary group, keeps nothing but CAP_NET_BIND_SERVICE (ambient, so
 * that it outlives exec; until privileges_drop_bind), sets no_new_privs, asks
 * to be killed with its parent.  When not root it only does the last two.
 * 0, or negative errno and a malloc'd text.
 */
_must_check_ int privileges_become_core(const char *user, char **ret_error);

/* After every port is bound: no capability is left.  0 or negative errno. */
_must_check_ int privileges_drop_bind(void);

/*
 * Worker: stays uid 0, with CAP_NET_ADMIN as its only capability, in the
 * bounding set too, and no_new_privs.  Root's files and sockets stay open to
 * it as their owner; everybody else's are closed to it, as it has no
 * CAP_DAC_OVERRIDE.  0, or negative errno and a malloc'd text.
 */
_must_check_ int privileges_become_worker(char **ret_error);

/* Closes every descriptor from `first` on. */
void privileges_close_from(int first);

#endif
