#include "controller/api/api.h"
#include "controller/api/signed.h"

static int prepare_submit(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_SubmitPushRequest *request = op->request;
    struct cs_slice wire = CS_PB_BYTES(&request->envelope);
    countersign_v1_PushRequest *push = NULL;
    struct cs_verified verified;
    int code;

    code = ctl_signed_verify(op, wire, CS_STATEMENT_PUSH_REQUEST, &verified, err);
    if (code == CS_OK)
        code = cs_request_decode(verified.payload, &push, err);
    op->statement = push;
    if (code == CS_OK)
        code = ctl_signed_by(op, &verified, push->requester, countersign_v1_Role_ROLE_REQUESTER, err);
    if (code == CS_OK)
        code = ctl_signed_comment(request->comment, CS_PB_BYTES(&push->comment_digest), err);
    if (code != CS_OK)
        return code;
    op->body.submit_push = (struct ctl_submit_push){
        .envelope = wire,
        .request = push,
        .digest = verified.digest,
        .comment = request->comment,
        .policy_version = ctl_trust_version(op->trust),
    };
    op->task.command.body = &op->body.submit_push;
    return CS_OK;
}

/* Which role a stage asks for is the rule's to say: the core counts. */
static int prepare_decide(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_DecideRequest *request = op->request;
    struct cs_slice wire = CS_PB_BYTES(&request->envelope);
    countersign_v1_Decision *decision = NULL;
    struct cs_verified verified;
    int code;

    code = ctl_signed_verify(op, wire, CS_STATEMENT_DECISION, &verified, err);
    if (code == CS_OK)
        code = cs_decision_decode(verified.payload, &decision, err);
    op->statement = decision;
    if (code == CS_OK)
        code = ctl_signed_by(op, &verified, decision->decider, countersign_v1_Role_ROLE_UNSPECIFIED, err);
    if (code == CS_OK)
        code = ctl_signed_comment(request->comment, CS_PB_BYTES(&decision->comment_digest), err);
    if (code != CS_OK)
        return code;
    op->body.decide = (struct ctl_decide){
        .number = request->number,
        .envelope = wire,
        .decision = decision,
        .digest = verified.digest,
        .comment = request->comment,
        .policy_version = ctl_trust_version(op->trust),
    };
    op->task.command.body = &op->body.decide;
    return CS_OK;
}

#define SERVICE "countersign.v1.PushService"
#define METHODS(READ, WRITE)                                                                                 \
    WRITE(PreparePush, CTL_PREPARE_PUSH, NULL, CTL_MAY(REQUESTER))                                           \
    READ(GetOrderCores, ctl_read_GetOrderCores, CTL_MAY_ANYONE)                                              \
    WRITE(SubmitPush, CTL_SUBMIT_PUSH, prepare_submit, CTL_MAY(REQUESTER))                                   \
    WRITE(Decide, CTL_DECIDE, prepare_decide, CTL_MAY_ANYONE)                                                \
    WRITE(CancelRequest, CTL_CANCEL_REQUEST, NULL, CTL_MAY(REQUESTER) | CTL_MAY(ADMIN))                      \
    READ(ListRequests, ctl_read_ListRequests, CTL_MAY_ANYONE)                                                \
    READ(GetRequest, ctl_read_GetRequest, CTL_MAY_ANYONE)                                                    \
    READ(ListOrders, ctl_read_ListOrders, CTL_MAY_ANYONE)                                                    \
    READ(GetOrder, ctl_read_GetOrder, CTL_MAY_ANYONE)
CTL_SERVICE(ctl_push_methods, METHODS)
