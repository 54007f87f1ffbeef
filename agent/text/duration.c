/*
 * See duration.h.
 */
#include "agent/text/duration.h"

#include <errno.h>
#include <string.h>

#include "gossip/base/text.h"

int duration_parse(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                 {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t number;

    if (text_take_number(&text, UINT32_MAX, &number) != 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcmp(text, units[i].unit) == 0) {
            *ret_ms = number * units[i].ms;
            return 0;
        }
    }
    return -EINVAL;
}
