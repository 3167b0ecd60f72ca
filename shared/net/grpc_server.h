/* grpc_server.h - the server half of gRPC on one connection: streams of an HTTP/2 session become calls of a
 * registry's methods. No I/O: the owner feeds and pulls the session (cs_grpc_server_http2()). What is not
 * gRPC goes to web_impl.h where the listener answers such, and is refused elsewhere. */
#ifndef CS_NET_GRPC_SERVER_H
#define CS_NET_GRPC_SERVER_H

#include "shared/net/call.h"
#include "shared/net/http2.h"
#include "shared/net/web.h"

struct cs_grpc_server;

struct cs_grpc_counters {
    uint64_t calls_open, calls_total;
};

struct cs_grpc_server_options {
    const struct cs_registry *registry;
    const struct cs_peer *peer;
    struct cs_alarms *alarms; /* the clock, and where deadlines wait */
    struct cs_grpc_counters *counters;
    uint32_t max_streams;
    const struct cs_web *web;  /* NULL or closed: gRPC alone, and no memory for anything else */
    void (*wake)(void *owner); /* something waits to be pulled */
    void *owner;
};

CS_MUST_USE int cs_grpc_server_new(const struct cs_grpc_server_options *options, struct cs_grpc_server **ret,
                                   struct cs_err *err);
/* Calls that are open end as UNAVAILABLE. NULL is fine. */
void cs_grpc_server_free(struct cs_grpc_server *grpc);
struct cs_http2 *cs_grpc_server_http2(struct cs_grpc_server *grpc);
/* Gives resumed calls the messages that waited for them. Call before pulling. */
void cs_grpc_server_run(struct cs_grpc_server *grpc);
/* Answers every open call with UNAVAILABLE. */
void cs_grpc_server_finish_all(struct cs_grpc_server *grpc, const char *sentence);
/* gRPC's calls whose end has not gone out. */
uint32_t cs_grpc_server_calls_open(const struct cs_grpc_server *grpc);

#endif
