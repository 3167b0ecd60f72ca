#include "tests/support/delivery.h"

#include "shared/crypto/hpke.h"

#include <stdio.h>

static void must(int code)
{
    cs_assert(code == CS_OK);
}

struct delivery_story *delivery_prepare(struct deployment *d, const char *device, const uint8_t device_id[16],
                                        uint64_t number)
{
    struct delivery_story *story = calloc(1, sizeof *story);
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    char text[64];
    struct cs_err err;

    cs_assert(story);
    story->d = d;
    story_prepare(&story->push, d, 1);
    story->ca = pki_make_ca("Example CA");
    story->certificate = pki_make_client(&story->ca, "web.example");
    must(cs_buf_append(&story->chain, cs_chain_bytes(story->certificate.chain)));
    must(cs_key_export_pem(story->certificate.key, CS_SLICE_EMPTY, &pem, &err));
    must(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &story->pkcs8, &err));

    countersign_v1_OrderCore *core = &story->push.cores[0];
    struct cs_cert_info *leaf = calloc(1, sizeof *leaf);
    struct cs_digest digest = cs_sha256(cs_buf_slice(&story->chain));

    cs_assert(leaf);
    cs_chain_info(story->certificate.chain, 0, leaf);
    snprintf(core->device_name, sizeof core->device_name, "%s", device);
    CS_PB_SET(&core->device_id, cs_slice(device_id, 16));
    core->number = core->generation = number;
    core->key_mode = countersign_v1_KeyMode_KEY_MODE_HELD;
    CS_PB_SET(&core->chain_digest, cs_digest_slice(&digest));
    CS_PB_SET(&core->leaf_spki_digest, cs_digest_slice(&leaf->spki_digest));
    free(leaf);
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
    const countersign_v1_OrderCore *core = &story->push.cores[0];
    cs_auto(cs_buf_free) struct cs_buf info = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf sealed = CS_BUF_EMPTY;
    struct cs_err err;

    must(cs_buf_append_str(&info, "countersign/v1/sealed-key"));
    must(cs_buf_append(&info, CS_SLICE_ARRAY(story->d->id)));
    must(cs_buf_append(&info, CS_PB_BYTES(&core->device_id)));
    must(cs_buf_append(&info, CS_PB_BYTES(&core->order_id)));
    must(cs_hpke_seal(kem_spki, cs_buf_slice(&info), cs_buf_slice(&story->push.core_wires[0]), plain,
                      story->message.sealed_key.enc.bytes, &sealed, &err));
    story->message.has_sealed_key = true;
    story->message.sealed_key.enc.size = CS_HPKE_ENC_BYTES;
    CS_PB_SET(&story->message.sealed_key.ciphertext, cs_buf_slice(&sealed));
}

void delivery_assemble(struct delivery_story *story, struct cs_slice kem_spki)
{
    struct cs_buf wire = story_push_message(&story->push, 0, cs_buf_slice(&story->chain));
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

void delivery_wrap(struct delivery_story *story)
{
    struct cs_buf message = deployment_encode(countersign_v1_PushMessage_fields, &story->message);
    struct cs_buf batch = story_batch(&story->push, cs_buf_slice(&message));

    CS_PB_SET(&story->delivery.message, cs_buf_slice(&message));
    CS_PB_SET(&story->delivery.batch, cs_buf_slice(&batch));
    cs_buf_free(&message);
    cs_buf_free(&batch);
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
    pki_free(&story->ca);
    pki_free(&story->certificate);
    cs_buf_free(&story->chain);
    cs_buf_wipe(&story->pkcs8);
    free(story);
}
