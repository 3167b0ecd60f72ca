#include "controller/cli/rpc.h"

#include "shared/base/limits.h"
#include "shared/base/list.h"
#include "shared/trust/statement.h"

/* A reply that takes longer than this is not coming: the controller's own work is milliseconds. */
enum { CALL_TIMEOUT_MS = 30 * 1000, CONNECT_TIMEOUT_MS = 5 * 1000 };
/* A machine that was asleep finds out so that its connection is gone. */
enum { KEEPALIVE_MS = 30 * 1000 };
/* Messages of a stream that nobody has taken yet. */
enum { STREAM_KEPT = 16 };

#define X(service, method)                                                                                   \
    const struct cli_rpc_method cli_rpc_##method = {"/countersign.v1." #service "/" #method,                 \
                                                    countersign_v1_##method##Request_fields,                 \
                                                    countersign_v1_##method##Response_fields};
CLI_RPC_METHODS(X)
#undef X

bool cli_rpc_reads(const struct cli_rpc_method *method)
{
    const char *name = strrchr(method->path, '/') + 1;

    return strncmp(name, "Get", 3) == 0 || strncmp(name, "List", 4) == 0;
}

struct cli_rpc {
    char *socket_path, *host, *server_name, *shown; /* as in cli_rpc_target */
    uint16_t port;
    struct cs_tls_config *tls;
    const char *metadata_name; /* NULL: none */
    char metadata_value[128];
    uv_loop_t loop;
    struct cs_client *client; /* NULL: not connected */
    uv_timer_t timer;         /* of the stream that is waited for */
    bool up, down, closed, timed_out;
    bool leaving;       /* the controller wants no more calls on this connection */
    bool disconnecting; /* we end it */
    struct cs_err why_down;
    bool unreachable;
    uint64_t until_ms; /* by the loop's clock; 0: no end */
};

/* One call while it is under way. */
struct waiting {
    struct cs_buf reply;
    bool ended;
    enum cs_status status;
    struct cs_err err;
};

static void rpc_on_up(struct cs_client *client, void *owner)
{
    struct cli_rpc *rpc = owner;

    (void)client;
    rpc->up = true;
}

static void rpc_on_down(struct cs_client *client, const struct cs_err *why, void *owner)
{
    struct cli_rpc *rpc = owner;

    (void)client;
    rpc->down = true;
    rpc->why_down = *why;
}

static void rpc_on_goaway(struct cs_client *client, void *owner)
{
    struct cli_rpc *rpc = owner;

    (void)client;
    rpc->leaving = true;
}

static void rpc_on_closed(void *owner)
{
    struct cli_rpc *rpc = owner;

    rpc->closed = true;
}

static void rpc_forget(struct cli_rpc *rpc)
{
    free(rpc->socket_path);
    free(rpc->host);
    free(rpc->server_name);
    free(rpc->shown);
    cs_wipe(rpc, sizeof *rpc);
    free(rpc);
}

/* NULL stays NULL; false without memory. */
static bool copy(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return !text || *ret;
}

int cli_rpc_new_to(const struct cli_rpc_target *target, struct cli_rpc **ret, struct cs_err *err)
{
    struct cli_rpc *rpc = calloc(1, sizeof *rpc);

    if (!rpc)
        return cs_err_nomem(err);
    rpc->port = target->port;
    rpc->tls = target->tls;
    if (!copy(target->socket_path, &rpc->socket_path) || !copy(target->host, &rpc->host) ||
        !copy(target->server_name, &rpc->server_name) || !copy(target->shown, &rpc->shown) ||
        uv_loop_init(&rpc->loop) != 0) {
        rpc_forget(rpc);
        return cs_err_nomem(err);
    }
    uv_timer_init(&rpc->loop, &rpc->timer);
    rpc->timer.data = rpc;
    *ret = rpc;
    return CS_OK;
}

int cli_rpc_new(const char *socket_path, struct cli_rpc **ret, struct cs_err *err)
{
    const struct cli_rpc_target target = {.socket_path = socket_path, .shown = socket_path};

    return cli_rpc_new_to(&target, ret, err);
}

void cli_rpc_identify(struct cli_rpc *rpc, const char *name, const char *value)
{
    cs_assert(strlen(value) < sizeof rpc->metadata_value);
    rpc->metadata_name = name;
    memcpy(rpc->metadata_value, value, strlen(value) + 1);
}

