/* Private keys as files have them: the forms that we read, and the PKCS#8 that we write.
 * RFC 5208 (PKCS#8), RFC 5915 (SEC 1), RFC 8017 appendix A (PKCS#1). Encryption is in pkcs8_crypt.c. */
#include "shared/crypto/der.h"
#include "shared/crypto/mbed.h"
#include "shared/crypto/pem.h"

#include "shared/base/limits.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/psa_util.h>

/* Large enough for every key that is accepted, in any form and encrypted. */
enum { ENCODED_MOST = CS_LIMIT_PRIVATE_KEY_BYTES + 256 };

/* EncryptedPrivateKeyInfo begins with an AlgorithmIdentifier where all plain forms have a version. */
static bool is_encrypted(struct cs_slice der)
{
    uint8_t *at = (uint8_t *)(uintptr_t)der.ptr;
    const uint8_t *end = der.ptr + der.len;
    size_t len;

    return mbedtls_asn1_get_tag(&at, end, &len, DER_SEQUENCE) == 0 && at < end && *at == DER_SEQUENCE;
}

static int read_der(struct cs_slice der, struct cs_slice passphrase, mbedtls_pk_context *pk,
                    struct cs_err *err)
{
    struct cs_buf plain = CS_BUF_EMPTY;
    bool encrypted = is_encrypted(der);
    int rc = CS_OK;

    if (encrypted && passphrase.len == 0)
        return cs_err_set(err, CS_EDENIED, "the private key is encrypted: give its passphrase");
    if (encrypted) {
        rc = cs_pkcs8_decrypt(der, passphrase, &plain, err);
        der = cs_buf_slice(&plain);
    }
    if (rc == CS_OK) {
        int parsed = mbedtls_pk_parse_key(pk, der.ptr, der.len, NULL, 0, mbedtls_psa_get_random,
                                          MBEDTLS_PSA_RANDOM_STATE);

        if (parsed == MBEDTLS_ERR_PK_ALLOC_FAILED)
            rc = cs_err_nomem(err);
        else if (parsed != 0 && encrypted &&
                 !cs_unsupported_key_text(der)) /* a wrong passphrase that by chance left a good padding */
            rc = cs_wrong_passphrase(err);
        else if (parsed != 0 && cs_unsupported_key_text(der))
            rc = cs_err_set(err, CS_EUNSUPPORTED, "the private key is %s: RSA, P-256 and P-384 are accepted",
                            cs_unsupported_key_text(der));
        else if (parsed != 0)
            rc = cs_err_set(
                err, CS_EPARSE,
                "the private key does not parse: it must be RSA, P-256 or P-384, as PKCS#8, PKCS#1 or SEC 1");
    }
    cs_buf_wipe(&plain);
    return rc;
}

static bool is_key_label(struct cs_slice label)
{
    static const char *const labels[] = {"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY",
                                         "EC PRIVATE KEY"};

    for (size_t i = 0; i < CS_ARRAY_LEN(labels); i++)
        if (cs_slice_eq_str(label, labels[i]))
            return true;
    return false;
}

/* The only private key block of a text. */
static int find_key_block(struct cs_slice text, struct pem_block *ret, struct cs_err *err)
{
    struct pem_block block;
    size_t found = 0;

    while (pem_next(&text, &block)) {
        if (!is_key_label(block.label))
            continue;
        *ret = block;
        found++;
    }
    if (found == 1)
        return CS_OK;
    if (found > 1)
        return cs_err_set(err, CS_EINVAL, "the file has %zu private keys: give a file with one", found);
    return cs_err_set(err, CS_ENOTFOUND, "the file has no private key");
}

static int accept_kind(const mbedtls_pk_context *pk, struct cs_err *err)
{
    size_t bits = mbedtls_pk_get_bitlen(pk);

    if (mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA && (bits < 2048 || bits > 4096))
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the private key is RSA of %zu bits: 2048 to 4096 are accepted", bits);
    return CS_OK;
}

int cs_pk_read_private(struct cs_slice encoded, struct cs_slice passphrase, mbedtls_pk_context *pk,
                       struct cs_err *err)
{
    bool is_pem = encoded.len && memmem(encoded.ptr, encoded.len, "-----BEGIN ", 11) != NULL;
    struct cs_buf der = {.limit_bytes = ENCODED_MOST};
    struct pem_block block = {CS_SLICE_EMPTY, CS_SLICE_EMPTY};
    int rc = CS_OK;

    if (is_pem) {
        rc = find_key_block(encoded, &block, err);
        if (rc == CS_OK && (rc = pem_decode(&block, &der)) != CS_OK) {
            if (rc == CS_ENOMEM)
                rc = cs_err_nomem(err);
            else if (rc == CS_EUNSUPPORTED)
                rc = cs_err_set(err, rc,
                                "the private key is encrypted in PEM's own old way: convert it with 'openssl "
                                "pkcs8 -topk8'");
            else
                rc = cs_err_set(err, rc, "the private key's PEM block is malformed or too large");
        }
        encoded = cs_buf_slice(&der);
    } else if (encoded.len > ENCODED_MOST) {
        rc = cs_err_set(err, CS_ETOOBIG, "a private key of %zu bytes is too large", encoded.len);
    }
    if (rc == CS_OK)
        rc = read_der(encoded, passphrase, pk, err);
    if (rc == CS_OK)
        rc = accept_kind(pk, err);
    cs_buf_wipe(&der);
    return rc;
}

