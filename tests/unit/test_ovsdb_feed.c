/*
 * The OVSDB client without a server: JSON in pieces, rows as they are
 * monitored (both kinds of monitor), probes, deadlines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "reconcilers/ovs/ovsdb.h"
#include "reconcilers/ovs/ovsdb_private.h"
#include "tests/unit/heap.h"

struct seen {
    int n_synced;
    int n_changed;
};

static void on_synced(void *data)
{
    ((struct seen *)data)->n_synced++;
}

static void on_changed(void *data)
{
    ((struct seen *)data)->n_changed++;
}

static const struct ovsdb_callbacks callbacks = {.synced = on_synced,
                                                 .changed = on_changed};

static void test_scanner(void **state)
{
    static const char text[] = " {\"a\":[{\"b\":\"}\\\"]\"}]} \n{}";
    static const char *const malformed[] = {"[1]", "x", "{}]", "  \"a\""};

    (void)state;
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct ovsdb_scanner scanner = {0};
        size_t size = 0;
        int error =
            ovsdb_scanner_run(&scanner, (const uint8_t *)text, cut, &size);

        if (error == OVSDB_JSON_E_AGAIN) {
            error = ovsdb_scanner_run(&scanner, (const uint8_t *)text,
                                      sizeof(text) - 1, &size);
        }
        assert_int_equal(error, 0);
        assert_int_equal(size, 21);
        assert_int_equal(ovsdb_scanner_run(&scanner,
                                           (const uint8_t *)text + size,
                                           sizeof(text) - 1 - size, &size),
                         0);
        assert_int_equal(size, 4);
    }
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
        struct ovsdb_scanner scanner = {0};
        const uint8_t *bytes = (const uint8_t *)malformed[i];
        size_t left = strlen(malformed[i]), size;
        int error;

        while ((error = ovsdb_scanner_run(&scanner, bytes, left, &size)) == 0) {
            bytes += size;
            left -= size;
        }
        assert_int_equal(error, OVSDB_JSON_E_MALFORMED);
    }
}

static void test_scanner_depth(void **state)
{
    struct ovsdb_scanner scanner = {0};
    uint8_t open[65];
    size_t size;

    (void)state;
    memset(open, '{', sizeof(open));
    assert_int_equal(ovsdb_scanner_run(&scanner, open, 64, &size),
                     OVSDB_JSON_E_AGAIN);
    assert_int_equal(ovsdb_scanner_run(&scanner, open, 65, &size),
                     OVSDB_JSON_E_MALFORMED);
}

static void test_uuid(void **state)
{
    static const char text[] = "01234567-89ab-cdef-0123-456789abcdef";
    struct ovsdb_uuid uuid;
    char again[37];

    (void)state;
    assert_true(ovsdb_uuid_parse(text, &uuid));
    ovsdb_uuid_text(&uuid, again);
    assert_string_equal(again, text);
    assert_false(ovsdb_uuid_parse("", &uuid));
    assert_false(
        ovsdb_uuid_parse("01234567-89ab-cdef-0123-456789abcdeg", &uuid));
    assert_false(
        ovsdb_uuid_parse("01234567+89ab-cdef-0123-456789abcdef", &uuid));
    assert_false(
        ovsdb_uuid_parse("01234567-89ab-cdef-0123-456789abcdef0", &uuid));
}

static int feed(struct ovsdb *ovsdb, const char *text)
{
    return ovsdb_feed(ovsdb, (const uint8_t *)text, strlen(text));
}

#define UUID_B "\"00000000-0000-0000-0000-00000000000b\""
#define UUID_1 "\"00000000-0000-0000-0000-000000000001\""
#define UUID_2 "\"00000000-0000-0000-0000-000000000002\""
#define UUID_3 "\"00000000-0000-0000-0000-000000000003\""
#define UUID_4 "\"00000000-0000-0000-0000-000000000004\""

static void test_differences(void **state)
{
    struct seen seen = {0};
    struct ovsdb *ovsdb;
    const struct ovsdb_port *port;

    (void)state;
    assert_int_equal(ovsdb_new("socket", &callbacks, &seen, &ovsdb), 0);
    assert_int_equal(
        feed(ovsdb,
             "{\"id\":0,\"error\":null,\"result\":[false,\"x\",{\"Bridge\":"
             "{" UUID_B
             ":{\"initial\":{\"name\":\"socket\",\"ports\":[\"uuid\"," UUID_1
             "]}}},\"Port\":{" UUID_1 ":{\"initial\":{\"name\":\"vx\","
             "\"interfaces\":[\"uuid\"," UUID_2 "],\"external_ids\":[\"map\","
             "[[\"socketnet\",\"me\"]]]}}},\"Interface\":{" UUID_2
             ":{\"initial\":{\"name\":\"vx\",\"ofport\":7,\"ifindex\":9}}}}]}"),
        0);
    assert_int_equal(seen.n_synced, 1);
    assert_true(ovsdb_has_bridge(ovsdb));
    assert_int_equal(ovsdb_n_ports(ovsdb), 1);
    port = ovsdb_port_at(ovsdb, 0);
    assert_string_equal(port->name, "vx");
    assert_int_equal(port->ofport, 7);
    assert_int_equal(port->ifindex, 9);
    assert_true(port->is_ours);
    assert_true(port->is_device);

    /* Another port, the first one's owner taken away, a number emptied. */
    assert_int_equal(
        feed(ovsdb,
             "{\"method\":\"update3\",\"id\":null,\"params\":[\"socketnet\","
             "\"y\",{\"Bridge\":{" UUID_B
             ":{\"modify\":{\"ports\":[\"uuid\"," UUID_3
             "]}}},\"Port\":{" UUID_1 ":{\"modify\":{\"external_ids\":["
             "\"map\",[[\"socketnet\",\"me\"],[\"a\",\"b\"]]]}}," UUID_3
             ":{\"insert\":{\"name\":\"aa\",\"interfaces\":[\"uuid\"," UUID_4
             "]}}},\"Interface\":{" UUID_2 ":{\"modify\":{\"ifindex\":[\"set\","
             "[]]}}," UUID_4 ":{\"insert\":{\"name\":\"aa\",\"error\":\"no "
             "device\",\"ofport\":-1,\"type\":\"patch\"}}}}]}"),
        0);
    assert_int_equal(seen.n_changed, 1);
    assert_int_equal(ovsdb_n_ports(ovsdb), 2);
    port = ovsdb_port_at(ovsdb, 0);
    assert_string_equal(port->name, "aa");
    assert_false(port->is_device);
    assert_string_equal(port->error, "no device");
    assert_int_equal(port->ofport, -1);
    port = ovsdb_port_at(ovsdb, 1);
    assert_false(port->is_ours);
    assert_int_equal(port->device_ifindex, 0);
    assert_int_equal(port->ifindex, 9);
    assert_int_equal(port->ofport, 7);

    /* The same set difference takes it away again. */
    assert_int_equal(
        feed(ovsdb,
             "{\"method\":\"update3\",\"id\":null,\"params\":[\"socketnet\","
             "\"y\",{\"Bridge\":{" UUID_B
             ":{\"modify\":{\"ports\":[\"uuid\"," UUID_3 "]}}}}]}"),
        0);
    assert_int_equal(ovsdb_n_ports(ovsdb), 1);
    /* Nothing that we show changed. */
    assert_int_equal(
        feed(ovsdb,
             "{\"method\":\"update3\",\"id\":null,\"params\":[\"socketnet\","
             "\"y\",{\"Interface\":{" UUID_4 ":{\"delete\":null}}}]}"),
        0);
    assert_int_equal(seen.n_changed, 2);
    assert_int_equal(
        feed(ovsdb,
             "{\"method\":\"update3\",\"id\":null,\"params\":[\"socketnet\","
             "\"y\",{\"Bridge\":{" UUID_B ":{\"delete\":null}}}]}"),
        0);
    assert_false(ovsdb_has_bridge(ovsdb));
    assert_int_equal(ovsdb_n_ports(ovsdb), 0);
    /* A change of a row that nobody told of. */
    assert_int_equal(
        feed(ovsdb,
             "{\"method\":\"update3\",\"id\":null,\"params\":[\"socketnet\","
             "\"y\",{\"Port\":{" UUID_4 ":{\"modify\":{\"name\":\"x\"}}}}]}"),
        -EBADMSG);
    assert_null(ovsdb_close(ovsdb));
}

