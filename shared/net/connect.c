#include "shared/net/connect.h"

#include "shared/base/limits.h"
#include "shared/base/reader.h"
#include "shared/net/call_impl.h"
#include "shared/net/connect_wire.h"
#include "shared/net/grpc_wire.h"

enum {
    TRAILER_BYTES = 8 * 1024,
    SENTENCE_BYTES = 1024,
    /* JSON is longer than the protobuf that it stands for: base64, names of fields, digits. Towards us four
     * times is plenty for what people and programs write, towards them the worst case of our messages fits.
     */
    JSON_REQUEST_FACTOR = 4,
    JSON_REQUEST_EXTRA_BYTES = 4 * 1024,
    JSON_REPLY_BYTES = CS_LIMIT_CONNECTION_BACKLOG / 2,
};

struct call {
    struct cs_call base;
    struct cs_web_session *session;
    struct cs_exchange *exchange;
    struct cs_list node;
    struct cs_list resumed_node;
    struct cs_alarm deadline;
    struct cs_buf body;  /* the request, until it is complete */
    struct cs_buf reply; /* a unary one, until the end */
    struct cs_buf tail;  /* the end of the answer, until there is room for it */
    struct cs_metadata_list trailers;
    struct cs_connect_type type;
    unsigned http_status; /* of an error that HTTP has its own for; 0: that of the error's code */
    bool complete;        /* the request */
    bool delivered;
    bool paused;
    bool has_reply;
    bool begun;
};

static const struct cs_call_transport transport;

static struct call *to_call(struct cs_call *base)
{
    return CS_CONTAINER_OF(base, struct call, base);
}

static void wake(struct call *call)
{
    call->session->wake(call->session->owner);
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

static int begin_stream(struct cs_exchange *exchange, struct cs_connect_type type)
{
    struct cs_metadata_list headers = {0};
    int rc = add_common_headers(&headers, cs_connect_type_text(type));

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

/* A refusal before there is a call: a stream's status is 200 whatever happens. */
static void refuse(struct cs_exchange *exchange, struct cs_connect_type type, enum cs_status status,
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
        rc = begin_stream(exchange, type);
    if (rc == CS_OK)
        rc = exchange->carrier->write(exchange, CS_SLICE_EMPTY, cs_buf_slice(&end));
    if (rc == CS_OK || rc == CS_EBUSY)
        rc = exchange->carrier->end(exchange);
    if (rc != CS_OK)
        exchange->carrier->reset(exchange);
    cs_buf_free(&end);
}

/* The end of a call */

static void drop_body(struct call *call)
{
    call->session->held_bytes -= call->body.len;
    cs_buf_wipe(&call->body);
}

static void call_free(struct call *call)
{
    struct cs_web_session *session = call->session;

    cs_alarm_clear(session->alarms, &call->deadline);
    drop_body(call);
    cs_buf_wipe(&call->reply);
    cs_buf_wipe(&call->tail);
    cs_metadata_free(&call->base.metadata);
    cs_metadata_free(&call->trailers);
    cs_list_remove(&call->node);
    cs_list_remove(&call->resumed_node);
    session->counters->calls_open--;
    free(call);
}

/* The exchange goes on without the call, until its last bytes are sent or it is reset. */
static void end(struct call *call, enum cs_status how)
{
    call->exchange->events = NULL;
    call->exchange->user = NULL;
    cs_call_end(&call->base, how);
    call_free(call);
}

static void on_deadline(struct cs_alarm *alarm)
{
    struct call *call = CS_CONTAINER_OF(alarm, struct call, deadline);
    struct cs_exchange *exchange = call->exchange;

    /* What waits in front of the status is not worth waiting for. */
    if (call->base.finished || exchange->carrier->queued_bytes(exchange) > 0)
        exchange->carrier->reset(exchange);
    else
        cs_call_finish(&call->base, CS_STATUS_DEADLINE_EXCEEDED, "the deadline has passed");
    if (call->tail.len)
        exchange->carrier->reset(exchange);
    wake(call);
    end(call, CS_STATUS_DEADLINE_EXCEEDED);
}

/* What handlers ask for */

/* The message as the client wants it, appended to `out`. A failure ends the call: it is ours, not the
 * handler's. */
static int encode(struct call *call, struct cs_slice message, struct cs_buf *out)
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

static int send_in_stream(struct call *call, struct cs_slice message)
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
        rc = begin_stream(exchange, call->type) == CS_OK ? CS_OK : CS_EFULL;
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
    struct call *call = to_call(base);
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
    wake(call);
    return rc;
}

static int transport_add_trailer(struct cs_call *base, const char *name, struct cs_slice value)
{
    struct call *call = to_call(base);
    struct cs_slice text = cs_slice_str(name);

    if (!cs_metadata_name_ok(text) || (!cs_metadata_is_binary(text) && !cs_metadata_value_ok(value)))
        return CS_EINVAL;
    if (call->trailers.bytes.len + text.len + value.len > TRAILER_BYTES)
        return CS_ETOOBIG;
    return cs_metadata_add(&call->trailers, text, value);
}

/* Once the tail has gone, so has the answer. */
static void push_tail(struct call *call)
{
    struct cs_exchange *exchange = call->exchange;
    int rc = CS_OK;

    if (call->tail.len) {
        rc = exchange->carrier->write(exchange, CS_SLICE_EMPTY, cs_buf_slice(&call->tail));
        if (rc == CS_EFULL)
            return;
        cs_buf_wipe(&call->tail);
    }
    if (rc == CS_OK || rc == CS_EBUSY)
        rc = exchange->carrier->end(exchange);
    if (rc != CS_OK)
        exchange->carrier->reset(exchange);
}

/* The head of a unary answer, and its body as the tail. */
static int begin_unary(struct call *call, enum cs_status status, const char *sentence)
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
        rc = add_prefixed_trailers(&headers, &call->trailers);
    if (rc == CS_OK)
        rc = call->exchange->carrier->begin(call->exchange, http_status, &headers, (int64_t)call->tail.len);
    cs_metadata_free(&headers);
    return rc;
}

