/* The desired set and its packed form. */
#include <errno.h>

#include "tests/unit/heap.h"
#include "tests/unit/plan_sample.h"

static struct desired_item big_function(size_t n_backends)
{
    struct desired_item item = sample_function("redis", 6, 6379, "100.80.0.1");

    for (size_t i = 0; i < n_backends; i++) {
        char instance[DESIRED_NAME_SIZE];

        (void)snprintf(instance, sizeof(instance), "%063zu", i);
        sample_add_backend(&item, 2, instance, "fd00:2::200");
        item.function.backends[i].priority = (uint16_t)(65535 - i);
    }
    return item;
}

static void expect_same_after_packing(const struct desired_item *item)
{
    static uint8_t bytes[DESIRED_ITEM_SIZE_MAX];
    struct desired_item again;
    size_t size;

    assert_int_equal(desired_item_pack(item, bytes, sizeof(bytes), &size), 0);
    assert_int_equal(desired_item_unpack(bytes, size, &again), 0);
    assert_true(desired_item_equal(item, &again));
    assert_int_equal(desired_item_compare(item, &again), 0);
    desired_item_done(&again);
    for (size_t cut = 0; cut<size; cut += size> 500 ? 97 : 1) {
        assert_int_equal(desired_item_unpack(bytes, cut, &again),
                         DESIRED_E_MALFORMED);
    }
    assert_int_equal(desired_item_unpack(bytes, size + 1, &again),
                     DESIRED_E_MALFORMED);
    assert_int_equal(desired_item_pack(item, bytes, size - 1, &size), -ENOBUFS);
}

static void test_packing(void **state)
{
    struct plan_sample sample;
    struct desired_item item;

    (void)state;
    sample_init(&sample);
    for (size_t i = 0; i < sample.desired.n_items; i++) {
        expect_same_after_packing(&sample.desired.items[i]);
    }
    sample_done(&sample);
    /* Key fields only, as a removal has them. */
    item = (struct desired_item){.type = DESIRED_HOST, .host.id = UINT64_MAX};
    expect_same_after_packing(&item);
    /* The largest there may be, and one more. */
    item = big_function(DESIRED_BACKENDS_MAX);
    expect_same_after_packing(&item);
    desired_item_done(&item);
    item = big_function(DESIRED_BACKENDS_MAX + 1);
    {
        static uint8_t bytes[2 * DESIRED_ITEM_SIZE_MAX];
        struct desired_item again;
        size_t size;

        assert_int_equal(desired_item_pack(&item, bytes, sizeof(bytes), &size),
                         0);
        assert_int_equal(desired_item_unpack(bytes, size, &again),
                         DESIRED_E_MALFORMED);
    }
    desired_item_done(&item);
}

