/*
 * SIGHUP: the configuration is read again.  The log level is taken over,
 * services.d and its checks are read anew; what core is built from stays, and
 * what of it changed is kept for whoever asks how this node is.  The launcher,
 * which read the same files before it passed the signal on, logs it.
 */
#include "agent/core/core_internal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/config/config.h"
#include "agent/config/config_change.h"
#include "agent/system/log.h"

void core_reload(struct core *core)
{
    _cleanup_(config_free_pointer) struct config *config = NULL;
    _cleanup_(free_pointer) char *problem = NULL;
    char keys[CONFIG_CHANGE_TEXT_SIZE];

    if (config_load_again(core->config, &config, &problem) != 0) {
        log_error("reload refused, everything stays as it was: %s",
                  problem != NULL ? problem : "out of memory");
        return;
    }
    core->config->log_level = config->log_level;
    log_set_level(config->log_level);
    free(core->restart_keys);
    core->restart_keys =
        config_changes(core->config, config, CONFIG_CHANGE_RESTART, keys) > 0
            ? strdup(keys)
            : NULL;
    CORE_TELL(core, reload);
}
