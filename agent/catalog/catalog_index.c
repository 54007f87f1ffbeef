/*
 * What is asked of the catalogue, put in order once per rebuild, so that no
 * question walks over members or instances: nodes by name and by address,
 * instances by address, and of each function those that may be used, best
 * first.
 */
#include "agent/catalog/catalog.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog_internal.h"
#include "gossip/base/search.h"

/* An instance, and where it stood before it was sorted. */
struct catalog_sorted {
    struct catalog_instance *instance;
    size_t position;
};

int catalog_name_compare(const char *a, const char *b)
{
    for (;; a++, b++) {
        int left = *a == '_' ? '-' : tolower((unsigned char)*a);
        int right = *b == '_' ? '-' : tolower((unsigned char)*b);

        if (left != right || left == '\0') {
            return left - right;
        }
    }
}

enum catalog_rank catalog_state_rank(enum catalog_state state)
{
    switch (state) {
    case CATALOG_USABLE:
        return CATALOG_RANK_USABLE;
    case CATALOG_NOT_HEARD:
        return CATALOG_RANK_NOT_HEARD;
    case CATALOG_UNREACHABLE:
        return CATALOG_RANK_UNREACHABLE;
    case CATALOG_HOST_FAULT:
        return CATALOG_RANK_HOST_FAULT;
    case CATALOG_FROZEN:
    case CATALOG_REFUSED:
    case CATALOG_PENDING:
    case CATALOG_CRITICAL:
    case CATALOG_DRAINING:
    case CATALOG_MAINTENANCE:
    case CATALOG_NODE_DOWN:
    default:
        return CATALOG_RANK_NEVER;
    }
}

bool catalog_state_carries(enum catalog_state state)
{
    return state != CATALOG_REFUSED && state != CATALOG_PENDING &&
           state != CATALOG_CRITICAL && state != CATALOG_NODE_DOWN &&
           state != CATALOG_FROZEN;
}

/* --- Nodes. --- */

/* Members that left have no address any more; dead ones may come back. */
static bool catalog_is_named(const struct node_member *member)
{
    return !node_member_is_gone(member) && member->certificate->n_mesh > 0;
}

/* The next one that is named, as catalog_node has it. */
static bool catalog_next_named(const struct node *node, size_t *at,
                               struct node_member *ret)
{
    while (node_member_next(node, at, ret)) {
        if (catalog_is_named(ret)) {
            return true;
        }
    }
    return false;
}

bool catalog_hosts_are(const struct catalog_hosts *hosts,
                       const struct node *node)
{
    struct node_member member;
    size_t n = 0;

    for (size_t at = 0; catalog_next_named(node, &at, &member); n++) {
        const struct body_certificate *certificate = member.certificate;
        const struct catalog_node *known;

        if (n == hosts->n_nodes) {
            return false;
        }
        known = &hosts->nodes[n];
        if (memcmp(known->key, member.key, 32) != 0 ||
            strcmp(known->name, certificate->name) != 0 ||
            !address_equal(&known->address, &certificate->mesh[0].address)) {
            return false;
        }
    }
    return n == hosts->n_nodes;
}

/* Nodes lie in the order of their keys. */
static int catalog_host_name_compare(const void *left, const void *right)
{
    const struct catalog_node *const *a = left;
    const struct catalog_node *const *b = right;
    int result = strcmp((*a)->canonical, (*b)->canonical);

    return result != 0 ? result : (*a > *b) - (*a < *b);
}

static int catalog_host_address_compare(const void *left, const void *right)
{
    const struct catalog_node *const *a = left;
    const struct catalog_node *const *b = right;
    int result = address_compare(&(*a)->address, &(*b)->address);

    return result != 0 ? result : (*a > *b) - (*a < *b);
}

/* Of several with one name, or one address, the lowest key has it. */
static void catalog_sort_hosts(struct catalog_hosts *hosts)
{
    size_t n = hosts->n_nodes;

    for (size_t i = 0; i < n; i++) {
        hosts->by_name[i] = &hosts->nodes[i];
    }
    memcpy(hosts->by_address, hosts->by_name, n * sizeof(hosts->by_name[0]));
    qsort(hosts->by_name, n, sizeof(hosts->by_name[0]),
          catalog_host_name_compare);
    qsort(hosts->by_address, n, sizeof(hosts->by_address[0]),
          catalog_host_address_compare);
    for (size_t i = 0; i < n; i++) {
        const struct catalog_node *named = hosts->by_name[i];
        const struct catalog_node *placed = hosts->by_address[i];
        size_t n_names = hosts->n_by_name;
        size_t n_places = hosts->n_by_address;

        if (n_names == 0 || strcmp(hosts->by_name[n_names - 1]->canonical,
                                   named->canonical) != 0) {
            hosts->by_name[hosts->n_by_name++] = named;
        }
        if (n_places == 0 ||
            !address_equal(&hosts->by_address[n_places - 1]->address,
                           &placed->address)) {
            hosts->by_address[hosts->n_by_address++] = placed;
        }
    }
}

