/*
 * See search.h.
 */
#include "gossip/base/search.h"

#include <stdint.h>

size_t search_index(const void *key, const void *elements, size_t n,
                    size_t size, search_compare_fn compare, bool *ret_found)
{
    const uint8_t *start = elements;
    bool is_found = false;
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(key, start + middle * size);

        if (order > 0) {
            low = middle + 1;
        } else {
            /* `high` ends at the index, and was looked at, unless it is n. */
            is_found = order == 0;
            high = middle;
        }
    }
    if (ret_found != NULL) {
        *ret_found = is_found;
    }
    return low;
}

const void *search_find(const void *key, const void *elements, size_t n,
                        size_t size, search_compare_fn compare)
{
    bool is_found;
    size_t index = search_index(key, elements, n, size, compare, &is_found);

    return is_found ? (const uint8_t *)elements + index * size : NULL;
}
