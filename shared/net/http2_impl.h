/* http2_impl.h - the inside of an HTTP/2 session: http2.c is the session and what the library tells us,
 * http2_stream.c is one stream of it, what is queued on it and how the library fetches that. These two and
 * http2_memory.c know nghttp2. */
#ifndef CS_NET_HTTP2_IMPL_H
#define CS_NET_HTTP2_IMPL_H

#include "shared/base/list.h"
#include "shared/net/http2.h"

#include <nghttp2/nghttp2.h>

enum {
    /* Header lists that we send: gRPC's own dozen and some metadata. They fit one frame. */
    HTTP2_MAX_HEADERS_SENT = 64,
    HTTP2_MAX_HEADER_BYTES_SENT = 12 * 1024,
};

struct cs_http2 {
    nghttp2_session *session;
    const struct cs_http2_events *events;
    void *owner;
    const struct cs_alarms *clock;
    struct cs_list streams;
    struct cs_list waiting;        /* streams that were refused a write, by their wait_node */
    struct cs_metadata_list block; /* the one list of headers that can be in the middle of arriving */
    size_t queued_bytes;           /* in memory */
    size_t lent_bytes;             /* that wait beside them */
    uint64_t frames_received;
    uint64_t body_bytes_sent;
    uint64_t idle_frames_since_ms;
    uint32_t idle_frames;
    uint32_t streams_open;
    int failure;              /* of the library, negative */
    uint32_t terminated_with; /* code of a GOAWAY that we sent */
    bool is_server : 1;
    bool got_settings : 1;
    bool got_settings_ack : 1;
    bool got_goaway : 1;
    bool block_oversize : 1;
};

struct cs_http2_stream {
    struct cs_http2 *session;
    void *user;
    struct cs_list node;
    struct cs_list wait_node;
    struct cs_buf out;
    size_t out_at;        /* of `out` so much has gone */
    struct cs_slice lent; /* what is left of it; goes behind `out` */
    struct cs_metadata_list trailers;
    int32_t id;
    bool sent : 1;
    bool end_queued : 1;
    bool has_trailers : 1;
    bool deferred : 1;
    bool reset : 1;
    bool mark : 1; /* the owner's */
};

/* Takes note of the first failure of the library; what is not negative is none. */
static inline void http2_fail(struct cs_http2 *session, int failure)
{
    if (failure < 0 && session->failure == 0)
        session->failure = failure;
}

/* NULL: no memory. */
struct cs_http2_stream *http2_stream_new(struct cs_http2 *session, void *user);
void http2_stream_free(struct cs_http2_stream *stream);

#endif
