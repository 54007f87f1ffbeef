/*
 * The table of local containers.  See worker_neighbors.h; worker_probe.c
 * asks for what is missing here.
 */
#include "agent/worker/worker_neighbors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/base/cursor.h"
#include "gossip/base/search.h"
#include "reconcilers/openflow/openflow.h"

#define ETH_TYPE_ARP   0x0806
#define ETH_TYPE_IPV4  0x0800
#define ARP_ETHERNET   1
#define ARP_REQUEST    1
#define ARP_REPLY      2
#define IPV4_FRAME_MIN 34
#define IPV4_AT        14
#define IPV4_TO        16 /* within its header */
/* OpenFlow 1.5.1, 7.2.6.1: numbers from here on are reserved. */
#define PORT_MAX UINT32_C(0xffffff00)

void worker_neighbors_done(struct worker_neighbors *neighbors)
{
    free(neighbors->entries);
    free(neighbors->port_names);
    free(neighbors->n_asked);
    *neighbors = (struct worker_neighbors){0};
}

static int compare_address(const void *key, const void *element)
{
    const struct plan_neighbor *neighbor = element;

    return address_compare(key, &neighbor->address);
}

/* Index of the address, or where it belongs; true when it is there. */
static bool find_index(const struct worker_neighbors *neighbors,
                       const struct address *address, size_t *ret_index)
{
    bool is_found;

    *ret_index =
        search_index(address, neighbors->entries, neighbors->n_entries,
                     sizeof(*neighbors->entries), compare_address, &is_found);
    return is_found;
}

const struct plan_neighbor *
worker_neighbors_find(const struct worker_neighbors *neighbors,
                      const struct address *address)
{
    size_t index;

    return find_index(neighbors, address, &index) &&
                   neighbors->entries[index].ofport != 0
               ? &neighbors->entries[index]
               : NULL;
}

const char *worker_neighbors_port(const struct worker_neighbors *neighbors,
                                  const struct address *address)
{
    size_t index;

    return find_index(neighbors, address, &index) ? neighbors->port_names[index]
                                                  : NULL;
}

static int grow(struct worker_neighbors *neighbors)
{
    size_t capacity = MAX_OF(neighbors->capacity * 2, 16);
    void *entries;
    void *names;
    uint8_t *n_asked;

    entries =
        realloc(neighbors->entries, capacity * sizeof(*neighbors->entries));
    if (entries == NULL) {
        return -ENOMEM;
    }
    neighbors->entries = entries;
    names = realloc(neighbors->port_names,
                    capacity * sizeof(*neighbors->port_names));
    if (names == NULL) {
        return -ENOMEM;
    }
    neighbors->port_names = names;
    n_asked = realloc(neighbors->n_asked, capacity);
    if (n_asked == NULL) {
        return -ENOMEM;
    }
    neighbors->n_asked = n_asked;
    neighbors->capacity = capacity;
    return 0;
}

static void remove_at(struct worker_neighbors *neighbors, size_t index)
{
    size_t n_after = neighbors->n_entries - index - 1;

    memmove(&neighbors->entries[index], &neighbors->entries[index + 1],
            n_after * sizeof(*neighbors->entries));
    memmove(&neighbors->port_names[index], &neighbors->port_names[index + 1],
            n_after * sizeof(*neighbors->port_names));
    memmove(&neighbors->n_asked[index], &neighbors->n_asked[index + 1],
            n_after);
    neighbors->n_entries--;
}

static const struct plan_port *
find_port(const struct worker_neighbors_rules *rules, uint32_t ofport)
{
    for (size_t i = 0; i < rules->n_ports; i++) {
        if (rules->ports[i].ofport == ofport && ofport != 0) {
            return &rules->ports[i];
        }
    }
    return NULL;
}

/* The name of the port that the address is bound to, or NULL. */
static const char *find_binding(const struct worker_neighbors_rules *rules,
                                const struct address *address)
{
    struct desired_item key = {.type = DESIRED_LOCAL,
                               .local = {.address = *address}};
    const struct desired_item *item = desired_find(rules->desired, &key);

    return item != NULL && item->local.port_name[0] != '\0'
               ? item->local.port_name
               : NULL;
}

/* A container's port: neither the host's own nor the tunnel's. */
static bool is_container_port(const struct worker_neighbors_rules *rules,
                              const struct plan_port *port)
{
    return port != NULL && port->ofport < PORT_MAX &&
           strcmp(port->name, rules->policy->bridge) != 0 &&
           strcmp(port->name, rules->policy->tunnel_device) != 0;
}

bool worker_neighbors_allows(const struct plan_policy *policy,
                             const struct address *address)
{
    if (address->family != 4 || address_equal(address, &policy->gateway)) {
        return false;
    }
    for (size_t i = 0; i < policy->n_subnets; i++) {
        const struct prefix *subnet = &policy->subnets[i];
        uint32_t host = 0;
        uint32_t mask = subnet->len >= 31 ? 0 : UINT32_MAX >> subnet->len;

        if (!prefix_contains(subnet, address)) {
            continue;
        }
        for (size_t b = 0; b < 4; b++) {
            host = host << 8 | address->bytes[b];
        }
        /* Neither the subnet's own nor its broadcast address. */
        return mask == 0 || ((host & mask) != 0 && (host & mask) != mask);
    }
    return false;
}

