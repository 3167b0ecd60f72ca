/* From the click to the signed request: reservations, submission, cancelling. */
#include "controller/core/actions.h"
#include "controller/core/evaluate.h"
#include "controller/core/orders.h"
#include "controller/core/overrides.h"
#include "controller/core/reservations.h"
#include "controller/core/sealed_keys.h"

#include <inttypes.h>

/* ---- SubmitPush */

static int check_request(struct ctl_run *run, const struct ctl_submit_push *submit,
                         const ctl_reservation_row *reserved, const ctl_certificate_row *certificate)
{
    const countersign_v1_PushRequest *request = submit->request;

    if (!cs_slice_eq(CTL_BYTES(request->request_id), CTL_BYTES(reserved->request_id)) ||
        !cs_slice_eq(CTL_BYTES(request->order_root), CTL_BYTES(reserved->order_root)) ||
        request->order_count != reserved->order_count)
        return cs_err_set(run->err, CS_EINVAL,
                          "the push request does not sign what was prepared as REQ-%" PRIu64,
                          reserved->number);
    if (request->requested_at_s > run->now_s + CTL_CLOCK_SKEW_S)
        return cs_err_set(run->err, CS_EINVAL, "the push request is from the future: set the client's clock");
    if (request->decide_by_s <= run->now_s)
        return cs_err_set(run->err, CS_EINVAL, "the push request's time to decide is over already");
    return ctl_overrides_check(certificate, ctl_action_of(reserved->action), request->overrides,
                               request->overrides_count, run->now_s, run->err);
}

static void fill_request(ctl_request_row *row, const struct ctl_submit_push *submit,
                         const ctl_reservation_row *reserved, const ctl_certificate_row *certificate)
{
    const countersign_v1_PushRequest *request = submit->request;

    memset(row, 0, sizeof *row);
    row->number = reserved->number;
    CTL_BYTES_COPY(row->request_id, reserved->request_id);
    CTL_BYTES_SET(row->digest, cs_digest_slice(&submit->digest));
    CTL_BYTES_COPY(row->certificate_id, certificate->id);
    CTL_TEXT_SET(row->certificate_name, certificate->common_name);
    row->action = ctl_action_of(reserved->action);
    if (row->action != countersign_v1_Action_ACTION_REMOVE)
        CTL_BYTES_COPY(row->chain_digest, certificate->chain_digest);
    CTL_TEXT_SET(row->requester, request->requester);
    row->requested_at_s = request->requested_at_s;
    row->decide_by_s = request->decide_by_s;
    row->window_s = request->window_s;
    row->max_attempts = request->max_attempts;
    row->overrides_count = request->overrides_count;
    memcpy(row->overrides, request->overrides, sizeof row->overrides);
    row->first_order = reserved->first_order;
    row->order_count = reserved->order_count;
    row->policy_version = submit->policy_version;
    row->key_mode = reserved->key_mode;
    row->orders_in_count = CS_ARRAY_LEN(row->orders_in);
    CTL_TEXT_SET(row->comment, submit->comment);
}

/* The attachment remembers its newest order, so that the topology can show it without a search. */
static int note_on_attachment(struct ctl_run *run, const ctl_order_row *order)
{
    struct ctl_key key =
        ctl_key_attachment(CTL_BYTES(order->certificate_id), order->device_name, order->connector);
    ctl_attachment_row attachment;
    int rc = ctl_get(run->view, &key, Attachment, &attachment, run->err);

    if (rc == CS_ENOTFOUND)
        return cs_err_set(run->err, CS_ESTALE,
                          "the certificate is no longer attached to %s on %s: prepare the push again",
                          order->connector, order->device_name);
    if (rc != CS_OK)
        return rc;
    attachment.newest_order = order->number;
    return ctl_put(run->view, &key, Attachment, &attachment, run->err);
}

static int index_order(struct ctl_run *run, const ctl_order_row *order)
{
    struct ctl_key by_generation = ctl_key_generation(CTL_TABLE_GENERATION, CTL_BYTES(order->device_id),
                                                      order->connector, order->generation);
    struct ctl_key by_device = ctl_key_name(CTL_TABLE_DEVICE_ORDER, order->device_name);
    int rc = ctl_number_put(run->view, &by_generation, order->number, run->err);

    ctl_key_add_u64(&by_device, order->number);
    if (rc == CS_OK)
        rc = ctl_index_put(run->view, &by_device, run->err);
    return rc == CS_OK ? note_on_attachment(run, order) : rc;
}

/* Fills the row from the core and checks that the device is still the one that it names. */
static int order_from_core(struct ctl_run *run, const ctl_request_row *request, uint32_t index,
                           struct cs_slice core_bytes, ctl_order_row *ret)
{
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    ctl_device_row device;
    int rc = cs_core_decode(core_bytes, &core, run->err);

