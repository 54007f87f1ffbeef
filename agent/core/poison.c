/*
 * See poison.h.  The file is mapped, so that what is noted in it costs a copy
 * and no call, and is there however the process ends.  It is hashed when it
 * proved deadly, and what comes in while there is such.
 */
#include "agent/core/poison.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sodium.h>

#include "gossip/base/limits.h"

#define POISON_HASH_SIZE 16
#define POISON_DEATHS    3
/* Of more the one with the fewest deaths is forgotten. */
#define POISON_ENTRIES 64
#define POISON_MAGIC   UINT64_C(0x736e2d706f69736f)

struct poison_entry {
    uint8_t hash[POISON_HASH_SIZE];
    uint32_t n_deaths; /* 0: free */
};

/* Of this machine's byte order: it is for one executable on one host. */
struct poison_file {
    uint64_t magic;
    struct poison_entry entries[POISON_ENTRIES];
    struct {
        uint32_t size; /* 0: none */
        uint8_t bytes[LIMIT_FRAME_SIZE];
    } current[POISON_LEVELS];
};

struct poison {
    struct poison_file *file;
    size_t n_set_aside;
};

static void make_hash(const uint8_t *bytes, size_t size,
                      uint8_t ret_hash[POISON_HASH_SIZE])
{
    /* Cannot fail: the sizes are constants within the range. */
    (void)crypto_generichash(ret_hash, POISON_HASH_SIZE, bytes, size, NULL, 0);
}

static struct poison_entry *find(struct poison_file *file,
                                 const uint8_t hash[POISON_HASH_SIZE])
{
    for (size_t i = 0; i < POISON_ENTRIES; i++) {
        if (file->entries[i].n_deaths > 0 &&
            memcmp(file->entries[i].hash, hash, POISON_HASH_SIZE) == 0) {
            return &file->entries[i];
        }
    }
    return NULL;
}

static void blame(struct poison_file *file,
                  const uint8_t hash[POISON_HASH_SIZE])
{
    struct poison_entry *entry = find(file, hash);

    if (entry == NULL) {
        entry = &file->entries[0];
        for (size_t i = 1; i < POISON_ENTRIES; i++) {
            if (file->entries[i].n_deaths < entry->n_deaths) {
                entry = &file->entries[i];
            }
        }
        memcpy(entry->hash, hash, POISON_HASH_SIZE);
        entry->n_deaths = 0;
    }
    if (entry->n_deaths < UINT32_MAX) {
        entry->n_deaths++;
    }
}

/* The last process ended in the middle of something. */
static void count_death(struct poison_file *file)
{
    for (size_t level = POISON_LEVELS; level > 0; level--) {
        size_t size = file->current[level - 1].size;
        uint8_t hash[POISON_HASH_SIZE];

        if (size > 0 && size <= LIMIT_FRAME_SIZE) {
            make_hash(file->current[level - 1].bytes, size, hash);
            blame(file, hash);
            break;
        }
    }
}

static void forget_current(struct poison_file *file)
{
    for (size_t level = 0; level < POISON_LEVELS; level++) {
        file->current[level].size = 0;
    }
}

static size_t count_set_aside(const struct poison_file *file)
{
    size_t n = 0;

    for (size_t i = 0; i < POISON_ENTRIES; i++) {
        n += file->entries[i].n_deaths >= POISON_DEATHS ? 1 : 0;
    }
    return n;
}

static int map(const char *path, struct poison_file **ret)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    void *file = MAP_FAILED;
    int error;

    if (fd < 0) {
        return -errno;
    }
    /* All of its blocks, or a full disk would end us when we write to it. */
    error = posix_fallocate(fd, 0, sizeof(struct poison_file));
    if (error == 0) {
        file = mmap(NULL, sizeof(struct poison_file), PROT_READ | PROT_WRITE,
                    MAP_SHARED, fd, 0);
        error = file == MAP_FAILED ? errno : 0;
    }
    (void)close(fd); /* the mapping stays */
    if (error != 0) {
        return -error;
    }
    *ret = file;
    return 0;
}

int poison_open(const char *path, struct poison **ret)
{
    struct poison *poison = calloc(1, sizeof(*poison));
    int error = poison == NULL ? -ENOMEM : map(path, &poison->file);

    *ret = NULL;
    if (error != 0) {
        free(poison);
        return error;
    }
    if (poison->file->magic != POISON_MAGIC) {
        memset(poison->file, 0, sizeof(*poison->file));
        poison->file->magic = POISON_MAGIC;
    }
    count_death(poison->file);
    forget_current(poison->file);
    poison->n_set_aside = count_set_aside(poison->file);
    *ret = poison;
    return 0;
}

struct poison *poison_close(struct poison *poison)
{
    if (poison != NULL) {
        forget_current(poison->file);
        (void)munmap(poison->file, sizeof(*poison->file)); /* it is one */
        free(poison);
    }
    return NULL;
}

bool poison_begin(struct poison *poison, enum poison_level level,
                  const uint8_t *bytes, size_t size)
{
    size_t kept = MIN_OF(size, (size_t)LIMIT_FRAME_SIZE); /* nothing is more */
    uint8_t hash[POISON_HASH_SIZE];

    if (poison == NULL || kept == 0) {
        return true;
    }
    if (poison->n_set_aside > 0) {
        const struct poison_entry *entry;

        make_hash(bytes, kept, hash);
        entry = find(poison->file, hash);
        if (entry != NULL && entry->n_deaths >= POISON_DEATHS) {
            return false;
        }
    }
    memcpy(poison->file->current[level].bytes, bytes, kept);
    poison->file->current[level].size = (uint32_t)kept;
    return true;
}

void poison_end(struct poison *poison, enum poison_level level)
{
    if (poison != NULL) {
        poison->file->current[level].size = 0;
    }
}

size_t poison_n_set_aside(const struct poison *poison)
{
    return poison == NULL ? 0 : poison->n_set_aside;
}
