/* HTTP/1.1 in memory: no sockets, pieces of any size, a clock that we turn. What is refused stands in
 * tests/vectors/http1.txt. */
#include "tests/support/check.h"

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/net/http1.h"
#include "shared/net/web_impl.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/echo_service.h"

#include <ctype.h>
#include <stdio.h>

enum { HEAD_MS = 1000, BODY_MS = 2000, IDLE_MS = 5000, LINGER_MS = 1000 };

struct scene {
    struct cs_alarms alarms;
    struct cs_registry *registry;
    struct echo_service service;
    struct cs_peer peer;
    struct cs_grpc_counters counters;
    struct cs_web web;
    struct cs_web_session session;
    struct cs_http1 *http1;
    struct cs_buf answer;
};

static void ignore_wake(void *owner)
{
    (void)owner;
}

static void on_request(void *owner, struct cs_exchange *exchange, const struct cs_exchange_head *head)
{
    struct scene *scene = owner;

    cs_web_take(&scene->session, exchange, head);
}

static int scene_open(struct scene *scene)
{
    const struct cs_http1_options options = {.alarms = &scene->alarms,
                                             .head_timeout_ms = HEAD_MS,
                                             .body_timeout_ms = BODY_MS,
                                             .idle_timeout_ms = IDLE_MS,
                                             .on_request = on_request,
                                             .wake = ignore_wake,
                                             .owner = scene};
    struct cs_grpc_server_options session = {
        .peer = &scene->peer, .alarms = &scene->alarms, .counters = &scene->counters, .wake = ignore_wake};
    struct cs_err err;
    int rc;

    *scene = (struct scene){.alarms.now_ms = 1000, .web = echo_web()};
    rc = cs_registry_new(&scene->registry, &err);
    if (rc == CS_OK)
        rc = echo_register(scene->registry, &scene->service, &err);
    session.registry = scene->registry;
    cs_web_session_init(&scene->session, &scene->web, &session);
    return rc == CS_OK ? cs_http1_new(&options, &scene->http1, &err) : rc;
}

static void scene_close(struct scene *scene)
{
    cs_http1_free(scene->http1);
    assert_true(cs_list_empty(&scene->session.calls));
    assert_int_equal(scene->session.held_bytes, 0);
    assert_int_equal(scene->counters.calls_open, 0);
    assert_int_equal(scene->service.opened, scene->service.ended);
    assert_null(scene->alarms.root);
    cs_registry_free(scene->registry);
    cs_buf_free(&scene->answer);
}

/* What a connection does each turn. */
static bool turn(struct scene *scene)
{
    size_t before = scene->answer.len;

    cs_web_session_run(&scene->session);
    cs_http1_run(scene->http1);
    return cs_http1_pull(scene->http1, &scene->answer, 64 * 1024) == CS_OK && scene->answer.len > before;
}

static void turns(struct scene *scene)
{
    while (turn(scene))
        continue;
}

static void feed(struct scene *scene, struct cs_slice bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.len; at += piece) {
        cs_http1_feed(scene->http1,
                      cs_slice(bytes.ptr + at, bytes.len - at < piece ? bytes.len - at : piece));
        turns(scene);
    }
}

static void say(struct scene *scene, const char *text)
{
    feed(scene, cs_slice_str(text), SIZE_MAX / 2);
}

static void wait_ms(struct scene *scene, uint64_t ms)
{
    cs_alarms_run(&scene->alarms, scene->alarms.now_ms + ms);
    turns(scene);
}

static bool is_over(const struct scene *scene)
{
    struct cs_err err;

    return cs_http1_is_over(scene->http1, &err);
}

/* "200 400 close": the statuses of all answers, and whether the connection ends with them. */
static void describe(struct scene *scene, char *out, size_t room)
{
    static const char mark[] = "HTTP/1.1 ";
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i + 12 <= scene->answer.len; i++)
        if (memcmp(scene->answer.ptr + i, mark, sizeof mark - 1) == 0 && isdigit(scene->answer.ptr[i + 9]))
            len += (size_t)snprintf(out + len, room - len, "%s%.3s", len ? " " : "",
                                    (const char *)scene->answer.ptr + i + 9);
    wait_ms(scene, LINGER_MS);
    if (is_over(scene))
        snprintf(out + len, room - len, " close");
}

