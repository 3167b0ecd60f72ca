/* What a device says of its orders: made, signed, kept until it is acknowledged. */
#include "agent/device_impl.h"

#include "shared/base/text.h"

#include <stdio.h>

void ag_report_log(const countersign_v1_DeviceReport *report)
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
int ag_report_post(struct ag_device *device, const countersign_v1_DeviceReport *report,
                   struct cs_slice payload, struct cs_err *err)
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
int ag_report_finish(struct ag_device *device, countersign_v1_DeviceReport *report, struct cs_buf *payload,
                     struct cs_err *err)
{
    int code = ag_device_next_sequence(device, &report->sequence, err);

    report->made_at_s = ag_device_now(device, NULL).now_s;
    return code ? code : cs_message_encode(countersign_v1_DeviceReport_fields, report, payload, err);
}

/* A report that changes nothing here; when it cannot be made, the order is offered again sooner or later. */
void ag_report_pass(struct ag_device *device, countersign_v1_DeviceReport *report)
{
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    struct cs_err err = {0};
    int code = ag_report_finish(device, report, &payload, &err);

    ag_report_log(report);
    if (!code)
        code = ag_report_post(device, report, cs_buf_slice(&payload), &err);
    if (code)
        cs_log(CS_LOG_ERROR, "push", "report not made", CS_F("error", err.msg), CS_FEND);
}

/* Signs the stored account of an order that has ended once more: same sequence, same bytes. Where the key of
 * that sequence is gone it gets a new sequence, and says the same. */
void ag_report_repeat(struct ag_device *device, const struct ag_order *order)
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
        code = ag_report_post(device, report, cs_buf_slice(&payload), &err);
    if (code)
        cs_log(CS_LOG_ERROR, "push", "stored report not sent", CS_F("error", err.msg), CS_FEND);
}

void ag_device_post_unacknowledged(struct ag_device *device)
{
    for (size_t i = 0; i < device->state.connector_count; i++) {
        const struct ag_connector_state *connector = &device->state.connectors[i];

        for (size_t k = connector->order_count; k > 0; k--) {
            const struct ag_order *order = &connector->orders[k - 1];

            if (ag_phase_final(order->phase) && !order->acknowledged)
                ag_report_repeat(device, order);
        }
    }
}
