/* server.h - a listener on one libuv loop that serves a registry of methods over gRPC: TCP with or without
 * TLS, or a unix socket with prior-knowledge HTTP/2. Where its options say so it also speaks HTTP/1.1 on the
 * same socket, the Connect protocol, and answers plain routes (web.h). A connection lives and dies on the
 * loop that accepted it; several loops may listen on one TCP port (SO_REUSEPORT), each with a server of its
 * own. Owns its sockets and connections. */
#ifndef CS_NET_SERVER_H
#define CS_NET_SERVER_H

#include "shared/net/call.h"
#include "shared/net/tls.h"
#include "shared/net/web.h"

#include <uv.h>

struct cs_server;

struct cs_server_options {
    const struct cs_registry *registry; /* borrowed */
    struct cs_tls_config *tls;          /* borrowed; NULL: plain */
    uint32_t max_connections;           /* beyond it, new ones are closed at once; 0: 10,000 */
    uint32_t handshake_timeout_ms;      /* TLS and HTTP/2 preface; 0: 10,000 */
    uint32_t keepalive_ms;              /* a silent connection is pinged after this; 0: never */
    uint32_t keepalive_timeout_ms;      /* and closed when the ping is not answered in this time; 0: 20,000 */
    uint32_t stall_timeout_ms;          /* closed when it takes nothing of what waits for it, though it may
                                           answer pings; 0: 60,000 */
    uint32_t max_age_ms;                /* GOAWAY after this (TLS 1.3 without KeyUpdate); 0: never */
    uint32_t max_streams;               /* per connection; 0: CS_LIMIT_STREAMS_PER_CONNECTION */
    bool slim;                          /* give idle TLS memory back (cs_tls_slim) */
    bool trust_peer_uid;                /* unix: read SO_PEERCRED into cs_peer */

    /* For operators and their tools; agents' listeners leave all of it out. */
    bool http1;               /* HTTP/1.1 beside HTTP/2, told apart by the first bytes; with TLS the
                                 configuration's alpn is "h2,http/1.1" */
    struct cs_web web;        /* what is answered beside gRPC */
    uint32_t head_timeout_ms; /* HTTP/1.1: for the head of a request once it has begun; 0: 10,000 */
    uint32_t body_timeout_ms; /* HTTP/1.1: a body brings 1 KB in this time or ends; 0: 10,000 */
    uint32_t idle_timeout_ms; /* HTTP/1.1: between requests; 0: 60,000 */

    /* May be NULL. on_refused: a peer that did not get as far as a call (handshake, preface, flood), once a
     * connection. */
    void (*on_refused)(void *owner, const struct cs_peer *peer, const struct cs_err *why);
    void *owner;
};

CS_MUST_USE int cs_server_new(uv_loop_t *loop, const struct cs_server_options *options,
                              struct cs_server **ret, struct cs_err *err);
/* `port` 0 picks one; the port that is bound is given back. `reuse_port` for several loops on one port. */
CS_MUST_USE int cs_server_listen_tcp(struct cs_server *server, const char *ip, uint16_t port, bool reuse_port,
                                     uint16_t *ret_port, struct cs_err *err);
/* Replaces a stale socket file (one that nobody answers), refuses one that is in use. */
CS_MUST_USE int cs_server_listen_unix(struct cs_server *server, const char *path, unsigned mode,
                                      struct cs_err *err);

struct cs_server_stats {
    uint64_t connections_open, connections_total, connections_refused;
    uint64_t calls_open, calls_total, handshakes_done;
};
void cs_server_stats(const struct cs_server *server, struct cs_server_stats *ret);

/* Stops accepting and sends GOAWAY; calls under way may finish for grace_ms, then are ended as UNAVAILABLE.
 * on_closed comes once everything is closed, and frees the server after it returns. Calling again with a
 * shorter grace hastens it. */
void cs_server_close(struct cs_server *server, uint32_t grace_ms, void (*on_closed)(void *owner));

#endif
