#include "shared/net/http1_impl.h"

#include "shared/base/limits.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    CHUNK_HEAD_BYTES = 20,
    /* What is left of a request's body when its answer begins may be so large, or the connection ends. */
    BODY_LEFT_BYTES = 64 * 1024,
};

/* RFC 9110 section 15; a client reads the number. */
static const char *reason(unsigned http_status)
{
    static const struct {
        unsigned http_status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(reasons); i++)
        if (reasons[i].http_status == http_status)
            return reasons[i].text;
    return "";
}

static struct cs_http1 *to_session(struct cs_exchange *exchange)
{
    return CS_CONTAINER_OF(exchange, struct cs_http1, exchange);
}

/* Moves what is left to the front when more than half of the buffer has gone. */
static void compact(struct cs_http1 *session)
{
    if (session->out_at > session->out.len / 2) {
        cs_buf_consume(&session->out, session->out_at);
        session->out_at = 0;
    }
}

/* All of `text` or nothing. */
static int queue(struct cs_http1 *session, const struct cs_buf *text)
{
    int rc;

    compact(session);
    rc = cs_buf_append(&session->out, cs_buf_slice(text));
    if (rc == CS_OK)
        session->wake(session->owner);
    return rc;
}

void http1_drop_answer(struct cs_http1 *session)
{
    cs_buf_wipe(&session->out);
    session->out_at = 0;
    session->lent = CS_SLICE_EMPTY;
}

void http1_write_continue(struct cs_http1 *session)
{
    (void)!cs_buf_append_str(&session->out, "HTTP/1.1 100 Continue\r\n\r\n");
    session->wake(session->owner);
}

void http1_write_refusal(struct cs_http1 *session, unsigned http_status, const char *sentence)
{
    struct cs_buf text = CS_BUF_EMPTY;
    int rc =
        cs_buf_printf(&text,
                      "HTTP/1.1 %u %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %zu\r\n"
                      "connection: close\r\n\r\n%s\n",
                      http_status, reason(http_status), strlen(sentence) + 1, sentence);

    if (rc == CS_OK)
        (void)!queue(session, &text);
    cs_buf_free(&text);
}

/* What a line may hold that nobody can end early. */
static bool is_header_ok(struct cs_slice name, struct cs_slice value)
{
    return cs_metadata_name_ok(name) && cs_metadata_value_ok(value);
}

static int append_headers(const struct cs_metadata_list *headers, struct cs_buf *out)
{
    struct cs_slice name, value;
    int rc = CS_OK;

    for (size_t cursor = 0; rc == CS_OK && cs_metadata_next(headers, &cursor, &name, &value);) {
        if (!is_header_ok(name, value))
            return CS_EINVAL;
        rc = cs_buf_append(out, name);
        if (rc == CS_OK)
            rc = cs_buf_append_str(out, ": ");
        if (rc == CS_OK)
            rc = cs_buf_append(out, value);
        if (rc == CS_OK)
            rc = cs_buf_append_str(out, "\r\n");
    }
    return rc;
}

/* Whether the rest of the request will be waited for. Who expects 100 and is not told so may send the body or
 * not (RFC 9110 section 10.1.1): what comes next could be either. */
static bool can_go_on(const struct cs_http1 *session)
{
    const struct cs_http1_head *head = &session->head;

    if (!session->keep_alive || session->draining)
        return false;
    if (session->state != HTTP1_IN_BODY)
        return true;
    if (head->expects_continue && session->body_received == 0)
        return false;
    return head->chunked || (uint64_t)head->content_length - session->body_received <= BODY_LEFT_BYTES;
}

static int carrier_begin(struct cs_exchange *exchange, unsigned status,
                         const struct cs_metadata_list *headers, int64_t length)
{
    struct cs_http1 *session = to_session(exchange);
    struct cs_buf text = CS_BUF_EMPTY;
    bool go_on = can_go_on(session);
    int rc;

    cs_assert(!session->answer_begun);
    rc = cs_buf_printf(&text, "HTTP/1.1 %u %s\r\n", status, reason(status));
    if (rc == CS_OK)
        rc = append_headers(headers, &text);
    if (rc == CS_OK)
        rc = length >= 0 ? cs_buf_printf(&text, "content-length: %" PRId64 "\r\n", length)
                         : cs_buf_append_str(&text, "transfer-encoding: chunked\r\n");
    if (rc == CS_OK)
        rc = cs_buf_append_str(&text, go_on ? "\r\n" : "connection: close\r\n\r\n");
    if (rc == CS_OK)
        rc = queue(session, &text);
    if (rc == CS_OK) {
        session->answer_begun = true;
        session->answer_chunked = length < 0;
        session->length_left = length < 0 ? 0 : (uint64_t)length;
        session->keep_alive = go_on;
    }
    cs_buf_free(&text);
    return rc;
}

