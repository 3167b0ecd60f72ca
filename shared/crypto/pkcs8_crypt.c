/* Private keys under a passphrase: PKCS#8's EncryptedPrivateKeyInfo, by PBES2. RFC 5208, RFC 8018.
 * People have passphrases, devices have not: the agent's build refuses such keys and does without the code.
 */
#include "shared/crypto/der.h"
#include "shared/crypto/mbed.h"

#include "shared/base/limits.h"

#include <mbedtls/asn1.h>
#include <mbedtls/pkcs5.h>

int cs_wrong_passphrase(struct cs_err *err)
{
    return cs_err_set(err, CS_EAUTH, "the passphrase does not open the private key, or the key is damaged");
}

#if defined(MBEDTLS_PKCS5_C)

enum { PBKDF2_ROUNDS = 210000, SALT_BYTES = 16, AES_BLOCK_BYTES = 16, AES256_KEY_BYTES = 32 };

/* PBES2-params ::= SEQUENCE { AlgorithmIdentifier { PBKDF2, SEQUENCE { salt, rounds, … } }, … }. What is not
 * of this form is left to the library to refuse, which reads it the same way. */
static bool has_too_many_rounds(const mbedtls_asn1_buf *params)
{
    uint8_t *at = params->p;
    const uint8_t *end = at + params->len;
    mbedtls_asn1_buf kdf, kdf_params;
    size_t len;
    int rounds;

    if (params->tag != DER_SEQUENCE || mbedtls_asn1_get_alg(&at, end, &kdf, &kdf_params) != 0 ||
        kdf_params.tag != DER_SEQUENCE)
        return false;
    at = kdf_params.p;
    end = at + kdf_params.len;
    if (mbedtls_asn1_get_tag(&at, end, &len, DER_OCTET_STRING) != 0)
        return false;
    at += len;
    return mbedtls_asn1_get_int(&at, end, &rounds) == 0 && rounds > CS_LIMIT_PBKDF2_ROUNDS;
}

int cs_pkcs8_decrypt(struct cs_slice der, struct cs_slice passphrase, struct cs_buf *plain,
                     struct cs_err *err)
{
    uint8_t *at = (uint8_t *)(uintptr_t)der.ptr;
    const uint8_t *end = der.ptr + der.len;
    mbedtls_asn1_buf scheme, params;
    size_t len, plain_len;
    int rc;

    if (mbedtls_asn1_get_tag(&at, end, &len, DER_SEQUENCE) != 0 ||
        mbedtls_asn1_get_alg(&at, end, &scheme, &params) != 0 ||
        mbedtls_asn1_get_tag(&at, end, &len, DER_OCTET_STRING) != 0 || at + len != end)
        return cs_err_set(err, CS_EPARSE, "the encrypted private key is malformed");
    if (!cs_slice_eq(cs_slice(scheme.p, scheme.len), OID_PBES2))
        return cs_err_set(
            err, CS_EUNSUPPORTED,
            "the private key is encrypted in an old way: convert it with 'openssl pkcs8 -topk8'");
    if (has_too_many_rounds(&params))
        return cs_err_set(
            err, CS_ETOOBIG,
            "the private key's passphrase is protected by more than %d rounds of PBKDF2: convert it "
            "with 'openssl pkcs8 -topk8 -iter 1000000'",
            CS_LIMIT_PBKDF2_ROUNDS);
    rc = cs_buf_reserve(plain, len);
    if (rc != CS_OK)
        return cs_err_nomem(err);
    rc = mbedtls_pkcs5_pbes2_ext(&params, MBEDTLS_PKCS5_DECRYPT, passphrase.ptr, passphrase.len, at, len,
                                 plain->ptr, plain->capacity, &plain_len);
    if (rc == MBEDTLS_ERR_PKCS5_PASSWORD_MISMATCH)
        return cs_wrong_passphrase(err);
    if (rc == MBEDTLS_ERR_PKCS5_FEATURE_UNAVAILABLE)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the private key is encrypted with a cipher that is not supported: convert it with "
                          "'openssl pkcs8 -topk8 -v2 aes256'");
    if (rc != 0)
        return cs_mbed_error(rc, "decrypting a private key", err);
    plain->len = plain_len;
    return CS_OK;
}

static int derive_key(struct cs_slice passphrase, const uint8_t salt[SALT_BYTES],
                      uint8_t key[AES256_KEY_BYTES], struct cs_err *err)
{
    int rc = mbedtls_pkcs5_pbkdf2_hmac_ext(MBEDTLS_MD_SHA256, passphrase.ptr, passphrase.len, salt,
                                           SALT_BYTES, PBKDF2_ROUNDS, AES256_KEY_BYTES, key);

    return cs_mbed_error(rc, "deriving a key from a passphrase", err);
}

