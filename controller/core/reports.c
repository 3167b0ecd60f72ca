/* What devices say: sessions, advertisements, reports. */
#include "controller/core/colour.h"
#include "controller/core/deliver.h"
#include "controller/core/orders.h"
#include "controller/core/retries.h"

#include <inttypes.h>
#include <stdio.h>

#define PHASE(name) countersign_store_v1_Phase_PHASE_##name

/* ---- sessions */

int ctl_session_load(struct ctl_run *run, struct cs_slice device_id, ctl_session_row *ret, bool *ret_open)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_SESSION, device_id);
    int rc = ctl_get(run->view, &key, Session, ret, run->err);

    *ret_open = rc == CS_OK && ret->run == run->meta.run;
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* A stream may have been silent since its key was the device's. */
static int check_identity(struct ctl_run *run, const struct cs_digest *key, ctl_device_row *device)
{
    struct cs_digest newest = cs_sha256(CTL_BYTES(device->identity_spki));
    struct cs_digest previous = cs_sha256(CTL_BYTES(device->previous_spki));

    if (cs_digest_eq(key, &newest))
        return ctl_device_drop_previous(run, device);
    if (device->previous_spki.size && cs_digest_eq(key, &previous))
        return CS_OK;
    return cs_err_set(run->err, CS_EAUTH, "this identity key is not that of device %s any more",
                      device->name);
}

int ctl_session_opened_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_session_opened *opened = body;
    struct cs_slice device_id = CS_SLICE_ARRAY(opened->device_id);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_SESSION, device_id);
    const ctl_session_row session = {
        .session_id = opened->session_id, .opened_at_s = run->now_s, .run = run->meta.run};
    ctl_device_row device;
    int rc = ctl_device_load(run, device_id, &device);

    (void)reply;
    if (rc == CS_OK)
        rc = ctl_device_check_open(run, &device);
    if (rc == CS_OK)
        rc = check_identity(run, &opened->identity_key, &device);
    if (rc == CS_OK)
        rc = ctl_put(run->view, &key, Session, &session, run->err);
    if (rc != CS_OK)
        return rc;
    device.last_seen_s = run->now_s;
    device.policy_version = opened->hello->policy_version;
    CTL_TEXT_SET(device.agent_version, opened->hello->agent_version);
    CTL_TEXT_SET(device.address, opened->address);
    rc = ctl_device_store(run, &device);
    if (rc != CS_OK)
        return rc;
    ctl_run_changed(run, "", "device %s", device.name);
    return ctl_deliver_waiting(run, device_id, opened->session_id);
}

int ctl_session_closed_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_session_closed *closed = body;
    struct cs_slice device_id = CS_SLICE_ARRAY(closed->device_id);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_SESSION, device_id);
    ctl_session_row session;
    ctl_device_row device;
    bool open;
    int rc = ctl_session_load(run, device_id, &session, &open);

    (void)reply;
    /* A newer session has taken over, or the device is gone. */
    if (rc != CS_OK || !open || session.session_id != closed->session_id)
        return rc;
    rc = ctl_drop(run->view, &key, run->err);
    if (rc == CS_OK)
        rc = ctl_device_load(run, device_id, &device);
    if (rc != CS_OK)
        return rc;
    device.last_seen_s = run->now_s;
    ctl_run_changed(run, "", "device %s", device.name);
    return ctl_device_store(run, &device);
}

/* ---- statements */

int ctl_statement_acknowledge(struct ctl_run *run, const struct ctl_device_statement *said, uint64_t sequence)
{
    struct ctl_effect effect = {.kind = CTL_EFFECT_ACK, .sequence = sequence, .session_id = said->session_id};

    memcpy(effect.device_id, said->device_id, sizeof effect.device_id);
    return ctl_run_effect(run, &effect);
}

int ctl_statement_check_sender(struct ctl_run *run, const struct ctl_device_statement *said,
                               const pb_byte_t deployment_id[16], const pb_byte_t device_id[16],
                               ctl_device_row *ret)
{
    int rc = ctl_device_load(run, CS_SLICE_ARRAY(said->device_id), ret);

    if (rc != CS_OK)
        return rc;
    if (memcmp(device_id, said->device_id, sizeof said->device_id) != 0)
        return cs_err_set(run->err, CS_EDENIED, "device %s made a statement for another device-id",
                          ret->name);
    if (run->meta.deployment_id.size &&
        memcmp(deployment_id, run->meta.deployment_id.bytes, run->meta.deployment_id.size) != 0)
        return cs_err_set(run->err, CS_EDENIED, "device %s made a statement for another deployment",
                          ret->name);
    return CS_OK;
}

