/* Admission, and what takes a device's trust away again: ban and quarantine. A newly signed admission lifts
 * both. */
#include "controller/core/key_requests.h"
#include "controller/core/orders.h"
#include "controller/core/query_rows.h"

#include "shared/base/text.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- admission */

static int check_keys(struct ctl_run *run, const countersign_v1_Admission *admission,
                      const ctl_device_row *device, struct cs_slice identity_spki)
{
    if (strcmp(device->name, admission->device_name) != 0 ||
        !cs_slice_eq(identity_spki, CTL_BYTES(admission->identity_spki)) ||
        !cs_slice_eq(CTL_BYTES(device->kem_spki), CTL_BYTES(admission->kem_spki)))
        return cs_err_set(run->err, CS_EINVAL,
                          "the admission does not name the keys with which device %s enrolled", device->name);
    return CS_OK;
}

/* Whoever has an old admission, which is no secret, must not lift a ban with it. */
static int check_newer(struct ctl_run *run, const countersign_v1_Admission *admission,
                       const ctl_device_row *device)
{
    if (admission->admitted_at_s < device->signed_at_s)
        return cs_err_set(run->err, CS_ESTALE, "there is a newer admission of device %s than this one",
                          device->name);
    if ((device->banned || device->quarantined) &&
        admission->admitted_at_s + CTL_CLOCK_SKEW_S < device->closed_at_s)
        return cs_err_set(run->err, CS_ESTALE,
                          "this admission was signed before device %s was %s: sign another", device->name,
                          device->banned ? "banned" : "quarantined");
    return CS_OK;
}

static void lift(struct ctl_run *run, ctl_device_row *device)
{
    if (device->banned || device->quarantined)
        ctl_run_detail(run, "no longer %s", device->banned ? "banned" : "quarantined");
    device->banned = device->quarantined = false;
}

/* The first of an enrolment: it takes the name's place. Also who waits for it can have been closed. */
static int admit_enrolment(struct ctl_run *run, const countersign_v1_Admission *admission,
                           ctl_device_row *device)
{
    ctl_name_row name;
    int rc = check_keys(run, admission, device, CTL_BYTES(device->identity_spki));

    if (rc == CS_OK)
        rc = check_newer(run, admission, device);
    if (rc == CS_OK)
        rc = ctl_name_load(run, device->name, &name);
    if (rc == CS_OK && name.device_id.size)
        rc = ctl_device_retire(run, CTL_BYTES(name.device_id));
    if (rc != CS_OK)
        return rc;
    CTL_BYTES_COPY(name.device_id, name.pending_id);
    name.pending_id.size = 0;
    device->admitted = true;
    lift(run, device);
    return ctl_name_store(run, device->name, &name);
}

/* The renewal that waited is in force: the fresh key takes the old one's place. Its certificate is issued
 * when the device asks again. */
static int adopt_waiting(struct ctl_run *run, ctl_device_row *device)
{
    struct cs_digest digest = cs_sha256(CTL_BYTES(device->waiting_spki));
    struct ctl_key identity = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&digest));
    int rc = ctl_device_drop_previous(run, device);

    if (rc == CS_OK)
        rc = ctl_bytes_put(run->view, &identity, CTL_BYTES(device->device_id), run->err);
    if (rc != CS_OK)
        return rc;
    CTL_BYTES_COPY(device->previous_spki, device->identity_spki);
    CTL_BYTES_COPY(device->identity_spki, device->waiting_spki);
    device->renewal_sequence = device->waiting_sequence;
    device->identity_until_s = 0;
    device->waiting_spki.size = 0;
    device->waiting_sequence = 0;
    return CS_OK;
}

/* One more of a device that is admitted: for the key that it has, or for the one that waits. */
static int admit_again(struct ctl_run *run, const countersign_v1_Admission *admission, ctl_device_row *device)
{
    bool waiting = device->waiting_spki.size > 0 &&
                   cs_slice_eq(CTL_BYTES(device->waiting_spki), CTL_BYTES(admission->identity_spki));
    int rc = check_keys(run, admission, device,
                        waiting ? CTL_BYTES(device->waiting_spki) : CTL_BYTES(device->identity_spki));

    if (rc == CS_OK)
        rc = check_newer(run, admission, device);
    if (rc == CS_OK && waiting)
        rc = adopt_waiting(run, device);
    /* The newest one stays, so that its repetition is known. */
    if (rc == CS_OK)
        rc = ctl_renewals_drop(run, CTL_BYTES(device->device_id), device->renewal_sequence);
    if (rc != CS_OK)
        return rc;
    if (waiting)
        ctl_run_detail(run, "with a fresh identity key");
    lift(run, device);
    device->admitted_spki.size = 0;
    device->admitted_sequence = device->renewal_sequence;
    device->renewals = 0;
    return CS_OK;
}

