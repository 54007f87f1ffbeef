/*
 * gossip/base/address.h: text, packed forms, prefixes.
 */
#include "gossip/base/address.h"

#include <errno.h>

#include "tests/unit/support.h"

static struct address parsed(const char *text)
{
    struct address address;

    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

static struct prefix parsed_prefix(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    return prefix;
}

static void test_address_text(void **state)
{
    /* Read, and how it is written (RFC 5952 for IPv6). */
    static const char *const texts[][2] = {
        {"0.0.0.0", "0.0.0.0"},
        {"100.104.70.3", "100.104.70.3"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8::1", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"1:0:0:4:0:0:0:8", "1:0:0:4::8"},
        {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"::ffff:10.0.3.1", "::ffff:10.0.3.1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"::1:2", "::1:2"},
        {"::1.2.3.4", "::102:304"},
        {"::ffff", "::ffff"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address address = parsed(texts[i][0]);
        char text[ADDRESS_TEXT_SIZE];

        assert_ptr_equal(address_text(&address, text), text);
        assert_string_equal(text, texts[i][1]);
    }
}

static void test_address_text_bad(void **state)
{
    static const char *const texts[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "01.2.3.4",
        "1.2.3.00",
        " 1.2.3.4",
        "1.2.3.4 ",
        "+1.2.3.4",
        "1.2.3.-4",
        "0x1.2.3.4",
        "1.2.3.4/24",
        "4294967296.1.1.1",
        "redis",
        ":",
        ":::",
        "1",
        "1:",
        ":1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        ":1:2:3:4:5:6:7:8",
        "::1::",
        "1::2::3",
        "1:2:3:4::5:6:7:8",
        "12345::",
        "g::",
        "fe80::1%eth0",
        "[::1]",
        "::1.2.3",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3.256",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address address = {.family = 9};

        assert_int_equal(address_parse(texts[i], &address), -EINVAL);
        assert_int_equal(address.family, 9); /* untouched */
    }
}

static void test_address_none(void **state)
{
    struct address none = {.family = 0};
    struct prefix none_prefix = {.len = 0};
    struct endpoint none_endpoint = {.port = 5};
    char text[ENDPOINT_TEXT_SIZE];
    uint8_t bytes[18];

    (void)state;
    assert_int_equal(address_size(&none), 0);
    assert_string_equal(address_text(&none, text), "-");
    assert_int_equal(address_pack(&none, bytes), 0);
    assert_int_equal(endpoint_pack(&none_endpoint, bytes), 0);
    assert_int_equal(prefix_pack(&none_prefix, bytes), 0);
    assert_false(prefix_contains(&none_prefix, &none));
    assert_true(address_equal(&none, &none));
}

static void test_address_order(void **state)
{
    struct address a = parsed("10.0.0.1");
    struct address b = parsed("10.0.0.2");
    struct address c = parsed("::1");

    (void)state;
    assert_true(address_compare(&a, &b) < 0);
    assert_true(address_compare(&b, &a) > 0);
    assert_int_equal(address_compare(&a, &a), 0);
    assert_true(address_compare(&b, &c) < 0); /* family first */
    assert_true(address_compare(&c, &b) > 0);
    assert_true(address_equal(&a, &a));
    assert_false(address_equal(&a, &b));
}

static void test_endpoint_text(void **state)
{
    static const char *const texts[][2] = {
        {"1.2.3.4:5", "1.2.3.4:5"},
        {"1.2.3.4", "1.2.3.4:7720"},
        {"1.2.3.4:65535", "1.2.3.4:65535"},
        {"[::1]:80", "[::1]:80"},
        {"[::1]", "[::1]:7720"},
        {"::1", "[::1]:7720"},
        {"[1:2:3:4:5:6:7:8]:9", "[1:2:3:4:5:6:7:8]:9"},
    };
    static const char *const bad[] = {
        "",          "1.2.3.4:",   "1.2.3.4:0",   "1.2.3.4:65536", "1.2.3.4:08",
        "1.2.3:4",   "[1.2.3.4]",  "[1.2.3.4]:5", "[::1",          "[::1]80",
        "[::1]:",    "[::1]:0",    "[]:1",        "1.2.3.4:x",     "host:80",
        "[::1]:80x", "1.2.3.4:5:", ":80",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct endpoint endpoint;
        struct endpoint again;
        char text[ENDPOINT_TEXT_SIZE];

        assert_int_equal(endpoint_parse(texts[i][0], 7720, &endpoint), 0);
        assert_string_equal(endpoint_text(&endpoint, text), texts[i][1]);
        assert_int_equal(endpoint_parse(text, 1, &again), 0);
        assert_true(endpoint_equal(&endpoint, &again));
        again.port++;
        assert_false(endpoint_equal(&endpoint, &again));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct endpoint endpoint = {.port = 9};

        assert_int_equal(endpoint_parse(bad[i], 7720, &endpoint), -EINVAL);
        assert_int_equal(endpoint.port, 9);
    }
}

static void test_endpoint_text_longest(void **state)
{
    struct endpoint endpoint = {
        .address = parsed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        .port = 65535,
    };
    struct prefix prefix = {.address = endpoint.address, .len = 128};
    char text[ENDPOINT_TEXT_SIZE];

    (void)state;
    assert_string_equal(endpoint_text(&endpoint, text),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    assert_string_equal(prefix_text(&prefix, text),
                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

static void test_prefix_text(void **state)
{
    static const char *const good[] = {
        "0.0.0.0/0",     "10.0.3.0/24",     "10.0.3.1/32",
        "100.80.0.0/12", "10.0.3.2/31",     "::/0",
        "2001:db8::/32", "2001:db8::1/128", "fe80::/10",
    };
    static const char *const bad[] = {
        "",
        "10.0.3.0",
        "10.0.3.1/24",
        "10.0.3.0/33",
        "10.0.3.0/",
        "10.0.3.0/024",
        "10.0.3.0/-1",
        "10.0.3.0/24 ",
        "10.0.3.0/a",
        "2001:db8::/129",
        "2001:db8::1/64",
        "/24",
        "128.0.0.0/0",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct prefix prefix = parsed_prefix(good[i]);
        char text[PREFIX_TEXT_SIZE];

        assert_string_equal(prefix_text(&prefix, text), good[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct prefix prefix = {.len = 99};

        assert_int_equal(prefix_parse(bad[i], &prefix), -EINVAL);
        assert_int_equal(prefix.len, 99);
    }
}

static void test_prefix_interface(void **state)
{
    struct address address;
    struct prefix prefix;
    char text[PREFIX_TEXT_SIZE];

    (void)state;
    assert_int_equal(prefix_parse_interface("10.0.3.1/24", &address, &prefix),
                     0);
    assert_string_equal(address_text(&address, text), "10.0.3.1");
    assert_string_equal(prefix_text(&prefix, text), "10.0.3.0/24");
    assert_int_equal(
        prefix_parse_interface("2001:db8::ff/121", &address, &prefix), 0);
    assert_string_equal(prefix_text(&prefix, text), "2001:db8::80/121");
    assert_int_equal(prefix_parse_interface("10.0.3.1", &address, &prefix),
                     -EINVAL);
    assert_int_equal(prefix_parse_interface("10.0.3.1/33", &address, &prefix),
                     -EINVAL);
}

static void test_prefix_contains(void **state)
{
    struct prefix net = parsed_prefix("10.0.2.0/23");
    struct prefix all = parsed_prefix("0.0.0.0/0");
    struct prefix one = parsed_prefix("10.0.3.7/32");
    struct prefix v6 = parsed_prefix("2001:db8:8000::/33");
    struct address address = parsed("10.0.3.255");

    (void)state;
    assert_true(prefix_contains(&net, &address));
    assert_true(prefix_contains(&all, &address));
    assert_false(prefix_contains(&one, &address));
    address = parsed("10.0.4.0");
    assert_false(prefix_contains(&net, &address));
    address = parsed("10.0.3.7");
    assert_true(prefix_contains(&one, &address));
    address = parsed("2001:db8:8000::1");
    assert_true(prefix_contains(&v6, &address));
    assert_false(prefix_contains(&all, &address)); /* another family */
    address = parsed("2001:db8:7fff::1");
    assert_false(prefix_contains(&v6, &address));
}

static void test_address_is_host(void **state)
{
    static const char *const yes[] = {"0.0.0.1", "10.0.3.255",
                                      "223.255.255.255", "::1", "fe80::1"};
    static const char *const no[] = {
        "0.0.0.0",         "224.0.0.0", "239.255.255.255", "240.0.0.0",
        "255.255.255.255", "::",        "ff00::",          "ff02::1"};
    struct address none = {.family = 0};

    (void)state;
    assert_false(address_is_host(&none));
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        struct address address = parsed(yes[i]);

        assert_true(address_is_host(&address));
    }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        struct address address = parsed(no[i]);

        assert_false(address_is_host(&address));
    }
}

static void test_prefix_is_host(void **state)
{
    static const struct {
        const char *prefix;
        const char *address;
        bool is_host;
    } cases[] = {
        {"10.0.3.0/24", "10.0.3.0", false},
        {"10.0.3.0/24", "10.0.3.1", true},
        {"10.0.3.0/24", "10.0.3.254", true},
        {"10.0.3.0/24", "10.0.3.255", false},
        {"10.0.3.0/24", "10.0.4.1", false}, /* outside */
        {"10.0.2.0/23", "10.0.2.255", true},
        {"10.0.2.0/23", "10.0.3.0", true},
        {"10.0.2.0/23", "10.0.3.255", false},
        {"10.0.3.4/30", "10.0.3.4", false},
        {"10.0.3.4/30", "10.0.3.5", true},
        {"10.0.3.4/30", "10.0.3.7", false},
        {"10.0.3.4/31", "10.0.3.4", true},
        {"10.0.3.4/31", "10.0.3.5", true},
        {"10.0.3.4/32", "10.0.3.4", true},
        {"2001:db8::/64", "2001:db8::", false},
        {"2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", true},
        {"2001:db8::/126", "2001:db8::", false},
        {"2001:db8::/127", "2001:db8::", true},
        {"2001:db8::/64", "10.0.3.1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct prefix prefix = parsed_prefix(cases[i].prefix);
        struct address address = parsed(cases[i].address);

        if (prefix_is_host(&prefix, &address) != cases[i].is_host) {
            fail_msg("%s in %s", cases[i].address, cases[i].prefix);
        }
    }
}

static void test_prefix_overlaps(void **state)
{
    struct prefix wide = parsed_prefix("10.0.0.0/8");
    struct prefix narrow = parsed_prefix("10.0.3.0/24");
    struct prefix other = parsed_prefix("10.0.4.0/24");
    struct prefix v6 = parsed_prefix("::/0");

    (void)state;
    assert_true(prefix_overlaps(&wide, &narrow));
    assert_true(prefix_overlaps(&narrow, &wide));
    assert_true(prefix_overlaps(&narrow, &narrow));
    assert_false(prefix_overlaps(&narrow, &other));
    assert_false(prefix_overlaps(&wide, &v6));
}

static void test_packed(void **state)
{
    static const uint8_t v4[] = {10, 0, 3, 203, 0x1a, 0x0b};
    static const char *const texts[] = {"10.0.3.0", "2001:db8::"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address address = parsed(texts[i]);
        struct endpoint endpoint = {.address = address, .port = 0x1a0b};
        struct prefix prefix = {.address = address, .len = 24};
        size_t size = address_size(&address);
        struct address address_back;
        struct endpoint endpoint_back;
        struct prefix prefix_back;
        uint8_t bytes[18];

        prefix.len = i == 0 ? 24 : 32;
        assert_int_equal(address_pack(&address, bytes), size);
        assert_int_equal(address_unpack(bytes, size, &address_back), 0);
        assert_memory_equal(&address, &address_back, sizeof(address));
        assert_int_equal(endpoint_pack(&endpoint, bytes), size + 2);
        assert_int_equal(endpoint_unpack(bytes, size + 2, &endpoint_back), 0);
        assert_true(endpoint_equal(&endpoint, &endpoint_back));
        assert_int_equal(prefix_pack(&prefix, bytes), size + 1);
        assert_int_equal(prefix_unpack(bytes, size + 1, &prefix_back), 0);
        assert_int_equal(prefix_back.len, prefix.len);
        assert_true(address_equal(&prefix_back.address, &address));
    }
    {
        struct endpoint endpoint;
        char text[ENDPOINT_TEXT_SIZE];

        assert_int_equal(endpoint_unpack(v4, sizeof(v4), &endpoint), 0);
        assert_string_equal(endpoint_text(&endpoint, text), "10.0.3.203:6667");
    }
}

static void test_packed_bad(void **state)
{
    uint8_t bytes[20] = {10, 0, 3, 1, 33};
    struct address address = {.family = 9};
    struct endpoint endpoint = {.port = 9};
    struct prefix prefix = {.len = 9};

    (void)state;
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        if (size != 4 && size != 16) {
            assert_int_equal(address_unpack(bytes, size, &address), -EINVAL);
        }
        if (size != 6 && size != 18) {
            assert_int_equal(endpoint_unpack(bytes, size, &endpoint), -EINVAL);
        }
        if (size != 5 && size != 17) {
            assert_int_equal(prefix_unpack(bytes, size, &prefix), -EINVAL);
        }
    }
    assert_int_equal(prefix_unpack(bytes, 5, &prefix), -EINVAL); /* /33 */
    bytes[4] = 24;
    assert_int_equal(prefix_unpack(bytes, 5, &prefix), -EINVAL); /* host bit */
    bytes[16] = 129;
    assert_int_equal(prefix_unpack(bytes, 17, &prefix), -EINVAL);
    assert_int_equal(address.family, 9);
    assert_int_equal(endpoint.port, 9);
    assert_int_equal(prefix.len, 9);
}

static void test_bits(void **state)
{
    struct address address = parsed("255.255.255.255");
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(address_bits(4), 32);
    assert_int_equal(address_bits(6), 128);
    assert_false(address_clear_host(&address, 32));
    assert_true(address_clear_host(&address, 13));
    assert_string_equal(address_text(&address, text), "255.248.0.0");
    assert_true(address_clear_host(&address, 0));
    assert_string_equal(address_text(&address, text), "0.0.0.0");
    assert_false(address_clear_host(&address, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_text),
        cmocka_unit_test(test_address_text_bad),
        cmocka_unit_test(test_address_none),
        cmocka_unit_test(test_address_order),
        cmocka_unit_test(test_endpoint_text),
        cmocka_unit_test(test_endpoint_text_longest),
        cmocka_unit_test(test_prefix_text),
        cmocka_unit_test(test_prefix_interface),
        cmocka_unit_test(test_prefix_contains),
        cmocka_unit_test(test_address_is_host),
        cmocka_unit_test(test_prefix_is_host),
        cmocka_unit_test(test_prefix_overlaps),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_packed_bad),
        cmocka_unit_test(test_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
