/*
 * Aligned columns for people.  Cells are added row by row; printing measures
 * them (UTF-8 code points, one column each) and trims the ends of lines.
 */
#ifndef SOCKETNET_AGENT_CTL_CTL_TABLE_H
#define SOCKETNET_AGENT_CTL_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "gossip/base/macros.h"

#define CTL_TABLE_COLUMNS_MAX 12

enum ctl_color {
    CTL_COLOR_NONE = 0,
    CTL_COLOR_GOOD, /* green */
    CTL_COLOR_WARN, /* yellow */
    CTL_COLOR_BAD,  /* red */
    CTL_COLOR_DIM,
};

struct ctl_table;

/* Column heads, NULL-terminated; borrowed. */
_must_check_ int ctl_table_new(const char *const *heads,
                               struct ctl_table **ret);
struct ctl_table *ctl_table_free(struct ctl_table *table);
void ctl_table_free_pointer(struct ctl_table **table);

/* The next cell, left to right, row after row; copied.  Control bytes become
 * '?', an empty cell is shown as "-".  Out of memory shows when printing. */
void ctl_table_add(struct ctl_table *table, enum ctl_color color,
                   const char *format, ...) _printf_(3, 4);
/* 0; -ENOMEM when a cell was lost; -EIO when `out` failed. */
_must_check_ int ctl_table_print(const struct ctl_table *table, FILE *out,
                                 bool has_color);

/* Escape sequences that begin and end a colour; "" for NONE. */
const char *ctl_color_begin(enum ctl_color color);
const char *ctl_color_end(enum ctl_color color);

#endif
