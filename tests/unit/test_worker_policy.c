/*
 * Whose genesis and charters the worker believes (pin.h): root's copy, and not
 * what core's user writes into its own directory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "agent/config/config.h"
#include "agent/identity/pin.h"
#include "agent/system/file.h"
#include "agent/worker/worker.h"
#include "reconcilers/plan/plan.h"
#include "tests/unit/charter_sample.h"
#include "tests/unit/scratch.h"

/* One cluster with two charters, the second over other containers. */
struct cluster {
    struct genesis genesis;
    uint8_t secret[64];
    uint8_t bytes[2 * LIMIT_RECORD_SIZE];
    size_t first_size;
    size_t size;
};

struct world {
    struct scratch scratch;
    struct config config;
    struct cluster ours;
    struct cluster theirs;
};

static void add_second(struct cluster *cluster,
                       const struct charter_sample *first,
                       const char *containers)
{
    struct body_charter charter = first->charter;
    struct record record;
    size_t size;

    assert_int_equal(record_parse(first->bytes, first->size, &record), 0);
    body_hash_charter(&first->charter, record.body, record.body_size,
                      charter.previous);
    charter.generation = 2;
    charter.n_signatures = 0;
    assert_int_equal(prefix_parse(containers, &charter.containers[0]), 0);
    assert_int_equal(body_sign_charter(cluster->genesis.cluster_id,
                                       cluster->secret, &charter),
                     0);
    assert_int_equal(body_build_charter(cluster->genesis.cluster_id, &charter,
                                        cluster->secret,
                                        (struct record_order){0, 2}, 2,
                                        cluster->bytes + cluster->first_size,
                                        LIMIT_RECORD_SIZE, &size),
                     0);
    cluster->size = cluster->first_size + size;
}

static void make_cluster(struct cluster *cluster, const char *first,
                         const char *second)
{
    const struct charter_ranges ranges = {.containers = {first},
                                          .mesh = {"100.104.0.0/16"},
                                          .services = {"100.80.0.0/12"}};
    struct charter_sample sample;

    cluster->genesis = (struct genesis){
        .name = "home", .n_roots = 1, .threshold = 1, .created_s = 1};
    assert_int_equal(
        crypto_sign_keypair(cluster->genesis.roots[0], cluster->secret), 0);
    assert_int_equal(genesis_build(&cluster->genesis), 0);
    sample = charter_sample_make(cluster->genesis.cluster_id, cluster->secret,
                                 &ranges);
    memcpy(cluster->bytes, sample.bytes, sample.size);
    cluster->first_size = sample.size;
    add_second(cluster, &sample, second);
}

static int setup(void **state)
{
    static char socket[] = "socket", tunnel[] = "vx-socket";
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->scratch = scratch_make();
    world->config.state_dir = strdup(scratch_path(&world->scratch, "state"));
    world->config.bridge = socket;
    world->config.tunnel_device = tunnel;
    assert_non_null(world->config.state_dir);
    assert_int_equal(mkdir(world->config.state_dir, 0700), 0);
    make_cluster(&world->ours, "10.1.0.0/16", "10.2.0.0/16");
    make_cluster(&world->theirs, "10.0.0.0/8", "10.0.0.0/9");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    scratch_remove(&world->scratch);
    free(world->config.state_dir);
    free(world);
    return 0;
}

static void put(const struct world *world, const char *name, const void *bytes,
                size_t size)
{
    char *path = file_join(world->config.state_dir, name);

    assert_non_null(path);
    assert_int_equal(file_write(path, bytes, size, 0600, 1, 1), 0);
    free(path);
}

/* What core's user has in its directory. */
static void claim(const struct world *world, const struct cluster *cluster,
                  size_t size)
{
    put(world, "genesis", cluster->genesis.bytes, cluster->genesis.size);
    put(world, "charter", cluster->bytes, size);
}

/* The containers' range that the worker goes by. */
static void assert_containers(const struct world *world, bool may_pin,
                              const char *expected)
{
    char text[PREFIX_TEXT_SIZE];
    struct plan_policy policy;
    char *problem = NULL;

    assert_int_equal(worker_policy(&world->config, may_pin, &policy, &problem),
                     0);
    assert_int_equal(policy.n_containers, 1);
    assert_string_equal(prefix_text(&policy.containers[0], text), expected);
}

