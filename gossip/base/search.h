/*
 * Binary search, as bsearch(3) but telling also where a key that is not there
 * belongs.
 */
#ifndef SOCKETNET_GOSSIP_BASE_SEARCH_H
#define SOCKETNET_GOSSIP_BASE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* <0, 0, >0: the key is before, is, is after the element. */
typedef int (*search_compare_fn)(const void *key, const void *element);

/* Index of the first of `n` ascending elements of `size` bytes that is not
 * before the key; `n` when all are.  `ret_found` (may be NULL): whether the
 * element at it is the key's. */
size_t search_index(const void *key, const void *elements, size_t n,
                    size_t size, search_compare_fn compare, bool *ret_found);
/* That element, or NULL when there is none. */
const void *search_find(const void *key, const void *elements, size_t n,
                        size_t size, search_compare_fn compare);

#endif
