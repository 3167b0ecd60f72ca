/* Identity keys that follow one another (shared/trust/device.h has the rule). A renewal in time is granted at
 * once; one that comes after the certificate has expired, or that the admission vouches for no more, waits
 * for a new admission. Keys of renewals that are granted:
 *
 *   identity_spki   the newest; certificates are for it
 *   previous_spki   the one before, until the newest has opened a session: the device may not have heard
 *   waiting_spki    of the renewal that waits; opens nothing */
#include "controller/core/run.h"

/* ---- rows */

static struct ctl_key renewal_key(struct cs_slice device_id, uint64_t sequence)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_RENEWAL, device_id);

    ctl_key_add_u64(&key, sequence);
    return key;
}

int ctl_renewals_drop(struct ctl_run *run, struct cs_slice device_id, uint64_t below)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_RENEWAL, device_id);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK && ctl_key_last_u64(walk.key) < below)
        if ((rc = ctl_view_delete(run->view, walk.key, run->err)) != CS_OK)
            return rc;
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

int ctl_identity_drop(struct ctl_run *run, struct cs_slice spki)
{
    struct cs_digest digest = cs_sha256(spki);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&digest));

    return ctl_drop(run->view, &key, run->err);
}

int ctl_device_drop_previous(struct ctl_run *run, ctl_device_row *device)
{
    int rc;

    if (device->previous_spki.size == 0)
        return CS_OK;
    rc = ctl_identity_drop(run, CTL_BYTES(device->previous_spki));
    device->previous_spki.size = 0;
    return rc;
}

/* ---- the certificate of the newest key */

/* Repeating a renewal gives the same certificate. */
static int keep_certificate(struct ctl_run *run, const struct ctl_renewal *said, ctl_device_row *device)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_ENROLMENT, CTL_BYTES(device->device_id));
    ctl_enrolment_row enrolment;
    int rc = ctl_get(run->view, &key, Enrolment, &enrolment, run->err);

    if (rc != CS_OK)
        return rc;
    if (said->certificate.len > sizeof enrolment.certificate.bytes)
        return cs_err_set(run->err, CS_ETOOBIG, "the identity certificate has %zu bytes, too many to keep",
                          said->certificate.len);
    CTL_BYTES_SET(enrolment.certificate, said->certificate);
    device->identity_until_s = said->until_s;
    rc = ctl_put(run->view, &key, Enrolment, &enrolment, run->err);
    return rc == CS_OK ? ctl_device_store(run, device) : rc;
}

/* ---- a renewal */

static int check_said(struct ctl_run *run, const struct ctl_renewal *said, const ctl_device_row *device)
{
    const countersign_v1_DeviceRenewal *renewal = said->renewal;

    if (!cs_slice_eq(CTL_BYTES(renewal->device_id), CTL_BYTES(device->device_id)))
        return cs_err_set(run->err, CS_EDENIED, "device %s made a renewal for another device-id",
                          device->name);
    if (run->meta.deployment_id.size &&
        !cs_slice_eq(CTL_BYTES(renewal->deployment_id), CTL_BYTES(run->meta.deployment_id)))
        return cs_err_set(run->err, CS_EDENIED, "device %s made a renewal for another deployment",
                          device->name);
    if (!device->admitted)
        return cs_err_set(run->err, CS_ESTATE, "device %s was never admitted: there is nothing to renew",
                          device->name);
    return CS_OK;
}

/* What a new renewal must be, as far as the shard could not know. */
static int check_new(struct ctl_run *run, const struct ctl_renewal *said, const ctl_device_row *device)
{
    struct cs_digest digest = cs_sha256(CTL_BYTES(said->renewal->identity_spki));
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&digest));
    struct cs_slice there;
    int rc;

    if (!cs_slice_eq(said->before, CTL_BYTES(device->identity_spki)))
        return cs_err_set(run->err, CS_ESTALE, "the renewal does not follow the key that device %s has now",
                          device->name);
    if (said->renewal->sequence <= device->waiting_sequence)
        return cs_err_set(run->err, CS_ESTALE, "a later renewal of device %s waits already", device->name);
    rc = ctl_bytes_get(run->view, &key, &there, run->err);
    if (rc == CS_OK)
        return cs_err_set(run->err, CS_EEXISTS, "the renewal names a key that is in use");
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int put_envelope(struct ctl_run *run, const struct ctl_renewal *said)
{
    struct ctl_key key = renewal_key(CS_SLICE_ARRAY(said->device_id), said->renewal->sequence);

    return ctl_bytes_put(run->view, &key, said->envelope, run->err);
}

static void count_sequence(const struct ctl_renewal *said, ctl_device_row *device)
{
    if (said->renewal->sequence > device->sequence)
        device->sequence = said->renewal->sequence;
}

