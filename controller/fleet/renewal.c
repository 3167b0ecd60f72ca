#include "controller/fleet/renewal.h"

#include "controller/reading.h"
#include "shared/trust/statement.h"

/* Whose it says it is: not believed before it is checked against that device's keys. */
static int read_claim(struct cs_slice wire, countersign_v1_DeviceRenewal *ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_DeviceRenewal *renewal = NULL;
    struct cs_envelope envelope;
    int code = cs_envelope_parse(wire, &envelope, err);

    if (code == CS_OK && envelope.kind != CS_STATEMENT_DEVICE_RENEWAL)
        code = cs_err_set(err, CS_EINVAL, "this is not a renewal but %s", cs_statement_type(envelope.kind));
    if (code == CS_OK)
        code = cs_renewal_decode(envelope.payload, &renewal, err);
    if (code == CS_OK)
        *ret = *renewal;
    return code;
}

static int check(struct ctl_view *view, struct cs_slice wire, struct ctl_prepared_renewal *ret,
                 struct cs_err *err)
{
    bool known;
    int code = ctl_query_renewal(view, ret->renewal.device_id.bytes, wire, &ret->device, &known,
                                 ret->device_name, err);

    if (code != CS_OK)
        return code;
    if (known) {
        cs_device_free(cs_steal(ret->device));
        return ctl_query_device(view, ret->renewal.device_id.bytes, &ret->device, NULL, err);
    }
    memcpy(ret->before, cs_device_identity(ret->device).ptr, sizeof ret->before);
    code = cs_device_check_renewal(ret->device, wire, &ret->renewal, err);
    if (code == CS_OK)
        code = cs_device_follow_checked(ret->device, wire, err);
    ret->body.before = CS_SLICE_ARRAY(ret->before);
    return code;
}

int ctl_renewal_prepare(const struct ctl_shard *shard, struct cs_slice wire, struct ctl_prepared_renewal *ret,
                        struct cs_err *err)
{
    const struct ctl_shared *shared = shard->shared;
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    int64_t now_s = ctl_shard_now_s(shard);
    int code = read_claim(wire, &ret->renewal, err);

    if (code == CS_OK)
        code = ctl_reading_open(shared->store, &reading, err);
    if (code == CS_OK)
        code = check(reading.view, wire, ret, err);
    if (code == CS_OK)
        code = ctl_vault_issue_identity(shared->vault, ret->device_name,
                                        CS_PB_BYTES(&ret->renewal.identity_spki), now_s,
                                        shared->config->identity_life_s, &ret->certificate, err);
    if (code != CS_OK)
        return code;
    memcpy(ret->body.device_id, ret->renewal.device_id.bytes, sizeof ret->body.device_id);
    ret->body.envelope = wire;
    ret->body.renewal = &ret->renewal;
    ret->body.certificate = cs_buf_slice(&ret->certificate);
    ret->body.until_s = now_s + shared->config->identity_life_s;
    return CS_OK;
}

void ctl_renewal_free(struct ctl_prepared_renewal *renewal)
{
    if (!renewal)
        return;
    cs_buf_free(&renewal->certificate);
    cs_device_free(cs_steal(renewal->device));
}
