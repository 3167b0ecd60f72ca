/* Revocation lists, RFC 5280 section 5.1:
 *   CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue }
 *   TBSCertList ::= SEQUENCE { version, signature, issuer, thisUpdate, nextUpdate OPTIONAL,
 *                              revokedCertificates OPTIONAL, crlExtensions [0] OPTIONAL } */
#include "shared/crypto/crl.h"
#include "shared/crypto/der_read.h"
#include "shared/crypto/mbed.h"
#include "shared/crypto/pem.h"

#include "shared/base/limits.h"
#include "shared/base/text.h"

#define OID_CRL_NUMBER         CS_SLICE_LIT("\x55\x1d\x14")
#define OID_REASON_CODE        CS_SLICE_LIT("\x55\x1d\x15")
#define OID_INVALIDITY_DATE    CS_SLICE_LIT("\x55\x1d\x18")
#define OID_DELTA_INDICATOR    CS_SLICE_LIT("\x55\x1d\x1b")
#define OID_ISSUING_POINT      CS_SLICE_LIT("\x55\x1d\x1c")
#define OID_CERTIFICATE_ISSUER CS_SLICE_LIT("\x55\x1d\x1d")

enum { DER_ENUMERATED = 0x0a, VERSION_2 = 1, REASON_REMOVE = 8, REASON_UNUSED = 7, REASON_LAST = 10 };

static int malformed(const char *what, struct cs_err *err)
{
    return cs_err_set(err, CS_EPARSE, "the CRL is malformed or cut off (%s)", what);
}

static const char *const reasons[] = {
    [0] = "unspecified",
    [1] = "key-compromise",
    [2] = "ca-compromise",
    [3] = "affiliation-changed",
    [4] = "superseded",
    [5] = "cessation-of-operation",
    [CS_CRL_REASON_HOLD] = "certificate-hold",
    [9] = "privilege-withdrawn",
    [10] = "aa-compromise",
};

const char *cs_crl_reason_text(unsigned reason)
{
    return reason < CS_ARRAY_LEN(reasons) ? reasons[reason] : NULL;
}

bool cs_crl_reason_of(const char *text, unsigned *ret_reason)
{
    for (unsigned i = 0; i < CS_ARRAY_LEN(reasons); i++)
        if (reasons[i] && strcmp(reasons[i], text) == 0) {
            *ret_reason = i;
            return true;
        }
    return false;
}

/* ---- files */

int cs_crl_read(struct cs_slice file, struct cs_buf *out, struct cs_err *err)
{
    struct pem_block block;
    int rc;

    if (file.len && file.ptr[0] == DER_SEQUENCE) {
        rc = cs_buf_append(out, file);
    } else {
        rc = CS_EPARSE;
        while (pem_next(&file, &block))
            if (cs_slice_eq_str(block.label, "X509 CRL")) {
                rc = pem_decode(&block, out);
                break;
            }
    }
    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    if (rc == CS_ETOOBIG)
        return cs_err_set(err, rc, "the CRL is larger than %d bytes", CS_LIMIT_CRL_BYTES);
    return rc == CS_OK ? CS_OK
                       : cs_err_set(err, CS_EPARSE,
                                    "this is no CRL: neither DER nor a text with -----BEGIN X509 CRL-----");
}

/* ---- extensions */

struct extension {
    struct cs_slice oid, value;
    bool critical;
};

static bool take_extension(struct cs_reader *list, struct extension *ret)
{
    struct cs_reader reader = cs_reader(der_take(list, DER_SEQUENCE));

    ret->oid = der_take(&reader, DER_OID);
    ret->critical = der_take_flag(&reader);
    ret->value = der_take(&reader, DER_OCTET_STRING);
    if (!cs_reader_done(&reader))
        list->failed = true;
    return cs_reader_ok(list);
}

/* IssuingDistributionPoint, section 5.2.5. Lists by kind of certificate or by reason are lists of their own
 * scope; what they name belongs to the issuer all the same. */
