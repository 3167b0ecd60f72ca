/* A sealed secret opens for whom, and for what, it was sealed, and for nobody else. The first byte chooses
 * what is altered: bytes 1 and 2 say where, the rest is written over it. */
#include "shared/crypto/hpke.h"

enum { ALTER_ENC, ALTER_INFO, ALTER_AAD, ALTER_SEALED, CUT_SEALED, GIVEN_WHOLE, OTHER_KEY, KINDS };

static const char plain[] = "a key that only one device may have";

/* Made once, for `recipient`. */
static struct sealing {
    struct cs_key *recipient, *other;
    uint8_t enc[CS_HPKE_ENC_BYTES], info[73], aad[200], sealed[sizeof plain + CS_AEAD_TAG_BYTES];
} good;

static void make_once(void)
{
    struct cs_digest scalars[3];
    struct cs_key *ephemeral = NULL;
    struct cs_buf out = CS_BUF_EMPTY;

    if (good.recipient)
        return;
    cs_assert(cs_crypto_init(NULL) == CS_OK);
    for (uint8_t i = 0; i < 3; i++)
        scalars[i] = cs_sha256(cs_slice(&i, 1));
    cs_assert(cs_key_from_scalar(cs_digest_slice(&scalars[0]), CS_KEY_AGREE, &good.recipient, NULL) == CS_OK);
    cs_assert(cs_key_from_scalar(cs_digest_slice(&scalars[1]), CS_KEY_AGREE, &good.other, NULL) == CS_OK);
    cs_assert(cs_key_from_scalar(cs_digest_slice(&scalars[2]), CS_KEY_AGREE, &ephemeral, NULL) == CS_OK);
    memset(good.info, 'i', sizeof good.info);
    memset(good.aad, 'a', sizeof good.aad);
    cs_assert(cs_hpke_seal_with(ephemeral, cs_key_spki(good.recipient), CS_SLICE_ARRAY(good.info),
                                CS_SLICE_ARRAY(good.aad), CS_SLICE_ARRAY(plain), good.enc, &out,
                                NULL) == CS_OK);
    cs_assert(out.len == sizeof good.sealed);
    memcpy(good.sealed, out.ptr, out.len);
    cs_buf_free(&out);
    cs_key_free(ephemeral);
}

static void write_over(uint8_t *target, size_t room, size_t at, struct cs_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        target[(at + i) % room] ^= bytes.ptr[i];
}

static bool is_as_made(const struct sealing *now)
{
    return memcmp(now->enc, good.enc, sizeof good.enc) == 0 &&
           memcmp(now->info, good.info, sizeof good.info) == 0 &&
           memcmp(now->aad, good.aad, sizeof good.aad) == 0 &&
           memcmp(now->sealed, good.sealed, sizeof good.sealed) == 0;
}

/* The whole of what a stranger sends: enc first, then the ciphertext. */
static void open_given(struct cs_slice input)
{
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_slice enc = cs_slice(input.ptr, input.len < CS_HPKE_ENC_BYTES ? input.len : CS_HPKE_ENC_BYTES);
    int rc = cs_hpke_open(good.recipient, enc, CS_SLICE_ARRAY(good.info), CS_SLICE_ARRAY(good.aad),
                          cs_slice_from(input, enc.len), &out, NULL);

    cs_assert(rc != CS_OK || (cs_slice_eq(enc, CS_SLICE_ARRAY(good.enc)) &&
                              cs_slice_eq(cs_slice_from(input, enc.len), CS_SLICE_ARRAY(good.sealed))));
    cs_assert(rc == CS_OK || out.len == 0);
    cs_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sealing now;
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_slice bytes, sealed;
    unsigned kind;
    size_t at;
    bool same;
    int rc;

    make_once();
    if (size < 3)
        return 0;
    now = good;
    bytes = cs_slice(data + 3, size - 3);
    at = (size_t)data[1] << 8 | data[2];
    sealed = CS_SLICE_ARRAY(now.sealed);
    kind = data[0] % KINDS;
    if (kind == ALTER_ENC)
        write_over(now.enc, sizeof now.enc, at, bytes);
    else if (kind == ALTER_INFO)
        write_over(now.info, sizeof now.info, at, bytes);
    else if (kind == ALTER_AAD)
        write_over(now.aad, sizeof now.aad, at, bytes);
    else if (kind == ALTER_SEALED)
        write_over(now.sealed, sizeof now.sealed, at, bytes);
    else if (kind == CUT_SEALED)
        sealed.len = at % (sizeof now.sealed + 1);
    else if (kind == GIVEN_WHOLE)
        open_given(bytes);
    same = is_as_made(&now) && sealed.len == sizeof now.sealed && kind != OTHER_KEY;
    rc = cs_hpke_open(kind == OTHER_KEY ? good.other : good.recipient, CS_SLICE_ARRAY(now.enc),
                      CS_SLICE_ARRAY(now.info), CS_SLICE_ARRAY(now.aad), sealed, &out, NULL);
    cs_assert(same ? rc == CS_OK : rc == CS_EAUTH);
    cs_assert(cs_slice_eq(cs_buf_slice(&out), same ? CS_SLICE_ARRAY(plain) : CS_SLICE_EMPTY));
    cs_buf_free(&out);
    return 0;
}