int ctl_admit_device_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_admit_device *admit = body;
    const countersign_v1_Admission *admission = admit->admission;
    struct ctl_effect effect = {.kind = CTL_EFFECT_ADMITTED};
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_ADMISSION, CTL_BYTES(admission->device_id));
    struct cs_slice before;
    ctl_device_row device;
    int rc = ctl_run_check_policy(run, admit->policy_version);

    (void)reply;
    if (rc == CS_OK)
        rc = ctl_device_load(run, CTL_BYTES(admission->device_id), &device);
    if (rc != CS_OK)
        return rc;
    rc = ctl_bytes_get(run->view, &key, &before, run->err);
    if (rc == CS_OK && cs_slice_eq(before, admit->envelope)) /* once more the same: nothing changes */
        return CS_OK;
    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    ctl_run_changed(run, "", "device %s", device.name);
    ctl_run_detail(run, "admitted by %s", admission->admin);
    rc = device.admitted ? admit_again(run, admission, &device) : admit_enrolment(run, admission, &device);
    if (rc != CS_OK)
        return rc;
    device.admitted_at_s = run->now_s;
    device.signed_at_s = admission->admitted_at_s;
    rc = ctl_device_store(run, &device);
    if (rc == CS_OK)
        rc = ctl_bytes_put(run->view, &key, admit->envelope, run->err);
    memcpy(effect.device_id, device.device_id.bytes, sizeof effect.device_id);
    return rc == CS_OK ? ctl_run_effect(run, &effect) : rc;
}

/* ---- ban and quarantine */

int ctl_device_check_open(struct ctl_run *run, const ctl_device_row *device)
{
    return ctl_device_closed(device, run->err);
}

/* No stream: nothing is handed over any more. The shard that has the stream ends it. */
static int close_device(struct ctl_run *run, ctl_device_row *device, enum ctl_effect_kind kind)
{
    struct ctl_effect effect = {.kind = kind};
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_SESSION, CTL_BYTES(device->device_id));
    int rc = ctl_drop(run->view, &key, run->err);

    device->closed_at_s = run->now_s;
    if (rc == CS_OK)
        rc = ctl_device_store(run, device);
    memcpy(effect.device_id, device->device_id.bytes, sizeof effect.device_id);
    return rc == CS_OK ? ctl_run_effect(run, &effect) : rc;
}

/* A device that waits for its first admission can be banned, too: its stream is open already. */
static int find_banned(struct ctl_run *run, const char *name, ctl_device_row *ret)
{
    ctl_name_row row;
    int rc = cs_name_check(cs_slice_str(name), "device name", run->err);

    if (rc == CS_OK)
        rc = ctl_name_load(run, name, &row);
    if (rc == CS_ENOTFOUND || (rc == CS_OK && row.device_id.size == 0 && row.pending_id.size == 0))
        return cs_err_set(run->err, CS_ENOTFOUND, "there is no device %s", name);
    if (rc != CS_OK)
        return rc;
    return ctl_device_load(run, row.device_id.size ? CTL_BYTES(row.device_id) : CTL_BYTES(row.pending_id),
                           ret);
}

int ctl_ban_device_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_BanDeviceRequest *request = body;
    char reason[CS_LIMIT_COMMENT_BYTES + 32];
    ctl_device_row device;
    int rc = cs_text_check(cs_slice_str(request->comment), CS_LIMIT_COMMENT_BYTES, "the comment", run->err);

    (void)reply;
    if (rc == CS_OK)
        rc = find_banned(run, request->name, &device);
    if (rc != CS_OK || device.banned)
        return rc;
    device.banned = true;
    ctl_run_changed(run, request->comment, "device %s", device.name);
    (void)snprintf(reason, sizeof reason, "the device was banned%s%s", request->comment[0] ? ": " : "",
                   request->comment);
    rc = ctl_orders_end_for(run, CTL_BYTES(device.device_id), false, reason);
    if (rc == CS_OK)
        rc = ctl_key_requests_end_for(run, CTL_BYTES(device.device_id), reason);
    return rc == CS_OK ? close_device(run, &device, CTL_EFFECT_BANNED) : rc;
}

int ctl_quarantine_device_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_quarantine *quarantine = body;
    ctl_device_row device;
    int rc = ctl_device_load(run, CS_SLICE_ARRAY(quarantine->device_id), &device);

    (void)reply;
    if (rc != CS_OK || device.banned)
        return rc;
    device.quarantined = true;
    ctl_run_changed(run, "", "device %s", device.name);
    ctl_run_detail(run, "sessions %" PRIu64 " and %" PRIu64 " are two processes", quarantine->older_session,
                   quarantine->newer_session);
    return close_device(run, &device, CTL_EFFECT_QUARANTINED);
}
