#include "shared/net/connect_impl.h"

#include "shared/base/limits.h"
#include "shared/net/grpc_wire.h"

enum {
    TRAILER_BYTES = 8 * 1024,
    SENTENCE_BYTES = 1024,
    /* JSON is longer than the protobuf that it stands for: base64, names of fields, digits. The worst case of
     * our messages fits. */
    JSON_REPLY_BYTES = CS_LIMIT_CONNECTION_BACKLOG / 2,
};

static struct connect_call *to_call(struct cs_call *base)
{
    return CS_CONTAINER_OF(base, struct connect_call, base);
}
/* Answers */

static struct cs_slice bounded(const char *sentence)
{
    struct cs_slice text = cs_slice_str(sentence);

    if (text.len > SENTENCE_BYTES)
        text.len = SENTENCE_BYTES;
    return text;
}

static int add_common_headers(struct cs_metadata_list *headers, const char *content_type)
{
    int rc = cs_grpc_add_text(headers, "content-type", content_type);

    if (rc == CS_OK)
        rc = cs_grpc_add_text(headers, "cache-control", "no-store");
    return rc == CS_OK ? cs_grpc_add_text(headers, "x-content-type-options", "nosniff") : rc;
}

/* As the specification says: beside the head, under names of their own. */
static int add_prefixed_trailers(struct cs_metadata_list *headers, const struct cs_metadata_list *trailers)
{
    struct cs_slice name, value;
    int rc = CS_OK;

    for (size_t cursor = 0; rc == CS_OK && cs_metadata_next(trailers, &cursor, &name, &value);) {
        struct cs_buf prefixed = CS_BUF_EMPTY;

        rc = cs_buf_append_str(&prefixed, "trailer-");
        if (rc == CS_OK)
            rc = cs_buf_append(&prefixed, name);
        if (rc == CS_OK)
            rc = cs_grpc_add_header(headers, cs_buf_slice(&prefixed), value);
        cs_buf_free(&prefixed);
    }
    return rc;
}

void cs_connect_refuse(struct cs_exchange *exchange, unsigned http_status, enum cs_status status,
                       const char *sentence, const struct cs_metadata_list *more)
{
    struct cs_metadata_list headers = {0};
    struct cs_buf json = CS_BUF_EMPTY;
    int rc = add_common_headers(&headers, "application/json");

    if (rc == CS_OK && more)
        rc = cs_buf_append(&headers.bytes, cs_buf_slice(&more->bytes));
    if (rc == CS_OK)
        rc = cs_connect_error_json(status, bounded(sentence), &json);
    if (rc == CS_OK)
        cs_web_answer(exchange, http_status, &headers, cs_buf_slice(&json));
    else
        exchange->carrier->reset(exchange);
    cs_buf_free(&json);
    cs_metadata_free(&headers);
}

/* What the handler asked for, behind the protocol's own. */
static int add_more(struct cs_metadata_list *headers, const struct cs_metadata_list *more)
{
    return cs_buf_append(&headers->bytes, cs_buf_slice(&more->bytes));
}

static int begin_stream(struct cs_exchange *exchange, struct cs_connect_type type,
                        const struct cs_metadata_list *more)
{
    struct cs_metadata_list headers = {0};
    int rc = add_common_headers(&headers, cs_connect_type_text(type));

    if (rc == CS_OK)
        rc = add_more(&headers, more);
    if (rc == CS_OK)
        rc = exchange->carrier->begin(exchange, 200, &headers, CS_LENGTH_UNKNOWN);
    cs_metadata_free(&headers);
    return rc;
}

/* The last message of a stream. */
static int make_end(enum cs_status status, const char *sentence, const struct cs_metadata_list *trailers,
                    struct cs_buf *out)
{
    uint8_t prefix[CS_CONNECT_PREFIX_BYTES];
    struct cs_buf json = CS_BUF_EMPTY;
    int rc = cs_connect_end_json(status, bounded(sentence), trailers, &json);

