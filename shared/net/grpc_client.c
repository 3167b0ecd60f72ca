#include "shared/net/grpc_client.h"

#include "shared/base/limits.h"
#include "shared/base/list.h"
#include "shared/net/grpc_inbox.h"

#include <stdio.h>

enum { SENTENCE_BYTES = 512 };

struct cs_grpc_client {
    struct cs_http2 *http2;
    struct cs_alarms *alarms;
    char *authority;
    bool is_tls;
    bool closed;
    void (*on_up)(void *owner);
    void (*on_goaway)(void *owner);
    void (*wake)(void *owner);
    void *owner;
    struct cs_list calls;
    struct cs_list cancelled; /* calls whose on_end is due, by their node */
    struct cs_list resumed;   /* inboxes */
    struct cs_list ended;     /* freed once no event of theirs can be on the stack */
    size_t held_bytes;
    uint32_t calls_open;
};

struct cs_client_call {
    struct cs_grpc_client *grpc;
    struct cs_http2_stream *stream; /* NULL once our interest in it is over */
    const struct cs_client_events *events;
    void *data;
    struct cs_list node;
    struct cs_grpc_inbox inbox;
    struct cs_alarm deadline;
    struct cs_metadata_list trailers;
    unsigned http_status;
    bool is_grpc; /* status 200 and the right content-type */
    bool oversize;
    bool has_status;  /* grpc-status has come, in trailers */
    bool half_closed; /* by us */
    bool server_done; /* what waits in the inbox is still to be delivered */
    bool cancelled;   /* by us; on_end is on its way */
    bool ended;
};

/* The end of a call */

static void release_stream(struct cs_client_call *call)
{
    if (!call->stream)
        return;
    if (call->inbox.unconsumed)
        cs_http2_consume(call->stream, call->inbox.unconsumed);
    call->inbox.unconsumed = 0;
    cs_http2_stream_set_user(call->stream, NULL);
    call->stream = NULL;
}

static void end(struct cs_client_call *call, enum cs_status status, const char *sentence)
{
    struct cs_grpc_client *grpc = call->grpc;

    if (call->ended)
        return;
    call->ended = true;
    release_stream(call);
    cs_alarm_clear(grpc->alarms, &call->deadline);
    cs_list_remove(&call->node);
    cs_list_remove(&call->inbox.node);
    cs_list_append(&grpc->ended, &call->node);
    grpc->calls_open--;
    call->events->on_end(call, status, sentence ? sentence : "", call->data);
    grpc->wake(grpc->owner);
}

static void reset_and_end(struct cs_client_call *call, enum cs_status status, const char *sentence)
{
    if (call->stream)
        cs_http2_reset(call->stream, CS_HTTP2_CANCEL);
    end(call, status, sentence);
}

static void call_free(struct cs_client_call *call)
{
    cs_list_remove(&call->node);
    cs_grpc_inbox_free(&call->inbox);
    cs_metadata_free(&call->trailers);
    free(call);
}

static void free_ended(struct cs_grpc_client *grpc)
{
    CS_LIST_FOREACH(node, &grpc->ended)
    call_free(CS_CONTAINER_OF(node, struct cs_client_call, node));
}

/* The server has ended its side and every message was delivered: what does it mean? */
static void conclude(struct cs_client_call *call)
{
    enum cs_status status = CS_STATUS_UNKNOWN;
    char sentence[SENTENCE_BYTES] = "the server ended the call without a status";

    if (call->oversize) {
        status = CS_STATUS_RESOURCE_EXHAUSTED;
        snprintf(sentence, sizeof sentence, "the server's headers are larger than %d bytes",
                 CS_LIMIT_HEADER_BYTES);
    } else if (call->has_status) {
        struct cs_slice text = cs_metadata_find(&call->trailers, "grpc-message");
        struct cs_buf decoded = CS_BUF_EMPTY;

        status = cs_grpc_status_parse(cs_metadata_find(&call->trailers, "grpc-status"));
        if (cs_grpc_percent_decode(text, &decoded) != CS_OK)
            cs_buf_clear(&decoded);
        snprintf(sentence, sizeof sentence, "%.*s", (int)decoded.len,
                 decoded.len ? (const char *)decoded.ptr : "");
        cs_buf_free(&decoded);
    } else if (call->http_status != 200) {
        status = cs_grpc_status_from_http(call->http_status);
        snprintf(sentence, sizeof sentence, "the server answered with HTTP status %u", call->http_status);
    } else if (!call->is_grpc) {
        snprintf(sentence, sizeof sentence, "the server's answer is not gRPC (content-type)");
    }
    if (status == CS_STATUS_OK && !cs_grpc_inbox_is_empty(&call->inbox)) {
        status = CS_STATUS_INTERNAL;
        snprintf(sentence, sizeof sentence, "the server ended in the middle of a message");
    }
    /* It may not want the rest of our messages. */
    if (call->stream && !call->half_closed)
        cs_http2_reset(call->stream, CS_HTTP2_CANCEL);
    end(call, status, sentence);
}