static void test_fallback(void **state)
{
    struct seen seen = {0};
    struct ovsdb *ovsdb;

    (void)state;
    assert_int_equal(ovsdb_new("socket", &callbacks, &seen, &ovsdb), 0);
    assert_int_equal(feed(ovsdb, "{\"id\":0,\"error\":\"unknown method\","
                                 "\"result\":null}"),
                     0);
    assert_int_equal(
        feed(ovsdb,
             "{\"id\":1,\"error\":null,\"result\":{\"Bridge\":{" UUID_B
             ":{\"new\":{\"name\":\"socket\",\"ports\":[\"set\",[["
             "\"uuid\"," UUID_1 "]]]}}},\"Port\":{" UUID_1
             ":{\"new\":{\"name\":\"vx\","
             "\"interfaces\":[\"uuid\"," UUID_2 "],\"external_ids\":[\"map\","
             "[]]}}},\"Interface\":{" UUID_2
             ":{\"new\":{\"name\":\"vx\",\"ofport\":7,\"ifindex\":9}}}}}"),
        0);
    assert_int_equal(seen.n_synced, 1);
    assert_int_equal(ovsdb_n_ports(ovsdb), 1);
    assert_int_equal(
        feed(ovsdb,
             "{\"method\":\"update\",\"id\":null,\"params\":[\"socketnet\",{"
             "\"Interface\":{" UUID_2 ":{\"old\":{\"ofport\":7},\"new\":{"
             "\"name\":\"vx\",\"ofport\":8,\"ifindex\":9}}}}]}"),
        0);
    assert_int_equal(ovsdb_port_at(ovsdb, 0)->ofport, 8);
    assert_int_equal(
        feed(ovsdb,
             "{\"method\":\"update\",\"id\":null,\"params\":[\"socketnet\",{"
             "\"Interface\":{" UUID_2 ":{\"old\":{\"ofport\":8}}}}]}"),
        0);
    assert_int_equal(ovsdb_n_ports(ovsdb), 0);
    assert_null(ovsdb_close(ovsdb));
}

