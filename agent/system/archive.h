/*
 * An archive of few files: a tar (POSIX.1-1988, "ustar") of regular files
 * without directories, the last of which, "checksum", is the BLAKE2b-256 of
 * all bytes before it, in hexadecimal.  `tar tf` lists it; here, one that is
 * cut off, or in which a bit is wrong, is told as damaged.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_ARCHIVE_H
#define SOCKETNET_AGENT_SYSTEM_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "gossip/base/macros.h"

#define ARCHIVE_NAME_SIZE 100 /* with the terminating zero */
#define ARCHIVE_FILE_MAX  (UINT64_C(4) << 30)

enum archive_error {
    ARCHIVE_E_END = 1,     /* that was all, and the checksum holds */
    ARCHIVE_E_CUT_OFF = 2, /* it ends before its checksum */
    ARCHIVE_E_DAMAGED = 3, /* the checksum does not hold */
    ARCHIVE_E_FOREIGN = 4, /* it is no archive of this kind */
};

/* One of the two ways, over a descriptor that stays the caller's. */
struct archive {
    int fd;
    crypto_generichash_state hash; /* of all bytes so far */
    uint64_t left;                 /* reading: of the present file */
    uint64_t padding;              /* ... and behind it */
};

/* On `fd`, from its present position. */
void archive_init(struct archive *archive, int fd);

/* Appends a file.  0, -EFBIG, -ENAMETOOLONG, negative errno of writing, or,
 * from_fd, of reading; -EIO when that has not `size` bytes. */
_must_check_ int archive_put(struct archive *archive, const char *name,
                             const void *bytes, size_t size);
_must_check_ int archive_put_file(struct archive *archive, const char *name,
                                  int from_fd, uint64_t size);
/* Appends the checksum and the end. */
_must_check_ int archive_end(struct archive *archive);

/* The next file; what was not read of the last one is passed over.  0, enum
 * archive_error, or negative errno. */
_must_check_ int archive_next(struct archive *archive,
                              char ret_name[ARCHIVE_NAME_SIZE],
                              uint64_t *ret_size);
/* Reads `size` bytes of the present file, which it must have.  0,
 * ARCHIVE_E_CUT_OFF, negative errno. */
_must_check_ int archive_read(struct archive *archive, void *buffer,
                              size_t size);
/* What an enum archive_error or negative errno means, for people. */
const char *archive_error_text(int error);

#endif
