/*
 * GET /api/v1/policy/check: what a node may do, and which record says so.
 * Nothing is changed.
 */
#include "agent/api/api_policy_internal.h"

#include <stdio.h>
#include <string.h>

#define POLICY_VALUE_SIZE 256

/* What is asked, as query and answer call it. */
static const char *const policy_names[POLICY_N_WHAT] = {"function", "address",
                                                        "subnet", "intent"};

/* What was asked, in its one spelling. */
static json_t *asked_json(const struct policy *policy, enum policy_what what)
{
    char text[PREFIX_TEXT_SIZE];

    switch (what) {
    case POLICY_FUNCTION:
        return json_string(policy->function);
    case POLICY_ADDRESS:
        return api_json_address(&policy->address);
    case POLICY_SUBNET:
        return json_string(prefix_text(&policy->subnet, text));
    case POLICY_INTENT:
    default:
        return json_build_string(policy->intent);
    }
}

static json_t *check_json(const struct policy *policy, enum policy_what what,
                          bool *all_allowed)
{
    struct policy_verdict verdict = {.is_allowed = false};

    api_policy_judge(policy, what, &verdict);
    *all_allowed = *all_allowed && verdict.is_allowed;
    return json_pack(
        "{s:s, s:o, s:b, s:s, s:o, s:o, s:o, s:o}", "what", policy_names[what],
        "asked", asked_json(policy, what), "allowed", verdict.is_allowed,
        "reason", verdict.reason, "text", json_build_string(verdict.text), "by",
        verdict.by != NULL ? json_build_string(verdict.by) : json_null(),
        "record",
        verdict.has_record ? api_json_record_head(policy->core, &verdict.record)
                           : json_null(),
        "service",
        what == POLICY_FUNCTION && verdict.is_allowed
            ? api_policy_service_json(policy)
            : json_null());
}

/* Reads one value; false: it is malformed.  Texts as certificates have them. */
static bool parse(struct policy *policy, enum policy_what what,
                  const char *value)
{
    switch (what) {
    case POLICY_FUNCTION:
        return body_name_canonical(value, policy->function) == 0;
    case POLICY_ADDRESS:
        return address_parse(value, &policy->address) == 0;
    case POLICY_SUBNET:
        return prefix_parse(value, &policy->subnet) == 0;
    case POLICY_INTENT:
    default:
        if (value[0] == '\0' || strlen(value) >= sizeof(policy->intent)) {
            return false;
        }
        memcpy(policy->intent, value, strlen(value) + 1);
        return true;
    }
}

/* False when it has been answered. */
static bool read_asked(struct http_exchange *exchange, struct policy *policy)
{
    static const char *const expected[POLICY_N_WHAT] = {
        "expected letters, digits, '-' and '_', not at an end, at most 63",
        "expected an address alone, as 10.0.3.203 or fd00::1",
        "expected a network and its bits, as 10.0.3.0/24: no host's address",
        "expected a text of 1 to 63 bytes"};
    const struct http_request *request = http_exchange_request(exchange);
    char value[POLICY_VALUE_SIZE];
    bool is_any = false;

    for (enum policy_what what = 0; what < POLICY_N_WHAT; what++) {
        int error = http_request_query(request, policy_names[what], value,
                                       sizeof(value));

        if (error == HTTP_E_AGAIN) {
            continue;
        }
        if (error != 0 || !parse(policy, what, value)) {
            api_problem(exchange, 400, expected[what], NULL, "%s is no %s",
                        error == 0 && value[0] != '\0' ? value : "the value",
                        what == POLICY_FUNCTION ? "name of a function"
                        : what == POLICY_INTENT ? "intent scope"
                                                : policy_names[what]);
            return false;
        }
        policy->is_asked[what] = true;
        is_any = true;
    }
    if (!is_any) {
        api_problem(exchange, 400,
                    "it says of things whether the node may have them",
                    "give one or more of function, address, subnet and intent",
                    "nothing is asked");
    }
    return is_any;
}

/* False when it has been answered. */
static bool read_node(struct http_exchange *exchange, struct policy *policy)
{
    char name[POLICY_VALUE_SIZE];
    int error = http_request_query(http_exchange_request(exchange), "node",
                                   name, sizeof(name));

    if (error != 0 || name[0] == '\0') {
        api_problem(exchange, 400, NULL,
                    "give a name, an id of 16 digits or a key of 64: agentctl "
                    "members names them",
                    error == HTTP_E_MALFORMED ? "the value is no node"
                                              : "no node is given");
        return false;
    }
    if (!api_certificate_find(policy->core, name, &policy->member)) {
        api_node_not_found(exchange, policy->core, name);
        return false;
    }
    policy->certificate = policy->member.certificate;
    return true;
}

void api_policy_get(struct http_exchange *exchange, void *data)
{
    struct policy policy = {.core = ((struct api *)data)->core};
    json_t *checks = json_array();
    bool is_allowed = true;

    if (!read_asked(exchange, &policy) || !read_node(exchange, &policy)) {
        json_decref(checks);
        return;
    }
    for (enum policy_what what = 0; what < POLICY_N_WHAT; what++) {
        if (policy.is_asked[what]) {
            json_build_append(&checks, check_json(&policy, what, &is_allowed));
        }
    }
    api_reply(exchange, 200,
              json_pack("{s:i, s:s, s:o, s:b, s:o}", "schema", API_SCHEMA,
                        "node", policy.certificate->name, "key",
                        api_json_hex(policy.member.key, 32), "allowed",
                        is_allowed, "checks", checks));
}
