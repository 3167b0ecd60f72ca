#include "tests/support/echo_service.h"

#include "shared/base/limits.h"
#include "shared/base/reader.h"
#include "shared/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What one call remembers between its events. */
struct work {
    uint64_t left, size, count, bytes;
    uv_timer_t timer;
    struct cs_call *call; /* NULL once it has ended */
    struct echo_service *service;
    char *text;
};

static struct echo_service *service_of(struct cs_call *call)
{
    return cs_call_service(call);
}

/* Field 1 as bytes: google.protobuf.BytesValue. */
static struct cs_slice unwrap(struct cs_call *call, struct cs_slice message)
{
    struct cs_reader reader = cs_reader(message);
    struct cs_slice bytes;

    if (!service_of(call)->wrapped || message.len == 0)
        return message;
    if (cs_reader_varint(&reader) != (1 << 3 | 2))
        return CS_SLICE_EMPTY;
    bytes = cs_reader_take(&reader, (size_t)cs_reader_varint(&reader));
    return cs_reader_done(&reader) ? bytes : CS_SLICE_EMPTY;
}

static int echo_send(struct cs_call *call, struct cs_slice message)
{
    struct cs_buf wrapped = CS_BUF_EMPTY;
    int rc;

    if (!service_of(call)->wrapped)
        return cs_call_send(call, message);
    rc = cs_buf_append_field(&wrapped, 1, message);
    if (rc == CS_OK)
        rc = cs_call_send(call, cs_buf_slice(&wrapped));
    cs_buf_free(&wrapped);
    return rc;
}

static void echo_reply(struct cs_call *call, struct cs_slice message)
{
    int rc = service_of(call)->wrapped ? echo_send(call, message) : CS_OK;

    if (!service_of(call)->wrapped)
        cs_call_reply(call, message);
    else
        cs_call_finish(call, rc == CS_OK || rc == CS_EBUSY ? CS_STATUS_OK : CS_STATUS_RESOURCE_EXHAUSTED,
                       NULL);
}

static void reply_text(struct cs_call *call, const char *text)
{
    echo_reply(call, cs_slice_str(text));
}

/* Numbers and sentences of requests, as a terminated copy. */
static char *to_text(struct cs_slice message)
{
    char *text = malloc(message.len + 1);

    if (text) {
        if (message.len)
            memcpy(text, message.ptr, message.len);
        text[message.len] = '\0';
    }
    return text;
}

static void count_open(struct cs_call *call)
{
    service_of(call)->opened++;
}

static void count_end(struct cs_call *call, enum cs_status how)
{
    service_of(call)->ended++;
    service_of(call)->last_end = how;
}

