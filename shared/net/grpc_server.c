#include "shared/net/grpc_server.h"

#include "shared/base/limits.h"
#include "shared/base/list.h"
#include "shared/net/call_impl.h"
#include "shared/net/grpc_inbox.h"
#include "shared/net/web_http2.h"

#include <stdio.h>

enum {
    /* grpc-message is for people; percent-encoding may triple it. */
    SENTENCE_BYTES = 1024,
    TRAILER_BYTES = 8 * 1024,
};

struct cs_grpc_server {
    struct cs_http2 *http2;
    const struct cs_registry *registry;
    const struct cs_peer *peer;
    struct cs_alarms *alarms;
    struct cs_grpc_counters *counters;
    void (*wake)(void *owner);
    void *owner;
    struct cs_list calls;
    struct cs_list resumed; /* inboxes */
    size_t held_bytes;
    uint32_t calls_open;
    bool has_web;
    struct cs_web_session web[]; /* one with has_web: agents' connections are many, and pay nothing for it */
};

struct call {
    struct cs_call base;
    struct cs_grpc_server *grpc;
    struct cs_http2_stream *stream;
    struct cs_list node;
    struct cs_grpc_inbox inbox;
    struct cs_alarm deadline;
    struct cs_metadata_list trailers;
    bool answered;
    bool half_closed; /* by the client; the handler may learn of it later, behind kept messages */
};

static struct call *to_call(struct cs_call *base)
{
    return CS_CONTAINER_OF(base, struct call, base);
}

/* Answers */

static int start_answer(struct call *call)
{
    struct cs_metadata_list headers = {0};
    int rc;

    if (call->answered)
        return CS_OK;
    rc = cs_grpc_add_text(&headers, ":status", "200");
    if (rc == CS_OK)
        rc = cs_grpc_add_text(&headers, "content-type", "application/grpc");
    if (rc == CS_OK)
        rc = cs_buf_append(&headers.bytes, cs_buf_slice(&call->base.headers.bytes));
    if (rc == CS_OK)
        rc = cs_http2_respond(call->stream, &headers, false);
    call->answered = rc == CS_OK;
    cs_metadata_free(&headers);
    return rc;
}

static int add_status(struct cs_metadata_list *list, enum cs_status status, const char *sentence)
{
    struct cs_slice text = cs_slice_str(sentence);
    struct cs_buf encoded = CS_BUF_EMPTY;
    char number[12];
    int rc;

    snprintf(number, sizeof number, "%u", (unsigned)status);
    rc = cs_grpc_add_text(list, "grpc-status", number);
    if (rc != CS_OK || text.len == 0)
        return rc;
    if (text.len > SENTENCE_BYTES)
        text.len = SENTENCE_BYTES;
    rc = cs_grpc_percent_encode(text, &encoded);
    if (rc == CS_OK)
        rc = cs_metadata_add(list, CS_SLICE_LIT("grpc-message"), cs_buf_slice(&encoded));
    cs_buf_free(&encoded);
    return rc;
}

/* "Trailers-Only": one list of headers is the whole answer. */
static int answer_trailers_only(struct cs_http2_stream *stream, enum cs_status status, const char *sentence,
                                const struct cs_metadata_list *more, const struct cs_metadata_list *trailers)
{
    struct cs_metadata_list headers = {0};
    int rc = cs_grpc_add_text(&headers, ":status", "200");

    if (rc == CS_OK)
        rc = cs_grpc_add_text(&headers, "content-type", "application/grpc");
    /* What a client that offers another encoding should use instead. */
    if (rc == CS_OK && status == CS_STATUS_UNIMPLEMENTED)
        rc = cs_grpc_add_text(&headers, "grpc-accept-encoding", "identity");
    if (rc == CS_OK && more)
        rc = cs_buf_append(&headers.bytes, cs_buf_slice(&more->bytes));
    if (rc == CS_OK)
        rc = add_status(&headers, status, sentence);
    if (rc == CS_OK && trailers)
        rc = cs_buf_append(&headers.bytes, cs_buf_slice(&trailers->bytes));
    if (rc == CS_OK)
        rc = cs_http2_respond(stream, &headers, true);
    cs_metadata_free(&headers);
    return rc;
}

