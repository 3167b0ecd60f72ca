#include "shared/net/stream.h"

/* A write that the system did not take at once. It outlives a stream that is closed meanwhile, by libuv's
 * promise to call back with UV_ECANCELED first. */
struct write {
    uv_write_t request;
    struct cs_stream *stream;
    struct cs_buf bytes;
};

int cs_stream_room_init(struct cs_stream_room *room, size_t read_bytes)
{
    *room = (struct cs_stream_room){.read = malloc(read_bytes), .read_bytes = read_bytes};
    return room->read ? CS_OK : CS_ENOMEM;
}

void cs_stream_room_free(struct cs_stream_room *room)
{
    free(room->read);
    cs_buf_wipe(&room->plain);
    room->read = NULL;
}

static int translate(int status, const char *what, struct cs_err *err)
{
    switch (status) {
    case UV_EOF:
        return cs_err_set(err, CS_ECLOSED, "the peer closed the connection");
    case UV_ECONNRESET:
    case UV_EPIPE:
        return cs_err_set(err, CS_ECLOSED, "the peer reset the connection");
    case UV_ENOMEM:
        return cs_err_nomem(err);
    default:
        return cs_err_set(err, CS_EIO, "%s: %s", what, uv_strerror(status));
    }
}

static void go_down(struct cs_stream *stream, const struct cs_err *why)
{
    if (stream->down || stream->closing)
        return;
    stream->down = true;
    uv_read_stop(&stream->uv.stream);
    stream->events->on_down(stream, why);
}

static int send_pending(struct cs_stream *stream, struct cs_err *err);

static void on_written(uv_write_t *request, int status)
{
    struct write *write = CS_CONTAINER_OF(request, struct write, request);
    struct cs_stream *stream = write->stream;
    struct cs_err err;
    int rc = CS_OK;

    cs_buf_wipe(&write->bytes);
    free(write);
    stream->writing = false;
    if (stream->closing)
        return;
    if (status < 0)
        rc = translate(status, "writing", &err);
    else if (stream->tls)
        rc = send_pending(stream, &err);
    if (rc != CS_OK)
        go_down(stream, &err);
    else if (!stream->writing && stream->ready)
        stream->events->on_writable(stream);
}

static int queue_write(struct cs_stream *stream, struct cs_buf *bytes, struct cs_err *err)
{
    struct write *write = calloc(1, sizeof *write);
    uv_buf_t part;
    int status;

    if (!write)
        return cs_err_nomem(err);
    write->stream = stream;
    write->bytes = *bytes;
    *bytes = (struct cs_buf){.limit_bytes = bytes->limit_bytes};
    part = uv_buf_init((char *)write->bytes.ptr, (unsigned)write->bytes.len);
    status = uv_write(&write->request, &stream->uv.stream, &part, 1, on_written);
    if (status < 0) {
        cs_buf_wipe(&write->bytes);
        free(write);
        return translate(status, "writing", err);
    }
    stream->writing = true;
    return CS_OK;
}

/* Most writes fit into the socket's own buffer: then nothing is allocated and nothing called back. */
static int send_bytes(struct cs_stream *stream, struct cs_buf *bytes, struct cs_err *err)
{
    uv_buf_t part = uv_buf_init((char *)bytes->ptr, (unsigned)bytes->len);
    int sent;

    if (bytes->len == 0)
        return CS_OK;
    sent = uv_try_write(&stream->uv.stream, &part, 1);
    if (sent < 0 && sent != UV_EAGAIN)
        return translate(sent, "writing", err);
    if (sent > 0)
        cs_buf_consume(bytes, (size_t)sent);
    return bytes->len ? queue_write(stream, bytes, err) : CS_OK;
}

static int send_pending(struct cs_stream *stream, struct cs_err *err)
{
    struct cs_buf *pending = cs_tls_pending(stream->tls);
    int rc;

    if (stream->writing)
        return CS_OK;
    rc = send_bytes(stream, pending, err);
    if (rc == CS_OK && pending->len == 0)
        cs_buf_free(pending);
    return rc;
}

