/* Tokens, enrolment, the rows of devices and connectors. Admission is in admission.c. */
#include "controller/core/key_requests.h"
#include "controller/core/orders.h"

#include "shared/base/text.h"

/* ---- rows */

int ctl_device_load(struct ctl_run *run, struct cs_slice device_id, ctl_device_row *ret)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_DEVICE, device_id);
    int rc = ctl_get(run->view, &key, Device, ret, run->err);

    return rc == CS_ENOTFOUND ? cs_err_set(run->err, rc, "there is no device with this device-id") : rc;
}

int ctl_device_store(struct ctl_run *run, const ctl_device_row *device)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_DEVICE, CTL_BYTES(device->device_id));

    return ctl_put(run->view, &key, Device, device, run->err);
}

int ctl_name_load(struct ctl_run *run, const char *name, ctl_name_row *ret)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_NAME, name);

    return ctl_get(run->view, &key, DeviceName, ret, run->err);
}

int ctl_name_store(struct ctl_run *run, const char *name, const ctl_name_row *row)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_NAME, name);

    return ctl_put(run->view, &key, DeviceName, row, run->err);
}

int ctl_device_load_named(struct ctl_run *run, const char *name, ctl_device_row *ret)
{
    ctl_name_row row;
    int rc = cs_name_check(cs_slice_str(name), "device name", run->err);

    if (rc != CS_OK)
        return rc;
    rc = ctl_name_load(run, name, &row);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(run->err, rc, "there is no device %s", name);
    if (rc != CS_OK)
        return rc;
    if (row.device_id.size == 0)
        return cs_err_set(run->err, CS_ESTATE, "device %s is not admitted yet", name);
    return ctl_device_load(run, CTL_BYTES(row.device_id), ret);
}

int ctl_connector_load(struct ctl_run *run, struct cs_slice device_id, const char *name,
                       ctl_connector_row *ret)
{
    struct ctl_key key = ctl_key_connector(CTL_TABLE_CONNECTOR, device_id, name);
    int rc = ctl_get(run->view, &key, Connector, ret, run->err);

    return rc == CS_ENOTFOUND ? cs_err_set(run->err, rc, "the device has no app connector %s", name) : rc;
}

int ctl_connector_store(struct ctl_run *run, struct cs_slice device_id, const ctl_connector_row *connector)
{
    struct ctl_key key = ctl_key_connector(CTL_TABLE_CONNECTOR, device_id, connector->name);

    return ctl_put(run->view, &key, Connector, connector, run->err);
}

/* ---- tokens */

/* A device name has one token at a time: minting another withdraws the one before. */
int ctl_create_token_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_CreateTokenRequest *request = body;
    ctl_token_row token = countersign_store_v1_Token_init_zero;
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_TOKEN, CTL_BYTES(request->authentication_digest));
    ctl_name_row name;
    struct cs_slice there;
    int rc = cs_name_check(cs_slice_str(request->device_name), "device name", run->err);

    (void)reply;
    if (rc != CS_OK)
        return rc;
    if (request->authentication_digest.size != CS_SHA256_BYTES)
        return cs_err_set(run->err, CS_EINVAL, "the authentication digest has to be a SHA-256");
    if (request->expires_at_s <= run->now_s || request->expires_at_s > run->now_s + CTL_TOKEN_MOST_S)
        return cs_err_set(run->err, CS_EINVAL, "a token has to expire within an hour");
    rc = ctl_bytes_get(run->view, &key, &there, run->err);
    if (rc != CS_ENOTFOUND)
        return rc == CS_OK ? cs_err_set(run->err, CS_EEXISTS, "this token exists already: make another") : rc;

    rc = ctl_name_load(run, request->device_name, &name);
    if (rc == CS_ENOTFOUND)
        memset(&name, 0, sizeof name);
    else if (rc != CS_OK)
        return rc;
    if (name.token.size) {
        struct ctl_key before = ctl_key_bytes(CTL_TABLE_TOKEN, CTL_BYTES(name.token));

        rc = ctl_drop(run->view, &before, run->err);
        if (rc != CS_OK)
            return rc;
    }
    CTL_TEXT_SET(token.device_name, request->device_name);
    token.expires_at_s = request->expires_at_s;
    CTL_BYTES_SET(name.token, CTL_BYTES(request->authentication_digest));
    rc = ctl_put(run->view, &key, Token, &token, run->err);
    if (rc == CS_OK)
        rc = ctl_name_store(run, request->device_name, &name);
    if (rc != CS_OK)
        return rc;
    ctl_run_changed(run, "", "device %s", request->device_name);
    return CS_OK;
}