static bool is_declared(const countersign_v1_DeviceAdvertisement *advertisement, const char *name)
{
    for (pb_size_t i = 0; i < advertisement->connectors_count; i++)
        if (strcmp(advertisement->connectors[i].name, name) == 0)
            return true;
    return false;
}

/* Connectors that are no longer declared keep their row: their generations must not begin anew. */
static int undeclare_others(struct ctl_run *run, struct cs_slice device_id,
                            const countersign_v1_DeviceAdvertisement *advertisement)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_CONNECTOR, device_id);
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_connector_row connector;
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        rc = ctl_decode(walk.value, Connector, &connector, run->err);
        if (rc != CS_OK)
            return rc;
        if (!connector.declared || is_declared(advertisement, connector.name))
            continue;
        connector.declared = false;
        rc = ctl_connector_store(run, device_id, &connector);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int declare(struct ctl_run *run, const ctl_device_row *device,
                   const countersign_v1_AdvertisedConnector *advertised)
{
    struct cs_slice device_id = CTL_BYTES(device->device_id);
    ctl_connector_row connector;
    int rc = ctl_connector_load(run, device_id, advertised->name, &connector);

    if (rc == CS_ENOTFOUND) {
        memset(&connector, 0, sizeof connector);
        CTL_TEXT_SET(connector.name, advertised->name);
    } else if (rc != CS_OK) {
        return rc;
    }
    connector.declared = true;
    CTL_TEXT_SET(connector.application, advertised->application);
    if (advertised->generation > connector.generation)
        connector.generation = advertised->generation;
    CTL_BYTES_COPY(connector.installed_digest, advertised->installed_digest);
    CTL_TEXT_SET(connector.remark, advertised->remark);
    rc = ctl_connector_store(run, device_id, &connector);
    return rc == CS_OK ? ctl_attachments_refresh(run, device->name, &connector) : rc;
}

int ctl_advertisement_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_device_statement *said = body;
    const countersign_v1_DeviceAdvertisement *advertisement = said->statement;
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_ADVERTISEMENT, CS_SLICE_ARRAY(said->device_id));
    ctl_device_row device;
    int rc = ctl_statement_check_sender(run, said, advertisement->deployment_id.bytes,
                                        advertisement->device_id.bytes, &device);

    (void)reply;
    if (rc != CS_OK)
        return rc;
    /* Heard before, or overtaken by a newer one: durable either way. */
    if (advertisement->sequence <= device.sequence)
        return ctl_statement_acknowledge(run, said, advertisement->sequence);
    device.sequence = advertisement->sequence;
    CTL_TEXT_SET(device.agent_version, advertisement->agent_version);
    CTL_TEXT_SET(device.platform, advertisement->platform);
    rc = ctl_device_store(run, &device);
    if (rc == CS_OK)
        rc = ctl_bytes_put(run->view, &key, said->envelope, run->err);
    if (rc == CS_OK)
        rc = undeclare_others(run, CS_SLICE_ARRAY(said->device_id), advertisement);
    for (pb_size_t i = 0; rc == CS_OK && i < advertisement->connectors_count; i++)
        rc = declare(run, &device, &advertisement->connectors[i]);
    if (rc != CS_OK)
        return rc;
    ctl_run_changed(run, "", "device %s", device.name);
    ctl_run_detail(run, "%u app connectors", (unsigned)advertisement->connectors_count);
    return ctl_statement_acknowledge(run, said, advertisement->sequence);
}

/* ---- reports */

/* A device that could not read a message, or that was told to leave an order that it never got, knows the id
 * alone. Only what it was handed can be meant; of what it has accepted it knows more, and will say it. */
static int find_by_id(struct ctl_run *run, const countersign_v1_DeviceReport *report, ctl_order_row *ret)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_LIVE, CTL_BYTES(report->device_id));
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        rc = ctl_order_load(run, ctl_number_of(walk.value), ret);
        if (rc != CS_OK || (ret->phase == PHASE(HANDED_OVER) &&
                            cs_slice_eq(CTL_BYTES(ret->order_id), CTL_BYTES(report->order_id))))
            return rc;
    }
    return rc;
}

