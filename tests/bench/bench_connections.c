/* bench_connections.c - what an idle connection with one open bidirectional stream costs the server, plain
 * and over mutual TLS, in resident bytes. Usage: bench_connections [CONNECTIONS] (1000)
 *
 * The server runs in one process and the clients in another, so that only one side is counted. */
#include "shared/net/client.h"
#include "shared/net/server.h"
#include "tests/support/echo_service.h"
#include "tests/support/pki.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

enum {
    /* Handshakes under way at once: devices that come back together, as far as one core can serve them. */
    DIALLING = 64,
    LOOK_MS = 100,
    SETTLE_MS = 1000,
    GIVE_UP_MS = 120 * 1000,
};

struct bench {
    unsigned connections;
    bool tls;
    struct pki ca, server, client;
    struct cs_tls_config *config;
    uv_loop_t loop;
    uint16_t port;
};

static void stop(const char *what, const struct cs_err *err)
{
    fprintf(stderr, "bench_connections: %s: %s\n", what, err ? err->msg : "failed");
    exit(1);
}

static struct cs_tls_config *make_config(const struct bench *bench, const struct pki *own, bool is_server)
{
    struct cs_tls_options options = {.is_server = is_server,
                                     .certificate = own->chain,
                                     .key = own->key,
                                     .anchors = bench->ca.chain,
                                     .require_peer = is_server,
                                     .alpn = "h2"};
    struct cs_tls_config *config;
    struct cs_err err;

    if (cs_tls_config_new(&options, &config, &err) != CS_OK)
        stop("TLS", &err);
    return config;
}

/* The clients */

struct dialler {
    struct bench *bench;
    unsigned dialled;
};

static void dial(struct dialler *dialler);

static void on_echo(struct cs_client_call *call, struct cs_slice message, void *data)
{
    (void)call, (void)message;
    dial(data);
}

static void on_call_end(struct cs_client_call *call, enum cs_status status, const char *message, void *data)
{
    (void)call, (void)data;
    if (status != CS_STATUS_UNAVAILABLE)
        fprintf(stderr, "bench_connections: a call has ended: %s\n", message);
}

static void on_up(struct cs_client *client, void *owner)
{
    static const struct cs_client_events events = {.on_message = on_echo, .on_end = on_call_end};
    const struct cs_client_call_options options = {.path = ECHO_PATH("Bidi")};
    struct cs_client_call *call;
    struct cs_err err;

    if (cs_client_call_new(client, &options, &events, owner, &call, &err) != CS_OK ||
        cs_client_call_send(call, CS_SLICE_LIT("hello")) != CS_OK)
        stop("calling", NULL);
}

static void ignore_goaway(struct cs_client *client, void *owner)
{
    (void)client, (void)owner;
}

static void on_down(struct cs_client *client, const struct cs_err *why, void *owner)
{
    (void)client, (void)owner;
    stop("a connection is down", why);
}

static void dial(struct dialler *dialler)
{
    struct cs_client_options options = {
        .host = "127.0.0.1",
        .port = dialler->bench->port,
        .tls = dialler->bench->config,
        .server_name = "localhost",
        .connect_timeout_ms = GIVE_UP_MS,
        .slim = true,
        .on_up = on_up,
        .on_goaway = ignore_goaway,
        .on_down = on_down,
        .owner = dialler,
    };
    struct cs_client *client;
    struct cs_err err;

    if (dialler->dialled == dialler->bench->connections)
        return;
    dialler->dialled++;
    if (cs_client_new(&dialler->bench->loop, &options, &client, &err) != CS_OK)
        stop("dialling", &err);
}

