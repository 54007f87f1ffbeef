/*
 * A container's query that came between a change and the moment when the
 * bridge carries it waits for that moment, a few milliseconds: an address
 * that is told too early costs the client a lost SYN and so a second.  Never
 * longer than DNS_WAIT_MS; then, or with no room left, it is answered as
 * things are.  Part of dns.c, datagrams only (who uses TCP here has had an
 * answer already).
 */
#include "agent/dns/dns_server.h"

#include <stdlib.h>
#include <string.h>

#include "agent/core/core.h"
#include "agent/core/worker_link.h"

#define DNS_WAIT_MS 100

struct dns_waiting {
    struct dns_listener *listener;
    struct sockaddr_storage from;
    size_t size;
    uint8_t query[DNS_WAIT_QUERY_SIZE];
};

static bool is_applied(const struct core *core)
{
    const struct worker_status *status = worker_link_status(core->worker);

    return !status->is_connected || !status->is_ovs_up ||
           status->is_observing ||
           status->applied_number >= status->sent_number;
}

/* Answers everything that waits; the array is detached first, as an answer
 * is given as if the query had just come. */
static void answer_all(struct dns *dns)
{
    struct dns_waiting *waiting = dns->waiting;
    size_t n = dns->n_waiting;

    dns->waiting = NULL;
    dns->n_waiting = 0;
    for (size_t i = 0; i < n; i++) {
        dns_respond_udp(waiting[i].listener,
                        (const struct sockaddr *)&waiting[i].from,
                        waiting[i].query, waiting[i].size);
    }
    free(waiting);
}

static void on_applied(int error, void *data)
{
    struct dns *dns = data;

    (void)error; /* whatever it was, nobody waits any longer */
    dns->is_asking = false;
    if (!dns->is_closing) {
        answer_all(dns);
    }
    dns_release(dns);
}

static void on_timer(uv_timer_t *timer)
{
    struct dns *dns = timer->data;

    answer_all(dns);
}

static void on_closed(uv_handle_t *handle)
{
    struct dns *dns = handle->data;

    dns_release(dns);
}

int dns_wait_init(struct dns *dns)
{
    int error = uv_timer_init(dns->core->loop, &dns->wait_timer);

    if (error == 0) {
        dns->wait_timer.data = dns;
        dns_hold(dns);
    }
    return error;
}

void dns_wait_done(struct dns *dns)
{
    if (dns->wait_timer.data != NULL) {
        uv_close((uv_handle_t *)&dns->wait_timer, on_closed);
    }
    free(dns->waiting);
    dns->waiting = NULL;
    dns->n_waiting = 0;
}

bool dns_wait(struct dns_listener *listener, const struct sockaddr *from,
              const uint8_t *query, size_t size)
{
    struct dns *dns = listener->dns;
    struct dns_waiting *waiting;

    if (dns->core->worker == NULL || is_applied(dns->core) ||
        size > DNS_WAIT_QUERY_SIZE || dns->n_waiting == DNS_WAIT_MAX) {
        return false;
    }
    if (dns->waiting == NULL) {
        dns->waiting = calloc(DNS_WAIT_MAX, sizeof(dns->waiting[0]));
        if (dns->waiting == NULL) {
            return false;
        }
    }
    waiting = &dns->waiting[dns->n_waiting++];
    waiting->listener = listener;
    memcpy(&waiting->from, from,
           from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                       : sizeof(struct sockaddr_in));
    memcpy(waiting->query, query, size);
    waiting->size = size;
    if (dns->n_waiting == 1) {
        (void)uv_timer_start(&dns->wait_timer, on_timer, DNS_WAIT_MS, 0);
    }
    if (!dns->is_asking) {
        dns->is_asking = true;
        dns_hold(dns);
        worker_link_when_applied(dns->core->worker, on_applied, dns);
    }
    return true;
}
