/* What time brings: orders that start, end or fall silent, requests that nobody decided, reservations that
 * lapsed, and requests to look at again after a newer policy. */
#include "controller/core/deliver.h"
#include "controller/core/orders.h"
#include "controller/core/overrides.h"
#include "controller/core/reservations.h"

#include "shared/base/text.h"

#include <inttypes.h>
#include <stdio.h>

#define PHASE(name) countersign_store_v1_Phase_PHASE_##name

/* Verifying a request's signatures takes milliseconds: few in one run, so that other commands get their turn.
 */
enum { REVIEWS_IN_A_RUN = 8 };

/* ---- delivery */

static bool is_deliverable(const struct ctl_run *run, const ctl_order_row *order)
{
    switch (order->phase) {
    case PHASE(SCHEDULED):
    case PHASE(WAITING):
        return order->offer_at_s <= run->now_s && run->now_s < order->end_s;
    case PHASE(HANDED_OVER):
    case PHASE(ACCEPTED):
        return true;
    default:
        return false;
    }
}

/* A review may have cancelled or put back the order, and its certificate may have been revoked or have
 * expired: only what still stands is handed over. CS_ESTALE: the
 * newest policy is on its way to us, and the clock will ask again. */
static int deliver(struct ctl_run *run, uint64_t number, uint64_t session_id)
{
    ctl_request_row request;
    ctl_order_row order;
    bool fit = true;
    int rc = ctl_order_load(run, number, &order);

    if (rc == CS_OK)
        rc = ctl_request_load(run, order.request_number, &request);
    if (rc == CS_OK && !ctl_phase_info(order.phase)->handed_over) {
        rc = ctl_request_review(run, &request);
        if (rc == CS_OK)
            rc = ctl_order_load(run, number, &order);
    }
    if (rc != CS_OK || !is_deliverable(run, &order))
        return rc;
    if (order.cancel_asked)
        return ctl_order_ask_cancel(run, &order, session_id);
    rc = ctl_order_check_fit(run, &request, &order, session_id, &fit);
    if (rc != CS_OK || !fit)
        return rc;
    rc = ctl_order_hand_over(run, &request, &order, session_id);
    return rc == CS_OK ? ctl_request_store(run, &request) : rc;
}

/* The clock was set back since the order was due: it is not yet, and will be. */
static int put_off(struct ctl_run *run, ctl_order_row *order)
{
    ctl_request_row request;
    int rc = ctl_request_load(run, order->request_number, &request);

    if (rc == CS_OK)
        rc = ctl_order_apply(run, &request, order, CTL_ORDER_NOT_YET, NULL);
    return rc == CS_OK ? ctl_request_store(run, &request) : rc;
}