static void open_with_work(struct cs_call *call)
{
    struct work *work = calloc(1, sizeof *work);

    count_open(call);
    cs_call_set_data(call, work);
    if (!work)
        cs_call_finish(call, CS_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static void end_with_work(struct cs_call *call, enum cs_status how)
{
    count_end(call, how);
    free(cs_call_data(call));
}

static void unary_message(struct cs_call *call, struct cs_slice sent)
{
    struct cs_slice message = unwrap(call, sent);

    echo_reply(call, message);
}

static void fail_message(struct cs_call *call, struct cs_slice sent)
{
    struct cs_slice message = unwrap(call, sent);
    static const uint8_t detail[] = {0, 1, 0xfe, 0xff};
    char *text = to_text(message), *sentence = NULL;
    unsigned long code = text ? strtoul(text, &sentence, 10) : 0;

    if (cs_call_add_trailer(call, "reason", CS_SLICE_LIT("because")) != CS_OK ||
        cs_call_add_trailer(call, "detail-bin", CS_SLICE_ARRAY(detail)) != CS_OK)
        code = CS_STATUS_INTERNAL;
    cs_call_finish(call, (enum cs_status)code, sentence && *sentence == ' ' ? sentence + 1 : NULL);
    free(text);
}

static void stream_more(struct cs_call *call)
{
    static const uint8_t zeros[CS_LIMIT_MESSAGE_BYTES];
    struct work *work = cs_call_data(call);

    while (work->left > 0) {
        int rc = echo_send(call, cs_slice(zeros, work->size));

        if (rc != CS_OK && rc != CS_EBUSY) {
            cs_call_finish(call, CS_STATUS_RESOURCE_EXHAUSTED, "no room to send");
            return;
        }
        work->left--;
        service_of(call)->bytes_sent += work->size;
        if (rc == CS_EBUSY)
            return;
    }
    cs_call_finish(call, CS_STATUS_OK, NULL);
}

static void stream_message(struct cs_call *call, struct cs_slice sent)
{
    struct cs_slice message = unwrap(call, sent);
    struct work *work = cs_call_data(call);
    char *text = to_text(message);

    service_of(call)->bytes_sent = 0;
    if (text && sscanf(text, "%" SCNu64 " %" SCNu64, &work->left, &work->size) == 2 &&
        work->size <= CS_LIMIT_MESSAGE_BYTES)
        stream_more(call);
    else
        cs_call_finish(call, CS_STATUS_INVALID_ARGUMENT, "say how many messages of which size");
    free(text);
}

static void collect_message(struct cs_call *call, struct cs_slice sent)
{
    struct cs_slice message = unwrap(call, sent);
    struct work *work = cs_call_data(call);

    work->count++;
    work->bytes += message.len;
}

static void collect_half_close(struct cs_call *call)
{
    struct work *work = cs_call_data(call);
    char text[64];

    snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64, work->count, work->bytes);
    reply_text(call, text);
}

static void bidi_message(struct cs_call *call, struct cs_slice sent)
{
    struct cs_slice message = unwrap(call, sent);
    int rc = echo_send(call, message);

    if (rc == CS_EBUSY)
        cs_call_pause(call, true);
    else if (rc != CS_OK)
        cs_call_finish(call, CS_STATUS_RESOURCE_EXHAUSTED, "no room to echo");
}

static void bidi_writable(struct cs_call *call)
{
    cs_call_pause(call, false);
}

static void finish_ok(struct cs_call *call)
{
    cs_call_finish(call, CS_STATUS_OK, NULL);
}

static void hold_open(struct cs_call *call)
{
    count_open(call);
    cs_call_pause(call, true);
}

static void metadata_message(struct cs_call *call, struct cs_slice message)
{
    struct cs_slice plain = cs_call_metadata(call, "x-echo"), binary = cs_call_metadata(call, "x-echo-bin");
    char hex[256] = "", text[512];

    (void)message;
    if (binary.len < sizeof hex / 2)
        cs_hex(binary, hex);
    snprintf(text, sizeof text, "%.*s|%s", (int)plain.len, plain.len ? (const char *)plain.ptr : "", hex);
    if (cs_call_add_trailer(call, "x-echo", plain) != CS_OK ||
        cs_call_add_trailer(call, "x-echo-bin", binary) != CS_OK)
        cs_call_finish(call, CS_STATUS_INTERNAL, "no trailers");
    else
        reply_text(call, text);
}

/* What is too late would not arrive. */
static void head_message(struct cs_call *call, struct cs_slice sent)
{
    static const uint8_t binary[] = {0, 1, 0xfe, 0xff};
    struct cs_slice message = unwrap(call, sent);
    int rc;

    if (cs_call_add_header(call, "x-head", cs_call_authority(call)) != CS_OK ||
        cs_call_add_header(call, "x-head", CS_SLICE_LIT("again")) != CS_OK ||
        cs_call_add_header(call, "x-head-bin", CS_SLICE_ARRAY(binary)) != CS_OK) {
        cs_call_finish(call, CS_STATUS_INTERNAL, "no headers");
        return;
    }
    if (cs_slice_eq_str(message, "fail")) {
        cs_call_finish(call, CS_STATUS_NOT_FOUND, "as was wanted");
        return;
    }
    rc = echo_send(call, message);
    if ((rc == CS_OK || rc == CS_EBUSY) && cs_call_add_header(call, "x-late", message) == CS_ESTATE)
        cs_call_finish(call, CS_STATUS_OK, NULL);
    else
        cs_call_finish(call, CS_STATUS_INTERNAL, "no room, or a header behind the message");
}

static void deadline_message(struct cs_call *call, struct cs_slice message)
{
    uint64_t deadline_ms = cs_call_deadline_ms(call);
    char text[32];

    (void)message;
    if (!service_of(call)->loop) {
        cs_call_finish(call, CS_STATUS_UNAVAILABLE, "no loop");
        return;
    }
    snprintf(text, sizeof text, "%" PRIu64, deadline_ms ? deadline_ms - uv_now(service_of(call)->loop) : 0);
    reply_text(call, deadline_ms ? text : "none");
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct work *work = handle->data;

    work->service->timers_open--;
    free(work->text);
    free(work);
}

static void on_slow_timer(uv_timer_t *timer)
{
    struct work *work = timer->data;

    if (work->call)
        reply_text(work->call, work->text);
}

static void slow_message(struct cs_call *call, struct cs_slice sent)
{
    struct cs_slice message = unwrap(call, sent);
    struct work *work = service_of(call)->loop ? calloc(1, sizeof *work) : NULL;

    if (!work || !(work->text = to_text(message))) {
        free(work);
        cs_call_finish(call, CS_STATUS_RESOURCE_EXHAUSTED, "out of memory, or no loop");
        return;
    }
    work->call = call;
    work->service = service_of(call);
    work->service->timers_open++;
    cs_call_set_data(call, work);
    uv_timer_init(work->service->loop, &work->timer);
    work->timer.data = work;
    uv_timer_start(&work->timer, on_slow_timer, strtoul(work->text, NULL, 10), 0);
}

static void slow_end(struct cs_call *call, enum cs_status how)
{
    struct work *work = cs_call_data(call);

    count_end(call, how);
    if (!work)
        return;
    work->call = NULL;
    uv_close((uv_handle_t *)&work->timer, on_timer_closed);
}

static void report_message(struct cs_call *call, struct cs_slice message)
{
    const struct echo_service *service = service_of(call);
    char text[128];

    (void)message;
    snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %s %" PRIu64, service->opened, service->ended,
             cs_status_name(service->last_end), service->bytes_sent);
    reply_text(call, text);
}

