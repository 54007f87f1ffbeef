/*
 * This host as a joiner describes it; see join_local.h.  The WireGuard key is
 * in wireguard_key.c.
 */
#include "agent/join/join_local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/system/log.h"
#include "agent/system/user.h"

/* 0, or -EINVAL and a text. */
static int judge_name(const struct config *config, const char *name,
                      bool is_option, char **ret_error)
{
    char place[512] = "--name";

    if (body_name_valid(name)) {
        return 0;
    }
    if (!is_option) {
        (void)snprintf(place, sizeof(place), "\"name\" in %s", config->path);
    }
    if (asprintf(ret_error,
                 "\"%s\" (%zu characters) cannot name a node: a name has 1 to "
                 "63 letters, digits, \"-\" and \"_\", neither of these at an "
                 "end; give another with %s",
                 name, strlen(name), place) < 0) {
        *ret_error = NULL;
    }
    return -EINVAL;
}

/* The token's address where the configuration leaves it open: it must be on
 * this host, as nothing of ours puts it there. */
static int take_mesh(struct config *config, const struct token *token,
                     char **ret_error)
{
    char text[ADDRESS_TEXT_SIZE];

    if (token == NULL || token->n_mesh == 0 || config->mesh.family != 0 ||
        config->mesh_interface[0] != '\0') {
        return 0;
    }
    for (size_t i = 0; i < token->n_mesh; i++) {
        config->mesh = token->mesh[i];
        if (config_mesh_is_here(config)) {
            return 0;
        }
    }
    config->mesh = token->mesh[0];
    if (asprintf(ret_error,
                 "this token gives the mesh address %s, and no interface of "
                 "this host has it: give it to the mesh interface (`ip addr "
                 "add`, or in the mesh's own configuration), then run the same "
                 "command again",
                 address_text(&config->mesh, text)) < 0) {
        *ret_error = NULL;
    }
    return -EADDRNOTAVAIL;
}

static void take_subnets(const struct config *config, const struct token *token,
                         struct join_request *request)
{
    bool is_said = config->n_subnets > 0 && !config->are_subnets_joined;

    if (!is_said && token != NULL && token->n_subnets > 0) {
        memcpy(request->subnets, token->subnets, sizeof(request->subnets));
        request->n_subnets = token->n_subnets;
        return;
    }
    memcpy(request->subnets, config->subnets, sizeof(request->subnets));
    request->n_subnets = config->n_subnets;
}

static void find_wireguard_key(const struct config *config,
                               struct join_request *request)
{
    int error;

    if (config->mesh_interface[0] == '\0') {
        return;
    }
    error =
        wireguard_public_key(config->mesh_interface, request->wireguard_public);
    if (error != 0 && error != -ENOENT) {
        log_warning("the WireGuard key of %s cannot be read: %s; the "
                    "certificate will not hold it",
                    config->mesh_interface, strerror(-error));
    }
}

int join_local_fill(struct config *config, const char *name,
                    const struct token *token, struct join_request *ret,
                    char **ret_error)
{
    const char *chosen =
        name != NULL ? name
        : token != NULL && token->name[0] != '\0' && !config->is_name_given
            ? token->name
            : config->name;
    int error = judge_name(config, chosen, name != NULL, ret_error);

    if (error == 0) {
        error = take_mesh(config, token, ret_error);
    }
    if (error == 0) {
        error = config_resolve_mesh(config, ret_error);
    }
    if (error != 0) {
        return error;
    }
    if (!config_mesh_is_here(config)) {
        char text[ADDRESS_TEXT_SIZE];

        log_warning("mesh.address %s of %s is on no interface of this host: "
                    "peers reach this node there only; see `ip addr`",
                    address_text(&config->mesh, text), config->path);
    }
    (void)snprintf(ret->name, sizeof(ret->name), "%s", chosen);
    ret->mesh[0] =
        (struct endpoint){.address = config->mesh, .port = config->mesh_port};
    ret->n_mesh = 1;
    take_subnets(config, token, ret);
    find_wireguard_key(config, ret);
    return 0;
}

int join_local_owner(const struct config *config, struct identity_owner *ret,
                     char **ret_error)
{
    *ret = (struct identity_owner){.uid = (uid_t)-1, .gid = (gid_t)-1};
    if (geteuid() != 0) {
        return 0;
    }
    if (user_find(config->user, &ret->uid, &ret->gid) == 0) {
        return 0;
    }
    if (strcmp(config->user, CONFIG_USER_DEFAULT) == 0) {
        int error = user_make(config->user, ret_error);

        return error != 0 ? error
                          : user_find(config->user, &ret->uid, &ret->gid);
    }
    if (asprintf(ret_error,
                 "there is no user \"%s\" in /etc/passwd to own the state; "
                 "create it, or set \"user\" in %s",
                 config->user, config->path) < 0) {
        *ret_error = NULL;
    }
    return -ENOENT;
}