    cs_connect_prefix(CS_CONNECT_FLAG_END, json.len, prefix);
    if (rc == CS_OK)
        rc = cs_buf_append(out, CS_SLICE_ARRAY(prefix));
    if (rc == CS_OK)
        rc = cs_buf_append(out, cs_buf_slice(&json));
    cs_buf_free(&json);
    return rc;
}

/* A stream's status is 200 whatever happens. */
void connect_refuse_call(struct cs_exchange *exchange, struct cs_connect_type type, enum cs_status status,
                         const char *sentence)
{
    static const struct cs_metadata_list none;
    struct cs_buf end = CS_BUF_EMPTY;
    int rc;

    if (!type.is_stream) {
        cs_connect_refuse(exchange, cs_connect_http_status(status), status, sentence, NULL);
        return;
    }
    rc = make_end(status, sentence, &none, &end);
    if (rc == CS_OK)
        rc = begin_stream(exchange, type, &none);
    if (rc == CS_OK)
        rc = exchange->carrier->write(exchange, CS_SLICE_EMPTY, cs_buf_slice(&end));
    if (rc == CS_OK || rc == CS_EBUSY)
        rc = exchange->carrier->end(exchange);
    if (rc != CS_OK)
        exchange->carrier->reset(exchange);
    cs_buf_free(&end);
}
/* What handlers ask for */

/* The message as the client wants it, appended to `out`. A failure ends the call: it is ours, not the
 * handler's. */
static int encode(struct connect_call *call, struct cs_slice message, struct cs_buf *out)
{
    const struct cs_transcode *transcode = call->session->web->transcode;
    struct cs_err err;

    if (!call->type.is_json)
        return cs_buf_append(out, message) == CS_OK ? CS_OK : CS_EFULL;
    out->limit_bytes = JSON_REPLY_BYTES;
    if (transcode->to_json(transcode->owner, call->base.method, message, out, &err) == CS_OK)
        return CS_OK;
    cs_call_finish(&call->base, CS_STATUS_INTERNAL, err.msg);
    return CS_ECLOSED;
}

static int send_in_stream(struct connect_call *call, struct cs_slice message)
{
    struct cs_exchange *exchange = call->exchange;
    uint8_t prefix[CS_CONNECT_PREFIX_BYTES];
    struct cs_buf json = CS_BUF_EMPTY;
    int rc = CS_OK;

    if (call->type.is_json) {
        rc = encode(call, message, &json);
        message = cs_buf_slice(&json);
    }
    if (rc == CS_OK && !call->begun) {
        rc = begin_stream(exchange, call->type, &call->base.headers) == CS_OK ? CS_OK : CS_EFULL;
        call->begun = rc == CS_OK;
    }
    if (rc == CS_OK) {
        cs_connect_prefix(0, message.len, prefix);
        rc = exchange->carrier->write(exchange, CS_SLICE_ARRAY(prefix), message);
    }
    cs_buf_wipe(&json);
    return rc;
}

static int transport_send(struct cs_call *base, struct cs_slice message)
{
    struct connect_call *call = to_call(base);
    int rc;

    if (message.len > CS_LIMIT_MESSAGE_BYTES)
        return CS_ETOOBIG;
    if (call->type.is_stream) {
        rc = send_in_stream(call, message);
    } else {
        cs_assert(!call->has_reply);
        rc = encode(call, message, &call->reply);
        call->has_reply = rc == CS_OK;
    }
    connect_wake(call);
    return rc;
}

static int transport_add_trailer(struct cs_call *base, const char *name, struct cs_slice value)
{
    struct connect_call *call = to_call(base);
    struct cs_slice text = cs_slice_str(name);

    if (!cs_metadata_name_ok(text) || (!cs_metadata_is_binary(text) && !cs_metadata_value_ok(value)))
        return CS_EINVAL;
    if (call->trailers.bytes.len + text.len + value.len > TRAILER_BYTES)
        return CS_ETOOBIG;
    return cs_metadata_add(&call->trailers, text, value);
}

