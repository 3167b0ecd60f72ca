/* Who connects, who is refused and who is cut off. */
#include "tests/support/check.h"

#include "tests/support/server_world.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void refuses_what_is_not_http2_once_with_a_sentence(void **state)
{
    struct world world;
    int fd;

    (void)state;
    world_begin(&world);
    fd = world_raw_connect(world.path);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    WAIT_UNTIL(&world, world.refusals == 1);
    check_says(world.refused, "does not speak HTTP/2");
    close(fd);
    for (int i = 0; i < 20; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(world.refusals, 1);
    world_end(&world);
}

static void refuses_who_says_nothing(void **state)
{
    struct world world;
    struct cs_err err;
    int fd;

    (void)state;
    world_init(&world);
    world_serve(&world, (struct cs_server_options){.handshake_timeout_ms = 50});
    check_ok(cs_server_listen_unix(world.server, world.path, 0600, &err), err);
    fd = world_raw_connect(world.path);
    WAIT_UNTIL(&world, world.refusals == 1);
    check_says(world.refused, "50 ms");
    close(fd);
    world_end(&world);
}

static void notices_a_peer_that_is_silent(void **state)
{
    struct world world;
    struct cs_err err;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    world_init(&world);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", world.path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    world_dial(&world, (struct cs_client_options){.unix_path = world.path, .connect_timeout_ms = 50});
    WAIT_UNTIL(&world, world.down);
    check_code(world.why.code, CS_ETIMEOUT);
    close(listener);
    unlink(world.path);
    /* A client's own keep-alive, towards a server that is there but reads nothing, is in the integration
     * tests. */
    world_hang_up(&world);
    world_serve(&world, (struct cs_server_options){.keepalive_ms = 20, .keepalive_timeout_ms = 2000});
    check_ok(cs_server_listen_unix(world.server, world.path, 0600, &err), err);
    world_dial(&world, (struct cs_client_options){
                           .unix_path = world.path, .keepalive_ms = 30, .keepalive_timeout_ms = 2000});
    WAIT_UNTIL(&world, world.up);
    for (uint64_t end = uv_now(&world.loop) + 200; uv_now(&world.loop) < end;)
        uv_run(&world.loop, UV_RUN_ONCE);
    assert_false(world.down);
    world_end(&world);
}

static void says_why_it_cannot_connect(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world_dial(&world, (struct cs_client_options){.unix_path = world.path});
    WAIT_UNTIL(&world, world.down);
    check_says(world.why, "no such file");
    world_hang_up(&world);
    world_dial(&world, (struct cs_client_options){.host = "127.0.0.1", .port = 1});
    WAIT_UNTIL(&world, world.down);
    check_says(world.why, "127.0.0.1:1");
    check_says(world.why, "refused");
    world_hang_up(&world);
    world_dial(&world, (struct cs_client_options){.host = "127.0.0.1", .port = 1});
    world_end(&world);
}

static void replaces_a_stale_socket_and_no_other(void **state)
{
    struct world world, second;
    struct cs_err err;
    struct stat about;
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    world_init(&world);
    world_serve(&world, (struct cs_server_options){0});
    snprintf(address.sun_path, sizeof address.sun_path, "%s", world.path);
    assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof address), 0);
    close(stale);
    check_ok(cs_server_listen_unix(world.server, world.path, 0620, &err), err);
    assert_int_equal(stat(world.path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0620);

    world_init(&second);
    world_serve(&second, (struct cs_server_options){0});
    check_code(cs_server_listen_unix(second.server, world.path, 0600, &err), CS_EBUSY);
    check_says(err, "another process");
    check_code(cs_server_listen_unix(second.server, "/etc/passwd", 0600, &err), CS_EEXISTS);
    world_end(&second);
    world_end(&world);
}

static void sheds_connections_beyond_its_limit(void **state)
{
    struct world world;
    struct cs_server_stats stats;
    char byte;
    int fd;

    (void)state;
    world_init(&world);
    world_serve(&world, (struct cs_server_options){.max_connections = 1});
    world_listen_and_connect(&world);
    fd = world_raw_connect(world.path);
    do {
        uv_run(&world.loop, UV_RUN_NOWAIT);
        cs_server_stats(world.server, &stats);
    } while (stats.connections_refused == 0);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    world_end(&world);
}