static void on_deadline(struct cs_alarm *alarm)
{
    reset_and_end(CS_CONTAINER_OF(alarm, struct cs_client_call, deadline), CS_STATUS_DEADLINE_EXCEEDED,
                  "the deadline has passed");
}

/* What the caller asks for */

static int add_head(struct cs_grpc_client *grpc, const struct cs_client_call_options *options,
                    struct cs_metadata_list *to)
{
    char timeout[CS_GRPC_TIMEOUT_TEXT_BYTES];
    int rc = cs_grpc_add_text(to, ":method", "POST");

    if (rc == CS_OK)
        rc = cs_grpc_add_text(to, ":scheme", grpc->is_tls ? "https" : "http");
    if (rc == CS_OK)
        rc = cs_grpc_add_text(to, ":path", options->path);
    if (rc == CS_OK)
        rc = cs_grpc_add_text(to, ":authority", grpc->authority);
    if (rc == CS_OK)
        rc = cs_grpc_add_text(to, "te", "trailers");
    if (rc == CS_OK)
        rc = cs_grpc_add_text(to, "content-type", "application/grpc");
    if (rc == CS_OK && options->timeout_ms) {
        cs_grpc_timeout_text(options->timeout_ms, timeout);
        rc = cs_grpc_add_text(to, "grpc-timeout", timeout);
    }
    for (size_t i = 0; i < options->metadata_count && rc == CS_OK; i++)
        rc = cs_grpc_add_header(to, cs_slice_str(options->metadata[i].name), options->metadata[i].value);
    return rc;
}

static struct cs_client_call *call_new(struct cs_grpc_client *grpc,
                                       const struct cs_client_call_options *options,
                                       const struct cs_client_events *events, void *data)
{
    struct cs_client_call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    call->grpc = grpc;
    call->events = events;
    call->data = data;
    cs_grpc_inbox_init(&call->inbox,
                       options->reply_max_bytes ? options->reply_max_bytes : CS_LIMIT_MESSAGE_BYTES,
                       &grpc->held_bytes);
    cs_list_init(&call->node);
    return call;
}

int cs_grpc_call_new(struct cs_grpc_client *grpc, const struct cs_client_call_options *options,
                     const struct cs_client_events *events, void *data, struct cs_client_call **ret,
                     struct cs_err *err)
{
    struct cs_metadata_list head = {0};
    struct cs_client_call *call;
    int rc;

    cs_assert(events->on_end);
    if (grpc->closed || cs_http2_is_draining(grpc->http2))
        return cs_err_set(err, CS_ECLOSED, "calling %s: this connection takes no new calls, connect anew",
                          options->path);
    call = call_new(grpc, options, events, data);
    if (!call)
        return cs_err_nomem(err);
    rc = add_head(grpc, options, &head);
    if (rc == CS_OK)
        rc = cs_http2_request(grpc->http2, &head, call, &call->stream);
    cs_metadata_free(&head);
    if (rc != CS_OK) {
        call_free(call);
        return cs_err_set(err, rc, "calling %s: %s", options->path,
                          rc == CS_EINVAL ? "a metadata name or value has characters that HTTP does not carry"
                                          : cs_code_text(rc));
    }
    if (options->timeout_ms)
        cs_alarm_set(grpc->alarms, &call->deadline, grpc->alarms->now_ms + options->timeout_ms, on_deadline);
    cs_list_append(&grpc->calls, &call->node);
    grpc->calls_open++;
    grpc->wake(grpc->owner);
    *ret = call;
    return CS_OK;
}

