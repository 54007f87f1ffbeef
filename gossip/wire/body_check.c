/*
 * The bounds check in front of every body: a walk over untrusted msgpack that
 * allocates nothing and does not recurse.  Readers (body_pack.c) run only over
 * bytes that passed here, and share body_item_next with it.
 */
#include "gossip/wire/body_pack.h"

#include <string.h>

#include "gossip/wire/body.h"

/* Where the walk is: inside one container. */
struct check_level {
    uint32_t n_left; /* values still to come, keys included */
    bool is_map;
    bool is_key; /* the next value is a key */
};

/* A key of a map that is still open. */
struct check_key {
    size_t depth;
    struct body_item item;
};

/* Keys of closed maps are dropped, so at most half of the elements, and those
 * of the deepest open map, are held at once. */
struct check {
    struct reader reader;
    struct check_level levels[LIMIT_MSGPACK_DEPTH];
    size_t depth;
    struct check_key keys[LIMIT_MSGPACK_ELEMENTS / 2];
    size_t n_keys;
    uint32_t n_elements;
};

static int item_bytes(struct reader *reader, enum body_type type, size_t size,
                      struct body_item *ret)
{
    const uint8_t *bytes = reader_take(reader, size);

    if (bytes == NULL) {
        return RECORD_E_BODY;
    }
    *ret = (struct body_item){.type = type, .bytes = bytes, .size = size};
    return 0;
}

static int item_uint(struct reader *reader, size_t size, struct body_item *ret)
{
    uint64_t value = reader_be(reader, size);

    *ret = (struct body_item){.type = BODY_TYPE_UINT, .value = value};
    return reader->failed ? RECORD_E_BODY : 0;
}

/* Two's complement of `size` bytes.  What is not negative is a uint. */
static int item_int(struct reader *reader, size_t size, struct body_item *ret)
{
    uint64_t value = reader_be(reader, size);
    bool is_negative = (value >> (size * 8 - 1)) != 0;

    *ret = (struct body_item){
        .type = is_negative ? BODY_TYPE_NEGATIVE : BODY_TYPE_UINT,
        .value = is_negative ? 0 : value,
    };
    return reader->failed ? RECORD_E_BODY : 0;
}

static int item_container(struct reader *reader, enum body_type type,
                          size_t size, struct body_item *ret)
{
    uint32_t n = (uint32_t)reader_be(reader, size);

    *ret = (struct body_item){.type = type, .n = n};
    return reader->failed ? RECORD_E_BODY : 0;
}

/* Formats 0xc0 to 0xdf, one first byte each. */
static int item_prefixed(struct reader *reader, uint8_t first,
                         struct body_item *ret)
{
    switch (first) {
    case 0xc0:
        *ret = (struct body_item){.type = BODY_TYPE_NIL};
        return 0;
    case 0xc2:
    case 0xc3:
        *ret = (struct body_item){.type = BODY_TYPE_BOOL};
        return 0;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return item_bytes(reader, BODY_TYPE_BIN,
                          reader_be(reader, (size_t)1 << (first - 0xc4)), ret);
    case 0xca:
    case 0xcb:
        *ret = (struct body_item){.type = BODY_TYPE_FLOAT};
        return reader_take(reader, first == 0xca ? 4 : 8) == NULL
                   ? RECORD_E_BODY
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
        return item_bytes(reader, BODY_TYPE_STR,
                          reader_be(reader, (size_t)1 << (first - 0xd9)), ret);
    case 0xdc:
    case 0xdd:
        return item_container(reader, BODY_TYPE_ARRAY, first == 0xdc ? 2 : 4,
                              ret);
    case 0xde:
    case 0xdf:
        return item_container(reader, BODY_TYPE_MAP, first == 0xde ? 2 : 4,
                              ret);
    default:
        return RECORD_E_BODY; /* 0xc1 is no format; the others are ext */
    }
}

