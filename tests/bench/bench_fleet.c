/* bench_fleet - one countersignd, many mutual-TLS agents: what a connection costs, how fast they come, how
 * fast pushes go.
 *
 *   bench_fleet [--bin DIR] [--agents 5000] [--pushing 1000] [--latency 200] [--seconds 10]
 *
 * Agents and controller share this machine, so the agents' own work (they do the same handshakes and more
 * signatures) takes processor time from the controller: beside each rate stands the controller's own
 * processor time, which does not depend on that. */
#include "tests/support/swarm.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct bench {
    struct controller_process process;
    char program[PATH_MAX];
    struct cli_rpc *rpc;
    struct swarm_people people;
    struct swarm swarm;
    uv_loop_t loop;
    size_t agents, pushing, latency, seconds;
};

static void check(int rc, const struct cs_err *err, const char *what)
{
    if (rc == CS_OK)
        return;
    fprintf(stderr, "bench_fleet: %s: %s\n", what, err->msg);
    exit(1);
}

static double seconds_since(uint64_t start_ns)
{
    return (double)(uv_hrtime() - start_ns) / 1e9;
}

static void start(struct bench *bench, unsigned shards)
{
    struct cs_err err;

    check(controller_process_start(&bench->process, bench->program, shards, &err), &err, "start");
    check(cli_rpc_new(bench->process.socket, &bench->rpc, &err), &err, "admin socket");
    bench->swarm.agents_port = bench->process.agents_port;
}

static void stop(struct bench *bench)
{
    cli_rpc_free(bench->rpc);
    bench->rpc = NULL;
    controller_process_stop(&bench->process);
}

/* At most 64 handshakes under way at once, as a listen queue would have them. */
static void connect_all(struct bench *bench, size_t count)
{
    struct cs_err err;

    for (size_t i = 0; i < count; i++) {
        check(swarm_connect(&bench->swarm, i, &err), &err, "connect");
        if (i >= 64 && !swarm_run_until(&bench->swarm, &bench->swarm.welcomed, i - 63, 60000))
            check(CS_ETIMEOUT, &(struct cs_err){.msg = "an agent was not welcomed in 60 s"}, "connect");
    }
    if (!swarm_run_until(&bench->swarm, &bench->swarm.advertised, count, 60000))
        check(CS_ETIMEOUT, &(struct cs_err){.msg = "not every advertisement was acknowledged in 60 s"},
              "connect");
}

static void disconnect_all(struct bench *bench)
{
    for (size_t i = 0; i < bench->swarm.count; i++) {
        struct swarm_agent *agent = &bench->swarm.agents[i];

        if (agent->client)
            cs_client_close(agent->client, NULL);
        agent->client = NULL;
        agent->stream = NULL;
        agent->sequence = agent->final_sequence = 0;
    }
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    bench->swarm.welcomed = bench->swarm.advertised = bench->swarm.completed = 0;
}

static void bench_memory(struct bench *bench)
{
    uint64_t before = controller_process_resident(&bench->process),
             cpu_ms = controller_process_cpu_ms(&bench->process);
    uint64_t start_ns = uv_hrtime();
    uint64_t after;
    double seconds;
    size_t none = 0;

    connect_all(bench, bench->agents);
    seconds = seconds_since(start_ns);
    cpu_ms = controller_process_cpu_ms(&bench->process) - cpu_ms;
    swarm_run_until(&bench->swarm, &none, 1, 3000);
    after = controller_process_resident(&bench->process);
    printf("resident per idle connected agent: %.1f KB (N = %zu, one open stream each; %.1f MB before, %.1f "
           "MB after)\n",
           (double)(after - before) / 1024 / (double)bench->agents, bench->agents, (double)before / 1048576,
           (double)after / 1048576);
    printf("connect, hello, advertisement stored: %.0f agents/s; controller %.2f ms of processor time each\n",
           (double)bench->agents / seconds, (double)cpu_ms / (double)bench->agents);
    fflush(stdout);
    disconnect_all(bench);
}