/* A tail waits outside of the carrier's queue; over a connection no more of them than such a queue may hold.
 */
static bool may_wait(struct connect_call *call)
{
    struct cs_web_session *session = call->session;

    if (call->tail_waits)
        return true;
    if (session->waiting_bytes + call->tail.len > CS_LIMIT_CONNECTION_BACKLOG)
        return false;
    session->waiting_bytes += call->tail.len;
    call->tail_waits = true;
    return true;
}

void connect_drop_tail(struct connect_call *call)
{
    if (call->tail_waits)
        call->session->waiting_bytes -= call->tail.len;
    call->tail_waits = false;
    cs_buf_wipe(&call->tail);
}

/* Once the tail has gone, so has the answer. */
void connect_push_tail(struct connect_call *call)
{
    struct cs_exchange *exchange = call->exchange;
    int rc = CS_OK;

    if (call->tail.len) {
        rc = exchange->carrier->write(exchange, CS_SLICE_EMPTY, cs_buf_slice(&call->tail));
        if (rc == CS_EFULL && may_wait(call))
            return;
        connect_drop_tail(call);
    }
    if (rc == CS_OK || rc == CS_EBUSY)
        rc = exchange->carrier->end(exchange);
    if (rc != CS_OK)
        exchange->carrier->reset(exchange);
}

/* The head of a unary answer, and its body as the tail. */
static int begin_unary(struct connect_call *call, enum cs_status status, const char *sentence)
{
    struct cs_metadata_list headers = {0};
    unsigned http_status = 200;
    int rc;

    if (status == CS_STATUS_OK) {
        call->tail = call->reply;
        call->reply = CS_BUF_EMPTY;
        rc = add_common_headers(&headers, cs_connect_type_text(call->type));
    } else {
        http_status = call->http_status ? call->http_status : cs_connect_http_status(status);
        rc = cs_connect_error_json(status, bounded(sentence), &call->tail);
        if (rc == CS_OK)
            rc = add_common_headers(&headers, "application/json");
    }
    if (rc == CS_OK)
        rc = add_more(&headers, &call->base.headers);
    if (rc == CS_OK)
        rc = add_prefixed_trailers(&headers, &call->trailers);
    if (rc == CS_OK)
        rc = call->exchange->carrier->begin(call->exchange, http_status, &headers, (int64_t)call->tail.len);
    cs_metadata_free(&headers);
    return rc;
}

static void transport_finish(struct cs_call *base, enum cs_status status, const char *sentence)
{
    struct connect_call *call = to_call(base);
    int rc = CS_OK;

    if (!call->type.is_stream) {
        if (status == CS_STATUS_OK && !call->has_reply) {
            status = base->status = CS_STATUS_INTERNAL;
            sentence = "the method ended without an answer";
        }
        rc = begin_unary(call, status, sentence);
    } else {
        if (!call->begun)
            rc = begin_stream(call->exchange, call->type, &base->headers);
        if (rc == CS_OK)
            rc = make_end(status, sentence, &call->trailers, &call->tail);
    }
    if (rc == CS_OK)
        connect_push_tail(call);
    else
        call->exchange->carrier->reset(call->exchange);
    connect_wake(call);
}

static void transport_pause(struct cs_call *base, bool paused)
{
    struct connect_call *call = to_call(base);

    call->paused = paused;
    /* What was kept comes from cs_connect_run(), never from inside this function. */
    if (!paused && call->complete && !call->delivered && cs_list_empty(&call->resumed_node)) {
        cs_list_append(&call->session->resumed, &call->resumed_node);
        connect_wake(call);
    }
}

const struct cs_call_transport connect_transport = {
    .send = transport_send,
    .add_trailer = transport_add_trailer,
    .finish = transport_finish,
    .pause = transport_pause,
};
