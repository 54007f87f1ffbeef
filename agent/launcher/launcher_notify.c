/*
 * sd_notify(3) in a few lines.
 */
#include "agent/launcher/launcher_notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/system/clock.h"
#include "agent/system/log.h"

/* For which a start is given more time, at each try. */
#define EXTEND_US 60000000

void launcher_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path != NULL ? strlen(path) : 0;
    int fd;

    if (len < 2 || len >= sizeof(address.sun_path)) {
        return;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* an abstract address */
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
               (const struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
        log_warning("cannot tell systemd %s: %s", state, strerror(errno));
    }
    (void)close(fd); /* datagrams are gone already */
}

void launcher_notify_waiting(const char *why)
{
    char state[1200];

    (void)snprintf(state, sizeof(state),
                   "STATUS=waiting: %.1024s\nEXTEND_TIMEOUT_USEC=%d", why,
                   EXTEND_US);
    launcher_notify(state);
}

void launcher_notify_reloading(void)
{
    char state[64];

    (void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                   clock_now_ms() * 1000);
    launcher_notify(state);
}
