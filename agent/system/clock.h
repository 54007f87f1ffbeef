/*
 * The one clock of the processes.  Everything below agent/ is told the time.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_CLOCK_H
#define SOCKETNET_AGENT_SYSTEM_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC: for deadlines and durations. */
uint64_t clock_now_ns(void);
uint64_t clock_now_us(void);
uint64_t clock_now_ms(void);

/* CLOCK_REALTIME, milliseconds since 1970: for people and certificates. */
uint64_t clock_wall_ms(void);

#endif
