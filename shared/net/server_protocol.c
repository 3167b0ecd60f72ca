#include "shared/net/server_protocol.h"

#include "shared/net/http1.h"
#include "shared/net/web_impl.h"

/* HTTP/2 */

static int http2_make(const struct cs_server_options *server, const struct cs_grpc_server_options *options,
                      void **ret_self, struct cs_err *err)
{
    struct cs_grpc_server *grpc;
    int rc = cs_grpc_server_new(options, &grpc, err);

    (void)server;
    if (rc == CS_OK)
        *ret_self = grpc;
    return rc;
}

static void http2_free(void *self)
{
    cs_grpc_server_free(self);
}

static int http2_feed(void *self, struct cs_slice bytes, struct cs_err *err)
{
    return cs_http2_feed(cs_grpc_server_http2(self), bytes, err);
}

static void http2_run(void *self)
{
    cs_grpc_server_run(self);
}

static int http2_pull(void *self, struct cs_buf *out, size_t enough_bytes, struct cs_err *err)
{
    return cs_http2_pull(cs_grpc_server_http2(self), out, enough_bytes, err);
}

static bool http2_wants_pull(void *self)
{
    return cs_http2_wants_pull(cs_grpc_server_http2(self));
}

static bool http2_is_up(void *self)
{
    return cs_http2_is_up(cs_grpc_server_http2(self));
}

static bool http2_is_over(void *self, struct cs_err *err)
{
    return cs_http2_is_over(cs_grpc_server_http2(self), err);
}

static size_t http2_queued_bytes(void *self)
{
    return cs_http2_queued_bytes(cs_grpc_server_http2(self));
}

static uint64_t http2_body_bytes_sent(void *self)
{
    return cs_http2_body_bytes_sent(cs_grpc_server_http2(self));
}

static void http2_ping(void *self)
{
    cs_http2_ping(cs_grpc_server_http2(self));
}

static void http2_drain(void *self)
{
    cs_http2_drain(cs_grpc_server_http2(self));
}

static void http2_finish_all(void *self, const char *sentence)
{
    cs_grpc_server_finish_all(self, sentence);
}

static void http2_terminate(void *self)
{
    cs_http2_terminate(cs_grpc_server_http2(self), CS_HTTP2_NO_ERROR);
}

static const struct server_protocol_ops http2_ops = {
    .waits_for = "exchange of HTTP/2 settings",
    .make = http2_make,
    .free = http2_free,
    .feed = http2_feed,
    .run = http2_run,
    .pull = http2_pull,
    .wants_pull = http2_wants_pull,
    .is_up = http2_is_up,
    .is_over = http2_is_over,
    .queued_bytes = http2_queued_bytes,
    .body_bytes_sent = http2_body_bytes_sent,
    .ping = http2_ping,
    .drain = http2_drain,
    .finish_all = http2_finish_all,
    .terminate = http2_terminate,
};

/* HTTP/1.1 */

struct http1 {
    struct cs_http1 *session;
    struct cs_web_session web;
};

static void http1_on_request(void *owner, struct cs_exchange *exchange, const struct cs_exchange_head *head)
{
    struct http1 *http1 = owner;

    cs_web_take(&http1->web, exchange, head);
}

static void http1_wake(void *owner)
{
    struct http1 *http1 = owner;

    http1->web.wake(http1->web.owner);
}

static int http1_make(const struct cs_server_options *server, const struct cs_grpc_server_options *options,
                      void **ret_self, struct cs_err *err)
{
    struct http1 *http1 = calloc(1, sizeof *http1);
    const struct cs_http1_options http1_options = {
        .alarms = options->alarms,
        .head_timeout_ms = server->head_timeout_ms,
        .body_timeout_ms = server->body_timeout_ms,
        .idle_timeout_ms = server->idle_timeout_ms,
        .on_request = http1_on_request,
        .wake = http1_wake,
        .owner = http1,
    };
    int rc;

    if (!http1)
        return cs_err_nomem(err);
    cs_web_session_init(&http1->web, options->web, options);
    rc = cs_http1_new(&http1_options, &http1->session, err);
    if (rc != CS_OK) {
        free(http1);
        return rc;
    }
    *ret_self = http1;
    return CS_OK;
}

static void http1_free(void *self)
{
    struct http1 *http1 = self;

    if (!http1)
        return;
    cs_http1_free(http1->session);
    cs_assert(cs_list_empty(&http1->web.calls));
    free(http1);
}

static int http1_feed(void *self, struct cs_slice bytes, struct cs_err *err)
{
    (void)err;
    cs_http1_feed(((struct http1 *)self)->session, bytes);
    return CS_OK;
}

static void http1_run(void *self)
{
    struct http1 *http1 = self;

    cs_web_session_run(&http1->web);
    cs_http1_run(http1->session);
}

static int http1_pull(void *self, struct cs_buf *out, size_t enough_bytes, struct cs_err *err)
{
    int rc = cs_http1_pull(((struct http1 *)self)->session, out, enough_bytes);

    return rc == CS_OK ? rc : cs_err_nomem(err);
}

static bool http1_wants_pull(void *self)
{
    return cs_http1_wants_pull(((struct http1 *)self)->session);
}

static bool http1_is_up(void *self)
{
    return cs_http1_is_up(((struct http1 *)self)->session);
}

static bool http1_is_over(void *self, struct cs_err *err)
{
    return cs_http1_is_over(((struct http1 *)self)->session, err);
}

static size_t http1_queued_bytes(void *self)
{
    return cs_http1_queued_bytes(((struct http1 *)self)->session);
}

static uint64_t http1_body_bytes_sent(void *self)
{
    return cs_http1_body_bytes_sent(((struct http1 *)self)->session);
}

static void http1_drain(void *self)
{
    cs_http1_drain(((struct http1 *)self)->session);
}

static void http1_finish_all(void *self, const char *sentence)
{
    struct http1 *http1 = self;

    cs_http1_drain(http1->session);
    cs_web_session_finish_all(&http1->web, sentence);
}

static void http1_terminate(void *self)
{
    cs_http1_terminate(((struct http1 *)self)->session);
}

static const struct server_protocol_ops http1_ops = {
    .waits_for = "first request",
    .make = http1_make,
    .free = http1_free,
    .feed = http1_feed,
    .run = http1_run,
    .pull = http1_pull,
    .wants_pull = http1_wants_pull,
    .is_up = http1_is_up,
    .is_over = http1_is_over,
    .queued_bytes = http1_queued_bytes,
    .body_bytes_sent = http1_body_bytes_sent,
    .drain = http1_drain,
    .finish_all = http1_finish_all,
    .terminate = http1_terminate,
};

const struct server_protocol_ops *server_protocol_ops(enum server_protocol protocol)
{
    return protocol == SERVER_HTTP1 ? &http1_ops : &http2_ops;
}

/* Which of them */

/* HTTP/2's preface begins so (RFC 9113 section 3.4), and no request that this server answers. */
static const uint8_t preface[] = {'P', 'R', 'I'};

enum server_sniff server_sniff(struct cs_slice bytes, uint8_t *seen)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != preface[*seen + i])
            return SERVER_SNIFF_HTTP1;
        if (*seen + i + 1 == sizeof preface)
            return SERVER_SNIFF_HTTP2;
    }
    *seen = (uint8_t)(*seen + bytes.len);
    return SERVER_SNIFF_MORE;
}

struct cs_slice server_sniffed(uint8_t seen)
{
    return cs_slice(preface, seen);
}