/* The order that a report is about; CS_ENOTFOUND: none of ours. */
static int find_order(struct ctl_run *run, const countersign_v1_DeviceReport *report, ctl_order_row *ret)
{
    struct ctl_key key = ctl_key_generation(CTL_TABLE_GENERATION, CTL_BYTES(report->device_id),
                                            report->connector, report->generation);
    struct cs_slice number;
    int rc;

    if (!report->connector[0])
        return find_by_id(run, report, ret);
    rc = ctl_bytes_get(run->view, &key, &number, run->err);
    if (rc == CS_OK)
        rc = ctl_order_load(run, ctl_number_of(number), ret);
    if (rc == CS_OK && !cs_slice_eq(CTL_BYTES(ret->order_id), CTL_BYTES(report->order_id)))
        rc = cs_err_set(run->err, CS_ENOTFOUND, "the report names another order of this generation");
    return rc;
}

/* What the last completed order left: also when the device said something else between its end and its
 * report, but not when a later order has ended since. */
static void note_completed(ctl_connector_row *connector, const ctl_request_row *request,
                           const ctl_order_row *order)
{
    if (order->generation < connector->completed_generation)
        return;
    connector->completed_generation = order->generation;
    CTL_BYTES_COPY(connector->completed_digest, request->chain_digest);
    CTL_BYTES_COPY(connector->certificate_id, order->certificate_id);
    if (order->action == countersign_v1_Action_ACTION_REMOVE)
        connector->certificate_id.size = 0;
}

/* What the report says of the connector. A statement that was overtaken does not say what is there today. */
static int update_connector(struct ctl_run *run, const ctl_device_row *device, bool newest,
                            const countersign_v1_DeviceReport *report, const ctl_request_row *request,
                            const ctl_order_row *order)
{
    struct cs_slice device_id = CTL_BYTES(device->device_id);
    ctl_connector_row connector;
    int rc = ctl_connector_load(run, device_id, order->connector, &connector);

    if (rc != CS_OK)
        return rc;
    if (report->outcome == countersign_v1_Outcome_OUTCOME_COMPLETED)
        note_completed(&connector, request, order);
    if (newest)
        CTL_BYTES_COPY(connector.installed_digest, report->installed_digest);
    /* Refused and put off orders leave the device's generation where it was. */
    if ((report->outcome == countersign_v1_Outcome_OUTCOME_ACCEPTED ||
         report->outcome == countersign_v1_Outcome_OUTCOME_COMPLETED ||
         report->outcome == countersign_v1_Outcome_OUTCOME_FAILED) &&
        order->generation > connector.generation)
        connector.generation = order->generation;
    rc = ctl_connector_store(run, device_id, &connector);
    return rc == CS_OK ? ctl_attachments_refresh(run, device->name, &connector) : rc;
}

/* The device's clock is behind ours: offer again when it should have caught up. */
static void put_off(struct ctl_run *run, ctl_order_row *order, const countersign_v1_DeviceReport *report)
{
    int64_t wait_s = CTL_OFFER_AGAIN_LEAST_S;

    if (report->made_at_s < order->start_s && report->made_at_s > 0)
        wait_s = order->start_s - report->made_at_s;
    if (wait_s < CTL_OFFER_AGAIN_LEAST_S)
        wait_s = CTL_OFFER_AGAIN_LEAST_S;
    if (wait_s > CTL_OFFER_AGAIN_MOST_S)
        wait_s = CTL_OFFER_AGAIN_MOST_S;
    order->offer_at_s = run->now_s + wait_s;
}

static int apply_not_yet(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                         const countersign_v1_DeviceReport *report)
{
    int rc;

    put_off(run, order, report);
    rc = ctl_order_apply(run, request, order, CTL_ORDER_NOT_YET, NULL);
    return rc == CS_OK ? ctl_order_come_back(run, request, order) : rc;
}

/* Nobody but people cancels: a device that says so unasked has refused. */
static bool obeys_cancel(const ctl_order_row *order, const countersign_v1_DeviceReport *report)
{
    return order->cancel_asked && report->outcome == countersign_v1_Outcome_OUTCOME_REFUSED &&
           strcmp(report->verdict, "cancelled") == 0;
}

