/*
 * See join_grant.h.
 */
#include "agent/join/join_grant.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#define JOIN_VALID_S (365u * 86400u)
/* The joiner's clock may be behind ours. */
#define JOIN_BACKDATE_S 3600u

int join_grant_token(const struct join_request *request,
                     const struct store_token *token, uint64_t now_s)
{
    uint8_t hash[32];

    token_hash_secret(request->secret, hash);
    if (sodium_memcmp(hash, token->secret_hash, sizeof(hash)) != 0) {
        return STORE_E_NOT_FOUND;
    }
    if (token->revoked_s != 0) {
        return STORE_E_REVOKED;
    }
    if (token->used_s != 0 &&
        memcmp(token->used_by, request->sign_public, 32) != 0) {
        return STORE_E_USED;
    }
    return now_s >= token->expires_s ? STORE_E_EXPIRED : 0;
}

enum join_status join_grant_bounds(const struct join_request *request,
                                   const struct store_token *token,
                                   char text[JOIN_TEXT_SIZE])
{
    char given[PREFIX_TEXT_SIZE];

    if (token->name[0] != '\0' && strcmp(token->name, request->name) != 0) {
        (void)snprintf(text, JOIN_TEXT_SIZE,
                       "this token is for a node named \"%s\", not \"%s\"; "
                       "give --name %s",
                       token->name, request->name, token->name);
        return JOIN_NAME_REFUSED;
    }
    for (size_t i = 0; i < request->n_mesh && token->n_mesh > 0; i++) {
        bool is_given = false;

        for (size_t j = 0; j < token->n_mesh; j++) {
            is_given |=
                address_equal(&token->mesh[j], &request->mesh[i].address);
        }
        if (!is_given) {
            (void)snprintf(text, JOIN_TEXT_SIZE,
                           "this token is for the mesh address %s; set "
                           "\"mesh.address\" in agent.yaml",
                           address_text(&token->mesh[0], given));
            return JOIN_ADDRESS_REFUSED;
        }
    }
    for (size_t i = 0; i < request->n_subnets && token->n_subnets > 0; i++) {
        bool is_given = false;

        for (size_t j = 0; j < token->n_subnets; j++) {
            is_given |= token->subnets[j].len <= request->subnets[i].len &&
                        prefix_contains(&token->subnets[j],
                                        &request->subnets[i].address);
        }
        if (!is_given) {
            (void)snprintf(text, JOIN_TEXT_SIZE,
                           "this token gives the subnet %s, and agent.yaml of "
                           "this host says others: leave \"subnets\" out "
                           "there, or get a token with --subnet for each of "
                           "them, or with --open",
                           prefix_text(&token->subnets[0], given));
            return JOIN_SUBNET_REFUSED;
        }
    }
    return JOIN_OK;
}

void join_grant_fill(const struct join_request *request,
                     const struct store_token *token, uint64_t now_s,
                     uint64_t issuer_ends_s, struct body_certificate *ret)
{
    struct body_certificate *body = ret;

    *body = (struct body_certificate){0};
    memcpy(body->sign_public, request->sign_public, 32);
    memcpy(body->exchange_public, request->exchange_public, 32);
    memcpy(body->wireguard_public, request->wireguard_public, 32);
    memcpy(body->name, request->name, sizeof(body->name));
    memcpy(body->mesh, request->mesh, sizeof(body->mesh));
    body->n_mesh = request->n_mesh;
    memcpy(body->subnets, request->subnets, sizeof(body->subnets));
    body->n_subnets = request->n_subnets;
    body->roles = BODY_ROLE_MEMBER;
    body->n_functions = MIN_OF(token->n_functions, LIMIT_CERT_FUNCTIONS);
    for (size_t i = 0; i < body->n_functions; i++) {
        (void)snprintf(body->functions[i], sizeof(body->functions[i]), "%s",
                       token->functions[i]);
    }
    body->not_before_s = now_s - JOIN_BACKDATE_S;
    /* No certificate outlives its issuer's. */
    body->not_after_s = MIN_OF(now_s + JOIN_VALID_S, issuer_ends_s);
    body->generation = 1;
    do {
        randombytes_buf(&body->serial, sizeof(body->serial));
    } while (body->serial == 0);
}

bool join_grant_is_same(const struct body_certificate *old,
                        const struct body_certificate *new)
{
    if (strcmp(old->name, new->name) != 0 || old->roles != new->roles ||
        old->n_mesh != new->n_mesh || old->n_subnets != new->n_subnets ||
        old->n_functions != new->n_functions ||
        memcmp(old->exchange_public, new->exchange_public, 32) != 0 ||
        memcmp(old->wireguard_public, new->wireguard_public, 32) != 0) {
        return false;
    }
    for (size_t i = 0; i < old->n_mesh; i++) {
        if (!endpoint_equal(&old->mesh[i], &new->mesh[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < old->n_subnets; i++) {
        if (old->subnets[i].len != new->subnets[i].len ||
            !address_equal(&old->subnets[i].address,
                           &new->subnets[i].address)) {
            return false;
        }
    }
    for (size_t i = 0; i < old->n_functions; i++) {
        if (strcmp(old->functions[i], new->functions[i]) != 0) {
            return false;
        }
    }
    return true;
}
