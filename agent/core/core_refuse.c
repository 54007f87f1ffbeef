/*
 * Why core cannot start, kept for whoever called core_new.
 */
#include "agent/core/core_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum core_status core_refuse(struct core *core, enum core_status status,
                             const char *format, ...)
{
    va_list arguments;

    free(core->refusal);
    va_start(arguments, format);
    if (vasprintf(&core->refusal, format, arguments) < 0) {
        core->refusal = NULL;
    }
    va_end(arguments);
    return status;
}
