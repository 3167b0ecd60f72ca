#include "agent/renewal.h"

#include "agent/device_impl.h"
#include "shared/base/text.h"

/* ---- what is there */

void ag_renewal_free(struct ag_renewal *renewal)
{
    cs_buf_free(&renewal->envelope);
    cs_key_free(renewal->key);
    *renewal = (struct ag_renewal){0};
}

static unsigned other_slot(const struct ag_device *device)
{
    return 1 - device->identity.key_slot;
}

/* Our own statement, as it was signed. */
static int read_statement(struct cs_slice wire, countersign_v1_DeviceRenewal **ret, struct cs_err *err)
{
    struct cs_envelope envelope;
    int code = cs_envelope_parse(wire, &envelope, err);

    return code ? code : cs_renewal_decode(envelope.payload, ret, err);
}

int ag_renewal_open(struct ag_device *device, struct cs_err *err)
{
    cs_auto_free countersign_v1_DeviceRenewal *statement = NULL;
    struct ag_renewal renewal = {0};
    int code = ag_store_load_renewal(&device->store, &renewal.envelope, err);

    device->old_key_stays = device->identity.key_above > 0;
    if (code == CS_ENOTFOUND)
        return CS_OK;
    if (!code)
        code = read_statement(cs_buf_slice(&renewal.envelope), &statement, err);
    /* The certificate came, and the process ended before the statement was forgotten. */
    if (!code && statement->sequence <= device->identity.key_above) {
        ag_renewal_free(&renewal);
        return ag_store_drop_renewal(&device->store, err);
    }
    if (!code)
        code = ag_store_load_fresh_key(&device->store, other_slot(device), &renewal.key, err);
    if (!code && !cs_slice_eq(cs_key_spki(renewal.key), CS_PB_BYTES(&statement->identity_spki)))
        code = cs_err_set(err, CS_ECORRUPT, "the fresh key is not the one that the renewal names");
    if (code) {
        ag_renewal_free(&renewal);
        return cs_err_prefix(err, "%s/renewal", device->store.folder);
    }
    renewal.sequence = statement->sequence;
    device->renewal = renewal;
    return CS_OK;
}

const struct cs_key *ag_renewal_newest_key(const struct ag_device *device)
{
    return ag_renewal_pending(&device->renewal) ? device->renewal.key : device->keys.identity;
}

const struct cs_key *ag_renewal_key_for(const struct ag_device *device, uint64_t sequence)
{
    if (sequence <= device->identity.key_above)
        return NULL;
    if (ag_renewal_pending(&device->renewal) && sequence > device->renewal.sequence)
        return device->renewal.key;
    return device->keys.identity;
}

int ag_renewal_times(const struct ag_device *device, uint32_t random, int64_t *ret_due_s,
                     int64_t *ret_expires_s, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    cs_auto_free struct cs_cert_info *info = calloc(1, sizeof *info);
    int code =
        info ? cs_chain_parse(cs_buf_slice(&device->identity.certificate), &chain, err) : cs_err_nomem(err);

    if (code)
        return code;
    cs_chain_info(chain, 0, info);
    int64_t life_s = info->not_after_s - info->not_before_s;

    *ret_due_s = info->not_before_s + life_s / 2 + (int64_t)((uint64_t)(life_s / 8) * random >> 32);
    *ret_expires_s = info->not_after_s;
    return CS_OK;
}

/* ---- the statement */

static int sign_statement(struct ag_device *device, struct ag_renewal *renewal, struct cs_err *err)
{
    const struct cs_key *keys[] = {device->keys.identity, renewal->key};
    countersign_v1_DeviceRenewal statement = {.sequence = renewal->sequence,
                                              .made_at_s = ag_device_now(device, NULL).now_s};
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;

    CS_PB_SET(&statement.deployment_id, CS_SLICE_ARRAY(device->identity.pin.deployment_id));
    CS_PB_SET(&statement.device_id, CS_SLICE_ARRAY(device->identity.device_id));
    CS_PB_SET(&statement.identity_spki, cs_key_spki(renewal->key));
    int code = cs_message_encode(countersign_v1_DeviceRenewal_fields, &statement, &payload, err);

    return code ? code
                : cs_envelope_sign(CS_STATEMENT_DEVICE_RENEWAL, cs_buf_slice(&payload), keys,
                                   CS_ARRAY_LEN(keys), &renewal->envelope, err);
}