static void transport_finish(struct cs_call *base, enum cs_status status, const char *sentence)
{
    struct call *call = to_call(base);
    int rc = CS_OK;

    if (!call->type.is_stream) {
        if (status == CS_STATUS_OK && !call->has_reply) {
            status = base->status = CS_STATUS_INTERNAL;
            sentence = "the method ended without an answer";
        }
        rc = begin_unary(call, status, sentence);
    } else {
        if (!call->begun)
            rc = begin_stream(call->exchange, call->type);
        if (rc == CS_OK)
            rc = make_end(status, sentence, &call->trailers, &call->tail);
    }
    if (rc == CS_OK)
        push_tail(call);
    else
        call->exchange->carrier->reset(call->exchange);
    wake(call);
}

static void transport_pause(struct cs_call *base, bool paused)
{
    struct call *call = to_call(base);

    call->paused = paused;
    /* What was kept comes from cs_connect_run(), never from inside this function. */
    if (!paused && call->complete && !call->delivered && cs_list_empty(&call->resumed_node)) {
        cs_list_append(&call->session->resumed, &call->resumed_node);
        wake(call);
    }
}

static const struct cs_call_transport transport = {
    .send = transport_send,
    .add_trailer = transport_add_trailer,
    .finish = transport_finish,
    .pause = transport_pause,
};

/* The request */

static size_t body_max(const struct call *call)
{
    size_t max = cs_call_request_max(&call->base) + (call->type.is_stream ? CS_CONNECT_PREFIX_BYTES : 0);

    return call->type.is_json ? max * JSON_REQUEST_FACTOR + JSON_REQUEST_EXTRA_BYTES : max;
}

static void too_big(struct call *call)
{
    call->http_status = 413; /* RFC 9110 section 15.5.14 */
    cs_call_finish(&call->base, CS_STATUS_RESOURCE_EXHAUSTED, "the message is larger than this method takes");
}

static void on_body(struct cs_exchange *exchange, struct cs_slice bytes)
{
    struct call *call = exchange->user;

    if (call->base.finished)
        return;
    if (call->body.len + bytes.len > body_max(call)) {
        too_big(call);
    } else if (call->session->held_bytes + bytes.len > CS_LIMIT_CONNECTION_BACKLOG ||
               cs_buf_append(&call->body, bytes) != CS_OK) {
        cs_call_finish(&call->base, CS_STATUS_RESOURCE_EXHAUSTED,
                       "no room to keep the request: too many come at once");
    } else {
        call->session->held_bytes += bytes.len;
    }
}

