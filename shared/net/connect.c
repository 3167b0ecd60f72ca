#include "shared/net/connect.h"

#include "shared/base/limits.h"
#include "shared/base/reader.h"
#include "shared/net/connect_impl.h"
#include "shared/net/grpc_wire.h"

enum {
    /* JSON is longer than the protobuf that it stands for: base64, names of fields. What is kept of a request
     * before anybody has looked at who sends it should not be more than need be. */
    JSON_REQUEST_FACTOR = 2,
    JSON_REQUEST_EXTRA_BYTES = 4 * 1024,
};

/* The end of a call */

static void drop_body(struct connect_call *call)
{
    call->session->held_bytes -= call->body.len;
    cs_buf_wipe(&call->body);
}

static void call_free(struct connect_call *call)
{
    struct cs_web_session *session = call->session;

    cs_alarm_clear(session->alarms, &call->deadline);
    drop_body(call);
    cs_buf_wipe(&call->reply);
    connect_drop_tail(call);
    cs_metadata_free(&call->base.metadata);
    cs_metadata_free(&call->base.headers);
    cs_metadata_free(&call->trailers);
    cs_list_remove(&call->node);
    cs_list_remove(&call->resumed_node);
    session->counters->calls_open--;
    free(call);
}

/* The exchange goes on without the call, until its last bytes are sent or it is reset. */
static void end(struct connect_call *call, enum cs_status how)
{
    call->exchange->events = NULL;
    call->exchange->user = NULL;
    cs_call_end(&call->base, how);
    call_free(call);
}

static void on_deadline(struct cs_alarm *alarm)
{
    struct connect_call *call = CS_CONTAINER_OF(alarm, struct connect_call, deadline);
    struct cs_exchange *exchange = call->exchange;

    /* What waits in front of the status is not worth waiting for. */
    if (call->base.finished || exchange->carrier->queued_bytes(exchange) > 0)
        exchange->carrier->reset(exchange);
    else
        cs_call_finish(&call->base, CS_STATUS_DEADLINE_EXCEEDED, "the deadline has passed");
    if (call->tail.len)
        exchange->carrier->reset(exchange);
    connect_wake(call);
    end(call, CS_STATUS_DEADLINE_EXCEEDED);
}

/* The request */

static size_t body_max(const struct connect_call *call)
{
    size_t max = cs_call_request_max(&call->base) + (call->type.is_stream ? CS_CONNECT_PREFIX_BYTES : 0);

    return call->type.is_json ? max * JSON_REQUEST_FACTOR + JSON_REQUEST_EXTRA_BYTES : max;
}

static void too_big(struct connect_call *call)
{
    call->http_status = 413; /* RFC 9110 section 15.5.14 */
    cs_call_finish(&call->base, CS_STATUS_RESOURCE_EXHAUSTED, "the message is larger than this method takes");
}

static void on_body(struct cs_exchange *exchange, struct cs_slice bytes)
{
    struct connect_call *call = exchange->user;

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

static void deliver(struct connect_call *call, struct cs_slice message)
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
static void deliver_enveloped(struct connect_call *call, struct cs_slice body)
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

static void deliver_all(struct connect_call *call)
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
    struct connect_call *call = exchange->user;

    call->complete = true;
    deliver_all(call);
}

static void on_writable(struct cs_exchange *exchange)
{
    struct connect_call *call = exchange->user;

    if (!call->base.finished)
        cs_call_take_writable(&call->base);
    else if (call->tail.len)
        connect_push_tail(call);
}

static void on_close(struct cs_exchange *exchange, enum cs_exchange_end how)
{
    struct connect_call *call = exchange->user;

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

static struct connect_call *call_new(struct cs_web_session *session, struct cs_exchange *exchange,
                                     const struct cs_method *method, void *service)
{
    struct connect_call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    call->base.transport = &connect_transport;
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

/* What the call says of its request. */
static int copy_head(const struct cs_metadata_list *headers, struct cs_metadata_list *ret)
{
    struct cs_slice authority = cs_metadata_find(headers, ":authority");
    int rc = cs_metadata_copy(headers, is_ours, ret);

    if (authority.len == 0)
        authority = cs_metadata_find(headers, "host");
    return rc == CS_OK ? cs_metadata_add(ret, CS_SLICE_LIT(CS_CALL_AUTHORITY), authority) : rc;
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
    struct connect_call *call;
    int rc;

    if (fault) {
        connect_refuse_call(exchange, type, status, fault);
        return;
    }
    call = call_new(session, exchange, method, service);
    if (!call) {
        connect_refuse_call(exchange, type, CS_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    call->type = type;
    rc = copy_head(headers, &call->base.metadata);
    if (rc != CS_OK) {
        call_free(call);
        connect_refuse_call(exchange, type,
                            rc == CS_EPARSE ? CS_STATUS_INVALID_ARGUMENT : CS_STATUS_RESOURCE_EXHAUSTED,
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
        deliver_all(CS_CONTAINER_OF(node, struct connect_call, resumed_node));
}

void cs_connect_finish_all(struct cs_web_session *session, const char *sentence)
{
    CS_LIST_FOREACH(node, &session->calls)
    {
        struct connect_call *call = CS_CONTAINER_OF(node, struct connect_call, node);

        cs_call_finish(&call->base, CS_STATUS_UNAVAILABLE, sentence);
    }
}
