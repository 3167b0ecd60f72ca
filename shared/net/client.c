#include "shared/net/grpc_client.h"
#include "shared/net/stream.h"
#include "shared/net/turn.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    READ_BYTES = 16 * 1024,
    /* As on the server: what one write carries, and how many are made in a turn. */
    WRITE_BYTES = 64 * 1024,
    WRITES_PER_TURN = 4,
};

enum phase { RESOLVING, CONNECTING, SECURING, SETTLING, UP, DOWN };

static const char *const phase_texts[] = {
    [RESOLVING] = "looking up the name",
    [CONNECTING] = "connecting",
    [SECURING] = "the TLS handshake",
    [SETTLING] = "the exchange of HTTP/2 settings",
    [UP] = "the connection",
    [DOWN] = "the connection",
};

static const char goaway_sentence[] = "the server has ended it in good order: connect anew";

struct cs_client {
    uv_loop_t *loop;
    struct cs_client_options options; /* the strings are our own copies */
    char *where;                      /* for sentences, and :authority */
    char *server_name;
    enum phase phase;
    struct cs_turn turn;
    struct cs_stream stream;
    struct cs_stream_room room;
    struct cs_buf out;
    struct cs_grpc_client *grpc;
    struct cs_alarm watch; /* connect time, then keep-alive */
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    struct addrinfo *addresses; /* all that the name has */
    struct addrinfo *next;      /* those from here on are untried */
    struct cs_err why;          /* of the end */
    uint64_t bytes_seen;
    bool pinged;
    bool went_up;
    bool told_up, told_goaway, told_down;
    bool got_goaway;
    bool looking_up;
    bool stream_open; /* the handle exists; its on_closed is still to come */
    bool closing;
    void (*on_closed)(void *owner);
};

static void try_next_address(struct cs_client *client);
static void maybe_closed(struct cs_client *client);

static void wake(void *owner)
{
    struct cs_client *client = owner;

    cs_turn_wake(&client->turn);
}

/* The end of the connection, told from the next turn. */
static void go_down(struct cs_client *client, const struct cs_err *why)
{
    if (client->phase == DOWN)
        return;
    client->why = *why;
    cs_err_prefix(&client->why, "%s: %s", client->where, phase_texts[client->phase]);
    client->phase = DOWN;
    cs_alarm_clear(&client->turn.alarms, &client->watch);
    if (client->stream_open)
        cs_stream_close(&client->stream);
    wake(client);
}

static void set_watch(struct cs_client *client, uint64_t after_ms, void (*ring)(struct cs_alarm *alarm))
{
    cs_alarm_set(&client->turn.alarms, &client->watch, client->turn.alarms.now_ms + after_ms, ring);
    wake(client);
}

static void on_connect_late(struct cs_alarm *alarm)
{
    struct cs_client *client = CS_CONTAINER_OF(alarm, struct cs_client, watch);
    struct cs_err why;

    cs_err_set(&why, CS_ETIMEOUT, "not done within %" PRIu32 " ms", client->options.connect_timeout_ms);
    go_down(client, &why);
}

static void on_keepalive(struct cs_alarm *alarm)
{
    struct cs_client *client = CS_CONTAINER_OF(alarm, struct cs_client, watch);
    struct cs_err why;

    if (client->stream.bytes_received != client->bytes_seen) {
        client->bytes_seen = client->stream.bytes_received;
        client->pinged = false;
        set_watch(client, client->options.keepalive_ms, on_keepalive);
    } else if (client->pinged) {
        cs_err_set(&why, CS_ETIMEOUT, "the server did not answer a ping within %" PRIu32 " ms",
                   client->options.keepalive_timeout_ms);
        go_down(client, &why);
    } else {
        client->pinged = true;
        cs_http2_ping(cs_grpc_client_http2(client->grpc));
        set_watch(client, client->options.keepalive_timeout_ms, on_keepalive);
    }
}

/* Events of the session: noted here, told from the turn. */