static int take_scope(struct cs_slice value, struct cs_crl *ret, struct cs_err *err)
{
    enum { INDIRECT = 4, ATTRIBUTE_ONLY = 5, LAST = 5 };
    struct cs_reader outer = cs_reader(value);
    struct cs_reader reader = cs_reader(der_take(&outer, DER_SEQUENCE));

    if (!cs_reader_done(&outer))
        return malformed("issuing distribution point", err);
    while (reader.rest.len) {
        uint8_t tag = 0;
        struct cs_slice content = der_take_any(&reader, &tag);
        unsigned place = tag & 0x1f;
        bool flag = cs_slice_eq(content, CS_SLICE_LIT("\xff"));

        if (!cs_reader_ok(&reader) || (tag & 0xc0) != 0x80 || place > LAST)
            return malformed("issuing distribution point", err);
        if (place == INDIRECT && flag)
            return cs_err_set(
                err, CS_EUNSUPPORTED,
                "this is an indirect CRL, which names certificates of other issuers: import the "
                "CRL of each issuer instead");
        if (place == ATTRIBUTE_ONLY && flag)
            return cs_err_set(err, CS_EUNSUPPORTED, "this CRL is about attribute certificates only");
    }
    ret->scope = value;
    return CS_OK;
}

static int take_key_id(struct cs_slice value, struct cs_crl *ret, struct cs_err *err)
{
    struct cs_reader outer = cs_reader(value);
    struct cs_reader reader = cs_reader(der_take(&outer, DER_SEQUENCE));

    if (der_is_next(&reader, DER_CONTEXT_PRIMITIVE_0))
        ret->key_id = der_take(&reader, DER_CONTEXT_PRIMITIVE_0);
    return cs_reader_done(&outer) && cs_reader_ok(&reader) ? CS_OK
                                                           : malformed("authority key identifier", err);
}

static int take_number(struct cs_slice value, struct cs_crl *ret, struct cs_err *err)
{
    struct cs_reader reader = cs_reader(value);

    ret->number = der_take_unsigned(&reader);
    return cs_reader_done(&reader) && ret->number.len <= CS_CRL_SERIAL_BYTES ? CS_OK
                                                                             : malformed("CRL number", err);
}

static int use_extension(const struct extension *extension, struct cs_crl *ret, struct cs_err *err)
{
    if (cs_slice_eq(extension->oid, OID_DELTA_INDICATOR))
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "this is a delta CRL, which holds changes only: import the issuer's complete CRL");
    if (cs_slice_eq(extension->oid, OID_ISSUING_POINT))
        return take_scope(extension->value, ret, err);
    if (cs_slice_eq(extension->oid, OID_AUTHORITY_KEY_ID))
        return take_key_id(extension->value, ret, err);
    if (cs_slice_eq(extension->oid, OID_CRL_NUMBER))
        return take_number(extension->value, ret, err);
    if (extension->critical)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the CRL has a critical extension that is not understood: it may change what the "
                          "rest means");
    return CS_OK;
}

