/*
 * See suggest.h.  The distance is Damerau's, restricted to swaps of
 * neighbours (optimal string alignment), over three rows of a table.
 */
#include "agent/text/suggest.h"

#include <string.h>

#include "gossip/base/macros.h"

size_t suggest_distance(const char *a, const char *b)
{
    unsigned char rows[3][SUGGEST_WORD_MAX + 1] = {0};
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len >= SUGGEST_WORD_MAX || b_len >= SUGGEST_WORD_MAX) {
        return SUGGEST_WORD_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (unsigned char)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned char *row = rows[i % 3];
        const unsigned char *above = rows[(i - 1) % 3];
        const unsigned char *two_above = rows[(i + 1) % 3];

        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b_len; j++) {
            int cost = MIN_OF(above[j], row[j - 1]) + 1;

            cost = MIN_OF(cost, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                cost = MIN_OF(cost, two_above[j - 2] + 1);
            }
            row[j] = (unsigned char)cost;
        }
    }
    return rows[a_len % 3][b_len];
}

static size_t common_prefix(const char *a, const char *b)
{
    size_t len = 0;

    while (a[len] != '\0' && a[len] == b[len]) {
        len++;
    }
    return len;
}

void suggest_offer(struct suggest *suggest, const char *unknown,
                   const char *known)
{
    size_t distance = suggest_distance(unknown, known);
    size_t len = strlen(unknown);
    size_t limit = len <= 3 ? 1 : len <= 6 ? 2 : 3;

    /* Somebody who typed the beginning of a word means that word. */
    if (len >= 3 && strncmp(unknown, known, len) == 0) {
        distance = 0;
    }
    if (distance > limit) {
        return;
    }
    /* Of two that are as near, the one that begins as the word does: slips
     * come late in a word. */
    if (suggest->word == NULL || distance < suggest->distance ||
        (distance == suggest->distance &&
         common_prefix(unknown, known) >
             common_prefix(unknown, suggest->word))) {
        suggest->word = known;
        suggest->distance = distance;
    }
}
