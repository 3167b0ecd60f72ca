#include "shared/net/server_impl.h"

#include "shared/base/limits.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    /* What one write carries at most, and how many are made in a turn before others have theirs. */
    WRITE_BYTES = 64 * 1024,
    WRITES_PER_TURN = 4,
    /* For the last bytes of a connection that is being ended. */
    LINGER_MS = 1000,
    /* For calls on a connection that has reached its age. */
    AGE_GRACE_MS = 60 * 1000,
    /* TCP's own question whether a silent peer is there. */
    TCP_KEEPALIVE_S = 60,
};

struct conn {
    struct cs_server *server;
    struct cs_list node;
    struct cs_list dirty;
    struct cs_stream stream;
    void *spoken;          /* of the protocol; from the end of the TLS handshake or the first bytes on */
    struct cs_alarm watch; /* handshake time, then keep-alive, at last lingering */
    struct cs_alarm age;
    struct cs_alarm stall; /* set while something waits for the peer */
    struct cs_peer peer;
    uint64_t bytes_seen; /* when last looked */
    uint64_t body_sent_seen;
    size_t unsent_seen;
    bool up;
    bool pinged;
    bool ending;
    bool terminated;
    uint8_t protocol;      /* enum server_protocol */
    uint8_t sniffed_bytes; /* that could begin either */
};

static const struct server_protocol_ops *ops(const struct conn *conn)
{
    return server_protocol_ops((enum server_protocol)conn->protocol);
}

static void wake(void *owner)
{
    struct conn *conn = owner;

    if (cs_list_empty(&conn->dirty))
        cs_list_append(&conn->server->dirty, &conn->dirty);
    cs_turn_wake(&conn->server->turn);
}

static void set_watch(struct conn *conn, uint64_t after_ms, void (*ring)(struct cs_alarm *alarm))
{
    struct cs_alarms *alarms = &conn->server->turn.alarms;

    cs_alarm_set(alarms, &conn->watch, alarms->now_ms + after_ms, ring);
    cs_turn_wake(&conn->server->turn);
}

/* Not from inside an event of the session. */
static void close_conn(struct conn *conn)
{
    cs_alarm_clear(&conn->server->turn.alarms, &conn->watch);
    cs_alarm_clear(&conn->server->turn.alarms, &conn->age);
    cs_alarm_clear(&conn->server->turn.alarms, &conn->stall);
    cs_stream_close(&conn->stream);
    ops(conn)->free(conn->spoken);
    conn->spoken = NULL;
    cs_list_remove(&conn->dirty);
}

/* The end of a connection that should not have ended so: told once, and only of one that never served. */
static void abandon(struct conn *conn, const struct cs_err *why)
{
    struct cs_server *server = conn->server;
    bool spoke = conn->stream.bytes_received > 0 || why->code != CS_ECLOSED;

    if (!conn->up && spoke && !server->closing) {
        server->connections_refused++;
        if (server->options.on_refused)
            server->options.on_refused(server->options.owner, &conn->peer, why);
    }
    close_conn(conn);
}

/* Alarms */

static void on_handshake_late(struct cs_alarm *alarm)
{
    struct conn *conn = CS_CONTAINER_OF(alarm, struct conn, watch);
    struct cs_err why;

    cs_err_set(&why, CS_ETIMEOUT, "the %s was not done within %" PRIu32 " ms",
               conn->spoken         ? ops(conn)->waits_for
               : conn->stream.ready ? "first request"
                                    : "TLS handshake",
               conn->server->options.handshake_timeout_ms);
    abandon(conn, &why);
}

static void on_linger_over(struct cs_alarm *alarm)
{
    close_conn(CS_CONTAINER_OF(alarm, struct conn, watch));
}

static void on_keepalive(struct cs_alarm *alarm)
{
    struct conn *conn = CS_CONTAINER_OF(alarm, struct conn, watch);
    const struct cs_server_options *options = &conn->server->options;

    if (conn->stream.bytes_received != conn->bytes_seen) {
        conn->bytes_seen = conn->stream.bytes_received;
        conn->pinged = false;
        set_watch(conn, options->keepalive_ms, on_keepalive);
    } else if (conn->pinged) {
        close_conn(conn);
    } else {
        conn->pinged = true;
        ops(conn)->ping(conn->spoken);
        set_watch(conn, options->keepalive_timeout_ms, on_keepalive);
        wake(conn);
    }
}

