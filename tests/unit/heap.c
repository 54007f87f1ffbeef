/*
 * The allocation functions, wrapped (ld --wrap): see heap.h.  The counters
 * are global because the functions they stand for are.
 */
#include "tests/unit/heap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static atomic_bool heap_is_on;
static atomic_bool heap_is_paused;
static atomic_bool heap_is_lasting;
static atomic_bool heap_has_failed;
static atomic_uint heap_n_seen;
static atomic_uint heap_n_wanted;

static void start(unsigned n, bool is_lasting)
{
    atomic_store(&heap_is_on, false);
    atomic_store(&heap_n_wanted, n);
    atomic_store(&heap_is_lasting, is_lasting);
    atomic_store(&heap_has_failed, false);
    atomic_store(&heap_is_paused, false);
    atomic_store(&heap_n_seen, 0);
    atomic_store(&heap_is_on, true);
}

void heap_fail_at(unsigned n)
{
    start(n, false);
}

void heap_fail_from(unsigned n)
{
    start(n, true);
}

unsigned heap_count(void)
{
    return atomic_load(&heap_n_seen);
}

void heap_pause(void)
{
    atomic_store(&heap_is_paused, true);
}

void heap_resume(void)
{
    atomic_store(&heap_is_paused, false);
}

bool heap_off(void)
{
    atomic_store(&heap_is_on, false);
    return atomic_load(&heap_has_failed);
}

/* Counts an allocation; true when it is one that fails. */
static bool fails(void)
{
    unsigned wanted = atomic_load(&heap_n_wanted);
    unsigned index;

    if (!atomic_load(&heap_is_on) || atomic_load(&heap_is_paused)) {
        return false;
    }
    index = atomic_fetch_add(&heap_n_seen, 1) + 1;
    if (wanted == 0 ||
        !(atomic_load(&heap_is_lasting) ? index >= wanted : index == wanted)) {
        return false;
    }
    atomic_store(&heap_has_failed, true);
    errno = ENOMEM;
    return true;
}

/* --- What the linker calls ------------------------------------------------ */

/* The names are the linker's. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
FILE *__real_open_memstream(char **ret, size_t *ret_size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
FILE *__wrap_open_memstream(char **ret, size_t *ret_size);
int __wrap_vasprintf(char **ret, const char *format, va_list list);
int __wrap_asprintf(char **ret, const char *format, ...);
int __wrap___vasprintf_chk(char **ret, int flag, const char *format,
                           va_list list);
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, n, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return fails() ? NULL : __real_strndup(text, size);
}

FILE *__wrap_open_memstream(char **ret, size_t *ret_size)
{
    return fails() ? NULL : __real_open_memstream(ret, ret_size);
}

/* All four printing ones end here; the memory is malloc's, as it must be. */
__attribute__((format(printf, 2, 0))) static int
print(char **ret, const char *format, va_list list)
{
    va_list copy;
    char *text;
    int len;

    if (fails()) {
        return -1;
    }
    va_copy(copy, list);
    len = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    if (len < 0) {
        return -1;
    }
    text = __real_malloc((size_t)len + 1);
    if (text == NULL) {
        return -1;
    }
    *ret = text;
    return vsnprintf(text, (size_t)len + 1, format, list);
}

__attribute__((format(printf, 2, 0))) int
__wrap_vasprintf(char **ret, const char *format, va_list list)
{
    return print(ret, format, list);
}

__attribute__((format(printf, 2, 3))) int
__wrap_asprintf(char **ret, const char *format, ...)
{
    va_list list;
    int len;

    va_start(list, format);
    len = print(ret, format, list);
    va_end(list);
    return len;
}

/* What the two become under _FORTIFY_SOURCE. */
__attribute__((format(printf, 3, 0))) int
__wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list list)
{
    (void)flag; /* forbids %n in writable memory: nobody here uses it */
    return print(ret, format, list);
}

__attribute__((format(printf, 3, 4))) int
__wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
{
    va_list list;
    int len;

    (void)flag; /* as above */
    va_start(list, format);
    len = print(ret, format, list);
    va_end(list);
    return len;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c) */
