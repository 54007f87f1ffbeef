/*
 * See archive.h.
 */
#include "agent/system/archive.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SIZE    512u
#define CHUNK_SIZE    65536u
#define CHECKSUM_NAME "checksum"
#define HASH_SIZE     32u
/* Its bytes in hexadecimal and an end of line. */
#define CHECKSUM_SIZE (2 * HASH_SIZE + 1)

/* A header of ustar: POSIX.1-1988, section 10.1.1. */
struct tar_header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char time[12];
    char sum[8]; /* of all bytes of the header, these taken as blanks */
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char unused[12];
};

_Static_assert(sizeof(struct tar_header) == BLOCK_SIZE, "a block");

void archive_init(struct archive *archive, int fd)
{
    *archive = (struct archive){.fd = fd};
    /* Fails only for sizes out of its range, and ours is constant. */
    (void)crypto_generichash_init(&archive->hash, NULL, 0, HASH_SIZE);
}

static unsigned header_sum(const struct tar_header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    unsigned sum = 0;

    for (size_t i = 0; i < sizeof(*header); i++) {
        bool is_sum = i >= offsetof(struct tar_header, sum) &&
                      i < offsetof(struct tar_header, type);

        sum += is_sum ? ' ' : bytes[i];
    }
    return sum;
}

/* As tar writes it: six digits, zero, blank. */
static void put_sum(const struct tar_header *header, char ret[8])
{
    (void)snprintf(ret, 8, "%06o", header_sum(header) & 0777777u);
    ret[7] = ' ';
}

static uint64_t padding_of(uint64_t size)
{
    return (BLOCK_SIZE - size % BLOCK_SIZE) % BLOCK_SIZE;
}

/* --- writing --- */

static int put_bytes(struct archive *archive, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    (void)crypto_generichash_update(&archive->hash, bytes, size);
    while (size > 0) {
        ssize_t n = write(archive->fd, from, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        from += n;
        size -= (size_t)n;
    }
    return 0;
}

static int put_header(struct archive *archive, const char *name, uint64_t size)
{
    struct tar_header header = {
        .mode = "0000600",
        .uid = "0000000",
        .gid = "0000000",
        .time = "00000000000",
        .type = '0',
        .magic = "ustar",
        .version = {'0', '0'},
    };
    size_t len = strlen(name);

    if (len == 0 || len >= ARCHIVE_NAME_SIZE) {
        return -ENAMETOOLONG;
    }
    if (size > ARCHIVE_FILE_MAX) {
        return -EFBIG;
    }
    memcpy(header.name, name, len);
    (void)snprintf(header.size, sizeof(header.size), "%011llo",
                   (unsigned long long)size);
    put_sum(&header, header.sum);
    return put_bytes(archive, &header, sizeof(header));
}

static int put_padding(struct archive *archive, uint64_t size)
{
    static const uint8_t zeros[BLOCK_SIZE];

    return put_bytes(archive, zeros, padding_of(size));
}

int archive_put(struct archive *archive, const char *name, const void *bytes,
                size_t size)
{
    int error = put_header(archive, name, size);

    if (error == 0) {
        error = put_bytes(archive, bytes, size);
    }
    return error != 0 ? error : put_padding(archive, size);
}

int archive_put_file(struct archive *archive, const char *name, int from_fd,
                     uint64_t size)
{
    uint8_t chunk[CHUNK_SIZE];
    uint64_t left = size;
    int error = put_header(archive, name, size);

    while (error == 0 && left > 0) {
        ssize_t n = read(from_fd, chunk, MIN_OF(left, sizeof(chunk)));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            error = n < 0 ? -errno : -EIO;
            break;
        }
        error = put_bytes(archive, chunk, (size_t)n);
        left -= (uint64_t)n;
    }
    sodium_memzero(chunk, sizeof(chunk));
    return error != 0 ? error : put_padding(archive, size);
}

static void checksum(struct archive *archive, char ret[CHECKSUM_SIZE + 1])
{
    crypto_generichash_state hash = archive->hash;
    uint8_t bytes[HASH_SIZE];

    (void)crypto_generichash_final(&hash, bytes, sizeof(bytes));
    (void)sodium_bin2hex(ret, CHECKSUM_SIZE, bytes, sizeof(bytes));
    ret[CHECKSUM_SIZE - 1] = '\n';
    ret[CHECKSUM_SIZE] = '\0';
}

