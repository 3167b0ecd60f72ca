/* certificates.c - what is installed: chains, dates, and the key that is sealed to the device. */
#include "shared/crypto/hpke.h"
#include "tests/evil/evil.h"

#include <stdio.h>

static void append(struct cs_buf *out, struct cs_slice bytes)
{
    cs_assert(cs_buf_append(out, bytes) == CS_OK);
}
static struct cs_slice ca_of(const struct delivery_story *story)
{
    return cs_chain_der(story->certificate.chain, 1);
}
static struct cs_slice leaf_of(const struct delivery_story *story)
{
    return cs_chain_der(story->certificate.chain, 0);
}
static struct cs_slice root_of(const struct delivery_story *story)
{
    return cs_chain_der(story->root.chain, 0);
}

/* One chain after the other, by number. */
enum chain {
    EMPTY,
    LEAF_ONLY,
    CA_ONLY,
    TURNED_ROUND,
    LEAF_TWICE,
    WITH_ROOT,
    WITHOUT_CA,
    WITH_STRANGER,
    NAMESAKE,
    TOO_MANY,
    GARBAGE,
    CUT,
    WITH_A_BYTE,
    CHAINS
};
static void make_chain(struct delivery_story *story, enum chain which, struct cs_buf *out)
{
    struct cs_issue what = {.common_name = "Example CA",
                            .is_ca = true,
                            .not_before_s = story->d->now_s - 60,
                            .not_after_s = story->d->now_s + 3600};
    struct pki other = {NULL, NULL};

    switch (which) {
    case EMPTY:
    case CHAINS:
        break;
    case LEAF_ONLY:
        append(out, leaf_of(story));
        break;
    case CA_ONLY:
        append(out, ca_of(story));
        break;
    case TURNED_ROUND:
        append(out, ca_of(story));
        append(out, leaf_of(story));
        break;
    case LEAF_TWICE:
        append(out, leaf_of(story));
        append(out, cs_buf_slice(&story->chain));
        break;
    case WITH_ROOT:
        append(out, cs_buf_slice(&story->chain));
        append(out, root_of(story));
        break;
    case WITHOUT_CA:
        append(out, leaf_of(story));
        append(out, root_of(story));
        break;
    case WITH_STRANGER:
        what.common_name = "Stranger";
        other = pki_issue(NULL, what);
        append(out, cs_buf_slice(&story->chain));
        append(out, cs_chain_der(other.chain, 0));
        break;
    case NAMESAKE:
        other = pki_issue(NULL, what);
        append(out, leaf_of(story));
        append(out, cs_chain_der(other.chain, 0));
        break;
    case TOO_MANY:
        append(out, leaf_of(story));
        for (size_t i = 0; i < CS_LIMIT_CHAIN_CERTS; i++)
            append(out, ca_of(story));
        break;
    case GARBAGE:
        append(out, CS_SLICE_LIT("a certificate"));
        break;
    case CUT:
        append(out, cs_buf_slice(&story->chain));
        out->len--;
        break;
    case WITH_A_BYTE:
        append(out, cs_buf_slice(&story->chain));
        append(out, CS_SLICE_LIT("\x30"));
        break;
    }
    pki_free(&other);
}

/* The controller sends it in place of the one that was signed for. */
static void send_chain(struct evil *e)
{
    cs_auto(cs_buf_free) struct cs_buf chain = CS_BUF_EMPTY;

    make_chain(e->push, (enum chain)e->with, &chain);
    CS_PB_SET(&EVIL_MESSAGE(e)->chain, cs_buf_slice(&chain));
}
/* The controller prepared cores for it, and people signed them. */
static void sign_for_chain(struct evil *e)
{
    struct cs_buf chain = CS_BUF_EMPTY;

    make_chain(e->push, (enum chain)e->with, &chain);
    struct cs_digest digest = cs_sha256(cs_buf_slice(&chain));

    CS_PB_SET(&EVIL_CORE(e)->chain_digest, cs_digest_slice(&digest));
    cs_buf_free(&e->push->chain);
    e->push->chain = chain;
}
static void send_chain_of_another(struct evil *e)
{
    EVIL_MESSAGE(e)->chain = evil_push(e, 2)->message.chain;
}
static void send_chain_and_key_of_another(struct evil *e)
{
    const struct delivery_story *other = evil_push(e, 2);

    EVIL_MESSAGE(e)->chain = other->message.chain;
    EVIL_MESSAGE(e)->sealed_key = other->message.sealed_key;
}
static void sign_for_the_leaf_of_another(struct evil *e)
{
    EVIL_CORE(e)->leaf_spki_digest = delivery_core(evil_push(e, 2))->leaf_spki_digest;
}
/* The certificate that a CA issues for the same name and another key: the chain that it makes has good links.
 */