/* A peer that takes nothing may still answer pings: by not reading its socket (our write is stuck), or by
 * leaving its windows closed. Either way it makes us hold what waits for it. */
static bool something_waits(const struct conn *conn)
{
    return cs_stream_is_writing(&conn->stream) || ops(conn)->queued_bytes(conn->spoken) > 0;
}

static void on_stall(struct cs_alarm *alarm);

static void watch_for_stall(struct conn *conn)
{
    struct cs_alarms *alarms = &conn->server->turn.alarms;

    conn->body_sent_seen = ops(conn)->body_bytes_sent(conn->spoken);
    conn->unsent_seen = cs_stream_unsent_bytes(&conn->stream);
    cs_alarm_set(alarms, &conn->stall, alarms->now_ms + conn->server->options.stall_timeout_ms, on_stall);
    cs_turn_wake(&conn->server->turn);
}

static void on_stall(struct cs_alarm *alarm)
{
    struct conn *conn = CS_CONTAINER_OF(alarm, struct conn, stall);
    bool has_moved = conn->body_sent_seen != ops(conn)->body_bytes_sent(conn->spoken) ||
                     conn->unsent_seen != cs_stream_unsent_bytes(&conn->stream);

    if (!something_waits(conn))
        return;
    if (has_moved)
        watch_for_stall(conn);
    else
        close_conn(conn);
}

static void on_age_grace_over(struct cs_alarm *alarm)
{
    conn_finish(&CS_CONTAINER_OF(alarm, struct conn, age)->node,
                "this connection has reached its age: connect anew");
}

static void on_age(struct cs_alarm *alarm)
{
    struct conn *conn = CS_CONTAINER_OF(alarm, struct conn, age);
    struct cs_alarms *alarms = &conn->server->turn.alarms;

    conn_drain(&conn->node);
    cs_alarm_set(alarms, &conn->age, alarms->now_ms + AGE_GRACE_MS, on_age_grace_over);
}

/* Connections that were made together should not come back together: up to a tenth earlier. */
static uint64_t age_with_jitter(const struct cs_server *server)
{
    uint64_t mixed = server->connections_total * UINT64_C(0x9e3779b97f4a7c15);

    return server->options.max_age_ms - (server->options.max_age_ms / 10) * (mixed >> 32) / UINT32_MAX;
}

static void go_up(struct conn *conn)
{
    struct cs_server *server = conn->server;

    conn->up = true;
    server->handshakes_done++;
    cs_alarm_clear(&server->turn.alarms, &conn->watch);
    if (server->options.keepalive_ms && ops(conn)->ping)
        set_watch(conn, server->options.keepalive_ms, on_keepalive);
    if (server->options.max_age_ms)
        cs_alarm_set(&server->turn.alarms, &conn->age, server->turn.alarms.now_ms + age_with_jitter(server),
                     on_age);
    if (server->closing)
        conn_drain(&conn->node);
}

/* A turn: run what waits, then write for as long as the socket takes it. */

static int write_some(struct conn *conn, struct cs_err *err)
{
    struct cs_buf *out = &conn->server->out;

    for (int i = 0; i < WRITES_PER_TURN; i++) {
        int rc;

        if (cs_stream_is_writing(&conn->stream))
            return CS_OK;
        cs_buf_clear(out);
        rc = ops(conn)->pull(conn->spoken, out, WRITE_BYTES, err);
        if (rc == CS_OK && out->len)
            rc = cs_stream_write(&conn->stream, out, err);
        if (rc != CS_OK)
            return rc;
        if (!out->len && !cs_stream_is_writing(&conn->stream) && !ops(conn)->wants_pull(conn->spoken)) {
            if (!conn->ending || conn->terminated)
                return CS_OK;
            conn->terminated = true;
            ops(conn)->terminate(conn->spoken);
        }
    }
    wake(conn);
    return CS_OK;
}

/* Whatever frames are ready when a session has failed: a GOAWAY says more than a reset. */
static void write_last(struct conn *conn)
{
    struct cs_buf *out = &conn->server->out;
    struct cs_err ignored;

    if (cs_stream_is_writing(&conn->stream))
        return;
    cs_buf_clear(out);
    (void)!ops(conn)->pull(conn->spoken, out, WRITE_BYTES, &ignored);
    if (out->len)
        (void)!cs_stream_write(&conn->stream, out, &ignored);
}

