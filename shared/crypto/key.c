/* P-256 keys: the part of crypto.h that signs, verifies and agrees.
 *
 * Several threads may use one key. PSA 3.6 promises that for key management alone, so this is why it holds
 * here: using a key takes a counted reference to its slot under the library's lock, the slot's bytes are only
 * read from then on, every operation works on its own copy of the curve and the scalar, and the generator
 * behind it has a lock of its own. */
#include "shared/crypto/mbed.h"

#include <mbedtls/psa_util.h>

struct cs_key {
    psa_key_id_t id;
    enum cs_key_use use;
    uint8_t spki[CS_SPKI_BYTES];
};

/* RFC 5480: SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING }, up to the point. */
static const uint8_t spki_prefix[CS_SPKI_BYTES - CS_POINT_BYTES] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

int cs_spki_point(struct cs_slice spki, struct cs_slice *ret_point)
{
    if (spki.len != CS_SPKI_BYTES || !cs_slice_starts_with(spki, CS_SLICE_ARRAY(spki_prefix)) ||
        spki.ptr[sizeof spki_prefix] != 0x04)
        return CS_EPARSE;
    *ret_point = cs_slice_from(spki, sizeof spki_prefix);
    return CS_OK;
}

void cs_spki_from_point(const uint8_t point[CS_POINT_BYTES], uint8_t spki[CS_SPKI_BYTES])
{
    memcpy(spki, spki_prefix, sizeof spki_prefix);
    memcpy(spki + sizeof spki_prefix, point, CS_POINT_BYTES);
}

static psa_key_attributes_t attributes_for(enum cs_key_use use)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;

    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    /* TLS chooses the digest itself, so the signing key is not tied to SHA-256. */
    psa_set_key_algorithm(&attributes, use == CS_KEY_SIGN ? PSA_ALG_ECDSA(PSA_ALG_ANY_HASH) : PSA_ALG_ECDH);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT | (use == CS_KEY_SIGN ? PSA_KEY_USAGE_SIGN_HASH
                                                                                    : PSA_KEY_USAGE_DERIVE));
    return attributes;
}

/* Takes the PSA key over, also on failure. */
static int wrap(psa_key_id_t id, enum cs_key_use use, struct cs_key **ret, struct cs_err *err)
{
    struct cs_key *key = malloc(sizeof *key);
    uint8_t point[CS_POINT_BYTES];
    psa_status_t status = PSA_ERROR_INSUFFICIENT_MEMORY;
    size_t len;

    if (key)
        status = psa_export_public_key(id, point, sizeof point, &len);
    if (status != PSA_SUCCESS) {
        psa_destroy_key(id);
        free(key);
        return cs_psa_error(status, "deriving a public key", err);
    }
    *key = (struct cs_key){.id = id, .use = use};
    cs_spki_from_point(point, key->spki);
    *ret = key;
    return CS_OK;
}

int cs_key_generate(enum cs_key_use use, struct cs_key **ret, struct cs_err *err)
{
    psa_key_attributes_t attributes = attributes_for(use);
    psa_key_id_t id;
    psa_status_t status = psa_generate_key(&attributes, &id);

    if (status != PSA_SUCCESS)
        return cs_psa_error(status, "making a key", err);
    return wrap(id, use, ret, err);
}

int cs_key_from_scalar(struct cs_slice scalar, enum cs_key_use use, struct cs_key **ret, struct cs_err *err)
{
    psa_key_attributes_t attributes = attributes_for(use);
    psa_key_id_t id;
    psa_status_t status = PSA_ERROR_INVALID_ARGUMENT;

    if (scalar.len == CS_SCALAR_BYTES)
        status = psa_import_key(&attributes, scalar.ptr, scalar.len, &id);
    if (status == PSA_ERROR_INVALID_ARGUMENT)
        return cs_err_set(err, CS_EPARSE, "these bytes are not a P-256 private key");
    if (status != PSA_SUCCESS)
        return cs_psa_error(status, "loading a private key", err);
    return wrap(id, use, ret, err);
}

int cs_key_parse(struct cs_slice encoded, struct cs_slice passphrase, enum cs_key_use use,
                 struct cs_key **ret, struct cs_err *err)
{
    psa_key_attributes_t attributes = attributes_for(use), found = PSA_KEY_ATTRIBUTES_INIT;
    mbedtls_pk_context pk;
    psa_key_id_t id = PSA_KEY_ID_NULL;
    int rc;

    mbedtls_pk_init(&pk);
    rc = cs_pk_read_private(encoded, passphrase, &pk, err);
    if (rc != CS_OK)
        goto out;
    rc = cs_mbed_error(mbedtls_pk_get_psa_attributes(&pk, PSA_KEY_USAGE_SIGN_HASH, &found),
                       "reading a private key", err);
    if (rc != CS_OK)
        goto out;
    if (psa_get_key_type(&found) != psa_get_key_type(&attributes) || psa_get_key_bits(&found) != 256) {
        rc = cs_err_set(err, CS_EUNSUPPORTED, "the private key is not a P-256 key; only those can sign here");
        goto out;
    }
    /* Only the scalar is taken over; the public half is derived, so a file whose halves disagree cannot
     * mislead. */
    rc = cs_mbed_error(mbedtls_pk_import_into_psa(&pk, &attributes, &id), "loading a private key", err);
    if (rc == CS_OK)
        rc = wrap(id, use, ret, err);
out:
    mbedtls_pk_free(&pk);
    return rc;
}