static void check_said(struct scene *scene, const char *wanted)
{
    char got[64];

    describe(scene, got, sizeof got);
    assert_string_equal(got, wanted);
}

/* The vectors */

static uint8_t escaped(const char **at)
{
    uint8_t value;

    if (**at != '\\')
        return (uint8_t) * (*at)++;
    (*at)++;
    switch (*(*at)++) {
    case 'r':
        return '\r';
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case '0':
        return 0;
    case '\\':
        return '\\';
    case 'x':
        check_code(cs_unhex(cs_slice(*at, 2), &value, 1), CS_OK);
        *at += 2;
        return value;
    default:
        fail_msg("the vectors have an escape that is none");
        return 0;
    }
}

static void decode(const char *text, struct cs_buf *out)
{
    while (*text) {
        unsigned long times;
        const char *body, *end = text;

        if (*text != '{') {
            check_code(cs_buf_append_u8(out, escaped(&text)), CS_OK);
            continue;
        }
        times = strtoul(text + 1, (char **)(void *)&end, 10);
        assert_int_equal(*end, '*');
        for (; times; times--)
            for (body = end + 1; *body != '}';)
                check_code(cs_buf_append_u8(out, escaped(&body)), CS_OK);
        text = strchr(end, '}') + 1;
    }
}

static void try_case(const char *wanted, const char *says, struct cs_slice bytes, size_t piece)
{
    struct scene scene;
    char got[64];

    check_code(scene_open(&scene), CS_OK);
    feed(&scene, bytes, piece);
    describe(&scene, got, sizeof got);
    if (strcmp(got, wanted) != 0)
        fail_msg("%s, in pieces of %zu: '%s' where '%s' was wanted", says, piece, got, wanted);
    scene_close(&scene);
}

static unsigned for_each_case(void (*run)(const char *wanted, const char *says, struct cs_slice bytes))
{
    FILE *file = fopen(CS_TEST_VECTORS "/http1.txt", "r");
    char line[4096];
    unsigned count = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *says = strchr(line, '\t'), *bytes = says ? strchr(says + 1, '\t') : NULL;
        struct cs_buf decoded = CS_BUF_EMPTY;

        if (line[0] == '#' || line[0] == '\n')
            continue;
        assert_non_null(bytes);
        *says++ = *bytes++ = '\0';
        bytes[strcspn(bytes, "\n")] = '\0';
        decode(bytes, &decoded);
        run(line, says, cs_buf_slice(&decoded));
        cs_buf_free(&decoded);
        count++;
    }
    fclose(file);
    return count;
}

static void in_any_pieces(const char *wanted, const char *says, struct cs_slice bytes)
{
    try_case(wanted, says, bytes, bytes.len);
    try_case(wanted, says, bytes, 1);
    try_case(wanted, says, bytes, 7);
}

static void answers_each_request_of_the_vectors_as_they_say_in_pieces_of_any_size(void **state)
{
    (void)state;
    assert_true(for_each_case(in_any_pieces) > 150);
}

/* Only what a client is to see was said, whatever came to an end in the middle. */
static void serves_another_after_each_of_them(void **state)
{
    struct scene scene;

    (void)state;
    check_code(scene_open(&scene), CS_OK);
    for (unsigned i = 0; i < 100; i++) {
        say(&scene, "GET /page?1 HTTP/1.1\r\nhost: h\r\n\r\n");
        assert_memory_equal(scene.answer.ptr, "HTTP/1.1 200", 12);
        cs_buf_clear(&scene.answer);
    }
    scene_close(&scene);
}

/* Time */

static void refuses_a_head_that_comes_too_slowly(void **state)
{
    struct scene scene;

    (void)state;
    check_code(scene_open(&scene), CS_OK);
    say(&scene, "GET /page HTTP/1.1\r\n");
    for (unsigned i = 0; i < 9; i++) {
        wait_ms(&scene, HEAD_MS / 10);
        say(&scene, "x: y\r\n");
    }
    assert_int_equal(scene.answer.len, 0);
    wait_ms(&scene, HEAD_MS / 10);
    check_said(&scene, "408 close");
    scene_close(&scene);
}

