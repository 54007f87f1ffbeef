/*
 * gossip/base/text.h: clean characters at their edges, cleaning, hexadecimal.
 */
#include "gossip/base/text.h"

#include "tests/unit/support.h"

static void test_chars(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        size_t expected;
    } cases[] = {
        {"", 0, 0},
        {"\x00", 1, 0},
        {"\x1f", 1, 0},
        {" ", 1, 1},
        {"~", 1, 1},
        {"\x7f", 1, 0},
        {"\x80", 1, 0},         /* a continuation */
        {"\xc1\xbf", 2, 0},     /* overlong */
        {"\xc2\x80", 2, 0},     /* C1 */
        {"\xc2\x9f", 2, 0},     /* C1 */
        {"\xc2\xa0", 2, 2},     /* the first after them */
        {"\xc2\xa0", 1, 0},     /* cut off */
        {"\xc2\xc0", 2, 0},     /* no continuation */
        {"\xdf\xbf", 2, 2},     /* U+07ff */
        {"\xe0\x9f\xbf", 3, 0}, /* overlong */
        {"\xe0\xa0\x80", 3, 3}, /* U+0800 */
        {"\xed\x9f\xbf", 3, 3}, /* U+d7ff */
        {"\xed\xa0\x80", 3, 0}, /* surrogates */
        {"\xed\xbf\xbf", 3, 0},
        {"\xee\x80\x80", 3, 3},
        {"\xef\xbf\xbf", 3, 3},
        {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
        {"\xf0\x90\x80\x80", 4, 4}, /* U+10000 */
        {"\xd0\x80", 2, 2},         /* U+0400: each bit of a first byte */
        {"\xc8\x80", 2, 2},
        {"\xc4\x80", 2, 2},
        {"\xe8\x80\x80", 3, 3},
        {"\xe4\x80\x80", 3, 3},
        {"\xe2\x80\x80", 3, 3},
        {"\xe1\x80\x80", 3, 3},
        {"\xf1\x80\x80\x80", 4, 4},
        {"\xf2\x80\x80\x80", 4, 4},
        {"\xf4\x80\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4}, /* U+10ffff */
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf4\x8f\xbf\xbf", 3, 0},
        {"\xf8\x88\x80\x80\x80", 5, 0},
        {"\xff", 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const uint8_t *text = (const uint8_t *)cases[i].text;

        if (text_char_size(text, cases[i].size) != cases[i].expected) {
            fail_msg("case %zu", i);
        }
        assert_int_equal(text_is_clean(text, cases[i].size),
                         cases[i].expected == cases[i].size);
    }
}

static void test_clean(void **state)
{
    char text[] = "a\x01\xc3\xa9\xff\x7f\xe2\x82z\xc2\x85";

    (void)state;
    assert_false(text_is_clean((const uint8_t *)text, strlen(text)));
    text_clean(text, strlen(text));
    assert_string_equal(text, "a \xc3\xa9????z??");
    assert_true(text_is_clean((const uint8_t *)text, strlen(text)));
    text_clean(text, 0);
}

static void test_hex(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x09, 0xaf, 0xff};
    static const char *const bad[] = {"0009afg0", "0009af f", "0009af:f",
                                      "0x09afff"};
    uint8_t back[sizeof(bytes)];
    char text[2 * sizeof(bytes) + 1];

    (void)state;
    assert_ptr_equal(text_from_bytes(bytes, sizeof(bytes), text), text);
    assert_string_equal(text, "0009afff");
    assert_int_equal(text_to_bytes("0009AFfF", 8, back, sizeof(back)), 0);
    assert_memory_equal(back, bytes, sizeof(bytes));
    assert_int_equal(text_to_bytes("0009af", 6, back, sizeof(back)),
                     TEXT_E_MALFORMED);
    assert_int_equal(text_to_bytes("0009afff00", 10, back, sizeof(back)),
                     TEXT_E_MALFORMED);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        memset(back, 0xee, sizeof(back));
        assert_int_equal(text_to_bytes(bad[i], 8, back, sizeof(back)),
                         TEXT_E_MALFORMED);
        assert_int_equal(back[0] | back[1] | back[2] | back[3], 0);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        uint64_t expected;
        const char *rest; /* NULL: refused */
    } cases[] = {
        {"0", 0, 0, ""},
        {"0x1", 9, 0, "x1"},
        {"17ms", 17, 17, "ms"},
        {"18", 17, 0, NULL},
        {"100", 17, 0, NULL},
        {"00", 9, 0, NULL},
        {"07", 9, 0, NULL},
        {"", 9, 0, NULL},
        {"-1", 9, 0, NULL},
        {"+1", 9, 0, NULL},
        {" 1", 9, 0, NULL},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, ""},
        {"18446744073709551616", UINT64_MAX, 0, NULL},
        {"99999999999999999999", UINT64_MAX, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *at = cases[i].text;
        uint64_t value = 77;
        int error = text_take_number(&at, cases[i].max, &value);

        if (cases[i].rest == NULL) {
            assert_int_equal(error, TEXT_E_MALFORMED);
            assert_true(value == 77 && at == cases[i].text);
        } else {
            assert_int_equal(error, 0);
            assert_true(value == cases[i].expected);
            assert_string_equal(at, cases[i].rest);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chars),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