static bool has_pin(const struct world *world)
{
    struct pin pin;
    int error = pin_load(world->config.state_dir, &pin);

    assert_true(error == 0 || error == -ENOENT);
    if (error == 0) {
        pin_done(&pin);
    }
    return error == 0;
}

/* The first start believes what is there, and later ones do not. */
static void test_another_cluster(void **state)
{
    struct world *world = *state;

    claim(world, &world->ours, world->ours.first_size);
    assert_containers(world, false, "10.1.0.0/16");
    assert_false(has_pin(world));
    assert_containers(world, true, "10.1.0.0/16");
    assert_true(has_pin(world));
    claim(world, &world->theirs, world->theirs.size);
    assert_containers(world, true, "10.1.0.0/16");
    assert_containers(world, false, "10.1.0.0/16");
    claim(world, &world->ours, world->ours.size);
    assert_containers(world, true, "10.2.0.0/16");
}

/* Charters go forward, and never back; nor does it help to take them away. */
static void test_charters_go_forward(void **state)
{
    struct world *world = *state;
    char *genesis = file_join(world->config.state_dir, "genesis");

    claim(world, &world->ours, world->ours.first_size);
    assert_containers(world, true, "10.1.0.0/16");
    claim(world, &world->ours, world->ours.size);
    assert_containers(world, true, "10.2.0.0/16");
    claim(world, &world->ours, world->ours.first_size);
    assert_containers(world, true, "10.2.0.0/16");
    put(world, "charter", "x", 1);
    assert_containers(world, true, "10.2.0.0/16");
    assert_int_equal(unlink(genesis), 0);
    assert_containers(world, true, "10.2.0.0/16");
    assert_int_equal(symlink("/dev/zero", genesis), 0);
    assert_containers(world, true, "10.2.0.0/16");
    free(genesis);
}

/* Root's commands say what the cluster is. */
static void test_root_decides(void **state)
{
    struct world *world = *state;
    struct charters_found charters;
    char *problem = NULL;

    claim(world, &world->ours, world->ours.size);
    assert_containers(world, true, "10.2.0.0/16");
    /* An old backup of this cluster changes nothing. */
    assert_int_equal(charters_find(&world->ours.genesis, world->ours.bytes,
                                   world->ours.first_size, &charters),
                     0);
    assert_int_equal(pin_save(world->config.state_dir, &world->ours.genesis,
                              &charters, &problem),
                     0);
    charters_done(&charters);
    assert_containers(world, true, "10.2.0.0/16");
    assert_int_equal(charters_find(&world->theirs.genesis, world->theirs.bytes,
                                   world->theirs.first_size, &charters),
                     0);
    assert_int_equal(pin_save(world->config.state_dir, &world->theirs.genesis,
                              &charters, &problem),
                     0);
    charters_done(&charters);
    assert_containers(world, true, "10.0.0.0/8");
}

/* A copy that others can write to is none. */
static void test_not_roots_alone(void **state)
{
    struct world *world = *state;
    char *path = pin_path(world->config.state_dir);
    struct pin pin;

    claim(world, &world->ours, world->ours.first_size);
    assert_containers(world, true, "10.1.0.0/16");
    assert_int_equal(chown(path, 1, 1), 0);
    assert_int_equal(pin_load(world->config.state_dir, &pin), -EPERM);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chmod(path, 0775), 0);
    assert_int_equal(pin_load(world->config.state_dir, &pin), -EPERM);
    assert_int_equal(chmod(path, 0755), 0);
    assert_true(has_pin(world));
    /* Who has the directory above could put another there. */
    assert_int_equal(chown(world->scratch.path, 1, 1), 0);
    assert_int_equal(pin_load(world->config.state_dir, &pin), -EPERM);
    claim(world, &world->theirs, world->theirs.first_size);
    assert_containers(world, true, "10.0.0.0/8"); /* said in the log */
    assert_int_equal(chown(world->scratch.path, 0, 0), 0);
    assert_containers(world, true, "10.1.0.0/16");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_another_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_charters_go_forward, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_root_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_roots_alone, setup, teardown),
    };

    if (geteuid() != 0) {
        (void)fprintf(stderr, "skipped: needs root\n");
        return 77;
    }
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
