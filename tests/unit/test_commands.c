/*
 * agent as people run it: its commands' arguments, help, and what it says when
 * something is wrong with them.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "agent/commands.h"
#include "agent/ctl/ctl.h"
#include "tests/unit/program_fixture.h"
#include "tests/unit/scratch.h"

static void assert_run(const char *words, int status, const char *out,
                       const char *err)
{
    program_fixture_assert(commands_main, "agent", words, status, out, err);
}

static void test_help(void **state)
{
    (void)state;
    assert_run("--help", CTL_EXIT_OK, "  init                 make a cluster",
               "");
    assert_run("help", CTL_EXIT_OK, "Exit status: 0 done", "");
    assert_run("help join", CTL_EXIT_OK,
               "Usage: agent join PEER[:PORT] --token TOKEN|--token-file FILE\n"
               "\njoin the cluster of a token.\n",
               "");
    assert_run("join --help", CTL_EXIT_OK, "      --token-file FILE", "");
    assert_run("leave -h", CTL_EXIT_OK, "      --yes ", "");
    assert_run("", CTL_EXIT_USAGE, "", "Usage: agent COMMAND");
    assert_run("version", CTL_EXIT_OK, "agent ", "");
    assert_run("--version", CTL_EXIT_OK, "agent ", "");
    /* What the launcher starts is in no list. */
    assert_null(strstr(
        program_fixture_run(commands_main, "agent", "help", -1)->out, "core"));
}

static void test_usage(void **state)
{
    (void)state;
    assert_run("runn", CTL_EXIT_USAGE, "",
               "agent: there is no command runn; did you mean run?\n"
               "see: agent --help\n");
    /* What the launcher starts is suggested to nobody. */
    assert_run("worke", CTL_EXIT_USAGE, "",
               "agent: there is no command worke\nsee: agent --help\n");
    assert_run("help jion", CTL_EXIT_USAGE, "", "did you mean join?");
    assert_run("run --obsrve", CTL_EXIT_USAGE, "",
               "agent run: unknown option --obsrve; did you mean --observe?\n"
               "see: agent run --help\n");
    assert_run("run now", CTL_EXIT_USAGE, "",
               "agent run: now is one argument too many");
    assert_run("join", CTL_EXIT_USAGE, "",
               "an argument is missing: agent join PEER[:PORT] --token");
    assert_run("reset", CTL_EXIT_USAGE, "",
               "give --dry-run to see what would be removed, or --yes");
    assert_run("restore", CTL_EXIT_USAGE, "",
               "an argument is missing: agent restore FILE [--yes]");
    assert_run("init --cluster -x-", CTL_EXIT_USAGE, "",
               "--cluster \"-x-\" cannot name a cluster; expected 1 to 63");
    assert_run("init --services 10.0.0.0/30", CTL_EXIT_USAGE, "",
               "--services: expected one IPv4 subnet of /8 to /24, such as "
               "100.80.0.0/12, and after it at most one IPv6 subnet");
    assert_run("init --services fd00::/64", CTL_EXIT_USAGE, "",
               "--services: expected one IPv4 subnet");
    assert_run("init --mesh 10.0.0.1/16", CTL_EXIT_USAGE, "",
               "--mesh 10.0.0.1/16: expected a subnet such as 10.0.0.0/16");
    assert_run("init --services 10.1.0.0/16 --services fd00::/64 "
               "--services fd01::/64",
               CTL_EXIT_USAGE, "", "--services: at most 2 can be given");
    assert_run("run --config /nowhere/agent.yaml", CTL_EXIT_USAGE, "",
               "agent run: there is no configuration file /nowhere/agent.yaml; "
               "write it, or leave --config out (it is then "
               "/etc/socketnet/agent.yaml)\n");
}

/* Where a token comes from; none of these is one. */
static void test_token_sources(void **state)
{
    struct scratch scratch = scratch_make();
    const char *config =
        scratch_write(&scratch, "agent.yaml",
                      "name: host9\nmesh:\n  address: 127.0.0.1\n"
                      "state_dir: /nowhere/state\n");
    const char *file =
        scratch_write(&scratch, "token", "snt2.fromfile \nnot this\n");
    const char *empty = scratch_write(&scratch, "empty", " \n");
    const struct program_run *run;
    char words[512];
    int fd;

    (void)state;
    assert_run("join 127.0.0.1", CTL_EXIT_USAGE, "",
               "a token is needed: run \"agentctl token create\"");
    assert_run("join 127.0.0.1 --token a --token-file b", CTL_EXIT_USAGE, "",
               "--token and --token-file are both given");
    assert_run("join 127.0.0.1 --token-file /nowhere/token", CTL_EXIT_USAGE, "",
               "cannot read the token's file /nowhere/token: No such file");
    snprintf(words, sizeof(words), "join 127.0.0.1 --token-file %s", empty);
    assert_run(words, CTL_EXIT_USAGE, "", "empty holds no token");
    assert_run("join 127.0.0.1 --token -", CTL_EXIT_USAGE, "",
               "standard input holds no token");
    /* What was read is what is looked at: it is refused as a token. */
    snprintf(words, sizeof(words), "join 127.0.0.1 --config %s --token-file %s",
             config, file);
    assert_run(words, CTL_EXIT_FAILED, "", "agent join: the token");
    snprintf(words, sizeof(words), "join 127.0.0.1 --config %s --token -",
             config);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    run = program_fixture_run(commands_main, "agent", words, fd);
    assert_int_equal(run->status, CTL_EXIT_FAILED);
    assert_non_null(strstr(run->err, "agent join: the token"));
    close(fd);
    scratch_remove(&scratch);
}

/* The answer of a person at a terminal: what the terminal sends is typed. */
static const struct program_run *leave_at_terminal(const char *words,
                                                   const char *typed)
{
    const struct program_run *run;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int terminal;

    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0);
    assert_int_equal(write(master, typed, strlen(typed)), strlen(typed));
    run = program_fixture_run(commands_main, "agent", words, terminal);
    close(terminal);
    close(master);
    return run;
}

static void test_leave_asks(void **state)
{
    struct scratch scratch = scratch_make();
    char text[640];
    char words[512];
    const struct program_run *run;

    (void)state;
    snprintf(text, sizeof(text),
             "name: host9\nmesh:\n  address: 127.0.0.1\nrun_dir: %s/run\n",
             scratch.path);
    snprintf(words, sizeof(words), "leave --config %s",
             scratch_write(&scratch, "agent.yaml", text));
    assert_run(words, CTL_EXIT_USAGE, "",
               "standard input is no terminal): say --yes");
    run = leave_at_terminal(words, "n\n");
    assert_int_equal(run->status, CTL_EXIT_FAILED);
    assert_non_null(strstr(run->err, "out of its cluster for good"));
    assert_non_null(strstr(run->err, "nothing was done"));
    run = leave_at_terminal(words, "\n");
    assert_int_equal(run->status, CTL_EXIT_FAILED);
    /* Sure, or said to be: the agent is asked, and none runs. */
    run = leave_at_terminal(words, "yes\n");
    assert_int_equal(run->status, CTL_EXIT_UNREACHABLE);
    snprintf(text, sizeof(text), "%s --yes", words);
    assert_run(text, CTL_EXIT_UNREACHABLE, "", "agent leave: ");
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_token_sources),
        cmocka_unit_test(test_leave_asks),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
