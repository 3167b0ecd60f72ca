/* The Connect protocol: its bytes alone, and calls over HTTP/2 in memory. Over HTTP/1.1 it is in
 * test_http1.c. */
#include "tests/support/check.h"

#include "shared/base/limits.h"
#include "shared/net/connect_wire.h"
#include "shared/net/grpc_server.h"
#include "shared/net/grpc_wire.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/echo_service.h"

#include <stdio.h>

/* Bytes */

static void knows_the_content_types_and_no_others(void **state)
{
    static const struct {
        const char *text;
        bool good, is_json, is_stream;
    } cases[] = {
        {"application/json", true, true, false},
        {"application/proto", true, false, false},
        {"application/connect+json", true, true, true},
        {"application/connect+proto", true, false, true},
        {"Application/JSON; Charset=UTF-8", true, true, false},
        {"application/json;charset=\"utf-8\";x=y", true, true, false},
        {"application/json; charset=latin1", false, false, false},
        {"application/jsonx", false, false, false},
        {"application/grpc", false, false, false},
        {"application/grpc+proto", false, false, false},
        {"application/grpc-web", false, false, false},
        {"text/plain", false, false, false},
        {"", false, false, false},
        {";", false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_connect_type type = {0};
        int rc = cs_connect_type_parse(cs_slice_str(cases[i].text), &type);

        if ((rc == CS_OK) != cases[i].good || type.is_json != cases[i].is_json ||
            type.is_stream != cases[i].is_stream)
            fail_msg("%s", cases[i].text);
    }
}

static void reads_timeouts_of_one_to_ten_digits(void **state)
{
    static const char *const bad[] = {"", "-1", "+1", "1.5", "1s", " 1", "12345678901", "0x1"};
    uint64_t ms = 0;

    (void)state;
    check_code(cs_connect_timeout_parse(CS_SLICE_LIT("0"), &ms), CS_OK);
    assert_int_equal(ms, 0);
    check_code(cs_connect_timeout_parse(CS_SLICE_LIT("9999999999"), &ms), CS_OK);
    assert_true(ms == UINT64_C(9999999999));
    for (size_t i = 0; i < CS_ARRAY_LEN(bad); i++)
        check_code(cs_connect_timeout_parse(cs_slice_str(bad[i]), &ms), CS_EPARSE);
}

/* The table "Error Codes" of the specification. */
static void maps_errors_as_the_specification_does(void **state)
{
    static const struct {
        enum cs_status status;
        const char *code;
        unsigned http_status;
    } cases[] = {
        {CS_STATUS_CANCELLED, "canceled", 499},
        {CS_STATUS_UNKNOWN, "unknown", 500},
        {CS_STATUS_INVALID_ARGUMENT, "invalid_argument", 400},
        {CS_STATUS_DEADLINE_EXCEEDED, "deadline_exceeded", 504},
        {CS_STATUS_NOT_FOUND, "not_found", 404},
        {CS_STATUS_ALREADY_EXISTS, "already_exists", 409},
        {CS_STATUS_PERMISSION_DENIED, "permission_denied", 403},
        {CS_STATUS_RESOURCE_EXHAUSTED, "resource_exhausted", 429},
        {CS_STATUS_FAILED_PRECONDITION, "failed_precondition", 400},
        {CS_STATUS_ABORTED, "aborted", 409},
        {CS_STATUS_OUT_OF_RANGE, "out_of_range", 400},
        {CS_STATUS_UNIMPLEMENTED, "unimplemented", 501},
        {CS_STATUS_INTERNAL, "internal", 500},
        {CS_STATUS_UNAVAILABLE, "unavailable", 503},
        {CS_STATUS_DATA_LOSS, "data_loss", 500},
        {CS_STATUS_UNAUTHENTICATED, "unauthenticated", 401},
        {(enum cs_status)77, "unknown", 500},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        assert_string_equal(cs_connect_code(cases[i].status), cases[i].code);
        assert_int_equal(cs_connect_http_status(cases[i].status), cases[i].http_status);
    }
}

static void writes_any_sentence_as_a_json_string(void **state)
{
    static const struct {
        struct cs_slice text;
        const char *json;
    } cases[] = {
        {CS_SLICE_LIT(""), "\"\""},
        {CS_SLICE_LIT("plain"), "\"plain\""},
        {CS_SLICE_LIT("a \"quote\" and a \\"), "\"a \\\"quote\\\" and a \\\\\""},
        {CS_SLICE_LIT("line\nline\ttab\r\b"), "\"line\\u000aline\\u0009tab\\u000d\\u0008\""},
        {CS_SLICE_LIT("nul \0."), "\"nul \\u0000.\""},
        {CS_SLICE_LIT("\x7f"), "\"\\u007f\""},
        {CS_SLICE_LIT("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91"),
         "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91\""},
        {CS_SLICE_LIT("broken \xff\xc3"), "\"broken \xef\xbf\xbd\xef\xbf\xbd\""},
        {CS_SLICE_LIT("overlong \xc0\x80"), "\"overlong \xef\xbf\xbd\xef\xbf\xbd\""},
        {CS_SLICE_LIT("surrogate \xed\xa0\x80"), "\"surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf out = CS_BUF_EMPTY;

        check_code(cs_connect_json_string(cases[i].text, &out), CS_OK);
        check_slice(cs_buf_slice(&out), cs_slice_str(cases[i].json));
        cs_buf_free(&out);
    }
}

static void ends_a_stream_with_its_error_and_its_metadata(void **state)
{
    struct cs_metadata_list none = {0}, some = {0};
    struct cs_buf out = CS_BUF_EMPTY;

    (void)state;
    check_code(cs_connect_end_json(CS_STATUS_OK, CS_SLICE_EMPTY, &none, &out), CS_OK);
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("{}"));
    cs_buf_clear(&out);
    check_code(cs_connect_end_json(CS_STATUS_ABORTED, CS_SLICE_EMPTY, &none, &out), CS_OK);
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("{\"error\":{\"code\":\"aborted\"}}"));
    cs_buf_clear(&out);
    check_code(cs_metadata_add(&some, CS_SLICE_LIT("a"), CS_SLICE_LIT("1")), CS_OK);
    check_code(cs_metadata_add(&some, CS_SLICE_LIT("b-bin"), CS_SLICE_LIT("\1\2")), CS_OK);
    check_code(cs_metadata_add(&some, CS_SLICE_LIT("a"), CS_SLICE_LIT("2\"")), CS_OK);
    check_code(cs_connect_end_json(CS_STATUS_NOT_FOUND, CS_SLICE_LIT("no"), &some, &out), CS_OK);
    check_slice(cs_buf_slice(&out),
                CS_SLICE_LIT("{\"error\":{\"code\":\"not_found\",\"message\":\"no\"},"
                             "\"metadata\":{\"a\":[\"1\",\"2\\\"\"],\"b-bin\":[\"AQI\"]}}"));
    cs_buf_free(&out);
    cs_metadata_free(&some);
}

