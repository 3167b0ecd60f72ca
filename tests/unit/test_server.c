/* Calls between our client and our server on one loop. */
#include "tests/support/check.h"

#include "shared/base/limits.h"
#include "tests/support/server_world.h"

static void answers_a_unary_call(void **state)
{
    struct world world;
    struct seen seen;
    struct cs_server_stats stats;

    (void)state;
    world_begin(&world);
    world_ask_and_wait(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("hello"), &seen);
    assert_int_equal(seen.status, CS_STATUS_OK);
    assert_string_equal(seen.last, "hello");
    assert_int_equal(seen.messages, 1);
    cs_server_stats(world.server, &stats);
    assert_int_equal(stats.connections_open, 1);
    assert_int_equal(stats.handshakes_done, 1);
    assert_int_equal(stats.calls_total, 1);
    assert_int_equal(stats.calls_open, 0);
    world_end(&world);
}

static void carries_status_sentence_and_trailers(void **state)
{
    struct world world;
    struct seen seen;

    (void)state;
    world_begin(&world);
    world_ask_and_wait(&world, ECHO_PATH("Fail"), CS_SLICE_LIT("9 100 % \xc3\xa4\n"), &seen);
    assert_int_equal(seen.status, CS_STATUS_FAILED_PRECONDITION);
    assert_string_equal(seen.sentence, "100 % \xc3\xa4\n");
    assert_string_equal(seen.trailer, "because");
    world_ask_and_wait(&world, "/no.such/Method", CS_SLICE_EMPTY, &seen);
    assert_int_equal(seen.status, CS_STATUS_UNIMPLEMENTED);
    world_end(&world);
}

static void streams_as_fast_as_it_is_read(void **state)
{
    struct world world;
    struct seen seen;
    struct cs_client_call *call;

    (void)state;
    world_begin(&world);
    call = world_ask(&world, ECHO_PATH("Stream"), CS_SLICE_LIT("100 131072"), &seen);
    WAIT_UNTIL(&world, seen.messages >= 3);
    cs_client_call_pause(call, true);
    for (int i = 0; i < 200; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_true(seen.messages < 10);
    assert_true(world.service.bytes_sent < 4 * 1024 * 1024);
    cs_client_call_pause(call, false);
    WAIT_UNTIL(&world, seen.ended);
    assert_int_equal(seen.status, CS_STATUS_OK);
    assert_int_equal(seen.messages, 100);
    assert_int_equal(seen.bytes, 100 * 131072);
    world_end(&world);
}

static void tells_a_writer_to_wait(void **state)
{
    static const uint8_t bytes[64 * 1024];
    struct world world;
    struct seen seen;
    struct cs_client_call *call;
    int rc, sent = 0;

    (void)state;
    world_begin(&world);
    call = world_call(&world, ECHO_PATH("Bidi"), 0, &seen);
    while ((rc = cs_client_call_send(call, CS_SLICE_ARRAY(bytes))) == CS_OK)
        sent++;
    assert_int_equal(rc, CS_EBUSY);
    sent++;
    while ((rc = cs_client_call_send(call, CS_SLICE_ARRAY(bytes))) == CS_EBUSY)
        sent++;
    assert_int_equal(rc, CS_EFULL);
    assert_in_range(sent, 4, 10);
    assert_int_equal(seen.writable, 0);
    WAIT_UNTIL(&world, seen.writable > 0);
    cs_client_call_half_close(call);
    assert_int_equal(cs_client_call_send(call, CS_SLICE_EMPTY), CS_ECLOSED);
    WAIT_UNTIL(&world, seen.ended);
    assert_int_equal(seen.messages, sent);
    world_end(&world);
}

static void cancels_from_the_client(void **state)
{
    struct world world;
    struct seen seen;
    struct cs_client_call *call;

    (void)state;
    world_begin(&world);
    call = world_call(&world, ECHO_PATH("Bidi"), 0, &seen);
    assert_int_equal(cs_client_call_send(call, CS_SLICE_LIT("x")), CS_OK);
    WAIT_UNTIL(&world, seen.messages == 1);
    cs_client_call_cancel(call);
    cs_client_call_cancel(call);
    assert_false(seen.ended);
    WAIT_UNTIL(&world, seen.ended);
    assert_int_equal(seen.status, CS_STATUS_CANCELLED);
    WAIT_UNTIL(&world, world.service.ended == 1);
    assert_int_equal(world.service.last_end, CS_STATUS_CANCELLED);
    world_end(&world);
}

static void keeps_deadlines_on_both_sides(void **state)
{
    struct world world;
    struct seen seen;
    struct cs_client_call *call;

    (void)state;
    world_begin(&world);
    call = world_call(&world, ECHO_PATH("Never"), 50, &seen);
    assert_int_equal(cs_client_call_send(call, CS_SLICE_EMPTY), CS_OK);
    WAIT_UNTIL(&world, seen.ended && world.service.ended == 1);
    assert_int_equal(seen.status, CS_STATUS_DEADLINE_EXCEEDED);
    assert_true(world.service.last_end == CS_STATUS_DEADLINE_EXCEEDED ||
                world.service.last_end == CS_STATUS_CANCELLED);
    world_end(&world);
}

static void refuses_a_message_over_the_limit(void **state)
{
    static const uint8_t bytes[CS_LIMIT_MESSAGE_BYTES + 1];
    struct world world;
    struct seen seen;
    struct cs_client_call *call;

    (void)state;
    world_begin(&world);
    call = world_call(&world, ECHO_PATH("Unary"), 0, &seen);
    check_code(cs_client_call_send(call, CS_SLICE_ARRAY(bytes)), CS_ETOOBIG);
    cs_client_call_cancel(call);
    WAIT_UNTIL(&world, seen.ended);
    world_ask_and_wait(&world, ECHO_PATH("Small"), cs_slice(bytes, 101), &seen);
    assert_int_equal(seen.status, CS_STATUS_RESOURCE_EXHAUSTED);
    world_ask_and_wait(&world, ECHO_PATH("Unary"), cs_slice(bytes, CS_LIMIT_MESSAGE_BYTES), &seen);
    assert_int_equal(seen.status, CS_STATUS_OK);
    world_end(&world);
}

static void waits_above_the_limit_of_streams(void **state)
{
    enum { COUNT = 50 };
    static struct seen seen[COUNT];
    struct world world;
    unsigned ended = 0;

    (void)state;
    world_init(&world);
    world_serve(&world, (struct cs_server_options){.max_streams = 4});
    world_listen_and_connect(&world);
    for (int i = 0; i < COUNT; i++)
        world_ask(&world, ECHO_PATH("Slow"), CS_SLICE_LIT("1"), &seen[i]);
    while (ended < COUNT) {
        uv_run(&world.loop, UV_RUN_ONCE);
        ended = 0;
        for (int i = 0; i < COUNT; i++)
            ended += seen[i].ended;
        assert_true(world.service.opened - world.service.ended <= 4);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i].status, CS_STATUS_OK);
    world_end(&world);
}

