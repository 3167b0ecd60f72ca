/* grpc_probe_client - our client, driven by a test in another language.
 *
 *   grpc_probe_client [--unix PATH | --port PORT] [--tls FOLDER] [--keepalive MS] SCENARIO...
 *
 * One line of output each: "SCENARIO STATUS MESSAGES BYTES TRAILER SENTENCE"; "up" when connected, "goaway",
 * "down SENTENCE" as they come. Scenarios run one after the other; a connection that goes down ends the
 * program.
 *
 *   unary SIZE         stream COUNT SIZE     collect COUNT SIZE     bidi COUNT SIZE    many COUNT
 *   fail CODE          metadata              deadline MS            never (until the connection goes)
 *   cancel             slow MS               missing                paused-stream COUNT SIZE */
#include "shared/base/limits.h"
#include "shared/net/client.h"
#include "tests/support/echo_service.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

struct probe {
    uv_loop_t loop;
    uv_timer_t timer;
    struct cs_client *client;
    char **scenarios; /* argv, from the next one on */
    unsigned running;
    bool is_down;
};

struct run {
    struct probe *probe;
    struct cs_client_call *call;
    const char *name;
    uint64_t left, size; /* to send */
    uint64_t cancel_after, resume_after_ms;
    uint64_t messages, bytes;
};

static const uint8_t zeros[CS_LIMIT_MESSAGE_BYTES];

static void next_scenario(struct probe *probe);

static void close_probe(struct probe *probe)
{
    cs_client_close(probe->client, NULL);
    if (!uv_is_closing((uv_handle_t *)&probe->timer))
        uv_close((uv_handle_t *)&probe->timer, NULL);
}

/* From the loop: a call's end may not close what it runs in without care for its siblings. */
static void on_next(uv_timer_t *timer)
{
    struct probe *probe = timer->data;

    if (!probe->is_down && probe->running == 0)
        next_scenario(probe);
}

static void send_more(struct run *run)
{
    while (run->left > 0) {
        int rc = cs_client_call_send(run->call, cs_slice(zeros, run->size));

        if (rc != CS_OK && rc != CS_EBUSY)
            return;
        run->left--;
        if (rc == CS_EBUSY)
            return;
    }
    cs_client_call_half_close(run->call);
}

static void on_message(struct cs_client_call *call, struct cs_slice message, void *data)
{
    struct run *run = data;

    run->messages++;
    run->bytes += message.len;
    if (run->cancel_after && run->messages == run->cancel_after)
        cs_client_call_cancel(call);
}

static void on_writable(struct cs_client_call *call, void *data)
{
    (void)call;
    send_more(data);
}

static void on_end(struct cs_client_call *call, enum cs_status status, const char *message, void *data)
{
    struct run *run = data;
    struct probe *probe = run->probe;
    struct cs_slice trailer = cs_client_call_trailer(call, "reason");

    printf("%s %s %" PRIu64 " %" PRIu64 " %.*s %s\n", run->name, cs_status_name(status), run->messages,
           run->bytes, trailer.len ? (int)trailer.len : 1, trailer.len ? (const char *)trailer.ptr : "-",
           message);
    fflush(stdout);
    free(run);
    probe->running--;
    uv_timer_start(&probe->timer, on_next, 0, 0);
}

static const struct cs_client_events events = {on_message, on_writable, on_end};

static struct run *start(struct probe *probe, const char *name, const char *path,
                         struct cs_client_call_options options)
{
    struct run *run = calloc(1, sizeof *run);
    struct cs_err err;

    cs_assert(run);
    run->probe = probe;
    run->name = name;
    options.path = path;
    if (cs_client_call_new(probe->client, &options, &events, run, &run->call, &err) != CS_OK) {
        printf("%s refused %s\n", name, err.msg);
        fflush(stdout);
        free(run);
        uv_timer_start(&probe->timer, on_next, 0, 0);
        return NULL;
    }
    probe->running++;
    return run;
}