/* PrivateKeyInfo ::= SEQUENCE { 0, AlgorithmIdentifier, OCTET STRING } */
static void put_info(struct der *der, struct cs_slice algorithm, struct cs_slice curve,
                     const uint8_t *key_end)
{
    const uint8_t *mark;

    der_wrap(der, DER_OCTET_STRING, key_end);
    mark = der_mark(der);
    if (curve.len)
        der_value(der, DER_OID, curve);
    else
        der_value(der, DER_NULL, CS_SLICE_EMPTY);
    der_value(der, DER_OID, algorithm);
    der_wrap(der, DER_SEQUENCE, mark);
    der_small(der, 0);
    der_wrap(der, DER_SEQUENCE, der->end);
}

/* ECPrivateKey ::= SEQUENCE { 1, OCTET STRING, [1] BIT STRING } */
static void put_ec(struct der *der, struct cs_slice curve, struct cs_slice scalar, struct cs_slice point)
{
    const uint8_t *end = der_mark(der);

    der_raw(der, point);
    der_wrap_bits(der, end);
    der_wrap(der, DER_CONTEXT_0 + 1, end);
    der_value(der, DER_OCTET_STRING, scalar);
    der_small(der, 1);
    der_wrap(der, DER_SEQUENCE, end);
    put_info(der, OID_EC_PUBLIC_KEY, curve, end);
}

int cs_pkcs8_write_p256(struct cs_slice scalar, struct cs_slice point, struct cs_buf *out)
{
    uint8_t room[256];
    struct der der = der_begin(room, sizeof room);
    int rc;

    put_ec(&der, OID_PRIME256V1, scalar, point);
    rc = der_append_done(&der, out);
    cs_wipe(room, sizeof room);
    return rc;
}

/* Lets PSA say what the key is made of, so that one way of writing serves all kinds. */
static int export_parts(const mbedtls_pk_context *pk, struct cs_buf *ret_private, uint8_t *ret_point,
                        size_t point_room, size_t *ret_point_len, struct cs_err *err)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id = PSA_KEY_ID_NULL;
    psa_status_t status;
    size_t len;
    int rc;

    if (cs_buf_reserve(ret_private, CS_LIMIT_PRIVATE_KEY_BYTES) != CS_OK)
        return cs_err_nomem(err);
    rc = mbedtls_pk_get_psa_attributes(pk, PSA_KEY_USAGE_SIGN_HASH, &attributes);
    if (rc == 0) {
        psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT);
        rc = mbedtls_pk_import_into_psa(pk, &attributes, &id);
    }
    if (rc != 0)
        return cs_mbed_error(rc, "reading a private key", err);
    status = psa_export_key(id, ret_private->ptr, ret_private->capacity, &len);
    if (status == PSA_SUCCESS) {
        ret_private->len = len;
        if (PSA_KEY_TYPE_IS_ECC(psa_get_key_type(&attributes)))
            status = psa_export_public_key(id, ret_point, point_room, ret_point_len);
    }
    psa_destroy_key(id);
    return cs_psa_error(status, "exporting a private key", err);
}

int cs_private_key_to_pkcs8(struct cs_slice encoded, struct cs_slice passphrase, struct cs_buf *out,
                            struct cs_err *err)
{
    uint8_t room[CS_LIMIT_PRIVATE_KEY_BYTES], point[97];
    struct der der = der_begin(room, sizeof room);
    struct cs_buf private = CS_BUF_EMPTY;
    mbedtls_pk_context pk;
    size_t point_len = 0;
    int rc;

    mbedtls_pk_init(&pk);
    rc = cs_pk_read_private(encoded, passphrase, &pk, err);
    if (rc == CS_OK)
        rc = export_parts(&pk, &private, point, sizeof point, &point_len, err);
    if (rc == CS_OK) {
        if (point_len == 0) {
            der_raw(&der, cs_buf_slice(&private));
            put_info(&der, OID_RSA, CS_SLICE_EMPTY, der.end);
        } else {
            put_ec(&der, point_len == CS_POINT_BYTES ? OID_PRIME256V1 : OID_SECP384R1, cs_buf_slice(&private),
                   cs_slice(point, point_len));
        }
        rc = der_append_done(&der, out);
        if (rc != CS_OK)
            rc = cs_err_set(err, rc, "the private key could not be stored: %s", cs_code_text(rc));
    }
    mbedtls_pk_free(&pk);
    cs_buf_wipe(&private);
    cs_wipe(room, sizeof room);
    return rc;
}
