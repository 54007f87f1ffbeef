/*
 * What a person says of an instance: one meaning, one parser, one set of
 * defaults, whichever way it comes in.
 *
 *   agentctl service register   options become the JSON object (ctl_register.c)
 *   POST /api/v1/services       the object itself (api_register.c)
 *   services.d, *.yaml           the same tree, made of YAML (services_parse.c)
 *   the kept setting service/KEY   its check (services_write.c)
 *
 * Nothing here knows which node it runs on: what a certificate allows is
 * services_valid.c's to judge.
 */
#ifndef SOCKETNET_AGENT_REGISTRATION_REGISTRATION_H
#define SOCKETNET_AGENT_REGISTRATION_REGISTRATION_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "gossip/base/macros.h"
#include "gossip/wire/body.h"

#define REGISTRATION_WEIGHT            100
#define REGISTRATION_CHECK_INTERVAL_MS 1000
#define REGISTRATION_CHECK_TIMEOUT_MS  2000
#define REGISTRATION_CHECK_PASS        1
#define REGISTRATION_CHECK_FAIL        3

enum registration_check_type {
    REGISTRATION_CHECK_NONE = 0,
    REGISTRATION_CHECK_TCP = 1, /* connect() to the instance */
};

/* All zero when there is none. */
struct registration_check {
    enum registration_check_type type;
    uint32_t interval_ms; /* from the end of one attempt to the next */
    uint32_t timeout_ms;
    uint16_t port; /* 0: the instance's */
    uint32_t pass; /* successes in a row until passing */
    uint32_t fail; /* timeouts in a row until critical */
};

struct registration {
    struct body_service service; /* health and slot are the agent's to choose;
                                    instance "": registration_name_instance */
    struct registration_check check;
};

/* How scalars of the tree are written. */
enum registration_style {
    /* JSON: numbers are numbers, texts are texts. */
    REGISTRATION_JSON,
    /* Every scalar is a text, as YAML and command lines have it: "6379" is a
     * number where one is wanted, and one tag is a list of tags. */
    REGISTRATION_TEXTS,
};

/* What is wrong: where, what, and what is expected instead. */
struct registration_problem {
    char field[96]; /* "check.interval", "tags[2]"; "": the whole object */
    char what[256];
    char next[192];
};

/* The problem found, which is in ret_problem. */
#define REGISTRATION_E_INVALID 1

/* Reads and judges a whole registration.  0, or REGISTRATION_E_INVALID and
 * the first problem.  Fields: docs/API.md. */
_must_check_ int registration_parse(const json_t *root,
                                    enum registration_style style,
                                    struct registration *ret,
                                    struct registration_problem *ret_problem);
/* Its member "check" alone, or a kept one; NULL and null: none. */
_must_check_ int
registration_parse_check(const json_t *value, enum registration_style style,
                         struct registration_check *ret,
                         struct registration_problem *ret_problem);
/* The check as registration_parse_check reads it; NULL when out of memory. */
json_t *registration_check_json(const struct registration_check *check);

/* Names an instance that has no name yet: the port name when that is a label,
 * else the node's. */
void registration_name_instance(struct registration *registration,
                                const char *node_name);

#endif
