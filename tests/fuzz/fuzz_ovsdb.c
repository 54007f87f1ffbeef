/*
 * Whatever a database may say, in pieces of any size: the first byte of the
 * input chooses how it is cut.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "reconcilers/ovs/ovsdb_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void on_done(int error, const char *text, void *data)
{
    (void)error;
    (void)text;
    (void)data;
}

static void on_event(void *data)
{
    struct ovsdb **ovsdb = data;

    /* Changes in flight, so that answers to them are looked at. */
    if (ovsdb_add_port(*ovsdb, 0, "vx-socket", "tunnel", on_done, NULL) != 0 &&
        ovsdb_remove_port(*ovsdb, 0, "vx-socket", on_done, NULL) != 0) {
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct ovsdb_callbacks callbacks = {.synced = on_event,
                                                     .changed = on_event};
    struct ovsdb *ovsdb = NULL;
    size_t step;

    if (size == 0 || ovsdb_new("socket", &callbacks, &ovsdb, &ovsdb) != 0) {
        return 0;
    }
    step = bytes[0] == 0 ? size : bytes[0];
    for (size_t at = 1; at < size; at += step) {
        if (ovsdb_feed(ovsdb, bytes + at, MIN_OF(step, size - at)) != 0) {
            break;
        }
    }
    (void)ovsdb_close(ovsdb);
    return 0;
}
