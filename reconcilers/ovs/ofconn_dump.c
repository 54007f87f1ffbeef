/*
 * A dump of the switch: ports, every flow of every table and owner, groups, and
 * whether our meter is there.  The questions are asked at once; each answer
 * comes in as many multipart replies as the switch likes.  Part of ofconn.c.
 */
#include "reconcilers/ovs/ofconn_private.h"

#include <errno.h>
#include <stdlib.h>

/* A switch that claims more than this is not believed; one entry takes some
 * 300 bytes here. */
#define OFCONN_DUMP_ENTRIES_MAX 1000000

enum collect_part {
    COLLECT_PORTS,
    COLLECT_FLOWS,
    COLLECT_GROUPS,
    COLLECT_METER,
    COLLECT_N_PARTS,
};

struct ofconn_collect {
    ofconn_dump_fn fn;
    void *data;
    uint32_t xids[COLLECT_N_PARTS];
    bool are_done[COLLECT_N_PARTS];
    bool is_refused;
    struct ofconn_dump dump;
    size_t flows_capacity, groups_capacity, ports_capacity;
};

void ofconn_dump_done(struct ofconn_dump *dump)
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
    *dump = (struct ofconn_dump){0};
}

struct ofconn_collect *ofconn_collect_free(struct ofconn_collect *collect)
{
    if (collect != NULL) {
        ofconn_dump_done(&collect->dump);
        free(collect);
    }
    return NULL;
}

void ofconn_collect_finish(struct ofconn_collect *collect, int error)
{
    struct ofconn_dump dump = collect->dump;

    if (error == 0 && collect->is_refused) {
        error = -EBADMSG;
    }
    if (error != 0) {
        collect->fn(error, NULL, collect->data);
        return;
    }
    collect->dump = (struct ofconn_dump){0};
    collect->fn(0, &dump, collect->data);
}

int ofconn_collect_start(struct ofconn *conn, struct ofconn_collect *collect)
{
    struct writer writer = ofconn_writer(conn);

    for (size_t i = 0; i < COLLECT_N_PARTS; i++) {
        collect->xids[i] = ofconn_new_xid(conn);
    }
    openflow_put_port_desc_request(&writer, collect->xids[COLLECT_PORTS]);
    openflow_put_flow_stats_request(&writer, collect->xids[COLLECT_FLOWS], 0,
                                    0);
    openflow_put_group_desc_request(&writer, collect->xids[COLLECT_GROUPS]);
    openflow_put_meter_desc_request(&writer, collect->xids[COLLECT_METER],
                                    PLAN_METER);
    if (writer.failed) {
        return -EMSGSIZE;
    }
    return channel_send(&conn->channel, writer.start, writer_size(&writer));
}

/* Makes room for one more element.  0, -ENOMEM, -EOVERFLOW. */
static int collect_grow(void **array, size_t n, size_t *capacity, size_t size)
{
    size_t wanted;
    void *grown;

    if (n < *capacity) {
        return 0;
    }
    if (n >= OFCONN_DUMP_ENTRIES_MAX) {
        return -EOVERFLOW;
    }
    wanted = MAX_OF(*capacity * 2, (size_t)16);
    grown = reallocarray(*array, wanted, size);
    if (grown == NULL) {
        return -ENOMEM;
    }
    *array = grown;
    *capacity = wanted;
    return 0;
}

/* One entry: 0, OPENFLOW_E_AGAIN at the end, OPENFLOW_E_MALFORMED, or
 * negative errno. */
static int collect_next_flow(struct ofconn_collect *collect,
                             struct reader *reader)
{
    struct ofconn_dump *dump = &collect->dump;
    void *array = dump->flows;
    int error = collect_grow(&array, dump->n_flows, &collect->flows_capacity,
                             sizeof(*dump->flows));

    dump->flows = array;
    if (error == 0) {
        error = openflow_next_flow(reader, &dump->flows[dump->n_flows]);
    }
    dump->n_flows += error == 0;
    return error;
}

