#include "agent/core/journal.h"

static int set_account(struct ag_order *order, struct cs_slice account, struct cs_err *err)
{
    struct cs_buf copy = CS_BUF_EMPTY;

    if (cs_buf_append(&copy, account) != CS_OK)
        return cs_err_nomem(err);
    cs_buf_free(&order->account);
    order->account = copy;
    return CS_OK;
}

/* A place at the front for a new order; the oldest goes when all are taken. What goes is final: a connector
 * has at most one order under way, and that is its newest. */
static struct ag_order *make_room(struct ag_connector_state *connector)
{
    if (connector->order_count == AG_LIMIT_ORDERS_KEPT)
        cs_buf_free(&connector->orders[AG_LIMIT_ORDERS_KEPT - 1].account);
    else
        connector->order_count++;
    memmove(&connector->orders[1], &connector->orders[0],
            (connector->order_count - 1) * sizeof connector->orders[0]);
    connector->orders[0] = (struct ag_order){0};
    return &connector->orders[0];
}

static void raise_floor(struct ag_state *state, int64_t time_s)
{
    if (time_s > state->time_floor_s)
        state->time_floor_s = time_s;
}

int ag_journal_accept(struct ag_state *state, const struct ag_acceptance *acceptance, struct ag_order **ret,
                      struct cs_err *err)
{
    struct ag_connector_state *connector = NULL;
    struct cs_buf account = CS_BUF_EMPTY;
    int code = ag_state_connector_make(state, acceptance->connector, &connector, err);

    if (code)
        return code;
    if (cs_buf_append(&account, acceptance->account) != CS_OK)
        return cs_err_nomem(err);
    struct ag_order *order = ag_state_order(state, acceptance->order_id, NULL);

    if (order) {
        cs_assert(order->phase == AG_PHASE_PUT_BACK && order == &connector->orders[0]);
        cs_buf_free(&order->account);
    } else {
        cs_assert(acceptance->generation > connector->highest_generation);
        order = make_room(connector);
        memcpy(order->order_id, acceptance->order_id.ptr, sizeof order->order_id);
        order->core_digest = acceptance->core_digest;
        order->chain_digest = acceptance->chain_digest;
        order->generation = acceptance->generation;
        order->removes = acceptance->removes;
    }
    order->account = account;
    order->attempt++;
    order->phase = AG_PHASE_ACCEPTED;
    order->acknowledged = false;
    order->previous_generation = connector->installed_generation;
    connector->highest_generation = acceptance->generation;
    raise_floor(state, acceptance->policy_issued_at_s);
    raise_floor(state, acceptance->decided_at_s);
    *ret = order;
    return CS_OK;
}

int ag_journal_begin_put_back(struct ag_order *order, struct cs_slice account, struct cs_err *err)
{
    cs_assert(order->phase == AG_PHASE_ACCEPTED);
    int code = set_account(order, account, err);

    if (!code)
        order->phase = AG_PHASE_PUTTING_BACK;
    return code;
}

int ag_journal_end(struct ag_state *state, struct ag_order *order, struct cs_slice account,
                   struct cs_err *err)
{
    struct ag_connector_state *connector = NULL;

    cs_assert(order->phase == AG_PHASE_ACCEPTED || order->phase == AG_PHASE_PUTTING_BACK);
    cs_assert(ag_state_order(state, CS_SLICE_ARRAY(order->order_id), &connector) == order);
    int code = set_account(order, account, err);

    if (code)
        return code;
    if (order->phase == AG_PHASE_ACCEPTED) {
        order->phase = AG_PHASE_COMPLETED;
        connector->installed_generation = order->removes ? 0 : order->generation;
        connector->installed_digest = order->removes ? (struct cs_digest){0} : order->chain_digest;
    } else {
        order->phase = AG_PHASE_PUT_BACK;
    }
    return CS_OK;
}

struct ag_order *ag_journal_unfinished(const struct ag_state *state,
                                       struct ag_connector_state **ret_connector)
{
    for (size_t i = 0; i < state->connector_count; i++) {
        struct ag_connector_state *connector = &state->connectors[i];

        if (connector->order_count > 0 && !ag_phase_final(connector->orders[0].phase)) {
            *ret_connector = connector;
            return &connector->orders[0];
        }
    }
    return NULL;
}
