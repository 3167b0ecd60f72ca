/* grpc_echo_server - serves countersign.test.Echo until its standard input ends, for tests in other
 * languages.
 *
 *   grpc_echo_server [--unix PATH] [--tls FOLDER] [--threads N] [--keepalive MS] [--max-age MS] [--grace MS]
 *                    [--web] [--no-client-certificate] [--wrapped] [--head MS] [--body MS] [--idle MS]
 * [--stall MS]
 *
 * Prints "listening PORT" (0 for a unix socket) once it listens. --tls makes a certification authority, a
 * server's and a client's certificate, writes ca.pem, client.pem and client.key into FOLDER, and asks clients
 * for a certificate. --web: HTTP/1.1, Connect and some pages too. */
#include "shared/net/server.h"
#include "tests/support/echo_service.h"
#include "tests/support/pki.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_THREADS = 8 };

struct shard {
    uv_loop_t loop;
    uv_async_t stop;
    struct cs_registry *registry;
    struct cs_server *server;
    struct echo_service service;
    uint32_t grace_ms;
};

struct settings {
    const char *unix_path;
    const char *tls_folder;
    unsigned threads;
    uint32_t grace_ms;
    bool asks_nobody;
    bool wrapped;
    struct cs_server_options server;
};

static void must(int rc, const struct cs_err *err)
{
    if (rc == CS_OK)
        return;
    fprintf(stderr, "grpc_echo_server: %s\n", err->msg);
    exit(1);
}

