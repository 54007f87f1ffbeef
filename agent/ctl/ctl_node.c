/*
 * agentctl node remove.
 */
#include "agent/ctl/ctl_internal.h"

int ctl_node_remove(struct ctl *ctl)
{
    const char *reason = args_get(&ctl->args, "--reason");
    json_t *body =
        json_pack("{s:b}", "force", args_get(&ctl->args, "--force") != NULL);
    json_auto_t *root = NULL;
    char target[512];
    int status;

    if (reason != NULL) {
        (void)json_object_set_new(body, "reason", json_string(reason));
    }
    if (!ctl_target(target, sizeof(target), CTL_API "nodes/",
                    ctl->args.words[0], "remove")) {
        json_decref(body);
        return ctl_usage(ctl,
                         "%.40s... is no node: a name has at most 63 "
                         "characters",
                         ctl->args.words[0]);
    }
    status = ctl_ask(ctl, "POST", target, body, NULL, &root);
    if (status != 0 || ctl_print_json(ctl, root, NULL) || ctl->is_quiet) {
        return status;
    }
    (void)printf("removed %s: its key is revoked, its name and addresses are "
                 "free\n",
                 ctl_text(root, "removed"));
    return CTL_EXIT_OK;
}
