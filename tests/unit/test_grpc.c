/* Both halves of gRPC back to back in memory: no sockets, any size of piece, a clock that we turn. */
#include "tests/support/check.h"

#include "shared/base/limits.h"
#include "shared/net/grpc_client.h"
#include "shared/net/grpc_server.h"
#include "shared/net/grpc_wire.h"
#include "tests/support/echo_service.h"

#include <stdio.h>

struct pair {
    struct cs_alarms alarms;
    struct cs_registry *registry;
    struct echo_service service;
    struct cs_peer peer;
    struct cs_grpc_counters counters;
    struct cs_grpc_server *server;
    struct cs_grpc_client *client;
    size_t piece; /* bytes that are fed at once */
    bool up, goaway;
};

struct seen {
    unsigned messages, ends;
    size_t bytes;
    enum cs_status status;
    char sentence[256];
    char trailer[64];
};

static void ignore_wake(void *owner)
{
    (void)owner;
}

static void on_up(void *owner)
{
    struct pair *pair = owner;

    pair->up = true;
}

static void on_goaway(void *owner)
{
    struct pair *pair = owner;

    pair->goaway = true;
}

static int feed(struct cs_http2 *to, const struct cs_buf *bytes, size_t piece, struct cs_err *err)
{
    for (size_t at = 0; at < bytes->len; at += piece) {
        size_t count = bytes->len - at < piece ? bytes->len - at : piece;
        int rc = cs_http2_feed(to, cs_slice(bytes->ptr + at, count), err);

        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

static size_t carry(struct cs_http2 *from, struct cs_http2 *to, size_t piece)
{
    struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err;
    size_t carried;

    check_ok(cs_http2_pull(from, &bytes, 64 * 1024, &err), err);
    check_ok(feed(to, &bytes, piece, &err), err);
    carried = bytes.len;
    cs_buf_free(&bytes);
    return carried;
}

/* Until neither has anything to say. */
static void pump(struct pair *pair)
{
    struct cs_http2 *server = cs_grpc_server_http2(pair->server),
                    *client = cs_grpc_client_http2(pair->client);
    size_t carried;

    do {
        cs_grpc_client_run(pair->client);
        carried = carry(client, server, pair->piece);
        cs_grpc_server_run(pair->server);
        carried += carry(server, client, pair->piece);
    } while (carried > 0);
}

static void pair_init(struct pair *pair, size_t piece)
{
    struct cs_err err;

    *pair = (struct pair){.piece = piece, .alarms.now_ms = 1000};
    check_ok(cs_registry_new(&pair->registry, &err), err);
    check_ok(echo_register(pair->registry, &pair->service, &err), err);
    check_ok(cs_grpc_server_new(&(struct cs_grpc_server_options){.registry = pair->registry,
                                                                 .peer = &pair->peer,
                                                                 .alarms = &pair->alarms,
                                                                 .counters = &pair->counters,
                                                                 .max_streams = 100,
                                                                 .wake = ignore_wake},
                                &pair->server, &err),
             err);
    check_ok(cs_grpc_client_new(&(struct cs_grpc_client_options){.authority = "localhost",
                                                                 .alarms = &pair->alarms,
                                                                 .on_up = on_up,
                                                                 .on_goaway = on_goaway,
                                                                 .wake = ignore_wake,
                                                                 .owner = pair},
                                &pair->client, &err),
             err);
    pump(pair);
    assert_true(pair->up);
    assert_true(cs_http2_is_up(cs_grpc_server_http2(pair->server)));
}

static void pair_free(struct pair *pair)
{
    cs_grpc_client_end_all(pair->client, CS_STATUS_UNAVAILABLE, "the test is over");
    cs_grpc_client_free(pair->client);
    cs_grpc_server_free(pair->server);
    cs_registry_free(pair->registry);
    assert_null(pair->alarms.root);
    assert_int_equal(pair->counters.calls_open, 0);
    assert_int_equal(pair->service.opened, pair->service.ended);
}

static void seen_message(struct cs_client_call *call, struct cs_slice message, void *data)
{
    struct seen *seen = data;

    (void)call;
    seen->messages++;
    seen->bytes += message.len;
}

static void seen_end(struct cs_client_call *call, enum cs_status status, const char *message, void *data)
{
    struct seen *seen = data;
    struct cs_slice trailer = cs_client_call_trailer(call, "x-echo-bin");

    seen->ends++;
    seen->status = status;
    snprintf(seen->sentence, sizeof seen->sentence, "%s", message);
    if (trailer.len < sizeof seen->trailer && trailer.len)
        memcpy(seen->trailer, trailer.ptr, trailer.len);
}

static const struct cs_client_events seen_events = {.on_message = seen_message, .on_end = seen_end};

static struct cs_client_call *call_new(struct pair *pair, const struct cs_client_call_options *options,
                                       struct seen *seen)
{
    struct cs_client_call *call;
    struct cs_err err;

    *seen = (struct seen){0};
    check_ok(cs_grpc_call_new(pair->client, options, &seen_events, seen, &call, &err), err);
    return call;
}

static struct cs_client_call *ask(struct pair *pair, const char *path, struct cs_slice request,
                                  struct seen *seen)
{
    struct cs_client_call *call = call_new(pair, &(struct cs_client_call_options){.path = path}, seen);

    assert_int_equal(cs_client_call_send(call, request), CS_OK);
    cs_client_call_half_close(call);
    return call;
}

/* Every kind of call, whatever the pieces that the wire cuts. */
static void serves_calls_in_pieces_of_any_size(void **state)
{
    static const uint8_t largest[CS_LIMIT_MESSAGE_BYTES];
    static const size_t pieces[] = {1, 2, 7, 1000, 1 << 20};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(pieces); i++) {
        struct pair pair;
        struct seen unary, empty, large, stream, refused;

        pair_init(&pair, pieces[i]);
        ask(&pair, ECHO_PATH("Unary"), CS_SLICE_LIT("hello"), &unary);
        ask(&pair, ECHO_PATH("Unary"), CS_SLICE_EMPTY, &empty);
        ask(&pair, ECHO_PATH("Unary"), CS_SLICE_ARRAY(largest), &large);
        ask(&pair, ECHO_PATH("Stream"), CS_SLICE_LIT("10 1000"), &stream);
        ask(&pair, ECHO_PATH("Fail"), CS_SLICE_LIT("5 not here"), &refused);
        pump(&pair);
        assert_int_equal(unary.bytes, 5);
        assert_int_equal(empty.messages, 1);
        assert_int_equal(large.bytes, sizeof largest);
        assert_int_equal(stream.messages, 10);
        assert_int_equal(unary.status | empty.status | large.status | stream.status, CS_STATUS_OK);
        assert_int_equal(refused.status, CS_STATUS_NOT_FOUND);
        assert_string_equal(refused.sentence, "not here");
        assert_int_equal(unary.ends + empty.ends + large.ends + stream.ends + refused.ends, 5);
        pair_free(&pair);
    }
}

static void carries_binary_metadata(void **state)
{
    static const uint8_t binary[] = {0, 0xff, 7, 0};
    const struct cs_metadata metadata[] = {{"x-echo", CS_SLICE_LIT("text")},
                                           {"x-echo-bin", CS_SLICE_ARRAY(binary)}};
    struct cs_client_call_options options = {
        .path = ECHO_PATH("Metadata"), .metadata = metadata, .metadata_count = 2};
    const struct cs_metadata bad[] = {{"x-echo", CS_SLICE_LIT("two\nlines")}};
    struct pair pair;
    struct seen seen;
    struct cs_client_call *call;
    struct cs_err err;

    (void)state;
    pair_init(&pair, 1 << 20);
    call = call_new(&pair, &options, &seen);
    assert_int_equal(cs_client_call_send(call, CS_SLICE_EMPTY), CS_OK);
    cs_client_call_half_close(call);
    pump(&pair);
    assert_int_equal(seen.status, CS_STATUS_OK);
    assert_memory_equal(seen.trailer, binary, sizeof binary);
    options =
        (struct cs_client_call_options){.path = ECHO_PATH("Metadata"), .metadata = bad, .metadata_count = 1};
    check_code(cs_grpc_call_new(pair.client, &options, &seen_events, &seen, &call, &err), CS_EINVAL);
    pair_free(&pair);
}

static void keeps_deadlines_by_the_clock_it_is_given(void **state)
{
    struct pair pair;
    struct seen seen;
    struct cs_client_call *call;

    (void)state;
    pair_init(&pair, 1 << 20);
    call = call_new(&pair, &(struct cs_client_call_options){.path = ECHO_PATH("Never"), .timeout_ms = 500},
                    &seen);
    assert_int_equal(cs_client_call_send(call, CS_SLICE_EMPTY), CS_OK);
    pump(&pair);
    cs_alarms_run(&pair.alarms, 1499);
    pump(&pair);
    assert_int_equal(seen.ends, 0);
    assert_int_equal(pair.service.ended, 0);
    cs_alarms_run(&pair.alarms, 1500);
    pump(&pair);
    assert_int_equal(seen.status, CS_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(pair.service.last_end, CS_STATUS_DEADLINE_EXCEEDED);
    pair_free(&pair);
}

static void ends_calls_of_a_lost_connection(void **state)
{
    struct pair pair;
    struct seen fresh, open, halfway, streaming;
    struct cs_client_call *call;

    (void)state;
    pair_init(&pair, 1 << 20);
    call = call_new(&pair, &(struct cs_client_call_options){.path = ECHO_PATH("Bidi")}, &open);
    assert_int_equal(cs_client_call_send(call, CS_SLICE_LIT("x")), CS_OK);
    ask(&pair, ECHO_PATH("Never"), CS_SLICE_LIT("x"), &halfway);
    ask(&pair, ECHO_PATH("Stream"), CS_SLICE_LIT("1000 100000"), &streaming);
    cs_client_call_pause(call_new(&pair, &(struct cs_client_call_options){.path = ECHO_PATH("Hold")}, &fresh),
                         true);
    carry(cs_grpc_client_http2(pair.client), cs_grpc_server_http2(pair.server), 1 << 20);
    assert_int_equal(pair.service.opened, 4);
    cs_grpc_server_free(pair.server);
    pair.server = NULL;
    assert_int_equal(pair.service.ended, 4);
    assert_int_equal(pair.service.last_end, CS_STATUS_UNAVAILABLE);
    cs_grpc_client_end_all(pair.client, CS_STATUS_UNAVAILABLE, "lost");
    assert_int_equal(fresh.status & open.status & halfway.status & streaming.status, CS_STATUS_UNAVAILABLE);
    assert_string_equal(open.sentence, "lost");
    assert_int_equal(fresh.ends + open.ends + halfway.ends + streaming.ends, 4);
    pair_free(&pair);
}

static void bounds_what_unfinished_messages_hold(void **state)
{
    enum { COUNT = 60 };
    static const uint8_t bytes[100 * 1024];
    struct cs_metadata_list head = {0};
    struct pair pair;
    struct cs_http2 *client;
    struct cs_http2_stream *streams[COUNT];
    uint8_t prefix[CS_GRPC_PREFIX_BYTES];

    (void)state;
    pair_init(&pair, 1 << 20);
    client = cs_grpc_client_http2(pair.client);
    assert_int_equal(cs_grpc_add_text(&head, ":method", "POST"), CS_OK);
    assert_int_equal(cs_grpc_add_text(&head, ":scheme", "http"), CS_OK);
    assert_int_equal(cs_grpc_add_text(&head, ":path", ECHO_PATH("Bidi")), CS_OK);
    assert_int_equal(cs_grpc_add_text(&head, ":authority", "x"), CS_OK);
    assert_int_equal(cs_grpc_add_text(&head, "te", "trailers"), CS_OK);
    assert_int_equal(cs_grpc_add_text(&head, "content-type", "application/grpc"), CS_OK);
    cs_grpc_prefix(CS_LIMIT_MESSAGE_BYTES, prefix);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(cs_http2_request(client, &head, NULL, &streams[i]), CS_OK);
        assert_int_equal(cs_http2_write(streams[i], CS_SLICE_ARRAY(prefix), CS_SLICE_ARRAY(bytes)), CS_OK);
        /* One after the other, as the client's own backlog is bounded, too. */
        pump(&pair);
    }
    assert_int_equal(pair.service.opened, COUNT);
    /* 4 MB are 40 such streams; from then on each that would hold more is ended. */
    assert_in_range(pair.counters.calls_open, 35, 42);
    assert_int_equal(pair.service.last_end, CS_STATUS_RESOURCE_EXHAUSTED);
    cs_metadata_free(&head);
    pair_free(&pair);
}

static void pauses_and_resumes_both_sides(void **state)
{
    struct pair pair;
    struct seen seen;
    struct cs_client_call *call;

    (void)state;
    pair_init(&pair, 1000);
    call = ask(&pair, ECHO_PATH("Stream"), CS_SLICE_LIT("20 50000"), &seen);
    cs_client_call_pause(call, true);
    pump(&pair);
    assert_int_equal(seen.messages, 0);
    assert_int_equal(seen.ends, 0);
    cs_client_call_pause(call, false);
    pump(&pair);
    assert_int_equal(seen.messages, 20);
    assert_int_equal(seen.status, CS_STATUS_OK);

    /* All that is to come fits the window: the stream is over before it is read. */
    call = ask(&pair, ECHO_PATH("Stream"), CS_SLICE_LIT("20 100"), &seen);
    cs_client_call_pause(call, true);
    pump(&pair);
    assert_int_equal(pair.service.ended, 2);
    assert_int_equal(seen.messages, 0);
    cs_client_call_pause(call, false);
    pump(&pair);
    assert_int_equal(seen.messages, 20);
    assert_int_equal(seen.ends, 1);

    /* The same, cancelled instead of read. */
    call = ask(&pair, ECHO_PATH("Stream"), CS_SLICE_LIT("20 100"), &seen);
    cs_client_call_pause(call, true);
    pump(&pair);
    cs_client_call_cancel(call);
    pump(&pair);
    assert_int_equal(seen.status, CS_STATUS_CANCELLED);
    assert_int_equal(seen.messages, 0);
    pair_free(&pair);
}

static void serves_on_after_many_paused_calls_ended(void **state)
{
    static const uint8_t bytes[60 * 1024];
    struct pair pair;
    struct seen seen;

    (void)state;
    pair_init(&pair, 1 << 20);
    /* More than the connection's window: each call must give back what it did not read. */
    for (int i = 0; i < 40; i++) {
        struct cs_client_call *call =
            call_new(&pair, &(struct cs_client_call_options){.path = ECHO_PATH("Hold")}, &seen);

        assert_int_equal(cs_client_call_send(call, CS_SLICE_ARRAY(bytes)), CS_OK);
        pump(&pair);
        cs_client_call_cancel(call);
        pump(&pair);
    }
    ask(&pair, ECHO_PATH("Unary"), CS_SLICE_ARRAY(bytes), &seen);
    pump(&pair);
    assert_int_equal(seen.status, CS_STATUS_OK);
    pair_free(&pair);
}

static void drains_without_losing_a_call(void **state)
{
    struct pair pair;
    struct seen never, late;
    struct cs_client_call *call;
    struct cs_client_call_options options = {.path = ECHO_PATH("Unary")};
    struct cs_err err;

    (void)state;
    pair_init(&pair, 1 << 20);
    ask(&pair, ECHO_PATH("Never"), CS_SLICE_EMPTY, &never);
    pump(&pair);
    cs_http2_drain(cs_grpc_server_http2(pair.server));
    pump(&pair);
    assert_true(pair.goaway);
    assert_int_equal(never.ends, 0);
    check_code(cs_grpc_call_new(pair.client, &options, &seen_events, &late, &call, &err), CS_ECLOSED);
    assert_false(cs_http2_is_over(cs_grpc_server_http2(pair.server), &err));
    cs_grpc_server_finish_all(pair.server, "bye");
    pump(&pair);
    assert_int_equal(never.status, CS_STATUS_UNAVAILABLE);
    assert_string_equal(never.sentence, "bye");
    assert_true(cs_http2_is_over(cs_grpc_server_http2(pair.server), &err));
    assert_int_equal(err.code, CS_OK);
    pair_free(&pair);
}

/* PING and SETTINGS cost a peer nothing: RFC 9113 section 10.5. */
static void ends_a_connection_that_floods(void **state)
{
    static const uint8_t ping[] = {0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    struct cs_buf answer = CS_BUF_EMPTY;
    struct pair pair;
    struct cs_http2 *server;
    struct cs_err err;
    int i;

    (void)state;
    pair_init(&pair, 1 << 20);
    server = cs_grpc_server_http2(pair.server);
    for (i = 0; i < 5000 && !cs_http2_is_over(server, &err); i++) {
        if (cs_http2_feed(server, CS_SLICE_ARRAY(ping), &err) != CS_OK)
            break;
        cs_buf_clear(&answer);
        check_ok(cs_http2_pull(server, &answer, 64 * 1024, &err), err);
        /* One in ten milliseconds would be well within what is allowed. */
        pair.alarms.now_ms += i % 10 == 0;
    }
    assert_in_range(i, 900, 1100);
    check_says(err, "ENHANCE_YOUR_CALM");
    cs_buf_free(&answer);
    pair_free(&pair);
}

static void reads_timeouts(void **state)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t ms;
    } cases[] = {
        {"100m", CS_OK, 100},
        {"1S", CS_OK, 1000},
        {"2M", CS_OK, 120000},
        {"1H", CS_OK, 3600000},
        {"1n", CS_OK, 1},
        {"1000001n", CS_OK, 2},
        {"1u", CS_OK, 1},
        {"0m", CS_OK, 0},
        {"99999999H", CS_OK, UINT64_C(359999996400000)},
        {"", CS_EPARSE, 0},
        {"m", CS_EPARSE, 0},
        {"1", CS_EPARSE, 0},
        {"-1m", CS_EPARSE, 0},
        {"1.5S", CS_EPARSE, 0},
        {"1x", CS_EPARSE, 0},
        {"999999999m", CS_EPARSE, 0},
    };
    char text[CS_GRPC_TIMEOUT_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        uint64_t ms = 0;

        check_code(cs_grpc_timeout_parse(cs_slice_str(cases[i].text), &ms), cases[i].rc);
        assert_int_equal(ms, cases[i].ms);
    }
    cs_grpc_timeout_text(UINT32_MAX, text);
    assert_string_equal(text, "4294967S");
    cs_grpc_timeout_text(1500, text);
    assert_string_equal(text, "1500m");
}

