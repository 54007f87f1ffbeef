/*
 * gossip/wire/stream.h without memory: the n-th allocation of a whole
 * conversation fails, for every n.  Each must come out as -ENOMEM from the call
 * that needed it; nothing may leak (the address sanitizer looks) or be half
 * done.
 *
 * The stream is compiled into this file with an allocator that fails on
 * demand; its objects in the library are then not linked.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/support.h"

static int n_until_failure; /* < 0: never */

static bool is_failing(void)
{
    if (n_until_failure == 0) {
        n_until_failure = -1;
        return true;
    }
    if (n_until_failure > 0) {
        n_until_failure--;
    }
    return false;
}

static void *failing_malloc(size_t size)
{
    return is_failing() ? NULL : malloc(size);
}

static void *failing_calloc(size_t n, size_t size)
{
    return is_failing() ? NULL : calloc(n, size);
}

#define malloc failing_malloc
#define calloc failing_calloc
#include "gossip/wire/stream.c"
#include "gossip/wire/stream_handshake.c"
#undef malloc
#undef calloc

#include "tests/unit/stream_pair.h"

/* Moves what is there; 0 or what stream_receive said. */
static int move(struct stream *from, struct stream *to)
{
    const uint8_t *bytes;
    size_t size;
    int result;

    stream_output(from, &bytes, &size);
    if (size == 0) {
        return 0;
    }
    result = stream_receive(to, bytes, size);
    stream_consume_output(from, size);
    return result;
}

static int start(struct pair *pair)
{
    struct stream_config config_a = sync_config_a();
    struct stream_config config_b = sync_config_b();
    struct stream_opening opening;
    const uint8_t *bytes;
    size_t size;
    int error = stream_new_initiator(&config_a, &pair->a);

    if (error != 0) {
        return error;
    }
    error = send_text(pair->a, "early", false);
    if (error != 0) {
        return error;
    }
    stream_output(pair->a, &bytes, &size);
    assert_int_equal(stream_parse_opening(bytes, size, &opening), 0);
    error = stream_new_responder(&config_b, &opening, &pair->b);
    if (error == 0) {
        stream_consume_output(pair->a, opening.size);
    }
    return error;
}

/* Handshake, an early frame, a frame each way.  0 or the first error. */
static int converse(struct pair *pair)
{
    const uint8_t *bytes;
    size_t size;
    int error = start(pair);

    if (error == 0) {
        error = move(pair->b, pair->a);
    }
    if (error == 0) {
        error = move(pair->a, pair->b);
    }
    if (error == 0) {
        error = stream_next_frame(pair->b, &bytes, &size);
    }
    if (error == 0) {
        assert_int_equal(size, 5);
        assert_memory_equal(bytes, "early", 5);
        error = send_text(pair->b, "answer", true);
    }
    if (error == 0) {
        error = move(pair->b, pair->a);
    }
    if (error == 0) {
        error = stream_next_frame(pair->a, &bytes, &size);
    }
    return error;
}

static void test_each_allocation(void **state)
{
    int n = 0;

    (void)state;
    for (;; n++) {
        struct pair pair = {.a = NULL};
        int result;
        bool has_failed;

        n_until_failure = n;
        result = converse(&pair);
        has_failed = n_until_failure < 0;
        n_until_failure = -1;
        assert_int_equal(result, has_failed ? -ENOMEM : 0);
        pair_done(&pair);
        if (!has_failed) {
            break;
        }
    }
    /* Two streams, and at least a buffer for each thing that waits. */
    assert_true(n >= 8);
}

/* A frame that could not be queued can be sent again; one that could not be
 * fetched is fetched later. */
static void test_again(void **state)
{
    struct pair pair = connect_sync();
    const uint8_t *bytes;
    size_t size;

    (void)state;
    n_until_failure = 0;
    assert_int_equal(send_text(pair.a, "once", false), -ENOMEM);
    assert_int_equal(send_text(pair.a, "once", false), 0);
    assert_int_equal(move(pair.a, pair.b), 0);
    n_until_failure = 0;
    assert_int_equal(stream_next_frame(pair.b, &bytes, &size), -ENOMEM);
    assert_frame(pair.b, "once", 4);
    assert_int_equal(next_result(pair.b), STREAM_E_AGAIN);
    /* Lost input is a gap: that stream is over. */
    assert_int_equal(send_text(pair.a, "twice", false), 0);
    n_until_failure = 0;
    assert_int_equal(move(pair.a, pair.b), -ENOMEM);
    assert_int_equal(next_result(pair.b), -ENOMEM);
    assert_false(stream_is_established(pair.b));
    n_until_failure = -1;
    pair_done(&pair);
}

static int setup(void **state)
{
    n_until_failure = -1;
    return stream_pair_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation),
        cmocka_unit_test(test_again),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