static void sign_for_a_chain_with_the_leaf_of_another(struct evil *e)
{
    struct delivery_story *other = evil_push(e, 2);

    cs_buf_free(&e->push->chain);
    append(&e->push->chain, cs_buf_slice(&other->chain));
    EVIL_CORE(e)->chain_digest = delivery_core(other)->chain_digest;
}

/* ---- dates */

static void expires_in_the_window(struct evil *e)
{
    delivery_certify(e->push, e->d.now_s - 60, e->d.now_s + 60);
}
static void begins_in_the_window(struct evil *e)
{
    delivery_certify(e->push, e->d.now_s + 60, e->d.now_s + 3600);
}
static void expired_is_meant(struct evil *e)
{
    expires_in_the_window(e);
    EVIL_REQUEST(e)->overrides_count = 1;
    EVIL_REQUEST(e)->overrides[0] = countersign_v1_Override_OVERRIDE_EXPIRED;
}
static void revoked_is_meant(struct evil *e)
{
    expires_in_the_window(e);
    EVIL_REQUEST(e)->overrides_count = 1;
    EVIL_REQUEST(e)->overrides[0] = countersign_v1_Override_OVERRIDE_REVOKED;
}
static void clock_is(struct evil *e)
{
    e->victim.clock_s += e->with;
}
static void clock_is_lost(struct evil *e)
{
    e->victim.clock_s = 0;
}

/* ---- what the order asks for */

static void key_sealed_by_the_requester(struct evil *e)
{
    EVIL_CORE(e)->key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED;
}
/* ---- the sealed key */

static struct cs_buf plain_key(struct cs_slice pkcs8, size_t padding, uint8_t with)
{
    countersign_v1_SealedKeyPlain *plain = calloc(1, sizeof *plain);

    cs_assert(plain);
    CS_PB_SET(&plain->pkcs8, pkcs8);
    plain->padding.size = (pb_size_t)padding;
    memset(plain->padding.bytes, with, padding);
    struct cs_buf out = deployment_encode(countersign_v1_SealedKeyPlain_fields, plain);