static void refuses_a_body_that_makes_no_progress(void **state)
{
    struct scene scene;

    (void)state;
    check_code(scene_open(&scene), CS_OK);
    say(&scene, "POST /countersign.test.Echo/Unary HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\n"
                "content-length: 5000\r\n\r\n");
    for (unsigned i = 0; i < 19; i++) {
        wait_ms(&scene, BODY_MS / 20);
        say(&scene, "a few bytes");
    }
    assert_int_equal(scene.answer.len, 0);
    wait_ms(&scene, BODY_MS / 20);
    check_said(&scene, "408 close");
    assert_int_equal(scene.service.last_end, CS_STATUS_CANCELLED);
    scene_close(&scene);
}

static void has_patience_with_a_body_that_comes_steadily(void **state)
{
    static char kilobyte[1025];
    struct scene scene;

    (void)state;
    memset(kilobyte, 'x', sizeof kilobyte - 1);
    check_code(scene_open(&scene), CS_OK);
    say(&scene, "POST /countersign.test.Echo/Unary HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\n"
                "content-length: 10240\r\n\r\n");
    for (unsigned i = 0; i < 10; i++) {
        wait_ms(&scene, BODY_MS - 1);
        say(&scene, kilobyte);
    }
    check_said(&scene, "200");
    scene_close(&scene);
}

static void ends_a_connection_that_asks_nothing_without_a_word(void **state)
{
    struct scene scene;
    struct cs_err err;

    (void)state;
    check_code(scene_open(&scene), CS_OK);
    wait_ms(&scene, HEAD_MS);
    assert_true(cs_http1_is_over(scene.http1, &err));
    assert_int_equal(err.code, CS_ETIMEOUT);
    assert_int_equal(scene.answer.len, 0);
    scene_close(&scene);

    check_code(scene_open(&scene), CS_OK);
    say(&scene, "GET /page HTTP/1.1\r\nhost: h\r\n\r\n");
    cs_buf_clear(&scene.answer);
    wait_ms(&scene, IDLE_MS - 1);
    assert_false(is_over(&scene));
    wait_ms(&scene, 1);
    assert_true(cs_http1_is_over(scene.http1, &err));
    assert_int_equal(err.code, CS_OK);
    assert_int_equal(scene.answer.len, 0);
    scene_close(&scene);
}

/* One at a time */

static unsigned count_answers(const struct scene *scene, const char *head)
{
    unsigned count = 0;

    for (size_t i = 0; i + 12 <= scene->answer.len; i++)
        count += memcmp(scene->answer.ptr + i, head, 12) == 0;
    return count;
}

static void takes_one_request_at_a_time_and_holds_few_bytes_of_the_next(void **state)
{
    static const char slow[] = "POST /countersign.test.Echo/Never HTTP/1.1\r\nhost: h\r\n"
                               "content-type: application/proto\r\nconnect-timeout-ms: 500\r\n\r\n";
    static const struct {
        unsigned behind, answered;
        bool goes_on;
    } cases[] = {{1, 1, true}, {2000, 2000, true}, {3000, 0, false}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct scene scene;

        check_code(scene_open(&scene), CS_OK);
        say(&scene, slow);
        for (unsigned k = 0; k < cases[i].behind; k++)
            say(&scene, "GET /page HTTP/1.1\r\nhost: h\r\n\r\n");
        assert_int_equal(scene.service.opened, 1);
        assert_int_equal(scene.answer.len, 0);
        wait_ms(&scene, 500);
        assert_int_equal(count_answers(&scene, "HTTP/1.1 504"), 1);
        assert_int_equal(count_answers(&scene, "HTTP/1.1 200"), cases[i].answered);
        wait_ms(&scene, LINGER_MS);
        assert_int_equal(!is_over(&scene), cases[i].goes_on);
        scene_close(&scene);
    }
}

static uint8_t standing[100 * 1000];

static unsigned get_standing(void *owner, const struct cs_route_request *request,
                             struct cs_route_answer *answer)
{
    (void)owner, (void)request;
    answer->standing = CS_SLICE_ARRAY(standing);
    return 200;
}

