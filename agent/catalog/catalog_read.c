/*
 * From the node's records to functions and instances: service records are
 * sorted while they are small, then made into instances in their places.  What
 * the catalogue had before and has not changed is copied, not decoded again:
 * a rebuild is for one new record in most cases.
 */
#include "agent/catalog/catalog.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog_internal.h"

/* Why a record makes no instance, and why a walk over records ends. */
enum catalog_read_error {
    CATALOG_READ_E_HIDDEN = 1, /* it is not to be shown */
    CATALOG_READ_E_STOP = 2,   /* build->error has the reason */
};

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
    const struct catalog_content *old;
    struct catalog_content content;
    struct catalog_source *sources;
    size_t n_sources;
    size_t sources_capacity;
    size_t functions_capacity;
    size_t wishes_capacity;
    size_t n_tags;
    size_t tags_capacity;
    size_t n_meta;
    size_t meta_capacity;
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
                                        const struct catalog_service *service)
{
    if (member->state == NODE_MEMBER_DEAD || node_member_is_gone(member)) {
        return CATALOG_NODE_DOWN;
    }
    if (member->is_frozen) {
        return CATALOG_FROZEN;
    }
    switch (service->finding) {
    case BODY_FINDING_NONE:
    case BODY_FINDING_CHECK: /* health says it */
        break;
    case BODY_FINDING_REFUSED:
        return CATALOG_REFUSED;
    case BODY_FINDING_NO_PORT:
    case BODY_FINDING_ADDRESS:
    default: /* a later release's: its host says that it does not serve */
        return CATALOG_PENDING;
    }
    if (service->health == BODY_HEALTH_CRITICAL ||
        service->finding == BODY_FINDING_CHECK) {
        return CATALOG_CRITICAL;
    }
    if (service->health == BODY_HEALTH_DRAINING) {
        return CATALOG_DRAINING;
    }
    if (service->health == BODY_HEALTH_MAINTENANCE) {
        return CATALOG_MAINTENANCE;
    }
    /* It is one for others: what it is to the host itself, that sees. */
    if (!member->is_self && member->body != NULL &&
        member->body->finding != BODY_MEMBER_FINDING_NONE) {
        return CATALOG_HOST_FAULT;
    }
    /* A paused agent answers no probe; its data plane still works. */
    if (!member->is_self && !member->is_reachable &&
        member->state != NODE_MEMBER_PAUSED) {
        return CATALOG_UNREACHABLE;
    }
    if (!member->is_heard && member->state != NODE_MEMBER_PAUSED) {
        return CATALOG_NOT_HEARD;
    }
    return CATALOG_USABLE;
}

