/*
 * Whose turn it is.  Who has not proved itself yet holds a place, of few, and
 * gives it back soon; others wait unread.  A join that waits for its turn is
 * told how many are before it.  The address that has the fewest places is
 * next, then who came first: many joins from behind one address wait for each
 * other, and nobody else for them.
 */
#include "agent/net/net_internal.h"

#include "agent/system/clock.h"

/* Holds a place among LIMIT_OPENINGS: an incoming connection of whom nothing
 * is known for certain. */
static bool is_opening(const struct net_connection *connection)
{
    return !connection->is_closing && !connection->is_initiator &&
           (connection->role == NET_OPENING ||
            ((connection->role == NET_SYNC || connection->role == NET_JOIN) &&
             !connection->is_proved));
}

static bool is_joining(const struct net_connection *connection)
{
    return !connection->is_closing &&
           (connection->role == NET_JOIN ||
            (connection->role == NET_RELAY && !connection->is_initiator));
}

static bool is_waiting(const struct net_connection *connection)
{
    return !connection->is_closing &&
           (connection->role == NET_WAITING || connection->role == NET_QUEUED);
}

typedef bool (*net_is_fn)(const struct net_connection *connection);

/* How many are such; of one address, or all. */
static size_t count(const struct net *net, net_is_fn is,
                    const struct address *address)
{
    size_t n = 0;

    for (const struct net_connection *connection = net->connections;
         connection != NULL; connection = connection->next) {
        n += is(connection) &&
             (address == NULL || address_equal(&connection->from, address));
    }
    return n;
}

/* Who of this role is next: of the address with the fewest places. */
static struct net_connection *next_of(const struct net *net, enum net_role role,
                                      net_is_fn holds_place)
{
    struct net_connection *best = NULL;
    size_t best_n = 0;

    for (struct net_connection *connection = net->connections;
         connection != NULL; connection = connection->next) {
        size_t n;

        if (connection->role != role || connection->is_closing) {
            continue;
        }
        n = count(net, holds_place, &connection->from);
        if (best == NULL || n < best_n) {
            best = connection;
            best_n = n;
        }
    }
    return best;
}

static bool may_open(const struct net *net, const struct address *address)
{
    return count(net, is_opening, NULL) < LIMIT_OPENINGS &&
           count(net, is_opening, address) < LIMIT_OPENINGS_PER_ADDRESS;
}

static void open_now(struct net_connection *connection)
{
    connection->role = NET_OPENING;
    connection->deadline_ms = clock_now_ms() + LIMIT_PROOF_MS;
    net_connection_read(connection);
}

static bool may_wait(const struct net *net, const struct address *address)
{
    return count(net, is_waiting, NULL) < LIMIT_WAITING &&
           count(net, is_waiting, address) < LIMIT_WAITING_PER_ADDRESS;
}

void net_wait_opening(struct net_connection *connection)
{
    struct net *net = connection->net;
    bool has_place;

    connection->role = NET_ENDING; /* holds no place while that is counted */
    has_place = may_open(net, &connection->from);
    if (has_place) {
        open_now(connection);
        return;
    }
    if (!may_wait(net, &connection->from)) {
        connection->role = NET_OPENING;
        net_connection_refuse(connection, STREAM_REFUSED_BUSY);
        return;
    }
    connection->role = NET_QUEUED;
    connection->deadline_ms = clock_now_ms() + LIMIT_WAITING_MS;
}

bool net_join_has_room(const struct net *net)
{
    return count(net, is_joining, NULL) < LIMIT_JOINS;
}

void net_wait_join(struct net_connection *connection)
{
    if (!may_wait(connection->net, &connection->from)) {
        net_connection_refuse(connection, STREAM_REFUSED_BUSY);
        return;
    }
    connection->role = NET_WAITING;
    connection->deadline_ms = clock_now_ms() + LIMIT_WAITING_MS;
}

/* Tells each join that waits how many are before it, when that has changed. */
static void tell_waiting(struct net *net)
{
    size_t n_before = count(net, is_joining, NULL);

    for (struct net_connection *connection = net->connections;
         connection != NULL; connection = connection->next) {
        uint8_t answer[STREAM_ANSWER_SIZE];

        if (connection->role != NET_WAITING || connection->is_closing) {
            continue;
        }
        if (connection->told_before != (int)n_before) {
            connection->told_before = (int)n_before;
            stream_build_wait((uint16_t)n_before, answer);
            net_connection_write(connection, answer, sizeof(answer));
        }
        n_before++;
    }
}

void net_next(struct net *net)
{
    struct net_connection *connection = next_of(net, NET_WAITING, is_joining);

    while (connection != NULL && net_join_has_room(net)) {
        net_join_begin(connection);
        connection = next_of(net, NET_WAITING, is_joining);
    }
    connection = next_of(net, NET_QUEUED, is_opening);
    while (connection != NULL && may_open(net, &connection->from)) {
        open_now(connection);
        connection = next_of(net, NET_QUEUED, is_opening);
    }
    tell_waiting(net);
}
