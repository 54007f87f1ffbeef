/*
 * Fuzzes agent/http/http_request.c: whatever arrives, in one piece or many, is
 * taken, refused within the limits, and read the same way.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "agent/http/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    size_t n_requests;
    int end; /* of the last feed */
    size_t body_size;
    size_t n_segments;
};

static void use_request(const struct http_request *request,
                        struct outcome *outcome)
{
    char value[64];
    int error;

    assert(request->target != NULL && request->query != NULL);
    assert(request->n_segments <= HTTP_SEGMENTS_MAX);
    assert(request->body_size <= HTTP_BODY_MAX);
    for (size_t i = 0; i < request->n_segments; i++) {
        outcome->n_segments += strlen(request->segments[i]);
    }
    outcome->body_size += request->body_size;
    outcome->n_requests++;
    (void)http_request_matches(request, "/api/v1/services/:name/:instance");
    error = http_request_query(request, "since", value, sizeof(value));
    assert(error != 0 || strlen(value) < sizeof(value));
}

static struct outcome feed(const char *bytes, size_t size, size_t step)
{
    struct outcome outcome = {0};
    struct http_reader *reader;
    size_t pos = 0;

    if (http_reader_new(&reader) != 0) {
        return outcome;
    }
    while (pos < size) {
        size_t part = size - pos < step ? size - pos : step;
        struct http_request request;
        size_t used;

        outcome.end = http_reader_feed(reader, bytes + pos, part, &used);
        assert(used <= part);
        if (outcome.end == 0) {
            http_reader_take(reader, &request);
            use_request(&request, &outcome);
            http_request_done(&request);
            assert(used > 0);
        } else if (outcome.end != HTTP_E_AGAIN) {
            break;
        } else {
            assert(used == part);
        }
        pos += used;
    }
    (void)http_reader_wants_continue(reader);
    (void)http_reader_free(reader);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct outcome whole = feed(bytes, size, size);
    struct outcome pieces = feed(bytes, size, 7);

    assert(whole.n_requests == pieces.n_requests);
    assert(whole.body_size == pieces.body_size);
    assert(whole.n_segments == pieces.n_segments);
    /* Which of several faults is met first may depend on the pieces. */
    assert(whole.end == pieces.end ||
           (whole.end > HTTP_E_AGAIN && pieces.end > HTTP_E_AGAIN));
    return 0;
}