static void on_session_up(void *owner)
{
    struct cs_client *client = owner;

    client->phase = UP;
    client->went_up = true;
    cs_alarm_clear(&client->turn.alarms, &client->watch);
    if (client->options.keepalive_ms)
        set_watch(client, client->options.keepalive_ms, on_keepalive);
}

static void on_session_goaway(void *owner)
{
    struct cs_client *client = owner;

    client->got_goaway = true;
}

/* Events of the socket */

static void on_ready(struct cs_stream *stream)
{
    struct cs_client *client = CS_CONTAINER_OF(stream, struct cs_client, stream);
    struct cs_grpc_client_options options = {
        .authority = client->where,
        .is_tls = client->options.tls != NULL,
        .alarms = &client->turn.alarms,
        .on_up = on_session_up,
        .on_goaway = on_session_goaway,
        .wake = wake,
        .owner = client,
    };
    struct cs_err err;

    cs_turn_look_at_clock(&client->turn);
    client->phase = SETTLING;
    if (cs_grpc_client_new(&options, &client->grpc, &err) != CS_OK)
        go_down(client, &err);
    wake(client);
}

static void on_bytes(struct cs_stream *stream, struct cs_slice bytes)
{
    struct cs_client *client = CS_CONTAINER_OF(stream, struct cs_client, stream);
    struct cs_err err;

    if (client->phase == DOWN)
        return;
    cs_turn_look_at_clock(&client->turn);
    if (cs_http2_feed(cs_grpc_client_http2(client->grpc), bytes, &err) != CS_OK)
        go_down(client, &err);
    wake(client);
}

static void on_writable(struct cs_stream *stream)
{
    wake(CS_CONTAINER_OF(stream, struct cs_client, stream));
}

static void on_stream_down(struct cs_stream *stream, const struct cs_err *why)
{
    struct cs_client *client = CS_CONTAINER_OF(stream, struct cs_client, stream);
    struct cs_err announced;

    if (client->got_goaway && why->code == CS_ECLOSED) {
        cs_err_set(&announced, CS_ECLOSED, "%s", goaway_sentence);
        why = &announced;
    }
    go_down(client, why);
}

static void on_stream_closed(struct cs_stream *stream)
{
    struct cs_client *client = CS_CONTAINER_OF(stream, struct cs_client, stream);

    client->stream_open = false;
    if (!client->closing && client->phase == CONNECTING)
        try_next_address(client);
    maybe_closed(client);
}

static const struct cs_stream_events stream_events = {
    .on_ready = on_ready,
    .on_bytes = on_bytes,
    .on_writable = on_writable,
    .on_down = on_stream_down,
    .on_closed = on_stream_closed,
};

/* Getting connected */

static void on_connected(uv_connect_t *request, int status)
{
    struct cs_client *client = CS_CONTAINER_OF(request, struct cs_client, connect);
    struct cs_err err;

    if (client->closing || client->phase == DOWN)
        return;
    if (status < 0 && client->next) {
        cs_stream_close(&client->stream); /* then the next address */
        return;
    }
    if (status < 0) {
        cs_err_set(&err, CS_EIO, "%s", uv_strerror(status));
        go_down(client, &err);
        return;
    }
    client->phase = client->options.tls ? SECURING : SETTLING;
    if (cs_stream_start(&client->stream, client->options.tls, client->server_name, client->options.slim,
                        &err) != CS_OK)
        go_down(client, &err);
}

static void try_next_address(struct cs_client *client)
{
    struct addrinfo *address = client->next;
    struct cs_err err;
    int rc, status;

    client->next = address->ai_next;
    client->phase = CONNECTING;
    rc = cs_stream_init(&client->stream, client->loop, false, &client->room, &stream_events, &err);
    if (rc == CS_OK) {
        client->stream_open = true;
        status = uv_tcp_connect(&client->connect, &client->stream.uv.tcp, address->ai_addr, on_connected);
        if (status < 0)
            rc = cs_err_set(&err, CS_EIO, "%s", uv_strerror(status));
    }
    if (rc != CS_OK)
        go_down(client, &err);
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct cs_client *client = CS_CONTAINER_OF(request, struct cs_client, lookup);
    struct cs_err err;

    client->looking_up = false;
    client->addresses = client->next = addresses;
    if (client->closing) {
        maybe_closed(client);
    } else if (client->phase != DOWN && status < 0) {
        cs_err_set(&err, CS_EIO, "%s", uv_strerror(status));
        go_down(client, &err);
    } else if (client->phase != DOWN) {
        try_next_address(client);
    }
}

