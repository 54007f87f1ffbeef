/*
 * Which certificate of a key is in force.  Of all that are in the view, those
 * count whose writer may certify, whose addresses are the cluster's and that
 * are not revoked; of them a root's is better, then the higher generation,
 * then, of one grant, the later end, then the lower record id.
 */
#include "gossip/node/node_internal.h"

#include "gossip/wire/body.h"

/* --- Revocations -------------------------------------------------------------
 */

struct revoked {
    bool is_revoked;
    uint64_t hlc; /* since when */
};

static bool names_serial(const struct body_revocation *revocation,
                         uint64_t serial)
{
    return revocation->serial == 0 || revocation->serial == serial;
}

/* Whether what this key signs at this time counts: a root's while it is one,
 * an issuer's until it was revoked. */
static bool may_decide(const struct peer *writer, uint64_t hlc)
{
    if (writer->was_root) {
        return writer->is_root || hlc <= writer->root_until_hlc;
    }
    return writer->denial != NODE_DENIAL_REVOKED || hlc <= writer->revoked_hlc;
}

/* The roots' newest word decides; else issuers revoke whom no root has made an
 * issuer. */
static struct revoked find_revocation(const struct node *node,
                                      const uint8_t key[32], uint64_t serial,
                                      bool is_issuer)
{
    struct revoked by_root = {.is_revoked = false};
    struct revoked by_issuer = {.is_revoked = false};
    bool has_root = false;

    for (size_t i = 0; i < node->peers.n_certifiers; i++) {
        const struct peer *writer = node->peers.certifiers[i];
        const struct entry *entry =
            view_find(node, writer, RECORD_REVOCATION, key, 32);
        struct body_revocation body;

        if (entry == NULL || body_get_revocation(&entry->record, &body) != 0 ||
            !names_serial(&body, serial) ||
            !may_decide(writer, entry->record.hlc)) {
            continue;
        }
        if (writer->was_root) {
            if (!has_root || entry->record.hlc > by_root.hlc) {
                by_root = (struct revoked){!body.is_lifted, entry->record.hlc};
            }
            has_root = true;
        } else if (!is_issuer && !body.is_lifted &&
                   (!by_issuer.is_revoked ||
                    entry->record.hlc > by_issuer.hlc)) {
            by_issuer = (struct revoked){true, entry->record.hlc};
        }
    }
    if (!has_root || (!by_root.is_revoked && by_issuer.hlc > by_root.hlc)) {
        return by_issuer;
    }
    return by_root;
}

/* The revocation that find_revocation found. */
static const struct entry *revocation_entry(const struct node *node,
                                            const struct peer *peer)
{
    for (size_t i = 0; i < node->peers.n_certifiers; i++) {
        const struct entry *entry =
            view_find(node, node->peers.certifiers[i], RECORD_REVOCATION,
                      peer->key, sizeof(peer->key));

        if (entry != NULL && entry->record.hlc == peer->revoked_hlc) {
            return entry;
        }
    }
    return NULL;
}

const struct entry *certify_deciding(const struct node *node,
                                     const struct peer *peer)
{
    switch (peer->denial) {
    case NODE_DENIAL_REVOKED:
        return revocation_entry(node, peer);
    case NODE_DENIAL_CLASH:
        return peer->clash.winner->certificate_entry;
    case NODE_DENIAL_NONE:
    case NODE_DENIAL_RANGE:
    case NODE_DENIAL_ISSUER:
    default:
        return NULL;
    }
}

/* --- What counts -------------------------------------------------------------
 */

static void note_next(struct certify *certify, uint64_t time_s)
{
    if (certify->next_s == 0 || time_s < certify->next_s) {
        certify->next_s = time_s;
    }
}

void certify_again_at(struct node *node, uint64_t time_s)
{
    note_next(&node->certify, time_s);
}

/* Within the grace after `hlc`; notes when it ends. */
static bool is_in_grace(struct certify *certify, uint64_t now_s, uint64_t hlc)
{
    uint64_t end_s = record_hlc_s(hlc) + LIMIT_CERT_GRACE_S;

    if (now_s >= end_s) {
        return false;
    }
    if (certify != NULL) {
        note_next(certify, end_s);
    }
    return true;
}

