/* What the fleet's sessions read: who a certificate's key is, what waits for a device, and all that a
 * delivery is made of. */
#include "controller/core/query.h"

#include "controller/core/query_rows.h"
#include "controller/core/workflow.h"
#include "shared/trust/merkle.h"

#include <inttypes.h>

int ctl_query_identity(struct ctl_view *view, struct cs_slice identity_spki, struct ctl_identity *ret,
                       struct cs_err *err)
{
    struct cs_digest digest = cs_sha256(identity_spki);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_IDENTITY, cs_digest_slice(&digest));
    struct cs_slice device_id;
    ctl_device_row device;
    int rc = ctl_bytes_get(view, &key, &device_id, err);

    if (rc == CS_OK) {
        key = ctl_key_bytes(CTL_TABLE_DEVICE, device_id);
        rc = ctl_get(view, &key, Device, &device, err);
    }
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "no device has this identity key: enrol it again");
    if (rc != CS_OK)
        return rc;
    if (device.device_id.size != sizeof ret->device_id ||
        device.identity_spki.size != sizeof ret->identity_spki)
        return cs_err_set(err, CS_ECORRUPT, "the record of device %s is incomplete", device.name);
    *ret = (struct ctl_identity){.admitted = device.admitted};
    CTL_TEXT_SET(ret->name, device.name);
    memcpy(ret->device_id, device.device_id.bytes, sizeof ret->device_id);
    memcpy(ret->identity_spki, device.identity_spki.bytes, sizeof ret->identity_spki);
    return CS_OK;
}

int ctl_query_policy(struct ctl_view *view, uint32_t version, struct cs_buf *out, struct cs_err *err)
{
    struct ctl_key key = ctl_key(CTL_TABLE_POLICY);
    struct cs_slice envelope;
    int rc;

    ctl_key_add_u32(&key, version);
    rc = ctl_bytes_get(view, &key, &envelope, err);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no trust policy of version %u", (unsigned)version);
    if (rc == CS_OK && cs_buf_append(out, envelope) != CS_OK)
        return cs_err_nomem(err);
    return rc;
}

int ctl_query_waiting(struct ctl_view *view, const uint8_t device_id[16], uint64_t *ret_numbers, size_t most,
                      size_t *ret_count, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_LIVE, cs_slice(device_id, 16));
    struct ctl_walk walk = ctl_walk(&prefix);
    size_t count = 0;
    int rc;

    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK && count < most) {
        ctl_order_row order;

        rc = ctl_find_order(view, ctl_number_of(walk.value), &order, err);
        if (rc != CS_OK)
            return rc;
        if (ctl_phase_info(order.phase)->handed_over)
            ret_numbers[count++] = order.number;
    }
    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    *ret_count = count;
    return CS_OK;
}

/* ---- deliveries */

static int append_bytes(struct ctl_view *view, const struct ctl_key *key, struct cs_buf *out,
                        struct cs_err *err)
{
    struct cs_slice bytes;
    int rc = ctl_bytes_get(view, key, &bytes, err);

    if (rc == CS_OK && cs_buf_append(out, bytes) != CS_OK)
        return cs_err_nomem(err);
    return rc;
}

/* The leaf hashes of the request stand one behind the other: exactly what a proof is made from. */
static int prove(struct ctl_view *view, const ctl_request_row *request, uint32_t index,
                 struct ctl_delivery *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_LEAVES, request->number);
    struct cs_slice leaves;
    int rc = ctl_bytes_get(view, &key, &leaves, err);

    if (rc != CS_OK)
        return rc;
    if (leaves.len != (size_t)request->order_count * sizeof(struct cs_digest) ||
        index >= request->order_count)
        return cs_err_set(err, CS_ECORRUPT, "the leaves of REQ-%" PRIu64 " are incomplete", request->number);
    ret->order_index = index;
    ret->proof_len = cs_merkle_proof((const struct cs_digest *)(const void *)leaves.ptr, request->order_count,
                                     index, ret->proof);
    return CS_OK;
}