static void refuse(struct cs_http2_stream *stream, enum cs_status status, const char *sentence)
{
    if (answer_trailers_only(stream, status, sentence, NULL, NULL) != CS_OK)
        cs_http2_reset(stream, CS_HTTP2_INTERNAL_ERROR);
}

/* What is not gRPC at all gets an answer that any HTTP client understands. */
static void refuse_http(struct cs_http2_stream *stream, const char *http_status)
{
    struct cs_metadata_list headers = {0};
    int rc = cs_grpc_add_text(&headers, ":status", http_status);

    if (rc == CS_OK)
        rc = cs_http2_respond(stream, &headers, true);
    if (rc != CS_OK)
        cs_http2_reset(stream, CS_HTTP2_INTERNAL_ERROR);
    cs_metadata_free(&headers);
}

/* The end of a call */

static void call_free(struct call *call)
{
    struct cs_grpc_server *grpc = call->grpc;

    cs_alarm_clear(grpc->alarms, &call->deadline);
    cs_grpc_inbox_free(&call->inbox);
    cs_metadata_free(&call->base.metadata);
    cs_metadata_free(&call->base.headers);
    cs_metadata_free(&call->trailers);
    cs_list_remove(&call->node);
    grpc->calls_open--;
    grpc->counters->calls_open--;
    free(call);
}

/* The stream goes on without the call, until its last bytes are sent or it is reset. */
static void end(struct call *call, enum cs_status how)
{
    /* What a paused call did not take would be missing from the connection's window for ever. */
    if (call->inbox.unconsumed)
        cs_http2_consume(call->stream, call->inbox.unconsumed);
    cs_http2_stream_set_user(call->stream, NULL);
    cs_call_end(&call->base, how);
    call_free(call);
}

static void on_deadline(struct cs_alarm *alarm)
{
    struct call *call = CS_CONTAINER_OF(alarm, struct call, deadline);

    /* What waits in front of the status is not worth waiting for. */
    if (cs_http2_stream_queued_bytes(call->stream) > 0 || call->base.finished)
        cs_http2_reset(call->stream, CS_HTTP2_CANCEL);
    else
        cs_call_finish(&call->base, CS_STATUS_DEADLINE_EXCEEDED, "the deadline has passed");
    call->grpc->wake(call->grpc->owner);
    end(call, CS_STATUS_DEADLINE_EXCEEDED);
}

/* What handlers ask for */

static int transport_send(struct cs_call *base, struct cs_slice message)
{
    struct call *call = to_call(base);
    uint8_t prefix[CS_GRPC_PREFIX_BYTES];
    int rc;

    if (message.len > CS_LIMIT_MESSAGE_BYTES)
        return CS_ETOOBIG;
    rc = start_answer(call);
    if (rc != CS_OK)
        return rc == CS_ENOMEM ? CS_EFULL : CS_ECLOSED;
    cs_grpc_prefix(message.len, prefix);
    rc = cs_http2_write(call->stream, CS_SLICE_ARRAY(prefix), message);
    call->grpc->wake(call->grpc->owner);
    return rc;
}

static int transport_add_trailer(struct cs_call *base, const char *name, struct cs_slice value)
{
    struct call *call = to_call(base);

    if (call->trailers.bytes.len + strlen(name) + value.len > TRAILER_BYTES)
        return CS_ETOOBIG;
    return cs_grpc_add_header(&call->trailers, cs_slice_str(name), value);
}

