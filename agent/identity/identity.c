/*
 * Keys, genesis and certificate as files; see identity.h.  genesis.c has the
 * genesis' bytes, file.c the whole-or-nothing writing.
 */
#include "agent/identity/identity.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/system/file.h"
#include "store/store.h"

#define NODE_KEY_SIZE (64 + 32)

static int fail(int error, char **ret_error, const char *format, ...)
    _printf_(3, 4);

static int fail(int error, char **ret_error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_error, format, arguments) < 0) {
        *ret_error = NULL;
    }
    va_end(arguments);
    return error;
}

struct identity *identity_free(struct identity *identity)
{
    if (identity != NULL) {
        identity_wipe(identity);
        free(identity);
    }
    return NULL;
}

void identity_wipe(struct identity *identity)
{
    sodium_memzero(identity->sign_secret, sizeof(identity->sign_secret));
    sodium_memzero(identity->exchange_secret,
                   sizeof(identity->exchange_secret));
    charters_done(&identity->charters);
}

static void free_pointer_identity(struct identity **identity)
{
    *identity = identity_free(*identity);
}

void identity_generate_keys(struct identity *identity)
{
    /* Neither fails (libsodium manual); random bytes abort when there are
     * none. */
    (void)crypto_sign_keypair(identity->sign_public, identity->sign_secret);
    (void)crypto_box_keypair(identity->exchange_public,
                             identity->exchange_secret);
}

static void pack_keys(const struct identity *identity,
                      uint8_t bytes[NODE_KEY_SIZE])
{
    memcpy(bytes, identity->sign_secret, 64);
    memcpy(bytes + 64, identity->exchange_secret, 32);
}

/* Public keys are derived, so that they always fit; -EBADMSG when the secret
 * signing key does not hold the public key of its seed. */
static int unpack_keys(const uint8_t bytes[NODE_KEY_SIZE],
                       struct identity *identity)
{
    uint8_t check[64];
    int error;

    (void)crypto_sign_seed_keypair(identity->sign_public, check, bytes);
    error = sodium_memcmp(check, bytes, sizeof(check)) == 0 ? 0 : -EBADMSG;
    sodium_memzero(check, sizeof(check));
    if (error != 0) {
        return error;
    }
    memcpy(identity->sign_secret, bytes, 64);
    memcpy(identity->exchange_secret, bytes + 64, 32);
    (void)crypto_scalarmult_base(identity->exchange_public,
                                 identity->exchange_secret);
    return 0;
}

static int load_keys(const char *path, struct identity *identity)
{
    uint8_t bytes[NODE_KEY_SIZE];
    size_t size = 0;
    int error = file_read(path, bytes, sizeof(bytes), &size);

    if (error == 0) {
        error = size == sizeof(bytes) ? unpack_keys(bytes, identity) : -EBADMSG;
    }
    sodium_memzero(bytes, sizeof(bytes));
    return error == -EFBIG ? -EBADMSG : error;
}

static int load_node_key(const char *state_dir, struct identity *identity,
                         char **ret_error)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, "node.key");
    struct stat info;
    int error;

    if (path == NULL) {
        return -ENOMEM;
    }
    error = load_keys(path, identity);
    if (error == -ENOENT) {
        return fail(error, ret_error,
                    "this host belongs to no cluster: there is no %s; run "
                    "\"agent init\" to make a cluster, or \"agent join PEER "
                    "--token T\" to join one",
                    path);
    }
    if (error == -EBADMSG) {
        return fail(error, ret_error,
                    "%s is damaged: not the %d bytes of a key; restore it from "
                    "a backup, or run \"agent reset --yes\" and join again",
                    path, NODE_KEY_SIZE);
    }
    if (error != 0) {
        return fail(error, ret_error, "cannot read %s: %s", path,
                    strerror(-error));
    }
    if (stat(path, &info) == 0 && (info.st_mode & 077) != 0) {
        return fail(-EPERM, ret_error,
                    "%s is readable by others (mode %03o), and it is a secret "
                    "key; run \"chmod 600 %s\"",
                    path, (unsigned)info.st_mode & 0777, path);
    }
    return 0;
}

static int load_genesis(const char *state_dir, struct identity *identity,
                        char **ret_error)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, "genesis");
    uint8_t bytes[LIMIT_GENESIS_SIZE];
    size_t size = 0;
    int error;

    if (path == NULL) {
        return -ENOMEM;
    }
    error = file_read(path, bytes, sizeof(bytes), &size);
    if (error == 0) {
        error = genesis_parse(bytes, size, &identity->genesis);
    }
    if (error == -EPROTONOSUPPORT) {
        return fail(error, ret_error,
                    "%s was made by a release of other formats; a cluster is "
                    "not carried over: run \"agent reset --yes\", then \"agent "
                    "init\" or \"agent join\" with a new token",
                    path);
    }
    if (error != 0) {
        return fail(error, ret_error,
                    "cannot use %s: %s; restore it from a backup, or run "
                    "\"agent reset --yes\" and join again",
                    path, error == -EBADMSG ? "damaged" : strerror(-error));
    }
    return 0;
}