/* Whether the writer of a certificate may certify, or could when it did. */
static bool is_by_certifier(const struct node *node, const struct peer *writer,
                            uint64_t hlc, struct certify *certify)
{
    uint64_t now_s = peers_validity_s(node);

    if (writer->was_root) {
        return writer->is_root ||
               (hlc <= writer->root_until_hlc &&
                is_in_grace(certify, now_s, writer->root_until_hlc));
    }
    if (writer->certificate == NULL || !writer->is_by_root ||
        (writer->certificate->roles & BODY_ROLE_ISSUER) == 0) {
        return false;
    }
    return writer->denial == NODE_DENIAL_NONE ||
           (writer->denial == NODE_DENIAL_REVOKED &&
            hlc <= writer->revoked_hlc &&
            is_in_grace(certify, now_s, writer->revoked_hlc));
}

/* NODE_DENIAL_NONE, or why it does not count. */
static enum node_denial judge(const struct node *node,
                              const struct record *record,
                              const struct body_certificate *body,
                              struct certify *certify, uint64_t *ret_revoked)
{
    const struct peer *writer = peers_find(node, record->writer);
    const struct body_charter *charter = charter_in_force(node);
    bool is_issuer = writer != NULL && writer->was_root &&
                     (body->roles & BODY_ROLE_ISSUER) != 0;
    struct revoked revoked =
        find_revocation(node, body->sign_public, body->serial, is_issuer);

    if (revoked.is_revoked) {
        *ret_revoked = revoked.hlc;
        return NODE_DENIAL_REVOKED;
    }
    if (writer == NULL ||
        !is_by_certifier(node, writer, record->hlc, certify)) {
        return NODE_DENIAL_ISSUER;
    }
    return charter != NULL && body_charter_allows_certificate(charter, body)
               ? NODE_DENIAL_NONE
               : NODE_DENIAL_RANGE;
}

enum node_denial certify_denial(const struct node *node,
                                const struct record *record,
                                const struct body_certificate *body)
{
    uint64_t revoked_hlc;

    return judge(node, record, body, NULL, &revoked_hlc);
}

bool certify_is_over(const struct node *node,
                     const struct body_certificate *body)
{
    return peers_validity_s(node) > body->not_after_s + LIMIT_CERT_RENEW_S;
}

bool certify_would_count(const struct node *node, const struct record *record,
                         const struct body_certificate *body)
{
    return certify_denial(node, record, body) == NODE_DENIAL_NONE &&
           !certify_is_over(node, body);
}

/* --- The best ----------------------------------------------------------------
 */

struct choice {
    struct entry *entry; /* NULL: none */
    bool is_by_root;
    struct body_certificate body;
    enum node_denial denial; /* why none, when there was one */
    uint64_t revoked_hlc;
};

static bool is_better(const struct choice *best, const struct entry *entry,
                      const struct body_certificate *body, bool is_by_root)
{
    if (best->entry == NULL) {
        return true;
    }
    if (is_by_root != best->is_by_root) {
        return is_by_root;
    }
    if (body->generation != best->body.generation) {
        return body->generation > best->body.generation;
    }
    if (body->serial == best->body.serial &&
        body->not_after_s != best->body.not_after_s) {
        return body->not_after_s > best->body.not_after_s;
    }
    return memcmp(entry->id, best->entry->id, sizeof(entry->id)) < 0;
}

static void choose(struct choice *best, struct entry *entry,
                   const struct body_certificate *body, bool is_by_root)
{
    if (is_better(best, entry, body, is_by_root)) {
        best->entry = entry;
        best->is_by_root = is_by_root;
        best->body = *body;
    }
}

/* `by_root` is the best that a root wrote, ended or not: an issuer may say the
 * same for longer. */
static void consider(struct node *node, const struct peer *subject,
                     struct entry *entry, struct choice *by_root,
                     struct choice *best)
{
    bool is_by_root = entry->writer->was_root;
    struct body_certificate body;
    enum node_denial denial;
    uint64_t revoked_hlc = 0;