static void test_hostile(void **state)
{
    static const char *const texts[] = {
        "nonsense",
        "{\"id\":}",
        "{\"a\":1,\"a\":2}",
        "{\"id\":0,\"result\":[]}",
        "{\"id\":0,\"result\":[0,0,[]]}",
        "{\"id\":0,\"result\":[0,0,{\"Port\":{\"x\":{}}}]}",
        "{\"id\":0,\"result\":[0,0,{\"Port\":{" UUID_1 ":{\"initial\":7}}}]}",
        "{\"id\":0,\"result\":[0,0,{\"Port\":{" UUID_1
        ":{\"initial\":{\"interfaces\":7}}}}]}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct seen seen = {0};
        struct ovsdb *ovsdb;

        assert_int_equal(ovsdb_new("socket", &callbacks, &seen, &ovsdb), 0);
        assert_int_equal(feed(ovsdb, texts[i]), -EBADMSG);
        assert_int_equal(seen.n_synced, 0);
        assert_null(ovsdb_close(ovsdb));
    }
}

/* What waits to be sent, as text; nothing waits afterwards. */
static const char *take_sent(struct ovsdb *ovsdb)
{
    static char text[4096];
    struct channel_buffer *out = &ovsdb->channel.out;

    assert_true(out->size < sizeof(text));
    memcpy(text, out->bytes + out->head, out->size);
    text[out->size] = '\0';
    channel_buffer_consume(out, out->size);
    return text;
}

static struct ovsdb *open_synced(struct seen *seen)
{
    struct ovsdb *ovsdb;

    assert_int_equal(ovsdb_new("socket", &callbacks, seen, &ovsdb), 0);
    assert_non_null(strstr(take_sent(ovsdb), "\"monitor_cond_since\""));
    assert_int_equal(feed(ovsdb,
                          "{\"id\":0,\"error\":null,\"result\":[false,\"x\",{"
                          "\"Bridge\":{" UUID_B
                          ":{\"initial\":{\"name\":\"socket\"}}}}]}"),
                     0);
    assert_int_equal(seen->n_synced, 1);
    return ovsdb;
}