/* One of several threads that only shake hands. */
struct shaker {
    struct bench *bench;
    uv_thread_t thread;
    uv_loop_t loop;
    size_t first, done;
    uint64_t end_ns;
    unsigned open;
};

static void shake(struct shaker *shaker);

static void on_shaken(struct cs_client *client, void *owner)
{
    struct shaker *shaker = owner;

    shaker->done++;
    cs_client_close(client, NULL);
    shaker->open--;
    if (uv_hrtime() < shaker->end_ns)
        shake(shaker);
}

static void on_not_shaken(struct cs_client *client, const struct cs_err *why, void *owner)
{
    struct shaker *shaker = owner;

    fprintf(stderr, "handshake: %s\n", why->msg);
    cs_client_close(client, NULL);
    shaker->open--;
}

static void shake(struct shaker *shaker)
{
    const struct swarm_agent *agent =
        &shaker->bench->swarm.agents[(shaker->first + shaker->done) % shaker->bench->swarm.count];
    struct cs_client_options options = {.host = "127.0.0.1",
                                        .port = shaker->bench->process.agents_port,
                                        .tls = agent->tls,
                                        .server_name = "countersignd",
                                        .on_up = on_shaken,
                                        .on_down = on_not_shaken,
                                        .owner = shaker};
    struct cs_client *client;
    struct cs_err err;

    if (cs_client_new(&shaker->loop, &options, &client, &err) == CS_OK)
        shaker->open++;
}

static void shaker_main(void *argument)
{
    struct shaker *shaker = argument;

    uv_loop_init(&shaker->loop);
    for (unsigned i = 0; i < 16; i++)
        shake(shaker);
    uv_run(&shaker->loop, UV_RUN_DEFAULT);
    uv_loop_close(&shaker->loop);
}

