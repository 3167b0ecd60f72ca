/* Our client against our server on one loop; every test ends with uv_loop_close() == 0 and every call ended.
 */
#include "tests/support/check.h"

#include "shared/base/limits.h"
#include "shared/net/client.h"
#include "shared/net/server.h"
#include "tests/support/echo_service.h"
#include "tests/support/pki.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

/* One loop with a server and a client. */
struct world {
    uv_loop_t loop;
    uv_timer_t patience;
    struct cs_registry *registry;
    struct echo_service service;
    struct cs_server *server;
    struct cs_client *client;
    struct cs_tls_config *server_tls, *client_tls;
    struct pki ca, server_pki, client_pki;
    char folder[64], path[80];
    bool up, goaway, down, client_closed, server_closed;
    struct cs_err why, refused;
    unsigned refusals;
};

/* What one call of the client has seen. */
struct seen {
    unsigned messages;
    size_t bytes;
    unsigned writable;
    bool ended;
    enum cs_status status;
    char sentence[256];
    char last[256];
    char trailer[64];
    struct world *world;
    unsigned close_after; /* messages; 0: never */
};

static void on_patience_over(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited too long");
}

static void on_up(struct cs_client *client, void *owner)
{
    struct world *world = owner;

    (void)client;
    world->up = true;
}

static void on_goaway(struct cs_client *client, void *owner)
{
    struct world *world = owner;

    (void)client;
    world->goaway = true;
}

static void on_down(struct cs_client *client, const struct cs_err *why, void *owner)
{
    struct world *world = owner;

    (void)client;
    assert_false(world->down);
    world->down = true;
    world->why = *why;
}

static void on_client_closed(void *owner)
{
    struct world *world = owner;

    world->client_closed = true;
}

static void on_server_closed(void *owner)
{
    struct world *world = owner;

    world->server_closed = true;
}

static void on_refused(void *owner, const struct cs_peer *peer, const struct cs_err *why)
{
    struct world *world = owner;

    assert_true(peer->address[0] != '\0');
    world->refused = *why;
    world->refusals++;
}

#define WAIT_UNTIL(world, condition)                                                                         \
    do {                                                                                                     \
        while (!(condition))                                                                                 \
            uv_run(&(world)->loop, UV_RUN_ONCE);                                                             \
    } while (0)

static void world_init(struct world *world)
{
    struct cs_err err;

    memset(world, 0, sizeof *world);
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->patience);
    uv_timer_start(&world->patience, on_patience_over, PATIENCE_MS, 0);
    uv_unref((uv_handle_t *)&world->patience);
    snprintf(world->folder, sizeof world->folder, "/tmp/countersign-test-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->path, sizeof world->path, "%s/socket", world->folder);
    world->service.loop = &world->loop;
    check_ok(cs_registry_new(&world->registry, &err), err);
    check_ok(echo_register(world->registry, &world->service, &err), err);
}

static void world_serve(struct world *world, struct cs_server_options options)
{
    struct cs_err err;

    options.registry = world->registry;
    options.on_refused = on_refused;
    options.owner = world;
    options.trust_peer_uid = true;
    check_ok(cs_server_new(&world->loop, &options, &world->server, &err), err);
}

static void world_dial(struct world *world, struct cs_client_options options)
{
    struct cs_err err;

    options.on_up = on_up;
    options.on_goaway = on_goaway;
    options.on_down = on_down;
    options.owner = world;
    world->up = world->down = world->goaway = world->client_closed = false;
    check_ok(cs_client_new(&world->loop, &options, &world->client, &err), err);
}

static void world_listen_and_connect(struct world *world)
{
    struct cs_err err;

    check_ok(cs_server_listen_unix(world->server, world->path, 0600, &err), err);
    world_dial(world, (struct cs_client_options){.unix_path = world->path});
    WAIT_UNTIL(world, world->up || world->down);
    if (world->down)
        fail_msg("%s", world->why.msg);
}

static void world_begin(struct world *world)
{
    world_init(world);
    world_serve(world, (struct cs_server_options){0});
    world_listen_and_connect(world);
}

static void hang_up(struct world *world)
{
    cs_client_close(world->client, on_client_closed);
    cs_client_close(world->client, on_client_closed);
    WAIT_UNTIL(world, world->client_closed);
    world->client = NULL;
}

