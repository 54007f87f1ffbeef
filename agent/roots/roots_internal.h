/*
 * Shared by the files of this room; roots.h says what is in each.
 */
#ifndef SOCKETNET_AGENT_ROOTS_ROOTS_INTERNAL_H
#define SOCKETNET_AGENT_ROOTS_ROOTS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "agent/roots/roots.h"
#include "gossip/base/macros.h"
#include "gossip/wire/body.h"
#include "gossip/wire/record.h"

struct config;

/* One run of a command. */
struct roots {
    const struct program_call *call;
    struct config *config; /* read when it is needed; NULL until then */
};

/* --- roots.c --- */

void roots_done(struct roots *roots);
/* "agent charter sign: ..." on standard error; CTL_EXIT_FAILED. */
int roots_fail(const struct roots *roots, const char *format, ...)
    _printf_(2, 3);
int roots_no_memory(const struct roots *roots);
/* Value of an option, or NULL; the n-th word, or NULL. */
const char *roots_option(const struct roots *roots, const char *name);
const char *roots_word(const struct roots *roots, size_t index);
/* Reads the configuration, once.  0, or the exit status with a message. */
_must_check_ int roots_need_config(struct roots *roots);
/* Asks the running agent; `body` is taken over, may be NULL.  0 and an object;
 * else the exit status with a message. */
_must_check_ int roots_ask(struct roots *roots, const char *method,
                           const char *target, json_t *body, json_t **ret);
/* Hands records over, one after another in `bytes`; 0 when all are taken and on
 * disk. */
_must_check_ int roots_submit(struct roots *roots, const uint8_t *bytes,
                              size_t size);
/* The bytes of a hexadecimal text of an answer or a file; false: it is none, or
 * longer. */
bool roots_get_bytes(const json_t *root, const char *key, uint8_t *bytes,
                     size_t size, size_t *ret_size);
/* A fresh number for a root's record: no two are alike, and later ones are
 * higher, as long as the clock does not go back behind `after`. */
struct record_order roots_order(uint64_t now_s, struct record_order after);
/* "2027-01-31" of seconds since 1970. */
#define ROOTS_DATE_SIZE 16
const char *roots_date(uint64_t time_s, char text[ROOTS_DATE_SIZE]);

/* --- roots_key.c --- */

struct roots_key {
    uint8_t public[32];
    uint8_t secret[64];
};

/* The key of --key, else admission.key of the state directory.  0, or the exit
 * status with a message.  Wipe it with sodium_memzero. */
_must_check_ int roots_key_open(struct roots *roots, struct roots_key *ret);
/* A root's public key: in hexadecimal, or of a file that holds a key or that
 * text. */
_must_check_ int roots_key_public(struct roots *roots, const char *text,
                                  uint8_t ret[32]);

/* --- roots_proposal.c --- */

/* A charter on its way: what it follows, what it says, who has signed. */
struct roots_proposal {
    uint8_t cluster[RECORD_CLUSTER_SIZE];
    uint8_t after_bytes[LIMIT_RECORD_SIZE]; /* record of the one before */
    size_t after_size;
    struct body_charter after;
    struct body_charter_parent parent;
    struct body_charter charter;
    uint8_t signers[LIMIT_GENESIS_ROOTS][32]; /* whose signatures hold */
    size_t n_signers;
    uint8_t record[LIMIT_RECORD_SIZE]; /* of the whole one */
    size_t record_size;                /* 0: signatures are missing */
};

/* Takes a charter's record as the one before.  0 or -EBADMSG. */
_must_check_ int roots_proposal_follow(const uint8_t *bytes, size_t size,
                                       struct roots_proposal *ret);
/* Encodes, so that it is seen whether nodes would take what it says.  0 or
 * -EBADMSG. */
_must_check_ int roots_proposal_check(const struct roots_proposal *proposal);
/* Adds the key's signature, and makes the record when it is the last that was
 * missing.  0; -EEXIST: it has signed; -EACCES: it is no root of the charter
 * before; -EBADMSG. */
_must_check_ int roots_proposal_sign(struct roots_proposal *proposal,
                                     const struct roots_key *key,
                                     uint64_t now_ms);
/* Signatures that are missing. */
size_t roots_proposal_missing(const struct roots_proposal *proposal);
/* The file's text, malloc'd; NULL without memory.  Read: 0; -EBADMSG, with what
 * is wrong in *ret_problem; -ENOMEM. */
char *roots_proposal_text(const struct roots_proposal *proposal);
_must_check_ int roots_proposal_parse(const char *text, size_t size,
                                      struct roots_proposal *ret,
                                      const char **ret_problem);
/* A file of it.  0, or the exit status with a message. */
_must_check_ int roots_proposal_open(struct roots *roots, const char *path,
                                     struct roots_proposal *ret);

/* --- roots_view.c --- */

void roots_view_charter(const struct body_charter *charter);
/* Who has signed, and how many are missing. */
void roots_view_signers(const struct roots_proposal *proposal);
/* A line for each thing that changes; how many. */
size_t roots_view_changes(const struct body_charter *before,
                          const struct body_charter *after);

/* --- roots_charter.c --- */

/* The charter to start from: of a file of charters, or the one in force and
 * the agent's whole answer.  0, or the exit status with a message. */
_must_check_ int roots_charter_from_file(const struct roots *roots,
                                         const char *path,
                                         struct roots_proposal *ret);
_must_check_ int roots_charter_from_agent(struct roots *roots,
                                          struct roots_proposal *ret,
                                          json_t **ret_answer);

/* --- roots_records.c --- */

/* A certificate of the cluster. */
struct roots_certificate {
    uint8_t bytes[LIMIT_RECORD_SIZE];
    struct record record; /* points there */
    struct body_certificate body;
    char state[32];  /* as the API names it; "" from a file */
    char issuer[64]; /* likewise */
};

struct roots_certificates {
    struct roots_certificate *all; /* owned */
    size_t n;
};

bool roots_certificate_is_issuer(const struct roots_certificate *one);
/* Whether this key has signed it. */
bool roots_certificate_is_by(const struct roots_certificate *one,
                             const uint8_t key[32]);

void roots_certificates_done(struct roots_certificates *certificates);
/* All, of the running agent, or of the file of --certificate.  0, or the exit
 * status with a message. */
_must_check_ int roots_certificates_get(struct roots *roots,
                                        struct roots_certificates *ret);
/* The one of this name or key; of several of a name one that is in force.
 * NULL, with a message. */
const struct roots_certificate *
roots_certificates_find(const struct roots *roots,
                        const struct roots_certificates *certificates,
                        const char *node);

/* Records in the making, one after another. */
struct roots_records {
    uint8_t *bytes; /* owned */
    size_t size;
    size_t n;
};
void roots_records_done(struct roots_records *records);
/* Adds a certificate with this body for the subject of `before`, by a root.
 * 0, -ENOMEM, -EMSGSIZE. */
_must_check_ int roots_records_certify(struct roots_records *records,
                                       const struct roots_key *key,
                                       const struct roots_certificate *before,
                                       const struct body_certificate *body,
                                       uint64_t now_ms);
/* Adds a revocation of a key, or what lifts one. */
_must_check_ int roots_records_revoke(struct roots_records *records,
                                      const struct roots_key *key,
                                      const struct roots_certificate *subject,
                                      bool is_lifted, uint64_t now_ms);
/* Submits them, or writes them to the file of --output.  0, or the exit status
 * with a message. */
_must_check_ int roots_records_deliver(struct roots *roots,
                                       const struct roots_records *records);

#endif
