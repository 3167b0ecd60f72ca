/* Both halves of gRPC in memory while each allocation of theirs fails in turn: nothing crashes, nothing
 * leaks, and a call ends well, ends with an error, or ends with its connection. */
#include "tests/support/check.h"

#include "shared/net/grpc_client.h"
#include "shared/net/grpc_server.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/echo_service.h"

#include <stdio.h>

/* One kind of call and what it answers when all goes well. */
struct kind {
    const char *says, *path;
    struct cs_slice messages[2];
    size_t message_count;
    bool cancels, large;
    enum cs_status status;
    unsigned replies;
};

struct scene {
    struct cs_alarms alarms;
    struct cs_registry *registry;
    struct echo_service service;
    struct cs_peer peer;
    struct cs_grpc_counters counters;
    struct cs_grpc_server *server;
    struct cs_grpc_client *client;
    bool lost; /* one side gave the connection up */
    unsigned replies, ends;
    enum cs_status status;
};

static void ignore(void *owner)
{
    (void)owner;
}

static void on_message(struct cs_client_call *call, struct cs_slice message, void *data)
{
    struct scene *scene = data;

    (void)call, (void)message;
    scene->replies++;
}

static void on_end(struct cs_client_call *call, enum cs_status status, const char *message, void *data)
{
    struct scene *scene = data;

    (void)call, (void)message;
    scene->ends++;
    scene->status = status;
}

/* A side that fails is what a program's connection ends for. */
static size_t carry(struct scene *scene, struct cs_http2 *from, struct cs_http2 *to)
{
    struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err;
    size_t carried = 0;

    if (cs_http2_pull(from, &bytes, 64 * 1024, &err) != CS_OK ||
        (bytes.len && cs_http2_feed(to, cs_buf_slice(&bytes), &err) != CS_OK))
        scene->lost = true;
    else
        carried = bytes.len;
    cs_buf_free(&bytes);
    return carried;
}

static void pump(struct scene *scene)
{
    enum { ROUNDS_MOST = 10000 };
    size_t carried = 1;

    for (unsigned rounds = 0; carried && !scene->lost; rounds++) {
        assert_true(rounds < ROUNDS_MOST);
        cs_grpc_client_run(scene->client);
        carried = carry(scene, cs_grpc_client_http2(scene->client), cs_grpc_server_http2(scene->server));
        cs_grpc_server_run(scene->server);
        if (!scene->lost)
            carried += carry(scene, cs_grpc_server_http2(scene->server), cs_grpc_client_http2(scene->client));
    }
}

static int open_both(struct scene *scene)
{
    const struct cs_grpc_server_options server = {.peer = &scene->peer,
                                                  .alarms = &scene->alarms,
                                                  .counters = &scene->counters,
                                                  .max_streams = 100,
                                                  .wake = ignore};
    const struct cs_grpc_client_options client = {.authority = "localhost",
                                                  .alarms = &scene->alarms,
                                                  .on_up = ignore,
                                                  .on_goaway = ignore,
                                                  .wake = ignore};
    struct cs_grpc_server_options with_registry = server;
    struct cs_err err;
    int rc = cs_registry_new(&scene->registry, &err);

    if (rc == CS_OK)
        rc = echo_register(scene->registry, &scene->service, &err);
    with_registry.registry = scene->registry;
    if (rc == CS_OK)
        rc = cs_grpc_server_new(&with_registry, &scene->server, &err);
    return rc == CS_OK ? cs_grpc_client_new(&client, &scene->client, &err) : rc;
}

static void close_both(struct scene *scene)
{
    if (scene->client)
        cs_grpc_client_end_all(scene->client, CS_STATUS_UNAVAILABLE, "the test is over");
    cs_grpc_client_free(scene->client);
    cs_grpc_server_free(scene->server);
    cs_registry_free(scene->registry);
    assert_null(scene->alarms.root);
    assert_int_equal(scene->counters.calls_open, 0);
    assert_int_equal(scene->service.opened, scene->service.ended);
}

