/*
 * See join_replace.h.
 */
#include "agent/join/join_replace.h"

#include <stdio.h>
#include <string.h>

#include "agent/join/join_judge.h"

/* NULL, or why this member is not to be replaced, and what to do. */
static const char *refusal(const struct node_member *holder,
                           enum join_status *ret_status)
{
    *ret_status = JOIN_NAME_REFUSED;
    if (holder->is_self) {
        return "it is the node that made this token; a node does not revoke "
               "itself: get the token on another issuer";
    }
    if ((holder->certificate->roles & BODY_ROLE_ISSUER) != 0) {
        return "it is an issuer, and only a root revokes one; \"agent leave\" "
               "there frees its name while it is up";
    }
    if (holder->state == NODE_MEMBER_ALIVE ||
        holder->state == NODE_MEMBER_SUSPECT) {
        *ret_status = JOIN_HOLDER_ALIVE;
        return "it is alive, or was until a moment ago: stop its agent, or "
               "wait until \"agentctl members\" shows it dead; when its key is "
               "in the wrong hands, \"agentctl node remove NAME --force\" on "
               "an "
               "issuer takes it out at once";
    }
    return NULL;
}

enum join_status join_replace_judge(const struct node *node,
                                    const struct join_request *request,
                                    const struct store_token *token,
                                    uint64_t now_s, bool *ret_has_holder,
                                    uint8_t ret_holder[32],
                                    char text[JOIN_TEXT_SIZE])
{
    struct body_certificate body;
    struct node_member holder;
    enum join_status status;
    const char *why;

    if (token->name[0] == '\0') {
        (void)snprintf(text, JOIN_TEXT_SIZE,
                       "this token names no host, and replaces none; get one "
                       "with \"agentctl token create --name %s\"",
                       request->name);
        return JOIN_NAME_REFUSED;
    }
    if (node_member_find(node, request->sign_public, &holder) &&
        holder.denial != NODE_DENIAL_NONE) {
        (void)snprintf(text, JOIN_TEXT_SIZE,
                       "the key of this request is revoked; run \"agent reset "
                       "--yes\" on this host, and join with a new token");
        return JOIN_TOKEN_USED;
    }
    if (!join_judge_find_name(node, request->name, request->sign_public, now_s,
                              &body) ||
        !node_member_find(node, body.sign_public, &holder)) {
        *ret_has_holder = false;
        return JOIN_OK;
    }
    why = refusal(&holder, &status);
    if (why != NULL) {
        (void)snprintf(text, JOIN_TEXT_SIZE,
                       "node \"%s\" cannot be replaced now: %s", body.name,
                       why);
        return status;
    }
    *ret_has_holder = true;
    memcpy(ret_holder, body.sign_public, 32);
    return JOIN_OK;
}
