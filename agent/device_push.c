#include "agent/device_impl.h"

#include "agent/core/journal.h"
#include "shared/base/text.h"

#include <stdio.h>

struct delivery {
    struct cs_list node;
    struct cs_buf bytes;
};
#define DELIVERY(at) CS_CONTAINER_OF(at, struct delivery, node)

/* ---- reports */

static void log_report(const countersign_v1_DeviceReport *report)
{
    bool good = report->outcome == countersign_v1_Outcome_OUTCOME_COMPLETED ||
                report->outcome == countersign_v1_Outcome_OUTCOME_ACCEPTED;
    static const char *const words[] = {
        "", "push accepted", "push completed", "push failed, put back", "push refused", "push not due yet"};
    char order[33];

    cs_log(good ? CS_LOG_INFO : CS_LOG_WARN, "push", words[report->outcome],
           CS_F("connector", report->connector), CS_F("order", cs_hex(CS_PB_BYTES(&report->order_id), order)),
           CS_FU("generation", report->generation), CS_FU("attempt", report->attempt),
           CS_F("verdict", report->verdict), CS_F("detail", report->detail), CS_FEND);
}

static bool is_final(countersign_v1_Outcome outcome)
{
    return outcome == countersign_v1_Outcome_OUTCOME_COMPLETED ||
           outcome == countersign_v1_Outcome_OUTCOME_FAILED;
}

/* Signs a report's payload, keeps it until it is acknowledged, and hands it to who listens. */
static int post(struct ag_device *device, const countersign_v1_DeviceReport *report, struct cs_slice payload,
                struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf envelope = CS_BUF_EMPTY;
    const struct cs_key *key = ag_renewal_key_for(device, report->sequence);
    int code = cs_envelope_sign(CS_STATEMENT_DEVICE_REPORT, payload, &key, 1, &envelope, err);
    struct cs_slice bytes = cs_buf_slice(&envelope);

    if (!code)
        code = ag_outbox_add(&device->outbox, report->sequence, is_final(report->outcome),
                             report->order_id.bytes, &envelope, err);
    if (!code) {
        ag_installed_reported(&device->installed, device->config, report->connector,
                              CS_PB_BYTES(&report->installed_digest));
        device->events->on_statement(device->owner, bytes);
    }
    return code;
}

/* Gives the report its sequence and time, and its payload. */
static int finish_report(struct ag_device *device, countersign_v1_DeviceReport *report,
                         struct cs_buf *payload, struct cs_err *err)
{
    int code = ag_device_next_sequence(device, &report->sequence, err);

    report->made_at_s = ag_device_now(device, NULL).now_s;
    return code ? code : cs_message_encode(countersign_v1_DeviceReport_fields, report, payload, err);
}

/* A report that changes nothing here; when it cannot be made, the order is offered again sooner or later. */
static void post_passing(struct ag_device *device, countersign_v1_DeviceReport *report)
{
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    struct cs_err err = {0};
    int code = finish_report(device, report, &payload, &err);

    log_report(report);
    if (!code)
        code = post(device, report, cs_buf_slice(&payload), &err);
    if (code)
        cs_log(CS_LOG_ERROR, "push", "report not made", CS_F("error", err.msg), CS_FEND);
}

/* Signs the stored account of an order that has ended once more: same sequence, same bytes. Where the key of
 * that sequence is gone it gets a new sequence, and says the same. */
static void post_account(struct ag_device *device, const struct ag_order *order)
{
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    struct cs_err err = {0};
    int code = cs_report_decode(cs_buf_slice(&order->account), &report, &err);

    if (!code && !ag_renewal_key_for(device, report->sequence))
        code = ag_device_next_sequence(device, &report->sequence, &err);
    if (!code)
        code = cs_message_encode(countersign_v1_DeviceReport_fields, report, &payload, &err);
    if (!code)
        code = post(device, report, cs_buf_slice(&payload), &err);
    if (code)
        cs_log(CS_LOG_ERROR, "push", "stored report not sent", CS_F("error", err.msg), CS_FEND);
}