/* A refusal begins nothing. The device keeps to what was signed; what it says is still only a number. */
static void count_attempt(ctl_order_row *order, const countersign_v1_DeviceReport *report)
{
    uint32_t most = order->max_attempts ? order->max_attempts : 1;
    bool begun = report->outcome == countersign_v1_Outcome_OUTCOME_ACCEPTED ||
                 report->outcome == countersign_v1_Outcome_OUTCOME_COMPLETED ||
                 report->outcome == countersign_v1_Outcome_OUTCOME_FAILED;

    if (begun && report->attempt > order->attempts)
        order->attempts = report->attempt < most ? report->attempt : most;
}

static int apply_report(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                        const countersign_v1_DeviceReport *report)
{
    char reason[sizeof report->verdict + sizeof report->detail + 2];

    (void)snprintf(reason, sizeof reason, "%s%s%s", report->verdict,
                   report->verdict[0] && report->detail[0] ? ": " : "", report->detail);
    count_attempt(order, report);
    if (obeys_cancel(order, report))
        return ctl_order_apply(run, request, order, CTL_ORDER_CALLED_OFF,
                               "cancelled before the device began it");
    switch (report->outcome) {
    case countersign_v1_Outcome_OUTCOME_ACCEPTED:
        /* A device that cannot end it now says so, and goes on trying. */
        return ctl_order_apply(run, request, order, CTL_ORDER_ACCEPTED,
                               report->verdict[0] && strcmp(report->verdict, "ok") != 0 ? reason : NULL);
    case countersign_v1_Outcome_OUTCOME_COMPLETED:
        return ctl_order_apply(run, request, order, CTL_ORDER_COMPLETED, report->detail);
    case countersign_v1_Outcome_OUTCOME_FAILED:
    case countersign_v1_Outcome_OUTCOME_REFUSED:
        return ctl_order_fail(run, request, order, report, reason);
    case countersign_v1_Outcome_OUTCOME_NOT_YET:
        return apply_not_yet(run, request, order, report);
    default:
        return cs_err_set(run->err, CS_EINVAL, "the report has no outcome");
    }
}

static int store_report(struct ctl_run *run, const struct ctl_device_statement *said, ctl_device_row *device,
                        ctl_order_row *order)
{
    const countersign_v1_DeviceReport *report = said->statement;
    struct ctl_key key = ctl_key_number(CTL_TABLE_REPORT, order->number);
    const bool newest = report->sequence > device->sequence;
    ctl_request_row request;
    int rc = ctl_request_load(run, order->request_number, &request);

    if (rc == CS_OK)
        rc = ctl_bytes_put(run->view, &key, said->envelope, run->err);
    order->report_sequence = report->sequence;
    if (rc == CS_OK)
        rc = apply_report(run, &request, order, report);
    if (rc == CS_OK)
        rc = ctl_request_settle(run, &request);
    /* Without a connector it says nothing of what is installed. */
    if (rc == CS_OK && report->connector[0])
        rc = update_connector(run, device, newest, report, &request, order);
    if (rc != CS_OK)
        return rc;
    ctl_run_changed(run, report->verdict, "WO-%" PRIu64, order->number);
    ctl_run_detail(run, "now %s", ctl_phase_info(order->phase)->name);
    if (ctl_order_retry_at(order))
        ctl_run_detail(run, "for attempt %u", (unsigned)order->retries + 1);
    if (!newest)
        return CS_OK;
    device->sequence = report->sequence;
    return ctl_device_store(run, device);
}

int ctl_report_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_device_statement *said = body;
    const countersign_v1_DeviceReport *report = said->statement;
    ctl_device_row device;
    ctl_order_row order;
    int rc =
        ctl_statement_check_sender(run, said, report->deployment_id.bytes, report->device_id.bytes, &device);

    (void)reply;
    if (rc != CS_OK)
        return rc;
    rc = find_order(run, report, &order);
    /* Not ours, or of a store that was restored from a backup: hearing it again would not help. */
    if (rc == CS_ENOTFOUND)
        return ctl_statement_acknowledge(run, said, report->sequence);
    if (rc != CS_OK)
        return rc;
    /* Heard before and its acknowledgement lost, or overtaken by a newer one about this order. The sequence
     * tells, not the bytes: a device that says a stored report again signs it again. */
    if (report->sequence <= order.report_sequence) {
        rc = ctl_order_answered_again(run, &order, report);
        return rc == CS_OK ? ctl_statement_acknowledge(run, said, report->sequence) : rc;
    }
    rc = store_report(run, said, &device, &order);
    return rc == CS_OK ? ctl_statement_acknowledge(run, said, report->sequence) : rc;
}
