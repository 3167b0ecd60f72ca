/* What a listener answers besides calls, over HTTP/2 in memory: pages, whatever has no route, bytes that stay
 * where they are, and whom its guard lets in. Over HTTP/1.1 it is in test_http1.c. */
#include "tests/support/check.h"

#include "shared/net/grpc_wire.h"
#include "tests/support/web_pair.h"

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
        struct web_ask ask;
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
        {{"a method", "GET", ECHO_PATH("Unary"), NULL, NULL, NULL, CS_SLICE_EMPTY, "405", "application/json",
          CS_SLICE_EMPTY},
         "no-store"},
        {{"what is no read", "POST", "/a/b", NULL, NULL, NULL, CS_SLICE_LIT("x"), "404", "application/json",
          CS_SLICE_EMPTY},
         "no-store"},
    };
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    pair.web.otherwise = &otherwise;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const struct web_ask *ask = &cases[i].ask;

        web_pair_forget(&pair);
        assert_non_null(web_pair_ask(&pair, ask, false));
        web_pair_run(&pair);
        if (strcmp(pair.status, ask->status) != 0 || strcmp(pair.type, ask->answer_type) != 0 ||
            strcmp(pair.keep, cases[i].keep) != 0)
            fail_msg("%s: %s, %s, %s", ask->says, pair.status, pair.type, pair.keep);
        if (ask->answer.len)
            check_slice(cs_buf_slice(&pair.body), ask->answer);
    }
    web_pair_close(&pair);
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

/* 30 MB are asked for by one who reads none of it. */
static void what_stays_where_it_is_is_held_for_nobody(void **state)
{
    static const struct cs_route otherwise = {NULL, get_standing, NULL};
    static const struct web_ask ask = {.method = "GET", .path = "/any"},
                                head = {.method = "HEAD", .path = "/any"};
    enum { CALLS = 199 };
    struct cs_http2_stream *streams[3];
    struct cs_http2 *server;
    struct web_pair pair;

    (void)state;
    for (size_t i = 0; i < sizeof standing; i++)
        standing[i] = (uint8_t)(i * 7 + i / 256);
    check_code(web_pair_open(&pair), CS_OK);
    server = cs_grpc_server_http2(pair.server);
    pair.web.otherwise = &otherwise;
    assert_non_null(web_pair_ask(&pair, &ask, false));
    web_pair_run(&pair);
    check_slice(cs_buf_slice(&pair.body), CS_SLICE_ARRAY(standing));
    web_pair_forget(&pair);
    assert_non_null(web_pair_ask(&pair, &head, false));
    web_pair_run(&pair);
    assert_string_equal(pair.status, "200");
    assert_int_equal(pair.body.len, 0);

    web_pair_forget(&pair);
    pair.lazy = true;
    pair.body_bytes = 0;
    for (unsigned i = 0; i < CALLS; i++) {
        streams[i % CS_ARRAY_LEN(streams)] = web_pair_ask(&pair, &ask, false);
        assert_non_null(streams[i % CS_ARRAY_LEN(streams)]);
        web_pair_run(&pair);
    }
    assert_int_equal(pair.answers, CALLS);
    assert_int_equal(pair.closes, 0);
    assert_int_equal(cs_http2_held_bytes(server), 0);
    /* It still counts as what waits, for whoever watches for a client that takes nothing. */
    assert_true(cs_http2_queued_bytes(server) > (CALLS - 20) * sizeof standing);
    cs_http2_reset(streams[0], CS_HTTP2_CANCEL);
    web_pair_run(&pair);
    web_pair_read_owed(&pair);
    assert_int_equal(pair.closes, CALLS);
    assert_int_equal(pair.body_bytes, (CALLS - 1) * sizeof standing);
    assert_int_equal(cs_http2_queued_bytes(server), 0);
    web_pair_close(&pair);
}

