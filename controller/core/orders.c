#include "controller/core/orders.h"

#include "controller/core/sealed_keys.h"

#include <inttypes.h>
#include <stdio.h>

#define PHASE(name) countersign_store_v1_Phase_PHASE_##name

int ctl_order_load(struct ctl_run *run, uint64_t number, ctl_order_row *ret)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_ORDER, number);
    int rc = ctl_get(run->view, &key, Order, ret, run->err);

    return rc == CS_ENOTFOUND ? cs_err_set(run->err, rc, "there is no WO-%" PRIu64, number) : rc;
}

static int order_store(struct ctl_run *run, const ctl_order_row *order)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_ORDER, order->number);

    return ctl_put(run->view, &key, Order, order, run->err);
}

/* ---- what an order's phase makes of the rest */

static int64_t later(int64_t time_s, int64_t by_s)
{
    return time_s > INT64_MAX - by_s ? INT64_MAX : time_s + by_s;
}

/* When the clock has to look at the order next; 0: never. */
static int64_t due_of(const ctl_order_row *order, const struct ctl_settings *settings)
{
    switch (order->phase) {
    case PHASE(SCHEDULED):
        return order->offer_at_s < order->end_s ? order->offer_at_s : order->end_s;
    case PHASE(WAITING):
        return order->end_s;
    case PHASE(HANDED_OVER):
        return later(order->end_s, settings->silence_s);
    case PHASE(ACCEPTED):
        return later(order->updated_at_s, settings->silence_s);
    default:
        return 0;
    }
}

static int keep_due(struct ctl_run *run, ctl_order_row *order)
{
    int64_t due_s = due_of(order, run->settings);
    struct ctl_key key;
    int rc = CS_OK;

    if (due_s == order->due_s)
        return CS_OK;
    if (order->due_s) {
        key = ctl_key_due(order->due_s, CTL_DUE_ORDER, order->number);
        rc = ctl_drop(run->view, &key, run->err);
    }
    if (rc == CS_OK && due_s) {
        key = ctl_key_due(due_s, CTL_DUE_ORDER, order->number);
        rc = ctl_index_put(run->view, &key, run->err);
    }
    order->due_s = due_s;
    return rc;
}

static int keep_living(struct ctl_run *run, const ctl_order_row *order, bool was_new, bool ended)
{
    struct ctl_key key =
        ctl_key_generation(CTL_TABLE_LIVE, CTL_BYTES(order->device_id), order->connector, order->generation);

    if (was_new) {
        run->meta.orders_open++;
        return ctl_number_put(run->view, &key, order->number, run->err);
    }
    if (!ended)
        return CS_OK;
    run->meta.orders_open--;
    return ctl_drop(run->view, &key, run->err);
}

static int keep_attachment(struct ctl_run *run, const ctl_order_row *order)
{
    ctl_connector_row connector;
    int rc = ctl_connector_load(run, CTL_BYTES(order->device_id), order->connector, &connector);

    if (rc == CS_ENOTFOUND) /* the device enrolled anew */
        return CS_OK;
    if (rc != CS_OK)
        return rc;
    return ctl_attachment_refresh(run, order->device_name, &connector, CTL_BYTES(order->certificate_id));
}

static void count_state(ctl_request_row *request, ctl_phase before, ctl_phase after)
{
    const size_t from = (size_t)ctl_phase_info(before)->shown, to = (size_t)ctl_phase_info(after)->shown;

    request->orders_in_count = CS_ARRAY_LEN(request->orders_in);
    if (before != PHASE(NEW))
        request->orders_in[from]--;
    request->orders_in[to]++;
}

int ctl_order_apply(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                    enum ctl_order_event event, const char *reason)
{
    const ctl_phase before = order->phase;
    ctl_phase next;
    bool ended;
    int rc = ctl_workflow_next(order->number, before, event, &next, run->err);

    if (rc != CS_OK)
        return rc;
    ended = !ctl_phase_info(before)->ended && ctl_phase_info(next)->ended;
    if (reason && (next != before || !ctl_phase_info(before)->ended))
        CTL_TEXT_SET(order->reason, reason);
    if (next != before) {
        order->phase = next;
        order->updated_at_s = run->now_s;
        count_state(request, before, next);
        rc = keep_living(run, order, before == PHASE(NEW), ended);
    }
    if (rc == CS_OK)
        rc = keep_due(run, order);
    if (rc == CS_OK)
        rc = order_store(run, order);
    if (rc == CS_OK && ended)
        rc = ctl_sealed_key_drop(run, request, order);
    if (rc == CS_OK && next != before && ctl_phase_info(next)->ended)
        rc = keep_attachment(run, order);
    if (rc == CS_OK && next != before)
        rc = ctl_run_wake(run, request->number);
    return rc;
}