bool worker_neighbors_destination(const struct plan_policy *policy,
                                  const uint8_t *frame, size_t size,
                                  struct address *ret)
{
    struct address to = {.family = 4};

    if (size < IPV4_FRAME_MIN || frame[12] != 0x08 || frame[13] != 0x00 ||
        frame[IPV4_AT] >> 4 != 4) {
        return false;
    }
    memcpy(to.bytes, frame + IPV4_AT + IPV4_TO, 4);
    if (!worker_neighbors_allows(policy, &to)) {
        return false;
    }
    *ret = to;
    return true;
}

/* Puts a verified entry.  0; WORKER_NEIGHBORS_CHANGED; -ENOMEM. */
static int put(struct worker_neighbors *neighbors,
               const struct plan_neighbor *entry, const char *port_name,
               bool is_bound)
{
    size_t index;

    if (find_index(neighbors, &entry->address, &index)) {
        struct plan_neighbor *old = &neighbors->entries[index];

        if (memcmp(old->mac, entry->mac, sizeof(old->mac)) == 0 &&
            old->ofport == entry->ofport) {
            neighbors->n_asked[index] = 0;
            return 0;
        }
    } else {
        if (neighbors->n_entries >= WORKER_NEIGHBORS_MAX && !is_bound) {
            return 0;
        }
        if (neighbors->n_entries == neighbors->capacity) {
            int error = grow(neighbors);

            if (error < 0) {
                return error;
            }
        }
        memmove(&neighbors->entries[index + 1], &neighbors->entries[index],
                (neighbors->n_entries - index) * sizeof(*neighbors->entries));
        memmove(
            &neighbors->port_names[index + 1], &neighbors->port_names[index],
            (neighbors->n_entries - index) * sizeof(*neighbors->port_names));
        memmove(&neighbors->n_asked[index + 1], &neighbors->n_asked[index],
                neighbors->n_entries - index);
        neighbors->n_entries++;
    }
    neighbors->n_asked[index] = 0;
    neighbors->entries[index] = *entry;
    memcpy(neighbors->port_names[index], port_name, DESIRED_PORT_SIZE);
    return WORKER_NEIGHBORS_CHANGED;
}

/* Whether the address is another port's, by a binding that proved right. */
static bool is_elsewhere(const struct worker_neighbors *neighbors,
                         const struct address *address, const char *binding,
                         const char *port_name)
{
    const char *seen = worker_neighbors_port(neighbors, address);

    return binding != NULL && strcmp(binding, port_name) != 0 && seen != NULL &&
           strcmp(seen, binding) == 0;
}

static int verify_and_put(struct worker_neighbors *neighbors,
                          const struct worker_neighbors_rules *rules,
                          const struct plan_neighbor *entry)
{
    const struct plan_port *port = find_port(rules, entry->ofport);
    const char *binding = find_binding(rules, &entry->address);
    static const uint8_t none[6];

    if (!is_container_port(rules, port) ||
        !worker_neighbors_allows(rules->policy, &entry->address) ||
        (entry->mac[0] & 1) != 0 || memcmp(entry->mac, none, 6) == 0 ||
        is_elsewhere(neighbors, &entry->address, binding, port->name)) {
        return 0;
    }
    return put(neighbors, entry, port->name, binding != NULL);
}

int worker_neighbors_learn(struct worker_neighbors *neighbors,
                           const struct worker_neighbors_rules *rules,
                           uint32_t in_port, const uint8_t *frame, size_t size)
{
    struct reader reader = reader_init(frame, size);
    struct plan_neighbor entry = {.ofport = in_port};
    uint8_t eth_src[6] = {0};
    uint16_t operation;
    bool is_arp;

    (void)reader_take(&reader, 6);
    reader_copy(&reader, eth_src, sizeof(eth_src));
    is_arp = reader_u16(&reader) == ETH_TYPE_ARP;
    is_arp = reader_u16(&reader) == ARP_ETHERNET && is_arp;
    is_arp = reader_u16(&reader) == ETH_TYPE_IPV4 && is_arp;
    is_arp = reader_u8(&reader) == 6 && is_arp;
    is_arp = reader_u8(&reader) == 4 && is_arp;
    operation = reader_u16(&reader);
    reader_copy(&reader, entry.mac, sizeof(entry.mac));
    entry.address.family = 4;
    reader_copy(&reader, entry.address.bytes, 4);
    (void)reader_take(&reader, 10); /* the target */
    /* Who answers for another MAC than his own is not believed. */
    if (reader.failed || !is_arp ||
        (operation != ARP_REQUEST && operation != ARP_REPLY) ||
        memcmp(eth_src, entry.mac, sizeof(eth_src)) != 0) {
        return 0;
    }
    return verify_and_put(neighbors, rules, &entry);
}