/* Over HTTP/2 */

struct pair {
    struct cs_alarms alarms;
    struct cs_registry *registry;
    struct echo_service service;
    struct cs_peer peer;
    struct cs_grpc_counters counters;
    struct cs_web web;
    struct cs_grpc_server *server;
    struct cs_http2 *client;
    bool lost;

    bool lazy; /* the client gives no window back */
    struct {
        struct cs_http2_stream *stream;
        size_t bytes;
    } owed[1000];
    unsigned owed_count;
    size_t body_bytes;

    unsigned answers, closes;
    uint32_t close_code;
    char status[8], type[64], keep[64], heads[64]; /* heads: of the headers x-head and x-head-bin */
    struct cs_buf body;
};

static void on_headers(struct cs_http2_stream *stream, const struct cs_metadata_list *headers, bool oversize)
{
    struct pair *pair = cs_http2_stream_owner(stream);
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
    struct pair *pair = cs_http2_stream_owner(stream);

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
    struct pair *pair = cs_http2_stream_owner(stream);

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

static int pair_open(struct pair *pair)
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

    *pair = (struct pair){.alarms.now_ms = 1000, .web = echo_web()};
    rc = cs_registry_new(&pair->registry, &err);
    if (rc == CS_OK)
        rc = echo_register(pair->registry, &pair->service, &err);
    server.registry = pair->registry;
    if (rc == CS_OK)
        rc = cs_grpc_server_new(&server, &pair->server, &err);
    return rc == CS_OK ? cs_http2_new(&client, &pair->client, &err) : rc;
}

static void pair_close(struct pair *pair)
{
    cs_http2_free(pair->client);
    cs_grpc_server_free(pair->server);
    cs_registry_free(pair->registry);
    assert_int_equal(pair->counters.calls_open, 0);
    assert_int_equal(pair->service.opened, pair->service.ended);
    assert_null(pair->alarms.root);
    cs_buf_free(&pair->body);
}

static size_t carry(struct pair *pair, struct cs_http2 *from, struct cs_http2 *to)
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

