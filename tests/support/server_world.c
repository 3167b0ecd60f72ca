#include "tests/support/server_world.h"

#include "tests/support/check.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

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

void world_on_client_closed(void *owner)
{
    struct world *world = owner;

    world->client_closed = true;
}

void world_on_server_closed(void *owner)
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

void world_init(struct world *world)
{
    struct cs_err err;

    /* As every program does: writing to a peer that has gone is an error, not the end. */
    signal(SIGPIPE, SIG_IGN);
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

void world_serve(struct world *world, struct cs_server_options options)
{
    struct cs_err err;

    options.registry = world->registry;
    options.on_refused = on_refused;
    options.owner = world;
    options.trust_peer_uid = true;
    check_ok(cs_server_new(&world->loop, &options, &world->server, &err), err);
}

void world_dial(struct world *world, struct cs_client_options options)
{
    struct cs_err err;

    options.on_up = on_up;
    options.on_goaway = on_goaway;
    options.on_down = on_down;
    options.owner = world;
    world->up = world->down = world->goaway = world->client_closed = false;
    check_ok(cs_client_new(&world->loop, &options, &world->client, &err), err);
}

void world_listen_and_connect(struct world *world)
{
    struct cs_err err;

    check_ok(cs_server_listen_unix(world->server, world->path, 0600, &err), err);
    world_dial(world, (struct cs_client_options){.unix_path = world->path});
    WAIT_UNTIL(world, world->up || world->down);
    if (world->down)
        fail_msg("%s", world->why.msg);
}

void world_begin(struct world *world)
{
    world_init(world);
    world_serve(world, (struct cs_server_options){0});
    world_listen_and_connect(world);
}

void world_hang_up(struct world *world)
{
    cs_client_close(world->client, world_on_client_closed);
    cs_client_close(world->client, world_on_client_closed);
    WAIT_UNTIL(world, world->client_closed);
    world->client = NULL;
}

void world_end(struct world *world)
{
    if (world->client)
        world_hang_up(world);
    if (world->server && !world->server_closed) {
        cs_server_close(world->server, 0, world_on_server_closed);
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
        cs_client_close(seen->world->client, world_on_client_closed);
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

const struct cs_client_events world_seen_events = {seen_message, seen_writable, seen_end};

struct cs_client_call *world_call(struct world *world, const char *path, uint32_t timeout_ms,
                                  struct seen *seen)
{
    struct cs_client_call_options options = {.path = path, .timeout_ms = timeout_ms};
    struct cs_client_call *call;
    struct cs_err err;

    *seen = (struct seen){.world = world};
    check_ok(cs_client_call_new(world->client, &options, &world_seen_events, seen, &call, &err), err);
    return call;
}

struct cs_client_call *world_ask(struct world *world, const char *path, struct cs_slice request,
                                 struct seen *seen)
{
    struct cs_client_call *call = world_call(world, path, 0, seen);

    assert_int_equal(cs_client_call_send(call, request), CS_OK);
    cs_client_call_half_close(call);
    return call;
}

void world_ask_and_wait(struct world *world, const char *path, struct cs_slice request, struct seen *seen)
{
    world_ask(world, path, request, seen);
    WAIT_UNTIL(world, seen->ended);
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

void world_make_identities(struct world *world)
{
    world->ca = pki_make_ca("Test CA");
    world->server_pki = pki_make_server(&world->ca);
    world->client_pki = pki_make_client(&world->ca, "gw-1");
    world->server_tls = make_config(&world->server_pki, &world->ca, true);
    world->client_tls = make_config(&world->client_pki, &world->ca, false);
}

uint16_t world_serve_tls(struct world *world)
{
    struct cs_err err;
    uint16_t port;

    world_make_identities(world);
    world_serve(world, (struct cs_server_options){.tls = world->server_tls, .slim = true});
    check_ok(cs_server_listen_tcp(world->server, "127.0.0.1", 0, false, &port, &err), err);
    return port;
}

int world_raw_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}
