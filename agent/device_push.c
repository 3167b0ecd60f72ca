#include "agent/device_impl.h"

#include "agent/core/journal.h"
#include "shared/base/text.h"

struct delivery {
    struct cs_list node;
    struct cs_buf bytes;
};
#define DELIVERY(at) CS_CONTAINER_OF(at, struct delivery, node)

/* Nothing of it is believed yet. */
int ag_order_of(const countersign_v1_PushDelivery *delivery, countersign_v1_PushMessage **ret_message,
                countersign_v1_OrderCore **ret_core, struct cs_err *err)
{
    int code = cs_push_message_decode(CS_PB_BYTES(&delivery->message), ret_message, err);

    return code ? code : cs_core_decode(CS_PB_BYTES(&(*ret_message)->order_core), ret_core, err);
}

/* ---- deciding */

/* Makes the order durable before anything of it is done. A state that cannot be written is read back, so that
 * memory and disk agree, and the order is refused. */
static int journal(struct ag_device *device, struct ag_decision *decision, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    struct ag_order *order = NULL;
    int code = ag_report_finish(device, &decision->report, &payload, err);
    const struct ag_acceptance acceptance = ag_decision_acceptance(decision, cs_buf_slice(&payload));

    if (!code)
        code = ag_journal_accept(&device->state, &acceptance, &order, err);
    if (code)
        return code;
    code = ag_device_save(device, err);
    if (code) {
        struct ag_state again;
        struct cs_err why = {0};

        if (ag_store_load_state(&device->store, &device->identity, &again, &why) != CS_OK) {
            ag_device_fatal(device, &why);
            return code;
        }
        ag_state_free(&device->state);
        device->state = again;
        return code;
    }
    ag_report_log(&decision->report);
    /* The order is accepted, whether or not this can be told now: its end will be. */
    if (ag_report_post(device, &decision->report, cs_buf_slice(&payload), err) != CS_OK)
        cs_log(CS_LOG_WARN, "push", "acceptance not reported", CS_F("error", err->msg), CS_FEND);
    return CS_OK;
}

static bool is_under_way(const struct ag_device *device, struct cs_slice order_id)
{
    const struct ag_order *order = ag_state_order(&device->state, order_id, NULL);

    return order && !ag_phase_final(order->phase);
}

static void act(struct ag_device *device, struct ag_decision *decision)
{
    struct cs_slice order_id = CS_PB_BYTES(&decision->report.order_id);
    struct cs_err err = {0};

    switch (decision->verdict) {
    case AG_OK:
        if (journal(device, decision, &err) != CS_OK) {
            /* Read back, it may be there after all: then it is ended like any that was interrupted. */
            if (device->dead || is_under_way(device, order_id))
                return;
            decision->report.outcome = countersign_v1_Outcome_OUTCOME_REFUSED;
            ag_report_set_verdict(&decision->report, AG_STORAGE_FAILED, err.msg);
            ag_report_pass(device, &decision->report);
            return;
        }
        ag_order_begin(device, decision);
        return;
    case AG_ENDED_BEFORE:
        ag_report_repeat(device, ag_state_order(&device->state, order_id, NULL));
        return;
    case AG_IN_PROGRESS:
        return;
    default:
        ag_report_pass(device, &decision->report);
    }
}

int ag_order_find_kept(struct ag_device *device, const countersign_v1_PushDelivery *delivery,
                       struct cs_buf *chain, struct cs_buf *key, struct cs_err *err)
{
    cs_auto_free countersign_v1_PushMessage *message = NULL;
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    struct ag_port *port = device->store.port;
    char path[AG_LIMIT_PATH_BYTES];
    int code = ag_order_of(delivery, &message, &core, err);

    if (code || core->action != countersign_v1_Action_ACTION_ROLL_BACK ||
        !ag_connectors_find(&device->config->connectors, core->connector))
        return code == CS_ENOMEM ? code : CS_OK;
    /* Secrets go into room that does not grow. */
    if (cs_buf_reserve(key, CS_LIMIT_PEM_BYTES) != CS_OK)
        return cs_err_nomem(err);
    for (int i = 0; !code && i < 2; i++) {
        code = ag_generation_path(device->config->state, core->connector, core->target_generation,
                                  i ? "key.pem" : "chain.pem", path, sizeof path, err);
        if (!code)
            code = port->read_file(port, path, CS_LIMIT_PEM_BYTES, i ? key : chain, err);
    }
    if (code)
        cs_buf_clear(chain);
    return code == CS_ENOMEM ? code : CS_OK;
}