static void pump(struct pair *pair)
{
    struct cs_http2 *server = cs_grpc_server_http2(pair->server);

    for (size_t carried = 1; carried && !pair->lost;) {
        carried = carry(pair, pair->client, server);
        cs_grpc_server_run(pair->server);
        if (!pair->lost)
            carried += carry(pair, server, pair->client);
    }
}

static void forget(struct pair *pair)
{
    pair->answers = pair->closes = 0;
    cs_buf_clear(&pair->body);
}

struct ask {
    const char *says, *method, *path, *type, *name, *value;
    struct cs_slice body;
    const char *status, *answer_type;
    struct cs_slice answer;
};

/* Sends the request; its body is complete unless `open`. */
static struct cs_http2_stream *begin(struct pair *pair, const struct ask *ask, bool open)
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

#define CALL(name) "/countersign.test.Echo/" name

static const struct ask asks[] = {
    {"JSON", "POST", CALL("Unary"), "application/json", NULL, NULL, CS_SLICE_LIT("\"hi\""), "200",
     "application/json", CS_SLICE_LIT("\"hi\"")},
    {"protobuf", "POST", CALL("Unary"), "application/proto", "connect-protocol-version", "1",
     CS_SLICE_LIT("hi"), "200", "application/proto", CS_SLICE_LIT("hi")},
    {"an empty message", "POST", CALL("Unary"), "application/proto", NULL, NULL, CS_SLICE_EMPTY, "200",
     "application/proto", CS_SLICE_EMPTY},
    {"a head of its own", "POST", CALL("Head"), "application/proto", NULL, NULL, CS_SLICE_LIT("hi"), "200",
     "application/proto", CS_SLICE_LIT("hi")},
    {"an error", "POST", CALL("Fail"), "application/proto", NULL, NULL, CS_SLICE_LIT("9 not \"now\""), "400",
     "application/json", CS_SLICE_LIT("{\"code\":\"failed_precondition\",\"message\":\"not \\\"now\\\"\"}")},
    {"JSON that is none", "POST", CALL("Unary"), "application/json", NULL, NULL, CS_SLICE_LIT("{"), "400",
     "application/json",
     CS_SLICE_LIT("{\"code\":\"invalid_argument\",\"message\":\"the request is no JSON string\"}")},
    {"a stream", "POST", CALL("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\003"
                  "2 3"),
     "200", "application/connect+proto", CS_SLICE_LIT("\0\0\0\0\3\0\0\0\0\0\0\0\3\0\0\0\2\0\0\0\2{}")},
    {"a stream in JSON", "POST", CALL("Stream"), "application/connect+json", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\005\"1 0\""), "200", "application/connect+json",
     CS_SLICE_LIT("\0\0\0\0\2\"\"\2\0\0\0\2{}")},
    {"a stream that fails", "POST", CALL("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\1x"), "200", "application/connect+proto",
     CS_SLICE_LIT("\2\0\0\0\125{\"error\":{\"code\":\"invalid_argument\",\"message\":"
                  "\"say how many messages of which size\"}}")},
    {"a stream without a request", "POST", CALL("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_EMPTY, "200", "application/connect+proto",
     CS_SLICE_LIT("\2\0\0\0\152{\"error\":{\"code\":\"unimplemented\",\"message\":"
                  "\"this method takes one request message, the client sent none\"}}")},
    {"a stream with two requests", "POST", CALL("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\3"
                  "1 0\0\0\0\0\3"
                  "1 0"),
     NULL, "application/connect+proto", CS_SLICE_EMPTY},
    {"a stream's request that is cut short", "POST", CALL("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\4"
                  "1 0"),
     "200", "application/connect+proto",
     CS_SLICE_LIT("\2\0\0\0\132{\"error\":{\"code\":\"invalid_argument\",\"message\":"
                  "\"the body ends in the middle of a message\"}}")},
    {"a compressed message in a stream", "POST", CALL("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\1\0\0\0\3"
                  "1 0"),
     "200", "application/connect+proto", CS_SLICE_EMPTY},
    {"an end in a stream's request", "POST", CALL("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\2\0\0\0\2{}"), "200", "application/connect+proto", CS_SLICE_EMPTY},
    {"a method of both directions", "POST", CALL("Bidi"), "application/connect+proto", NULL, NULL,
     CS_SLICE_EMPTY, "200", "application/connect+proto",
     CS_SLICE_LIT("\2\0\0\0\146{\"error\":{\"code\":\"unimplemented\",\"message\":"
                  "\"this method takes a stream of requests: call it by gRPC\"}}")},
    {"compression", "POST", CALL("Unary"), "application/proto", "content-encoding", "gzip", CS_SLICE_LIT("x"),
     "501", "application/json", CS_SLICE_EMPTY},
    {"another version", "POST", CALL("Unary"), "application/proto", "connect-protocol-version", "2",
     CS_SLICE_LIT("x"), "400", "application/json",
     CS_SLICE_LIT("{\"code\":\"invalid_argument\",\"message\":\"connect-protocol-version must be 1\"}")},
    {"a timeout that is none", "POST", CALL("Unary"), "application/proto", "connect-timeout-ms", "1s",
     CS_SLICE_LIT("x"), "400", "application/json", CS_SLICE_EMPTY},
    {"a binary header that is none", "POST", CALL("Unary"), "application/proto", "x-bin", "?",
     CS_SLICE_LIT("x"), "400", "application/json", CS_SLICE_EMPTY},
    {"a type of streams for a unary method", "POST", CALL("Unary"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("x"), "415", "application/json", CS_SLICE_EMPTY},
    {"a unary type for a stream", "POST", CALL("Stream"), "application/proto", NULL, NULL, CS_SLICE_LIT("x"),
     "415", "application/json", CS_SLICE_EMPTY},
    {"no type", "POST", CALL("Unary"), NULL, NULL, NULL, CS_SLICE_LIT("x"), "415", "application/json",
     CS_SLICE_EMPTY},
    {"no such method", "POST", CALL("Nothing"), "application/proto", NULL, NULL, CS_SLICE_LIT("x"), "404",
     "application/json", CS_SLICE_EMPTY},
    {"GET of a method", "GET", CALL("Unary"), NULL, NULL, NULL, CS_SLICE_EMPTY, "405", "application/json",
     CS_SLICE_EMPTY},
    {"a page", "GET", "/page?a", NULL, NULL, NULL, CS_SLICE_EMPTY, "200", "text/plain; charset=utf-8",
     CS_SLICE_LIT("hello a")},
    {"the head of a page", "HEAD", "/page?a", NULL, NULL, NULL, CS_SLICE_EMPTY, "200",
     "text/plain; charset=utf-8", CS_SLICE_EMPTY},
    {"no such page", "GET", "/nothing", NULL, NULL, NULL, CS_SLICE_EMPTY, "404", "application/json",
     CS_SLICE_EMPTY},
    {"gRPC is still gRPC's", "POST", CALL("Unary"), "application/grpc-web", NULL, NULL, CS_SLICE_LIT("x"),
     "415", "", CS_SLICE_EMPTY},
};

static void answers_over_http2_as_the_table_says(void **state)
{
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    for (size_t i = 0; i < CS_ARRAY_LEN(asks); i++) {
        const struct ask *ask = &asks[i];

        forget(&pair);
        assert_non_null(begin(&pair, ask, false));
        pump(&pair);
        if (pair.lost || pair.answers != 1 || pair.closes != 1 || pair.close_code != CS_HTTP2_NO_ERROR)
            fail_msg("%s: no answer in order", ask->says);
        if ((ask->status && strcmp(pair.status, ask->status) != 0) ||
            strcmp(pair.type, ask->answer_type) != 0)
            fail_msg("%s: %s, %s", ask->says, pair.status, pair.type);
        if (ask->answer.len && !cs_slice_eq(cs_buf_slice(&pair.body), ask->answer))
            fail_msg("%s: '%.*s'", ask->says, (int)pair.body.len, (const char *)pair.body.ptr);
    }
    pair_close(&pair);
}

static void a_handler_adds_to_the_head_of_its_answer(void **state)
{
    static const struct {
        const char *path, *type;
        struct cs_slice body;
        const char *status;
    } cases[] = {
        {CALL("Head"), "application/proto", CS_SLICE_LIT("hi"), "200"},
        {CALL("Head"), "application/json", CS_SLICE_LIT("\"hi\""), "200"},
        {CALL("Head"), "application/proto", CS_SLICE_LIT("fail"), "404"},
        {CALL("HeadStream"), "application/connect+proto", CS_SLICE_LIT("\0\0\0\0\2hi"), "200"},
        {CALL("HeadStream"), "application/connect+proto", CS_SLICE_LIT("\0\0\0\0\4fail"), "200"},
    };
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const struct ask ask = {
            .method = "POST", .path = cases[i].path, .type = cases[i].type, .body = cases[i].body};

        forget(&pair);
        assert_non_null(begin(&pair, &ask, false));
        pump(&pair);
        assert_string_equal(pair.status, cases[i].status);
        assert_string_equal(pair.heads, "h again AAH+/w ");
        assert_int_equal(pair.service.last_end,
                         strcmp(cases[i].status, "404") == 0 || i == 4 ? CS_STATUS_NOT_FOUND : CS_STATUS_OK);
    }
    pair_close(&pair);
}