static int take_extensions(struct cs_reader *tbs, struct cs_crl *ret, struct cs_err *err)
{
    struct cs_reader outer, list;
    struct extension extension;

    if (!tbs->rest.len)
        return CS_OK;
    outer = cs_reader(der_take(tbs, DER_CONTEXT_0));
    list = cs_reader(der_take(&outer, DER_SEQUENCE));
    if (!cs_reader_ok(tbs) || !cs_reader_done(&outer))
        return malformed("extensions", err);
    while (list.rest.len) {
        int rc;

        if (!take_extension(&list, &extension))
            return malformed("extensions", err);
        rc = use_extension(&extension, ret, err);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

/* ---- entries */

static int take_reason(struct cs_slice value, struct cs_crl_entry *ret, struct cs_err *err)
{
    struct cs_reader reader = cs_reader(value);
    struct cs_slice reason = der_take(&reader, DER_ENUMERATED);

    if (!cs_reader_done(&reader) || reason.len != 1 || reason.ptr[0] > REASON_LAST ||
        reason.ptr[0] == REASON_UNUSED)
        return malformed("reason of an entry", err);
    if (reason.ptr[0] == REASON_REMOVE)
        return cs_err_set(err, CS_EPARSE, "the CRL takes a certificate back, which only a delta CRL may do");
    ret->reason = reason.ptr[0];
    return CS_OK;
}

static int take_entry_extensions(struct cs_reader *entry, struct cs_crl_entry *ret, struct cs_err *err)
{
    struct cs_reader list = cs_reader(der_take(entry, DER_SEQUENCE));
    struct extension extension;
    int rc = CS_OK;

    while (rc == CS_OK && list.rest.len) {
        if (!take_extension(&list, &extension))
            return malformed("extensions of an entry", err);
        if (cs_slice_eq(extension.oid, OID_REASON_CODE))
            rc = take_reason(extension.value, ret, err);
        else if (cs_slice_eq(extension.oid, OID_CERTIFICATE_ISSUER))
            rc =
                cs_err_set(err, CS_EUNSUPPORTED,
                           "the CRL names certificates of other issuers (an indirect CRL): import the CRL of "
                           "each issuer instead");
        else if (extension.critical && !cs_slice_eq(extension.oid, OID_INVALIDITY_DATE))
            rc = cs_err_set(err, CS_EUNSUPPORTED,
                            "an entry of the CRL has a critical extension that is not understood");
    }
    return rc;
}

static int take_entry(struct cs_reader *entries, struct cs_crl_entry *ret, struct cs_err *err)
{
    struct cs_reader entry = cs_reader(der_take(entries, DER_SEQUENCE));
    int rc = CS_OK;

    *ret = (struct cs_crl_entry){0};
    ret->serial = der_take(&entry, DER_INTEGER);
    ret->revoked_at_s = der_take_time(&entry);
    if (cs_reader_ok(&entry) && entry.rest.len)
        rc = take_entry_extensions(&entry, ret, err);
    if (rc != CS_OK)
        return rc;
    if (!cs_reader_ok(entries) || !cs_reader_done(&entry) || ret->serial.len == 0 ||
        ret->serial.len > CS_CRL_SERIAL_BYTES)
        return malformed("an entry", err);
    return CS_OK;
}

bool cs_crl_next(struct cs_slice *entries, struct cs_crl_entry *ret)
{
    struct cs_reader reader = cs_reader(*entries);

    if (entries->len == 0 || take_entry(&reader, ret, NULL) != CS_OK)
        return false;
    *entries = reader.rest;
    return true;
}

static int check_entries(struct cs_crl *ret, struct cs_err *err)
{
    struct cs_reader reader = cs_reader(ret->entries);
    struct cs_crl_entry entry;

    while (reader.rest.len) {
        int rc = take_entry(&reader, &entry, err);

        if (rc != CS_OK)
            return rc;
        if (++ret->entry_count > CS_LIMIT_CRL_ENTRIES)
            return cs_err_set(err, CS_ETOOBIG, "the CRL has more than %d entries", CS_LIMIT_CRL_ENTRIES);
    }
    return CS_OK;
}

/* ---- the list */

static int parse_signed_part(struct cs_crl *ret, struct cs_err *err)
{
    struct cs_reader outer = cs_reader(ret->signed_part);
    struct cs_reader tbs = cs_reader(der_take(&outer, DER_SEQUENCE));
    struct cs_slice version = CS_SLICE_EMPTY, algorithm;
    int rc;

    if (der_is_next(&tbs, DER_INTEGER)) {
        version = der_take_unsigned(&tbs);
        if (version.len != 1 || version.ptr[0] != VERSION_2)
            return malformed("version", err);
    }
    algorithm = der_take_whole(&tbs, DER_SEQUENCE);
    ret->issuer = der_take_whole(&tbs, DER_SEQUENCE);
    ret->this_update_s = der_take_time(&tbs);
    if (der_is_next(&tbs, DER_UTC_TIME) || der_is_next(&tbs, DER_GENERALIZED_TIME))
        ret->next_update_s = der_take_time(&tbs);
    if (der_is_next(&tbs, DER_SEQUENCE))
        ret->entries = der_take(&tbs, DER_SEQUENCE);
    if (!cs_reader_ok(&tbs) || !cs_slice_eq(algorithm, ret->algorithm))
        return malformed("its head", err);
    rc = take_extensions(&tbs, ret, err);
    if (rc == CS_OK && !cs_reader_done(&tbs))
        rc = malformed("what stands behind the extensions", err);
    return rc;
}

int cs_crl_parse(struct cs_slice der, struct cs_crl *ret, struct cs_err *err)
{
    struct cs_reader file = cs_reader(der);
    struct cs_reader list = cs_reader(der_take(&file, DER_SEQUENCE));
    struct cs_slice bits;
    struct cs_crl crl = {0};
    int rc;

    if (der.len > CS_LIMIT_CRL_BYTES)
        return cs_err_set(err, CS_ETOOBIG, "the CRL is larger than %d bytes", CS_LIMIT_CRL_BYTES);
    crl.signed_part = der_take_whole(&list, DER_SEQUENCE);
    crl.algorithm = der_take_whole(&list, DER_SEQUENCE);
    bits = der_take(&list, DER_BIT_STRING);
    if (!cs_reader_done(&file) || !cs_reader_done(&list) || bits.len < 2 || bits.ptr[0] != 0)
        return malformed("its three parts", err);
    crl.signature = cs_slice_from(bits, 1);
    rc = parse_signed_part(&crl, err);
    if (rc == CS_OK)
        rc = check_entries(&crl, err);
    if (rc == CS_OK)
        *ret = crl;
    return rc;
}

/* ---- whose it is */

static const struct algorithm {
    struct cs_slice identifier; /* AlgorithmIdentifier, whole; RFC 4055 section 5, RFC 5758 section 3.2 */
    mbedtls_pk_type_t key;
    mbedtls_md_type_t digest;
    psa_algorithm_t hash;
} algorithms[] = {
    {CS_SLICE_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), MBEDTLS_PK_ECKEY, MBEDTLS_MD_SHA256,
     PSA_ALG_SHA_256},
    {CS_SLICE_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"), MBEDTLS_PK_ECKEY, MBEDTLS_MD_SHA384,
     PSA_ALG_SHA_384},
    {CS_SLICE_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"), MBEDTLS_PK_ECKEY, MBEDTLS_MD_SHA512,
     PSA_ALG_SHA_512},
    {CS_SLICE_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"), MBEDTLS_PK_RSA,
     MBEDTLS_MD_SHA256, PSA_ALG_SHA_256},
    {CS_SLICE_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00"), MBEDTLS_PK_RSA,
     MBEDTLS_MD_SHA384, PSA_ALG_SHA_384},
    {CS_SLICE_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00"), MBEDTLS_PK_RSA,
     MBEDTLS_MD_SHA512, PSA_ALG_SHA_512},
};

static const struct algorithm *find_algorithm(const struct cs_crl *crl)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(algorithms); i++)
        if (cs_slice_eq(algorithms[i].identifier, crl->algorithm))
            return &algorithms[i];
    return NULL;
}