void conn_turn(struct cs_list *dirty_node)
{
    struct conn *conn = CS_CONTAINER_OF(dirty_node, struct conn, dirty);
    struct cs_err err;

    if (!conn->spoken || conn->stream.closing)
        return;
    ops(conn)->run(conn->spoken);
    if (write_some(conn, &err) != CS_OK)
        abandon(conn, &err);
    else if (!cs_stream_is_writing(&conn->stream) && ops(conn)->is_over(conn->spoken, &err))
        abandon(conn, &err);
    else if (!something_waits(conn))
        cs_alarm_clear(&conn->server->turn.alarms, &conn->stall);
    else if (!cs_alarm_is_set(&conn->stall))
        watch_for_stall(conn);
}

void conn_drain(struct cs_list *node)
{
    struct conn *conn = CS_CONTAINER_OF(node, struct conn, node);

    if (!conn->spoken && conn->stream.ready) {
        close_conn(conn); /* it has asked for nothing yet */
        return;
    }
    if (!conn->spoken || conn->ending)
        return;
    ops(conn)->drain(conn->spoken);
    wake(conn);
}

void conn_finish(struct cs_list *node, const char *sentence)
{
    struct conn *conn = CS_CONTAINER_OF(node, struct conn, node);

    if (conn->stream.closing || conn->ending)
        return;
    if (!conn->up) {
        close_conn(conn);
        return;
    }
    conn->ending = true;
    ops(conn)->finish_all(conn->spoken, sentence);
    set_watch(conn, LINGER_MS, on_linger_over);
    wake(conn);
}

/* Events of the socket */

/* The protocol is known. */
static int speak(struct conn *conn, enum server_protocol protocol, struct cs_err *err)
{
    struct cs_server *server = conn->server;
    const struct cs_grpc_server_options options = {
        .registry = server->options.registry,
        .peer = &conn->peer,
        .alarms = &server->turn.alarms,
        .counters = &server->counters,
        .max_streams = server->options.max_streams,
        .web = &server->options.web,
        .wake = wake,
        .owner = conn,
    };
    int rc;

    conn->protocol = (uint8_t)protocol;
    rc = ops(conn)->make(&server->options, &options, &conn->spoken, err);
    /* HTTP/1.1 has times of its own, and no pings to tell a peer that has vanished. */
    if (rc == CS_OK && protocol == SERVER_HTTP1) {
        cs_alarm_clear(&server->turn.alarms, &conn->watch);
        if (conn->peer.kind != CS_PEER_UNIX)
            uv_tcp_keepalive(&conn->stream.uv.tcp, 1, TCP_KEEPALIVE_S);
    }
    if (rc == CS_OK)
        wake(conn);
    return rc;
}

static void on_ready(struct cs_stream *stream)
{
    struct conn *conn = CS_CONTAINER_OF(stream, struct conn, stream);
    struct cs_server *server = conn->server;
    const char *alpn = stream->tls ? cs_tls_alpn(stream->tls) : NULL;
    struct cs_err err;

    cs_turn_look_at_clock(&server->turn);
    if (stream->tls)
        conn->peer.certificate = cs_tls_peer_certificate(stream->tls);
    if (server->options.http1 && (!alpn || strcmp(alpn, "h2") != 0))
        return; /* the first bytes will tell */
    if (speak(conn, SERVER_HTTP2, &err) != CS_OK)
        abandon(conn, &err);
}

/* CS_EBUSY: too little to tell by. */
static int listen_to(struct conn *conn, struct cs_slice bytes, struct cs_err *err)
{
    uint8_t before = conn->sniffed_bytes;
    enum server_sniff sniff = server_sniff(bytes, &conn->sniffed_bytes);
    int rc;

    if (sniff == SERVER_SNIFF_MORE)
        return CS_EBUSY;
    rc = speak(conn, sniff == SERVER_SNIFF_HTTP2 ? SERVER_HTTP2 : SERVER_HTTP1, err);
    return rc == CS_OK && before ? ops(conn)->feed(conn->spoken, server_sniffed(before), err) : rc;
}

