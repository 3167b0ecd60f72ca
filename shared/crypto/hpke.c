#include "shared/crypto/hpke.h"

/* RFC 9180 sections 4.1 and 5.1: what the labels are bound to. */
#define KEM_SUITE  CS_SLICE_LIT("KEM\x00\x10")
#define HPKE_SUITE CS_SLICE_LIT("HPKE\x00\x10\x00\x01\x00\x01")
#define VERSION    CS_SLICE_LIT("HPKE-v1")

enum { KEY_BYTES = 16, SECRET_BYTES = 32 };

static struct cs_digest labeled_extract(struct cs_slice suite, struct cs_slice salt, struct cs_slice label,
                                        struct cs_slice ikm)
{
    struct cs_slice parts[] = {VERSION, suite, label, ikm};

    return cs_hmac_sha256(salt, parts, CS_ARRAY_LEN(parts));
}

/* One block of HKDF-Expand is enough for all that is derived here; that lets the info stand in parts. */
static void labeled_expand(struct cs_slice suite, const struct cs_digest *prk, struct cs_slice label,
                           const struct cs_slice *info, size_t info_count, uint8_t *out, uint8_t out_len)
{
    uint8_t length[2] = {0, out_len};
    uint8_t counter = 1;
    struct cs_slice parts[8] = {CS_SLICE_ARRAY(length), VERSION, suite, label};
    size_t count = 4;
    struct cs_digest block;

    cs_assert(out_len <= sizeof block.bytes && info_count + count + 1 <= CS_ARRAY_LEN(parts));
    for (size_t i = 0; i < info_count; i++)
        parts[count++] = info[i];
    parts[count++] = cs_slice(&counter, 1);
    block = cs_hmac_sha256(cs_digest_slice(prk), parts, count);
    memcpy(out, block.bytes, out_len);
    cs_wipe(&block, sizeof block);
}

struct context {
    uint8_t key[KEY_BYTES];
    uint8_t nonce[CS_AEAD_NONCE_BYTES];
};

/* Section 4.1, ExtractAndExpand: the KEM's shared secret from the Diffie-Hellman result. */
static void kem_secret(const uint8_t dh[SECRET_BYTES], struct cs_slice enc, struct cs_slice recipient_point,
                       uint8_t ret_secret[SECRET_BYTES])
{
    struct cs_slice kem_context[] = {enc, recipient_point};
    struct cs_digest prk =
        labeled_extract(KEM_SUITE, CS_SLICE_EMPTY, CS_SLICE_LIT("eae_prk"), cs_slice(dh, SECRET_BYTES));

    labeled_expand(KEM_SUITE, &prk, CS_SLICE_LIT("shared_secret"), kem_context, CS_ARRAY_LEN(kem_context),
                   ret_secret, SECRET_BYTES);
    cs_wipe(&prk, sizeof prk);
}

/* Section 5.1, KeySchedule in base mode: no pre-shared key. */
static void key_schedule(const uint8_t secret[SECRET_BYTES], struct cs_slice info, struct context *ret)
{
    static const uint8_t mode_base = 0;
    struct cs_digest psk_id_hash =
        labeled_extract(HPKE_SUITE, CS_SLICE_EMPTY, CS_SLICE_LIT("psk_id_hash"), CS_SLICE_EMPTY);
    struct cs_digest info_hash = labeled_extract(HPKE_SUITE, CS_SLICE_EMPTY, CS_SLICE_LIT("info_hash"), info);
    struct cs_slice schedule[] = {cs_slice(&mode_base, 1), cs_digest_slice(&psk_id_hash),
                                  cs_digest_slice(&info_hash)};
    struct cs_digest prk =
        labeled_extract(HPKE_SUITE, cs_slice(secret, SECRET_BYTES), CS_SLICE_LIT("secret"), CS_SLICE_EMPTY);

    labeled_expand(HPKE_SUITE, &prk, CS_SLICE_LIT("key"), schedule, CS_ARRAY_LEN(schedule), ret->key,
                   sizeof ret->key);
    labeled_expand(HPKE_SUITE, &prk, CS_SLICE_LIT("base_nonce"), schedule, CS_ARRAY_LEN(schedule), ret->nonce,
                   sizeof ret->nonce);
    cs_wipe(&prk, sizeof prk);
}

static int agree(const struct cs_key *own, struct cs_slice peer_point, struct cs_slice enc,
                 struct cs_slice recipient_point, struct cs_slice info, struct context *ret,
                 struct cs_err *err)
{
    uint8_t dh[SECRET_BYTES], secret[SECRET_BYTES];
    int rc = cs_ecdh(own, peer_point, dh, err);

    if (rc == CS_OK) {
        kem_secret(dh, enc, recipient_point, secret);
        key_schedule(secret, info, ret);
    }
    cs_wipe(dh, sizeof dh);
    cs_wipe(secret, sizeof secret);
    return rc;
}

int cs_hpke_seal_with(const struct cs_key *ephemeral, struct cs_slice recipient_spki, struct cs_slice info,
                      struct cs_slice aad, struct cs_slice plain, uint8_t ret_enc[CS_HPKE_ENC_BYTES],
                      struct cs_buf *out, struct cs_err *err)
{
    struct cs_slice enc = cs_key_point(ephemeral), recipient_point;
    struct context context;
    int rc;

    if (cs_spki_point(recipient_spki, &recipient_point) != CS_OK)
        return cs_err_set(err, CS_EPARSE, "the key to seal to is not a P-256 public key");
    rc = agree(ephemeral, recipient_point, enc, recipient_point, info, &context, err);
    if (rc == CS_OK)
        rc = cs_aead_seal(CS_AEAD_AES_GCM, CS_SLICE_ARRAY(context.key), context.nonce, aad, plain, out, err);
    cs_wipe(&context, sizeof context);
    if (rc == CS_OK)
        memcpy(ret_enc, enc.ptr, CS_HPKE_ENC_BYTES);
    return rc;
}

int cs_hpke_seal(struct cs_slice recipient_spki, struct cs_slice info, struct cs_slice aad,
                 struct cs_slice plain, uint8_t ret_enc[CS_HPKE_ENC_BYTES], struct cs_buf *out,
                 struct cs_err *err)
{
    cs_auto(cs_key_freep) struct cs_key *ephemeral = NULL;
    int rc = cs_key_generate(CS_KEY_AGREE, &ephemeral, err);

    if (rc != CS_OK)
        return rc;
    return cs_hpke_seal_with(ephemeral, recipient_spki, info, aad, plain, ret_enc, out, err);
}

int cs_hpke_open(const struct cs_key *recipient, struct cs_slice enc, struct cs_slice info,
                 struct cs_slice aad, struct cs_slice sealed, struct cs_buf *out, struct cs_err *err)
{
    struct context context;
    int rc = agree(recipient, enc, enc, cs_key_point(recipient), info, &context, err);

    if (rc == CS_OK)
        rc = cs_aead_open(CS_AEAD_AES_GCM, CS_SLICE_ARRAY(context.key), context.nonce, aad, sealed, out, err);
    cs_wipe(&context, sizeof context);
    /* Whether it was the point or the tag that did not fit tells an attacker something and a person nothing.
     */
    if (rc == CS_EAUTH || rc == CS_EPARSE)
        return cs_err_set(err, CS_EAUTH,
                          "the sealed secret does not open: it is for another device or purpose, or damaged");
    return rc;
}
