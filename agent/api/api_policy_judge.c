/*
 * What a node may do by the records in force, and which of them decides.  The
 * rules themselves are those of gossip/wire/body.h, and of services_valid.c for
 * what a node registers; here is said in words what comes of them.
 */
#include "agent/api/api_policy_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void _printf_(4, 5) say(struct policy_verdict *verdict, bool is_allowed,
                               const char *reason, const char *format, ...)
{
    va_list arguments;

    verdict->is_allowed = is_allowed;
    verdict->reason = reason;
    va_start(arguments, format);
    (void)vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
    va_end(arguments);
}

/* --- The records that decide -------------------------------------------------
 */

static bool is_charter(const struct record *record, const uint8_t *hash)
{
    struct body_charter body;
    uint8_t own[BODY_CHARTER_HASH_SIZE];

    if (body_get_charter(record, &body) != 0) {
        return false;
    }
    body_hash_charter(&body, record->body, record->body_size, own);
    return memcmp(own, hash, sizeof(own)) == 0;
}

/* A search, and what it found. */
struct finding {
    const struct policy_search *search;
    struct record *record;
    bool is_found;
};

static int look_at(const struct record *record, void *data)
{
    struct finding *finding = data;
    const struct policy_search *search = finding->search;

    if ((search->writer == NULL ||
         memcmp(record->writer, search->writer, 32) == 0) &&
        (search->key == NULL ||
         (record->key_size == strlen(search->key) &&
          memcmp(record->key, search->key, record->key_size) == 0)) &&
        (search->hash == NULL || is_charter(record, search->hash))) {
        *finding->record = *record;
        finding->is_found = true;
    }
    return 0;
}

bool api_policy_record(const struct core *core, uint8_t kind,
                       const struct policy_search *search, struct record *ret)
{
    struct finding finding = {.search = search, .record = ret};

    (void)node_records_each(core->node, kind, look_at, &finding);
    return finding.is_found;
}

static void by_certificate(const struct policy *policy,
                           struct policy_verdict *verdict)
{
    verdict->has_record = node_certificate(
        policy->core->node, policy->member.key, &verdict->record);
}

static void by_charter(const struct policy *policy,
                       struct policy_verdict *verdict)
{
    struct policy_search search = {0};

    verdict->has_record =
        node_charter(policy->core->node, &search.hash) != NULL &&
        api_policy_record(policy->core, RECORD_CHARTER, &search,
                          &verdict->record);
}

/* --- A node of which nothing counts ------------------------------------------
 */

static void find_denial_record(const struct policy *policy,
                               struct policy_verdict *verdict)
{
    const struct node_member *member = &policy->member;
    const struct node *node = policy->core->node;

    switch (member->denial) {
    case NODE_DENIAL_REVOKED:
        verdict->has_record =
            api_denial_revocation(policy->core, member->key, &verdict->record);
        break;
    case NODE_DENIAL_RANGE:
        by_charter(policy, verdict);
        break;
    case NODE_DENIAL_CLASH:
        verdict->has_record =
            node_certificate(node, member->winner, &verdict->record);
        break;
    case NODE_DENIAL_ISSUER:
        /* It names its issuer; when that is revoked, the revocation tells. */
        by_certificate(policy, verdict);
        if (verdict->has_record) {
            uint8_t issuer[32];
            struct record revocation;

            memcpy(issuer, verdict->record.writer, sizeof(issuer));
            if (api_denial_revocation(policy->core, issuer, &revocation)) {
                verdict->record = revocation;
            }
        }
        break;
    case NODE_DENIAL_NONE:
    default:
        break;
    }
}

/* True: it is out, and so is all that is asked. */
static bool judge_node(const struct policy *policy,
                       struct policy_verdict *verdict)
{
    const struct node_member *member = &policy->member;
    const struct policy_search own = {.writer = member->key};
    const char *name = policy->certificate->name;
    char text[API_DENIAL_SIZE];

