#include "controller/cli/console_forward.h"

#include "controller/cli/known.h"
#include "controller/cli/remote.h"

#include "shared/base/limits.h"
#include "shared/base/list.h"

enum {
    /* At once, of all tabs together. */
    CALLS_MOST = 256,
    /* As long as the client itself waits for a reply. */
    UNARY_TIMEOUT_MS = 30 * 1000,
    DEADLINE_MORE_MS = 1000,
    /* A call is repeated so often after signing in anew. */
    SIGN_INS_MOST = 2,
};

enum {
#define X(service, method) ROW_##method,
    CLI_RPC_METHODS(X)
#undef X
        ROW_COUNT
};

static const struct {
    const struct cli_rpc_method *rpc;
    const char *service, *name;
} rows[ROW_COUNT] = {
#define X(service, method) {&cli_rpc_##method, "countersign.v1." #service, #method},
    CLI_RPC_METHODS(X)
#undef X
};

struct cli_forwarder {
    struct cli *cli;
    struct cs_method methods[ROW_COUNT];
    struct cs_list waiting; /* for cli_forwarder_run() */
    unsigned count;         /* calls, waiting and under way */
    unsigned session;       /* rises with each that was opened */
    bool session_over;
};

/* There as long as its client or the controller has part in it. */
struct forward {
    struct cli_forwarder *forwarder;
    struct cs_list node;
    const struct cli_rpc_method *method;
    struct cs_call *call;       /* NULL: whoever asked has gone */
    struct cs_client_call *out; /* NULL: not sent yet, or ended */
    struct cs_buf request;      /* private keys may be in it */
    unsigned session;           /* in which it was sent */
    unsigned sign_ins;
    bool is_stream;
    bool answered;
};

static void maybe_free(struct forward *forward)
{
    if (forward->call || forward->out)
        return;
    cs_list_remove(&forward->node);
    cs_buf_wipe(&forward->request);
    forward->forwarder->count--;
    free(forward);
}

static void finish(struct forward *forward, enum cs_status status, const char *sentence)
{
    if (forward->call)
        cs_call_finish(forward->call, status, sentence);
}

static void fail(struct forward *forward, const struct cs_err *err)
{
    bool unreachable = cli_rpc_unreachable(forward->forwarder->cli->rpc);

    finish(forward, unreachable ? CS_STATUS_UNAVAILABLE : cs_status_from_code(err->code), err->msg);
}

/* ---- what the controller says */

/* The page verifies what it is given, but what it has seen before goes with its tab: each start of the
 * program is another origin. So what the operator's own files know of a device is held against it here. */
static int check_device(struct cli *cli, struct cs_slice message, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetDeviceResponse *reply = CLI_NEW(countersign_v1_GetDeviceResponse, err);
    int rc = reply ? cs_message_decode(countersign_v1_GetDeviceResponse_fields, message, reply,
                                       "the controller's answer", err)
                   : CS_ENOMEM;

    return rc == CS_OK ? cli_known_pass(cli, reply, err) : rc;
}

/* It was signed here, or by the same key: what is older is not taken from now on. */
static void note_admission(struct cli *cli, struct cs_slice message)
{
    struct cs_err err;
    cs_auto_free countersign_v1_AdmitDeviceRequest *request =
        CLI_NEW(countersign_v1_AdmitDeviceRequest, &err);
    int rc = request ? cs_message_decode(countersign_v1_AdmitDeviceRequest_fields, message, request,
                                         "the request", &err)
                     : CS_ENOMEM;

    if (rc == CS_OK)
        rc = cli_known_admitted(cli, CS_PB_BYTES(&request->envelope), &err);
    if (rc != CS_OK)
        fprintf(stderr, "countersign: warning: the admission was not noted: %s\n", err.msg);
}

static void out_on_message(struct cs_client_call *out, struct cs_slice message, void *data)
{
    struct forward *forward = data;
    struct cs_err err;
    int rc;

    if (!forward->call)
        return;
    if (forward->answered && !forward->is_stream) {
        finish(forward, CS_STATUS_INTERNAL, "the controller has answered twice");
        cs_client_call_cancel(out);
        return;
    }
    forward->answered = true;
    if (forward->method == &cli_rpc_GetDevice &&
        check_device(forward->forwarder->cli, message, &err) != CS_OK) {
        finish(forward, CS_STATUS_PERMISSION_DENIED, err.msg);
        cs_client_call_cancel(out);
        return;
    }
    rc = cs_call_send(forward->call, message);
    if (rc == CS_EBUSY) {
        cs_client_call_pause(out, forward->is_stream);
    } else if (rc != CS_OK && rc != CS_ECLOSED) {
        finish(forward, CS_STATUS_RESOURCE_EXHAUSTED, "no room for the controller's answer");
        cs_client_call_cancel(out);
    }
}

