/*
 * See interfaces.h.
 */
#include "agent/system/interfaces.h"

#include <errno.h>
#include <ifaddrs.h>

#include "agent/system/sockaddr.h"

int interfaces_list(struct interfaces_address *addresses, size_t max,
                    size_t *ret_n)
{
    struct ifaddrs *all = NULL;
    size_t n = 0;

    if (getifaddrs(&all) < 0) {
        return -errno;
    }
    for (const struct ifaddrs *one = all; one != NULL && n < max;
         one = one->ifa_next) {
        struct interfaces_address *found = &addresses[n];
        struct endpoint address;
        struct endpoint mask;
        uint8_t len = 0;

        if (one->ifa_addr == NULL || one->ifa_netmask == NULL ||
            !sockaddr_get(one->ifa_addr, &address) ||
            !sockaddr_get(one->ifa_netmask, &mask)) {
            continue;
        }
        for (size_t i = 0; i < address_size(&mask.address); i++) {
            len = (uint8_t)(len + __builtin_popcount(mask.address.bytes[i]));
        }
        found->address = address.address;
        found->network =
            (struct prefix){.address = address.address, .len = len};
        (void)address_clear_host(&found->network.address, len);
        n++;
    }
    freeifaddrs(all);
    *ret_n = n;
    return 0;
}
