/*
 * gossip/node/sync_stream.c by the node's public interface, as test_node.c:
 * what is said in a stream, when one is asked for, and when it ends.
 */
#include "tests/unit/sync_fixture.h"

#include <stdlib.h>

static void on_stream(struct puppets *puppets, enum node_event_type type,
                      uint32_t stream, bool is_initiator, const uint8_t *bytes,
                      size_t size)
{
    struct node_event event = {.type = type,
                               .stream = stream,
                               .is_initiator = is_initiator,
                               .bytes = bytes,
                               .size = size};

    memcpy(event.peer, puppets->keys[SYNC_ASKER].sign_public, 32);
    puppets_step(puppets, &event);
}

static void open_stream(struct puppets *puppets, uint32_t stream,
                        bool is_initiator)
{
    on_stream(puppets, NODE_EVENT_STREAM_OPENED, stream, is_initiator, NULL, 0);
}

static void close_stream(struct puppets *puppets, uint32_t stream)
{
    on_stream(puppets, NODE_EVENT_STREAM_CLOSED, stream, false, NULL, 0);
}

static void send_frame(struct puppets *puppets, uint32_t stream,
                       const struct writer *writer)
{
    assert_false(writer->failed);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, stream, false, writer->start,
              writer_size(writer));
}

/* The initiator begins, and the answers go the same way. */
static void test_stream_speaks(void **state)
{
    struct puppets *puppets = *state;
    struct message_head head = {.first = 0, .last = UINT64_MAX};
    uint8_t frame[4096];
    uint64_t hashes[512];
    struct writer writer = writer_init(frame, sizeof(frame));
    struct puppet_record record;
    size_t n = sync_hashes(puppets, 0, UINT64_MAX, hashes);

    open_stream(puppets, 7, true);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(7), MESSAGE_HEADS),
                     1);
    open_stream(puppets, 8, false);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(8), MESSAGE_HEADS),
                     0);
    assert_int_equal(puppets->n_frames, 1);
    puppets_clear(puppets);
    message_put_heads(&writer, &head, 1);
    send_frame(puppets, 8, &writer);
    sync_check_sent(puppets, PUPPET_STREAM(8), hashes, n);
    puppets_clear(puppets);
    /* Of HAVE and WANT, and a record, in one frame. */
    writer = writer_init(frame, sizeof(frame));
    message_put_have(&writer, 0, UINT64_MAX, 0, UINT64_MAX, hashes, n - 1);
    message_put_hashes(&writer, MESSAGE_WANT, hashes, 1);
    puppet_service(puppets, 2, "a", PUPPET_WALL_MS, &record);
    message_put_record(&writer, record.bytes, record.size);
    send_frame(puppets, 8, &writer);
    {
        uint64_t both[2] = {hashes[0], hashes[n - 1]};

        sync_check_sent(puppets, PUPPET_STREAM(8), both, 2);
    }
    assert_int_equal(node_n_records(puppets->node), n + 1);
    /* A stream of nobody, and one that is over. */
    puppets_clear(puppets);
    send_frame(puppets, 9, &writer);
    close_stream(puppets, 8);
    send_frame(puppets, 8, &writer);
    send_frame(puppets, 0, &writer);
    assert_int_equal(puppets->n_seen, 0);
    assert_int_equal(puppets->n_closed, 0);
}

/* In a stream what was asked for by packet is asked for all the same. */
static void test_stream_asks_again(void **state)
{
    struct puppets *puppets = *state;
    uint8_t frame[128];
    struct writer writer = writer_init(frame, sizeof(frame));
    struct message_head nobody = {.first = 1, .last = 1};
    uint64_t hash = 1000;

    sync_send_have(puppets, &nobody, 0, UINT64_MAX, &hash, 1);
    assert_int_equal(puppet_n_seen(puppets, SYNC_ASKER, MESSAGE_WANT), 1);
    open_stream(puppets, 3, false);
    message_put_have(&writer, 1, 1, 0, UINT64_MAX, &hash, 1);
    send_frame(puppets, 3, &writer);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(3), MESSAGE_WANT), 1);
}

/* More than a frame holds goes in several. */
static void test_frames(void **state)
{
    struct puppets *puppets = *state;
    struct message_head head = {.first = 0, .last = UINT64_MAX};
    uint8_t frame[128];
    struct writer writer = writer_init(frame, sizeof(frame));
    uint64_t hashes[512];
    size_t n;

    sync_add_services(puppets, 2, 200);
    n = sync_hashes(puppets, 0, UINT64_MAX, hashes);
    open_stream(puppets, 3, false);
    puppets_clear(puppets);
    message_put_heads(&writer, &head, 1);
    send_frame(puppets, 3, &writer);
    sync_check_sent(puppets, PUPPET_STREAM(3), hashes, n);
    assert_true(puppets->n_frames >= 2);
    assert_true(puppets->n_frames <= 3);
}

/* LIMIT_SYNC_STREAMS at once; the place of a closed one is free. */
static void test_streams(void **state)
{
    struct puppets *puppets = *state;

    for (uint32_t i = 1; i <= LIMIT_SYNC_STREAMS; i++) {
        open_stream(puppets, i, false);
    }
    assert_int_equal(puppets->n_closed, 0);
    open_stream(puppets, 100, false);
    assert_int_equal(puppets->n_closed, 1);
    assert_int_equal(puppets->closed, 100);
    close_stream(puppets, LIMIT_SYNC_STREAMS);
    open_stream(puppets, 101, false);
    assert_int_equal(puppets->n_closed, 1);
}