/* Pages that are written anew for each who asks: 1 MB here. */
static void pages_that_are_not_read_are_no_longer_made(void **state)
{
    static const struct web_ask ask = {.method = "GET", .path = "/large"};
    struct cs_http2 *server;
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    server = cs_grpc_server_http2(pair.server);
    pair.lazy = true;
    for (unsigned i = 0; i < 100; i++) {
        assert_non_null(web_pair_ask(&pair, &ask, false));
        web_pair_run(&pair);
        assert_true(cs_http2_held_bytes(server) < CS_WEB_WAITING_BYTES + 1024 * 1024 + 16 * 1024);
    }
    assert_int_equal(pair.answers, 100);
    assert_string_equal(pair.status, "503");
    web_pair_read_owed(&pair);
    assert_non_null(web_pair_ask(&pair, &ask, false));
    web_pair_run(&pair);
    assert_string_equal(pair.status, "200");
    assert_int_equal(pair.closes, 101);
    web_pair_close(&pair);
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
    static const struct web_ask refused[] = {
        {"a page", "GET", "/page?a", NULL, NULL, NULL, CS_SLICE_EMPTY, "403", "application/json",
         CS_SLICE_LIT("{\"code\":\"permission_denied\",\"message\":\"say please\"}")},
        {"a call", "POST", ECHO_PATH("Unary"), "application/proto", NULL, NULL, CS_SLICE_LIT("x"), "403",
         "application/json", CS_SLICE_EMPTY},
        {"a stream", "POST", ECHO_PATH("Stream"), "application/connect+proto", NULL, NULL, CS_SLICE_LIT("x"),
         "403", "application/json", CS_SLICE_EMPTY},
        {"nothing that there is", "POST", "/nothing", NULL, NULL, NULL, CS_SLICE_EMPTY, "403",
         "application/json", CS_SLICE_EMPTY},
        {"gRPC", "POST", ECHO_PATH("Unary"), "application/grpc", "te", "trailers",
         CS_SLICE_LIT("\0\0\0\0\1x"), "200", "application/grpc", CS_SLICE_EMPTY},
    };
    static const struct web_ask passed = {"a page",
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
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
    pair.web.guard = &guard;
    for (size_t i = 0; i < CS_ARRAY_LEN(refused); i++) {
        const struct web_ask *ask = &refused[i];

        web_pair_forget(&pair);
        assert_non_null(web_pair_ask(&pair, ask, false));
        web_pair_run(&pair);
        if (asked != i + 1 || pair.answers != 1 || strcmp(pair.status, ask->status) != 0 ||
            strcmp(pair.type, ask->answer_type) != 0)
            fail_msg("%s: asked %u times, %s, %s", ask->says, asked, pair.status, pair.type);
        if (ask->answer.len)
            check_slice(cs_buf_slice(&pair.body), ask->answer);
    }
    assert_int_equal(pair.service.opened, 0);
    web_pair_forget(&pair);
    assert_non_null(web_pair_ask(&pair, &passed, false));
    web_pair_run(&pair);
    assert_string_equal(pair.status, passed.status);
    check_slice(cs_buf_slice(&pair.body), passed.answer);
    web_pair_close(&pair);
}

static void ignore(void *owner)
{
    (void)owner;
}

static void a_listener_that_answers_grpc_alone_refuses_the_rest(void **state)
{
    static const struct web_ask ask = {.method = "POST",
                                       .path = ECHO_PATH("Unary"),
                                       .type = "application/json",
                                       .body = CS_SLICE_LIT("\"hi\"")};
    struct web_pair pair;

    (void)state;
    check_code(web_pair_open(&pair), CS_OK);
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
    assert_non_null(web_pair_ask(&pair, &ask, false));
    web_pair_run(&pair);
    assert_string_equal(pair.status, "415");
    web_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_route_and_no_method_answers_goes_to_the_route_otherwise),
        cmocka_unit_test(what_stays_where_it_is_is_held_for_nobody),
        cmocka_unit_test(pages_that_are_not_read_are_no_longer_made),
        cmocka_unit_test(a_guard_is_asked_about_every_request_before_anything_else),
        cmocka_unit_test(a_listener_that_answers_grpc_alone_refuses_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
