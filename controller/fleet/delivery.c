/* Deliveries: what the store has of an order becomes a push message for one device, and all messages of one
 * turn of the loop get one signature over their Merkle root (proto/README.md, invariant 7). A held key is in
 * the clear only between the vault and HPKE, in memory that is wiped. */
#include "controller/fleet/session.h"

#include "controller/limits.h"
#include "controller/reading.h"
#include "shared/crypto/hpke.h"
#include "shared/trust/merkle.h"

#include <pb_encode.h>

enum {
    PADDED_TO = 512, /* SealedKeyPlain: the length does not tell the kind of key */
    SEAL_LABEL_BYTES = 25,
    SEAL_INFO_BYTES = SEAL_LABEL_BYTES + 16 + 16 + 16,
};

struct message {
    struct ctl_session *session;
    struct cs_buf bytes; /* of a PushMessage */
};

struct batch {
    struct ctl_fleet *fleet;
    struct ctl_view *view;
    struct message messages[CTL_LIMIT_BATCH_MESSAGES];
    struct cs_digest leaves[CTL_LIMIT_BATCH_MESSAGES], root;
    size_t count, bytes;
    struct cs_buf envelope; /* of the PushBatch */
};

static void batch_free(struct batch **batch)
{
    if (!*batch)
        return;
    for (size_t i = 0; i < (*batch)->count; i++)
        cs_buf_free(&(*batch)->messages[i].bytes);
    cs_buf_free(&(*batch)->envelope);
    free(*batch);
}

/* ---- a held key, from one lock to the other */

/* The padding that makes the encoding's length a multiple of PADDED_TO: its own length counts, too. */
static void pad(countersign_v1_SealedKeyPlain *plain)
{
    size_t size = 0;

    for (size_t len = 0; len <= sizeof plain->padding.bytes; len++) {
        plain->padding.size = (pb_size_t)len;
        if (pb_get_encoded_size(&size, countersign_v1_SealedKeyPlain_fields, plain) && size % PADDED_TO == 0)
            return;
    }
    plain->padding.size = 0;
}

static int encode_plain(struct cs_slice pkcs8, struct cs_buf *out, struct cs_err *err)
{
    countersign_v1_SealedKeyPlain *plain;
    int code;

    if (pkcs8.len > sizeof plain->pkcs8.bytes)
        return cs_err_set(err, CS_ETOOBIG, "the held key has %zu bytes, more than fit a message", pkcs8.len);
    plain = calloc(1, sizeof *plain);
    if (!plain || cs_buf_reserve(out, sizeof *plain) != CS_OK) {
        free(plain);
        return cs_err_nomem(err);
    }
    CS_PB_SET(&plain->pkcs8, pkcs8);
    pad(plain);
    code = cs_message_encode(countersign_v1_SealedKeyPlain_fields, plain, out, err);
    cs_wipe(plain, sizeof *plain);
    free(plain);
    return code;
}

/* "countersign/v1/sealed-key" ‖ deployment_id ‖ device_id ‖ order_id. */
static struct cs_slice seal_info(const struct ctl_trust *trust, const struct ctl_delivery *delivery,
                                 uint8_t out[SEAL_INFO_BYTES])
{
    const countersign_v1_TrustPolicy *policy = cs_policy_body(trust->policy);
    uint8_t *at = out;

    memcpy(at, "countersign/v1/sealed-key", SEAL_LABEL_BYTES);
    memcpy(at += SEAL_LABEL_BYTES, policy->deployment_id.bytes, 16);
    memcpy(at += 16, delivery->device_id, 16);
    memcpy(at += 16, delivery->order_id, 16);
    return cs_slice(out, SEAL_INFO_BYTES);
}

static int seal_key(const struct ctl_shard *shard, const struct ctl_delivery *delivery,
                    countersign_v1_SealedKey *ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf plain = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf sealed = CS_BUF_EMPTY;
    uint8_t info[SEAL_INFO_BYTES];
    int code;

    if (cs_buf_reserve(&pkcs8, delivery->held_key.len) != CS_OK)
        return cs_err_nomem(err);
    code = ctl_vault_release(shard->shared->vault, delivery->certificate_id,
                             cs_buf_slice(&delivery->held_key), &pkcs8, err);
    if (code == CS_OK)
        code = encode_plain(cs_buf_slice(&pkcs8), &plain, err);
    if (code == CS_OK)
        code =
            cs_hpke_seal(CS_SLICE_ARRAY(delivery->kem_spki), seal_info(shard->trust, delivery, info),
                         cs_buf_slice(&delivery->core), cs_buf_slice(&plain), ret->enc.bytes, &sealed, err);
    if (code == CS_OK && sealed.len > sizeof ret->ciphertext.bytes)
        code = cs_err_set(err, CS_ETOOBIG, "the sealed key does not fit a message");
    if (code != CS_OK)
        return code;
    ret->enc.size = CS_HPKE_ENC_BYTES;
    CS_PB_SET(&ret->ciphertext, cs_buf_slice(&sealed));
    return CS_OK;
}

