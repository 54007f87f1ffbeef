/*
 * gossip/base/pack.h and unpack.h: bytes written, values read back at the edges
 * of their ranges, what does not fit, and that reading allocates nothing.
 * What may be read at all is test_unpack.c's.
 */
#include "gossip/base/pack.h"

#include <errno.h>

#include "gossip/base/unpack.h"
#include "tests/unit/heap.h"
#include "tests/unit/support.h"

static void pack_all(struct pack *pack, uint8_t *buffer, size_t size)
{
    static const uint8_t bytes[] = {0, 0xff};
    struct address address;
    struct endpoint endpoint;
    struct prefix prefix;

    assert_int_equal(address_parse("10.0.3.1", &address), 0);
    assert_int_equal(endpoint_parse("10.0.3.1:80", 0, &endpoint), 0);
    assert_int_equal(prefix_parse("10.0.3.0/24", &prefix), 0);
    pack_begin(pack, buffer, size);
    pack_map(pack, 9);
    pack_key_uint(pack, 1, 300);
    pack_key_bin(pack, 2, bytes, sizeof(bytes));
    pack_key_text(pack, 3, "h\xc3\xa9");
    pack_key_address(pack, 4, &address);
    pack_key(pack, 5);
    pack_array(pack, 3);
    pack_int(pack, -2);
    pack_bool(pack, true);
    pack_bool(pack, false);
    pack_key(pack, 6);
    pack_map(pack, 1);
    pack_text(pack, "k");
    pack_chars(pack, "value", 3);
    pack_key(pack, 7);
    pack_endpoint(pack, &endpoint);
    pack_key(pack, 8);
    pack_prefix(pack, &prefix);
    pack_key_text(pack, 9, "");
}

static const uint8_t all[] =
    "\x89\x01\xcd\x01\x2c\x02\xc4\x02\x00\xff\x03\xa3h\xc3\xa9\x04\xc4\x04\x0a"
    "\x00\x03\x01\x05\x93\xfe\xc3\xc2\x06\x81\xa1k\xa3val\x07\xc4\x06\x0a\x00"
    "\x03\x01\x00\x50\x08\xc4\x05\x0a\x00\x03\x00\x18\x09\xa0";

static void test_pack(void **state)
{
    uint8_t buffer[sizeof(all)];
    struct pack pack;
    size_t size = 0;

    (void)state;
    pack_all(&pack, buffer, sizeof(buffer));
    assert_int_equal(pack_end(&pack, &size), 0);
    assert_int_equal(size, sizeof(all) - 1);
    assert_memory_equal(buffer, all, size);
    for (size_t room = 0; room < sizeof(all); room++) {
        size = 77;
        pack_all(&pack, buffer, room);
        assert_int_equal(pack_end(&pack, &size),
                         room < sizeof(all) - 1 ? -ENOBUFS : 0);
        assert_int_equal(size, room < sizeof(all) - 1 ? 77 : sizeof(all) - 1);
    }
}

static void check_networks(struct unpack *unpack)
{
    char text[ENDPOINT_TEXT_SIZE];
    struct address address;
    struct endpoint endpoint;
    struct prefix prefix;

    unpack_address(unpack, unpack_key(unpack, 4), &address);
    assert_string_equal(address_text(&address, text), "10.0.3.1");
    unpack_endpoint(unpack, unpack_key(unpack, 7), &endpoint);
    assert_string_equal(endpoint_text(&endpoint, text), "10.0.3.1:80");
    unpack_prefix(unpack, unpack_key(unpack, 8), &prefix);
    assert_string_equal(prefix_text(&prefix, text), "10.0.3.0/24");
}

static void test_unpack(void **state)
{
    const msgpack_object *items;
    const msgpack_object_kv *pairs;
    struct unpack unpack;
    uint8_t bytes[2];
    char text[4];
    const char *chars;
    size_t len;

    (void)state;
    heap_fail_at(0);
    unpack_begin(&unpack, all, sizeof(all) - 1);
    assert_int_equal(unpack_key_uint(&unpack, 1, 300, 300), 300);
    unpack_key_bin(&unpack, 2, bytes, sizeof(bytes));
    unpack_key_text(&unpack, 3, 3, text, sizeof(text));
    assert_int_equal(unpack_key_array(&unpack, 5, 3, &items), 3);
    assert_int_equal(unpack_int(&unpack, &items[0]), -2);
    assert_true(unpack_bool(&unpack, &items[1]));
    assert_false(unpack_bool(&unpack, &items[2]));
    assert_int_equal(unpack_map(&unpack, unpack_key(&unpack, 6), 1, &pairs), 1);
    chars = unpack_chars(&unpack, &pairs[0].val, 3, &len);
    assert_int_equal(heap_count(), 0);
    assert_false(heap_off());
    assert_int_equal(bytes[1], 0xff);
    assert_string_equal(text, "h\xc3\xa9");
    assert_int_equal(len, 3);
    assert_memory_equal(chars, "val", 3);
    check_networks(&unpack);
    unpack_key_text(&unpack, 9, 0, text, sizeof(text));
    assert_string_equal(text, "");
    assert_null(unpack_key(&unpack, 10));
    assert_int_equal(unpack_end(&unpack), 0);
}

