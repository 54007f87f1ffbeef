/*
 * Shared by the core_*.c files alone: what the other rooms need not see.
 *
 *   core.c          start, the loop's handles, the end
 *   core_backup.c   a copy of the store
 *   core_clock.c    the time that the node is given
 *   core_identity.c a newer certificate of ours, or charter
 *   core_load.c     what was stored: the records, the number of this boot
 *   core_actions.c  events into the node, its actions out
 *   core_write.c    own records on their way to disk
 *   core_offer.c    finished records of the local owner
 *   core_view.c     catalogue and desired state after a change
 *   core_finding.c  what ails this whole host, for its member record
 *   core_events.c   actions told to people: event log and log lines
 *   core_refuse.c   why it could not start
 *   core_reload.c   the configuration read again (SIGHUP)
 *   core_stop.c     pause, leave, stop
 */
#ifndef SOCKETNET_AGENT_CORE_CORE_INTERNAL_H
#define SOCKETNET_AGENT_CORE_CORE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "agent/core/core.h"
#include "agent/core/damping.h"
#include "gossip/node/node.h"

/* Setting: this node left the cluster for good. */
#define CORE_SETTING_LEFT "left"

struct desired_builder;
struct store;

/* An own record whose writer waits for it. */
struct core_waiting {
    struct record_order order;
    core_written_fn done;
    void *data;
    int error; /* once it is on the written list */
    struct core_waiting *prev, *next;
};

struct core_offering;

/* An own record that the store thread has. */
struct core_storing {
    struct core *core;
    struct record_order order;
};

/* An own record that could not even be given to it. */
struct core_write_failed {
    struct record_order order;
    int error; /* negative errno */
};

/* What ails the whole host; core_finding.c's. */
struct core_finding {
    uint8_t seen;      /* enum body_member_finding: of the last look ... */
    uint64_t since_ms; /* ... and since when */
    uint8_t told;      /* to the node */
    struct damping damping;
};

enum core_phase {
    CORE_RUNNING = 0,
    CORE_PAUSING, /* SIGTERM: the pause is being announced */
    CORE_LEAVING,
    CORE_ENDING, /* the loop is about to return */
};

struct core_internal {
    struct node_actions *actions;
    struct desired_builder *builder;
    struct core_offering *offering; /* what this step is about, or NULL */
    bool is_stepping;               /* actions are being carried out */
    int step_error;            /* of the last step, so that it is logged once */
    size_t n_heard;            /* node_n_heard at the last step */
    enum node_trouble trouble; /* at the last step */
    bool starts_ready;         /* ... and services are still to be told */
    bool is_view_dirty;        /* catalogue and desired state are behind */
    bool is_held;              /* the worker is told nothing new */
    bool is_observed; /* the listener is still to be told of the worker */
    uint64_t view_took_us;
    uint64_t view_end_us;
    struct core_waiting *waiting;                      /* not yet on disk */
    struct core_waiting *written;                      /* to be called back */
    struct core_write_failed failed[NODE_PENDING_MAX]; /* oldest first */
    size_t n_failed;
    uint64_t noted_ms; /* core->floor_ms that the store thread was told of */
    size_t n_storing;  /* own records at the store thread, or failed */
    enum core_phase phase;
    bool is_worker_asked;  /* LEAVING: "remove" is under way */
    bool is_left_stored;   /* LEAVING: the setting is on its way */
    uint64_t quiet_ms;     /* ending: nothing to wait for since; 0: not yet */
    uint64_t stop_ms;      /* ending: at the latest then */
    uv_timer_t tick;       /* the node's deadline */
    uv_timer_t view_timer; /* the next rebuild that is due by time */
    uv_timer_t finding_timer;
    struct core_finding finding;
    uv_timer_t stop_timer;
    uv_check_t check; /* after the poll: rebuild, call back */
    uv_idle_t idle;   /* active: the poll does not wait */
    uv_signal_t signals[3];
    uv_poll_t control;
    uv_timer_t identity_timer; /* core_identity.c, and what follows: */
    bool is_identity_due;      /* certificate or charter changed */
    bool is_charter_new;       /* ... the charter did */
    bool is_identity_writing;  /* the files are being written */
    bool has_handles;
    bool has_control;
};