static void survives_running_out_of_file_descriptors(void **state)
{
    struct world world;
    struct seen seen;
    struct rlimit limit, few;
    int fds[64];
    int probe;

    (void)state;
    world_begin(&world);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < 64; i++)
        fds[i] = world_raw_connect(world.path);
    probe = dup(0);
    close(probe);
    few = (struct rlimit){(rlim_t)probe + 10, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < 100; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    world_ask_and_wait(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("still here"), &seen);
    assert_int_equal(seen.status, CS_STATUS_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < 64; i++)
        close(fds[i]);
    world_end(&world);
}

static void serves_over_mutual_tls(void **state)
{
    struct world world;
    struct seen seen;
    uint16_t port;

    (void)state;
    world_init(&world);
    port = world_serve_tls(&world);
    world_dial(&world, (struct cs_client_options){
                           .host = "localhost", .port = port, .tls = world.client_tls, .slim = true});
    WAIT_UNTIL(&world, world.up || world.down);
    if (world.down)
        fail_msg("%s", world.why.msg);
    assert_true(cs_client_server_certificate(world.client).len > 0);
    for (int i = 0; i < 3; i++) {
        world_ask_and_wait(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("secret"), &seen);
        assert_int_equal(seen.status, CS_STATUS_OK);
    }
    world_ask_and_wait(&world, ECHO_PATH("Stream"), CS_SLICE_LIT("50 131072"), &seen);
    assert_int_equal(seen.messages, 50);
    world_end(&world);
}

static void refuses_a_server_of_another_name(void **state)
{
    struct world world;
    uint16_t port;

    (void)state;
    world_init(&world);
    port = world_serve_tls(&world);
    world_dial(&world, (struct cs_client_options){.host = "127.0.0.1",
                                                  .port = port,
                                                  .tls = world.client_tls,
                                                  .server_name = "other.example"});
    WAIT_UNTIL(&world, world.down);
    check_says(world.why, "name");
    WAIT_UNTIL(&world, world.refusals == 1);
    world_end(&world);
}

/* Both answer pings, and take nothing. */

static void cuts_off_a_peer_that_leaves_its_windows_closed(void **state)
{
    struct world world;
    struct seen seen;
    struct cs_client_call *call;
    uint64_t began_ms;

    (void)state;
    world_init(&world);
    world_serve(&world, (struct cs_server_options){
                            .stall_timeout_ms = 200, .keepalive_ms = 20, .keepalive_timeout_ms = 5000});
    world_listen_and_connect(&world);
    call = world_ask(&world, ECHO_PATH("Stream"), CS_SLICE_LIT("1000 131072"), &seen);
    WAIT_UNTIL(&world, seen.messages > 0);
    began_ms = uv_now(&world.loop);
    cs_client_call_pause(call, true);
    WAIT_UNTIL(&world, world.down);
    assert_true(uv_now(&world.loop) - began_ms >= 200);
    assert_int_equal(world.service.last_end, CS_STATUS_UNAVAILABLE);
    world_end(&world);
}

