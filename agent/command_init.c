/*
 * `agent init`: makes a cluster of one node.  Keys, the genesis, the first
 * charter and this node's certificate, both signed by the root, whose key is
 * admission.key, and a store that holds them; no network state.
 */
#include "agent/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/config/config.h"
#include "agent/core/store_thread.h"
#include "agent/ctl/ctl.h"
#include "agent/identity/identity.h"
#include "agent/identity/pin.h"
#include "agent/join/join_charter.h"
#include "agent/join/join_judge.h"
#include "agent/join/join_local.h"
#include "agent/system/clock.h"
#include "gossip/base/text.h"
#include "gossip/wire/sign.h"
#include "store/store.h"

/* An issuer's: only a root renews it. */
#define INIT_VALID_S    (3u * 365u * 86400u)
#define INIT_BACKDATE_S 3600u

struct init {
    struct config *config;
    struct join_request request;
    struct identity identity;
    uint8_t admission_public[32];
    uint8_t admission_secret[64];
    struct identity_owner owner;
};

static int fail(int error, char *problem, const char *fallback)
{
    (void)fprintf(stderr, "agent init: %s%s\n",
                  problem != NULL ? problem : fallback,
                  problem == NULL && error < 0 ? strerror(-error) : "");
    free(problem);
    return CTL_EXIT_FAILED;
}

static void fill_body(struct init *init, uint64_t now_s)
{
    struct body_certificate *body = &init->identity.body;
    const struct join_request *request = &init->request;

    memcpy(body->sign_public, init->identity.sign_public, 32);
    memcpy(body->exchange_public, init->identity.exchange_public, 32);
    memcpy(body->wireguard_public, request->wireguard_public, 32);
    memcpy(body->name, request->name, sizeof(body->name));
    memcpy(body->mesh, request->mesh, sizeof(body->mesh));
    body->n_mesh = request->n_mesh;
    memcpy(body->subnets, request->subnets, sizeof(body->subnets));
    body->n_subnets = request->n_subnets;
    body->roles = BODY_ROLE_MEMBER | BODY_ROLE_ISSUER;
    (void)strcpy(body->functions[0], "*");
    body->n_functions = 1;
    body->not_before_s = now_s - INIT_BACKDATE_S;
    body->not_after_s = now_s + INIT_VALID_S;
    body->generation = 1;
    do {
        randombytes_buf(&body->serial, sizeof(body->serial));
    } while (body->serial == 0);
}

/* The first record of the cluster, by its admission key. */
static int make_certificate(struct init *init, uint64_t now_s)
{
    struct identity *identity = &init->identity;
    uint8_t body[LIMIT_RECORD_SIZE];
    struct record_fields fields = {
        .kind = RECORD_CERTIFICATE,
        .cluster = identity->genesis.cluster_id,
        .writer = init->admission_public,
        /* Behind the charter's, as are all that a root signs. */
        .order = {.epoch = (now_s + 1) << 32 | randombytes_random(), .seq = 1},
        .hlc = (now_s * 1000) << 16,
        .key = identity->sign_public,
        .key_size = 32,
        .body = body,
    };
    int error;

    fill_body(init, now_s);
    error = body_put_certificate(&identity->body, body, sizeof(body),
                                 &fields.body_size);
    if (error != 0) {
        return error;
    }
    identity->certificate_size = record_build(&fields, identity->certificate,
                                              sizeof(identity->certificate));
    if (identity->certificate_size == 0) {
        return -EMSGSIZE;
    }
    return sign_record(identity->certificate, identity->certificate_size,
                       init->admission_secret);
}

static int make_charter(struct init *init,
                        const struct join_charter_ranges *ranges,
                        uint64_t now_s, char **ret_problem)
{
    struct identity *identity = &init->identity;
    struct charters_found *charters = &identity->charters;
    struct body_charter charter;
    uint8_t bytes[LIMIT_RECORD_SIZE];
    size_t size = 0;
    int error =
        join_charter_derive(ranges, &init->request, &charter, ret_problem);

    if (error != 0) {
        return error;
    }
    memcpy(charter.roots[0], init->admission_public, 32);
    charter.n_roots = 1;
    charter.threshold = 1;
    error = body_sign_charter(identity->genesis.cluster_id,
                              init->admission_secret, &charter);
    if (error == 0) {
        error = body_build_charter(
            identity->genesis.cluster_id, &charter, init->admission_secret,
            (struct record_order){now_s << 32 | randombytes_random(), 1},
            (now_s * 1000) << 16, bytes, sizeof(bytes), &size);
    }
    return error != 0
               ? error
               : charters_find(&identity->genesis, bytes, size, charters);
}

static int make_cluster(struct init *init, const char *cluster_name,
                        const struct join_charter_ranges *ranges,
                        char **ret_problem)
{
    struct genesis *genesis = &init->identity.genesis;
    uint64_t now_s = clock_wall_ms() / 1000;
    char text[JOIN_TEXT_SIZE];
    int error;

    identity_generate_keys(&init->identity);
    /* Never fails (libsodium manual). */
    (void)crypto_sign_keypair(init->admission_public, init->admission_secret);
    (void)snprintf(genesis->name, sizeof(genesis->name), "%s", cluster_name);
    memcpy(genesis->roots[0], init->admission_public, 32);
    genesis->n_roots = 1;
    genesis->threshold = 1;
    genesis->created_s = now_s;
    error = genesis_build(genesis);
    if (error == 0) {
        error = make_charter(init, ranges, now_s, ret_problem);
    }
    if (error == 0 && join_judge_own(&init->identity.charters.charter,
                                     &init->request, text) != JOIN_OK) {
        *ret_problem = strdup(text);
        return -EINVAL;
    }
    return error != 0 ? error : make_certificate(init, now_s);
}