static void write_file(const char *folder, const char *name, struct cs_slice bytes)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    if (!file || fwrite(bytes.ptr, 1, bytes.len, file) != bytes.len || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void write_pair(const char *folder, const char *name, const struct pki *pair)
{
    struct cs_buf pem = CS_BUF_EMPTY;
    char file[64];
    struct cs_err err;

    must(cs_chain_write_pem(pair->chain, &pem, &err), &err);
    snprintf(file, sizeof file, "%s.pem", name);
    write_file(folder, file, cs_buf_slice(&pem));
    cs_buf_clear(&pem);
    must(cs_key_export_pem(pair->key, CS_SLICE_EMPTY, &pem, &err), &err);
    snprintf(file, sizeof file, "%s.key", name);
    write_file(folder, file, cs_buf_slice(&pem));
    cs_buf_wipe(&pem);
}

static void on_refused(void *owner, const struct cs_peer *peer, const struct cs_err *why)
{
    (void)owner;
    fprintf(stderr, "refused %s: %s\n", peer->address, why->msg);
}

static void on_closed(void *owner)
{
    struct shard *shard = owner;

    uv_close((uv_handle_t *)&shard->stop, NULL);
}

static void on_stop(uv_async_t *async)
{
    struct shard *shard = async->data;

    cs_server_close(shard->server, shard->grace_ms, on_closed);
}

static void shard_start(struct shard *shard, const struct settings *settings, uint16_t *port)
{
    struct cs_server_options options = settings->server;
    struct cs_err err;

    uv_loop_init(&shard->loop);
    uv_async_init(&shard->loop, &shard->stop, on_stop);
    shard->stop.data = shard;
    shard->grace_ms = settings->grace_ms;
    shard->service.loop = &shard->loop;
    shard->service.wrapped = settings->wrapped;
    must(cs_registry_new(&shard->registry, &err), &err);
    must(echo_register(shard->registry, &shard->service, &err), &err);
    options.registry = shard->registry;
    options.trust_peer_uid = true;
    options.on_refused = on_refused;
    options.owner = shard;
    must(cs_server_new(&shard->loop, &options, &shard->server, &err), &err);
    if (settings->unix_path)
        must(cs_server_listen_unix(shard->server, settings->unix_path, 0600, &err), &err);
    else
        must(cs_server_listen_tcp(shard->server, "127.0.0.1", *port, settings->threads > 1, port, &err),
             &err);
}

static void *shard_run(void *argument)
{
    struct shard *shard = argument;

    uv_run(&shard->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void shard_stop(struct shard *shard)
{
    if (uv_loop_close(&shard->loop) != 0) {
        fprintf(stderr, "grpc_echo_server: a handle was left open\n");
        exit(1);
    }
    cs_registry_free(shard->registry);
    if (shard->service.opened != shard->service.ended) {
        fprintf(stderr, "grpc_echo_server: %" PRIu64 " calls opened, %" PRIu64 " ended\n",
                shard->service.opened, shard->service.ended);
        exit(1);
    }
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static struct settings read_settings(int argc, char **argv)
{
    static const struct option options[] = {
        {"unix", required_argument, NULL, 'u'},        {"tls", required_argument, NULL, 't'},
        {"threads", required_argument, NULL, 'n'},     {"keepalive", required_argument, NULL, 'k'},
        {"max-age", required_argument, NULL, 'a'},     {"grace", required_argument, NULL, 'g'},
        {"max-streams", required_argument, NULL, 's'}, {"web", no_argument, NULL, 'w'},
        {"wrapped", no_argument, NULL, 'W'},           {"no-client-certificate", no_argument, NULL, 'c'},
        {"head", required_argument, NULL, 'H'},        {"body", required_argument, NULL, 'B'},
        {"idle", required_argument, NULL, 'I'},        {"stall", required_argument, NULL, 'S'},
        {"handshake", required_argument, NULL, 'h'},   {NULL, 0, NULL, 0},
    };
    struct settings settings = {.threads = 1};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'u':
            settings.unix_path = optarg;
            break;
        case 't':
            settings.tls_folder = optarg;
            break;
        case 'n':
            settings.threads = number(optarg);
            break;
        case 'k':
            settings.server.keepalive_ms = settings.server.keepalive_timeout_ms = number(optarg);
            break;
        case 'a':
            settings.server.max_age_ms = number(optarg);
            break;
        case 'g':
            settings.grace_ms = number(optarg);
            break;
        case 's':
            settings.server.max_streams = number(optarg);
            break;
        case 'w':
            settings.server.http1 = true;
            settings.server.web = echo_web();
            break;
        case 'W':
            settings.wrapped = true;
            break;
        case 'c':
            settings.asks_nobody = true;
            break;
        case 'H':
            settings.server.head_timeout_ms = number(optarg);
            break;
        case 'B':
            settings.server.body_timeout_ms = number(optarg);
            break;
        case 'I':
            settings.server.idle_timeout_ms = number(optarg);
            break;
        case 'h':
            settings.server.handshake_timeout_ms = number(optarg);
            break;
        case 'S':
            settings.server.stall_timeout_ms = number(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (settings.threads < 1 || settings.threads > MAX_THREADS)
        exit(2);
    return settings;
}

int main(int argc, char **argv)
{
    static struct shard shards[MAX_THREADS];
    struct settings settings = read_settings(argc, argv);
    struct cs_tls_config *tls = NULL;
    struct pki ca = {0}, server = {0}, client = {0};
    pthread_t threads[MAX_THREADS];
    uint16_t port = 0;
    struct cs_err err;
    char ignored[64];

    signal(SIGPIPE, SIG_IGN);
    if (settings.tls_folder) {
        must(cs_crypto_init(&err), &err);
        ca = pki_make_ca("Test CA");
        server = pki_make_server(&ca);
        client = pki_make_client(&ca, "gw-1");
        write_pair(settings.tls_folder, "ca", &ca);
        write_pair(settings.tls_folder, "server", &server);
        write_pair(settings.tls_folder, "client", &client);
        must(cs_tls_config_new(&(struct cs_tls_options){.is_server = true,
                                                        .certificate = server.chain,
                                                        .key = server.key,
                                                        .anchors = settings.asks_nobody ? NULL : ca.chain,
                                                        .require_peer = !settings.asks_nobody,
                                                        .alpn = settings.server.http1 ? "h2,http/1.1" : "h2"},
                               &tls, &err),
             &err);
        settings.server.tls = tls;
        settings.server.slim = true;
    }
    for (unsigned i = 0; i < settings.threads; i++)
        shard_start(&shards[i], &settings, &port);
    printf("listening %u\n", (unsigned)port);
    fflush(stdout);
    for (unsigned i = 0; i < settings.threads; i++)
        pthread_create(&threads[i], NULL, shard_run, &shards[i]);
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0)
        continue;
    for (unsigned i = 0; i < settings.threads; i++)
        uv_async_send(&shards[i].stop);
    for (unsigned i = 0; i < settings.threads; i++) {
        pthread_join(threads[i], NULL);
        shard_stop(&shards[i]);
    }
    cs_tls_config_free(tls);
    pki_free(&ca);
    pki_free(&server);
    pki_free(&client);
    puts("closed");
    return 0;
}
