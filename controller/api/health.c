#include "controller/api/health.h"

#include "controller/access.h"
#include "controller/api/api.h"
#include "controller/api/monitor.h"

#include "grpc/health/v1/health.pb.h"
#include "shared/trust/statement.h"

#define STATUS(name) grpc_health_v1_HealthCheckResponse_ServingStatus_##name

enum {
    LOOK_MS = 1000,
    /* Probes and load balancers, each with one. */
    LIMIT_WATCHES = 256,
};

typedef grpc_health_v1_HealthCheckResponse_ServingStatus serving_status;

struct watch {
    struct cs_list node; /* of health->all */
    struct ctl_health *health;
    struct cs_call *call;
    bool known; /* its service is one of ours */
    serving_status told;
};

struct ctl_health {
    struct ctl_shard *shard;
    struct cs_list all;
    unsigned count;
    uv_timer_t look;
};

/* "" is the server as a whole. */
static bool is_known(const char *service)
{
    if (!*service || strcmp(service, "grpc.health.v1.Health") == 0)
        return true;
    for (size_t i = 0; i < ctl_api_services_count; i++)
        if (strcmp(ctl_api_services[i].methods[0].service, service) == 0)
            return true;
    return false;
}

static serving_status status_now(const struct ctl_shard *shard)
{
    cs_auto(cs_buf_free) struct cs_buf wrong = CS_BUF_EMPTY;

    return ctl_monitor_ready(shard, &wrong) && !wrong.len ? STATUS(SERVING) : STATUS(NOT_SERVING);
}

static int encode(serving_status status, struct cs_buf *out, struct cs_err *err)
{
    const grpc_health_v1_HealthCheckResponse reply = {.status = status};

    return cs_message_encode(grpc_health_v1_HealthCheckResponse_fields, &reply, out, err);
}

static int decode(struct cs_slice message, grpc_health_v1_HealthCheckRequest *ret, struct cs_err *err)
{
    return cs_message_decode(grpc_health_v1_HealthCheckRequest_fields, message, ret, "HealthCheckRequest",
                             err);
}

static void check_on_message(struct cs_call *call, struct cs_slice message)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    grpc_health_v1_HealthCheckRequest request;
    struct cs_err err;
    int code = decode(message, &request, &err);

    if (code == CS_OK && !is_known(request.service))
        code = cs_err_set(&err, CS_ENOTFOUND, "there is no service %.100s here", request.service);
    if (code == CS_OK)
        code = encode(status_now(cs_call_service(call)), &bytes, &err);
    if (code == CS_OK)
        cs_call_reply(call, cs_buf_slice(&bytes));
    else
        cs_call_fail(call, &err);
}

/* ---- watching */

static void tell(struct watch *watch)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    serving_status now = watch->known ? status_now(watch->health->shard) : STATUS(SERVICE_UNKNOWN);
    struct cs_err err;

    if (now == watch->told || encode(now, &bytes, &err) != CS_OK)
        return;
    /* What is not taken now is told with the next look. */
    if (cs_call_send(watch->call, cs_buf_slice(&bytes)) != CS_EFULL)
        watch->told = now;
}

static void on_look(uv_timer_t *timer)
{
    struct ctl_health *health = timer->data;

    CS_LIST_FOREACH(node, &health->all)
    tell(CS_CONTAINER_OF(node, struct watch, node));
}

static int begin(struct cs_call *call, struct ctl_health *health, struct cs_slice message, struct watch **ret,
                 struct cs_err *err)
{
    grpc_health_v1_HealthCheckRequest request;
    struct watch *watch;
    int code = decode(message, &request, err);

    if (code != CS_OK)
        return code;
    if (health->shard->stopping)
        return cs_err_set(err, CS_EBUSY, "the controller is stopping");
    if (health->count >= LIMIT_WATCHES)
        return cs_err_set(err, CS_EFULL, "%d clients watch already", LIMIT_WATCHES);
    watch = calloc(1, sizeof *watch);
    if (!watch)
        return cs_err_nomem(err);
    watch->health = health;
    watch->call = call;
    watch->known = is_known(request.service);
    *ret = watch;
    return CS_OK;
}

static void watch_on_message(struct cs_call *call, struct cs_slice message)
{
    struct ctl_health *health = ((struct ctl_shard *)cs_call_service(call))->health;
    struct watch *watch;
    struct cs_err err;

    if (begin(call, health, message, &watch, &err) != CS_OK) {
        cs_call_fail(call, &err);
        return;
    }
    cs_call_set_data(call, watch);
    cs_list_append(&health->all, &watch->node);
    if (health->count++ == 0)
        uv_timer_start(&health->look, on_look, LOOK_MS, LOOK_MS);
    tell(watch);
}

static void watch_on_end(struct cs_call *call, enum cs_status how)
{
    struct watch *watch = cs_call_data(call);

    (void)how;
    if (!watch)
        return;
    cs_list_remove(&watch->node);
    if (--watch->health->count == 0)
        uv_timer_stop(&watch->health->look);
    free(watch);
}

/* ---- life */

int ctl_health_new(struct ctl_shard *shard, struct ctl_health **ret, struct cs_err *err)
{
    struct ctl_health *health = calloc(1, sizeof *health);

    if (!health)
        return cs_err_nomem(err);
    health->shard = shard;
    cs_list_init(&health->all);
    uv_timer_init(&shard->loop, &health->look);
    health->look.data = health;
    *ret = health;
    return CS_OK;
}

void ctl_health_stop(struct ctl_health *health)
{
    if (!health)
        return;
    CS_LIST_FOREACH(node, &health->all)
    {
        struct watch *watch = CS_CONTAINER_OF(node, struct watch, node);

        tell(watch);
        cs_call_finish(watch->call, CS_STATUS_UNAVAILABLE, "the controller is stopping");
    }
    if (!uv_is_closing((uv_handle_t *)&health->look))
        uv_close((uv_handle_t *)&health->look, NULL);
}

void ctl_health_free(struct ctl_health *health)
{
    if (!health)
        return;
    cs_assert(cs_list_empty(&health->all));
    free(health);
}

#define SERVICE "grpc.health.v1.Health"
static const struct cs_call_handler check_handler = {.on_message = check_on_message},
                                    watch_handler = {.on_message = watch_on_message, .on_end = watch_on_end};
const struct cs_method ctl_health_methods[] = {
    {SERVICE, "Check", CS_CALL_UNARY, 1024, &check_handler, CTL_MAY_STRANGERS},
    {SERVICE, "Watch", CS_CALL_SERVER_STREAM, 1024, &watch_handler, CTL_MAY_STRANGERS},
};
const size_t ctl_health_methods_count = CS_ARRAY_LEN(ctl_health_methods);
