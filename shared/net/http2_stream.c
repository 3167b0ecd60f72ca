#include "shared/net/http2_impl.h"

#include "shared/base/limits.h"

struct cs_http2_stream *http2_stream_new(struct cs_http2 *session, void *user)
{
    struct cs_http2_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    stream->session = session;
    stream->user = user;
    cs_list_init(&stream->wait_node);
    cs_list_append(&session->streams, &stream->node);
    session->streams_open++;
    return stream;
}

static void drop_queue(struct cs_http2_stream *stream)
{
    stream->session->queued_bytes -= stream->out.len - stream->out_at;
    stream->session->lent_bytes -= stream->lent.len;
    cs_buf_wipe(&stream->out);
    stream->out_at = 0;
    stream->lent = CS_SLICE_EMPTY;
}

void http2_stream_free(struct cs_http2_stream *stream)
{
    drop_queue(stream);
    stream->session->streams_open--;
    cs_list_remove(&stream->node);
    cs_list_remove(&stream->wait_node);
    cs_metadata_free(&stream->trailers);
    free(stream);
}

/* nghttp2_nv has pointers to bytes that the library does not change. */
static uint8_t *unconst(const uint8_t *ptr)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } cast = {ptr};

    return cast.to;
}

static size_t to_nva(const struct cs_metadata_list *headers, nghttp2_nv *nva)
{
    struct cs_slice name, value;
    size_t count = 0;

    for (size_t cursor = 0;
         count < HTTP2_MAX_HEADERS_SENT && cs_metadata_next(headers, &cursor, &name, &value); count++)
        nva[count] = (nghttp2_nv){.name = unconst(name.ptr),
                                  .namelen = name.len,
                                  .value = unconst(value.ptr),
                                  .valuelen = value.len};
    return count;
}

static int check_headers(const struct cs_metadata_list *headers)
{
    struct cs_slice name, value;
    size_t count = 0;

    for (size_t cursor = 0; cs_metadata_next(headers, &cursor, &name, &value);)
        count++;
    return count > HTTP2_MAX_HEADERS_SENT || headers->bytes.len > HTTP2_MAX_HEADER_BYTES_SENT ? CS_ETOOBIG
                                                                                              : CS_OK;
}

static size_t take(struct cs_http2_stream *stream, uint8_t *to, size_t room)
{
    struct cs_http2 *session = stream->session;
    size_t count = stream->out.len - stream->out_at, lent;

    if (count > room)
        count = room;
    if (count)
        memcpy(to, stream->out.ptr + stream->out_at, count);
    stream->out_at += count;
    session->queued_bytes -= count;
    lent = stream->lent.len < room - count ? stream->lent.len : room - count;
    if (lent)
        memcpy(to + count, stream->lent.ptr, lent);
    stream->lent = cs_slice_from(stream->lent, lent);
    session->lent_bytes -= lent;
    session->body_bytes_sent += count + lent;
    return count + lent;
}

static nghttp2_ssize read_body(nghttp2_session *lib, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                               nghttp2_data_source *source, void *user)
{
    struct cs_http2_stream *stream = source->ptr;
    size_t count = take(stream, to, room);

    (void)user;
    if (stream->out_at < stream->out.len || stream->lent.len)
        return (nghttp2_ssize)count;
    drop_queue(stream);
    if (!stream->end_queued) {
        stream->deferred = count == 0;
        return count ? (nghttp2_ssize)count : NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->has_trailers) {
        nghttp2_nv nva[HTTP2_MAX_HEADERS_SENT];

        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        http2_fail(stream->session, nghttp2_submit_trailer(lib, id, nva, to_nva(&stream->trailers, nva)));
    }
    return (nghttp2_ssize)count;
}

int cs_http2_request(struct cs_http2 *session, const struct cs_metadata_list *headers, void *user,
                     struct cs_http2_stream **ret)
{
    struct cs_http2_stream *stream;
    nghttp2_data_provider2 body = {.read_callback = read_body};
    nghttp2_nv nva[HTTP2_MAX_HEADERS_SENT];

    if (check_headers(headers) != CS_OK)
        return CS_ETOOBIG;
    if (cs_http2_is_draining(session) || session->failure)
        return CS_ECLOSED;
    stream = http2_stream_new(session, user);
    if (!stream)
        return CS_ENOMEM;
    body.source.ptr = stream;
    stream->id = nghttp2_submit_request2(session->session, NULL, nva, to_nva(headers, nva), &body, stream);
    if (stream->id < 0) {
        int rc = stream->id == NGHTTP2_ERR_NOMEM ? CS_ENOMEM : CS_ECLOSED;

        http2_stream_free(stream);
        return rc;
    }
    *ret = stream;
    return CS_OK;
}

