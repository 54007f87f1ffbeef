/*
 * See join_token.h.
 */
#include "agent/join/join_token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/core/core.h"
#include "agent/core/store_thread.h"
#include "agent/identity/token_ledger.h"
#include "agent/join/join_allocate.h"
#include "agent/join/join_judge.h"
#include "agent/system/log.h"

/* Addresses of this host that are looked at. */
#define OWN_MAX 64

/* A creation that waits for the disk. */
struct join_token {
    struct core *core;
    struct token token;
    join_token_fn done;
    void *data;
};

static void join_token_stored(int error, void *data)
{
    struct join_token *pending = data;
    char text[TOKEN_TEXT_SIZE];

    if (error == 0) {
        error = token_encode(&pending->token, text);
    }
    if (error == 0) {
        pending->done(0, text, &pending->token, token_warning(&pending->token),
                      pending->data);
    } else {
        token_ledger_remove(pending->core->tokens, pending->token.id);
        pending->done(error, NULL, NULL, NULL, pending->data);
    }
    sodium_memzero(text, sizeof(text));
    token_wipe(&pending->token);
    free(pending);
}

/* In the ledger from now on: the next token promises nothing of this one. */
static int keep(struct core *core, const struct store_token *stored,
                struct join_token *pending, char **ret_problem)
{
    int error =
        token_ledger_put(core->tokens, stored, core_wall_ms(core) / 1000);

    if (error == -ENOBUFS) {
        if (asprintf(ret_problem,
                     "%d tokens of this node may still be used; revoke some "
                     "(agentctl token ls, agentctl token revoke ID), or wait "
                     "until they expire",
                     TOKEN_LEDGER_MAX) < 0) {
            *ret_problem = NULL;
        }
        return error;
    }
    if (error == 0) {
        error = store_thread_put_token(core->store, stored, join_token_stored,
                                       pending);
        if (error != 0) {
            token_ledger_remove(core->tokens, stored->id);
        }
    }
    return error;
}

/* What an allocation is made of, and its texts. */
struct gift {
    struct join_allocate from;
    struct interfaces_address own[OWN_MAX];
    struct token_bounds bounds;
    bool has_holder; /* the name is a member's, whose this all was */
    struct body_certificate holder;
    char name[BODY_NAME_SIZE];
    char mesh[LIMIT_CERT_ADDRESSES][ADDRESS_TEXT_SIZE];
    char subnets[LIMIT_CERT_SUBNETS][PREFIX_TEXT_SIZE];
};

static int fail_full(const char *what, const char *option, char **ret_problem)
{
    if (asprintf(ret_problem,
                 "no %s is free in the ranges of the cluster's charter: name "
                 "one with %s, or have the roots widen the charter",
                 what, option) < 0) {
        *ret_problem = NULL;
    }
    return -ENOSPC;
}

static int give_subnet(struct gift *gift, uint8_t len, char **ret_problem)
{
    struct prefix subnet;
    int error = join_allocate_subnet(&gift->from, len, &subnet);

    if (error == -ENOSPC) {
        return fail_full("subnet of that size",
                         "--subnet or a longer "
                         "--subnet-size",
                         ret_problem);
    }
    if (error == 0) {
        gift->bounds.subnets[0] = prefix_text(&subnet, gift->subnets[0]);
        gift->bounds.n_subnets = 1;
    }
    return error;
}

static int give_mesh(struct gift *gift, char **ret_problem)
{
    struct address mesh;
    int error = join_allocate_mesh(&gift->from, &mesh);

    if (error == -ENOSPC) {
        return fail_full("mesh address", "--mesh-address", ret_problem);
    }
    if (error == 0) {
        gift->bounds.mesh[0] = address_text(&mesh, gift->mesh[0]);
        gift->bounds.n_mesh = 1;
    }
    return error;
}