    /* It decoded when it came in. */
    if (body_get_certificate(&entry->record, &body) != 0) {
        return;
    }
    denial = judge(node, &entry->record, &body, &node->certify, &revoked_hlc);
    if (denial != NODE_DENIAL_NONE) {
        /* Of several reasons the first in the order of the enum. */
        if (best->denial == NODE_DENIAL_NONE || denial < best->denial) {
            best->denial = denial;
            best->revoked_hlc = revoked_hlc;
        }
        return;
    }
    if (is_by_root) {
        choose(by_root, entry, &body, true);
    } else {
        is_by_root = by_root->entry != NULL &&
                     body_certificate_is_renewal(&by_root->body, &body);
    }
    if (subject->certificate_entry == entry || !certify_is_over(node, &body)) {
        choose(best, entry, &body, is_by_root);
    }
}

/* What the roots wrote, or the issuers. */
static void consider_all(struct node *node, const struct peer *subject,
                         bool are_roots, struct choice *by_root,
                         struct choice *best)
{
    for (size_t i = 0; i < node->peers.n_certifiers; i++) {
        const struct peer *certifier = node->peers.certifiers[i];
        struct entry *entry =
            view_find(node, certifier, RECORD_CERTIFICATE, subject->key, 32);

        if (entry != NULL && certifier->was_root == are_roots) {
            consider(node, subject, entry, by_root, best);
        }
    }
}

void certify_set_due(struct node *node, struct peer *peer)
{
    node->certify.n_due += !peer->is_due;
    peer->is_due = true;
}

/* Anything but whether it lost to another: clash.c does that. */
static void set_denial(struct node *node, struct peer *subject,
                       enum node_denial denial)
{
    if (subject->denial == NODE_DENIAL_CLASH) {
        node->clashes.n_losers--;
        subject->clash = (struct clash_peer){.winner = NULL};
    }
    subject->denial = denial;
    certify_set_due(node, subject);
    clash_touch(node);
}

void certify_find(struct node *node, struct peer *subject)
{
    struct choice best = {.entry = NULL};
    struct choice by_root = {.entry = NULL};
    bool had = subject->certificate != NULL;
    uint64_t old_serial = had ? subject->certificate->serial : 0;

    consider_all(node, subject, true, &by_root, &best);
    consider_all(node, subject, false, &by_root, &best);
    if (best.entry != NULL) {
        if (!had || subject->is_by_root != best.is_by_root ||
            !clash_is_same(subject->certificate, &best.body)) {
            clash_touch(node);
        }
        peers_set_certificate(node, subject, best.entry, &best.body,
                              best.is_by_root);
        if (subject->denial != NODE_DENIAL_NONE &&
            subject->denial != NODE_DENIAL_CLASH) {
            set_denial(node, subject, NODE_DENIAL_NONE);
        }
        if (had && old_serial != best.body.serial) {
            certify_set_due(node,
                            subject); /* what it wrote under the old one */
        }
    } else if (had && best.denial != NODE_DENIAL_NONE) {
        subject->revoked_hlc = best.revoked_hlc;
        if (subject->denial != best.denial) {
            set_denial(node, subject, best.denial);
        }
    }
}

void certify_find_certified(struct node *node, const struct peer *certifier)
{
    for (size_t i = 0; i < certifier->records.n_entries; i++) {
        const struct record *record = &certifier->records.entries[i]->record;

        if (record->kind == RECORD_CERTIFICATE ||
            record->kind == RECORD_REVOCATION) {
            struct peer *subject = peers_find(node, record->key);

            if (subject != NULL && subject != certifier &&
                (subject->certificate != NULL || subject->spare != NULL)) {
                certify_find(node, subject);
            }
        }
    }
}

void certify_again(struct node *node, struct peer *subject)
{
    if (subject->certificate != NULL || subject->spare != NULL) {
        certify_find(node, subject);
    }
    if (subject->is_certifier) {
        certify_find_certified(node, subject);
    }
}

void certify_all(struct node *node)
{
    /* Issuers first, as others hang on them. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < node->peers.n; i++) {
            struct peer *peer = node->peers.all[i];

            if (peer->is_certifier == (pass == 0) &&
                (peer->certificate != NULL || peer->spare != NULL)) {
                certify_find(node, peer);
            }
        }
    }
}