static void bench_handshakes(struct bench *bench, unsigned shards)
{
    enum { THREADS = 2 };
    struct shaker shakers[THREADS] = {0};
    uint64_t cpu_ms, start_ns;
    size_t done = 0;
    double seconds;

    start(bench, shards);
    cpu_ms = controller_process_cpu_ms(&bench->process);
    start_ns = uv_hrtime();
    for (size_t i = 0; i < THREADS; i++) {
        shakers[i] = (struct shaker){.bench = bench,
                                     .first = i * bench->swarm.count / THREADS,
                                     .end_ns = start_ns + bench->seconds * 1000000000};
        uv_thread_create(&shakers[i].thread, shaker_main, &shakers[i]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        uv_thread_join(&shakers[i].thread);
        done += shakers[i].done;
    }
    seconds = seconds_since(start_ns);
    cpu_ms = controller_process_cpu_ms(&bench->process) - cpu_ms;
    printf("full mutual handshakes, %u shard%s: %.0f/s with the peers on the same cores; controller %.2f ms "
           "of processor time each\n",
           shards, shards == 1 ? "" : "s", (double)done / seconds, (double)cpu_ms / (double)done);
    fflush(stdout);
    stop(bench);
}

static void bench_pushes(struct bench *bench)
{
    struct swarm_decision *last = NULL;
    uint8_t id[32];
    uint64_t cpu_ms, start_ns;
    double seconds;
    struct cs_err err;

    connect_all(bench, bench->pushing);
    check(swarm_import(bench->rpc, "fleet.example", id, &err), &err, "import");
    for (size_t i = 0; i < bench->pushing; i++)
        check(swarm_attach(bench->rpc, id, &bench->swarm.agents[i], &err), &err, "attach");
    check(swarm_push(bench->rpc, &bench->people, id, &last, &err), &err, "push");
    bench->swarm.completed = 0;
    cpu_ms = controller_process_cpu_ms(&bench->process);
    start_ns = uv_hrtime();
    check(swarm_decide(bench->rpc, last, &err), &err, "decide");
    if (!swarm_run_until(&bench->swarm, &bench->swarm.completed, bench->pushing, 120000))
        fprintf(stderr, "only %zu of %zu completed\n", bench->swarm.completed, bench->pushing);
    seconds = (double)(bench->swarm.last_completed_ns - start_ns) / 1e9;
    cpu_ms = controller_process_cpu_ms(&bench->process) - cpu_ms;
    printf("pushes from the last decision to durable Completed: %.0f/s (%zu connected agents, one request); "
           "controller %.2f ms of "
           "processor time each\n",
           (double)bench->swarm.completed / seconds, bench->pushing,
           (double)cpu_ms / (double)bench->swarm.completed);
    fflush(stdout);
    swarm_decision_free(last);
    disconnect_all(bench);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void bench_latency(struct bench *bench)
{
    uint64_t *took_ns = calloc(bench->latency, sizeof *took_ns);
    uint8_t id[32];
    struct cs_err err;

    if (!took_ns || bench->latency == 0)
        return;
    connect_all(bench, 1);
    check(swarm_import(bench->rpc, "one.example", id, &err), &err, "import");
    check(swarm_attach(bench->rpc, id, &bench->swarm.agents[0], &err), &err, "attach");
    for (size_t i = 0; i < bench->latency; i++) {
        struct swarm_decision *last = NULL;
        uint64_t start_ns;

        check(swarm_push(bench->rpc, &bench->people, id, &last, &err), &err, "push");
        start_ns = uv_hrtime();
        check(swarm_decide(bench->rpc, last, &err), &err, "decide");
        if (!swarm_run_until(&bench->swarm, &bench->swarm.completed, i + 1, 20000))
            check(CS_ETIMEOUT, &(struct cs_err){.msg = "a push did not complete in 20 s"}, "latency");
        took_ns[i] = bench->swarm.last_completed_ns - start_ns;
        swarm_decision_free(last);
    }
    qsort(took_ns, bench->latency, sizeof *took_ns, by_value);
    printf("one agent, last decision to durable Completed: p50 %.1f ms, p99 %.1f ms (%zu pushes)\n",
           (double)took_ns[bench->latency / 2] / 1e6, (double)took_ns[bench->latency * 99 / 100] / 1e6,
           bench->latency);
    fflush(stdout);
    disconnect_all(bench);
    free(took_ns);
}

static size_t number_of(const char *text)
{
    return (size_t)strtoul(text ? text : "0", NULL, 10);
}

int main(int argc, char **argv)
{
    static struct bench bench = {.agents = 5000, .pushing = 1000, .latency = 200, .seconds = 10};
    const char *bin = CS_TEST_BIN;
    struct rlimit files;
    struct cs_err err;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--bin") == 0)
            bin = argv[i + 1];
        else if (strcmp(argv[i], "--agents") == 0)
            bench.agents = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--pushing") == 0)
            bench.pushing = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--latency") == 0)
            bench.latency = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            bench.seconds = number_of(argv[i + 1]);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    snprintf(bench.program, sizeof bench.program, "%s/countersignd", bin);
    check(cs_crypto_init(&err), &err, "crypto");
    uv_loop_init(&bench.loop);
    bench.swarm.loop = &bench.loop;
    bench.swarm.people = &bench.people;

    start(&bench, 2);
    check(swarm_people_found(&bench.people, bench.rpc, &err), &err, "policy");
    printf("enrolling %zu agents…\n", bench.agents);
    fflush(stdout);
    check(swarm_enrol(&bench.swarm, bench.agents, bench.rpc, bench.process.enrolment_port, &err), &err,
          "enrolment");
    bench_memory(&bench);
    bench_pushes(&bench);
    bench_latency(&bench);
    stop(&bench);
    bench_handshakes(&bench, 1);
    bench_handshakes(&bench, 2);

    swarm_free(&bench.swarm);
    swarm_people_free(&bench.people);
    controller_process_destroy(&bench.process);
    return 0;
}
