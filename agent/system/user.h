/*
 * Users of this host.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_USER_H
#define SOCKETNET_AGENT_SYSTEM_USER_H

#include <sys/types.h>

#include "gossip/base/macros.h"

/* User name or number to ids, from /etc/passwd itself (passwd(5); no NSS).  0;
 * -ENOENT: no such user; another negative errno of reading the file. */
_must_check_ int user_find(const char *user, uid_t *ret_uid, gid_t *ret_gid);

#endif