static bool has_name(const struct cs_crl *crl, const mbedtls_x509_crt *cert)
{
    return cs_slice_eq(crl->issuer, cs_slice(cert->subject_raw.p, cert->subject_raw.len));
}

static bool has_key_id(const struct cs_crl *crl, const mbedtls_x509_crt *cert)
{
    struct cs_slice key_id = cs_slice(cert->subject_key_id.p, cert->subject_key_id.len);

    return crl->key_id.len == 0 || key_id.len == 0 || cs_slice_eq(key_id, crl->key_id);
}

bool cs_crl_is_issuer(const struct cs_crl *crl, const struct cs_chain *chain, size_t index)
{
    const mbedtls_x509_crt *cert = cs_chain_crt(chain, index);

    return has_name(crl, cert) && has_key_id(crl, cert);
}

static int check_issuer(const struct cs_crl *crl, const struct cs_chain *chain, size_t index,
                        struct cs_err *err)
{
    const mbedtls_x509_crt *cert = cs_chain_crt(chain, index);

    if (!has_name(crl, cert))
        return cs_err_set(err, CS_EAUTH,
                          "the CRL was issued by another name than the certificate that is to be its issuer");
    if (!has_key_id(crl, cert))
        return cs_err_set(err, CS_EAUTH,
                          "the CRL was issued with another key of this issuer: give the certificate for it");
    if (mbedtls_x509_crt_get_ca_istrue(cert) != 1 || cs_chain_has_unknown_critical(chain))
        return cs_err_set(err, CS_EAUTH, "the certificate that is to be the CRL's issuer is not a CA's");
    if (mbedtls_x509_crt_check_key_usage(cert, MBEDTLS_X509_KU_CRL_SIGN) != 0)
        return cs_err_set(err, CS_EAUTH, "the issuer's certificate does not allow it to sign CRLs");
    return CS_OK;
}

