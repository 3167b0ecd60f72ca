#include "controller/core/query_rows.h"

#include "controller/core/actions.h"
#include "controller/core/colour.h"
#include "controller/core/workflow.h"
#include "shared/base/text.h"

#include <inttypes.h>

void ctl_show_certificate(const ctl_certificate_row *row, const struct ctl_settings *settings, int64_t now_s,
                          countersign_v1_Certificate *ret)
{
    CTL_BYTES_COPY(ret->id, row->id);
    CTL_TEXT_SET(ret->common_name, row->common_name);
    CTL_TEXT_SET(ret->issuer, row->issuer);
    CTL_TEXT_SET(ret->serial, row->serial);
    ret->not_before_s = row->not_before_s;
    ret->not_after_s = row->not_after_s;
    ret->key = row->key;
    ret->key_bits = row->key_bits;
    ret->key_mode = row->key_mode;
    ret->names_count = row->names_count;
    for (pb_size_t i = 0; i < row->names_count; i++)
        CTL_TEXT_SET(ret->names[i], row->names[i]);
    ret->attachments = row->attachments;
    ret->colour = ctl_colour_of(row, settings, now_s);
    ret->chain_count = row->chain_count;
    ret->imported_at_s = row->imported_at_s;
    CTL_TEXT_SET(ret->device_name, row->device_name);
    CTL_TEXT_SET(ret->connector, row->connector);
    ret->groups_count = row->groups_count;
    for (pb_size_t i = 0; i < row->groups_count; i++)
        CTL_TEXT_SET(ret->groups[i], row->groups[i]);
    CTL_BYTES_COPY(ret->replaces, row->replaces);
    CTL_BYTES_COPY(ret->replaced_by, row->replaced_by);
    ret->revoked_at_s = row->revoked_at_s;
    ret->revocation_reason = row->revocation_reason;
}

void ctl_show_order(const ctl_order_row *row, countersign_v1_Order *ret)
{
    ret->number = row->number;
    ret->request_number = row->request_number;
    ret->index = row->index;
    CTL_TEXT_SET(ret->device_name, row->device_name);
    CTL_TEXT_SET(ret->connector, row->connector);
    CTL_BYTES_COPY(ret->certificate_id, row->certificate_id);
    ret->action = row->action;
    ret->generation = row->generation;
    ret->state = ctl_phase_info(row->phase)->shown;
    CTL_TEXT_SET(ret->reason, row->reason);
    ret->updated_at_s = row->updated_at_s;
    ret->not_before_s = row->start_s;
    ret->expires_at_s = row->end_s;
    ret->attempts = row->attempts;
    ret->max_attempts = row->max_attempts;
    ret->retry_at_s = ctl_order_retry_at(row);
    ctl_order_text(row, ret->state_text, sizeof ret->state_text);
}

/* The least advanced of the orders that are still open; when all have ended, what is worst to hear. */
static countersign_v1_OrderState request_state(const ctl_request_row *row)
{
    static const countersign_v1_OrderState order[] = {
        countersign_v1_OrderState_ORDER_STATE_PUSH_APPROVAL_PENDING,
        countersign_v1_OrderState_ORDER_STATE_PUSH_REVIEW_IN_PROGRESS,
        countersign_v1_OrderState_ORDER_STATE_PUSH_SCHEDULED,
        countersign_v1_OrderState_ORDER_STATE_PUSH_IN_PROGRESS,
        countersign_v1_OrderState_ORDER_STATE_FAILED,
        countersign_v1_OrderState_ORDER_STATE_EXPIRED,
        countersign_v1_OrderState_ORDER_STATE_REJECTED,
        countersign_v1_OrderState_ORDER_STATE_CANCELLED,
        countersign_v1_OrderState_ORDER_STATE_SUPERSEDED,
        countersign_v1_OrderState_ORDER_STATE_COMPLETED,
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(order); i++)
        if ((pb_size_t)order[i] < row->orders_in_count && row->orders_in[order[i]] > 0)
            return order[i];
    return countersign_v1_OrderState_ORDER_STATE_UNSPECIFIED;
}

static uint32_t orders_in(const ctl_request_row *row, countersign_v1_OrderState state)
{
    return (pb_size_t)state < row->orders_in_count ? row->orders_in[state] : 0;
}

void ctl_show_request(const ctl_request_row *row, countersign_v1_Request *ret)
{
    ret->number = row->number;
    CTL_BYTES_COPY(ret->request_id, row->request_id);
    CTL_BYTES_COPY(ret->certificate_id, row->certificate_id);
    CTL_TEXT_SET(ret->certificate_name, row->certificate_name);
    CTL_TEXT_SET(ret->requester, row->requester);
    ret->requested_at_s = row->requested_at_s;
    ret->decide_by_s = row->decide_by_s;
    ret->window_s = row->window_s;
    ret->order_count = row->order_count;
    ret->state = request_state(row);
    ret->stage = row->stage;
    CTL_TEXT_SET(ret->stage_name, row->stage_name);
    ret->stages = row->stages;
    ret->decided = row->decided;
    ret->required = row->required;
    CTL_TEXT_SET(ret->comment, row->comment);
    ret->start_s = row->start_s;
    ret->completed = orders_in(row, countersign_v1_OrderState_ORDER_STATE_COMPLETED);
    ret->failed = orders_in(row, countersign_v1_OrderState_ORDER_STATE_FAILED);
    ret->action = ctl_action_of(row->action);
}

