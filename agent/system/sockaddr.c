/*
 * See sockaddr.h.
 */
#include "agent/system/sockaddr.h"

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

socklen_t sockaddr_put(const struct endpoint *endpoint,
                       struct sockaddr_storage *ret)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(endpoint->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(endpoint->port)};

    *ret = (struct sockaddr_storage){0};
    if (endpoint->address.family == 4) {
        memcpy(&in.sin_addr, endpoint->address.bytes, 4);
        memcpy(ret, &in, sizeof(in));
        return sizeof(in);
    }
    if (endpoint->address.family == 6) {
        memcpy(&in6.sin6_addr, endpoint->address.bytes, 16);
        memcpy(ret, &in6, sizeof(in6));
        return sizeof(in6);
    }
    return 0;
}

bool sockaddr_get(const struct sockaddr *address, struct endpoint *ret)
{
    struct endpoint endpoint = {0};

    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        endpoint.address.family = 4;
        memcpy(endpoint.address.bytes, &in.sin_addr, 4);
        endpoint.port = ntohs(in.sin_port);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof(in6));
        endpoint.address.family = 6;
        memcpy(endpoint.address.bytes, &in6.sin6_addr, 16);
        endpoint.port = ntohs(in6.sin6_port);
    } else {
        return false;
    }
    *ret = endpoint;
    return true;
}
