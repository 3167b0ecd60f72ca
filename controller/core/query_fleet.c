/* What the fleet's sessions read: who a certificate's key is, what waits for a device, and all that a
 * delivery is made of. */
#include "controller/core/query.h"

#include "controller/core/actions.h"
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
    if (device.device_id.size != sizeof ret->device_id)
        return cs_err_set(err, CS_ECORRUPT, "the record of device %s is incomplete", device.name);
    *ret = (struct ctl_identity){.key = digest, .admitted = device.admitted};
    CTL_TEXT_SET(ret->name, device.name);
    memcpy(ret->device_id, device.device_id.bytes, sizeof ret->device_id);
    return ctl_device_closed(&device, err);
}

/* ---- the keys that speak for a device */

static int find_row(struct ctl_view *view, const uint8_t device_id[16], ctl_device_row *ret,
                    struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_DEVICE, cs_slice(device_id, 16));
    int rc = ctl_get(view, &key, Device, ret, err);

    return rc == CS_ENOTFOUND
               ? cs_err_set(err, rc, "this device is not known here (any more): enrol it again")
               : rc;
}

/* A new admission vouches for the newest key, of which the device may not have heard: what it said before the
 * renewal stays the word of the key before. Otherwise its stream would end over that again and again. */
static bool speaks_with_two_keys(const ctl_device_row *row)
{
    return row->previous_spki.size > 0 && row->admitted_spki.size == 0 && row->admitted_sequence > 0 &&
           row->renewal_sequence == row->admitted_sequence;
}

static struct cs_slice first_key(const ctl_device_row *row)
{
    if (speaks_with_two_keys(row))
        return CTL_BYTES(row->previous_spki);
    return row->admitted_spki.size ? CTL_BYTES(row->admitted_spki) : CTL_BYTES(row->identity_spki);
}

/* From the first key on, up to the sequence `last`. */
static int follow_renewals(struct ctl_view *view, const ctl_device_row *row, uint64_t last,
                           struct cs_device *device, struct cs_err *err)
{
    const uint64_t passed = speaks_with_two_keys(row) ? row->admitted_sequence - 1 : row->admitted_sequence;
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_RENEWAL, CTL_BYTES(row->device_id));
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        uint64_t sequence = ctl_key_last_u64(walk.key);

        if (sequence <= passed)
            continue;
        if (sequence > last)
            return CS_OK;
        rc = cs_device_follow_checked(device, walk.value, err);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int open_device(struct ctl_view *view, const ctl_device_row *row, uint64_t last,
                       struct cs_device **ret, struct cs_err *err)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    struct ctl_key meta_key = ctl_key(CTL_TABLE_META);
    ctl_meta_row meta = countersign_store_v1_Meta_init_zero;
    int rc = ctl_get(view, &meta_key, Meta, &meta, err);

    if (rc == CS_OK)
        rc = cs_device_open_stored(CTL_BYTES(meta.deployment_id), CTL_BYTES(row->device_id), first_key(row),
                                   &device, err);
    if (rc == CS_OK)
        rc = follow_renewals(view, row, last, device, err);
    if (rc == CS_OK)
        *ret = cs_steal(device);
    return rc;
}

int ctl_query_device(struct ctl_view *view, const uint8_t device_id[16], struct cs_device **ret,
                     char ret_name[64], struct cs_err *err)
{
    ctl_device_row row;
    int rc = find_row(view, device_id, &row, err);

    if (rc != CS_OK)
        return rc;
    if (ret_name)
        ctl_text_set(ret_name, sizeof row.name, row.name);
    return open_device(view, &row, UINT64_MAX, ret, err);
}

static int is_stored(struct ctl_view *view, const ctl_device_row *row, uint64_t sequence,
                     struct cs_slice envelope, bool *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_RENEWAL, CTL_BYTES(row->device_id));
    struct cs_slice stored;
    int rc;

    ctl_key_add_u64(&key, sequence);
    rc = ctl_bytes_get(view, &key, &stored, err);
    *ret |= rc == CS_OK && cs_slice_eq(stored, envelope);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

int ctl_query_renewal(struct ctl_view *view, const uint8_t device_id[16], struct cs_slice envelope,
                      struct cs_device **ret, bool *ret_known, char ret_name[64], struct cs_err *err)
{
    bool known = false;
    ctl_device_row row;
    int rc = find_row(view, device_id, &row, err);

    if (rc == CS_OK)
        rc = is_stored(view, &row, row.renewal_sequence, envelope, &known, err);
    if (rc == CS_OK)
        rc = is_stored(view, &row, row.waiting_sequence, envelope, &known, err);
    if (rc == CS_OK)
        rc = open_device(view, &row, row.renewal_sequence, ret, err);
    if (rc != CS_OK)
        return rc;
    *ret_known = known;
    ctl_text_set(ret_name, sizeof row.name, row.name);
    return CS_OK;
}

int ctl_query_certificate_of(struct ctl_view *view, const uint8_t device_id[16], struct cs_buf *out,
                             struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_ENROLMENT, cs_slice(device_id, 16));
    ctl_enrolment_row enrolment;
    int rc = ctl_get(view, &key, Enrolment, &enrolment, err);

    if (rc == CS_OK && cs_buf_append(out, CTL_BYTES(enrolment.certificate)) != CS_OK)
        return cs_err_nomem(err);
    return rc;
}

