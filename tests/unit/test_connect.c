/* The Connect protocol: its bytes alone, and calls over HTTP/2 in memory. Over HTTP/1.1 it is in
 * test_http1.c, and what a listener answers that is no call in test_web.c. */
#include "tests/support/check.h"

#include "shared/base/limits.h"
#include "shared/net/connect_wire.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/web_pair.h"

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

static const struct web_ask asks[] = {
    {"JSON", "POST", ECHO_PATH("Unary"), "application/json", NULL, NULL, CS_SLICE_LIT("\"hi\""), "200",
     "application/json", CS_SLICE_LIT("\"hi\"")},
    {"protobuf", "POST", ECHO_PATH("Unary"), "application/proto", "connect-protocol-version", "1",
     CS_SLICE_LIT("hi"), "200", "application/proto", CS_SLICE_LIT("hi")},
    {"an empty message", "POST", ECHO_PATH("Unary"), "application/proto", NULL, NULL, CS_SLICE_EMPTY, "200",
     "application/proto", CS_SLICE_EMPTY},
    {"a head of its own", "POST", ECHO_PATH("Head"), "application/proto", NULL, NULL, CS_SLICE_LIT("hi"),
     "200", "application/proto", CS_SLICE_LIT("hi")},
    {"an error", "POST", ECHO_PATH("Fail"), "application/proto", NULL, NULL, CS_SLICE_LIT("9 not \"now\""),
     "400", "application/json",
     CS_SLICE_LIT("{\"code\":\"failed_precondition\",\"message\":\"not \\\"now\\\"\"}")},
    {"JSON that is none", "POST", ECHO_PATH("Unary"), "application/json", NULL, NULL, CS_SLICE_LIT("{"),
     "400", "application/json",
     CS_SLICE_LIT("{\"code\":\"invalid_argument\",\"message\":\"the request is no JSON string\"}")},
    {"a stream", "POST", ECHO_PATH("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\003"
                  "2 3"),
     "200", "application/connect+proto", CS_SLICE_LIT("\0\0\0\0\3\0\0\0\0\0\0\0\3\0\0\0\2\0\0\0\2{}")},
    {"a stream in JSON", "POST", ECHO_PATH("Stream"), "application/connect+json", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\005\"1 0\""), "200", "application/connect+json",
     CS_SLICE_LIT("\0\0\0\0\2\"\"\2\0\0\0\2{}")},
    {"a stream that fails", "POST", ECHO_PATH("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\1x"), "200", "application/connect+proto",
     CS_SLICE_LIT("\2\0\0\0\125{\"error\":{\"code\":\"invalid_argument\",\"message\":"
                  "\"say how many messages of which size\"}}")},
    {"a stream without a request", "POST", ECHO_PATH("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_EMPTY, "200", "application/connect+proto",
     CS_SLICE_LIT("\2\0\0\0\152{\"error\":{\"code\":\"unimplemented\",\"message\":"
                  "\"this method takes one request message, the client sent none\"}}")},
    {"a stream with two requests", "POST", ECHO_PATH("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\0\0\0\0\3"
                  "1 0\0\0\0\0\3"
                  "1 0"),
     NULL, "application/connect+proto", CS_SLICE_EMPTY},
    {"a stream's request that is cut short", "POST", ECHO_PATH("Stream"), "application/connect+proto", NULL,
     NULL,
     CS_SLICE_LIT("\0\0\0\0\4"
                  "1 0"),
     "200", "application/connect+proto",
     CS_SLICE_LIT("\2\0\0\0\132{\"error\":{\"code\":\"invalid_argument\",\"message\":"
                  "\"the body ends in the middle of a message\"}}")},
    {"a compressed message in a stream", "POST", ECHO_PATH("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\1\0\0\0\3"
                  "1 0"),
     "200", "application/connect+proto", CS_SLICE_EMPTY},
    {"an end in a stream's request", "POST", ECHO_PATH("Stream"), "application/connect+proto", NULL, NULL,
     CS_SLICE_LIT("\2\0\0\0\2{}"), "200", "application/connect+proto", CS_SLICE_EMPTY},
    {"a method of both directions", "POST", ECHO_PATH("Bidi"), "application/connect+proto", NULL, NULL,
     CS_SLICE_EMPTY, "200", "application/connect+proto",
     CS_SLICE_LIT("\2\0\0\0\146{\"error\":{\"code\":\"unimplemented\",\"message\":"
                  "\"this method takes a stream of requests: call it by gRPC\"}}")},
    {"compression", "POST", ECHO_PATH("Unary"), "application/proto", "content-encoding", "gzip",
     CS_SLICE_LIT("x"), "501", "application/json", CS_SLICE_EMPTY},
    {"another version", "POST", ECHO_PATH("Unary"), "application/proto", "connect-protocol-version", "2",
     CS_SLICE_LIT("x"), "400", "application/json",
     CS_SLICE_LIT("{\"code\":\"invalid_argument\",\"message\":\"connect-protocol-version must be 1\"}")},
    {"a timeout that is none", "POST", ECHO_PATH("Unary"), "application/proto", "connect-timeout-ms", "1s",
     CS_SLICE_LIT("x"), "400", "application/json", CS_SLICE_EMPTY},
    {"a binary header that is none", "POST", ECHO_PATH("Unary"), "application/proto", "x-bin", "?",
     CS_SLICE_LIT("x"), "400", "application/json", CS_SLICE_EMPTY},
    {"a type of streams for a unary method", "POST", ECHO_PATH("Unary"), "application/connect+proto", NULL,
     NULL, CS_SLICE_LIT("x"), "415", "application/json", CS_SLICE_EMPTY},
    {"a unary type for a stream", "POST", ECHO_PATH("Stream"), "application/proto", NULL, NULL,
     CS_SLICE_LIT("x"), "415", "application/json", CS_SLICE_EMPTY},
    {"no type", "POST", ECHO_PATH("Unary"), NULL, NULL, NULL, CS_SLICE_LIT("x"), "415", "application/json",
     CS_SLICE_EMPTY},
    {"no such method", "POST", ECHO_PATH("Nothing"), "application/proto", NULL, NULL, CS_SLICE_LIT("x"),
     "404", "application/json", CS_SLICE_EMPTY},
    {"GET of a method", "GET", ECHO_PATH("Unary"), NULL, NULL, NULL, CS_SLICE_EMPTY, "405",
     "application/json", CS_SLICE_EMPTY},
    {"a page", "GET", "/page?a", NULL, NULL, NULL, CS_SLICE_EMPTY, "200", "text/plain; charset=utf-8",
     CS_SLICE_LIT("hello a")},
    {"the head of a page", "HEAD", "/page?a", NULL, NULL, NULL, CS_SLICE_EMPTY, "200",
     "text/plain; charset=utf-8", CS_SLICE_EMPTY},
    {"no such page", "GET", "/nothing", NULL, NULL, NULL, CS_SLICE_EMPTY, "404", "application/json",
     CS_SLICE_EMPTY},
    {"gRPC is still gRPC's", "POST", ECHO_PATH("Unary"), "application/grpc-web", NULL, NULL,
     CS_SLICE_LIT("x"), "415", "", CS_SLICE_EMPTY},
};

