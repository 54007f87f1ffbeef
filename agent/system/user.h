/*
 * Users of this host.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_USER_H
#define SOCKETNET_AGENT_SYSTEM_USER_H

#include <sys/types.h>

#include "gossip/base/macros.h"

/* Longer names are cut. */
#define USER_NAME_SIZE 64

/* Names from /etc/passwd and /etc/group; the number when there is none. */
void user_name(uid_t uid, char ret_name[USER_NAME_SIZE]);
void user_group_name(gid_t gid, char ret_name[USER_NAME_SIZE]);

/* User name or number to ids, from /etc/passwd itself (passwd(5); no NSS).  0;
 * -ENOENT: no such user; another negative errno of reading the file. */
_must_check_ int user_find(const char *user, uid_t *ret_uid, gid_t *ret_gid);

/* Why this user may not own a node's keys and be core: root would have every
 * right, nobody is shared with other programs.  NULL: it may. */
const char *user_refusal(const char *user, uid_t uid);

/*
 * Makes a system user that is not there, with a group of its own and no login,
 * by systemd-sysusers(8) or useradd(8).  0, or negative errno and a malloc'd
 * text that says what to run by hand.
 */
_must_check_ int user_make(const char *user, char **ret_error);

#endif
