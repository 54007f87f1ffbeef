/*
 * Logging to standard error: "level message key=value ...", with the journal's
 * "<N>" priority prefix when JOURNAL_STREAM is set.  Only agent/ logs.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_LOG_H
#define SOCKETNET_AGENT_SYSTEM_LOG_H

#include "gossip/base/macros.h"

/* As `log_level` of the configuration names them. */
enum log_level {
    LOG_LEVEL_ERROR = 0,
    LOG_LEVEL_WARNING = 1,
    LOG_LEVEL_INFO = 2,
    LOG_LEVEL_DEBUG = 3,
};

/* The only mutable global of the program. */
void log_set_level(enum log_level level);
/* Names the process in each line: "core", "worker", "launcher". */
void log_set_process(const char *name);

void log_error(const char *format, ...) _printf_(1, 2);   /* action failed */
void log_warning(const char *format, ...) _printf_(1, 2); /* handled */
void log_info(const char *format, ...) _printf_(1, 2);    /* state changed */
void log_debug(const char *format, ...) _printf_(1, 2);

#endif