void cli_rpc_hurry(struct cli_rpc *rpc, uint32_t within_ms)
{
    uv_update_time(&rpc->loop);
    rpc->until_ms = uv_now(&rpc->loop) + within_ms;
}

/* What is left of the time that there is, at least 1: 0 would mean for ever. */
static uint32_t time_left(struct cli_rpc *rpc, uint32_t otherwise_ms)
{
    uint64_t now_ms;

    if (!rpc->until_ms)
        return otherwise_ms;
    uv_update_time(&rpc->loop);
    now_ms = uv_now(&rpc->loop);
    return now_ms < rpc->until_ms ? (uint32_t)(rpc->until_ms - now_ms) : 1;
}

static void disconnect(struct cli_rpc *rpc)
{
    if (!rpc->client)
        return;
    rpc->closed = false;
    rpc->disconnecting = true;
    cs_client_close(rpc->client, rpc_on_closed);
    while (!rpc->closed)
        uv_run(&rpc->loop, UV_RUN_ONCE);
    rpc->disconnecting = false;
    rpc->client = NULL;
}

void cli_rpc_free(struct cli_rpc *rpc)
{
    if (!rpc)
        return;
    disconnect(rpc);
    uv_close((uv_handle_t *)&rpc->timer, NULL);
    uv_run(&rpc->loop, UV_RUN_DEFAULT);
    cs_assert(uv_loop_close(&rpc->loop) == 0);
    rpc_forget(rpc);
}

static int unreachable(struct cli_rpc *rpc, const struct cs_err *why, struct cs_err *err)
{
    rpc->unreachable = true;
    if (rpc->host)
        return cs_err_set(err, why->code, "the controller does not answer at %.80s: %.140s", rpc->shown,
                          why->msg);
    return cs_err_set(
        err, why->code,
        "the controller does not answer at %.80s (%.80s): is countersignd running, and may this "
        "user use its socket?",
        rpc->shown, why->msg);
}

static int connect_now(struct cli_rpc *rpc, struct cs_err *err)
{
    const struct cs_client_options options = {
        .unix_path = rpc->socket_path,
        .host = rpc->host,
        .port = rpc->port,
        .tls = rpc->tls,
        .server_name = rpc->server_name,
        .connect_timeout_ms = time_left(rpc, CONNECT_TIMEOUT_MS),
        .keepalive_ms = KEEPALIVE_MS,
        .on_up = rpc_on_up,
        .on_goaway = rpc_on_goaway,
        .on_down = rpc_on_down,
        .owner = rpc,
    };
    struct cs_err why;
    int rc;

    rpc->up = rpc->down = rpc->leaving = false;
    rc = cs_client_new(&rpc->loop, &options, &rpc->client, &why);
    if (rc != CS_OK)
        return unreachable(rpc, &why, err);
    while (!rpc->up && !rpc->down)
        uv_run(&rpc->loop, UV_RUN_ONCE);
    if (rpc->down) {
        disconnect(rpc);
        return unreachable(rpc, &rpc->why_down, err);
    }
    return CS_OK;
}

int cli_rpc_call_new(struct cli_rpc *rpc, const struct cli_rpc_method *method, uint32_t timeout_ms,
                     const struct cs_client_events *events, void *data, struct cs_client_call **ret,
                     struct cs_err *err)
{
    const struct cs_metadata metadata = {rpc->metadata_name, cs_slice_str(rpc->metadata_value)};
    const struct cs_client_call_options options = {
        .path = method->path,
        .timeout_ms = timeout_ms,
        .metadata = &metadata,
        .metadata_count = rpc->metadata_name != NULL,
    };

    if (!rpc->client)
        return cs_err_set(err, CS_ECLOSED, "calling %s: there is no connection", method->path);
    return cs_client_call_new(rpc->client, &options, events, data, ret, err);
}

static void call_on_message(struct cs_client_call *call, struct cs_slice message, void *data)
{
    struct waiting *waiting = data;

    (void)call;
    cs_buf_clear(&waiting->reply);
    if (cs_buf_append(&waiting->reply, message) != CS_OK)
        cs_err_nomem(&waiting->err);
}

