/*
 * agent/core/poison.h: a process that ends in the middle of something is
 * played by opening the file again without closing it.
 */
#include "agent/core/poison.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

static char directory[] = "/tmp/test_poison.XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/poison", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    assert_int_equal(rmdir(directory), 0);
    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    return 0;
}

/* One life of core: it looks at a packet, maybe at a record in it, and dies
 * there, or gets through.  Whether both were looked at. */
static bool live(const char *packet, const char *record, bool dies)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct poison *poison = NULL;
        bool is_looked_at =
            poison_open(path, &poison) == 0 &&
            poison_begin(poison, POISON_PACKET, (const uint8_t *)packet,
                         strlen(packet));

        if (is_looked_at && record != NULL) {
            is_looked_at = poison_begin(
                poison, POISON_RECORD, (const uint8_t *)record, strlen(record));
        }
        if (is_looked_at && dies) {
            _exit(2);
        }
        poison_end(poison, POISON_RECORD);
        poison_end(poison, POISON_PACKET);
        poison = poison_close(poison);
        _exit(is_looked_at ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status) != 1;
}

static size_t n_set_aside(void)
{
    struct poison *poison = NULL;
    size_t n;

    assert_int_equal(poison_open(path, &poison), 0);
    n = poison_n_set_aside(poison);
    assert_null(poison_close(poison));
    return n;
}

/* Three deaths, not two; and others are looked at as before. */
static void test_three_times(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(n_set_aside(), 0);
        assert_true(live("bad", NULL, true));
    }
    assert_int_equal(n_set_aside(), 1);
    assert_false(live("bad", NULL, true));
    assert_true(live("good", NULL, false));
    assert_int_equal(n_set_aside(), 1);
}

/* A record is to blame, whatever packet it comes in. */
static void test_record_in_packets(void **state)
{
    static const char *const packets[] = {"one", "two", "three"};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(live(packets[i], "bad", true));
    }
    assert_false(live("four", "bad", true));
    assert_true(live("one", "good", false));
}

/* What it got through, or ended in peace after, is not to blame. */
static void test_survivors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(live("fine", "fine too", false));
    }
    assert_int_equal(n_set_aside(), 0);
}

/* So many that not all are kept: what died most stays. */
static void test_many(void **state)
{
    char packet[16];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(live("bad", NULL, true));
    }
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(packet, sizeof(packet), "p%u", i); /* fits */
        assert_true(live(packet, NULL, true));
    }
    assert_int_equal(n_set_aside(), 1);
    assert_false(live("bad", NULL, true));
}

/* Without the file core works all the same; garbage in it is nothing. */
static void test_no_file(void **state)
{
    struct poison *poison = NULL;
    FILE *file = fopen(path, "w");

    (void)state;
    assert_non_null(file);
    for (unsigned i = 0; i < 4096; i++) {
        assert_int_equal(fputc(0xff, file), 0xff);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(n_set_aside(), 0);
    assert_true(poison_open("/nowhere/poison", &poison) < 0);
    assert_null(poison);
    assert_true(poison_begin(NULL, POISON_PACKET, (const uint8_t *)"x", 1));
    poison_end(NULL, POISON_PACKET);
    assert_int_equal(poison_n_set_aside(NULL), 0);
    assert_null(poison_close(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_in_packets, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_survivors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
