/* stream.h - one connected socket on a libuv loop, TCP or unix, with or without TLS: plain bytes in, plain
 * bytes out, one write under way at a time. Whoever embeds it decides what to write when
 * cs_stream_is_writing() is false; so nothing queues without limit here.
 *
 * Events come from the loop, but for cs_stream_start() and cs_stream_write(), which report their failure by
 * return. */
#ifndef CS_NET_STREAM_H
#define CS_NET_STREAM_H

#include "shared/base/buf.h"
#include "shared/net/tls.h"

#include <uv.h>

struct cs_stream;

struct cs_stream_events {
    /* The TLS handshake is done; without TLS from inside cs_stream_start(). */
    void (*on_ready)(struct cs_stream *stream);
    void (*on_bytes)(struct cs_stream *stream, struct cs_slice bytes);
    /* The last write has gone to the system. */
    void (*on_writable)(struct cs_stream *stream);
    /* Once: the connection is over. CS_ECLOSED: the peer ended it. The owner closes the stream. */
    void (*on_down)(struct cs_stream *stream, const struct cs_err *why);
    /* The stream's memory may go. */
    void (*on_closed)(struct cs_stream *stream);
};

/* Room to read into and to decrypt into, for all streams of one owner: what is read is used up before the
 * next read, and overwritten, for keys and tokens travel here. */
struct cs_stream_room {
    uint8_t *read;
    size_t read_bytes;
    struct cs_buf plain;
};
CS_MUST_USE int cs_stream_room_init(struct cs_stream_room *room, size_t read_bytes);
void cs_stream_room_free(struct cs_stream_room *room);

struct cs_stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    const struct cs_stream_events *events;
    struct cs_stream_room *room;
    struct cs_tls *tls;
    uint64_t bytes_received; /* of the wire */
    bool slim;
    bool ready;
    bool writing;
    bool down;
    bool closing;
};

/* Makes the handle; connect or accept into uv.tcp or uv.pipe, then start. */
CS_MUST_USE int cs_stream_init(struct cs_stream *stream, uv_loop_t *loop, bool is_unix,
                               struct cs_stream_room *room, const struct cs_stream_events *events,
                               struct cs_err *err);
/* Begins to read, after the handshake if `tls`; `server_name` as in cs_tls_new(). */
CS_MUST_USE int cs_stream_start(struct cs_stream *stream, struct cs_tls_config *tls, const char *server_name,
                                bool slim, struct cs_err *err);
static inline bool cs_stream_is_writing(const struct cs_stream *stream)
{
    return stream->writing;
}
/* Of the write under way, what the system has not taken. */
static inline size_t cs_stream_unsent_bytes(const struct cs_stream *stream)
{
    return uv_stream_get_write_queue_size(&stream->uv.stream);
}
/* Sends all of `plain` and empties it. Only when ready and not writing. */
CS_MUST_USE int cs_stream_write(struct cs_stream *stream, struct cs_buf *plain, struct cs_err *err);
/* Idempotent. A TLS close_notify goes out if it can at once. */
void cs_stream_close(struct cs_stream *stream);

#endif
