/*
 * Small macros used by every library: cleanup attributes, array sizes and
 * the warn-unused mark.  Depends on nothing of ours.
 */
#ifndef SOCKETNET_GOSSIP_BASE_MACROS_H
#define SOCKETNET_GOSSIP_BASE_MACROS_H

#include <stddef.h>

/* Runs fn(&variable) when the variable leaves its scope. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* The result carries an error: ignoring it needs a (void) and a reason. */
#define _must_check_ __attribute__((warn_unused_result))

#define _printf_(at, first) __attribute__((format(printf, at, first)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* Frees a heap pointer held by a local: `_cleanup_(free_pointer) char *p`. */
static inline void free_pointer(void *pointer_to_pointer)
{
    void **pointer = pointer_to_pointer;

    __builtin_free(*pointer);
    *pointer = NULL;
}

#endif
