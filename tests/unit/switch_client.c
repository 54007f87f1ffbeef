/* A blocking OpenFlow client for tests; see switch_client.h. */
#include "tests/unit/switch_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <setjmp.h>
#include <cmocka.h>

void client_send(struct client *client, const struct writer *writer)
{
    assert_false(writer->failed);
    assert_int_equal(send(client->fd, writer->start, writer_size(writer), 0),
                     (ssize_t)writer_size(writer));
}

static void client_take(struct client *client, size_t from, size_t to)
{
    while (from < to) {
        ssize_t n = recv(client->fd, client->message + from, to - from, 0);

        assert_true(n > 0);
        from += (size_t)n;
    }
}

/* Next message, echo requests answered. */
static void client_receive(struct client *client)
{
    int r;

    client_take(client, 0, OPENFLOW_HEADER_SIZE);
    r = openflow_peek(client->message, OPENFLOW_HEADER_SIZE, &client->header);
    if (r == OPENFLOW_E_AGAIN) {
        size_t size =
            (size_t)client->message[2] << 8 | (size_t)client->message[3];

        client_take(client, OPENFLOW_HEADER_SIZE, size);
        r = openflow_peek(client->message, size, &client->header);
    }
    assert_int_equal(r, 0);
}

/* Skips messages until one of this type; an error fails the test. */
void client_expect(struct client *client, enum openflow_type type)
{
    do {
        client_receive(client);
        if (client->header.type == OPENFLOW_ERROR && type != OPENFLOW_ERROR) {
            uint16_t kind, code;
            char text[128];

            assert_int_equal(openflow_parse_error(client->message,
                                                  client->header.length, &kind,
                                                  &code),
                             0);
            fail_msg("the switch says: %s",
                     openflow_error_text(kind, code, text));
        }
    } while (client->header.type != type);
}

void client_open(struct client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = 10};
    uint8_t bytes[64];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    memset(client, 0, sizeof(*client));
    assert_true(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    client->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(client->fd >= 0);
    assert_int_equal(
        connect(client->fd, (const struct sockaddr *)&address, sizeof(address)),
        0);
    (void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
                     sizeof(timeout));
    openflow_put_hello(&writer, 1);
    client_send(client, &writer);
    client_expect(client, OPENFLOW_HELLO);
    assert_int_equal(client->header.version, OPENFLOW_VERSION);
}

void client_barrier(struct client *client)
{
    uint8_t bytes[8];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    openflow_put_simple(&writer, OPENFLOW_BARRIER_REQUEST, 99, NULL, 0);
    client_send(client, &writer);
    client_expect(client, OPENFLOW_BARRIER_REPLY);
}

/* --- Dumps. --- */

void dump_done(struct dump *dump)
{
    for (size_t i = 0; i < dump->n_flows; i++) {
        flow_done(&dump->flows[i]);
    }
    for (size_t i = 0; i < dump->n_groups; i++) {
        group_done(&dump->groups[i]);
    }
    free(dump->flows);
    free(dump->groups);
    free(dump->ports);
}

/* Room for one more of an array that grows at powers of two. */
static void *grow(void *array, size_t n, size_t size)
{
    if ((n & (n - 1)) == 0) {
        array = reallocarray(array, n == 0 ? 1 : 2 * n, size);
        assert_non_null(array);
    }
    return array;
}

static int dump_next(struct dump *dump, uint16_t type, struct reader *entries)
{
    if (type == OPENFLOW_MULTIPART_FLOWS) {
        dump->flows = grow(dump->flows, dump->n_flows, sizeof(*dump->flows));
        return openflow_next_flow(entries, &dump->flows[dump->n_flows]);
    }
    if (type == OPENFLOW_MULTIPART_GROUPS) {
        dump->groups =
            grow(dump->groups, dump->n_groups, sizeof(*dump->groups));
        return openflow_next_group(entries, &dump->groups[dump->n_groups]);
    }
    dump->ports = grow(dump->ports, dump->n_ports, sizeof(*dump->ports));
    return openflow_next_port(entries, &dump->ports[dump->n_ports]);
}