static void percent_encodes_sentences(void **state)
{
    struct cs_buf encoded = CS_BUF_EMPTY, decoded = CS_BUF_EMPTY;

    (void)state;
    assert_int_equal(cs_grpc_percent_encode(CS_SLICE_LIT("50 % \xc3\xa4\n"), &encoded), CS_OK);
    check_slice(cs_buf_slice(&encoded), CS_SLICE_LIT("50 %25 %C3%A4%0A"));
    assert_int_equal(cs_grpc_percent_decode(cs_buf_slice(&encoded), &decoded), CS_OK);
    check_slice(cs_buf_slice(&decoded), CS_SLICE_LIT("50 % \xc3\xa4\n"));
    cs_buf_clear(&decoded);
    assert_int_equal(cs_grpc_percent_decode(CS_SLICE_LIT("%zz 100%"), &decoded), CS_OK);
    check_slice(cs_buf_slice(&decoded), CS_SLICE_LIT("%zz 100%"));
    cs_buf_free(&encoded);
    cs_buf_free(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_calls_in_pieces_of_any_size),
        cmocka_unit_test(carries_binary_metadata),
        cmocka_unit_test(keeps_deadlines_by_the_clock_it_is_given),
        cmocka_unit_test(ends_calls_of_a_lost_connection),
        cmocka_unit_test(bounds_what_unfinished_messages_hold),
        cmocka_unit_test(pauses_and_resumes_both_sides),
        cmocka_unit_test(serves_on_after_many_paused_calls_ended),
        cmocka_unit_test(drains_without_losing_a_call),
        cmocka_unit_test(ends_a_connection_that_floods),
        cmocka_unit_test(reads_timeouts),
        cmocka_unit_test(percent_encodes_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
