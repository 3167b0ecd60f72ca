#include "shared/net/web_http2.h"

#include "shared/net/grpc_wire.h"

#include <inttypes.h>
#include <stdio.h>

struct exchange {
    struct cs_exchange base;
    struct cs_http2_stream *stream;
    int64_t length; /* that was told; CS_LENGTH_UNKNOWN before and without */
    bool ended;
};

static struct exchange *to_exchange(struct cs_exchange *base)
{
    return CS_CONTAINER_OF(base, struct exchange, base);
}

static int carrier_begin(struct cs_exchange *base, unsigned status, const struct cs_metadata_list *more,
                         int64_t length)
{
    struct cs_metadata_list headers = {0};
    char text[24];
    int rc;

    snprintf(text, sizeof text, "%u", status);
    rc = cs_grpc_add_text(&headers, ":status", text);
    snprintf(text, sizeof text, "%" PRId64, length);
    if (rc == CS_OK && length >= 0)
        rc = cs_grpc_add_text(&headers, "content-length", text);
    if (rc == CS_OK)
        rc = cs_buf_append(&headers.bytes, cs_buf_slice(&more->bytes));
    if (rc == CS_OK)
        rc = cs_http2_respond(to_exchange(base)->stream, &headers, length == 0 || base->head_only);
    if (rc == CS_OK)
        to_exchange(base)->length = length;
    cs_metadata_free(&headers);
    return rc;
}

static int carrier_write(struct cs_exchange *base, struct cs_slice prefix, struct cs_slice body)
{
    return cs_http2_write(to_exchange(base)->stream, prefix, body);
}

static int carrier_lend(struct cs_exchange *base, struct cs_slice body)
{
    return cs_http2_lend(to_exchange(base)->stream, body);
}

static int carrier_end(struct cs_exchange *base)
{
    struct exchange *exchange = to_exchange(base);

    exchange->ended = true;
    /* Then the head was the whole answer. */
    if (exchange->length == 0 || base->head_only)
        return CS_OK;
    return cs_http2_end(exchange->stream, NULL);
}

static void carrier_reset(struct cs_exchange *base)
{
    cs_http2_reset(to_exchange(base)->stream, CS_HTTP2_INTERNAL_ERROR);
}

static size_t carrier_queued_bytes(struct cs_exchange *base)
{
    return cs_http2_stream_queued_bytes(to_exchange(base)->stream);
}

static size_t carrier_held_bytes(struct cs_exchange *base)
{
    return cs_http2_held_bytes(cs_http2_stream_session(to_exchange(base)->stream));
}

static const struct cs_exchange_carrier carrier = {
    .begin = carrier_begin,
    .write = carrier_write,
    .lend = carrier_lend,
    .end = carrier_end,
    .reset = carrier_reset,
    .queued_bytes = carrier_queued_bytes,
    .held_bytes = carrier_held_bytes,
};

void cs_web_http2_take(struct cs_web_session *session, struct cs_http2_stream *stream,
                       const struct cs_metadata_list *headers)
{
    const struct cs_exchange_head head = {
        .method = cs_metadata_find(headers, ":method"),
        .target = cs_metadata_find(headers, ":path"),
        .headers = headers,
        .content_length = -1,
    };
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (!exchange) {
        cs_http2_reset(stream, CS_HTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    exchange->base.carrier = &carrier;
    exchange->stream = stream;
    exchange->length = CS_LENGTH_UNKNOWN;
    cs_http2_stream_set_user(stream, exchange);
    cs_http2_stream_set_mark(stream, true);
    cs_web_take(session, &exchange->base, &head);
}

/* The window is given back at once: a request is kept whole until it is complete, and how much of that a
 * connection may have is bounded by whoever keeps it. */
void cs_web_http2_on_data(struct cs_http2_stream *stream, struct cs_slice bytes)
{
    struct exchange *exchange = cs_http2_stream_user(stream);

    if (exchange->base.events)
        exchange->base.events->on_body(&exchange->base, bytes);
    cs_http2_consume(stream, bytes.len);
}

void cs_web_http2_on_half_close(struct cs_http2_stream *stream)
{
    struct exchange *exchange = cs_http2_stream_user(stream);

    if (exchange->base.events)
        exchange->base.events->on_half_close(&exchange->base);
}

void cs_web_http2_on_writable(struct cs_http2_stream *stream)
{
    struct exchange *exchange = cs_http2_stream_user(stream);

    if (exchange->base.events)
        exchange->base.events->on_writable(&exchange->base);
}

void cs_web_http2_on_close(struct cs_http2_stream *stream, uint32_t code)
{
    struct exchange *exchange = cs_http2_stream_user(stream);
    enum cs_exchange_end how = CS_EXCHANGE_CANCELLED;

    if (code == CS_HTTP2_LOST)
        how = CS_EXCHANGE_LOST;
    else if (code == CS_HTTP2_NO_ERROR && exchange->ended)
        how = CS_EXCHANGE_DONE;
    if (exchange->base.events)
        exchange->base.events->on_close(&exchange->base, how);
    free(exchange);
}
