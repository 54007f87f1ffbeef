/*
 * The public key of a WireGuard interface, kernel or wireguard-go; part of
 * join_local.h.  Reads only.
 */
#include "agent/join/join_local.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/wireguard.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <sodium.h>

#include "gossip/base/text.h"

#define WIREGUARD_SOCKETS    "/var/run/wireguard"
#define WIREGUARD_TIMEOUT_S  2
#define WIREGUARD_UAPI_START 4096

struct device_key {
    uint8_t bytes[32];
    bool is_there;
};

static int on_device(struct nl_msg *message, void *data)
{
    struct device_key *key = data;
    struct nlattr *attributes[WGDEVICE_A_MAX + 1];

    if (genlmsg_parse(nlmsg_hdr(message), 0, attributes, WGDEVICE_A_MAX, NULL) <
        0) {
        return NL_SKIP;
    }
    if (attributes[WGDEVICE_A_PUBLIC_KEY] != NULL &&
        nla_len(attributes[WGDEVICE_A_PUBLIC_KEY]) == 32) {
        memcpy(key->bytes, nla_data(attributes[WGDEVICE_A_PUBLIC_KEY]), 32);
        key->is_there = true;
    }
    return NL_OK;
}

static int ask_device(struct nl_sock *socket, int family, const char *interface,
                      struct device_key *ret)
{
    struct nl_msg *message = nlmsg_alloc();
    int error = -NLE_NOMEM;

    if (message != NULL &&
        genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, NLM_F_DUMP,
                    WG_CMD_GET_DEVICE, WG_GENL_VERSION) != NULL &&
        nla_put_string(message, WGDEVICE_A_IFNAME, interface) == 0) {
        error = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM,
                                    on_device, ret);
        if (error == 0) {
            error = nl_send_auto(socket, message);
        }
        if (error >= 0) {
            error = nl_recvmsgs_default(socket);
        }
    }
    nlmsg_free(message);
    return error;
}

static int kernel_key(const char *interface, uint8_t ret_key[32])
{
    struct device_key key = {0};
    struct nl_sock *socket = nl_socket_alloc();
    int family;
    int error;

    if (socket == NULL) {
        return -ENOMEM;
    }
    error = genl_connect(socket);
    if (error == 0) {
        family = genl_ctrl_resolve(socket, WG_GENL_NAME);
        error =
            family < 0 ? family : ask_device(socket, family, interface, &key);
    }
    nl_socket_free(socket);
    if (error == -NLE_PERM) {
        return -EACCES;
    }
    if (error < 0 || !key.is_there) {
        return -ENOENT; /* no such device, or not a WireGuard one */
    }
    memcpy(ret_key, key.bytes, sizeof(key.bytes));
    return 0;
}

static int connect_uapi(const char *interface)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = WIREGUARD_TIMEOUT_S};
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.sock",
                       WIREGUARD_SOCKETS, interface);
    int fd;

    if (len < 0 || (size_t)len >= sizeof(address.sun_path)) {
        return -ENOENT;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) <
            0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno == ECONNREFUSED ? -ENOENT : -errno;

        (void)close(fd); /* never used */
        return error;
    }
    return fd;
}

/* The device's own lines come first; peers follow and are not needed. */
static int read_uapi(int fd, char *text, size_t size)
{
    static const char request[] = "get=1\n\n";
    size_t len = 0;

    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0) {
        return -errno;
    }
    while (len < size - 1) {
        ssize_t n = recv(fd, text + len, size - 1 - len, 0);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        len += (size_t)n;
        text[len] = '\0';
        if (n == 0 || strstr(text, "\n\n") != NULL ||
            strstr(text, "public_key=") != NULL) {
            break;
        }
    }
    text[len] = '\0';
    return 0;
}

static int parse_uapi(const char *text, uint8_t ret_key[32])
{
    static const char name[] = "private_key=";
    uint8_t secret[32];
    int error = -ENOENT;

    if (strncmp(text, name, sizeof(name) - 1) == 0 &&
        text_to_bytes(text + sizeof(name) - 1, 64, secret, sizeof(secret)) ==
            0 &&
        crypto_scalarmult_base(ret_key, secret) == 0) {
        error = 0;
    }
    sodium_memzero(secret, sizeof(secret));
    return error;
}

static int uapi_key(const char *interface, uint8_t ret_key[32])
{
    char text[WIREGUARD_UAPI_START];
    int fd = connect_uapi(interface);
    int error;

    if (fd < 0) {
        return fd;
    }
    error = read_uapi(fd, text, sizeof(text));
    (void)close(fd); /* only asked */
    if (error == 0) {
        error = parse_uapi(text, ret_key);
    }
    sodium_memzero(text, sizeof(text));
    return error;
}

int wireguard_public_key(const char *interface, uint8_t ret_key[32])
{
    int error = kernel_key(interface, ret_key);

    return error == 0 ? 0 : uapi_key(interface, ret_key);
}
