/*
 * A main for fuzz targets in builds without libFuzzer: runs the target once
 * for every file named on the command line, and for every file of every
 * directory named.  Used over the committed seeds as an ordinary test, and by
 * hand to look at a crash:
 *   fuzz_record crash-1234
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gossip/base/macros.h"

#define REPLAY_FILE_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void close_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file); /* only read from */
    }
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir); /* only read from */
    }
}

static int replay_file(const char *path)
{
    _cleanup_(free_pointer) uint8_t *data = NULL;
    _cleanup_(close_file) FILE *file = fopen(path, "rb");
    struct stat status;
    size_t size;

    if (file == NULL || fstat(fileno(file), &status) < 0) {
        fprintf(stderr, "replay: cannot open %s: %s\n", path, strerror(errno));
        return -errno;
    }
    if (status.st_size > REPLAY_FILE_MAX) {
        fprintf(stderr, "replay: %s is larger than %u bytes\n", path,
                REPLAY_FILE_MAX);
        return -EFBIG;
    }
    /* Exactly as large as the input, so that the address sanitizer sees the
     * first byte read past its end. */
    size = (size_t)status.st_size;
    data = malloc(size > 0 ? size : 1);
    if (data == NULL) {
        return -ENOMEM;
    }
    if (fread(data, 1, size, file) != size) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        return -EIO;
    }
    (void)LLVMFuzzerTestOneInput(data, size); /* always 0, by contract */
    return 0;
}

/* Returns the number of files run, or a negative errno. */
static long replay_dir(const char *path)
{
    _cleanup_(close_dir) DIR *dir = opendir(path);
    const struct dirent *entry;
    long n_files = 0;

    if (dir == NULL) {
        fprintf(stderr, "replay: cannot open %s: %s\n", path, strerror(errno));
        return -errno;
    }
    while ((entry = readdir(dir)) != NULL) {
        char name[PATH_MAX];
        int error;

        if (entry->d_name[0] == '.') {
            continue;
        }
        if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >=
            (int)sizeof(name)) {
            return -ENAMETOOLONG;
        }
        error = replay_file(name);
        if (error < 0) {
            return error;
        }
        n_files++;
    }
    return n_files;
}

int main(int argc, char **argv)
{
    long n_files = 0;

    for (int i = 1; i < argc; i++) {
        struct stat status;
        long n = 1;

        if (stat(argv[i], &status) < 0) {
            fprintf(stderr, "replay: %s: %s\n", argv[i], strerror(errno));
            return 1;
        }
        if (S_ISDIR(status.st_mode)) {
            n = replay_dir(argv[i]);
        } else if (replay_file(argv[i]) < 0) {
            n = -1;
        }
        if (n < 0) {
            return 1;
        }
        n_files += n;
    }
    if (n_files == 0) {
        /* An empty corpus would pass without having tested anything. */
        fprintf(stderr, "replay: no input; name files or directories\n");
        return 2;
    }
    printf("replay: %ld inputs\n", n_files);
    return 0;
}