/* AES-256-CBC with PKCS#7 padding under a random IV, which comes first in what is appended. */
static int encrypt_cbc(const uint8_t key[AES256_KEY_BYTES], struct cs_slice plain, struct cs_buf *out,
                       struct cs_err *err)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id = PSA_KEY_ID_NULL;
    psa_status_t status;
    size_t len;

    if (cs_buf_reserve(out, plain.len + 2 * AES_BLOCK_BYTES) != CS_OK)
        return cs_err_nomem(err);
    psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_ENCRYPT);
    psa_set_key_algorithm(&attributes, PSA_ALG_CBC_PKCS7);
    status = psa_import_key(&attributes, key, AES256_KEY_BYTES, &id);
    if (status == PSA_SUCCESS)
        status = psa_cipher_encrypt(id, PSA_ALG_CBC_PKCS7, plain.ptr, plain.len, out->ptr + out->len,
                                    out->capacity - out->len, &len);
    psa_destroy_key(id);
    if (status != PSA_SUCCESS)
        return cs_psa_error(status, "encrypting a private key", err);
    out->len += len;
    return CS_OK;
}

/* SEQUENCE { SEQUENCE { PBES2, SEQUENCE { kdf, cipher } }, OCTET STRING } */
static void put_encrypted(struct der *der, struct cs_slice salt, struct cs_slice iv,
                          struct cs_slice cipher_text)
{
    const uint8_t *scheme_end, *part_end;

    der_value(der, DER_OCTET_STRING, cipher_text);
    scheme_end = der_mark(der);
    der_value(der, DER_OCTET_STRING, iv);
    der_value(der, DER_OID, OID_AES256_CBC);
    der_wrap(der, DER_SEQUENCE, scheme_end);

    part_end = der_mark(der);
    der_value(der, DER_NULL, CS_SLICE_EMPTY);
    der_value(der, DER_OID, OID_HMAC_SHA256);
    der_wrap(der, DER_SEQUENCE, part_end);
    der_small(der, PBKDF2_ROUNDS);
    der_value(der, DER_OCTET_STRING, salt);
    der_wrap(der, DER_SEQUENCE, part_end);
    der_value(der, DER_OID, OID_PBKDF2);
    der_wrap(der, DER_SEQUENCE, part_end);

    der_wrap(der, DER_SEQUENCE, scheme_end);
    der_value(der, DER_OID, OID_PBES2);
    der_wrap(der, DER_SEQUENCE, scheme_end);
    der_wrap(der, DER_SEQUENCE, der->end);
}

int cs_pkcs8_encrypt(struct cs_slice pkcs8, struct cs_slice passphrase, struct cs_buf *out,
                     struct cs_err *err)
{
    uint8_t salt[SALT_BYTES], key[AES256_KEY_BYTES], room[CS_LIMIT_PRIVATE_KEY_BYTES + 256];
    struct cs_buf cipher_text = CS_BUF_EMPTY;
    struct der der = der_begin(room, sizeof room);
    int rc;

    cs_random(salt, sizeof salt);
    rc = derive_key(passphrase, salt, key, err);
    if (rc == CS_OK)
        rc = encrypt_cbc(key, pkcs8, &cipher_text, err);
    if (rc == CS_OK) {
        struct cs_slice all = cs_buf_slice(&cipher_text);

        put_encrypted(&der, CS_SLICE_ARRAY(salt), cs_slice(all.ptr, AES_BLOCK_BYTES),
                      cs_slice_from(all, AES_BLOCK_BYTES));
        if (der_append_done(&der, out) != CS_OK)
            rc = cs_err_nomem(err);
    }
    cs_wipe(key, sizeof key);
    cs_buf_free(&cipher_text);
    return rc;
}

#else

static int refuse(struct cs_err *err)
{
    return cs_err_set(err, CS_EUNSUPPORTED, "this program knows no private keys under a passphrase");
}

int cs_pkcs8_decrypt(struct cs_slice der, struct cs_slice passphrase, struct cs_buf *plain,
                     struct cs_err *err)
{
    (void)der;
    (void)passphrase;
    (void)plain;
    return refuse(err);
}

int cs_pkcs8_encrypt(struct cs_slice pkcs8, struct cs_slice passphrase, struct cs_buf *out,
                     struct cs_err *err)
{
    (void)pkcs8;
    (void)passphrase;
    (void)out;
    return refuse(err);
}

#endif
