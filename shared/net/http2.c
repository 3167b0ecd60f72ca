#include "shared/net/http2_impl.h"

#include "shared/base/limits.h"
#include "shared/net/http2_memory.h"

enum {
    /* What all streams of a connection may have in flight towards us; each alone has the protocol's 64 KB. */
    CONNECTION_WINDOW = 1024 * 1024,
    /* Frames that cost the peer nothing (PING, SETTINGS, PRIORITY, empty DATA): so many at once, then so many
       a second. */
    IDLE_FRAMES_BURST = 1000,
    IDLE_FRAMES_PER_SECOND = 50,
    /* Resets, by the peer or made by us for the peer's mistakes (CVE-2023-44487, CVE-2025-8671): a client
     * that cancels everything that it may have open at once is still a good one. */
    RESETS_BURST = CS_LIMIT_STREAMS_PER_CONNECTION,
    RESETS_PER_SECOND = 200,
    MISTAKES_BURST = 1000,
    MISTAKES_PER_SECOND = 33,
    /* CVE-2024-28182 and CVE-2020-11080. */
    MAX_CONTINUATIONS = 4,
    MAX_SETTINGS_ENTRIES = 16,
    MAX_ACKS_QUEUED = 1000,
};

static const uint8_t drain_ping[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

/* Errors */

static int translate(int failure, struct cs_err *err)
{
    switch (failure) {
    case NGHTTP2_ERR_NOMEM:
        return cs_err_nomem(err);
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return cs_err_set(err, CS_EPARSE,
                          "the peer does not speak HTTP/2: its first bytes are no connection preface");
    case NGHTTP2_ERR_FLOODED:
        return cs_err_set(err, CS_EFULL,
                          "the peer floods the connection with frames and does not read the answers");
    default:
        return cs_err_set(err, CS_EPARSE, "HTTP/2: %s", nghttp2_strerror(failure));
    }
}

/* What the library tells us */

static struct cs_http2_stream *find(struct cs_http2 *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session->session, id);
}

static int on_begin_headers(nghttp2_session *lib, const nghttp2_frame *frame, void *user)
{
    struct cs_http2 *session = user;
    struct cs_http2_stream *stream;

    cs_metadata_free(&session->block);
    session->block_oversize = false;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    stream = http2_stream_new(session, NULL);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    stream->id = frame->hd.stream_id;
    stream->sent = true;
    return nghttp2_session_set_stream_user_data(lib, stream->id, stream);
}

static int on_header(nghttp2_session *lib, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct cs_http2 *session = user;

    (void)lib, (void)frame, (void)flags;
    if (session->block_oversize || session->block.bytes.len + name_len + value_len > CS_LIMIT_HEADER_BYTES) {
        session->block_oversize = true;
        return 0;
    }
    if (cs_metadata_add(&session->block, cs_slice(name, name_len), cs_slice(value, value_len)) != CS_OK)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

/* A bucket that fills with time. RFC 9113 section 10.5 leaves it to us what is too much. */
static bool may_be_idle(struct cs_http2 *session)
{
    uint64_t elapsed_ms = session->clock->now_ms - session->idle_frames_since_ms;
    uint64_t forgiven = elapsed_ms * IDLE_FRAMES_PER_SECOND / 1000;

    if (forgiven) {
        session->idle_frames =
            forgiven > session->idle_frames ? 0 : session->idle_frames - (uint32_t)forgiven;
        session->idle_frames_since_ms = session->clock->now_ms;
    }
    return ++session->idle_frames <= IDLE_FRAMES_BURST;
}

static bool costs_the_peer_nothing(const nghttp2_frame *frame)
{
    switch (frame->hd.type) {
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
        return !(frame->hd.flags & NGHTTP2_FLAG_ACK);
    case NGHTTP2_PRIORITY:
        return true;
    case NGHTTP2_DATA:
        return frame->hd.length == 0 && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    default:
        return false;
    }
}

static void take_settings(struct cs_http2 *session, bool ack)
{
    bool was_up = cs_http2_is_up(session);

    if (ack)
        session->got_settings_ack = true;
    else
        session->got_settings = true;
    if (!was_up && cs_http2_is_up(session))
        session->events->on_up(session->owner);
}

static void take_headers(struct cs_http2 *session, const nghttp2_frame *frame)
{
    struct cs_http2_stream *stream = find(session, frame->hd.stream_id);
    bool is_interim = frame->headers.cat == NGHTTP2_HCAT_RESPONSE &&
                      cs_slice_starts_with(cs_metadata_find(&session->block, ":status"), CS_SLICE_LIT("1"));

    if (stream && !is_interim)
        session->events->on_headers(stream, &session->block, session->block_oversize);
    cs_metadata_free(&session->block);
}

static int on_frame(nghttp2_session *lib, const nghttp2_frame *frame, void *user)
{
    struct cs_http2 *session = user;
    bool is_ack = frame->hd.flags & NGHTTP2_FLAG_ACK;

    session->frames_received++;
    if (costs_the_peer_nothing(frame) && !may_be_idle(session))
        return nghttp2_session_terminate_session(lib, CS_HTTP2_ENHANCE_YOUR_CALM);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        take_headers(session, frame);
        break;
    case NGHTTP2_SETTINGS:
        take_settings(session, is_ack);
        break;
    case NGHTTP2_GOAWAY:
        session->got_goaway = true;
        session->events->on_goaway(session->owner, frame->goaway.error_code);
        break;
    case NGHTTP2_PING:
        if (is_ack && memcmp(frame->ping.opaque_data, drain_ping, sizeof drain_ping) == 0)
            return nghttp2_submit_goaway(lib, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(lib),
                                         CS_HTTP2_NO_ERROR, NULL, 0);
        break;
    default:
        break;
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        struct cs_http2_stream *stream = find(session, frame->hd.stream_id);

        if (stream && !stream->reset)
            session->events->on_half_close(stream);
    }
    return 0;
}

