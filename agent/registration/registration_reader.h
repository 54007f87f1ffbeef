/*
 * Values out of the members of one JSON object, for registration.c alone: the
 * first problem is kept, later ones are of no interest.
 */
#ifndef SOCKETNET_AGENT_REGISTRATION_REGISTRATION_READER_H
#define SOCKETNET_AGENT_REGISTRATION_REGISTRATION_READER_H

#include <stdbool.h>

#include "agent/registration/registration.h"

struct registration_reader {
    const json_t *root;
    enum registration_style style;
    const char *prefix; /* of field names in problems, "check." */
    struct registration_problem *problem;
    bool *has_failed; /* shared with readers of inner objects */
};

/* Records a problem of `field` (a member's name, or the path of what is inside
 * it): what was given, and what is expected. */
void registration_reader_fail(struct registration_reader *reader,
                              const char *field, const char *next,
                              const char *what, ...) _printf_(4, 5);
/* "a list", "70000", "\"abc\"": what was given, for people. */
const char *registration_reader_describe(const json_t *value, char text[80]);
/* The member; NULL when it is absent, null, or when something was wrong. */
const json_t *registration_reader_get(const struct registration_reader *reader,
                                      const char *field);
/* Every member has to be one of `fields`; the nearest one is proposed. */
void registration_reader_known(struct registration_reader *reader,
                               const char *const *fields, size_t n);
uint32_t registration_reader_uint(struct registration_reader *reader,
                                  const char *field, uint32_t lowest,
                                  uint32_t highest, uint32_t fallback);
/* "500ms", "5s", "2m"; a bare number counts seconds. */
uint32_t registration_reader_duration(struct registration_reader *reader,
                                      const char *field, uint32_t lowest_ms,
                                      uint32_t highest_ms,
                                      uint32_t fallback_ms);
/* Copies text of at most size - 1 bytes, "" when the member is absent.  The
 * example is part of what is expected. */
void registration_reader_text(struct registration_reader *reader,
                              const char *field, const char *example,
                              char *text, size_t size);
/* The same of a value that is not a member itself. */
void registration_reader_value(struct registration_reader *reader,
                               const char *field, const json_t *value,
                               const char *example, char *text, size_t size);

#endif