    free(plain);
    return out;
}
static void seal_plain(struct evil *e, struct cs_slice plain)
{
    delivery_seal(e->push, cs_key_spki(e->victim.kem), plain);
}
static void seal_key(struct evil *e, struct cs_slice pkcs8, size_t padding, uint8_t with)
{
    struct cs_buf plain = plain_key(pkcs8, padding, with);

    seal_plain(e, cs_buf_slice(&plain));
    cs_buf_free(&plain);
}
static void no_key(struct evil *e)
{
    EVIL_MESSAGE(e)->has_sealed_key = false;
    memset(&EVIL_MESSAGE(e)->sealed_key, 0, sizeof EVIL_MESSAGE(e)->sealed_key);
}
static void seal_for_another_device(struct evil *e)
{
    uint8_t kem_spki[CS_SPKI_BYTES];
    struct cs_buf plain = plain_key(cs_buf_slice(&e->push->pkcs8), 0, 0);

    evil_kem_spki("gw-1", kem_spki);
    delivery_seal(e->push, CS_SLICE_ARRAY(kem_spki), cs_buf_slice(&plain));
    cs_buf_free(&plain);
}
/* Bound to something else: deployment, device, order, or core. */
static void seal_bound_to_another(struct evil *e)
{
    cs_auto(cs_buf_free) struct cs_buf info = CS_BUF_EMPTY, core = CS_BUF_EMPTY, sealed = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf plain = plain_key(cs_buf_slice(&e->push->pkcs8), 0, 0);
    struct cs_err err;

    append(&info, CS_SLICE_LIT("countersign/v1/sealed-key"));
    append(&info, CS_SLICE_ARRAY(e->d.id));
    append(&info, CS_PB_BYTES(&EVIL_CORE(e)->device_id));
    append(&info, CS_PB_BYTES(&EVIL_CORE(e)->order_id));
    append(&core, cs_buf_slice(&e->push->push.core_wires[0]));
    if (e->with < 4)
        info.ptr[25 + 16 * e->with - (e->with == 3)] ^= 1;
    else if (e->with == 4)
        info.len = 0;
    else if (e->with == 5)
        core.ptr[core.len - 1] ^= 1;
    else
        core.len = 0;
    cs_assert(cs_hpke_seal(cs_key_spki(e->victim.kem), cs_buf_slice(&info), cs_buf_slice(&core),
                           cs_buf_slice(&plain), EVIL_MESSAGE(e)->sealed_key.enc.bytes, &sealed,
                           &err) == CS_OK);
    CS_PB_SET(&EVIL_MESSAGE(e)->sealed_key.ciphertext, cs_buf_slice(&sealed));
}
static void sealed_key_of_another_order(struct evil *e)
{
    EVIL_MESSAGE(e)->sealed_key = evil_push(e, 2)->message.sealed_key;
}
static void spoil_sealed(struct evil *e)
{
    countersign_v1_SealedKey *sealed = &EVIL_MESSAGE(e)->sealed_key;

    switch (e->with) {
    case 0:
        sealed->ciphertext.size--;
        break;
    case 1:
        sealed->ciphertext.bytes[sealed->ciphertext.size++] = 0;
        break;
    case 2:
        sealed->ciphertext.size = 1;
        break;
    case 3:
        sealed->ciphertext.bytes[0] ^= 1;
        break;
    case 4:
        memset(sealed->enc.bytes + 1, 0, 64);
        break;
    case 5:
        sealed->enc.bytes[0] = 0x02;
        break;
    case 6:
        sealed->enc.size--;
        break;
    case 7:
        sealed->ciphertext.size = 17;
        break;
    default:
        /* The device's own key as the ephemeral one. */
        memcpy(sealed->enc.bytes, cs_key_point(e->victim.kem).ptr, CS_POINT_BYTES);
        break;
    }
}
static void seal_garbage(struct evil *e)
{
    static const uint8_t zeros[64];

    if (e->with == 0)
        seal_plain(e, CS_SLICE_LIT("this is not a private key"));
    else if (e->with == 1)
        seal_key(e, CS_SLICE_EMPTY, 64, 0);
    else if (e->with == 2)
        seal_key(e, CS_SLICE_ARRAY(zeros), 0, 0);
    else
        seal_key(e, cs_slice(e->push->pkcs8.ptr, e->push->pkcs8.len - 1), 0, 0);
}
static void seal_with_a_byte_behind(struct evil *e)
{
    struct cs_buf plain = plain_key(cs_buf_slice(&e->push->pkcs8), 0, 0);

    append(&plain, CS_SLICE_LIT("x"));
    seal_plain(e, cs_buf_slice(&plain));
    cs_buf_free(&plain);
}
static void seal_with_padding(struct evil *e)
{
    seal_key(e, cs_buf_slice(&e->push->pkcs8), 512, (uint8_t)e->with);
}
static void seal_the_key_of_another(struct evil *e)
{
    seal_key(e, cs_buf_slice(&evil_push(e, 2)->pkcs8), 0, 0);
}
/* The scalar of the PKCS#8 stands behind its OCTET STRING's head, the point at the end. */
static void seal_half_of_the_key(struct evil *e)
{
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    static const uint8_t head[] = {0x02, 0x01, 0x01, 0x04, 0x20};
    size_t at = 0;

    append(&pkcs8, cs_buf_slice(&e->push->pkcs8));
    while (memcmp(pkcs8.ptr + at, head, sizeof head) != 0)
        at++;
    if (e->with == 0)
        pkcs8.ptr[at + sizeof head + 31] ^= 1;
    else
        memcpy(pkcs8.ptr + pkcs8.len - CS_POINT_BYTES, cs_key_point(e->victim.kem).ptr, CS_POINT_BYTES);
    seal_key(e, cs_buf_slice(&pkcs8), 0, 0);
}
/* What the device reads as the right key, and another program may read otherwise: it installs its own form.
 */
static void seal_in_another_form(struct evil *e)
{
    cs_auto(cs_buf_wipe) struct cs_buf form = CS_BUF_EMPTY;
    size_t at = e->push->pkcs8.len - CS_POINT_BYTES;
    struct cs_err err;

    if (e->with == 0)
        cs_assert(cs_key_export_pem(e->push->certificate.key, CS_SLICE_EMPTY, &form, &err) == CS_OK);
    else
        append(&form, cs_buf_slice(&e->push->pkcs8));
    if (e->with == 1) /* the ECPrivateKey alone, without the PrivateKeyInfo around it */
        cs_buf_consume(&form, 29);
    if (e->with == 2)
        form.ptr[at] = 0x09; /* no form of a point that there is */
    seal_key(e, cs_buf_slice(&form), 0, 0);
}
static void seal_its_own_key(struct evil *e)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY, pkcs8 = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(cs_key_export_pem(deployment_key(&e->d, "controller"), CS_SLICE_EMPTY, &pem, &err) == CS_OK &&
              cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &pkcs8, &err) == CS_OK);
    seal_key(e, cs_buf_slice(&pkcs8), 0, 0);
}

