/*
 * Rights given up by raw system calls: capget/capset of version 3, the
 * bounding set by prctl.
 */
#include "agent/system/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/system/user.h"

/* Sets permitted and effective to `mask`; what is not inheritable would be
 * lost by an exec. */
static int set_capabilities(uint64_t mask, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = (uint32_t)mask,
         .permitted = (uint32_t)mask,
         .inheritable = (uint32_t)inheritable},
        {.effective = (uint32_t)(mask >> 32),
         .permitted = (uint32_t)(mask >> 32),
         .inheritable = (uint32_t)(inheritable >> 32)},
    };

    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* Drops all but `mask` from the bounding set; the kernel says EINVAL past its
 * last capability. */
static int limit_bounding_set(uint64_t mask)
{
    for (unsigned cap = 0; cap < 64; cap++) {
        if ((mask >> cap & 1) != 0) {
            continue;
        }
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
            return errno == EINVAL ? 0 : -errno;
        }
    }
    return 0;
}

/* A child must not outlive its launcher.  The kernel forgets this wish when
 * the user changes, so it is said after that; a parent that died before is
 * seen by the closed control socket. */
static int follow_parent(void)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
        return -errno;
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int fail(int error, const char *what, char **ret_error)
{
    char *text;

    if (asprintf(&text, "%s: %s", what, strerror(-error)) < 0) {
        text = NULL;
    }
    *ret_error = text;
    return error;
}

int privileges_become_core(const char *user, char **ret_error)
{
    uint64_t bind_service = UINT64_C(1) << CAP_NET_BIND_SERVICE;
    const char *refusal;
    char *text;
    uid_t uid;
    gid_t gid;
    int error;

    if (geteuid() != 0) {
        error = follow_parent();
        return error == 0 ? 0 : fail(error, "prctl", ret_error);
    }
    error = user_find(user, &uid, &gid);
    refusal = error < 0 ? "there is no such user" : user_refusal(user, uid);
    if (refusal != NULL) {
        if (asprintf(&text,
                     "core cannot run as user %s: %s; create one of its own "
                     "(useradd --system --no-create-home socketnet) and name "
                     "it with `user` in the configuration",
                     user, refusal) < 0) {
            text = NULL;
        }
        *ret_error = text;
        return error < 0 ? error : -EINVAL;
    }
    error = limit_bounding_set(bind_service);
    if (error < 0) {
        return fail(error, "cannot limit the capabilities", ret_error);
    }
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) {
        return fail(-errno, "cannot change the user", ret_error);
    }
    error = set_capabilities(bind_service, bind_service);
    if (error == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
                            CAP_NET_BIND_SERVICE, 0, 0) < 0) {
        error = -errno;
    }
    if (error == 0) {
        error = follow_parent();
    }
    return error == 0 ? 0 : fail(error, "cannot drop rights", ret_error);
}

int privileges_drop_bind(void)
{
    return set_capabilities(0, 0); /* the ambient set goes with it */
}

int privileges_become_worker(char **ret_error)
{
    uint64_t net_admin = UINT64_C(1) << CAP_NET_ADMIN;
    int error;

    if (geteuid() != 0) {
        return fail(-EPERM, "the worker must be started as root", ret_error);
    }
    if (setgroups(0, NULL) < 0) {
        return fail(-errno, "cannot leave the groups", ret_error);
    }
    error = limit_bounding_set(net_admin);
    if (error == 0) {
        error = set_capabilities(net_admin, 0);
    }
    if (error == 0) {
        error = follow_parent();
    }
    return error == 0 ? 0 : fail(error, "cannot drop rights", ret_error);
}

void privileges_close_from(int first)
{
    (void)close_range((unsigned)first, ~0U, 0); /* Linux >= 5.9; before that
                                                   descriptors just stay open */
}