/* CS_OK: begun, and its end will come. */
static int call(struct scene *scene, const struct kind *kind)
{
    static const uint8_t large[100 * 1024];
    static const struct cs_client_events events = {.on_message = on_message, .on_end = on_end};
    const struct cs_metadata metadata[] = {{"x-echo", CS_SLICE_LIT("text")},
                                           {"x-echo-bin", CS_SLICE_LIT("\1\2")}};
    const struct cs_client_call_options options = {
        .path = kind->path, .timeout_ms = 5000, .metadata = metadata, .metadata_count = 2};
    struct cs_client_call *made;
    struct cs_err err;
    int rc = cs_grpc_call_new(scene->client, &options, &events, scene, &made, &err);

    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; rc == CS_OK && i < kind->message_count; i++)
        rc = cs_client_call_send(made, kind->large ? CS_SLICE_ARRAY(large) : kind->messages[i]);
    if (rc != CS_OK && rc != CS_EBUSY) {
        cs_client_call_cancel(made);
        return CS_OK;
    }
    pump(scene);
    if (scene->ends)
        return CS_OK;
    if (kind->cancels)
        cs_client_call_cancel(made);
    else
        cs_client_call_half_close(made);
    return CS_OK;
}

struct run {
    const struct kind *kind;
    unsigned well, badly, lost;
};

static void run_call(void *data)
{
    struct run *run = data;
    struct scene scene = {.alarms.now_ms = 1000};
    bool begun = false;

    if (open_both(&scene) == CS_OK) {
        pump(&scene);
        begun = !scene.lost && call(&scene, run->kind) == CS_OK;
        if (begun && !scene.lost)
            pump(&scene);
        /* With a connection that stands, nobody is left waiting. */
        if (begun && !scene.lost)
            assert_int_equal(scene.ends, 1);
    }
    close_both(&scene);
    assert_int_equal(scene.ends, begun ? 1 : 0);
    run->lost += scene.lost;
    if (begun && scene.status == run->kind->status && scene.replies == run->kind->replies) {
        run->well++;
    } else {
        run->badly++;
        assert_true(alloc_fail_happened());
        /* What is reported as done was done. */
        assert_false(begun && scene.status == CS_STATUS_OK && scene.replies < run->kind->replies);
    }
}

static void every_allocation_may_fail_in_every_kind_of_call(void **state)
{
    static const struct kind kinds[] = {
        {"unary", ECHO_PATH("Unary"), {CS_SLICE_LIT("hello")}, 1, .replies = 1},
        {"a large message", ECHO_PATH("Unary"), {CS_SLICE_EMPTY}, 1, .large = true, .replies = 1},
        {"server stream", ECHO_PATH("Stream"), {CS_SLICE_LIT("5 1000")}, 1, .replies = 5},
        {"client stream", ECHO_PATH("Collect"), {CS_SLICE_LIT("one"), CS_SLICE_LIT("two")}, 2, .replies = 1},
        {"both ways", ECHO_PATH("Bidi"), {CS_SLICE_LIT("one"), CS_SLICE_LIT("two")}, 2, .replies = 2},
        {"a refusal with trailers",
         ECHO_PATH("Fail"),
         {CS_SLICE_LIT("5 not here")},
         1,
         .status = CS_STATUS_NOT_FOUND},
        {"a head of its own", ECHO_PATH("Head"), {CS_SLICE_LIT("x")}, 1, .replies = 1},
        {"a cancel",
         ECHO_PATH("Never"),
         {CS_SLICE_LIT("x")},
         1,
         .cancels = true,
         .status = CS_STATUS_CANCELLED},
        {"no such method", ECHO_PATH("Nothing"), {CS_SLICE_LIT("x")}, 1, .status = CS_STATUS_UNIMPLEMENTED},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(kinds); i++) {
        struct run run = {.kind = &kinds[i]};
        unsigned failed = alloc_fail_run(run_call, &run);

        print_message(
            "%s: %u allocations failed in turn; %u calls went well, %u did not, %u connections lost\n",
            kinds[i].says, failed, run.well, run.badly, run.lost);
        /* The last run, with none that fails, and some with: not every allocation is needed. */
        assert_true(failed > 20 && run.well >= 1 && run.badly > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail_in_every_kind_of_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
