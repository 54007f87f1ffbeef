/*
 * Which files of the state directory are who this node is; see identity.h.
 */
#include "agent/identity/identity.h"

#include <string.h>

static const struct identity_file files[] = {
    /* node.key last: where it is, there is a whole identity. */
    {.name = "genesis", .is_needed = true},
    {.name = "charter"},
    {.name = "certificate", .is_needed = true},
    {.name = "admission.key"},
    {.name = "subnets", .is_roots = true},
    {.name = "node.key", .is_needed = true},
};

const struct identity_file *identity_files(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(files);
    return files;
}

const struct identity_file *identity_file_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}
