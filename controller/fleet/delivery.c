/* Deliveries: what the store has of an order becomes a push message for one device, and all messages of one
 * turn of the loop get one signature over their Merkle root (proto/README.md, invariant 7). A held key is in
 * the clear only between the vault and its seal, in memory that is wiped; one that the requester sealed
 * passes through as it is. */
#include "controller/fleet/session.h"

#include "controller/limits.h"
#include "controller/reading.h"
#include "shared/trust/merkle.h"
#include "shared/trust/sealed_key.h"

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

/* ---- keys */

/* A held key, from one lock to the other. */
static int seal_held_key(const struct ctl_shard *shard, const struct ctl_delivery *delivery,
                         countersign_v1_SealedKey *ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    const struct cs_sealed_key_place place = {
        .deployment_id = CS_PB_BYTES(&cs_policy_body(shard->trust->policy)->deployment_id),
        .device_id = CS_SLICE_ARRAY(delivery->device_id),
        .order_id = CS_SLICE_ARRAY(delivery->order_id),
        .core = cs_buf_slice(&delivery->core),
    };
    int code;

    if (cs_buf_reserve(&pkcs8, delivery->held_key.len) != CS_OK)
        return cs_err_nomem(err);
    code = ctl_vault_release(shard->shared->vault, delivery->certificate_id,
                             cs_buf_slice(&delivery->held_key), &pkcs8, err);
    if (code == CS_OK)
        code = cs_sealed_key_seal(CS_SLICE_ARRAY(delivery->kem_spki), &place, cs_buf_slice(&pkcs8), ret, err);
    return code;
}

static int add_key(const struct ctl_shard *shard, const struct ctl_delivery *delivery,
                   countersign_v1_PushMessage *message, struct cs_err *err)
{
    message->has_sealed_key = delivery->held_key.len || delivery->sealed_key.len;
    if (delivery->held_key.len)
        return seal_held_key(shard, delivery, &message->sealed_key, err);
    if (delivery->sealed_key.len)
        return cs_message_decode(countersign_v1_SealedKey_fields, cs_buf_slice(&delivery->sealed_key),
                                 &message->sealed_key, "the stored sealed key", err);
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
    return add_key(shard, delivery, message, err);
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

    if (ctl_session_send_key_requests(session, batch->view, &err) != CS_OK ||
        refill(batch, session, &err) != CS_OK) {
        ctl_session_fail(session, &err);
        return;
    }
    if (session->state != CTL_SESSION_OPEN)
        return;
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
        if (!session->more_orders && !session->more_key_requests)
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
