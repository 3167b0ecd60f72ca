#include "agent/port/socket.h"

#include <stdio.h>
#include <sys/un.h>

static void try_next(struct ag_socket *socket);

/* ---- the end */

static void maybe_closed(struct ag_socket *socket)
{
    if (!socket->closing || socket->stream_open || socket->timer_open || socket->looking_up)
        return;
    uv_freeaddrinfo(socket->addresses);
    cs_buf_wipe(&socket->sending);
    cs_buf_wipe(&socket->waiting);
    socket->events->on_closed(socket);
}

static void on_stream_closed(uv_handle_t *handle)
{
    struct ag_socket *socket = handle->data;

    socket->stream_open = false;
    if (!socket->closing && !socket->over)
        try_next(socket);
    maybe_closed(socket);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct ag_socket *socket = handle->data;

    socket->timer_open = false;
    maybe_closed(socket);
}

static void close_stream(struct ag_socket *socket)
{
    if (socket->stream_open && !uv_is_closing(&socket->uv.handle))
        uv_close(&socket->uv.handle, on_stream_closed);
}

void ag_socket_close(struct ag_socket *socket)
{
    if (socket->closing)
        return;
    socket->closing = socket->over = true;
    if (socket->looking_up)
        uv_cancel((uv_req_t *)&socket->lookup);
    close_stream(socket);
    if (socket->timer_open)
        uv_close((uv_handle_t *)&socket->timer, on_timer_closed);
    maybe_closed(socket);
}

static void be_over(struct ag_socket *socket, const struct cs_err *why)
{
    if (socket->over)
        return;
    socket->over = true;
    if (socket->stream_open && socket->connected)
        uv_read_stop(&socket->uv.stream);
    socket->events->on_over(socket, why);
}

static void fail(struct ag_socket *socket, const char *doing, int status)
{
    struct cs_err why;

    if (status == UV_EOF)
        cs_err_set(&why, CS_ECLOSED, "%s ended the connection", socket->where);
    else if (status == UV_ECONNRESET || status == UV_EPIPE)
        cs_err_set(&why, CS_ECLOSED, "%s broke the connection off", socket->where);
    else
        cs_err_set(&why, status == UV_ENOMEM ? CS_ENOMEM : CS_EIO, "%s %s: %s", doing, socket->where,
                   uv_strerror(status));
    be_over(socket, &why);
}

static void on_timer(uv_timer_t *timer)
{
    struct ag_socket *socket = timer->data;
    struct cs_err why;

    cs_err_set(&why, CS_ETIMEOUT,
               socket->connected ? "%s did not answer within %g s" : "%s could not be reached within %g s",
               socket->where, socket->timeout_ms / 1000.0);
    be_over(socket, &why);
}

/* ---- bytes */

static void on_alloc(uv_handle_t *handle, size_t suggested CS_UNUSED, uv_buf_t *ret)
{
    struct ag_socket *socket = handle->data;

    *ret = uv_buf_init(socket->incoming, sizeof socket->incoming);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct ag_socket *socket = stream->data;

    if (socket->over || count == 0)
        return;
    if (count < 0)
        fail(socket, "reading from", (int)count);
    else
        socket->events->on_bytes(socket, cs_slice(buf->base, (size_t)count));
}

static void send_waiting(struct ag_socket *socket);

static void on_written(uv_write_t *request, int status)
{
    struct ag_socket *socket = request->handle->data;

    cs_buf_wipe(&socket->sending);
    if (socket->over)
        return;
    if (status < 0)
        fail(socket, "writing to", status);
    else
        send_waiting(socket);
}

static void send_waiting(struct ag_socket *socket)
{
    uv_buf_t part;

    if (socket->sending.len > 0 || socket->waiting.len == 0)
        return;
    socket->sending = socket->waiting;
    socket->waiting = CS_BUF_EMPTY;
    part = uv_buf_init((char *)socket->sending.ptr, (unsigned)socket->sending.len);
    int status = uv_write(&socket->write, &socket->uv.stream, &part, 1, on_written);

    if (status < 0) {
        cs_buf_wipe(&socket->sending);
        fail(socket, "writing to", status);
    }
}

int ag_socket_send(struct ag_socket *socket, struct cs_slice bytes, struct cs_err *err)
{
    cs_assert(socket->connected);
    /* A key may be in it: no copy stays behind where the buffer grows. */
    if (cs_buf_reserve(&socket->waiting, bytes.len) != CS_OK ||
        cs_buf_append(&socket->waiting, bytes) != CS_OK)
        return cs_err_nomem(err);
    if (!socket->over)
        send_waiting(socket);
    return CS_OK;
}

static void on_shut_down(uv_shutdown_t *request CS_UNUSED, int status CS_UNUSED)
{
}

void ag_socket_finish(struct ag_socket *socket, uint32_t timeout_ms)
{
    if (socket->over)
        return;
    uv_shutdown(&socket->shutdown, &socket->uv.stream, on_shut_down);
    uv_update_time(socket->timer.loop);
    uv_timer_start(&socket->timer, on_timer, timeout_ms, 0);
}

/* ---- getting connected */

static void on_connected(uv_connect_t *request, int status)
{
    struct ag_socket *socket = request->handle->data;

    if (socket->over)
        return;
    if (status < 0 && (socket->next || socket->numeric_next < socket->numeric_count)) {
        close_stream(socket); /* then the next */
        return;
    }
    if (status == 0)
        status = uv_read_start(&socket->uv.stream, on_alloc, on_read);
    if (status < 0) {
        fail(socket, "connecting to", status);
        return;
    }
    socket->connected = true;
    socket->events->on_connected(socket);
}

