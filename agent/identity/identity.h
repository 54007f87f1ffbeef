/*
 * Who this node is: its keys, the cluster's genesis and its certificate, as
 * files of the state directory:
 *   node.key       64 + 32 secret bytes (signing, exchange), 0600
 *   genesis        msgpack, the same bytes on every node
 *   charter        the charter records from the first to the one in force,
 *                  one after another
 *   certificate    the own certificate record
 *   admission.key  64 secret bytes, only where `agent init` ran; may be taken
 *                  offline: the node itself is an issuer by its certificate
 *   subnets        the container subnets that the token gave (config.h)
 *   certificate.next  that of the next node.key, while keys are rotated
 *   join.key       node.key of a join that has not been answered yet
 *   db/            LMDB (store.h)
 * node.key is written last: where it is, there is a whole identity.  When
 * `certificate` is for other keys, `certificate.next` is for these.
 *
 * Genesis: map 1 version uint (2), 2 name str, 3 nonce bin16, 4 roots [bin32],
 * 5 threshold uint, 6 created s uint.
 * Cluster id = BLAKE2b-256 of those bytes; records carry its first 16.
 */
#ifndef SOCKETNET_AGENT_IDENTITY_IDENTITY_H
#define SOCKETNET_AGENT_IDENTITY_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gossip/base/address.h"
#include "gossip/base/macros.h"
#include "gossip/wire/body.h"
#include "gossip/wire/record.h"

struct store;

struct genesis {
    char name[BODY_NAME_SIZE];
    uint8_t nonce[16];
    uint8_t roots[LIMIT_GENESIS_ROOTS][32]; /* the first ones */
    size_t n_roots;
    uint8_t threshold; /* so many of them sign the first charter */
    uint64_t created_s;
    uint8_t cluster_id[32]; /* derived */
    uint8_t bytes[LIMIT_GENESIS_SIZE];
    size_t size;
};

/* Charter records, one after another, and what the last of them says. */
#define CHARTERS_SIZE_MAX (LIMIT_CHARTERS * LIMIT_RECORD_SIZE)
struct charters_found {
    uint8_t *bytes; /* free with charters_done */
    size_t size;
    struct body_charter charter; /* in force */
    uint8_t hash[BODY_CHARTER_HASH_SIZE];
};

struct identity {
    uint8_t sign_public[32];
    uint8_t sign_secret[64];
    uint8_t exchange_public[32];
    uint8_t exchange_secret[32];
    struct genesis genesis;
    struct charters_found charters;
    uint8_t certificate[LIMIT_RECORD_SIZE];
    size_t certificate_size;
    struct body_certificate body; /* of the certificate */
};

/* Fills a genesis and its derived fields from name, roots, threshold and
 * created_s; the nonce is made here.  0 or -EINVAL. */
_must_check_ int genesis_build(struct genesis *genesis);
/* Reads one, from a file or an issuer, and derives its id.  0; -EBADMSG: not a
 * genesis; -EPROTONOSUPPORT: one of another version of the formats. */
_must_check_ int genesis_parse(const uint8_t *bytes, size_t size,
                               struct genesis *ret);

/* Who signs the first charter. */
void genesis_parent(const struct genesis *genesis,
                    struct body_charter_parent *ret);

/* Picks from records (of any kind, in any order) the charters from the first to
 * the one in force.  0, -ENOMEM, or -EBADMSG: none follows the genesis. */
_must_check_ int charters_find(const struct genesis *genesis,
                               const uint8_t *bytes, size_t size,
                               struct charters_found *ret);
void charters_done(struct charters_found *found);
/* The same from the state directory's file.  Negative errno besides. */
_must_check_ int charters_load(const char *state_dir,
                               const struct genesis *genesis,
                               struct charters_found *ret);

/* Fresh signing and exchange keys. */
void identity_generate_keys(struct identity *identity);
/* Overwrites the secret keys and frees the charters; for structs on the
 * stack. */
void identity_wipe(struct identity *identity);

/* Who will own the state: the configured user when we are root, nobody new
 * else (uid and gid -1, as for chown). */
struct identity_owner {
    uid_t uid;
    gid_t gid;
};

/* Makes the state directory (0700, parents 0755).  0, or negative errno and a
 * text. */
_must_check_ int identity_make_directory(const char *state_dir,
                                         struct identity_owner owner,
                                         char **ret_error);
/* Writes genesis, charters, certificate and, last, node.key, each synced and
 * renamed into place.  `admission` (64 bytes) may be NULL.  0; -EEXIST: there
 * is a node.key; negative errno; a malloc'd text with all but 0. */
_must_check_ int identity_save(const char *state_dir,
                               const struct identity *identity,
                               const uint8_t *admission,
                               struct identity_owner owner, char **ret_error);
/* Other keys and their certificate, of the same node, in the place of those
 * that are there.  A crash leaves either pair: identity_load finishes what has
 * begun.  0, or negative errno and a malloc'd text. */
_must_check_ int identity_rotate(const char *state_dir,
                                 const struct identity *identity,
                                 struct identity_owner owner, char **ret_error);
/* Puts a newer "certificate" or "charter" in the place of the one that is
 * there, whole or not at all, for the user who runs this.  Touches nothing
 * else, so that any thread may.  0 or negative errno. */
_must_check_ int identity_replace_file(const char *state_dir, const char *name,
                                       const uint8_t *bytes, size_t size);
/* The keys of a join under way: kept so that a second try is by the same key.
 * Save: 0, or negative errno and a malloc'd text.  Load: 0, -ENOENT: there are
 * none, -EBADMSG, negative errno. */
_must_check_ int identity_save_join_keys(const char *state_dir,
                                         const struct identity *identity,
                                         char **ret_error);
_must_check_ int identity_load_join_keys(const char *state_dir,
                                         struct identity *identity);
void identity_forget_join_keys(const char *state_dir);
/* Opens db/ anew for a node that has no identity yet: what an unfinished
 * start left there belongs to nobody.  The caller closes the store.  0,
 * negative errno, STORE_E_*. */
_must_check_ int
identity_create_store(const char *state_dir,
                      const uint8_t cluster[RECORD_CLUSTER_SIZE],
                      struct store **ret);
/* Gives db/ and its files to the owner.  0 or negative errno. */
_must_check_ int identity_give_store(const char *state_dir,
                                     struct identity_owner owner);
/* The files that make an identity, in the order in which they are put into
 * place. */
struct identity_file {
    const char *name;
    bool is_needed;
    bool is_roots; /* it stays root's: core's user may not change it */
};
const struct identity_file *identity_files(size_t *ret_n);
/* NULL when it is none of them. */
const struct identity_file *identity_file_find(const char *name);
#define IDENTITY_CERTIFICATE_NEXT "certificate.next"
/* The copy of the store that a backup is made of, in the state directory. */
#define IDENTITY_BACKUP_NAME "backup.mdb"

/* Path of db/, malloc'd; NULL when out of memory. */
char *identity_store_path(const char *state_dir);

/* Reads all files and checks that they belong together; the caller frees what
 * it gets.  0, or negative errno (-ENOENT: no node.key) and a malloc'd text:
 * what, where, why, what next. */
_must_check_ int identity_load(const char *state_dir, struct identity **ret,
                               char **ret_error);
/* Wipes and frees; accepts NULL; returns NULL. */
struct identity *identity_free(struct identity *identity);
/* Whether there is a node.key. */
bool identity_exists(const char *state_dir);

#endif
