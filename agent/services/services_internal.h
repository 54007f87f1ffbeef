/*
 * Shared by the services*.c files alone.
 *
 *   services.c        the registrations and what happens to them
 *   services_put.c    a new or changed one
 *   services_load.c   the registrations of the last run
 *   services_remove.c deregistration
 *   services_write.c  their records and settings on the way to disk
 *   services_valid.c  what may be registered here, in words
 *   services_file.c   services.d: the directory
 *   services_parse.c  one file of it
 *   services_check.c  checks
 *   services_finding.c  what the worker finds, put into the records
 */
#ifndef SOCKETNET_AGENT_SERVICES_SERVICES_INTERNAL_H
#define SOCKETNET_AGENT_SERVICES_SERVICES_INTERNAL_H

#include <stdbool.h>

#include <uv.h>

#include "agent/core/core.h"
#include "agent/core/damping.h"
#include "agent/services/services.h"

/* function '/' instance, terminated: the record's key. */
#define SERVICES_KEY_SIZE (2 * BODY_NAME_SIZE)
/* With the key behind it: the setting's name. */
#define SERVICES_SETTING_PREFIX    "service/"
#define SERVICES_SETTING_NAME_SIZE (SERVICES_KEY_SIZE + 8)

struct services_checker;
struct services_entry;
struct services_files;

/* What the last run kept of an instance. */
struct services_setting {
    struct services_setting *next;
    bool is_claimed; /* its instance is there */
    char name[SERVICES_SETTING_NAME_SIZE];
    size_t size;
    char text[]; /* not terminated */
};

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
    struct registration
        registration; /* with the slot, health and finding written last */
    char *source;     /* file that registered it; NULL: the API */
    struct services_checker *checker;
    struct damping damping;
    struct services_waiter *waiters; /* for the next write */
    unsigned n_writing;
    bool is_written;  /* a record of it is stored */
    bool is_dirty;    /* the record last made could not be stored */
    bool is_held;     /* the first check may still say what to write */
    bool has_setting; /* a setting of it may be stored */
    bool is_seen;     /* by one reading of the files, or of the records */
};

struct services {
    struct core *core;
    struct services_entry *entries; /* by key */
    struct services_files *files;
    uv_timer_t retry;    /* of dirty entries, and of loading */
    uv_timer_t findings; /* when the next damped change may be written */
    struct services_setting *settings; /* until loaded */
    bool has_settings;                 /* they have been read */
    bool is_reading;
    bool has_strays; /* settings without an instance may be stored */
    bool is_started; /* loads as soon as they have */
    bool is_loaded;
    uint64_t n_returned;     /* records of ours that came back: reviewed */
    uint64_t first_check_ms; /* when the next first check may begin */
    char *problem;           /* of the files; NULL: none */
    bool is_short;           /* of memory, when the files were read last */
};

/* A services_done_fn that waits as a core_written_fn. */
struct services_callback {
    services_done_fn done;
    void *data;
};

/* services.c */

/* Loads the registrations, then reads services.d. */
void services_start(void *services);
/* 0 or -ENOMEM. */
_must_check_ int services_entry_new(struct services *services,
                                    const struct registration *registration,
                                    struct services_entry **ret);
void services_entry_free(struct services_entry *entry);
/* Tells everybody who waits for the entry's next write that there is none. */
void services_entry_cancel(struct services_entry *entry, int error);
struct services_entry *services_find(const struct services *services,
                                     const char *function,
                                     const char *instance);

/* services_put.c */

/* Whose registration it is may not be changed by another way in.  0, or
 * SERVICES_E_REFUSED and a text. */
_must_check_ int services_require_source(const struct services_entry *entry,
                                         const char *source,
                                         char **ret_problem);
/* As services_register, for a file when `source` is not NULL. */
_must_check_ int services_put(struct services *services,
                              const struct registration *registration,
                              const char *source, services_done_fn done,
                              void *data, char **ret_problem);
/* The slot that the record of an instance of this function should carry. */
uint16_t services_slot(const struct core *core, const char *function,
                       uint16_t current);

/* services_remove.c */

/* Removes the record and the entry.  Results as of services_deregister. */
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
/* The same for one whose caller is gone: logs, cancels the waiters, and has it
 * tried again. */
int services_write_or_log(struct services_entry *entry, bool with_setting);
/* Dirty entries are written, and what could not be loaded is loaded, in a
 * while. */
void services_retry_later(struct services *services);
/* What services_write returned as a result of services_register: NODE_E_* as
 * SERVICES_E_REFUSED and a text, negative errno unchanged. */
_must_check_ int services_write_refuse(int error, char **ret_problem);
/* Erases the entry's setting. */
void services_forget(struct services_entry *entry);
/* Of the setting that keeps the check and the source. */
void services_setting_name(const struct body_service *service,
                           char ret_name[SERVICES_SETTING_NAME_SIZE]);

/* services_load.c */

/* Has the settings read, by the store's thread; calls services_start again
 * when it had to wait for them.  0 or negative errno. */
_must_check_ int services_settings_ask(struct services *services);
/* Returns NULL. */
struct services_setting *services_settings_free(struct services_setting *list);
/* Makes the entries of our own records, once the settings are there.  0 or
 * -ENOMEM: there is none then. */
_must_check_ int services_load(struct services *services);

/* services_return.c */

/* Has registrations follow the records of ours that came back from others. */
void services_returned_review(struct services *services);

/* services_valid.c */

/* Whether this node may register it.  0, or SERVICES_E_REFUSED and a malloc'd
 * text. */
_must_check_ int services_validate(const struct core *core,
                                   const struct registration *registration,
                                   char **ret_problem);
/* Whether the address may be bound to the port: not when it was seen behind
 * another one, as that would cut off what lives there.  Results as of
 * services_validate. */
_must_check_ int services_validate_port(const struct core *core,
                                        const struct body_service *service,
                                        char **ret_problem);
/* Stores a formatted text (NULL when out of memory); SERVICES_E_REFUSED. */
int services_refuse(char **ret_problem, const char *format, ...) _printf_(2, 3);

/* services_check.c */

/* For the entry's registration; services_check_start starts it, at once or when
 * its turn has come.  0 or -ENOMEM. */
_must_check_ int services_checker_new(struct services_entry *entry, bool is_new,
                                      struct services_checker **ret);
void services_check_start(struct services_checker *checker);
/* The memory goes when the loop has closed its handles. */
struct services_checker *services_check_stop(struct services_checker *checker);
const char *services_checker_text(const struct services_checker *checker);
/* services.c: what the checks say is `health` now. */
void services_health_changed(struct services_entry *entry, uint8_t health);
/* services.c: the first check has ended, or has taken too long to wait. */
void services_check_first(struct services_entry *entry);

/* services_finding.c */

/* What the worker says of the instance now; while it says nothing that can be
 * relied on, what was found before. */
uint8_t services_finding_now(const struct core *core,
                             const struct body_service *service);
/* Writes the findings that changed, now or when it is their time. */
void services_findings_review(struct services *services);

/* services_file.c */

_must_check_ int services_files_new(struct services *services,
                                    struct services_files **ret);
struct services_files *services_files_free(struct services_files *files);
/* Reads the directory and registers and drops accordingly. */
void services_files_read(struct services_files *files);

#endif
