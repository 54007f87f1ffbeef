/*
 * Only in the static build: failing stands-in for what the static archives
 * of libuv, libnl and c-ares reference but the agent never calls, so that
 * glibc's name service (which would load foreign libraries at run time) is
 * not linked at all; and for the GnuTLS functions of libknot's TSIG, which we
 * do not use.  Names are resolved by c-ares, users by user_find.
 *
 * Signatures are those of the libc headers; the GnuTLS ones are declared
 * here, since its headers are not needed for anything else.
 */
#include <errno.h>
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>

/* GnuTLS functions return a negative code on failure. */
#define GNUTLS_E_UNIMPLEMENTED (-1250)

int gnutls_hmac(void *handle, const void *text, size_t size);
void gnutls_hmac_deinit(void *handle, void *digest);
unsigned gnutls_hmac_get_len(int algorithm);
int gnutls_hmac_init(void **handle, int algorithm, const void *key,
                     size_t key_size);
void gnutls_hmac_output(void *handle, void *digest);
size_t gnutls_mac_get_key_size(int algorithm);

int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **ret)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)ret;
    return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

int getnameinfo(const struct sockaddr *address, socklen_t address_size,
                char *host, socklen_t host_size, char *service,
                socklen_t service_size, int flags)
{
    (void)address;
    (void)address_size;
    (void)host;
    (void)host_size;
    (void)service;
    (void)service_size;
    (void)flags;
    return EAI_FAIL;
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
               struct passwd **ret)
{
    (void)uid;
    (void)entry;
    (void)buffer;
    (void)size;
    *ret = NULL;
    return ENOENT;
}

struct servent *getservbyname(const char *name, const char *protocol)
{
    (void)name;
    (void)protocol;
    return NULL;
}

int getservbyport_r(int port, const char *protocol, struct servent *entry,
                    char *buffer, size_t size, struct servent **ret)
{
    (void)port;
    (void)protocol;
    (void)entry;
    (void)buffer;
    (void)size;
    *ret = NULL;
    return ENOENT;
}

struct protoent *getprotobyname(const char *name)
{
    (void)name;
    return NULL;
}

struct protoent *getprotobynumber(int protocol)
{
    (void)protocol;
    return NULL;
}

int gnutls_hmac(void *handle, const void *text, size_t size)
{
    (void)handle;
    (void)text;
    (void)size;
    return GNUTLS_E_UNIMPLEMENTED;
}

void gnutls_hmac_deinit(void *handle, void *digest)
{
    (void)handle;
    (void)digest;
}

unsigned gnutls_hmac_get_len(int algorithm)
{
    (void)algorithm;
    return 0;
}

int gnutls_hmac_init(void **handle, int algorithm, const void *key,
                     size_t key_size)
{
    (void)handle;
    (void)algorithm;
    (void)key;
    (void)key_size;
    return GNUTLS_E_UNIMPLEMENTED;
}

void gnutls_hmac_output(void *handle, void *digest)
{
    (void)handle;
    (void)digest;
}

size_t gnutls_mac_get_key_size(int algorithm)
{
    (void)algorithm;
    return 0;
}