int cs_stream_write(struct cs_stream *stream, struct cs_buf *plain, struct cs_err *err)
{
    int rc;

    cs_assert(stream->ready && !stream->writing && !stream->closing);
    if (!stream->tls)
        return send_bytes(stream, plain, err);
    rc = cs_tls_write(stream->tls, cs_buf_slice(plain), err);
    cs_buf_clear(plain);
    if (rc == CS_OK)
        rc = send_pending(stream, err);
    if (rc == CS_OK && stream->slim && !stream->writing)
        cs_tls_slim(stream->tls);
    return rc;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct cs_stream *stream = CS_CONTAINER_OF(handle, struct cs_stream, uv.handle);

    (void)suggested;
    *ret = uv_buf_init((char *)stream->room->read, (unsigned)stream->room->read_bytes);
}

static void take_cipher(struct cs_stream *stream, struct cs_slice cipher)
{
    struct cs_stream_room *room = stream->room;
    struct cs_err err, ignored;
    int rc;

    cs_buf_clear(&room->plain);
    rc = cs_tls_feed(stream->tls, cipher, &room->plain, &err);
    if (rc != CS_OK) {
        /* The alert that says why. */
        (void)!send_pending(stream, &ignored);
    } else {
        rc = send_pending(stream, &err);
    }
    if (!stream->ready && cs_tls_established(stream->tls)) {
        stream->ready = true;
        stream->events->on_ready(stream);
    }
    /* Not ready: handshake, bytes and goodbye came in one piece. Nobody waits for an answer to them. */
    if (room->plain.len && stream->ready && !stream->closing)
        stream->events->on_bytes(stream, cs_buf_slice(&room->plain));
    cs_wipe(room->plain.ptr, room->plain.len);
    if (rc != CS_OK)
        go_down(stream, &err);
    else if (stream->slim && stream->ready && !stream->closing && !stream->writing)
        cs_tls_slim(stream->tls);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
    struct cs_stream *stream = CS_CONTAINER_OF(handle, struct cs_stream, uv.stream);
    struct cs_slice bytes;
    struct cs_err err;

    if (stream->closing || count == 0)
        return;
    if (count < 0) {
        if (count == UV_EOF && stream->tls)
            (void)!cs_tls_feed_end(stream->tls, &err);
        else
            translate((int)count, "reading", &err);
        go_down(stream, &err);
        return;
    }
    bytes = cs_slice(buf->base, (size_t)count);
    stream->bytes_received += bytes.len;
    if (stream->tls) {
        take_cipher(stream, bytes);
    } else {
        stream->events->on_bytes(stream, bytes);
        cs_wipe(buf->base, (size_t)count);
    }
}

int cs_stream_init(struct cs_stream *stream, uv_loop_t *loop, bool is_unix, struct cs_stream_room *room,
                   const struct cs_stream_events *events, struct cs_err *err)
{
    int status;

    *stream = (struct cs_stream){.events = events, .room = room};
    status = is_unix ? uv_pipe_init(loop, &stream->uv.pipe, 0) : uv_tcp_init(loop, &stream->uv.tcp);
    return status == 0 ? CS_OK : translate(status, "making a socket", err);
}

int cs_stream_start(struct cs_stream *stream, struct cs_tls_config *tls, const char *server_name, bool slim,
                    struct cs_err *err)
{
    int status, rc = CS_OK;

    stream->slim = slim;
    if (stream->uv.handle.type == UV_TCP)
        uv_tcp_nodelay(&stream->uv.tcp, 1);
    if (tls) {
        rc = cs_tls_new(tls, server_name, &stream->tls, err);
        if (rc == CS_OK && server_name)
            rc = cs_tls_start(stream->tls, err);
        if (rc == CS_OK)
            rc = send_pending(stream, err);
    }
    if (rc != CS_OK)
        return rc;
    status = uv_read_start(&stream->uv.stream, on_alloc, on_read);
    if (status < 0)
        return translate(status, "reading", err);
    if (!tls) {
        stream->ready = true;
        stream->events->on_ready(stream);
    }
    return CS_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct cs_stream *stream = CS_CONTAINER_OF(handle, struct cs_stream, uv.handle);

    cs_tls_free(stream->tls);
    stream->tls = NULL;
    stream->events->on_closed(stream);
}

void cs_stream_close(struct cs_stream *stream)
{
    if (stream->closing)
        return;
    if (stream->tls && stream->ready && !stream->down && !stream->writing) {
        struct cs_buf *last;
        uv_buf_t part;

        cs_tls_close(stream->tls);
        last = cs_tls_pending(stream->tls);
        part = uv_buf_init((char *)last->ptr, (unsigned)last->len);
        uv_try_write(&stream->uv.stream, &part, 1);
    }
    stream->closing = true;
    uv_close(&stream->uv.handle, on_closed);
}
