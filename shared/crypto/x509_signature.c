/* What a certificate's key has signed. */
#include "shared/crypto/mbed.h"

#include <mbedtls/rsa.h>

struct scheme {
    uint16_t number;
    mbedtls_pk_type_t kind;
    mbedtls_md_type_t digest;
    psa_algorithm_t hash;
};

static const struct scheme schemes[] = {
    {0x0403, MBEDTLS_PK_ECDSA, MBEDTLS_MD_SHA256, PSA_ALG_SHA_256},
    {0x0503, MBEDTLS_PK_ECDSA, MBEDTLS_MD_SHA384, PSA_ALG_SHA_384},
    {0x0603, MBEDTLS_PK_ECDSA, MBEDTLS_MD_SHA512, PSA_ALG_SHA_512},
    {0x0401, MBEDTLS_PK_RSA, MBEDTLS_MD_SHA256, PSA_ALG_SHA_256},
    {0x0501, MBEDTLS_PK_RSA, MBEDTLS_MD_SHA384, PSA_ALG_SHA_384},
    {0x0601, MBEDTLS_PK_RSA, MBEDTLS_MD_SHA512, PSA_ALG_SHA_512},
    {0x0804, MBEDTLS_PK_RSASSA_PSS, MBEDTLS_MD_SHA256, PSA_ALG_SHA_256},
    {0x0805, MBEDTLS_PK_RSASSA_PSS, MBEDTLS_MD_SHA384, PSA_ALG_SHA_384},
    {0x0806, MBEDTLS_PK_RSASSA_PSS, MBEDTLS_MD_SHA512, PSA_ALG_SHA_512},
};

static int digest_parts(const struct scheme *scheme, const struct cs_slice *parts, size_t count,
                        uint8_t ret[PSA_HASH_MAX_SIZE], size_t *ret_len, struct cs_err *err)
{
    psa_hash_operation_t operation = PSA_HASH_OPERATION_INIT;
    psa_status_t status = psa_hash_setup(&operation, scheme->hash);

    for (size_t i = 0; status == PSA_SUCCESS && i < count; i++)
        status = psa_hash_update(&operation, parts[i].ptr, parts[i].len);
    if (status == PSA_SUCCESS)
        status = psa_hash_finish(&operation, ret, PSA_HASH_MAX_SIZE, ret_len);
    psa_hash_abort(&operation);
    return cs_psa_error(status, "digesting what was signed", err);
}

int cs_chain_check_signature(const struct cs_chain *chain, uint16_t number, const struct cs_slice *parts,
                             size_t count, struct cs_slice signature, struct cs_err *err)
{
    /* A copy of the structure, because verifying takes one that may be changed; the key's numbers stay the
     * chain's. */
    mbedtls_pk_context key = cs_chain_crt(chain, 0)->pk;
    mbedtls_pk_rsassa_pss_options pss = {.expected_salt_len = MBEDTLS_RSA_SALT_LEN_ANY};
    const struct scheme *scheme = NULL;
    uint8_t digest[PSA_HASH_MAX_SIZE];
    size_t digest_len = 0;

    for (size_t i = 0; i < CS_ARRAY_LEN(schemes); i++) {
        if (schemes[i].number == number)
            scheme = &schemes[i];
    }
    if (!scheme)
        return cs_err_set(err, CS_EUNSUPPORTED, "signature scheme 0x%04x is not known here",
                          (unsigned)number);
    if (!mbedtls_pk_can_do(&key, scheme->kind))
        return cs_err_set(err, CS_EAUTH, "the signature is not of the certificate's kind of key");
    int code = digest_parts(scheme, parts, count, digest, &digest_len, err);

    if (code)
        return code;
    pss.mgf1_hash_id = scheme->digest;
    int rc = mbedtls_pk_verify_ext(scheme->kind, scheme->kind == MBEDTLS_PK_RSASSA_PSS ? &pss : NULL, &key,
                                   scheme->digest, digest, digest_len, signature.ptr, signature.len);

    if (rc == 0)
        return CS_OK;
    if (cs_mbed_error(rc, "", NULL) == CS_ENOMEM)
        return cs_err_nomem(err);
    return cs_err_set(err, CS_EAUTH, "the certificate's key has not signed this");
}
