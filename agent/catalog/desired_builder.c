/*
 * Builds the desired items: hosts from members, functions and local ports
 * from the catalogue and from what drains (desired_builder_drain.c).
 */
#include "agent/catalog/desired_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/desired_builder_internal.h"

int desired_builder_new(struct desired_builder **ret)
{
    struct desired_builder *builder = calloc(1, sizeof(*builder));

    if (builder == NULL) {
        return -ENOMEM;
    }
    *ret = builder;
    return 0;
}

struct desired_builder *desired_builder_free(struct desired_builder *builder)
{
    if (builder != NULL) {
        free(builder->known);
        free(builder);
    }
    return NULL;
}

/* One backend-to-be, or only the wish that its function's item exist. */
struct desired_builder_row {
    const char *function;
    const char *instance;
    const struct address *service_address;
    const struct address *address;
    uint64_t host_id;
    uint16_t port;
    uint16_t weight;
    uint16_t priority;
    uint8_t protocol;
    bool is_local;
    enum catalog_state state;
};

static int desired_builder_group_compare(const struct desired_builder_row *a,
                                         const struct desired_builder_row *b)
{
    int result = strcmp(a->function, b->function);

    if (result == 0) {
        result = a->protocol - b->protocol;
    }
    return result != 0 ? result : a->port - b->port;
}

static int desired_builder_row_compare(const void *left, const void *right)
{
    const struct desired_builder_row *a = left;
    const struct desired_builder_row *b = right;
    int result = desired_builder_group_compare(a, b);

    if (result == 0) {
        result = (a->host_id > b->host_id) - (a->host_id < b->host_id);
    }
    if (result == 0) {
        result = strcmp(a->instance, b->instance);
    }
    return result != 0 ? result : address_compare(a->address, b->address);
}

/* One of our own that the data plane does not take stays wanted, without new
 * connections: else nothing would be refused any more, and the finding go. */
static bool desired_builder_has_backend(const struct desired_builder_row *row)
{
    return catalog_state_carries(row->state) ||
           (row->is_local &&
            (row->state == CATALOG_REFUSED || row->state == CATALOG_PENDING));
}

/* Appends the backends of a group that do, or do not, accept connections. */
static void desired_builder_add_backends(struct desired_function *function,
                                         const struct desired_builder_row *rows,
                                         size_t n_rows, enum catalog_rank best,
                                         bool accepts_new)
{
    for (size_t i = 0; i < n_rows; i++) {
        const struct desired_builder_row *row = &rows[i];
        struct desired_backend *backend;

        if (function->n_backends == DESIRED_BACKENDS_MAX) {
            return;
        }
        if (!desired_builder_has_backend(row) ||
            (catalog_state_rank(row->state) == best) != accepts_new) {
            continue;
        }
        backend = &function->backends[function->n_backends];
        memcpy(backend->instance, row->instance, strlen(row->instance) + 1);
        backend->host_id = row->host_id;
        backend->address = *row->address;
        backend->port = row->port;
        backend->weight = row->weight;
        backend->priority = row->priority;
        backend->accepts_new = accepts_new;
        function->n_backends++;
    }
}

/* Makes the item of one group of rows. */
static int desired_builder_put_function(struct desired *desired,
                                        const struct desired_builder_row *rows,
                                        size_t n_rows)
{
    struct desired_item item = {.type = DESIRED_FUNCTION};
    struct desired_function *function = &item.function;
    enum catalog_rank best = CATALOG_RANK_UNREACHABLE;
    int error;

    memcpy(function->name, rows[0].function, strlen(rows[0].function) + 1);
    function->protocol = rows[0].protocol;
    function->port = rows[0].port;
    function->address = *rows[0].service_address;
    function->backends = calloc(MIN_OF(n_rows, (size_t)DESIRED_BACKENDS_MAX),
                                sizeof(*function->backends));
    if (function->backends == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n_rows; i++) {
        best = MIN_OF(best, catalog_state_rank(rows[i].state));
    }
    desired_builder_add_backends(function, rows, n_rows, best, true);
    desired_builder_add_backends(function, rows, n_rows, best, false);
    error = desired_put(desired, &item);
    desired_item_done(&item);
    return error;
}

static size_t
desired_builder_collect_rows(const struct catalog *catalog,
                             const struct desired_builder_known *known,
                             size_t n_known, struct desired_builder_row *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < catalog_count(catalog); i++) {
        const struct catalog_function *function = catalog_at(catalog, i);

        for (size_t j = 0;
             j < function->n_instances && function->address.family != 0; j++) {
            const struct catalog_instance *instance = &function->instances[j];

            rows[n] = (struct desired_builder_row){
                .function = function->name,
                .instance = instance->service.instance,
                .service_address = &function->address,
                .address = &instance->service.address,
                .host_id = instance->node_id,
                .port = instance->service.port,
                .weight = instance->service.weight,
                .priority = instance->service.priority,
                .protocol = instance->service.protocol,
                .is_local = instance->is_local,
                .state = instance->state};
            n++;
        }
    }
    for (size_t i = 0; i < n_known; i++) {
        if (known[i].until_ms != 0) {
            rows[n] = (struct desired_builder_row){
                .function = known[i].function,
                .instance = known[i].instance,
                .service_address = &known[i].service_address,
                .address = &known[i].address,
                .host_id = known[i].host_id,
                .port = known[i].port,
                .weight = known[i].weight,
                .priority = known[i].priority,
                .protocol = known[i].protocol,
                .is_local = known[i].is_local,
                .state = CATALOG_DRAINING};
            n++;
        }
    }
    return n;
}