/* Calls one of struct core_listener's functions of each listener. */
#define CORE_TELL(core, function)                                              \
    do {                                                                       \
        for (size_t told_ = 0; told_ < CORE_LISTENERS; told_++) {              \
            const struct core_listener *listener_ = &(core)->listeners[told_]; \
                                                                               \
            if (listener_->function != NULL) {                                 \
                listener_->function(listener_->data);                          \
            }                                                                  \
        }                                                                      \
    } while (0)

/* core_actions.c */

/* Carries out and clears the actions, and sets the node's timer. */
void core_carry_out(struct core *core);

/* core_refuse.c */

/* Keeps why core cannot start, for whoever called core_new. */
enum core_status core_refuse(struct core *core, enum core_status status,
                             const char *format, ...) _printf_(3, 4);

/* core_clock.c */

/* Whether the clock may be believed: CORE_STATUS_FAILED, with the reason, while
 * it is behind what this node has seen, or its certificate's begin. */
_must_check_ enum core_status
core_clock_start(struct core *core, struct store *store, uint64_t wall_ms);
/* core_wall_ms, and this time is seen. */
uint64_t core_clock_step(struct core *core);

/* core_load.c */

/* Chooses this boot's epoch and stores its number, and the time.  0, or
 * negative errno or STORE_E_*, with nothing changed. */
_must_check_ int core_load_epoch(struct store *store,
                                 const uint8_t writer[RECORD_WRITER_SIZE],
                                 uint64_t floor_ms, uint64_t *ret_epoch);
/* Feeds every stored record to the node.  0 or negative errno. */
_must_check_ int core_load_records(struct store *store, struct node *node,
                                   uint64_t wall_ms);

/* The tokens that may still be used.  0 or negative errno. */
_must_check_ int core_load_tokens(struct core *core, struct store *store);

/* Opens the notes of what earlier lives died on; without them when that fails.
 * core_load_close in any case. */
void core_load_poison(struct core *core);
void core_load_close(struct core *core);
/* node_examine_fn and node_examined_fn, of core. */
bool core_examine(const uint8_t *bytes, size_t size, void *data);
void core_examined(void *data);

/* core_write.c */

/* NODE_ACTION_STORE of an own record. */
void core_store_own(struct core *core, const uint8_t *bytes, size_t size);
/* On the loop, outside of actions: reports records that could not be queued,
 * and calls back writers whose record is in the view. */
void core_write_report_failed(struct core *core);
void core_write_report_written(struct core *core);
/* The end: calls back everybody who still waits, with -ECANCELED. */
void core_write_cancel(struct core *core);

/* The memory for who waits for a record. */
_must_check_ int core_write_prepare(struct core *core, core_written_fn done,
                                    void *data, struct core_waiting **ret);
/* Who waits for no number: called back as who wrote a record. */
void core_write_done(struct core *core, struct core_waiting *waiting,
                     int error);

/* core_offer.c */

/* NODE_ACTION_STORE while a record is offered: true when it is that record,
 * which is on its way then. */
bool core_offer_store(struct core *core, const uint8_t *bytes, size_t size);

/* core_view.c */

/* The node's view changed: rebuild in this turn of the loop. */
void core_view_changed(struct core *core);
/* The worker has told something. */
void core_view_observed(struct core *core);
/* There is work for the check phase of this turn. */
void core_view_wake(struct core *core);
void core_view_start(struct core *core);

/* core.c */

/* The launcher shall start the worker again: it is of another version. */
void core_want_worker(const struct core *core);

/* core_finding.c */

void core_finding_start(struct core *core);
/* Looks at what the worker says and tells the cluster when it may. */
void core_finding_review(struct core *core);

/* core_events.c */

void core_events_member(struct core *core, const struct node_action *action);
void core_events_record(struct core *core, const struct node_action *action);
void core_events_reachable(struct core *core, const struct node_action *action);
void core_events_store_problem(struct core *core, const char *problem);

/* core_identity.c */

/* The view changed: takes over a certificate of ours, or a charter, that came
 * into force, and has the files written. */
void core_identity_review(struct core *core);
/* Waits for the files, if they are being written. */
void core_identity_end(struct core *core);

/* core_reload.c */

/* Reads the configuration again and takes over what a running core can. */
void core_reload(struct core *core);

/* core_stop.c */

void core_stop_start(struct core *core);
/* A signal asked for the end. */
void core_stop_asked(struct core *core);

#endif
