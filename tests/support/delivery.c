#include "tests/support/delivery.h"

#include "shared/crypto/hpke.h"
#include "shared/trust/merkle.h"

#include <stdio.h>

enum { DAY_S = 86400 };

static void must(int code)
{
    cs_assert(code == CS_OK);
}

countersign_v1_OrderCore *delivery_core(struct delivery_story *story)
{
    return &story->push.cores[story->order];
}

static void forget_certificate(struct delivery_story *story)
{
    pki_free(&story->root);
    pki_free(&story->ca);
    pki_free(&story->certificate);
    cs_buf_free(&story->chain);
    cs_buf_wipe(&story->pkcs8);
}

void delivery_certify(struct delivery_story *story, int64_t not_before_s, int64_t not_after_s)
{
    struct cs_issue what = {.not_before_s = not_before_s, .not_after_s = not_after_s};
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_cert_info *leaf = calloc(1, sizeof *leaf);
    struct cs_err err;

    forget_certificate(story);
    what.is_ca = true;
    what.common_name = "Example Root";
    story->root = pki_issue(NULL, what);
    what.common_name = "Example CA";
    story->ca = pki_issue(&story->root, what);
    what.is_ca = false;
    what.client_auth = true;
    what.common_name = "web.example";
    story->certificate = pki_issue(&story->ca, what);
    must(cs_buf_append(&story->chain, cs_chain_bytes(story->certificate.chain)));
    must(cs_key_export_pem(story->certificate.key, CS_SLICE_EMPTY, &pem, &err));
    must(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &story->pkcs8, &err));
    cs_assert(leaf);
    cs_chain_info(story->certificate.chain, 0, leaf);
    struct cs_digest digest = cs_sha256(cs_buf_slice(&story->chain));

    CS_PB_SET(&delivery_core(story)->chain_digest, cs_digest_slice(&digest));
    CS_PB_SET(&delivery_core(story)->leaf_spki_digest, cs_digest_slice(&leaf->spki_digest));
    free(leaf);
}

struct delivery_story *delivery_prepare(struct deployment *d, const char *device, const uint8_t device_id[16],
                                        uint64_t number)
{
    return delivery_prepare_among(d, device, device_id, number, 1, 0);
}

struct delivery_story *delivery_prepare_among(struct deployment *d, const char *device,
                                              const uint8_t device_id[16], uint64_t number,
                                              size_t order_count, size_t at)
{
    struct delivery_story *story = calloc(1, sizeof *story);
    char text[64];

    cs_assert(story && at < order_count);
    story->d = d;
    story->order = at;
    story_prepare(&story->push, d, order_count);
    countersign_v1_OrderCore *core = delivery_core(story);

    delivery_certify(story, d->now_s - DAY_S, d->now_s + 365 * DAY_S);
    snprintf(core->device_name, sizeof core->device_name, "%s", device);
    CS_PB_SET(&core->device_id, cs_slice(device_id, 16));
    core->number = core->generation = number;
    core->key_mode = countersign_v1_KeyMode_KEY_MODE_HELD;
    snprintf(text, sizeof text, "order %u", (unsigned)number);
    deployment_make_id(text, core->order_id.bytes);
    snprintf(text, sizeof text, "request %u", (unsigned)number);
    deployment_make_id(text, story->push.request.request_id.bytes);
    story->push.request.number = number;
    return story;
}

void delivery_submit(struct delivery_story *story)
{
    story_submit(&story->push);
}

