/* call_impl.h - the inside of a call, for the transports that carry it: gRPC (grpc_server.c) and Connect
 * (connect.c). A transport embeds struct cs_call in its own, fills it, begins it, reports what the peer does,
 * and ends it.
 *
 * The rules that handlers rely on are kept here, once for all transports: one message for a unary or
 * server-streaming method, nothing after a finish, on_end exactly once. Pure. */
#ifndef CS_NET_CALL_IMPL_H
#define CS_NET_CALL_IMPL_H

#include "shared/base/buf.h"
#include "shared/net/call.h"
#include "shared/net/metadata.h"

/* What call.h promises, for one transport; `send` and `finish` only queue and run no handler. */
struct cs_call_transport {
    int (*send)(struct cs_call *call, struct cs_slice message);
    int (*add_trailer)(struct cs_call *call, const char *name, struct cs_slice value);
    void (*finish)(struct cs_call *call, enum cs_status status, const char *message);
    void (*pause)(struct cs_call *call, bool paused);
};

/* A name that no client can send by. */
#define CS_CALL_AUTHORITY ":authority"

struct cs_call {
    const struct cs_call_transport *transport;
    const struct cs_method *method;
    const struct cs_peer *peer;
    void *service;
    void *data;
    struct cs_metadata_list metadata; /* cs_call_authority() has an entry, too: CS_CALL_AUTHORITY */
    struct cs_metadata_list headers;  /* of the answer's head, as they go onto the wire */
    uint64_t deadline_ms;
    enum cs_status status; /* what cs_call_finish() said */
    bool got_message : 1;
    bool sent : 1; /* a message, or tried to */
    bool half_closed : 1;
    bool finished : 1;
    bool ended : 1;
};

/* Each may run the handler; look at `ended` and `finished` afterwards. */
void cs_call_begin(struct cs_call *call);
void cs_call_take_message(struct cs_call *call, struct cs_slice message);
void cs_call_take_half_close(struct cs_call *call);
void cs_call_take_writable(struct cs_call *call);
/* Runs on_end, the first time only. */
void cs_call_end(struct cs_call *call, enum cs_status how);

size_t cs_call_request_max(const struct cs_call *call);

#endif
