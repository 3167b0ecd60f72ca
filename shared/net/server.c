#include "shared/net/server_impl.h"

#include "shared/base/limits.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, BACKLOG = 512 };

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct cs_server *server;
    struct cs_list node;
    bool is_unix;
    char *path; /* of the socket file, removed at the end if it is still ours */
    dev_t device;
    ino_t inode;
};

static int translate(int status, const char *what, const char *where, struct cs_err *err)
{
    int code = status == UV_EADDRINUSE ? CS_EBUSY
               : status == UV_EACCES   ? CS_EDENIED
               : status == UV_ENOMEM   ? CS_ENOMEM
                                       : CS_EIO;

    return cs_err_set(err, code, "%s %s: %s", what, where, uv_strerror(status));
}

/* The end */

static void on_turn_closed(struct cs_turn *turn)
{
    struct cs_server *server = CS_CONTAINER_OF(turn, struct cs_server, turn);

    if (server->on_closed)
        server->on_closed(server->options.owner);
    cs_stream_room_free(&server->room);
    cs_buf_wipe(&server->out);
    free(server);
}

static void maybe_closed(struct cs_server *server)
{
    if (server->closing && server->listeners_open == 0 && server->connections_open == 0)
        cs_turn_close(&server->turn, on_turn_closed);
}

void server_conn_gone(struct cs_server *server)
{
    server->connections_open--;
    maybe_closed(server);
}

static void listener_free(struct listener *listener)
{
    free(listener->path);
    free(listener);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = CS_CONTAINER_OF(handle, struct listener, uv.handle);
    struct cs_server *server = listener->server;

    listener_free(listener);
    server->listeners_open--;
    maybe_closed(server);
}

static void close_listener(struct listener *listener)
{
    struct stat now;

    if (listener->path && stat(listener->path, &now) == 0 && now.st_dev == listener->device &&
        now.st_ino == listener->inode)
        unlink(listener->path);
    cs_list_remove(&listener->node);
    uv_close(&listener->uv.handle, on_listener_closed);
}

static void on_grace_over(struct cs_alarm *alarm)
{
    struct cs_server *server = CS_CONTAINER_OF(alarm, struct cs_server, grace);

    CS_LIST_FOREACH(node, &server->conns)
    conn_finish(node, "the server is going down: connect anew");
}

void cs_server_close(struct cs_server *server, uint32_t grace_ms, void (*on_closed)(void *owner))
{
    uint64_t at_ms;

    cs_turn_look_at_clock(&server->turn);
    at_ms = server->turn.alarms.now_ms + grace_ms;
    if (!server->closing) {
        server->closing = true;
        server->on_closed = on_closed;
        CS_LIST_FOREACH(node, &server->listeners)
        close_listener(CS_CONTAINER_OF(node, struct listener, node));
        CS_LIST_FOREACH(node, &server->conns)
        conn_drain(node);
        cs_alarm_set(&server->turn.alarms, &server->grace, at_ms, on_grace_over);
    } else if (at_ms < server->grace.at_ms && cs_alarm_is_set(&server->grace)) {
        cs_alarm_set(&server->turn.alarms, &server->grace, at_ms, on_grace_over);
    }
    cs_turn_wake(&server->turn);
}

/* Only those that are dirty now: what they cause is for the next turn, so that sockets and timers have
 * theirs. */
static void on_turn(struct cs_turn *turn)
{
    struct cs_server *server = CS_CONTAINER_OF(turn, struct cs_server, turn);
    struct cs_list *last = server->dirty.prev, *node = NULL;

    while (node != last && (node = cs_list_pop(&server->dirty)))
        conn_turn(node);
    maybe_closed(server);
}

/* The beginning */

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value ? value : standard;
}

int cs_server_new(uv_loop_t *loop, const struct cs_server_options *options, struct cs_server **ret,
                  struct cs_err *err)
{
    struct cs_server *server = calloc(1, sizeof *server);

    if (!server || cs_stream_room_init(&server->room, READ_BYTES) != CS_OK) {
        free(server);
        return cs_err_nomem(err);
    }
    server->loop = loop;
    server->options = *options;
    server->options.max_connections = or_default(options->max_connections, 10000);
    server->options.handshake_timeout_ms = or_default(options->handshake_timeout_ms, 10000);
    server->options.stall_timeout_ms = or_default(options->stall_timeout_ms, 60000);
    server->options.keepalive_timeout_ms = or_default(options->keepalive_timeout_ms, 20000);
    server->options.head_timeout_ms = or_default(options->head_timeout_ms, 10000);
    server->options.body_timeout_ms = or_default(options->body_timeout_ms, 10000);
    server->options.idle_timeout_ms = or_default(options->idle_timeout_ms, 60000);
    server->options.max_streams = or_default(options->max_streams, CS_LIMIT_STREAMS_PER_CONNECTION);
    cs_list_init(&server->listeners);
    cs_list_init(&server->conns);
    cs_list_init(&server->dirty);
    cs_turn_init(&server->turn, loop, on_turn);
    *ret = server;
    return CS_OK;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = CS_CONTAINER_OF(stream, struct listener, uv.stream);

    /* An error here is about the one connection (it was reset while it waited, or there was no file
     * descriptor left and libuv has shed it). */
    if (status < 0 || listener->server->closing)
        return;
    conn_accept(listener->server, stream, listener->is_unix);
}

static struct listener *listener_new(struct cs_server *server, bool is_unix)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (!listener)
        return NULL;
    listener->server = server;
    listener->is_unix = is_unix;
    cs_list_append(&server->listeners, &listener->node);
    server->listeners_open++;
    return listener;
}

/* For a listener whose handle was never made. */
static void listener_abandon(struct listener *listener)
{
    listener->server->listeners_open--;
    cs_list_remove(&listener->node);
    listener_free(listener);
}