/* ---- the end of an order, and its way back */

static struct ag_order *current_order(struct ag_device *device, struct ag_connector_state **ret_connector)
{
    struct ag_order *order = ag_state_order(&device->state, CS_SLICE_ARRAY(device->order_id), ret_connector);

    cs_assert(order && !ag_phase_final(order->phase));
    return order;
}

static void fatal(struct ag_device *device, const struct cs_err *err)
{
    cs_log(CS_LOG_ERROR, "device", "state not saved", CS_F("error", err->msg), CS_FEND);
    device->events->on_fatal(device->owner, err);
}

/* Journals the end: outcome and report in one write. */
static int end_order(struct ag_device *device, struct cs_err *err)
{
    struct ag_connector_state *connector = NULL;
    struct ag_order *order = current_order(device, &connector);
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    int code = cs_report_decode(cs_buf_slice(&order->account), &report, err);

    if (code)
        return code;
    if (order->phase == AG_PHASE_ACCEPTED) {
        report->outcome = countersign_v1_Outcome_OUTCOME_COMPLETED;
        ag_report_set_verdict(report, AG_OK, "installed and reloaded");
        CS_PB_SET(&report->installed_digest, cs_digest_slice(&order->chain_digest));
    }
    code = finish_report(device, report, &payload, err);
    if (!code)
        code = ag_journal_end(&device->state, order, cs_buf_slice(&payload), err);
    if (!code)
        code = ag_device_save(device, err);
    if (code)
        return code;
    log_report(report);
    code = post(device, report, cs_buf_slice(&payload), err);
    if (order->phase == AG_PHASE_COMPLETED)
        ag_keys_settle(device, connector->name, order->generation);
    if (!code && order->phase == AG_PHASE_COMPLETED)
        ag_apply_tidy(device->store.port, device->config->state, connector->name, order->generation,
                      device->config->generations_kept);
    return code;
}

static void end_and_go_on(struct ag_device *device)
{
    struct cs_err err = {0};

    if (end_order(device, &err) != CS_OK) {
        fatal(device, &err);
        return;
    }
    device->connector = NULL;
    ag_device_go_on(device);
}

static void on_put_back(void *owner, const struct ag_applied *applied)
{
    struct ag_device *device = owner;

    if (applied->verdict != AG_OK)
        cs_log(CS_LOG_ERROR, "push", "putting back failed", CS_F("connector", device->connector->name),
               CS_F("verdict", ag_verdict_word(applied->verdict)), CS_F("detail", applied->detail), CS_FEND);
    end_and_go_on(device);
}

static void put_back(struct ag_device *device, bool reload)
{
    const struct ag_order *order = current_order(device, NULL);
    const struct ag_put_back what = {device->config->state, device->connector, order->generation,
                                     order->previous_generation, reload};
    struct ag_plan *plan = NULL;
    struct cs_err err = {0};

    if (ag_plan_put_back(&what, &plan, &err) != CS_OK) {
        fatal(device, &err);
        return;
    }
    ag_apply_start(&device->apply, device->store.port, plan, on_put_back, device);
}

/* The reason goes into the account first, so that it is not lost with a crash on the way back. */
static int begin_put_back(struct ag_device *device, const struct ag_applied *why, struct cs_err *err)
{
    struct ag_order *order = current_order(device, NULL);
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    int code = cs_report_decode(cs_buf_slice(&order->account), &report, err);

    if (code)
        return code;
    report->outcome = countersign_v1_Outcome_OUTCOME_FAILED;
    ag_report_set_verdict(report, why->verdict, why->detail);
    code = cs_message_encode(countersign_v1_DeviceReport_fields, report, &payload, err);
    if (!code)
        code = ag_journal_begin_put_back(order, cs_buf_slice(&payload), err);
    return code ? code : ag_device_save(device, err);
}

