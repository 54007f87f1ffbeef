/*
 * Shared by the files api_policy*.c alone: what is asked, and what is said of
 * it.
 *
 *   api_policy.c          the route: reading what is asked, the answer
 *   api_policy_judge.c    what the records in force say of it
 *   api_policy_service.c  who holds the service address of a function
 */
#ifndef SOCKETNET_AGENT_API_API_POLICY_INTERNAL_H
#define SOCKETNET_AGENT_API_API_POLICY_INTERNAL_H

#include "agent/api/api_internal.h"
#include "agent/core/core.h"

#define POLICY_TEXT_SIZE 1024

enum policy_what {
    POLICY_FUNCTION,
    POLICY_ADDRESS,
    POLICY_SUBNET,
    POLICY_INTENT,
};
#define POLICY_N_WHAT (POLICY_INTENT + 1)

struct policy {
    const struct core *core;
    struct node_member member;
    const struct body_certificate *certificate; /* the member's */
    bool is_asked[POLICY_N_WHAT];
    char function[BODY_NAME_SIZE]; /* canonical */
    struct address address;
    struct prefix subnet;
    char intent[BODY_NAME_SIZE];
};

/* What is said of one of them. */
struct policy_verdict {
    bool is_allowed;
    const char *reason; /* one word, for ever */
    const char *by;     /* what of the record decides, or NULL */
    bool has_record;
    struct record record; /* valid until the next call on the node */
    char by_text[PREFIX_TEXT_SIZE];
    char text[POLICY_TEXT_SIZE];
};

/* The last record of this kind that fits all that is not NULL. */
struct policy_search {
    const uint8_t *writer; /* NULL: whoever */
    const char *key;       /* NULL: whatever */
    const uint8_t *hash;   /* of a charter, or NULL */
};

/* Without memory the record is not named: what is said stays true. */
bool api_policy_record(const struct core *core, uint8_t kind,
                       const struct policy_search *search, struct record *ret);
/* Whether the node may have it, and why. */
void api_policy_judge(const struct policy *policy, enum policy_what what,
                      struct policy_verdict *verdict);
/* The service address that an instance of the node has, or would have. */
json_t *api_policy_service_json(const struct policy *policy);

#endif