static void dump_part(struct client *client, struct dump *dump, uint16_t wanted)
{
    bool has_more = true;

    while (has_more) {
        struct reader entries;
        uint16_t type;
        int r;

        client_expect(client, OPENFLOW_MULTIPART_REPLY);
        assert_int_equal(openflow_parse_multipart(client->message,
                                                  client->header.length, &type,
                                                  &has_more, &entries),
                         0);
        assert_int_equal(type, wanted);
        while ((r = dump_next(dump, type, &entries)) == 0) {
            if (type == OPENFLOW_MULTIPART_FLOWS) {
                dump->n_flows++;
            } else if (type == OPENFLOW_MULTIPART_GROUPS) {
                dump->n_groups++;
            } else {
                dump->n_ports++;
            }
        }
        assert_int_equal(r, OPENFLOW_E_AGAIN);
    }
}

struct dump client_dump(struct client *client)
{
    uint8_t bytes[128];
    struct writer writer = writer_init(bytes, sizeof(bytes));
    struct dump dump = {0};

    openflow_put_flow_stats_request(&writer, 2, 0, 0);
    client_send(client, &writer);
    dump_part(client, &dump, OPENFLOW_MULTIPART_FLOWS);
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_group_desc_request(&writer, 3);
    client_send(client, &writer);
    dump_part(client, &dump, OPENFLOW_MULTIPART_GROUPS);
    writer = writer_init(bytes, sizeof(bytes));
    openflow_put_port_desc_request(&writer, 4);
    client_send(client, &writer);
    dump_part(client, &dump, OPENFLOW_MULTIPART_PORTS);
    return dump;
}

/* --- One bundle for a diff. --- */

void bundle_control(struct client *client, uint16_t type)
{
    uint8_t bytes[16];
    struct writer writer = writer_init(bytes, sizeof(bytes));

    openflow_put_bundle_control(&writer, 5, CLIENT_BUNDLE, type,
                                CLIENT_BUNDLE_FLAGS);
    client_send(client, &writer);
    client_expect(client, OPENFLOW_BUNDLE_CONTROL);
}

void bundle_add(struct client *client, const struct flow *flow,
                const struct group *group, enum openflow_command command)
{
    static uint8_t inner_bytes[CLIENT_BUFFER_SIZE],
        bytes[CLIENT_BUFFER_SIZE + 64];
    struct writer inner = writer_init(inner_bytes, sizeof(inner_bytes));
    struct writer writer = writer_init(bytes, sizeof(bytes));
    uint32_t xid = 1000 + client->xid++;

    if (flow != NULL) {
        openflow_put_flow_mod(&inner, xid, command, flow);
    } else {
        openflow_put_group_mod(&inner, xid, command, group);
    }
    assert_false(inner.failed);
    openflow_put_bundle_add(&writer, xid, CLIENT_BUNDLE, CLIENT_BUNDLE_FLAGS,
                            inner_bytes, writer_size(&inner));
    client_send(client, &writer);
}

void client_apply(struct client *client, const struct diff *diff)
{
    bundle_control(client, OPENFLOW_BUNDLE_OPEN);
    for (size_t i = 0; i < diff->n_groups; i++) {
        const struct diff_group *group = &diff->groups[i];

        if (group->op == DIFF_ADD) {
            bundle_add(client, NULL, group->wanted, OPENFLOW_ADD);
        } else if (group->op == DIFF_MODIFY) {
            bundle_add(client, NULL, group->wanted, OPENFLOW_MODIFY);
        }
    }
    for (size_t i = 0; i < diff->n_flows; i++) {
        const struct diff_flow *flow = &diff->flows[i];

        if (flow->op == DIFF_REMOVE) {
            bundle_add(client, flow->present, NULL, OPENFLOW_DELETE_STRICT);
        } else if (flow->op == DIFF_ADD) {
            bundle_add(client, flow->wanted, NULL, OPENFLOW_ADD);
        } else if (flow->op == DIFF_MODIFY) {
            bundle_add(client, flow->wanted, NULL, OPENFLOW_MODIFY_STRICT);
        }
    }
    for (size_t i = 0; i < diff->n_groups; i++) {
        if (diff->groups[i].op == DIFF_REMOVE) {
            bundle_add(client, NULL, diff->groups[i].present,
                       OPENFLOW_GROUP_DELETE);
        }
    }
    bundle_control(client, OPENFLOW_BUNDLE_COMMIT);
}

struct diff make_diff(const struct plan *plan, struct dump *dump)
{
    struct diff diff;

    assert_int_equal(diff_make(plan, dump->flows, dump->n_flows, dump->groups,
                               dump->n_groups, &diff),
                     0);
    return diff;
}