static void expect_malformed(const char *hex)
{
    uint8_t bytes[256];
    struct desired_item item;
    size_t size = strlen(hex) / 2;

    for (size_t i = 0; i < size; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    assert_int_equal(desired_item_unpack(bytes, size, &item),
                     DESIRED_E_MALFORMED);
}

static void test_malformed(void **state)
{
    uint8_t bytes[] = {0x93, 3, 0xc4, 4, 10, 0, 1, 9, 0xa1, 'v'};
    struct desired_item item;

    (void)state;
    assert_int_equal(desired_item_unpack(bytes, sizeof(bytes), &item), 0);
    assert_string_equal(item.local.port_name, "v");
    expect_malformed("");
    expect_malformed("9303c4040a000109a100");   /* NUL in a name */
    expect_malformed("9303c4050a00010900a176"); /* address of 5 bytes */
    expect_malformed("9303c4040a000109b0"       /* name of 16 bytes */
                     "76767676767676767676767676767676");
    expect_malformed("9403c4040a000109a176c0");     /* one field more */
    expect_malformed("9304c4040a000109a176");       /* unknown type */
    expect_malformed("9301c4040a000109a176");       /* a host of 3 fields */
    expect_malformed("960201a16106cd1900c40090");   /* a name that is none */
    expect_malformed("9602a161cd01000190c40090");   /* protocol 256 */
    expect_malformed("9602a16106ce00010000c40090"); /* port 65536 */
    expect_malformed("9602a161060ac400ddffffffff"); /* backends announced */
}

/* As many backends as may be, and one more; without memory for them nothing is
 * kept. */
static void test_memory(void **state)
{
    static uint8_t bytes[DESIRED_ITEM_SIZE_MAX];
    struct desired_item item = sample_function("redis", 6, 6379, "100.80.0.9");
    struct desired_item again = {.type = 0};
    size_t size;

    (void)state;
    item.function.backends =
        calloc(DESIRED_BACKENDS_MAX + 1, sizeof(*item.function.backends));
    assert_non_null(item.function.backends);
    item.function.n_backends = DESIRED_BACKENDS_MAX;
    for (size_t i = 0; i < DESIRED_BACKENDS_MAX; i++) {
        (void)snprintf(item.function.backends[i].instance, DESIRED_NAME_SIZE,
                       "i%zu", i);
    }
    item.function.n_backends = DESIRED_BACKENDS_MAX + 1;
    assert_int_equal(desired_item_pack(&item, bytes, sizeof(bytes), &size), 0);
    assert_int_equal(desired_item_unpack(bytes, size, &again),
                     DESIRED_E_MALFORMED);
    item.function.n_backends = DESIRED_BACKENDS_MAX;
    assert_int_equal(desired_item_pack(&item, bytes, sizeof(bytes), &size), 0);
    heap_fail_at(1);
    assert_int_equal(desired_item_unpack(bytes, size, &again), -ENOMEM);
    assert_true(heap_off());
    assert_int_equal(again.type, 0); /* untouched */
    assert_int_equal(desired_item_unpack(bytes, size, &again), 0);
    assert_true(desired_item_equal(&item, &again));
    desired_item_done(&again);
    desired_item_done(&item);
}

static void test_set(void **state)
{
    struct plan_sample sample;
    struct desired_item key = {.type = DESIRED_HOST,
                               .host.id = UINT64_C(0x1122334455667702)};
    struct desired_item item;
    const struct desired_item *found;
    size_t n;

    (void)state;
    sample_init(&sample);
    n = sample.desired.n_items;
    for (size_t i = 1; i < n; i++) {
        assert_true(desired_item_compare(&sample.desired.items[i - 1],
                                         &sample.desired.items[i]) < 0);
    }
    found = desired_find(&sample.desired, &key);
    assert_non_null(found);
    assert_string_equal(found->host.name, "host2");
    /* A copy is deep, and putting replaces. */
    key = sample_function("redis", 6, 6379, "100.80.0.99");
    found = desired_find(&sample.desired, &key);
    assert_non_null(found);
    assert_int_equal(desired_item_copy(found, &item), 0);
    assert_true(desired_item_equal(found, &item));
    item.function.backends[0].accepts_new = false;
    assert_false(desired_item_equal(found, &item));
    assert_int_equal(desired_put(&sample.desired, &item), 0);
    assert_int_equal(item.type, 0); /* taken over */
    assert_int_equal(sample.desired.n_items, n);
    found = desired_find(&sample.desired, &key);
    assert_false(found->function.backends[0].accepts_new);
    assert_true(desired_remove(&sample.desired, &key));
    assert_false(desired_remove(&sample.desired, &key));
    assert_null(desired_find(&sample.desired, &key));
    assert_int_equal(sample.desired.n_items, n - 1);
    sample_done(&sample);
}

/* Any field of any backend makes another function. */
static void test_equal_functions(void **state)
{
    struct desired_item a = sample_function("redis", 6, 6379, "100.80.0.10");
    struct desired_item b;
    struct desired_backend *backend;

    (void)state;
    sample_add_backend(&a, 1, "one", "10.0.1.200");
    sample_add_backend(&a, 2, "two", "10.0.2.200");
    assert_int_equal(desired_item_copy(&a, &b), 0);
    backend = &b.function.backends[1];
    assert_true(desired_item_equal(&a, &b));
    backend->instance[0] = 'x';
    assert_false(desired_item_equal(&a, &b));
    *backend = a.function.backends[1];
    backend->host_id++;
    assert_false(desired_item_equal(&a, &b));
    *backend = a.function.backends[1];
    backend->address.bytes[3]++;
    assert_false(desired_item_equal(&a, &b));
    *backend = a.function.backends[1];
    backend->port++;
    assert_false(desired_item_equal(&a, &b));
    *backend = a.function.backends[1];
    backend->weight++;
    assert_false(desired_item_equal(&a, &b));
    *backend = a.function.backends[1];
    backend->priority++;
    assert_false(desired_item_equal(&a, &b));
    *backend = a.function.backends[1];
    backend->accepts_new = false;
    assert_false(desired_item_equal(&a, &b));
    *backend = a.function.backends[1];
    b.function.n_backends--;
    assert_false(desired_item_equal(&a, &b));
    b.function.n_backends++;
    b.function.address.bytes[3]++;
    assert_false(desired_item_equal(&a, &b));
    desired_item_done(&a);
    desired_item_done(&b);
}

static void test_host_mac(void **state)
{
    uint8_t mac[6], other[6];

    (void)state;
    desired_host_mac(UINT64_C(0x1122334455667701), mac);
    desired_host_mac(UINT64_C(0x1122334455667702), other);
    assert_int_equal(mac[0], 0x0a);
    assert_int_equal(mac[5], 0x01);
    assert_memory_not_equal(mac, other, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_equal_functions),
        cmocka_unit_test(test_host_mac),
    };

    return cmocka_run_group_tests_name("desired", tests, NULL, NULL);
}