/* What a member has, its name shall have again. */
static void give_back(struct gift *gift, const struct body_certificate *body)
{
    struct token_bounds *bounds = &gift->bounds;

    if (bounds->n_mesh == 0) {
        for (size_t i = 0; i < body->n_mesh; i++) {
            bounds->mesh[i] =
                address_text(&body->mesh[i].address, gift->mesh[i]);
        }
        bounds->n_mesh = body->n_mesh;
    }
    if (bounds->n_subnets == 0) {
        for (size_t i = 0; i < body->n_subnets; i++) {
            bounds->subnets[i] =
                prefix_text(&body->subnets[i], gift->subnets[i]);
        }
        bounds->n_subnets = body->n_subnets;
    }
}

static void find_own(struct gift *gift)
{
    int error = interfaces_list(gift->own, OWN_MAX, &gift->from.n_own);

    if (error != 0) {
        log_warning("this host's own networks cannot be read: %s; a token may "
                    "be given one of them",
                    strerror(-error));
        gift->from.n_own = 0;
    }
    gift->from.own = gift->own;
}

/* Fills in the bounds what the issuer gives.  0, -ENOMEM, or -ENOSPC and a
 * malloc'd problem. */
static int give(const struct core *core, const struct join_token_wish *wish,
                struct gift *gift, char **ret_problem)
{
    int error = 0;

    if (gift->has_holder) {
        give_back(gift, &gift->holder);
        return 0;
    }
    if (wish->is_open) {
        return 0;
    }
    gift->from.tokens = core->tokens;
    find_own(gift);
    if (gift->bounds.n_subnets == 0) {
        error = give_subnet(gift, wish->subnet_len, ret_problem);
    }
    if (error == 0 && wish->gives_mesh && gift->bounds.n_mesh == 0) {
        error = give_mesh(gift, ret_problem);
    }
    if (error == 0 && wish->gives_name && gift->bounds.name == NULL) {
        error = join_allocate_name(&gift->from, gift->name);
        gift->bounds.name = gift->name;
    }
    return error;
}

/* Those that are asked for, else those of the member of that name. */
static size_t give_functions(const struct join_token_wish *wish,
                             const struct gift *gift,
                             const char *functions[LIMIT_CERT_FUNCTIONS])
{
    bool is_back = wish->n_functions == 0 && gift->has_holder;
    size_t n = MIN_OF(is_back ? gift->holder.n_functions : wish->n_functions,
                      (size_t)LIMIT_CERT_FUNCTIONS);

    for (size_t i = 0; i < n; i++) {
        functions[i] = is_back ? gift->holder.functions[i] : wish->functions[i];
    }
    return n;
}

static int make(struct core *core, const struct join_token_wish *wish,
                struct join_token *pending, char **ret_problem)
{
    struct gift gift = {
        .from = {.node = core->node, .now_s = core_wall_ms(core) / 1000},
        .bounds = wish->bounds,
    };
    const char *functions[LIMIT_CERT_FUNCTIONS];
    struct store_token stored;
    size_t n;
    int error;

    gift.has_holder = !wish->is_open && wish->bounds.name != NULL &&
                      join_judge_find_name(core->node, wish->bounds.name, NULL,
                                           gift.from.now_s, &gift.holder);
    n = give_functions(wish, &gift, functions);
    error = token_new(core->identity, functions, n, gift.from.now_s,
                      wish->ttl_s, &pending->token, &stored, ret_problem);
    if (error == 0) {
        error = give(core, wish, &gift, ret_problem);
    }
    if (error == 0) {
        error = token_bind(&gift.bounds, node_charter(core->node, NULL),
                           &pending->token, &stored, ret_problem);
    }
    return error != 0 ? error : keep(core, &stored, pending, ret_problem);
}

int join_token_create(struct core *core, const struct join_token_wish *wish,
                      join_token_fn done, void *data, char **ret_problem)
{
    struct join_token *pending = calloc(1, sizeof(*pending));
    int error;

    *ret_problem = NULL;
    if (pending == NULL) {
        return -ENOMEM;
    }
    pending->core = core;
    pending->done = done;
    pending->data = data;
    error = make(core, wish, pending, ret_problem);
    if (error != 0) {
        token_wipe(&pending->token);
        free(pending);
    }
    return error;
}