/* Reads the first eth_dst and output of an apply-actions instruction. */
static bool read_actions(const struct flow *flow, struct plan_neighbor *entry)
{
    struct reader reader =
        reader_init(flow->instructions, flow->instructions_size);
    bool has_mac = false;
    bool has_port = false;

    /* OpenFlow 1.5.1, 7.2.5: type 4 is apply-actions, 4 bytes of padding. */
    if (reader_u16(&reader) != 4) {
        return false;
    }
    (void)reader_take(&reader, 6);
    while (!reader.failed && reader_left(&reader) >= 8) {
        uint16_t type = reader_u16(&reader);
        uint16_t length = reader_u16(&reader);
        const uint8_t *body =
            length >= 8 ? reader_take(&reader, (size_t)length - 4) : NULL;

        if (body == NULL) {
            return false;
        }
        /* SET_FIELD of OXM basic class, field 3 (eth_dst), 6 bytes. */
        if (type == 25 && length == 16 &&
            memcmp(body, "\x80\x00\x06\x06", 4) == 0) {
            memcpy(entry->mac, body + 4, 6);
            has_mac = true;
        }
        if (type == 0 && length == 16) {
            entry->ofport = (uint32_t)body[0] << 24 | (uint32_t)body[1] << 16 |
                            (uint32_t)body[2] << 8 | body[3];
            has_port = true;
        }
    }
    return has_mac && has_port;
}

int worker_neighbors_recover(struct worker_neighbors *neighbors,
                             const struct worker_neighbors_rules *rules,
                             const struct flow *flows, size_t n_flows)
{
    bool is_changed = false;

    for (size_t i = 0; i < n_flows; i++) {
        const struct flow *flow = &flows[i];
        const struct prefix *to = &flow->match.nw_dst;
        struct plan_neighbor entry = {0};
        int error;

        if (!flow_cookie_is_ours(flow->cookie) ||
            (flow->cookie >> 40 & 0xff) != FLOW_KIND_LOCAL ||
            (flow->match.fields & FLOW_NW_DST) == 0 ||
            to->address.family != 4 || to->len != 32 ||
            worker_neighbors_port(neighbors, &to->address) != NULL ||
            !read_actions(flow, &entry)) {
            continue;
        }
        entry.address = to->address;
        error = verify_and_put(neighbors, rules, &entry);
        if (error < 0) {
            return error;
        }
        is_changed |= error == WORKER_NEIGHBORS_CHANGED;
    }
    return is_changed ? WORKER_NEIGHBORS_CHANGED : 0;
}

static const struct plan_port *
find_port_by_name(const struct worker_neighbors_rules *rules, const char *name)
{
    for (size_t i = 0; i < rules->n_ports; i++) {
        if (strcmp(rules->ports[i].name, name) == 0) {
            return &rules->ports[i];
        }
    }
    return NULL;
}

bool worker_neighbors_follow(struct worker_neighbors *neighbors,
                             const struct worker_neighbors_rules *rules)
{
    bool is_changed = false;

    for (size_t i = 0; i < neighbors->n_entries;) {
        struct plan_neighbor *entry = &neighbors->entries[i];
        const char *name = neighbors->port_names[i];
        const struct plan_port *port = find_port_by_name(rules, name);
        const char *binding = find_binding(rules, &entry->address);
        uint32_t ofport = is_container_port(rules, port) ? port->ofport : 0;

        if (ofport == 0 && (binding == NULL || strcmp(binding, name) != 0)) {
            remove_at(neighbors, i);
            is_changed = true;
            continue;
        }
        /* Who comes back may have another MAC: it is learned anew. */
        if (entry->ofport != ofport && entry->ofport != 0) {
            entry->ofport = ofport;
            is_changed = true;
        }
        i++;
    }
    return is_changed;
}

bool worker_neighbors_note_asked(struct worker_neighbors *neighbors,
                                 const struct worker_neighbors_rules *rules,
                                 size_t index)
{
    const char *binding =
        find_binding(rules, &neighbors->entries[index].address);

    if (neighbors->n_asked[index] < WORKER_NEIGHBORS_ASKED_MAX) {
        neighbors->n_asked[index]++;
        return false;
    }
    if (binding != NULL && strcmp(binding, neighbors->port_names[index]) == 0) {
        return false;
    }
    remove_at(neighbors, index);
    return true;
}

void worker_neighbors_request(const struct address *target,
                              const struct address *sender,
                              const uint8_t mac[6],
                              uint8_t ret_frame[WORKER_ARP_SIZE])
{
    /* Ethernet broadcast, ARP, Ethernet and IPv4, sizes 6 and 4, request. */
    static const uint8_t head[WORKER_ARP_SIZE] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0,
        0,    0x08, 0x06, 0,    1,    0x08, 0, 6, 4, 0, ARP_REQUEST};

    memcpy(ret_frame, head, WORKER_ARP_SIZE);
    memcpy(ret_frame + 6, mac, 6);
    memcpy(ret_frame + 22, mac, 6);
    if (sender->family == 4) {
        memcpy(ret_frame + 28, sender->bytes, 4);
    }
    memcpy(ret_frame + 38, target->bytes, 4);
}