int cs_http2_respond(struct cs_http2_stream *stream, const struct cs_metadata_list *headers, bool end)
{
    nghttp2_data_provider2 body = {.source.ptr = stream, .read_callback = read_body};
    nghttp2_nv nva[HTTP2_MAX_HEADERS_SENT];
    int rv;

    if (check_headers(headers) != CS_OK)
        return CS_ETOOBIG;
    if (stream->reset)
        return CS_ECLOSED;
    rv = nghttp2_submit_response2(stream->session->session, stream->id, nva, to_nva(headers, nva),
                                  end ? NULL : &body);
    if (rv != 0)
        return rv == NGHTTP2_ERR_NOMEM ? CS_ENOMEM : CS_ESTATE;
    stream->end_queued = end;
    return CS_OK;
}

static void resume(struct cs_http2_stream *stream)
{
    if (!stream->deferred)
        return;
    stream->deferred = false;
    http2_fail(stream->session, nghttp2_session_resume_data(stream->session->session, stream->id));
}

static void wait_for_room(struct cs_http2_stream *stream)
{
    if (cs_list_empty(&stream->wait_node))
        cs_list_append(&stream->session->waiting, &stream->wait_node);
}

/* Moves what is left to the front when more than half of the buffer has gone, so that a byte is moved once or
 * so. */
static void compact(struct cs_http2_stream *stream)
{
    if (stream->out_at > stream->out.len / 2) {
        cs_buf_consume(&stream->out, stream->out_at);
        stream->out_at = 0;
    }
}

int cs_http2_write(struct cs_http2_stream *stream, struct cs_slice prefix, struct cs_slice body)
{
    struct cs_http2 *session = stream->session;
    size_t queued = cs_http2_stream_queued_bytes(stream), more = prefix.len + body.len;

    if (stream->reset || stream->end_queued)
        return CS_ECLOSED;
    cs_assert(!stream->lent.len);
    if (queued >= 2 * CS_LIMIT_STREAM_HIGH_WATER ||
        session->queued_bytes + more > CS_LIMIT_CONNECTION_BACKLOG) {
        wait_for_room(stream);
        return CS_EFULL;
    }
    compact(stream);
    if (cs_buf_reserve(&stream->out, more) != CS_OK || cs_buf_append(&stream->out, prefix) != CS_OK ||
        cs_buf_append(&stream->out, body) != CS_OK)
        return CS_EFULL;
    session->queued_bytes += more;
    resume(stream);
    if (queued + more < CS_LIMIT_STREAM_HIGH_WATER)
        return CS_OK;
    wait_for_room(stream);
    return CS_EBUSY;
}

int cs_http2_lend(struct cs_http2_stream *stream, struct cs_slice body)
{
    if (stream->reset || stream->end_queued)
        return CS_ECLOSED;
    cs_assert(!stream->lent.len);
    stream->lent = body;
    stream->session->lent_bytes += body.len;
    resume(stream);
    return CS_OK;
}

int cs_http2_end(struct cs_http2_stream *stream, const struct cs_metadata_list *trailers)
{
    if (stream->reset || stream->end_queued)
        return CS_ECLOSED;
    if (trailers) {
        if (check_headers(trailers) != CS_OK)
            return CS_ETOOBIG;
        if (cs_buf_append(&stream->trailers.bytes, cs_buf_slice(&trailers->bytes)) != CS_OK)
            return CS_ENOMEM;
        stream->has_trailers = true;
    }
    stream->end_queued = true;
    resume(stream);
    return CS_OK;
}

void cs_http2_reset(struct cs_http2_stream *stream, uint32_t code)
{
    if (stream->reset)
        return;
    stream->reset = true;
    drop_queue(stream);
    http2_fail(stream->session,
               nghttp2_submit_rst_stream(stream->session->session, NGHTTP2_FLAG_NONE, stream->id, code));
}

void cs_http2_consume(struct cs_http2_stream *stream, size_t count)
{
    http2_fail(stream->session, nghttp2_session_consume(stream->session->session, stream->id, count));
}

bool cs_http2_stream_was_sent(const struct cs_http2_stream *stream)
{
    return stream->sent;
}

size_t cs_http2_stream_queued_bytes(const struct cs_http2_stream *stream)
{
    return stream->out.len - stream->out_at;
}

void *cs_http2_stream_user(const struct cs_http2_stream *stream)
{
    return stream->user;
}

void cs_http2_stream_set_user(struct cs_http2_stream *stream, void *user)
{
    stream->user = user;
}

bool cs_http2_stream_mark(const struct cs_http2_stream *stream)
{
    return stream->mark;
}

void cs_http2_stream_set_mark(struct cs_http2_stream *stream, bool mark)
{
    stream->mark = mark;
}

void *cs_http2_stream_owner(const struct cs_http2_stream *stream)
{
    return stream->session->owner;
}

struct cs_http2 *cs_http2_stream_session(const struct cs_http2_stream *stream)
{
    return stream->session;
}