static int collect_next_group(struct ofconn_collect *collect,
                              struct reader *reader)
{
    struct ofconn_dump *dump = &collect->dump;
    void *array = dump->groups;
    int error = collect_grow(&array, dump->n_groups, &collect->groups_capacity,
                             sizeof(*dump->groups));

    dump->groups = array;
    if (error == 0) {
        error = openflow_next_group(reader, &dump->groups[dump->n_groups]);
    }
    dump->n_groups += error == 0;
    return error;
}

static int collect_next_port(struct ofconn_collect *collect,
                             struct reader *reader)
{
    struct ofconn_dump *dump = &collect->dump;
    void *array = dump->ports;
    int error = collect_grow(&array, dump->n_ports, &collect->ports_capacity,
                             sizeof(*dump->ports));

    dump->ports = array;
    if (error == 0) {
        error = openflow_next_port(reader, &dump->ports[dump->n_ports]);
    }
    dump->n_ports += error == 0;
    return error;
}

/* Reads all entries of one reply.  0 or negative errno. */
static int collect_entries(struct ofconn_collect *collect,
                           enum collect_part part, struct reader *entries)
{
    int error;

    do {
        switch (part) {
        case COLLECT_PORTS:
            error = collect_next_port(collect, entries);
            break;
        case COLLECT_FLOWS:
            error = collect_next_flow(collect, entries);
            break;
        case COLLECT_GROUPS:
            error = collect_next_group(collect, entries);
            break;
        case COLLECT_METER: /* one that is not there is an error instead */
            collect->dump.has_meter |= reader_left(entries) > 0;
            return 0;
        case COLLECT_N_PARTS:
        default:
            return -EBADMSG;
        }
    } while (error == 0);
    if (error == OPENFLOW_E_AGAIN) {
        return 0;
    }
    return error > 0 ? -EBADMSG : error;
}

static bool collect_is_complete(const struct ofconn_collect *collect)
{
    return collect->are_done[COLLECT_PORTS] &&
           collect->are_done[COLLECT_FLOWS] &&
           collect->are_done[COLLECT_GROUPS] &&
           collect->are_done[COLLECT_METER];
}

bool ofconn_collect_receive(struct ofconn_collect *collect,
                            const struct openflow_header *header,
                            const uint8_t *message, bool *ret_is_complete,
                            int *ret_error)
{
    static const uint16_t types[COLLECT_N_PARTS] = {
        [COLLECT_PORTS] = OPENFLOW_MULTIPART_PORTS,
        [COLLECT_FLOWS] = OPENFLOW_MULTIPART_FLOWS,
        [COLLECT_GROUPS] = OPENFLOW_MULTIPART_GROUPS,
        [COLLECT_METER] = OPENFLOW_MULTIPART_METERS,
    };
    struct reader entries;
    unsigned part = 0;
    uint16_t type;
    bool more = false;

    while (part < COLLECT_N_PARTS && header->xid != collect->xids[part]) {
        part++;
    }
    if (part == COLLECT_N_PARTS || collect->are_done[part] ||
        (header->type != OPENFLOW_ERROR &&
         header->type != OPENFLOW_MULTIPART_REPLY)) {
        return false;
    }
    if (header->type == OPENFLOW_ERROR) {
        collect->is_refused |= part != COLLECT_METER;
    } else if (openflow_parse_multipart(message, header->length, &type, &more,
                                        &entries) != 0 ||
               type != types[part]) {
        *ret_error = -EBADMSG;
        return true;
    } else {
        *ret_error =
            collect_entries(collect, (enum collect_part)part, &entries);
    }
    collect->are_done[part] = !more;
    *ret_is_complete = collect_is_complete(collect);
    return true;
}

int ofconn_dump(struct ofconn *conn, ofconn_dump_fn fn, void *data)
{
    struct ofconn_collect *collect;

    if (conn->state == OFCONN_FAILED) {
        return -ENOTCONN;
    }
    collect = calloc(1, sizeof(*collect));
    if (collect == NULL) {
        return -ENOMEM;
    }
    collect->fn = fn;
    collect->data = data;
    return ofconn_enqueue(conn, OFCONN_REQUEST_DUMP, NULL, collect, NULL);
}
