/*
 * The bounds check in front of the one reader of msgpack: a walk over untrusted
 * bytes that allocates nothing and does not recurse.  See unpack.h.
 */
#include "gossip/base/unpack.h"

#include <string.h>

#include "gossip/base/cursor.h"
#include "gossip/base/text.h"

enum check_type {
    CHECK_SCALAR = 1, /* nil, bool, float, negative integer, bin */
    CHECK_UINT,       /* every integer >= 0, however encoded */
    CHECK_STR,
    CHECK_ARRAY,
    CHECK_MAP,
};

/* The head of one object; the elements of containers follow it. */
struct check_item {
    enum check_type type;
    uint64_t value;       /* CHECK_UINT */
    const uint8_t *bytes; /* CHECK_STR: borrowed */
    size_t size;          /* of bytes */
    uint32_t n;           /* CHECK_ARRAY: elements, CHECK_MAP: pairs */
};

/* Where the walk is: inside one container. */
struct check_level {
    uint32_t n_left; /* values still to come, keys included */
    bool is_map;
    bool is_key; /* the next value is a key */
};

/* A key of a map that is still open. */
struct check_key {
    size_t depth;
    struct check_item item;
};

/* Keys of closed maps are dropped, so at most half of the elements, and those
 * of the deepest open map, are held at once. */
struct check {
    struct reader reader;
    struct check_level levels[LIMIT_MSGPACK_DEPTH];
    size_t depth;
    struct check_key keys[LIMIT_MSGPACK_ELEMENTS / 2];
    size_t n_keys;
    size_t n_room; /* elements that may still come */
};

static int item_bytes(struct reader *reader, enum check_type type, size_t size,
                      struct check_item *ret)
{
    const uint8_t *bytes = reader_take(reader, size);

    if (bytes == NULL) {
        return UNPACK_E_MALFORMED;
    }
    *ret = (struct check_item){.type = type, .bytes = bytes, .size = size};
    return 0;
}

static int item_uint(struct reader *reader, size_t size, struct check_item *ret)
{
    uint64_t value = reader_be(reader, size);

    *ret = (struct check_item){.type = CHECK_UINT, .value = value};
    return reader->failed ? UNPACK_E_MALFORMED : 0;
}

/* Two's complement of `size` bytes.  What is not negative is a uint. */
static int item_int(struct reader *reader, size_t size, struct check_item *ret)
{
    uint64_t value = reader_be(reader, size);
    bool is_negative = (value >> (size * 8 - 1)) != 0;

    *ret = (struct check_item){
        .type = is_negative ? CHECK_SCALAR : CHECK_UINT,
        .value = is_negative ? 0 : value,
    };
    return reader->failed ? UNPACK_E_MALFORMED : 0;
}

static int item_container(struct reader *reader, enum check_type type,
                          size_t size, struct check_item *ret)
{
    uint32_t n = (uint32_t)reader_be(reader, size);

    *ret = (struct check_item){.type = type, .n = n};
    return reader->failed ? UNPACK_E_MALFORMED : 0;
}

/* Formats 0xc0 to 0xdf, one first byte each. */
static int item_prefixed(struct reader *reader, uint8_t first,
                         struct check_item *ret)
{
    switch (first) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
        *ret = (struct check_item){.type = CHECK_SCALAR};
        return 0;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return item_bytes(reader, CHECK_SCALAR,
                          reader_be(reader, (size_t)1 << (first - 0xc4)), ret);
    case 0xca:
    case 0xcb:
        *ret = (struct check_item){.type = CHECK_SCALAR};
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
        return item_bytes(reader, CHECK_STR,
                          reader_be(reader, (size_t)1 << (first - 0xd9)), ret);
    case 0xdc:
    case 0xdd:
        return item_container(reader, CHECK_ARRAY, first == 0xdc ? 2 : 4, ret);
    case 0xde:
    case 0xdf:
        return item_container(reader, CHECK_MAP, first == 0xde ? 2 : 4, ret);
    default:
        return UNPACK_E_MALFORMED; /* 0xc1 is no format; the others are ext */
    }
}

