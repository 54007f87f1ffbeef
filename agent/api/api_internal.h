/*
 * What the files of the API share.  One handler per route, in api_<what>.c;
 * every handler gets the struct api as its data.
 */
#ifndef SOCKETNET_AGENT_API_API_INTERNAL_H
#define SOCKETNET_AGENT_API_API_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "agent/http/http.h"
#include "agent/json/json_build.h"
#include "agent/join/join_token.h"
#include "agent/json/json_text.h"
#include "gossip/base/address.h"
#include "gossip/wire/body.h"

struct catalog_function;
struct catalog_instance;
struct core;
struct node;
struct node_member;
struct services;

#define API_SCHEMA 1
/* How long a write waits for the local data plane. */
#define API_CONVERGE_MS 5000

struct api {
    struct core *core;
    struct services *services;
    struct http_server *server;
    uid_t uid; /* our own */
};

/* Answers with `root`, which is taken over; NULL: out of memory, 500. */
void api_reply(struct http_exchange *exchange, unsigned status, json_t *root);
/* A problem with formatted texts: `what` is a format, the rest may be NULL. */
void api_problem(struct http_exchange *exchange, unsigned status,
                 const char *why, const char *next, const char *what, ...)
    _printf_(5, 6);
/* "true", "1" or nothing after the name; `fallback` when it is absent. */
bool api_query_flag(struct http_exchange *exchange, const char *name,
                    bool fallback);
/* The request's body as a JSON object, or NULL and it has been answered. */
json_t *api_body(struct http_exchange *exchange);

/* The answer to a record that is on disk, a new reference; `key` as it was
 * written. */
typedef json_t *(*api_written_fn)(const struct core *core,
                                  const uint8_t key[32]);
/* A record of this node; all is borrowed, texts for ever. */
struct api_write {
    uint8_t kind;
    const uint8_t *key; /* of 32 bytes; NULL: the empty one */
    const uint8_t *body;
    size_t body_size;
    const char *failed; /* "the record could not be written" */
    api_written_fn answer;
};
/* Writes it, and answers when it is on disk.  0, or what core_write said, with
 * nothing answered. */
_must_check_ int api_write(struct http_exchange *exchange, struct core *core,
                           const struct api_write *write);
/* The field "reason", which may be absent; false: it has been answered. */
bool api_get_reason(struct http_exchange *exchange, const json_t *body,
                    char ret_reason[BODY_NAME_SIZE]);

/* Values, new references; NULL when out of memory. */
json_t *api_json_text(const char *text); /* null: NULL or "" */
json_t *api_json_hex(const uint8_t *bytes, size_t size);
json_t *api_json_id(uint64_t id);                        /* 16 hex digits */
json_t *api_json_address(const struct address *address); /* null: none */
json_t *api_json_time(uint64_t wall_ms); /* "2025-03-01T12:00:00.123Z" */
/* Name of the member that holds this key; its node id when not known. */
void api_node_name(const struct core *core, const uint8_t key[32],
                   char ret_name[BODY_NAME_SIZE]);

/* Why a member is none any more, null or "" when it is one. */
#define API_DENIAL_SIZE 256
const char *api_denial_text(const struct core *core,
                            const struct node_member *member,
                            char text[API_DENIAL_SIZE]);
json_t *api_denial_json(const struct core *core,
                        const struct node_member *member);
/* The newest revocation of the key that nobody lifted; false: there is none.
 * Valid until the next call on the node, as with all records. */
bool api_denial_revocation(const struct core *core, const uint8_t key[32],
                           struct record *ret);
/* The certified one of this name, id of 16 digits or key of 64; of several of a
 * name the one that is in force, else the one that ends last. */
bool api_certificate_find(const struct core *core, const char *text,
                          struct node_member *ret);

/* What a member is called: its state, or "not-heard" when it is alive by the
 * store alone and has not spoken to this node since it started. */
#define API_MEMBER_STATES 8
const char *api_member_state_name(size_t index); /* of one of those states */
const char *api_member_state(const struct node_member *member);
/* "", or what it says ails its whole host. */
const char *api_member_finding(const struct node_member *member);
void api_members_count(const struct node *node,
                       size_t ret_counts[API_MEMBER_STATES]);

/* Everything that is wrong, as a JSON array of {id, level, text, next}, NULL
 * without memory for it; `ret_healthy` is false when one of them is of level
 * "fail". */
