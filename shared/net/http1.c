#include "shared/net/http1.h"

#include "shared/base/limits.h"
#include "shared/net/grpc_wire.h"
#include "shared/net/http1_head.h"
#include "shared/net/http1_impl.h"

enum {
    /* Bytes of later requests that wait for the answer before. It goes on being read, for a client that has
     * gone is seen so only. */
    PIPELINE_BYTES = 64 * 1024,
    /* Of a body that nobody wants so much is read all the same, so that the connection can go on. */
    UNWANTED_BODY_BYTES = 64 * 1024,
    /* What a body brings in each body_timeout_ms at least. */
    BODY_PROGRESS_BYTES = 1024,
    /* After a refusal what still comes is read for so long: closing at once would take the answer with it. */
    LINGER_MS = 1000,
};

static void on_watch(struct cs_alarm *alarm);

static void set_watch(struct cs_http1 *session, uint32_t after_ms)
{
    cs_alarm_set(session->alarms, &session->watch, session->alarms->now_ms + after_ms, on_watch);
    session->wake(session->owner);
}

static void drop_held(struct cs_http1 *session)
{
    cs_buf_wipe(&session->held);
    session->held_at = 0;
}

static bool has_exchange(const struct cs_http1 *session)
{
    return session->exchange_open;
}

/* The end of an exchange, and of the session */

static void close_exchange(struct cs_http1 *session, enum cs_exchange_end how)
{
    const struct cs_exchange_events *events = session->exchange.events;

    session->exchange_open = false;
    session->exchange.events = NULL;
    if (events)
        events->on_close(&session->exchange, how);
}

static void go_over(struct cs_http1 *session)
{
    session->state = HTTP1_OVER;
    cs_alarm_clear(session->alarms, &session->watch);
    drop_held(session);
    cs_http1_scanner_free(&session->scanner);
    session->wake(session->owner);
}

/* Reads no further request, sends what is queued. */
static void go_down(struct cs_http1 *session)
{
    session->state = HTTP1_CLOSING;
    drop_held(session);
    cs_http1_scanner_free(&session->scanner);
    set_watch(session, LINGER_MS);
}

/* Ends the session with an answer, unless another one is under way. */
static void refuse(struct cs_http1 *session, unsigned http_status)
{
    bool may_answer = !has_exchange(session) || !(session->answer_begun || session->failed);

    if (may_answer)
        http1_write_refusal(session, http_status, session->why.msg);
    else if (session->answer_begun && !session->answer_ended)
        http1_drop_answer(session);
    if (has_exchange(session))
        close_exchange(session, session->answer_ended ? CS_EXCHANGE_DONE : CS_EXCHANGE_CANCELLED);
    go_down(session);
}

static void refuse_late(struct cs_http1 *session, const char *what)
{
    cs_err_set(&session->why, CS_ETIMEOUT, "HTTP/1.1: the client was too slow with the %s", what);
    refuse(session, 408);
}

static void on_watch(struct cs_alarm *alarm)
{
    struct cs_http1 *session = CS_CONTAINER_OF(alarm, struct cs_http1, watch);

    switch (session->state) {
    case HTTP1_IN_HEAD:
        if (session->scanner.head.len || session->scanner.after_cr) {
            refuse_late(session, "head of its request");
        } else {
            if (!session->up)
                cs_err_set(&session->why, CS_ETIMEOUT, "HTTP/1.1: the client asked nothing");
            go_over(session);
        }
        break;
    case HTTP1_IN_BODY:
        if (session->body_received - session->body_seen < BODY_PROGRESS_BYTES) {
            refuse_late(session, "body of its request");
        } else {
            session->body_seen = session->body_received;
            set_watch(session, session->body_timeout_ms);
        }
        break;
    case HTTP1_CLOSING:
        go_over(session);
        break;
    case HTTP1_ANSWERING:
    case HTTP1_OVER:
        break;
    }
}

/* The next request may come, or nothing more. */
static void begin_head(struct cs_http1 *session)
{
    cs_http1_scanner_free(&session->scanner);
    session->state = HTTP1_IN_HEAD;
    if (session->draining)
        go_over(session);
    else
        set_watch(session, session->idle_timeout_ms);
}

