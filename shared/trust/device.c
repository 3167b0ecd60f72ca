#include "shared/trust/device.h"

#include "shared/base/reader.h"
#include "shared/trust/check.h"

#include <inttypes.h>

/* One admitted key, the renewals that its admission vouches for, and one that waits for the next. */
enum { KEYS_MOST = CS_LIMIT_RENEWALS + 2 };

struct key_in_force {
    uint64_t above; /* speaks for the sequences above this one */
    struct cs_digest key_id;
    uint8_t spki[CS_SPKI_BYTES];
};

struct cs_device {
    countersign_v1_Admission *admission; /* NULL: from a record */
    uint8_t deployment_id[CS_ID_BYTES], device_id[CS_ID_BYTES];
    bool any_deployment;
    size_t key_count;
    struct key_in_force *keys;
};

/* ---- keys */

static int add_key(struct cs_device *device, uint64_t above, struct cs_slice spki, struct cs_err *err)
{
    struct key_in_force *grown;

    if (device->key_count == KEYS_MOST)
        return cs_err_set(err, CS_EFULL, "the device has had %d identity keys since its admission",
                          KEYS_MOST);
    grown = realloc(device->keys, (device->key_count + 1) * sizeof *grown);
    if (!grown)
        return cs_err_nomem(err);
    device->keys = grown;
    grown += device->key_count++;
    grown->above = above;
    grown->key_id = cs_key_id(spki);
    memcpy(grown->spki, spki.ptr, sizeof grown->spki);
    return CS_OK;
}

static const struct key_in_force *newest(const struct cs_device *device)
{
    return &device->keys[device->key_count - 1];
}

/* Never NULL: the first speaks from the beginning. */
static const struct key_in_force *key_for(const struct cs_device *device, uint64_t sequence)
{
    size_t i = device->key_count - 1;

    while (i > 0 && sequence <= device->keys[i].above)
        i--;
    return &device->keys[i];
}

static bool had_key(const struct cs_device *device, struct cs_slice spki)
{
    for (size_t i = 0; i < device->key_count; i++)
        if (cs_slice_eq(CS_SLICE_ARRAY(device->keys[i].spki), spki))
            return true;
    return false;
}

/* ---- opening */

static int open_ids(struct cs_slice deployment_id, struct cs_slice device_id, struct cs_slice identity_spki,
                    struct cs_device **ret, struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    struct cs_slice point;
    int rc;

    if ((deployment_id.len && deployment_id.len != CS_ID_BYTES) || device_id.len != CS_ID_BYTES ||
        cs_spki_point(identity_spki, &point) != CS_OK)
        return cs_err_set(err, CS_EPARSE, "the ids and the key of a device are not complete");
    device = calloc(1, sizeof *device);
    if (!device)
        return cs_err_nomem(err);
    device->any_deployment = deployment_id.len == 0;
    if (deployment_id.len)
        memcpy(device->deployment_id, deployment_id.ptr, CS_ID_BYTES);
    memcpy(device->device_id, device_id.ptr, CS_ID_BYTES);
    rc = add_key(device, 0, identity_spki, err);
    if (rc == CS_OK)
        *ret = cs_steal(device);
    return rc;
}

int cs_device_open_stored(struct cs_slice deployment_id, struct cs_slice device_id,
                          struct cs_slice identity_spki, struct cs_device **ret, struct cs_err *err)
{
    return open_ids(deployment_id, device_id, identity_spki, ret, err);
}

static int read_admission(const struct cs_policy *policy, struct cs_slice wire,
                          countersign_v1_Admission **ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_Admission *admission = NULL;
    struct cs_verified verified;
    countersign_v1_KeyKind kind;
    int rc = cs_policy_verify(policy, wire, CS_STATEMENT_ADMISSION, &verified, err);

    if (rc == CS_OK)
        rc = cs_admission_decode(verified.payload, &admission, err);
    if (rc == CS_OK)
        rc = cs_policy_check_signer(policy, &verified, admission->admin, countersign_v1_Role_ROLE_ADMIN,
                                    &kind, err);
    if (rc != CS_OK)
        return rc;
    if (!cs_slice_eq(CS_PB_BYTES(&cs_policy_body(policy)->deployment_id),
                     CS_PB_BYTES(&admission->deployment_id)))
        return cs_err_set(err, CS_EAUTH, "the admission belongs to another deployment");
    if (admission->policy_version > cs_policy_version(policy))
        return cs_err_set(err, CS_ESTALE,
                          "the admission was signed under policy version %u, and only version %u is known",
                          (unsigned)admission->policy_version, (unsigned)cs_policy_version(policy));
    *ret = cs_steal(admission);
    return CS_OK;
}

