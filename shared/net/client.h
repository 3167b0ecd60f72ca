/* client.h - one gRPC connection to a server, and the calls on it. Owns its socket; lives on one libuv loop.
 * Does not reconnect: whoever owns it decides when to try again (the agent with jitter, the CLI never).
 *
 * Events never run inside the function that caused them, but for cs_client_close(), which ends every call
 * first. */
#ifndef CS_NET_CLIENT_H
#define CS_NET_CLIENT_H

#include "shared/base/slice.h"
#include "shared/net/status.h"
#include "shared/net/tls.h"

#include <uv.h>

struct cs_client;
struct cs_client_call;

struct cs_client_options {
    const char *unix_path; /* or host and port */
    const char *host;      /* IP or name (resolved off the loop) */
    uint16_t port;
    struct cs_tls_config *tls;                   /* borrowed; NULL: plain */
    const char *server_name;                     /* what the server's certificate must bear; NULL: host */
    uint32_t connect_timeout_ms;                 /* name, TCP and TLS; 0: 10,000 */
    uint32_t keepalive_ms, keepalive_timeout_ms; /* as in server.h */
    bool slim;
    /* Settings acknowledged, calls may be made. */
    void (*on_up)(struct cs_client *client, void *owner);
    /* The server takes no new calls (it goes down, or this connection has reached its age): finish what is
     * open and connect anew. on_down follows when nothing is open any more. */
    void (*on_goaway)(struct cs_client *client, void *owner);
    /* Once; `why` has the reason, also for a connection that never came up. Every call has ended before.
     * After it the owner closes the client. */
    void (*on_down)(struct cs_client *client, const struct cs_err *why, void *owner);
    void *owner;
};

CS_MUST_USE int cs_client_new(uv_loop_t *loop, const struct cs_client_options *options,
                              struct cs_client **ret, struct cs_err *err);
/* Idempotent. Frees the client once its handles are closed; then calls on_closed (may be NULL). No on_down
 * follows. */
void cs_client_close(struct cs_client *client, void (*on_closed)(void *owner));
struct cs_slice cs_client_server_certificate(const struct cs_client *client);

struct cs_metadata {
    const char *name;
    struct cs_slice value; /* "-bin" names: encoded on the way */
};

/* Any may be NULL but on_end, which comes exactly once, last. */
struct cs_client_events {
    void (*on_message)(struct cs_client_call *call, struct cs_slice message, void *data);
    void (*on_writable)(struct cs_client_call *call, void *data);
    /* `message` is the server's sentence, or ours; trailers can be asked for during on_end. The call is gone
     * afterwards. */
    void (*on_end)(struct cs_client_call *call, enum cs_status status, const char *message, void *data);
};

struct cs_client_call_options {
    const char *path;       /* "/countersign.v1.AgentService/Connect" */
    uint32_t timeout_ms;    /* sent as grpc-timeout and enforced here; 0: none */
    size_t reply_max_bytes; /* of one message; 0: CS_LIMIT_MESSAGE_BYTES */
    const struct cs_metadata *metadata;
    size_t metadata_count;
};

CS_MUST_USE int cs_client_call_new(struct cs_client *client, const struct cs_client_call_options *options,
                                   const struct cs_client_events *events, void *data,
                                   struct cs_client_call **ret, struct cs_err *err);
/* As cs_call_send(): CS_OK, CS_EBUSY (taken; wait for on_writable), CS_EFULL (not taken), CS_ECLOSED. */
int cs_client_call_send(struct cs_client_call *call, struct cs_slice message);
void cs_client_call_half_close(struct cs_client_call *call);
/* on_end with CANCELLED follows, from the loop. */
void cs_client_call_cancel(struct cs_client_call *call);
struct cs_slice cs_client_call_trailer(const struct cs_client_call *call, const char *name);
void cs_client_call_pause(struct cs_client_call *call, bool paused);

#endif