static int append_chunk(struct cs_http1 *session, struct cs_slice prefix, struct cs_slice body)
{
    int rc = CS_OK;

    /* A chunk of no bytes would be the last one. */
    if (session->answer_chunked && prefix.len + body.len > 0)
        rc = cs_buf_printf(&session->out, "%zx\r\n", prefix.len + body.len);
    if (rc == CS_OK)
        rc = cs_buf_append(&session->out, prefix);
    if (rc == CS_OK)
        rc = cs_buf_append(&session->out, body);
    if (rc == CS_OK && session->answer_chunked && prefix.len + body.len > 0)
        rc = cs_buf_append_str(&session->out, "\r\n");
    return rc;
}

static int carrier_write(struct cs_exchange *exchange, struct cs_slice prefix, struct cs_slice body)
{
    struct cs_http1 *session = to_session(exchange);
    size_t queued = cs_http1_queued_bytes(session), more = prefix.len + body.len;

    if (session->failed || session->answer_ended)
        return CS_ECLOSED;
    cs_assert(session->answer_begun && (session->answer_chunked || more <= session->length_left));
    if (queued >= 2 * CS_LIMIT_STREAM_HIGH_WATER || queued + more > CS_LIMIT_CONNECTION_BACKLOG) {
        session->was_full = true;
        return CS_EFULL;
    }
    compact(session);
    if (cs_buf_reserve(&session->out, CHUNK_HEAD_BYTES + more) != CS_OK ||
        append_chunk(session, prefix, body) != CS_OK)
        return CS_EFULL;
    session->length_left -= session->answer_chunked ? 0 : more;
    session->wake(session->owner);
    session->was_full |= queued + more >= CS_LIMIT_STREAM_HIGH_WATER;
    return queued + more >= CS_LIMIT_STREAM_HIGH_WATER ? CS_EBUSY : CS_OK;
}

static int carrier_lend(struct cs_exchange *exchange, struct cs_slice body)
{
    struct cs_http1 *session = to_session(exchange);

    if (session->failed || session->answer_ended)
        return CS_ECLOSED;
    cs_assert(session->answer_begun && !session->answer_chunked && body.len == session->length_left);
    session->lent = body;
    session->length_left = 0;
    session->wake(session->owner);
    return CS_OK;
}

static int carrier_end(struct cs_exchange *exchange)
{
    struct cs_http1 *session = to_session(exchange);

    if (session->failed || session->answer_ended)
        return CS_ECLOSED;
    cs_assert(session->answer_begun && (session->length_left == 0 || exchange->head_only));
    if (session->answer_chunked && cs_buf_append_str(&session->out, "0\r\n\r\n") != CS_OK)
        return CS_ENOMEM;
    session->answer_ended = true;
    session->wake(session->owner);
    return CS_OK;
}

/* The end of the connection tells the client; before anything was said, so does an answer. */
static void carrier_reset(struct cs_exchange *exchange)
{
    struct cs_http1 *session = to_session(exchange);

    if (session->failed)
        return;
    session->failed = true;
    http1_drop_answer(session);
    if (!session->answer_begun)
        http1_write_refusal(session, 500, "the request could not be answered");
    session->wake(session->owner);
}

static size_t carrier_queued_bytes(struct cs_exchange *exchange)
{
    return cs_http1_queued_bytes(to_session(exchange));
}

/* One exchange at a time. */
static size_t carrier_held_bytes(struct cs_exchange *exchange)
{
    return to_session(exchange)->out.len;
}

const struct cs_exchange_carrier http1_carrier = {
    .begin = carrier_begin,
    .write = carrier_write,
    .lend = carrier_lend,
    .end = carrier_end,
    .reset = carrier_reset,
    .queued_bytes = carrier_queued_bytes,
    .held_bytes = carrier_held_bytes,
};
