/* Authenticated encryption: the part of crypto.h that takes a key for one call. */
#include "shared/crypto/mbed.h"

static int import_aead_key(enum cs_aead aead, struct cs_slice key, psa_key_usage_t usage,
                           psa_algorithm_t *ret_alg, psa_key_id_t *ret_id, struct cs_err *err)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    bool is_gcm = aead == CS_AEAD_AES_GCM;

    if (key.len != 32 && !(is_gcm && key.len == 16))
        return cs_err_set(err, CS_EINVAL, "an encryption key of %zu bytes does not fit the cipher", key.len);
    *ret_alg = is_gcm ? PSA_ALG_GCM : PSA_ALG_CHACHA20_POLY1305;
    psa_set_key_type(&attributes, is_gcm ? PSA_KEY_TYPE_AES : PSA_KEY_TYPE_CHACHA20);
    psa_set_key_usage_flags(&attributes, usage);
    psa_set_key_algorithm(&attributes, *ret_alg);
    return cs_psa_error(psa_import_key(&attributes, key.ptr, key.len, ret_id), "loading an encryption key",
                        err);
}

static int reserve(struct cs_buf *out, size_t more, struct cs_err *err)
{
    int rc = cs_buf_reserve(out, more);

    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    if (rc != CS_OK)
        return cs_err_set(err, rc, "the result of %zu bytes is larger than its buffer may become", more);
    return CS_OK;
}

int cs_aead_seal(enum cs_aead aead, struct cs_slice key, const uint8_t nonce[CS_AEAD_NONCE_BYTES],
                 struct cs_slice aad, struct cs_slice plain, struct cs_buf *out, struct cs_err *err)
{
    psa_key_id_t id = PSA_KEY_ID_NULL;
    psa_algorithm_t alg = 0;
    psa_status_t status;
    size_t len;
    int rc;

    rc = reserve(out, plain.len + CS_AEAD_TAG_BYTES, err);
    if (rc == CS_OK)
        rc = import_aead_key(aead, key, PSA_KEY_USAGE_ENCRYPT, &alg, &id, err);
    if (rc != CS_OK)
        return rc;
    status = psa_aead_encrypt(id, alg, nonce, CS_AEAD_NONCE_BYTES, aad.ptr, aad.len, plain.ptr, plain.len,
                              out->ptr + out->len, plain.len + CS_AEAD_TAG_BYTES, &len);
    psa_destroy_key(id);
    if (status != PSA_SUCCESS)
        return cs_psa_error(status, "encrypting", err);
    out->len += len;
    return CS_OK;
}

int cs_aead_open(enum cs_aead aead, struct cs_slice key, const uint8_t nonce[CS_AEAD_NONCE_BYTES],
                 struct cs_slice aad, struct cs_slice sealed, struct cs_buf *out, struct cs_err *err)
{
    psa_key_id_t id = PSA_KEY_ID_NULL;
    psa_algorithm_t alg = 0;
    psa_status_t status;
    size_t len;
    int rc;

    if (sealed.len < CS_AEAD_TAG_BYTES)
        return cs_err_set(err, CS_EAUTH, "encrypted bytes are cut off: %zu are fewer than their tag",
                          sealed.len);
    rc = reserve(out, sealed.len - CS_AEAD_TAG_BYTES, err);
    if (rc == CS_OK)
        rc = import_aead_key(aead, key, PSA_KEY_USAGE_DECRYPT, &alg, &id, err);
    if (rc != CS_OK)
        return rc;
    status = psa_aead_decrypt(id, alg, nonce, CS_AEAD_NONCE_BYTES, aad.ptr, aad.len, sealed.ptr, sealed.len,
                              out->ptr ? out->ptr + out->len : NULL, sealed.len - CS_AEAD_TAG_BYTES, &len);
    psa_destroy_key(id);
    if (status == PSA_ERROR_INVALID_SIGNATURE)
        return cs_err_set(err, CS_EAUTH, "encrypted bytes were altered, or belong to another key or place");
    if (status != PSA_SUCCESS)
        return cs_psa_error(status, "decrypting", err);
    out->len += len;
    return CS_OK;
}
