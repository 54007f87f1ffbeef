/*
 * The charters as a file or an answer brings them: the chain from the genesis
 * to the one in force, judged as every node judges it.  Part of identity.h;
 * gossip/node/charter.c is the same for a running node.
 */
#include "agent/identity/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/system/file.h"
#include "gossip/wire/sign.h"

struct walk {
    const struct genesis *genesis;
    const uint8_t *bytes;
    size_t size;
};

/* The record at `*at`, which is moved behind it. */
static bool next_record(const struct walk *walk, size_t *at, struct record *ret)
{
    size_t size = 0;

    if (*at >= walk->size ||
        record_peek_size(walk->bytes + *at, walk->size - *at, &size) != 0 ||
        size > walk->size - *at ||
        record_parse(walk->bytes + *at, size, ret) != 0) {
        return false;
    }
    *at += size;
    return true;
}

/* Of those that follow the parent the one with the lowest hash. */
static bool find_next(const struct walk *walk,
                      const struct body_charter_parent *parent,
                      struct record *ret, struct body_charter *ret_charter,
                      uint8_t ret_hash[BODY_CHARTER_HASH_SIZE])
{
    bool is_found = false;
    struct record record;
    size_t at = 0;

    while (next_record(walk, &at, &record)) {
        struct body_charter charter;
        uint8_t hash[BODY_CHARTER_HASH_SIZE];

        if (record.kind != RECORD_CHARTER ||
            memcmp(record.cluster, walk->genesis->cluster_id,
                   RECORD_CLUSTER_SIZE) != 0 ||
            body_verify_charter(&record, parent, &charter) != 0 ||
            sign_verify(&record) != 0) {
            continue;
        }
        body_hash_charter(&charter, record.body, record.body_size, hash);
        if (!is_found || memcmp(hash, ret_hash, sizeof(hash)) < 0) {
            is_found = true;
            *ret = record;
            *ret_charter = charter;
            memcpy(ret_hash, hash, sizeof(hash));
        }
    }
    return is_found;
}

int charters_find(const struct genesis *genesis, const uint8_t *bytes,
                  size_t size, struct charters_found *ret)
{
    const struct walk walk = {genesis, bytes, size};
    struct charters_found found = {.size = 0};
    struct body_charter_parent parent;
    struct record record;

    genesis_parent(genesis, &parent);
    while (parent.generation < LIMIT_CHARTERS &&
           find_next(&walk, &parent, &record, &found.charter, found.hash)) {
        uint8_t *longer = realloc(found.bytes, found.size + record.size);

        if (longer == NULL) {
            free(found.bytes);
            return -ENOMEM;
        }
        memcpy(longer + found.size, record.bytes, record.size);
        found.bytes = longer;
        found.size += record.size;
        body_follow_charter(&found.charter, found.hash, &parent);
    }
    if (parent.generation == 0) {
        return -EBADMSG;
    }
    *ret = found;
    return 0;
}

void charters_done(struct charters_found *found)
{
    free(found->bytes);
    *found = (struct charters_found){0};
}

int charters_load(const char *state_dir, const struct genesis *genesis,
                  struct charters_found *ret)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, "charter");
    _cleanup_(free_pointer) uint8_t *bytes = malloc(CHARTERS_SIZE_MAX);
    size_t size = 0;
    int error;

    if (path == NULL || bytes == NULL) {
        return -ENOMEM;
    }
    error = file_read(path, bytes, CHARTERS_SIZE_MAX, &size);
    return error != 0 ? error : charters_find(genesis, bytes, size, ret);
}