static void call_on_end(struct cs_client_call *call, enum cs_status status, const char *message, void *data)
{
    struct waiting *waiting = data;

    (void)call;
    waiting->ended = true;
    waiting->status = status;
    if (status != CS_STATUS_OK)
        cs_err_set(&waiting->err, cs_code_from_status(status), "%s",
                   message && *message ? message : cs_status_name(status));
}

static int exchange(struct cli_rpc *rpc, const struct cli_rpc_method *method, struct cs_slice request,
                    struct waiting *waiting, struct cs_err *err)
{
    static const struct cs_client_events events = {.on_message = call_on_message, .on_end = call_on_end};
    struct cs_client_call *call;
    int rc = cli_rpc_call_new(rpc, method, time_left(rpc, CALL_TIMEOUT_MS), &events, waiting, &call, err);

    if (rc != CS_OK)
        return rc;
    rc = cs_client_call_send(call, request);
    if (rc != CS_OK && rc != CS_EBUSY)
        cs_client_call_cancel(call);
    else
        cs_client_call_half_close(call);
    while (!waiting->ended)
        uv_run(&rpc->loop, UV_RUN_ONCE);
    return CS_OK;
}

/* As long as the connection is up it stays; what went down meanwhile is made anew. */
static int be_connected(struct cli_rpc *rpc, struct cs_err *err)
{
    rpc->unreachable = false;
    if (rpc->client) {
        uv_run(&rpc->loop, UV_RUN_NOWAIT);
        if (rpc->down || rpc->leaving)
            disconnect(rpc);
    }
    return rpc->client ? CS_OK : connect_now(rpc, err);
}

int cli_rpc_server_key(struct cli_rpc *rpc, struct cs_digest *ret, bool *ret_has_tls, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    int rc = be_connected(rpc, err);

    *ret_has_tls = rpc->tls != NULL;
    if (rc != CS_OK || !rpc->tls)
        return rc;
    rc = cs_chain_parse(cs_client_server_certificate(rpc->client), &chain, err);
    if (rc == CS_OK)
        *ret = cs_sha256(cs_chain_leaf_spki(chain));
    return rc;
}

int cli_rpc_call(struct cli_rpc *rpc, const struct cli_rpc_method *method, const void *request, void *reply,
                 struct cs_err *err)
{
    struct cs_buf bytes = CS_BUF_EMPTY;
    struct waiting waiting = {0};
    int rc = cs_message_encode(method->request, request, &bytes, err);

    if (rc == CS_OK)
        rc = be_connected(rpc, err);
    if (rc == CS_OK)
        rc = exchange(rpc, method, cs_buf_slice(&bytes), &waiting, err);
    if (rc == CS_OK && waiting.err.code != CS_OK) {
        if (rpc->down)
            rc = unreachable(rpc, &waiting.err, err);
        else
            rc = cs_err_set(err, waiting.err.code, "%s", waiting.err.msg);
    }
    if (rc == CS_OK)
        rc = cs_message_decode(method->reply, cs_buf_slice(&waiting.reply), reply, "the controller's answer",
                               err);
    /* Certificates' keys travel in requests. */
    cs_buf_wipe(&bytes);
    cs_buf_free(&waiting.reply);
    return rc;
}

bool cli_rpc_unreachable(const struct cli_rpc *rpc)
{
    return rpc->unreachable;
}

uv_loop_t *cli_rpc_loop(struct cli_rpc *rpc)
{
    return &rpc->loop;
}

int cli_rpc_be_connected(struct cli_rpc *rpc, struct cs_err *err)
{
    return be_connected(rpc, err);
}

bool cli_rpc_is_disconnecting(const struct cli_rpc *rpc)
{
    return rpc->disconnecting;
}

/* ---- streams */

struct cli_rpc_stream {
    struct cli_rpc *rpc;
    const struct cli_rpc_method *method;
    struct cs_client_call *call; /* NULL once it has ended */
    struct cs_list messages;
    unsigned kept;
    struct cs_err err; /* how it ended */
};

struct message {
    struct cs_list node;
    struct cs_buf bytes;
};

static void message_free(struct message *message)
{
    cs_buf_free(&message->bytes);
    free(message);
}