/* ---- policies */

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

static int take_tree(struct ctl_view *view, const ctl_request_row *row, struct ctl_delivery_request *ret,
                     struct cs_err *err)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_TREE, row->number);
    int rc = ctl_bytes_get(view, &key, &ret->tree, err);

    if (rc != CS_OK)
        return rc;
    ret->order_count = row->order_count;
    if (row->order_count == 0 || row->order_count > CS_LIMIT_ORDERS_PER_REQUEST ||
        ret->tree.len != cs_merkle_tree_size(row->order_count) * sizeof(struct cs_digest))
        return cs_err_set(err, CS_ECORRUPT, "the leaves of REQ-%" PRIu64 " are incomplete", row->number);
    return CS_OK;
}

static int take_decisions(struct ctl_view *view, struct ctl_delivery_request *ret, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_DECISION, ret->number);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_decision_row row;

        rc = ctl_decode(walk.value, Decision, &row, err);
        if (rc != CS_OK)
            return rc;
        if (ret->decision_count == CS_ARRAY_LEN(ret->decisions))
            return cs_err_set(err, CS_ECORRUPT, "REQ-%" PRIu64 " has more decisions than are allowed",
                              ret->number);
        if (cs_buf_append(&ret->decisions[ret->decision_count++], CTL_BYTES(row.envelope)) != CS_OK)
            return cs_err_nomem(err);
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* Chain and held key; removals and roll backs carry neither. */
static int take_certificate(struct ctl_view *view, const ctl_request_row *row,
                            struct ctl_delivery_request *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CHAIN, CTL_BYTES(row->chain_digest));
    int rc;

    if (row->certificate_id.size != sizeof ret->certificate_id)
        return cs_err_set(err, CS_ECORRUPT, "the record of REQ-%" PRIu64 " is incomplete", row->number);
    memcpy(ret->certificate_id, row->certificate_id.bytes, sizeof ret->certificate_id);
    if (ctl_action_of(row->action) != countersign_v1_Action_ACTION_INSTALL)
        return CS_OK;
    rc = ctl_bytes_get(view, &key, &ret->chain, err);
    if (rc != CS_OK)
        return rc;
    ret->sealed = row->key_mode == countersign_v1_KeyMode_KEY_MODE_SEALED;
    if (row->key_mode != countersign_v1_KeyMode_KEY_MODE_HELD)
        return CS_OK;
    key = ctl_key_bytes(CTL_TABLE_HELD_KEY, CTL_BYTES(row->certificate_id));
    return ctl_bytes_get(view, &key, &ret->held_key, err);
}

int ctl_query_delivery_request(struct ctl_view *view, uint64_t request_number,
                               struct ctl_delivery_request *ret, struct cs_err *err)
{
    struct ctl_key envelope = ctl_key_number(CTL_TABLE_REQUEST_ENVELOPE, request_number);
    struct ctl_delivery_request request = {.number = request_number};
    ctl_request_row row;
    int rc = ctl_find_request(view, request_number, &row, err);

    if (rc == CS_OK)
        rc = ctl_bytes_get(view, &envelope, &request.request, err);
    if (rc == CS_OK)
        rc = take_tree(view, &row, &request, err);
    if (rc == CS_OK)
        rc = take_decisions(view, &request, err);
    if (rc == CS_OK)
        rc = take_certificate(view, &row, &request, err);
    if (rc == CS_OK)
        *ret = request;
    else
        ctl_delivery_request_free(&request);
    return rc;
}

void ctl_delivery_request_free(struct ctl_delivery_request *request)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(request->decisions); i++)
        cs_buf_free(&request->decisions[i]);
    *request = (struct ctl_delivery_request){0};
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
        order->order_id.size != sizeof ret->order_id)
        return cs_err_set(err, CS_ECORRUPT, "the records of WO-%" PRIu64 " are incomplete", order->number);
    memcpy(ret->kem_spki, device.kem_spki.bytes, sizeof ret->kem_spki);
    memcpy(ret->device_id, order->device_id.bytes, sizeof ret->device_id);
    memcpy(ret->order_id, order->order_id.bytes, sizeof ret->order_id);
    return CS_OK;
}

int ctl_query_delivery(struct ctl_view *view, const struct ctl_delivery_request *request,
                       const ctl_order_row *order, struct ctl_delivery *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_numbers(CTL_TABLE_CORE, request->number, order->index);
    int rc = take_device(view, order, ret, err);

    cs_assert(order->request_number == request->number);
    if (rc == CS_OK && order->index >= request->order_count)
        rc = cs_err_set(err, CS_ECORRUPT, "WO-%" PRIu64 " is beyond its request's orders", order->number);
    if (rc == CS_OK)
        rc = ctl_bytes_get(view, &key, &ret->core, err);
    key = ctl_key_numbers(CTL_TABLE_SEALED_KEY, request->number, order->index);
    ret->sealed_key = CS_SLICE_EMPTY;
    if (rc == CS_OK && request->sealed)
        rc = ctl_bytes_get(view, &key, &ret->sealed_key, err);
    if (rc != CS_OK)
        return rc;
    ret->order_index = order->index;
    ret->proof_len = cs_merkle_tree_proof((const struct cs_digest *)(const void *)request->tree.ptr,
                                          request->order_count, order->index, ret->proof);
    return CS_OK;
}
