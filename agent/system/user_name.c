/*
 * Names of users and groups by number, from the files themselves: a static
 * program has no NSS.
 */
#include "agent/system/user.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines of both files are "name:x:id:..." */
static void find_name(const char *path, unsigned id,
                      char ret_name[USER_NAME_SIZE])
{
    _cleanup_(free_pointer) char *line = NULL;
    size_t allocated = 0;
    bool is_found = false;
    FILE *file = fopen(path, "re");
    char wanted[16];

    (void)snprintf(wanted, sizeof(wanted), "%u", id);
    (void)snprintf(ret_name, USER_NAME_SIZE, "%s", wanted);
    if (file == NULL) {
        return;
    }
    while (!is_found && getline(&line, &allocated, file) > 0) {
        char *rest = line;
        const char *name = strsep(&rest, ":");
        const char *number;

        (void)strsep(&rest, ":"); /* the password's place */
        number = strsep(&rest, ":\n");
        is_found = number != NULL && strcmp(number, wanted) == 0;
        if (is_found) {
            (void)snprintf(ret_name, USER_NAME_SIZE, "%s", name);
        }
    }
    (void)fclose(file); /* only read */
}

void user_name(uid_t uid, char ret_name[USER_NAME_SIZE])
{
    find_name("/etc/passwd", uid, ret_name);
}

void user_group_name(gid_t gid, char ret_name[USER_NAME_SIZE])
{
    find_name("/etc/group", gid, ret_name);
}
