/*
 * A process that writes through the store thread until it is killed, for
 * tests/fault/test_store_kill.c.  Own records of one writer get rising
 * sequence numbers; a number goes to standard output only when its record's
 * callback said that it is on disk.
 *
 *   store_victim DIRECTORY FIRST_SEQ
 *
 * Not a test by itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/store_thread.h"
#include "tests/unit/records.h"

#define VICTIM_NAMES 16 /* few, so that records are replaced too */
#define VICTIM_AHEAD 8  /* written without waiting for the callback */

static const uint8_t cluster[RECORD_CLUSTER_SIZE] = {1};

struct victim {
    struct store_thread *thread;
    struct test_writer own;
    struct test_writer foreign;
    uint64_t next_seq;
};

struct acknowledgement {
    struct victim *victim;
    uint64_t seq;
};

static void write_next(struct victim *victim);

static void on_written(int error, void *data)
{
    struct acknowledgement *acknowledgement = data;
    struct victim *victim = acknowledgement->victim;

    if (error != 0 ||
        write(STDOUT_FILENO, &acknowledgement->seq,
              sizeof(acknowledgement->seq)) != sizeof(acknowledgement->seq)) {
        _exit(1);
    }
    free(acknowledgement);
    write_next(victim);
}

static void write_next(struct victim *victim)
{
    struct acknowledgement *acknowledgement = malloc(sizeof(*acknowledgement));
    struct test_record record;
    char name[16];

    acknowledgement->victim = victim;
    acknowledgement->seq = victim->next_seq++;
    snprintf(name, sizeof(name), "s%u",
             (unsigned)(acknowledgement->seq % VICTIM_NAMES));
    test_record_service(&victim->foreign, 1, acknowledgement->seq, name,
                        &record);
    if (store_thread_put_foreign(victim->thread, record.bytes, record.size) !=
        0) {
        _exit(1);
    }
    test_record_service(&victim->own, 1, acknowledgement->seq, name, &record);
    if (store_thread_put_own(victim->thread, record.bytes, record.size,
                             on_written, acknowledgement) != 0) {
        _exit(1);
    }
}

int main(int argc, char **argv)
{
    struct victim victim = {.own = test_writer_make(1),
                            .foreign = test_writer_make(2)};
    struct store *store = NULL;
    uv_loop_t loop;

    if (argc != 3 || sodium_init() < 0 || uv_loop_init(&loop) != 0) {
        return 1;
    }
    victim.next_seq = strtoull(argv[2], NULL, 10);
    if (store_open(argv[1], cluster, &store) != 0 ||
        store_thread_new(&loop, store, NULL, NULL, &victim.thread) != 0) {
        return 1;
    }
    for (int i = 0; i < VICTIM_AHEAD; i++) {
        write_next(&victim);
    }
    return uv_run(&loop, UV_RUN_DEFAULT);
}