static void refuses_a_body_that_is_larger_than_the_method_takes(void **state)
{
    static const uint8_t large[101];
    const struct ask ask = {
        .method = "POST", .path = CALL("Small"), .type = "application/proto", .body = CS_SLICE_ARRAY(large)};
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    assert_non_null(begin(&pair, &ask, true));
    pump(&pair);
    assert_string_equal(pair.status, "413");
    assert_int_equal(pair.service.last_end, CS_STATUS_RESOURCE_EXHAUSTED);
    pair_close(&pair);
}

/* As gRPC's inboxes: what many unfinished requests make us hold is bounded over the connection. */
static void holds_so_much_of_unfinished_requests_and_no_more(void **state)
{
    static const uint8_t part[60000];
    const struct ask ask = {
        .method = "POST", .path = CALL("Unary"), .type = "application/proto", .body = CS_SLICE_ARRAY(part)};
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    for (unsigned i = 0; i < CS_LIMIT_CONNECTION_BACKLOG / sizeof part; i++) {
        assert_non_null(begin(&pair, &ask, true));
        pump(&pair);
    }
    assert_int_equal(pair.answers, 0);
    assert_non_null(begin(&pair, &ask, true));
    pump(&pair);
    assert_int_equal(pair.answers, 1);
    assert_string_equal(pair.status, "429");
    pair_close(&pair);
}