static void answers_over_http2_as_the_table_says(void **state)
{
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    for (size_t i = 0; i < CS_ARRAY_LEN(asks); i++) {
        const struct web_ask *ask = &asks[i];

        web_pair_forget(&pair);
        assert_non_null(web_pair_ask(&pair, ask, false));
        web_pair_run(&pair);
        if (pair.lost || pair.answers != 1 || pair.closes != 1 || pair.close_code != CS_HTTP2_NO_ERROR)
            fail_msg("%s: no answer in order", ask->says);
        if ((ask->status && strcmp(pair.status, ask->status) != 0) ||
            strcmp(pair.type, ask->answer_type) != 0)
            fail_msg("%s: %s, %s", ask->says, pair.status, pair.type);
        if (ask->answer.len && !cs_slice_eq(cs_buf_slice(&pair.body), ask->answer))
            fail_msg("%s: '%.*s'", ask->says, (int)pair.body.len, (const char *)pair.body.ptr);
    }
    web_pair_close(&pair);
}

static void a_handler_adds_to_the_head_of_its_answer(void **state)
{
    static const struct {
        const char *path, *type;
        struct cs_slice body;
        const char *status;
    } cases[] = {
        {ECHO_PATH("Head"), "application/proto", CS_SLICE_LIT("hi"), "200"},
        {ECHO_PATH("Head"), "application/json", CS_SLICE_LIT("\"hi\""), "200"},
        {ECHO_PATH("Head"), "application/proto", CS_SLICE_LIT("fail"), "404"},
        {ECHO_PATH("HeadStream"), "application/connect+proto", CS_SLICE_LIT("\0\0\0\0\2hi"), "200"},
        {ECHO_PATH("HeadStream"), "application/connect+proto", CS_SLICE_LIT("\0\0\0\0\4fail"), "200"},
    };
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const struct web_ask ask = {
            .method = "POST", .path = cases[i].path, .type = cases[i].type, .body = cases[i].body};

        web_pair_forget(&pair);
        assert_non_null(web_pair_ask(&pair, &ask, false));
        web_pair_run(&pair);
        assert_string_equal(pair.status, cases[i].status);
        assert_string_equal(pair.heads, "h again AAH+/w ");
        assert_int_equal(pair.service.last_end,
                         strcmp(cases[i].status, "404") == 0 || i == 4 ? CS_STATUS_NOT_FOUND : CS_STATUS_OK);
    }
    web_pair_close(&pair);
}

