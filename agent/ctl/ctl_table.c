/*
 * See ctl_table.h.
 */
#include "agent/ctl/ctl_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2 /* blanks between columns */

struct table_cell {
    char *text;
    enum ctl_color color;
};

struct ctl_table {
    const char *const *heads;
    size_t n_columns;
    struct table_cell *cells;
    size_t n_cells;
    size_t capacity;
    bool has_failed;
};

int ctl_table_new(const char *const *heads, struct ctl_table **ret)
{
    struct ctl_table *table = calloc(1, sizeof(*table));

    if (table == NULL) {
        return -ENOMEM;
    }
    table->heads = heads;
    while (heads[table->n_columns] != NULL &&
           table->n_columns < CTL_TABLE_COLUMNS_MAX) {
        table->n_columns++;
    }
    *ret = table;
    return 0;
}

struct ctl_table *ctl_table_free(struct ctl_table *table)
{
    if (table != NULL) {
        for (size_t i = 0; i < table->n_cells; i++) {
            free(table->cells[i].text);
        }
        free(table->cells);
        free(table);
    }
    return NULL;
}

void ctl_table_free_pointer(struct ctl_table **table)
{
    *table = ctl_table_free(*table);
}

/* What came from elsewhere must not steer the terminal: C0 and DEL, and C1,
 * which is c2 80 to c2 9f in UTF-8. */
static void clean(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20 || c == 0x7f) {
            *text = '?';
        } else if (c == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80) {
            text[0] = '?';
            text[1] = '?';
        }
    }
}

static bool grow(struct ctl_table *table)
{
    size_t capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
    struct table_cell *grown;

    if (table->n_cells < table->capacity) {
        return true;
    }
    grown = realloc(table->cells, capacity * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    table->cells = grown;
    table->capacity = capacity;
    return true;
}

void ctl_table_add(struct ctl_table *table, enum ctl_color color,
                   const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    int len;

    va_start(arguments, format);
    len = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (len < 0 || !grow(table)) {
        free(len < 0 ? NULL : text);
        table->has_failed = true;
        return;
    }
    clean(text);
    table->cells[table->n_cells++] =
        (struct table_cell){.text = text, .color = color};
}

/* Columns a text takes: its code points. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static const char *shown(const struct table_cell *cell)
{
    return cell->text[0] != '\0' ? cell->text : "-";
}

static void print_row(const struct ctl_table *table,
                      const struct table_cell *row, size_t n,
                      const size_t *widths, FILE *out, bool has_color)
{
    for (size_t i = 0; i < n; i++) {
        const char *text = row == NULL ? table->heads[i] : shown(&row[i]);
        enum ctl_color color =
            row == NULL || !has_color ? CTL_COLOR_NONE : row[i].color;
        size_t blanks = i + 1 < n ? widths[i] - width(text) + GAP : 0;

        (void)fprintf(out, "%s%s%s%*s", ctl_color_begin(color), text,
                      ctl_color_end(color), (int)blanks, "");
    }
    (void)fputc('\n', out);
}

int ctl_table_print(const struct ctl_table *table, FILE *out, bool has_color)
{
    size_t widths[CTL_TABLE_COLUMNS_MAX] = {0};

    if (table->n_columns == 0) {
        return 0;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        widths[i] = width(table->heads[i]);
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t *widest = &widths[i % table->n_columns];

        *widest = MAX_OF(*widest, width(shown(&table->cells[i])));
    }
    print_row(table, NULL, table->n_columns, widths, out, false);
    for (size_t i = 0; i < table->n_cells; i += table->n_columns) {
        print_row(table, &table->cells[i],
                  MIN_OF(table->n_columns, table->n_cells - i), widths, out,
                  has_color);
    }
    if (table->has_failed) {
        return -ENOMEM;
    }
    return ferror(out) ? -EIO : 0;
}

const char *ctl_color_begin(enum ctl_color color)
{
    switch (color) {
    case CTL_COLOR_GOOD:
        return "\033[32m";
    case CTL_COLOR_WARN:
        return "\033[33m";
    case CTL_COLOR_BAD:
        return "\033[31m";
    case CTL_COLOR_DIM:
        return "\033[2m";
    case CTL_COLOR_NONE:
        break;
    }
    return "";
}

const char *ctl_color_end(enum ctl_color color)
{
    return color == CTL_COLOR_NONE ? "" : "\033[0m";
}
