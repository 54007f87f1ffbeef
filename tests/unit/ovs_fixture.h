/*
 * A real Open vSwitch (userspace datapath) for tests: the process moves into
 * a network namespace of its own, with a database and a switch in a temporary
 * folder.  All that is started is ended by process id.
 */
#ifndef SOCKETNET_TESTS_OVS_FIXTURE_H
#define SOCKETNET_TESTS_OVS_FIXTURE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "gossip/base/macros.h"

#define OVS_FIXTURE_SKIP 77 /* meson's exit status for "skipped" */

struct ovs_fixture {
    char folder[64];
    char db_path[PATH_MAX];
    char bridge_path[PATH_MAX]; /* management socket of bridge "socket" */
    pid_t database;
    pid_t vswitchd;
};

/* Enters a new network namespace.  False, and the reason on standard error,
 * where that is not possible: the test is then to be skipped. */
bool ovs_fixture_enter_namespace(void);
/* Like it, when Open vSwitch is not installed either. */
bool ovs_fixture_can_run(void);

/* Starts both programs and makes bridge "socket" (netdev, secure). */
void ovs_fixture_start(struct ovs_fixture *fixture);
void ovs_fixture_stop(struct ovs_fixture *fixture);
/* kill -9 of ovs-vswitchd, and its return. */
void ovs_fixture_kill_vswitchd(struct ovs_fixture *fixture);
void ovs_fixture_start_vswitchd(struct ovs_fixture *fixture);

/* Runs a shell command with the environment of the fixture's Open vSwitch;
 * fails the test when its status is not 0. */
void ovs_fixture_shell(const char *format, ...) _printf_(1, 2);
/* Its output (malloc'd). */
char *ovs_fixture_output(const char *format, ...) _printf_(1, 2);

/* Polls `fd` for `events` for at most the time; true when ready. */
bool ovs_fixture_poll(int fd, short events, int timeout_ms);

#endif