void delivery_seal(struct delivery_story *story, struct cs_slice kem_spki, struct cs_slice plain)
{
    const countersign_v1_OrderCore *core = delivery_core(story);
    cs_auto(cs_buf_free) struct cs_buf info = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf sealed = CS_BUF_EMPTY;
    struct cs_err err;

    must(cs_buf_append_str(&info, "countersign/v1/sealed-key"));
    must(cs_buf_append(&info, CS_SLICE_ARRAY(story->d->id)));
    must(cs_buf_append(&info, CS_PB_BYTES(&core->device_id)));
    must(cs_buf_append(&info, CS_PB_BYTES(&core->order_id)));
    must(cs_hpke_seal(kem_spki, cs_buf_slice(&info), cs_buf_slice(&story->push.core_wires[story->order]),
                      plain, story->message.sealed_key.enc.bytes, &sealed, &err));
    story->message.has_sealed_key = true;
    story->message.sealed_key.enc.size = CS_HPKE_ENC_BYTES;
    CS_PB_SET(&story->message.sealed_key.ciphertext, cs_buf_slice(&sealed));
}

void delivery_assemble(struct delivery_story *story, struct cs_slice kem_spki)
{
    struct cs_buf wire = story_push_message(&story->push, story->order, cs_buf_slice(&story->chain));
    countersign_v1_SealedKeyPlain *plain = calloc(1, sizeof *plain);
    struct cs_err err;

    cs_assert(plain);
    must(cs_message_decode(countersign_v1_PushMessage_fields, cs_buf_slice(&wire), &story->message,
                           "the message", &err));
    cs_buf_free(&wire);
    CS_PB_SET(&plain->pkcs8, cs_buf_slice(&story->pkcs8));
    wire = deployment_encode(countersign_v1_SealedKeyPlain_fields, plain);
    delivery_seal(story, kem_spki, cs_buf_slice(&wire));
    cs_buf_free(&wire);
    free(plain);
}

void delivery_sign_batch(struct delivery_story *story, const countersign_v1_PushBatch *batch)
{
    struct cs_buf wire = deployment_sign(story->d, CS_STATEMENT_PUSH_BATCH, countersign_v1_PushBatch_fields,
                                         batch, "controller");

    CS_PB_SET(&story->delivery.batch, cs_buf_slice(&wire));
    cs_buf_free(&wire);
}

void delivery_wrap_among(struct delivery_story *story, size_t count, size_t at)
{
    struct cs_buf message = deployment_encode(countersign_v1_PushMessage_fields, &story->message);
    struct cs_digest tree[2 * STORY_ORDERS + CS_LIMIT_MERKLE_DEPTH], proof[CS_LIMIT_MERKLE_DEPTH], root;
    countersign_v1_PushBatch batch;

    cs_assert(count <= STORY_ORDERS && at < count);
    for (size_t i = 0; i < count; i++) {
        char other[32];

        snprintf(other, sizeof other, "message %u", (unsigned)i);
        tree[i] = cs_merkle_leaf(i == at ? cs_buf_slice(&message) : cs_slice_str(other));
    }
    CS_PB_SET(&story->delivery.message, cs_buf_slice(&message));
    cs_buf_free(&message);
    story->delivery.index = (uint32_t)at;
    cs_merkle_tree_build(tree, count);
    story->delivery.proof_count = (pb_size_t)cs_merkle_tree_proof(tree, count, at, proof);
    for (size_t i = 0; i < story->delivery.proof_count; i++)
        CS_PB_SET(&story->delivery.proof[i], cs_digest_slice(&proof[i]));
    deployment_fill_batch(story->d, &batch);
    root = cs_merkle_tree_root(tree, count);
    CS_PB_SET(&batch.root, cs_digest_slice(&root));
    batch.count = (uint32_t)count;
    delivery_sign_batch(story, &batch);
}

void delivery_wrap(struct delivery_story *story)
{
    delivery_wrap_among(story, 1, 0);
}

struct delivery_story *delivery_make(struct deployment *d, const char *device, const uint8_t device_id[16],
                                     uint64_t number, struct cs_slice kem_spki)
{
    struct delivery_story *story = delivery_prepare(d, device, device_id, number);

    delivery_submit(story);
    story_decide(&story->push, "bob", 1);
    story_decide(&story->push, "carol", 2);
    delivery_assemble(story, kem_spki);
    delivery_wrap(story);
    return story;
}

void delivery_free(struct delivery_story *story)
{
    story_free(&story->push);
    forget_certificate(story);
    free(story);
}