int cs_client_call_send(struct cs_client_call *call, struct cs_slice message)
{
    uint8_t prefix[CS_GRPC_PREFIX_BYTES];
    int rc;

    if (!call->stream || call->half_closed)
        return CS_ECLOSED;
    if (message.len > CS_LIMIT_MESSAGE_BYTES)
        return CS_ETOOBIG;
    cs_grpc_prefix(message.len, prefix);
    rc = cs_http2_write(call->stream, CS_SLICE_ARRAY(prefix), message);
    call->grpc->wake(call->grpc->owner);
    return rc;
}

void cs_client_call_half_close(struct cs_client_call *call)
{
    if (!call->stream || call->half_closed)
        return;
    call->half_closed = true;
    if (cs_http2_end(call->stream, NULL) != CS_OK)
        cs_client_call_cancel(call);
    call->grpc->wake(call->grpc->owner);
}

void cs_client_call_cancel(struct cs_client_call *call)
{
    if (call->cancelled || call->ended)
        return;
    call->cancelled = true;
    cs_alarm_clear(call->grpc->alarms, &call->deadline);
    if (call->stream)
        cs_http2_reset(call->stream, CS_HTTP2_CANCEL);
    release_stream(call);
    cs_list_remove(&call->node);
    cs_list_append(&call->grpc->cancelled, &call->node);
    call->grpc->wake(call->grpc->owner);
}

struct cs_slice cs_client_call_trailer(const struct cs_client_call *call, const char *name)
{
    return cs_metadata_find(&call->trailers, name);
}

void cs_client_call_pause(struct cs_client_call *call, bool paused)
{
    call->inbox.paused = paused;
    if (!paused && !call->ended && cs_list_empty(&call->inbox.node)) {
        cs_list_append(&call->grpc->resumed, &call->inbox.node);
        call->grpc->wake(call->grpc->owner);
    }
}

/* What the server does */

static void on_headers(struct cs_http2_stream *stream, const struct cs_metadata_list *headers, bool oversize)
{
    struct cs_client_call *call = cs_http2_stream_user(stream);
    struct cs_slice name, value, status = cs_metadata_find(headers, ":status");

    if (!call)
        return;
    call->oversize |= oversize;
    if (status.len == 3) {
        call->http_status = (unsigned)(status.ptr[0] - '0') * 100 + (unsigned)(status.ptr[1] - '0') * 10 +
                            (unsigned)(status.ptr[2] - '0');
        call->is_grpc = cs_grpc_content_type_ok(cs_metadata_find(headers, "content-type"));
    }
    if (cs_metadata_find(headers, "grpc-status").len == 0)
        return;
    call->has_status = true;
    for (size_t cursor = 0; cs_metadata_next(headers, &cursor, &name, &value);)
        if (name.ptr[0] != ':' && cs_metadata_add_wire(&call->trailers, name, value) == CS_ENOMEM)
            call->oversize = true;
}

static bool deliver(struct cs_grpc_inbox *inbox, struct cs_slice message)
{
    struct cs_client_call *call = CS_CONTAINER_OF(inbox, struct cs_client_call, inbox);

    if (call->events->on_message)
        call->events->on_message(call, message, call->data);
    return !call->cancelled && !call->ended;
}

static void take(struct cs_client_call *call, struct cs_slice bytes)
{
    enum cs_grpc_read read = cs_grpc_inbox_take(&call->inbox, call->stream, bytes, deliver);
    const char *sentence;
    enum cs_status status = cs_grpc_read_status(read, &sentence);

    if (read != CS_GRPC_READ_MORE && !call->cancelled)
        reset_and_end(call, status, sentence);
}

static void on_data(struct cs_http2_stream *stream, struct cs_slice bytes)
{
    struct cs_client_call *call = cs_http2_stream_user(stream);

    if (call && call->is_grpc && call->http_status == 200)
        take(call, bytes);
    else
        cs_http2_consume(stream, bytes.len);
}

static void on_half_close(struct cs_http2_stream *stream)
{
    struct cs_client_call *call = cs_http2_stream_user(stream);

    if (!call)
        return;
    call->server_done = true;
    if (!call->inbox.paused)
        conclude(call);
}

static void on_writable(struct cs_http2_stream *stream)
{
    struct cs_client_call *call = cs_http2_stream_user(stream);

    if (call && call->events->on_writable)
        call->events->on_writable(call, call->data);
}