int ag_renewal_begin(struct ag_device *device, struct cs_err *err)
{
    struct ag_renewal renewal = {0};

    if (ag_renewal_pending(&device->renewal))
        return cs_err_set(err, CS_ESTATE, "a renewal of the identity is under way");
    int code = ag_device_next_sequence(device, &renewal.sequence, err);

    if (!code)
        code = ag_store_make_fresh_key(&device->store, other_slot(device), &renewal.key, err);
    if (!code)
        code = sign_statement(device, &renewal, err);
    if (!code)
        code = ag_store_save_renewal(&device->store, cs_buf_slice(&renewal.envelope), err);
    if (code) {
        ag_renewal_free(&renewal);
        return cs_err_prefix(err, "renewing the identity");
    }
    device->renewal = renewal;
    cs_log(CS_LOG_INFO, "identity", "renewal begun", CS_FU("sequence", renewal.sequence), CS_FEND);
    device->events->on_statement(device->owner, cs_buf_slice(&device->renewal.envelope));
    return CS_OK;
}

/* ---- the certificate */

static int check_certificate(const struct ag_device *device, struct cs_slice certificate, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    int code = cs_chain_parse(certificate, &chain, err);

    if (!code && !cs_slice_eq(cs_chain_leaf_spki(chain), cs_key_spki(device->renewal.key)))
        code = cs_err_set(err, CS_EAUTH, "the certificate that came is for another key");
    return code;
}

/* The one write after which the device is its fresh key. */
static int save_certificate(struct ag_device *device, struct cs_slice certificate, struct cs_err *err)
{
    struct ag_identity next = device->identity;
    struct cs_buf copy = CS_BUF_EMPTY;

    if (cs_buf_append(&copy, certificate) != CS_OK)
        return cs_err_nomem(err);
    next.certificate = copy;
    next.key_slot = other_slot(device);
    next.key_above = device->renewal.sequence;
    int code = ag_store_save_identity(&device->store, &next, err);

    if (code) {
        cs_buf_free(&copy);
        return code;
    }
    cs_buf_free(&device->identity.certificate);
    device->identity = next;
    return CS_OK;
}

int ag_renewal_take(struct ag_device *device, struct cs_slice certificate, struct cs_err *err)
{
    struct cs_err why = {0};

    if (!ag_renewal_pending(&device->renewal))
        return cs_err_set(err, CS_ESTATE, "no renewal of the identity is under way");
    int code = check_certificate(device, certificate, err);

    if (!code)
        code = save_certificate(device, certificate, err);
    if (code)
        return code;
    cs_key_free(device->keys.identity);
    device->keys.identity = cs_steal(device->renewal.key);
    device->old_key_stays = true;
    ag_renewal_free(&device->renewal);
    /* The old key's statements: a new admission does not vouch for that key. Those that matter are said
     * again. */
    ag_outbox_drop_until(&device->outbox, device->identity.key_above);
    ag_device_post_unacknowledged(device);
    if (ag_store_drop_renewal(&device->store, &why) != CS_OK)
        cs_log(CS_LOG_WARN, "identity", "a statement that was answered stays", CS_F("error", why.msg),
               CS_FEND);
    return CS_OK;
}

void ag_renewal_settle(struct ag_device *device)
{
    struct cs_err err = {0};

    /* With a renewal under way the other slot has the fresh key. */
    if (!device->old_key_stays || ag_renewal_pending(&device->renewal))
        return;
    device->old_key_stays = false;
    if (ag_store_drop_key(&device->store, other_slot(device), &err) != CS_OK)
        cs_log(CS_LOG_WARN, "identity", "the old key stays", CS_F("error", err.msg), CS_FEND);
}
