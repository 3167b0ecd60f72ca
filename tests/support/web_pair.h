/* web_pair.h - an HTTP/2 client and a server of the echo service in memory, for what a listener answers
 * besides gRPC: what one has to send is fed to the other, and what was answered last is kept to be looked at.
 *
 *   struct web_pair pair;
 *   const struct web_ask ask = {.method = "GET", .path = "/page"};
 *
 *   check_code(web_pair_open(&pair), CS_OK);
 *   assert_non_null(web_pair_ask(&pair, &ask, false));
 *   web_pair_run(&pair);
 *   assert_string_equal(pair.status, "200");
 *   web_pair_close(&pair);
 */
#ifndef CS_TESTS_WEB_PAIR_H
#define CS_TESTS_WEB_PAIR_H

#include "shared/net/grpc_server.h"
#include "tests/support/echo_service.h"

struct web_pair {
    struct cs_alarms alarms;
    struct cs_registry *registry;
    struct echo_service service;
    struct cs_peer peer;
    struct cs_grpc_counters counters;
    struct cs_web web; /* the server reads it at each request: a test may set what it has */
    struct cs_grpc_server *server;
    struct cs_http2 *client;
    bool lost; /* one of the two gave the connection up */

    bool lazy; /* the client gives no window back */
    struct {
        struct cs_http2_stream *stream; /* NULL when it is closed */
        size_t bytes;
    } owed[1000];
    unsigned owed_count;
    size_t body_bytes; /* of all answers */

    unsigned answers, closes;
    uint32_t close_code;
    char status[8], type[64];
    char keep[64];  /* the header cache-control */
    char heads[64]; /* of the headers x-head and x-head-bin */
    struct cs_buf body;
};

/* A request, and what a table may want of its answer: neither is looked at here. */
struct web_ask {
    const char *says, *method, *path, *type, *name, *value; /* type, name and value: NULL is none */
    struct cs_slice body;
    const char *status, *answer_type;
    struct cs_slice answer;
};

/* Has all of echo_web(). Where it fails, what it made is there to be closed. */
CS_MUST_USE int web_pair_open(struct web_pair *pair);
/* Every call must have ended, and no alarm be left. */
void web_pair_close(struct web_pair *pair);

/* Sends the request; its body is complete unless `open`. NULL when it could not be sent. */
struct cs_http2_stream *web_pair_ask(struct web_pair *pair, const struct web_ask *ask, bool open);
/* Until nothing moves any more. */
void web_pair_run(struct web_pair *pair);
/* Answers, closes and the body begin anew. */
void web_pair_forget(struct web_pair *pair);
/* The client is lazy no longer, and gives back what it owes. */
void web_pair_read_owed(struct web_pair *pair);

#endif