static void refuses_a_body_that_is_larger_than_the_method_takes(void **state)
{
    static const uint8_t large[101];
    const struct web_ask ask = {.method = "POST",
                                .path = ECHO_PATH("Small"),
                                .type = "application/proto",
                                .body = CS_SLICE_ARRAY(large)};
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    assert_non_null(web_pair_ask(&pair, &ask, true));
    web_pair_run(&pair);
    assert_string_equal(pair.status, "413");
    assert_int_equal(pair.service.last_end, CS_STATUS_RESOURCE_EXHAUSTED);
    web_pair_close(&pair);
}

/* As gRPC's inboxes: what many unfinished requests make us hold is bounded over the connection. */
static void holds_so_much_of_unfinished_requests_and_no_more(void **state)
{
    static const uint8_t part[60000];
    const struct web_ask ask = {.method = "POST",
                                .path = ECHO_PATH("Unary"),
                                .type = "application/proto",
                                .body = CS_SLICE_ARRAY(part)};
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    for (unsigned i = 0; i < CS_LIMIT_CONNECTION_BACKLOG / sizeof part; i++) {
        assert_non_null(web_pair_ask(&pair, &ask, true));
        web_pair_run(&pair);
    }
    assert_int_equal(pair.answers, 0);
    assert_non_null(web_pair_ask(&pair, &ask, true));
    web_pair_run(&pair);
    assert_int_equal(pair.answers, 1);
    assert_string_equal(pair.status, "429");
    web_pair_close(&pair);
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
    const struct web_ask ask = {.method = "POST",
                                .path = ECHO_PATH("Unary"),
                                .type = "application/proto",
                                .body = CS_SLICE_ARRAY(large)};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_http2 *server;
        struct web_pair pair;
        unsigned reset;

        check_code(web_pair_open(&pair), CS_OK);
        server = cs_grpc_server_http2(pair.server);
        pair.lazy = true;
        for (unsigned k = 0; k < cases[i].calls; k++) {
            assert_non_null(web_pair_ask(&pair, &ask, false));
            web_pair_run(&pair);
        }
        reset = pair.closes;
        assert_in_range(reset, cases[i].reset_least, cases[i].reset_most);
        assert_true(cs_http2_queued_bytes(server) > CS_LIMIT_CONNECTION_BACKLOG - BYTES);
        assert_true(cs_http2_queued_bytes(server) <= CS_LIMIT_CONNECTION_BACKLOG);
        web_pair_read_owed(&pair);
        assert_int_equal(pair.closes, cases[i].calls);
        assert_int_equal(pair.body_bytes, (cases[i].calls - reset) * BYTES);
        web_pair_close(&pair);
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
    const struct web_ask ask = {.method = "POST",
                                .path = "/test.Paused/Call",
                                .type = "application/proto",
                                .body = CS_SLICE_LIT("hi")};
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    check_code(cs_registry_add(pair.registry, &method, 1, NULL, NULL), CS_OK);
    assert_non_null(web_pair_ask(&pair, &ask, false));
    web_pair_run(&pair);
    assert_int_equal(pair.answers, 0);
    cs_call_pause(paused_call, false);
    assert_int_equal(pair.answers, 0);
    web_pair_run(&pair);
    assert_string_equal(pair.status, "200");
    check_slice(cs_buf_slice(&pair.body), CS_SLICE_LIT("hi"));
    web_pair_close(&pair);
}

