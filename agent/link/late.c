#include "agent/link/late.h"

#include "agent/link/dial.h"
#include "shared/net/client.h"

enum { RENEW_TIMEOUT_MS = 30 * 1000 };

struct ag_late {
    struct ag_device *device;
    struct cs_tls_config *tls;
    struct cs_client *client;
    countersign_v1_RenewResponse response;
    bool answered;
    int code;
    struct cs_err err;
    ag_late_end *on_end;
    void *owner;
};

static void on_closed(void *owner)
{
    struct ag_late *late = owner;

    cs_tls_config_free(late->tls);
    late->on_end(late->owner, late->code, CS_PB_BYTES(&late->response.certificate), &late->err);
    free(late);
}

/* The first reason stays. */
static void finish(struct ag_late *late, int code, const char *why)
{
    if (!late->client)
        return;
    late->code = code;
    if (code)
        cs_err_set(&late->err, code, "%s", why);
    cs_client_close(cs_steal(late->client), on_closed);
}

static void on_answer(struct cs_client_call *call CS_UNUSED, struct cs_slice bytes, void *data)
{
    struct ag_late *late = data;

    late->answered = cs_message_decode(countersign_v1_RenewResponse_fields, bytes, &late->response,
                                       "the answer to the renewal", NULL) == CS_OK;
}

static void on_call_end(struct cs_client_call *call CS_UNUSED, enum cs_status status, const char *message,
                        void *data)
{
    struct ag_late *late = data;

    if (status != CS_STATUS_OK)
        finish(late, cs_code_from_status(status), message ? message : cs_status_name(status));
    else if (!late->answered)
        finish(late, CS_EPARSE, "the answer to the renewal does not parse");
    else
        finish(late, CS_OK, NULL);
}

static int make_request(const struct ag_device *device, struct cs_buf *out, struct cs_err *err)
{
    countersign_v1_RenewRequest request = countersign_v1_RenewRequest_init_zero;
    struct cs_slice statement = cs_buf_slice(&device->renewal.envelope);

    if (statement.len > sizeof request.statement.bytes)
        return cs_err_set(err, CS_ETOOBIG, "the renewal does not fit a message");
    CS_PB_SET(&request.statement, statement);
    return cs_message_encode(countersign_v1_RenewRequest_fields, &request, out, err);
}

static void on_up(struct cs_client *client, void *owner)
{
    static const struct cs_client_events events = {.on_message = on_answer, .on_end = on_call_end};
    static const struct cs_client_call_options options = {
        .path = "/countersign.v1.EnrolmentService/Renew",
        .timeout_ms = RENEW_TIMEOUT_MS,
    };
    cs_auto(cs_buf_free) struct cs_buf request = CS_BUF_EMPTY;
    struct ag_late *late = owner;
    struct cs_client_call *call = NULL;
    struct cs_err err = {0};
    int code = make_request(late->device, &request, &err);

    if (!code)
        code = cs_client_call_new(client, &options, &events, late, &call, &err);
    if (code) {
        finish(late, code, err.msg);
        return;
    }
    (void)cs_client_call_send(call, cs_buf_slice(&request));
    cs_client_call_half_close(call);
}

static void on_down(struct cs_client *client CS_UNUSED, const struct cs_err *why, void *owner)
{
    finish(owner, why->code ? why->code : CS_ECLOSED, why->msg);
}

int ag_late_start(uv_loop_t *loop, struct ag_device *device, ag_late_end *on_end, void *owner,
                  struct ag_late **ret, struct cs_err *err)
{
    struct ag_late *late = calloc(1, sizeof *late);
    struct cs_client_options options = {
        .host = device->config->enrolment.host,
        .port = device->config->enrolment.port,
        .server_name = device->config->server_name,
        .on_up = on_up,
        .on_down = on_down,
        .owner = late,
    };

    if (!late)
        return cs_err_nomem(err);
    late->device = device;
    late->on_end = on_end;
    late->owner = owner;
    int code = options.port
                   ? ag_dial_tls(device, false, &late->tls, err)
                   : cs_err_set(err, CS_EINVAL,
                                "the configuration names no enrolment listener: enrolment = HOST:PORT");

    options.tls = late->tls;
    if (!code)
        code = cs_client_new(loop, &options, &late->client, err);
    if (code) {
        cs_tls_config_free(late->tls);
        free(late);
        return code;
    }
    *ret = late;
    return CS_OK;
}

void ag_late_cancel(struct ag_late *late)
{
    finish(late, CS_ECANCELLED, "the agent ends");
}