json_t *api_health_problems(const struct api *api, bool *ret_healthy);
/* Local instances that the data plane does not hold, [{item, state, reason}],
 * or NULL. */
json_t *api_health_pending(const struct core *core);
/* Texts of what start-up still waits for; an empty array: ready.  Or NULL. */
json_t *api_health_waiting(const struct core *core);

/* Why the local data plane does not hold this instance of ours: "pending" or
 * "refused" and the reason; NULL when it does (or there is no data plane). */
const char *api_service_problem(const struct core *core,
                                const struct catalog_function *function,
                                const struct catalog_instance *instance,
                                const char **ret_reason);
json_t *api_service_json(const struct api *api,
                         const struct catalog_function *function);
json_t *api_instance_json(const struct api *api,
                          const struct catalog_function *function,
                          const struct catalog_instance *instance);
/* Answers 404 and names the nearest function there is. */
void api_service_not_found(struct http_exchange *exchange,
                           const struct core *core, const char *name);

/* What a token, or a certificate, is asked to be; texts are borrowed from the
 * request's body. */
struct api_token_request {
    const char *functions[STORE_TOKEN_FUNCTIONS];
    struct join_token_wish wish;
};
/* False when it has been answered. */
bool api_token_request(struct http_exchange *exchange, const json_t *body,
                       struct api_token_request *ret);
/* Lists of a token. */
json_t *api_token_addresses(const struct address *mesh, size_t n);
json_t *api_token_subnets(const struct prefix *subnets, size_t n);
/* Calls `add` for each token that would let somebody in as he likes. */
typedef void (*api_problem_fn)(void *data, const char *level, const char *id,
                               const char *text, const char *next);
void api_token_problems(const struct core *core, api_problem_fn add,
                        void *data);

json_t *api_json_prefixes(const struct prefix *prefixes, size_t n);
/* Who wrote what about whom, and when; a new reference. */
json_t *api_json_record_head(const struct core *core,
                             const struct record *record);
/* The bytes of one that is no manifest. */
json_t *api_json_record(const struct record *record);
/* Answers 404 and names the nearest node there is. */
void api_node_not_found(struct http_exchange *exchange, const struct core *core,
                        const char *name);
/* When the roots signed two charters of one generation, words for it, else "".
 * 0 or -ENOMEM. */
_must_check_ int api_charter_rivals(const struct core *core, char *text,
                                    size_t size);

/* Handlers. */
void api_certificates_get(struct http_exchange *exchange, void *data);
void api_certificate_get(struct http_exchange *exchange, void *data);
void api_policy_get(struct http_exchange *exchange, void *data);
void api_charter_get(struct http_exchange *exchange, void *data);
void api_status_get(struct http_exchange *exchange, void *data);
void api_health_get(struct http_exchange *exchange, void *data);
void api_ready_get(struct http_exchange *exchange, void *data);
void api_members_get(struct http_exchange *exchange, void *data);
void api_services_get(struct http_exchange *exchange, void *data);
void api_service_get(struct http_exchange *exchange, void *data);
void api_service_post(struct http_exchange *exchange, void *data);
void api_service_delete(struct http_exchange *exchange, void *data);
void api_resolve_get(struct http_exchange *exchange, void *data);
void api_flows_get(struct http_exchange *exchange, void *data);
void api_flows_diff_get(struct http_exchange *exchange, void *data);
void api_ports_get(struct http_exchange *exchange, void *data);
void api_records_get(struct http_exchange *exchange, void *data);
void api_records_post(struct http_exchange *exchange, void *data);
void api_records_verify_get(struct http_exchange *exchange, void *data);
void api_evidence_get(struct http_exchange *exchange, void *data);
void api_freeze_post(struct http_exchange *exchange, void *data);
void api_release_post(struct http_exchange *exchange, void *data);
void api_node_remove_post(struct http_exchange *exchange, void *data);
void api_cert_renew_post(struct http_exchange *exchange, void *data);
void api_cert_revoke_post(struct http_exchange *exchange, void *data);
void api_events_get(struct http_exchange *exchange, void *data);
void api_token_post(struct http_exchange *exchange, void *data);
void api_tokens_get(struct http_exchange *exchange, void *data);
void api_token_delete(struct http_exchange *exchange, void *data);
void api_certificate_post(struct http_exchange *exchange, void *data);
void api_backup_post(struct http_exchange *exchange, void *data);
void api_leave_post(struct http_exchange *exchange, void *data);
void api_metrics_get(struct http_exchange *exchange, void *data);

#endif
