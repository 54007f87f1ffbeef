/*
 * agentctl record submit: hands finished records of a file to the agent, as
 * many in a request as fit.
 */
#include "agent/ctl/ctl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ctl/ctl_records.h"
#include "agent/system/file.h"

#define SUBMIT_FILE_MAX (4u << 20)

static int read_records(const char *path, uint8_t **ret, size_t *ret_size)
{
    uint8_t *bytes = malloc(SUBMIT_FILE_MAX);
    size_t size = 0;
    int error;

    if (bytes == NULL) {
        ctl_message("out of memory");
        return CTL_EXIT_FAILED;
    }
    error = file_read(path, bytes, SUBMIT_FILE_MAX, &size);
    if (error == 0 && !ctl_records_whole(bytes, size)) {
        error = -EBADMSG;
    }
    if (error != 0) {
        free(bytes);
        ctl_message("%s: %s", path,
                    error == -EBADMSG
                        ? "these are no records, one after another"
                    : error == -EFBIG ? "it is longer than 4 MiB"
                                      : strerror(-error));
        return error == -EBADMSG || error == -EFBIG ? CTL_EXIT_USAGE
                                                    : CTL_EXIT_FAILED;
    }
    *ret = bytes;
    *ret_size = size;
    return 0;
}

static int print_all(const struct ctl *ctl, json_t *root)
{
    static const char *const heads[] = {"KIND", "ID", "RESULT", NULL};
    struct ctl_table *table;
    json_t *record;
    size_t i;

    if (ctl_print_json(ctl, root, "records")) {
        return CTL_EXIT_OK;
    }
    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (json_object_get(root, "records"), i, record) {
        ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(record, "kind"));
        ctl_table_add(table, CTL_COLOR_DIM, "%.16s", ctl_text(record, "id"));
        ctl_table_add(table, CTL_COLOR_GOOD, "%s", ctl_text(record, "result"));
    }
    return ctl_print_table(ctl, table);
}

int ctl_record_submit(struct ctl *ctl)
{
    _cleanup_(free_pointer) uint8_t *bytes = NULL;
    json_t *list = json_array();
    json_auto_t *all = json_pack("{s:i, s:o}", "schema", 1, "records", list);
    size_t size = 0;
    size_t used = 0;
    int status = read_records(ctl->call->args.words[0], &bytes, &size);

    for (size_t at = 0; at < size && status == 0; at += used) {
        json_auto_t *answer = NULL;

        status = ctl_ask(ctl, "POST", CTL_API "records",
                         ctl_records_body(bytes + at, size - at, &used), NULL,
                         &answer);
        if (status == 0) {
            (void)json_array_extend(list, json_object_get(answer, "records"));
        } else if (json_array_size(list) > 0) {
            ctl_message("the %zu records before these were taken",
                        json_array_size(list));
        }
    }
    return status != 0 ? status : print_all(ctl, all);
}