int catalog_make_hosts(const struct node *node, struct catalog_hosts *hosts)
{
    struct node_member member;
    size_t n = 0;

    for (size_t at = 0; catalog_next_named(node, &at, &member);) {
        n++;
    }
    if (n == 0) {
        return 0;
    }
    hosts->nodes = calloc(n, sizeof(*hosts->nodes));
    hosts->by_name = calloc(n, sizeof(struct catalog_node *));
    hosts->by_address = calloc(n, sizeof(struct catalog_node *));
    if (hosts->nodes == NULL || hosts->by_name == NULL ||
        hosts->by_address == NULL) {
        return -ENOMEM;
    }
    for (size_t at = 0; catalog_next_named(node, &at, &member);) {
        const struct body_certificate *certificate = member.certificate;
        struct catalog_node *to = &hosts->nodes[hosts->n_nodes++];

        memcpy(to->key, member.key, sizeof(to->key));
        memcpy(to->name, certificate->name, sizeof(to->name));
        to->address = certificate->mesh[0].address;
        if (body_name_canonical(to->name, to->canonical) != 0) {
            to->canonical[0] = '\0'; /* asked for by nobody */
        }
    }
    catalog_sort_hosts(hosts);
    return 0;
}

/* --- Instances. --- */

static int catalog_sorted_by_address(const void *left, const void *right)
{
    const struct catalog_sorted *a = left;
    const struct catalog_sorted *b = right;
    int result = address_compare(&a->instance->service.address,
                                 &b->instance->service.address);

    return result != 0
               ? result
               : (a->position > b->position) - (a->position < b->position);
}

static int catalog_sorted_by_name(const void *left, const void *right)
{
    const struct catalog_sorted *a = left;
    const struct catalog_sorted *b = right;

    return catalog_name_compare(a->instance->service.instance,
                                b->instance->service.instance);
}

/* Which of two is to be offered before the other. */
static int catalog_sorted_by_merit(const void *left, const void *right)
{
    const struct catalog_sorted *a = left;
    const struct catalog_sorted *b = right;
    const struct catalog_instance *x = a->instance;
    const struct catalog_instance *y = b->instance;

    if (x->is_local != y->is_local) {
        return x->is_local ? -1 : 1;
    }
    if (x->service.priority != y->service.priority) {
        return x->service.priority < y->service.priority ? -1 : 1;
    }
    if (x->rtt_us != y->rtt_us) {
        return x->rtt_us < y->rtt_us ? -1 : 1;
    }
    return (a->position > b->position) - (a->position < b->position);
}

/* Instances at each address, in the order of functions, nodes and names. */
static void catalog_list_places(struct catalog_content *content,
                                struct catalog_sorted *sorted)
{
    size_t n = content->n_instances;

    for (size_t i = 0; i < n; i++) {
        sorted[i] = (struct catalog_sorted){&content->instances[i], i};
    }
    qsort(sorted, n, sizeof(*sorted), catalog_sorted_by_address);
    for (size_t i = 0; i < n; i++) {
        const struct address *address = &sorted[i].instance->service.address;

        content->by_place[i] = sorted[i].instance;
        if (i == 0 ||
            !address_equal(&sorted[i - 1].instance->service.address, address)) {
            content->places[content->n_places++] = (struct catalog_place){
                .address = *address, .instances = &content->by_place[i]};
        }
        content->places[content->n_places - 1].n_instances++;
    }
}

/* Marks those that share their name with another of their function. */
static void catalog_mark_names(struct catalog_function *function,
                               struct catalog_sorted *sorted)
{
    size_t n = function->n_instances;

