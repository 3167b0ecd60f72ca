/* A device that renews and speaks as the input says, right or wrong, with real signatures; each answer is
 * compared with what a list of keys says by itself. Four bytes are a step; a step of the last kind signs what
 * is left as the payload of a statement. */
#include "tests/support/deployment.h"

#include "shared/trust/device.h"

enum { KEYS = 8, STEP_BYTES = 4, STEPS = 12, RENEWALS = STEPS };

static const char *const keys[KEYS] = {"gw-0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"};

/* What the rule says, said once more. */
struct model {
    struct {
        unsigned key;
        uint64_t above;
    } in_force[1 + RENEWALS];
    size_t count;
};

static bool had(const struct model *model, unsigned key)
{
    for (size_t i = 0; i < model->count; i++)
        if (model->in_force[i].key == key)
            return true;
    return false;
}

static unsigned key_of(const struct model *model, uint64_t sequence)
{
    unsigned key = model->in_force[0].key;

    for (size_t i = 1; i < model->count; i++)
        if (sequence > model->in_force[i].above)
            key = model->in_force[i].key;
    return key;
}

static void renew(struct deployment *d, struct cs_device *device, struct model *model, const uint8_t step[4])
{
    unsigned by = step[1] & 7, fresh = step[1] >> 3 & 7, second = step[2] & 8 ? step[2] & 7 : fresh;
    const struct cs_key *signers[] = {deployment_key(d, keys[by]), deployment_key(d, keys[second])};
    size_t newest = model->count - 1;
    countersign_v1_DeviceRenewal renewal;
    struct cs_buf payload, wire = CS_BUF_EMPTY;
    struct cs_err err;
    bool expected;

    deployment_fill_renewal(d, "gw-0", &renewal);
    renewal.sequence = 1 + step[3];
    CS_PB_SET(&renewal.identity_spki, cs_key_spki(deployment_key(d, keys[fresh])));
    expected = (by == model->in_force[newest].key || second == model->in_force[newest].key) &&
               (by == fresh || second == fresh) && renewal.sequence > model->in_force[newest].above &&
               !had(model, fresh);
    payload = deployment_encode(countersign_v1_DeviceRenewal_fields, &renewal);
    cs_assert(cs_envelope_sign(CS_STATEMENT_DEVICE_RENEWAL, cs_buf_slice(&payload), signers,
                               by == second ? 1 : 2, &wire, &err) == CS_OK);
    cs_assert((cs_device_follow(device, cs_buf_slice(&wire), &err) == CS_OK) == expected);
    if (expected) {
        model->in_force[model->count].key = fresh;
        model->in_force[model->count++].above = renewal.sequence;
    }
    cs_buf_free(&payload);
    cs_buf_free(&wire);
}

static void speak(struct deployment *d, const struct cs_device *device, const struct model *model,
                  const uint8_t step[4])
{
    unsigned by = step[1] & 7;
    cs_auto_free countersign_v1_DeviceReport *report = calloc(1, sizeof *report);
    struct cs_verified verified;
    struct cs_buf wire;
    struct cs_err err;
    int rc;

    cs_assert(report);
    deployment_fill_report(d, "gw-0", report);
    report->sequence = 1 + step[3];
    wire =
        deployment_sign(d, CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report, keys[by]);
    rc = cs_device_verify(device, cs_buf_slice(&wire), CS_STATEMENT_DEVICE_REPORT, &verified, &err);
    cs_assert((rc == CS_OK) == (key_of(model, report->sequence) == by));
    cs_buf_free(&wire);
}

/* Whatever it is, it is this device's only if it begins as this device's statements do. */
static void say(struct deployment *d, const struct cs_device *device, struct cs_slice payload)
{
    const struct cs_key *key = deployment_key(d, keys[0]);
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_verified verified;
    struct cs_err err;

    if (payload.len == 0 || payload.len > CS_LIMIT_STATEMENT_BYTES)
        return;
    cs_assert(cs_envelope_sign(CS_STATEMENT_DEVICE_CSR, payload, &key, 1, &wire, &err) == CS_OK);
    if (cs_device_verify(device, cs_buf_slice(&wire), CS_STATEMENT_DEVICE_CSR, &verified, &err) == CS_OK)
        cs_assert(payload.len >= 2 * 18 + 2 &&
                  memcmp(payload.ptr + 2, cs_policy_body(d->policy)->deployment_id.bytes, 16) == 0);
    cs_buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model model = {.count = 1};
    struct cs_device *device;
    struct deployment d;
    struct cs_buf admission;
    struct cs_err err;

    deployment_make(&d);
    admission = deployment_example(&d, CS_STATEMENT_ADMISSION);
    cs_assert(cs_device_open(d.policy, cs_buf_slice(&admission), &device, &err) == CS_OK);
    for (size_t i = 0; i < STEPS && size >= STEP_BYTES; i++, data += STEP_BYTES, size -= STEP_BYTES) {
        if (data[0] % 3 == 0) {
            renew(&d, device, &model, data);
        } else if (data[0] % 3 == 1) {
            speak(&d, device, &model, data);
        } else {
            say(&d, device, cs_slice(data + 1, size - 1));
            break;
        }
    }
    cs_device_free(device);
    cs_buf_free(&admission);
    deployment_free(&d);
    return 0;
}
