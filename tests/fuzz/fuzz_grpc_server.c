/* Any bytes at all into a server's HTTP/2 and gRPC: no crash, no leak, every call that opens ends. The first
 * byte says in what pieces the rest arrives. */
#include "shared/net/grpc_server.h"
#include "tests/support/echo_service.h"

static void ignore_wake(void *owner)
{
    (void)owner;
}

static void serve(struct cs_grpc_server *grpc, struct cs_alarms *alarms, struct cs_slice input, size_t piece)
{
    struct cs_http2 *http2 = cs_grpc_server_http2(grpc);
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    while (input.len && !cs_http2_is_over(http2, &err)) {
        struct cs_slice next = cs_slice(input.ptr, input.len < piece ? input.len : piece);
        int rc = cs_http2_feed(http2, next, &err);

        input = cs_slice_from(input, next.len);
        cs_grpc_server_run(grpc);
        cs_buf_clear(&out);
        if (rc != CS_OK || cs_http2_pull(http2, &out, 64 * 1024, &err) != CS_OK)
            break;
        cs_alarms_run(alarms, alarms->now_ms + 1);
    }
    cs_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct echo_service service = {0};
    struct cs_peer peer = {.kind = CS_PEER_TCP};
    struct cs_alarms alarms = {0};
    struct cs_grpc_counters counters = {0};
    struct cs_registry *registry;
    struct cs_grpc_server_options options = {
        .peer = &peer, .alarms = &alarms, .counters = &counters, .max_streams = 16, .wake = ignore_wake};
    struct cs_grpc_server *grpc;

    if (size == 0)
        return 0;
    cs_assert(cs_registry_new(&registry, NULL) == CS_OK);
    cs_assert(echo_register(registry, &service, NULL) == CS_OK);
    options.registry = registry;
    cs_assert(cs_grpc_server_new(&options, &grpc, NULL) == CS_OK);
    serve(grpc, &alarms, cs_slice(data + 1, size - 1), data[0] ? data[0] : 4096);
    cs_grpc_server_free(grpc);
    cs_assert(service.opened == service.ended);
    cs_assert(counters.calls_open == 0 && alarms.root == NULL);
    cs_registry_free(registry);
    return 0;
}
