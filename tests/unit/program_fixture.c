/*
 * See program_fixture.h.
 */
#include "tests/unit/program_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void read_back(FILE *file, char *text)
{
    size_t size;

    rewind(file);
    size = fread(text, 1, PROGRAM_OUTPUT_MAX - 1, file);
    text[size] = '\0';
    fclose(file);
}

const struct program_run *
program_fixture_run(int (*program_main)(int argc, char **argv),
                    const char *name, const char *words, int input_fd)
{
    static struct program_run run;
    char *argv[64] = {(char *)(uintptr_t)name};
    char *copy = strdup(words);
    char *save = NULL;
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    int argc = 1;
    int status;
    pid_t pid;

    for (char *word = strtok_r(copy, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        argv[argc++] = word;
    }
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        dup2(input_fd >= 0 ? input_fd : open("/dev/null", O_RDONLY),
             STDIN_FILENO);
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        status = program_main(argc, argv);
        fflush(stdout);
        _exit(status);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    run.status = WEXITSTATUS(status);
    read_back(out, run.out);
    read_back(err, run.err);
    free(copy);
    return &run;
}

void program_fixture_assert(int (*program_main)(int argc, char **argv),
                            const char *name, const char *words, int status,
                            const char *out, const char *err)
{
    const struct program_run *run =
        program_fixture_run(program_main, name, words, -1);

    if (run->status != status || strstr(run->out, out) == NULL ||
        strstr(run->err, err) == NULL) {
        fail_msg("%s %s\nended %d, expected %d\nout: %s\nexpected: %s\n"
                 "err: %s\nexpected: %s",
                 name, words, run->status, status, run->out, out, run->err,
                 err);
    }
}
