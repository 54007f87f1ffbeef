/*
 * `agent store`: the node's store from outside, also beside a running agent.
 */
#ifndef SOCKETNET_AGENT_COMMAND_STORE_H
#define SOCKETNET_AGENT_COMMAND_STORE_H

#include <stdbool.h>

struct config;

/* Prints what is there and what is wrong with it; CTL_EXIT_OK when nothing
 * is. */
int command_store_check(const struct config *config);
/* JSON, a line for each entry; kind NULL: of all kinds. */
int command_store_dump(const struct config *config, const char *kind);
/* Whether there is such a kind of entry. */
bool command_store_has_kind(const char *kind);
/* The latest time seen was a wrong one (core_clock.c). */
int command_store_forget_clock(const struct config *config);

#endif
