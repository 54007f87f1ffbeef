/*
 * agent admission ls: roots and issuers, and until when they are.
 */
#include "agent/roots/roots_internal.h"

#include <stdio.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/ctl_table.h"
#include "agent/system/clock.h"

static int print_issuers(const struct roots *roots,
                         const struct roots_certificates *certificates)
{
    static const char *const heads[] = {"ISSUER",   "STATE", "ENDS",
                                        "ADMITTED", "NOTE",  NULL};
    uint64_t now_s = clock_wall_ms() / 1000;
    struct ctl_table *table;
    int error = ctl_table_new(heads, &table);

    if (error != 0) {
        return roots_no_memory(roots);
    }
    for (size_t i = 0; i < certificates->n; i++) {
        const struct roots_certificate *one = &certificates->all[i];
        uint64_t begin_s = one->body.not_before_s;
        uint64_t half_s = begin_s + (one->body.not_after_s - begin_s) / 2;
        char date[ROOTS_DATE_SIZE];
        size_t n = 0;

        if (!roots_certificate_is_issuer(one)) {
            continue;
        }
        for (size_t k = 0; k < certificates->n; k++) {
            n += roots_certificate_is_by(&certificates->all[k],
                                         one->body.sign_public);
        }
        ctl_table_add(table, CTL_COLOR_NONE, "%s", one->body.name);
        ctl_table_add(table, CTL_COLOR_NONE, "%s", one->state);
        ctl_table_add(table, CTL_COLOR_NONE, "%s",
                      roots_date(one->body.not_after_s, date));
        ctl_table_add(table, CTL_COLOR_NONE, "%zu", n);
        ctl_table_add(table, CTL_COLOR_NONE, "%s",
                      now_s > half_s ? "past half: agent admission renew" : "");
    }
    error = ctl_table_print(table, stdout, false);
    (void)ctl_table_free(table);
    return error != 0 ? roots_no_memory(roots) : CTL_EXIT_OK;
}

static int ls(struct roots *roots)
{
    struct roots_certificates certificates = {.n = 0};
    json_auto_t *charter = NULL;
    const json_t *root;
    size_t i;
    int status = roots_ask(roots, "GET", "/api/v1/charter", NULL, &charter);

    if (status == 0) {
        status = roots_certificates_get(roots, &certificates);
    }
    if (status != 0) {
        return status;
    }
    json_array_foreach (json_object_get(charter, "roots"), i, root) {
        (void)printf("root    %s\n", json_string_value(root));
    }
    (void)printf("charter generation %" JSON_INTEGER_FORMAT
                 ", %" JSON_INTEGER_FORMAT " of %zu roots sign the next\n\n",
                 json_integer_value(json_object_get(charter, "generation")),
                 json_integer_value(json_object_get(charter, "threshold")),
                 json_array_size(json_object_get(charter, "roots")));
    status = print_issuers(roots, &certificates);
    roots_certificates_done(&certificates);
    return status;
}

int roots_admission_ls(const struct program_call *call)
{
    struct roots roots = {.call = call};
    int status = ls(&roots);

    roots_done(&roots);
    return status;
}
