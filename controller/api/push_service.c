#include "controller/api/api.h"
#include "controller/api/signed.h"
#include "controller/reading.h"

/* Signatures are checked here: on the core's one thread they would hold up every command. */
static int prepare_submit(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_SubmitPushRequest *request = op->request;
    struct cs_slice wire = CS_PB_BYTES(&request->envelope);
    const countersign_v1_PushRequest *push;
    enum cs_push_reason reason;
    int code;

    code = ctl_signed_needs_policy(op, err);
    if (code == CS_OK)
        code = cs_push_open(op->trust->policy, wire, ctl_shard_now_s(op->shard), &op->evaluation.push,
                            &reason, err);
    if (code != CS_OK)
        return code;
    push = cs_push_request(op->evaluation.push);
    code = ctl_signed_name(op, push->requester, err);
    if (code != CS_OK)
        return code;
    op->body.submit_push = (struct ctl_submit_push){
        .envelope = wire,
        .request = push,
        .digest = cs_push_request_digest(op->evaluation.push),
        .comment = request->comment,
        .policy_version = ctl_trust_version(op->trust),
        .push = op->evaluation.push,
    };
    op->task.command.body = &op->body.submit_push;
    return ctl_signed_comment(request->comment, CS_PB_BYTES(&push->comment_digest), err);
}

/* The decision as the next one behind those that are stored; the core looks whether they still are the same.
 * One that is stored already is not evaluated: *ret_again. */
static int evaluate(struct ctl_op *op, uint64_t number, struct cs_slice wire, bool *ret_again,
                    struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    int code;

    code = ctl_reading_open(op->shard->shared->store, &reading, err);
    if (code == CS_OK)
        code = ctl_query_decided(reading.view, number, wire, ret_again, err);
    if (code != CS_OK || *ret_again)
        return code;
    code = ctl_query_decidable(reading.view, number, err);
    if (code == CS_OK)
        code = ctl_evaluation_load(reading.view, op->trust->policy, number, ctl_shard_now_s(op->shard),
                                   &op->evaluation, err);
    if (code == CS_OK)
        code = ctl_evaluation_add(&op->evaluation, wire, err);
    return code;
}

/* These very bytes were verified and taken before, and the answer was lost: the core finds them and says how
 * things stand. */
static int decode_again(struct ctl_op *op, struct cs_slice wire, struct ctl_decide *ret, struct cs_err *err)
{
    countersign_v1_Decision *decision;
    struct cs_envelope envelope;
    int code = cs_envelope_parse(wire, &envelope, err);

    if (code == CS_OK)
        code = cs_decision_decode(envelope.payload, &decision, err);
    if (code != CS_OK)
        return code;
    op->statement = decision;
    ret->decision = decision;
    ret->digest = cs_sha256(envelope.payload);
    return CS_OK;
}

static void take_evaluated(struct ctl_op *op, struct ctl_decide *ret)
{
    const size_t last = cs_push_decision_count(op->evaluation.push) - 1;

    ret->decision = cs_push_decision(op->evaluation.push, last);
    ret->digest = cs_push_decision_digest(op->evaluation.push, last);
    ret->push = op->evaluation.push;
}

static int prepare_decide(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_DecideRequest *request = op->request;
    struct ctl_decide *decide = &op->body.decide;
    bool again = false;
    int code;

    code = ctl_signed_needs_policy(op, err);
    if (code != CS_OK)
        return code;
    *decide = (struct ctl_decide){
        .number = request->number,
        .envelope = CS_PB_BYTES(&request->envelope),
        .comment = request->comment,
        .policy_version = ctl_trust_version(op->trust),
    };
    code = evaluate(op, request->number, decide->envelope, &again, err);
    if (code == CS_OK && again)
        code = decode_again(op, decide->envelope, decide, err);
    if (code != CS_OK)
        return code;
    if (!again)
        take_evaluated(op, decide);
    code = ctl_signed_name(op, decide->decision->decider, err);
    if (code != CS_OK)
        return code;
    op->task.command.body = decide;
    return ctl_signed_comment(request->comment, CS_PB_BYTES(&decide->decision->comment_digest), err);
}

#define SERVICE "countersign.v1.PushService"
#define METHODS(READ, WRITE)                                                                                 \
    WRITE(PreparePush, CTL_PREPARE_PUSH, NULL, CTL_MAY(REQUESTER))                                           \
    READ(GetOrderCores, ctl_read_GetOrderCores, CTL_MAY_ANYONE)                                              \
    WRITE(SubmitPush, CTL_SUBMIT_PUSH, prepare_submit, CTL_MAY(REQUESTER))                                   \
    WRITE(Decide, CTL_DECIDE, prepare_decide, CTL_MAY_DECIDERS)                                              \
    WRITE(CancelRequest, CTL_CANCEL_REQUEST, NULL, CTL_MAY(REQUESTER) | CTL_MAY(ADMIN))                      \
    READ(ListRequests, ctl_read_ListRequests, CTL_MAY_ANYONE)                                                \
    READ(GetRequest, ctl_read_GetRequest, CTL_MAY_ANYONE)                                                    \
    READ(ListOrders, ctl_read_ListOrders, CTL_MAY_ANYONE)                                                    \
    READ(GetOrder, ctl_read_GetOrder, CTL_MAY_ANYONE)                                                        \
    READ(ExplainPush, ctl_read_ExplainPush, CTL_MAY_ANYONE)                                                  \
    WRITE(PutSealedKeys, CTL_PUT_SEALED_KEYS, NULL, CTL_MAY(REQUESTER))
CTL_SERVICE(ctl_push_methods, METHODS)
