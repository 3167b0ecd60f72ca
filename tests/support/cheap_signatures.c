/* cheap_signatures.c - stands in for cs_sign() and cs_verify() in those fuzz targets that sign what they make
 * (tests/fuzz/CMakeLists.txt): a thousandth of the price, so that the time goes to what is decided about
 * signatures. A signature is a hash over a secret, the key's SPKI and the message: as with the real ones,
 * only those that were made hold. The real ones have tests/unit/test_crypto.c and Wycheproof's vectors. */
#include "shared/crypto/crypto.h"

int __wrap_cs_sign(const struct cs_key *key, const struct cs_slice *parts, size_t count,
                   uint8_t ret_signature[CS_SIGNATURE_BYTES], struct cs_err *err);
int __wrap_cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                     struct cs_slice signature);

static void make(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                 uint8_t ret_signature[CS_SIGNATURE_BYTES])
{
    const struct cs_digest by_whom_and_what[] = {cs_sha256(spki), cs_sha256_parts(parts, count)};
    const struct cs_slice question = CS_SLICE_ARRAY(by_whom_and_what);
    const struct cs_digest first = cs_hmac_sha256(CS_SLICE_LIT("nobody but this file knows"), &question, 1);
    const struct cs_digest second = cs_sha256(cs_digest_slice(&first));

    memcpy(ret_signature, first.bytes, sizeof first.bytes);
    memcpy(ret_signature + sizeof first.bytes, second.bytes, sizeof second.bytes);
}

int __wrap_cs_sign(const struct cs_key *key, const struct cs_slice *parts, size_t count,
                   uint8_t ret_signature[CS_SIGNATURE_BYTES], struct cs_err *err)
{
    (void)err;
    make(cs_key_spki(key), parts, count, ret_signature);
    return CS_OK;
}

int __wrap_cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                     struct cs_slice signature)
{
    uint8_t wanted[CS_SIGNATURE_BYTES];

    make(spki, parts, count, wanted);
    return cs_slice_eq(signature, CS_SLICE_ARRAY(wanted)) ? CS_OK : CS_EAUTH;
}
