/* Several loops on one port, each with a server of its own and with one TLS configuration for all, as the
 * controller's shards are. Says more under ThreadSanitizer. */
#include "tests/support/check.h"

#include "tests/support/server_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { THREADS = 4, CONNECTIONS = 5 };

static atomic_uint threads_done;

struct shard {
    pthread_t thread;
    struct world world;
    struct cs_tls_config *tls;
    uint16_t port;
    unsigned answered;
    uint64_t calls_served;
};

/* One connection after the other, to whichever loop the system gives it. */
static void call_the_port(struct shard *shard)
{
    struct world *world = &shard->world;

    for (int i = 0; i < CONNECTIONS; i++) {
        struct seen seen;

        world_dial(world, (struct cs_client_options){.host = "127.0.0.1",
                                                     .port = shard->port,
                                                     .tls = shard->tls,
                                                     .server_name = "localhost",
                                                     .slim = true});
        WAIT_UNTIL(world, world->up || world->down);
        if (world->down)
            return;
        world_ask_and_wait(world, ECHO_PATH("Unary"), CS_SLICE_LIT("hello"), &seen);
        shard->answered += seen.status == CS_STATUS_OK;
        world_ask_and_wait(world, ECHO_PATH("Stream"), CS_SLICE_LIT("20 50000"), &seen);
        shard->answered += seen.status == CS_STATUS_OK && seen.messages == 20;
        world_hang_up(world);
    }
}

static void *work(void *data)
{
    struct shard *shard = data;
    struct cs_server_stats stats;

    call_the_port(shard);
    /* The others are served here, too. */
    for (atomic_fetch_add(&threads_done, 1); atomic_load(&threads_done) < THREADS; usleep(1000))
        uv_run(&shard->world.loop, UV_RUN_NOWAIT);
    cs_server_stats(shard->world.server, &stats);
    shard->calls_served = stats.calls_total;
    world_end(&shard->world);
    return NULL;
}

static void serves_one_port_from_several_loops(void **state)
{
    static struct shard shards[THREADS];
    struct world keeper; /* of what all share; it ends last */
    struct cs_server_options options = {.slim = true};
    struct cs_err err;
    uint64_t served = 0;
    uint16_t port = 0;

    (void)state;
    world_init(&keeper);
    world_make_identities(&keeper);
    options.tls = keeper.server_tls;
    for (int i = 0; i < THREADS; i++) {
        struct shard *shard = &shards[i];

        world_init(&shard->world);
        world_serve(&shard->world, options);
        check_ok(cs_server_listen_tcp(shard->world.server, "127.0.0.1", port, true, &port, &err), err);
        shard->port = port;
        shard->tls = keeper.client_tls;
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&shards[i].thread, NULL, work, &shards[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(shards[i].thread, NULL), 0);
        assert_int_equal(shards[i].answered, 2 * CONNECTIONS);
        served += shards[i].calls_served;
    }
    assert_int_equal(served, THREADS * 2 * CONNECTIONS);
    world_end(&keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_one_port_from_several_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