/* Takes the admission over. */
static int open_admission(countersign_v1_Admission **admission, struct cs_device **ret, struct cs_err *err)
{
    struct cs_device *device;
    int rc = open_ids(CS_PB_BYTES(&(*admission)->deployment_id), CS_PB_BYTES(&(*admission)->device_id),
                      CS_PB_BYTES(&(*admission)->identity_spki), &device, err);

    if (rc != CS_OK)
        return rc;
    device->admission = cs_steal(*admission);
    *ret = device;
    return CS_OK;
}

int cs_device_open(const struct cs_policy *policy, struct cs_slice wire, struct cs_device **ret,
                   struct cs_err *err)
{
    cs_auto_free countersign_v1_Admission *admission = NULL;
    int rc = read_admission(policy, wire, &admission, err);

    return rc == CS_OK ? open_admission(&admission, ret, err) : rc;
}

int cs_device_open_checked(struct cs_slice wire, struct cs_device **ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_Admission *admission = NULL;
    struct cs_envelope envelope;
    int rc = cs_envelope_parse(wire, &envelope, err);

    if (rc == CS_OK)
        rc = cs_admission_decode(envelope.payload, &admission, err);
    return rc == CS_OK ? open_admission(&admission, ret, err) : rc;
}

void cs_device_free(struct cs_device *device)
{
    if (!device)
        return;
    free(device->admission);
    free(device->keys);
    free(device);
}

const countersign_v1_Admission *cs_device_admission(const struct cs_device *device)
{
    return device->admission;
}

struct cs_slice cs_device_identity(const struct cs_device *device)
{
    return CS_SLICE_ARRAY(newest(device)->spki);
}

size_t cs_device_renewals(const struct cs_device *device)
{
    return device->key_count - 1;
}

/* ---- whose statement is it */

static int check_ids(const struct cs_device *device, struct cs_slice deployment_id, struct cs_slice device_id,
                     struct cs_err *err)
{
    if (!cs_slice_eq(device_id, CS_SLICE_ARRAY(device->device_id)))
        return cs_err_set(err, CS_EDENIED, "the statement names another device-id than its signer's");
    if (!device->any_deployment && !cs_slice_eq(deployment_id, CS_SLICE_ARRAY(device->deployment_id)))
        return cs_err_set(err, CS_EDENIED, "the statement belongs to another deployment");
    return CS_OK;
}

/* ---- renewals */

static int read_renewal(struct cs_slice payload, countersign_v1_DeviceRenewal *ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_DeviceRenewal *renewal = NULL;
    int rc = cs_renewal_decode(payload, &renewal, err);

    if (rc == CS_OK)
        *ret = *renewal;
    return rc;
}

int cs_device_check_renewal(const struct cs_device *device, struct cs_slice wire,
                            countersign_v1_DeviceRenewal *ret, struct cs_err *err)
{
    const struct key_in_force *before = newest(device);
    countersign_v1_DeviceRenewal renewal;
    struct cs_verified verified;
    int rc = cs_envelope_verify_one(wire, CS_STATEMENT_DEVICE_RENEWAL, CS_SLICE_ARRAY(before->spki),
                                    &verified, err);

    if (rc == CS_OK)
        rc = read_renewal(verified.payload, &renewal, err);
    if (rc == CS_OK)
        rc = check_ids(device, CS_PB_BYTES(&renewal.deployment_id), CS_PB_BYTES(&renewal.device_id), err);
    if (rc != CS_OK)
        return rc;
    if (renewal.sequence <= before->above)
        return cs_err_set(err, CS_ESTALE,
                          "the renewal has sequence %" PRIu64 ", and the last one has %" PRIu64 " already",
                          renewal.sequence, before->above);
    if (had_key(device, CS_PB_BYTES(&renewal.identity_spki)))
        return cs_err_set(err, CS_EEXISTS, "the renewal names a key that the device had before");
    rc = cs_envelope_verify_one(wire, CS_STATEMENT_DEVICE_RENEWAL, CS_PB_BYTES(&renewal.identity_spki),
                                &verified, err);
    if (rc != CS_OK) {
        cs_err_prefix(err, "the fresh key of the renewal");
        return rc;
    }
    *ret = renewal;
    return CS_OK;
}

