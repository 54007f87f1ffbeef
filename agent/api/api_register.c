/*
 * POST and DELETE /api/v1/services: register and deregister an instance of
 * this node.  The answer goes out from the callback of the commit (or of the
 * local data plane, with "wait"), without any delay of its own.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/catalog/catalog.h"
#include "agent/core/core.h"
#include "agent/core/worker_link.h"
#include "agent/identity/identity.h"
#include "agent/registration/registration.h"
#include "agent/services/services.h"
#include "agent/system/clock.h"

/* A write under way.  Lives until it is answered, also when the client went
 * away meanwhile; core_end answers what is left while the api still lives. */
struct register_job {
    const struct api *api;
    struct core *core;
    struct http_exchange *exchange;
    uint64_t started_us;
    bool is_removal;
    bool wait;
    char function[BODY_NAME_SIZE];
    char instance[BODY_NAME_SIZE];
};

static struct register_job *job_new(const struct api *api,
                                    struct http_exchange *exchange)
{
    struct register_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        api_reply(exchange, 500, NULL);
        return NULL;
    }
    job->api = api;
    job->core = api->core;
    job->exchange = http_exchange_ref(exchange);
    job->started_us = clock_now_us();
    return job;
}

static struct register_job *job_free(struct register_job *job)
{
    if (job != NULL) {
        job->exchange = http_exchange_unref(job->exchange);
        free(job);
    }
    return NULL;
}

static const struct catalog_instance *
find_own(const struct core *core, const char *name, const char *instance,
         const struct catalog_function **ret_function)
{
    *ret_function = catalog_find(core->catalog, name);
    for (size_t i = 0;
         *ret_function != NULL && i < (*ret_function)->n_instances; i++) {
        const struct catalog_instance *found = &(*ret_function)->instances[i];

        if (found->is_local &&
            (instance == NULL ||
             strcmp(found->service.instance, instance) == 0)) {
            return found;
        }
    }
    return NULL;
}

/* `reason` NULL: the data plane has it (or there is none). */
static void job_answer(struct register_job *job, const char *reason)
{
    const struct core *core = job->core;
    const struct catalog_function *function;
    const struct catalog_instance *own =
        find_own(core, job->function, job->instance, &function);
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:o, s:b, s:o, s:I}", "schema", API_SCHEMA, "name",
        job->function, "instance", job->instance, "address",
        function != NULL ? api_json_address(&function->address) : json_null(),
        "converged", reason == NULL, "reason", api_json_text(reason), "took_us",
        (json_int_t)(clock_now_us() - job->started_us));

    if (!job->is_removal && own != NULL) {
        json_build_set(&root, "service",
                       api_instance_json(job->api, function, own));
    }
    api_reply(job->exchange,
              reason != NULL    ? 202
              : job->is_removal ? 200
                                : 201,
              root);
    (void)job_free(job);
}

static void on_applied(int error, void *data)
{
    struct register_job *job = data;
    const struct catalog_function *function;
    const struct catalog_instance *own;
    const char *reason;
    char text[512];

    if (error == -ENOTCONN) {
        job_answer(job, worker_link_status(job->core->worker)->is_connected
                            ? "Open vSwitch does not answer: the data plane "
                              "follows when it is back"
                            : "the worker is not running: the data plane "
                              "follows when it is back");
        return;
    }
    if (error != 0) {
        (void)snprintf(text, sizeof(text),
                       "the data plane of this node did not follow: %s",
                       error == -ETIMEDOUT ? "no answer in time"
                                           : strerror(-error));
        job_answer(job, text);
        return;
    }
    own = find_own(job->core, job->function, job->instance, &function);
    if (own != NULL && !job->is_removal) {
        const char *state =
            api_service_problem(job->core, function, own, &reason);

        if (state != NULL) {
            (void)snprintf(text, sizeof(text), "%s: %s", state, reason);
            job_answer(job, text);
            return;
        }
    }
    job_answer(job, NULL);
}

static void on_written(struct core *core, int error, void *data)
{
    struct register_job *job = data;

    if (error != 0) {
        if (error == -ENOSPC || core->store_problem != NULL) {
            api_problem(job->exchange, 507, core->store_problem,
                        "make room on the disk of state_dir, then try again; "
                        "nothing was changed",
                        "the record could not be written");
        } else {
            api_problem(job->exchange, 503,
                        error == -ECANCELED ? "the agent is stopping"
                                            : strerror(-error),
                        "try again; see the log of agent run",
                        "the record was not written");
        }
        (void)job_free(job);
        return;
    }
    if (!job->wait || core->worker == NULL) {
        job_answer(job, NULL);
        return;
    }
    worker_link_when_applied(core->worker, on_applied, job);
}