int archive_end(struct archive *archive)
{
    static const uint8_t zeros[2 * BLOCK_SIZE];
    char text[CHECKSUM_SIZE + 1];
    int error;

    checksum(archive, text);
    error = archive_put(archive, CHECKSUM_NAME, text, CHECKSUM_SIZE);
    return error != 0 ? error : put_bytes(archive, zeros, sizeof(zeros));
}

/* --- reading --- */

static int get_bytes(struct archive *archive, void *buffer, size_t size)
{
    uint8_t *to = buffer;
    size_t done = 0;

    while (done < size) {
        ssize_t n = read(archive->fd, to + done, size - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            return ARCHIVE_E_CUT_OFF;
        }
        done += (size_t)n;
    }
    (void)crypto_generichash_update(&archive->hash, buffer, size);
    return 0;
}

static int pass_over(struct archive *archive, uint64_t size)
{
    uint8_t chunk[CHUNK_SIZE];
    int error = 0;

    while (error == 0 && size > 0) {
        size_t n = MIN_OF(size, sizeof(chunk));

        error = get_bytes(archive, chunk, n);
        size -= n;
    }
    return error;
}

/* Octal digits, ended by a zero or a blank, or by the end of the field. */
static bool get_number(const char *text, size_t size, uint64_t *ret)
{
    uint64_t number = 0;
    size_t i = 0;

    for (; i < size && text[i] >= '0' && text[i] <= '7'; i++) {
        number = number * 8 + (uint64_t)(text[i] - '0');
    }
    *ret = number;
    return i > 0 && (i == size || text[i] == '\0' || text[i] == ' ');
}

static int parse_header(const struct tar_header *header,
                        char ret_name[ARCHIVE_NAME_SIZE], uint64_t *ret_size)
{
    char sum[sizeof(header->sum)];

    if (memcmp(header->magic, "ustar", 6) != 0) {
        return ARCHIVE_E_FOREIGN;
    }
    put_sum(header, sum);
    if (memcmp(sum, header->sum, sizeof(sum)) != 0) {
        return ARCHIVE_E_DAMAGED;
    }
    if (header->type != '0' || header->prefix[0] != '\0' ||
        header->name[0] == '\0' ||
        memchr(header->name, '\0', sizeof(header->name)) == NULL ||
        !get_number(header->size, sizeof(header->size), ret_size) ||
        *ret_size > ARCHIVE_FILE_MAX) {
        return ARCHIVE_E_FOREIGN;
    }
    memcpy(ret_name, header->name, ARCHIVE_NAME_SIZE);
    return 0;
}

static int verify_checksum(struct archive *archive, const char *wanted,
                           uint64_t size)
{
    char found[CHECKSUM_SIZE];
    int error;

    if (size != CHECKSUM_SIZE) {
        return ARCHIVE_E_DAMAGED;
    }
    error = get_bytes(archive, found, sizeof(found));
    if (error != 0) {
        return error;
    }
    return memcmp(found, wanted, CHECKSUM_SIZE) == 0 ? ARCHIVE_E_END
                                                     : ARCHIVE_E_DAMAGED;
}

int archive_next(struct archive *archive, char ret_name[ARCHIVE_NAME_SIZE],
                 uint64_t *ret_size)
{
    struct tar_header header;
    char text[CHECKSUM_SIZE + 1];
    char name[ARCHIVE_NAME_SIZE];
    uint64_t size = 0;
    int error = pass_over(archive, archive->left + archive->padding);

    if (error != 0) {
        return error;
    }
    archive->left = 0;
    archive->padding = 0;
    checksum(archive, text); /* of what comes before the header */
    error = get_bytes(archive, &header, sizeof(header));
    if (error == 0) {
        error = parse_header(&header, name, &size);
    }
    if (error != 0) {
        return error;
    }
    if (strcmp(name, CHECKSUM_NAME) == 0) {
        return verify_checksum(archive, text, size);
    }
    archive->left = size;
    archive->padding = padding_of(size);
    memcpy(ret_name, name, sizeof(name));
    *ret_size = size;
    return 0;
}

int archive_read(struct archive *archive, void *buffer, size_t size)
{
    int error;

    assert(size <= archive->left);
    error = get_bytes(archive, buffer, size);
    if (error == 0) {
        archive->left -= size;
    }
    return error;
}

const char *archive_error_text(int error)
{
    switch (error) {
    case ARCHIVE_E_CUT_OFF:
        return "it is cut off";
    case ARCHIVE_E_DAMAGED:
        return "it is damaged: its checksum does not hold";
    case ARCHIVE_E_FOREIGN:
        return "it is no backup that agentctl backup has written";
    default:
        return error < 0 ? strerror(-error) : "unknown error";
    }
}