    if (member->denial != NODE_DENIAL_NONE) {
        say(verdict, false, node_denial_name(member->denial), "%s is out: %s",
            name, api_denial_text(policy->core, member, text));
        find_denial_record(policy, verdict);
    } else if (member->is_frozen) {
        say(verdict, false, "frozen",
            "%s signed two records under one number: nothing of it is "
            "believed until it has a certificate of another serial",
            name);
        verdict->has_record = api_policy_record(policy->core, RECORD_EVIDENCE,
                                                &own, &verdict->record);
    } else if (member->state == NODE_MEMBER_LEFT) {
        say(verdict, false, "left", "%s left the cluster", name);
        verdict->has_record = api_policy_record(policy->core, RECORD_MEMBER,
                                                &own, &verdict->record);
    } else if (core_wall_ms(policy->core) / 1000 >
               policy->certificate->not_after_s) {
        say(verdict, false, "expired",
            "the certificate of %s has ended: an issuer renews it (agentctl "
            "cert renew)",
            name);
        by_certificate(policy, verdict);
    } else {
        return false;
    }
    return true;
}

/* --- Functions, addresses, subnets, intents ---------------------------------
 */

static void judge_function(const struct policy *policy,
                           struct policy_verdict *verdict)
{
    const struct body_certificate *certificate = policy->certificate;
    char patterns[LIMIT_CERT_FUNCTIONS * (BODY_NAME_SIZE + 2) + 1] = "";
    size_t len = 0;

    by_certificate(policy, verdict);
    verdict->by = body_certificate_pattern(certificate, policy->function);
    if (verdict->by != NULL && strchr(verdict->by, '*') == NULL) {
        say(verdict, true, "name", "its certificate names %s in full",
            verdict->by);
        return;
    }
    if (verdict->by != NULL) {
        say(verdict, true, "pattern",
            "the pattern %s of its certificate fits; a full name outranks it",
            verdict->by);
        return;
    }
    for (size_t i = 0; i < certificate->n_functions; i++) {
        len += (size_t)snprintf(patterns + len, sizeof(patterns) - len, "%s%s",
                                i > 0 ? ", " : "", certificate->functions[i]);
    }
    say(verdict, false, "no-pattern",
        "its certificate allows only: %s (a token made by agentctl token "
        "create --function %s admits it for this one)",
        len > 0 ? patterns : "none", policy->function);
}

static const char *subnets_text(const struct body_certificate *certificate,
                                char *text, size_t size)
{
    char one[PREFIX_TEXT_SIZE];
    size_t len = 0;

    (void)snprintf(text, size, "none");
    for (size_t i = 0; i < certificate->n_subnets; i++) {
        len +=
            (size_t)snprintf(text + len, size - len, "%s%s", i > 0 ? ", " : "",
                             prefix_text(&certificate->subnets[i], one));
    }
    return text;
}
#define SUBNETS_TEXT_SIZE (LIMIT_CERT_SUBNETS * (PREFIX_TEXT_SIZE + 2) + 1)

/* "; 10.0.3.0/24 is host3's": whose all or a part of it is; or "". */
static const char *owner_text(const struct policy *policy,
                              const struct prefix *asked, char *text,
                              size_t size)
{
    struct node_member member;
    char one[PREFIX_TEXT_SIZE];

    text[0] = '\0';
    for (size_t at = 0; node_member_next(policy->core->node, &at, &member);) {
        const struct body_certificate *certificate = member.certificate;

        if (member.denial != NODE_DENIAL_NONE ||
            member.state == NODE_MEMBER_LEFT ||
            memcmp(member.key, policy->member.key, 32) == 0) {
            continue;
        }
        for (size_t i = 0; i < certificate->n_mesh; i++) {
            if (prefix_contains(asked, &certificate->mesh[i].address)) {
                (void)snprintf(text, size, "; %s is %s's",
                               address_text(&certificate->mesh[i].address, one),
                               certificate->name);
                return text;
            }
        }
        for (size_t i = 0; i < certificate->n_subnets; i++) {
            if (prefix_overlaps(&certificate->subnets[i], asked)) {
                (void)snprintf(text, size, "; %s is %s's",
                               prefix_text(&certificate->subnets[i], one),
                               certificate->name);
                return text;
            }
        }
    }
    return text;
}

