/*
 * The list of actions that a step leaves.  Their bytes lie in one arena that
 * is reused, so a busy node does not allocate per packet.
 */
#include "gossip/node/node_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Memory kept between steps; a burst larger than this is given back. */
#define ACTIONS_ARENA_KEPT 65536

struct node_actions {
    struct node_action *items;
    size_t *offsets; /* of each item's bytes in the arena */
    size_t n_items;
    size_t capacity;
    uint8_t *arena;
    size_t arena_size;
    size_t arena_capacity;
    bool has_failed;
};

int node_actions_new(struct node_actions **ret)
{
    struct node_actions *actions = calloc(1, sizeof(*actions));

    if (actions == NULL) {
        return -ENOMEM;
    }
    *ret = actions;
    return 0;
}

struct node_actions *node_actions_free(struct node_actions *actions)
{
    if (actions != NULL) {
        free(actions->items);
        free(actions->offsets);
        free(actions->arena);
        free(actions);
    }
    return NULL;
}

void node_actions_clear(struct node_actions *actions)
{
    actions->n_items = 0;
    actions->arena_size = 0;
    actions->has_failed = false;
    if (actions->arena_capacity > ACTIONS_ARENA_KEPT) {
        free(actions->arena);
        actions->arena = NULL;
        actions->arena_capacity = 0;
    }
}

size_t node_actions_count(const struct node_actions *actions)
{
    return actions->n_items;
}

const struct node_action *node_actions_at(const struct node_actions *actions,
                                          size_t index)
{
    struct node_action *item = &actions->items[index];

    /* Set here, as the arena may have moved since the action was added. */
    item->bytes =
        item->size == 0 ? NULL : actions->arena + actions->offsets[index];
    return item;
}

bool actions_take_failed(struct node_actions *actions)
{
    bool has_failed = actions->has_failed;

    actions->has_failed = false;
    return has_failed;
}

static bool grow_items(struct node_actions *actions, size_t n)
{
    size_t capacity = MAX_OF(actions->capacity * 2, actions->n_items + n);
    struct node_action *items;
    size_t *offsets;

    capacity = MAX_OF(capacity, (size_t)16);
    items = reallocarray(actions->items, capacity, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    actions->items = items;
    offsets = reallocarray(actions->offsets, capacity, sizeof(*offsets));
    if (offsets == NULL) {
        return false;
    }
    actions->offsets = offsets;
    actions->capacity = capacity;
    return true;
}

static bool grow_arena(struct node_actions *actions, size_t size)
{
    size_t capacity =
        MAX_OF(actions->arena_capacity * 2, actions->arena_size + size);
    uint8_t *arena;

    capacity = MAX_OF(capacity, (size_t)4096);
    arena = realloc(actions->arena, capacity);
    if (arena == NULL) {
        return false;
    }
    actions->arena = arena;
    actions->arena_capacity = capacity;
    return true;
}

bool actions_reserve(struct node_actions *actions, size_t n, size_t size)
{
    if ((actions->capacity < actions->n_items + n && !grow_items(actions, n)) ||
        (actions->arena_capacity < actions->arena_size + size &&
         !grow_arena(actions, size))) {
        actions->has_failed = true;
        return false;
    }
    return true;
}

struct node_action *actions_add(struct node_actions *actions,
                                enum node_action_type type,
                                const uint8_t *bytes, size_t size)
{
    struct node_action *item;

    if (!actions_reserve(actions, 1, size)) {
        return NULL;
    }
    item = &actions->items[actions->n_items];
    *item = (struct node_action){.type = type, .size = size};
    actions->offsets[actions->n_items] = actions->arena_size;
    if (size > 0) {
        memcpy(actions->arena + actions->arena_size, bytes, size);
        actions->arena_size += size;
    }
    actions->n_items++;
    return item;
}
