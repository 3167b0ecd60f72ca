/* Parsing chains and what they consist of. What people want to know of a certificate: x509_info.c. Whom to
 * believe: x509_check.c. These three know mbedTLS's certificate structures. */
#include "shared/crypto/mbed.h"
#include "shared/crypto/pem.h"

#include "shared/base/limits.h"

#include <mbedtls/asn1.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>

/* The certificates are not linked into mbedTLS's lists: whoever needs one links copies of the structures, so
 * that a chain can be read by several threads. */
struct cs_chain {
    size_t count;
    bool unknown_critical;
    mbedtls_x509_crt certs[];
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

const char *cs_spki_kind_text(struct cs_slice spki)
{
    /* Searched for as bytes: this only words a refusal. */
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

    for (size_t i = 0; spki.len && i < CS_ARRAY_LEN(kinds); i++)
        if (memmem(spki.ptr, spki.len < 64 ? spki.len : 64, kinds[i].oid, kinds[i].oid_len))
            return kinds[i].text;
    return "a key of a kind that is not known here";
}

static bool is_unknown_key(int rc)
{
    int high = -(-rc & 0xff80);

    return high == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG || high == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE;
}

static int parse_one(struct cs_chain *chain, struct cs_slice der, size_t number, struct cs_err *err)
{
    mbedtls_x509_crt *cert = &chain->certs[number - 1];
    int rc;

    if (der.len > CS_LIMIT_CERT_BYTES)
        return cs_err_set(err, CS_ETOOBIG, "certificate %zu has %zu bytes: at most %d are accepted", number,
                          der.len, CS_LIMIT_CERT_BYTES);
    rc = mbedtls_x509_crt_parse_der_with_ext_cb(cert, der.ptr, der.len, 1, note_unknown_extension, chain);
    if (is_unknown_key(rc))
        return cs_err_set(err, CS_EUNSUPPORTED, "certificate %zu has %s: RSA, P-256 and P-384 are accepted",
                          number, cs_spki_kind_text(find_spki(der)));
    if (rc != 0 && cs_mbed_error(rc, "", err) == CS_ENOMEM)
        return CS_ENOMEM;
    if (rc != 0)
        return cs_err_set(err, CS_EPARSE, "certificate %zu does not parse as X.509 (-0x%04x)", number,
                          (unsigned)-rc);
    if (cert->raw.len != der.len)
        return cs_err_set(err, CS_EPARSE, "certificate %zu has %zu bytes behind its end", number,
                          der.len - cert->raw.len);
    return check_key_kind(cert, number, err);
}

int cs_chain_parse_der(const struct cs_slice *ders, size_t count, struct cs_chain **ret, struct cs_err *err)
{
    struct cs_chain *chain;
    size_t total = 0;

    if (count == 0)
        return cs_err_set(err, CS_EPARSE, "there is no certificate");
    if (count > CS_LIMIT_CHAIN_CERTS)
        return cs_err_set(err, CS_ETOOBIG, "the chain has %zu certificates: at most %d are accepted", count,
                          CS_LIMIT_CHAIN_CERTS);
    chain = calloc(1, sizeof *chain + count * sizeof chain->certs[0]);
    if (!chain)
        return cs_err_nomem(err);
    for (; chain->count < count; chain->count++) {
        int rc;

        mbedtls_x509_crt_init(&chain->certs[chain->count]);
        total += ders[chain->count].len;
        rc = parse_one(chain, ders[chain->count], chain->count + 1, err);
        if (rc == CS_OK && total > CS_LIMIT_CHAIN_BYTES)
            rc = cs_err_set(err, CS_ETOOBIG, "the chain has more than %d bytes", CS_LIMIT_CHAIN_BYTES);
        if (rc != CS_OK) {
            chain->count++;
            cs_chain_free(chain);
            return rc;
        }
    }
    *ret = chain;
    return CS_OK;
}

int cs_chain_parse_pem(struct cs_slice pem, struct cs_chain **ret, struct cs_err *err)
{
    struct cs_buf bytes = {.limit_bytes = CS_LIMIT_CHAIN_BYTES};
    size_t ends[CS_LIMIT_CHAIN_CERTS], count = 0;
    struct cs_slice ders[CS_LIMIT_CHAIN_CERTS];
    struct pem_block block;
    int rc = CS_OK;

    while (rc == CS_OK && pem_next(&pem, &block)) {
        if (!cs_slice_eq_str(block.label, "CERTIFICATE"))
            continue;
        if (count == CS_LIMIT_CHAIN_CERTS) {
            rc = cs_err_set(err, CS_ETOOBIG, "the text has more than %d certificates", CS_LIMIT_CHAIN_CERTS);
            break;
        }
        rc = pem_decode(&block, &bytes);
        if (rc == CS_ENOMEM)
            rc = cs_err_nomem(err);
        else if (rc == CS_ETOOBIG)
            rc = cs_err_set(err, rc, "the chain has more than %d bytes", CS_LIMIT_CHAIN_BYTES);
        else if (rc != CS_OK)
            rc = cs_err_set(err, CS_EPARSE, "the PEM block of certificate %zu is malformed or cut off",
                            count + 1);
        ends[count++] = bytes.len;
    }
    if (rc == CS_OK && count == 0)
        rc = cs_err_set(err, CS_EPARSE, "the text has no block that begins with -----BEGIN CERTIFICATE-----");
    if (rc == CS_OK) {
        for (size_t i = 0, start = 0; i < count; start = ends[i++])
            ders[i] = cs_slice(bytes.ptr + start, ends[i] - start);
        rc = cs_chain_parse_der(ders, count, ret, err);
    }
    cs_buf_free(&bytes);
    return rc;
}

void cs_chain_free(struct cs_chain *chain)
{
    if (!chain)
        return;
    for (size_t i = 0; i < chain->count; i++)
        mbedtls_x509_crt_free(&chain->certs[i]);
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

struct cs_digest cs_chain_digest(const struct cs_chain *chain)
{
    struct cs_slice parts[2 * CS_LIMIT_CHAIN_CERTS];
    uint8_t lengths[CS_LIMIT_CHAIN_CERTS][4];

    for (size_t i = 0; i < chain->count; i++) {
        struct cs_slice der = cs_chain_der(chain, i);

        for (size_t k = 0; k < 4; k++)
            lengths[i][k] = (uint8_t)(der.len >> (24 - 8 * k));
        parts[2 * i] = CS_SLICE_ARRAY(lengths[i]);
        parts[2 * i + 1] = der;
    }
    return cs_sha256_parts(parts, 2 * chain->count);
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
