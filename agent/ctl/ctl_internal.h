/*
 * What the files of agentctl share.  A command is a row of the table in
 * ctl_commands.c; its function asks the agent and prints.
 */
#ifndef SOCKETNET_AGENT_CTL_CTL_INTERNAL_H
#define SOCKETNET_AGENT_CTL_CTL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "agent/args/args.h"
#include "agent/args/program.h"
#include "agent/ctl/ctl.h"
#include "agent/ctl/ctl_client.h"
#include "agent/ctl/ctl_table.h"

#define CTL_API "/api/v1/"

enum ctl_format {
    CTL_FORMAT_TABLE,
    CTL_FORMAT_JSON,  /* the whole answer, indented */
    CTL_FORMAT_JSONL, /* one line per item, each with "schema" */
};

/* ctl_commands.c */
extern const struct program ctl_program;

/* One run. */
struct ctl {
    const struct program_call *call;
    struct args args;
    enum ctl_format format;
    bool is_quiet;
    bool has_color;
    const char *address;
    uint32_t timeout_ms;
};

/* Runs a command of agentctl with what the global options say. */
_must_check_ int ctl_run(const struct program_call *call,
                         int (*run)(struct ctl *ctl));

/* "agentctl: ..." on standard error. */
void ctl_message(const char *format, ...) _printf_(1, 2);
/* Prints a usage error and where help is; CTL_EXIT_USAGE. */
int ctl_usage(const struct ctl *ctl, const char *format, ...) _printf_(2, 3);

/*
 * Asks, and returns the answer of a 2xx status.  `body` is taken over, may be
 * NULL.  0 and the answer (and its status, when ret_status is not NULL); else
 * the exit status, after the problem was printed.
 */
_must_check_ int ctl_ask(const struct ctl *ctl, const char *method,
                         const char *target, json_t *body, unsigned *ret_status,
                         json_t **ret);
_must_check_ int ctl_get(const struct ctl *ctl, const char *target,
                         json_t **ret);
/* Prints what went wrong in an answer; the exit status it means. */
int ctl_print_problem(const struct ctl *ctl, unsigned status, const char *body,
                      size_t size);
/* Exit status of a ctl_client_error; prints and frees `error`. */
int ctl_print_unanswered(int code, char *error);
/* A path of the API with a name in it, percent-encoded.  False: too long. */
bool ctl_target(char *target, size_t size, const char *path, const char *name,
                const char *second);

/* Prints the answer in one of the two JSON formats; false when the format is
 * for people.  `list` is the answer's list that JSONL prints item by item, or
 * NULL. */
bool ctl_print_json(const struct ctl *ctl, json_t *root, const char *list);
/* Prints and frees the table; the exit status. */
int ctl_print_table(const struct ctl *ctl, struct ctl_table *table);

/* Members of an object, with a default for what is missing. */
const char *ctl_text(const json_t *root, const char *key);
json_int_t ctl_number(const json_t *root, const char *key);
bool ctl_flag(const json_t *root, const char *key);
/* "0.42ms", "1.3s", "5m12s", "3h4m", "2d5h" of microseconds. */
const char *ctl_duration(json_int_t us, char text[24]);

/* --function, --name, --mesh-address, --subnet as fields of a request; new. */
json_t *ctl_token_body(const struct ctl *ctl);

/* The commands. */
int ctl_status(struct ctl *ctl);
int ctl_health(struct ctl *ctl);
int ctl_members(struct ctl *ctl);
int ctl_service_register(struct ctl *ctl);
int ctl_service_ls(struct ctl *ctl);
int ctl_service_show(struct ctl *ctl);
int ctl_service_deregister(struct ctl *ctl);
int ctl_resolve(struct ctl *ctl);
int ctl_flow_ls(struct ctl *ctl);
int ctl_flow_diff(struct ctl *ctl);
int ctl_port_ls(struct ctl *ctl);
int ctl_cert_show(struct ctl *ctl);
int ctl_policy_check(struct ctl *ctl);
int ctl_record_ls(struct ctl *ctl);
int ctl_record_submit(struct ctl *ctl);
int ctl_record_verify(struct ctl *ctl);
int ctl_record_evidence(struct ctl *ctl);
int ctl_cluster_freeze(struct ctl *ctl);
int ctl_cluster_release(struct ctl *ctl);
int ctl_node_remove(struct ctl *ctl);
int ctl_cert_renew(struct ctl *ctl);
int ctl_cert_revoke(struct ctl *ctl);
int ctl_events(struct ctl *ctl);
int ctl_token_create(struct ctl *ctl);
int ctl_cert_issue(struct ctl *ctl);
int ctl_token_ls(struct ctl *ctl);
int ctl_token_revoke(struct ctl *ctl);
int ctl_backup(struct ctl *ctl);

#endif
