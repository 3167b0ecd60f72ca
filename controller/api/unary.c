#include "controller/api/unary.h"

#include "controller/api/caller.h"
#include "controller/fleet/renewal.h"
#include "controller/fleet/roster.h"
#include "controller/reading.h"

#include <stdio.h>

#define X(name)                                                                                              \
    int ctl_read_##name(struct ctl_shard *shard, struct ctl_view *view, const void *request, void *reply,    \
                        struct cs_err *err)                                                                  \
    {                                                                                                        \
        struct ctl_presence presence = ctl_roster_presence(shard->shared->roster);                           \
        presence.settings = &shard->shared->config->settings;                                                \
                                                                                                             \
        return ctl_query_##name(view, &presence, ctl_shard_now_s(shard), request, reply, err);               \
    }
CTL_QUERIES(X)
#undef X

static const struct ctl_unary *row_of(const struct cs_call *call)
{
    return (const struct ctl_unary *)(const void *)cs_call_method(call)->handler;
}

static int reply(struct cs_call *call, const struct ctl_unary *row, const void *message, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int code = cs_message_encode(row->reply_fields, message, &bytes, err);

    if (code == CS_OK)
        cs_call_reply(call, cs_buf_slice(&bytes));
    return code;
}

/* ---- reads: answered at once, from a snapshot */

static int answer_read(struct cs_call *call, const struct ctl_unary *row, struct cs_slice bytes,
                       struct cs_err *err)
{
    struct ctl_shard *shard = cs_call_service(call);
    void *request = ctl_shard_scratch(shard, CTL_SCRATCH_REQUEST, row->request_size);
    void *answer = ctl_shard_scratch(shard, CTL_SCRATCH_REPLY, row->reply_size);
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    int code;

    code = cs_message_decode(row->request_fields, bytes, request, row->name, err);
    if (code == CS_OK)
        code = ctl_reading_open(shard->shared->store, &reading, err);
    if (code == CS_OK)
        code = row->read(shard, reading.view, request, answer, err);
    if (code == CS_OK)
        code = reply(call, row, answer, err);
    return code;
}

/* ---- writes: prepared here, run by the core */

static void forget_prepared(struct ctl_op *op)
{
    free(cs_steal(op->statement));
    ctl_renewal_free(op->renewal);
    free(cs_steal(op->renewal));
    ctl_crl_free(&op->crl);
    cs_policy_free(cs_steal(op->policy));
    ctl_evaluation_free(&op->evaluation);
    cs_buf_free(&op->bytes);
    cs_buf_wipe(&op->secret);
    ctl_trust_unref(cs_steal(op->trust));
}

/* The request may bear a private key. */
static void op_free(struct ctl_op *op)
{
    forget_prepared(op);
    cs_wipe(op + 1, op->method->request_size);
    free(op);
}

static struct ctl_op *op_new(struct cs_call *call, const struct ctl_unary *row)
{
    /* Both structs behind the op, each at an address that suits any type. */
    size_t request_room = (row->request_size + 15) & ~(size_t)15;
    struct ctl_op *op = calloc(1, sizeof *op + request_room + row->reply_size);

    _Static_assert(sizeof(struct ctl_op) % 8 == 0, "the request behind an op is aligned");
    if (!op)
        return NULL;
    op->call = call;
    op->method = row;
    op->shard = cs_call_service(call);
    op->request = op + 1;
    op->reply = (uint8_t *)(op + 1) + request_room;
    return op;
}

static void log_op(const struct ctl_op *op)
{
    const struct ctl_actor *actor = &op->task.command.actor;
    bool accepted = op->task.command.code == CS_OK;

    cs_log(accepted ? CS_LOG_INFO : CS_LOG_WARN, "api", accepted ? "command" : "command refused",
           CS_F("method", op->method->name), CS_F("actor", actor->name), CS_F("peer", actor->peer),
           accepted ? CS_FEND : CS_F("error", op->task.command.err.msg), CS_FEND);
}

static int submit(struct ctl_op *op, struct cs_err *err);

/* A newer policy came between preparing and running: once more, under it. */
static bool try_again(struct ctl_op *op)
{
    struct cs_err err;

    if (op->task.command.code != CS_ESTALE || op->again ||
        ctl_trust_version(op->trust) == ctl_trust_version(op->shard->trust))
        return false;
    op->again = true;
    forget_prepared(op);
    memset(op->reply, 0, op->method->reply_size);
    if (submit(op, &err) == CS_OK)
        return true;
    op->task.command.code = err.code;
    op->task.command.err = err;
    return false;
}

static void on_done(struct ctl_task *task)
{
    struct ctl_op *op = CS_CONTAINER_OF(task, struct ctl_op, task);
    int code = task->command.code;

    if (try_again(op))
        return;
    log_op(op);
    if (op->call) {
        cs_call_set_data(op->call, NULL);
        code = task->command.code;
        if (code == CS_OK)
            code = reply(op->call, op->method, op->reply, &task->command.err);
        if (code != CS_OK)
            cs_call_fail(op->call, &task->command.err);
    }
    op_free(op);
}

static int submit(struct ctl_op *op, struct cs_err *err)
{
    int code = CS_OK;

    op->trust = ctl_trust_ref(op->shard->trust);
    op->task.command.kind = op->method->kind;
    op->task.command.body = op->request;
    op->task.command.reply = op->reply;
    op->task.on_done = on_done;
    if (op->method->prepare)
        code = op->method->prepare(op, err);
    if (code == CS_OK)
        code = ctl_shard_submit(op->shard, &op->task, err);
    return code;
}

static int begin_write(struct cs_call *call, const struct ctl_unary *row, const struct ctl_caller *caller,
                       struct cs_slice bytes, struct cs_err *err)
{
    struct ctl_op *op = op_new(call, row);
    int code;

    if (!op)
        return cs_err_nomem(err);
    op->caller = *caller;
    ctl_caller_actor(caller, cs_call_peer(call), &op->task.command.actor);
    code = cs_message_decode(row->request_fields, bytes, op + 1, row->name, err);
    if (code == CS_OK)
        code = submit(op, err);
    if (code == CS_OK) {
        cs_call_set_data(call, op);
        return CS_OK;
    }
    op->task.command.code = code;
    op->task.command.err = *err;
    log_op(op);
    op_free(op);
    return code;
}

void ctl_unary_on_message(struct cs_call *call, struct cs_slice message)
{
    const struct ctl_unary *row = row_of(call);
    struct ctl_caller caller;
    struct cs_err err;
    int code = ctl_caller_check(call, &caller, &err);

    if (code == CS_OK)
        code = row->read ? answer_read(call, row, message, &err)
                         : begin_write(call, row, &caller, message, &err);
    if (code != CS_OK)
        cs_call_fail(call, &err);
}

/* The command runs on; only its answer has nowhere to go. */
void ctl_unary_on_end(struct cs_call *call, enum cs_status how)
{
    struct ctl_op *op = cs_call_data(call);

    (void)how;
    if (op)
        op->call = NULL;
}
