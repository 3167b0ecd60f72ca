/* own_keys.c - certificates for keys that the device made: delivered without the key, to another connector,
 * for another device's key, with another key alongside, or under another key mode. */
#include "shared/trust/merkle.h"
#include "tests/evil/evil.h"

#include <stdio.h>

enum mode {
    ON_DEVICE = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE,
    SEALED = countersign_v1_KeyMode_KEY_MODE_SEALED,
    HELD = countersign_v1_KeyMode_KEY_MODE_HELD,
};
/* In `with` of a row that changes the mode: what people signed, and what the controller makes of it. */
#define MODES(from, to) ((unsigned)(from) << 4 | (unsigned)(to))

static void keep(struct evil *e, const char *connector, const struct delivery_story *story)
{
    struct cs_digest request = cs_sha256(cs_buf_slice(&story->chain));

    victim_keep_key(&e->victim, connector, &request, story->certificate.key);
}
static void on_device(struct evil *e)
{
    EVIL_CORE(e)->key_mode = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE;
}

/* ---- which keys there are */

static void made_here(struct evil *e)
{
    on_device(e);
    keep(e, "web", e->push);
}
static void made_for_another_connector(struct evil *e)
{
    on_device(e);
    keep(e, "mail", e->push);
}
static void made_for_another_certificate(struct evil *e)
{
    on_device(e);
    keep(e, "web", evil_push(e, 2));
}
static void made_two(struct evil *e)
{
    keep(e, "web", evil_push(e, 2));
    made_here(e);
}
static void signed_for_another_connector(struct evil *e)
{
    made_here(e);
    memcpy(EVIL_CORE(e)->connector, "mail", 5);
}
/* With another key, after it. */
static void another_is_installed(struct evil *e)
{
    const struct delivery_story *other = evil_push(e, 2);

    victim_has_installed(&e->victim, "web", 8, other->certificate.chain, other->certificate.key);
}
static void installed_at(struct evil *e, const char *connector)
{
    victim_has_installed(&e->victim, connector, 7, e->push->certificate.chain, e->push->certificate.key);
}
static void installed_before(struct evil *e)
{
    made_here(e);
    installed_at(e, "web");
    cs_assert(victim_pending(&e->victim) == 0);
}
static void installed_before_another(struct evil *e)
{
    installed_before(e);
    another_is_installed(e);
}
static void another_is_installed_only(struct evil *e)
{
    on_device(e);
    another_is_installed(e);
}
static void installed_at_another_connector(struct evil *e)
{
    on_device(e);
    keep(e, "mail", e->push);
    installed_at(e, "mail");
    cs_assert(victim_pending(&e->victim) == 0);
}
/* What is installed at one connector settles nothing at another. */
static void installed_at_another_connector_as_well(struct evil *e)
{
    made_here(e);
    installed_at(e, "mail");
    cs_assert(victim_pending(&e->victim) == 1);
}
static void asks_and_has_its_key_certified(struct evil *e)
{
    cs_auto_free countersign_v1_KeyRequest *request = calloc(1, sizeof *request);

    cs_assert(request);
    deployment_fill_key_request(&e->d, "gw-0", request);
    struct cs_buf wire = evil_sign_key_request(e, request, "alice");

    evil_show_key_request(e, cs_buf_slice(&wire));
    cs_assert(e->came.kind == EVIL_ADMITTED);
    cs_buf_free(&wire);
    /* The certificate is for another key than the one that was made. */
    on_device(e);
}

/* ---- what is sent with it */

static void nothing_sealed(struct evil *e)
{
    EVIL_MESSAGE(e)->has_sealed_key = false;
    memset(&EVIL_MESSAGE(e)->sealed_key, 0, sizeof EVIL_MESSAGE(e)->sealed_key);
}
static void a_sealed_key_of_its_own(struct evil *e)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY, pkcs8 = CS_BUF_EMPTY;
    countersign_v1_SealedKeyPlain *plain = calloc(1, sizeof *plain);
    struct cs_err err;

    cs_assert(plain &&
              cs_key_export_pem(deployment_key(&e->d, "controller"), CS_SLICE_EMPTY, &pem, &err) == CS_OK &&
              cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &pkcs8, &err) == CS_OK);
    CS_PB_SET(&plain->pkcs8, cs_buf_slice(&pkcs8));
    struct cs_buf out = deployment_encode(countersign_v1_SealedKeyPlain_fields, plain);

    delivery_seal(e->push, cs_key_spki(e->victim.kem), cs_buf_slice(&out));
    cs_buf_wipe(&out);
    free(plain);
}
static void spoilt_sealed_key(struct evil *e)
{
    EVIL_MESSAGE(e)->sealed_key.ciphertext.bytes[0] ^= 1;
}
static void chain_of_another(struct evil *e)
{
    EVIL_MESSAGE(e)->chain = e->others[0]->message.chain;
}

/* ---- the mode that people signed, and another in its place */