int cs_device_follow(struct cs_device *device, struct cs_slice wire, struct cs_err *err)
{
    countersign_v1_DeviceRenewal renewal;
    int rc;

    if (cs_device_renewals(device) >= CS_LIMIT_RENEWALS)
        return cs_err_set(err, CS_EFULL,
                          "an admission vouches for %d renewals: an admin has to admit the device anew",
                          CS_LIMIT_RENEWALS);
    rc = cs_device_check_renewal(device, wire, &renewal, err);
    return rc == CS_OK ? add_key(device, renewal.sequence, CS_PB_BYTES(&renewal.identity_spki), err) : rc;
}

int cs_device_follow_checked(struct cs_device *device, struct cs_slice wire, struct cs_err *err)
{
    countersign_v1_DeviceRenewal renewal;
    struct cs_envelope envelope;
    int rc = cs_envelope_parse(wire, &envelope, err);

    if (rc == CS_OK)
        rc = read_renewal(envelope.payload, &renewal, err);
    return rc == CS_OK ? add_key(device, renewal.sequence, CS_PB_BYTES(&renewal.identity_spki), err) : rc;
}

/* ---- statements */

/* The first three fields of every device statement: deployment_id, device_id, sequence. */
struct head {
    struct cs_slice deployment_id, device_id;
    uint64_t sequence;
};

static int read_head(struct cs_slice payload, struct head *ret, struct cs_err *err)
{
    enum { TAG_DEPLOYMENT_ID = 0x0a, TAG_DEVICE_ID = 0x12, TAG_SEQUENCE = 0x18 };
    struct cs_reader reader = cs_reader(payload);
    bool good = cs_reader_u8(&reader) == TAG_DEPLOYMENT_ID && cs_reader_u8(&reader) == CS_ID_BYTES;

    ret->deployment_id = cs_reader_take(&reader, CS_ID_BYTES);
    good &= cs_reader_u8(&reader) == TAG_DEVICE_ID && cs_reader_u8(&reader) == CS_ID_BYTES;
    ret->device_id = cs_reader_take(&reader, CS_ID_BYTES);
    good &= cs_reader_u8(&reader) == TAG_SEQUENCE;
    ret->sequence = cs_reader_varint(&reader);
    if (!good || !cs_reader_ok(&reader) || ret->sequence == 0)
        return cs_err_set(err, CS_EPARSE,
                          "the statement does not begin with deployment, device-id and sequence");
    return CS_OK;
}

static bool signed_by(const struct cs_verified *verified, const struct cs_digest *key_id)
{
    for (size_t i = 0; i < verified->signer_count; i++)
        if (cs_digest_eq(&verified->signers[i], key_id))
            return true;
    return false;
}

int cs_device_verify(const struct cs_device *device, struct cs_slice wire, enum cs_statement_kind kind,
                     struct cs_verified *ret, struct cs_err *err)
{
    struct cs_keyring_key keys[KEYS_MOST];
    struct cs_verified verified;
    struct head head;
    int rc;

    cs_assert(kind == CS_STATEMENT_DEVICE_ADVERTISEMENT || kind == CS_STATEMENT_DEVICE_CSR ||
              kind == CS_STATEMENT_DEVICE_REPORT);
    for (size_t i = 0; i < device->key_count; i++)
        keys[i] = (struct cs_keyring_key){device->keys[i].key_id, CS_SLICE_ARRAY(device->keys[i].spki)};
    rc = cs_envelope_verify_keys(wire, kind, keys, device->key_count, &verified, err);
    if (rc == CS_OK)
        rc = read_head(verified.payload, &head, err);
    if (rc == CS_OK)
        rc = check_ids(device, head.deployment_id, head.device_id, err);
    if (rc != CS_OK)
        return rc;
    if (!signed_by(&verified, &key_for(device, head.sequence)->key_id))
        return cs_err_set(err, CS_EAUTH,
                          "the statement with sequence %" PRIu64
                          " is signed by a key that the device did not have then",
                          head.sequence);
    *ret = verified;
    return CS_OK;
}