static void on_close(struct cs_http2_stream *stream, uint32_t code)
{
    struct cs_client_call *call = cs_http2_stream_user(stream);

    if (!call)
        return;
    if (call->server_done) {
        /* The stream is over, the messages that wait for a resume are not. */
        release_stream(call);
        return;
    }
    if (!cs_http2_stream_was_sent(stream))
        end(call, CS_STATUS_UNAVAILABLE, "the connection took no more calls before this one was sent");
    else if (code == CS_HTTP2_LOST)
        end(call, CS_STATUS_UNAVAILABLE, "the connection was lost");
    else
        end(call, cs_grpc_status_from_reset(code), "the server reset the call");
}

static void on_up(void *owner)
{
    struct cs_grpc_client *grpc = owner;

    grpc->on_up(grpc->owner);
}

static void on_goaway(void *owner, uint32_t code)
{
    struct cs_grpc_client *grpc = owner;

    (void)code;
    grpc->on_goaway(grpc->owner);
}

static const struct cs_http2_events http2_events = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_half_close = on_half_close,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_up = on_up,
    .on_goaway = on_goaway,
};

int cs_grpc_client_new(const struct cs_grpc_client_options *options, struct cs_grpc_client **ret,
                       struct cs_err *err)
{
    struct cs_grpc_client *grpc = calloc(1, sizeof *grpc);
    struct cs_http2_options http2 = {.clock = options->alarms, .events = &http2_events, .owner = grpc};
    int rc;

    if (!grpc)
        return cs_err_nomem(err);
    grpc->alarms = options->alarms;
    grpc->is_tls = options->is_tls;
    grpc->on_up = options->on_up;
    grpc->on_goaway = options->on_goaway;
    grpc->wake = options->wake;
    grpc->owner = options->owner;
    cs_list_init(&grpc->calls);
    cs_list_init(&grpc->cancelled);
    cs_list_init(&grpc->resumed);
    cs_list_init(&grpc->ended);
    grpc->authority = strdup(options->authority);
    rc = grpc->authority ? cs_http2_new(&http2, &grpc->http2, err) : cs_err_nomem(err);
    if (rc != CS_OK) {
        cs_grpc_client_free(grpc);
        return rc;
    }
    *ret = grpc;
    return CS_OK;
}

void cs_grpc_client_free(struct cs_grpc_client *grpc)
{
    if (!grpc)
        return;
    cs_assert(grpc->calls_open == 0);
    cs_http2_free(grpc->http2);
    free_ended(grpc);
    free(grpc->authority);
    free(grpc);
}

struct cs_http2 *cs_grpc_client_http2(struct cs_grpc_client *grpc)
{
    return grpc->http2;
}

static void resume(struct cs_client_call *call)
{
    if (call->inbox.paused || call->cancelled || call->ended)
        return;
    take(call, CS_SLICE_EMPTY);
    if (call->server_done && !call->inbox.paused && !call->cancelled && !call->ended)
        conclude(call);
}

void cs_grpc_client_run(struct cs_grpc_client *grpc)
{
    struct cs_list *node;

    while ((node = cs_list_pop(&grpc->resumed)))
        resume(
            CS_CONTAINER_OF(CS_CONTAINER_OF(node, struct cs_grpc_inbox, node), struct cs_client_call, inbox));
    while ((node = cs_list_pop(&grpc->cancelled)))
        end(CS_CONTAINER_OF(node, struct cs_client_call, node), CS_STATUS_CANCELLED,
            "the call was cancelled here");
    free_ended(grpc);
}

void cs_grpc_client_end_all(struct cs_grpc_client *grpc, enum cs_status status, const char *sentence)
{
    grpc->closed = true;
    while (!cs_list_empty(&grpc->cancelled))
        end(CS_CONTAINER_OF(grpc->cancelled.next, struct cs_client_call, node), CS_STATUS_CANCELLED,
            "the call was cancelled here");
    while (!cs_list_empty(&grpc->calls))
        reset_and_end(CS_CONTAINER_OF(grpc->calls.next, struct cs_client_call, node), status, sentence);
}

uint32_t cs_grpc_client_calls_open(const struct cs_grpc_client *grpc)
{
    return grpc->calls_open;
}