static const struct sockaddr *next_address(struct ag_socket *socket)
{
    struct addrinfo *found = socket->next;

    if (socket->numeric_next < socket->numeric_count)
        return (const struct sockaddr *)&socket->numeric[socket->numeric_next++];
    cs_assert(found);
    socket->next = found->ai_next;
    return found->ai_addr;
}

static void try_next(struct ag_socket *socket)
{
    const struct sockaddr *address = next_address(socket);
    int status = uv_tcp_init(socket->timer.loop, &socket->uv.tcp);

    if (status == 0) {
        socket->uv.handle.data = socket;
        socket->stream_open = true;
        status = uv_tcp_connect(&socket->connect, &socket->uv.tcp, address, on_connected);
    }
    if (status < 0)
        fail(socket, "connecting to", status);
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct ag_socket *socket = CS_CONTAINER_OF(request, struct ag_socket, lookup);

    socket->looking_up = false;
    socket->addresses = socket->next = addresses;
    if (socket->closing)
        maybe_closed(socket);
    else if (status < 0)
        fail(socket, "looking up", status);
    else if (!socket->over)
        try_next(socket);
}

/* Numbers, and the one name that everybody knows, need no resolver and none of libuv's threads. */
static void find_numeric(struct ag_socket *socket, const char *host, uint16_t port)
{
    bool is_local = strcmp(host, "localhost") == 0;
    struct sockaddr_in6 *next = socket->numeric;

    if (uv_ip4_addr(is_local ? "127.0.0.1" : host, port, (struct sockaddr_in *)next) == 0)
        next++;
    if (uv_ip6_addr(is_local ? "::1" : host, port, next) == 0)
        next++;
    socket->numeric_count = (unsigned)(next - socket->numeric);
}

static void begin(struct ag_socket *socket, uv_loop_t *loop, uint32_t timeout_ms,
                  const struct ag_socket_events *events)
{
    socket->events = events;
    socket->timeout_ms = timeout_ms;
    uv_update_time(loop);
    uv_timer_init(loop, &socket->timer);
    socket->timer.data = socket;
    socket->timer_open = true;
    uv_timer_start(&socket->timer, on_timer, timeout_ms, 0);
}

/* The first step is taken from the loop, so that no event comes from the one who opens. */
static void on_first(uv_timer_t *timer)
{
    struct ag_socket *socket = timer->data;

    uv_timer_start(timer, on_timer, socket->timeout_ms, 0);
    try_next(socket);
}

int ag_socket_open(struct ag_socket *socket, uv_loop_t *loop, const char *host, uint16_t port,
                   uint32_t timeout_ms, const struct ag_socket_events *events, struct cs_err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char number[8];

    snprintf(socket->where, sizeof socket->where, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    find_numeric(socket, host, port);
    if (socket->numeric_count > 0) {
        begin(socket, loop, timeout_ms, events);
        uv_timer_start(&socket->timer, on_first, 0, 0);
        return CS_OK;
    }
    snprintf(number, sizeof number, "%u", port);
    int status = uv_getaddrinfo(loop, &socket->lookup, on_looked_up, host, number, &hints);

    if (status < 0)
        return cs_err_set(err, status == UV_ENOMEM ? CS_ENOMEM : CS_EINVAL, "looking up %s: %s", host,
                          uv_strerror(status));
    socket->looking_up = true;
    begin(socket, loop, timeout_ms, events);
    return CS_OK;
}

static int open_unix(struct ag_socket *socket, uv_loop_t *loop, const char *path, uint32_t timeout_ms,
                     const struct ag_socket_events *events, struct cs_err *err)
{
    const struct sockaddr_un room;

    snprintf(socket->where, sizeof socket->where, "%s", path);
    if (strlen(path) >= sizeof room.sun_path)
        return cs_err_set(err, CS_EINVAL, "the path of the socket is too long: %s", path);
    begin(socket, loop, timeout_ms, events);
    uv_pipe_init(loop, &socket->uv.pipe, 0);
    socket->uv.handle.data = socket;
    socket->stream_open = true;
    uv_pipe_connect(&socket->connect, &socket->uv.pipe, path, on_connected);
    return CS_OK;
}

int ag_socket_open_address(struct ag_socket *socket, uv_loop_t *loop, const char *address,
                           uint32_t timeout_ms, const struct ag_socket_events *events, struct cs_err *err)
{
    const char *colon = strrchr(address, ':'), *from = address, *end = colon;
    char host[256], *rest = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &rest, 10) : 0;

    if (address[0] == '/')
        return open_unix(socket, loop, address, timeout_ms, events, err);
    if (!colon || port == 0 || port > UINT16_MAX || *rest)
        return cs_err_set(err, CS_EINVAL, "%s is no address: /path of a unix socket, or HOST:PORT", address);
    if (from[0] == '[' && end[-1] == ']') {
        from++;
        end--;
    }
    size_t len = (size_t)(end - from);

    if (len == 0 || len >= sizeof host)
        return cs_err_set(err, CS_EINVAL, "%s has no host, or one that is too long", address);
    memcpy(host, from, len);
    host[len] = '\0';
    return ag_socket_open(socket, loop, host, (uint16_t)port, timeout_ms, events, err);
}
