/* See damping.h. */
#include "agent/core/damping.h"

/* What vanished and came back stays so, before others rely on it again. */
#define DAMPING_BETTER_MS 2000
/* Changes that are free, and after them one in so long. */
#define DAMPING_CHANGES   3
#define DAMPING_CHANGE_MS 10000

/* Those that are long past do not count any more. */
static void damping_forget(struct damping *damping, uint64_t now_ms)
{
    while (damping->n_spent > 0 && damping->forget_ms <= now_ms) {
        damping->n_spent--;
        damping->forget_ms += DAMPING_CHANGE_MS;
    }
}

uint64_t damping_due_ms(struct damping *damping, uint8_t written, uint8_t found,
                        uint64_t now_ms)
{
    uint64_t due_ms = now_ms;

    damping_forget(damping, now_ms);
    if (found != 0) {
        damping->better_ms = 0;
    } else if (damping->better_ms == 0) {
        damping->better_ms = now_ms;
    }
    if (found == written) {
        return UINT64_MAX;
    }
    if (found == 0 && damping->n_spent > 0) {
        due_ms = damping->better_ms + DAMPING_BETTER_MS;
    }
    if (damping->n_spent >= DAMPING_CHANGES) {
        due_ms = MAX_OF(due_ms, damping->forget_ms);
    }
    return due_ms;
}

void damping_spend(struct damping *damping, uint64_t now_ms)
{
    if (damping->n_spent == 0) {
        damping->forget_ms = now_ms + DAMPING_CHANGE_MS;
    }
    damping->n_spent++;
}