static int catalog_add_source(const struct record *record, void *data)
{
    struct catalog_build *build = data;
    const uint8_t *slash = memchr(record->key, '/', record->key_size);
    struct catalog_source *source;
    struct node_member member;
    void *array = build->sources;

    if (slash == NULL ||
        !node_member_find(build->node, record->writer, &member)) {
        return 0;
    }
    build->error = catalog_grow(&array, &build->sources_capacity,
                                build->n_sources, sizeof(*source));
    build->sources = array;
    if (build->error != 0) {
        return CATALOG_READ_E_STOP;
    }
    source = &build->sources[build->n_sources];
    source->record = *record;
    source->node = member.certificate->name;
    source->function_len = (size_t)(slash - record->key);
    build->n_sources++;
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

/* Room for `n` more tags and meta of one instance.  0 or -ENOMEM. */
static int catalog_reserve(struct catalog_build *build, size_t n_tags,
                           size_t n_meta)
{
    struct catalog_content *content = &build->content;
    void *tags = content->tags;
    void *meta = content->meta;
    int error = 0;

    for (size_t i = 0; i < n_tags && error == 0; i++) {
        error = catalog_grow(&tags, &build->tags_capacity, build->n_tags + i,
                             sizeof(*content->tags));
        content->tags = tags;
    }
    for (size_t i = 0; i < n_meta && error == 0; i++) {
        error = catalog_grow(&meta, &build->meta_capacity, build->n_meta + i,
                             sizeof(*content->meta));
        content->meta = meta;
    }
    return error;
}

/* Appends tags and meta; where they lie is said at the end, when they do not
 * move any more. */
static int catalog_add_details(struct catalog_build *build,
                               const char (*tags)[BODY_NAME_SIZE],
                               size_t n_tags, const struct body_meta *meta,
                               size_t n_meta)
{
    struct catalog_content *content = &build->content;
    int error = catalog_reserve(build, n_tags, n_meta);

    if (error != 0) {
        return error;
    }
    if (n_tags > 0) {
        memcpy(content->tags + build->n_tags, tags, n_tags * sizeof(*tags));
        build->n_tags += n_tags;
    }
    if (n_meta > 0) {
        memcpy(content->meta + build->n_meta, meta, n_meta * sizeof(*meta));
        build->n_meta += n_meta;
    }
    return 0;
}

static int catalog_decode(struct catalog_build *build,
                          const struct record *record,
                          struct catalog_service *to)
{
    struct body_service from;

    if (body_get_service(record, &from) != 0) {
        return CATALOG_READ_E_HIDDEN; /* the node would not have taken it */
    }
    memcpy(to->function, from.function, sizeof(to->function));
    memcpy(to->instance, from.instance, sizeof(to->instance));
    memcpy(to->port_name, from.port_name, sizeof(to->port_name));
    to->address = from.address;
    to->port = from.port;
    to->weight = from.weight;
    to->priority = from.priority;
    to->slot = from.slot;
    to->protocol = from.protocol;
    to->health = from.health;
    to->finding = from.finding;
    to->n_tags = (uint8_t)from.n_tags;
    to->n_meta = (uint8_t)from.n_meta;
    return catalog_add_details(build, (const char(*)[BODY_NAME_SIZE])from.tags,
                               from.n_tags, from.meta, from.n_meta);
}

static int catalog_copy(struct catalog_build *build,
                        const struct catalog_service *from,
                        struct catalog_service *to)
{
    *to = *from;
    return catalog_add_details(build, (const char(*)[BODY_NAME_SIZE])from->tags,
                               from->n_tags, from->meta, from->n_meta);
}

/* The old instance of this very record, or NULL.  Both lists have one order,
 * so `at` only moves on. */
static const struct catalog_instance *
catalog_find_old(const struct catalog_build *build,
                 const struct catalog_source *source, size_t *at)
{
    const struct catalog_content *old = build->old;
    const struct record *record = &source->record;

    for (; *at < old->n_instances; (*at)++) {
        const struct catalog_instance *instance = &old->instances[*at];
        const struct catalog_service *service = &instance->service;
        int result = catalog_text_compare((const uint8_t *)service->function,
                                          strlen(service->function),
                                          record->key, source->function_len);

        if (result == 0) {
            result = strcmp(instance->node, source->node);
        }
        if (result == 0) {
            result = catalog_text_compare(
                (const uint8_t *)service->instance, strlen(service->instance),
                record->key + source->function_len + 1,
                record->key_size - source->function_len - 1);
        }
        if (result == 0) {
            result =
                memcmp(instance->writer, record->writer, RECORD_WRITER_SIZE);
        }
        if (result < 0) {
            continue;
        }
        return result == 0 &&
                       record_order_compare(instance->order, record->order) == 0
                   ? instance
                   : NULL;
    }
    return NULL;
}

static bool catalog_names(const struct body_certificate *certificate,
                          const char *function)
{
    for (size_t i = 0; i < certificate->n_functions; i++) {
        if (catalog_name_compare(certificate->functions[i], function) == 0) {
            return true;
        }
    }
    return false;
}

/* 0, CATALOG_READ_E_HIDDEN, -ENOMEM. */
static int catalog_add_instance(struct catalog_build *build,
                                const struct catalog_source *source,
                                const struct catalog_instance *old)
{
    struct catalog_content *content = &build->content;
    struct catalog_instance *instance =
        &content->instances[content->n_instances];
    const struct record *record = &source->record;
    struct node_member member;
    int error;

    if (!node_member_find(build->node, record->writer, &member)) {
        return CATALOG_READ_E_HIDDEN; /* it was there a moment ago */
    }
    error = old != NULL ? catalog_copy(build, &old->service, &instance->service)
                        : catalog_decode(build, record, &instance->service);
    if (error != 0) {
        return error;
    }
    memcpy(instance->writer, record->writer, sizeof(instance->writer));
    memcpy(instance->node, member.certificate->name, sizeof(instance->node));
    if (member.certificate->n_mesh > 0) {
        instance->node_address = member.certificate->mesh[0].address;
    }
    instance->node_id = member.id;
    instance->is_local = member.is_self;
    instance->is_named =
        catalog_names(member.certificate, instance->service.function);
    instance->rtt_us = member.is_self ? 0 : member.rtt_us;
    instance->state = catalog_judge(&member, &instance->service);
    instance->order = record->order;
    content->n_instances++;
    return 0;
}

/* Sources into instances. */
static int catalog_make_instances(struct catalog_build *build)
{
    struct catalog_content *content = &build->content;
    size_t old_at = 0;
    size_t tags_at = 0;
    size_t meta_at = 0;

    if (build->n_sources == 0) {
        return 0;
    }
    qsort(build->sources, build->n_sources, sizeof(*build->sources),
          catalog_source_compare);
    content->instances = calloc(build->n_sources, sizeof(*content->instances));
    if (content->instances == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < build->n_sources; i++) {
        const struct catalog_source *source = &build->sources[i];
        int error = catalog_add_instance(
            build, source, catalog_find_old(build, source, &old_at));

        if (error < 0) {
            return error;
        }
    }
    for (size_t i = 0; i < content->n_instances; i++) {
        struct catalog_service *service = &content->instances[i].service;

        service->tags = service->n_tags > 0 ? content->tags + tags_at : NULL;
        service->meta = service->n_meta > 0 ? content->meta + meta_at : NULL;
        tags_at += service->n_tags;
        meta_at += service->n_meta;
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

static int catalog_add_wish(const struct record *record, void *data)
{
    struct catalog_build *build = data;
    struct catalog_content *content = &build->content;
    struct catalog_wish *wish;
    struct body_function body;
    struct node_member writer;
    void *array = content->wishes;

    /* Of who contradicted itself each node has other records. */
    if (body_get_function(record, &body) != 0 ||
        (node_member_find(build->node, record->writer, &writer) &&
         writer.is_frozen)) {
        return 0;
    }
    build->error = catalog_grow(&array, &build->wishes_capacity,
                                content->n_wishes, sizeof(*wish));
    content->wishes = array;
    if (build->error != 0) {
        return CATALOG_READ_E_STOP;
    }
    wish = &content->wishes[content->n_wishes++];
    *wish = (struct catalog_wish){.address = body.address,
                                  .idle_since_s = body.idle_since_s,
                                  .slot = body.slot,
                                  .is_claim = body.is_claim};
    memcpy(wish->name, body.name, sizeof(wish->name));
    memcpy(wish->writer, record->writer, sizeof(wish->writer));
    return 0;
}

static int catalog_wish_compare(const void *left, const void *right)
{
    const struct catalog_wish *a = left;
    const struct catalog_wish *b = right;
    int result = strcmp(a->name, b->name);

    if (result == 0) {
        result = a->is_claim - b->is_claim;
    }
    if (result == 0) {
        result = a->slot - b->slot;
    }
    return result != 0 ? result
                       : memcmp(a->writer, b->writer, sizeof(a->writer));
}

/* The functions that function records speak of.  Of two declarations of one
 * the lower writer's counts, everywhere alike. */
static int catalog_add_wished(struct catalog_build *build)
{
    struct catalog_content *content = &build->content;

    if (content->n_wishes > 0) {
        qsort(content->wishes, content->n_wishes, sizeof(*content->wishes),
              catalog_wish_compare);
    }
    for (size_t i = 0; i < content->n_wishes; i++) {
        const struct catalog_wish *wish = &content->wishes[i];
        struct catalog_function *function;

        if (i > 0 && strcmp(wish->name, wish[-1].name) == 0) {
            continue;
        }
        function = catalog_add_function(build, wish->name);
        if (function == NULL) {
            return build->error;
        }
        function->is_declared = !wish->is_claim && wish->address.family != 0;
        function->is_idle = wish->is_claim; /* until there is an instance */
        function->address = wish->address;
    }
    return 0;
}

/* Functions that only service records speak of, then everybody's instances. */
static int catalog_group(struct catalog_build *build)
{
    struct catalog_content *content = &build->content;
    size_t n_declared = content->n_functions;

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
            function->is_idle = false;
        }
        function->n_instances++;
    }
    return 0;
}

static void catalog_each(struct catalog_build *build, uint8_t kind,
                         node_record_fn fn)
{
    int error = build->error;

    if (error == 0) {
        error = node_records_each(build->node, kind, fn, build);
    }
    /* Negative: the node had no memory; positive: fn, which says why. */
    if (error < 0) {
        build->error = error;
    }
}

int catalog_read(const struct node *node, const struct catalog_content *old,
                 struct catalog_content *ret)
{
    struct catalog_build build = {.node = node, .old = old};

    catalog_each(&build, RECORD_FUNCTION, catalog_add_wish);
    catalog_each(&build, RECORD_SERVICE, catalog_add_source);
    if (build.error == 0) {
        build.error = catalog_add_wished(&build);
    }
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