static void bears_a_peer_that_is_idle_or_slow(void **state)
{
    struct world world;
    struct seen idle, seen;
    struct cs_client_call *call;
    uint64_t until_ms;

    (void)state;
    world_init(&world);
    world_serve(&world, (struct cs_server_options){.stall_timeout_ms = 150});
    world_listen_and_connect(&world);
    world_ask(&world, ECHO_PATH("Never"), CS_SLICE_LIT("x"), &idle);
    call = world_ask(&world, ECHO_PATH("Stream"), CS_SLICE_LIT("100 131072"), &seen);
    until_ms = uv_now(&world.loop) + 500;
    while (uv_now(&world.loop) < until_ms && !seen.ended) {
        cs_client_call_pause(call, true);
        usleep(30 * 1000);
        uv_run(&world.loop, UV_RUN_NOWAIT);
        cs_client_call_pause(call, false);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    cs_client_call_pause(call, false);
    WAIT_UNTIL(&world, seen.ended);
    assert_int_equal(seen.status, CS_STATUS_OK);
    until_ms = uv_now(&world.loop) + 400;
    while (uv_now(&world.loop) < until_ms) {
        usleep(1000);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    assert_false(world.down || idle.ended);
    world_end(&world);
}

/* The preface, every window as wide as it can be, and one call that is answered with 128 MB. */
static const uint8_t greedy[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                "\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff"
                                "\0\0\0\4\1\0\0\0\0"
                                "\0\0\4\x8\0\0\0\0\0\x7f\xff\0\0"
                                "\0\0\x45\1\4\0\0\0\1\x20\x83\x86"
                                "\x04\x1d/countersign.test.Echo/Stream"
                                "\x01\x01x"
                                "\x0f\x10\x10"
                                "application/grpc"
                                "\0\2te\x8trailers"
                                "\0\0\x10\0\1\0\0\0\1\0\0\0\0\x0b"
                                "1000 131072";

static void on_time_to_ping(uv_timer_t *timer)
{
    static const uint8_t ping[17] = {0, 0, 8, 6};
    const int *fd = timer->data;

    (void)!send(*fd, ping, sizeof ping, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void cuts_off_a_peer_that_does_not_read(void **state)
{
    struct world world;
    struct cs_server_stats stats;
    struct cs_err err;
    uv_timer_t timer;
    int fd;

    (void)state;
    world_init(&world);
    world_serve(&world, (struct cs_server_options){
                            .stall_timeout_ms = 200, .keepalive_ms = 50, .keepalive_timeout_ms = 50});
    check_ok(cs_server_listen_unix(world.server, world.path, 0600, &err), err);
    fd = world_raw_connect(world.path);
    assert_int_equal(write(fd, greedy, sizeof greedy - 1), sizeof greedy - 1);
    uv_timer_init(&world.loop, &timer);
    timer.data = &fd;
    uv_timer_start(&timer, on_time_to_ping, 10, 10);
    WAIT_UNTIL(&world, world.service.opened == 1);
    WAIT_UNTIL(&world, world.service.ended == 1);
    assert_int_equal(world.service.last_end, CS_STATUS_UNAVAILABLE);
    WAIT_UNTIL(&world, (cs_server_stats(world.server, &stats), stats.connections_open == 0));
    assert_int_equal(world.refusals, 0);
    uv_close((uv_handle_t *)&timer, NULL);
    close(fd);
    world_end(&world);
}

/* It is refused with a GOAWAY (frame 7), not only cut off. */
static void tells_a_peer_that_floods(void **state)
{
    static const uint8_t head[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                  "\0\0\0\4\0\0\0\0\0"
                                  "\0\0\1\1\0\0\0\0\1\x83";
    static const uint8_t continuation[] = {0, 0, 0, 9, 0, 0, 0, 0, 1};
    static const uint8_t calm[] = {7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11};
    uint8_t answer[512];
    struct world world;
    ssize_t len;
    int fd;

    (void)state;
    world_begin(&world);
    fd = world_raw_connect(world.path);
    assert_int_equal(write(fd, head, sizeof head - 1), sizeof head - 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(write(fd, continuation, sizeof continuation), sizeof continuation);
    WAIT_UNTIL(&world, world.refusals == 1 || world.down);
    check_says(world.refused, "CONTINUATION");
    len = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    assert_true(len > 0);
    assert_non_null(memmem(answer, (size_t)len, calm, sizeof calm));
    close(fd);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_http2_once_with_a_sentence),
        cmocka_unit_test(refuses_who_says_nothing),
        cmocka_unit_test(notices_a_peer_that_is_silent),
        cmocka_unit_test(says_why_it_cannot_connect),
        cmocka_unit_test(replaces_a_stale_socket_and_no_other),
        cmocka_unit_test(sheds_connections_beyond_its_limit),
        cmocka_unit_test(survives_running_out_of_file_descriptors),
        cmocka_unit_test(serves_over_mutual_tls),
        cmocka_unit_test(refuses_a_server_of_another_name),
        cmocka_unit_test(cuts_off_a_peer_that_leaves_its_windows_closed),
        cmocka_unit_test(bears_a_peer_that_is_idle_or_slow),
        cmocka_unit_test(cuts_off_a_peer_that_does_not_read),
        cmocka_unit_test(tells_a_peer_that_floods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
