/* Reads about requests, their decisions and their work orders. */
#include "controller/core/query.h"
#include "controller/core/query_rows.h"
#include "controller/core/workflow.h"

#include <inttypes.h>

/* Newest first: backwards from the end, or from a number that the caller has seen. */
static struct ctl_walk walk_back(const struct ctl_key *prefix, uint64_t before_number)
{
    struct ctl_walk walk = ctl_walk(prefix);

    walk.reverse = true;
    if (before_number) {
        struct ctl_key before = *prefix;

        ctl_key_add_u64(&before, before_number);
        walk = ctl_walk_after(prefix, &before, true);
    }
    return walk;
}

int ctl_query_GetOrderCores(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                            const countersign_v1_GetOrderCoresRequest *request,
                            countersign_v1_GetOrderCoresResponse *reply, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_CORE, request->number);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    (void)presence;
    (void)now_s;
    if (request->from_index) {
        struct ctl_key before = ctl_key_numbers(CTL_TABLE_CORE, request->number, request->from_index - 1);

        walk = ctl_walk_after(&prefix, &before, false);
    }
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        if (reply->cores_count == CS_ARRAY_LEN(reply->cores)) {
            reply->more = true;
            return CS_OK;
        }
        CTL_BYTES_SET(reply->cores[reply->cores_count], walk.value);
        reply->cores_count++;
    }
    if (rc == CS_ENOTFOUND && reply->cores_count == 0 && request->from_index == 0)
        return cs_err_set(err, rc, "there is no request REQ-%" PRIu64 ": its reservation may have expired",
                          request->number);
    return ctl_walked(rc);
}

int ctl_query_ListRequests(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                           const countersign_v1_ListRequestsRequest *request,
                           countersign_v1_ListRequestsResponse *reply, struct cs_err *err)
{
    size_t most = ctl_page_size(request->limit, CS_ARRAY_LEN(reply->requests));
    struct ctl_key prefix = ctl_key(request->open_only ? CTL_TABLE_OPEN_REQUEST : CTL_TABLE_REQUEST);
    struct ctl_walk walk = walk_back(&prefix, request->before_number);
    int rc;

    (void)presence;
    (void)now_s;
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_request_row row;

        if (reply->requests_count == most) {
            reply->more = true;
            return CS_OK;
        }
        rc = ctl_find_request(view, ctl_key_last_u64(walk.key), &row, err);
        if (rc != CS_OK)
            return rc;
        ctl_show_request(&row, &reply->requests[reply->requests_count++]);
    }
    return ctl_walked(rc);
}

static int show_decision(struct cs_slice value, countersign_v1_DecisionRecord *ret, struct cs_err *err)
{
    ctl_decision_row row;
    int rc = ctl_decode(value, Decision, &row, err);

    if (rc != CS_OK)
        return rc;
    CTL_BYTES_COPY(ret->envelope, row.envelope);
    CTL_TEXT_SET(ret->comment, row.comment);
    return CS_OK;
}

int ctl_query_GetRequest(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                         const countersign_v1_GetRequestRequest *request,
                         countersign_v1_GetRequestResponse *reply, struct cs_err *err)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST_ENVELOPE, request->number);
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_DECISION, request->number);
    struct ctl_walk walk = ctl_walk(&prefix);
    struct cs_slice envelope;
    ctl_request_row row;
    int rc = ctl_find_request(view, request->number, &row, err);

    (void)presence;
    (void)now_s;
    if (rc == CS_OK)
        rc = ctl_bytes_get(view, &key, &envelope, err);
    if (rc != CS_OK)
        return rc;
    reply->has_request = true;
    ctl_show_request(&row, &reply->request);
    CTL_BYTES_SET(reply->envelope, envelope);
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        if (reply->decisions_count == CS_ARRAY_LEN(reply->decisions))
            return cs_err_set(err, CS_ECORRUPT, "REQ-%" PRIu64 " has more decisions than are allowed",
                              request->number);
        rc = show_decision(walk.value, &reply->decisions[reply->decisions_count++], err);
        if (rc != CS_OK)
            return rc;
    }
    return ctl_walked(rc);
}

/* ---- lists of orders */

/* Orders that one page looks at for those that it wants: a filter that few pass must not hold up others. */
enum { ORDERS_LOOKED_AT = 1024 };

struct order_search {
    struct ctl_view *view;
    const countersign_v1_ListOrdersRequest *wanted;
    struct ctl_key prefix;  /* all orders, or a device's */
    uint64_t first, before; /* what is left of the numbers */
    uint64_t of_request;    /* the request that was looked at last, and where its orders begin */
    uint64_t of_first;
    bool of_none; /* none of its orders is in the state that is wanted */
};

/* A request's orders have consecutive numbers. */
static int begin_search(struct order_search *search, struct cs_err *err)
{
    const countersign_v1_ListOrdersRequest *wanted = search->wanted;
    ctl_request_row row;
    int rc;

    search->first = 1;
    search->before = wanted->before_number ? wanted->before_number : UINT64_MAX;
    search->prefix = wanted->device_name[0] ? ctl_key_name(CTL_TABLE_DEVICE_ORDER, wanted->device_name)
                                            : ctl_key(CTL_TABLE_ORDER);
    if (wanted->request_number == 0)
        return CS_OK;
    rc = ctl_find_request(search->view, wanted->request_number, &row, err);
    if (rc != CS_OK)
        return rc;
    search->first = row.first_order;
    if (search->before > row.first_order + row.order_count)
        search->before = row.first_order + row.order_count;
    return CS_OK;
}

