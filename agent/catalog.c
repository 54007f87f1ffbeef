/*
 * From the node's records to functions and instances.  A rebuild makes a new
 * content beside the old one and takes its place when it is whole, so that
 * running out of memory leaves what was there.
 *
 * catalog_slot.c has the rule that gives a function its service address;
 * desire.c turns the result into desired items.
 */
#include "agent/catalog.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog_internal.h"

int catalog_new(const uint8_t cluster[RECORD_CLUSTER_SIZE],
                const struct prefix *service_range, struct catalog **ret)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    if (catalog == NULL) {
        return -ENOMEM;
    }
    memcpy(catalog->cluster, cluster, RECORD_CLUSTER_SIZE);
    catalog->range = *service_range;
    *ret = catalog;
    return 0;
}

static void catalog_content_done(struct catalog_content *content)
{
    free(content->functions);
    free(content->by_address);
    free(content->instances);
    *content = (struct catalog_content){0};
}

struct catalog *catalog_free(struct catalog *catalog)
{
    if (catalog == NULL) {
        return NULL;
    }
    catalog_content_done(&catalog->content);
    free(catalog);
    return NULL;
}

/* What a rebuild works with. */
struct catalog_build {
    const struct node *node;
    struct catalog_content content;
    size_t instances_capacity;
    size_t functions_capacity;
    int error;
};

/* Makes room for one more element of `size` bytes.  0 or -ENOMEM. */
static int catalog_grow(void **array, size_t *capacity, size_t n, size_t size)
{
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown;

    if (n < *capacity) {
        return 0;
    }
    grown = reallocarray(*array, wanted, size);
    if (grown == NULL) {
        return -ENOMEM;
    }
    *array = grown;
    *capacity = wanted;
    return 0;
}

static enum catalog_state catalog_judge(const struct node_member *member,
                                        const struct body_service *service)
{
    if (member->state == NODE_MEMBER_DEAD ||
        member->state == NODE_MEMBER_LEFT) {
        return CATALOG_NODE_DOWN;
    }
    if (service->health == BODY_HEALTH_CRITICAL) {
        return CATALOG_CRITICAL;
    }
    if (service->health == BODY_HEALTH_DRAINING) {
        return CATALOG_DRAINING;
    }
    if (service->health == BODY_HEALTH_MAINTENANCE) {
        return CATALOG_MAINTENANCE;
    }
    /* A paused agent answers no probe; its data plane still works. */
    if (!member->is_self && !member->is_reachable &&
        member->state != NODE_MEMBER_PAUSED) {
        return CATALOG_UNREACHABLE;
    }
    return CATALOG_USABLE;
}

static int catalog_add_service(const struct record *record, void *data)
{
    struct catalog_build *build = data;
    struct catalog_instance *instance;
    struct node_member member;
    void *array = build->content.instances;

    if (!node_member_find(build->node, record->writer, &member)) {
        return 0;
    }
    build->error = catalog_grow(&array, &build->instances_capacity,
                                build->content.n_instances, sizeof(*instance));
    build->content.instances = array;
    if (build->error != 0) {
        return 1;
    }
    instance = &build->content.instances[build->content.n_instances];
    *instance = (struct catalog_instance){0};
    if (body_get_service(record, &instance->service) != 0) {
        return 0;
    }
    memcpy(instance->writer, record->writer, sizeof(instance->writer));
    memcpy(instance->node, member.certificate->name, sizeof(instance->node));
    if (member.certificate->n_mesh > 0) {
        instance->node_address = member.certificate->mesh[0].address;
    }
    instance->node_id = member.id;
    instance->is_local = member.is_self;
    instance->rtt_us = member.is_self ? 0 : member.rtt_us;
    instance->state = catalog_judge(&member, &instance->service);
    instance->order = record->order;
    build->content.n_instances++;
    return 0;
}

static int catalog_instance_compare(const void *left, const void *right)
{
    const struct catalog_instance *a = left;
    const struct catalog_instance *b = right;
    int result = strcmp(a->service.function, b->service.function);

    if (result == 0) {
        result = strcmp(a->node, b->node);
    }
    if (result == 0) {
        result = strcmp(a->service.instance, b->service.instance);
    }
    return result != 0 ? result
                       : memcmp(a->writer, b->writer, sizeof(a->writer));
}

static int catalog_function_compare(const void *left, const void *right)
{
    const struct catalog_function *a = left;
    const struct catalog_function *b = right;

    return strcmp(a->name, b->name);
}

static struct catalog_function *
catalog_add_function(struct catalog_build *build, const char *name)
{
    struct catalog_function *function;
    void *array = build->content.functions;

    build->error = catalog_grow(&array, &build->functions_capacity,
                                build->content.n_functions, sizeof(*function));
    build->content.functions = array;
    if (build->error != 0) {
        return NULL;
    }
    function = &build->content.functions[build->content.n_functions];
    *function = (struct catalog_function){0};
    memcpy(function->name, name, strlen(name) + 1);
    build->content.n_functions++;
    return function;
}

/* Function records come first, in ascending order of writer: of two for one
 * name the lower writer's counts, everywhere alike. */