static void with_first_mode(struct evil *e)
{
    EVIL_CORE(e)->key_mode = (countersign_v1_KeyMode)(e->with >> 4);
    keep(e, "web", e->push);
}
static void with_second_mode(struct evil *e)
{
    countersign_v1_OrderCore core = *EVIL_CORE(e);

    core.key_mode = (countersign_v1_KeyMode)(e->with & 0xF);
    struct cs_buf wire = deployment_encode(countersign_v1_OrderCore_fields, &core);

    CS_PB_SET(&EVIL_MESSAGE(e)->order_core, cs_buf_slice(&wire));
    cs_buf_free(&wire);
}
/* In a request that names it, which nobody but the controller has signed. */
static void with_second_mode_and_its_own_request(struct evil *e)
{
    countersign_v1_PushRequest request = *EVIL_REQUEST(e);

    with_second_mode(e);
    struct cs_digest root = cs_merkle_leaf(CS_PB_BYTES(&EVIL_MESSAGE(e)->order_core));

    CS_PB_SET(&request.order_root, cs_digest_slice(&root));
    struct cs_buf wire = deployment_sign(&e->d, CS_STATEMENT_PUSH_REQUEST, countersign_v1_PushRequest_fields,
                                         &request, "controller");

    CS_PB_SET(&EVIL_MESSAGE(e)->request, cs_buf_slice(&wire));
    cs_buf_free(&wire);
}
static void restarted(struct evil *e)
{
    victim_restart(&e->victim);
}

#define CHANGED(from, to, words)                                                                             \
    {.says = "turns an order whose key is " words,                                                           \
     .end = EVIL_ENDS(NOT_IN_REQUEST),                                                                       \
     .prepared = with_first_mode,                                                                            \
     .sent = with_second_mode,                                                                               \
     .with = MODES(from, to)},                                                                               \
    {                                                                                                        \
        .says = "turns an order, and the request around it, whose key is " words,                            \
        .end = EVIL_ENDS(REQUEST_SIGNATURE), .prepared = with_first_mode,                                    \
        .sent = with_second_mode_and_its_own_request, .with = MODES(from, to)                                \
    }

static const struct evil_strategy strategies[] = {
    {.says = "delivers for a key that the device has made",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = made_here,
     .sent = nothing_sealed},
    {.says = "delivers for a key that the device made before it restarted",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = made_here,
     .sent = nothing_sealed,
     .device = restarted},
    {.says = "delivers for one of two keys that the device has made",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = made_two,
     .sent = nothing_sealed},
    {.says = "delivers once more for a key that is installed",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = installed_before,
     .sent = nothing_sealed},
    {.says = "delivers once more for a key that was installed before another",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = installed_before_another,
     .sent = nothing_sealed},
    {.says = "delivers for a key that waits, and is installed elsewhere",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = installed_at_another_connector_as_well,
     .sent = nothing_sealed},

    {.says = "delivers for a key that the device has not made",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = on_device,
     .sent = nothing_sealed},
    {.says = "delivers for a key that the device has not made, with a sealed one that fits",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = on_device},
    {.says = "delivers for a key that was made for another connector",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = made_for_another_connector,
     .sent = nothing_sealed},
    {.says = "has people sign for a key's certificate at another connector",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = signed_for_another_connector,
     .sent = nothing_sealed},
    {.says = "delivers for a key that the device has not made, where it has installed another",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = another_is_installed_only,
     .sent = nothing_sealed},
    {.says = "delivers for a key that is installed at another connector",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = installed_at_another_connector,
     .sent = nothing_sealed},
    {.says = "delivers a certificate for another device's key",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = made_for_another_certificate,
     .sent = nothing_sealed},
    {.says = "delivers a certificate for another device's key, which it sends along",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = made_for_another_certificate},
    {.says = "has a key made, and delivers a certificate for one of its own",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = asks_and_has_its_key_certified},
    {.says = "sends another certificate for a key that the device has made as well",
     .end = EVIL_ENDS(CHAIN_DIGEST),
     .prepared = made_two,
     .sent = chain_of_another},

    {.says = "delivers for a key that the device has made, with the same one sealed",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = made_here},
    {.says = "delivers for a key that the device has made, with its own one sealed",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = made_here,
     .sent = a_sealed_key_of_its_own},
    {.says = "delivers for a key that the device has made, with one that does not open",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = made_here,
     .sent = spoilt_sealed_key},
    {.says = "delivers without the key that it holds, which the device has made as well",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = with_first_mode,
     .sent = nothing_sealed,
     .with = MODES(HELD, HELD)},
    {.says = "delivers without the key that was sealed, which the device has made as well",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = with_first_mode,
     .sent = nothing_sealed,
     .with = MODES(SEALED, SEALED)},

    CHANGED(ON_DEVICE, SEALED, "made on the device into one whose key is sealed"),
    CHANGED(ON_DEVICE, HELD, "made on the device into one whose key is held"),
    CHANGED(SEALED, ON_DEVICE, "sealed into one whose key is made on the device"),
    CHANGED(SEALED, HELD, "sealed into one whose key is held"),
    CHANGED(HELD, ON_DEVICE, "held into one whose key is made on the device"),
    CHANGED(HELD, SEALED, "held into one whose key is sealed"),
};

void evil_own_keys(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
}