/* ---- enrolment */

int ctl_device_retire(struct ctl_run *run, struct cs_slice device_id)
{
    static const enum ctl_table tables[] = {CTL_TABLE_DEVICE, CTL_TABLE_ENROLMENT, CTL_TABLE_SESSION,
                                            CTL_TABLE_ADMISSION, CTL_TABLE_ADVERTISEMENT};
    ctl_device_row device;
    struct ctl_walk walk;
    struct ctl_key key;
    int rc = ctl_device_load(run, device_id, &device);

    if (rc == CS_OK)
        rc = ctl_orders_end_for(run, device_id, true, "the device was enrolled anew");
    if (rc == CS_OK)
        rc = ctl_key_requests_end_for(run, device_id, "the device was enrolled anew");
    if (rc == CS_OK)
        rc = ctl_renewals_drop(run, device_id, UINT64_MAX);
    if (rc == CS_OK)
        rc = ctl_identity_drop(run, CTL_BYTES(device.identity_spki));
    if (rc == CS_OK)
        rc = ctl_device_drop_previous(run, &device);
    if (rc != CS_OK)
        return rc;
    key = ctl_key_bytes(CTL_TABLE_CONNECTOR, device_id);
    walk = ctl_walk(&key);
    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK)
        if ((rc = ctl_view_delete(run->view, walk.key, run->err)) != CS_OK)
            return rc;
    if (rc != CS_ENOTFOUND)
        return rc;
    for (size_t i = 0; i < CS_ARRAY_LEN(tables); i++) {
        key = ctl_key_bytes(tables[i], device_id);
        rc = ctl_drop(run->view, &key, run->err);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

static int enrol_reply(struct ctl_run *run, const ctl_enrolment_row *enrolment,
                       countersign_v1_EnrolResponse *reply)
{
    CTL_BYTES_COPY(reply->certificate, enrolment->certificate);
    reply->time_s = run->now_s;
    return CS_OK;
}

/* A device that did not hear our answer asks again: the same keys get the same certificate, also when the
 * token's hour is over, because the certificate is no secret. */
static int enrol_again(struct ctl_run *run, const struct ctl_enrol *enrol, const ctl_token_row *token,
                       countersign_v1_EnrolResponse *reply)
{
    const countersign_v1_EnrolRequest *request = enrol->request;
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_ENROLMENT, CTL_BYTES(token->device_id));
    ctl_enrolment_row enrolment;
    ctl_device_row device;
    int rc = ctl_device_load(run, CTL_BYTES(token->device_id), &device);

    if (rc == CS_OK)
        rc = ctl_get(run->view, &key, Enrolment, &enrolment, run->err);
    if (rc != CS_OK)
        return rc;
    if (!cs_slice_eq(CTL_BYTES(device.device_id), CTL_BYTES(request->device_id)) ||
        !cs_slice_eq(CTL_BYTES(device.identity_spki), CS_SLICE_ARRAY(enrol->identity_spki)) ||
        !cs_slice_eq(CTL_BYTES(device.kem_spki), CTL_BYTES(request->kem_spki)) ||
        !cs_slice_eq(CTL_BYTES(enrolment.binding_mac), CTL_BYTES(request->binding_mac)))
        return cs_err_set(run->err, CS_EDENIED, "the token has been used with other keys");
    return enrol_reply(run, &enrolment, reply);
}