static void start_text(struct probe *probe, const char *name, const char *path, const char *text,
                       uint32_t timeout_ms)
{
    struct run *run = start(probe, name, path, (struct cs_client_call_options){.timeout_ms = timeout_ms});

    if (!run)
        return;
    (void)cs_client_call_send(run->call, cs_slice_str(text));
    cs_client_call_half_close(run->call);
}

static void start_sender(struct probe *probe, const char *name, const char *path, uint64_t count,
                         uint64_t size)
{
    struct run *run = start(probe, name, path, (struct cs_client_call_options){0});

    if (!run)
        return;
    run->left = count;
    run->size = size;
    send_more(run);
}

static uint64_t argument(struct probe *probe)
{
    cs_assert(*probe->scenarios);
    return strtoull(*probe->scenarios++, NULL, 10);
}

static void start_metadata(struct probe *probe, const char *name)
{
    static const uint8_t binary[] = {0, 255, 1, 2, 3};
    const struct cs_metadata metadata[] = {{"x-echo", CS_SLICE_LIT("some text")},
                                           {"x-echo-bin", CS_SLICE_ARRAY(binary)}};
    struct run *run = start(probe, name, ECHO_PATH("Metadata"),
                            (struct cs_client_call_options){.metadata = metadata, .metadata_count = 2});

    if (!run)
        return;
    (void)cs_client_call_send(run->call, CS_SLICE_EMPTY);
    cs_client_call_half_close(run->call);
}

static void on_resume(uv_timer_t *timer)
{
    struct run *run = timer->data;

    cs_client_call_pause(run->call, false);
    timer->data = run->probe;
}

static void next_scenario(struct probe *probe)
{
    const char *name = *probe->scenarios;
    char text[64];
    struct run *run;
    uint64_t count;

    if (!name) {
        close_probe(probe);
        return;
    }
    probe->scenarios++;
    if (strcmp(name, "unary") == 0) {
        start_sender(probe, name, ECHO_PATH("Unary"), 1, argument(probe));
    } else if (strcmp(name, "stream") == 0 || strcmp(name, "paused-stream") == 0) {
        count = argument(probe);
        snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64, count, argument(probe));
        run = start(probe, name, ECHO_PATH("Stream"), (struct cs_client_call_options){0});
        if (!run)
            return;
        (void)cs_client_call_send(run->call, cs_slice_str(text));
        cs_client_call_half_close(run->call);
        if (strcmp(name, "stream") == 0)
            return;
        cs_client_call_pause(run->call, true);
        probe->timer.data = run;
        uv_timer_start(&probe->timer, on_resume, 500, 0);
    } else if (strcmp(name, "collect") == 0 || strcmp(name, "bidi") == 0) {
        count = argument(probe);
        start_sender(probe, name, strcmp(name, "bidi") == 0 ? ECHO_PATH("Bidi") : ECHO_PATH("Collect"), count,
                     argument(probe));
    } else if (strcmp(name, "many") == 0) {
        for (count = argument(probe); count > 0; count--)
            start_sender(probe, name, ECHO_PATH("Bidi"), 2, 10);
    } else if (strcmp(name, "fail") == 0) {
        snprintf(text, sizeof text, "%" PRIu64 " said so: \xc3\xa4 100 %%", argument(probe));
        start_text(probe, name, ECHO_PATH("Fail"), text, 0);
    } else if (strcmp(name, "metadata") == 0) {
        start_metadata(probe, name);
    } else if (strcmp(name, "deadline") == 0) {
        start_text(probe, name, ECHO_PATH("Never"), "", (uint32_t)argument(probe));
    } else if (strcmp(name, "never") == 0) {
        start_text(probe, name, ECHO_PATH("Never"), "", 0);
    } else if (strcmp(name, "slow") == 0) {
        snprintf(text, sizeof text, "%" PRIu64, argument(probe));
        start_text(probe, name, ECHO_PATH("Slow"), text, 0);
    } else if (strcmp(name, "missing") == 0) {
        start_text(probe, name, ECHO_PATH("Missing"), "", 0);
    } else if (strcmp(name, "cancel") == 0) {
        run = start(probe, name, ECHO_PATH("Stream"), (struct cs_client_call_options){0});
        if (!run)
            return;
        run->cancel_after = 3;
        (void)cs_client_call_send(run->call, CS_SLICE_LIT("100000 1000"));
        cs_client_call_half_close(run->call);
    } else {
        fprintf(stderr, "grpc_probe_client: no scenario %s\n", name);
        exit(2);
    }
}

