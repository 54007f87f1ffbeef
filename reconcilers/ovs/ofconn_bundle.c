/*
 * One diff as one bundle, atomic and ordered (OpenFlow 1.5, 7.3.9): new and
 * changed groups before the flows that use them, removed groups after the
 * flows that used them.
 *
 * All messages are made when the owner asks, so the diff need not outlive
 * that call.  A barrier follows the last one: by its answer every refusal of
 * a single message is known, and then the bundle is committed, or discarded
 * when there was any.  Part of ofconn.c.
 */
#include "reconcilers/ovs/ofconn_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLE_FLAGS (OPENFLOW_BUNDLE_ATOMIC | OPENFLOW_BUNDLE_ORDERED)

/* What a message was about, for the text of a refusal. */
struct bundle_item {
    uint32_t xid;
    char text[128];
};

enum bundle_phase {
    BUNDLE_ADDING,     /* waiting for the barrier */
    BUNDLE_COMMITTING, /* waiting for the answer to commit ... */
    BUNDLE_DISCARDING, /* ... or discard */
};

struct ofconn_bundle {
    ofconn_apply_fn fn;
    void *data;
    uint32_t id;
    uint32_t open_xid;
    uint32_t barrier_xid;
    uint32_t control_xid; /* of commit or discard */
    enum bundle_phase phase;
    struct channel_buffer messages;
    struct bundle_item *items;
    size_t n_items;
    size_t capacity;
    size_t n_refused;
    char text[512]; /* the first refusals */
    size_t text_len;
};

struct ofconn_bundle *ofconn_bundle_free(struct ofconn_bundle *bundle)
{
    if (bundle != NULL) {
        free(bundle->messages.bytes);
        free(bundle->items);
        free(bundle);
    }
    return NULL;
}

void ofconn_bundle_finish(struct ofconn_bundle *bundle, int error)
{
    const char *text = bundle->text;

    if (error == 0 && bundle->n_refused > 0) {
        error = -EBADMSG;
    } else if (error != 0) {
        text = "connection to ovs-vswitchd lost";
    }
    if (bundle->fn != NULL) {
        bundle->fn(error, text, bundle->data);
    }
}

static void _printf_(2, 3)
    bundle_say(struct ofconn_bundle *bundle, const char *format, ...)
{
    size_t room = sizeof(bundle->text) - bundle->text_len;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(bundle->text + bundle->text_len, room, format, arguments);
    va_end(arguments);
    if (n > 0) {
        bundle->text_len += MIN_OF((size_t)n, room - 1);
    }
}

static const struct bundle_item *bundle_find(const struct ofconn_bundle *bundle,
                                             uint32_t xid)
{
    for (size_t i = 0; i < bundle->n_items; i++) {
        if (bundle->items[i].xid == xid) {
            return &bundle->items[i];
        }
    }
    return NULL;
}

/* Notes a refusal; false when the error is about none of our messages. */
static bool bundle_refuse(struct ofconn_bundle *bundle,
                          const struct openflow_header *header,
                          const uint8_t *message, int *ret_error)
{
    const struct bundle_item *item = bundle_find(bundle, header->xid);
    bool is_control =
        header->xid == bundle->open_xid || header->xid == bundle->barrier_xid ||
        (bundle->phase != BUNDLE_ADDING && header->xid == bundle->control_xid);
    char text[OPENFLOW_ERROR_TEXT_SIZE];
    uint16_t type, code;

    if (item == NULL && !is_control) {
        return false;
    }
    if (openflow_parse_error(message, header->length, &type, &code) != 0) {
        *ret_error = -EBADMSG;
        return true;
    }
    bundle->n_refused++;
    /* Commit fails after the message that made it fail was named; saying it
     * again would only hide that one. */
    if (bundle->n_refused <= 3 && (item != NULL || bundle->text_len == 0)) {
        bundle_say(bundle, "%s%s: %s", bundle->text_len > 0 ? "; " : "",
                   item != NULL ? item->text : "bundle",
                   openflow_error_text(type, code, text));
    }
    return true;
}

static int bundle_send_control(struct ofconn *conn,
                               struct ofconn_bundle *bundle)
{
    struct writer writer = ofconn_writer(conn);
    bool is_good = bundle->n_refused == 0;