static void a_deadline_and_a_cancel_end_a_call(void **state)
{
    const struct web_ask with_timeout = {.method = "POST",
                                         .path = ECHO_PATH("Never"),
                                         .type = "application/proto",
                                         .name = "connect-timeout-ms",
                                         .value = "100"},
                         without = {
                             .method = "POST", .path = ECHO_PATH("Never"), .type = "application/proto"};
    struct cs_http2_stream *stream;
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    assert_non_null(web_pair_ask(&pair, &with_timeout, false));
    web_pair_run(&pair);
    assert_int_equal(pair.answers, 0);
    cs_alarms_run(&pair.alarms, pair.alarms.now_ms + 100);
    web_pair_run(&pair);
    assert_string_equal(pair.status, "504");
    assert_int_equal(pair.service.last_end, CS_STATUS_DEADLINE_EXCEEDED);

    stream = web_pair_ask(&pair, &without, false);
    web_pair_run(&pair);
    assert_int_equal(pair.counters.calls_open, 1);
    cs_http2_reset(stream, CS_HTTP2_CANCEL);
    web_pair_run(&pair);
    assert_int_equal(pair.counters.calls_open, 0);
    assert_int_equal(pair.service.last_end, CS_STATUS_CANCELLED);

    assert_non_null(web_pair_ask(&pair, &without, false));
    web_pair_run(&pair);
    cs_grpc_server_finish_all(pair.server, "going down");
    web_pair_run(&pair);
    assert_string_equal(pair.status, "503");
    web_pair_close(&pair);
}

static void run_with_failures(void *data)
{
    const struct web_ask *ask = data;
    struct web_pair pair;

    if (web_pair_open(&pair) == CS_OK) {
        web_pair_run(&pair);
        if (!pair.lost && web_pair_ask(&pair, ask, false))
            web_pair_run(&pair);
        /* What is reported as done was done. */
        if (!pair.lost && pair.answers && pair.close_code == CS_HTTP2_NO_ERROR && ask->status &&
            strcmp(pair.status, "200") == 0 && ask->answer.len)
            assert_true(alloc_fail_happened() || cs_slice_eq(cs_buf_slice(&pair.body), ask->answer));
        if (!alloc_fail_happened())
            assert_int_equal(pair.closes, 1);
    }
    web_pair_close(&pair);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(asks); i++) {
        struct web_ask ask = asks[i];

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
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
