/* Deliveries: what the store has of an order becomes a push message for one device, and all messages of one
 * turn of the loop get one signature over their Merkle root (proto/README.md, invariant 7).
 *
 * A turn is bounded in messages, bytes and time, and takes few orders of each session before the next one has
 * its turn: neither a large push nor a device with many orders keeps the loop or the others waiting. */
#include "controller/fleet/session.h"

#include "controller/core/query_rows.h"
#include "controller/core/workflow.h"
#include "controller/fleet/push_message.h"
#include "controller/limits.h"
#include "controller/reading.h"
#include "shared/trust/merkle.h"

/* Requests whose common part a turn keeps. */
enum { BATCH_REQUESTS = 4 };

struct message {
    struct ctl_session *session;
    uint8_t order_id[16];
    struct cs_buf bytes; /* of a PushMessage */
};

struct batch {
    struct ctl_fleet *fleet;
    struct ctl_view *view;
    uint64_t end_ns;
    struct ctl_push_common requests[BATCH_REQUESTS];
    size_t next_request;
    struct message messages[CTL_LIMIT_BATCH_MESSAGES];
    struct cs_digest tree[2 * CTL_LIMIT_BATCH_MESSAGES + CS_LIMIT_MERKLE_DEPTH]; /* first the leaves */
    size_t count, bytes;
    struct cs_buf envelope; /* of the PushBatch */
};

static void batch_free(struct batch **batch)
{
    if (!*batch)
        return;
    for (size_t i = 0; i < (*batch)->count; i++)
        cs_buf_free(&(*batch)->messages[i].bytes);
    for (size_t i = 0; i < BATCH_REQUESTS; i++)
        ctl_push_common_free(&(*batch)->requests[i]);
    cs_buf_free(&(*batch)->envelope);
    free(*batch);
}

/* ---- one message */

/* The request's part, read for the first of its orders. The oldest gives way: sessions wait in the order in
 * which a request was handed over, so few requests are on their way at a time. */
static int find_common(struct batch *batch, uint64_t request_number, const struct ctl_push_common **ret,
                       struct cs_err *err)
{
    struct ctl_push_common *common;
    int code;

    for (size_t i = 0; i < CS_ARRAY_LEN(batch->requests); i++)
        if (batch->requests[i].request.number == request_number) {
            *ret = &batch->requests[i];
            return CS_OK;
        }
    common = &batch->requests[batch->next_request++ % CS_ARRAY_LEN(batch->requests)];
    ctl_push_common_free(common);
    code = ctl_push_common_read(batch->view, request_number, common, err);
    /* The next order of the request must not find half of it here. */
    if (code != CS_OK)
        ctl_push_common_free(common);
    *ret = common;
    return code;
}

static int add_message(struct batch *batch, struct ctl_session *session, const ctl_order_row *order,
                       struct cs_err *err)
{
    struct message *message = &batch->messages[batch->count];
    const struct ctl_push_common *common;
    struct ctl_delivery delivery;
    int code = find_common(batch, order->request_number, &common, err);

    *message = (struct message){.session = session};
    if (code == CS_OK)
        code = ctl_query_delivery(batch->view, &common->request, order, &delivery, err);
    if (code == CS_OK)
        code = ctl_push_message(batch->fleet->shard, common, &delivery, &message->bytes, err);
    if (code != CS_OK) {
        cs_buf_free(&message->bytes);
        return code;
    }
    memcpy(message->order_id, delivery.order_id, sizeof message->order_id);
    batch->tree[batch->count++] = cs_merkle_leaf(cs_buf_slice(&message->bytes));
    batch->bytes += message->bytes.len;
    return CS_OK;
}

static void send_cancel(struct ctl_session *session, const ctl_order_row *order)
{
    countersign_v1_ControllerMessage *message =
        ctl_shard_scratch(session->fleet->shard, CTL_SCRATCH_REPLY, sizeof *message);

    message->which_body = countersign_v1_ControllerMessage_cancel_tag;
    CS_PB_SET(&message->body.cancel.order_id, CS_PB_BYTES(&order->order_id));
    (void)ctl_session_send(session, message);
}

/* What the device has to hear of the order as it stands now: the push, or that people want it left. Never
 * both in the wrong order, because a push that has not gone out yet never does once its cancel is durable. */
static int tell(struct batch *batch, struct ctl_session *session, uint64_t order_number, struct cs_err *err)
{
    ctl_order_row order;
    int code = ctl_find_order(batch->view, order_number, &order, err);

    if (code != CS_OK || !ctl_phase_info(order.phase)->handed_over)
        return code;
    if (!cs_slice_eq(CS_PB_BYTES(&order.device_id), CS_SLICE_ARRAY(session->identity.device_id)))
        return cs_err_set(err, CS_ESTATE, "the order is another device's");
    if (!order.cancel_asked)
        return add_message(batch, session, &order, err);
    send_cancel(session, &order);
    return CS_OK;
}

/* ---- the batch */