static int check_enrolment(struct ctl_run *run, const struct ctl_enrol *enrol, const ctl_token_row *token)
{
    const countersign_v1_EnrolRequest *request = enrol->request;
    struct cs_digest identity = cs_sha256(CS_SLICE_ARRAY(enrol->identity_spki));
    struct ctl_key by_id = ctl_key_bytes(CTL_TABLE_DEVICE, CTL_BYTES(request->device_id));
    struct ctl_key by_identity = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&identity));
    struct cs_slice there;
    int rc;

    if (token->expires_at_s <= run->now_s)
        return cs_err_set(run->err, CS_EDENIED, "the token has expired: ask for another");
    if (request->device_id.size != 16 || request->kem_spki.size != CS_SPKI_BYTES ||
        request->binding_mac.size != CS_SHA256_BYTES ||
        enrol->certificate.len > sizeof(((ctl_enrolment_row *)0)->certificate.bytes))
        return cs_err_set(run->err, CS_EINVAL, "the enrolment is not complete");
    rc = ctl_bytes_get(run->view, &by_id, &there, run->err);
    if (rc == CS_ENOTFOUND)
        rc = ctl_bytes_get(run->view, &by_identity, &there, run->err);
    if (rc == CS_OK)
        return cs_err_set(
            run->err, CS_EEXISTS,
            "a device-id and an identity key are made anew at each enrolment: these are in use");
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int store_enrolment(struct ctl_run *run, const struct ctl_enrol *enrol, struct cs_slice token)
{
    const countersign_v1_EnrolRequest *request = enrol->request;
    struct cs_digest identity = cs_sha256(CS_SLICE_ARRAY(enrol->identity_spki));
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&identity));
    ctl_enrolment_row enrolment = countersign_store_v1_Enrolment_init_zero;
    ctl_device_row device = countersign_store_v1_Device_init_zero;
    int rc = ctl_bytes_put(run->view, &key, CTL_BYTES(request->device_id), run->err);

    if (rc != CS_OK)
        return rc;
    CTL_BYTES_SET(enrolment.certificate, enrol->certificate);
    CTL_BYTES_COPY(enrolment.binding_mac, request->binding_mac);
    CTL_BYTES_SET(enrolment.token, token);
    key = ctl_key_bytes(CTL_TABLE_ENROLMENT, CTL_BYTES(request->device_id));
    rc = ctl_put(run->view, &key, Enrolment, &enrolment, run->err);
    if (rc != CS_OK)
        return rc;
    CTL_TEXT_SET(device.name, request->device_name);
    CTL_BYTES_COPY(device.device_id, request->device_id);
    CTL_BYTES_SET(device.identity_spki, CS_SLICE_ARRAY(enrol->identity_spki));
    CTL_BYTES_COPY(device.kem_spki, request->kem_spki);
    device.enrolled_at_s = run->now_s;
    device.identity_until_s = enrol->until_s;
    return ctl_device_store(run, &device);
}

int ctl_enrol_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_enrol *enrol = body;
    const countersign_v1_EnrolRequest *request = enrol->request;
    struct cs_digest digest = cs_sha256(CTL_BYTES(request->authentication));
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_TOKEN, cs_digest_slice(&digest));
    countersign_v1_EnrolResponse *answer = reply;
    ctl_token_row token;
    ctl_name_row name;
    int rc = ctl_get(run->view, &key, Token, &token, run->err);

    if (rc == CS_ENOTFOUND || (rc == CS_OK && strcmp(token.device_name, request->device_name) != 0))
        return cs_err_set(run->err, CS_EAUTH, "the enrolment token is not known for this device name");
    if (rc != CS_OK)
        return rc;
    if (token.device_id.size)
        return enrol_again(run, enrol, &token, answer);
    rc = check_enrolment(run, enrol, &token);
    if (rc == CS_OK)
        rc = ctl_name_load(run, request->device_name, &name);
    if (rc != CS_OK)
        return rc;

    if (name.pending_id.size) {
        rc = ctl_device_retire(run, CTL_BYTES(name.pending_id));
        if (rc != CS_OK)
            return rc;
    } else if (name.device_id.size == 0) {
        run->meta.devices++;
    }
    CTL_BYTES_COPY(name.pending_id, request->device_id);
    CTL_BYTES_COPY(token.device_id, request->device_id);
    rc = ctl_put(run->view, &key, Token, &token, run->err);
    if (rc == CS_OK)
        rc = ctl_name_store(run, request->device_name, &name);
    if (rc == CS_OK)
        rc = store_enrolment(run, enrol, cs_digest_slice(&digest));
    if (rc != CS_OK)
        return rc;
    CTL_BYTES_SET(answer->certificate, enrol->certificate);
    answer->time_s = run->now_s;
    ctl_run_changed(run, "", "device %s", request->device_name);
    return CS_OK;
}