static void on_applied(void *owner, const struct ag_applied *applied)
{
    struct ag_device *device = owner;
    struct cs_err err = {0};

    if (applied->verdict == AG_OK)
        end_and_go_on(device);
    else if (begin_put_back(device, applied, &err) == CS_OK)
        put_back(device, applied->switched);
    else
        fatal(device, &err);
}

/* ---- after a crash */

/* The link tells how far it came: a connector's link is switched by one rename, after the files are whole. */
static bool link_is_switched(struct ag_device *device, const struct ag_order *order)
{
    struct ag_port *port = device->store.port;
    char path[AG_LIMIT_PATH_BYTES], target[AG_LIMIT_PATH_BYTES];
    uint64_t generation = 0;

    return ag_connector_folder(device->config->state, device->connector->name, "current", path, sizeof path,
                               NULL) == CS_OK &&
           port->read_link(port, path, target, sizeof target, NULL) == CS_OK &&
           ag_generation_parse(target, &generation) && generation == order->generation;
}

static void finish(struct ag_device *device)
{
    struct ag_plan *plan = NULL;
    struct cs_err err = {0};

    if (ag_plan_finish(device->config->state, device->connector, &plan, &err) != CS_OK) {
        fatal(device, &err);
        return;
    }
    ag_apply_start(&device->apply, device->store.port, plan, on_applied, device);
}

/* An order whose connector is not declared any more: nothing of it is touched. */
static void abandon(struct ag_device *device, enum ag_phase phase)
{
    const struct ag_applied why = {.verdict = AG_UNKNOWN_CONNECTOR};
    struct cs_err err = {0};

    if (phase == AG_PHASE_ACCEPTED && begin_put_back(device, &why, &err) != CS_OK) {
        fatal(device, &err);
        return;
    }
    end_and_go_on(device);
}

/* True when there was something to end. */
static bool recover_one(struct ag_device *device)
{
    struct ag_connector_state *connector = NULL;
    const struct ag_order *order = ag_journal_unfinished(&device->state, &connector);
    const struct ag_applied interrupted = {.verdict = AG_INTERRUPTED};
    struct cs_err err = {0};

    if (!order)
        return false;
    memcpy(device->order_id, order->order_id, sizeof device->order_id);
    device->connector = ag_connectors_find(&device->config->connectors, connector->name);
    cs_log(CS_LOG_WARN, "push", "an order was interrupted", CS_F("connector", connector->name),
           CS_FU("generation", order->generation), CS_FEND);
    if (!device->connector)
        abandon(device, order->phase);
    else if (order->phase == AG_PHASE_PUTTING_BACK)
        put_back(device, true);
    else if (link_is_switched(device, order))
        finish(device);
    else if (begin_put_back(device, &interrupted, &err) == CS_OK)
        put_back(device, false);
    else
        fatal(device, &err);
    return true;
}

void ag_device_post_unacknowledged(struct ag_device *device)
{
    for (size_t i = 0; i < device->state.connector_count; i++) {
        const struct ag_connector_state *connector = &device->state.connectors[i];

        for (size_t k = connector->order_count; k > 0; k--) {
            const struct ag_order *order = &connector->orders[k - 1];

            if (ag_phase_final(order->phase) && !order->acknowledged)
                post_account(device, order);
        }
    }
}

void ag_device_recover(struct ag_device *device)
{
    device->recovered = true;
    ag_keys_recover(device);
    ag_device_post_unacknowledged(device);
    ag_device_go_on(device);
}

/* ---- deciding */