static const struct evil_strategy strategies[] = {
    {.says = "sends another push's chain", .end = EVIL_ENDS(CHAIN_DIGEST), .sent = send_chain_of_another},
    {.says = "sends another push's chain and its key",
     .end = EVIL_ENDS(CHAIN_DIGEST),
     .sent = send_chain_and_key_of_another},
    {.says = "has people sign for the leaf key of another push",
     .end = EVIL_ENDS(LEAF_KEY),
     .prepared = sign_for_the_leaf_of_another},
    {.says = "has people sign for the chain of another push",
     .end = EVIL_ENDS(LEAF_KEY),
     .prepared = sign_for_a_chain_with_the_leaf_of_another},

    {.says = "delivers a certificate that expired in the window",
     .end = EVIL_ENDS(CERTIFICATE_EXPIRED),
     .prepared = expires_in_the_window,
     .device = clock_is,
     .with = 61},
    {.says = "delivers a certificate in its last second",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .prepared = expires_in_the_window,
     .device = clock_is,
     .with = 60},
    {.says = "delivers an expired certificate, which the request wants",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .prepared = expired_is_meant,
     .device = clock_is,
     .with = 61},
    {.says = "delivers an expired certificate where the request wants a revoked one",
     .end = EVIL_ENDS(CERTIFICATE_EXPIRED),
     .prepared = revoked_is_meant,
     .device = clock_is,
     .with = 61},
    {.says = "delivers a certificate that is not valid yet",
     .end = EVIL_ENDS(CERTIFICATE_NOT_YET),
     .prepared = begins_in_the_window},
    {.says = "delivers a certificate that is not valid yet to a device that lost its clock",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .prepared = begins_in_the_window,
     .device = clock_is_lost},

    {.says = "reads the key that it was given to hold, and delivers", .end = EVIL_ADMITS(READS_HELD_KEYS)},
    {.says = "delivers the key that the requester sealed",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = key_sealed_by_the_requester},
    {.says = "leaves the key out", .end = EVIL_ENDS(KEY_MISSING), .sent = no_key},
    {.says = "leaves out the key that the requester sealed",
     .end = EVIL_ENDS(KEY_MISSING),
     .prepared = key_sealed_by_the_requester,
     .sent = no_key},
    {.says = "seals the key to another device", .end = EVIL_ENDS(KEY_SEAL), .sent = seal_for_another_device},
    {.says = "sends the sealed key of another order",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = sealed_key_of_another_order},
    {.says = "seals the key for another deployment",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = seal_bound_to_another},
    {.says = "seals the key for another device-id",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = seal_bound_to_another,
     .with = 1},
    {.says = "seals the key for another order id",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = seal_bound_to_another,
     .with = 2},
    {.says = "seals the key for an order id whose last byte is another",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = seal_bound_to_another,
     .with = 3},
    {.says = "seals the key for nothing",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = seal_bound_to_another,
     .with = 4},
    {.says = "seals the key for another core",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = seal_bound_to_another,
     .with = 5},
    {.says = "seals the key for no core",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = seal_bound_to_another,
     .with = 6},
    {.says = "cuts the sealed key", .end = EVIL_ENDS(KEY_SEAL), .sent = spoil_sealed},
    {.says = "puts a byte behind the sealed key",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = spoil_sealed,
     .with = 1},
    {.says = "sends one byte of the sealed key",
     .end = EVIL_ENDS(MESSAGE_MALFORMED),
     .sent = spoil_sealed,
     .with = 2},
    {.says = "changes a bit of the sealed key", .end = EVIL_ENDS(KEY_SEAL), .sent = spoil_sealed, .with = 3},
    {.says = "sends no point with the sealed key",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = spoil_sealed,
     .with = 4},
    {.says = "sends a point in another form with the sealed key",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = spoil_sealed,
     .with = 5},
    {.says = "cuts the point of the sealed key",
     .end = EVIL_ENDS(MESSAGE_MALFORMED),
     .sent = spoil_sealed,
     .with = 6},
    {.says = "sends the shortest sealed key that parses",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = spoil_sealed,
     .with = 7},
    {.says = "sends the device's own point with the sealed key",
     .end = EVIL_ENDS(KEY_SEAL),
     .sent = spoil_sealed,
     .with = 8},
    {.says = "seals what is no key", .end = EVIL_ENDS(KEY_MALFORMED), .sent = seal_garbage},
    {.says = "seals padding alone", .end = EVIL_ENDS(KEY_MALFORMED), .sent = seal_garbage, .with = 1},
    {.says = "seals zeros for a key", .end = EVIL_ENDS(KEY_MALFORMED), .sent = seal_garbage, .with = 2},
    {.says = "seals a key that is cut", .end = EVIL_ENDS(KEY_MALFORMED), .sent = seal_garbage, .with = 3},
    {.says = "seals a key with a byte behind it",
     .end = EVIL_ENDS(KEY_MALFORMED),
     .sent = seal_with_a_byte_behind},
    {.says = "seals a key with padding", .end = EVIL_ADMITS(NOTHING), .sent = seal_with_padding},
    {.says = "seals a key with padding that is not zero",
     .end = EVIL_ADMITS(NOTHING),
     .sent = seal_with_padding,
     .with = 1},
    {.says = "seals another certificate's key",
     .end = EVIL_ENDS(KEY_MISMATCH),
     .sent = seal_the_key_of_another},
    {.says = "seals a key whose secret half is another",
     .end = EVIL_ENDS(KEY_MISMATCH),
     .sent = seal_half_of_the_key},
    {.says = "seals the key with another's public half",
     .end = EVIL_ADMITS(NOTHING),
     .sent = seal_half_of_the_key,
     .with = 1},
    {.says = "seals the key as text", .end = EVIL_ADMITS(NOTHING), .sent = seal_in_another_form},
    {.says = "seals the inside of the key alone",
     .end = EVIL_ENDS(KEY_MALFORMED),
     .sent = seal_in_another_form,
     .with = 1},
    {.says = "seals the key with a damaged public half",
     .end = EVIL_ENDS(KEY_MALFORMED),
     .sent = seal_in_another_form,
     .with = 2},
    {.says = "seals its own key", .end = EVIL_ENDS(KEY_MISMATCH), .sent = seal_its_own_key},
};