static void deliver(struct call *call, struct cs_slice message)
{
    const struct cs_transcode *transcode = call->session->web->transcode;
    struct cs_buf proto = {.limit_bytes = cs_call_request_max(&call->base)};
    struct cs_err err;
    int rc;

    if (!call->type.is_json) {
        if (message.len > cs_call_request_max(&call->base))
            too_big(call);
        else
            cs_call_take_message(&call->base, message);
        return;
    }
    rc = transcode->to_proto(transcode->owner, call->base.method, message, &proto, &err);
    if (rc == CS_OK)
        cs_call_take_message(&call->base, cs_buf_slice(&proto));
    else
        cs_call_fail(&call->base, &err);
    cs_buf_wipe(&proto);
}

/* Each message of a stream's request lies behind its length; the call's own rules say how many may come. */
static void deliver_enveloped(struct call *call, struct cs_slice body)
{
    struct cs_reader reader = cs_reader(body);

    while (reader.rest.len && !call->base.finished) {
        unsigned flags = cs_reader_u8(&reader);
        struct cs_slice message = cs_reader_take(&reader, cs_reader_u32(&reader));

        if (!cs_reader_ok(&reader))
            cs_call_finish(&call->base, CS_STATUS_INVALID_ARGUMENT,
                           "the body ends in the middle of a message");
        else if (flags & CS_CONNECT_FLAG_COMPRESSED)
            cs_call_finish(&call->base, CS_STATUS_INTERNAL,
                           "the message is marked as compressed, and no compression was agreed on");
        else if (flags)
            cs_call_finish(&call->base, CS_STATUS_INVALID_ARGUMENT,
                           "the message has flags that no request may have");
        else
            deliver(call, message);
    }
}

static void deliver_all(struct call *call)
{
    if (call->paused || call->delivered || call->base.finished)
        return;
    call->delivered = true;
    if (call->type.is_stream)
        deliver_enveloped(call, cs_buf_slice(&call->body));
    else
        deliver(call, cs_buf_slice(&call->body));
    drop_body(call);
    cs_call_take_half_close(&call->base);
}

static void on_half_close(struct cs_exchange *exchange)
{
    struct call *call = exchange->user;

    call->complete = true;
    deliver_all(call);
}

static void on_writable(struct cs_exchange *exchange)
{
    struct call *call = exchange->user;

    if (!call->base.finished)
        cs_call_take_writable(&call->base);
    else if (call->tail.len)
        push_tail(call);
}

static void on_close(struct cs_exchange *exchange, enum cs_exchange_end how)
{
    struct call *call = exchange->user;

    if (how == CS_EXCHANGE_DONE && call->base.finished)
        end(call, call->base.status);
    else
        end(call, how == CS_EXCHANGE_LOST ? CS_STATUS_UNAVAILABLE : CS_STATUS_CANCELLED);
}

static const struct cs_exchange_events events = {
    .on_body = on_body,
    .on_half_close = on_half_close,
    .on_writable = on_writable,
    .on_close = on_close,
};

/* A call begins */

/* What belongs to HTTP or to Connect, not to the call. */
static bool is_ours(struct cs_slice name)
{
    static const char *const names[] = {"accept",         "accept-encoding",
                                        "connection",     "content-encoding",
                                        "content-length", "content-type",
                                        "expect",         "keep-alive",
                                        "host",           "te",
                                        "trailer",        "transfer-encoding"};

    if (name.len == 0 || name.ptr[0] == ':' || cs_slice_starts_with(name, CS_SLICE_LIT("connect-")))
        return true;
    for (size_t i = 0; i < CS_ARRAY_LEN(names); i++)
        if (cs_slice_eq_str(name, names[i]))
            return true;
    return false;
}

static int copy_metadata(const struct cs_metadata_list *headers, struct cs_metadata_list *to)
{
    struct cs_slice name, value;
    int rc = CS_OK;

    for (size_t cursor = 0; rc == CS_OK && cs_metadata_next(headers, &cursor, &name, &value);)
        if (!is_ours(name))
            rc = cs_metadata_add_wire(to, name, value);
    return rc;
}

static struct call *call_new(struct cs_web_session *session, struct cs_exchange *exchange,
                             const struct cs_method *method, void *service)
{
    struct call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    call->base.transport = &transport;
    call->base.method = method;
    call->base.peer = session->peer;
    call->base.service = service;
    call->session = session;
    call->exchange = exchange;
    cs_list_init(&call->resumed_node);
    cs_list_append(&session->calls, &call->node);
    session->counters->calls_open++;
    session->counters->calls_total++;
    return call;
}