static bool is_full(const struct batch *batch)
{
    return batch->count == CTL_LIMIT_BATCH_MESSAGES || batch->bytes >= CTL_LIMIT_BATCH_BYTES ||
           (batch->count && uv_hrtime() >= batch->end_ns);
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

/* An order that cannot be built stays where it is in the store and is named here; the others go on. A session
 * with more to take waits behind the others. */
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
    /* The key requests filled its stream: deliver() passes over it until it is ready again. */
    if (session->reads_slowly) {
        cs_list_remove(&session->ready);
        return;
    }
    for (; taken < session->order_count && taken < CTL_LIMIT_BATCH_SESSION && !is_full(batch); taken++)
        if (tell(batch, session, session->orders[taken], &err) != CS_OK)
            cs_log(CS_LOG_ERROR, "delivery", "an order cannot be delivered",
                   CS_F("device", session->identity.name), CS_FU("order", session->orders[taken]),
                   CS_F("error", err.msg), CS_FEND);
    session->order_count -= taken;
    cs_list_remove(&session->ready);
    if (session->order_count)
        memmove(session->orders, session->orders + taken, session->order_count * sizeof session->orders[0]);
    else
        free(cs_steal(session->orders)); /* an idle session keeps none */
    if (session->order_count || session->more_orders || session->more_key_requests)
        cs_list_append(&batch->fleet->ready, &session->ready);
}

static int sign_batch(struct batch *batch, struct cs_err *err)
{
    const struct ctl_shard *shard = batch->fleet->shard;
    const struct cs_key *key = ctl_vault_message_key(shard->shared->vault);
    countersign_v1_PushBatch body = countersign_v1_PushBatch_init_zero;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    struct cs_digest root;
    int code;

    cs_merkle_tree_build(batch->tree, batch->count);
    root = cs_merkle_tree_root(batch->tree, batch->count);
    CS_PB_SET(&body.deployment_id, CS_PB_BYTES(&cs_policy_body(shard->trust->policy)->deployment_id));
    CS_PB_SET(&body.root, cs_digest_slice(&root));
    body.count = (uint32_t)batch->count;
    body.issued_at_s = ctl_shard_now_s(shard);
    code = cs_message_encode(countersign_v1_PushBatch_fields, &body, &payload, err);
    if (code == CS_OK)
        code =
            cs_envelope_sign(CS_STATEMENT_PUSH_BATCH, cs_buf_slice(&payload), &key, 1, &batch->envelope, err);
    return code;
}

/* A ControllerMessage with a PushDelivery, written field by field: the generated struct has room for the
 * largest of each, and clearing that costs more than all the rest. */
static int wrap(const struct batch *batch, size_t index, struct cs_buf *out)
{
    const struct message *message = &batch->messages[index];
    cs_auto(cs_buf_free) struct cs_buf push = CS_BUF_EMPTY;
    struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH];
    const size_t proof_len = cs_merkle_tree_proof(batch->tree, batch->count, index, proof);
    int code = cs_buf_reserve(&push, message->bytes.len + batch->envelope.len + 34 * proof_len + 64);

    if (code == CS_OK)
        code = cs_buf_append_field(&push, countersign_v1_PushDelivery_message_tag,
                                   cs_buf_slice(&message->bytes));
    if (code == CS_OK)
        code =
            cs_buf_append_field(&push, countersign_v1_PushDelivery_batch_tag, cs_buf_slice(&batch->envelope));
    if (code == CS_OK)
        code = cs_buf_append_number(&push, countersign_v1_PushDelivery_index_tag, index);
    for (size_t i = 0; code == CS_OK && i < proof_len; i++)
        code = cs_buf_append_field(&push, countersign_v1_PushDelivery_proof_tag, cs_digest_slice(&proof[i]));
    if (code == CS_OK)
        code = cs_buf_append_field(&push, countersign_v1_PushDelivery_order_id_tag,
                                   CS_SLICE_ARRAY(message->order_id));
    return code == CS_OK
               ? cs_buf_append_field(out, countersign_v1_ControllerMessage_push_tag, cs_buf_slice(&push))
               : code;
}

static void send_one(struct batch *batch, size_t index)
{
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;
    struct ctl_session *session = batch->messages[index].session;
    struct cs_err err;

    if (wrap(batch, index, &wire) == CS_OK) {
        (void)ctl_session_send_bytes(session, cs_buf_slice(&wire));
        return;
    }
    cs_err_nomem(&err);
    ctl_session_fail(session, &err); /* it comes back and is offered the order again */
}

static int deliver(struct batch *batch, struct cs_err *err)
{
    int code;

    while (!cs_list_empty(&batch->fleet->ready) && !is_full(batch))
        take_from(batch, CS_CONTAINER_OF(batch->fleet->ready.next, struct ctl_session, ready));
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
        batch->end_ns = uv_hrtime() + CTL_LIMIT_BATCH_MS * (uint64_t)1000000;
        code = deliver(batch, &err);
    }
    if (code != CS_OK)
        cs_log(CS_LOG_ERROR, "delivery", "a batch was not delivered", CS_F("error", err.msg), CS_FEND);
    settle(fleet);
}
