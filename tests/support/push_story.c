#include "tests/support/deployment.h"

#include "shared/trust/merkle.h"

#include <stdio.h>

void story_prepare(struct push_story *ret, struct deployment *d, size_t order_count)
{
    cs_assert(order_count >= 1 && order_count <= STORY_ORDERS);
    *ret = (struct push_story){.d = d, .order_count = order_count};
    for (size_t i = 0; i < order_count; i++) {
        char device[16];

        snprintf(device, sizeof device, "gw-%u", (unsigned)i);
        deployment_fill_core(d, device, i + 1, &ret->cores[i]);
    }
    deployment_fill_request(d, &ret->request);
}

static void leaf_hashes(const struct push_story *story, struct cs_digest ret[STORY_ORDERS])
{
    for (size_t i = 0; i < story->order_count; i++)
        ret[i] = cs_merkle_leaf(cs_buf_slice(&story->core_wires[i]));
}

static struct cs_digest payload_digest(struct cs_slice wire)
{
    struct cs_envelope envelope;
    struct cs_err err;

    cs_assert(cs_envelope_parse(wire, &envelope, &err) == CS_OK);
    return cs_sha256(envelope.payload);
}

void story_submit(struct push_story *story)
{
    struct cs_digest leaves[STORY_ORDERS], root;

    for (size_t i = 0; i < story->order_count; i++)
        story->core_wires[i] = deployment_encode(countersign_v1_OrderCore_fields, &story->cores[i]);
    leaf_hashes(story, leaves);
    root = cs_merkle_root(leaves, story->order_count, leaves);
    CS_PB_SET(&story->request.order_root, cs_digest_slice(&root));
    story->request.order_count = (uint32_t)story->order_count;
    story->request_wire =
        deployment_sign(story->d, CS_STATEMENT_PUSH_REQUEST, countersign_v1_PushRequest_fields,
                        &story->request, story->request.requester);
    story->request_digest = payload_digest(cs_buf_slice(&story->request_wire));
}

void story_begin(struct push_story *ret, struct deployment *d, size_t order_count)
{
    story_prepare(ret, d, order_count);
    story_submit(ret);
}

void story_free(struct push_story *story)
{
    for (size_t i = 0; i < story->order_count; i++)
        cs_buf_free(&story->core_wires[i]);
    cs_buf_free(&story->request_wire);
    for (size_t i = 0; i < story->decision_count; i++)
        cs_buf_free(&story->decision_wires[i]);
    *story = (struct push_story){0};
}

void story_fill_decision(const struct push_story *story, const char *who, uint32_t stage,
                         countersign_v1_Decision *ret)
{
    deployment_fill_decision(story->d, who, stage, &story->request_digest, ret);
    cs_assert(story->decision_count <= CS_ARRAY_LEN(ret->earlier));
    ret->earlier_count = (pb_size_t)story->decision_count;
    for (size_t i = 0; i < story->decision_count; i++)
        CS_PB_SET(&ret->earlier[i], cs_digest_slice(&story->decision_digests[i]));
}

void story_add_decision(struct push_story *story, const countersign_v1_Decision *decision, const char *key_of)
{
    size_t at = story->decision_count++;

    cs_assert(at < CS_LIMIT_DECISIONS);
    story->decision_wires[at] =
        deployment_sign(story->d, CS_STATEMENT_DECISION, countersign_v1_Decision_fields, decision, key_of);
    story->decision_digests[at] = payload_digest(cs_buf_slice(&story->decision_wires[at]));
}

void story_decide(struct push_story *story, const char *who, uint32_t stage)
{
    countersign_v1_Decision decision;

    story_fill_decision(story, who, stage, &decision);
    story_add_decision(story, &decision, who);
}

struct cs_buf story_push_message(const struct push_story *story, size_t order, struct cs_slice chain)
{
    countersign_v1_PushMessage *message = calloc(1, sizeof *message);
    struct cs_digest tree[2 * STORY_ORDERS + CS_LIMIT_MERKLE_DEPTH], proof[CS_LIMIT_MERKLE_DEPTH];
    struct cs_buf out;

    cs_assert(message && order < story->order_count);
    leaf_hashes(story, tree);
    cs_merkle_tree_build(tree, story->order_count);
    message->order_index = (uint32_t)order;
    message->order_proof_count = (pb_size_t)cs_merkle_tree_proof(tree, story->order_count, order, proof);
    for (size_t i = 0; i < message->order_proof_count; i++)
        CS_PB_SET(&message->order_proof[i], cs_digest_slice(&proof[i]));
    CS_PB_SET(&message->order_core, cs_buf_slice(&story->core_wires[order]));
    CS_PB_SET(&message->request, cs_buf_slice(&story->request_wire));
    message->decisions_count = (pb_size_t)story->decision_count;
    for (size_t i = 0; i < story->decision_count; i++)
        CS_PB_SET(&message->decisions[i], cs_buf_slice(&story->decision_wires[i]));
    CS_PB_SET(&message->chain, chain);
    out = deployment_encode(countersign_v1_PushMessage_fields, message);
    free(message);
    return out;
}

struct cs_buf story_batch(const struct push_story *story, struct cs_slice push_message)
{
    struct cs_digest leaf = cs_merkle_leaf(push_message);
    countersign_v1_PushBatch batch;

    deployment_fill_batch(story->d, &batch);
    CS_PB_SET(&batch.root, cs_digest_slice(&leaf));
    return deployment_sign(story->d, CS_STATEMENT_PUSH_BATCH, countersign_v1_PushBatch_fields, &batch,
                           "controller");
}
