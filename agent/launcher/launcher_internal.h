/*
 * Shared by the launcher_*.c files alone.
 *
 *   launcher.c         the loop: signals, the children's words, timers, stop
 *   launcher_child.c   starting core and worker, again and again
 *   launcher_dirs.c    run directory and state directory before the start
 *   launcher_mounts.c  whether a directory's disk is still to be mounted
 *   launcher_notify.c  sd_notify(3)
 *   launcher_reload.c  SIGHUP
 */
#ifndef SOCKETNET_AGENT_LAUNCHER_LAUNCHER_INTERNAL_H
#define SOCKETNET_AGENT_LAUNCHER_LAUNCHER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gossip/base/macros.h"

struct config;

/* Of `agent run`, and how core and worker tell it why they end. */
enum launcher_exit {
    LAUNCHER_EXIT_OK = 0,
    LAUNCHER_EXIT_FAILED = 1, /* passes by itself: tried again */
    LAUNCHER_EXIT_CONFIG = 2, /* a person must mend it */
};

/* The longest text that a child may give (ipc.h). */
#define LAUNCHER_NOTE_SIZE 1025

struct launcher_child {
    const char *verb; /* "core", "worker" */
    pid_t pid;        /* 0: not running */
    int control;      /* our end of its control socket, -1 */
    uint64_t started_ms;
    uint64_t restart_ms; /* when to start it again; 0: not waiting */
    uint64_t kill_ms;    /* when to kill it, 0: not stopping */
    uint32_t backoff_ms;
    bool is_ready;     /* in this life */
    bool was_ready;    /* in any of its lives */
    bool wants_reload; /* SIGHUP, once it is ready */
    bool is_renewed;   /* it ends because the configuration changed */
    bool is_replaced;  /* it ends because core is of another version */
    char note[LAUNCHER_NOTE_SIZE]; /* why it cannot start, "": not said */
    char said[LAUNCHER_NOTE_SIZE]; /* what of that was logged last ... */
    uint64_t said_ms;              /* ... and when; 0: not waiting */
};

struct launcher {
    const struct config *config; /* of the start */
    struct config *latest;       /* read since then, or NULL */
    bool observe;
    struct launcher_child core;
    struct launcher_child worker; /* never started when reconcile is false */
    int signal_fd;
    int lock_fd;
    bool is_stopping;
    int status;
};

/* launcher_child.c */

void launcher_child_init(struct launcher_child *child, const char *verb);
/* Starts it, or tries again later. */
void launcher_child_start(struct launcher *launcher,
                          struct launcher_child *child);
/* It ended and shall not stay so: says why, and when it is started again. */
void launcher_child_ended(struct launcher_child *child, const char *how,
                          int number);
/* Core cannot speak with this worker: another takes its place, as soon as the
 * pause between starts allows, and finds the flows standing. */
void launcher_child_replace(struct launcher_child *worker);
/* It said that it is ready. */
void launcher_child_ready(struct launcher_child *child);

/* launcher_reload.c */

/* SIGHUP: reads the configuration and passes on what may change. */
void launcher_reload(struct launcher *launcher);

#endif