int ctl_deliver_waiting(struct ctl_run *run, struct cs_slice device_id, uint64_t session_id)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_LIVE, device_id);
    struct ctl_walk walk = ctl_walk(&prefix);
    unsigned handed_over = 0;
    int rc;

    while (handed_over < CTL_DELIVER_MOST && (rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        ctl_order_row order;

        rc = ctl_order_load(run, ctl_number_of(walk.value), &order);
        if (rc != CS_OK)
            return rc;
        if (order.phase == PHASE(WAITING) && run->now_s < order.offer_at_s)
            rc = put_off(run, &order);
        if (rc != CS_OK)
            return rc;
        if (!is_deliverable(run, &order))
            continue;
        rc = deliver(run, order.number, session_id);
        if (rc == CS_ESTALE)
            continue;
        if (rc != CS_OK)
            return rc;
        handed_over++;
    }
    return handed_over == CTL_DELIVER_MOST || rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* ---- orders */

static int start_order(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order)
{
    ctl_session_row session;
    bool open, fit;
    int rc;

    if (run->now_s >= order->end_s)
        return ctl_order_lapse(run, request, order, "the window ended before the device took it");
    rc = ctl_order_check_fit(run, request, order, 0, &fit);
    if (rc != CS_OK || !fit)
        return rc;
    rc = ctl_session_load(run, CTL_BYTES(order->device_id), &session, &open);
    if (rc != CS_OK)
        return rc;
    return open ? ctl_order_hand_over(run, request, order, session.session_id)
                : ctl_order_apply(run, request, order, CTL_ORDER_DUE, NULL);
}

/* The reason states the time, because it is configured. */
static int fall_silent(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order)
{
    char time[CS_DURATION_TEXT_BYTES], reason[160];

    cs_duration_text(run->settings->silence_s, time);
    if (order->phase == PHASE(ACCEPTED))
        (void)snprintf(reason, sizeof reason,
                       "silent: the device accepted and said nothing for %s; a late report still counts",
                       time);
    else
        (void)snprintf(reason, sizeof reason,
                       "silent: the device was handed the push and said nothing until %s after its window; a "
                       "late report still counts",
                       time);
    return ctl_order_apply(run, request, order, CTL_ORDER_SILENT, reason);
}

static int order_due(struct ctl_run *run, uint64_t number)
{
    ctl_request_row request;
    ctl_order_row order;
    int rc = ctl_order_load(run, number, &order);

    if (rc == CS_OK)
        rc = ctl_request_load(run, order.request_number, &request);
    if (rc == CS_OK && order.phase == PHASE(SCHEDULED)) {
        rc = ctl_request_review(run, &request);
        if (rc == CS_OK)
            rc = ctl_order_load(run, number, &order);
    }
    if (rc != CS_OK || order.due_s == 0 || order.due_s > run->now_s)
        return rc;
    switch (order.phase) {
    case PHASE(SCHEDULED):
        rc = start_order(run, &request, &order);
        break;
    case PHASE(WAITING):
        rc = ctl_order_lapse(run, &request, &order, "the device was not connected before the window ended");
        break;
    default:
        rc = fall_silent(run, &request, &order);
        break;
    }
    if (rc == CS_OK)
        rc = ctl_request_settle(run, &request);
    ctl_run_detail(run, "WO-%" PRIu64 " %s", number, ctl_phase_info(order.phase)->name);
    return rc;
}

/* ---- requests */

/* What is done of a whole request says how many orders that was, so that a run with a large one ends with it.
 */
static int decide_by_over(struct ctl_run *run, uint64_t number, uint32_t *ret_orders)
{
    ctl_request_row request;
    int rc = ctl_request_load(run, number, &request);

    for (uint32_t i = 0; rc == CS_OK && i < request.order_count; i++) {
        ctl_order_row order;

        rc = ctl_order_load(run, request.first_order + i, &order);
        if (rc == CS_OK && ctl_phase_info(order.phase)->undecided)
            rc = ctl_order_apply(run, &request, &order, CTL_ORDER_EXPIRED, "not decided in time");
    }
    if (rc == CS_OK)
        rc = ctl_request_settle(run, &request);
    if (rc == CS_OK)
        *ret_orders = request.order_count;
    ctl_run_detail(run, "REQ-%" PRIu64 " not decided in time", number);
    return rc;
}

static int review(struct ctl_run *run, uint64_t number, uint32_t *ret_orders)
{
    ctl_request_row request;
    int rc = ctl_request_load(run, number, &request);

    if (rc == CS_OK)
        rc = ctl_request_review(run, &request);
    if (rc == CS_OK)
        *ret_orders = request.order_count;
    ctl_run_detail(run, "REQ-%" PRIu64 " reviewed", number);
    return rc;
}

static int do_due(struct ctl_run *run, enum ctl_due_kind kind, uint64_t number, uint32_t *ret_orders)
{
    switch (kind) {
    case CTL_DUE_REVIEW:
        return review(run, number, ret_orders);
    case CTL_DUE_DECIDE_BY:
        return decide_by_over(run, number, ret_orders);
    case CTL_DUE_ORDER:
        return order_due(run, number);
    case CTL_DUE_RESERVATION:
        ctl_run_detail(run, "REQ-%" PRIu64 " not submitted", number);
        return ctl_reservation_lapse(run, number, ret_orders);
    }
    return cs_err_set(run->err, CS_ECORRUPT, "the due queue has an entry of no known kind");
}

int ctl_tick_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_tick *tick = body;
    struct ctl_key prefix = ctl_key(CTL_TABLE_DUE);
    struct ctl_walk walk = ctl_walk(&prefix);
    uint32_t done = 0, reviews = 0;
    int rc = CS_OK;

    (void)reply;
    while (done < tick->most && reviews < REVIEWS_IN_A_RUN &&
           (rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        enum ctl_due_kind kind;
        uint32_t orders = 1;
        uint64_t number;
        int64_t due_s;

        if (!ctl_key_parse_due(walk.key, &due_s, &kind, &number))
            return cs_err_set(run->err, CS_ECORRUPT, "the due queue has a key that is none of its own");
        if (due_s > run->now_s)
            break;
        rc = do_due(run, kind, number, &orders);
        if (rc == CS_ESTALE) /* stays due until the core thread holds the newest policy */
            continue;
        /* An order keeps its own entry; the others are done once. */
        if (rc == CS_OK && kind != CTL_DUE_ORDER)
            rc = ctl_view_delete(run->view, walk.key, run->err);
        if (rc != CS_OK)
            return rc;
        reviews += kind == CTL_DUE_REVIEW;
        done += orders;
    }
    if (rc != CS_OK && rc != CS_ENOTFOUND && rc != CS_ESTALE)
        return rc;
    if (done) {
        char detail[sizeof run->audit.detail];

        memcpy(detail, run->audit.detail, sizeof detail);
        ctl_run_changed(run, detail, "controller");
    }
    return CS_OK;
}
