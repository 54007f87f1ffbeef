/*
 * Entry of the one executable: finds the command and calls it.
 */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "gossip/sign.h"

int main(int argc, char **argv)
{
    if (sodium_init() < 0 || sign_self_test() != 0) {
        (void)fprintf(stderr, "agent: libsodium does not work as expected\n");
        return 1;
    }
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        (void)printf("agent %s\n", SOCKETNET_VERSION);
        return 0;
    }
    (void)fprintf(stderr, "Usage: agent version\n");
    return 2;
}
