/*
 * What core sends to the worker: an item that was accepted packs again into
 * something that unpacks to the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "reconcilers/plan/desired.h"
#include "reconcilers/plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[2 * DESIRED_ITEM_SIZE_MAX];
    const struct plan_policy policy = {.bridge = "socket",
                                       .tunnel_device = "vx-socket"};
    struct desired_item item = {0}, again = {0};
    size_t packed;
    char text[160];

    if (desired_item_unpack(data, size, &item) != 0) {
        return 0;
    }
    plan_item_text(&item, text);
    /* This policy has no subnets and no service range. */
    if (plan_validate(&item, &policy, text) == 0 && item.type != DESIRED_HOST) {
        abort();
    }
    if (desired_item_pack(&item, bytes, sizeof(bytes), &packed) != 0 ||
        (packed <= DESIRED_ITEM_SIZE_MAX &&
         (desired_item_unpack(bytes, packed, &again) != 0 ||
          !desired_item_equal(&item, &again)))) {
        abort();
    }
    desired_item_done(&item);
    desired_item_done(&again);
    return 0;
}
