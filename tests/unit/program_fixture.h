/*
 * A program's main as people run it: in a child process, what it prints and
 * how it ends kept.
 */
#ifndef SOCKETNET_TESTS_PROGRAM_FIXTURE_H
#define SOCKETNET_TESTS_PROGRAM_FIXTURE_H

#define PROGRAM_OUTPUT_MAX 16384

/* What the last run printed. */
struct program_run {
    int status;
    char out[PROGRAM_OUTPUT_MAX];
    char err[PROGRAM_OUTPUT_MAX];
};

/* Runs "NAME WORDS", split at blanks, with `input_fd` as standard input (-1:
 * none); the result is good until the next call. */
const struct program_run *
program_fixture_run(int (*program_main)(int argc, char **argv),
                    const char *name, const char *words, int input_fd);

/* The same with no input; fails the test unless it ended so and printed what
 * contains these. */
void program_fixture_assert(int (*program_main)(int argc, char **argv),
                            const char *name, const char *words, int status,
                            const char *out, const char *err);

#endif
