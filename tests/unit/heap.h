/*
 * A heap that fails on demand, so that a test can ask what becomes of a
 * program when its n-th allocation finds no memory (the idea is that of
 * cowsql raft's test/lib/heap.h).
 *
 * A test that wants it names `heap_dep` among its dependencies in
 * tests/unit/meson.build.  The linker then sends every malloc, calloc,
 * realloc, reallocarray, strdup, strndup, asprintf, vasprintf and
 * open_memstream of the objects linked into the test through heap.c: our own
 * archives, the test itself, and what msgpack's headers put into them.  Not
 * those inside shared libraries (libc's scandir, cmocka, LMDB).  A library
 * that takes an allocator can be given ours, as the names mean the wrapped
 * functions in a test too:
 *
 *     json_set_alloc_funcs(malloc, free);
 *     uv_replace_allocator(malloc, realloc, calloc, free);
 *
 * It works under the sanitizers, whose allocator is below it, and with any
 * number of threads.  The loop of a test:
 *
 *     bool has_failed = true;
 *
 *     for (unsigned n = 1; has_failed; n++) {
 *         assert_true(n < 10000);    // bound every loop
 *         ... prepare ...
 *         heap_fail_at(n);
 *         ... what is tested, its result looked at but not asserted ...
 *         has_failed = heap_off();
 *         ... it must be harmless: do it again, compare, free ...
 *     }
 *
 * Assertions of cmocka leave by longjmp: call heap_off in the teardown, or
 * assert only after it.
 */
#ifndef SOCKETNET_TESTS_UNIT_HEAP_H
#define SOCKETNET_TESTS_UNIT_HEAP_H

#include <stdbool.h>

/* The n-th allocation from now on fails, that one alone; 1 is the next one.
 * With 0 none fails: they are counted. */
void heap_fail_at(unsigned n);
/* The n-th and all that follow fail, until heap_off. */
void heap_fail_from(unsigned n);
/* Allocations since heap_fail_at or heap_fail_from, the failed ones among
 * them. */
unsigned heap_count(void);
/* What is allocated between the two is neither counted nor fails: the test's
 * own part of the work. */
void heap_pause(void);
void heap_resume(void);
/* No more failures.  Whether there was one. */
bool heap_off(void);

#endif
