/*
 * agent/identity and genesis: files written and read back, refusals, damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "agent/identity/identity.h"
#include "gossip/base/pack.h"
#include "gossip/base/unpack.h"
#include "gossip/wire/sign.h"
#include "store/store.h"
#include "tests/unit/charter_sample.h"
#include "agent/system/file.h"
#include "tests/unit/scratch.h"

static const struct identity_owner nobody = {(uid_t)-1, (gid_t)-1};

struct fixture {
    struct scratch scratch;
    const char *state_dir;
    struct identity identity;
    uint8_t admission[64];
};

static void make_genesis(struct fixture *fixture)
{
    struct genesis *genesis = &fixture->identity.genesis;
    struct charter_sample sample;

    strcpy(genesis->name, "lab");
    assert_int_equal(crypto_sign_keypair(genesis->roots[0], fixture->admission),
                     0);
    genesis->n_roots = 1;
    genesis->created_s = 1700000000;
    genesis->threshold = 1;
    assert_int_equal(genesis_build(genesis), 0);
    sample = charter_sample_make(genesis->cluster_id, fixture->admission,
                                 &(const struct charter_ranges){
                                     .containers = {"10.0.0.0/16"},
                                     .mesh = {"100.104.0.0/16"},
                                     .services = {"100.80.0.0/12"},
                                 });
    assert_int_equal(charters_find(genesis, sample.bytes, sample.size,
                                   &fixture->identity.charters),
                     0);
}

static void make_certificate(struct fixture *fixture,
                             const uint8_t cluster[RECORD_CLUSTER_SIZE])
{
    struct identity *identity = &fixture->identity;
    uint8_t body[LIMIT_RECORD_SIZE];
    struct record_fields fields = {
        .kind = RECORD_CERTIFICATE,
        .cluster = cluster,
        .writer = identity->genesis.roots[0],
        .order = {.epoch = 1, .seq = 1},
        .key = identity->sign_public,
        .key_size = 32,
        .body = body,
    };

    memcpy(identity->body.sign_public, identity->sign_public, 32);
    memcpy(identity->body.exchange_public, identity->exchange_public, 32);
    strcpy(identity->body.name, "host1");
    identity->body.roles = BODY_ROLE_MEMBER;
    identity->body.not_after_s = 1800000000;
    identity->body.generation = 1;
    identity->body.serial = 7;
    identity->body.mesh[0] = (struct endpoint){
        .address = {.family = 4, .bytes = {100, 104, 70, 1}}, .port = 7720};
    identity->body.n_mesh = 1;
    assert_int_equal(body_put_certificate(&identity->body, body, sizeof(body),
                                          &fields.body_size),
                     0);
    identity->certificate_size = record_build(&fields, identity->certificate,
                                              sizeof(identity->certificate));
    assert_int_equal(sign_record(identity->certificate,
                                 identity->certificate_size,
                                 fixture->admission),
                     0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->scratch = scratch_make();
    fixture->state_dir = strdup(scratch_path(&fixture->scratch, "a/state"));
    identity_generate_keys(&fixture->identity);
    make_genesis(fixture);
    make_certificate(fixture, fixture->identity.genesis.cluster_id);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    identity_wipe(&fixture->identity);
    scratch_remove(&fixture->scratch);
    free((void *)(uintptr_t)fixture->state_dir);
    free(fixture);
    return 0;
}

static void save(struct fixture *fixture)
{
    char *error = NULL;

    assert_int_equal(
        identity_make_directory(fixture->state_dir, nobody, &error), 0);
    assert_int_equal(identity_save(fixture->state_dir, &fixture->identity,
                                   fixture->admission, nobody, &error),
                     0);
    assert_null(error);
}

static const char *state_path(const struct fixture *fixture, const char *name)
{
    char relative[64];

    snprintf(relative, sizeof(relative), "a/state/%s", name);
    return scratch_path(&fixture->scratch, relative);
}

/* Loading fails, and the text says this. */
static void refuse(const struct fixture *fixture, const char *expected)
{
    struct identity *identity = NULL;
    char *error = NULL;

    assert_true(identity_load(fixture->state_dir, &identity, &error) < 0);
    assert_null(identity);
    if (error == NULL || strstr(error, expected) == NULL) {
        print_error("expected: %s\ngot: %s\n", expected, error);
        fail();
    }
    free(error);
}