/* In pieces of any size, behind its head and before the next answer. */
static void a_body_that_stays_where_it_is_goes_out_whole(void **state)
{
    static const struct cs_route otherwise = {NULL, get_standing, NULL};
    static const size_t pieces[] = {1, 7, 1000, 64 * 1024, SIZE_MAX / 2};
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < sizeof standing; i++)
        standing[i] = (uint8_t)('a' + (i * 7 + i / 256) % 26);
    for (size_t i = 0; i < CS_ARRAY_LEN(pieces); i++) {
        struct cs_slice body;

        check_code(scene_open(&scene), CS_OK);
        scene.web.otherwise = &otherwise;
        cs_http1_feed(scene.http1, cs_slice_str("GET /any HTTP/1.1\r\nhost: h\r\n\r\n"));
        assert_true(cs_http1_wants_pull(scene.http1));
        assert_true(cs_http1_queued_bytes(scene.http1) > sizeof standing);
        while (cs_http1_wants_pull(scene.http1))
            check_code(cs_http1_pull(scene.http1, &scene.answer, pieces[i]), CS_OK);
        assert_int_equal(cs_http1_queued_bytes(scene.http1), 0);
        body = cs_slice_from(cs_buf_slice(&scene.answer), scene.answer.len - sizeof standing);
        check_slice(body, CS_SLICE_ARRAY(standing));
        assert_memory_equal(body.ptr - 4, "\r\n\r\n", 4);
        say(&scene, "HEAD /any HTTP/1.1\r\nhost: h\r\n\r\nGET /any HTTP/1.1\r\nhost: h\r\n\r\n");
        assert_int_equal(count_answers(&scene, "content-length: 100000\r\n"), 3);
        check_slice(cs_slice_from(cs_buf_slice(&scene.answer), scene.answer.len - sizeof standing),
                    CS_SLICE_ARRAY(standing));
        assert_true(scene.answer.len < 2 * sizeof standing + 3000);
        scene_close(&scene);
    }
    /* Whoever goes in the middle leaves nothing behind. */
    check_code(scene_open(&scene), CS_OK);
    scene.web.otherwise = &otherwise;
    cs_http1_feed(scene.http1, cs_slice_str("GET /any HTTP/1.1\r\nhost: h\r\n\r\n"));
    check_code(cs_http1_pull(scene.http1, &scene.answer, 1000), CS_OK);
    scene_close(&scene);
}

static void a_stream_waits_for_a_client_that_reads_slowly(void **state)
{
    struct scene scene;
    struct cs_buf piece = CS_BUF_EMPTY;
    size_t total = 0;

    (void)state;
    check_code(scene_open(&scene), CS_OK);
    cs_http1_feed(scene.http1,
                  cs_slice_str("POST /countersign.test.Echo/Stream HTTP/1.1\r\nhost: h\r\n"
                               "content-type: application/connect+proto\r\ncontent-length: 14\r\n\r\n"));
    cs_http1_feed(scene.http1, cs_slice("\0\0\0\0\011100 50000", 14));
    while (cs_http1_wants_pull(scene.http1)) {
        assert_true(cs_http1_queued_bytes(scene.http1) <= 2 * CS_LIMIT_STREAM_HIGH_WATER + 50100);
        check_code(cs_http1_pull(scene.http1, &piece, 64 * 1024), CS_OK);
        total += piece.len;
        cs_buf_clear(&piece);
    }
    assert_in_range(total, 100 * 50005, 100 * 50100);
    assert_int_equal(scene.service.last_end, CS_STATUS_OK);
    assert_false(is_over(&scene));
    cs_buf_free(&piece);
    scene_close(&scene);
}

/* Ends */

static void ends_in_order_when_it_is_to_drain(void **state)
{
    struct scene scene;

    (void)state;
    /* Between requests: at once. */
    check_code(scene_open(&scene), CS_OK);
    say(&scene, "GET /page HTTP/1.1\r\nhost: h\r\n\r\n");
    cs_http1_drain(scene.http1);
    assert_true(is_over(&scene));
    scene_close(&scene);

    /* With a call open: the answer says so. */
    check_code(scene_open(&scene), CS_OK);
    say(&scene,
        "POST /countersign.test.Echo/Never HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\n\r\n");
    cs_http1_drain(scene.http1);
    assert_false(is_over(&scene));
    cs_web_session_finish_all(&scene.session, "going down");
    turns(&scene);
    assert_true(is_over(&scene));
    check_code(cs_buf_append_u8(&scene.answer, 0), CS_OK);
    assert_non_null(strstr((const char *)scene.answer.ptr, "connection: close"));
    assert_non_null(
        strstr((const char *)scene.answer.ptr, "{\"code\":\"unavailable\",\"message\":\"going down\"}"));
    scene_close(&scene);
}