    bundle->control_xid = ofconn_new_xid(conn);
    bundle->phase = is_good ? BUNDLE_COMMITTING : BUNDLE_DISCARDING;
    openflow_put_bundle_control(&writer, bundle->control_xid, bundle->id,
                                is_good ? OPENFLOW_BUNDLE_COMMIT
                                        : OPENFLOW_BUNDLE_DISCARD,
                                BUNDLE_FLAGS);
    return channel_send(&conn->channel, writer.start, writer_size(&writer));
}

bool ofconn_bundle_receive(struct ofconn *conn, struct ofconn_bundle *bundle,
                           const struct openflow_header *header,
                           const uint8_t *message, bool *ret_is_complete,
                           int *ret_error)
{
    switch (header->type) {
    case OPENFLOW_ERROR:
        if (!bundle_refuse(bundle, header, message, ret_error)) {
            return false;
        }
        /* A refused commit or discard has no other answer. */
        *ret_is_complete = bundle->phase != BUNDLE_ADDING &&
                           header->xid == bundle->control_xid;
        return true;
    case OPENFLOW_BARRIER_REPLY:
        if (header->xid != bundle->barrier_xid) {
            return false;
        }
        *ret_error = bundle_send_control(conn, bundle);
        return true;
    case OPENFLOW_BUNDLE_CONTROL:
        *ret_is_complete = bundle->phase != BUNDLE_ADDING &&
                           header->xid == bundle->control_xid;
        /* The answer to the opening needs nothing. */
        return *ret_is_complete;
    default:
        return false;
    }
}

int ofconn_bundle_start(struct ofconn *conn, struct ofconn_bundle *bundle)
{
    int error = channel_send(&conn->channel,
                             bundle->messages.bytes + bundle->messages.head,
                             bundle->messages.size);

    free(bundle->messages.bytes);
    bundle->messages = (struct channel_buffer){0};
    return error;
}

/* Appends what the writer holds. */
static int bundle_keep(struct ofconn_bundle *bundle,
                       const struct writer *writer)
{
    if (writer->failed) {
        return -EMSGSIZE;
    }
    return channel_buffer_append(&bundle->messages, writer->start,
                                 writer_size(writer));
}

/* Makes room for one more item and returns it, or NULL. */
static struct bundle_item *bundle_new_item(struct ofconn *conn,
                                           struct ofconn_bundle *bundle)
{
    struct bundle_item *item;

    if (bundle->n_items == bundle->capacity) {
        size_t capacity = MAX_OF(bundle->capacity * 2, (size_t)16);

        item = reallocarray(bundle->items, capacity, sizeof(*item));
        if (item == NULL) {
            return NULL;
        }
        bundle->items = item;
        bundle->capacity = capacity;
    }
    item = &bundle->items[bundle->n_items++];
    *item = (struct bundle_item){.xid = ofconn_new_xid(conn)};
    return item;
}

/* Wraps the message in the first half of the scratch space. */
static int bundle_keep_add(struct ofconn *conn, struct ofconn_bundle *bundle,
                           uint32_t xid, const struct writer *inner)
{
    struct writer writer =
        writer_init(conn->scratch + OFCONN_MESSAGE_MAX, OFCONN_MESSAGE_MAX);

    if (inner->failed) {
        return -EMSGSIZE;
    }
    openflow_put_bundle_add(&writer, xid, bundle->id, BUNDLE_FLAGS,
                            inner->start, writer_size(inner));
    return bundle_keep(bundle, &writer);
}

static int bundle_add_flow(struct ofconn *conn, struct ofconn_bundle *bundle,
                           const struct diff_flow *change)
{
    struct writer inner = ofconn_writer(conn);
    bool is_removed = change->op == DIFF_REMOVE;
    const struct flow *flow = is_removed ? change->present : change->wanted;
    struct bundle_item *item = bundle_new_item(conn, bundle);
    enum openflow_command command = OPENFLOW_ADD;

    if (item == NULL) {
        return -ENOMEM;
    }
    if (is_removed) {
        command = OPENFLOW_DELETE_STRICT;
    } else if (change->op == DIFF_MODIFY) {
        command = OPENFLOW_MODIFY_STRICT;
    }
    (void)snprintf(item->text, sizeof(item->text),
                   "flow table %u priority %u cookie 0x%" PRIx64 " %s",
                   flow->table, flow->priority, flow->cookie, flow->label);
    openflow_put_flow_mod(&inner, item->xid, command, flow);
    return bundle_keep_add(conn, bundle, item->xid, &inner);
}

