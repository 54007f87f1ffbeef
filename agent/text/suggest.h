/*
 * "Did you mean ...?": the nearest known word to one that is not known.
 * Pure; used by the API and agentctl.
 */
#ifndef SOCKETNET_AGENT_TEXT_SUGGEST_H
#define SOCKETNET_AGENT_TEXT_SUGGEST_H

#include <stddef.h>

/* Words longer than this are never near to anything. */
#define SUGGEST_WORD_MAX 64

/* Edits (insert, remove, change, swap of neighbours) between two words, or
 * SUGGEST_WORD_MAX when one is too long. */
size_t suggest_distance(const char *a, const char *b);

/* Keeps the best candidate seen so far: start with {0}, offer every known
 * word, then read `word` (NULL: nothing is near enough to be helpful). */
struct suggest {
    const char *word; /* borrowed from the one who offered it */
    size_t distance;
};
void suggest_offer(struct suggest *suggest, const char *unknown,
                   const char *known);

#endif