static const struct cs_call_handler on_unary = {
    .on_open = count_open, .on_message = unary_message, .on_end = count_end};
static const struct cs_call_handler on_fail = {
    .on_open = count_open, .on_message = fail_message, .on_end = count_end};
static const struct cs_call_handler on_stream = {.on_open = open_with_work,
                                                 .on_message = stream_message,
                                                 .on_writable = stream_more,
                                                 .on_end = end_with_work};
static const struct cs_call_handler on_collect = {.on_open = open_with_work,
                                                  .on_message = collect_message,
                                                  .on_half_close = collect_half_close,
                                                  .on_end = end_with_work};
static const struct cs_call_handler on_bidi = {.on_open = count_open,
                                               .on_message = bidi_message,
                                               .on_half_close = finish_ok,
                                               .on_writable = bidi_writable,
                                               .on_end = count_end};
static const struct cs_call_handler on_hold = {
    .on_open = hold_open, .on_half_close = finish_ok, .on_end = count_end};
static const struct cs_call_handler on_never = {.on_open = count_open, .on_end = count_end};
static const struct cs_call_handler on_metadata = {
    .on_open = count_open, .on_message = metadata_message, .on_end = count_end};
static const struct cs_call_handler on_head = {
    .on_open = count_open, .on_message = head_message, .on_end = count_end};
static const struct cs_call_handler on_deadline = {
    .on_open = count_open, .on_message = deadline_message, .on_end = count_end};
static const struct cs_call_handler on_slow = {
    .on_open = count_open, .on_message = slow_message, .on_end = slow_end};
static const struct cs_call_handler on_report = {.on_message = report_message};