/* Answers of 100 KB to a client that reads none: 1 MB is in its windows, 4 MB are queued, as much waits
 * outside, and whatever is beyond is reset. */
static void answers_that_find_no_room_wait_for_it_up_to_a_bound(void **state)
{
    enum { BYTES = 100000 };
    static const uint8_t large[BYTES];
    static const struct {
        unsigned calls, reset_least, reset_most;
    } cases[] = {{60, 0, 0}, {90, 0, 0}, {130, 30, 40}};
    const struct ask ask = {
        .method = "POST", .path = CALL("Unary"), .type = "application/proto", .body = CS_SLICE_ARRAY(large)};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_http2 *server;
        struct pair pair;
        unsigned reset;

        check_code(pair_open(&pair), CS_OK);
        server = cs_grpc_server_http2(pair.server);
        pair.lazy = true;
        for (unsigned k = 0; k < cases[i].calls; k++) {
            assert_non_null(begin(&pair, &ask, false));
            pump(&pair);
        }
        reset = pair.closes;
        assert_in_range(reset, cases[i].reset_least, cases[i].reset_most);
        assert_true(cs_http2_queued_bytes(server) > CS_LIMIT_CONNECTION_BACKLOG - BYTES);
        assert_true(cs_http2_queued_bytes(server) <= CS_LIMIT_CONNECTION_BACKLOG);
        pair.lazy = false;
        for (unsigned k = 0; k < pair.owed_count; k++)
            cs_http2_consume(pair.owed[k].stream, pair.owed[k].bytes);
        pump(&pair);
        assert_int_equal(pair.closes, cases[i].calls);
        assert_int_equal(pair.body_bytes, (cases[i].calls - reset) * BYTES);
        pair_close(&pair);
    }
}

static struct cs_call *paused_call;

static void pause_at_once(struct cs_call *call)
{
    paused_call = call;
    cs_call_pause(call, true);
}

static void a_paused_call_gets_its_request_when_it_goes_on(void **state)
{
    static const struct cs_call_handler handler = {.on_open = pause_at_once, .on_message = cs_call_reply};
    static const struct cs_method method = {"test.Paused", "Call", CS_CALL_UNARY, 0, &handler, 0};
    const struct ask ask = {.method = "POST",
                            .path = "/test.Paused/Call",
                            .type = "application/proto",
                            .body = CS_SLICE_LIT("hi")};
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    check_code(cs_registry_add(pair.registry, &method, 1, NULL, NULL), CS_OK);
    assert_non_null(begin(&pair, &ask, false));
    pump(&pair);
    assert_int_equal(pair.answers, 0);
    cs_call_pause(paused_call, false);
    assert_int_equal(pair.answers, 0);
    pump(&pair);
    assert_string_equal(pair.status, "200");
    check_slice(cs_buf_slice(&pair.body), CS_SLICE_LIT("hi"));
    pair_close(&pair);
}

