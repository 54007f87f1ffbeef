/*
 * Who holds the service address of a function, and by what, for policy/check:
 * so whether an instance of the node would share it.
 */
#include "agent/api/api_policy_internal.h"

#include <stdio.h>
#include <string.h>

#include "agent/catalog/catalog.h"

/* Who holds a service address, and by what. */
struct holding {
    struct address address;
    const char *ground; /* one word, for ever */
    bool has_record;
    struct record record; /* that gives it */
    size_t n_others;      /* instances of other nodes */
    const char *taken_by; /* the function that has the first one, or NULL */
};

/* How the function came to its address, and the record that says so. */
static void find_ground(const struct policy *policy,
                        const struct catalog_function *function,
                        struct holding *holding)
{
    struct policy_search search = {.key = function->name};

    holding->ground = "pattern";
    for (size_t i = 0; i < function->n_instances; i++) {
        const struct catalog_instance *instance = &function->instances[i];

        if (instance->is_named) {
            holding->ground = "name";
        }
        holding->n_others +=
            memcmp(instance->writer, policy->member.key, 32) != 0;
    }
    if (function->is_declared || function->is_claimed) {
        holding->ground = function->is_declared ? "declared" : "claimed";
        search.writer = function->is_declared ? NULL : function->claimer;
        holding->has_record = api_policy_record(policy->core, RECORD_FUNCTION,
                                                &search, &holding->record);
    }
}

static void find_holding(const struct policy *policy, struct holding *ret)
{
    const struct catalog *catalog = policy->core->catalog;
    const struct catalog_function *function =
        catalog_find_any(catalog, policy->function);
    const struct catalog_function *other;
    struct address first;

    *ret = (struct holding){.ground = "free"};
    catalog_slot_address(catalog, policy->function, 0, &first);
    if (function != NULL && function->address.family != 0) {
        ret->address = function->address;
        find_ground(policy, function, ret);
    } else {
        catalog_slot_address(catalog, policy->function,
                             catalog_free_slot(catalog, policy->function),
                             &ret->address);
    }
    other = catalog_find_address(catalog, &first);
    if (other != NULL && strcmp(other->name, policy->function) != 0) {
        ret->taken_by = other->name;
    }
}

static const char *holding_text(const struct policy *policy,
                                const struct holding *holding,
                                char text[POLICY_TEXT_SIZE])
{
    static const char by_name[] = "held by an instance that is certified for "
                                  "it in full, and claimed by no issuer";
    static const char by_pattern[] = "held by instances that are certified by "
                                     "a pattern, and claimed by no issuer";
    char address[ADDRESS_TEXT_SIZE], who[BODY_NAME_SIZE] = "";
    bool is_free = strcmp(holding->ground, "free") == 0;
    bool is_name = strcmp(holding->ground, "name") == 0;
    bool is_pattern = strcmp(holding->ground, "pattern") == 0;
    int len;

    if (holding->has_record &&
        node_is_root(policy->core->node, holding->record.writer)) {
        (void)snprintf(who, sizeof(who), "a root");
    } else if (holding->has_record) {
        api_node_name(policy->core, holding->record.writer, who);
    }
    len = snprintf(text, POLICY_TEXT_SIZE, "its service address %s is %s%s%s; ",
                   address_text(&holding->address, address),
                   is_free      ? "free"
                   : is_name    ? by_name
                   : is_pattern ? by_pattern
                                : holding->ground,
                   who[0] != '\0' ? " by " : "", who);
    if (holding->taken_by != NULL) {
        len += snprintf(text + len, POLICY_TEXT_SIZE - (size_t)len,
                        "the first of its name is %s's; ", holding->taken_by);
    }
    if (holding->n_others == 0) {
        (void)snprintf(text + len, POLICY_TEXT_SIZE - (size_t)len,
                       "no other node has an instance");
    } else {
        (void)snprintf(text + len, POLICY_TEXT_SIZE - (size_t)len,
                       "an instance of %s shares it with %zu of other nodes",
                       policy->certificate->name, holding->n_others);
    }
    return text;
}

json_t *api_policy_service_json(const struct policy *policy)
{
    struct holding holding;
    char text[POLICY_TEXT_SIZE];

    find_holding(policy, &holding);
    return json_pack(
        "{s:o, s:s, s:o, s:o, s:I, s:o}", "address",
        api_json_address(&holding.address), "ground", holding.ground, "record",
        holding.has_record ? api_json_record_head(policy->core, &holding.record)
                           : json_null(),
        "first_taken_by", api_json_text(holding.taken_by), "others",
        (json_int_t)holding.n_others, "text",
        json_build_string(holding_text(policy, &holding, text)));
}
