/* Reads about the controller itself, the trust policy, devices and certificates. Lists of certificates:
 * query_inventory.c; those about pushes: query_push.c; the topology: query_topology.c; those that the fleet
 * needs: query_fleet.c. */
#include "controller/core/query.h"

#include "controller/core/query_rows.h"

#include "shared/base/text.h"

#include <pb_encode.h>

enum {
    SUBMESSAGE_BYTES = 4, /* tag and length of a device in the message */
    END_BYTES = 16,       /* what follows the devices */
};

static int get_meta(struct ctl_view *view, ctl_meta_row *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key(CTL_TABLE_META);
    int rc = ctl_get(view, &key, Meta, ret, err);

    if (rc == CS_ENOTFOUND) {
        *ret = (ctl_meta_row)countersign_store_v1_Meta_init_zero;
        return CS_OK;
    }
    return rc;
}

/* Version, message key and agent CA are the shell's to fill in. */
int ctl_query_GetStatus(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                        const countersign_v1_GetStatusRequest *request,
                        countersign_v1_GetStatusResponse *reply, struct cs_err *err)
{
    ctl_meta_row meta;
    int rc = get_meta(view, &meta, err);

    (void)request;
    if (rc != CS_OK)
        return rc;
    reply->revision = meta.revision;
    reply->time_s = now_s;
    CTL_BYTES_COPY(reply->deployment_id, meta.deployment_id);
    reply->policy_version = meta.policy_version;
    reply->devices = meta.devices;
    reply->certificates = meta.certificates;
    reply->requests_open = meta.requests_open;
    reply->orders_open = meta.orders_open;
    reply->devices_connected = presence->count ? presence->count(presence->data) : 0;
    return CS_OK;
}

int ctl_query_ListAudit(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                        const countersign_v1_ListAuditRequest *request,
                        countersign_v1_ListAuditResponse *reply, struct cs_err *err)
{
    size_t most = ctl_page_size(request->limit, CS_ARRAY_LEN(reply->records));
    struct ctl_key prefix = ctl_key(CTL_TABLE_AUDIT);
    struct ctl_key after = ctl_key_number(CTL_TABLE_AUDIT, request->after_revision);
    struct ctl_walk walk = ctl_walk_after(&prefix, &after, false);
    int rc;

    (void)presence;
    (void)now_s;
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        if (reply->records_count == most) {
            reply->more = true;
            return CS_OK;
        }
        rc = ctl_record_decode(walk.value, countersign_v1_AuditRecord_fields,
                               &reply->records[reply->records_count], err);
        if (rc != CS_OK)
            return rc;
        reply->records_count++;
    }
    return ctl_walked(rc);
}

int ctl_query_checkpoint(struct ctl_view *view, int64_t now_s, countersign_v1_AuditCheckpoint *ret,
                         struct cs_err *err)
{
    ctl_meta_row meta;
    int rc = get_meta(view, &meta, err);

    if (rc != CS_OK)
        return rc;
    if (meta.policy_version == 0)
        return cs_err_set(
            err, CS_ESTATE,
            "there is no trust policy yet, so nobody could check a checkpoint of the audit: make "
            "one with 'countersign trust init'");
    *ret = (countersign_v1_AuditCheckpoint){.revision = meta.revision, .made_at_s = now_s};
    CTL_BYTES_COPY(ret->deployment_id, meta.deployment_id);
    CTL_BYTES_COPY(ret->hash, meta.audit_hash);
    return CS_OK;
}

int ctl_query_GetPolicy(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                        const countersign_v1_GetPolicyRequest *request,
                        countersign_v1_GetPolicyResponse *reply, struct cs_err *err)
{
    ctl_meta_row meta;
    struct ctl_key key;
    struct cs_slice envelope;
    int rc = get_meta(view, &meta, err);

    (void)presence;
    (void)now_s;
    if (rc != CS_OK)
        return rc;
    if (meta.policy_version == 0)
        return cs_err_set(err, CS_ENOTFOUND,
                          "there is no trust policy yet: make one with 'countersign trust init'");
    key = ctl_key(CTL_TABLE_POLICY);
    ctl_key_add_u32(&key, request->version ? request->version : meta.policy_version);
    rc = ctl_bytes_get(view, &key, &envelope, err);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no trust policy of version %u: the newest is %u",
                          (unsigned)request->version, (unsigned)meta.policy_version);
    if (rc != CS_OK)
        return rc;
    CTL_BYTES_SET(reply->envelope, envelope);
    reply->newest_version = meta.policy_version;
    return CS_OK;
}