/* ---- decisions */

/* Supersedes the orders with lower generations for the same connector that are not handed over. */
static int supersede_earlier(struct ctl_run *run, const ctl_order_row *by)
{
    struct ctl_key prefix = ctl_key_connector(CTL_TABLE_LIVE, CTL_BYTES(by->device_id), by->connector);
    struct ctl_walk walk = ctl_walk(&prefix);
    char reason[64];
    int rc;

    (void)snprintf(reason, sizeof reason, "superseded by WO-%" PRIu64, by->number);
    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK &&
           ctl_key_last_u64(walk.key) < by->generation) {
        ctl_order_row order;
        ctl_request_row request;

        rc = ctl_order_load(run, ctl_number_of(walk.value), &order);
        if (rc != CS_OK)
            return rc;
        if (ctl_phase_info(order.phase)->handed_over)
            continue;
        rc = ctl_request_load(run, order.request_number, &request);
        if (rc == CS_OK)
            rc = ctl_order_apply(run, &request, &order, CTL_ORDER_SUPERSEDED, reason);
        if (rc == CS_OK)
            rc = ctl_request_settle(run, &request);
        if (rc != CS_OK)
            return rc;
        ctl_run_detail(run, "WO-%" PRIu64 " superseded", order.number);
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

int ctl_order_come_back(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order)
{
    ctl_connector_row connector;
    int rc;

    if (ctl_phase_info(order->phase)->ended || ctl_phase_info(order->phase)->handed_over)
        return CS_OK;
    if (order->cancel_asked)
        return ctl_order_apply(run, request, order, CTL_ORDER_CANCELLED, "cancelled");
    rc = ctl_connector_load(run, CTL_BYTES(order->device_id), order->connector, &connector);
    if (rc != CS_OK)
        return rc == CS_ENOTFOUND ? CS_OK : rc;
    return connector.decided_generation > order->generation
               ? ctl_order_apply(run, request, order, CTL_ORDER_SUPERSEDED,
                                 "a later order for this app connector was decided")
               : CS_OK;
}

static int schedule(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                    const struct cs_push_progress *progress)
{
    ctl_connector_row connector;
    int rc = ctl_connector_load(run, CTL_BYTES(order->device_id), order->connector, &connector);

    if (rc != CS_OK)
        return rc;
    if (order->generation < connector.decided_generation)
        return ctl_order_apply(run, request, order, CTL_ORDER_SUPERSEDED,
                               "a later order for this app connector was decided before");
    if (connector.decided_generation != order->generation) {
        connector.decided_generation = order->generation;
        rc = ctl_connector_store(run, CTL_BYTES(order->device_id), &connector);
        if (rc != CS_OK)
            return rc;
    }
    order->stages = order->stages_done = progress->stages;
    /* A review comes back to an order that waits for its next attempt: that keeps its time. */
    if (!order->retries || order->offer_at_s < progress->start_s)
        order->offer_at_s = progress->start_s;
    order->start_s = progress->start_s;
    order->end_s = progress->end_s;
    rc = ctl_order_apply(run, request, order, CTL_ORDER_DECIDED, NULL);
    return rc == CS_OK ? supersede_earlier(run, order) : rc;
}

int ctl_order_decided(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                      const struct cs_push_progress *progress, const char *rejected_by)
{
    char reason[96];

    if (progress->reason == CS_PUSH_OK)
        return schedule(run, request, order, progress);
    if (!ctl_phase_info(order->phase)->undecided)
        return ctl_order_apply(run, request, order, CTL_ORDER_POLICY_CHANGED, "policy changed");
    if (progress->reason == CS_PUSH_REJECTED) {
        (void)snprintf(reason, sizeof reason, "rejected by %s", rejected_by ? rejected_by : "a decider");
        return ctl_order_apply(run, request, order, CTL_ORDER_REJECTED, reason);
    }
    order->stages = progress->stages;
    order->stages_done = progress->stage ? progress->stage - 1 : 0;
    return ctl_order_apply(run, request, order, progress->stage <= 1 ? CTL_ORDER_OPENED : CTL_ORDER_REVIEWED,
                           NULL);
}

/* ---- delivery */

static int tell_device(struct ctl_run *run, enum ctl_effect_kind kind, const ctl_order_row *order,
                       uint64_t session_id)
{
    struct ctl_effect effect = {.kind = kind,
                                .order_number = order->number,
                                .request_number = order->request_number,
                                .session_id = session_id};

    memcpy(effect.device_id, order->device_id.bytes, sizeof effect.device_id);
    return ctl_run_effect(run, &effect);
}

int ctl_order_lapse(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order, const char *reason)
{
    char both[sizeof order->reason];

    if (!order->retries)
        return ctl_order_apply(run, request, order, CTL_ORDER_EXPIRED, reason);
    (void)snprintf(both, sizeof both, "%.400s; %s", order->reason, reason);
    return ctl_order_apply(run, request, order, CTL_ORDER_FAILED, both);
}

int ctl_order_hand_over(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                        uint64_t session_id)
{
    int rc = ctl_order_apply(run, request, order, CTL_ORDER_HANDED_OVER, NULL);

    return rc == CS_OK ? tell_device(run, CTL_EFFECT_DELIVER, order, session_id) : rc;
}

int ctl_order_ask_cancel(struct ctl_run *run, ctl_order_row *order, uint64_t session_id)
{
    int rc = CS_OK;

    cs_assert(ctl_phase_info(order->phase)->handed_over);
    if (!order->cancel_asked) {
        order->cancel_asked = true;
        rc = order_store(run, order);
    }
    return rc == CS_OK ? tell_device(run, CTL_EFFECT_CANCEL, order, session_id) : rc;
}

int ctl_orders_end_for(struct ctl_run *run, struct cs_slice device_id, bool gone, const char *reason)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_LIVE, device_id);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        ctl_order_row order;
        ctl_request_row request;
        bool handed_over;

        rc = ctl_order_load(run, ctl_number_of(walk.value), &order);
        if (rc != CS_OK)
            return rc;
        handed_over = ctl_phase_info(order.phase)->handed_over;
        if (handed_over && !gone)
            continue;
        rc = ctl_request_load(run, order.request_number, &request);
        if (rc == CS_OK)
            rc = ctl_order_apply(run, &request, &order, handed_over ? CTL_ORDER_FAILED : CTL_ORDER_CANCELLED,
                                 reason);
        if (rc == CS_OK)
            rc = ctl_request_settle(run, &request);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* ---- the request as a whole */

