/*
 * This node's own instances: registration by API or by a file of services.d,
 * their checks, and the service records written for them.  A registration is
 * kept (store setting "service/KEY", JSON) with its check, so that a restart
 * brings all of it back.
 */
#ifndef SOCKETNET_AGENT_SERVICES_SERVICES_H
#define SOCKETNET_AGENT_SERVICES_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/core.h"
#include "agent/registration/registration.h"
#include "gossip/base/macros.h"

struct services;

/* Called as core_written_fn is: the record is on disk, published and in the
 * catalogue, and the worker has been sent it; worker_link_when_applied then
 * waits for the local data plane. */
typedef void (*services_done_fn)(struct core *core, int error, void *data);

_must_check_ int services_new(struct core *core, struct services **ret);
struct services *services_free(struct services *services);
/* What core tells it: once ready it loads kept registrations, reads services.d
 * and watches it (inotify by libuv); SIGHUP reads services.d anew.  Valid while
 * `services` is. */
struct core_listener services_listener(struct services *services);
/* Why files of services.d are not used, one per line, or NULL.  Valid until
 * the next turn of the loop. */
const char *services_problem(const struct services *services);

/* This node does not take it: the malloc'd text says what is wrong, why and
 * what to do (an address outside the subnets, a function that the certificate
 * does not allow, ...). */
#define SERVICES_E_REFUSED 1

/* Takes what registration_parse made.  0: done comes later.  Else it does not:
 * SERVICES_E_REFUSED; -ENOMEM, without a text. */
_must_check_ int services_register(struct services *services,
                                   const struct registration *registration,
                                   services_done_fn done, void *data,
                                   char **ret_problem);
/* `instance` NULL: the only one of that function here.  The same results. */
_must_check_ int services_deregister(struct services *services,
                                     const char *function, const char *instance,
                                     services_done_fn done, void *data,
                                     char **ret_problem);

/* Health text of an own instance's check for `service show`; NULL: no such
 * registration.  Valid until the next call. */
const char *services_check_text(const struct services *services,
                                const char *function, const char *instance);

#endif