static void cancels_a_call_that_waits_for_its_turn(void **state)
{
    struct world world;
    struct seen first, second, third;
    struct cs_client_call *call;

    (void)state;
    world_init(&world);
    world_serve(&world, (struct cs_server_options){.max_streams = 1});
    world_listen_and_connect(&world);
    world_ask(&world, ECHO_PATH("Slow"), CS_SLICE_LIT("100"), &first);
    WAIT_UNTIL(&world, world.service.opened == 1);
    call = world_ask(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("x"), &second);
    world_ask(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("y"), &third);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    cs_client_call_cancel(call);
    WAIT_UNTIL(&world, first.ended && second.ended && third.ended);
    assert_int_equal(first.status, CS_STATUS_OK);
    assert_int_equal(second.status, CS_STATUS_CANCELLED);
    assert_int_equal(third.status, CS_STATUS_OK);
    assert_int_equal(world.service.opened, 2);
    world_end(&world);
}

static void closes_from_inside_an_event(void **state)
{
    struct world world;
    struct seen stream, other;

    (void)state;
    world_begin(&world);
    world_call(&world, ECHO_PATH("Never"), 0, &other);
    world_ask(&world, ECHO_PATH("Stream"), CS_SLICE_LIT("1000 1000"), &stream);
    stream.close_after = 5;
    WAIT_UNTIL(&world, world.client_closed);
    world.client = NULL;
    assert_int_equal(stream.messages, 5);
    assert_true(stream.ended && other.ended);
    assert_int_equal(other.status, CS_STATUS_CANCELLED);
    assert_false(world.down);
    world_end(&world);
}

static void drains_before_it_goes(void **state)
{
    struct world world;
    struct seen slow, late;
    struct cs_client_call_options options = {.path = ECHO_PATH("Unary")};
    struct cs_client_call *call;
    struct cs_err err;

    (void)state;
    world_begin(&world);
    world_ask(&world, ECHO_PATH("Slow"), CS_SLICE_LIT("100"), &slow);
    WAIT_UNTIL(&world, world.service.opened == 1);
    cs_server_close(world.server, 5000, world_on_server_closed);
    WAIT_UNTIL(&world, world.goaway);
    assert_false(slow.ended);
    check_code(cs_client_call_new(world.client, &options, &world_seen_events, &late, &call, &err),
               CS_ECLOSED);
    WAIT_UNTIL(&world, world.server_closed && world.down);
    assert_int_equal(slow.status, CS_STATUS_OK);
    check_says(world.why, "connect anew");
    world_end(&world);
}

static void ends_calls_when_the_grace_is_over(void **state)
{
    struct world world;
    struct seen never;

    (void)state;
    world_begin(&world);
    world_ask(&world, ECHO_PATH("Never"), CS_SLICE_EMPTY, &never);
    WAIT_UNTIL(&world, world.service.opened == 1);
    cs_server_close(world.server, 60000, world_on_server_closed);
    cs_server_close(world.server, 20, world_on_server_closed);
    WAIT_UNTIL(&world, world.server_closed && world.down);
    assert_int_equal(never.status, CS_STATUS_UNAVAILABLE);
    assert_non_null(strstr(never.sentence, "going down"));
    assert_int_equal(world.service.last_end, CS_STATUS_UNAVAILABLE);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_unary_call),
        cmocka_unit_test(carries_status_sentence_and_trailers),
        cmocka_unit_test(streams_as_fast_as_it_is_read),
        cmocka_unit_test(tells_a_writer_to_wait),
        cmocka_unit_test(cancels_from_the_client),
        cmocka_unit_test(keeps_deadlines_on_both_sides),
        cmocka_unit_test(refuses_a_message_over_the_limit),
        cmocka_unit_test(waits_above_the_limit_of_streams),
        cmocka_unit_test(cancels_a_call_that_waits_for_its_turn),
        cmocka_unit_test(closes_from_inside_an_event),
        cmocka_unit_test(drains_before_it_goes),
        cmocka_unit_test(ends_calls_when_the_grace_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