static void a_deadline_and_a_cancel_end_a_call(void **state)
{
    const struct ask with_timeout = {.method = "POST",
                                     .path = CALL("Never"),
                                     .type = "application/proto",
                                     .name = "connect-timeout-ms",
                                     .value = "100"},
                     without = {.method = "POST", .path = CALL("Never"), .type = "application/proto"};
    struct cs_http2_stream *stream;
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    assert_non_null(begin(&pair, &with_timeout, false));
    pump(&pair);
    assert_int_equal(pair.answers, 0);
    cs_alarms_run(&pair.alarms, pair.alarms.now_ms + 100);
    pump(&pair);
    assert_string_equal(pair.status, "504");
    assert_int_equal(pair.service.last_end, CS_STATUS_DEADLINE_EXCEEDED);

    stream = begin(&pair, &without, false);
    pump(&pair);
    assert_int_equal(pair.counters.calls_open, 1);
    cs_http2_reset(stream, CS_HTTP2_CANCEL);
    pump(&pair);
    assert_int_equal(pair.counters.calls_open, 0);
    assert_int_equal(pair.service.last_end, CS_STATUS_CANCELLED);

    assert_non_null(begin(&pair, &without, false));
    pump(&pair);
    cs_grpc_server_finish_all(pair.server, "going down");
    pump(&pair);
    assert_string_equal(pair.status, "503");
    pair_close(&pair);
}

/* Says which path it was asked for, and that "/kept…" may be kept. */
static unsigned get_anything(void *owner, const struct cs_route_request *request,
                             struct cs_route_answer *answer)
{
    (void)owner;
    if (cs_slice_starts_with(request->path, CS_SLICE_LIT("/kept")) &&
        cs_grpc_add_text(&answer->headers, "cache-control", "max-age=60") != CS_OK)
        return 500;
    return cs_buf_append(&answer->body, request->path) == CS_OK ? 200 : 500;
}

static void what_no_route_and_no_method_answers_goes_to_the_route_otherwise(void **state)
{
    static const struct cs_route otherwise = {NULL, get_anything, NULL};
    static const struct {
        struct ask ask;
        const char *keep;
    } cases[] = {
        {{"any path", "GET", "/a/b?c", NULL, NULL, NULL, CS_SLICE_EMPTY, "200", "text/plain; charset=utf-8",
          CS_SLICE_LIT("/a/b")},
         "no-store"},
        {{"its head", "HEAD", "/a/b?c", NULL, NULL, NULL, CS_SLICE_EMPTY, "200", "text/plain; charset=utf-8",
          CS_SLICE_EMPTY},
         "no-store"},
        {{"an answer that may be kept", "GET", "/kept", NULL, NULL, NULL, CS_SLICE_EMPTY, "200",
          "text/plain; charset=utf-8", CS_SLICE_LIT("/kept")},
         "max-age=60"},
        {{"a route of its own", "GET", "/page?a", NULL, NULL, NULL, CS_SLICE_EMPTY, "200",
          "text/plain; charset=utf-8", CS_SLICE_LIT("hello a")},
         "no-store"},
        {{"a method", "GET", CALL("Unary"), NULL, NULL, NULL, CS_SLICE_EMPTY, "405", "application/json",
          CS_SLICE_EMPTY},
         "no-store"},
        {{"what is no read", "POST", "/a/b", NULL, NULL, NULL, CS_SLICE_LIT("x"), "404", "application/json",
          CS_SLICE_EMPTY},
         "no-store"},
    };
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    pair.web.otherwise = &otherwise;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const struct ask *ask = &cases[i].ask;

        forget(&pair);
        assert_non_null(begin(&pair, ask, false));
        pump(&pair);
        if (strcmp(pair.status, ask->status) != 0 || strcmp(pair.type, ask->answer_type) != 0 ||
            strcmp(pair.keep, cases[i].keep) != 0)
            fail_msg("%s: %s, %s, %s", ask->says, pair.status, pair.type, pair.keep);
        if (ask->answer.len)
            check_slice(cs_buf_slice(&pair.body), ask->answer);
    }
    pair_close(&pair);
}

enum { STANDING_BYTES = 150 * 1000 };
static uint8_t standing[STANDING_BYTES];

static unsigned get_standing(void *owner, const struct cs_route_request *request,
                             struct cs_route_answer *answer)
{
    (void)owner, (void)request;
    answer->standing = CS_SLICE_ARRAY(standing);
    return 200;
}

static void read_all_that_is_owed(struct pair *pair)
{
    pair->lazy = false;
    for (unsigned i = 0; i < pair->owed_count; i++)
        if (pair->owed[i].stream)
            cs_http2_consume(pair->owed[i].stream, pair->owed[i].bytes);
    pump(pair);
}

