/*
 * `agent join`: asks an issuer for a certificate and stores what it answers.
 * Until all of that is on disk this host has no identity, and the keys of the
 * attempt lie in join.key, so that the same command can be given again.
 */
#include "agent/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/config/config.h"
#include "agent/core/store_thread.h"
#include "agent/ctl/ctl.h"
#include "agent/identity/identity.h"
#include "agent/identity/pin.h"
#include "agent/identity/token.h"
#include "agent/join/join_client.h"
#include "agent/join/join_local.h"
#include "store/store.h"

struct join {
    struct config *config;
    struct token token;
    struct join_request request;
    struct identity identity;
    struct identity_owner owner;
    struct join_result result;
    bool has_made_directory;
    bool has_made_keys; /* not those of an earlier attempt */
};

static int fail(const char *problem, const char *fallback)
{
    (void)fprintf(stderr, "agent join: %s\n",
                  problem != NULL ? problem : fallback);
    return CTL_EXIT_FAILED;
}

static int fill_store(const struct join *join)
{
    const char *state_dir = join->config->state_dir;
    struct store *store = NULL;
    int error;

    error = identity_create_store(state_dir, join->result.genesis.cluster_id,
                                  &store);
    if (error != 0) {
        return error;
    }
    error = join_result_store(&join->result, store);
    store_close(store);
    return error != 0 ? error : identity_give_store(state_dir, join->owner);
}

/* Those that the token gave, where the worker finds them. */
static int save_subnets(const struct join *join, char **ret_problem)
{
    const struct config *config = join->config;
    int error;

    if (config->n_subnets > 0 && !config->are_subnets_joined) {
        config_forget_subnets(config->state_dir);
        return 0;
    }
    error = config_save_subnets(config->state_dir, join->request.subnets,
                                join->request.n_subnets);
    if (error != 0 &&
        asprintf(ret_problem,
                 "admitted, but the subnets cannot be kept in %s: %s; then run "
                 "the same command again",
                 config->state_dir, strerror(-error)) < 0) {
        *ret_problem = NULL;
    }
    return error;
}

/* Without it the node is one all the same. */
static void keep_pin(const char *state_dir, const struct identity *identity)
{
    _cleanup_(free_pointer) char *problem = NULL;

    if (pin_save(state_dir, &identity->genesis, &identity->charters,
                 &problem) != 0) {
        (void)fprintf(stderr, "warning: %s\n",
                      problem != NULL ? problem : "out of memory");
    }
}

/* From here on a failure keeps join.key: the token is used by these keys. */
static int save(struct join *join, char **ret_problem)
{
    const char *state_dir = join->config->state_dir;
    struct identity *identity = &join->identity;
    int error = fill_store(join);

    if (error != 0) {
        if (asprintf(ret_problem,
                     "admitted, but the store in %s cannot be made: %s; then "
                     "run the same command again",
                     state_dir, store_error_text(error)) < 0) {
            *ret_problem = NULL;
        }
        return error;
    }
    identity->genesis = join->result.genesis;
    identity->charters = join->result.charters;
    join->result.charters = (struct charters_found){0}; /* handed over */
    memcpy(identity->certificate, join->result.certificate,
           join->result.certificate_size);
    identity->certificate_size = join->result.certificate_size;
    error = save_subnets(join, ret_problem);
    if (error == 0) {
        error =
            identity_save(state_dir, identity, NULL, join->owner, ret_problem);
    }
    if (error == 0) {
        identity_forget_join_keys(state_dir);
        keep_pin(state_dir, identity);
    }
    return error;
}

/* The keys of an attempt whose answer got lost, or fresh ones, kept. */
static int prepare_keys(struct join *join, char **ret_problem)
{
    const char *state_dir = join->config->state_dir;

    if (identity_load_join_keys(state_dir, &join->identity) == 0) {
        return 0;
    }
    identity_generate_keys(&join->identity);
    join->has_made_keys = true;
    return identity_save_join_keys(state_dir, &join->identity, ret_problem);
}

/* Nothing came of it: leaves no trace.  Keys of an earlier attempt stay when
 * this one has decided nothing. */
