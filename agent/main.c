/*
 * Entry of the one executable: agent, or, called as agentctl, the client.
 *
 * Exit status: enum ctl_exit (ctl.h).
 */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "agent/commands.h"
#include "agent/ctl/ctl.h"
#include "gossip/wire/sign.h"

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";

    if (strcmp(name, "agentctl") == 0) {
        return ctl_main(argc, argv);
    }
    if (sodium_init() < 0 || sign_self_test() != 0) {
        (void)fprintf(stderr,
                      "agent: libsodium does not verify signatures as this "
                      "program expects; install the version it was built "
                      "with\n");
        return CTL_EXIT_FAILED;
    }
    return commands_main(argc, argv);
}