/* The controller no longer knows the session in which this was asked, so it has done nothing. */
static bool is_to_be_repeated(const struct forward *forward, enum cs_status status)
{
    return status == CS_STATUS_UNAUTHENTICATED && forward->call && !forward->answered &&
           forward->forwarder->cli->home.controller[0] && forward->sign_ins < SIGN_INS_MOST;
}

static bool changes(const struct cli_rpc_method *method)
{
    return !cli_rpc_reads(method) && method != &cli_rpc_WhoAmI && method != &cli_rpc_ExplainPush &&
           method != &cli_rpc_Watch;
}

static void out_on_end(struct cs_client_call *out, enum cs_status status, const char *sentence, void *data)
{
    struct forward *forward = data;
    struct cli_forwarder *forwarder = forward->forwarder;

    (void)out;
    forward->out = NULL;
    if (is_to_be_repeated(forward, status)) {
        forward->sign_ins++;
        forwarder->session_over |= forward->session == forwarder->session;
        cs_list_append(&forwarder->waiting, &forward->node);
        return;
    }
    if (status == CS_STATUS_CANCELLED && cli_rpc_is_disconnecting(forwarder->cli->rpc)) {
        status = CS_STATUS_UNAVAILABLE;
        sentence = "the connection to the controller is made anew: ask again";
    }
    if (cli_args_flag(&forwarder->cli->args, "v"))
        fprintf(stderr, "countersign: %s: %s\n", strrchr(forward->method->path, '/') + 1,
                cs_status_name(status));
    if (status == CS_STATUS_OK && changes(forward->method))
        forwarder->cli->keep_checkpoint = true;
    if (status == CS_STATUS_OK && forward->method == &cli_rpc_AdmitDevice)
        note_admission(forwarder->cli, cs_buf_slice(&forward->request));
    finish(forward, status, sentence);
    maybe_free(forward);
}

/* ---- what the page asks for */

static void on_message(struct cs_call *call, struct cs_slice message)
{
    struct cli_forwarder *forwarder = cs_call_service(call);
    struct forward *forward = forwarder->count < CALLS_MOST ? calloc(1, sizeof *forward) : NULL;

    if (!forward || cs_buf_reserve(&forward->request, message.len + 1) != CS_OK ||
        cs_buf_append(&forward->request, message) != CS_OK) {
        if (forward)
            cs_buf_wipe(&forward->request);
        free(forward);
        cs_call_finish(call, CS_STATUS_RESOURCE_EXHAUSTED, "the console has too many calls under way");
        return;
    }
    forward->forwarder = forwarder;
    forward->call = call;
    forward->method = rows[cs_call_method(call)->tag].rpc;
    forward->is_stream = cs_call_method(call)->kind == CS_CALL_SERVER_STREAM;
    forwarder->count++;
    cs_list_append(&forwarder->waiting, &forward->node);
    cs_call_set_data(call, forward);
}

static void on_writable(struct cs_call *call)
{
    struct forward *forward = cs_call_data(call);

    if (forward && forward->out)
        cs_client_call_pause(forward->out, false);
}

static void on_end(struct cs_call *call, enum cs_status how)
{
    struct forward *forward = cs_call_data(call);

    (void)how;
    if (!forward)
        return;
    forward->call = NULL;
    if (forward->out)
        cs_client_call_cancel(forward->out);
    maybe_free(forward);
}

static const struct cs_call_handler handler = {
    .on_message = on_message,
    .on_writable = on_writable,
    .on_end = on_end,
};

/* ---- the top of the loop */

static int sign_in_anew(struct cli_forwarder *forwarder, struct cs_err *err)
{
    int rc = cli_remote_sign_in(forwarder->cli, true, err);

    forwarder->session_over = false;
    if (rc == CS_OK)
        forwarder->session++;
    return rc;
}