static void transport_finish(struct cs_call *base, enum cs_status status, const char *sentence)
{
    struct call *call = to_call(base);
    int rc;

    if (!call->answered) {
        rc = answer_trailers_only(call->stream, status, sentence, &base->headers, &call->trailers);
    } else {
        struct cs_metadata_list trailers = {0};

        rc = add_status(&trailers, status, sentence);
        if (rc == CS_OK)
            rc = cs_buf_append(&trailers.bytes, cs_buf_slice(&call->trailers.bytes));
        if (rc == CS_OK)
            rc = cs_http2_end(call->stream, &trailers);
        cs_metadata_free(&trailers);
    }
    if (rc != CS_OK)
        cs_http2_reset(call->stream, CS_HTTP2_INTERNAL_ERROR);
    call->grpc->wake(call->grpc->owner);
}

static void transport_pause(struct cs_call *base, bool paused)
{
    struct call *call = to_call(base);
    struct cs_grpc_inbox *inbox = &call->inbox;

    inbox->paused = paused;
    /* Messages that were kept come from cs_grpc_server_run(), never from inside this function. */
    if (!paused && cs_list_empty(&inbox->node)) {
        cs_list_append(&call->grpc->resumed, &inbox->node);
        call->grpc->wake(call->grpc->owner);
    }
}

static const struct cs_call_transport transport = {
    .send = transport_send,
    .add_trailer = transport_add_trailer,
    .finish = transport_finish,
    .pause = transport_pause,
};

/* A call begins */

struct head {
    struct cs_slice method, path, content_type, te, encoding, timeout;
};

static bool is_ours(struct cs_slice name)
{
    return name.ptr[0] == ':' || cs_slice_eq_str(name, "content-type") || cs_slice_eq_str(name, "te") ||
           cs_slice_starts_with(name, CS_SLICE_LIT("grpc-"));
}

static void read_head(const struct cs_metadata_list *headers, struct head *ret)
{
    *ret = (struct head){
        .method = cs_metadata_find(headers, ":method"),
        .path = cs_metadata_find(headers, ":path"),
        .content_type = cs_metadata_find(headers, "content-type"),
        .te = cs_metadata_find(headers, "te"),
        .encoding = cs_metadata_find(headers, "grpc-encoding"),
        .timeout = cs_metadata_find(headers, "grpc-timeout"),
    };
}

static struct call *call_new(struct cs_grpc_server *grpc, struct cs_http2_stream *stream,
                             const struct cs_method *method, void *service)
{
    struct call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    call->base.transport = &transport;
    call->base.method = method;
    call->base.peer = grpc->peer;
    call->base.service = service;
    call->grpc = grpc;
    call->stream = stream;
    cs_grpc_inbox_init(&call->inbox, cs_call_request_max(&call->base), &grpc->held_bytes);
    cs_list_append(&grpc->calls, &call->node);
    grpc->calls_open++;
    grpc->counters->calls_open++;
    grpc->counters->calls_total++;
    return call;
}