static int bundle_add_group(struct ofconn *conn, struct ofconn_bundle *bundle,
                            const struct diff_group *change)
{
    struct writer inner = ofconn_writer(conn);
    bool is_removed = change->op == DIFF_REMOVE;
    const struct group *group = is_removed ? change->present : change->wanted;
    struct bundle_item *item = bundle_new_item(conn, bundle);
    enum openflow_command command = OPENFLOW_ADD;

    if (item == NULL) {
        return -ENOMEM;
    }
    if (is_removed) {
        command = OPENFLOW_GROUP_DELETE;
    } else if (change->op == DIFF_MODIFY) {
        command = OPENFLOW_MODIFY;
    }
    (void)snprintf(item->text, sizeof(item->text), "group 0x%08" PRIx32 " %s",
                   group->id, group->label);
    openflow_put_group_mod(&inner, item->xid, command, group);
    return bundle_keep_add(conn, bundle, item->xid, &inner);
}

/* Groups or flows of the diff that are (not) removals. */
static int bundle_add_groups(struct ofconn *conn, struct ofconn_bundle *bundle,
                             const struct diff *diff, bool removals)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < diff->n_groups; i++) {
        const struct diff_group *change = &diff->groups[i];

        if (change->op != DIFF_CONFLICT &&
            (change->op == DIFF_REMOVE) == removals) {
            error = bundle_add_group(conn, bundle, change);
        }
    }
    return error;
}

static int bundle_add_flows(struct ofconn *conn, struct ofconn_bundle *bundle,
                            const struct diff *diff, bool removals)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < diff->n_flows; i++) {
        const struct diff_flow *change = &diff->flows[i];

        if (change->op != DIFF_CONFLICT &&
            (change->op == DIFF_REMOVE) == removals) {
            error = bundle_add_flow(conn, bundle, change);
        }
    }
    return error;
}

static int bundle_make(struct ofconn *conn, struct ofconn_bundle *bundle,
                       const struct diff *diff)
{
    struct writer writer = ofconn_writer(conn);
    int error;

    bundle->open_xid = ofconn_new_xid(conn);
    openflow_put_bundle_control(&writer, bundle->open_xid, bundle->id,
                                OPENFLOW_BUNDLE_OPEN, BUNDLE_FLAGS);
    error = bundle_keep(bundle, &writer);
    if (error == 0) {
        error = bundle_add_groups(conn, bundle, diff, false);
    }
    if (error == 0) {
        error = bundle_add_flows(conn, bundle, diff, true);
    }
    if (error == 0) {
        error = bundle_add_flows(conn, bundle, diff, false);
    }
    if (error == 0) {
        error = bundle_add_groups(conn, bundle, diff, true);
    }
    if (error != 0) {
        return error;
    }
    bundle->barrier_xid = ofconn_new_xid(conn);
    writer = ofconn_writer(conn);
    openflow_put_simple(&writer, OPENFLOW_BARRIER_REQUEST, bundle->barrier_xid,
                        NULL, 0);
    return bundle_keep(bundle, &writer);
}

int ofconn_apply(struct ofconn *conn, const struct diff *diff,
                 ofconn_apply_fn fn, void *data)
{
    struct ofconn_bundle *bundle;
    int error;

    if (conn->state == OFCONN_FAILED) {
        return -ENOTCONN;
    }
    bundle = calloc(1, sizeof(*bundle));
    if (bundle == NULL) {
        return -ENOMEM;
    }
    bundle->fn = fn;
    bundle->data = data;
    bundle->id = ++conn->next_bundle_id;
    error = bundle_make(conn, bundle, diff);
    if (error != 0) {
        (void)ofconn_bundle_free(bundle);
        return error;
    }
    return ofconn_enqueue(conn, OFCONN_REQUEST_APPLY, bundle, NULL, NULL);
}
