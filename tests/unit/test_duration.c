/*
 * agent/text/duration.h.
 */
#include "agent/text/duration.h"

#include "tests/unit/support.h"

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"10s", 10000},   {"250ms", 250},
        {"5m", 300000},   {"2h", 7200000},
        {"1d", 86400000}, {"90", 90000},
        {"0", 0},         {"4294967295d", UINT64_C(4294967295) * 86400000},
    };
    static const char *const bad[] = {
        "",     "s",   "-1s", "+1s", "1.5s", "10 s",       "10x",
        "10sx", "10S", " 1",  "1 ",  "010s", "4294967296",
    };
    uint64_t ms;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(duration_parse(good[i].text, &ms), 0);
        assert_true(ms == good[i].ms);
    }
    ms = 77;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (duration_parse(bad[i], &ms) == 0) {
            fail_msg("\"%s\" is taken", bad[i]);
        }
        assert_int_equal(ms, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