/* ---- devices */

static int token_is_unused(struct ctl_view *view, const ctl_name_row *name, bool *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_TOKEN, CTL_BYTES(name->token));
    ctl_token_row token;
    int rc;

    *ret = false;
    if (name->token.size == 0)
        return CS_OK;
    rc = ctl_get(view, &key, Token, &token, err);
    *ret = rc == CS_OK && token.device_id.size == 0;
    return ctl_walked(rc);
}

/* Instead of the key that the device had: the one that waits, and the device's own word for it. */
static int show_waiting(struct ctl_view *view, const ctl_device_row *device,
                        countersign_v1_GetEnrolmentResponse *reply, struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_RENEWAL, CTL_BYTES(device->device_id));
    struct cs_slice envelope;
    int rc;

    ctl_key_add_u64(&key, device->waiting_sequence);
    rc = ctl_bytes_get(view, &key, &envelope, err);
    if (rc == CS_OK && envelope.len > sizeof reply->renewal.bytes)
        rc = cs_err_set(err, CS_ECORRUPT, "the renewal of device %s is too long", device->name);
    if (rc != CS_OK)
        return rc;
    CTL_BYTES_SET(reply->renewal, envelope);
    CTL_BYTES_COPY(reply->identity_spki, device->waiting_spki);
    reply->admitted = false;
    return CS_OK;
}

int ctl_query_GetEnrolment(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                           const countersign_v1_GetEnrolmentRequest *request,
                           countersign_v1_GetEnrolmentResponse *reply, struct cs_err *err)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_NAME, request->device_name);
    ctl_enrolment_row enrolment;
    ctl_device_row device;
    ctl_name_row name;
    bool waits, unused = false;
    int rc = ctl_get(view, &key, DeviceName, &name, err);

    (void)presence;
    (void)now_s;
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no device %s: begin with 'countersign device add'",
                          request->device_name);
    if (rc != CS_OK)
        return rc;
    /* With a token that waits for its use, what an earlier enrolment left is not what is asked for. */
    waits = name.pending_id.size > 0;
    if (!waits)
        rc = token_is_unused(view, &name, &unused, err);
    if (rc != CS_OK || unused || (!waits && name.device_id.size == 0))
        return rc;
    key = ctl_key_bytes(CTL_TABLE_DEVICE, waits ? CTL_BYTES(name.pending_id) : CTL_BYTES(name.device_id));
    rc = ctl_get(view, &key, Device, &device, err);
    if (rc == CS_OK) {
        key = ctl_key_bytes(CTL_TABLE_ENROLMENT, CTL_BYTES(device.device_id));
        rc = ctl_get(view, &key, Enrolment, &enrolment, err);
    }
    if (rc != CS_OK)
        return rc;
    reply->enrolled = true;
    CTL_BYTES_COPY(reply->device_id, device.device_id);
    CTL_BYTES_COPY(reply->identity_spki, device.identity_spki);
    CTL_BYTES_COPY(reply->kem_spki, device.kem_spki);
    CTL_BYTES_COPY(reply->binding_mac, enrolment.binding_mac);
    reply->admitted = device.admitted;
    return device.waiting_spki.size ? show_waiting(view, &device, reply, err) : CS_OK;
}

/* A name whose token was not used yet is shown with its name and groups alone. */
static int show_name(struct ctl_view *view, const struct ctl_presence *presence, const char *device_name,
                     countersign_v1_Device *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_NAME, device_name);
    ctl_name_row name;
    ctl_device_row device;
    int rc = ctl_get(view, &key, DeviceName, &name, err);

    if (rc != CS_OK)
        return rc;
    if (name.device_id.size == 0 && name.pending_id.size == 0) {
        CTL_TEXT_SET(ret->name, device_name);
        return ctl_show_device_groups(view, ret, err);
    }
    key = ctl_key_bytes(CTL_TABLE_DEVICE,
                        name.device_id.size ? CTL_BYTES(name.device_id) : CTL_BYTES(name.pending_id));
    rc = ctl_get(view, &key, Device, &device, err);
    return rc == CS_OK ? ctl_show_device(view, presence, &name, &device, ret, err) : rc;
}

