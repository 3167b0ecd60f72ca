/* call.h - one remote call as its handler sees it: request messages in, reply messages out, a caller, a
 * deadline, an end. It knows no transport: gRPC is one behind it, Connect another. Everything of one
 * call happens on its connection's loop thread. Start at struct cs_method.
 *
 * Order of events: on_open, then on_message (0 or more) and on_half_close (at most once), in between
 * on_writable after a refused send; last on_end, exactly once whatever happened, after which the call is
 * gone. A handler ends a call with cs_call_finish(); a cancel, a passed deadline or a lost connection end it
 * without that. Both lead to on_end. on_end never runs inside cs_call_send() or cs_call_finish(), so a
 * handler may use its state after calling them. */
#ifndef CS_NET_CALL_H
#define CS_NET_CALL_H

#include "shared/base/slice.h"
#include "shared/net/status.h"

struct cs_call;

enum cs_call_kind { CS_CALL_UNARY, CS_CALL_SERVER_STREAM, CS_CALL_CLIENT_STREAM, CS_CALL_BIDI };

/* One row of the table of methods. */
struct cs_method {
    const char *service; /* "countersign.v1.AgentService" */
    const char *name;    /* "Connect" */
    enum cs_call_kind kind;
    size_t request_max_bytes; /* a larger request message ends the call as RESOURCE_EXHAUSTED; 0:
                                 CS_LIMIT_MESSAGE_BYTES */
    const struct cs_call_handler *handler;
    uint32_t tag; /* the service's own, e.g. the roles that may call it */
};

/* Any of these may be NULL. For UNARY and SERVER_STREAM the transport sees to it that on_message comes
 * exactly once. */
struct cs_call_handler {
    void (*on_open)(struct cs_call *call);
    /* `message` is valid during the call only. */
    void (*on_message)(struct cs_call *call, struct cs_slice message);
    void (*on_half_close)(struct cs_call *call);
    void (*on_writable)(struct cs_call *call);
    void (*on_end)(struct cs_call *call, enum cs_status how);
};

enum cs_peer_kind { CS_PEER_UNIX, CS_PEER_TCP, CS_PEER_TLS };

/* Who is at the other end; filled by the listener, the same for every call of a connection. */
struct cs_peer {
    enum cs_peer_kind kind;
    char address[64];            /* "127.0.0.1:40312", "unix:uid=1000,pid=77" */
    uint32_t uid, pid;           /* UNIX */
    struct cs_slice certificate; /* TLS: the leaf's DER that the handshake verified, empty without one */
};

const struct cs_method *cs_call_method(const struct cs_call *call);
const struct cs_peer *cs_call_peer(const struct cs_call *call);
/* What the service was registered with, and the handler's own pointer for this call. */
void *cs_call_service(const struct cs_call *call);
void *cs_call_data(const struct cs_call *call);
void cs_call_set_data(struct cs_call *call, void *data);
/* Request metadata by lower-case name, empty if absent; "-bin" values are decoded. */
struct cs_slice cs_call_metadata(const struct cs_call *call, const char *name);
/* The same where a name may come several times: goes through the values, beginning with *cursor = 0; false at
 * the end. */
bool cs_call_metadata_next(const struct cs_call *call, const char *name, size_t *cursor,
                           struct cs_slice *ret_value);
/* Of a call by Connect, which browsers make: host and port that its request was for, as the client wrote
 * them. Empty with gRPC. */
struct cs_slice cs_call_authority(const struct cs_call *call);
/* Milliseconds on the loop's clock, 0 without a deadline. The transport enforces it. */
uint64_t cs_call_deadline_ms(const struct cs_call *call);

/* Copies the message to the transport. CS_OK: taken. CS_EBUSY: taken, and the peer reads slowly: send no more
 * before on_writable (a few more are taken; CS_EFULL: not taken). CS_ECLOSED: the call has ended or was
 * finished. */
int cs_call_send(struct cs_call *call, struct cs_slice message);
/* Metadata that goes out with the head of the answer: a header of HTTP's by Connect, initial metadata by
 * gRPC. Copied. CS_ESTATE once a message was sent, with which the head may have left. */
CS_MUST_USE int cs_call_add_header(struct cs_call *call, const char *name, struct cs_slice value);
/* Metadata that goes out with the end; copied. Only before cs_call_finish(). */
CS_MUST_USE int cs_call_add_trailer(struct cs_call *call, const char *name, struct cs_slice value);
/* Ends the call once everything sent has gone out. `message` is for people; NULL with OK. Later sends and
 * finishes do nothing. */
void cs_call_finish(struct cs_call *call, enum cs_status status, const char *message);
/* The same from an error: its status and its sentence. */
void cs_call_fail(struct cs_call *call, const struct cs_err *err);
/* A unary answer in one go. */
void cs_call_reply(struct cs_call *call, struct cs_slice message);
/* Stop or go on taking request messages from the peer (HTTP/2 window closed meanwhile): for a handler that
 * waits. */
void cs_call_pause(struct cs_call *call, bool paused);

/* A set of services that a listener serves. `service` becomes cs_call_service() of these methods. Methods are
 * borrowed. */
struct cs_registry;
CS_MUST_USE int cs_registry_new(struct cs_registry **ret, struct cs_err *err);
CS_MUST_USE int cs_registry_add(struct cs_registry *registry, const struct cs_method *methods, size_t count,
                                void *service, struct cs_err *err);
/* By "/countersign.v1.AgentService/Connect"; NULL if there is none. */
const struct cs_method *cs_registry_find(const struct cs_registry *registry, struct cs_slice path,
                                         void **ret_service);
/* Every method, in the order in which they were added. */
void cs_registry_each(const struct cs_registry *registry,
                      void (*on_method)(const struct cs_method *method, void *data), void *data);
void cs_registry_free(struct cs_registry *registry);

#endif
