/*
 * See ctl_records.h.
 */
#include "agent/ctl/ctl_records.h"

#include <stdlib.h>

#include "agent/json/json_build.h"
#include "gossip/base/text.h"
#include "gossip/wire/record.h"

/* Of one request (docs/API.md, Limits): the body may have 65536 bytes. */
#define RECORDS_MAX     64
#define RECORDS_HEX_MAX 60000

/* 0 when no whole record is there. */
static size_t next_size(const uint8_t *bytes, size_t size)
{
    struct record record;
    size_t one = 0;

    return record_peek_size(bytes, size, &one) == 0 && one <= size &&
                   record_parse(bytes, one, &record) == 0
               ? one
               : 0;
}

bool ctl_records_whole(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    size_t one;

    while (at < size && (one = next_size(bytes + at, size - at)) > 0) {
        at += one;
    }
    return size > 0 && at == size;
}

json_t *ctl_records_body(const uint8_t *bytes, size_t size, size_t *ret_used)
{
    json_t *list = json_array();
    size_t n_hex = 0;
    size_t at = 0;

    for (size_t n = 0; n < RECORDS_MAX && at < size; n++) {
        char text[2 * LIMIT_MANIFEST_SIZE + 1];
        size_t one = next_size(bytes + at, size - at);

        n_hex += 2 * one + 4;
        if (one == 0 || (n > 0 && n_hex > RECORDS_HEX_MAX)) {
            break;
        }
        json_build_append(&list,
                          json_string(text_from_bytes(bytes + at, one, text)));
        at += one;
    }
    *ret_used = at;
    return json_pack("{s:o}", "records", list);
}