static int make_store(const struct init *init)
{
    const struct identity *identity = &init->identity;
    const char *state_dir = init->config->state_dir;
    struct store_batch *batch = NULL;
    struct store *store = NULL;
    int error;

    error =
        identity_create_store(state_dir, identity->genesis.cluster_id, &store);
    if (error != 0) {
        return error;
    }
    error = store_batch_begin(store, &batch);
    if (error == 0) {
        error = store_put_record(batch, identity->charters.bytes,
                                 identity->charters.size);
        if (error == 0) {
            error = store_put_record(batch, identity->certificate,
                                     identity->certificate_size);
        }
        if (error == 0) {
            error = store_batch_commit(batch);
        } else {
            store_batch_abort(batch);
        }
    }
    store_close(store);
    return error != 0 ? error : identity_give_store(state_dir, init->owner);
}

/* Without it the node is one all the same. */
static void keep_pin(const struct init *init)
{
    _cleanup_(free_pointer) char *problem = NULL;

    if (pin_save(init->config->state_dir, &init->identity.genesis,
                 &init->identity.charters, &problem) != 0) {
        (void)fprintf(stderr, "warning: %s\n",
                      problem != NULL ? problem : "out of memory");
    }
}

static int save(const struct init *init, char **ret_problem)
{
    const char *state_dir = init->config->state_dir;
    int error = identity_make_directory(state_dir, init->owner, ret_problem);

    if (error == 0) {
        error = make_store(init);
        if (error != 0 &&
            asprintf(ret_problem, "cannot make the store in %s: %s", state_dir,
                     store_error_text(error)) < 0) {
            *ret_problem = NULL;
        }
    }
    if (error == 0) {
        error = identity_save(state_dir, &init->identity,
                              init->admission_secret, init->owner, ret_problem);
    }
    if (error == 0) {
        keep_pin(init);
    }
    return error;
}

static void print_subnets(const struct join_request *request)
{
    char text[PREFIX_TEXT_SIZE];

    for (size_t i = 0; i < request->n_subnets; i++) {
        (void)printf("%s%s", i == 0 ? ", containers in " : " ",
                     prefix_text(&request->subnets[i], text));
    }
}

static void print_ranges(const char *what, const struct prefix *ranges,
                         size_t n)
{
    char text[PREFIX_TEXT_SIZE];

    (void)printf("%s", what);
    for (size_t i = 0; i < n; i++) {
        (void)printf(" %s", prefix_text(&ranges[i], text));
    }
}

static void print_charter(const struct body_charter *charter)
{
    print_ranges("ranges   containers", charter->containers,
                 charter->n_containers);
    print_ranges(", mesh", charter->mesh, charter->n_mesh);
    print_ranges(", services", charter->services, charter->n_services);
    (void)printf("\n");
}

static void print_next(const struct init *init)
{
    const struct genesis *genesis = &init->identity.genesis;
    const struct join_request *request = &init->request;
    char id[2 * 16 + 1];
    char mesh[ENDPOINT_TEXT_SIZE];
    char address[ADDRESS_TEXT_SIZE];

    (void)text_from_bytes(genesis->cluster_id, 16, id);
    (void)printf("cluster  %s, id %s\n", genesis->name, id);
    (void)printf("node     %s at %s", request->name,
                 endpoint_text(&request->mesh[0], mesh));
    print_subnets(request);
    (void)printf("\n");
    print_charter(&init->identity.charters.charter);
    (void)printf(
        "keys     in %s; admission.key there is the cluster's root: keep a "
        "copy away from this host\n"
        "\n"
        "next     agent run\n"
        "         agentctl token create      (then, on each other "
        "host:)\n"
        "         agent join %s --token TOKEN\n",
        init->config->state_dir,
        init->config->mesh_port == CONFIG_PORT_DEFAULT
            ? address_text(&request->mesh[0].address, address)
            : mesh);
}

static int run(struct init *init, const char *name, const char *cluster_name,
               const struct join_charter_ranges *ranges)
{
    char *problem = NULL;
    int error;

    if (identity_exists(init->config->state_dir)) {
        (void)fprintf(stderr,
                      "agent init: this host is already a node of a cluster "
                      "(%s/node.key); run \"agent reset --yes\" first to make "
                      "another, or just \"agent run\"\n",
                      init->config->state_dir);
        return CTL_EXIT_FAILED;
    }
    error = join_local_fill(init->config, name, NULL, &init->request, &problem);
    if (error == 0) {
        error = make_cluster(init, cluster_name, ranges, &problem);
    }
    if (error == 0) {
        error = join_local_owner(init->config, &init->owner, &problem);
    }
    if (error == 0) {
        error = save(init, &problem);
    }
    if (error != 0) {
        return fail(error, problem, "failed: ");
    }
    print_next(init);
    return CTL_EXIT_OK;
}

int command_init(struct config *config, const char *name,
                 const char *cluster_name,
                 const struct join_charter_ranges *ranges)
{
    struct init init = {.config = config};
    int status = run(&init, name, cluster_name, ranges);

    identity_wipe(&init.identity);
    sodium_memzero(&init, sizeof(init));
    return status;
}