static const struct cs_method methods[] = {
    {"countersign.test.Echo", "Unary", CS_CALL_UNARY, 0, &on_unary, 0},
    {"countersign.test.Echo", "Fail", CS_CALL_UNARY, 0, &on_fail, 0},
    {"countersign.test.Echo", "Stream", CS_CALL_SERVER_STREAM, 0, &on_stream, 0},
    {"countersign.test.Echo", "Collect", CS_CALL_CLIENT_STREAM, 0, &on_collect, 0},
    {"countersign.test.Echo", "Bidi", CS_CALL_BIDI, 0, &on_bidi, 0},
    {"countersign.test.Echo", "Hold", CS_CALL_BIDI, 0, &on_hold, 0},
    {"countersign.test.Echo", "Never", CS_CALL_UNARY, 0, &on_never, 0},
    {"countersign.test.Echo", "Metadata", CS_CALL_UNARY, 0, &on_metadata, 0},
    {"countersign.test.Echo", "Head", CS_CALL_UNARY, 0, &on_head, 0},
    {"countersign.test.Echo", "HeadStream", CS_CALL_SERVER_STREAM, 0, &on_head, 0},
    {"countersign.test.Echo", "Deadline", CS_CALL_UNARY, 0, &on_deadline, 0},
    {"countersign.test.Echo", "Slow", CS_CALL_UNARY, 0, &on_slow, 0},
    {"countersign.test.Echo", "Small", CS_CALL_UNARY, 100, &on_unary, 0},
    {"countersign.test.Echo", "Report", CS_CALL_UNARY, 0, &on_report, 0},
};

int echo_register(struct cs_registry *registry, struct echo_service *service, struct cs_err *err)
{
    return cs_registry_add(registry, methods, CS_ARRAY_LEN(methods), service, err);
}

/* JSON and pages */

static int to_proto(void *owner, const struct cs_method *method, struct cs_slice json, struct cs_buf *proto,
                    struct cs_err *err)
{
    (void)owner, (void)method;
    if (json.len < 2 || json.ptr[0] != '"' || json.ptr[json.len - 1] != '"')
        return cs_err_set(err, CS_EPARSE, "the request is no JSON string");
    return cs_buf_append(proto, cs_slice(json.ptr + 1, json.len - 2)) == CS_OK ? CS_OK : cs_err_nomem(err);
}

static int to_json(void *owner, const struct cs_method *method, struct cs_slice proto, struct cs_buf *json,
                   struct cs_err *err)
{
    int rc = cs_buf_append_u8(json, '"');

    (void)owner, (void)method;
    if (rc == CS_OK)
        rc = cs_buf_append(json, proto);
    if (rc == CS_OK)
        rc = cs_buf_append_u8(json, '"');
    return rc == CS_OK ? CS_OK : cs_err_set(err, rc, "writing JSON: no room");
}

const struct cs_transcode echo_transcode = {.to_proto = to_proto, .to_json = to_json};

static unsigned get_page(void *owner, const struct cs_route_request *request, struct cs_route_answer *answer)
{
    (void)owner;
    (void)!cs_buf_append_str(&answer->body, "hello ");
    (void)!cs_buf_append(&answer->body, request->query);
    return 200;
}

static unsigned get_missing(void *owner, const struct cs_route_request *request,
                            struct cs_route_answer *answer)
{
    (void)owner, (void)request;
    answer->content_type = "text/html";
    (void)!cs_buf_append_str(&answer->body, "<p>nothing</p>");
    return 404;
}

static unsigned get_large(void *owner, const struct cs_route_request *request, struct cs_route_answer *answer)
{
    static const uint8_t zeros[1024];

    (void)owner, (void)request;
    for (unsigned i = 0; i < 1024; i++)
        if (cs_buf_append(&answer->body, CS_SLICE_ARRAY(zeros)) != CS_OK)
            return 500;
    return 200;
}

const struct cs_route echo_routes[] = {
    {"/page", get_page, NULL},
    {"/missing", get_missing, NULL},
    {"/large", get_large, NULL},
};
const size_t echo_routes_count = CS_ARRAY_LEN(echo_routes);

struct cs_web echo_web(void)
{
    return (struct cs_web){.connect = true,
                           .transcode = &echo_transcode,
                           .routes = echo_routes,
                           .route_count = echo_routes_count};
}