    if (rc == CS_OK)
        rc = ctl_device_load_named(run, core->device_name, &device);
    if (rc == CS_OK)
        rc = ctl_device_check_open(run, &device);
    if (rc != CS_OK)
        return rc;
    if (!cs_slice_eq(CTL_BYTES(device.device_id), CTL_BYTES(core->device_id)))
        return cs_err_set(run->err, CS_ESTALE, "device %s was enrolled anew: prepare the push again",
                          core->device_name);
    memset(ret, 0, sizeof *ret);
    ret->number = core->number;
    ret->request_number = request->number;
    ret->index = index;
    CTL_BYTES_COPY(ret->order_id, core->order_id);
    CTL_TEXT_SET(ret->device_name, core->device_name);
    CTL_BYTES_COPY(ret->device_id, core->device_id);
    CTL_TEXT_SET(ret->connector, core->connector);
    CTL_BYTES_COPY(ret->certificate_id, request->certificate_id);
    ret->action = core->action;
    ret->generation = core->generation;
    ret->max_attempts = request->max_attempts;
    return CS_OK;
}

/* Which stage people see for the request: that of its least advanced order. */
void ctl_request_show_stage(ctl_request_row *request, const countersign_v1_Rule *rule,
                            const struct cs_push_progress *progress)
{
    if (progress->reason == CS_PUSH_OK) {
        if (!request->start_s || progress->start_s < request->start_s)
            request->start_s = progress->start_s;
        return;
    }
    if (progress->reason != CS_PUSH_UNDECIDED || (request->stage && progress->stage >= request->stage))
        return;
    request->stage = progress->stage;
    request->stages = progress->stages;
    request->decided = progress->decided;
    request->required = progress->required;
    if (progress->stage && progress->stage <= rule->stages_count)
        CTL_TEXT_SET(request->stage_name, rule->stages[progress->stage - 1].name);
}

static int create_orders(struct ctl_run *run, ctl_request_row *request, const struct cs_push *push,
                         const struct ctl_rules *rules)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_CORE, request->number);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc = CS_OK;

    for (uint32_t i = 0; rc == CS_OK && i < request->order_count; i++) {
        struct cs_push_progress progress;
        ctl_order_row order;

        rc = ctl_walk_next(run->view, &walk, run->err);
        if (rc == CS_OK)
            rc = order_from_core(run, request, i, walk.value, &order);
        if (rc == CS_OK)
            rc = index_order(run, &order);
        if (rc != CS_OK)
            break;
        cs_push_progress(push, &rules->orders[i], &progress);
        ctl_request_show_stage(request, rules->orders[i].rule, &progress);
        rc = ctl_order_decided(run, request, &order, &progress, NULL);
    }
    return rc;
}

static int store_request(struct ctl_run *run, const struct ctl_submit_push *submit, ctl_request_row *request)
{
    struct ctl_key envelope = ctl_key_number(CTL_TABLE_REQUEST_ENVELOPE, request->number);
    struct ctl_key open = ctl_key_number(CTL_TABLE_OPEN_REQUEST, request->number);
    struct ctl_key due = ctl_key_due(request->decide_by_s, CTL_DUE_DECIDE_BY, request->number);
    int rc = ctl_bytes_put(run->view, &envelope, submit->envelope, run->err);

    if (rc == CS_OK)
        rc = ctl_index_put(run->view, &open, run->err);
    if (rc == CS_OK)
        rc = ctl_index_put(run->view, &due, run->err);
    run->meta.requests_open++;
    return rc == CS_OK ? ctl_request_store(run, request) : rc;
}

/* The shard's evaluation if it is of this request, else our own. */
static int open_push(struct ctl_run *run, const struct ctl_submit_push *submit, const struct cs_push **ret,
                     struct cs_push **ret_own)
{
    enum cs_push_reason reason;
    struct cs_digest digest;
    int rc;

    if (!submit->push) {
        rc = cs_push_open(run->context->policy, submit->envelope, run->now_s, ret_own, &reason, run->err);
        *ret = *ret_own;
        if (rc != CS_OK)
            return rc;
    } else {
        *ret = submit->push;
    }
    digest = cs_push_request_digest(*ret);
    if (!cs_digest_eq(&digest, &submit->digest) || cs_push_decision_count(*ret) != 0)
        return cs_err_set(run->err, CS_EINVAL, "the push request is not the one that was evaluated");
    return CS_OK;
}