static void on_up(struct cs_client *client, void *owner)
{
    (void)client;
    puts("up");
    fflush(stdout);
    next_scenario(owner);
}

static void on_goaway(struct cs_client *client, void *owner)
{
    (void)client, (void)owner;
    puts("goaway");
    fflush(stdout);
}

static void on_down(struct cs_client *client, const struct cs_err *why, void *owner)
{
    struct probe *probe = owner;

    (void)client;
    probe->is_down = true;
    printf("down %s\n", why->msg);
    fflush(stdout);
    close_probe(probe);
}

/* tls: from FOLDER's ca.pem, client.pem, client.key */
static struct cs_slice read_file(const char *folder, const char *name, char *room, size_t room_bytes)
{
    char path[512];
    FILE *file;
    size_t len;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(1);
    }
    len = fread(room, 1, room_bytes, file);
    fclose(file);
    return cs_slice(room, len);
}

static void must(int rc, const struct cs_err *err)
{
    if (rc == CS_OK)
        return;
    fprintf(stderr, "grpc_probe_client: %s\n", err->msg);
    exit(1);
}

static struct cs_tls_config *load_tls(const char *folder, struct cs_key **ret_key)
{
    char room[16384];
    struct cs_chain *ca, *own;
    struct cs_tls_config *config;
    struct cs_err err;

    must(cs_crypto_init(&err), &err);
    must(cs_chain_parse_pem(read_file(folder, "ca.pem", room, sizeof room), &ca, &err), &err);
    must(cs_chain_parse_pem(read_file(folder, "client.pem", room, sizeof room), &own, &err), &err);
    must(cs_key_parse(read_file(folder, "client.key", room, sizeof room), CS_SLICE_EMPTY, CS_KEY_SIGN,
                      ret_key, &err),
         &err);
    must(cs_tls_config_new(
             &(struct cs_tls_options){.certificate = own, .key = *ret_key, .anchors = ca, .alpn = "h2"},
             &config, &err),
         &err);
    cs_chain_free(ca);
    cs_chain_free(own);
    return config;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"unix", required_argument, NULL, 'u'},
        {"port", required_argument, NULL, 'p'},
        {"tls", required_argument, NULL, 't'},
        {"keepalive", required_argument, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    struct probe probe = {0};
    struct cs_client_options options = {
        .on_up = on_up, .on_goaway = on_goaway, .on_down = on_down, .owner = &probe};
    struct cs_key *key = NULL;
    struct cs_err err;
    int option;

    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
        if (option == 'u')
            options.unix_path = optarg;
        else if (option == 'p')
            options.port = (uint16_t)strtoul(optarg, NULL, 10);
        else if (option == 't')
            options.tls = load_tls(optarg, &key);
        else if (option == 'k')
            options.keepalive_ms = options.keepalive_timeout_ms = (uint32_t)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    options.host = "localhost";
    probe.scenarios = argv + optind;
    uv_loop_init(&probe.loop);
    uv_timer_init(&probe.loop, &probe.timer);
    probe.timer.data = &probe;
    must(cs_client_new(&probe.loop, &options, &probe.client, &err), &err);
    uv_run(&probe.loop, UV_RUN_DEFAULT);
    cs_tls_config_free(options.tls);
    cs_key_free(key);
    return uv_loop_close(&probe.loop) == 0 ? 0 : 1;
}