    for (size_t i = 0; i < n; i++) {
        sorted[i] = (struct catalog_sorted){&function->instances[i], i};
    }
    qsort(sorted, n, sizeof(*sorted), catalog_sorted_by_name);
    for (size_t i = 1; i < n; i++) {
        if (catalog_sorted_by_name(&sorted[i - 1], &sorted[i]) == 0) {
            sorted[i - 1].instance->shares_name = true;
            sorted[i].instance->shares_name = true;
        }
    }
}

/* Puts those that may be used into `usable`, best first. */
static void catalog_choose(struct catalog_function *function,
                           struct catalog_sorted *sorted,
                           const struct catalog_instance **usable)
{
    enum catalog_rank best = CATALOG_RANK_HOST_FAULT;
    size_t n = 0;

    for (size_t i = 0; i < function->n_instances; i++) {
        best = MIN_OF(best, catalog_state_rank(function->instances[i].state));
    }
    for (size_t i = 0; i < function->n_instances; i++) {
        struct catalog_instance *instance = &function->instances[i];

        if (catalog_state_rank(instance->state) == best) {
            sorted[n++] = (struct catalog_sorted){instance, i};
        }
    }
    function->usable = usable;
    function->n_usable = n;
    qsort(sorted, n, sizeof(*sorted), catalog_sorted_by_merit);
    for (size_t i = 0; i < n; i++) {
        usable[i] = sorted[i].instance;
        sorted[i].position = i;
    }
    qsort(sorted, n, sizeof(*sorted), catalog_sorted_by_address);
    for (size_t i = 1; i < n; i++) {
        sorted[i].instance->repeats_address =
            address_equal(&sorted[i - 1].instance->service.address,
                          &sorted[i].instance->service.address);
    }
}

int catalog_make_index(struct catalog_content *content)
{
    _cleanup_(free_pointer) struct catalog_sorted *sorted = NULL;
    size_t n = content->n_instances;
    size_t at = 0;

    if (n == 0) {
        return 0;
    }
    sorted = calloc(n, sizeof(*sorted));
    content->places = calloc(n, sizeof(*content->places));
    content->by_place = calloc(n, sizeof(struct catalog_instance *));
    content->usable = calloc(n, sizeof(struct catalog_instance *));
    if (sorted == NULL || content->places == NULL ||
        content->by_place == NULL || content->usable == NULL) {
        return -ENOMEM;
    }
    catalog_list_places(content, sorted);
    for (size_t i = 0; i < content->n_functions; i++) {
        struct catalog_function *function = &content->functions[i];

        if (function->n_instances > 0) {
            catalog_mark_names(function, sorted);
            catalog_choose(function, sorted, &content->usable[at]);
            at += function->n_instances;
        }
    }
    return 0;
}

/* --- Asking. --- */

static int catalog_find_name_compare(const void *key, const void *entry)
{
    const struct catalog_node *const *node = entry;

    return strcmp(key, (*node)->canonical);
}

const struct catalog_node *catalog_find_node(const struct catalog *catalog,
                                             const char *name)
{
    const struct catalog_hosts *hosts = &catalog->content.hosts;
    const struct catalog_node *const *found = NULL;
    char canonical[BODY_NAME_SIZE];

    if (body_name_canonical(name, canonical) == 0) {
        found = search_find(canonical, hosts->by_name, hosts->n_by_name,
                            sizeof(struct catalog_node *),
                            catalog_find_name_compare);
    }
    return found != NULL ? *found : NULL;
}

static int catalog_find_address_compare(const void *key, const void *entry)
{
    const struct catalog_node *const *node = entry;

    return address_compare(key, &(*node)->address);
}

const struct catalog_node *
catalog_find_node_address(const struct catalog *catalog,
                          const struct address *address)
{
    const struct catalog_hosts *hosts = &catalog->content.hosts;
    const struct catalog_node *const *found = search_find(
        address, hosts->by_address, hosts->n_by_address,
        sizeof(struct catalog_node *), catalog_find_address_compare);

    return found != NULL ? *found : NULL;
}

static int catalog_find_place_compare(const void *key, const void *entry)
{
    const struct catalog_place *place = entry;

    return address_compare(key, &place->address);
}

const struct catalog_instance *const *
catalog_instances_at(const struct catalog *catalog,
                     const struct address *address, size_t *ret_n)
{
    const struct catalog_content *content = &catalog->content;
    const struct catalog_place *place =
        search_find(address, content->places, content->n_places,
                    sizeof(*content->places), catalog_find_place_compare);

    *ret_n = place != NULL ? place->n_instances : 0;
    return place != NULL ? place->instances : NULL;
}
