/*
 * Clean UTF-8, numbers and hexadecimal; see text.h.
 */
#include "gossip/base/text.h"

#include <string.h>

#include <sodium.h>

/* Two to four bytes: the least code of this length, and the bits that its
 * first byte gives.  0x80 to 0x9f are C1 control characters. */
static size_t multibyte_start(uint8_t first, uint32_t *ret_lowest,
                              uint32_t *ret_code)
{
    if ((first & 0xe0) == 0xc0) {
        *ret_lowest = 0xa0;
        *ret_code = first & 0x1f;
        return 2;
    }
    if ((first & 0xf0) == 0xe0) {
        *ret_lowest = 0x800;
        *ret_code = first & 0x0f;
        return 3;
    }
    if ((first & 0xf8) == 0xf0) {
        *ret_lowest = 0x10000;
        *ret_code = first & 0x07;
        return 4;
    }
    return 0;
}

size_t text_char_size(const uint8_t *text, size_t size)
{
    uint32_t lowest;
    uint32_t code;
    size_t n;

    if (size == 0) {
        return 0;
    }
    if (text[0] < 0x80) {
        return text[0] >= 0x20 && text[0] != 0x7f ? 1 : 0;
    }
    n = multibyte_start(text[0], &lowest, &code);
    if (n == 0 || n > size) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < lowest || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        return 0;
    }
    return n;
}

bool text_is_clean(const uint8_t *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t n = text_char_size(text + at, size - at);

        if (n == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

void text_clean(char *text, size_t size)
{
    uint8_t *bytes = (uint8_t *)text;

    for (size_t at = 0; at < size;) {
        size_t n = text_char_size(bytes + at, size - at);

        if (n == 0) {
            bytes[at] = bytes[at] < 0x20 ? ' ' : '?';
            n = 1;
        }
        at += n;
    }
}

int text_take_number(const char **text, uint64_t max, uint64_t *ret)
{
    const char *pos = *text;
    uint64_t value = 0;

    if (*pos < '0' || *pos > '9' ||
        (*pos == '0' && pos[1] >= '0' && pos[1] <= '9')) {
        return TEXT_E_MALFORMED;
    }
    for (; *pos >= '0' && *pos <= '9'; pos++) {
        uint64_t digit = (uint64_t)(*pos - '0');

        if (value > max / 10 || value * 10 > max - digit) {
            return TEXT_E_MALFORMED;
        }
        value = value * 10 + digit;
    }
    *text = pos;
    *ret = value;
    return 0;
}

const char *text_from_bytes(const uint8_t *bytes, size_t size, char *text)
{
    return sodium_bin2hex(text, 2 * size + 1, bytes, size);
}

int text_to_bytes(const char *text, size_t len, uint8_t *bytes, size_t size)
{
    size_t n = 0;

    if (len != 2 * size ||
        sodium_hex2bin(bytes, size, text, len, NULL, &n, NULL) != 0 ||
        n != size) {
        memset(bytes, 0, size);
        return TEXT_E_MALFORMED;
    }
    return 0;
}
