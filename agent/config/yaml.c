/*
 * YAML files as trees with lines; see yaml.h.  The only file that knows
 * libfyaml.  Values are in yaml_value.c.
 */
#include "agent/config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libfyaml.h>

struct yaml_file {
    char *path;
    char *text; /* the document borrows from it */
    struct fy_document *document;
    char *error; /* the first one */
    bool is_failed;
};

static void set_error(char **ret_error, const char *format, ...) _printf_(2, 3);

static void set_error(char **ret_error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_error, format, arguments) < 0) {
        *ret_error = NULL;
    }
    va_end(arguments);
}

struct yaml_file *yaml_free(struct yaml_file *file)
{
    if (file == NULL) {
        return NULL;
    }
    if (file->document != NULL) {
        fy_document_destroy(file->document);
    }
    free(file->path);
    free(file->text);
    free(file->error);
    free(file);
    return NULL;
}

void yaml_free_pointer(struct yaml_file **file)
{
    *file = yaml_free(*file);
}

/* The word at a place of the text (both from 1), "" when there is none. */
static void word_at(const char *text, int line, int column, char word[64])
{
    size_t len;

    for (int i = 1; i < line && text != NULL; i++) {
        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
    }
    if (text == NULL || column < 1 || strcspn(text, "\n") < (size_t)column) {
        text = "";
        column = 1;
    }
    text += column - 1;
    len = strcspn(text, " \t\n\r:,[]{}\"'");
    (void)snprintf(word, 64, "%.*s", (int)MIN_OF(len, (size_t)63), text);
}

/* The first collected diagnostic as the error text. */
static void take_diagnostic(struct fy_diag *diag, const struct yaml_file *file,
                            char **ret_error)
{
    void *iterator = NULL;
    struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
    char word[64];

    if (error == NULL) {
        set_error(ret_error, "%s: not readable as YAML", file->path);
        return;
    }
    word_at(file->text, error->line, error->column, word);
    if (strcmp(error->msg, "duplicate key") == 0 && word[0] != '\0') {
        set_error(ret_error,
                  "%s:%d:%d: the key \"%s\" stands there twice; leave one of "
                  "the two out",
                  file->path, error->line, error->column, word);
        return;
    }
    set_error(ret_error,
              "%s:%d:%d: %s; expected YAML, that is lines of \"key: value\" "
              "indented by spaces",
              file->path, error->line, error->column, error->msg);
}

static int parse_document(struct yaml_file *file, struct fy_parser *parser,
                          struct fy_diag *diag, char **ret_error)
{
    struct fy_document *second;

    if (fy_parser_set_string(parser, file->text, strlen(file->text)) != 0) {
        return -ENOMEM;
    }
    file->document = fy_parse_load_document(parser);
    if (fy_diag_got_error(diag)) {
        take_diagnostic(diag, file, ret_error);
        return -EINVAL;
    }
    if (file->document == NULL) {
        return 0; /* nothing but comments */
    }
    second = fy_parse_load_document(parser);
    if (second != NULL) {
        fy_document_destroy(second);
        set_error(ret_error,
                  "%s: a second document (after \"---\"); expected one",
                  file->path);
        return -EINVAL;
    }
    if (fy_diag_got_error(diag)) {
        take_diagnostic(diag, file, ret_error);
        return -EINVAL;
    }
    return 0;
}

/* Fills file->document from file->text. */
static int parse_text(struct yaml_file *file, char **ret_error)
{
    struct fy_diag_cfg diag_config;
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_RESOLVE_DOCUMENT | FYPCF_JSON_NONE};
    struct fy_parser *parser;
    struct fy_diag *diag;
    int error = -ENOMEM;

    fy_diag_cfg_default(&diag_config);
    diag = fy_diag_create(&diag_config);
    if (diag == NULL) {
        return -ENOMEM;
    }
    fy_diag_set_collect_errors(diag, true);
    config.diag = diag;
    parser = fy_parser_create(&config);
    if (parser != NULL) {
        error = parse_document(file, parser, diag, ret_error);
        fy_parser_destroy(parser);
    }
    fy_diag_destroy(diag);
    return error;
}