static void what_is_saved_is_loaded(void **state)
{
    struct fixture *fixture = *state;
    struct identity *identity = NULL;
    char *error = NULL;

    assert_false(identity_exists(fixture->state_dir));
    save(fixture);
    assert_true(identity_exists(fixture->state_dir));
    assert_int_equal(identity_load(fixture->state_dir, &identity, &error), 0);
    assert_memory_equal(identity->sign_public, fixture->identity.sign_public,
                        32);
    assert_memory_equal(identity->sign_secret, fixture->identity.sign_secret,
                        64);
    assert_memory_equal(identity->exchange_public,
                        fixture->identity.exchange_public, 32);
    assert_memory_equal(identity->exchange_secret,
                        fixture->identity.exchange_secret, 32);
    assert_memory_equal(&identity->genesis, &fixture->identity.genesis,
                        sizeof(identity->genesis));
    assert_int_equal(identity->certificate_size,
                     fixture->identity.certificate_size);
    assert_string_equal(identity->body.name, "host1");
    identity_free(identity);
}

static void secrets_are_the_owner_s(void **state)
{
    struct fixture *fixture = *state;
    struct stat info;

    save(fixture);
    assert_int_equal(stat(fixture->state_dir, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(state_path(fixture, "node.key"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, 96);
    assert_int_equal(stat(state_path(fixture, "admission.key"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(chmod(state_path(fixture, "node.key"), 0640), 0);
    refuse(fixture, "readable by others (mode 640)");
}

static void nothing_is_overwritten(void **state)
{
    struct fixture *fixture = *state;
    struct identity other = fixture->identity;
    struct identity *identity = NULL;
    char *error = NULL;

    save(fixture);
    identity_generate_keys(&other);
    assert_int_equal(
        identity_save(fixture->state_dir, &other, NULL, nobody, &error),
        -EEXIST);
    assert_non_null(strstr(error, "already has an identity"));
    free(error);
    assert_int_equal(identity_load(fixture->state_dir, &identity, &error), 0);
    assert_memory_equal(identity->sign_public, fixture->identity.sign_public,
                        32);
    identity_free(identity);
}

static void missing_identity_says_what_to_do(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "run \"agent init\"");
}

static void damage_is_named(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[96] = {1};
    FILE *file;

    save(fixture);
    assert_int_equal(truncate(state_path(fixture, "certificate"), 50), 0);
    refuse(fixture, "certificate: damaged");
    assert_int_equal(truncate(state_path(fixture, "genesis"), 20), 0);
    refuse(fixture, "genesis: damaged");
    /* 96 bytes, but the public half is not that of the seed. */
    file = fopen(state_path(fixture, "node.key"), "w");
    assert_int_equal(fwrite(key, sizeof(key), 1, file), 1);
    fclose(file);
    refuse(fixture, "node.key is damaged");
    assert_int_equal(truncate(state_path(fixture, "node.key"), 97), 0);
    refuse(fixture, "node.key is damaged");
}

static void mixed_up_files_are_named(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t other[RECORD_CLUSTER_SIZE] = {1};

    make_certificate(fixture, other);
    save(fixture);
    refuse(fixture, "of another cluster than \"genesis\"");
    assert_int_equal(unlink(state_path(fixture, "node.key")), 0);
    make_certificate(fixture, fixture->identity.genesis.cluster_id);
    identity_generate_keys(&fixture->identity);
    save(fixture);
    refuse(fixture, "for other keys than \"node.key\"");
}

/* The signing key that a load finds. */
static void assert_key(const struct fixture *fixture, const uint8_t key[32])
{
    struct identity *loaded = NULL;
    char *error = NULL;

    if (identity_load(fixture->state_dir, &loaded, &error) != 0) {
        fail_msg("%s", error);
    }
    assert_memory_equal(loaded->sign_public, key, 32);
    assert_memory_equal(loaded->body.sign_public, key, 32);
    loaded = identity_free(loaded);
}

/* At each step of a rotation the node is one of the two, whole. */
static void keys_are_rotated_whole_or_not(void **state)
{
    struct fixture *fixture = *state;
    uint8_t old[LIMIT_RECORD_SIZE];
    uint8_t old_key[32];
    char next[256];
    char *error = NULL;
    size_t old_size = 0;

    save(fixture);
    memcpy(old_key, fixture->identity.sign_public, 32);
    assert_int_equal(file_read(state_path(fixture, "certificate"), old,
                               sizeof(old), &old_size),
                     0);
    identity_generate_keys(&fixture->identity);
    make_certificate(fixture, fixture->identity.genesis.cluster_id);
    /* Only the next certificate is there. */
    assert_int_equal(file_write(state_path(fixture, IDENTITY_CERTIFICATE_NEXT),
                                fixture->identity.certificate,
                                fixture->identity.certificate_size, 0600,
                                (uid_t)-1, (gid_t)-1),
                     0);
    assert_key(fixture, old_key);
    assert_int_equal(
        identity_rotate(fixture->state_dir, &fixture->identity, nobody, &error),
        0);
    assert_key(fixture, fixture->identity.sign_public);
    /* All but the last step: the load does it. */
    (void)snprintf(next, sizeof(next), "%s/%s", fixture->state_dir,
                   IDENTITY_CERTIFICATE_NEXT);
    assert_int_equal(rename(state_path(fixture, "certificate"), next), 0);
    assert_int_equal(file_write(state_path(fixture, "certificate"), old,
                                old_size, 0600, (uid_t)-1, (gid_t)-1),
                     0);
    assert_key(fixture, fixture->identity.sign_public);
    assert_int_equal(
        access(state_path(fixture, IDENTITY_CERTIFICATE_NEXT), F_OK), -1);
    assert_key(fixture, fixture->identity.sign_public);
}

static void join_keys_wait_for_an_answer(void **state)
{
    struct fixture *fixture = *state;
    struct identity loaded = {0};
    char *error = NULL;

    assert_int_equal(
        identity_make_directory(fixture->state_dir, nobody, &error), 0);
    assert_int_equal(identity_load_join_keys(fixture->state_dir, &loaded),
                     -ENOENT);
    assert_int_equal(
        identity_save_join_keys(fixture->state_dir, &fixture->identity, &error),
        0);
    assert_false(identity_exists(fixture->state_dir));
    assert_int_equal(identity_load_join_keys(fixture->state_dir, &loaded), 0);
    assert_memory_equal(loaded.sign_secret, fixture->identity.sign_secret, 64);
    assert_memory_equal(loaded.exchange_public,
                        fixture->identity.exchange_public, 32);
    identity_forget_join_keys(fixture->state_dir);
    assert_int_equal(identity_load_join_keys(fixture->state_dir, &loaded),
                     -ENOENT);
}

static void a_store_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t old[RECORD_CLUSTER_SIZE] = {1};
    const uint8_t new[RECORD_CLUSTER_SIZE] = {2};
    struct store *store = NULL;
    char *error = NULL;

    assert_int_equal(
        identity_make_directory(fixture->state_dir, nobody, &error), 0);
    assert_int_equal(identity_create_store(fixture->state_dir, old, &store), 0);
    store_close(store);
    /* What an unfinished join left belongs to nobody. */
    assert_int_equal(identity_create_store(fixture->state_dir, new, &store), 0);
    store_close(store);
    assert_int_equal(identity_give_store(fixture->state_dir, nobody), 0);
}

static void genesis_is_the_same_bytes_everywhere(void **state)
{
    struct fixture *fixture = *state;
    const struct genesis *made = &fixture->identity.genesis;
    struct genesis genesis = {0};
    uint8_t id[32];

    assert_int_equal(genesis_parse(made->bytes, made->size, &genesis), 0);
    assert_memory_equal(&genesis, made, sizeof(genesis));
    crypto_generichash(id, sizeof(id), made->bytes, made->size, NULL, 0);
    assert_memory_equal(genesis.cluster_id, id, sizeof(id));
}

static void cut_or_changed_genesis_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct genesis *made = &fixture->identity.genesis;
    struct genesis genesis = {0};
    uint8_t bytes[LIMIT_GENESIS_SIZE + 1] = {0};

    for (size_t size = 0; size < made->size; size++) {
        assert_int_not_equal(genesis_parse(made->bytes, size, &genesis), 0);
    }
    memcpy(bytes, made->bytes, made->size);
    assert_int_not_equal(genesis_parse(bytes, made->size + 1, &genesis), 0);
    assert_int_not_equal(genesis_parse(bytes, sizeof(bytes), &genesis), 0);
    bytes[2] = 1; /* version: of an older release */
    assert_int_equal(genesis_parse(bytes, made->size, &genesis),
                     -EPROTONOSUPPORT);
    bytes[2] = 3;
    assert_int_equal(genesis_parse(bytes, made->size, &genesis),
                     -EPROTONOSUPPORT);
}

static void genesis_limits(void **state)
{
    struct fixture *fixture = *state;
    struct genesis genesis = fixture->identity.genesis;
    struct genesis parsed;

    memset(genesis.name, 'n', LIMIT_NAME_LEN);
    for (size_t i = 0; i < LIMIT_GENESIS_ROOTS; i++) {
        memset(genesis.roots[i], (int)i, 32);
    }
    genesis.n_roots = LIMIT_GENESIS_ROOTS;
    assert_int_equal(genesis_build(&genesis), 0);
    assert_int_equal(genesis_parse(genesis.bytes, genesis.size, &parsed), 0);
    genesis.threshold = LIMIT_GENESIS_ROOTS;
    assert_int_equal(genesis_build(&genesis), 0);
    genesis.threshold++;
    assert_int_equal(genesis_build(&genesis), -EINVAL);
    genesis.threshold = 0;
    assert_int_equal(genesis_build(&genesis), -EINVAL);
    genesis.threshold = 1;
    genesis.n_roots++;
    assert_int_equal(genesis_build(&genesis), -EINVAL);
    genesis.n_roots = 0;
    assert_int_equal(genesis_build(&genesis), -EINVAL);
    genesis.n_roots = 1;
    strcpy(genesis.name, "two words");
    assert_int_equal(genesis_build(&genesis), -EINVAL);
}

/* A genesis written by hand: with so many admission keys, and lengthened to
 * `total` bytes by a key of a later version. */
static void put_genesis(const struct genesis *made, size_t n_roots,
                        size_t total, uint8_t bytes[LIMIT_GENESIS_SIZE + 1],
                        size_t *ret_size)
{
    static const uint8_t filler[LIMIT_GENESIS_SIZE] = {7};
    uint8_t root[32] = {7};
    struct unpack unpack;
    struct pack pack;

    unpack_begin(&unpack, made->bytes, made->size);
    pack_begin(&pack, bytes, LIMIT_GENESIS_SIZE + 1);
    pack_map(&pack, total > 0 ? 7 : 6);
    for (unsigned key = 1; key <= 6; key++) {
        const msgpack_object *value = unpack_key(&unpack, key);

        assert_non_null(value);
        pack_key(&pack, key);
        if (key != 4) {
            assert_int_equal(msgpack_pack_object(&pack.packer, *value), 0);
            continue;
        }
        pack_array(&pack, n_roots);
        for (size_t i = 0; i < n_roots; i++) {
            root[1] = (uint8_t)i; /* none twice */
            pack_bin(&pack, root, 32);
        }
    }
    if (total > 0) { /* key, bin16 head, filler */
        pack_key_bin(&pack, 31, filler,
                     total - writer_size(&pack.writer) - 1 - 3);
    }
    assert_int_equal(pack_end(&pack, ret_size), 0);
}

static void genesis_decoder_limits(void **state)
{
    struct fixture *fixture = *state;
    const struct genesis *made = &fixture->identity.genesis;
    uint8_t bytes[LIMIT_GENESIS_SIZE + 1];
    struct genesis genesis;
    size_t size;

    put_genesis(made, LIMIT_GENESIS_ROOTS, 0, bytes, &size);
    assert_int_equal(genesis_parse(bytes, size, &genesis), 0);
    assert_int_equal(genesis.n_roots, LIMIT_GENESIS_ROOTS);
    put_genesis(made, LIMIT_GENESIS_ROOTS + 1, 0, bytes, &size);
    assert_int_equal(genesis_parse(bytes, size, &genesis), -EBADMSG);
    put_genesis(made, 0, 0, bytes, &size);
    assert_int_equal(genesis_parse(bytes, size, &genesis), -EBADMSG);
    put_genesis(made, 1, LIMIT_GENESIS_SIZE, bytes, &size);
    assert_int_equal(size, LIMIT_GENESIS_SIZE);
    assert_int_equal(genesis_parse(bytes, size, &genesis), 0);
    put_genesis(made, 1, LIMIT_GENESIS_SIZE + 1, bytes, &size);
    assert_int_equal(genesis_parse(bytes, size, &genesis), -EBADMSG);
}

#define IDENTITY_TEST(name)                                                    \
    cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IDENTITY_TEST(what_is_saved_is_loaded),
        IDENTITY_TEST(secrets_are_the_owner_s),
        IDENTITY_TEST(nothing_is_overwritten),
        IDENTITY_TEST(missing_identity_says_what_to_do),
        IDENTITY_TEST(damage_is_named),
        IDENTITY_TEST(mixed_up_files_are_named),
        IDENTITY_TEST(keys_are_rotated_whole_or_not),
        IDENTITY_TEST(join_keys_wait_for_an_answer),
        IDENTITY_TEST(a_store_is_made_anew),
        IDENTITY_TEST(genesis_is_the_same_bytes_everywhere),
        IDENTITY_TEST(cut_or_changed_genesis_is_refused),
        IDENTITY_TEST(genesis_limits),
        IDENTITY_TEST(genesis_decoder_limits),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