static const struct {
    const char *what;
    struct evil_end end; /* when people signed for it */
} chains[CHAINS] = {
    [EMPTY] = {"no chain", EVIL_ENDS(CHAIN_MALFORMED)},
    [LEAF_ONLY] = {"the leaf alone", EVIL_ADMITS(NOTHING)},
    [CA_ONLY] = {"the leaf's CA alone", EVIL_ENDS(LEAF_KEY)},
    [TURNED_ROUND] = {"a chain the other way round", EVIL_ENDS(CHAIN_LINKS)},
    [LEAF_TWICE] = {"a chain with the leaf twice", EVIL_ENDS(CHAIN_LINKS)},
    [WITH_ROOT] = {"a chain with its root", EVIL_ADMITS(NOTHING)},
    [WITHOUT_CA] = {"a chain without the CA between", EVIL_ENDS(CHAIN_LINKS)},
    [WITH_STRANGER] = {"a chain with a stranger behind", EVIL_ENDS(CHAIN_LINKS)},
    [NAMESAKE] = {"a chain with a CA of the same name", EVIL_ENDS(CHAIN_LINKS)},
    [TOO_MANY] = {"a chain of too many certificates", EVIL_ENDS(CHAIN_MALFORMED)},
    [GARBAGE] = {"what is no chain", EVIL_ENDS(CHAIN_MALFORMED)},
    [CUT] = {"a chain that is cut", EVIL_ENDS(CHAIN_MALFORMED)},
    [WITH_A_BYTE] = {"a chain with a byte behind", EVIL_ENDS(CHAIN_MALFORMED)},
};

static void play_chain(struct evil_tally *tally, enum chain which)
{
    char says[EVIL_SENTENCE_BYTES];
    struct evil_strategy strategy = {
        .says = says, .end = EVIL_ENDS(CHAIN_DIGEST), .sent = send_chain, .with = which};

    snprintf(says, sizeof says, "sends %s", chains[which].what);
    evil_play(tally, &strategy, 1);
    strategy = (struct evil_strategy){
        .says = says, .end = chains[which].end, .prepared = sign_for_chain, .with = which};
    snprintf(says, sizeof says, "has people sign for %s", chains[which].what);
    evil_play(tally, &strategy, 1);
}

void evil_certificates(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
    for (enum chain which = EMPTY; which < CHAINS; which++)
        play_chain(tally, which);
}
