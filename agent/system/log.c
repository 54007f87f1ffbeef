/*
 * Log lines on standard error.  One write() per line, so that lines of the
 * three processes, which share the descriptor, never mix.  The level and the
 * process name are the program's only mutable globals.
 */
#include "agent/system/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_SIZE 2048

static enum log_level log_highest = LOG_LEVEL_INFO;
static char log_process[16];

void log_set_level(enum log_level level)
{
    log_highest = level;
}

void log_set_process(const char *name)
{
    (void)snprintf(log_process, sizeof(log_process), "%s", name);
}

/* Control bytes in a message may come from outside: they must not be able to
 * begin a line of their own. */
static void clean_line(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }
    }
}

static void write_all(const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* nowhere left to say it */
        }
        bytes += n;
        size -= (size_t)n;
    }
}

static _printf_(3, 0) void log_line(enum log_level level, const char *word,
                                    const char *format, va_list arguments)
{
    /* syslog priorities, sd-daemon(3): err 3, warning 4, info 6, debug 7 */
    static const char priority[] = {'3', '4', '6', '7'};
    char line[LOG_LINE_SIZE];
    size_t start = 0;
    size_t len;
    int saved_errno = errno;
    int n;

    if (level > log_highest) {
        return;
    }
    if (getenv("JOURNAL_STREAM") != NULL) {
        line[start++] = '<';
        line[start++] = priority[level];
        line[start++] = '>';
    }
    n = snprintf(line + start, sizeof(line) - start, "%s %s%s", word,
                 log_process, log_process[0] != '\0' ? ": " : "");
    len = start + (size_t)MAX_OF(n, 0);
    n = vsnprintf(line + len, sizeof(line) - len, format, arguments);
    /* vsnprintf tells what it would have written; room for the newline. */
    len = MIN_OF(len + (size_t)MAX_OF(n, 0), sizeof(line) - 2);
    clean_line(line, len);
    line[len++] = '\n';
    write_all(line, len);
    errno = saved_errno;
}

void log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_LEVEL_ERROR, "error", format, arguments);
    va_end(arguments);
}

void log_warning(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_LEVEL_WARNING, "warning", format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_LEVEL_INFO, "info", format, arguments);
    va_end(arguments);
}

void log_debug(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_LEVEL_DEBUG, "debug", format, arguments);
    va_end(arguments);
}
