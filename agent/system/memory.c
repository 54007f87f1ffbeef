/*
 * Memory given back once a process has started: see memory.h.
 */
#include "agent/system/memory.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments that are not writable are pages of a file that nobody changed:
 * dropping them loses nothing.  Relocated data (RELRO) lies in a writable
 * segment and stays. */
static int drop_code(struct dl_phdr_info *info, size_t size, void *data)
{
    const uintptr_t *page = data;

    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = (info->dlpi_addr + segment->p_vaddr) / *page * *page;
        uintptr_t end =
            (info->dlpi_addr + segment->p_vaddr + segment->p_memsz) / *page *
            *page;

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0 &&
            end > start) {
            /* Only costs memory if it fails. */
            (void)madvise((void *)start, end - start, MADV_DONTNEED);
        }
    }
    return 0;
}

void memory_trim_heap(void)
{
    (void)malloc_trim(0); /* says only whether there was anything */
}

void memory_trim(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    memory_trim_heap();
    (void)dl_iterate_phdr(drop_code, &page);
}