static void install(struct ag_device *device, const struct ag_decision *decision)
{
    cs_auto(cs_buf_free) struct cs_buf chain_pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf key_pem = CS_BUF_EMPTY;
    struct ag_applied failed = {.verdict = AG_STORAGE_FAILED};
    struct ag_plan *plan = NULL;
    struct cs_err err = {0};
    int code = cs_chain_write_pem(decision->chain, &chain_pem, &err);

    if (!code && cs_buf_reserve(&key_pem, 2 * decision->pkcs8.len + 256) != CS_OK)
        code = cs_err_nomem(&err);
    if (!code)
        code = cs_pem_write("PRIVATE KEY", cs_buf_slice(&decision->pkcs8), &key_pem, &err);
    const struct ag_install what = {device->config->state, decision->connector, decision->report.generation,
                                    cs_buf_slice(&chain_pem), cs_buf_slice(&key_pem)};

    if (!code)
        code = ag_plan_install(&what, &plan, &err);
    if (!code) {
        ag_apply_start(&device->apply, device->store.port, plan, on_applied, device);
        return;
    }
    snprintf(failed.detail, sizeof failed.detail, "%s", err.msg);
    on_applied(device, &failed);
}

/* Makes the order durable before anything of it is done. A state that cannot be written is read back, so that
 * memory and disk agree, and the order is refused. */
static int journal(struct ag_device *device, struct ag_decision *decision, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    struct ag_order *order = NULL;
    int code = finish_report(device, &decision->report, &payload, err);
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
            fatal(device, &why);
            return code;
        }
        ag_state_free(&device->state);
        device->state = again;
        return code;
    }
    log_report(&decision->report);
    /* The order is accepted, whether or not this can be told now: its end will be. */
    if (post(device, &decision->report, cs_buf_slice(&payload), err) != CS_OK)
        cs_log(CS_LOG_WARN, "push", "acceptance not reported", CS_F("error", err->msg), CS_FEND);
    return CS_OK;
}

static void act(struct ag_device *device, struct ag_decision *decision)
{
    struct cs_slice order_id = CS_PB_BYTES(&decision->report.order_id);
    struct cs_err err = {0};

    switch (decision->verdict) {
    case AG_OK:
        if (journal(device, decision, &err) != CS_OK) {
            decision->report.outcome = countersign_v1_Outcome_OUTCOME_REFUSED;
            ag_report_set_verdict(&decision->report, AG_STORAGE_FAILED, err.msg);
            post_passing(device, &decision->report);
            return;
        }
        memcpy(device->order_id, decision->report.order_id.bytes, sizeof device->order_id);
        device->connector = decision->connector;
        install(device, decision);
        return;
    case AG_ENDED_BEFORE:
        post_account(device, ag_state_order(&device->state, order_id, NULL));
        return;
    case AG_IN_PROGRESS:
        return;
    default:
        post_passing(device, &decision->report);
    }
}

static struct ag_decision *decide(struct ag_device *device, struct cs_slice bytes)
{
    cs_auto_free countersign_v1_PushDelivery *delivery = calloc(1, sizeof *delivery);
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    cs_auto(cs_buf_wipe) struct cs_buf own_key = CS_BUF_EMPTY;
    struct cs_err err = {0};

    if (!delivery ||
        cs_message_decode(countersign_v1_PushDelivery_fields, bytes, delivery, "the push delivery", &err) !=
            CS_OK ||
        ag_keys_find_own(device, delivery, &own_key, &err) != CS_OK)
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
    while (device->recovered && !device->apply.plan && !device->policy_expected) {
        if (recover_one(device))
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
        if (device->connector)
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
            cs_push_message_decode(CS_PB_BYTES(&delivery->message), &message, NULL) == CS_OK &&
            cs_core_decode(CS_PB_BYTES(&message->order_core), &core, NULL) == CS_OK &&
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
    post_passing(device, report);
}

void ag_device_cancel(struct ag_device *device, struct cs_slice order_id)
{
    const struct ag_order *order = ag_state_order(&device->state, order_id, NULL);
    /* Of an order that was put back a further attempt may wait here: nothing of that has begun. */
    struct delivery *delivery =
        !order || order->phase == AG_PHASE_PUT_BACK ? find_delivery(device, order_id) : NULL;

    if (order_id.len != sizeof device->order_id)
        return;
    if (order && ag_phase_final(order->phase) && !delivery)
        post_account(device, order);
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
        post_passing(device, &decision->report);
    }
    ag_device_go_on(device);
}