int cs_crl_check_signature(const struct cs_crl *crl, const struct cs_chain *chain, size_t index,
                           struct cs_err *err)
{
    const struct algorithm *algorithm = find_algorithm(crl);
    uint8_t digest[PSA_HASH_MAX_SIZE];
    size_t digest_len;
    int rc = check_issuer(crl, chain, index, err);

    if (rc != CS_OK)
        return rc;
    if (!algorithm)
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the CRL is signed in a way that is not accepted: ECDSA or RSA (PKCS #1 v1.5) with "
                          "SHA-256, SHA-384 or SHA-512 are");
    rc = cs_psa_error(psa_hash_compute(algorithm->hash, crl->signed_part.ptr, crl->signed_part.len, digest,
                                       sizeof digest, &digest_len),
                      "digesting a CRL", err);
    if (rc != CS_OK)
        return rc;
    /* A copy: verifying takes the structure, and the chain may be read by several threads. */
    mbedtls_pk_context key = cs_chain_crt(chain, index)->pk;

    if (mbedtls_pk_can_do(&key, algorithm->key))
        rc = mbedtls_pk_verify(&key, algorithm->digest, digest, digest_len, crl->signature.ptr,
                               crl->signature.len);
    else
        rc = MBEDTLS_ERR_PK_TYPE_MISMATCH;
    if (rc == 0)
        return CS_OK;
    if (cs_mbed_error(rc, "", NULL) == CS_ENOMEM)
        return cs_err_nomem(err);
    return cs_err_set(
        err, CS_EAUTH,
        "the CRL is not signed by this issuer, although the names match: give the certificate of "
        "the key that signed it");
}

int cs_crl_check_dates(const struct cs_crl *crl, int64_t now_s, struct cs_err *err)
{
    enum { SKEW_S = 5 * 60 }; /* of the CA's clock */
    char this_update[CS_TIME_TEXT_BYTES], now[CS_TIME_TEXT_BYTES];

    if (crl->this_update_s <= now_s + SKEW_S)
        return CS_OK;
    return cs_err_set(err, CS_EINVAL, "the CRL is of %s, and it is %s: is this machine's clock right?",
                      cs_time_text(crl->this_update_s, this_update), cs_time_text(now_s, now));
}

struct cs_digest cs_crl_scope(const struct cs_crl *crl)
{
    const struct cs_slice parts[] = {crl->issuer, crl->scope};

    return cs_sha256_parts(parts, CS_ARRAY_LEN(parts));
}
