/*
 * unpack_validate: the walk in front of every decoder.  What it accepts and
 * what it refuses, as raw msgpack (https://msgpack.org formats in hexadecimal).
 */
#include "gossip/base/unpack.h"

#include <stdlib.h>

#include "tests/unit/support.h"

#define CASE(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

struct raw {
    const char *bytes;
    size_t size;
};

/* Copied to the heap at its exact size, so that the address sanitizer sees a
 * byte read past the end. */
static int check(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    struct unpack unpack;
    int result;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    result = unpack_validate(copy, size, LIMIT_MSGPACK_ELEMENTS);
    unpack_begin(&unpack, copy, size); /* it asserts that nothing is left */
    assert_int_equal(unpack_end(&unpack), result);
    free(copy);
    return result;
}

static void test_accepted(void **state)
{
    static const struct raw cases[] = {
        CASE("\x80"),     /* {} */
        CASE("\x90"),     /* [] */
        CASE("\x00"),     /* any one object */
        CASE("\xc0"),     /* nil */
        CASE("\xc2"),     /* false */
        CASE("\xc3"),     /* true */
        CASE("\xff"),     /* -1 */
        CASE("\xcc\x01"), /* longer than needed */
        CASE("\xcf\x00\x00\x00\x00\x00\x00\x00\x01"),
        CASE("\xd0\x80"),             /* int8 */
        CASE("\xd1\x80\x00"),         /* int16 */
        CASE("\xd2\x80\x00\x00\x00"), /* int32 */
        CASE("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"),
        CASE("\xca\x00\x00\x00\x00"), /* float */
        CASE("\xcb\x00\x00\x00\x00\x00\x00\x00\x00"),
        CASE("\xa0"), /* "" */
        CASE("\xa3"
             "abc"),
        CASE("\xd9\x03"
             "abc"),
        CASE("\xda\x00\x03"
             "abc"),
        CASE("\xdb\x00\x00\x00\x03"
             "abc"),
        CASE("\xc4\x02\x00\xff"), /* bin may hold anything */
        CASE("\xc5\x00\x02\x00\xff"),
        CASE("\xc6\x00\x00\x00\x02\x00\xff"),
        CASE("\xdc\x00\x02\x01\x02"),
        CASE("\xdd\x00\x00\x00\x01\x01"),
        CASE("\xde\x00\x01\x01\x02"),
        CASE("\xdf\x00\x00\x00\x01\x01\x02"),
        CASE("\x82\x01\x02\xa1\x61\x02"),             /* {1: 2, "a": 2} */
        CASE("\x82\x01\x81\x01\x02\x02\x81\x01\x02"), /* same key, other map */
        CASE("\x82\x01\x81\x02\x00\x02\x00"), /* inner key = outer key */
        CASE("\x92\x81\x01\x00\x81\x01\x00"),
        CASE("\x82\xa0\x00\x00\x00"), /* {"": 0, 0: 0} */
        CASE("\xa2\xc2\xa0"),         /* first code after C1 */
        CASE("\xa3\xe0\xa0\x80"),
        CASE("\xa3\xed\x9f\xbf"), /* last before surrogates */
        CASE("\xa3\xee\x80\x80"),
        CASE("\xa4\xf0\x90\x80\x80"),
        CASE("\xa4\xf4\x8f\xbf\xbf"), /* U+10FFFF */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int result = check(cases[i].bytes, cases[i].size);

        if (result != 0) {
            print_error("case %zu\n", i);
        }
        assert_int_equal(result, 0);
    }
}