static int parse_address(const char *ip, uint16_t port, struct sockaddr_storage *ret)
{
    if (uv_ip4_addr(ip, port, (struct sockaddr_in *)ret) == 0)
        return 0;
    return uv_ip6_addr(ip, port, (struct sockaddr_in6 *)ret);
}

static int bind_tcp(struct listener *listener, const struct sockaddr_storage *address, bool reuse_port)
{
    int status =
        uv_tcp_bind(&listener->uv.tcp, (const struct sockaddr *)address, reuse_port ? UV_TCP_REUSEPORT : 0);

    return status ? status : uv_listen(&listener->uv.stream, BACKLOG, on_connection);
}

static uint16_t bound_port(const struct listener *listener)
{
    struct sockaddr_storage address = {0};
    int len = sizeof address;

    if (uv_tcp_getsockname(&listener->uv.tcp, (struct sockaddr *)&address, &len) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address)->sin6_port
                                               : ((const struct sockaddr_in *)&address)->sin_port);
}

int cs_server_listen_tcp(struct cs_server *server, const char *ip, uint16_t port, bool reuse_port,
                         uint16_t *ret_port, struct cs_err *err)
{
    struct sockaddr_storage address = {0};
    struct listener *listener;
    char where[80];
    int status;

    snprintf(where, sizeof where, "%s port %u", ip, (unsigned)port);
    if (parse_address(ip, port, &address) != 0)
        return cs_err_set(err, CS_EINVAL, "listening on %s: not an IP address", ip);
    listener = listener_new(server, false);
    if (!listener)
        return cs_err_nomem(err);
    status = uv_tcp_init_ex(server->loop, &listener->uv.tcp, address.ss_family);
    if (status != 0) {
        listener_abandon(listener);
        return translate(status, "listening on", where, err);
    }
    status = bind_tcp(listener, &address, reuse_port);
    if (status != 0) {
        close_listener(listener);
        return translate(status, "listening on", where, err);
    }
    if (ret_port)
        *ret_port = bound_port(listener);
    return CS_OK;
}

/* A socket file is stale when nobody accepts behind it. */
static int remove_stale(const struct sockaddr_un *address, struct cs_err *err)
{
    const char *path = address->sun_path;
    struct stat about;
    int fd, failed, why;

    if (lstat(path, &about) != 0)
        return CS_OK;
    if (!S_ISSOCK(about.st_mode))
        return cs_err_set(err, CS_EEXISTS, "listening on %s: there is a file of that name that is no socket",
                          path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cs_err_set(err, CS_EIO, "listening on %s: %s", path, strerror(errno));
    failed = connect(fd, (const struct sockaddr *)address, sizeof *address);
    why = errno;
    close(fd);
    if (failed == 0 || why == EAGAIN)
        return cs_err_set(err, CS_EBUSY, "listening on %s: another process serves there already", path);
    if (why != ECONNREFUSED && why != ENOENT)
        return cs_err_set(err, CS_EDENIED, "listening on %s: cannot tell whether it is in use: %s", path,
                          strerror(why));
    unlink(path);
    return CS_OK;
}

/* fchmod() before bind(), so that the file never has wider permissions than asked for, not even for a moment.
 */
static int bind_unix(const struct sockaddr_un *address, unsigned mode, int *ret_fd, struct cs_err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), why;

    if (fd >= 0 && fchmod(fd, (mode_t)mode) == 0 &&
        bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        chmod(address->sun_path, (mode_t)mode) == 0) {
        *ret_fd = fd;
        return CS_OK;
    }
    why = errno;
    if (fd >= 0)
        close(fd);
    return cs_err_set(err, why == EACCES ? CS_EDENIED : CS_EIO, "listening on %s: %s", address->sun_path,
                      strerror(why));
}

static int open_unix(struct cs_server *server, struct listener *listener, int fd, struct cs_err *err)
{
    struct stat about;
    int status;

    if (stat(listener->path, &about) == 0) {
        listener->device = about.st_dev;
        listener->inode = about.st_ino;
    }
    status = uv_pipe_init(server->loop, &listener->uv.pipe, 0);
    cs_assert(status == 0);
    status = uv_pipe_open(&listener->uv.pipe, fd);
    if (status != 0)
        close(fd);
    else
        status = uv_listen(&listener->uv.stream, BACKLOG, on_connection);
    return status == 0 ? CS_OK : translate(status, "listening on", listener->path, err);
}

int cs_server_listen_unix(struct cs_server *server, const char *path, unsigned mode, struct cs_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct listener *listener;
    int fd = -1, rc;

    if (strlen(path) >= sizeof address.sun_path)
        return cs_err_set(err, CS_EINVAL, "listening on %s: a unix socket's path has at most %zu bytes", path,
                          sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path));
    rc = remove_stale(&address, err);
    if (rc != CS_OK)
        return rc;
    listener = listener_new(server, true);
    if (!listener)
        return cs_err_nomem(err);
    listener->path = strdup(path);
    rc = listener->path ? bind_unix(&address, mode, &fd, err) : cs_err_nomem(err);
    if (rc != CS_OK) {
        listener_abandon(listener);
        return rc;
    }
    rc = open_unix(server, listener, fd, err);
    if (rc != CS_OK)
        close_listener(listener);
    return rc;
}

void cs_server_stats(const struct cs_server *server, struct cs_server_stats *ret)
{
    *ret = (struct cs_server_stats){
        .connections_open = server->connections_open,
        .connections_total = server->connections_total,
        .connections_refused = server->connections_refused,
        .calls_open = server->counters.calls_open,
        .calls_total = server->counters.calls_total,
        .handshakes_done = server->handshakes_done,
    };
}
