/*
 * Shared by the services*.c files alone.
 *
 *   services.c        the registrations: add, change, remove
 *   services_remove.c deregistration
 *   services_write.c  their records and settings on the way to disk
 *   services_valid.c  what may be registered here, in words
 *   services_file.c   services.d
 *   services_check.c  checks
 */
#ifndef SOCKETNET_AGENT_SERVICES_SERVICES_INTERNAL_H
#define SOCKETNET_AGENT_SERVICES_SERVICES_INTERNAL_H

#include <stdbool.h>

#include <uv.h>

#include "agent/core/core.h"
#include "agent/services/services.h"

/* function '/' instance, terminated: the record's key. */
#define SERVICES_KEY_SIZE (2 * BODY_NAME_SIZE)

struct services_checker;
struct services_entry;
struct services_files;

/* Somebody who waits for an entry's record. */
struct services_waiter {
    services_done_fn done;
    void *data;
    struct services_waiter *next;
};

/* One instance of this node. */
struct services_entry {
    struct services *services;
    struct services_entry *prev, *next;
    struct services_spec spec; /* with the slot and health written last */
    char *source;              /* file that registered it; NULL: the API */
    struct services_checker *checker;
    struct services_waiter *waiters; /* for the next write */
    unsigned n_writing;
    bool is_written;  /* a record of it is stored */
    bool is_dirty;    /* the record last made could not be stored */
    bool is_held;     /* the first check may still say what to write */
    bool has_setting; /* a setting of it is stored */
    bool is_seen;     /* by the files, during one reading */
};

struct services {
    struct core *core;
    struct services_entry *entries; /* by key */
    struct services_files *files;
    uv_timer_t retry; /* of dirty entries */
    char *problem;    /* of the files; NULL: none */
};

/* A services_done_fn that waits as a core_written_fn. */
struct services_callback {
    services_done_fn done;
    void *data;
};

/* services.c */

void services_entry_free(struct services_entry *entry);
/* Tells everybody who waits for the entry's next write that there is none. */
void services_entry_cancel(struct services_entry *entry, int error);
/* Whose registration it is may not be changed by another way in.  0, or 1 and
 * a text. */
_must_check_ int services_check_source(const struct services_entry *entry,
                                       const char *source, char **ret_problem);

struct services_entry *services_find(const struct services *services,
                                     const char *function,
                                     const char *instance);
/* As services_register, for a file when `source` is not NULL. */
_must_check_ int services_put(struct services *services,
                              const struct services_spec *spec,
                              const char *source, services_done_fn done,
                              void *data, char **ret_problem);

/* services_remove.c */

/* Removes the record and the entry.  0, or 1 and a text. */
_must_check_ int services_drop(struct services_entry *entry,
                               services_done_fn done, void *data,
                               char **ret_problem);
/* The core_written_fn of a services_callback, which it frees. */
void services_call(struct core *core, int error, struct record_order order,
                   void *data);

/* services_write.c */

void services_key(const struct body_service *service,
                  char ret_key[SERVICES_KEY_SIZE]);

/* Writes the entry's record, and with `with_setting` its setting; calls the
 * entry's waiters back.  0, or NODE_E_* or negative errno: nobody is. */
_must_check_ int services_write(struct services_entry *entry,
                                bool with_setting);
/* The same for one whose caller is gone: logs, and cancels the waiters. */
void services_write_or_log(struct services_entry *entry, bool with_setting);
/* A text for what services_write returned; malloc'd. */
char *services_write_problem(int error);
/* Erases the entry's setting. */
void services_forget(struct services_entry *entry);
/* Fills check and source from the setting of an own record, when it has one. */
void services_recall(struct services_entry *entry);

/* services_valid.c */

/* Completes `spec` (canonical names, defaults) and judges it.  0; 1 and a
 * malloc'd text. */
_must_check_ int services_validate(const struct core *core,
                                   struct services_spec *spec,
                                   char **ret_problem);
/* Whether the address may be bound to the port: not when it was seen behind
 * another one, as that would cut off what lives there.  0; 1 and a text. */
_must_check_ int services_validate_port(const struct core *core,
                                        const struct body_service *service,
                                        char **ret_problem);
/* Stores a formatted text (NULL when out of memory); returns 1. */
int services_refuse(char **ret_problem, const char *format, ...) _printf_(2, 3);

/* services_check.c */

/* Starts checking the entry, at once.  0 or -ENOMEM. */
_must_check_ int services_check_start(struct services_entry *entry,
                                      bool is_new);
/* The memory goes when the loop has closed its handles. */
struct services_checker *services_check_stop(struct services_checker *checker);
const char *services_checker_text(const struct services_checker *checker);
/* services.c: what the checks say is `health` now. */
void services_health_changed(struct services_entry *entry, uint8_t health);
/* services.c: the first check has ended, or has taken too long to wait. */
void services_check_first(struct services_entry *entry);

/* services_file.c */

_must_check_ int services_files_new(struct services *services,
                                    struct services_files **ret);
struct services_files *services_files_free(struct services_files *files);
/* Reads the directory and registers and drops accordingly. */
void services_files_read(struct services_files *files);

#endif