static void test_refused(void **state)
{
    static const struct raw cases[] = {
        CASE(""),
        CASE("\x80\x00"),                 /* trailing byte */
        CASE("\x00\x00"),                 /* two objects */
        CASE("\xc1"),                     /* no format */
        CASE("\xc7\x00\x01"),             /* ext 8 */
        CASE("\xc8\x00\x00\x01"),         /* ext 16 */
        CASE("\xc9\x00\x00\x00\x00\x01"), /* ext 32 */
        CASE("\xd4\x01\x00"),             /* fixext 1 */
        CASE("\xd5\x01\x00\x00"),
        CASE("\xd6\xff\x00\x00\x00\x00"), /* a timestamp */
        CASE("\xd7\x01\x00\x00\x00\x00\x00\x00\x00\x00"),
        CASE("\xd8\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
             "\x00\x00"),
        CASE("\x82\x01\x00\x01\x00"),     /* {1: 0, 1: 0} */
        CASE("\x82\x01\x00\xcc\x01\x00"), /* the same, spelt otherwise */
        CASE("\x82\x01\x00\xd0\x01\x00"),
        CASE("\x82\xa1\x61\x00\xa1\x61\x00"),
        CASE("\x82\xa1\x61\x00\xd9\x01\x61\x00"),
        CASE("\x83\x01\x81\x02\x00\x02\x00\x01\x00"), /* after a nested map */
        CASE("\x81\xff\x00"),                         /* key -1 */
        CASE("\x81\xd0\x80\x00"),                     /* key -128 */
        CASE("\x81\xc0\x00"),                         /* key nil */
        CASE("\x81\xc3\x00"),                         /* key true */
        CASE("\x81\xc4\x01\x61\x00"),                 /* key bin */
        CASE("\x81\xca\x00\x00\x00\x00\x00"),
        CASE("\x81\x90\x00"), /* key [] */
        CASE("\x81\x80\x00"), /* key {} */
        CASE("\xa1\x00"),     /* control bytes */
        CASE("\xa1\x1f"),
        CASE("\xa1\x0a"),
        CASE("\xa1\x7f"),
        CASE("\xa2\xc2\x80"), /* C1 */
        CASE("\xa2\xc2\x9f"),
        CASE("\xa1\x80"), /* not UTF-8 from here */
        CASE("\xa1\xff"),
        CASE("\xa1\xc3"),
        CASE("\xa2\xc0\x80"), /* overlong NUL */
        CASE("\xa2\xc1\xbf"),
        CASE("\xa3\xe0\x9f\xbf"), /* overlong */
        CASE("\xa3\xed\xa0\x80"), /* a surrogate */
        CASE("\xa3\xed\xbf\xbf"),
        CASE("\xa4\xf0\x8f\xbf\xbf"), /* overlong */
        CASE("\xa4\xf4\x90\x80\x80"), /* past U+10FFFF */
        CASE("\xa4\xf8\x88\x80\x80"),
        CASE("\xa2\xc3\x28"),
        CASE("\xa2\xe2\x82"), /* cut off inside the string */
        CASE("\xa3\xf0\x90\x80"),
        CASE("\x81\xa1\x0a\x00"),     /* a key is text too */
        CASE("\xdd\xff\xff\xff\xff"), /* sizes that are not there */
        CASE("\xdf\xff\xff\xff\xff"),
        CASE("\xdf\x80\x00\x00\x00"), /* twice this is 0 in 32 bits */
        CASE("\xc6\xff\xff\xff\xff"),
        CASE("\xdb\xff\xff\xff\xff"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int result = check(cases[i].bytes, cases[i].size);

        if (result != UNPACK_E_MALFORMED) {
            print_error("case %zu\n", i);
        }
        assert_int_equal(result, UNPACK_E_MALFORMED);
    }
}

/* No proper beginning of an object is an object. */
static void test_truncated(void **state)
{
    static const uint8_t whole[] =
        "\x8b\x01\xcc\xff\x02\xcd\xff\xff\x03\xce\xff\xff\xff\xff"
        "\x04\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x05\xa3"
        "abc\x06\xc4\x02\x00\x01\x07\x92\x01\x02\x08\x81\xa1"
        "a\xc0\x09\xca\x00\x00\x00\x00\x0a\xd3\xff\xff\xff\xff\xff\xff\xff\xff"
        "\x0b\xdc\x00\x01\xd9\x01z";
    const size_t size = sizeof(whole) - 1;

    (void)state;
    assert_int_equal(check(whole, size), 0);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(check(whole, i), UNPACK_E_MALFORMED);
    }
}

/* One byte of each value, alone: never a crash, and only the one-byte
 * objects pass. */
static void test_first_bytes(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t byte = (uint8_t)first;
        bool is_whole = first <= 0x80 || first == 0x90 || first == 0xa0 ||
                        first == 0xc0 || first == 0xc2 || first == 0xc3 ||
                        first >= 0xe0;

        assert_int_equal(check(&byte, 1), is_whole ? 0 : UNPACK_E_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_first_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