static int on_data(nghttp2_session *lib, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *user)
{
    struct cs_http2 *session = user;
    struct cs_http2_stream *stream = find(session, id);

    (void)flags;
    if (!stream)
        return nghttp2_session_consume_connection(lib, len);
    if (stream->reset)
        cs_http2_consume(stream, len);
    else
        session->events->on_data(stream, cs_slice(data, len));
    return 0;
}

static int on_close(nghttp2_session *lib, int32_t id, uint32_t code, void *user)
{
    struct cs_http2 *session = user;
    struct cs_http2_stream *stream = find(session, id);

    (void)lib;
    if (!stream)
        return 0;
    session->events->on_close(stream, code);
    http2_stream_free(stream);
    return 0;
}

static int on_sent(nghttp2_session *lib, const nghttp2_frame *frame, void *user)
{
    struct cs_http2 *session = user;
    struct cs_http2_stream *stream;
    int32_t id = frame->hd.stream_id;

    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != CS_HTTP2_NO_ERROR)
        session->terminated_with = frame->goaway.error_code;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    stream = find(session, id);
    if (stream)
        stream->sent = true;
    if (session->is_server && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        nghttp2_session_get_stream_remote_close(lib, id) == 0)
        return nghttp2_submit_rst_stream(lib, NGHTTP2_FLAG_NONE, id, CS_HTTP2_NO_ERROR);
    return 0;
}

/* Sessions */

static int configure(nghttp2_session_callbacks **ret_callbacks, nghttp2_option **ret_option)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return CS_ENOMEM;
    if (nghttp2_option_new(&option) != 0) {
        nghttp2_session_callbacks_del(callbacks);
        return CS_ENOMEM;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);

    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, 0);
    nghttp2_option_set_max_send_header_block_length(option, HTTP2_MAX_HEADER_BYTES_SENT);
    nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_PER_SECOND);
    nghttp2_option_set_glitch_rate_limit(option, MISTAKES_BURST, MISTAKES_PER_SECOND);
    nghttp2_option_set_max_continuations(option, MAX_CONTINUATIONS);
    nghttp2_option_set_max_settings(option, MAX_SETTINGS_ENTRIES);
    nghttp2_option_set_max_outbound_ack(option, MAX_ACKS_QUEUED);
    *ret_callbacks = callbacks;
    *ret_option = option;
    return CS_OK;
}

static int make_session(struct cs_http2 *session)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    int rv = configure(&callbacks, &option);

    if (rv != CS_OK)
        return NGHTTP2_ERR_NOMEM;
    if (session->is_server) {
        http2_memory_begin_session();
        rv = nghttp2_session_server_new3(&session->session, callbacks, session, option, http2_memory());
        /* An nghttp2 that asks otherwise would work, and cost three times as much without anybody noticing.
         */
        cs_assert(http2_memory_end_session() || rv != 0);
    } else {
        rv = nghttp2_session_client_new3(&session->session, callbacks, session, option, http2_memory_wiped());
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return rv;
}

/* No HPACK table in either direction: it would cost up to 4 KB a connection, and few headers ever travel. */
static int send_settings(struct cs_http2 *session, uint32_t max_streams)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, CS_LIMIT_HEADER_BYTES},
        {session->is_server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH,
         session->is_server ? max_streams : 0},
    };
    int rv = nghttp2_submit_settings(session->session, NGHTTP2_FLAG_NONE, entries, CS_ARRAY_LEN(entries));

    if (rv == 0)
        rv = nghttp2_session_set_local_window_size(session->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    return rv;
}

int cs_http2_new(const struct cs_http2_options *options, struct cs_http2 **ret, struct cs_err *err)
{
    struct cs_http2 *session = calloc(1, sizeof *session);
    int rv;

    if (!session)
        return cs_err_nomem(err);
    session->events = options->events;
    session->owner = options->owner;
    session->clock = options->clock;
    session->is_server = options->is_server;
    session->idle_frames_since_ms = options->clock->now_ms;
    cs_list_init(&session->streams);
    cs_list_init(&session->waiting);
    rv = make_session(session);
    if (rv == 0)
        rv = send_settings(session, options->max_streams);
    if (rv != 0) {
        cs_http2_free(session);
        return translate(rv, err);
    }
    *ret = session;
    return CS_OK;
}

