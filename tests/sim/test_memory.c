/*
 * Memory that is lacking for a moment, at every place: each phase of a
 * cluster's life is run once for each allocation that its nodes make in it,
 * with that one failing.  Then memory is back, and so must be everything: views
 * converge, every record of one's own that was promised is on disk and known
 * to all, everybody is ready, nobody is held for dead.
 *
 * Each try is a process of its own, forked from the cluster as the phases
 * before left it, and ends with the leak check of the sanitizer where there is
 * one.  For the second round every list of actions is new, so that its growth
 * fails as well, and not one allocation fails but every k-th.
 *
 * It does not run under cmocka, whose assertions would go on in the child.
 */
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sim/scenario.h"
#include "tests/sim/views.h"
#include "tests/unit/heap.h"

#define MEMORY_NODES 4
/* More allocations than any phase makes. */
#define MEMORY_MAX 5000
/* In the second round k is one of these; a write takes four. */
#define MEMORY_EVERY_MIN 5
#define MEMORY_EVERY_MAX 20
/* Everything is well again after so long, virtual time. */
#define MEMORY_SETTLE_MS 60000
/* Exit status of a child in which no allocation failed. */
#define MEMORY_NOT_REACHED 42

/* A service that its writer was promised. */
struct promise {
    uint32_t node;
    char instance[16];
    bool is_removed;
};

static struct promise promises[512];
static size_t n_promises;

static struct cluster *cluster_now;
static bool is_in_step;       /* not while it loads */
static unsigned memory_every; /* every k-th allocation fails; 0: one does */

static void require(bool is_true, const char *what)
{
    if (!is_true) {
        (void)fprintf(stderr, "not so: %s\n", what);
        _exit(1);
    }
}

/* A node's step, the only place where memory lacks. */
static int memory_step(struct node *node, const struct node_event *event,
                       struct node_actions *actions)
{
    int result;

    if (memory_every != 0) {
        cluster_now->actions = node_actions_free(actions);
        result = node_actions_new(&cluster_now->actions);
        require(result == 0, "a list of actions");
        actions = cluster_now->actions;
    }
    is_in_step = true;
    heap_resume();
    result = node_step(node, event, actions);
    heap_pause();
    is_in_step = false;
    if (memory_every != 0 && heap_count() >= memory_every) {
        heap_fail_at(memory_every);
        heap_pause();
    }
    return result;
}

/* The simulation remembers what it verified, in its own memory. */
static int memory_verify(const struct record *record, void *data)
{
    int result;

    heap_pause();
    result = check_verify(record, data);
    if (is_in_step) {
        heap_resume();
    }
    return result;
}

/* --- What was told ---------------------------------------------------------
 */

/* What each node told its owner of each member since it was ready. */
struct told {
    bool is_known;
    uint32_t life;
    enum node_member_state state;
    bool is_reachable;
};

static struct told told[MEMORY_NODES][MEMORY_NODES];
static cluster_watch_fn scenario_watch_fn;

static struct node_member member_of(const struct cluster *cluster,
                                    uint32_t observer, uint32_t subject)
{
    struct node_member member = {.state = NODE_MEMBER_UNKNOWN};

    /* A stranger is not there yet. */
    (void)node_member_find(cluster->nodes[observer].node,
                           cluster->nodes[subject].keys.sign_public, &member);
    return member;
}

static void see_ready(const struct cluster *cluster, uint32_t node)
{
    for (uint32_t i = 0; i < MEMORY_NODES; i++) {
        struct node_member member = member_of(cluster, node, i);

        told[node][i] = (struct told){.is_known = true,
                                      .life = cluster->nodes[node].life,
                                      .state = member.state,
                                      .is_reachable = member.is_reachable};
    }
}

static void memory_watch(struct cluster *cluster, uint32_t node,
                         const struct node_action *action, void *data)
{
    uint32_t subject = cluster_find_key(cluster, action->peer);

    scenario_watch_fn(cluster, node, action, data);
    if (action->type == NODE_ACTION_READY) {
        see_ready(cluster, node);
    } else if (action->type == NODE_ACTION_MEMBER) {
        told[node][subject].state = action->new_state;
    } else if (action->type == NODE_ACTION_REACHABLE) {
        told[node][subject].is_reachable =
            member_of(cluster, node, subject).is_reachable;
    }
}

/* The owner was told of every change of a member. */
static void require_told(const struct cluster *cluster, uint32_t node)
{
    for (uint32_t i = 0; i < MEMORY_NODES; i++) {
        struct node_member member = member_of(cluster, node, i);

        require(told[node][i].is_known &&
                    told[node][i].life == cluster->nodes[node].life,
                "READY was told");
        require(told[node][i].state == member.state,
                "the state of each member was told");
        require(told[node][i].is_reachable == member.is_reachable,
                "whether each member is reachable was told");
    }
}

/* --- Phases ----------------------------------------------------------------
 */

