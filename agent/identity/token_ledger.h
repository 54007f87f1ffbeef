/*
 * The tokens of this issuer that may still be used, in memory: the loop asks
 * it what they promise without a read of the store.  core_load.c fills it at
 * the start, whoever changes a token in the store says so here as well.
 * All functions accept NULL: no tokens are kept.
 */
#ifndef SOCKETNET_AGENT_IDENTITY_TOKEN_LEDGER_H
#define SOCKETNET_AGENT_IDENTITY_TOKEN_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/base/macros.h"
#include "store/store.h"

/* One more is refused: revoke some, or let them expire. */
#define TOKEN_LEDGER_MAX 1024

struct token_ledger;

/* 0 or -ENOMEM. */
_must_check_ int token_ledger_new(struct token_ledger **ret);
struct token_ledger *token_ledger_free(struct token_ledger *ledger);

/* Adds a token, or takes it in the place of the one with its id; one that is
 * revoked goes.  What has expired by `now_s` goes first.  0, -ENOMEM, or
 * -ENOBUFS: it holds TOKEN_LEDGER_MAX. */
_must_check_ int token_ledger_put(struct token_ledger *ledger,
                                  const struct store_token *token,
                                  uint64_t now_s);
/* It has been redeemed: when and by whom is taken over. */
void token_ledger_use(struct token_ledger *ledger,
                      const struct store_token *token);
void token_ledger_remove(struct token_ledger *ledger,
                         const uint8_t id[STORE_TOKEN_ID_SIZE]);

/* Those that have not expired, used ones too, in ascending order of id: begin
 * with *at 0.  NULL at the end; valid until the ledger changes. */
const struct store_token *token_ledger_next(const struct token_ledger *ledger,
                                            uint64_t now_s, size_t *at);

/* Whether it lets its holder be whoever it likes: any name and any subnets, or
 * every function. */
bool token_is_wide(const struct store_token *token);

#endif
