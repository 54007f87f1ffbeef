/*
 * The network side of `agent join`: one blocking conversation with a peer,
 * which is the issuer itself or passes our bytes on to it.  Everything that
 * comes back is verified before the caller sees it.
 */
#ifndef SOCKETNET_AGENT_JOIN_JOIN_CLIENT_H
#define SOCKETNET_AGENT_JOIN_JOIN_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/identity/identity.h"
#include "agent/identity/token.h"
#include "agent/join/join_message.h"
#include "gossip/base/address.h"
#include "gossip/base/macros.h"

/* For a connection, for the conversation on it once it is our turn, and for
 * all of it, waiting included. */
#define JOIN_CONNECT_MS 5000u
#define JOIN_TIMEOUT_MS 20000u
#define JOIN_WAIT_MS    180000u

enum join_client_error {
    /* The issuer said no: nothing changed there or here. */
    JOIN_E_REFUSED = 1,
    /* Nobody was reached: the token is still good. */
    JOIN_E_UNREACHED = 2,
    /* The request went out and no whole answer came: the token may be used
     * now, and the same keys must ask again. */
    JOIN_E_LOST = 3,
    /* What came back is not from the cluster of the token. */
    JOIN_E_FORGED = 4,
};

struct join_result {
    struct genesis genesis;
    struct charters_found charters;
    uint8_t certificate[LIMIT_RECORD_SIZE];
    size_t certificate_size;
    uint8_t *records; /* one after another, verified; owned */
    size_t records_size;
    size_t n_records;
    char text[JOIN_TEXT_SIZE]; /* the issuer's greeting */
};

/* Frees what join_client_run put into it; also when that failed. */
void join_result_done(struct join_result *result);

/* Certificate and records, in one batch.  0, negative errno, STORE_E_*. */
struct store;
_must_check_ int join_result_store(const struct join_result *result,
                                   struct store *store);

/* Hears what a person shall know while it goes on: that others come first. */
typedef void (*join_say_fn)(const char *text, void *data);

/*
 * `peer` is ADDRESS, NAME, each with :PORT or not.  Fills token fields and
 * keys of the request itself.  0; JOIN_E_* or negative errno with a malloc'd
 * text: what, where, why, what to do.  Waits while others are admitted first,
 * and says so; `holder_wait_ms` for the host that is to be replaced to be no
 * longer alive.
 */
_must_check_ int join_client_run(const char *peer, const struct token *token,
                                 const struct identity *identity,
                                 const struct join_request *request,
                                 uint32_t holder_wait_ms, join_say_fn say,
                                 void *data, struct join_result *ret,
                                 char **ret_error);

/* Endpoints of a peer as given, names resolved by c-ares.  Returns how many
 * (at most `size`), or 0 and a malloc'd text. */
_must_check_ size_t join_resolve(const char *peer, uint16_t default_port,
                                 struct endpoint *ret_endpoints, size_t size,
                                 char **ret_error);

/*
 * Pure: whether genesis, certificate and records of `result` are the cluster
 * of the token (NULL: whichever they are of) and this joiner.  Records that do
 * not verify are taken out. 0, or JOIN_E_FORGED and a malloc'd text.
 */
_must_check_ int join_verify(const struct token *token,
                             const struct join_request *request,
                             struct join_result *result, char **ret_error);

#endif