static void run_clients(struct bench *bench)
{
    struct dialler dialler = {.bench = bench};

    /* The server ends without a goodbye. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    uv_loop_init(&bench->loop);
    if (bench->tls)
        bench->config = make_config(bench, &bench->client, false);
    for (int i = 0; i < DIALLING; i++)
        dial(&dialler);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
}

/* The server */

struct memory {
    size_t resident, used, free;
};

static struct memory look(void)
{
    struct memory memory = {0};
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        stop("reading /proc/self/statm", NULL);
    fclose(file);
    memory.resident = pages * (size_t)sysconf(_SC_PAGESIZE);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    memory.used = mallinfo2().uordblks + mallinfo2().hblkhd;
    memory.free = mallinfo2().fordblks;
#endif
    return memory;
}

static void ignore(uv_timer_t *timer)
{
    (void)timer;
}

static void run_until(struct bench *bench, uv_timer_t *timer, uint64_t ms)
{
    uv_update_time(&bench->loop);
    for (uint64_t end = uv_now(&bench->loop) + ms; uv_now(&bench->loop) < end;) {
        uv_timer_start(timer, ignore, LOOK_MS, 0);
        uv_run(&bench->loop, UV_RUN_ONCE);
    }
}

static void report(const struct bench *bench, struct memory before, struct memory after)
{
    printf("%-10s %6u connections: %6zu bytes resident each", bench->tls ? "mutual TLS" : "plain",
           bench->connections, (after.resident - before.resident) / bench->connections);
    if (after.used)
        printf(", %6zu allocated, %6zu free among them", (after.used - before.used) / bench->connections,
               after.free / bench->connections);
    printf("\n");
    fflush(stdout);
}

static void on_refused(void *owner, const struct cs_peer *peer, const struct cs_err *why)
{
    (void)owner, (void)peer;
    fprintf(stderr, "bench_connections: the server has refused a connection: %s\n", why->msg);
}

static struct cs_server *serve(struct bench *bench, struct echo_service *service)
{
    struct cs_server_options options = {.max_connections = bench->connections + 1,
                                        .handshake_timeout_ms = GIVE_UP_MS,
                                        .keepalive_ms = GIVE_UP_MS,
                                        .max_age_ms = GIVE_UP_MS,
                                        .tls = bench->config,
                                        .slim = true,
                                        .on_refused = on_refused};
    struct cs_registry *registry;
    struct cs_server *server;
    struct cs_err err;

    if (cs_registry_new(&registry, &err) != CS_OK || echo_register(registry, service, &err) != CS_OK)
        stop("registering", &err);
    options.registry = registry;
    if (cs_server_new(&bench->loop, &options, &server, &err) != CS_OK ||
        cs_server_listen_tcp(server, "127.0.0.1", 0, false, &bench->port, &err) != CS_OK)
        stop("serving", &err);
    return server;
}

static void measure(struct bench *bench)
{
    struct echo_service service = {0};
    struct memory before;
    uv_timer_t timer;
    pid_t clients;

    uv_loop_init(&bench->loop);
    uv_timer_init(&bench->loop, &timer);
    if (bench->tls) {
        /* Before the clients' process is split off, which has the keys by that, too. */
        bench->ca = pki_make_ca("Bench CA");
        bench->server = pki_make_server(&bench->ca);
        bench->client = pki_make_client(&bench->ca, "gw-1");
        bench->config = make_config(bench, &bench->server, true);
    }
    serve(bench, &service);
    clients = fork();
    if (clients < 0)
        stop("fork", NULL);
    if (clients == 0) {
        run_clients(bench);
        _exit(1);
    }
    before = look();
    for (int waited_ms = 0; service.opened < bench->connections; waited_ms += LOOK_MS) {
        if (waited_ms > GIVE_UP_MS)
            stop("waiting for the clients", NULL);
        run_until(bench, &timer, LOOK_MS);
    }
    run_until(bench, &timer, SETTLE_MS);
    report(bench, before, look());
    kill(clients, SIGKILL);
    waitpid(clients, NULL, 0);
}

int main(int argc, char **argv)
{
    const struct rlimit many = {65536, 65536};
    struct rlimit files;
    unsigned connections = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < many.rlim_max)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){files.rlim_max, files.rlim_max});
    else
        setrlimit(RLIMIT_NOFILE, &many);
    for (int tls = 0; tls < 2; tls++) {
        struct bench bench = {.connections = connections ? connections : 1, .tls = tls};
        int status;
        pid_t pid = fork();

        if (pid < 0)
            stop("fork", NULL);
        if (pid == 0) {
            measure(&bench);
            _exit(0);
        }
        if (waitpid(pid, &status, 0) != pid || status != 0)
            stop("measuring", NULL);
    }
    return 0;
}