static int start_tcp(struct cs_client *client, struct cs_err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[8];
    int status;

    snprintf(port, sizeof port, "%u", (unsigned)client->options.port);
    status = uv_getaddrinfo(client->loop, &client->lookup, on_looked_up, client->options.host, port, &hints);
    if (status < 0)
        return cs_err_set(err, CS_EIO, "looking up %s: %s", client->options.host, uv_strerror(status));
    client->looking_up = true;
    return CS_OK;
}

static int start_unix(struct cs_client *client, struct cs_err *err)
{
    const char *path = client->options.unix_path;
    int rc = cs_stream_init(&client->stream, client->loop, true, &client->room, &stream_events, err);
    int status;

    if (rc != CS_OK)
        return rc;
    client->stream_open = true;
    client->phase = CONNECTING;
    status = uv_pipe_connect2(&client->connect, &client->stream.uv.pipe, path, strlen(path), 0, on_connected);
    return status == 0 ? CS_OK
                       : cs_err_set(err, CS_EINVAL, "connecting to %s: %s", path, uv_strerror(status));
}

/* A turn */

static int write_some(struct cs_client *client, struct cs_err *err)
{
    struct cs_http2 *http2 = cs_grpc_client_http2(client->grpc);

    for (int i = 0; i < WRITES_PER_TURN; i++) {
        int rc;

        if (cs_stream_is_writing(&client->stream))
            return CS_OK;
        cs_buf_clear(&client->out);
        rc = cs_http2_pull(http2, &client->out, WRITE_BYTES, err);
        if (rc == CS_OK && client->out.len)
            rc = cs_stream_write(&client->stream, &client->out, err);
        if (rc != CS_OK || !cs_http2_wants_pull(http2))
            return rc;
    }
    wake(client);
    return CS_OK;
}

/* An idle agent should not keep the room that its largest push once needed. */
static void give_room_back(struct cs_client *client)
{
    if (client->options.slim && !cs_stream_is_writing(&client->stream)) {
        cs_buf_wipe(&client->out);
        cs_buf_wipe(&client->room.plain);
    }
}

static void tell(struct cs_client *client)
{
    const struct cs_client_options *options = &client->options;

    if (client->went_up && !client->told_up && !client->closing) {
        client->told_up = true;
        if (options->on_up)
            options->on_up(client, options->owner);
    }
    if (client->got_goaway && !client->told_goaway && client->phase == UP && !client->closing) {
        client->told_goaway = true;
        if (options->on_goaway)
            options->on_goaway(client, options->owner);
    }
    if (client->phase == DOWN && !client->told_down && !client->closing) {
        client->told_down = true;
        if (client->grpc)
            cs_grpc_client_end_all(client->grpc, CS_STATUS_UNAVAILABLE, client->why.msg);
        if (options->on_down && !client->closing)
            options->on_down(client, &client->why, options->owner);
    }
}

static void end_if_over(struct cs_client *client)
{
    struct cs_http2 *http2 = cs_grpc_client_http2(client->grpc);
    struct cs_err err;

    if (cs_stream_is_writing(&client->stream))
        return;
    if (cs_http2_is_over(http2, &err)) {
        if (err.code == CS_OK)
            cs_err_set(&err, CS_ECLOSED, "the server ended it");
        go_down(client, &err);
    } else if (client->got_goaway && cs_grpc_client_calls_open(client->grpc) == 0 &&
               cs_http2_streams_open(http2) == 0) {
        cs_err_set(&err, CS_ECLOSED, "%s", goaway_sentence);
        go_down(client, &err);
    }
}

