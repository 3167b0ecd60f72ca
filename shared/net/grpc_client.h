/* grpc_client.h - the client half of gRPC on one connection; the calls are those of client.h. No I/O: the
 * owner feeds and pulls the session (cs_grpc_client_http2()) and runs it before each pull. */
#ifndef CS_NET_GRPC_CLIENT_H
#define CS_NET_GRPC_CLIENT_H

#include "shared/net/client.h"
#include "shared/net/http2.h"

struct cs_grpc_client;

struct cs_grpc_client_options {
    const char *authority; /* copied */
    bool is_tls;           /* for :scheme */
    struct cs_alarms *alarms;
    void (*on_up)(void *owner);
    void (*on_goaway)(void *owner);
    void (*wake)(void *owner); /* something waits to be run or pulled */
    void *owner;
};

CS_MUST_USE int cs_grpc_client_new(const struct cs_grpc_client_options *options, struct cs_grpc_client **ret,
                                   struct cs_err *err);
/* Calls must have ended: cs_grpc_client_end_all(). Not from inside an event. NULL is fine. */
void cs_grpc_client_free(struct cs_grpc_client *grpc);
struct cs_http2 *cs_grpc_client_http2(struct cs_grpc_client *grpc);
/* Ends cancelled calls, gives resumed ones their messages. */
void cs_grpc_client_run(struct cs_grpc_client *grpc);
/* At once, also from inside an event. No new calls afterwards. */
void cs_grpc_client_end_all(struct cs_grpc_client *grpc, enum cs_status status, const char *sentence);
uint32_t cs_grpc_client_calls_open(const struct cs_grpc_client *grpc);

CS_MUST_USE int cs_grpc_call_new(struct cs_grpc_client *grpc, const struct cs_client_call_options *options,
                                 const struct cs_client_events *events, void *data,
                                 struct cs_client_call **ret, struct cs_err *err);

#endif