/* The first of the certificate's subnets that has it, or NULL. */
static const struct prefix *
subnet_of(const struct body_certificate *certificate,
          const struct prefix *asked)
{
    for (size_t i = 0; i < certificate->n_subnets; i++) {
        if (prefix_inside(asked, &certificate->subnets[i])) {
            return &certificate->subnets[i];
        }
    }
    return NULL;
}

static void judge_address(const struct policy *policy,
                          struct policy_verdict *verdict)
{
    const struct body_certificate *certificate = policy->certificate;
    struct prefix asked = {policy->address,
                           (uint8_t)address_bits(policy->address.family)};
    const struct prefix *subnet = subnet_of(certificate, &asked);
    char subnets[SUBNETS_TEXT_SIZE];
    char mesh[ADDRESS_TEXT_SIZE];
    char owner[128];

    by_certificate(policy, verdict);
    if (subnet != NULL) {
        verdict->by = prefix_text(subnet, verdict->by_text);
    }
    if (subnet != NULL && !prefix_is_host(subnet, &policy->address)) {
        say(verdict, false, "no-host",
            "it is the network's or the broadcast address of %s, no host's",
            verdict->by);
    } else if (subnet != NULL) {
        say(verdict, true, "subnet", "it is inside %s of its certificate",
            verdict->by);
    } else if (body_certificate_allows_address(certificate, &policy->address)) {
        verdict->by = address_text(&policy->address, verdict->by_text);
        say(verdict, true, "mesh", "it is a mesh address of its certificate");
    } else {
        say(verdict, false, "outside-certificate",
            "its certificate gives the subnets %s and the mesh address %s%s",
            subnets_text(certificate, subnets, sizeof(subnets)),
            address_text(&certificate->mesh[0].address, mesh),
            owner_text(policy, &asked, owner, sizeof(owner)));
    }
}

static void judge_subnet(const struct policy *policy,
                         struct policy_verdict *verdict)
{
    const struct body_charter *charter = node_charter(policy->core->node, NULL);
    const struct prefix *subnet =
        subnet_of(policy->certificate, &policy->subnet);
    char subnets[SUBNETS_TEXT_SIZE];
    char owner[128];

    by_certificate(policy, verdict);
    if (subnet != NULL) {
        verdict->by = prefix_text(subnet, verdict->by_text);
        say(verdict, true, "subnet", "it is inside %s of its certificate",
            verdict->by);
    } else if (charter != NULL &&
               !body_charter_allows_subnet(charter, &policy->subnet)) {
        by_charter(policy, verdict);
        say(verdict, false, "outside-charter",
            "it is in no container range of the charter in force: no node may "
            "have it (agent charter show)");
    } else {
        say(verdict, false, "outside-certificate",
            "the charter allows it, its certificate gives only: %s%s",
            subnets_text(policy->certificate, subnets, sizeof(subnets)),
            owner_text(policy, &policy->subnet, owner, sizeof(owner)));
    }
}

static void judge_intent(const struct policy *policy,
                         struct policy_verdict *verdict)
{
    const struct body_certificate *certificate = policy->certificate;

    by_certificate(policy, verdict);
    for (size_t i = 0; i < certificate->n_scope; i++) {
        if (strcmp(certificate->scope[i], policy->intent) == 0) {
            verdict->by = certificate->scope[i];
            say(verdict, true, "scope", "the scope of its certificate has it");
            return;
        }
    }
    say(verdict, false, "no-scope",
        certificate->n_scope == 0
            ? "its certificate has no intent scope at all"
            : "it is not in the intent scope of its certificate (agentctl cert "
              "show lists that)");
}

void api_policy_judge(const struct policy *policy, enum policy_what what,
                      struct policy_verdict *verdict)
{
    static void (*const judges[POLICY_N_WHAT])(const struct policy *,
                                               struct policy_verdict *) = {
        judge_function, judge_address, judge_subnet, judge_intent};

    if (!judge_node(policy, verdict)) {
        judges[what](policy, verdict);
    }
}
