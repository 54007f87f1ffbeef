/*
 * Who waits for the worker: queries and those who want to know when what was
 * sent is applied.  Nobody is called back from inside his own call.
 */
#include "agent/core/worker_link_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/system/clock.h"

static void arm(struct worker_link *link)
{
    uint64_t next = UINT64_MAX;
    uint64_t now = clock_now_ms();

    for (const struct worker_link_ask *ask = link->asks; ask != NULL;
         ask = ask->next) {
        bool is_due = ask->is_ready || ask->error != 0;

        next = is_due ? now : MIN_OF(next, ask->deadline_ms);
        if (is_due) {
            break;
        }
    }
    if (next == UINT64_MAX) {
        (void)uv_timer_stop(&link->timer); /* cannot fail */
        return;
    }
    /* libuv counts from the start of this turn of the loop. */
    uv_update_time(link->core->loop);
    (void)uv_timer_start(&link->timer, worker_link_on_timer,
                         next > now ? next - now : 0, 0);
}

static void tell(struct worker_link_ask *ask, int error)
{
    if (ask->applied != NULL) {
        ask->applied(error, ask->data);
    } else if (ask->reply != NULL) {
        ask->reply(error, error == 0 ? (const char *)ask->json : NULL,
                   error == 0 ? ask->size : 0, ask->data);
    }
    free(ask->json);
    free(ask);
}

/* Takes out the first one that is due at `now`, or NULL. */
static struct worker_link_ask *take_due(struct worker_link *link, uint64_t now,
                                        int *ret_error)
{
    for (struct worker_link_ask **at = &link->asks; *at != NULL;
         at = &(*at)->next) {
        struct worker_link_ask *ask = *at;

        if (!ask->is_ready && ask->error == 0 && ask->deadline_ms > now) {
            continue;
        }
        *ret_error = ask->is_ready     ? 0
                     : ask->error != 0 ? ask->error
                                       : -ETIMEDOUT;
        *at = ask->next;
        return ask;
    }
    return NULL;
}

void worker_link_on_timer(uv_timer_t *timer)
{
    struct worker_link *link = timer->data;
    uint64_t now = clock_now_ms();
    struct worker_link_ask *ask;
    int error;

    /* One at a time: a callback may ask again, or free the link. */
    while ((ask = take_due(link, now, &error)) != NULL) {
        tell(ask, error);
        if (uv_is_closing((const uv_handle_t *)timer)) {
            return;
        }
    }
    arm(link);
}

/* In order of asking, so that answers come in that order. */
static struct worker_link_ask *add_ask(struct worker_link *link, void *data)
{
    struct worker_link_ask *ask = calloc(1, sizeof(*ask));
    struct worker_link_ask **at = &link->asks;

    if (ask == NULL) {
        return NULL;
    }
    ask->data = data;
    ask->deadline_ms = clock_now_ms() + WORKER_LINK_WAIT_MS;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = ask;
    return ask;
}

void worker_link_when_applied(struct worker_link *link, worker_applied_fn fn,
                              void *data)
{
    const struct worker_status *status = &link->status;
    struct worker_link_ask *ask = add_ask(link, data);

    if (ask == NULL) {
        fn(-ENOMEM, data);
        return;
    }
    ask->applied = fn;
    /* A snapshot that waits for its turn holds what is asked for. */
    ask->number = status->sent_number + (link->is_in_step ? 0 : 1);
    if (!status->is_connected || !status->is_ovs_up) {
        ask->error = -ENOTCONN;
    } else if (status->applied_number >= ask->number) {
        ask->is_ready = true;
    }
    arm(link);
}

void worker_link_query(struct worker_link *link, const char *name,
                       worker_reply_fn fn, void *data)
{
    struct ipc_message message = {
        .type = IPC_QUERY, .name = name, .name_len = strlen(name), .fd = -1};
    struct worker_link_ask *ask = add_ask(link, data);

    if (ask == NULL) {
        fn(-ENOMEM, NULL, 0, data);
        return;
    }
    ask->reply = fn;
    ask->number = ++link->next_id;
    message.number = ask->number;
    if (!link->status.is_connected) {
        ask->error = -ENOTCONN;
    } else {
        int error = ipc_queue_send(&link->queue, link->fd, &message);

        ask->error = error > 0 ? -ENOTCONN : error;
        worker_link_settle(link);
    }
    arm(link);
}

/* Appends a chunk; one byte more is kept for the final NUL. */
static int append(struct worker_link_ask *ask, const uint8_t *bytes,
                  size_t size)
{
    uint8_t *grown;

    if (ask->size + size > WORKER_LINK_REPLY_MAX) {
        return -EMSGSIZE;
    }
    grown = realloc(ask->json, ask->size + size + 1);
    if (grown == NULL) {
        return -ENOMEM;
    }
    if (size > 0) {
        memcpy(grown + ask->size, bytes, size);
    }
    ask->json = grown;
    ask->size += size;
    ask->json[ask->size] = '\0';
    return 0;
}

void worker_link_take_reply(struct worker_link *link,
                            const struct ipc_message *message)
{
    for (struct worker_link_ask *ask = link->asks; ask != NULL;
         ask = ask->next) {
        if (ask->reply == NULL || ask->number != message->number ||
            ask->is_ready || ask->error != 0) {
            continue;
        }
        ask->error = append(ask, message->bytes, message->size);
        ask->is_ready = ask->error == 0 && message->flag;
        arm(link);
        return;
    }
}

void worker_link_take_applied(struct worker_link *link,
                              const struct ipc_message *message)
{
    struct worker_status *status = &link->status;
    size_t len = MIN_OF(message->text_len, sizeof(status->applied_error) - 1);

    if (message->number > status->sent_number) {
        link->n_malformed++; /* we never sent that */
        return;
    }
    memcpy(status->applied_error, message->text, len);
    status->applied_error[len] = '\0';
    status->applied_us = message->duration_us;
    if (len > 0) {
        return; /* the switch does not hold it */
    }
    status->applied_number = message->number;
    for (struct worker_link_ask *ask = link->asks; ask != NULL;
         ask = ask->next) {
        if (ask->applied != NULL && ask->number <= message->number) {
            ask->is_ready = true;
        }
    }
    arm(link);
}

void worker_link_fail_asks(struct worker_link *link, bool queries, int error)
{
    for (struct worker_link_ask *ask = link->asks; ask != NULL;
         ask = ask->next) {
        if ((queries || ask->applied != NULL) && !ask->is_ready &&
            ask->error == 0) {
            ask->error = error;
        }
    }
    arm(link);
}

void worker_link_free_asks(struct worker_link *link)
{
    while (link->asks != NULL) {
        struct worker_link_ask *ask = link->asks;

        link->asks = ask->next;
        tell(ask, -ENOTCONN);
    }
}