int cs_key_export_pem(const struct cs_key *key, struct cs_slice passphrase, struct cs_buf *out,
                      struct cs_err *err)
{
    struct cs_buf pkcs8 = CS_BUF_EMPTY, encrypted = CS_BUF_EMPTY;
    uint8_t scalar[CS_SCALAR_BYTES];
    size_t len;
    int rc = cs_psa_error(psa_export_key(key->id, scalar, sizeof scalar, &len), "exporting a key", err);

    if (rc == CS_OK && cs_pkcs8_write_p256(CS_SLICE_ARRAY(scalar), cs_key_point(key), &pkcs8) != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK && passphrase.len) {
        rc = cs_pkcs8_encrypt(cs_buf_slice(&pkcs8), passphrase, &encrypted, err);
        if (rc == CS_OK)
            rc = cs_pem_write("ENCRYPTED PRIVATE KEY", cs_buf_slice(&encrypted), out, err);
    } else if (rc == CS_OK) {
        rc = cs_pem_write("PRIVATE KEY", cs_buf_slice(&pkcs8), out, err);
    }
    cs_wipe(scalar, sizeof scalar);
    cs_buf_wipe(&pkcs8);
    cs_buf_free(&encrypted);
    return rc;
}

void cs_key_free(struct cs_key *key)
{
    if (!key)
        return;
    psa_destroy_key(key->id);
    free(key);
}

psa_key_id_t cs_key_psa_id(const struct cs_key *key)
{
    return key->id;
}

struct cs_slice cs_key_spki(const struct cs_key *key)
{
    return CS_SLICE_ARRAY(key->spki);
}

struct cs_slice cs_key_point(const struct cs_key *key)
{
    return cs_slice_from(cs_key_spki(key), sizeof spki_prefix);
}

int cs_sign(const struct cs_key *key, const struct cs_slice *parts, size_t count,
            uint8_t ret_signature[CS_SIGNATURE_BYTES], struct cs_err *err)
{
    struct cs_digest digest = cs_sha256_parts(parts, count);
    uint8_t signature[CS_SIGNATURE_BYTES];
    size_t len;
    psa_status_t status;

    cs_assert(key->use == CS_KEY_SIGN);
    status = psa_sign_hash(key->id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest.bytes, sizeof digest.bytes,
                           signature, sizeof signature, &len);
    if (status != PSA_SUCCESS)
        return cs_psa_error(status, "signing", err);
    memcpy(ret_signature, signature, sizeof signature);
    return CS_OK;
}

/* The library checks that the point is on the curve. */
static psa_status_t import_point(struct cs_slice point, psa_key_id_t *ret)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;

    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    return psa_import_key(&attributes, point.ptr, point.len, ret);
}

int cs_spki_check(struct cs_slice spki)
{
    struct cs_slice point;
    psa_key_id_t id;
    psa_status_t status;

    if (cs_spki_point(spki, &point) != CS_OK)
        return CS_EPARSE;
    status = import_point(point, &id);
    if (status == PSA_SUCCESS) {
        psa_destroy_key(id);
        return CS_OK;
    }
    return status == PSA_ERROR_INSUFFICIENT_MEMORY ? CS_ENOMEM : CS_EPARSE;
}

int cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count, struct cs_slice signature)
{
    struct cs_digest digest;
    struct cs_slice point;
    psa_key_id_t id;
    psa_status_t status;

    if (signature.len != CS_SIGNATURE_BYTES || cs_spki_point(spki, &point) != CS_OK)
        return CS_EAUTH;
    status = import_point(point, &id);
    if (status == PSA_SUCCESS) {
        digest = cs_sha256_parts(parts, count);
        status = psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest.bytes, sizeof digest.bytes,
                                 signature.ptr, signature.len);
        psa_destroy_key(id);
    }
    if (status == PSA_SUCCESS)
        return CS_OK;
    return status == PSA_ERROR_INSUFFICIENT_MEMORY ? CS_ENOMEM : CS_EAUTH;
}

int cs_ecdh(const struct cs_key *key, struct cs_slice peer_point, uint8_t ret_shared[32], struct cs_err *err)
{
    uint8_t shared[32];
    size_t len;
    psa_status_t status = PSA_ERROR_INVALID_ARGUMENT;

    cs_assert(key->use == CS_KEY_AGREE);
    /* The library checks that the point is on the curve; infinity has no 65-byte form. */
    if (peer_point.len == CS_POINT_BYTES)
        status = psa_raw_key_agreement(PSA_ALG_ECDH, key->id, peer_point.ptr, peer_point.len, shared,
                                       sizeof shared, &len);
    if (status == PSA_ERROR_INVALID_ARGUMENT)
        return cs_err_set(err, CS_EPARSE, "the peer's key is not a point of P-256");
    if (status != PSA_SUCCESS)
        return cs_psa_error(status, "agreeing on a secret", err);
    memcpy(ret_shared, shared, sizeof shared);
    cs_wipe(shared, sizeof shared);
    return CS_OK;
}