/* 30 MB are asked for by one who reads none of it. */
static void what_stays_where_it_is_is_held_for_nobody(void **state)
{
    static const struct cs_route otherwise = {NULL, get_standing, NULL};
    static const struct ask ask = {.method = "GET", .path = "/any"},
                            head = {.method = "HEAD", .path = "/any"};
    enum { CALLS = 199 };
    struct cs_http2_stream *streams[3];
    struct cs_http2 *server;
    struct pair pair;

    (void)state;
    for (size_t i = 0; i < sizeof standing; i++)
        standing[i] = (uint8_t)(i * 7 + i / 256);
    check_code(pair_open(&pair), CS_OK);
    server = cs_grpc_server_http2(pair.server);
    pair.web.otherwise = &otherwise;
    assert_non_null(begin(&pair, &ask, false));
    pump(&pair);
    check_slice(cs_buf_slice(&pair.body), CS_SLICE_ARRAY(standing));
    forget(&pair);
    assert_non_null(begin(&pair, &head, false));
    pump(&pair);
    assert_string_equal(pair.status, "200");
    assert_int_equal(pair.body.len, 0);

    forget(&pair);
    pair.lazy = true;
    pair.body_bytes = 0;
    for (unsigned i = 0; i < CALLS; i++) {
        streams[i % CS_ARRAY_LEN(streams)] = begin(&pair, &ask, false);
        assert_non_null(streams[i % CS_ARRAY_LEN(streams)]);
        pump(&pair);
    }
    assert_int_equal(pair.answers, CALLS);
    assert_int_equal(pair.closes, 0);
    assert_int_equal(cs_http2_held_bytes(server), 0);
    /* It still counts as what waits, for whoever watches for a client that takes nothing. */
    assert_true(cs_http2_queued_bytes(server) > (CALLS - 20) * sizeof standing);
    cs_http2_reset(streams[0], CS_HTTP2_CANCEL);
    pump(&pair);
    read_all_that_is_owed(&pair);
    assert_int_equal(pair.closes, CALLS);
    assert_int_equal(pair.body_bytes, (CALLS - 1) * sizeof standing);
    assert_int_equal(cs_http2_queued_bytes(server), 0);
    pair_close(&pair);
}

/* Pages that are written anew for each who asks: 1 MB here. */
static void pages_that_are_not_read_are_no_longer_made(void **state)
{
    static const struct ask ask = {.method = "GET", .path = "/large"};
    struct cs_http2 *server;
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    server = cs_grpc_server_http2(pair.server);
    pair.lazy = true;
    for (unsigned i = 0; i < 100; i++) {
        assert_non_null(begin(&pair, &ask, false));
        pump(&pair);
        assert_true(cs_http2_held_bytes(server) < CS_WEB_WAITING_BYTES + 1024 * 1024 + 16 * 1024);
    }
    assert_int_equal(pair.answers, 100);
    assert_string_equal(pair.status, "503");
    read_all_that_is_owed(&pair);
    assert_non_null(begin(&pair, &ask, false));
    pump(&pair);
    assert_string_equal(pair.status, "200");
    assert_int_equal(pair.closes, 101);
    pair_close(&pair);
}

static enum cs_status pass_with_a_word(void *owner, struct cs_slice method, struct cs_slice path,
                                       const struct cs_metadata_list *headers, struct cs_err *err)
{
    unsigned *asked = owner;

    (*asked)++;
    assert_true(method.len > 0 && path.len > 0 && !memchr(path.ptr, '?', path.len));
    if (cs_slice_eq_str(cs_metadata_find(headers, "word"), "please"))
        return CS_STATUS_OK;
    cs_err_set(err, CS_EDENIED, "say please");
    return CS_STATUS_PERMISSION_DENIED;
}

