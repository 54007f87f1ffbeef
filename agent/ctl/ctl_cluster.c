/*
 * agentctl cluster freeze and release.
 */
#include "agent/ctl/ctl_internal.h"

static int ask(struct ctl *ctl, const char *target, json_t *body)
{
    json_auto_t *root = NULL;
    int status = ctl_ask(ctl, "POST", target, body, NULL, &root);

    if (status != 0 || ctl_print_json(ctl, root, NULL) || ctl->is_quiet) {
        return status;
    }
    (void)printf("%s\n", ctl_flag(root, "frozen")
                             ? "frozen: no host applies anything new"
                             : "released");
    return CTL_EXIT_OK;
}

int ctl_cluster_freeze(struct ctl *ctl)
{
    const char *reason = args_get(&ctl->args, "--reason");

    return ask(ctl, CTL_API "cluster/freeze",
               reason != NULL ? json_pack("{s:s}", "reason", reason)
                              : json_object());
}

int ctl_cluster_release(struct ctl *ctl)
{
    return ask(ctl, CTL_API "cluster/release", json_object());
}