int body_item_next(struct reader *reader, struct body_item *ret)
{
    uint8_t first = reader_u8(reader);

    if (reader->failed) {
        return RECORD_E_BODY;
    }
    if (first < 0x80) {
        *ret = (struct body_item){.type = BODY_TYPE_UINT, .value = first};
        return 0;
    }
    if (first < 0x90) {
        *ret = (struct body_item){.type = BODY_TYPE_MAP, .n = first & 0x0f};
        return 0;
    }
    if (first < 0xa0) {
        *ret = (struct body_item){.type = BODY_TYPE_ARRAY, .n = first & 0x0f};
        return 0;
    }
    if (first < 0xc0) {
        return item_bytes(reader, BODY_TYPE_STR, first & 0x1f, ret);
    }
    if (first >= 0xe0) {
        *ret = (struct body_item){.type = BODY_TYPE_NEGATIVE};
        return 0;
    }
    return item_prefixed(reader, first, ret);
}

/* One character of two to four bytes at the start of `text`: its size, or 0
 * if it is not valid or a C1 control character. */
static size_t check_multibyte(const uint8_t *text, size_t size)
{
    uint32_t code;
    uint32_t lowest;
    size_t n;

    if ((text[0] & 0xe0) == 0xc0) {
        n = 2;
        lowest = 0xa0; /* 0x80..0x9f are C1 control characters */
        code = text[0] & 0x1f;
    } else if ((text[0] & 0xf0) == 0xe0) {
        n = 3;
        lowest = 0x800;
        code = text[0] & 0x0f;
    } else if ((text[0] & 0xf8) == 0xf0) {
        n = 4;
        lowest = 0x10000;
        code = text[0] & 0x07;
    } else {
        return 0;
    }
    if (n > size) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < lowest || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        return 0;
    }
    return n;
}

bool body_text_valid(const uint8_t *text, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t n = 1;

        if (text[at] >= 0x80) {
            n = check_multibyte(text + at, size - at);
            if (n == 0) {
                return false;
            }
        } else if (text[at] < 0x20 || text[at] == 0x7f) {
            return false;
        }
        at += n;
    }
    return true;
}

static bool keys_equal(const struct body_item *a, const struct body_item *b)
{
    if (a->type != b->type) {
        return false;
    }
    if (a->type == BODY_TYPE_UINT) {
        return a->value == b->value;
    }
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Remembers a key of the map being walked; refuses one it already has. */
static int check_key(struct check *check, const struct body_item *item)
{
    if (item->type != BODY_TYPE_UINT && item->type != BODY_TYPE_STR) {
        return RECORD_E_BODY;
    }
    for (size_t i = check->n_keys; i > 0; i--) {
        const struct check_key *key = &check->keys[i - 1];

        if (key->depth != check->depth) {
            break; /* keys of one open map lie together, at the end */
        }
        if (keys_equal(&key->item, item)) {
            return RECORD_E_BODY;
        }
    }
    if (check->n_keys == ARRAY_SIZE(check->keys)) {
        return RECORD_E_BODY;
    }
    check->keys[check->n_keys++] =
        (struct check_key){.depth = check->depth, .item = *item};
    return 0;
}

/* Enters an array or map, within the limits. */
static int check_enter(struct check *check, const struct body_item *item)
{
    bool is_map = item->type == BODY_TYPE_MAP;
    uint32_t room = LIMIT_MSGPACK_ELEMENTS - check->n_elements;

    if (check->depth == LIMIT_MSGPACK_DEPTH ||
        item->n > (is_map ? room / 2 : room)) {
        return RECORD_E_BODY;
    }
    check->levels[check->depth++] = (struct check_level){
        .n_left = is_map ? item->n * 2 : item->n,
        .is_map = is_map,
        .is_key = is_map,
    };
    check->n_elements += is_map ? item->n * 2 : item->n;
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
    struct body_item item;

    if (body_item_next(&check->reader, &item) != 0) {
        return RECORD_E_BODY;
    }
    if (item.type == BODY_TYPE_STR && !body_text_valid(item.bytes, item.size)) {
        return RECORD_E_BODY;
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
    if (item.type == BODY_TYPE_ARRAY || item.type == BODY_TYPE_MAP) {
        return check_enter(check, &item);
    }
    return 0;
}

int body_check(const uint8_t *bytes, size_t size)
{
    struct check check = {.reader = reader_init(bytes, size)};

    do {
        if (check_value(&check) != 0) {
            return RECORD_E_BODY;
        }
        check_leave(&check);
    } while (check.depth > 0);
    return reader_left(&check.reader) == 0 ? 0 : RECORD_E_BODY;
}
