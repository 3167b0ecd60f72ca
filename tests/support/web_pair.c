#include "tests/support/web_pair.h"

#include "shared/net/grpc_wire.h"
#include "tests/support/check.h"

#include <stdio.h>

static void on_headers(struct cs_http2_stream *stream, const struct cs_metadata_list *headers, bool oversize)
{
    struct web_pair *pair = cs_http2_stream_owner(stream);
    struct cs_slice status = cs_metadata_find(headers, ":status"),
                    type = cs_metadata_find(headers, "content-type"),
                    keep = cs_metadata_find(headers, "cache-control"), name, value;

    (void)oversize;
    pair->answers++;
    pair->heads[0] = '\0';
    for (size_t cursor = 0; cs_metadata_next(headers, &cursor, &name, &value);)
        if (cs_slice_starts_with(name, CS_SLICE_LIT("x-")) && value.len &&
            !cs_slice_eq_str(name, "x-content-type-options"))
            snprintf(pair->heads + strlen(pair->heads), sizeof pair->heads - strlen(pair->heads), "%.*s ",
                     (int)value.len, (const char *)value.ptr);
    snprintf(pair->status, sizeof pair->status, "%.*s", (int)status.len, (const char *)status.ptr);
    snprintf(pair->type, sizeof pair->type, "%.*s", (int)type.len, type.len ? (const char *)type.ptr : "");
    snprintf(pair->keep, sizeof pair->keep, "%.*s", (int)keep.len, keep.len ? (const char *)keep.ptr : "");
}

static void on_data(struct cs_http2_stream *stream, struct cs_slice bytes)
{
    struct web_pair *pair = cs_http2_stream_owner(stream);

    pair->body_bytes += bytes.len;
    (void)!cs_buf_append(&pair->body, bytes);
    if (!pair->lazy) {
        cs_http2_consume(stream, bytes.len);
        return;
    }
    assert_in_range(pair->owed_count, 0, CS_ARRAY_LEN(pair->owed) - 1);
    pair->owed[pair->owed_count].stream = stream;
    pair->owed[pair->owed_count++].bytes = bytes.len;
}

static void ignore_stream(struct cs_http2_stream *stream)
{
    (void)stream;
}

static void on_close(struct cs_http2_stream *stream, uint32_t code)
{
    struct web_pair *pair = cs_http2_stream_owner(stream);

    pair->closes++;
    pair->close_code = code;
    for (unsigned i = 0; i < pair->owed_count; i++)
        if (pair->owed[i].stream == stream)
            pair->owed[i].stream = NULL;
}

static void ignore(void *owner)
{
    (void)owner;
}

static void ignore_goaway(void *owner, uint32_t code)
{
    (void)owner, (void)code;
}

int web_pair_open(struct web_pair *pair)
{
    static const struct cs_http2_events events = {
        .on_headers = on_headers,
        .on_data = on_data,
        .on_half_close = ignore_stream,
        .on_writable = ignore_stream,
        .on_close = on_close,
        .on_up = ignore,
        .on_goaway = ignore_goaway,
    };
    struct cs_grpc_server_options server = {.peer = &pair->peer,
                                            .alarms = &pair->alarms,
                                            .counters = &pair->counters,
                                            .max_streams = 200,
                                            .web = &pair->web,
                                            .wake = ignore};
    const struct cs_http2_options client = {.clock = &pair->alarms, .events = &events, .owner = pair};
    struct cs_err err;
    int rc;

    *pair = (struct web_pair){.alarms.now_ms = 1000, .web = echo_web()};
    rc = cs_registry_new(&pair->registry, &err);
    if (rc == CS_OK)
        rc = echo_register(pair->registry, &pair->service, &err);
    server.registry = pair->registry;
    if (rc == CS_OK)
        rc = cs_grpc_server_new(&server, &pair->server, &err);
    return rc == CS_OK ? cs_http2_new(&client, &pair->client, &err) : rc;
}

void web_pair_close(struct web_pair *pair)
{
    cs_http2_free(pair->client);
    cs_grpc_server_free(pair->server);
    cs_registry_free(pair->registry);
    assert_int_equal(pair->counters.calls_open, 0);
    assert_int_equal(pair->service.opened, pair->service.ended);
    assert_null(pair->alarms.root);
    cs_buf_free(&pair->body);
}

static size_t carry(struct web_pair *pair, struct cs_http2 *from, struct cs_http2 *to)
{
    struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err;
    size_t carried = 0;

    if (cs_http2_pull(from, &bytes, 64 * 1024, &err) != CS_OK ||
        (bytes.len && cs_http2_feed(to, cs_buf_slice(&bytes), &err) != CS_OK))
        pair->lost = true;
    else
        carried = bytes.len;
    cs_buf_free(&bytes);
    return carried;
}

void web_pair_run(struct web_pair *pair)
{
    struct cs_http2 *server = cs_grpc_server_http2(pair->server);

    for (size_t carried = 1; carried && !pair->lost;) {
        carried = carry(pair, pair->client, server);
        cs_grpc_server_run(pair->server);
        if (!pair->lost)
            carried += carry(pair, server, pair->client);
    }
}

void web_pair_forget(struct web_pair *pair)
{
    pair->answers = pair->closes = 0;
    cs_buf_clear(&pair->body);
}

struct cs_http2_stream *web_pair_ask(struct web_pair *pair, const struct web_ask *ask, bool open)
{
    struct cs_metadata_list headers = {0};
    struct cs_http2_stream *stream = NULL;
    int rc = cs_grpc_add_text(&headers, ":method", ask->method);

    if (rc == CS_OK)
        rc = cs_grpc_add_text(&headers, ":scheme", "http");
    if (rc == CS_OK)
        rc = cs_grpc_add_text(&headers, ":authority", "h");
    if (rc == CS_OK)
        rc = cs_grpc_add_text(&headers, ":path", ask->path);
    if (rc == CS_OK && ask->type)
        rc = cs_grpc_add_text(&headers, "content-type", ask->type);
    if (rc == CS_OK && ask->name)
        rc = cs_grpc_add_text(&headers, ask->name, ask->value);
    if (rc == CS_OK)
        rc = cs_http2_request(pair->client, &headers, NULL, &stream);
    if (rc == CS_OK && ask->body.len)
        rc = cs_http2_write(stream, CS_SLICE_EMPTY, ask->body);
    if (rc == CS_OK && !open)
        rc = cs_http2_end(stream, NULL);
    cs_metadata_free(&headers);
    return rc == CS_OK ? stream : NULL;
}

void web_pair_read_owed(struct web_pair *pair)
{
    pair->lazy = false;
    for (unsigned i = 0; i < pair->owed_count; i++)
        if (pair->owed[i].stream)
            cs_http2_consume(pair->owed[i].stream, pair->owed[i].bytes);
    web_pair_run(pair);
}