static void open_call(struct cs_grpc_server *grpc, struct cs_http2_stream *stream,
                      const struct cs_metadata_list *headers, const struct head *head)
{
    void *service;
    const struct cs_method *method = cs_registry_find(grpc->registry, head->path, &service);
    uint64_t timeout_ms = 0;
    struct call *call;
    int rc;

    if (!method) {
        refuse(stream, CS_STATUS_UNIMPLEMENTED, "this server has no such method");
        return;
    }
    if (head->timeout.len && cs_grpc_timeout_parse(head->timeout, &timeout_ms) != CS_OK) {
        refuse(stream, CS_STATUS_INTERNAL, "grpc-timeout is malformed");
        return;
    }
    call = call_new(grpc, stream, method, service);
    if (!call) {
        refuse(stream, CS_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    rc = cs_metadata_copy(headers, is_ours, &call->base.metadata);
    if (rc != CS_OK) {
        call_free(call);
        refuse(stream, rc == CS_EPARSE ? CS_STATUS_INTERNAL : CS_STATUS_RESOURCE_EXHAUSTED,
               rc == CS_EPARSE ? "a -bin header is no base64" : "out of memory");
        return;
    }
    cs_http2_stream_set_user(stream, call);
    if (head->timeout.len) {
        call->base.deadline_ms = grpc->alarms->now_ms + timeout_ms;
        cs_alarm_set(grpc->alarms, &call->deadline, call->base.deadline_ms, on_deadline);
    }
    cs_call_begin(&call->base);
}

static bool is_web(const struct cs_http2_stream *stream)
{
    return cs_http2_stream_mark(stream);
}

/* Whatever says that it is gRPC gets gRPC's answers. */
static bool is_for_web(const struct cs_grpc_server *grpc, const struct head *head)
{
    return grpc->has_web && !cs_slice_starts_with(head->content_type, CS_SLICE_LIT("application/grpc"));
}

/* False: the listener's guard has refused the call, and the client knows. */
static bool may_pass(struct cs_grpc_server *grpc, struct cs_http2_stream *stream, const struct head *head,
                     const struct cs_metadata_list *headers)
{
    struct cs_err err;
    enum cs_status status =
        grpc->has_web ? cs_web_check(grpc->web->web, head->method, head->path, headers, &err) : CS_STATUS_OK;

    if (status != CS_STATUS_OK)
        refuse(stream, status, err.msg);
    return status == CS_STATUS_OK;
}

static void on_headers(struct cs_http2_stream *stream, const struct cs_metadata_list *headers, bool oversize)
{
    struct cs_grpc_server *grpc = cs_http2_stream_owner(stream);
    struct head head;

    if (cs_http2_stream_user(stream) || cs_metadata_find(headers, ":method").len == 0)
        return; /* trailers: a gRPC client has none to send */
    read_head(headers, &head);
    if (oversize)
        refuse_http(stream, "431");
    else if (is_for_web(grpc, &head))
        cs_web_http2_take(grpc->web, stream, headers);
    else if (!cs_slice_eq_str(head.method, "POST"))
        refuse_http(stream, "405");
    else if (!cs_grpc_content_type_ok(head.content_type))
        refuse_http(stream, "415");
    else if (!cs_slice_eq_str(head.te, "trailers"))
        refuse(stream, CS_STATUS_INTERNAL,
               "the header \"te: trailers\" is missing: something between drops trailers");
    else if (!may_pass(grpc, stream, &head, headers))
        return;
    else if (head.encoding.len && !cs_slice_eq_str(head.encoding, "identity"))
        refuse(stream, CS_STATUS_UNIMPLEMENTED, "this server takes no compressed messages");
    else
        open_call(grpc, stream, headers, &head);
}

/* A call goes on */

static bool deliver(struct cs_grpc_inbox *inbox, struct cs_slice message)
{
    struct call *call = CS_CONTAINER_OF(inbox, struct call, inbox);

    cs_call_take_message(&call->base, message);
    return !call->base.finished;
}

static void take(struct call *call, struct cs_slice bytes)
{
    enum cs_grpc_read read = cs_grpc_inbox_take(&call->inbox, call->stream, bytes, deliver);
    const char *sentence;
    enum cs_status status = cs_grpc_read_status(read, &sentence);

    if (read != CS_GRPC_READ_MORE)
        cs_call_finish(&call->base, status, sentence);
}

static void on_data(struct cs_http2_stream *stream, struct cs_slice bytes)
{
    struct call *call = cs_http2_stream_user(stream);

    if (is_web(stream))
        cs_web_http2_on_data(stream, bytes);
    else if (call && !call->base.finished)
        take(call, bytes);
    else
        cs_http2_consume(stream, bytes.len);
}

static void half_close(struct call *call)
{
    if (!call->half_closed || call->inbox.paused)
        return;
    if (cs_grpc_inbox_is_empty(&call->inbox))
        cs_call_take_half_close(&call->base);
    else
        cs_call_finish(&call->base, CS_STATUS_INTERNAL, "the client ended in the middle of a message");
}

static void on_half_close(struct cs_http2_stream *stream)
{
    struct call *call = cs_http2_stream_user(stream);

    if (is_web(stream)) {
        cs_web_http2_on_half_close(stream);
    } else if (call) {
        call->half_closed = true;
        half_close(call);
    }
}

static void on_writable(struct cs_http2_stream *stream)
{
    struct call *call = cs_http2_stream_user(stream);

    if (is_web(stream))
        cs_web_http2_on_writable(stream);
    else if (call)
        cs_call_take_writable(&call->base);
}

static void on_close(struct cs_http2_stream *stream, uint32_t code)
{
    struct call *call = cs_http2_stream_user(stream);
    enum cs_status how = CS_STATUS_CANCELLED;

    if (is_web(stream))
        cs_web_http2_on_close(stream, code);
    if (is_web(stream) || !call)
        return;
    if (code == CS_HTTP2_LOST)
        how = CS_STATUS_UNAVAILABLE;
    else if (code == CS_HTTP2_NO_ERROR && call->base.finished)
        how = call->base.status;
    end(call, how);
}

static void ignore_up(void *owner)
{
    (void)owner;
}

static void ignore_goaway(void *owner, uint32_t code)
{
    (void)owner, (void)code;
}

static const struct cs_http2_events events = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_half_close = on_half_close,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_up = ignore_up,
    .on_goaway = ignore_goaway,
};

int cs_grpc_server_new(const struct cs_grpc_server_options *options, struct cs_grpc_server **ret,
                       struct cs_err *err)
{
    bool has_web = options->web && cs_web_is_open(options->web);
    struct cs_grpc_server *grpc = calloc(1, sizeof *grpc + (has_web ? sizeof grpc->web[0] : 0));
    struct cs_http2_options http2 = {
        .is_server = true,
        .max_streams = options->max_streams,
        .clock = options->alarms,
        .events = &events,
        .owner = grpc,
    };
    int rc;

    if (!grpc)
        return cs_err_nomem(err);
    grpc->registry = options->registry;
    grpc->peer = options->peer;
    grpc->alarms = options->alarms;
    grpc->counters = options->counters;
    grpc->wake = options->wake;
    grpc->owner = options->owner;
    cs_list_init(&grpc->calls);
    cs_list_init(&grpc->resumed);
    grpc->has_web = has_web;
    if (has_web)
        cs_web_session_init(grpc->web, options->web, options);
    rc = cs_http2_new(&http2, &grpc->http2, err);
    if (rc != CS_OK) {
        free(grpc);
        return rc;
    }
    *ret = grpc;
    return CS_OK;
}

void cs_grpc_server_free(struct cs_grpc_server *grpc)
{
    if (!grpc)
        return;
    cs_http2_free(grpc->http2);
    cs_assert(cs_list_empty(&grpc->calls));
    cs_assert(!grpc->has_web || cs_list_empty(&grpc->web->calls));
    free(grpc);
}

struct cs_http2 *cs_grpc_server_http2(struct cs_grpc_server *grpc)
{
    return grpc->http2;
}

void cs_grpc_server_run(struct cs_grpc_server *grpc)
{
    for (struct cs_list *node = cs_list_pop(&grpc->resumed); node; node = cs_list_pop(&grpc->resumed)) {
        struct cs_grpc_inbox *inbox = CS_CONTAINER_OF(node, struct cs_grpc_inbox, node);
        struct call *call = CS_CONTAINER_OF(inbox, struct call, inbox);

        if (inbox->paused || call->base.finished)
            continue;
        take(call, CS_SLICE_EMPTY);
        half_close(call);
    }
    if (grpc->has_web)
        cs_web_session_run(grpc->web);
}

void cs_grpc_server_finish_all(struct cs_grpc_server *grpc, const char *sentence)
{
    CS_LIST_FOREACH(node, &grpc->calls)
    {
        struct call *call = CS_CONTAINER_OF(node, struct call, node);

        cs_call_finish(&call->base, CS_STATUS_UNAVAILABLE, sentence);
    }
    if (grpc->has_web)
        cs_web_session_finish_all(grpc->web, sentence);
}

uint32_t cs_grpc_server_calls_open(const struct cs_grpc_server *grpc)
{
    return grpc->calls_open;
}
