/*
 * A small blocking HTTP/1.1 client over the agent's unix socket: what every
 * command of agentctl, and `agent leave`, asks the running agent with.  No
 * loop, no configuration: it starts in well under a millisecond.
 */
#ifndef SOCKETNET_AGENT_CTL_CTL_CLIENT_H
#define SOCKETNET_AGENT_CTL_CTL_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gossip/base/macros.h"

#define CTL_ADDRESS_DEFAULT "unix:/run/socketnet/api.sock"
#define CTL_TIMEOUT_MS      10000
/* Longest answer that is not a stream; longest line of one. */
#define CTL_ANSWER_MAX (256u << 20)

enum ctl_client_error {
    CTL_E_UNREACHABLE = 1, /* no agent there, or it closed before answering */
    CTL_E_TIMEOUT = 2,     /* it accepted and did not answer in time */
    CTL_E_PROTOCOL = 3,    /* what answers there does not speak HTTP */
    CTL_E_ADDRESS = 4,     /* the address itself is wrong */
    CTL_E_DENIED = 5,      /* the socket may not be opened by this user */
};

struct ctl_request {
    const char *address; /* "unix:PATH" or "/PATH"; NULL: the default */
    const char *method;  /* "GET" */
    const char *target;  /* "/api/v1/status" */
    const char *body;    /* JSON, or NULL */
    uint32_t timeout_ms; /* for the whole answer; 0: CTL_TIMEOUT_MS */
    /* A stream: called for each line, without its end, until non-zero; the
     * timeout then covers only the head of the answer. */
    int (*line)(const char *line, size_t len, void *data);
    void *data;
};

struct ctl_answer {
    unsigned status;
    char *body; /* malloc'd, terminated, never NULL after success */
    size_t size;
};

/*
 * 0 with the answer, whatever its status; a ctl_client_error or negative
 * errno with a malloc'd text for a person (what, where, why, what next).
 * With `line`, ends with the stream, or with 0 as soon as `line` returns
 * non-zero; an answer other than 200 comes back in ret_answer.
 */
_must_check_ int ctl_client_ask(const struct ctl_request *request,
                                struct ctl_answer *ret_answer,
                                char **ret_error);
void ctl_answer_done(struct ctl_answer *answer);

/* Who a user is to a socket that the user may not open, who may, and what to
 * do about it. */
void ctl_denied(const char *path, uid_t uid, char ret_text[512]);

#endif