/* What services_register or services_deregister could not do. */
static void refuse(struct http_exchange *exchange, unsigned status, int error,
                   const char *problem)
{
    if (error < 0 || problem == NULL) {
        api_problem(exchange, 500, strerror(error < 0 ? -error : ENOMEM),
                    "try again; see the log of agent run",
                    "the agent could not do it");
        return;
    }
    http_reply_problem(exchange, status,
                       &(struct http_problem){.what = problem});
}

/* Fields that are of the request and say nothing of the instance.  0, or
 * REGISTRATION_E_INVALID. */
static int take_request_fields(json_t *body, bool *ret_wait,
                               struct registration_problem *ret_problem)
{
    const json_t *wait = json_object_get(body, "wait");
    bool is_wanted = json_is_true(wait);

    if (wait != NULL && !json_is_boolean(wait)) {
        *ret_problem = (struct registration_problem){
            .field = "wait",
            .what = "wait is neither true nor false",
            .next = "give true to hear when this node's data plane has it"};
        return REGISTRATION_E_INVALID;
    }
    (void)json_object_del(body, "wait");   /* need not be there */
    (void)json_object_del(body, "schema"); /* likewise */
    *ret_wait = is_wanted;
    return 0;
}

static void refuse_field(struct http_exchange *exchange,
                         const struct registration_problem *problem)
{
    char where[sizeof(problem->field) + 8];

    (void)snprintf(where, sizeof(where), "field %s", problem->field);
    http_reply_problem(exchange, 400,
                       &(struct http_problem){.what = problem->what,
                                              .where = problem->field[0] != '\0'
                                                           ? where
                                                           : "the body",
                                              .next = problem->next});
}

void api_service_post(struct http_exchange *exchange, void *data)
{
    const struct api *api = data;
    const struct core *core = api->core;
    json_auto_t *body = api_body(exchange);
    _cleanup_(free_pointer) char *problem = NULL;
    struct registration_problem bad = {0};
    struct registration registration;
    struct register_job *job;
    bool wait = false;
    int error;

    if (body == NULL) {
        return;
    }
    if (take_request_fields(body, &wait, &bad) != 0 ||
        registration_parse(body, REGISTRATION_JSON, &registration, &bad) != 0) {
        refuse_field(exchange, &bad);
        return;
    }
    registration_name_instance(&registration, core->identity->body.name);
    job = job_new(api, exchange);
    if (job == NULL) {
        return;
    }
    job->wait = wait;
    memcpy(job->function, registration.service.function, sizeof(job->function));
    memcpy(job->instance, registration.service.instance, sizeof(job->instance));
    error = services_register(api->services, &registration, on_written, job,
                              &problem);
    if (error != 0) {
        refuse(exchange, 422, error, problem);
        (void)job_free(job);
    }
}

/* Nothing here to deregister: say what there is. */
static void refuse_removal(struct http_exchange *exchange,
                           const struct core *core, const char *name,
                           const char *instance, int error, const char *problem)
{
    const struct catalog_function *function;

    if (error == SERVICES_E_REFUSED &&
        find_own(core, name, NULL, &function) == NULL) {
        if (function == NULL) {
            api_service_not_found(exchange, core, name);
            return;
        }
        api_problem(exchange, 404,
                    "a node writes and removes its own instances only",
                    "agentctl service show tells which nodes have one: run "
                    "the command there",
                    "this node has no instance of %s", function->name);
        return;
    }
    refuse(exchange, instance != NULL ? 404 : 409, error, problem);
}

void api_service_delete(struct http_exchange *exchange, void *data)
{
    const struct api *api = data;
    const struct core *core = api->core;
    const struct http_request *request = http_exchange_request(exchange);
    const char *name = request->segments[3];
    const char *instance =
        request->n_segments > 4 ? request->segments[4] : NULL;
    const struct catalog_function *function;
    const struct catalog_instance *own =
        find_own(core, name, instance, &function);
    _cleanup_(free_pointer) char *problem = NULL;
    struct register_job *job = job_new(api, exchange);
    int error;

    if (job == NULL) {
        return;
    }
    job->is_removal = true;
    job->wait = api_query_flag(exchange, "wait", false);
    if (own != NULL) {
        memcpy(job->function, function->name, sizeof(job->function));
        memcpy(job->instance, own->service.instance, sizeof(job->instance));
    }
    error = services_deregister(api->services, name, instance, on_written, job,
                                &problem);
    if (error != 0) {
        refuse_removal(exchange, core, name, instance, error, problem);
        (void)job_free(job);
    }
}