static void stream_on_message(struct cs_client_call *call, struct cs_slice bytes, void *data)
{
    struct cli_rpc_stream *stream = data;
    struct message *message = calloc(1, sizeof *message);

    if (!message || cs_buf_append(&message->bytes, bytes) != CS_OK) {
        free(message);
        cs_err_nomem(&stream->err);
        cs_client_call_cancel(call);
        return;
    }
    cs_list_append(&stream->messages, &message->node);
    if (++stream->kept == STREAM_KEPT)
        cs_client_call_pause(call, true);
}

static void stream_on_end(struct cs_client_call *call, enum cs_status status, const char *message, void *data)
{
    struct cli_rpc_stream *stream = data;

    (void)call;
    stream->call = NULL;
    if (stream->err.code != CS_OK)
        return;
    if (status == CS_STATUS_OK || status == CS_STATUS_UNAVAILABLE || stream->rpc->disconnecting)
        cs_err_set(&stream->err, CS_ECLOSED, "%s",
                   message && *message ? message : "the controller ended the stream");
    else
        cs_err_set(&stream->err, cs_code_from_status(status), "%s",
                   message && *message ? message : cs_status_name(status));
}

static int stream_begin(struct cli_rpc_stream *stream, struct cs_slice request, struct cs_err *err)
{
    static const struct cs_client_events events = {.on_message = stream_on_message, .on_end = stream_on_end};
    int rc = cli_rpc_call_new(stream->rpc, stream->method, 0, &events, stream, &stream->call, err);

    if (rc != CS_OK)
        return rc;
    rc = cs_client_call_send(stream->call, request);
    if (rc != CS_OK && rc != CS_EBUSY)
        cs_client_call_cancel(stream->call);
    else
        cs_client_call_half_close(stream->call);
    return CS_OK;
}

int cli_rpc_stream_open(struct cli_rpc *rpc, const struct cli_rpc_method *method, const void *request,
                        struct cli_rpc_stream **ret, struct cs_err *err)
{
    struct cli_rpc_stream *stream = calloc(1, sizeof *stream);
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int rc = stream ? cs_message_encode(method->request, request, &bytes, err) : cs_err_nomem(err);

    if (rc == CS_OK)
        rc = be_connected(rpc, err);
    if (rc == CS_OK) {
        stream->rpc = rpc;
        stream->method = method;
        cs_list_init(&stream->messages);
        rc = stream_begin(stream, cs_buf_slice(&bytes), err);
    }
    if (rc == CS_OK)
        *ret = stream;
    else
        free(stream);
    return rc;
}

static void on_timer(uv_timer_t *timer)
{
    struct cli_rpc *rpc = timer->data;

    rpc->timed_out = true;
}

static int take_message(struct cli_rpc_stream *stream, void *reply, struct cs_err *err)
{
    struct message *message = CS_CONTAINER_OF(cs_list_pop(&stream->messages), struct message, node);
    int rc = cs_message_decode(stream->method->reply, cs_buf_slice(&message->bytes), reply,
                               "the controller's answer", err);

    message_free(message);
    if (stream->kept-- == STREAM_KEPT && stream->call)
        cs_client_call_pause(stream->call, false);
    return rc;
}

int cli_rpc_stream_next(struct cli_rpc_stream *stream, uint32_t timeout_ms, void *reply, struct cs_err *err)
{
    struct cli_rpc *rpc = stream->rpc;

    rpc->timed_out = false;
    uv_update_time(&rpc->loop);
    uv_timer_start(&rpc->timer, on_timer, timeout_ms, 0);
    while (cs_list_empty(&stream->messages) && stream->call && !rpc->timed_out)
        uv_run(&rpc->loop, UV_RUN_ONCE);
    uv_timer_stop(&rpc->timer);
    if (!cs_list_empty(&stream->messages))
        return take_message(stream, reply, err);
    if (stream->call)
        return cs_err_set(err, CS_ETIMEOUT, "nothing changed within %u ms", (unsigned)timeout_ms);
    *err = stream->err;
    return err->code;
}

void cli_rpc_stream_free(struct cli_rpc_stream *stream)
{
    if (!stream)
        return;
    if (stream->call)
        cs_client_call_cancel(stream->call);
    while (stream->call)
        uv_run(&stream->rpc->loop, UV_RUN_ONCE);
    for (struct cs_list *node; (node = cs_list_pop(&stream->messages)) != NULL;)
        message_free(CS_CONTAINER_OF(node, struct message, node));
    free(stream);
}