static int submit_reserved(struct ctl_run *run, const struct ctl_submit_push *submit,
                           const ctl_reservation_row *reserved)
{
    cs_auto(cs_push_freep) struct cs_push *own = NULL;
    const struct cs_push *push = NULL;
    struct ctl_rules rules = {0};
    ctl_certificate_row certificate;
    ctl_request_row request;
    int rc = ctl_certificate_load(run, CTL_BYTES(reserved->certificate_id), &certificate);

    if (rc == CS_OK)
        rc = check_request(run, submit, reserved, &certificate);
    if (rc == CS_OK)
        rc = ctl_sealed_keys_check(run, reserved);
    if (rc == CS_OK)
        rc = open_push(run, submit, &push, &own);
    if (rc == CS_OK)
        rc = ctl_rules_load(run->view, run->context->policy, reserved->number, reserved->order_count, &rules,
                            run->err);
    if (rc != CS_OK)
        return rc;
    fill_request(&request, submit, reserved, &certificate);
    rc = store_request(run, submit, &request);
    if (rc == CS_OK)
        rc = create_orders(run, &request, push, &rules);
    if (rc == CS_OK)
        rc = ctl_request_settle(run, &request);
    if (rc == CS_OK)
        rc = ctl_reservation_end(run, reserved);
    ctl_rules_free(&rules);
    return rc;
}

int ctl_submit_push_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_submit_push *submit = body;
    const countersign_v1_PushRequest *signed_request = submit->request;
    countersign_v1_SubmitPushResponse *answer = reply;
    ctl_reservation_row reserved;
    ctl_request_row before;
    int rc;

    /* A client that did not hear our answer sends the same again. */
    rc = ctl_request_load(run, signed_request->number, &before);
    if (rc == CS_OK && cs_slice_eq(CTL_BYTES(before.digest), cs_digest_slice(&submit->digest))) {
        answer->number = before.number;
        return CS_OK;
    }
    if (rc == CS_OK)
        return cs_err_set(run->err, CS_EEXISTS, "REQ-%" PRIu64 " has been submitted already",
                          signed_request->number);
    if (rc != CS_ENOTFOUND)
        return rc;
    rc = ctl_run_check_policy(run, submit->policy_version);
    if (rc == CS_OK)
        rc = ctl_run_check_comment(run, submit->comment, CTL_BYTES(signed_request->comment_digest));
    if (rc == CS_OK)
        rc = ctl_reservation_load(run, signed_request->number, &reserved);
    if (rc == CS_OK)
        rc = submit_reserved(run, submit, &reserved);
    if (rc != CS_OK)
        return rc;
    answer->number = reserved.number;
    ctl_run_changed(run, "", "REQ-%" PRIu64, reserved.number);
    ctl_run_detail(run, "%s requested by %s, %u orders from WO-%" PRIu64,
                   ctl_action_noun(ctl_action_of(reserved.action)), signed_request->requester,
                   (unsigned)reserved.order_count, reserved.first_order);
    return CS_OK;
}

/* ---- CancelRequest */

static int cancel_order(struct ctl_run *run, ctl_request_row *request, uint64_t number, bool named,
                        countersign_v1_CancelRequestResponse *answer)
{
    ctl_order_row order;
    int rc = ctl_order_load(run, number, &order);

    if (rc != CS_OK)
        return rc;
    if (order.request_number != request->number)
        return cs_err_set(run->err, CS_EINVAL, "WO-%" PRIu64 " is not an order of REQ-%" PRIu64, number,
                          request->number);
    if (ctl_phase_info(order.phase)->handed_over) {
        /* From here on only the device can say what became of it. */
        answer->handed_over++;
        return ctl_order_ask_cancel(run, &order, 0);
    }
    if (ctl_phase_info(order.phase)->ended) {
        /* Asked again after a lost answer, or one of all: that is well. */
        if (!named || order.phase == countersign_store_v1_Phase_PHASE_CANCELLED)
            return CS_OK;
        return ctl_workflow_refuse(order.number, order.phase, CTL_ORDER_CANCELLED, run->err);
    }
    answer->cancelled++;
    return ctl_order_apply(run, request, &order, CTL_ORDER_CANCELLED, "cancelled");
}

int ctl_cancel_request_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_CancelRequestRequest *cancel = body;
    countersign_v1_CancelRequestResponse *answer = reply;
    ctl_request_row request;
    int rc = ctl_request_load(run, cancel->number, &request);

    if (rc == CS_OK && !ctl_request_open(&request))
        return cs_err_set(run->err, CS_ESTATE,
                          "every order of REQ-%" PRIu64 " has ended already; possible: push again",
                          request.number);
    for (pb_size_t i = 0; rc == CS_OK && i < cancel->orders_count; i++)
        rc = cancel_order(run, &request, cancel->orders[i], true, answer);
    for (uint32_t i = 0; rc == CS_OK && !cancel->orders_count && i < request.order_count; i++)
        rc = cancel_order(run, &request, request.first_order + i, false, answer);
    if (rc == CS_OK)
        rc = ctl_request_settle(run, &request);
    if (rc != CS_OK)
        return rc;
    ctl_run_changed(run, cancel->comment, "REQ-%" PRIu64, request.number);
    return ctl_run_wake(run, request.number);
}
