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
#include <sys/stat.h>
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
#include "agent/join/join_provision.h"
#include "agent/system/file.h"
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

/* Whether this host is in no cluster yet. */
static int judge_host(const struct join *join, char **ret_problem)
{
    const char *state_dir = join->config->state_dir;

    if (!identity_exists(state_dir)) {
        return 0;
    }
    if (asprintf(ret_problem,
                 "this host is already a node of a cluster (%s/node.key); "
                 "run \"agent leave\" or \"agent reset --yes\" first, or "
                 "just \"agent run\"",
                 state_dir) < 0) {
        *ret_problem = NULL;
    }
    return -EEXIST;
}

/* The state directory, and keys in it. */
static int make_keys(struct join *join, char **ret_problem)
{
    const char *state_dir = join->config->state_dir;
    int error = join_local_owner(join->config, &join->owner, ret_problem);

    if (error == 0) {
        join->has_made_directory = access(state_dir, F_OK) < 0;
        error = identity_make_directory(state_dir, join->owner, ret_problem);
    }
    return error != 0 ? error : prepare_keys(join, ret_problem);
}

static int prepare(struct join *join, const char *peer, const char *token,
                   const char *name, char **ret_problem)
{
    int error = judge_host(join, ret_problem);

    if (error == 0) {
        error = token_parse(token, &join->token, ret_problem);
    }
    if (error == 0) {
        error = join_local_fill(join->config, name, &join->token,
                                &join->request, ret_problem);
    }
    if (error == 0) {
        error = judge_peer(join, peer, ret_problem);
    }
    return error != 0 ? error : make_keys(join, ret_problem);
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

static int end(struct join *join, int status)
{
    join_result_done(&join->result);
    identity_wipe(&join->identity);
    sodium_memzero(join, sizeof(*join));
    return status;
}

int command_join(struct config *config, const char *peer, const char *token,
                 const char *name, bool replaces)
{
    struct join join = {.config = config, .request.replaces = replaces};

    return end(&join, run(&join, peer, token, name));
}

/* --- by files --- */

static int write_request(struct join *join, const char *path)
{
    uint8_t frame[LIMIT_JOIN_REQUEST_SIZE];
    size_t size = 0;
    int error;

    memcpy(join->request.sign_public, join->identity.sign_public, 32);
    memcpy(join->request.exchange_public, join->identity.exchange_public, 32);
    error = join_request_pack(&join->request, join->identity.sign_secret, frame,
                              sizeof(frame), &size);
    if (error == 0 && access(path, F_OK) == 0) {
        error = -EEXIST;
    }
    return error != 0
               ? error
               : file_write(path, frame, size, 0644, (uid_t)-1, (gid_t)-1);
}

static int run_request(struct join *join, const char *path, const char *name)
{
    _cleanup_(free_pointer) char *problem = NULL;
    int error = judge_host(join, &problem);

    if (error == 0) {
        error =
            join_local_fill(join->config, name, NULL, &join->request, &problem);
    }
    if (error == 0) {
        error = make_keys(join, &problem);
    }
    if (error == 0) {
        error = write_request(join, path);
        if (error != 0 && asprintf(&problem, "cannot write %s: %s", path,
                                   strerror(-error)) < 0) {
            problem = NULL;
        }
    }
    if (error != 0) {
        return fail(problem, strerror(-error));
    }
    (void)printf("wrote    %s, for %s; its keys wait in %s/join.key\n\n"
                 "next     on an issuer: agentctl cert issue %s ANSWER\n"
                 "         here: agent join --answer ANSWER\n",
                 path, join->request.name, join->config->state_dir, path);
    return CTL_EXIT_OK;
}

int command_join_request(struct config *config, const char *path,
                         const char *name)
{
    struct join join = {.config = config};

    return end(&join, run_request(&join, path, name));
}

/* The whole file, malloc'd.  0 or negative errno. */
static int read_answer(const char *path, uint8_t **ret, size_t *ret_size)
{
    struct stat info;
    uint8_t *bytes;
    int error;

    if (stat(path, &info) < 0) {
        return -errno;
    }
    if (info.st_size < 0 ||
        (uint64_t)info.st_size > 2 * LIMIT_JOIN_RECORDS_SIZE) {
        return -EFBIG;
    }
    bytes = malloc((size_t)info.st_size + 1);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    error = file_read(path, bytes, (size_t)info.st_size + 1, ret_size);
    if (error != 0) {
        free(bytes);
        return error;
    }
    *ret = bytes;
    return 0;
}

/* What the certificate says is what this host is. */
static void take_certificate(struct join *join)
{
    struct join_request *request = &join->request;
    struct body_certificate body;
    struct record record;

    if (record_parse(join->result.certificate, join->result.certificate_size,
                     &record) == 0 &&
        body_get_certificate(&record, &body) == 0) {
        memcpy(request->subnets, body.subnets, sizeof(request->subnets));
        request->n_subnets = body.n_subnets;
    }
}

static int take_answer(struct join *join, const char *path, char **ret_problem)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int error = read_answer(path, &bytes, &size);

    if (error != 0) {
        if (asprintf(ret_problem, "cannot read %s: %s", path,
                     strerror(-error)) < 0) {
            *ret_problem = NULL;
        }
        return error;
    }
    error = join_provision_read(bytes, size, &join->identity,
                                join->request.name, &join->result, ret_problem);
    free(bytes);
    if (error == 0) {
        take_certificate(join);
    }
    return error;
}

static int run_answer(struct join *join, const char *path, const char *name)
{
    _cleanup_(free_pointer) char *problem = NULL;
    int error = judge_host(join, &problem);

    if (error == 0 && identity_load_join_keys(join->config->state_dir,
                                              &join->identity) != 0) {
        return fail("no request of this host waits for an answer; begin with "
                    "\"agent join --request FILE\"",
                    NULL);
    }
    if (error == 0) {
        error =
            join_local_fill(join->config, name, NULL, &join->request, &problem);
    }
    if (error == 0) {
        error = join_local_owner(join->config, &join->owner, &problem);
    }
    if (error == 0) {
        error = take_answer(join, path, &problem);
    }
    if (error == 0) {
        error = save(join, &problem);
    }
    if (error != 0) {
        return fail(problem, error < 0 ? strerror(-error) : "failed");
    }
    print_next(join);
    return CTL_EXIT_OK;
}

int command_join_answer(struct config *config, const char *path,
                        const char *name)
{
    struct join join = {.config = config};

    return end(&join, run_answer(&join, path, name));
}
