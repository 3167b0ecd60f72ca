/* Parsing chains and what they consist of. What people want to know of a certificate: x509_info.c. Whom to
 * believe: x509_check.c. These three know mbedTLS's certificate structures. */
#include "shared/crypto/mbed.h"
#include "shared/crypto/pem.h"

#include "shared/base/limits.h"
#include "shared/base/reader.h"

#include <mbedtls/asn1.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>

/* The certificates are not linked into mbedTLS's lists: whoever needs one links copies of the structures, so
 * that a chain can be read by several threads. */
struct cs_chain {
    struct cs_buf bytes; /* the certificates one behind the other; the structures point into it */
    size_t count;
    bool unknown_critical;
    mbedtls_x509_crt certs[CS_LIMIT_CHAIN_CERTS];
};

/* Extensions that mbedTLS does not know come here. Those that are critical make it refuse a certificate; we
 * carry certificates for applications that may know better, so note it and leave the refusal to whoever would
 * trust it. */
static int note_unknown_extension(void *context, const mbedtls_x509_crt *cert, const mbedtls_x509_buf *oid,
                                  int critical, const unsigned char *start, const unsigned char *end)
{
    struct cs_chain *chain = context;

    (void)cert;
    (void)oid;
    (void)start;
    (void)end;
    if (critical)
        chain->unknown_critical = true;
    return 0;
}

static int check_key_kind(const mbedtls_x509_crt *cert, size_t number, struct cs_err *err)
{
    size_t bits = mbedtls_pk_get_bitlen(&cert->pk);

    if (mbedtls_pk_get_type(&cert->pk) == MBEDTLS_PK_RSA && (bits < 2048 || bits > 4096))
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "certificate %zu has an RSA key of %zu bits: 2048 to 4096 are accepted", number,
                          bits);
    return CS_OK;
}

/* The SPKI of a certificate whose key mbedTLS could not read; empty if it is no certificate at all. RFC 5280
 * section 4.1. */
static struct cs_slice find_spki(struct cs_slice der)
{
    enum { BEFORE_SPKI = 5 }; /* serial, algorithm, issuer, validity, subject */
    uint8_t *at = (uint8_t *)(uintptr_t)der.ptr;
    const uint8_t *end = der.ptr + der.len, *start;
    size_t len;

