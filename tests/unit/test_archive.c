/*
 * agent/system/archive: what is put in comes out, whatever its size, tar reads
 * it too, and an archive that is cut off anywhere, or has any bit turned, is
 * told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/system/archive.h"
#include "tests/unit/scratch.h"

#define N_FILES 5

static const size_t sizes[N_FILES] = {0, 1, 511, 512, 513};

static struct scratch scratch;
static uint8_t content[70000];

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make();
    for (size_t i = 0; i < sizeof(content); i++) {
        content[i] = (uint8_t)(i * 7 + i / 251);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static int open_new(const char *name)
{
    int fd = open(scratch_path(&scratch, name),
                  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

static const char *name_of(unsigned i)
{
    static char name[16];

    snprintf(name, sizeof(name), "file-%u", i);
    return name;
}

/* Some files, and the descriptor at the archive's beginning. */
static int make(size_t *ret_size)
{
    struct archive archive;
    int fd = open_new("archive.tar");

    archive_init(&archive, fd);
    for (unsigned i = 0; i < N_FILES; i++) {
        assert_int_equal(archive_put(&archive, name_of(i), content, sizes[i]),
                         0);
    }
    assert_int_equal(archive_end(&archive), 0);
    *ret_size = (size_t)lseek(fd, 0, SEEK_CUR);
    assert_int_equal(*ret_size % 512, 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* Reads all of it; what the end was. */
static int walk(int fd)
{
    struct archive archive;
    char name[ARCHIVE_NAME_SIZE];
    uint64_t size = 0;
    int error;

    archive_init(&archive, fd);
    while ((error = archive_next(&archive, name, &size)) == 0) {
    }
    return error;
}

static void what_goes_in_comes_out(void **state)
{
    struct archive archive;
    char name[ARCHIVE_NAME_SIZE];
    uint8_t found[1024];
    uint64_t size = 0;
    size_t total;
    int fd = make(&total);

    (void)state;
    archive_init(&archive, fd);
    for (unsigned i = 0; i < N_FILES; i++) {
        assert_int_equal(archive_next(&archive, name, &size), 0);
        assert_string_equal(name, name_of(i));
        assert_int_equal(size, sizes[i]);
        /* In two parts, and of one only the first. */
        assert_int_equal(archive_read(&archive, found, sizes[i] / 2), 0);
        if (i != 3) {
            assert_int_equal(archive_read(&archive, found + sizes[i] / 2,
                                          sizes[i] - sizes[i] / 2),
                             0);
            assert_memory_equal(found, content, sizes[i]);
        }
    }
    assert_int_equal(archive_next(&archive, name, &size), ARCHIVE_E_END);
    close(fd);
}

static void files_are_copied(void **state)
{
    struct archive archive;
    char name[ARCHIVE_NAME_SIZE];
    static uint8_t found[sizeof(content)];
    uint64_t size = 0;
    int from = open_new("large");
    int fd = open_new("archive.tar");

    (void)state;
    assert_int_equal(write(from, content, sizeof(content)), sizeof(content));
    archive_init(&archive, fd);
    assert_int_equal(lseek(from, 0, SEEK_SET), 0);
    assert_int_equal(archive_put_file(&archive, "large", from, sizeof(content)),
                     0);
    assert_int_equal(archive_end(&archive), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    archive_init(&archive, fd);
    assert_int_equal(archive_next(&archive, name, &size), 0);
    assert_int_equal(size, sizeof(content));
    assert_int_equal(archive_read(&archive, found, sizeof(found)), 0);
    assert_memory_equal(found, content, sizeof(found));
    assert_int_equal(archive_next(&archive, name, &size), ARCHIVE_E_END);
    /* One that is shorter than it was said to be. */
    assert_int_equal(lseek(from, 0, SEEK_SET), 0);
    assert_int_equal(
        archive_put_file(&archive, "large", from, sizeof(content) + 1), -EIO);
    close(from);
    close(fd);
}

static void tar_reads_it(void **state)
{
    char command[512];
    size_t total;
    int fd = make(&total);

    (void)state;
    snprintf(command, sizeof(command),
             "cd %s && tar xf archive.tar && test \"$(tar tf archive.tar | tr "
             "'\\n' ' ')\" = 'file-0 file-1 file-2 file-3 file-4 checksum ' && "
             "test $(stat -c %%s file-4) = 513",
             scratch.path);
    assert_int_equal(system(command), 0);
    close(fd);
}

static void cut_off_anywhere_is_told(void **state)
{
    size_t total;
    int fd = make(&total);
    /* The two blocks of zeros at the end, and the padding before them, are
     * tar's; what counts has been read. */
    size_t needed = total - 1024 - 512 + 65;

    (void)state;
    for (size_t size = total; size > 0;) {
        size = size > needed ? needed : size - 1;
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(walk(fd),
                         size == needed ? ARCHIVE_E_END : ARCHIVE_E_CUT_OFF);
    }
    close(fd);
}

static void any_turned_bit_is_told(void **state)
{
    size_t total;
    int fd = make(&total);
    size_t needed = total - 1024 - 512 + 65;

    (void)state;
    for (size_t i = 0; i < needed; i++) {
        uint8_t byte;
        uint8_t wrong;
        int error;

        assert_int_equal(pread(fd, &byte, 1, (off_t)i), 1);
        wrong = byte ^ (uint8_t)(1u << i % 8);
        assert_int_equal(pwrite(fd, &wrong, 1, (off_t)i), 1);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        error = walk(fd);
        assert_true(error > ARCHIVE_E_END);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
    }
    close(fd);
}

static void what_is_no_archive_is_told(void **state)
{
    int fd = open_new("other");
    struct archive archive;
    char name[ARCHIVE_NAME_SIZE + 1];

    (void)state;
    assert_int_equal(walk(fd), ARCHIVE_E_CUT_OFF);
    assert_int_equal(write(fd, content, 4096), 4096);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(walk(fd), ARCHIVE_E_FOREIGN);
    archive_init(&archive, fd);
    memset(name, 'n', sizeof(name));
    name[ARCHIVE_NAME_SIZE] = '\0';
    assert_int_equal(archive_put(&archive, name, "", 0), -ENAMETOOLONG);
    assert_int_equal(archive_put(&archive, "", "", 0), -ENAMETOOLONG);
    name[ARCHIVE_NAME_SIZE - 1] = '\0';
    assert_int_equal(archive_put(&archive, name, "", 0), 0);
    assert_int_equal(archive_put_file(&archive, "x", fd, ARCHIVE_FILE_MAX + 1),
                     -EFBIG);
    close(fd);
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    archive_init(&archive, fd);
    assert_int_equal(archive_put(&archive, "x", "", 0), -ENOSPC);
    close(fd);
}

static void errors_have_words(void **state)
{
    (void)state;
    assert_non_null(strstr(archive_error_text(ARCHIVE_E_CUT_OFF), "cut off"));
    assert_non_null(strstr(archive_error_text(ARCHIVE_E_DAMAGED), "damaged"));
    assert_non_null(strstr(archive_error_text(ARCHIVE_E_FOREIGN), "no backup"));
    assert_string_equal(archive_error_text(-ENOSPC), strerror(ENOSPC));
}

#define ARCHIVE_TEST(name)                                                     \
    cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARCHIVE_TEST(what_goes_in_comes_out),
        ARCHIVE_TEST(files_are_copied),
        ARCHIVE_TEST(tar_reads_it),
        ARCHIVE_TEST(cut_off_anywhere_is_told),
        ARCHIVE_TEST(any_turned_bit_is_told),
        ARCHIVE_TEST(what_is_no_archive_is_told),
        ARCHIVE_TEST(errors_have_words),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