static void on_turn(struct cs_turn *turn)
{
    struct cs_client *client = CS_CONTAINER_OF(turn, struct cs_client, turn);
    struct cs_err err;

    if (client->closing)
        return;
    if (client->grpc)
        cs_grpc_client_run(client->grpc);
    tell(client);
    if (client->closing || client->phase == DOWN || !client->grpc)
        return;
    if (write_some(client, &err) != CS_OK)
        go_down(client, &err);
    else
        end_if_over(client);
    give_room_back(client);
}

/* Beginning and end */

static void client_free(struct cs_client *client)
{
    cs_grpc_client_free(client->grpc);
    uv_freeaddrinfo(client->addresses);
    cs_stream_room_free(&client->room);
    cs_buf_wipe(&client->out);
    free(client->where);
    free(client->server_name);
    free(client);
}

static void on_turn_closed(struct cs_turn *turn)
{
    struct cs_client *client = CS_CONTAINER_OF(turn, struct cs_client, turn);
    void (*on_closed)(void *owner) = client->on_closed;
    void *owner = client->options.owner;

    client_free(client);
    if (on_closed)
        on_closed(owner);
}

static void maybe_closed(struct cs_client *client)
{
    if (client->closing && !client->stream_open && !client->looking_up)
        cs_turn_close(&client->turn, on_turn_closed);
}

void cs_client_close(struct cs_client *client, void (*on_closed)(void *owner))
{
    if (client->closing)
        return;
    client->closing = true;
    client->on_closed = on_closed;
    if (client->grpc)
        cs_grpc_client_end_all(client->grpc, CS_STATUS_CANCELLED, "the connection was closed here");
    cs_alarm_clear(&client->turn.alarms, &client->watch);
    if (client->looking_up)
        uv_cancel((uv_req_t *)&client->lookup);
    if (client->stream_open)
        cs_stream_close(&client->stream);
    maybe_closed(client);
}

static char *describe(const struct cs_client_options *options)
{
    char text[320];

    if (options->unix_path)
        return strdup("localhost");
    snprintf(text, sizeof text, strchr(options->host, ':') ? "[%s]:%u" : "%s:%u", options->host,
             (unsigned)options->port);
    return strdup(text);
}

int cs_client_new(uv_loop_t *loop, const struct cs_client_options *options, struct cs_client **ret,
                  struct cs_err *err)
{
    struct cs_client *client = calloc(1, sizeof *client);
    int rc;

    cs_assert(options->unix_path || options->host);
    if (!client)
        return cs_err_nomem(err);
    client->loop = loop;
    client->options = *options;
    if (options->connect_timeout_ms == 0)
        client->options.connect_timeout_ms = 10000;
    if (options->keepalive_timeout_ms == 0)
        client->options.keepalive_timeout_ms = 20000;
    client->where = describe(options);
    client->server_name = strdup(options->server_name ? options->server_name
                                 : options->host      ? options->host
                                                      : "localhost");
    if (!client->where || !client->server_name || cs_stream_room_init(&client->room, READ_BYTES) != CS_OK) {
        client_free(client);
        return cs_err_nomem(err);
    }
    cs_turn_init(&client->turn, loop, on_turn);
    set_watch(client, client->options.connect_timeout_ms, on_connect_late);
    rc = options->unix_path ? start_unix(client, err) : start_tcp(client, err);
    if (rc != CS_OK) {
        cs_client_close(client, NULL);
        return rc;
    }
    *ret = client;
    return CS_OK;
}

struct cs_slice cs_client_server_certificate(const struct cs_client *client)
{
    return client->stream.tls ? cs_tls_peer_certificate(client->stream.tls) : CS_SLICE_EMPTY;
}

int cs_client_call_new(struct cs_client *client, const struct cs_client_call_options *options,
                       const struct cs_client_events *events, void *data, struct cs_client_call **ret,
                       struct cs_err *err)
{
    cs_turn_look_at_clock(&client->turn);
    if (client->closing || client->phase == DOWN)
        return cs_err_set(err, CS_ECLOSED, "calling %s: the connection is closed", options->path);
    if (!client->told_up)
        return cs_err_set(err, CS_ESTATE, "calling %s: the connection is not up yet", options->path);
    return cs_grpc_call_new(client->grpc, options, events, data, ret, err);
}