void cs_http2_free(struct cs_http2 *session)
{
    if (!session)
        return;
    while (!cs_list_empty(&session->streams)) {
        struct cs_http2_stream *stream = CS_CONTAINER_OF(session->streams.next, struct cs_http2_stream, node);

        stream->reset = true;
        session->events->on_close(stream, CS_HTTP2_LOST);
        http2_stream_free(stream);
    }
    nghttp2_session_del(session->session);
    cs_metadata_free(&session->block);
    free(session);
}

int cs_http2_feed(struct cs_http2 *session, struct cs_slice bytes, struct cs_err *err)
{
    nghttp2_ssize used;

    if (session->failure)
        return translate(session->failure, err);
    if (bytes.len == 0)
        return CS_OK;
    used = nghttp2_session_mem_recv2(session->session, bytes.ptr, bytes.len);
    if (used < 0)
        http2_fail(session, (int)used);
    /* Both are fatal to nghttp2, which then leaves the goodbye to us. */
    if (used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS || used == NGHTTP2_ERR_FLOODED)
        cs_http2_terminate(session, CS_HTTP2_ENHANCE_YOUR_CALM);
    return session->failure ? translate(session->failure, err) : CS_OK;
}

static void wake_writers(struct cs_http2 *session)
{
    struct cs_list ready;

    /* The wakened may be refused again: they go to the end of `waiting`, not of this round. */
    cs_list_init(&ready);
    if (session->queued_bytes > CS_LIMIT_CONNECTION_BACKLOG / 2)
        return;
    CS_LIST_FOREACH(node, &session->waiting)
    {
        struct cs_http2_stream *stream = CS_CONTAINER_OF(node, struct cs_http2_stream, wait_node);

        if (cs_http2_stream_queued_bytes(stream) > CS_LIMIT_STREAM_HIGH_WATER / 2)
            continue;
        cs_list_remove(node);
        cs_list_append(&ready, node);
    }
    for (struct cs_list *node = cs_list_pop(&ready); node; node = cs_list_pop(&ready)) {
        struct cs_http2_stream *stream = CS_CONTAINER_OF(node, struct cs_http2_stream, wait_node);

        if (!stream->reset)
            session->events->on_writable(stream);
    }
}

int cs_http2_pull(struct cs_http2 *session, struct cs_buf *out, size_t enough_bytes, struct cs_err *err)
{
    while (out->len < enough_bytes) {
        const uint8_t *frame;
        nghttp2_ssize len = nghttp2_session_mem_send2(session->session, &frame);

        if (len < 0)
            http2_fail(session, (int)len);
        if (len <= 0)
            break;
        if (cs_buf_append(out, cs_slice(frame, (size_t)len)) != CS_OK) {
            http2_fail(session, NGHTTP2_ERR_NOMEM);
            break;
        }
    }
    wake_writers(session);
    return session->failure ? translate(session->failure, err) : CS_OK;
}

bool cs_http2_wants_pull(const struct cs_http2 *session)
{
    return nghttp2_session_want_write(session->session);
}

bool cs_http2_is_over(const struct cs_http2 *session, struct cs_err *err)
{
    if (session->failure) {
        translate(session->failure, err);
        return true;
    }
    if (nghttp2_session_want_read(session->session) || nghttp2_session_want_write(session->session))
        return false;
    *err = (struct cs_err){.code = CS_OK};
    if (session->terminated_with)
        cs_err_set(err, CS_EPARSE, "HTTP/2: ended the connection for %s",
                   nghttp2_http2_strerror(session->terminated_with));
    return true;
}

bool cs_http2_is_up(const struct cs_http2 *session)
{
    return session->got_settings && session->got_settings_ack;
}

bool cs_http2_is_draining(const struct cs_http2 *session)
{
    return session->got_goaway || !nghttp2_session_check_request_allowed(session->session);
}

uint64_t cs_http2_frames_received(const struct cs_http2 *session)
{
    return session->frames_received;
}

uint32_t cs_http2_streams_open(const struct cs_http2 *session)
{
    return session->streams_open;
}

size_t cs_http2_queued_bytes(const struct cs_http2 *session)
{
    return session->queued_bytes + session->lent_bytes;
}

size_t cs_http2_held_bytes(const struct cs_http2 *session)
{
    return session->queued_bytes;
}

uint64_t cs_http2_body_bytes_sent(const struct cs_http2 *session)
{
    return session->body_bytes_sent;
}

void cs_http2_ping(struct cs_http2 *session)
{
    http2_fail(session, nghttp2_submit_ping(session->session, NGHTTP2_FLAG_NONE, NULL));
}

void cs_http2_drain(struct cs_http2 *session)
{
    http2_fail(session, nghttp2_submit_shutdown_notice(session->session));
    http2_fail(session, nghttp2_submit_ping(session->session, NGHTTP2_FLAG_NONE, drain_ping));
}

void cs_http2_terminate(struct cs_http2 *session, uint32_t code)
{
    http2_fail(session, nghttp2_session_terminate_session(session->session, code));
}
