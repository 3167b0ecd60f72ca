/* server_impl.h - the inside of a server: server.c listens and closes, server_conn.c is one connection, what
 * it speaks stands in server_protocol.c. */
#ifndef CS_NET_SERVER_IMPL_H
#define CS_NET_SERVER_IMPL_H

#include "shared/base/list.h"
#include "shared/net/grpc_server.h"
#include "shared/net/server.h"
#include "shared/net/server_protocol.h"
#include "shared/net/stream.h"
#include "shared/net/turn.h"

struct cs_server {
    uv_loop_t *loop;
    struct cs_server_options options; /* defaults filled in */
    struct cs_turn turn;
    struct cs_list listeners;
    struct cs_list conns;
    struct cs_list dirty; /* connections with something to do this turn */
    struct cs_stream_room room;
    struct cs_buf out; /* what is being pulled from one session */
    struct cs_grpc_counters counters;
    uint64_t connections_total, connections_refused, handshakes_done;
    uint32_t connections_open;
    unsigned listeners_open;
    struct cs_alarm grace;
    bool closing;
    void (*on_closed)(void *owner);
};

struct conn;

/* Takes one connection from `listener`, which has one waiting. */
void conn_accept(struct cs_server *server, uv_stream_t *listener, bool is_unix);
/* Does what is due; called once a turn for each dirty connection. */
void conn_turn(struct cs_list *dirty_node);
/* GOAWAY; open calls may finish. */
void conn_drain(struct cs_list *node);
/* Open calls are answered with UNAVAILABLE, and the connection ends as soon as that has gone out. */
void conn_finish(struct cs_list *node, const char *sentence);
/* A connection's memory has gone. */
void server_conn_gone(struct cs_server *server);

#endif
