/* socket.h - one connection for talk and probe: a name or address is found, connected to, spoken to and left,
 * all within one time limit. It lives inside its owner, who goes when on_closed says so. */
#ifndef AG_PORT_SOCKET_H
#define AG_PORT_SOCKET_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include <netinet/in.h>
#include <uv.h>

struct ag_socket;

struct ag_socket_events {
    void (*on_connected)(struct ag_socket *socket);
    void (*on_bytes)(struct ag_socket *socket, struct cs_slice bytes);
    /* Once, and nothing but on_closed behind it: CS_ECLOSED the peer ended it, CS_ETIMEOUT the time is over,
     * else a failure. Its sentence needs nothing in front. */
    void (*on_over)(struct ag_socket *socket, const struct cs_err *why);
    void (*on_closed)(struct ag_socket *socket);
};

enum { AG_SOCKET_READ_BYTES = 1024 };

struct ag_socket {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    const struct ag_socket_events *events;
    struct addrinfo *addresses, *next; /* of a name */
    struct sockaddr_in6 numeric[2];    /* or these, either family */
    unsigned numeric_count, numeric_next;
    uint32_t timeout_ms;
    char where[128]; /* for sentences */
    struct cs_buf sending, waiting;
    bool stream_open, timer_open, looking_up, connected, over, closing;
    char incoming[AG_SOCKET_READ_BYTES];
};

/* The struct is zeroed. On failure nothing is open and no event comes. */
CS_MUST_USE int ag_socket_open(struct ag_socket *socket, uv_loop_t *loop, const char *host, uint16_t port,
                               uint32_t timeout_ms, const struct ag_socket_events *events,
                               struct cs_err *err);
/* "/path" of a unix socket, or "HOST:PORT" ("[::1]:80"). */
CS_MUST_USE int ag_socket_open_address(struct ag_socket *socket, uv_loop_t *loop, const char *address,
                                       uint32_t timeout_ms, const struct ag_socket_events *events,
                                       struct cs_err *err);
/* Copies; what was sent is overwritten. A failure to deliver comes as on_over. */
CS_MUST_USE int ag_socket_send(struct ag_socket *socket, struct cs_slice bytes, struct cs_err *err);
/* Nothing more will be sent; on_over, at the latest after so many ms. */
void ag_socket_finish(struct ag_socket *socket, uint32_t timeout_ms);
/* Idempotent. on_closed comes from the loop. */
void ag_socket_close(struct ag_socket *socket);

#endif
