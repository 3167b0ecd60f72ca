/* http2.h - one HTTP/2 session (RFC 9113), of a server or a client, as bytes in and bytes out. No I/O; only
 * what includes http2_impl.h knows nghttp2. Start at cs_http2_feed() and cs_http2_pull().
 *
 * What arrived is fed; what must leave is pulled. Events run inside these two only; an event may open, write,
 * end and reset streams, and must not feed, pull or free its session. A session stays on the thread that made
 * it: all servers of a thread share one frame buffer. */
#ifndef CS_NET_HTTP2_H
#define CS_NET_HTTP2_H

#include "shared/net/alarm.h"
#include "shared/net/metadata.h"

struct cs_http2;
/* Made when a stream begins, gone after on_close. */
struct cs_http2_stream;

/* RFC 9113 section 7, those that we name. */
enum cs_http2_code {
    CS_HTTP2_NO_ERROR = 0x0,
    CS_HTTP2_PROTOCOL_ERROR = 0x1,
    CS_HTTP2_INTERNAL_ERROR = 0x2,
    CS_HTTP2_REFUSED_STREAM = 0x7,
    CS_HTTP2_CANCEL = 0x8,
    CS_HTTP2_ENHANCE_YOUR_CALM = 0xb,
    CS_HTTP2_INADEQUATE_SECURITY = 0xc,
    CS_HTTP2_LOST = 0x10000, /* not on the wire: the session was freed with the stream still open */
};

struct cs_http2_events {
    /* A complete list of headers, pseudo-headers among them: the first is the head, the second the trailers.
     * `oversize`: the list is incomplete, it went beyond CS_LIMIT_HEADER_BYTES. */
    void (*on_headers)(struct cs_http2_stream *stream, const struct cs_metadata_list *headers, bool oversize);
    /* Give the window back with cs_http2_consume() once the bytes are dealt with. */
    void (*on_data)(struct cs_http2_stream *stream, struct cs_slice bytes);
    void (*on_half_close)(struct cs_http2_stream *stream);
    /* After a write that gave CS_EBUSY or CS_EFULL: there is room again. */
    void (*on_writable)(struct cs_http2_stream *stream);
    /* `code`: enum cs_http2_code, or any other that the peer sent. */
    void (*on_close)(struct cs_http2_stream *stream, uint32_t code);
    /* The peer's settings are here and ours are acknowledged. */
    void (*on_up)(void *owner);
    void (*on_goaway)(void *owner, uint32_t code);
};

struct cs_http2_options {
    bool is_server;
    uint32_t max_streams; /* that the peer may have open at once; 0 for a client */
    const struct cs_alarms *clock;
    const struct cs_http2_events *events;
    void *owner;
};

CS_MUST_USE int cs_http2_new(const struct cs_http2_options *options, struct cs_http2 **ret,
                             struct cs_err *err);
/* Streams that are still open get on_close(CS_HTTP2_LOST) first. NULL is fine. */
void cs_http2_free(struct cs_http2 *session);

/* On failure the connection is to be closed, after what cs_http2_pull() still gives was sent. */
CS_MUST_USE int cs_http2_feed(struct cs_http2 *session, struct cs_slice bytes, struct cs_err *err);
/* Appends frames to `out` until it has `enough_bytes` (one frame more at most) or nothing is left to send. */
CS_MUST_USE int cs_http2_pull(struct cs_http2 *session, struct cs_buf *out, size_t enough_bytes,
                              struct cs_err *err);
bool cs_http2_wants_pull(const struct cs_http2 *session);
/* True when the session is over: all was sent, nothing can come. Then *err says why it ended, CS_OK for a
 * plain GOAWAY. */
bool cs_http2_is_over(const struct cs_http2 *session, struct cs_err *err);

/* The first byte of a valid preface and SETTINGS have come, and ours were acknowledged. */
bool cs_http2_is_up(const struct cs_http2 *session);
/* The peer's GOAWAY has come, or no stream ids are left: no new requests. */
bool cs_http2_is_draining(const struct cs_http2 *session);
/* Frames of any kind received so far: whoever watches for silence compares two readings. */
uint64_t cs_http2_frames_received(const struct cs_http2 *session);
uint32_t cs_http2_streams_open(const struct cs_http2 *session);
/* Body bytes that wait for the peer, over all streams; of them, those that we hold in memory. */
size_t cs_http2_queued_bytes(const struct cs_http2 *session);
size_t cs_http2_held_bytes(const struct cs_http2 *session);
/* Body bytes that went out so far: whoever watches for a peer that takes nothing compares two readings. */
uint64_t cs_http2_body_bytes_sent(const struct cs_http2 *session);
void cs_http2_ping(struct cs_http2 *session);
/* Server: GOAWAY in two steps (RFC 9113 section 6.8), so that requests on their way are not lost. */
void cs_http2_drain(struct cs_http2 *session);
/* GOAWAY and the end, whatever is open. */
void cs_http2_terminate(struct cs_http2 *session, uint32_t code);

/* Client. The stream waits by itself while the peer's limit of concurrent streams is reached. */
CS_MUST_USE int cs_http2_request(struct cs_http2 *session, const struct cs_metadata_list *headers, void *user,
                                 struct cs_http2_stream **ret);
/* Server: the head of the answer; with `end` it is the whole answer. Once a stream. */
CS_MUST_USE int cs_http2_respond(struct cs_http2_stream *stream, const struct cs_metadata_list *headers,
                                 bool end);
/* Queues prefix and body together or not at all. CS_OK; CS_EBUSY: taken, wait for on_writable; CS_EFULL: not
 * taken. */
int cs_http2_write(struct cs_http2_stream *stream, struct cs_slice prefix, struct cs_slice body);
/* Queues what is left of a body, behind what was written: nothing can be written any more. The bytes are not
 * copied; they must outlive the session. CS_OK, CS_ECLOSED. */
int cs_http2_lend(struct cs_http2_stream *stream, struct cs_slice body);
/* Ends our side after what is queued, with trailers unless NULL. A server that ends first also resets the
 * stream without error (RFC 9113 section 8.1): it reads no more. */
CS_MUST_USE int cs_http2_end(struct cs_http2_stream *stream, const struct cs_metadata_list *trailers);
/* on_close follows from the next pull. */
void cs_http2_reset(struct cs_http2_stream *stream, uint32_t code);
void cs_http2_consume(struct cs_http2_stream *stream, size_t count);

/* False for a request that still waits for its turn: it never reached the peer. */
bool cs_http2_stream_was_sent(const struct cs_http2_stream *stream);
size_t cs_http2_stream_queued_bytes(const struct cs_http2_stream *stream);
void *cs_http2_stream_user(const struct cs_http2_stream *stream);
void cs_http2_stream_set_user(struct cs_http2_stream *stream, void *user);
/* A bit of the owner's, beside the pointer: for one who has two kinds of users. */
bool cs_http2_stream_mark(const struct cs_http2_stream *stream);
void cs_http2_stream_set_mark(struct cs_http2_stream *stream, bool mark);
void *cs_http2_stream_owner(const struct cs_http2_stream *stream);
struct cs_http2 *cs_http2_stream_session(const struct cs_http2_stream *stream);

#endif
