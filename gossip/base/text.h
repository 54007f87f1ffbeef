/*
 * What text from outside may hold, numbers, and bytes as hexadecimal.  Names
 * and addresses have rules of their own: gossip/wire/body.h, address.h.
 */
#ifndef SOCKETNET_GOSSIP_BASE_TEXT_H
#define SOCKETNET_GOSSIP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"

enum text_error {
    TEXT_E_MALFORMED = 1, /* not what was asked for */
};

/* Size in bytes of the character at the start of `text`: UTF-8 (RFC 3629: no
 * surrogates, no overlong forms), no C0, DEL and C1 control character; 0 when
 * it is none, or cut off. */
size_t text_char_size(const uint8_t *text, size_t size);
/* Whether it has nothing but such characters. */
bool text_is_clean(const uint8_t *text, size_t size);
/* Replaces what is not clean, byte by byte: control characters by a blank,
 * the rest by '?'. */
void text_clean(char *text, size_t size);

/* Takes a decimal number of at most `max` from the start of the text and moves
 * it on.  A sign, a space and a leading zero are refused: "010" is eight to
 * some programs and ten to others.  0, or TEXT_E_MALFORMED and both outputs are
 * as they were. */
_must_check_ int text_take_number(const char **text, uint64_t max,
                                  uint64_t *ret);

/* Lower case, terminated: 2 * size + 1 bytes of `text`, which it returns. */
const char *text_from_bytes(const uint8_t *bytes, size_t size, char *text);
/* Reads exactly 2 * size digits of either case, in constant time for all that
 * are digits.  0, or TEXT_E_MALFORMED and `bytes` are zero. */
_must_check_ int text_to_bytes(const char *text, size_t len, uint8_t *bytes,
                               size_t size);

#endif
