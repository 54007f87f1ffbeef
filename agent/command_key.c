/*
 * See command_key.h.  It is a join in the place of this node itself: the issuer
 * revokes the old key and certifies the new one.  The new keys lie in join.key
 * from before the request until all is in place, so that the same command can
 * be given again; until then this host is the node of its old keys.
 */
#include "agent/command_key.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/config/config.h"
#include "agent/core/store_thread.h"
#include "agent/ctl/ctl.h"
#include "agent/identity/identity.h"
#include "agent/identity/token.h"
#include "agent/join/join_carry.h"
#include "agent/join/join_client.h"
#include "agent/join/join_local.h"
#include "agent/launcher/launcher.h"
#include "store/store.h"

/* So long it may take until the cluster sees that the agent was stopped. */
#define HOLDER_WAIT_MS 60000u

struct rotate {
    struct config *config;
    struct identity *old;
    struct identity new;
    struct identity_owner owner;
    struct token token;
    struct join_request request;
    struct join_result result;
    struct store *store;
    char peer[ENDPOINT_TEXT_SIZE];
    size_t n_carried; /* services that are offered again */
};

static int fail(const char *format, ...) _printf_(1, 2);

static int fail(const char *format, ...)
{
    va_list arguments;

    (void)fputs("agent key rotate: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return CTL_EXIT_FAILED;
}

static int fail_problem(char *problem, int error)
{
    int status = fail("%s", problem != NULL ? problem : strerror(-error));

    free(problem);
    return status;
}

/* The node as it is, with its store.  0, or the exit status. */
static int open_node(struct rotate *rotate)
{
    const char *state_dir = rotate->config->state_dir;
    _cleanup_(free_pointer) char *path = identity_store_path(state_dir);
    char *problem = NULL;
    int error = identity_load(state_dir, &rotate->old, &problem);

    if (error == 0) {
        error = join_local_owner(rotate->config, &rotate->owner, &problem);
    }
    if (error != 0 || path == NULL) {
        return fail_problem(problem, error != 0 ? error : -ENOMEM);
    }
    error = store_open(path, rotate->old->genesis.cluster_id, &rotate->store);
    return error == 0
               ? 0
               : fail("cannot open %s: %s", path, store_error_text(error));
}

static int take_token(struct rotate *rotate, const char *text)
{
    const struct identity *old = rotate->old;
    struct token *token = &rotate->token;
    char *problem = NULL;

    if (token_parse(text, token, &problem) != 0) {
        return fail_problem(problem, -EINVAL);
    }
    if (memcmp(token->cluster_id, old->genesis.cluster_id, 32) != 0) {
        return fail("this token is of cluster %s, and this node of %s",
                    token->cluster_name, old->genesis.name);
    }
    if (strcmp(token->name, old->body.name) != 0) {
        return fail("this token does not name this node; get one with "
                    "\"agentctl token create --name %s\" on an issuer",
                    old->body.name);
    }
    return 0;
}

struct find_issuer {
    const uint8_t *key;
    struct endpoint *ret;
    bool is_found;
};

static int find_issuer(const uint8_t *bytes, size_t size, void *data)
{
    struct find_issuer *find = data;
    struct body_certificate body;
    struct record record;

    if (record_parse(bytes, size, &record) == 0 &&
        record.kind == RECORD_CERTIFICATE &&
        body_get_certificate(&record, &body) == 0 &&
        memcmp(body.sign_public, find->key, 32) == 0 && body.n_mesh > 0) {
        *find->ret = body.mesh[0];
        find->is_found = true;
    }
    return 0;
}

/* The issuer's own address, which any certificate of it says. */
static int choose_peer(struct rotate *rotate, const char *peer)
{
    struct endpoint mesh;
    struct find_issuer find = {.key = rotate->token.issuer_sign, .ret = &mesh};
    int error;

    if (peer != NULL) {
        return 0;
    }
    error = store_records_each(rotate->store, find_issuer, &find);
    if (error != 0 || !find.is_found) {
        return fail("the store does not say where the issuer of this token is; "
                    "name a node that runs: agent key rotate PEER "
                    "--token-file FILE");
    }
    (void)endpoint_text(&mesh, rotate->peer);
    return 0;
}

/* All but the keys stays: the certificate of this node says it. */
static void fill_request(struct rotate *rotate)
{
    const struct body_certificate *body = &rotate->old->body;
    struct join_request *request = &rotate->request;

    memcpy(request->name, body->name, sizeof(request->name));
    memcpy(request->wireguard_public, body->wireguard_public, 32);
    memcpy(request->mesh, body->mesh, sizeof(request->mesh));
    request->n_mesh = body->n_mesh;
    memcpy(request->subnets, body->subnets, sizeof(request->subnets));
    request->n_subnets = body->n_subnets;
    request->replaces = true;
}

static int prepare_keys(struct rotate *rotate)
{
    const char *state_dir = rotate->config->state_dir;
    char *problem = NULL;
    int error;

    if (identity_load_join_keys(state_dir, &rotate->new) == 0) {
        return 0; /* of an attempt that did not end */
    }
    identity_generate_keys(&rotate->new);
    error = identity_save_join_keys(state_dir, &rotate->new, &problem);
    return error == 0 ? 0 : fail_problem(problem, error);
}

static void say(const char *text, void *data)
{
    (void)data;
    (void)fprintf(stderr, "agent key rotate: %s\n", text);
}

static int ask(struct rotate *rotate, const char *peer)
{
    char *problem = NULL;
    int error = join_client_run(
        peer != NULL ? peer : rotate->peer, &rotate->token, &rotate->new,
        &rotate->request, HOLDER_WAIT_MS, say, NULL, &rotate->result, &problem);

    if (error == 0) {
        return 0;
    }
    if (error == JOIN_E_REFUSED) {
        identity_forget_join_keys(rotate->config->state_dir);
    }
    return fail_problem(problem, error < 0 ? error : -EPROTO);
}

/* The store first: what is there of the new key harms the old one's node not,
 * and has to be there for the new one's. */
static int save(struct rotate *rotate)
{
    const char *state_dir = rotate->config->state_dir;
    struct identity *new = &rotate->new;
    char *problem = NULL;
    int error = join_result_store(&rotate->result, rotate->store);

    memcpy(new->certificate, rotate->result.certificate,
           rotate->result.certificate_size);
    new->certificate_size = rotate->result.certificate_size;
    if (error == 0) {
        error = join_carry(rotate->store, rotate->old->sign_public, new,
                           &rotate->n_carried);
    }
    rotate->store = store_close(rotate->store);
    if (error == 0) {
        error = identity_give_store(state_dir, rotate->owner);
    }
    if (error != 0) {
        return fail("admitted, but the store in %s cannot be written: %s; then "
                    "run the same command again",
                    state_dir, store_error_text(error));
    }
    new->genesis = rotate->old->genesis;
    new->charters = rotate->result.charters;
    rotate->result.charters = (struct charters_found){0}; /* handed over */
    error = identity_rotate(state_dir, new, rotate->owner, &problem);
    if (error != 0) {
        return fail_problem(problem, error);
    }
    identity_forget_join_keys(state_dir);
    return 0;
}

static int run(struct rotate *rotate, const char *token, const char *peer)
{
    int status = open_node(rotate);

    if (status == 0) {
        status = take_token(rotate, token);
    }
    if (status == 0) {
        status = choose_peer(rotate, peer);
    }
    if (status == 0) {
        fill_request(rotate);
        status = prepare_keys(rotate);
    }
    if (status == 0) {
        status = ask(rotate, peer);
    }
    if (status == 0) {
        status = save(rotate);
    }
    if (status == 0) {
        (void)printf("node     %s of %s has new keys, the old one is revoked\n"
                     "offers   %zu services again, as registered\n\nnext     "
                     "agent run\n",
                     rotate->old->body.name, rotate->old->genesis.name,
                     rotate->n_carried);
    }
    return status;
}

int command_key_rotate(struct config *config, const char *token,
                       const char *peer)
{
    struct rotate rotate = {.config = config};
    int lock = -1;
    int running = launcher_lock(config->run_dir, &lock);
    int status;

    if (running != 0) {
        return fail("%s", running == 1
                              ? "an agent runs here: stop it first (systemctl "
                                "stop socketnet)"
                              : strerror(-running));
    }
    status = run(&rotate, token, peer);
    rotate.store = store_close(rotate.store);
    join_result_done(&rotate.result);
    rotate.old = identity_free(rotate.old);
    identity_wipe(&rotate.new);
    sodium_memzero(&rotate, sizeof(rotate));
    if (lock >= 0) {
        (void)close(lock); /* others may start again */
    }
    return status;
}