static void show_connector(const ctl_connector_row *row, countersign_v1_DeviceConnector *ret)
{
    CTL_TEXT_SET(ret->name, row->name);
    CTL_TEXT_SET(ret->application, row->application);
    ret->generation = row->generation;
    CTL_BYTES_COPY(ret->certificate_id, row->certificate_id);
    CTL_BYTES_COPY(ret->installed_digest, row->installed_digest);
    CTL_TEXT_SET(ret->remark, row->remark);
}

int ctl_device_closed(const ctl_device_row *device, struct cs_err *err)
{
    if (device->banned)
        return cs_err_set(err, CS_EDENIED,
                          "device %s is banned: a new admission lifts it (countersign device admit %s)",
                          device->name, device->name);
    if (device->quarantined)
        return cs_err_set(err, CS_EDENIED,
                          "device %s is quarantined, because two processes spoke for it at once: find out "
                          "why, then admit it anew (countersign device admit %s)",
                          device->name, device->name);
    return CS_OK;
}

int ctl_show_device_groups(struct ctl_view *view, countersign_v1_Device *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_DEVICE_LABELS, ret->name);
    ctl_labels_row row;
    int rc = ctl_get(view, &key, DeviceLabels, &row, err);

    if (rc != CS_OK)
        return ctl_walked(rc);
    ret->groups_count = row.groups_count;
    for (pb_size_t i = 0; i < row.groups_count; i++)
        CTL_TEXT_SET(ret->groups[i], row.groups[i]);
    return CS_OK;
}

int ctl_show_device(struct ctl_view *view, const struct ctl_presence *presence, const ctl_name_row *name,
                    const ctl_device_row *row, countersign_v1_Device *ret, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_CONNECTOR, CTL_BYTES(row->device_id));
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_connector_row connector;
    int rc;

    CTL_TEXT_SET(ret->name, row->name);
    CTL_BYTES_COPY(ret->device_id, row->device_id);
    ret->admitted = row->admitted;
    ret->connected = presence->connected(presence->data, row->device_id.bytes);
    ret->last_seen_s = row->last_seen_s;
    CTL_TEXT_SET(ret->agent_version, row->agent_version);
    CTL_TEXT_SET(ret->platform, row->platform);
    ret->policy_version = row->policy_version;
    CTL_TEXT_SET(ret->address, row->address);
    ret->banned = row->banned;
    ret->quarantined = row->quarantined;
    ret->waits_for_admission = name->pending_id.size > 0 || row->waiting_spki.size > 0;
    ret->identity_until_s = row->identity_until_s;
    ret->connectors_count = 0;
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK &&
           ret->connectors_count < CS_ARRAY_LEN(ret->connectors)) {
        rc = ctl_decode(walk.value, Connector, &connector, err);
        if (rc != CS_OK)
            return rc;
        if (connector.declared)
            show_connector(&connector, &ret->connectors[ret->connectors_count++]);
    }
    return ctl_walked(rc) == CS_OK ? ctl_show_device_groups(view, ret, err) : rc;
}

int ctl_find_device(struct ctl_view *view, const char *name, ctl_name_row *ret_name, ctl_device_row *ret,
                    struct cs_err *err)
{
    struct ctl_key key;
    int rc = cs_name_check(cs_slice_str(name), "the device name", err);

    if (rc != CS_OK)
        return rc;
    key = ctl_key_name(CTL_TABLE_NAME, name);
    rc = ctl_get(view, &key, DeviceName, ret_name, err);
    if (rc == CS_OK && ret_name->device_id.size == 0 && ret_name->pending_id.size == 0)
        return cs_err_set(err, CS_ENOTFOUND, "device %s has a token, but has not enrolled with it yet", name);
    if (rc == CS_OK) {
        key = ctl_key_bytes(CTL_TABLE_DEVICE, ret_name->device_id.size ? CTL_BYTES(ret_name->device_id)
                                                                       : CTL_BYTES(ret_name->pending_id));
        rc = ctl_get(view, &key, Device, ret, err);
    }
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no device %s: see 'countersign device list'", name);
    return rc;
}

int ctl_find_certificate(struct ctl_view *view, struct cs_slice id, ctl_certificate_row *ret,
                         struct cs_err *err)
{
    struct ctl_key key;
    int rc;

    if (id.len != CS_SHA256_BYTES)
        return cs_err_set(err, CS_EINVAL, "a certificate's id has 32 bytes, this one has %zu", id.len);
    key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, id);
    rc = ctl_get(view, &key, Certificate, ret, err);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no certificate with this id: see 'countersign cert list'");
    return rc;
}

int ctl_find_request(struct ctl_view *view, uint64_t number, ctl_request_row *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, number);
    int rc = ctl_get(view, &key, Request, ret, err);

    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no request REQ-%" PRIu64 ": see 'countersign request list'",
                          number);
    return rc;
}

int ctl_find_order(struct ctl_view *view, uint64_t number, ctl_order_row *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_ORDER, number);
    int rc = ctl_get(view, &key, Order, ret, err);

    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no work order WO-%" PRIu64 ": see 'countersign order list'",
                          number);
    return rc;
}