/* By name: all, or those of a group; from both, those whose names begin with what is searched for. */
int ctl_query_ListDevices(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                          const countersign_v1_ListDevicesRequest *request,
                          countersign_v1_ListDevicesResponse *reply, struct cs_err *err)
{
    const struct ctl_key table =
        request->group[0] ? ctl_key_name(CTL_TABLE_DEVICE_GROUP, request->group) : ctl_key(CTL_TABLE_NAME);
    size_t most = ctl_page_size(request->limit, CS_ARRAY_LEN(reply->devices));
    struct ctl_key prefix = table;
    struct ctl_walk walk;
    size_t bytes = 0;
    int rc;

    (void)now_s;
    ctl_key_add_bytes(&prefix, cs_slice_str(request->search));
    walk = ctl_walk(&prefix);
    if (request->after_name[0]) {
        struct ctl_key after = table;

        ctl_key_add_name(&after, request->after_name);
        walk = ctl_walk_after(&prefix, &after, false);
    }
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        countersign_v1_Device *shown = &reply->devices[reply->devices_count];
        size_t size = 0;

        /* A message holds a page of usual devices, but not one of devices with all that they can say. */
        if (reply->devices_count == most ||
            bytes + countersign_v1_Device_size + SUBMESSAGE_BYTES > CS_LIMIT_MESSAGE_BYTES - END_BYTES) {
            reply->more = true;
            return CS_OK;
        }
        rc = show_name(view, presence, (const char *)walk.key.ptr + table.len, shown, err);
        if (rc != CS_OK)
            return rc;
        cs_assert(pb_get_encoded_size(&size, countersign_v1_Device_fields, shown));
        bytes += size + SUBMESSAGE_BYTES;
        reply->devices_count++;
    }
    return ctl_walked(rc);
}

/* Those that the admission vouches for. */
static int show_renewals(struct ctl_view *view, const ctl_device_row *device,
                         countersign_v1_GetDeviceResponse *reply, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_RENEWAL, CTL_BYTES(device->device_id));
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        uint64_t sequence = ctl_key_last_u64(walk.key);

        if (sequence <= device->admitted_sequence)
            continue;
        if (sequence > device->renewal_sequence)
            return CS_OK;
        if (reply->renewals_count == CS_ARRAY_LEN(reply->renewals) ||
            walk.value.len > sizeof reply->renewals[0].bytes)
            return cs_err_set(err, CS_ECORRUPT, "the renewals of device %s are more than can be",
                              device->name);
        CTL_BYTES_SET(reply->renewals[reply->renewals_count], walk.value);
        reply->renewals_count++;
    }
    return ctl_walked(rc);
}

int ctl_query_GetDevice(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                        const countersign_v1_GetDeviceRequest *request,
                        countersign_v1_GetDeviceResponse *reply, struct cs_err *err)
{
    ctl_name_row name;
    ctl_device_row device;
    struct cs_slice bytes;
    struct ctl_key key;
    int rc = ctl_find_device(view, request->name, &name, &device, err);

    (void)now_s;
    if (rc != CS_OK)
        return rc;
    reply->has_device = true;
    rc = ctl_show_device(view, presence, &name, &device, &reply->device, err);
    if (rc != CS_OK)
        return rc;
    key = ctl_key_bytes(CTL_TABLE_ADMISSION, CTL_BYTES(device.device_id));
    rc = ctl_bytes_get(view, &key, &bytes, err);
    if (rc == CS_OK)
        CTL_BYTES_SET(reply->admission, bytes);
    if (ctl_walked(rc) != CS_OK)
        return rc;
    key = ctl_key_bytes(CTL_TABLE_ADVERTISEMENT, CTL_BYTES(device.device_id));
    rc = ctl_bytes_get(view, &key, &bytes, err);
    if (rc == CS_OK)
        CTL_BYTES_SET(reply->advertisement, bytes);
    return ctl_walked(rc) == CS_OK ? show_renewals(view, &device, reply, err) : rc;
}

/* ---- certificates */

int ctl_query_GetCertificate(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                             const countersign_v1_GetCertificateRequest *request,
                             countersign_v1_GetCertificateResponse *reply, struct cs_err *err)
{
    ctl_certificate_row row;
    struct cs_slice chain;
    struct ctl_key key;
    int rc = ctl_find_certificate(view, CTL_BYTES(request->id), &row, err);

    if (rc != CS_OK)
        return rc;
    key = ctl_key_bytes(CTL_TABLE_CHAIN, CTL_BYTES(row.chain_digest));
    rc = ctl_bytes_get(view, &key, &chain, err);
    if (rc != CS_OK)
        return rc;
    reply->has_certificate = true;
    ctl_show_certificate(&row, presence->settings, now_s, &reply->certificate);
    CTL_BYTES_SET(reply->chain, chain);
    return CS_OK;
}