static void a_call_ends_with_its_connection(void **state)
{
    struct scene scene;

    (void)state;
    check_code(scene_open(&scene), CS_OK);
    say(&scene,
        "POST /countersign.test.Echo/Never HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\n\r\n");
    assert_int_equal(scene.counters.calls_open, 1);
    cs_http1_free(scene.http1);
    scene.http1 = NULL;
    assert_int_equal(scene.service.last_end, CS_STATUS_UNAVAILABLE);
    scene_close(&scene);
}

static void a_stream_that_is_cut_short_does_not_look_complete(void **state)
{
    struct scene scene;

    (void)state;
    check_code(scene_open(&scene), CS_OK);
    cs_http1_feed(scene.http1,
                  cs_slice_str("POST /countersign.test.Echo/Stream HTTP/1.1\r\nhost: h\r\n"
                               "content-type: application/connect+proto\r\nconnect-timeout-ms: 50\r\n"
                               "content-length: 14\r\n\r\n"));
    cs_http1_feed(scene.http1, cs_slice("\0\0\0\0\011100 50000", 14));
    check_code(cs_http1_pull(scene.http1, &scene.answer, 10000), CS_OK);
    wait_ms(&scene, 50);
    assert_true(is_over(&scene));
    assert_int_equal(scene.answer.len, 10000);
    assert_int_equal(scene.service.last_end, CS_STATUS_DEADLINE_EXCEEDED);
    scene_close(&scene);
}

/* Memory */

static const char *alloc_request;

static void run_with_failures(void *data)
{
    struct scene scene;
    char got[64] = "";

    (void)data;
    if (scene_open(&scene) == CS_OK) {
        feed(&scene, cs_slice_str(alloc_request), 50);
        describe(&scene, got, sizeof got);
        if (!alloc_fail_happened())
            assert_non_null(strstr(got, "200"));
    }
    scene_close(&scene);
}

static void every_allocation_may_fail(void **state)
{
    static const char *const requests[] = {
        "GET /page?x HTTP/1.1\r\nhost: h\r\n\r\n",
        "POST /countersign.test.Echo/Metadata HTTP/1.1\r\nhost: h\r\nx-echo: text\r\nx-echo-bin: AQI\r\n"
        "connect-timeout-ms: 1000\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n\"hi\"",
        "POST /countersign.test.Echo/Unary HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\n"
        "expect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        "POST /countersign.test.Echo/Fail HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n"
        "content-length: 8\r\n\r\n\"5 gone\"",
        "POST /countersign.test.Echo/Stream HTTP/1.1\r\nhost: h\r\ncontent-type: application/connect+json\r\n"
        "content-length: 0\r\n\r\nGET /nothing HTTP/1.1\r\nhost: h\r\n\r\nthis is no request",
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(requests); i++) {
        alloc_request = requests[i];
        assert_true(alloc_fail_run(run_with_failures, NULL) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_each_request_of_the_vectors_as_they_say_in_pieces_of_any_size),
        cmocka_unit_test(serves_another_after_each_of_them),
        cmocka_unit_test(refuses_a_head_that_comes_too_slowly),
        cmocka_unit_test(refuses_a_body_that_makes_no_progress),
        cmocka_unit_test(has_patience_with_a_body_that_comes_steadily),
        cmocka_unit_test(ends_a_connection_that_asks_nothing_without_a_word),
        cmocka_unit_test(takes_one_request_at_a_time_and_holds_few_bytes_of_the_next),
        cmocka_unit_test(a_body_that_stays_where_it_is_goes_out_whole),
        cmocka_unit_test(a_stream_waits_for_a_client_that_reads_slowly),
        cmocka_unit_test(ends_in_order_when_it_is_to_drain),
        cmocka_unit_test(a_call_ends_with_its_connection),
        cmocka_unit_test(a_stream_that_is_cut_short_does_not_look_complete),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