static int item_next(struct reader *reader, struct check_item *ret)
{
    uint8_t first = reader_u8(reader);

    if (reader->failed) {
        return UNPACK_E_MALFORMED;
    }
    if (first < 0x80) {
        *ret = (struct check_item){.type = CHECK_UINT, .value = first};
        return 0;
    }
    if (first < 0x90) {
        *ret = (struct check_item){.type = CHECK_MAP, .n = first & 0x0f};
        return 0;
    }
    if (first < 0xa0) {
        *ret = (struct check_item){.type = CHECK_ARRAY, .n = first & 0x0f};
        return 0;
    }
    if (first < 0xc0) {
        return item_bytes(reader, CHECK_STR, first & 0x1f, ret);
    }
    if (first >= 0xe0) {
        *ret = (struct check_item){.type = CHECK_SCALAR};
        return 0;
    }
    return item_prefixed(reader, first, ret);
}

static bool keys_equal(const struct check_item *a, const struct check_item *b)
{
    if (a->type != b->type) {
        return false;
    }
    if (a->type == CHECK_UINT) {
        return a->value == b->value;
    }
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Remembers a key of the map being walked; refuses one it already has. */
static int check_key(struct check *check, const struct check_item *item)
{
    if (item->type != CHECK_UINT && item->type != CHECK_STR) {
        return UNPACK_E_MALFORMED;
    }
    for (size_t i = check->n_keys; i > 0; i--) {
        const struct check_key *key = &check->keys[i - 1];

        if (key->depth != check->depth) {
            break; /* keys of one open map lie together, at the end */
        }
        if (keys_equal(&key->item, item)) {
            return UNPACK_E_MALFORMED;
        }
    }
    if (check->n_keys == ARRAY_SIZE(check->keys)) {
        return UNPACK_E_MALFORMED;
    }
    check->keys[check->n_keys++] =
        (struct check_key){.depth = check->depth, .item = *item};
    return 0;
}

/* Enters an array or map, within the limits. */
static int check_enter(struct check *check, const struct check_item *item)
{
    bool is_map = item->type == CHECK_MAP;

    if (check->depth == LIMIT_MSGPACK_DEPTH ||
        item->n > (is_map ? check->n_room / 2 : check->n_room)) {
        return UNPACK_E_MALFORMED;
    }
    check->levels[check->depth++] = (struct check_level){
        .n_left = is_map ? item->n * 2 : item->n,
        .is_map = is_map,
        .is_key = is_map,
    };
    check->n_room -= is_map ? item->n * 2 : item->n;
    return 0;
}

/* Leaves every container that is complete, forgetting its keys. */
static void check_leave(struct check *check)
{
    while (check->depth > 0 && check->levels[check->depth - 1].n_left == 0) {
        while (check->n_keys > 0 &&
               check->keys[check->n_keys - 1].depth == check->depth) {
            check->n_keys--;
        }
        check->depth--;
    }
}

/* One value: the top object, an element, a key or what belongs to a key. */
static int check_value(struct check *check)
{
    struct check_level *level =
        check->depth > 0 ? &check->levels[check->depth - 1] : NULL;
    struct check_item item;

    if (item_next(&check->reader, &item) != 0) {
        return UNPACK_E_MALFORMED;
    }
    if (item.type == CHECK_STR && !text_is_clean(item.bytes, item.size)) {
        return UNPACK_E_MALFORMED;
    }
    if (level != NULL) {
        level->n_left--;
        if (level->is_map) {
            bool is_key = level->is_key;

            level->is_key = !is_key;
            if (is_key) {
                return check_key(check, &item);
            }
        }
    }
    if (item.type == CHECK_ARRAY || item.type == CHECK_MAP) {
        return check_enter(check, &item);
    }
    return 0;
}

int unpack_check(const uint8_t *bytes, size_t size, size_t max_elements)
{
    struct check check = {
        .reader = reader_init(bytes, size),
        .n_room = max_elements,
    };

    do {
        if (check_value(&check) != 0) {
            return UNPACK_E_MALFORMED;
        }
        check_leave(&check);
    } while (check.depth > 0);
    return reader_left(&check.reader) == 0 ? 0 : UNPACK_E_MALFORMED;
}