/* The server hangs up on who does not answer; what is no probe is passed
 * over. */
static void test_probe(void **state)
{
    struct seen seen = {0};
    struct ovsdb *ovsdb = open_synced(&seen);

    (void)state;
    assert_int_equal(
        feed(ovsdb, "{\"method\":\"echo\",\"id\":\"a\",\"params\":[7]}"), 0);
    assert_string_equal(take_sent(ovsdb),
                        "{\"result\":[7],\"error\":null,\"id\":\"a\"}");
    assert_int_equal(feed(ovsdb, "{\"method\":\"echo\",\"id\":\"a\"}"), 0);
    assert_int_equal(feed(ovsdb, "{\"method\":\"echo\",\"params\":[]}"), 0);
    assert_int_equal(
        feed(ovsdb, "{\"method\":\"other\",\"id\":\"a\",\"params\":[]}"), 0);
    assert_string_equal(take_sent(ovsdb), "");
    assert_null(ovsdb_close(ovsdb));
}

/* The timer waits for the earliest, whichever was asked for first. */
static void test_deadlines(void **state)
{
    static const uint64_t starts[] = {3000, 1000, 2000};
    static const uint64_t earliest[] = {3000, 1000, 1000};
    struct seen seen = {0};
    struct ovsdb *ovsdb = open_synced(&seen);

    (void)state;
    assert_int_equal(ovsdb_changes_deadline_ms(ovsdb), 0);
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "od%zu", i);
        assert_int_equal(
            ovsdb_add_port(ovsdb, starts[i], name, "x", NULL, NULL), 0);
        assert_int_equal(ovsdb_changes_deadline_ms(ovsdb),
                         earliest[i] + OVSDB_APPLY_TIMEOUT_MS);
    }
    assert_null(ovsdb_close(ovsdb));
}

/* The channel below: what it opens never blocks and is no child's, and nothing
 * to read is said to be that. */
