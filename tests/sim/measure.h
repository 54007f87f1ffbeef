/*
 * Figures that need no real machine: how long a record takes to reach how
 * many nodes, how soon a crash is known, what an idle cluster sends.
 */
#ifndef SOCKETNET_TESTS_SIM_MEASURE_H
#define SOCKETNET_TESTS_SIM_MEASURE_H

/* Prints all of them, one per line. */
void measure_all(void);

#endif