static void world_end(struct world *world)
{
    if (world->client)
        hang_up(world);
    if (world->server && !world->server_closed) {
        cs_server_close(world->server, 0, on_server_closed);
        WAIT_UNTIL(world, world->server_closed);
    }
    uv_close((uv_handle_t *)&world->patience, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    assert_int_equal(world->service.opened, world->service.ended);
    cs_registry_free(world->registry);
    cs_tls_config_free(world->server_tls);
    cs_tls_config_free(world->client_tls);
    pki_free(&world->ca);
    pki_free(&world->server_pki);
    pki_free(&world->client_pki);
    assert_int_equal(access(world->path, F_OK), -1);
    rmdir(world->folder);
}

/* Calls */

static void seen_message(struct cs_client_call *call, struct cs_slice message, void *data)
{
    struct seen *seen = data;

    (void)call;
    assert_false(seen->ended);
    seen->messages++;
    seen->bytes += message.len;
    snprintf(seen->last, sizeof seen->last, "%.*s", (int)(message.len < 200 ? message.len : 200),
             message.len ? (const char *)message.ptr : "");
    if (seen->close_after && seen->messages == seen->close_after)
        cs_client_close(seen->world->client, on_client_closed);
}

static void seen_writable(struct cs_client_call *call, void *data)
{
    struct seen *seen = data;

    (void)call;
    seen->writable++;
}

static void seen_end(struct cs_client_call *call, enum cs_status status, const char *message, void *data)
{
    struct seen *seen = data;
    struct cs_slice trailer = cs_client_call_trailer(call, "reason");

    assert_false(seen->ended);
    seen->ended = true;
    seen->status = status;
    snprintf(seen->sentence, sizeof seen->sentence, "%s", message);
    snprintf(seen->trailer, sizeof seen->trailer, "%.*s", (int)trailer.len,
             trailer.len ? (const char *)trailer.ptr : "");
}

static const struct cs_client_events seen_events = {seen_message, seen_writable, seen_end};

static struct cs_client_call *dial(struct world *world, const char *path, uint32_t timeout_ms,
                                   struct seen *seen)
{
    struct cs_client_call_options options = {.path = path, .timeout_ms = timeout_ms};
    struct cs_client_call *call;
    struct cs_err err;

    *seen = (struct seen){.world = world};
    check_ok(cs_client_call_new(world->client, &options, &seen_events, seen, &call, &err), err);
    return call;
}

static struct cs_client_call *ask(struct world *world, const char *path, struct cs_slice request,
                                  struct seen *seen)
{
    struct cs_client_call *call = dial(world, path, 0, seen);

    assert_int_equal(cs_client_call_send(call, request), CS_OK);
    cs_client_call_half_close(call);
    return call;
}

static void ask_and_wait(struct world *world, const char *path, struct cs_slice request, struct seen *seen)
{
    ask(world, path, request, seen);
    WAIT_UNTIL(world, seen->ended);
}

/* Tests */

static void answers_a_unary_call(void **state)
{
    struct world world;
    struct seen seen;
    struct cs_server_stats stats;

    (void)state;
    world_begin(&world);
    ask_and_wait(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("hello"), &seen);
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
    ask_and_wait(&world, ECHO_PATH("Fail"), CS_SLICE_LIT("9 100 % \xc3\xa4\n"), &seen);
    assert_int_equal(seen.status, CS_STATUS_FAILED_PRECONDITION);
    assert_string_equal(seen.sentence, "100 % \xc3\xa4\n");
    assert_string_equal(seen.trailer, "because");
    ask_and_wait(&world, "/no.such/Method", CS_SLICE_EMPTY, &seen);
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
    call = ask(&world, ECHO_PATH("Stream"), CS_SLICE_LIT("100 131072"), &seen);
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
    call = dial(&world, ECHO_PATH("Bidi"), 0, &seen);
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
    call = dial(&world, ECHO_PATH("Bidi"), 0, &seen);
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
    call = dial(&world, ECHO_PATH("Never"), 50, &seen);
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
    call = dial(&world, ECHO_PATH("Unary"), 0, &seen);
    check_code(cs_client_call_send(call, CS_SLICE_ARRAY(bytes)), CS_ETOOBIG);
    cs_client_call_cancel(call);
    WAIT_UNTIL(&world, seen.ended);
    ask_and_wait(&world, ECHO_PATH("Small"), cs_slice(bytes, 101), &seen);
    assert_int_equal(seen.status, CS_STATUS_RESOURCE_EXHAUSTED);
    ask_and_wait(&world, ECHO_PATH("Unary"), cs_slice(bytes, CS_LIMIT_MESSAGE_BYTES), &seen);
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
        ask(&world, ECHO_PATH("Slow"), CS_SLICE_LIT("1"), &seen[i]);
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
    ask(&world, ECHO_PATH("Slow"), CS_SLICE_LIT("100"), &first);
    WAIT_UNTIL(&world, world.service.opened == 1);
    call = ask(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("x"), &second);
    ask(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("y"), &third);
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
    dial(&world, ECHO_PATH("Never"), 0, &other);
    ask(&world, ECHO_PATH("Stream"), CS_SLICE_LIT("1000 1000"), &stream);
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
    ask(&world, ECHO_PATH("Slow"), CS_SLICE_LIT("100"), &slow);
    WAIT_UNTIL(&world, world.service.opened == 1);
    cs_server_close(world.server, 5000, on_server_closed);
    WAIT_UNTIL(&world, world.goaway);
    assert_false(slow.ended);
    check_code(cs_client_call_new(world.client, &options, &seen_events, &late, &call, &err), CS_ECLOSED);
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
    ask(&world, ECHO_PATH("Never"), CS_SLICE_EMPTY, &never);
    WAIT_UNTIL(&world, world.service.opened == 1);
    cs_server_close(world.server, 60000, on_server_closed);
    cs_server_close(world.server, 20, on_server_closed);
    WAIT_UNTIL(&world, world.server_closed && world.down);
    assert_int_equal(never.status, CS_STATUS_UNAVAILABLE);
    assert_non_null(strstr(never.sentence, "going down"));
    assert_int_equal(world.service.last_end, CS_STATUS_UNAVAILABLE);
    world_end(&world);
}

/* A peer that says what it likes. */
static int raw_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void refuses_what_is_not_http2_once_with_a_sentence(void **state)
{
    struct world world;
    int fd;

    (void)state;
    world_begin(&world);
    fd = raw_connect(world.path);
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
    fd = raw_connect(world.path);
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
    hang_up(&world);
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
    hang_up(&world);
    world_dial(&world, (struct cs_client_options){.host = "127.0.0.1", .port = 1});
    WAIT_UNTIL(&world, world.down);
    check_says(world.why, "127.0.0.1:1");
    check_says(world.why, "refused");
    hang_up(&world);
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
    fd = raw_connect(world.path);
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
        fds[i] = raw_connect(world.path);
    probe = dup(0);
    close(probe);
    few = (struct rlimit){(rlim_t)probe + 10, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < 100; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    ask_and_wait(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("still here"), &seen);
    assert_int_equal(seen.status, CS_STATUS_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < 64; i++)
        close(fds[i]);
    world_end(&world);
}

static struct cs_tls_config *make_config(const struct pki *own, const struct pki *ca, bool is_server)
{
    struct cs_tls_options options = {.is_server = is_server,
                                     .certificate = own->chain,
                                     .key = own->key,
                                     .anchors = ca->chain,
                                     .require_peer = is_server,
                                     .alpn = "h2"};
    struct cs_tls_config *config;
    struct cs_err err;

    check_ok(cs_tls_config_new(&options, &config, &err), err);
    return config;
}

static uint16_t world_serve_tls(struct world *world)
{
    struct cs_err err;
    uint16_t port;

    world->ca = pki_make_ca("Test CA");
    world->server_pki = pki_make_server(&world->ca);
    world->client_pki = pki_make_client(&world->ca, "gw-1");
    world->server_tls = make_config(&world->server_pki, &world->ca, true);
    world->client_tls = make_config(&world->client_pki, &world->ca, false);
    world_serve(world, (struct cs_server_options){.tls = world->server_tls, .slim = true});
    check_ok(cs_server_listen_tcp(world->server, "127.0.0.1", 0, false, &port, &err), err);
    return port;
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
        ask_and_wait(&world, ECHO_PATH("Unary"), CS_SLICE_LIT("secret"), &seen);
        assert_int_equal(seen.status, CS_STATUS_OK);
    }
    ask_and_wait(&world, ECHO_PATH("Stream"), CS_SLICE_LIT("50 131072"), &seen);
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
        cmocka_unit_test(refuses_what_is_not_http2_once_with_a_sentence),
        cmocka_unit_test(refuses_who_says_nothing),
        cmocka_unit_test(notices_a_peer_that_is_silent),
        cmocka_unit_test(says_why_it_cannot_connect),
        cmocka_unit_test(replaces_a_stale_socket_and_no_other),
        cmocka_unit_test(sheds_connections_beyond_its_limit),
        cmocka_unit_test(survives_running_out_of_file_descriptors),
        cmocka_unit_test(serves_over_mutual_tls),
        cmocka_unit_test(refuses_a_server_of_another_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