static void clean_up(const struct join *join, int error)
{
    const char *state_dir = join->config->state_dir;

    if (error != JOIN_E_REFUSED && !join->has_made_keys) {
        return;
    }
    identity_forget_join_keys(state_dir);
    if (join->has_made_directory) {
        (void)rmdir(state_dir); /* an empty directory harms nobody */
    }
}

static void print_next(const struct join *join)
{
    char mesh[ENDPOINT_TEXT_SIZE];
    char subnet[PREFIX_TEXT_SIZE];

    (void)printf("cluster  %s: %s\n", join->result.genesis.name,
                 join->result.text);
    (void)printf(
        "node     %s at %s, %zu records received\n", join->request.name,
        endpoint_text(&join->request.mesh[0], mesh), join->result.n_records);
    for (size_t i = 0; i < join->request.n_subnets; i++) {
        (void)printf("subnet   %s\n",
                     prefix_text(&join->request.subnets[i], subnet));
    }
    (void)printf("\nnext     agent run\n");
}

/* Whoever joins itself has mistaken the host. */
static int judge_peer(const struct join *join, const char *peer,
                      char **ret_problem)
{
    char address[ADDRESS_TEXT_SIZE];
    char mesh[ENDPOINT_TEXT_SIZE];

    if (strcmp(peer, address_text(&join->config->mesh, address)) != 0 &&
        strcmp(peer, endpoint_text(&join->request.mesh[0], mesh)) != 0) {
        return 0;
    }
    if (asprintf(ret_problem,
                 "%s is this host itself; give the mesh address of a node "
                 "that runs already, such as the one that printed the token",
                 peer) < 0) {
        *ret_problem = NULL;
    }
    return -EINVAL;
}

static int prepare(struct join *join, const char *peer, const char *token,
                   const char *name, char **ret_problem)
{
    const char *state_dir = join->config->state_dir;
    int error;

    if (identity_exists(state_dir)) {
        if (asprintf(ret_problem,
                     "this host is already a node of a cluster (%s/node.key); "
                     "run \"agent leave\" or \"agent reset --yes\" first, or "
                     "just \"agent run\"",
                     state_dir) < 0) {
            *ret_problem = NULL;
        }
        return -EEXIST;
    }
    error = token_parse(token, &join->token, ret_problem);
    if (error == 0) {
        error = join_local_fill(join->config, name, &join->token,
                                &join->request, ret_problem);
    }
    if (error == 0) {
        error = judge_peer(join, peer, ret_problem);
    }
    if (error == 0) {
        error = join_local_owner(join->config, &join->owner, ret_problem);
    }
    if (error == 0) {
        join->has_made_directory = access(state_dir, F_OK) < 0;
        error = identity_make_directory(state_dir, join->owner, ret_problem);
    }
    if (error == 0) {
        error = prepare_keys(join, ret_problem);
    }
    return error;
}

static void say(const char *text, void *data)
{
    (void)data;
    (void)fprintf(stderr, "agent join: %s\n", text);
}

static int run(struct join *join, const char *peer, const char *token,
               const char *name)
{
    _cleanup_(free_pointer) char *problem = NULL;
    int error;

    error = prepare(join, peer, token, name, &problem);
    if (error != 0) {
        return fail(problem, strerror(-error));
    }
    error = join_client_run(peer, &join->token, &join->identity, &join->request,
                            0, say, NULL, &join->result, &problem);
    if (error != 0) {
        if (error != JOIN_E_LOST) {
            clean_up(join, error);
        }
        return fail(problem, error < 0 ? strerror(-error) : "failed");
    }
    error = save(join, &problem);
    if (error != 0) {
        return fail(problem, strerror(-error));
    }
    print_next(join);
    return CTL_EXIT_OK;
}

int command_join(struct config *config, const char *peer, const char *token,
                 const char *name, bool replaces)
{
    struct join join = {.config = config, .request.replaces = replaces};
    int status = run(&join, peer, token, name);

    join_result_done(&join.result);
    identity_wipe(&join.identity);
    sodium_memzero(&join, sizeof(join));
    return status;
}
