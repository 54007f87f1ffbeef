/*
 * Join tokens of an issuer.  Part of store.h beside store.c; uses transactions
 * and keys only.
 */
#include "store/store.h"

#include <errno.h>
#include <string.h>

#include "store/keys.h"
#include "store/txn.h"

static int put_token(struct txn *txn, const struct store_token *token)
{
    uint8_t value[KEYS_TOKEN_MAX];
    size_t size = keys_put_token(token, value);

    if (size == 0) {
        return -EINVAL;
    }
    return txn_put(txn, TXN_TOKENS, token->id, sizeof(token->id), value, size);
}

static int get_token(struct txn *txn, const uint8_t id[STORE_TOKEN_ID_SIZE],
                     struct store_token *ret)
{
    struct txn_bytes value;
    int error = txn_get(txn, TXN_TOKENS, id, STORE_TOKEN_ID_SIZE, &value);

    return error != 0 ? error
                      : keys_get_token(id, value.bytes, value.size, ret);
}

int store_put_token(struct store_batch *batch, const struct store_token *token)
{
    return put_token(&batch->txn, token);
}

int store_get_token(struct store *store, const uint8_t id[STORE_TOKEN_ID_SIZE],
                    struct store_token *ret)
{
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    error = get_token(&txn, id, ret);
    txn_abort(&txn);
    return error;
}

/* Whether `by` may redeem the token now. */
static int validate_token(const struct store_token *token, const uint8_t by[32],
                          uint64_t now_s)
{
    if (token->revoked_s != 0) {
        return STORE_E_REVOKED;
    }
    if (token->used_s != 0 &&
        memcmp(token->used_by, by, sizeof(token->used_by)) != 0) {
        return STORE_E_USED;
    }
    return now_s >= token->expires_s ? STORE_E_EXPIRED : 0;
}

int store_token_redeem(struct store *store,
                       const uint8_t id[STORE_TOKEN_ID_SIZE],
                       const uint8_t by[32], uint64_t now_s,
                       struct store_token *ret)
{
    struct store_token token;
    struct txn txn;
    int error = txn_begin(store, true, &txn);

    if (error != 0) {
        return error;
    }
    error = get_token(&txn, id, &token);
    if (error == 0) {
        error = validate_token(&token, by, now_s);
    }
    if (error == 0 && token.used_s == 0) {
        token.used_s = now_s;
        memcpy(token.used_by, by, sizeof(token.used_by));
        error = put_token(&txn, &token);
    }
    if (error != 0) {
        txn_abort(&txn);
        return error;
    }
    error = txn_commit(&txn);
    if (error == 0) {
        *ret = token;
    }
    return error;
}

int store_token_revoke(struct store *store,
                       const uint8_t id[STORE_TOKEN_ID_SIZE], uint64_t now_s)
{
    struct store_token token;
    struct txn txn;
    int error = txn_begin(store, true, &txn);

    if (error != 0) {
        return error;
    }
    error = get_token(&txn, id, &token);
    if (error == 0 && token.revoked_s == 0) {
        token.revoked_s = MAX_OF(now_s, 1u); /* 0 would say that it is not */
        error = put_token(&txn, &token);
    }
    if (error != 0) {
        txn_abort(&txn);
        return error;
    }
    return txn_commit(&txn);
}

struct tokens_walk {
    store_token_fn fn;
    void *data;
};

static int visit_token(struct txn_bytes key, struct txn_bytes value,
                       bool *ret_erase, void *data)
{
    const struct tokens_walk *walk = data;
    struct store_token token;

    (void)ret_erase;
    if (key.size != STORE_TOKEN_ID_SIZE ||
        keys_get_token(key.bytes, value.bytes, value.size, &token) != 0) {
        return -EBADMSG;
    }
    return walk->fn(&token, walk->data);
}

int store_tokens_each(struct store *store, store_token_fn fn, void *data)
{
    struct tokens_walk walk = {.fn = fn, .data = data};
    struct txn txn;
    int error = txn_begin(store, false, &txn);

    if (error != 0) {
        return error;
    }
    error = txn_each(&txn, TXN_TOKENS, NULL, 0, visit_token, &walk);
    txn_abort(&txn);
    return error;
}