/* What the headers say about the call and we cannot do: the sentence, or NULL. */
static const char *find_fault(const struct cs_metadata_list *headers, struct cs_connect_type type,
                              const struct cs_method *method, uint64_t *ret_timeout_ms,
                              enum cs_status *ret_status)
{
    struct cs_slice version = cs_metadata_find(headers, "connect-protocol-version"),
                    timeout = cs_metadata_find(headers, "connect-timeout-ms"),
                    encoding = cs_metadata_find(headers, type.is_stream ? "connect-content-encoding"
                                                                        : "content-encoding");

    *ret_timeout_ms = 0;
    *ret_status = CS_STATUS_UNIMPLEMENTED;
    if (method->kind == CS_CALL_CLIENT_STREAM || method->kind == CS_CALL_BIDI)
        return "this method takes a stream of requests: call it by gRPC";
    if (encoding.len && !cs_slice_eq_str(encoding, "identity"))
        return "this server takes no compressed messages: the only encoding is identity";
    *ret_status = CS_STATUS_INVALID_ARGUMENT;
    if (version.len && !cs_slice_eq_str(version, "1"))
        return "connect-protocol-version must be 1";
    if (timeout.len && cs_connect_timeout_parse(timeout, ret_timeout_ms) != CS_OK)
        return "connect-timeout-ms must be a number of at most 10 digits";
    return NULL;
}

static void open_call(struct cs_web_session *session, struct cs_exchange *exchange,
                      const struct cs_exchange_head *head, struct cs_connect_type type,
                      const struct cs_method *method, void *service)
{
    const struct cs_metadata_list *headers = head->headers;
    bool has_timeout = cs_metadata_find(headers, "connect-timeout-ms").len > 0;
    enum cs_status status;
    uint64_t timeout_ms;
    const char *fault = find_fault(headers, type, method, &timeout_ms, &status);
    struct call *call;
    int rc;

    if (fault) {
        refuse(exchange, type, status, fault);
        return;
    }
    call = call_new(session, exchange, method, service);
    if (!call) {
        refuse(exchange, type, CS_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    call->type = type;
    rc = copy_metadata(headers, &call->base.metadata);
    if (rc != CS_OK) {
        call_free(call);
        refuse(exchange, type, rc == CS_EPARSE ? CS_STATUS_INVALID_ARGUMENT : CS_STATUS_RESOURCE_EXHAUSTED,
               rc == CS_EPARSE ? "a -bin header is no base64" : "out of memory");
        return;
    }
    exchange->events = &events;
    exchange->user = call;
    if (has_timeout) {
        call->base.deadline_ms = session->alarms->now_ms + timeout_ms;
        cs_alarm_set(session->alarms, &call->deadline, call->base.deadline_ms, on_deadline);
    }
    cs_call_begin(&call->base);
    /* Nobody need send what would be refused. */
    if (head->content_length > 0 && (uint64_t)head->content_length > body_max(call))
        too_big(call);
}

void cs_connect_take(struct cs_web_session *session, struct cs_exchange *exchange,
                     const struct cs_exchange_head *head, const struct cs_method *method, void *service)
{
    struct cs_slice content_type = cs_metadata_find(head->headers, "content-type");
    bool is_stream = method->kind != CS_CALL_UNARY, takes_json = session->web->transcode != NULL;
    struct cs_connect_type type;
    struct cs_metadata_list accept = {0};

    if (cs_connect_type_parse(content_type, &type) == CS_OK && type.is_stream == is_stream &&
        (takes_json || !type.is_json)) {
        open_call(session, exchange, head, type, method, service);
        return;
    }
    if (cs_grpc_add_text(&accept, "accept-post", cs_connect_accept_post(is_stream, takes_json)) != CS_OK)
        exchange->carrier->reset(exchange);
    else
        cs_connect_refuse(exchange, 415, CS_STATUS_UNIMPLEMENTED,
                          "this method takes other content types: see the header accept-post", &accept);
    cs_metadata_free(&accept);
}

void cs_connect_run(struct cs_web_session *session)
{
    for (struct cs_list *node = cs_list_pop(&session->resumed); node; node = cs_list_pop(&session->resumed))
        deliver_all(CS_CONTAINER_OF(node, struct call, resumed_node));
}

void cs_connect_finish_all(struct cs_web_session *session, const char *sentence)
{
    CS_LIST_FOREACH(node, &session->calls)
    {
        struct call *call = CS_CONTAINER_OF(node, struct call, node);

        cs_call_finish(&call->base, CS_STATUS_UNAVAILABLE, sentence);
    }
}
