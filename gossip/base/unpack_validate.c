/*
 * The bounds check in front of the one reader of msgpack: a walk over untrusted
 * bytes that allocates nothing and does not recurse.  See unpack.h.
 */
#include "gossip/base/unpack.h"

#include <string.h>

#include "gossip/base/cursor.h"
#include "gossip/base/text.h"

enum walk_type {
    WALK_SCALAR = 1, /* nil, bool, float, negative integer, bin */
    WALK_UINT,       /* every integer >= 0, however encoded */
    WALK_STR,
    WALK_ARRAY,
    WALK_MAP,
};

/* The head of one object; the elements of containers follow it. */
struct walk_item {
    enum walk_type type;
    uint64_t value;       /* WALK_UINT */
    const uint8_t *bytes; /* WALK_STR: borrowed */
    size_t size;          /* of bytes */
    uint32_t n;           /* WALK_ARRAY: elements, WALK_MAP: pairs */
};

/* Where the walk is: inside one container. */
struct walk_level {
    uint32_t n_left; /* values still to come, keys included */
    bool is_map;
    bool is_key; /* the next value is a key */
};

/* A key of a map that is still open. */
struct walk_key {
    size_t depth;
    struct walk_item item;
};

/* Keys of closed maps are dropped, so at most half of the elements, and those
 * of the deepest open map, are held at once. */
struct walk {
    struct reader reader;
    struct walk_level levels[LIMIT_MSGPACK_DEPTH];
    size_t depth;
    struct walk_key keys[LIMIT_MSGPACK_ELEMENTS / 2];
    size_t n_keys;
    size_t n_room; /* elements that may still come */
};

static int item_bytes(struct reader *reader, enum walk_type type, size_t size,
                      struct walk_item *ret)
{
    const uint8_t *bytes = reader_take(reader, size);

    if (bytes == NULL) {
        return UNPACK_E_MALFORMED;
    }
    *ret = (struct walk_item){.type = type, .bytes = bytes, .size = size};
    return 0;
}

static int item_uint(struct reader *reader, size_t size, struct walk_item *ret)
{
    uint64_t value = reader_be(reader, size);

    *ret = (struct walk_item){.type = WALK_UINT, .value = value};
    return reader->failed ? UNPACK_E_MALFORMED : 0;
}

/* Two's complement of `size` bytes.  What is not negative is a uint. */
static int item_int(struct reader *reader, size_t size, struct walk_item *ret)
{
    uint64_t value = reader_be(reader, size);
    bool is_negative = (value >> (size * 8 - 1)) != 0;

    *ret = (struct walk_item){
        .type = is_negative ? WALK_SCALAR : WALK_UINT,
        .value = is_negative ? 0 : value,
    };
    return reader->failed ? UNPACK_E_MALFORMED : 0;
}

static int item_container(struct reader *reader, enum walk_type type,
                          size_t size, struct walk_item *ret)
{
    uint32_t n = (uint32_t)reader_be(reader, size);

    *ret = (struct walk_item){.type = type, .n = n};
    return reader->failed ? UNPACK_E_MALFORMED : 0;
}

/* Formats 0xc0 to 0xdf, one first byte each. */
static int item_prefixed(struct reader *reader, uint8_t first,
                         struct walk_item *ret)
{
    switch (first) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
        *ret = (struct walk_item){.type = WALK_SCALAR};
        return 0;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return item_bytes(reader, WALK_SCALAR,
                          reader_be(reader, (size_t)1 << (first - 0xc4)), ret);
    case 0xca:
    case 0xcb:
        *ret = (struct walk_item){.type = WALK_SCALAR};
        return reader_take(reader, first == 0xca ? 4 : 8) == NULL
                   ? UNPACK_E_MALFORMED
                   : 0;
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return item_uint(reader, (size_t)1 << (first - 0xcc), ret);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return item_int(reader, (size_t)1 << (first - 0xd0), ret);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return item_bytes(reader, WALK_STR,
                          reader_be(reader, (size_t)1 << (first - 0xd9)), ret);
    case 0xdc:
    case 0xdd:
        return item_container(reader, WALK_ARRAY, first == 0xdc ? 2 : 4, ret);
    case 0xde:
    case 0xdf:
        return item_container(reader, WALK_MAP, first == 0xde ? 2 : 4, ret);
    default:
        return UNPACK_E_MALFORMED; /* 0xc1 is no format; the others are ext */
    }
}

