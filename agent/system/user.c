/*
 * Users by name, from /etc/passwd itself: a static program has no NSS.
 */
#include "agent/system/user.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/text.h"

/* Of nobody, and of what a user namespace does not map. */
#define USER_NOBODY_UID 65534

/* One line "name:x:uid:gid:...".  false when it is of another user. */
static bool read_passwd_line(char *line, const char *user, uid_t *ret_uid,
                             gid_t *ret_gid)
{
    char *rest = line;
    const char *name = strsep(&rest, ":");
    const char *uid;
    const char *gid;
    uint64_t uid_value;
    uint64_t gid_value;

    (void)strsep(&rest, ":"); /* the password's place */
    uid = strsep(&rest, ":");
    gid = strsep(&rest, ":");
    if (uid == NULL || gid == NULL ||
        (strcmp(name, user) != 0 && strcmp(uid, user) != 0)) {
        return false;
    }
    /* The highest stands for "nobody new" in chown(2). */
    if (text_take_number(&uid, UINT32_MAX - 1, &uid_value) != 0 ||
        *uid != '\0' ||
        text_take_number(&gid, UINT32_MAX - 1, &gid_value) != 0 ||
        *gid != '\0') {
        return false;
    }
    *ret_uid = (uid_t)uid_value;
    *ret_gid = (gid_t)gid_value;
    return true;
}

int user_find(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
    _cleanup_(free_pointer) char *line = NULL;
    size_t allocated = 0;
    FILE *file;
    int error = -ENOENT;

    file = fopen("/etc/passwd", "re");
    if (file == NULL) {
        return -errno;
    }
    while (error != 0 && getline(&line, &allocated, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (read_passwd_line(line, user, ret_uid, ret_gid)) {
            error = 0;
        }
    }
    (void)fclose(file); /* only read */
    return error;
}

const char *user_refusal(const char *user, uid_t uid)
{
    if (uid == 0) {
        return "it is root, who has every right that core is to lack";
    }
    if (uid == USER_NOBODY_UID || strcmp(user, "nobody") == 0) {
        return "other programs of this host run as nobody too, and could read "
               "this node's keys";
    }
    return NULL;
}