/* Takes `text` (malloc'd, terminated) over. */
static int parse_owned(const char *path, char *text, struct yaml_file **ret,
                       char **ret_error)
{
    _cleanup_(yaml_free_pointer) struct yaml_file *file =
        calloc(1, sizeof(*file));
    int error;

    if (file == NULL) {
        free(text);
        return -ENOMEM;
    }
    file->text = text;
    file->path = strdup(path);
    if (file->path == NULL) {
        return -ENOMEM;
    }
    error = parse_text(file, ret_error);
    if (error != 0) {
        return error;
    }
    *ret = file;
    file = NULL;
    return 0;
}

static int validate_text(const char *path, const char *text, size_t len,
                         char **ret_error)
{
    if (len > YAML_FILE_SIZE_MAX) {
        set_error(ret_error, "%s: larger than %u bytes", path,
                  YAML_FILE_SIZE_MAX);
        return -EFBIG;
    }
    if (memchr(text, '\0', len) != NULL) {
        set_error(ret_error, "%s: has a zero byte; expected text", path);
        return -EINVAL;
    }
    return 0;
}

static int with_error(int error, const char *path, char **ret_error)
{
    if (error != 0 && *ret_error == NULL) {
        set_error(ret_error, "cannot read %s: %s", path, strerror(-error));
    }
    return error;
}

int yaml_parse(const char *name, const char *text, size_t len,
               struct yaml_file **ret, char **ret_error)
{
    char *copy;
    int error;

    *ret_error = NULL;
    error = validate_text(name, text, len, ret_error);
    if (error == 0) {
        copy = malloc(len + 1);
        error = -ENOMEM;
        if (copy != NULL) {
            memcpy(copy, text, len);
            copy[len] = '\0';
            error = parse_owned(name, copy, ret, ret_error);
        }
    }
    return with_error(error, name, ret_error);
}

