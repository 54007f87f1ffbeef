/*
 * The program of the simulation: many seeds of the sweep, or the
 * measurements.  tests/sim/run builds and calls it.
 *
 *   sim [--seeds N] [--first S] [--nodes K] [--check-replay]
 *       [--hostile H] [--attack NAME]
 *   sim --measure
 *
 * Exit status 0 when all held, 1 when a seed failed, 2 for wrong usage.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gossip/base/text.h"
#include "tests/sim/hostile.h"
#include "tests/sim/measure.h"
#include "tests/sim/sweep.h"

struct main_options {
    uint64_t n_seeds;
    uint64_t first;
    uint64_t n_nodes;
    uint64_t n_hostile;
    const char *attack; /* NULL: drawn */
    bool checks_replay;
    bool is_measure;
};

static double main_now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool main_seed(const struct main_options *options, uint64_t seed)
{
    struct sweep_options sweep = {
        .seed = seed,
        .n_nodes = (uint32_t)options->n_nodes,
        .n_hostile = (uint32_t)options->n_hostile,
        .only_attack = options->attack == NULL
                           ? CLUSTER_NONE
                           : hostile_attack_find(options->attack)};
    struct sweep_result result;
    struct sweep_result again = {0};
    double started_s = main_now_s();
    double wall_s;
    bool is_same = true;
    char trace[33];

    sweep_run(&sweep, &result);
    wall_s = main_now_s() - started_s;
    if (options->checks_replay) {
        sweep_run(&sweep, &again);
        is_same = memcmp(result.trace, again.trace, sizeof(again.trace)) == 0;
    }
    (void)text_from_bytes(result.trace, 16, trace);
    (void)printf(
        "seed %" PRIu64 " trace %.16s virtual %.1f s wall %.2f s "
        "packets %" PRIu64 " syncs %" PRIu64 " deaths %" PRIu64
        " unjust %" PRIu64 " restarts %" PRIu64 " hostile %" PRIu32
        " attacks %" PRIu64 " of %" PRIu32 " kinds equal after %.2f s: %s\n",
        seed, trace, result.virtual_s, wall_s, result.n_packets, result.n_syncs,
        result.n_deaths, result.n_unjust, result.n_restarts, result.n_hostile,
        result.n_attacks, result.n_kinds, result.converged_s,
        !result.is_ok ? "FAILED"
        : is_same     ? "ok"
                      : "FAILED, another trace when run again");
    if (result.problems != NULL) {
        (void)printf("%s", result.problems);
    }
    (void)fflush(stdout);
    free(result.problems);
    free(again.problems);
    return result.is_ok && is_same;
}

static void main_say_again(const struct main_options *options, uint64_t seed)
{
    (void)printf("  again: tests/sim/run --seeds 1 --first %" PRIu64
                 " --nodes %" PRIu64 "%s",
                 seed, options->n_nodes,
                 options->checks_replay ? " --check-replay" : "");
    if (options->n_hostile != SWEEP_BY_SEED) {
        (void)printf(" --hostile %" PRIu64, options->n_hostile);
    }
    if (options->attack != NULL) {
        (void)printf(" --attack %s", options->attack);
    }
    (void)printf("\n");
}

static int main_sweep(const struct main_options *options)
{
    double started_s = main_now_s();
    uint64_t n_failed = 0;

    for (uint64_t i = 0; i < options->n_seeds; i++) {
        uint64_t seed = options->first + i;

        if (!main_seed(options, seed)) {
            n_failed++;
            main_say_again(options, seed);
        }
    }
    (void)printf(
        "%" PRIu64 " seeds of %" PRIu64 " nodes: %" PRIu64 " failed, %.1f s\n",
        options->n_seeds, options->n_nodes, n_failed, main_now_s() - started_s);
    return n_failed == 0 ? 0 : 1;
}

/* False when the text is not a number of min..max. */
static bool main_number(const char *text, uint64_t min, uint64_t max,
                        uint64_t *ret)
{
    char *end = NULL;
    unsigned long long value;

    errno = 0;
    value = text != NULL ? strtoull(text, &end, 10) : 0;
    if (text == NULL || errno != 0 || *end != '\0' || end == text ||
        value < min || value > max) {
        return false;
    }
    *ret = value;
    return true;
}

static bool main_parse(int argc, char **argv, struct main_options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool has_value = true;
        bool is_ok = true;

        if (strcmp(argv[i], "--seeds") == 0) {
            is_ok = main_number(value, 1, 1000000, &options->n_seeds);
        } else if (strcmp(argv[i], "--first") == 0) {
            is_ok =
                main_number(value, 1, UINT64_MAX - 1000000, &options->first);
        } else if (strcmp(argv[i], "--nodes") == 0) {
            is_ok = main_number(value, 1, 1000, &options->n_nodes);
        } else if (strcmp(argv[i], "--hostile") == 0) {
            is_ok = main_number(value, 0, 1000, &options->n_hostile);
        } else if (strcmp(argv[i], "--attack") == 0) {
            options->attack = value;
            is_ok = value != NULL && hostile_attack_find(value) != CLUSTER_NONE;
        } else if (strcmp(argv[i], "--check-replay") == 0) {
            options->checks_replay = true;
            has_value = false;
        } else if (strcmp(argv[i], "--measure") == 0) {
            options->is_measure = true;
            has_value = false;
        } else {
            is_ok = false;
        }
        if (!is_ok) {
            (void)fprintf(stderr,
                          "sim: wrong argument \"%s\"%s%s; usage: sim "
                          "[--seeds N] [--first S] [--nodes K<=1000] "
                          "[--check-replay] [--hostile H] [--attack NAME] | "
                          "--measure\n",
                          argv[i], value != NULL ? " " : "",
                          value != NULL ? value : "");
            return false;
        }
        i += has_value ? 1 : 0;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct main_options options = {
        .n_seeds = 1, .first = 1, .n_nodes = 100, .n_hostile = SWEEP_BY_SEED};

    if (!main_parse(argc, argv, &options)) {
        return 2;
    }
    if (options.is_measure) {
        measure_all();
        return 0;
    }
    return main_sweep(&options);
}