/* The next lower one; CS_ENOTFOUND: there is none. */
static int next_order(struct order_search *search, ctl_order_row *ret, struct cs_err *err)
{
    struct ctl_key before = search->prefix;
    struct ctl_walk walk;
    int rc;

    ctl_key_add_u64(&before, search->before);
    walk = ctl_walk_after(&search->prefix, &before, true);
    rc = ctl_walk_next(search->view, &walk, err);
    if (rc != CS_OK)
        return rc;
    search->before = ctl_key_last_u64(walk.key);
    return search->before < search->first ? CS_ENOTFOUND
                                          : ctl_find_order(search->view, search->before, ret, err);
}

/* Not in the state that is wanted: if its request has none in it, the request's other orders are passed over.
 */
static int pass_over(struct order_search *search, const ctl_order_row *order, struct cs_err *err)
{
    const pb_size_t state = (pb_size_t)search->wanted->state;
    ctl_request_row row;
    int rc;

    if (search->of_request != order->request_number) {
        rc = ctl_find_request(search->view, order->request_number, &row, err);
        if (rc != CS_OK)
            return rc;
        search->of_request = order->request_number;
        search->of_first = row.first_order;
        search->of_none = state >= row.orders_in_count || row.orders_in[state] == 0;
    }
    if (search->of_none && search->of_first < search->before)
        search->before = search->of_first;
    return CS_OK;
}

int ctl_query_ListOrders(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                         const countersign_v1_ListOrdersRequest *request,
                         countersign_v1_ListOrdersResponse *reply, struct cs_err *err)
{
    size_t most = ctl_page_size(request->limit, CS_ARRAY_LEN(reply->orders));
    struct order_search search = {.view = view, .wanted = request};
    int rc = begin_search(&search, err);

    (void)presence;
    (void)now_s;
    if (rc != CS_OK)
        return rc;
    for (unsigned looked = 0;; looked++) {
        const uint64_t before = search.before;
        ctl_order_row order;

        rc = next_order(&search, &order, err);
        if (rc != CS_OK)
            return ctl_walked(rc);
        if (reply->orders_count == most || looked == ORDERS_LOOKED_AT) {
            reply->more = true;
            reply->next_before_number = before;
            return CS_OK;
        }
        if (request->state == countersign_v1_OrderState_ORDER_STATE_UNSPECIFIED ||
            ctl_phase_info(order.phase)->shown == request->state)
            ctl_show_order(&order, &reply->orders[reply->orders_count++]);
        else
            rc = pass_over(&search, &order, err);
        if (rc != CS_OK)
            return rc;
    }
}

int ctl_query_GetOrder(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                       const countersign_v1_GetOrderRequest *request, countersign_v1_GetOrderResponse *reply,
                       struct cs_err *err)
{
    struct cs_slice bytes;
    struct ctl_key key;
    ctl_order_row row;
    int rc = ctl_find_order(view, request->number, &row, err);

    (void)presence;
    (void)now_s;
    if (rc != CS_OK)
        return rc;
    reply->has_order = true;
    ctl_show_order(&row, &reply->order);
    key = ctl_key_numbers(CTL_TABLE_CORE, row.request_number, row.index);
    rc = ctl_bytes_get(view, &key, &bytes, err);
    if (rc != CS_OK)
        return rc;
    CTL_BYTES_SET(reply->core, bytes);
    key = ctl_key_number(CTL_TABLE_REPORT, row.number);
    rc = ctl_bytes_get(view, &key, &bytes, err);
    if (rc == CS_OK)
        CTL_BYTES_SET(reply->report, bytes);
    return ctl_walked(rc);
}

int ctl_query_decidable(struct ctl_view *view, uint64_t request_number, struct cs_err *err)
{
    char possible[CTL_POSSIBLE_BYTES];
    ctl_request_row request;
    ctl_order_row order;
    int rc = ctl_find_request(view, request_number, &request, err);

    if (rc != CS_OK || request.orders_in[countersign_v1_OrderState_ORDER_STATE_PUSH_APPROVAL_PENDING] ||
        request.orders_in[countersign_v1_OrderState_ORDER_STATE_PUSH_REVIEW_IN_PROGRESS])
        return rc;
    rc = ctl_find_order(view, request.first_order, &order, err);
    if (rc != CS_OK)
        return rc;
    return cs_err_set(err, CS_ESTATE,
                      "nothing of REQ-%" PRIu64 " waits for a decision: WO-%" PRIu64 " is %s; possible: %s",
                      request_number, order.number, ctl_state_text(ctl_phase_info(order.phase)->shown),
                      ctl_workflow_possible(order.phase, possible));
}

int ctl_query_decided(struct ctl_view *view, uint64_t request_number, struct cs_slice envelope,
                      bool *ret_decided, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_DECISION, request_number);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    *ret_decided = false;
    while (!*ret_decided && (rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_decision_row row;

        rc = ctl_decode(walk.value, Decision, &row, err);
        if (rc != CS_OK)
            return rc;
        *ret_decided = cs_slice_eq(CTL_BYTES(row.envelope), envelope);
    }
    return *ret_decided ? CS_OK : ctl_walked(rc);
}