static void test_channel(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct channel channel = CHANNEL_INIT;
    char folder[] = "/tmp/test_ovsdb_feed.XXXXXX";
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), peer;
    char byte[2], long_path[sizeof(address.sun_path) + 1];

    (void)state;
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(channel_connect(&channel, long_path), -ENAMETOOLONG);
    long_path[sizeof(long_path) - 2] = '\0';
    assert_int_equal(channel_connect(&channel, long_path), -ENOENT);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket",
                   folder);
    assert_int_equal(channel_connect(&channel, address.sun_path), -ENOENT);
    assert_int_equal(
        bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(channel_connect(&channel, address.sun_path),
                     -ECONNREFUSED);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(channel_connect(&channel, address.sun_path), 0);
    assert_true(fcntl(channel.fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(channel.fd, F_GETFL) & O_NONBLOCK);
    peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    assert_int_equal(channel_read(&channel, 16), CHANNEL_E_AGAIN);
    assert_int_equal(write(peer, "0123456789abcdefg", 17), 17);
    assert_int_equal(channel_read(&channel, 16), 0);
    assert_int_equal(channel.in.size, 16);
    assert_int_equal(channel_read(&channel, 16), -EOVERFLOW);
    assert_int_equal(channel_read(&channel, 17), 0);
    assert_memory_equal(channel.in.bytes + channel.in.head, "0123456789abcdefg",
                        17);
    /* Down to the last byte. */
    assert_int_equal(channel_send(&channel, "x", 1), 0);
    assert_int_equal(channel_write(&channel), 0);
    assert_int_equal(channel.out.size, 0);
    assert_int_equal(recv(peer, byte, sizeof(byte), MSG_DONTWAIT), 1);
    assert_int_equal(byte[0], 'x');
    assert_int_equal(close(peer), 0);
    assert_int_equal(channel_read(&channel, 32), -ECONNRESET);
    assert_int_equal(channel_send(&channel, "x", 1), 0);
    assert_int_equal(channel_write(&channel), -ECONNRESET);
    channel_done(&channel);
    assert_int_equal(channel.fd, -1);
    assert_int_equal(close(listener), 0);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* A message has its limit, with what came of it before. */
static void test_too_large(void **state)
{
    struct seen seen = {0};
    struct ovsdb *ovsdb = open_synced(&seen);
    uint8_t *bytes = malloc(OVSDB_MESSAGE_MAX + 1);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, ' ', OVSDB_MESSAGE_MAX + 1);
    assert_int_equal(ovsdb_feed(ovsdb, bytes, OVSDB_MESSAGE_MAX + 1),
                     -EOVERFLOW);
    assert_int_equal(ovsdb_feed(ovsdb, (const uint8_t *)"{", 1), 0);
    assert_int_equal(ovsdb_feed(ovsdb, bytes, OVSDB_MESSAGE_MAX), -EOVERFLOW);
    assert_int_equal(ovsdb_feed(ovsdb, bytes, OVSDB_MESSAGE_MAX - 1), 0);
    assert_int_equal(ovsdb_feed(ovsdb, (const uint8_t *)"}", 1), -EOVERFLOW);
    free(bytes);
    assert_null(ovsdb_close(ovsdb));
}

struct done {
    int n;
    int error;
    char text[256];
};

static void on_done(int error, const char *text, void *data)
{
    struct done *done = data;

    done->n++;
    done->error = error;
    (void)snprintf(done->text, sizeof(done->text), "%s", text);
}

#define UPDATE(tables)                                                         \
    "{\"method\":\"update3\",\"id\":null,\"params\":[\"socketnet\",\"y\","     \
    "{" tables "}]}"
#define CUR_CFG(number)                                                        \
    UPDATE("\"Open_vSwitch\":{" UUID_4 ":{\"modify\":{\"cur_cfg\":" number     \
           "}}}")

/* A change ends when the switch says that it has applied it, and not before;
 * each with its own answer. */
static void test_change_in_one_feed(void **state)
{
    struct seen seen = {0};
    struct done first = {0}, second = {0}, third = {0};
    struct ovsdb *ovsdb = open_synced(&seen);

    (void)state;
    assert_int_equal(ovsdb_add_port(ovsdb, 0, "od0", "x", on_done, &first), 0);
    assert_int_equal(ovsdb_add_port(ovsdb, 0, "od1", "x", on_done, &second), 0);
    assert_int_equal(ovsdb_add_port(ovsdb, 0, "od2", "x", on_done, &third), 0);
    assert_int_equal(feed(ovsdb, CUR_CFG("9")), 0);
    assert_int_equal(first.n + second.n + third.n, 0);
    assert_int_equal(feed(ovsdb, "{\"id\":2,\"error\":null,\"result\":[{},{"
                                 "\"rows\":[{\"next_cfg\":10}]}]}"
                                 "{\"id\":9,\"error\":null,\"result\":[{"
                                 "\"rows\":[{\"next_cfg\":1}]}]}"),
                     0);
    assert_int_equal(first.n, 0);
    assert_int_equal(feed(ovsdb, CUR_CFG("10")), 0);
    assert_int_equal(first.n, 1);
    assert_int_equal(first.error, 0);
    assert_string_equal(first.text, "");
    assert_int_equal(second.n + third.n, 0);
    /* Refused, by one of its operations, and by something that is none. */
    assert_int_equal(
        feed(ovsdb, "{\"id\":3,\"error\":null,\"result\":[{},{\"error\":"
                    "\"constraint violation\",\"details\":\"no\"},null]}"),
        0);
    assert_int_equal(second.n, 1);
    assert_int_equal(second.error, -EBADMSG);
    assert_string_equal(second.text,
                        "database refused port od1: constraint violation no");
    assert_int_equal(feed(ovsdb, "{\"id\":4,\"error\":null,\"result\":[]}"), 0);
    assert_int_equal(third.n, 1);
    assert_int_equal(third.error, -EBADMSG);
    assert_string_equal(third.text, "database refused port od2: no answer ");
    assert_int_equal(ovsdb_changes_deadline_ms(ovsdb), 0);
    /* A "wait" that did not hold; a device that cannot be opened. */
    first = second = (struct done){0};
    assert_int_equal(ovsdb_add_port(ovsdb, 0, "od0", "x", on_done, &first), 0);
    assert_int_equal(ovsdb_add_port(ovsdb, 0, "od1", "x", on_done, &second), 0);
    assert_int_equal(feed(ovsdb, "{\"id\":5,\"error\":null,\"result\":[{"
                                 "\"error\":\"timed out\"},null]}"
                                 "{\"id\":6,\"error\":null,\"result\":[{"
                                 "\"rows\":[{\"next_cfg\":11}]}]}"),
                     0);
    assert_int_equal(first.n, 1);
    assert_int_equal(first.error, -EEXIST);
    assert_string_equal(first.text,
                        "port od0 exists already, or bridge socket is gone");
    assert_int_equal(
        feed(ovsdb,
             UPDATE("\"Open_vSwitch\":{" UUID_4
                    ":{\"modify\":{\"cur_cfg\":12}}},\"Bridge\":{" UUID_B
                    ":{\"modify\":{\"ports\":[\"uuid\"," UUID_1
                    "]}}},\"Port\":{" UUID_1 ":{\"insert\":{\"name\":\"od1\","
                    "\"interfaces\":[\"uuid\"," UUID_2
                    "],\"external_ids\":[\"map\",[[\"socketnet\","
                    "\"x\"]]]}}},\"Interface\":{" UUID_2
                    ":{\"insert\":{\"name\":\"od1\",\"error\":\"no device\","
                    "\"ofport\":-1}}}")),
        0);
    assert_int_equal(second.n, 1);
    assert_int_equal(second.error, -ENODEV);
    assert_string_equal(second.text, "port od1: no device");
    /* Ours, so it can go; changed by another meanwhile. */
    first = (struct done){0};
    assert_int_equal(ovsdb_remove_port(ovsdb, 0, "od1", on_done, &first), 0);
    assert_int_equal(feed(ovsdb, "{\"id\":7,\"error\":null,\"result\":[{"
                                 "\"error\":\"timed out\"},null]}"),
                     0);
    assert_int_equal(first.error, -EAGAIN);
    assert_string_equal(first.text,
                        "port od1 of bridge socket was changed by another");
    assert_null(ovsdb_close(ovsdb));
}

/* Moved to the front before it grows, and given back after a burst. */
static void test_buffer(void **state)
{
    static uint8_t burst[300 * 1024];
    struct channel_buffer buffer = {0};
    uint8_t bytes[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i % 251);
    }
    assert_int_equal(channel_buffer_append(&buffer, bytes, 0), 0);
    assert_int_equal(channel_buffer_append(&buffer, bytes, 1024), 0);
    assert_int_equal(buffer.capacity, 1024);
    channel_buffer_consume(&buffer, 24);
    assert_int_equal(channel_buffer_append(&buffer, bytes, 24), 0);
    assert_int_equal(buffer.capacity, 1024);
    assert_int_equal(buffer.size, 1024);
    assert_memory_equal(buffer.bytes + buffer.head, bytes + 24, 1000);
    assert_memory_equal(buffer.bytes + buffer.head + 1000, bytes, 24);
    assert_int_equal(channel_buffer_append(&buffer, bytes, 1), 0);
    assert_int_equal(buffer.capacity, 2048);
    channel_buffer_consume(&buffer, 1024);
    assert_int_equal(buffer.bytes[buffer.head], bytes[0]);
    channel_buffer_consume(&buffer, 1);
    assert_int_equal(buffer.head, 0);
    assert_int_equal(buffer.capacity, 2048); /* kept for the next */
    /* More than memory has. */
    assert_int_equal(channel_buffer_append(&buffer, bytes, SIZE_MAX / 2),
                     -ENOMEM);
    assert_int_equal(channel_buffer_append(&buffer, burst, sizeof(burst)), 0);
    channel_buffer_consume(&buffer, sizeof(burst) - 1);
    assert_non_null(buffer.bytes);
    channel_buffer_consume(&buffer, 1);
    assert_null(buffer.bytes);
    assert_int_equal(buffer.capacity, 0);
    heap_fail_at(1);
    assert_int_equal(channel_buffer_append(&buffer, bytes, 1), -ENOMEM);
    assert_true(heap_off());
    assert_int_equal(buffer.size, 0);
}

