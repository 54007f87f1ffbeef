/*
 * A view for tests of the catalogue and the builder: the few functions of
 * gossip/node/node.h that they read, over members and records that the test
 * puts in.  Linked in the place of the real node, which is never pulled in.
 */
#ifndef SOCKETNET_TESTS_FAKE_NODE_H
#define SOCKETNET_TESTS_FAKE_NODE_H

#include "gossip/node/node.h"

struct node;

struct node *fake_node_new(void);
void fake_node_free(struct node *node);

/* Member number n: key of bytes n, name hostN, mesh 100.104.70.N, container
 * subnet 10.0.N.0/24, alive, heard and reachable.  Number 1 is this node.
 * Numbers ascend; those from 255 on (below 40,000) write no records, and have
 * keys and addresses of their own.  The result may be changed, and lives as
 * long as the node. */
struct node_member *fake_node_member(struct node *node, uint32_t number);

/* What is wrong with this node, and who showed it. */
void fake_node_set_trouble(struct node *node, enum node_trouble trouble,
                           const uint8_t source[32]);

/* Who is said to have signed all certificates. */
void fake_node_set_issuer(struct node *node, const uint8_t key[32]);

/* Its certificate, to be changed. */
struct body_certificate *fake_node_certificate(struct node_member *member);

/* A registration that fits `fake_node_service`: TCP, passing, slot 0,
 * instance "i-" + the last byte of the address. */
struct body_service fake_service(const char *function, const char *address,
                                 uint16_t port);
/* Puts, or replaces, the service record of a member. */
void fake_node_service(struct node *node, uint8_t number,
                       const struct body_service *service);
/* Puts one that is not there yet: thousands of them in a short time. */
void fake_node_add_service(struct node *node, uint8_t number,
                           const struct body_service *service);
/* Takes every record away. */
void fake_node_forget_records(struct node *node);
/* Takes it away, as a tombstone does. */
void fake_node_remove(struct node *node, uint8_t number,
                      const struct body_service *service);
/* Member 2 froze the cluster, or released it. */
void fake_node_hold(struct node *node, bool is_held);
/* A charter's record; the last one is in force. */
void fake_node_charter(struct node *node, const uint8_t *bytes, size_t size);
/* Two records of a member under one number. */
void fake_node_evidence(struct node *node, uint8_t number);
/* The revocation of a member's key by another. */
void fake_node_revoke(struct node *node, uint8_t number, uint8_t subject,
                      const char *reason);
/* A function record of a member; address NULL: hashed. */
void fake_node_function(struct node *node, uint8_t number, const char *name,
                        const char *address);
/* The same of any content. */
void fake_node_claim(struct node *node, uint8_t number,
                     const struct body_function *claim);

#endif
