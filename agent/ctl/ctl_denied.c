/*
 * "Permission denied" in words: a socket is its owner's, its group's and
 * root's, and nothing but its file says whose.
 */
#include "agent/ctl/ctl_client.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/system/user.h"

void ctl_denied(const char *path, uid_t uid, char ret_text[512])
{
    char user[USER_NAME_SIZE];
    char owner[USER_NAME_SIZE];
    char group[USER_NAME_SIZE];
    struct stat about;

    user_name(uid, user);
    if (stat(path, &about) != 0) {
        (void)snprintf(ret_text, 512,
                       "you are %s (uid %u), and a directory above it is not "
                       "open to you: use sudo",
                       user, uid);
        return;
    }
    user_name(about.st_uid, owner);
    user_group_name(about.st_gid, group);
    (void)snprintf(ret_text, 512,
                   "you are %s (uid %u), it is open to root%s%s%s%s: use sudo",
                   user, uid, about.st_uid != 0 ? " and " : "",
                   about.st_uid != 0 ? owner : "",
                   about.st_gid != 0 ? " and the group " : "",
                   about.st_gid != 0 ? group : "");
    if (about.st_gid != 0) {
        size_t len = strlen(ret_text);

        (void)snprintf(ret_text + len, 512 - len,
                       ", or join the group (usermod -aG %s %s) and log in "
                       "anew",
                       group, user);
    }
}