static int catalog_add_declared(const struct record *record, void *data)
{
    struct catalog_build *build = data;
    struct catalog_function *function;
    struct body_function body;
    char name[BODY_NAME_SIZE];

    if (body_get_function(record, &body) != 0 ||
        body_name_canonical(body.name, name) != 0) {
        return 0;
    }
    for (size_t i = 0; i < build->content.n_functions; i++) {
        if (strcmp(build->content.functions[i].name, name) == 0) {
            return 0;
        }
    }
    function = catalog_add_function(build, name);
    if (function == NULL) {
        return 1;
    }
    function->is_declared = body.address.family != 0;
    function->address = body.address;
    return 0;
}

static struct catalog_function *
catalog_search(const struct catalog_content *content, size_t n,
               const char *name)
{
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int result = strcmp(name, content->functions[middle].name);

        if (result == 0) {
            return &content->functions[middle];
        }
        if (result < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* Functions that only service records speak of, then everybody's instances. */
static int catalog_group(struct catalog_build *build)
{
    struct catalog_content *content = &build->content;
    size_t n_declared = content->n_functions;

    if (n_declared > 0) {
        qsort(content->functions, n_declared, sizeof(*content->functions),
              catalog_function_compare);
    }
    if (content->n_instances > 0) {
        qsort(content->instances, content->n_instances,
              sizeof(*content->instances), catalog_instance_compare);
    }
    for (size_t i = 0; i < content->n_instances; i++) {
        const char *name = content->instances[i].service.function;

        if (i > 0 &&
            strcmp(name, content->instances[i - 1].service.function) == 0) {
            continue;
        }
        if (catalog_search(content, n_declared, name) == NULL &&
            catalog_add_function(build, name) == NULL) {
            return build->error;
        }
    }
    if (content->n_functions > 0) {
        qsort(content->functions, content->n_functions,
              sizeof(*content->functions), catalog_function_compare);
    }
    for (size_t i = 0; i < content->n_instances; i++) {
        struct catalog_instance *instance = &content->instances[i];
        struct catalog_function *function = catalog_search(
            content, content->n_functions, instance->service.function);

        assert(function != NULL); /* added above */
        if (function->n_instances == 0) {
            function->instances = instance;
        }
        function->n_instances++;
    }
    return 0;
}

static void catalog_read(struct catalog_build *build, uint8_t kind,
                         node_record_fn fn)
{
    int result = build->error;

    if (result == 0) {
        result = node_records_each(build->node, kind, fn, build);
    }
    /* Negative: the node had no memory; positive: fn, which says why. */
    if (result < 0) {
        build->error = result;
    }
}

int catalog_rebuild(struct catalog *catalog, const struct node *node)
{
    struct catalog_build build = {.node = node};

    catalog_read(&build, RECORD_FUNCTION, catalog_add_declared);
    catalog_read(&build, RECORD_SERVICE, catalog_add_service);
    if (build.error == 0) {
        build.error = catalog_group(&build);
    }
    if (build.error == 0) {
        build.error = catalog_give_addresses(catalog, &build.content);
    }
    if (build.error != 0) {
        catalog_content_done(&build.content);
        return build.error;
    }
    catalog_content_done(&catalog->content);
    catalog->content = build.content;
    return 0;
}

size_t catalog_count(const struct catalog *catalog)
{
    return catalog->content.n_functions;
}

const struct catalog_function *catalog_at(const struct catalog *catalog,
                                          size_t index)
{
    return index < catalog->content.n_functions
               ? &catalog->content.functions[index]
               : NULL;
}

const struct catalog_function *catalog_find(const struct catalog *catalog,
                                            const char *name)
{
    char canonical[BODY_NAME_SIZE];

    if (body_name_canonical(name, canonical) != 0) {
        return NULL;
    }
    return catalog_search(&catalog->content, catalog->content.n_functions,
                          canonical);
}

/* Whether `a` is to be offered before `b`. */
static bool catalog_is_better(const struct catalog_instance *a,
                              const struct catalog_instance *b)
{
    if (a->is_local != b->is_local) {
        return a->is_local;
    }
    if (a->service.priority != b->service.priority) {
        return a->service.priority < b->service.priority;
    }
    if (a->rtt_us != b->rtt_us) {
        return a->rtt_us < b->rtt_us;
    }
    return catalog_instance_compare(a, b) < 0;
}

size_t catalog_usable(const struct catalog_function *function,
                      const struct catalog_instance **ret_instances,
                      size_t size)
{
    enum catalog_state wanted = CATALOG_UNREACHABLE;
    size_t n = 0;

    for (size_t i = 0; i < function->n_instances; i++) {
        if (function->instances[i].state == CATALOG_USABLE) {
            wanted = CATALOG_USABLE;
            break;
        }
    }
    for (size_t i = 0; i < function->n_instances; i++) {
        const struct catalog_instance *instance = &function->instances[i];
        size_t at = MIN_OF(n, size);

        if (instance->state != wanted) {
            continue;
        }
        n++;
        while (at > 0 && catalog_is_better(instance, ret_instances[at - 1])) {
            if (at < size) {
                ret_instances[at] = ret_instances[at - 1];
            }
            at--;
        }
        if (at < size) {
            ret_instances[at] = instance;
        }
    }
    return n;
}

const char *catalog_state_name(enum catalog_state state)
{
    switch (state) {
    case CATALOG_USABLE:
        return "usable";
    case CATALOG_CRITICAL:
        return "critical";
    case CATALOG_DRAINING:
        return "draining";
    case CATALOG_MAINTENANCE:
        return "maintenance";
    case CATALOG_NODE_DOWN:
        return "node-down";
    case CATALOG_UNREACHABLE:
        return "unreachable";
    default:
        return "unknown";
    }
}