static int be_ready(struct cli_forwarder *forwarder, struct cs_err *err)
{
    struct cli_rpc *rpc;
    int rc = cli_connection(forwarder->cli, &rpc, err);

    if (rc == CS_OK)
        rc = cli_rpc_be_connected(rpc, err);
    if (rc == CS_OK && forwarder->session_over) {
        rc = sign_in_anew(forwarder, err);
        if (rc != CS_OK)
            cs_err_prefix(err, "the session at the controller has ended, and no other could be opened");
        else
            rc = cli_rpc_be_connected(rpc, err);
    }
    return rc;
}

/* The call's own deadline ends it here, and so at the controller; there it is told a little more, so that the
 * two do not end it both at once. */
static uint32_t time_left(const struct forward *forward)
{
    uint64_t deadline_ms = cs_call_deadline_ms(forward->call),
             now_ms = uv_now(cli_rpc_loop(forward->forwarder->cli->rpc)), left_ms;

    if (!deadline_ms)
        return forward->is_stream ? 0 : UNARY_TIMEOUT_MS;
    left_ms = (deadline_ms > now_ms ? deadline_ms - now_ms : 0) + DEADLINE_MORE_MS;
    return left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
}

static void start(struct forward *forward)
{
    static const struct cs_client_events events = {.on_message = out_on_message, .on_end = out_on_end};
    struct cli_forwarder *forwarder = forward->forwarder;
    struct cs_err err;
    int rc = cli_rpc_call_new(forwarder->cli->rpc, forward->method, time_left(forward), &events, forward,
                              &forward->out, &err);

    if (rc != CS_OK) {
        cs_err_prefix(&err, "the controller cannot be asked just now");
        finish(forward, CS_STATUS_UNAVAILABLE, err.msg);
        return;
    }
    forward->session = forwarder->session;
    rc = cs_client_call_send(forward->out, cs_buf_slice(&forward->request));
    if (rc != CS_OK && rc != CS_EBUSY) {
        finish(forward, CS_STATUS_UNAVAILABLE, "the connection to the controller has no room");
        cs_client_call_cancel(forward->out);
    } else {
        cs_client_call_half_close(forward->out);
    }
}

/* Whoever asked is there still: a call whose client goes is in the list no more. */
static struct forward *next_waiting(struct cli_forwarder *forwarder)
{
    struct cs_list *node = cs_list_pop(&forwarder->waiting);

    return node ? CS_CONTAINER_OF(node, struct forward, node) : NULL;
}

void cli_forwarder_run(struct cli_forwarder *forwarder)
{
    while (cli_forwarder_waits(forwarder)) {
        struct forward *forward;
        struct cs_err err;

        if (be_ready(forwarder, &err) == CS_OK) {
            while ((forward = next_waiting(forwarder)) != NULL)
                start(forward);
            return;
        }
        while ((forward = next_waiting(forwarder)) != NULL)
            fail(forward, &err);
    }
}

bool cli_forwarder_waits(const struct cli_forwarder *forwarder)
{
    return !cs_list_empty(&forwarder->waiting);
}

/* ---- life */

/* Opening and closing the session in which it calls is this client's own affair. */
static bool is_withheld(const struct cli_rpc_method *method)
{
    return method == &cli_rpc_GetChallenge || method == &cli_rpc_OpenSession ||
           method == &cli_rpc_CloseSession;
}

int cli_forwarder_new(struct cli *cli, struct cs_registry *registry, struct cli_forwarder **ret,
                      struct cs_err *err)
{
    struct cli_forwarder *forwarder = calloc(1, sizeof *forwarder);
    int rc = CS_OK;

    if (!forwarder)
        return cs_err_nomem(err);
    forwarder->cli = cli;
    cs_list_init(&forwarder->waiting);
    for (uint32_t i = 0; i < ROW_COUNT && rc == CS_OK; i++) {
        forwarder->methods[i] = (struct cs_method){
            .service = rows[i].service,
            .name = rows[i].name,
            .kind = rows[i].rpc == &cli_rpc_Watch ? CS_CALL_SERVER_STREAM : CS_CALL_UNARY,
            .handler = &handler,
            .tag = i,
        };
        if (!is_withheld(rows[i].rpc))
            rc = cs_registry_add(registry, &forwarder->methods[i], 1, forwarder, err);
    }
    if (rc == CS_OK)
        *ret = forwarder;
    else
        free(forwarder);
    return rc;
}

void cli_forwarder_free(struct cli_forwarder *forwarder)
{
    if (!forwarder)
        return;
    while (forwarder->count)
        uv_run(cli_rpc_loop(forwarder->cli->rpc), UV_RUN_ONCE);
    free(forwarder);
}