static struct ag_decision *decide(struct ag_device *device, struct cs_slice bytes)
{
    cs_auto_free countersign_v1_PushDelivery *delivery = calloc(1, sizeof *delivery);
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    cs_auto(cs_buf_wipe) struct cs_buf own_key = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf kept_chain = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf kept_key = CS_BUF_EMPTY;
    struct cs_err err = {0};

    if (!delivery ||
        cs_message_decode(countersign_v1_PushDelivery_fields, bytes, delivery, "the push delivery", &err) !=
            CS_OK ||
        ag_keys_find_own(device, delivery, &own_key, &err) != CS_OK ||
        ag_order_find_kept(device, delivery, &kept_chain, &kept_key, &err) != CS_OK)
        return NULL;
    if (device->state.policy_version > 0 &&
        ag_store_load_policy(&device->store, device->state.policy_version, &policy, &err) != CS_OK)
        cs_log(CS_LOG_ERROR, "policy", "stored policy not readable", CS_F("error", err.msg), CS_FEND);
    struct ag_device_time time = ag_device_now(device, policy);
    const struct ag_facts facts = {
        .deployment_id = CS_SLICE_ARRAY(device->identity.pin.deployment_id),
        .device_id = CS_SLICE_ARRAY(device->identity.device_id),
        .device_name = device->identity.device_name,
        .policy = policy,
        .state = &device->state,
        .connectors = &device->config->connectors,
        .kem_key = device->keys.kem,
        .own_key = cs_buf_slice(&own_key),
        .kept_chain = cs_buf_slice(&kept_chain),
        .kept_key = cs_buf_slice(&kept_key),
        .now_s = time.now_s,
        .time_known = time.known,
    };

    return ag_decide(&facts, delivery);
}

static void free_delivery(struct ag_device *device, struct delivery *delivery)
{
    cs_list_remove(&delivery->node);
    device->delivery_count--;
    device->delivery_bytes -= delivery->bytes.len;
    cs_buf_free(&delivery->bytes);
    free(delivery);
}

/* A policy that the delivery's signers saw may be on its way. */
static bool waits_for_policy(struct ag_device *device, const struct ag_decision *decision)
{
    if (decision->verdict != AG_POLICY_TOO_OLD && decision->verdict != AG_NO_POLICY)
        return false;
    if (device->policy_given_up)
        return false;
    device->policy_expected = true;
    device->events->on_policy_wanted(device->owner, ag_device_next_policy(device));
    return true;
}

static bool is_full(const struct ag_device *device)
{
    return device->delivery_count == AG_LIMIT_DELIVERIES_WAITING ||
           device->delivery_bytes >= AG_LIMIT_DELIVERIES_BYTES;
}

void ag_device_go_on(struct ag_device *device)
{
    while (device->recovered && !device->busy && !device->policy_expected && !device->dead) {
        if (ag_order_recover_one(device))
            return;
        if (cs_list_empty(&device->deliveries))
            break;
        struct delivery *delivery = DELIVERY(device->deliveries.next);
        cs_auto(ag_decision_freep) struct ag_decision *decision =
            decide(device, cs_buf_slice(&delivery->bytes));

        if (decision && waits_for_policy(device, decision))
            break;
        device->policy_given_up = false;
        free_delivery(device, delivery);
        if (!decision) {
            cs_log(CS_LOG_ERROR, "push", "delivery not readable", CS_FEND);
            continue;
        }
        act(device, decision);
        if (device->busy)
            break;
    }
    device->events->on_full(device->owner, is_full(device));
}

