/*
 * Key files of roots: 64 secret bytes, as admission.key that agent init writes.
 */
#include "agent/roots/roots_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "agent/config/config.h"
#include "agent/ctl/ctl.h"
#include "agent/system/file.h"
#include "gossip/base/text.h"

#define KEY_HEX_LEN 64

/* 0; -EBADMSG: no key; negative errno. */
static int read_key(const char *path, struct roots_key *ret)
{
    struct roots_key key;
    uint8_t check[64];
    size_t size = 0;
    int error = file_read(path, key.secret, sizeof(key.secret), &size);

    if (error == -EFBIG || (error == 0 && size != sizeof(key.secret))) {
        error = -EBADMSG;
    }
    if (error == 0) {
        (void)crypto_sign_seed_keypair(key.public, check, key.secret);
        error =
            sodium_memcmp(check, key.secret, sizeof(check)) == 0 ? 0 : -EBADMSG;
    }
    if (error == 0) {
        *ret = key;
    }
    sodium_memzero(&key, sizeof(key));
    sodium_memzero(check, sizeof(check));
    return error;
}

static int open_key(const struct roots *roots, const char *path,
                    struct roots_key *ret)
{
    struct stat info;
    int error = read_key(path, ret);

    if (error == -EBADMSG) {
        return roots_fail(roots,
                          "%s is no root's key: expected the 64 bytes that "
                          "agent init or agent key create wrote",
                          path);
    }
    if (error != 0) {
        return roots_fail(roots, "cannot read the key %s: %s", path,
                          strerror(-error));
    }
    if (stat(path, &info) == 0 && (info.st_mode & 077) != 0) {
        sodium_memzero(ret, sizeof(*ret));
        return roots_fail(roots,
                          "%s is readable by others (mode %03o), and it is a "
                          "secret key; run \"chmod 600 %s\"",
                          path, (unsigned)info.st_mode & 0777u, path);
    }
    return 0;
}

int roots_key_open(struct roots *roots, struct roots_key *ret)
{
    const char *path = roots_option(roots, "--key");
    _cleanup_(free_pointer) char *admission = NULL;
    struct stat info;
    int status;

    if (path != NULL) {
        return open_key(roots, path, ret);
    }
    status = roots_need_config(roots);
    if (status != 0) {
        return status;
    }
    admission = file_join(roots->config->state_dir, "admission.key");
    if (admission == NULL) {
        return roots_no_memory(roots);
    }
    if (stat(admission, &info) < 0) {
        return roots_fail(roots,
                          "no root's key: cannot read %s: %s; give the key's "
                          "file with --key",
                          admission, strerror(errno));
    }
    return open_key(roots, admission, ret);
}

/* The first word of a file; false: it is none, or no key's text. */
static bool read_text(const char *path, uint8_t ret[32])
{
    char text[KEY_HEX_LEN + 16] = "";
    size_t size = 0;

    if (file_read(path, text, sizeof(text) - 1, &size) != 0) {
        return false;
    }
    text[strcspn(text, " \t\r\n")] = '\0';
    return text_to_bytes(text, strlen(text), ret, 32) == 0;
}

int roots_key_public(struct roots *roots, const char *text, uint8_t ret[32])
{
    struct roots_key key;
    bool is_known =
        text_to_bytes(text, strlen(text), ret, 32) == 0 || read_text(text, ret);

    if (!is_known && read_key(text, &key) == 0) {
        memcpy(ret, key.public, sizeof(key.public));
        sodium_memzero(&key, sizeof(key));
        is_known = true;
    }
    if (!is_known) {
        (void)roots_fail(roots,
                         "%s is no root: expected its public key, 64 "
                         "hexadecimal digits as agent key show prints, or the "
                         "file of its key",
                         text);
        return CTL_EXIT_USAGE;
    }
    return 0;
}

int roots_key_create(const struct program_call *call)
{
    const struct roots roots = {.call = call};
    const char *path = roots_word(&roots, 0);
    char text[KEY_HEX_LEN + 1];
    struct roots_key key;
    int error;

    /* Never fails (libsodium manual). */
    (void)crypto_sign_keypair(key.public, key.secret);
    (void)text_from_bytes(key.public, sizeof(key.public), text);
    error = file_create(path, key.secret, sizeof(key.secret), 0600);
    sodium_memzero(&key, sizeof(key));
    if (error == -EEXIST) {
        return roots_fail(&roots,
                          "%s is there already, and no key is overwritten; "
                          "give another name",
                          path);
    }
    if (error != 0) {
        return roots_fail(&roots, "cannot make %s: %s", path, strerror(-error));
    }
    (void)printf("%s\n", text);
    (void)fprintf(stderr,
                  "%s is secret: keep it, and a copy, away from the hosts.  "
                  "The line above is its\npublic key: agent charter propose "
                  "--add-root makes it a root.\n",
                  path);
    return CTL_EXIT_OK;
}

int roots_key_show(const struct program_call *call)
{
    const struct roots roots = {.call = call};
    char text[KEY_HEX_LEN + 1];
    struct roots_key key;
    int status = open_key(&roots, roots_word(&roots, 0), &key);

    if (status == 0) {
        (void)printf("%s\n",
                     text_from_bytes(key.public, sizeof(key.public), text));
        sodium_memzero(&key, sizeof(key));
    }
    return status;
}
