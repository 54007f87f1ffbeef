/*
 * The body of a hold record.  See body.h.
 */
#include "gossip/wire/body.h"

#include <assert.h>

#include "gossip/base/pack.h"
#include "gossip/wire/body_internal.h"

int body_get_hold(const struct record *record, struct body_hold *ret)
{
    struct body_hold hold = {.is_held = false};
    const msgpack_object *optional;
    struct unpack unpack;
    size_t size = 0;

    body_open(record, RECORD_HOLD, &unpack);
    hold.is_held = unpack_bool(&unpack, unpack_key(&unpack, 1));
    optional = unpack_key(&unpack, 2);
    if (optional != NULL) {
        unpack_text(&unpack, optional, 0, hold.reason, sizeof(hold.reason));
    }
    optional = unpack_key(&unpack, 3);
    if (optional != NULL) {
        hold.ids = unpack_slice(&unpack, optional, &size);
    }
    hold.n_ids = size / BODY_HOLD_ID_SIZE;
    unpack_require(&unpack, size % BODY_HOLD_ID_SIZE == 0 &&
                                hold.n_ids <= LIMIT_HOLDS &&
                                record->key_size == 0);
    if (body_close(&unpack) != 0) {
        return RECORD_E_BODY;
    }
    *ret = hold;
    return 0;
}

int body_put_hold(const struct body_hold *body, uint8_t *buffer,
                  size_t buffer_size, size_t *ret_size)
{
    struct pack pack;

    assert(body->n_ids <= LIMIT_HOLDS);
    pack_begin(&pack, buffer, buffer_size);
    pack_map(&pack, 3);
    pack_key(&pack, 1);
    pack_bool(&pack, body->is_held);
    pack_key_text(&pack, 2, body->reason);
    pack_key_bin(&pack, 3, body->ids, body->n_ids * BODY_HOLD_ID_SIZE);
    return pack_end(&pack, ret_size);
}