static void on_bytes(struct cs_stream *stream, struct cs_slice bytes)
{
    struct conn *conn = CS_CONTAINER_OF(stream, struct conn, stream);
    struct cs_err err;
    int rc = CS_OK;

    cs_turn_look_at_clock(&conn->server->turn);
    if (!conn->spoken)
        rc = listen_to(conn, bytes, &err);
    if (rc == CS_EBUSY)
        return;
    if (rc == CS_OK)
        rc = ops(conn)->feed(conn->spoken, bytes, &err);
    if (rc != CS_OK) {
        if (conn->spoken)
            write_last(conn);
        abandon(conn, &err);
        return;
    }
    if (!conn->up && ops(conn)->is_up(conn->spoken))
        go_up(conn);
    wake(conn);
}

static void on_writable(struct cs_stream *stream)
{
    wake(CS_CONTAINER_OF(stream, struct conn, stream));
}

static void on_down(struct cs_stream *stream, const struct cs_err *why)
{
    abandon(CS_CONTAINER_OF(stream, struct conn, stream), why);
}

static void on_closed(struct cs_stream *stream)
{
    struct conn *conn = CS_CONTAINER_OF(stream, struct conn, stream);
    struct cs_server *server = conn->server;

    cs_list_remove(&conn->node);
    free(conn);
    server_conn_gone(server);
}

static const struct cs_stream_events stream_events = {
    .on_ready = on_ready,
    .on_bytes = on_bytes,
    .on_writable = on_writable,
    .on_down = on_down,
    .on_closed = on_closed,
};

/* Who is there */

static void fill_unix_peer(struct conn *conn)
{
    struct ucred who;
    socklen_t len = sizeof who;
    uv_os_fd_t fd;

    conn->peer.kind = CS_PEER_UNIX;
    snprintf(conn->peer.address, sizeof conn->peer.address, "unix");
    /* Without the credentials nobody is root by accident. */
    conn->peer.uid = conn->peer.pid = UINT32_MAX;
    if (!conn->server->options.trust_peer_uid || uv_fileno(&conn->stream.uv.handle, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return;
    conn->peer.uid = who.uid;
    conn->peer.pid = (uint32_t)who.pid;
    snprintf(conn->peer.address, sizeof conn->peer.address, "unix:uid=%" PRIu32 ",pid=%" PRIu32,
             conn->peer.uid, conn->peer.pid);
}

static void fill_tcp_peer(struct conn *conn)
{
    struct sockaddr_storage address;
    int len = sizeof address;
    char ip[INET6_ADDRSTRLEN] = "?";
    uint16_t port = 0;
    bool is_v6;

    conn->peer.kind = conn->server->options.tls ? CS_PEER_TLS : CS_PEER_TCP;
    if (uv_tcp_getpeername(&conn->stream.uv.tcp, (struct sockaddr *)&address, &len) != 0)
        return;
    is_v6 = address.ss_family == AF_INET6;
    if (is_v6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;

        uv_ip6_name(v6, ip, sizeof ip);
        port = ntohs(v6->sin6_port);
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;

        uv_ip4_name(v4, ip, sizeof ip);
        port = ntohs(v4->sin_port);
    }
    snprintf(conn->peer.address, sizeof conn->peer.address, is_v6 ? "[%s]:%u" : "%s:%u", ip, (unsigned)port);
}

void conn_accept(struct cs_server *server, uv_stream_t *listener, bool is_unix)
{
    struct conn *conn = calloc(1, sizeof *conn);
    struct cs_err err;
    int status;

    /* The waiting connection stays in the queue; libuv asks again when another one comes. */
    if (!conn)
        return;
    if (cs_stream_init(&conn->stream, server->loop, is_unix, &server->room, &stream_events, &err) != CS_OK) {
        free(conn);
        return;
    }
    conn->server = server;
    cs_list_init(&conn->dirty);
    cs_list_append(&server->conns, &conn->node);
    server->connections_open++;
    server->connections_total++;
    cs_turn_look_at_clock(&server->turn);
    status = uv_accept(listener, &conn->stream.uv.stream);
    if (status != 0 || server->closing || server->connections_open > server->options.max_connections) {
        server->connections_refused++;
        cs_stream_close(&conn->stream);
        return;
    }
    if (is_unix)
        fill_unix_peer(conn);
    else
        fill_tcp_peer(conn);
    set_watch(conn, server->options.handshake_timeout_ms, on_handshake_late);
    if (cs_stream_start(&conn->stream, server->options.tls, NULL, server->options.slim, &err) != CS_OK)
        abandon(conn, &err);
}