static int load_charters(const char *state_dir, struct identity *identity,
                         char **ret_error)
{
    int error =
        charters_load(state_dir, &identity->genesis, &identity->charters);

    if (error == -EBADMSG) {
        return fail(error, ret_error,
                    "%s/charter holds no charter that follows \"genesis\" "
                    "beside it; restore both from a backup, or run \"agent "
                    "reset --yes\" and join again",
                    state_dir);
    }
    if (error != 0) {
        return fail(error, ret_error,
                    "cannot read %s/charter: %s; restore it from a backup, or "
                    "run \"agent reset --yes\" and join again",
                    state_dir, strerror(-error));
    }
    return 0;
}

static int verify_certificate(struct identity *identity, const char **ret_why)
{
    struct record record;

    if (record_parse(identity->certificate, identity->certificate_size,
                     &record) != 0 ||
        record.kind != RECORD_CERTIFICATE ||
        body_get_certificate(&record, &identity->body) != 0) {
        *ret_why = "damaged";
    } else if (memcmp(record.cluster, identity->genesis.cluster_id,
                      RECORD_CLUSTER_SIZE) != 0) {
        *ret_why = "it is of another cluster than \"genesis\" beside it";
    } else if (memcmp(identity->body.sign_public, identity->sign_public, 32) !=
                   0 ||
               memcmp(identity->body.exchange_public, identity->exchange_public,
                      32) != 0) {
        *ret_why = "it is for other keys than \"node.key\" beside it";
    } else {
        return 0;
    }
    return -EBADMSG;
}

/* One of the two files.  0, negative errno, and why it is of no use. */
static int read_certificate(const char *path, struct identity *identity,
                            const char **ret_why)
{
    int error =
        file_read(path, identity->certificate, sizeof(identity->certificate),
                  &identity->certificate_size);

    return error != 0 ? error : verify_certificate(identity, ret_why);
}

static int load_certificate(const char *state_dir, struct identity *identity,
                            char **ret_error)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, "certificate");
    _cleanup_(free_pointer) char *next =
        file_join(state_dir, IDENTITY_CERTIFICATE_NEXT);
    const char *ignored = NULL;
    const char *why = NULL;
    int error;

    if (path == NULL || next == NULL) {
        return -ENOMEM;
    }
    error = read_certificate(path, identity, &why);
    if (error == -EBADMSG && read_certificate(next, identity, &ignored) == 0) {
        /* A rotation was cut short behind the keys.  Where this fails the next
         * load does the same. */
        (void)rename(next, path);
        return 0;
    }
    if (error != 0) {
        return fail(error, ret_error,
                    "cannot use %s: %s; restore it from a backup, or run "
                    "\"agent reset --yes\" and join again",
                    path, why != NULL ? why : strerror(-error));
    }
    return 0;
}

int identity_load(const char *state_dir, struct identity **ret,
                  char **ret_error)
{
    _cleanup_(free_pointer_identity) struct identity *identity =
        calloc(1, sizeof(*identity));
    int error;

    *ret_error = NULL;
    if (identity == NULL) {
        return -ENOMEM;
    }
    error = load_node_key(state_dir, identity, ret_error);
    if (error == 0) {
        error = load_genesis(state_dir, identity, ret_error);
    }
    if (error == 0) {
        error = load_charters(state_dir, identity, ret_error);
    }
    if (error == 0) {
        error = load_certificate(state_dir, identity, ret_error);
    }
    if (error != 0) {
        return error;
    }
    *ret = identity;
    identity = NULL;
    return 0;
}

bool identity_exists(const char *state_dir)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, "node.key");

    return path != NULL && access(path, F_OK) == 0;
}

int identity_make_directory(const char *state_dir, struct identity_owner owner,
                            char **ret_error)
{
    int error = file_make_directories(state_dir, 0700);

    if (error == 0 && chown(state_dir, owner.uid, owner.gid) < 0) {
        error = -errno;
    }
    if (error != 0) {
        return fail(
            error, ret_error, "cannot make the state directory %s: %s%s",
            state_dir, strerror(-error),
            error == -EACCES ? "; run this as root, or set \"state_dir\"" : "");
    }
    return 0;
}

static int save_file(const char *state_dir, const char *name, const void *bytes,
                     size_t size, struct identity_owner owner, char **ret_error)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, name);
    int error;

    if (path == NULL) {
        return -ENOMEM;
    }
    error = file_write(path, bytes, size, 0600, owner.uid, owner.gid);
    if (error != 0) {
        return fail(error, ret_error, "cannot write %s: %s", path,
                    strerror(-error));
    }
    return 0;
}

int identity_replace_file(const char *state_dir, const char *name,
                          const uint8_t *bytes, size_t size)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, name);

    /* We own it, as the directory; nobody else reads it. */
    return path == NULL
               ? -ENOMEM
               : file_write(path, bytes, size, 0600, (uid_t)-1, (gid_t)-1);
}