/* The one that waited before was for a key that the device has lost. */
static int let_wait(struct ctl_run *run, const struct ctl_renewal *said, ctl_device_row *device,
                    const char *why)
{
    int rc = CS_OK;

    if (device->waiting_sequence) {
        struct ctl_key before = renewal_key(CTL_BYTES(device->device_id), device->waiting_sequence);

        rc = ctl_drop(run->view, &before, run->err);
    }
    if (rc == CS_OK)
        rc = put_envelope(run, said);
    CTL_BYTES_COPY(device->waiting_spki, said->renewal->identity_spki);
    device->waiting_sequence = said->renewal->sequence;
    count_sequence(said, device);
    if (rc == CS_OK)
        rc = ctl_device_store(run, device);
    ctl_run_changed(run, "", "device %s", device->name);
    ctl_run_detail(run, "waits for a new admission: %s", why);
    return rc;
}

static int grant(struct ctl_run *run, const struct ctl_renewal *said, ctl_device_row *device)
{
    struct cs_digest digest = cs_sha256(CTL_BYTES(said->renewal->identity_spki));
    struct ctl_key identity = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&digest));
    int rc = ctl_device_drop_previous(run, device);

    if (rc == CS_OK)
        rc = ctl_bytes_put(run->view, &identity, CTL_BYTES(device->device_id), run->err);
    if (rc == CS_OK)
        rc = put_envelope(run, said);
    if (rc != CS_OK)
        return rc;
    if (device->admitted_spki.size == 0)
        CTL_BYTES_COPY(device->admitted_spki, device->identity_spki);
    CTL_BYTES_COPY(device->previous_spki, device->identity_spki);
    CTL_BYTES_COPY(device->identity_spki, said->renewal->identity_spki);
    device->renewal_sequence = said->renewal->sequence;
    device->renewals++;
    count_sequence(said, device);
    ctl_run_changed(run, "", "device %s", device->name);
    ctl_run_detail(run, "renewal %u since its admission", (unsigned)device->renewals);
    return keep_certificate(run, said, device);
}

static bool is_newest(const countersign_v1_DeviceRenewal *renewal, const ctl_device_row *device)
{
    return renewal->sequence == device->renewal_sequence &&
           cs_slice_eq(CTL_BYTES(renewal->identity_spki), CTL_BYTES(device->identity_spki));
}

static bool is_waiting(const countersign_v1_DeviceRenewal *renewal, const ctl_device_row *device)
{
    return renewal->sequence == device->waiting_sequence &&
           cs_slice_eq(CTL_BYTES(renewal->identity_spki), CTL_BYTES(device->waiting_spki));
}

/* *ret_granted: the certificate of its key is there. */
static int take(struct ctl_run *run, const struct ctl_renewal *said, bool *ret_granted)
{
    ctl_device_row device;
    int rc = ctl_device_load(run, CS_SLICE_ARRAY(said->device_id), &device);

    if (rc == CS_OK)
        rc = check_said(run, said, &device);
    if (rc == CS_OK)
        rc = ctl_device_check_open(run, &device);
    if (rc != CS_OK)
        return rc;
    *ret_granted = false;
    if (is_waiting(said->renewal, &device))
        return CS_OK;
    *ret_granted = true;
    if (is_newest(said->renewal, &device)) {
        if (device.identity_until_s)
            return CS_OK;
        ctl_run_changed(run, "", "device %s", device.name);
        ctl_run_detail(run, "certificate after its new admission");
        return keep_certificate(run, said, &device);
    }
    rc = check_new(run, said, &device);
    if (rc != CS_OK)
        return rc;
    *ret_granted = false;
    if (device.identity_until_s && device.identity_until_s <= run->now_s)
        return let_wait(run, said, &device, "its identity certificate has expired");
    if (device.renewals >= CS_LIMIT_RENEWALS)
        return let_wait(run, said, &device, "it was renewed as often as one admission vouches for");
    *ret_granted = true;
    return grant(run, said, &device);
}

int ctl_renewal_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_renewal *said = body;
    struct ctl_effect effect = {
        .kind = CTL_EFFECT_ACK, .sequence = said->renewal->sequence, .session_id = said->session_id};
    bool granted;
    int rc = take(run, said, &granted);

    (void)reply;
    memcpy(effect.device_id, said->device_id, sizeof effect.device_id);
    if (rc == CS_OK)
        rc = ctl_run_effect(run, &effect);
    effect.kind = CTL_EFFECT_IDENTITY;
    return rc == CS_OK && granted ? ctl_run_effect(run, &effect) : rc;
}

int ctl_renew_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_renewal *said = body;
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_ENROLMENT, CS_SLICE_ARRAY(said->device_id));
    countersign_v1_RenewResponse *answer = reply;
    ctl_enrolment_row enrolment;
    bool granted;
    int rc = take(run, said, &granted);

    answer->time_s = run->now_s;
    if (rc != CS_OK || !granted)
        return rc;
    rc = ctl_get(run->view, &key, Enrolment, &enrolment, run->err);
    if (rc == CS_OK)
        CTL_BYTES_COPY(answer->certificate, enrolment.certificate);
    return rc;
}
