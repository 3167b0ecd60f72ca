#include "controller/fleet/push_message.h"

#include "shared/trust/sealed_key.h"

/* ---- a held key, from one lock to the other */

static int seal_held_key(const struct ctl_shard *shard, const struct ctl_delivery_request *request,
                         const struct ctl_delivery *delivery, countersign_v1_SealedKey *ret,
                         struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    const struct cs_sealed_key_place place = {
        .deployment_id = CS_PB_BYTES(&cs_policy_body(shard->trust->policy)->deployment_id),
        .device_id = CS_SLICE_ARRAY(delivery->device_id),
        .order_id = CS_SLICE_ARRAY(delivery->order_id),
        .core = delivery->core,
    };
    int code;

    if (cs_buf_reserve(&pkcs8, request->held_key.len) != CS_OK)
        return cs_err_nomem(err);
    code = ctl_vault_release(shard->shared->vault, request->certificate_id, request->held_key, &pkcs8, err);
    if (code == CS_OK)
        code = cs_sealed_key_seal(CS_SLICE_ARRAY(delivery->kem_spki), &place, cs_buf_slice(&pkcs8), ret, err);
    return code;
}

/* ---- the message, field after field in the order of their numbers */

typedef countersign_v1_PushMessage message;
#define ROOM(field) sizeof(((message *)0)->field.bytes)

static bool fits(const struct ctl_delivery_request *request)
{
    if (request->request.len > ROOM(request) || request->chain.len > ROOM(chain) ||
        request->decision_count > CS_LIMIT_DECISIONS)
        return false;
    for (size_t i = 0; i < request->decision_count; i++)
        if (request->decisions[i].len > ROOM(decisions[0]))
            return false;
    return true;
}

/* Without `always` a field of proto3 that is empty is left out. */
static int put(struct cs_buf *out, uint32_t number, struct cs_slice bytes, bool always)
{
    return bytes.len == 0 && !always ? CS_OK : cs_buf_append_field(out, number, bytes);
}

static int encode_common(struct ctl_push_common *common)
{
    const struct ctl_delivery_request *request = &common->request;
    struct cs_buf *out = &common->encoded;
    int code = put(out, countersign_v1_PushMessage_request_tag, request->request, false);

    for (size_t i = 0; code == CS_OK && i < request->decision_count; i++)
        code = put(out, countersign_v1_PushMessage_decisions_tag, cs_buf_slice(&request->decisions[i]), true);
    return code == CS_OK ? put(out, countersign_v1_PushMessage_chain_tag, request->chain, false) : code;
}

int ctl_push_common_read(struct ctl_view *view, uint64_t request_number, struct ctl_push_common *ret,
                         struct cs_err *err)
{
    int code = ctl_query_delivery_request(view, request_number, &ret->request, err);

    if (code == CS_OK && !fits(&ret->request))
        code = cs_err_set(err, CS_ETOOBIG, "the request does not fit a push message");
    if (code == CS_OK && encode_common(ret) != CS_OK)
        code = cs_err_nomem(err);
    return code;
}

void ctl_push_common_free(struct ctl_push_common *common)
{
    ctl_delivery_request_free(&common->request);
    cs_buf_free(&common->encoded);
}

static int put_held_key(const struct ctl_shard *shard, const struct ctl_push_common *common,
                        const struct ctl_delivery *delivery, struct cs_buf *out, struct cs_err *err)
{
    cs_auto_free countersign_v1_SealedKey *sealed = calloc(1, sizeof *sealed);
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int code;

    if (!sealed)
        return cs_err_nomem(err);
    code = seal_held_key(shard, &common->request, delivery, sealed, err);
    if (code == CS_OK)
        code = cs_message_encode(countersign_v1_SealedKey_fields, sealed, &bytes, err);
    if (code == CS_OK &&
        put(out, countersign_v1_PushMessage_sealed_key_tag, cs_buf_slice(&bytes), true) != CS_OK)
        code = cs_err_nomem(err);
    return code;
}

int ctl_push_message(const struct ctl_shard *shard, const struct ctl_push_common *common,
                     const struct ctl_delivery *delivery, struct cs_buf *out, struct cs_err *err)
{
    /* Tags and lengths of the order's own fields; a proof is 34 bytes a level. */
    const size_t room = delivery->core.len + 34 * CS_LIMIT_MERKLE_DEPTH + common->encoded.len + 32;
    int code = cs_buf_reserve(out, room);

    if (delivery->core.len > ROOM(order_core))
        return cs_err_set(err, CS_ETOOBIG, "the order does not fit a push message");
    if (code == CS_OK)
        code = put(out, countersign_v1_PushMessage_order_core_tag, delivery->core, false);
    if (code == CS_OK)
        code = cs_buf_append_number(out, countersign_v1_PushMessage_order_index_tag, delivery->order_index);
    for (size_t i = 0; code == CS_OK && i < delivery->proof_len; i++)
        code =
            put(out, countersign_v1_PushMessage_order_proof_tag, cs_digest_slice(&delivery->proof[i]), true);
    if (code == CS_OK)
        code = cs_buf_append(out, cs_buf_slice(&common->encoded));
    if (code != CS_OK)
        return cs_err_nomem(err);
    if (common->request.held_key.len)
        return put_held_key(shard, common, delivery, out, err);
    if (put(out, countersign_v1_PushMessage_sealed_key_tag, delivery->sealed_key, false) != CS_OK)
        return cs_err_nomem(err);
    return CS_OK;
}