static void promise_write(struct cluster *cluster, uint32_t node,
                          const char *instance, bool is_removed)
{
    int result = -ENOMEM;

    for (int tries = 0; tries < 1000 && result == -ENOMEM; tries++) {
        result = is_removed
                     ? cluster_deregister(cluster, node, "redis", instance)
                     : cluster_register(cluster, node, "redis", instance, 80);
    }
    require(result == 0, "a write succeeds when tried again");
    require(n_promises < ARRAY_SIZE(promises), "room for the promise");
    promises[n_promises] = (struct promise){node, "", is_removed};
    (void)snprintf(promises[n_promises].instance,
                   sizeof(promises[n_promises].instance), "%s", instance);
    n_promises++;
    cluster_run_for(cluster, 10);
}

static void phase_nothing(struct cluster *cluster)
{
    (void)cluster;
}

static void phase_start(struct cluster *cluster)
{
    for (uint32_t i = 0; i + 1 < MEMORY_NODES; i++) {
        cluster_start(cluster, i);
    }
    cluster_run_for(cluster, 3000);
}

static void phase_join(struct cluster *cluster)
{
    cluster_start(cluster, MEMORY_NODES - 1);
    cluster_run_for(cluster, 3000);
}

static void phase_write(struct cluster *cluster)
{
    promise_write(cluster, 0, "a", false);
    promise_write(cluster, 1, "a", false);
    promise_write(cluster, 3, "a", false);
    promise_write(cluster, 1, "a", true);
    cluster_run_for(cluster, 1000);
}

/* Node 1 is not heard for a while, suspected, and refutes. */
static void phase_accuse(struct cluster *cluster)
{
    network_set_group(&cluster->network, 1, 1);
    cluster_run_for(cluster, 3000);
    network_heal(&cluster->network);
    cluster_run_for(cluster, 5000);
}

static void phase_die(struct cluster *cluster)
{
    cluster_crash(cluster, 2);
    cluster_run_for(cluster, 20000);
    cluster_start(cluster, 2);
    cluster_run_for(cluster, 3000);
}

/* More is written behind its back than packets carry. */
static void before_sync(struct cluster *cluster)
{
    network_set_group(&cluster->network, 3, 1);
    for (unsigned i = 0; i < 60; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "s%u", i); /* fits */
        promise_write(cluster, 0, instance, false);
    }
    cluster_run_for(cluster, 500);
}

static void phase_sync(struct cluster *cluster)
{
    network_heal(&cluster->network);
    cluster_run_for(cluster, 10000);
}

/* So many tombstones that the next one brings a manifest. */
static void before_manifest(struct cluster *cluster)
{
    for (unsigned i = 0; i < 63; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "m%u", i); /* fits */
        promise_write(cluster, 1, instance, false);
        promise_write(cluster, 1, instance, true);
    }
    promise_write(cluster, 1, "last", false);
    cluster_run_for(cluster, 5000);
}

static void phase_manifest(struct cluster *cluster)
{
    promise_write(cluster, 1, "last", true);
    cluster_run_for(cluster, 2000);
}

static void phase_leave(struct cluster *cluster)
{
    cluster_pause(cluster, 2, 60);
    cluster_run_for(cluster, 500);
    cluster_start(cluster, 2);
    cluster_run_for(cluster, 2000);
    cluster_leave(cluster, 3);
    cluster_run_for(cluster, 2000);
}

struct phase {
    const char *name;
    void (*before)(struct cluster *cluster); /* with all the memory */
    void (*run)(struct cluster *cluster);
};

static const struct phase phases[] = {
    {"start", phase_nothing, phase_start},
    {"join", phase_nothing, phase_join},
    {"write", phase_nothing, phase_write},
    {"accuse", phase_nothing, phase_accuse},
    {"die", phase_nothing, phase_die},
    {"sync", before_sync, phase_sync},
    {"manifest", before_manifest, phase_manifest},
    {"leave", phase_nothing, phase_leave},
};

/* --- All is well -----------------------------------------------------------
 */

static bool is_kept(const struct cluster *cluster,
                    const struct promise *promise)
{
    if (cluster->nodes[promise->node].has_left) {
        return true;
    }
    return promise->is_removed
               ? scenario_is_nowhere(cluster, promise->node, promise->instance)
               : scenario_is_everywhere(cluster, promise->node,
                                        promise->instance);
}