int ctl_request_load(struct ctl_run *run, uint64_t number, ctl_request_row *ret)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, number);
    int rc = ctl_get(run->view, &key, Request, ret, run->err);

    return rc == CS_ENOTFOUND ? cs_err_set(run->err, rc, "there is no REQ-%" PRIu64, number) : rc;
}

int ctl_request_store(struct ctl_run *run, const ctl_request_row *request)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, request->number);

    return ctl_put(run->view, &key, Request, request, run->err);
}

bool ctl_request_open(const ctl_request_row *request)
{
    return ctl_request_state(request) <= countersign_v1_OrderState_ORDER_STATE_PUSH_IN_PROGRESS;
}

countersign_v1_OrderState ctl_request_state(const ctl_request_row *request)
{
    for (pb_size_t state = 0; state < request->orders_in_count; state++)
        if (request->orders_in[state])
            return (countersign_v1_OrderState)state;
    return countersign_v1_OrderState_ORDER_STATE_UNSPECIFIED;
}

static bool waits_for_people(const ctl_request_row *request)
{
    return request->orders_in[countersign_v1_OrderState_ORDER_STATE_PUSH_APPROVAL_PENDING] ||
           request->orders_in[countersign_v1_OrderState_ORDER_STATE_PUSH_REVIEW_IN_PROGRESS];
}

int ctl_request_settle(struct ctl_run *run, ctl_request_row *request)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_OPEN_REQUEST, request->number);
    struct cs_slice there;
    int rc = CS_OK;

    if (!waits_for_people(request)) {
        struct ctl_key due = ctl_key_due(request->decide_by_s, CTL_DUE_DECIDE_BY, request->number);

        request->stage = request->decided = request->required = 0;
        request->stage_name[0] = '\0';
        rc = ctl_drop(run->view, &due, run->err);
    }
    if (rc == CS_OK && !ctl_request_open(request)) {
        rc = ctl_bytes_get(run->view, &key, &there, run->err);
        if (rc == CS_OK) {
            run->meta.requests_open--;
            rc = ctl_drop(run->view, &key, run->err);
        } else if (rc == CS_ENOTFOUND) {
            rc = CS_OK;
        }
    }
    return rc == CS_OK ? ctl_request_store(run, request) : rc;
}