static int save_keys(const char *state_dir, const char *name,
                     const struct identity *identity,
                     struct identity_owner owner, char **ret_error)
{
    uint8_t bytes[NODE_KEY_SIZE];
    int error;

    pack_keys(identity, bytes);
    error = save_file(state_dir, name, bytes, sizeof(bytes), owner, ret_error);
    sodium_memzero(bytes, sizeof(bytes));
    return error;
}

int identity_save(const char *state_dir, const struct identity *identity,
                  const uint8_t *admission, struct identity_owner owner,
                  char **ret_error)
{
    /* The admission key stays with whoever ran the command. */
    const struct identity_owner nobody = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    int error = 0;

    *ret_error = NULL;
    if (identity_exists(state_dir)) {
        return fail(-EEXIST, ret_error,
                    "%s already has an identity; nothing was changed",
                    state_dir);
    }
    if (admission != NULL) {
        error = save_file(state_dir, "admission.key", admission, 64, nobody,
                          ret_error);
    }
    if (error == 0) {
        error = save_file(state_dir, "genesis", identity->genesis.bytes,
                          identity->genesis.size, owner, ret_error);
    }
    if (error == 0) {
        error = save_file(state_dir, "charter", identity->charters.bytes,
                          identity->charters.size, owner, ret_error);
    }
    if (error == 0) {
        error = save_file(state_dir, "certificate", identity->certificate,
                          identity->certificate_size, owner, ret_error);
    }
    if (error == 0) {
        error = save_keys(state_dir, "node.key", identity, owner, ret_error);
    }
    return error;
}

int identity_rotate(const char *state_dir, const struct identity *identity,
                    struct identity_owner owner, char **ret_error)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, "certificate");
    _cleanup_(free_pointer) char *next =
        file_join(state_dir, IDENTITY_CERTIFICATE_NEXT);
    int error;

    *ret_error = NULL;
    if (path == NULL || next == NULL) {
        return -ENOMEM;
    }
    error = save_file(state_dir, "charter", identity->charters.bytes,
                      identity->charters.size, owner, ret_error);
    if (error == 0) {
        error = save_file(state_dir, IDENTITY_CERTIFICATE_NEXT,
                          identity->certificate, identity->certificate_size,
                          owner, ret_error);
    }
    if (error == 0) {
        error = save_keys(state_dir, "node.key", identity, owner, ret_error);
    }
    /* From here on it is the other node; a load would do this as well. */
    if (error == 0 && (rename(next, path) < 0 || file_sync_parent(path) != 0)) {
        error = fail(-EIO, ret_error, "cannot put %s in place: %s", path,
                     strerror(errno));
    }
    return error;
}

int identity_save_join_keys(const char *state_dir,
                            const struct identity *identity, char **ret_error)
{
    const struct identity_owner nobody = {.uid = (uid_t)-1, .gid = (gid_t)-1};

    return save_keys(state_dir, "join.key", identity, nobody, ret_error);
}

int identity_load_join_keys(const char *state_dir, struct identity *identity)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, "join.key");

    return path == NULL ? -ENOMEM : load_keys(path, identity);
}

void identity_forget_join_keys(const char *state_dir)
{
    _cleanup_(free_pointer) char *path = file_join(state_dir, "join.key");

    if (path != NULL) {
        (void)unlink(path); /* what stays is only tried again by a next join */
    }
}

char *identity_store_path(const char *state_dir)
{
    return file_join(state_dir, "db");
}

static int for_store_files(const char *directory,
                           int (*fn)(const char *path, const void *data),
                           const void *data)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_(free_pointer) char *path = file_join(directory, names[i]);

        if (path == NULL) {
            return -ENOMEM;
        }
        if (fn(path, data) < 0 && errno != ENOENT) {
            return -errno;
        }
    }
    return 0;
}

static int remove_path(const char *path, const void *data)
{
    (void)data;
    return unlink(path);
}

static int give_path(const char *path, const void *data)
{
    const struct identity_owner *owner = data;

    return lchown(path, owner->uid, owner->gid);
}

int identity_create_store(const char *state_dir,
                          const uint8_t cluster[RECORD_CLUSTER_SIZE],
                          struct store **ret)
{
    _cleanup_(free_pointer) char *directory = identity_store_path(state_dir);
    int error;

    if (directory == NULL) {
        return -ENOMEM;
    }
    error = for_store_files(directory, remove_path, NULL);
    return error != 0 ? error : store_open(directory, cluster, ret);
}

int identity_give_store(const char *state_dir, struct identity_owner owner)
{
    _cleanup_(free_pointer) char *directory = identity_store_path(state_dir);

    if (directory == NULL) {
        return -ENOMEM;
    }
    if (chown(directory, owner.uid, owner.gid) < 0) {
        return -errno;
    }
    return for_store_files(directory, give_path, &owner);
}