static size_t count_descriptors(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* What was opened is closed, after a failure too. */
static void test_descriptors(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/test_ovsdb_feed.XXXXXX";
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    size_t n = count_descriptors();
    struct seen seen = {0};
    struct ovsdb *ovsdb = NULL;
    struct rlimit limit, few;
    int error = -EMFILE;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket",
                   folder);
    assert_int_equal(
        ovsdb_open(address.sun_path, "socket", &callbacks, &seen, &ovsdb),
        -ENOENT);
    assert_int_equal(
        bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    /* None at first, then one more each time. */
    few = limit;
    for (int fd = 0; error != 0 && fd < 1000; fd++) {
        few.rlim_cur = (rlim_t)fd;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        error =
            ovsdb_open(address.sun_path, "socket", &callbacks, &seen, &ovsdb);
        assert_true(error == 0 || error == -EMFILE);
        assert_int_equal(count_descriptors(), error == 0 ? n + 3 : n);
    }
    assert_int_equal(error, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_null(ovsdb_close(ovsdb));
    assert_int_equal(count_descriptors(), n);
    assert_int_equal(close(listener), 0);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* No memory: it is said, and nothing of it goes on. */
static void test_no_memory(void **state)
{
    struct seen seen = {0};
    bool has_failed = true;

    (void)state;
    for (unsigned n = 1; has_failed; n++) {
        struct ovsdb *ovsdb = NULL;
        int error;

        assert_true(n < 100);
        heap_fail_at(n);
        error = ovsdb_new("socket", &callbacks, &seen, &ovsdb);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        assert_null(ovsdb_close(ovsdb));
    }
    has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct ovsdb *ovsdb;
        int error;

        assert_true(n < 100);
        seen = (struct seen){0};
        ovsdb = open_synced(&seen);
        channel_done(&ovsdb->channel); /* its buffers have to grow again */
        heap_fail_at(n);
        error = ovsdb_add_port(ovsdb, 1000, "od0", "x", NULL, NULL);
        has_failed = heap_off();
        assert_int_equal(error, has_failed ? -ENOMEM : 0);
        assert_int_equal(ovsdb_changes_deadline_ms(ovsdb) == 0, has_failed);
        assert_null(ovsdb_close(ovsdb));
    }
}

/* What adding a port sends, when the n-th allocation fails; the caller frees
 * it.  NULL: it was refused, and nothing of it is sent. */
static char *text_of_port(unsigned n, bool *ret_has_failed)
{
    struct seen seen = {0};
    struct ovsdb *ovsdb = open_synced(&seen);
    char *text = NULL;
    int error;

    channel_done(&ovsdb->channel);
    heap_fail_at(n);
    error = ovsdb_add_port(ovsdb, 1000, "od0", "x", NULL, NULL);
    *ret_has_failed = heap_off();
    if (error == 0) {
        const struct channel_buffer *out = &ovsdb->channel.out;

        text = calloc(1, out->size + 1);
        assert_non_null(text);
        memcpy(text, out->bytes + out->head, out->size);
    } else {
        assert_int_equal(error, -ENOMEM);
        assert_int_equal(ovsdb->channel.out.size, 0);
    }
    assert_null(ovsdb_close(ovsdb));
    return text;
}

/* The JSON library's memory ends as well: a request is whole or not sent. */
static void test_whole_request(void **state)
{
    bool has_failed = true;
    char *whole;

    (void)state;
    json_set_alloc_funcs(malloc, free);
    whole = text_of_port(0, &has_failed);
    has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        char *text;

        assert_true(n < 2000);
        text = text_of_port(n, &has_failed);
        if (text != NULL) {
            assert_string_equal(text, whole);
        } else {
            assert_true(has_failed);
        }
        free(text);
    }
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scanner),
        cmocka_unit_test(test_scanner_depth),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_fallback),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_channel),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_whole_request),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_change_in_one_feed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
