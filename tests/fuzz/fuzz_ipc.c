/*
 * Messages between the processes: whatever is accepted must pack to a
 * message that unpacks to the same, and the worker's state must take any
 * sequence of them.  The input is a sequence of (u16 size, bytes).
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ipc/ipc.h"
#include "agent/worker/worker_state.h"
#include "gossip/base/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct ipc_message *message)
{
    size_t bound = ipc_pack_bound(message);
    uint8_t *bytes = malloc(bound);
    struct ipc_message again;
    size_t size;
    int error;

    assert(bytes != NULL);
    error = ipc_pack(message, bytes, bound, &size);
    assert(error == 0);
    error = ipc_unpack(bytes, size, &again);
    assert(error == 0);
    assert(again.type == message->type && again.number == message->number &&
           again.value == message->value && again.flag == message->flag &&
           again.duration_us == message->duration_us &&
           again.name_len == message->name_len &&
           again.text_len == message->text_len && again.size == message->size);
    assert(memcmp(again.name, message->name, message->name_len) == 0);
    assert(memcmp(again.text, message->text, message->text_len) == 0);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct plan_policy policy = {
        .bridge = "socket",
        .subnets = {{.address = {.family = 4, .bytes = {10, 0, 1, 0}},
                     .len = 24}},
        .n_subnets = 1,
        .service_range = {.address = {.family = 4, .bytes = {100, 80}},
                          .len = 12},
        .tunnel_device = "vx-socket",
        .mesh_interface = "nm-privacy"};
    struct reader reader = reader_init(data, size);
    struct worker_state_refusal refusal;
    struct worker_state_flush *flushes;
    struct worker_state state;

    worker_state_init(&state, &policy);
    while (reader_left(&reader) >= 2) {
        uint16_t length = reader_u16(&reader);
        size_t take = MIN_OF((size_t)length, reader_left(&reader));
        const uint8_t *bytes = reader_take(&reader, take);
        struct ipc_message message;

        if (ipc_unpack(bytes, take, &message) != 0) {
            continue;
        }
        check_round_trip(&message);
        (void)!worker_state_handle(&state, &message);
        while (worker_state_next_refusal(&state, &refusal)) {
            assert(refusal.key[0] != '\0');
        }
    }
    (void)worker_state_take_flushes(&state, &flushes);
    free(flushes);
    worker_state_done(&state);
    return 0;
}
