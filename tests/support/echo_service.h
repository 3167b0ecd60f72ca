/* echo_service.h - the service countersign.test.Echo: every kind of call, good and bad ends, slow and silent
 * ones. Handlers as a program would write them; unit tests and the server of the integration tests register
 * it. */
#ifndef CS_TESTS_ECHO_SERVICE_H
#define CS_TESTS_ECHO_SERVICE_H

#include "shared/net/call.h"
#include "shared/net/web.h"

#include <uv.h>

struct echo_service {
    uv_loop_t *loop; /* for Slow; may be NULL when nobody calls it */
    uint64_t opened, ended;
    uint64_t bytes_sent; /* by Stream, what the transport took */
    enum cs_status last_end;
    unsigned timers_open;
    bool wrapped; /* messages are google.protobuf.BytesValue around the bytes, for clients that want a schema
                   */
};

/* Unary        echoes its request
 * Fail         "<code> <sentence>": ends so, with the trailers "reason" and "detail-bin"
 * Stream       "<count> <size>": that many messages, as fast as they are read
 * Collect      client stream: "<count> <bytes>"
 * Bidi         echoes each message, reads no further than it can write
 * Hold         bidi: never reads, answers OK once the client has half-closed (which it learns only by
 *              reading)
 * Never        unary: never answers
 * Metadata     "<x-echo>|<x-echo-bin in hex>", and the same as trailers
 * Head         echoes; the answer's head has x-head, the authority that the call knows and "again", and
 *              x-head-bin; "fail" ends as NOT_FOUND under the same head
 * HeadStream   the same as a stream of one message
 * Deadline     unary: milliseconds left, or "none"
 * Slow         unary: "<milliseconds>", echoes after them
 * Small        as Unary, takes 100 bytes at most
 * Report       "<opened> <ended> <last end> <bytes sent>", itself not counted */
CS_MUST_USE int echo_register(struct cs_registry *registry, struct echo_service *service, struct cs_err *err);

/* JSON of these bytes for Connect: a string without escapes. */
extern const struct cs_transcode echo_transcode;
/* "/page" says hello and gives its query back, "/missing" is a 404 with a body, "/large" has 1 MB. */
extern const struct cs_route echo_routes[];
extern const size_t echo_routes_count;
/* All of these. */
struct cs_web echo_web(void);

#define ECHO_PATH(name) "/countersign.test.Echo/" name

#endif