/* ---- one message */

static bool fits(const struct ctl_delivery *delivery, const countersign_v1_PushMessage *message)
{
    if (delivery->core.len > sizeof message->order_core.bytes ||
        delivery->request.len > sizeof message->request.bytes ||
        delivery->chain.len > sizeof message->chain.bytes ||
        delivery->decision_count > CS_ARRAY_LEN(message->decisions) ||
        delivery->proof_len > CS_ARRAY_LEN(message->order_proof))
        return false;
    for (size_t i = 0; i < delivery->decision_count; i++)
        if (delivery->decisions[i].len > sizeof message->decisions[i].bytes)
            return false;
    return true;
}

static int fill_message(const struct ctl_shard *shard, const struct ctl_delivery *delivery,
                        countersign_v1_PushMessage *message, struct cs_err *err)
{
    if (!fits(delivery, message))
        return cs_err_set(err, CS_ETOOBIG, "the order does not fit a push message");
    CS_PB_SET(&message->order_core, cs_buf_slice(&delivery->core));
    message->order_index = delivery->order_index;
    for (size_t i = 0; i < delivery->proof_len; i++)
        CS_PB_SET(&message->order_proof[i], cs_digest_slice(&delivery->proof[i]));
    message->order_proof_count = (pb_size_t)delivery->proof_len;
    CS_PB_SET(&message->request, cs_buf_slice(&delivery->request));
    for (size_t i = 0; i < delivery->decision_count; i++)
        CS_PB_SET(&message->decisions[i], cs_buf_slice(&delivery->decisions[i]));
    message->decisions_count = (pb_size_t)delivery->decision_count;
    CS_PB_SET(&message->chain, cs_buf_slice(&delivery->chain));
    if (!delivery->held_key.len)
        return CS_OK;
    message->has_sealed_key = true;
    return seal_key(shard, delivery, &message->sealed_key, err);
}

static int add_message(struct batch *batch, struct ctl_session *session, uint64_t order_number,
                       struct cs_err *err)
{
    struct ctl_shard *shard = batch->fleet->shard;
    struct message *message = &batch->messages[batch->count];
    countersign_v1_PushMessage *body = ctl_shard_scratch(shard, CTL_SCRATCH_REPLY, sizeof *body);
    struct ctl_delivery delivery = {0};
    int code;

    *message = (struct message){.session = session};
    code = ctl_query_delivery(batch->view, order_number, &delivery, err);
    if (code == CS_OK && memcmp(delivery.device_id, session->identity.device_id, 16) != 0)
        code = cs_err_set(err, CS_ESTATE, "the order is another device's");
    if (code == CS_OK)
        code = fill_message(shard, &delivery, body, err);
    if (code == CS_OK)
        code = cs_message_encode(countersign_v1_PushMessage_fields, body, &message->bytes, err);
    ctl_delivery_free(&delivery);
    if (code != CS_OK) {
        cs_buf_free(&message->bytes);
        return code;
    }
    batch->leaves[batch->count++] = cs_merkle_leaf(cs_buf_slice(&message->bytes));
    batch->bytes += message->bytes.len;
    return CS_OK;
}

/* ---- the batch */

static bool is_full(const struct batch *batch)
{
    return batch->count == CTL_LIMIT_BATCH_MESSAGES || batch->bytes >= CTL_LIMIT_BATCH_BYTES;
}

static int refill(struct batch *batch, struct ctl_session *session, struct cs_err *err)
{
    if (session->order_count || !session->more_orders)
        return CS_OK;
    if (!session->orders) {
        session->orders = calloc(CTL_LIMIT_SESSION_ORDERS, sizeof *session->orders);
        if (!session->orders)
            return cs_err_nomem(err);
    }
    session->more_orders = false;
    return ctl_query_waiting(batch->view, session->identity.device_id, session->orders,
                             CTL_LIMIT_SESSION_ORDERS, &session->order_count, err);
}