int ag_device_deliver(struct ag_device *device, struct cs_slice bytes, struct cs_err *err)
{
    if (device->delivery_count == AG_LIMIT_DELIVERIES_WAITING)
        return cs_err_set(err, CS_EFULL, "%zu deliveries wait already", device->delivery_count);
    struct delivery *delivery = calloc(1, sizeof *delivery);

    if (!delivery || cs_buf_append(&delivery->bytes, bytes) != CS_OK) {
        free(delivery);
        return cs_err_nomem(err);
    }
    cs_list_append(&device->deliveries, &delivery->node);
    device->delivery_count++;
    device->delivery_bytes += bytes.len;
    ag_device_go_on(device);
    return CS_OK;
}

void ag_device_forget_deliveries(struct ag_device *device)
{
    while (!cs_list_empty(&device->deliveries))
        free_delivery(device, DELIVERY(device->deliveries.next));
    ag_keys_forget_requests(device);
    device->policy_expected = false;
    device->policy_given_up = false;
    device->has_session_time = false;
}

/* ---- cancelling */

static struct delivery *find_delivery(struct ag_device *device, struct cs_slice order_id)
{
    cs_auto_free countersign_v1_PushDelivery *delivery = calloc(1, sizeof *delivery);

    if (!delivery)
        return NULL;
    CS_LIST_FOREACH(node, &device->deliveries)
    {
        cs_auto_free countersign_v1_PushMessage *message = NULL;
        cs_auto_free countersign_v1_OrderCore *core = NULL;

        if (cs_message_decode(countersign_v1_PushDelivery_fields, cs_buf_slice(&DELIVERY(node)->bytes),
                              delivery, "the push delivery", NULL) == CS_OK &&
            ag_order_of(delivery, &message, &core, NULL) == CS_OK &&
            cs_slice_eq(CS_PB_BYTES(&core->order_id), order_id))
            return DELIVERY(node);
    }
    return NULL;
}

/* Nothing of it is here: it was put off, or its push never came. */
static void refuse_unknown(struct ag_device *device, struct cs_slice order_id)
{
    cs_auto_free countersign_v1_DeviceReport *report = calloc(1, sizeof *report);

    if (!report)
        return;
    CS_PB_SET(&report->deployment_id, CS_SLICE_ARRAY(device->identity.pin.deployment_id));
    CS_PB_SET(&report->device_id, CS_SLICE_ARRAY(device->identity.device_id));
    CS_PB_SET(&report->order_id, order_id);
    report->policy_version = device->state.policy_version;
    report->outcome = countersign_v1_Outcome_OUTCOME_REFUSED;
    ag_report_set_verdict(report, AG_CANCELLED, NULL);
    ag_report_pass(device, report);
}

void ag_device_cancel(struct ag_device *device, struct cs_slice order_id)
{
    const struct ag_order *order = ag_state_order(&device->state, order_id, NULL);
    /* Of an order that was put back a further attempt may wait here: nothing of that has begun. */
    struct delivery *delivery =
        !order || order->phase == AG_PHASE_PUT_BACK ? find_delivery(device, order_id) : NULL;

    if (order_id.len != sizeof device->order_id)
        return;
    /* One that has ended, but cannot be written down yet, has not ended. */
    bool ends_now = device->busy && cs_slice_eq(order_id, CS_SLICE_ARRAY(device->order_id));

    if (order && ag_phase_final(order->phase) && !delivery && !ends_now)
        ag_report_repeat(device, order);
    if (!order && !delivery)
        refuse_unknown(device, order_id);
    if (!delivery)
        return;
    cs_auto(ag_decision_freep) struct ag_decision *decision = decide(device, cs_buf_slice(&delivery->bytes));

    if (delivery->node.prev == &device->deliveries)
        device->policy_expected = false;
    free_delivery(device, delivery);
    if (decision) {
        decision->report.outcome = countersign_v1_Outcome_OUTCOME_REFUSED;
        ag_report_set_verdict(&decision->report, AG_CANCELLED, NULL);
        ag_report_pass(device, &decision->report);
    }
    ag_device_go_on(device);
}

/* ---- beginning */

void ag_device_recover(struct ag_device *device)
{
    device->recovered = true;
    ag_keys_recover(device);
    ag_device_post_unacknowledged(device);
    ag_device_look_again(device);
    ag_device_go_on(device);
}