/* The request is complete, and all of its answer was pulled. */
static void maybe_finish_exchange(struct cs_http1 *session)
{
    bool is_done = has_exchange(session) && session->answer_ended && !cs_http1_wants_pull(session);

    if (!is_done)
        return;
    if (session->state == HTTP1_ANSWERING) {
        close_exchange(session, CS_EXCHANGE_DONE);
        if (session->keep_alive && !session->overrun) {
            begin_head(session);
            session->wake(session->owner);
        } else if (session->overrun) {
            go_down(session);
        } else {
            go_over(session);
        }
    } else if (!session->keep_alive) {
        /* The client was told that nobody waits for the rest of its body. */
        close_exchange(session, CS_EXCHANGE_DONE);
        go_down(session);
    }
}

/* What comes */

/* Here llhttp has read the same head that http1_head.c has read; where the two do not agree nobody is right.
 */
static int on_headers_complete(llhttp_t *parser)
{
    struct cs_http1 *session = CS_CONTAINER_OF(parser, struct cs_http1, parser);
    const char *method = llhttp_method_name((llhttp_method_t)llhttp_get_method(parser));
    bool chunked = parser->flags & F_CHUNKED, has_length = parser->flags & F_CONTENT_LENGTH;

    session->agreed = cs_slice_eq_str(session->head.method, method) && chunked == session->head.chunked &&
                      has_length == (session->head.content_length >= 0) && !llhttp_get_upgrade(parser) &&
                      (!has_length || parser->content_length == (uint64_t)session->head.content_length);
    return session->agreed ? 0 : -1;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct cs_http1 *session = CS_CONTAINER_OF(parser, struct cs_http1, parser);

    session->body_received += len;
    if (session->exchange.events && !session->answer_ended)
        session->exchange.events->on_body(&session->exchange, cs_slice(at, len));
    else
        session->body_unwanted += len;
    return session->body_unwanted > UNWANTED_BODY_BYTES ? -1 : 0;
}

/* Trailers: nobody wants them, and there is no end of them that a client need come to. */
static int on_header_field_complete(llhttp_t *parser)
{
    struct cs_http1 *session = CS_CONTAINER_OF(parser, struct cs_http1, parser);

    return session->agreed && ++session->trailers > CS_HTTP1_HEADERS ? -1 : 0;
}