static int
desired_builder_put_functions(const struct catalog *catalog,
                              const struct desired_builder_known *known,
                              size_t n_known, struct desired *desired)
{
    _cleanup_(free_pointer) struct desired_builder_row *rows = NULL;
    size_t n_max = n_known;
    size_t n;
    int error = 0;

    for (size_t i = 0; i < catalog_count(catalog); i++) {
        n_max += catalog_at(catalog, i)->n_instances;
    }
    if (n_max == 0) {
        return 0;
    }
    rows = calloc(n_max, sizeof(*rows));
    if (rows == NULL) {
        return -ENOMEM;
    }
    n = desired_builder_collect_rows(catalog, known, n_known, rows);
    if (n > 0) {
        qsort(rows, n, sizeof(*rows), desired_builder_row_compare);
    }
    for (size_t first = 0, end; first < n && error == 0; first = end) {
        end = first + 1;
        while (end < n &&
               desired_builder_group_compare(&rows[first], &rows[end]) == 0) {
            end++;
        }
        error =
            desired_builder_put_function(desired, &rows[first], end - first);
    }
    return error;
}

static int desired_builder_put_hosts(const struct node *node,
                                     struct desired *desired)
{
    struct node_member member;
    int error = 0;

    for (size_t at = 0; error == 0 && node_member_next(node, &at, &member);) {
        const struct body_certificate *certificate = member.certificate;
        struct desired_item item = {.type = DESIRED_HOST};

        /* A dead member's routes harm nobody and are ready when it returns. */
        if (node_member_is_gone(&member) || certificate->n_mesh == 0) {
            continue;
        }
        item.host.id = member.id;
        memcpy(item.host.name, certificate->name, sizeof(certificate->name));
        item.host.is_self = member.is_self;
        item.host.mesh = certificate->mesh[0].address;
        item.host.n_subnets =
            MIN_OF(certificate->n_subnets, (size_t)DESIRED_SUBNETS_MAX);
        memcpy(item.host.subnets, certificate->subnets,
               item.host.n_subnets * sizeof(item.host.subnets[0]));
        error = desired_put(desired, &item);
        desired_item_done(&item);
    }
    return error;
}

/* The first one that names an address has its port. */
static int desired_builder_put_local(struct desired *desired,
                                     const struct address *address,
                                     const char *port_name)
{
    struct desired_item item = {.type = DESIRED_LOCAL};
    int error;

    item.local.address = *address;
    if (port_name[0] == '\0' || desired_find(desired, &item) != NULL) {
        return 0;
    }
    memcpy(item.local.port_name, port_name, strlen(port_name) + 1);
    error = desired_put(desired, &item);
    desired_item_done(&item);
    return error;
}

static int desired_builder_put_locals(const struct catalog *catalog,
                                      const struct desired_builder_known *known,
                                      size_t n_known, struct desired *desired)
{
    int error = 0;

    for (size_t i = 0; i < catalog_count(catalog); i++) {
        const struct catalog_function *function = catalog_at(catalog, i);

        for (size_t j = 0; j < function->n_instances && error == 0; j++) {
            const struct catalog_instance *instance = &function->instances[j];

            if (instance->is_local) {
                error = desired_builder_put_local(desired,
                                                  &instance->service.address,
                                                  instance->service.port_name);
            }
        }
    }
    for (size_t i = 0; i < n_known && error == 0; i++) {
        if (known[i].is_local && known[i].until_ms != 0) {
            error = desired_builder_put_local(desired, &known[i].address,
                                              known[i].port_name);
        }
    }
    return error;
}

int desired_builder_run(struct desired_builder *builder,
                        const struct catalog *catalog, const struct node *node,
                        uint64_t now_ms, struct desired *ret)
{
    struct desired desired = DESIRED_INIT;
    struct desired_builder_known *known = NULL;
    size_t n_known = 0;
    int error = desired_builder_remember(builder, catalog, node, now_ms, &known,
                                         &n_known);

    if (error == 0) {
        error = desired_builder_put_hosts(node, &desired);
    }
    if (error == 0) {
        error =
            desired_builder_put_functions(catalog, known, n_known, &desired);
    }
    if (error == 0) {
        error = desired_builder_put_locals(catalog, known, n_known, &desired);
    }
    if (error != 0) {
        free(known);
        desired_done(&desired);
        return error;
    }
    free(builder->known);
    builder->known = known;
    builder->n_known = n_known;
    *ret = desired;
    return 0;
}

uint64_t desired_builder_deadline_ms(const struct desired_builder *builder)
{
    uint64_t deadline_ms = UINT64_MAX;

    for (size_t i = 0; i < builder->n_known; i++) {
        if (builder->known[i].until_ms != 0) {
            deadline_ms = MIN_OF(deadline_ms, builder->known[i].until_ms);
        }
    }
    return deadline_ms;
}