static int take_decisions(struct ctl_view *view, uint64_t number, struct ctl_delivery *ret,
                          struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_DECISION, number);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_decision_row row;

        rc = ctl_decode(walk.value, Decision, &row, err);
        if (rc != CS_OK)
            return rc;
        if (ret->decision_count == CS_ARRAY_LEN(ret->decisions))
            return cs_err_set(err, CS_ECORRUPT, "REQ-%" PRIu64 " has more decisions than are allowed",
                              number);
        if (cs_buf_append(&ret->decisions[ret->decision_count++], CTL_BYTES(row.envelope)) != CS_OK)
            return cs_err_nomem(err);
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* Chain and key, in the way that was signed for; orders that carry none (remove, roll back) have an empty
 * chain digest. */
static int take_certificate(struct ctl_view *view, const ctl_request_row *request, struct ctl_delivery *ret,
                            struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CHAIN, CTL_BYTES(request->chain_digest));
    int rc;

    if (request->chain_digest.size == 0)
        return CS_OK;
    rc = append_bytes(view, &key, &ret->chain, err);
    if (rc != CS_OK)
        return rc;
    switch (request->key_mode) {
    case countersign_v1_KeyMode_KEY_MODE_SEALED:
        key = ctl_key_numbers(CTL_TABLE_SEALED_KEY, request->number, ret->order_index);
        return append_bytes(view, &key, &ret->sealed_key, err);
    case countersign_v1_KeyMode_KEY_MODE_HELD:
        key = ctl_key_bytes(CTL_TABLE_HELD_KEY, CTL_BYTES(request->certificate_id));
        return append_bytes(view, &key, &ret->held_key, err);
    default:
        return CS_OK;
    }
}

static int take_device(struct ctl_view *view, const ctl_order_row *order, struct ctl_delivery *ret,
                       struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_DEVICE, CTL_BYTES(order->device_id));
    ctl_device_row device;
    int rc = ctl_get(view, &key, Device, &device, err);

    if (rc != CS_OK)
        return rc;
    if (device.kem_spki.size != sizeof ret->kem_spki || order->device_id.size != sizeof ret->device_id ||
        order->order_id.size != sizeof ret->order_id ||
        order->certificate_id.size != sizeof ret->certificate_id)
        return cs_err_set(err, CS_ECORRUPT, "the records of WO-%" PRIu64 " are incomplete", order->number);
    memcpy(ret->kem_spki, device.kem_spki.bytes, sizeof ret->kem_spki);
    memcpy(ret->device_id, order->device_id.bytes, sizeof ret->device_id);
    memcpy(ret->order_id, order->order_id.bytes, sizeof ret->order_id);
    memcpy(ret->certificate_id, order->certificate_id.bytes, sizeof ret->certificate_id);
    return CS_OK;
}

int ctl_query_delivery(struct ctl_view *view, uint64_t order_number, struct ctl_delivery *ret,
                       struct cs_err *err)
{
    struct ctl_delivery delivery = {0};
    ctl_order_row order;
    ctl_request_row request;
    struct ctl_key key;
    int rc = ctl_find_order(view, order_number, &order, err);

    if (rc == CS_OK)
        rc = ctl_find_request(view, order.request_number, &request, err);
    if (rc == CS_OK)
        rc = take_device(view, &order, &delivery, err);
    if (rc == CS_OK)
        rc = prove(view, &request, order.index, &delivery, err);
    if (rc == CS_OK) {
        key = ctl_key_numbers(CTL_TABLE_CORE, request.number, order.index);
        rc = append_bytes(view, &key, &delivery.core, err);
    }
    if (rc == CS_OK) {
        key = ctl_key_number(CTL_TABLE_REQUEST_ENVELOPE, request.number);
        rc = append_bytes(view, &key, &delivery.request, err);
    }
    if (rc == CS_OK)
        rc = take_decisions(view, request.number, &delivery, err);
    if (rc == CS_OK)
        rc = take_certificate(view, &request, &delivery, err);
    if (rc == CS_OK)
        *ret = delivery;
    else
        ctl_delivery_free(&delivery);
    return rc;
}

void ctl_delivery_free(struct ctl_delivery *delivery)
{
    cs_buf_free(&delivery->core);
    cs_buf_free(&delivery->request);
    cs_buf_free(&delivery->chain);
    cs_buf_free(&delivery->held_key);
    cs_buf_free(&delivery->sealed_key);
    for (size_t i = 0; i < CS_ARRAY_LEN(delivery->decisions); i++)
        cs_buf_free(&delivery->decisions[i]);
}
