/*
 * Sends forged packets at a rate: a member's node id and address, the shape of
 * a packet of messages, and a tag that is none.  tests/bench/forged calls it.
 *
 * usage: blast SOURCE TARGET PORT NODE-ID(16 hex) SIZE PER-SECOND SECONDS
 * Prints how many left, per second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH      50
#define PACKET_MIN 44
#define PACKET_MAX 1232
#define RATE_MAX   1000000ul
#define NS_PER_S   1000000000ull
#define PAUSE_NS   1000000L

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int open_socket(const char *source, const char *target, const char *port)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || inet_pton(AF_INET, source, &from.sin_addr) != 1 ||
        inet_pton(AF_INET, target, &to.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("blast: socket");
        exit(1);
    }
    return fd;
}

/* Version, type, boots, node id, counter; the rest is noise. */
static void fill(uint8_t packet[PACKET_MAX], uint64_t node_id)
{
    for (size_t i = 0; i < PACKET_MAX; i++) {
        packet[i] = (uint8_t)(i * 31 + 7);
    }
    packet[0] = 2;
    packet[1] = 1;
    for (size_t i = 0; i < 8; i++) {
        packet[10 + i] = (uint8_t)(node_id >> (56 - 8 * i));
    }
}

int main(int argc, char **argv)
{
    static uint8_t packets[BATCH][PACKET_MAX];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    uint64_t n_sent = 0, start_ns, wanted;
    unsigned long size, rate, seconds;
    int fd;

    if (argc != 8) {
        (void)fprintf(stderr, "usage: blast SOURCE TARGET PORT NODE-ID SIZE "
                              "PER-SECOND SECONDS\n");
        return 2;
    }
    fd = open_socket(argv[1], argv[2], argv[3]);
    size = strtoul(argv[5], NULL, 10);
    rate = strtoul(argv[6], NULL, 10);
    seconds = strtoul(argv[7], NULL, 10);
    if (size < PACKET_MIN || size > PACKET_MAX || rate < 1 || rate > RATE_MAX) {
        (void)fprintf(stderr, "blast: SIZE is %d to %d, PER-SECOND 1 to %lu\n",
                      PACKET_MIN, PACKET_MAX, RATE_MAX);
        return 2;
    }
    memset(messages, 0, sizeof(messages));
    for (size_t i = 0; i < BATCH; i++) {
        fill(packets[i], strtoull(argv[4], NULL, 16));
        parts[i] = (struct iovec){packets[i], size};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    start_ns = now_ns();
    while (now_ns() - start_ns < seconds * NS_PER_S) {
        wanted = (now_ns() - start_ns) * rate / NS_PER_S;
        while (n_sent < wanted) {
            unsigned n =
                wanted - n_sent < BATCH ? (unsigned)(wanted - n_sent) : BATCH;
            int result;

            for (unsigned i = 0; i < n; i++) {
                memcpy(&packets[i][20], &(uint32_t){(uint32_t)n_sent + i}, 4);
            }
            result = sendmmsg(fd, messages, n, 0);
            if (result < 0 && errno != ECONNREFUSED) {
                perror("blast: sendmmsg");
                return 1;
            }
            n_sent += result > 0 ? (uint64_t)result : 0;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    (void)printf("%.0f\n", (double)n_sent * (double)NS_PER_S /
                               (double)(now_ns() - start_ns));
    return 0;
}
