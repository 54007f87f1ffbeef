/*
 * Shared by the files of the bodies (body*.c): what is the same in all of them.
 * Not for other files; body.h is the interface.
 */
#ifndef SOCKETNET_GOSSIP_WIRE_BODY_INTERNAL_H
#define SOCKETNET_GOSSIP_WIRE_BODY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/unpack.h"
#include "gossip/wire/record.h"

/* Starts on the body of a record, which must be of `kind` and its body a map.
 * Failures show in body_close. */
void body_open(const struct record *record, uint8_t kind,
               struct unpack *unpack);
/* 0, or RECORD_E_BODY when something did not fit. */
_must_check_ int body_close(const struct unpack *unpack);

/* A text that is a name (body_name_valid) of less than BODY_NAME_SIZE. */
void body_read_name(struct unpack *unpack, const msgpack_object *value,
                    char name[]);
/* The same in its canonical form, which it must have already. */
void body_read_canonical(struct unpack *unpack, const msgpack_object *value,
                         char name[]);

/* A number that may be left out. */
uint64_t body_read_optional(struct unpack *unpack, unsigned key, uint64_t min,
                            uint64_t max, uint64_t absent);

/* The canonical form of one character of a name. */
char body_name_fold(char c);

/* Whether the record's key is exactly these bytes. */
bool body_key_equal(const struct record *record, const void *bytes,
                    size_t size);

/* Size of pair 9 of a charter with so many signatures. */
size_t body_charter_signatures_size(size_t n);

#endif