/* LIMIT_SYNC_STREAM_BYTES: up to it there are answers, past it the end. */
static void test_stream_bytes(void **state)
{
    struct puppets *puppets = *state;
    uint8_t *frame = calloc(1, LIMIT_SYNC_STREAM_BYTES + 1);
    struct message_head head = {.first = 0, .last = UINT64_MAX};
    struct writer writer = writer_init(frame, LIMIT_SYNC_STREAM_BYTES);
    uint64_t n_dropped = puppets_counters(puppets)->dropped_message;

    assert_non_null(frame);
    /* The rest of the frame is no message. */
    message_put_heads(&writer, &head, 1);
    open_stream(puppets, 1, false);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 1, false, frame,
              LIMIT_SYNC_STREAM_BYTES + 1);
    assert_int_equal(puppets_counters(puppets)->dropped_message, n_dropped + 1);
    assert_int_equal(puppets->n_frames, 0);
    assert_int_equal(puppets->n_closed, 1);
    puppets->now_ms += 10000; /* LIMIT_PEER_BURST is there again */
    open_stream(puppets, 2, false);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 2, false, frame + 64,
              LIMIT_SYNC_STREAM_BYTES - 64);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 2, false, frame + 64, 64);
    assert_int_equal(puppets->n_closed, 1);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 2, false, frame + 64, 1);
    assert_int_equal(puppets->n_closed, 2);
    puppets->now_ms += 10000;
    open_stream(puppets, 3, false);
    on_stream(puppets, NODE_EVENT_STREAM_FRAME, 3, false, frame,
              LIMIT_SYNC_STREAM_BYTES);
    assert_int_equal(puppets->n_frames, 1);
    free(frame);
}

/* An initiator's stream lives on while it is spoken on, and says that it is
 * done; no stream lives longer than LIMIT_SYNC_STREAM_MS. */
static void test_stream_ends(void **state)
{
    struct puppets *puppets = *state;
    uint8_t frame[8];
    struct writer writer = writer_init(frame, sizeof(frame));
    uint64_t opened_ms;

    message_put_done(&writer);
    open_stream(puppets, 5, true);
    puppets_run(puppets, 900);
    send_frame(puppets, 5, &writer);
    puppets_clear(puppets);
    puppets_run(puppets, 999);
    assert_int_equal(puppets->n_closed, 0);
    puppets_run(puppets, 1);
    assert_int_equal(puppets->n_closed, 1);
    assert_int_equal(puppets->closed, 5);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(5), MESSAGE_DONE), 1);
    opened_ms = puppets->now_ms;
    open_stream(puppets, 6, true);
    while (puppets->n_closed == 1) {
        assert_true(puppets->now_ms <= opened_ms + LIMIT_SYNC_STREAM_MS);
        puppets_run(puppets, 500);
        puppets_clear(puppets);
        send_frame(puppets, 6, &writer);
    }
    assert_int_equal(puppets->closed_ms, opened_ms + LIMIT_SYNC_STREAM_MS);
    /* The other side waits for the initiator's end, and says nothing. */
    open_stream(puppets, 9, false);
    puppets_clear(puppets);
    puppets_run(puppets, LIMIT_SYNC_STREAM_MS);
    assert_int_equal(puppets->n_closed, 3);
    assert_int_equal(puppet_n_seen(puppets, PUPPET_STREAM(9), MESSAGE_DONE), 0);
}

/* Asks for all records of a view too large for a burst of packets. */
static void ask_for_much(struct puppets *puppets)
{
    uint64_t hashes[512];
    size_t n = sync_hashes(puppets, 0, UINT64_MAX, hashes);

    puppet_send_hashes(puppets, SYNC_ASKER, MESSAGE_WANT, hashes,
                       MIN_OF(n, (size_t)140));
    puppets_clear(puppets);
}

/* A stream is asked for once in five seconds, and while there is none. */
static void test_stream_is_asked_for(void **state)
{
    struct puppets *puppets = *state;

    sync_add_services(puppets, 2, 140);
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 1);
    puppets->now_ms += 4999;
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 1);
    puppets->now_ms++;
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 2);
    assert_int_equal(puppets_counters(puppets)->streams_opened, 2);
    puppets->now_ms += 5000;
    open_stream(puppets, 4, false);
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 2);
    close_stream(puppets, 4);
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 3);
    /* HEADS that lead to much do as well. */
    puppets->now_ms += 5000;
    sync_send_head(puppets, 0, UINT64_MAX, 0, 0);
    assert_int_equal(puppets->n_streams, 4);
}

/* With other peers there may be LIMIT_SYNC_OWN_STREAMS; those that others
 * opened do not count. */
static void test_no_stream_is_left(void **state)
{
    struct puppets *puppets = *state;

    sync_add_services(puppets, 2, 140);
    for (uint32_t i = 1; i <= LIMIT_SYNC_OWN_STREAMS; i++) {
        struct node_event event = {.type = NODE_EVENT_STREAM_OPENED,
                                   .stream = i,
                                   .is_initiator = true};

        memcpy(event.peer, puppets->keys[2].sign_public, 32);
        puppets_step(puppets, &event);
    }
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 0);
    close_stream(puppets, 1);
    ask_for_much(puppets);
    assert_int_equal(puppets->n_streams, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stream_speaks, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_asks_again,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_frames, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_streams, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_bytes, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_ends, puppets_setup_four,
                                        puppets_teardown),
        cmocka_unit_test_setup_teardown(test_stream_is_asked_for,
                                        puppets_setup_four, puppets_teardown),
        cmocka_unit_test_setup_teardown(test_no_stream_is_left,
                                        puppets_setup_four, puppets_teardown),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
