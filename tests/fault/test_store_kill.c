/*
 * kill -9 of a writing process at random moments: the environment opens again
 * each time, no own record that was acknowledged is lost or goes back, and
 * the high-water mark is not below it.
 *
 *   test_store_kill VICTIM [CYCLES [SEED]]
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gossip/base/rng.h"
#include "store/store.h"
#include "tests/unit/records.h"
#include "tests/unit/scratch.h"

#define KILL_CYCLES   200
#define KILL_LIFE_MAX 12000 /* us after its first acknowledgement */
#define KILL_NAMES    16

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};

struct killing {
    const char *victim;
    const char *directory;
    struct rng rng;
    uint64_t acknowledged;        /* highest seq whose callback came */
    uint64_t by_name[KILL_NAMES]; /* of each record */
    uint64_t found[KILL_NAMES];   /* in the store, after the kill */
    uint64_t n_acknowledged;
};

static void die(const char *what)
{
    fprintf(stderr, "test_store_kill: %s\n", what);
    exit(1);
}

static pid_t start(const struct killing *killing, int *ret_fd)
{
    char seq[24];
    int pipes[2];
    pid_t pid;

    snprintf(seq, sizeof(seq), "%" PRIu64, killing->acknowledged + 100);
    if (pipe(pipes) < 0) {
        die("pipe");
    }
    pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execl(killing->victim, killing->victim, killing->directory, seq,
              (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    *ret_fd = pipes[0];
    return pid;
}

static bool take(struct killing *killing, int fd)
{
    uint64_t seq = 0;
    ssize_t n = read(fd, &seq, sizeof(seq));

    if (n != sizeof(seq)) {
        return false; /* the pipe's end: all that was said is read */
    }
    killing->n_acknowledged++;
    killing->acknowledged = MAX_OF(killing->acknowledged, seq);
    killing->by_name[seq % KILL_NAMES] =
        MAX_OF(killing->by_name[seq % KILL_NAMES], seq);
    return true;
}

static void run_and_kill(struct killing *killing)
{
    struct timespec life = {
        .tv_nsec = (long)rng_below(&killing->rng, KILL_LIFE_MAX) * 1000};
    int fd = -1;
    pid_t pid = start(killing, &fd);
    int status = 0;

    if (!take(killing, fd)) {
        die("the victim could not write");
    }
    /* sleeps on purpose: the moment of its death is what is tried. */
    nanosleep(&life, NULL);
    kill(pid, SIGKILL);
    while (take(killing, fd)) {
    }
    close(fd);
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) {
        die("the victim ended by itself");
    }
}

static int look(const uint8_t *bytes, size_t size, void *data)
{
    struct killing *killing = data;
    struct test_writer own = test_writer_make(1);
    struct record record;

    if (record_parse(bytes, size, &record) != 0 || sign_verify(&record) != 0) {
        die("a stored record is damaged");
    }
    if (memcmp(record.writer, own.public, 32) == 0) {
        killing->found[record.order.seq % KILL_NAMES] = record.order.seq;
    }
    return 0;
}

static void check(struct killing *killing)
{
    struct test_writer own = test_writer_make(1);
    struct record_order mark = {0};
    struct store *store = NULL;

    memset(killing->found, 0, sizeof(killing->found));
    if (store_open(killing->directory, cluster, &store) != 0) {
        die("the environment does not open");
    }
    if (store_records_each(store, look, killing) != 0 ||
        store_high_water(store, own.public, &mark) != 0) {
        die("the environment does not read");
    }
    store_close(store);
    if (mark.seq < killing->acknowledged) {
        die("the high-water mark went back");
    }
    for (size_t i = 0; i < KILL_NAMES; i++) {
        if (killing->found[i] < killing->by_name[i]) {
            die("an acknowledged record is lost");
        }
    }
}

int main(int argc, char **argv)
{
    unsigned long cycles = argc > 2 ? strtoul(argv[2], NULL, 10) : KILL_CYCLES;
    uint64_t seed = argc > 3
                        ? strtoull(argv[3], NULL, 0)
                        : (uint64_t)time(NULL) ^ (uint64_t)(unsigned)getpid();
    struct scratch scratch = scratch_make();
    struct killing killing = {.rng = rng_init(seed)};

    if (argc < 2 || sodium_init() < 0) {
        die("usage: test_store_kill VICTIM [CYCLES [SEED]]");
    }
    printf("seed 0x%" PRIx64 "\n", seed);
    killing.victim = argv[1];
    killing.directory = scratch_path(&scratch, "db");
    for (unsigned long i = 0; i < cycles; i++) {
        run_and_kill(&killing);
        check(&killing);
    }
    printf("%lu kills, %" PRIu64 " acknowledged records, none lost\n", cycles,
           killing.n_acknowledged);
    scratch_remove(&scratch);
    return 0;
}