static void a_guard_is_asked_about_every_request_before_anything_else(void **state)
{
    static const struct ask refused[] = {
        {"a page", "GET", "/page?a", NULL, NULL, NULL, CS_SLICE_EMPTY, "403", "application/json",
         CS_SLICE_LIT("{\"code\":\"permission_denied\",\"message\":\"say please\"}")},
        {"a call", "POST", CALL("Unary"), "application/proto", NULL, NULL, CS_SLICE_LIT("x"), "403",
         "application/json", CS_SLICE_EMPTY},
        {"a stream", "POST", CALL("Stream"), "application/connect+proto", NULL, NULL, CS_SLICE_LIT("x"),
         "403", "application/json", CS_SLICE_EMPTY},
        {"nothing that there is", "POST", "/nothing", NULL, NULL, NULL, CS_SLICE_EMPTY, "403",
         "application/json", CS_SLICE_EMPTY},
        {"gRPC", "POST", CALL("Unary"), "application/grpc", "te", "trailers", CS_SLICE_LIT("\0\0\0\0\1x"),
         "200", "application/grpc", CS_SLICE_EMPTY},
    };
    static const struct ask passed = {"a page",
                                      "GET",
                                      "/page?a",
                                      NULL,
                                      "word",
                                      "please",
                                      CS_SLICE_EMPTY,
                                      "200",
                                      "text/plain; charset=utf-8",
                                      CS_SLICE_LIT("hello a")};
    unsigned asked = 0;
    const struct cs_web_guard guard = {pass_with_a_word, &asked};
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    pair.web.guard = &guard;
    for (size_t i = 0; i < CS_ARRAY_LEN(refused); i++) {
        const struct ask *ask = &refused[i];

        forget(&pair);
        assert_non_null(begin(&pair, ask, false));
        pump(&pair);
        if (asked != i + 1 || pair.answers != 1 || strcmp(pair.status, ask->status) != 0 ||
            strcmp(pair.type, ask->answer_type) != 0)
            fail_msg("%s: asked %u times, %s, %s", ask->says, asked, pair.status, pair.type);
        if (ask->answer.len)
            check_slice(cs_buf_slice(&pair.body), ask->answer);
    }
    assert_int_equal(pair.service.opened, 0);
    forget(&pair);
    assert_non_null(begin(&pair, &passed, false));
    pump(&pair);
    assert_string_equal(pair.status, passed.status);
    check_slice(cs_buf_slice(&pair.body), passed.answer);
    pair_close(&pair);
}

static void a_listener_that_answers_grpc_alone_refuses_the_rest(void **state)
{
    struct pair pair;

    (void)state;
    check_code(pair_open(&pair), CS_OK);
    cs_grpc_server_free(pair.server);
    pair.web = (struct cs_web){0};
    check_code(cs_grpc_server_new(&(struct cs_grpc_server_options){.registry = pair.registry,
                                                                   .peer = &pair.peer,
                                                                   .alarms = &pair.alarms,
                                                                   .counters = &pair.counters,
                                                                   .max_streams = 100,
                                                                   .web = &pair.web,
                                                                   .wake = ignore},
                                  &pair.server, NULL),
               CS_OK);
    assert_non_null(begin(&pair, &asks[0], false));
    pump(&pair);
    assert_string_equal(pair.status, "415");
    pair_close(&pair);
}

static void run_with_failures(void *data)
{
    const struct ask *ask = data;
    struct pair pair;

    if (pair_open(&pair) == CS_OK) {
        pump(&pair);
        if (!pair.lost && begin(&pair, ask, false))
            pump(&pair);
        /* What is reported as done was done. */
        if (!pair.lost && pair.answers && pair.close_code == CS_HTTP2_NO_ERROR && ask->status &&
            strcmp(pair.status, "200") == 0 && ask->answer.len)
            assert_true(alloc_fail_happened() || cs_slice_eq(cs_buf_slice(&pair.body), ask->answer));
        if (!alloc_fail_happened())
            assert_int_equal(pair.closes, 1);
    }
    pair_close(&pair);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(asks); i++) {
        struct ask ask = asks[i];

        assert_true(alloc_fail_run(run_with_failures, &ask) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_content_types_and_no_others),
        cmocka_unit_test(reads_timeouts_of_one_to_ten_digits),
        cmocka_unit_test(maps_errors_as_the_specification_does),
        cmocka_unit_test(writes_any_sentence_as_a_json_string),
        cmocka_unit_test(ends_a_stream_with_its_error_and_its_metadata),
        cmocka_unit_test(answers_over_http2_as_the_table_says),
        cmocka_unit_test(a_handler_adds_to_the_head_of_its_answer),
        cmocka_unit_test(refuses_a_body_that_is_larger_than_the_method_takes),
        cmocka_unit_test(holds_so_much_of_unfinished_requests_and_no_more),
        cmocka_unit_test(answers_that_find_no_room_wait_for_it_up_to_a_bound),
        cmocka_unit_test(a_paused_call_gets_its_request_when_it_goes_on),
        cmocka_unit_test(a_deadline_and_a_cancel_end_a_call),
        cmocka_unit_test(what_no_route_and_no_method_answers_goes_to_the_route_otherwise),
        cmocka_unit_test(what_stays_where_it_is_is_held_for_nobody),
        cmocka_unit_test(pages_that_are_not_read_are_no_longer_made),
        cmocka_unit_test(a_guard_is_asked_about_every_request_before_anything_else),
        cmocka_unit_test(a_listener_that_answers_grpc_alone_refuses_the_rest),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
