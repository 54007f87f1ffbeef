/*
 * From the node's records to functions and instances: service records are
 * sorted while they are small, then decoded into their places.
 */
#include "agent/catalog.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog_internal.h"

/* A service record on its way into the catalogue: sorted as this, so that the
 * larger instances are made in their places.  Borrows from the node, which
 * stands still during a rebuild. */
struct catalog_source {
    struct record record;
    const char *node;    /* name of its writer */
    size_t function_len; /* of the record's key, which goes on with '/' */
};

/* What a rebuild works with. */
struct catalog_build {
    const struct node *node;
    struct catalog_content content;
    struct catalog_source *sources;
    size_t n_sources;
    size_t sources_capacity;
    size_t functions_capacity;
    size_t n_tags;
    size_t n_meta;
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

static int catalog_add_source(const struct record *record, void *data)
{
    struct catalog_build *build = data;
    const uint8_t *slash = memchr(record->key, '/', record->key_size);
    struct catalog_source *source;
    struct body_service service;
    struct node_member member;
    void *array = build->sources;

    if (slash == NULL ||
        !node_member_find(build->node, record->writer, &member) ||
        body_get_service(record, &service) != 0) {
        return 0;
    }
    build->error = catalog_grow(&array, &build->sources_capacity,
                                build->n_sources, sizeof(*source));
    build->sources = array;
    if (build->error != 0) {
        return 1;
    }
    source = &build->sources[build->n_sources];
    source->record = *record;
    source->node = member.certificate->name;
    source->function_len = (size_t)(slash - record->key);
    build->n_sources++;
    build->n_tags += service.n_tags;
    build->n_meta += service.n_meta;
    return 0;
}

/* As strcmp of two terminated texts. */
static int catalog_text_compare(const uint8_t *a, size_t a_len,
                                const uint8_t *b, size_t b_len)
{
    int result = memcmp(a, b, MIN_OF(a_len, b_len));

    return result != 0 ? result : (a_len > b_len) - (a_len < b_len);
}

/* By function, node name, instance name, writer. */
static int catalog_source_compare(const void *left, const void *right)
{
    const struct catalog_source *a = left;
    const struct catalog_source *b = right;
    int result = catalog_text_compare(a->record.key, a->function_len,
                                      b->record.key, b->function_len);

    if (result == 0) {
        result = strcmp(a->node, b->node);
    }
    if (result == 0) {
        result = catalog_text_compare(a->record.key, a->record.key_size,
                                      b->record.key, b->record.key_size);
    }
    return result != 0
               ? result
               : memcmp(a->record.writer, b->record.writer, RECORD_WRITER_SIZE);
}

static void catalog_copy_service(struct catalog_build *build,
                                 const struct body_service *from,
                                 struct catalog_service *to)
{
    struct catalog_content *content = &build->content;

    memcpy(to->function, from->function, sizeof(to->function));
    memcpy(to->instance, from->instance, sizeof(to->instance));
    memcpy(to->port_name, from->port_name, sizeof(to->port_name));
    to->address = from->address;
    to->port = from->port;
    to->weight = from->weight;
    to->priority = from->priority;
    to->slot = from->slot;
    to->protocol = from->protocol;
    to->health = from->health;
    to->n_tags = (uint8_t)from->n_tags;
    to->n_meta = (uint8_t)from->n_meta;
    if (from->n_tags > 0) {
        to->tags = content->tags + build->n_tags;
        memcpy(content->tags + build->n_tags, from->tags,
               from->n_tags * sizeof(from->tags[0]));
        build->n_tags += from->n_tags;
    }
    if (from->n_meta > 0) {
        to->meta = content->meta + build->n_meta;
        memcpy(content->meta + build->n_meta, from->meta,
               from->n_meta * sizeof(from->meta[0]));
        build->n_meta += from->n_meta;
    }
}

static void catalog_add_instance(struct catalog_build *build,
                                 const struct catalog_source *source)
{
    struct catalog_content *content = &build->content;
    struct catalog_instance *instance =
        &content->instances[content->n_instances];
    const struct record *record = &source->record;
    struct body_service service;
    struct node_member member;

    /* Both were so a moment ago. */
    if (!node_member_find(build->node, record->writer, &member) ||
        body_get_service(record, &service) != 0) {
        return;
    }
    memcpy(instance->writer, record->writer, sizeof(instance->writer));
    memcpy(instance->node, member.certificate->name, sizeof(instance->node));
    if (member.certificate->n_mesh > 0) {
        instance->node_address = member.certificate->mesh[0].address;
    }
    instance->node_id = member.id;
    instance->is_local = member.is_self;
    instance->rtt_us = member.is_self ? 0 : member.rtt_us;
    instance->state = catalog_judge(&member, &service);
    instance->order = record->order;
    catalog_copy_service(build, &service, &instance->service);
    content->n_instances++;
}

/* Sources into instances. */
static int catalog_make_instances(struct catalog_build *build)
{
    struct catalog_content *content = &build->content;

    if (build->n_sources == 0) {
        return 0;
    }
    qsort(build->sources, build->n_sources, sizeof(*build->sources),
          catalog_source_compare);
    content->instances = calloc(build->n_sources, sizeof(*content->instances));
    content->tags = calloc(build->n_tags + 1, sizeof(*content->tags));
    content->meta = calloc(build->n_meta + 1, sizeof(*content->meta));
    if (content->instances == NULL || content->tags == NULL ||
        content->meta == NULL) {
        return -ENOMEM;
    }
    build->n_tags = 0;
    build->n_meta = 0;
    for (size_t i = 0; i < build->n_sources; i++) {
        catalog_add_instance(build, &build->sources[i]);
    }
    return 0;
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

/* Functions that only service records speak of, then everybody's instances. */
static int catalog_group(struct catalog_build *build)
{
    struct catalog_content *content = &build->content;
    size_t n_declared = content->n_functions;

    if (n_declared > 0) {
        qsort(content->functions, n_declared, sizeof(*content->functions),
              catalog_function_compare);
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

static void catalog_each(struct catalog_build *build, uint8_t kind,
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

int catalog_read(const struct node *node, struct catalog_content *ret)
{
    struct catalog_build build = {.node = node};

    catalog_each(&build, RECORD_FUNCTION, catalog_add_declared);
    catalog_each(&build, RECORD_SERVICE, catalog_add_source);
    if (build.error == 0) {
        build.error = catalog_make_instances(&build);
    }
    free(build.sources);
    if (build.error == 0) {
        build.error = catalog_group(&build);
    }
    if (build.error != 0) {
        catalog_content_done(&build.content);
        return build.error;
    }
    *ret = build.content;
    return 0;
}
