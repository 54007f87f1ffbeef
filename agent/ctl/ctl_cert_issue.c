/*
 * agentctl cert issue: a certificate for a host that cannot reach this one; its
 * request and the answer travel as files.
 */
#include "agent/ctl/ctl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/system/file.h"
#include "gossip/base/limits.h"
#include "gossip/base/text.h"

/* The file in hexadecimal; NULL, and ret_status says that it was printed why.
 */
static json_t *read_request(const char *path, int *ret_status)
{
    uint8_t bytes[LIMIT_JOIN_REQUEST_SIZE];
    char text[2 * LIMIT_JOIN_REQUEST_SIZE + 1];
    size_t size = 0;
    int error = file_read(path, bytes, sizeof(bytes), &size);

    if (error != 0) {
        ctl_message("cannot read %s: %s", path,
                    error == -EFBIG ? "it is too long for a request of agent "
                                      "join --request"
                                    : strerror(-error));
        *ret_status = CTL_EXIT_FAILED;
        return NULL;
    }
    return json_string(text_from_bytes(bytes, size, text));
}

/* A new file for its owner alone. */
static int write_answer(const char *path, const char *text)
{
    size_t size = strlen(text) / 2;
    uint8_t *bytes = malloc(size + 1);
    int fd = -1;
    int error = bytes == NULL ? -ENOMEM : 0;

    if (error == 0 && text_to_bytes(text, strlen(text), bytes, size) != 0) {
        error = -EBADMSG;
    }
    if (error == 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        error = fd < 0 ? -errno : 0;
    }
    for (size_t done = 0; error == 0 && done < size;) {
        ssize_t n = write(fd, bytes + done, size - done);

        if (n < 0 && errno != EINTR) {
            error = -errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0 && close(fd) < 0 && error == 0) {
        error = -errno;
    }
    if (error != 0 && fd >= 0) {
        (void)unlink(path); /* half of it is of no use */
    }
    free(bytes);
    if (error != 0) {
        ctl_message("cannot write %s: %s; run it again with another file: the "
                    "same certificate is given",
                    path, strerror(-error));
        return CTL_EXIT_FAILED;
    }
    return CTL_EXIT_OK;
}

int ctl_cert_issue(struct ctl *ctl)
{
    int status = CTL_EXIT_OK;
    json_t *request = read_request(ctl->args.words[0], &status);
    json_auto_t *root = NULL;
    json_t *body;

    if (request == NULL) {
        return status;
    }
    body = ctl_token_body(ctl);
    json_object_set_new(body, "request", request);
    status = ctl_ask(ctl, "POST", CTL_API "certificates", body, NULL, &root);
    if (status == 0) {
        status = write_answer(ctl->args.words[1], ctl_text(root, "answer"));
    }
    if (status == 0 && !ctl->is_quiet) {
        (void)printf("wrote %s; on that host: agent join --answer %s\n",
                     ctl->args.words[1], ctl->args.words[1]);
    }
    return status;
}
