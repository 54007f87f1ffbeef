/*
 * POST /api/v1/backup: has a copy of the store made, and says which files of
 * the state directory a backup needs.  No secret goes over the socket: the
 * files are for whoever may read them.
 */
#include "agent/api/api_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/config.h"
#include "agent/core/core.h"
#include "agent/identity/identity.h"

static json_t *file_names(void)
{
    json_t *names = json_array();
    size_t n;
    const struct identity_file *files = identity_files(&n);

    for (size_t i = 0; i < n; i++) {
        json_build_append(&names, json_pack("{s:s, s:b}", "name", files[i].name,
                                            "needed", files[i].is_needed));
    }
    return names;
}

static void on_copied(struct core *core, const char *problem, const char *path,
                      void *data)
{
    struct http_exchange *exchange = data;
    const struct identity *identity = core->identity;

    if (problem != NULL) {
        api_problem(exchange, 507, problem,
                    "make room on the disk of state_dir, then try again",
                    "the store could not be copied to %s", path);
    } else {
        api_reply(
            exchange, 201,
            json_pack("{s:i, s:s, s:s, s:o, s:o, s:s, s:s, s:o}", "schema",
                      API_SCHEMA, "node", identity->body.name, "cluster",
                      identity->genesis.name, "cluster_id",
                      api_json_hex(identity->genesis.cluster_id, 16), "time_s",
                      json_integer((json_int_t)(core_wall_ms(core) / 1000)),
                      "state_dir", core->config->state_dir, "store", path,
                      "files", file_names()));
    }
    (void)http_exchange_unref(exchange);
}

void api_backup_post(struct http_exchange *exchange, void *data)
{
    struct core *core = ((struct api *)data)->core;
    struct http_exchange *kept = http_exchange_ref(exchange);
    int error = core_backup(core, on_copied, kept);

    if (error != 0) {
        (void)http_exchange_unref(kept);
        api_problem(exchange, 503, strerror(-error), "try again",
                    "no backup can be made now");
    }
}
