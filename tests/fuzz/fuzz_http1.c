/* Any bytes at all into a server's HTTP/1.1, with Connect and pages behind it: no crash, no leak, every call
 * that opens ends, and no more answers than requests could stand in so many bytes. The first byte says in
 * what pieces the rest arrives, the second how slowly. */
#include "shared/net/http1.h"
#include "shared/net/web_impl.h"
#include "tests/support/echo_service.h"

enum { SHORTEST_REQUEST = 27 }; /* "GET / HTTP/1.1", a host, three ends of lines */

struct scene {
    struct cs_web_session web;
    unsigned requests;
};

static void ignore_wake(void *owner)
{
    (void)owner;
}

static void on_request(void *owner, struct cs_exchange *exchange, const struct cs_exchange_head *head)
{
    struct scene *scene = owner;

    scene->requests++;
    cs_web_take(&scene->web, exchange, head);
}

static void serve(struct scene *scene, struct cs_http1 *http1, struct cs_slice input, size_t piece,
                  uint64_t pause_ms)
{
    struct cs_alarms *alarms = scene->web.alarms;
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    while (input.len && !cs_http1_is_over(http1, &err)) {
        struct cs_slice next = cs_slice(input.ptr, input.len < piece ? input.len : piece);

        input = cs_slice_from(input, next.len);
        cs_http1_feed(http1, next);
        do {
            cs_web_session_run(&scene->web);
            cs_http1_run(http1);
            cs_buf_clear(&out);
            cs_assert(cs_http1_pull(http1, &out, 64 * 1024) == CS_OK);
        } while (out.len);
        cs_alarms_run(alarms, alarms->now_ms + pause_ms);
    }
    cs_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct echo_service service = {0};
    struct cs_peer peer = {.kind = CS_PEER_TCP};
    struct cs_alarms alarms = {0};
    struct cs_grpc_counters counters = {0};
    const struct cs_web web = {
        .connect = true, .transcode = &echo_transcode, .routes = echo_routes, .route_count = 2};
    struct cs_grpc_server_options options = {
        .peer = &peer, .alarms = &alarms, .counters = &counters, .wake = ignore_wake};
    struct scene scene = {0};
    const struct cs_http1_options http1_options = {.alarms = &alarms,
                                                   .head_timeout_ms = 1000,
                                                   .body_timeout_ms = 1000,
                                                   .idle_timeout_ms = 1000,
                                                   .on_request = on_request,
                                                   .wake = ignore_wake,
                                                   .owner = &scene};
    struct cs_http1 *http1;
    struct cs_registry *registry;

    if (size < 2)
        return 0;
    cs_assert(cs_registry_new(&registry, NULL) == CS_OK);
    cs_assert(echo_register(registry, &service, NULL) == CS_OK);
    options.registry = registry;
    cs_web_session_init(&scene.web, &web, &options);
    cs_assert(cs_http1_new(&http1_options, &http1, NULL) == CS_OK);
    serve(&scene, http1, cs_slice(data + 2, size - 2), data[0] ? data[0] : 4096, data[1]);
    cs_http1_free(http1);
    cs_assert(scene.requests <= size / SHORTEST_REQUEST);
    cs_assert(service.opened == service.ended);
    cs_assert(counters.calls_open == 0 && alarms.root == NULL && scene.web.held_bytes == 0);
    cs_registry_free(registry);
    return 0;
}
