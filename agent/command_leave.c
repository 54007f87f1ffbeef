/*
 * See command_leave.h.  core_stop.c is what does the work.
 */
#include "agent/command_leave.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "agent/config/config.h"
#include "agent/ctl/ctl.h"
#include "agent/ctl/ctl_client.h"
#include "agent/launcher/launcher.h"
#include "gossip/base/macros.h"

/* The agent withdraws, removes its flows and ends; then this is over. */
#define LEAVE_WAIT_MS 15000
#define LEAVE_LOOK_MS 50

static int leave_fail(int error, const char *text)
{
    (void)fprintf(stderr, "agent leave: %s\n",
                  text != NULL ? text : "out of memory");
    return error == CTL_E_UNREACHABLE ? CTL_EXIT_UNREACHABLE
           : error == CTL_E_DENIED    ? CTL_EXIT_DENIED
                                      : CTL_EXIT_FAILED;
}

/* What the agent says against it: "what" and "next" of its "error". */
static int leave_refused(const struct ctl_answer *answer)
{
    json_auto_t *root = json_loadb(answer->body, answer->size, 0, NULL);
    const json_t *problem = json_object_get(root, "error");
    const char *what = json_string_value(json_object_get(problem, "what"));
    const char *next = json_string_value(json_object_get(problem, "next"));

    (void)fprintf(stderr, "agent leave: %s%s%s\n",
                  what != NULL ? what : "the agent refused",
                  next != NULL ? ". " : "", next != NULL ? next : "");
    return answer->status == 403 ? CTL_EXIT_DENIED : CTL_EXIT_FAILED;
}

static void leave_wait_for_end(const struct config *config)
{
    const struct timespec pause = {.tv_nsec = LEAVE_LOOK_MS * 1000000L};

    for (int i = 0; i < LEAVE_WAIT_MS / LEAVE_LOOK_MS &&
                    launcher_is_running(config->run_dir) == 1;
         i++) {
        (void)nanosleep(&pause, NULL); /* cut short: looks again sooner */
    }
}

/* What cannot be undone is not done by a slip.  0, or the exit status. */
static int leave_ask(void)
{
    char answer[16] = "";

    if (isatty(STDIN_FILENO) == 0) {
        (void)fprintf(stderr,
                      "agent leave: this node would be out of its cluster for "
                      "good, and nobody can be asked here (standard input is "
                      "no terminal): say --yes when that is meant\n");
        return CTL_EXIT_USAGE;
    }
    (void)fprintf(stderr,
                  "This takes this node out of its cluster for good: its "
                  "services vanish everywhere, its\nflows are removed, its "
                  "agent ends; to come back it needs a reset and a new token."
                  "\nLeave? [y/N] ");
    if (fgets(answer, sizeof(answer), stdin) == NULL ||
        (strcasecmp(answer, "y\n") != 0 && strcasecmp(answer, "yes\n") != 0)) {
        (void)fprintf(stderr, "agent leave: nothing was done\n");
        return CTL_EXIT_FAILED;
    }
    return 0;
}

int command_leave(const struct config *config, bool is_sure)
{
    _cleanup_(free_pointer) char *address = NULL;
    _cleanup_(free_pointer) char *problem = NULL;
    struct ctl_request request = {.method = "POST", .target = "/api/v1/leave"};
    struct ctl_answer answer = {0};
    int status = is_sure ? 0 : leave_ask();
    int error;

    if (status != 0) {
        return status;
    }
    if (asprintf(&address, "unix:%s/api.sock", config->run_dir) < 0) {
        address = NULL;
        return leave_fail(0, NULL);
    }
    request.address = address;
    error = ctl_client_ask(&request, &answer, &problem);
    if (error != 0) {
        return leave_fail(error, problem);
    }
    if (answer.status >= 300) {
        status = leave_refused(&answer);
    } else {
        leave_wait_for_end(config);
        (void)printf("This node has left the cluster; its agent has ended.\n"
                     "`agent reset --yes` removes its keys and what is left "
                     "of its state.\n");
    }
    ctl_answer_done(&answer);
    return status;
}