/* Control before whatever follows: that is the next request's. */
static int on_message_complete(llhttp_t *parser)
{
    struct cs_http1 *session = CS_CONTAINER_OF(parser, struct cs_http1, parser);

    session->state = HTTP1_ANSWERING;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_header_field_complete = on_header_field_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Sizes of chunks, their extensions and trailers may take as much again as the head, and then some bytes for
 * each byte of the body, for those who send it piece by piece. */
static bool has_too_much_framing(const struct cs_http1 *session)
{
    uint64_t framing = session->raw_received - session->body_received;

    return session->head.chunked && framing > CS_LIMIT_HEADER_BYTES + 8 * session->body_received;
}

static void refuse_body(struct cs_http1 *session, llhttp_errno_t code)
{
    if (session->body_unwanted > UNWANTED_BODY_BYTES) {
        cs_err_set(&session->why, CS_ETOOBIG, "HTTP/1.1: the request has a body that nobody wants");
        refuse(session, 413);
    } else {
        cs_err_set(&session->why, CS_EPARSE, "HTTP/1.1: %s",
                   code == HPE_USER || !llhttp_get_error_reason(&session->parser)
                       ? "the request cannot be read for certain"
                       : llhttp_get_error_reason(&session->parser));
        refuse(session, 400);
    }
}

/* Gives bytes to llhttp; *input keeps what is behind the request's end. */
static void parse(struct cs_http1 *session, struct cs_slice *input)
{
    const char *at = (const char *)input->ptr;
    llhttp_errno_t code = llhttp_execute(&session->parser, at, input->len);
    size_t used = input->len;

    if (code == HPE_PAUSED)
        used = (size_t)(llhttp_get_error_pos(&session->parser) - at);
    session->raw_received += used;
    *input = cs_slice_from(*input, used);
    if (code != HPE_OK && code != HPE_PAUSED) {
        refuse_body(session, code);
    } else if (has_too_much_framing(session)) {
        cs_err_set(&session->why, CS_EPARSE, "HTTP/1.1: the chunks have more frame than content");
        refuse(session, 400);
    }
}

static void take_end(struct cs_http1 *session)
{
    cs_alarm_clear(session->alarms, &session->watch);
    if (session->exchange.events)
        session->exchange.events->on_half_close(&session->exchange);
    maybe_finish_exchange(session);
}

static void open_exchange(struct cs_http1 *session)
{
    const struct cs_exchange_head head = {
        .method = session->head.method,
        .target = session->head.target,
        .headers = &session->head.headers,
        .content_length = session->head.content_length,
    };

    session->up = true;
    session->exchange = (struct cs_exchange){.carrier = &http1_carrier};
    session->exchange_open = true;
    session->answer_begun = session->answer_ended = session->was_full = session->failed = session->overrun =
        false;
    session->keep_alive = !session->head.close;
    session->on_request(session->owner, &session->exchange, &head);
    if (session->state == HTTP1_IN_BODY && session->head.expects_continue && !session->answer_begun)
        http1_write_continue(session);
}

/* The head is complete. */
static void take_head(struct cs_http1 *session)
{
    struct cs_slice text = cs_buf_slice(&session->scanner.head);
    unsigned refused = cs_http1_head_read(text, &session->head, &session->why);

    session->state = HTTP1_IN_BODY;
    session->raw_received = session->body_received = session->body_seen = session->body_unwanted = 0;
    session->trailers = 0;
    session->agreed = false;
    if (refused) {
        refuse(session, refused);
    } else {
        llhttp_init(&session->parser, HTTP_REQUEST, &settings);
        parse(session, &text);
        session->raw_received = 0;
    }
    if (session->state == HTTP1_IN_BODY || session->state == HTTP1_ANSWERING) {
        if (session->state == HTTP1_IN_BODY)
            set_watch(session, session->body_timeout_ms);
        open_exchange(session);
    }
    cs_metadata_free(&session->head.headers);
    if (session->state == HTTP1_ANSWERING)
        take_end(session);
    /* What the method and target pointed to. */
    cs_http1_scanner_free(&session->scanner);
}

static void scan(struct cs_http1 *session, struct cs_slice *input)
{
    bool was_empty = session->scanner.head.len == 0, complete;
    unsigned refused = cs_http1_scan(&session->scanner, input, &complete, &session->why);

    if (refused)
        refuse(session, refused);
    else if (complete)
        take_head(session);
    else if (was_empty && session->scanner.head.len)
        set_watch(session, session->head_timeout_ms);
}

/* Stops behind a complete request: what is left of *input waits for its answer. */
static void take(struct cs_http1 *session, struct cs_slice *input)
{
    while (input->len) {
        switch (session->state) {
        case HTTP1_IN_HEAD:
            scan(session, input);
            break;
        case HTTP1_IN_BODY:
            parse(session, input);
            if (session->state == HTTP1_ANSWERING)
                take_end(session);
            break;
        case HTTP1_ANSWERING:
            return;
        case HTTP1_CLOSING:
        case HTTP1_OVER:
            *input = CS_SLICE_EMPTY;
            break;
        }
    }
}

static void hold(struct cs_http1 *session, struct cs_slice bytes)
{
    size_t waiting = session->held.len - session->held_at;

    if (session->overrun || bytes.len == 0)
        return;
    if (session->held_at > session->held.len / 2) {
        cs_buf_consume(&session->held, session->held_at);
        session->held_at = 0;
    }
    if (waiting + bytes.len <= PIPELINE_BYTES && cs_buf_append(&session->held, bytes) == CS_OK)
        return;
    session->overrun = true;
    drop_held(session);
}

static void take_held(struct cs_http1 *session)
{
    struct cs_buf held = session->held;
    struct cs_slice input = cs_slice_from(cs_buf_slice(&held), session->held_at);

    if (session->state == HTTP1_ANSWERING || input.len == 0)
        return;
    session->held = CS_BUF_EMPTY;
    session->held_at = 0;
    take(session, &input);
    if (input.len) {
        session->held = held;
        session->held_at = held.len - input.len;
    } else {
        cs_buf_wipe(&held);
    }
}

void cs_http1_feed(struct cs_http1 *session, struct cs_slice bytes)
{
    take_held(session);
    if (session->held.len == 0)
        take(session, &bytes);
    hold(session, bytes);
}

void cs_http1_run(struct cs_http1 *session)
{
    if (session->failed) {
        session->failed = false;
        if (has_exchange(session))
            close_exchange(session, CS_EXCHANGE_CANCELLED);
        if (session->answer_begun)
            go_over(session);
        else
            go_down(session);
    }
    take_held(session);
}

int cs_http1_pull(struct cs_http1 *session, struct cs_buf *out, size_t enough_bytes)
{
    size_t count = session->out.len - session->out_at, lent;

    if (count > enough_bytes)
        count = enough_bytes;
    lent = session->lent.len < enough_bytes - count ? session->lent.len : enough_bytes - count;
    if (cs_buf_reserve(out, count + lent) != CS_OK)
        return CS_ENOMEM;
    if (count)
        (void)!cs_buf_append(out, cs_slice(session->out.ptr + session->out_at, count));
    if (lent)
        (void)!cs_buf_append(out, cs_slice(session->lent.ptr, lent));
    session->out_at += count;
    session->lent = cs_slice_from(session->lent, lent);
    session->body_sent += count + lent;
    if (session->out_at == session->out.len) {
        cs_buf_wipe(&session->out);
        session->out_at = 0;
    }
    if (session->was_full && cs_http1_queued_bytes(session) < CS_LIMIT_STREAM_HIGH_WATER / 2) {
        session->was_full = false;
        if (has_exchange(session) && session->exchange.events)
            session->exchange.events->on_writable(&session->exchange);
    }
    maybe_finish_exchange(session);
    return CS_OK;
}

/* Sessions */

int cs_http1_new(const struct cs_http1_options *options, struct cs_http1 **ret, struct cs_err *err)
{
    struct cs_http1 *session = calloc(1, sizeof *session);

    if (!session)
        return cs_err_nomem(err);
    session->alarms = options->alarms;
    session->head_timeout_ms = options->head_timeout_ms;
    session->body_timeout_ms = options->body_timeout_ms;
    session->idle_timeout_ms = options->idle_timeout_ms;
    session->on_request = options->on_request;
    session->wake = options->wake;
    session->owner = options->owner;
    set_watch(session, session->head_timeout_ms);
    *ret = session;
    return CS_OK;
}

void cs_http1_free(struct cs_http1 *session)
{
    if (!session)
        return;
    if (has_exchange(session))
        close_exchange(session, CS_EXCHANGE_LOST);
    cs_alarm_clear(session->alarms, &session->watch);
    cs_http1_scanner_free(&session->scanner);
    drop_held(session);
    cs_buf_wipe(&session->out);
    free(session);
}

bool cs_http1_wants_pull(const struct cs_http1 *session)
{
    return session->out.len > 0 || session->lent.len > 0;
}

bool cs_http1_is_over(const struct cs_http1 *session, struct cs_err *err)
{
    if (session->state != HTTP1_OVER || cs_http1_wants_pull(session))
        return false;
    *err = session->why;
    return true;
}

bool cs_http1_is_up(const struct cs_http1 *session)
{
    return session->up;
}

size_t cs_http1_queued_bytes(const struct cs_http1 *session)
{
    return session->out.len - session->out_at + session->lent.len;
}

uint64_t cs_http1_body_bytes_sent(const struct cs_http1 *session)
{
    return session->body_sent;
}

void cs_http1_drain(struct cs_http1 *session)
{
    session->draining = true;
    if (!session->answer_begun)
        session->keep_alive = false;
    if (session->state == HTTP1_IN_HEAD && !session->scanner.head.len && !session->held.len)
        go_over(session);
}

void cs_http1_terminate(struct cs_http1 *session)
{
    if (has_exchange(session))
        close_exchange(session, CS_EXCHANGE_CANCELLED);
    go_over(session);
}