static bool is_later(size_t index)
{
    for (size_t i = index + 1; i < n_promises; i++) {
        if (promises[i].node == promises[index].node &&
            strcmp(promises[i].instance, promises[index].instance) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_well(struct cluster *cluster, void *data)
{
    const struct scenario *scenario = data;

    for (uint32_t i = 0; i < MEMORY_NODES; i++) {
        if (cluster_is_running(cluster, i) &&
            (!cluster->nodes[i].is_ready ||
             !node_is_ready(cluster->nodes[i].node) ||
             (!cluster->nodes[i].has_left &&
              !scenario_all_see(scenario, i, NODE_MEMBER_ALIVE)))) {
            return false;
        }
    }
    for (size_t i = 0; i < n_promises; i++) {
        if (!is_later(i) && !is_kept(cluster, &promises[i])) {
            return false;
        }
    }
    return views_are_equal(cluster);
}

struct on_disk {
    const struct disk *disk;
    const struct record *record;
    bool is_found;
};

static void look_on_disk(const uint8_t *bytes, size_t size, void *data)
{
    struct on_disk *on_disk = data;

    on_disk->is_found =
        on_disk->is_found || (size == on_disk->record->size &&
                              memcmp(bytes, on_disk->record->bytes, size) == 0);
}

static int require_on_disk(const struct record *record, void *data)
{
    struct on_disk on_disk = {.disk = data, .record = record};

    disk_each(on_disk.disk, look_on_disk, &on_disk);
    require(on_disk.is_found, "what is in the view is on the disk");
    return 0;
}

/* What the view holds is stored, and nobody waits for a disk. */
static void require_stored(struct cluster *cluster, uint32_t node)
{
    struct cluster_node *self = &cluster->nodes[node];

    require(node_records_each(self->node, 0, require_on_disk, &self->disk) == 0,
            "all records are looked at");
}

static void require_well(struct scenario *scenario)
{
    struct cluster *cluster = scenario->cluster;
    bool is_in_time =
        cluster_run_until(cluster, MEMORY_SETTLE_MS, is_well, scenario);

    if (!is_in_time) {
        char *difference = views_difference(cluster);

        (void)fprintf(stderr, "%s%s", difference,
                      scenario->trace != NULL ? scenario->trace : "");
        free(difference);
    }
    require(is_in_time, "everything is well again in time");
    cluster_run_for(cluster, 1000);
    for (uint32_t i = 0; i < MEMORY_NODES; i++) {
        if (cluster_is_running(cluster, i)) {
            require_stored(cluster, i);
            require_told(cluster, i);
        }
    }
}

/* --- Every allocation ------------------------------------------------------
 */

/* In the child: the phase with the n-th allocation failing. */
static void try_phase(struct scenario *scenario, const struct phase *phase,
                      unsigned n)
{
    bool has_failed;

    scenario->cluster->is_starving = true;
    heap_fail_at(n);
    heap_pause();
    phase->run(scenario->cluster);
    has_failed = heap_off() || memory_every != 0;
    scenario->cluster->is_starving = false;
    memory_every = 0;
    if (!has_failed) {
        _exit(MEMORY_NOT_REACHED);
    }
    require_well(scenario);
    scenario_end(scenario);
    exit(0);
}

/* Exit status of a child that makes the try. */
static int in_child(struct scenario *scenario, const struct phase *phase,
                    unsigned n)
{
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        try_phase(scenario, phase, n);
    }
    while (waitpid(pid, &status, 0) < 0) {
        assert(errno == EINTR);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static unsigned try_every(struct scenario *scenario, const struct phase *phase)
{
    unsigned n_failed = 0;

    for (unsigned n = 1; n <= MEMORY_MAX; n++) {
        int status = in_child(scenario, phase, n);

        if (status == MEMORY_NOT_REACHED) {
            (void)printf("%s: %u allocations, %u tries failed\n", phase->name,
                         n - 1, n_failed);
            return n_failed;
        }
        if (status != 0) {
            (void)printf("%s: allocation %u: status %d\n", phase->name, n,
                         status);
            n_failed++;
        }
    }
    (void)printf("%s: more than %d allocations\n", phase->name, MEMORY_MAX);
    return n_failed + 1;
}

/* Every k-th allocation fails, and each step has a list of its own to fill. */
static unsigned try_many(struct scenario *scenario, const struct phase *phase)
{
    unsigned n_failed = 0;

    for (unsigned k = MEMORY_EVERY_MIN; k <= MEMORY_EVERY_MAX; k++) {
        int status;

        memory_every = k;
        status = in_child(scenario, phase, k);
        memory_every = 0;
        if (status != 0) {
            (void)printf("%s: every %u-th allocation: status %d\n", phase->name,
                         k, status);
            n_failed++;
        }
    }
    return n_failed;
}

static unsigned run_all(void)
{
    struct cluster_config config = CLUSTER_CONFIG(MEMORY_NODES);
    struct scenario scenario;
    unsigned n_failed = 0;

    config.n_strangers = 1;
    scenario_begin_with(&scenario, &config);
    scenario.cluster->step = memory_step;
    scenario.cluster->verify = memory_verify;
    cluster_now = scenario.cluster;
    scenario_watch_fn = scenario.cluster->watch;
    scenario.cluster->watch = memory_watch;
    for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
        phases[i].before(scenario.cluster);
        n_failed += try_every(&scenario, &phases[i]);
        n_failed += try_many(&scenario, &phases[i]);
        phases[i].run(scenario.cluster);
        require_well(&scenario);
    }
    scenario_end(&scenario);
    return n_failed;
}

int main(void)
{
    unsigned n_failed = run_all();

    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