static int item_next(struct reader *reader, struct walk_item *ret)
{
    uint8_t first = reader_u8(reader);

    if (reader->failed) {
        return UNPACK_E_MALFORMED;
    }
    if (first < 0x80) {
        *ret = (struct walk_item){.type = WALK_UINT, .value = first};
        return 0;
    }
    if (first < 0x90) {
        *ret = (struct walk_item){.type = WALK_MAP, .n = first & 0x0f};
        return 0;
    }
    if (first < 0xa0) {
        *ret = (struct walk_item){.type = WALK_ARRAY, .n = first & 0x0f};
        return 0;
    }
    if (first < 0xc0) {
        return item_bytes(reader, WALK_STR, first & 0x1f, ret);
    }
    if (first >= 0xe0) {
        *ret = (struct walk_item){.type = WALK_SCALAR};
        return 0;
    }
    return item_prefixed(reader, first, ret);
}

static bool keys_equal(const struct walk_item *a, const struct walk_item *b)
{
    if (a->type != b->type) {
        return false;
    }
    if (a->type == WALK_UINT) {
        return a->value == b->value;
    }
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Remembers a key of the map being walked; refuses one it already has. */
static int walk_key(struct walk *walk, const struct walk_item *item)
{
    if (item->type != WALK_UINT && item->type != WALK_STR) {
        return UNPACK_E_MALFORMED;
    }
    for (size_t i = walk->n_keys; i > 0; i--) {
        const struct walk_key *key = &walk->keys[i - 1];

        if (key->depth != walk->depth) {
            break; /* keys of one open map lie together, at the end */
        }
        if (keys_equal(&key->item, item)) {
            return UNPACK_E_MALFORMED;
        }
    }
    if (walk->n_keys == ARRAY_SIZE(walk->keys)) {
        return UNPACK_E_MALFORMED;
    }
    walk->keys[walk->n_keys++] =
        (struct walk_key){.depth = walk->depth, .item = *item};
    return 0;
}

/* Enters an array or map, within the limits. */
static int walk_enter(struct walk *walk, const struct walk_item *item)
{
    bool is_map = item->type == WALK_MAP;

    if (walk->depth == LIMIT_MSGPACK_DEPTH ||
        item->n > (is_map ? walk->n_room / 2 : walk->n_room)) {
        return UNPACK_E_MALFORMED;
    }
    walk->levels[walk->depth++] = (struct walk_level){
        .n_left = is_map ? item->n * 2 : item->n,
        .is_map = is_map,
        .is_key = is_map,
    };
    walk->n_room -= is_map ? item->n * 2 : item->n;
    return 0;
}

/* Leaves every container that is complete, forgetting its keys. */
static void walk_leave(struct walk *walk)
{
    while (walk->depth > 0 && walk->levels[walk->depth - 1].n_left == 0) {
        while (walk->n_keys > 0 &&
               walk->keys[walk->n_keys - 1].depth == walk->depth) {
            walk->n_keys--;
        }
        walk->depth--;
    }
}

/* One value: the top object, an element, a key or what belongs to a key. */
static int walk_value(struct walk *walk)
{
    struct walk_level *level =
        walk->depth > 0 ? &walk->levels[walk->depth - 1] : NULL;
    struct walk_item item;

    if (item_next(&walk->reader, &item) != 0) {
        return UNPACK_E_MALFORMED;
    }
    if (item.type == WALK_STR && !text_is_clean(item.bytes, item.size)) {
        return UNPACK_E_MALFORMED;
    }
    if (level != NULL) {
        level->n_left--;
        if (level->is_map) {
            bool is_key = level->is_key;

            level->is_key = !is_key;
            if (is_key) {
                return walk_key(walk, &item);
            }
        }
    }
    if (item.type == WALK_ARRAY || item.type == WALK_MAP) {
        return walk_enter(walk, &item);
    }
    return 0;
}

int unpack_validate(const uint8_t *bytes, size_t size, size_t max_elements)
{
    struct walk walk = {
        .reader = reader_init(bytes, size),
        .n_room = max_elements,
    };

    do {
        if (walk_value(&walk) != 0) {
            return UNPACK_E_MALFORMED;
        }
        walk_leave(&walk);
    } while (walk.depth > 0);
    return reader_left(&walk.reader) == 0 ? 0 : UNPACK_E_MALFORMED;
}
