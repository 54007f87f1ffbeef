/*
 * Shared by the config_*.c files alone.
 */
#ifndef SOCKETNET_AGENT_CONFIG_CONFIG_INTERNAL_H
#define SOCKETNET_AGENT_CONFIG_CONFIG_INTERNAL_H

#include "agent/config/config.h"
#include "agent/config/yaml.h"

/* config_keys.c */

/* What a file says; a failure is recorded in it. */
void config_read_keys(struct yaml_node root, struct config *config);

/* config_subnets.c */

/* Those that the token gave, when no file says others; those of `before`, which
 * may be NULL, when this process cannot read them any more.  0, or negative
 * errno and a malloc'd text. */
_must_check_ int config_read_subnets(const struct config *before,
                                     struct config *config, char **ret_error);

/* config_validate.c */

/* What concerns more than one key.  0, or -EINVAL and a malloc'd text. */
_must_check_ int config_validate(const struct config *config, char **ret_error);

/* NULL, or what is wrong with a zone, to be put behind its name. */
const char *config_zone_problem(const char *zone);

#endif