    if (mbedtls_asn1_get_tag(&at, end, &len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0 ||
        mbedtls_asn1_get_tag(&at, end, &len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
        return CS_SLICE_EMPTY;
    end = at + len;
    if (at < end && *at == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED)) { /* version */
        if (mbedtls_asn1_get_tag(&at, end, &len, *at) != 0)
            return CS_SLICE_EMPTY;
        at += len;
    }
    for (int i = 0; i < BEFORE_SPKI; i++) {
        if (at >= end || mbedtls_asn1_get_tag(&at, end, &len, *at) != 0)
            return CS_SLICE_EMPTY;
        at += len;
    }
    start = at;
    if (mbedtls_asn1_get_tag(&at, end, &len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
        return CS_SLICE_EMPTY;
    return cs_slice(start, (size_t)(at + len - start));
}

const char *cs_unsupported_key_text(struct cs_slice der)
{
    /* Searched for as bytes, near the front: this only words a refusal. */
    static const struct {
        const char *oid;
        size_t oid_len;
        const char *text;
    } kinds[] = {
        {"\x06\x03\x2b\x65\x70", 5, "an Ed25519 key"},
        {"\x06\x03\x2b\x65\x71", 5, "an Ed448 key"},
        {"\x06\x05\x2b\x81\x04\x00\x23", 7, "a P-521 key"},
        {"\x06\x05\x2b\x81\x04\x00\x21", 7, "a P-224 key"},
        {"\x06\x05\x2b\x81\x04\x00\x0a", 7, "a secp256k1 key"},
        {"\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01", 10, "a Brainpool key"},
        {"\x06\x07\x2a\x86\x48\xce\x38\x04\x01", 9, "a DSA key"},
        {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", 11, "a key for RSA-PSS only"},
        {"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03", 10, "an ML-DSA or SLH-DSA key"},
    };

    for (size_t i = 0; der.len && i < CS_ARRAY_LEN(kinds); i++)
        if (memmem(der.ptr, der.len < 128 ? der.len : 128, kinds[i].oid, kinds[i].oid_len))
            return kinds[i].text;
    return NULL;
}

static int explain_parse_failure(int rc, struct cs_slice der, size_t number, struct cs_err *err)
{
    int high = -(-rc & 0xff80);
    const char *kind = cs_unsupported_key_text(find_spki(der));
    bool unknown_key = high == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG || high == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE;

    if (cs_mbed_error(rc, "", NULL) == CS_ENOMEM)
        return cs_err_nomem(err);
    if (kind || unknown_key)
        return cs_err_set(err, CS_EUNSUPPORTED, "certificate %zu has %s: RSA, P-256 and P-384 are accepted",
                          number, kind ? kind : "a key of a kind that is not known here");
    if (high == MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG)
        return cs_err_set(
            err, CS_EUNSUPPORTED,
            "certificate %zu is signed in a way that is not accepted: RSA or ECDSA with SHA-256 or "
            "better is needed",
            number);
    return cs_err_set(err, CS_EPARSE, "certificate %zu does not parse as X.509 (-0x%04x)", number,
                      (unsigned)-rc);
}

static int parse_one(struct cs_chain *chain, struct cs_slice der, size_t number, struct cs_err *err)
{
    mbedtls_x509_crt *cert = &chain->certs[number - 1];
    int rc;

    if (der.len > CS_LIMIT_CERT_BYTES)
        return cs_err_set(err, CS_ETOOBIG, "certificate %zu has %zu bytes: at most %d are accepted", number,
                          der.len, CS_LIMIT_CERT_BYTES);
    rc = mbedtls_x509_crt_parse_der_with_ext_cb(cert, der.ptr, der.len, 0, note_unknown_extension, chain);
    if (rc != 0)
        return explain_parse_failure(rc, der, number, err);
    if (cert->raw.len != der.len)
        return cs_err_set(err, CS_EPARSE, "certificate %zu has %zu bytes behind its end", number,
                          der.len - cert->raw.len);
    return check_key_kind(cert, number, err);
}

/* The first DER element with its header, empty if its length does not fit into the rest. X.690 section 8.1.3.
 */
static struct cs_slice first_element(struct cs_slice ders)
{
    struct cs_reader reader = cs_reader(ders);
    uint8_t tag = cs_reader_u8(&reader), first = cs_reader_u8(&reader);
    size_t len = first;

    if (first & 0x80) {
        len = 0;
        for (unsigned left = first & 0x7f; left > 0 && len <= CS_LIMIT_CHAIN_BYTES; left--)
            len = len << 8 | cs_reader_u8(&reader);
    }
    cs_reader_take(&reader, len);
    if (!cs_reader_ok(&reader) || tag != (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE))
        return CS_SLICE_EMPTY;
    return cs_slice(ders.ptr, ders.len - reader.rest.len);
}

static int parse_each(struct cs_chain *chain, struct cs_err *err)
{
    struct cs_slice rest = cs_buf_slice(&chain->bytes);

    while (rest.len) {
        struct cs_slice der = first_element(rest);
        int rc;

        if (chain->count == CS_LIMIT_CHAIN_CERTS)
            return cs_err_set(err, CS_ETOOBIG, "the chain has more than %d certificates",
                              CS_LIMIT_CHAIN_CERTS);
        if (der.len == 0)
            return cs_err_set(err, CS_EPARSE, "%s %zu does not parse: it is not DER, or is cut off",
                              chain->count ? "what stands behind certificate" : "certificate",
                              chain->count ? chain->count : 1);
        mbedtls_x509_crt_init(&chain->certs[chain->count++]);
        rc = parse_one(chain, der, chain->count, err);
        if (rc != CS_OK)
            return rc;
        rest = cs_slice_from(rest, der.len);
    }
    return CS_OK;
}

/* Takes the bytes out of `bytes`, whatever comes of it. */
static int chain_of(struct cs_buf *bytes, struct cs_chain **ret, struct cs_err *err)
{
    struct cs_chain *chain = calloc(1, sizeof *chain);
    int rc;

    if (!chain) {
        cs_buf_free(bytes);
        return cs_err_nomem(err);
    }
    chain->bytes = *bytes;
    *bytes = CS_BUF_EMPTY;
    rc = parse_each(chain, err);
    if (rc != CS_OK) {
        cs_chain_free(chain);
        return rc;
    }
    *ret = chain;
    return CS_OK;
}

int cs_chain_parse(struct cs_slice ders, struct cs_chain **ret, struct cs_err *err)
{
    struct cs_buf bytes = {.limit_bytes = CS_LIMIT_CHAIN_BYTES};
    int rc = cs_buf_append(&bytes, ders);

    if (ders.len == 0)
        return cs_err_set(err, CS_EPARSE, "there is no certificate");
    if (rc == CS_ETOOBIG)
        return cs_err_set(err, rc, "the chain has %zu bytes: at most %d are accepted", ders.len,
                          CS_LIMIT_CHAIN_BYTES);
    if (rc != CS_OK)
        return cs_err_nomem(err);
    return chain_of(&bytes, ret, err);
}

int cs_chain_parse_pem(struct cs_slice pem, struct cs_chain **ret, struct cs_err *err)
{
    struct cs_buf bytes = {.limit_bytes = CS_LIMIT_CHAIN_BYTES};
    struct pem_block block;
    size_t count = 0;
    int rc = CS_OK;

    while (rc == CS_OK && pem_next(&pem, &block)) {
        if (!cs_slice_eq_str(block.label, "CERTIFICATE"))
            continue;
        count++;
        rc = pem_decode(&block, &bytes);
        if (rc == CS_ENOMEM)
            rc = cs_err_nomem(err);
        else if (rc == CS_ETOOBIG)
            rc = cs_err_set(err, rc, "the chain has more than %d bytes", CS_LIMIT_CHAIN_BYTES);
        else if (rc != CS_OK)
            rc =
                cs_err_set(err, CS_EPARSE, "the PEM block of certificate %zu is malformed or cut off", count);
    }
    if (rc == CS_OK && count == 0)
        rc = cs_err_set(err, CS_EPARSE, "the text has no block that begins with -----BEGIN CERTIFICATE-----");
    if (rc == CS_OK)
        return chain_of(&bytes, ret, err);
    cs_buf_free(&bytes);
    return rc;
}

void cs_chain_free(struct cs_chain *chain)
{
    if (!chain)
        return;
    for (size_t i = 0; i < chain->count; i++)
        mbedtls_x509_crt_free(&chain->certs[i]);
    cs_buf_free(&chain->bytes);
    free(chain);
}

size_t cs_chain_count(const struct cs_chain *chain)
{
    return chain->count;
}

const mbedtls_x509_crt *cs_chain_crt(const struct cs_chain *chain, size_t index)
{
    cs_assert(index < chain->count);
    return &chain->certs[index];
}

bool cs_chain_has_unknown_critical(const struct cs_chain *chain)
{
    return chain->unknown_critical;
}

struct cs_slice cs_chain_der(const struct cs_chain *chain, size_t index)
{
    const mbedtls_x509_crt *cert = cs_chain_crt(chain, index);

    return cs_slice(cert->raw.p, cert->raw.len);
}

struct cs_slice cs_chain_leaf_spki(const struct cs_chain *chain)
{
    return cs_slice(chain->certs[0].pk_raw.p, chain->certs[0].pk_raw.len);
}

struct cs_slice cs_chain_bytes(const struct cs_chain *chain)
{
    return cs_buf_slice(&chain->bytes);
}

struct cs_digest cs_chain_digest(const struct cs_chain *chain)
{
    return cs_sha256(cs_chain_bytes(chain));
}

int cs_chain_write_pem(const struct cs_chain *chain, struct cs_buf *out, struct cs_err *err)
{
    size_t before = out->len;

    for (size_t i = 0; i < chain->count; i++) {
        int rc = cs_pem_write("CERTIFICATE", cs_chain_der(chain, i), out, err);

        if (rc != CS_OK) {
            out->len = before;
            return rc;
        }
    }
    return CS_OK;
}