/* Each reads one value of `all` in a way that does not fit. */
static void misfit(struct unpack *unpack, int which)
{
    const msgpack_object *items;
    const msgpack_object_kv *pairs;
    struct address address = {.family = 9};
    struct endpoint endpoint = {.port = 9};
    struct prefix prefix = {.len = 9};
    uint8_t bytes[4] = {7, 7, 7, 7};
    char text[4] = "zzz";
    size_t n;

    switch (which) {
    case 0:
        assert_int_equal(unpack_key_uint(unpack, 1, 301, 400), 0);
        break;
    case 1:
        assert_int_equal(unpack_key_uint(unpack, 1, 0, 299), 0);
        break;
    case 2: /* not there */
        assert_int_equal(unpack_key_uint(unpack, 10, 0, 9), 0);
        break;
    case 3: /* another type */
        assert_int_equal(unpack_key_uint(unpack, 2, 0, UINT64_MAX), 0);
        break;
    case 4:
        unpack_key_bin(unpack, 2, bytes, 3);
        assert_int_equal(bytes[0] | bytes[1] | bytes[2], 0);
        break;
    case 5:
        unpack_key_bin(unpack, 2, bytes, 1);
        break;
    case 6:
        assert_null(unpack_key_slice(unpack, 3, &n));
        assert_int_equal(n, 0);
        break;
    case 7:
        unpack_key_text(unpack, 3, 0, text, 3);
        assert_string_equal(text, "");
        break;
    case 8:
        unpack_key_text(unpack, 3, 4, text, sizeof(text));
        assert_string_equal(text, "");
        break;
    case 9:
        assert_int_equal(unpack_key_array(unpack, 5, 2, &items), 0);
        break;
    case 10:
        assert_int_equal(unpack_key_array(unpack, 6, 9, &items), 0);
        break;
    case 11:
        assert_int_equal(unpack_map(unpack, unpack_key(unpack, 6), 0, &pairs),
                         0);
        break;
    case 12:
        assert_int_equal(unpack_int(unpack, unpack_key(unpack, 3)), 0);
        break;
    case 13:
        assert_false(unpack_bool(unpack, unpack_key(unpack, 1)));
        break;
    case 14:
        unpack_address(unpack, unpack_key(unpack, 7), &address);
        assert_int_equal(address.family, 9);
        break;
    case 15:
        unpack_endpoint(unpack, unpack_key(unpack, 4), &endpoint);
        assert_int_equal(endpoint.port, 9);
        break;
    case 16:
        unpack_prefix(unpack, unpack_key(unpack, 4), &prefix);
        assert_int_equal(prefix.len, 9);
        break;
    default:
        unpack_require(unpack, false);
        break;
    }
}

static void test_misfits(void **state)
{
    (void)state;
    for (int which = 0; which <= 17; which++) {
        struct unpack unpack;

        unpack_begin(&unpack, all, sizeof(all) - 1);
        misfit(&unpack, which);
        if (unpack_end(&unpack) != UNPACK_E_MALFORMED) {
            fail_msg("misfit %d is not remembered", which);
        }
        unpack_require(&unpack, true); /* once failed, always failed */
        assert_int_equal(unpack_end(&unpack), UNPACK_E_MALFORMED);
    }
}

/* A root that is no map, and bytes that are nothing. */
static void test_roots(void **state)
{
    static const uint8_t max[] = {0xcf, 0x7f, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff};
    static const uint8_t past[] = {0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0};
    struct unpack unpack;

    (void)state;
    unpack_begin(&unpack, max, sizeof(max));
    assert_null(unpack_key(&unpack, 1));
    assert_true(unpack_int(&unpack, &unpack.root) == INT64_MAX);
    assert_int_equal(unpack_end(&unpack), 0);
    unpack_begin(&unpack, past, sizeof(past));
    assert_true(unpack_int(&unpack, &unpack.root) == 0);
    assert_int_equal(unpack_end(&unpack), UNPACK_E_MALFORMED);
    unpack_begin(&unpack, NULL, 0);
    assert_null(unpack_key(&unpack, 1));
    assert_int_equal(unpack_end(&unpack), UNPACK_E_MALFORMED);
}

/* As many elements as there is memory for, and one more. */
static void test_large(void **state)
{
    enum {
        N = LIMIT_MSGPACK_ELEMENTS * 4,
    };
    static uint8_t bytes[4 + N] = {0xdc, N >> 8, N & 0xff};
    static msgpack_object objects[N];
    struct unpack unpack;
    const msgpack_object *items;

    (void)state;
    bytes[2 + N] = 42;
    unpack_begin_large(&unpack, bytes, 3 + N, objects, N);
    assert_int_equal(unpack_array(&unpack, &unpack.root, N, &items), N);
    assert_int_equal(unpack_uint(&unpack, &items[N - 1], 0, 99), 42);
    assert_int_equal(unpack_end(&unpack), 0);
    unpack_begin_large(&unpack, bytes, 3 + N, objects, N - 1);
    assert_int_equal(unpack_end(&unpack), UNPACK_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),    cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_misfits), cmocka_unit_test(test_roots),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
