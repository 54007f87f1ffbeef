/*
 * agentctl record ls, verify and evidence.
 */
#include "agent/ctl/ctl_internal.h"

#include <string.h>

static void add_record(struct ctl_table *table, const json_t *record)
{
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(record, "kind"));
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(record, "writer"));
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(record, "key"));
    ctl_table_add(table, CTL_COLOR_NONE, "%" JSON_INTEGER_FORMAT,
                  ctl_number(record, "epoch") >> 32);
    ctl_table_add(table, CTL_COLOR_NONE, "%" JSON_INTEGER_FORMAT,
                  ctl_number(record, "seq"));
    ctl_table_add(table, CTL_COLOR_NONE, "%s", ctl_text(record, "time"));
    ctl_table_add(table, CTL_COLOR_NONE, "%" JSON_INTEGER_FORMAT,
                  ctl_number(record, "size"));
    ctl_table_add(table, CTL_COLOR_DIM, "%.16s", ctl_text(record, "id"));
}

int ctl_record_ls(struct ctl *ctl)
{
    static const char *const heads[] = {"KIND", "WRITER", "KEY", "BOOT", "SEQ",
                                        "TIME", "SIZE",   "ID",  NULL};
    const char *kind = args_get(&ctl->args, "--kind");
    char target[256] = CTL_API "records";
    json_auto_t *root = NULL;
    struct ctl_table *table;
    json_t *record;
    size_t i;
    int status;

    if (kind != NULL && !ctl_target(target, sizeof(target),
                                    CTL_API "records?kind=", kind, NULL)) {
        return ctl_usage(ctl, "there is no kind %.40s...", kind);
    }
    status = ctl_get(ctl, target, &root);
    if (status != 0 || ctl_print_json(ctl, root, "records")) {
        return status;
    }
    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (json_object_get(root, "records"), i, record) {
        add_record(table, record);
    }
    return ctl_print_table(ctl, table);
}

int ctl_record_verify(struct ctl *ctl)
{
    json_auto_t *root = NULL;
    const json_t *invalid;
    json_t *record;
    char took[24];
    size_t i;
    int status = ctl_get(ctl, CTL_API "records/verify", &root);

    if (status != 0) {
        return status;
    }
    invalid = json_object_get(root, "invalid");
    if (!ctl_print_json(ctl, root, NULL)) {
        (void)printf("%" JSON_INTEGER_FORMAT
                     " records checked, %" JSON_INTEGER_FORMAT
                     " valid, %zu not (%s)\n",
                     ctl_number(root, "checked"), ctl_number(root, "valid"),
                     json_array_size(invalid),
                     ctl_duration(ctl_number(root, "took_us"), took));
        json_array_foreach (invalid, i, record) {
            (void)printf("%s %s of %s: %s\n", ctl_text(record, "kind"),
                         ctl_text(record, "key"), ctl_text(record, "writer"),
                         ctl_text(record, "fault"));
        }
    }
    return json_array_size(invalid) == 0 ? CTL_EXIT_OK : CTL_EXIT_DENIED;
}

/* The two records of one writer, one below the other. */
int ctl_record_evidence(struct ctl *ctl)
{
    static const char *const heads[] = {"KIND", "WRITER", "KEY", "BOOT", "SEQ",
                                        "TIME", "SIZE",   "ID",  NULL};
    json_auto_t *root = NULL;
    struct ctl_table *table;
    json_t *evidence;
    json_t *record;
    size_t i, k;
    int status = ctl_get(ctl, CTL_API "evidence", &root);

    if (status != 0 || ctl_print_json(ctl, root, "evidence")) {
        return status;
    }
    if (ctl_table_new(heads, &table) != 0) {
        return CTL_EXIT_FAILED;
    }
    json_array_foreach (json_object_get(root, "evidence"), i, evidence) {
        json_array_foreach (json_object_get(evidence, "records"), k, record) {
            add_record(table, record);
        }
    }
    return ctl_print_table(ctl, table);
}
