/*
 * Messages that wait for a full socket: a list of packed messages.
 */
#include "agent/ipc/ipc_queue.h"

#include <errno.h>
#include <stdlib.h>

struct ipc_queue_entry {
    struct ipc_queue_entry *next;
    size_t size;
    uint8_t bytes[];
};

static void append(struct ipc_queue *queue, struct ipc_queue_entry *entry)
{
    if (queue->last != NULL) {
        queue->last->next = entry;
    } else {
        queue->first = entry;
    }
    queue->last = entry;
    queue->size += entry->size;
}

int ipc_queue_send(struct ipc_queue *queue, int fd,
                   const struct ipc_message *message)
{
    size_t bound = ipc_pack_bound(message);
    _cleanup_(free_pointer) struct ipc_queue_entry *entry =
        malloc(sizeof(*entry) + bound);
    int error;

    if (entry == NULL) {
        return -ENOMEM;
    }
    entry->next = NULL;
    error = ipc_pack(message, entry->bytes, bound, &entry->size);
    if (error != 0) {
        return error;
    }
    if (queue->first == NULL) {
        error = ipc_send_bytes(fd, entry->bytes, entry->size, -1);
        if (error != IPC_E_AGAIN) {
            return error;
        }
    }
    if (queue->size + entry->size > IPC_QUEUE_MAX) {
        return -ENOBUFS;
    }
    append(queue, entry);
    entry = NULL;
    return 0;
}

int ipc_queue_flush(struct ipc_queue *queue, int fd)
{
    while (queue->first != NULL) {
        struct ipc_queue_entry *entry = queue->first;
        int error = ipc_send_bytes(fd, entry->bytes, entry->size, -1);

        if (error != 0) {
            return error;
        }
        queue->first = entry->next;
        queue->size -= entry->size;
        free(entry);
    }
    queue->last = NULL;
    return 0;
}

bool ipc_queue_is_empty(const struct ipc_queue *queue)
{
    return queue->first == NULL;
}

void ipc_queue_done(struct ipc_queue *queue)
{
    while (queue->first != NULL) {
        struct ipc_queue_entry *entry = queue->first;

        queue->first = entry->next;
        free(entry);
    }
    *queue = (struct ipc_queue){0};
}
