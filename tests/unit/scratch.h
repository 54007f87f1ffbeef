/*
 * A scratch directory for a test, and files in it.
 */
#ifndef SOCKETNET_TESTS_SCRATCH_H
#define SOCKETNET_TESTS_SCRATCH_H

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct scratch {
    char path[64];
};

static inline struct scratch scratch_make(void)
{
    struct scratch scratch = {.path = "/tmp/socketnet-test.XXXXXX"};

    assert(mkdtemp(scratch.path) != NULL);
    return scratch;
}

static inline void scratch_remove(const struct scratch *scratch)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", scratch->path);
    assert(system(command) == 0);
}

/* The path of a name in it, in a buffer that the next call but three reuses.
 */
static inline const char *scratch_path(const struct scratch *scratch,
                                       const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", scratch->path, name);
    return path;
}

static inline const char *scratch_write(const struct scratch *scratch,
                                        const char *name, const char *text)
{
    const char *path = scratch_path(scratch, name);
    FILE *file = fopen(path, "w");

    assert(file != NULL);
    fputs(text, file);
    assert(fclose(file) == 0);
    return path;
}

#endif