/* Reads at most one byte more than is allowed, so that too much shows. */
static int read_text(int fd, char *buffer, size_t *ret_len)
{
    size_t len = 0;

    while (len <= YAML_FILE_SIZE_MAX) {
        ssize_t n = read(fd, buffer + len, YAML_FILE_SIZE_MAX + 1 - len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

static int load(const char *path, struct yaml_file **ret, char **ret_error)
{
    char *text;
    char *shorter;
    size_t len = 0;
    int fd;
    int error;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return -errno;
    }
    text = malloc(YAML_FILE_SIZE_MAX + 2);
    error = text == NULL ? -ENOMEM : read_text(fd, text, &len);
    (void)close(fd); /* only read */
    if (error == 0) {
        error = validate_text(path, text, len, ret_error);
    }
    if (error != 0) {
        free(text);
        return error;
    }
    text[len] = '\0';
    shorter = realloc(text, len + 1);
    return parse_owned(path, shorter != NULL ? shorter : text, ret, ret_error);
}

int yaml_load(const char *path, struct yaml_file **ret, char **ret_error)
{
    *ret_error = NULL;
    return with_error(load(path, ret, ret_error), path, ret_error);
}

bool yaml_failed(const struct yaml_file *file)
{
    return file->is_failed;
}

char *yaml_take_error(struct yaml_file *file)
{
    char *error = file->error;

    file->error = NULL;
    return error;
}

const char *yaml_path(const struct yaml_file *file)
{
    return file->path;
}

void yaml_fail(struct yaml_node node, const char *format, ...)
{
    _cleanup_(free_pointer) char *text = NULL;
    size_t line = yaml_line(node);
    va_list arguments;
    int n;

    if (node.file->is_failed) {
        return;
    }
    node.file->is_failed = true;
    va_start(arguments, format);
    n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0) {
        text = NULL;
    } else if (line == 0) {
        set_error(&node.file->error, "%s: %s", node.file->path, text);
    } else {
        set_error(&node.file->error, "%s:%zu: %s", node.file->path, line, text);
    }
}

/* Only scalars know their place: a list or map begins where its first scalar
 * does. */
static struct fy_node *first_scalar(struct fy_node *node)
{
    while (node != NULL && fy_node_get_type(node) != FYNT_SCALAR) {
        if (fy_node_get_type(node) == FYNT_SEQUENCE) {
            node = fy_node_sequence_get_by_index(node, 0);
        } else {
            struct fy_node_pair *pair = fy_node_mapping_get_by_index(node, 0);

            node = pair == NULL ? NULL : fy_node_pair_key(pair);
        }
    }
    return node;
}

size_t yaml_line(struct yaml_node node)
{
    struct fy_node *scalar = first_scalar(node.node);
    struct fy_token *token =
        scalar == NULL ? NULL : fy_node_get_scalar_token(scalar);
    const struct fy_mark *mark =
        token == NULL ? NULL : fy_token_start_mark(token);

    return mark == NULL ? 0 : (size_t)mark->line + 1;
}

/* "key:" with nothing behind it is as if it were not there. */
static bool is_null(struct fy_node *node)
{
    size_t len = 0;
    const char *text;

    if (node == NULL) {
        return true;
    }
    if (fy_node_get_type(node) != FYNT_SCALAR ||
        fy_node_get_style(node) != FYNS_PLAIN) {
        return false;
    }
    text = fy_node_get_scalar(node, &len);
    return len == 0 || text == NULL || (len == 1 && text[0] == '~') ||
           (len == 4 && memcmp(text, "null", 4) == 0);
}

static struct yaml_node wrap(struct yaml_file *file, struct fy_node *node)
{
    return (struct yaml_node){.file = file,
                              .node = is_null(node) ? NULL : node};
}

struct yaml_node yaml_root(struct yaml_file *file)
{
    return wrap(
        file, file->document == NULL ? NULL : fy_document_root(file->document));
}

bool yaml_is_map(struct yaml_node node)
{
    return node.node != NULL && fy_node_get_type(node.node) == FYNT_MAPPING;
}

bool yaml_is_list(struct yaml_node node)
{
    return node.node != NULL && fy_node_get_type(node.node) == FYNT_SEQUENCE;
}

struct yaml_node yaml_get(struct yaml_node map, const char *key)
{
    struct fy_node *node = NULL;

    if (yaml_is_map(map)) {
        node = fy_node_mapping_lookup_by_string(map.node, key, strlen(key));
    }
    return wrap(map.file, node);
}

size_t yaml_count(struct yaml_node list)
{
    if (list.node == NULL) {
        return 0;
    }
    return yaml_is_list(list) ? (size_t)fy_node_sequence_item_count(list.node)
                              : 1;
}

struct yaml_node yaml_at(struct yaml_node list, size_t index)
{
    if (yaml_is_list(list)) {
        return wrap(list.file,
                    fy_node_sequence_get_by_index(list.node, (int)index));
    }
    return index == 0 ? list : (struct yaml_node){.file = list.file};
}

size_t yaml_pair_count(struct yaml_node map)
{
    return yaml_is_map(map) ? (size_t)fy_node_mapping_item_count(map.node) : 0;
}

struct yaml_node yaml_pair_at(struct yaml_node map, size_t index,
                              struct yaml_node *ret_key)
{
    struct fy_node_pair *pair =
        yaml_is_map(map) ? fy_node_mapping_get_by_index(map.node, (int)index)
                         : NULL;

    if (pair == NULL) {
        *ret_key = (struct yaml_node){.file = map.file};
        return *ret_key;
    }
    *ret_key =
        (struct yaml_node){.file = map.file, .node = fy_node_pair_key(pair)};
    return wrap(map.file, fy_node_pair_value(pair));
}

const char *yaml_scalar(struct yaml_node node, size_t *ret_len)
{
    const char *text;

    if (node.node == NULL || fy_node_get_type(node.node) != FYNT_SCALAR) {
        return NULL;
    }
    text = fy_node_get_scalar(node.node, ret_len);
    return text;
}