/* An order that cannot be built stays where it is in the store and is named here; the others go on. */
static void take_from(struct batch *batch, struct ctl_session *session)
{
    size_t taken = 0;
    struct cs_err err;

    if (refill(batch, session, &err) != CS_OK) {
        ctl_session_fail(session, &err);
        return;
    }
    for (; taken < session->order_count && !is_full(batch); taken++)
        if (add_message(batch, session, session->orders[taken], &err) != CS_OK)
            cs_log(CS_LOG_ERROR, "delivery", "an order cannot be delivered",
                   CS_F("device", session->identity.name), CS_FU("order", session->orders[taken]),
                   CS_F("error", err.msg), CS_FEND);
    session->order_count -= taken;
    if (session->order_count) {
        memmove(session->orders, session->orders + taken, session->order_count * sizeof session->orders[0]);
    } else {
        free(cs_steal(session->orders)); /* an idle session keeps none */
        if (!session->more_orders)
            cs_list_remove(&session->ready);
    }
}

static int sign_batch(struct batch *batch, struct cs_err *err)
{
    const struct ctl_shard *shard = batch->fleet->shard;
    const struct cs_key *key = ctl_vault_message_key(shard->shared->vault);
    countersign_v1_PushBatch body = countersign_v1_PushBatch_init_zero;
    struct cs_digest scratch[CTL_LIMIT_BATCH_MESSAGES];
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    int code;

    batch->root = cs_merkle_root(batch->leaves, batch->count, scratch);
    CS_PB_SET(&body.deployment_id, CS_PB_BYTES(&cs_policy_body(shard->trust->policy)->deployment_id));
    CS_PB_SET(&body.root, cs_digest_slice(&batch->root));
    body.count = (uint32_t)batch->count;
    body.issued_at_s = ctl_shard_now_s(shard);
    code = cs_message_encode(countersign_v1_PushBatch_fields, &body, &payload, err);
    if (code == CS_OK)
        code =
            cs_envelope_sign(CS_STATEMENT_PUSH_BATCH, cs_buf_slice(&payload), &key, 1, &batch->envelope, err);
    return code;
}

static void send_one(struct batch *batch, size_t index)
{
    struct message *message = &batch->messages[index];
    countersign_v1_ControllerMessage *body =
        ctl_shard_scratch(batch->fleet->shard, CTL_SCRATCH_REPLY, sizeof *body);
    countersign_v1_PushDelivery *push = &body->body.push;
    struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH];
    size_t proof_len = cs_merkle_proof(batch->leaves, batch->count, index, proof);

    cs_assert(message->bytes.len <= sizeof push->message.bytes);
    cs_assert(batch->envelope.len <= sizeof push->batch.bytes);
    body->which_body = countersign_v1_ControllerMessage_push_tag;
    CS_PB_SET(&push->message, cs_buf_slice(&message->bytes));
    CS_PB_SET(&push->batch, cs_buf_slice(&batch->envelope));
    push->index = (uint32_t)index;
    for (size_t i = 0; i < proof_len; i++)
        CS_PB_SET(&push->proof[i], cs_digest_slice(&proof[i]));
    push->proof_count = (pb_size_t)proof_len;
    (void)ctl_session_send(message->session, body);
}

static int deliver(struct batch *batch, struct cs_err *err)
{
    int code;

    CS_LIST_FOREACH(node, &batch->fleet->ready)
    {
        if (is_full(batch))
            break;
        take_from(batch, CS_CONTAINER_OF(node, struct ctl_session, ready));
    }
    if (!batch->count)
        return CS_OK;
    code = sign_batch(batch, err);
    for (size_t i = 0; i < batch->count && code == CS_OK; i++)
        send_one(batch, i);
    return code;
}

/* After a batch: who can take more, or learnt meanwhile that more waits, is ready again by its own pump. */
static void settle(struct ctl_fleet *fleet)
{
    CS_LIST_FOREACH(node, &fleet->ready)
    {
        struct ctl_session *session = CS_CONTAINER_OF(node, struct ctl_session, ready);

        if (session->reads_slowly)
            cs_list_remove(&session->ready);
    }
    if (!cs_list_empty(&fleet->ready))
        ctl_shard_wake(fleet->shard);
}

void ctl_delivery_turn(struct ctl_fleet *fleet)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    cs_auto(batch_free) struct batch *batch = calloc(1, sizeof *batch);
    struct cs_err err;
    int code = batch ? CS_OK : cs_err_nomem(&err);

    if (!fleet->shard->trust)
        return;
    if (code == CS_OK)
        code = ctl_reading_open(fleet->shard->shared->store, &reading, &err);
    if (code == CS_OK) {
        batch->fleet = fleet;
        batch->view = reading.view;
        code = deliver(batch, &err);
    }
    if (code != CS_OK)
        cs_log(CS_LOG_ERROR, "delivery", "a batch was not delivered", CS_F("error", err.msg), CS_FEND);
    settle(fleet);
}
