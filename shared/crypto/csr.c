/* Certificate signing requests, RFC 2986: CertificationRequest ::= SEQUENCE { info, algorithm, signature }.
 */
#include "shared/crypto/der.h"
#include "shared/crypto/mbed.h"
#include "shared/crypto/write.h"

#include "shared/base/limits.h"

#include <mbedtls/asn1.h>
#include <mbedtls/psa_util.h>

/* subjectAltName's choice, RFC 5280 section 4.2.1.6. */
enum { NAME_DNS = 2 };

enum { INFO_MOST = 2048 };

int cs_csr_check_dns_name(const char *name, struct cs_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*";

    if (name[0] && name[strspn(name, allowed)] == '\0')
        return CS_OK;
    return cs_err_set(err, CS_EINVAL, "\"%.80s\" is not a DNS name: letters, digits, '-', '.', '_' and '*'",
                      name);
}

/* The one attribute, extensionRequest of RFC 2985 section 5.4.2, with subjectAltName as its one extension. */
static void write_attributes(struct der *der, const struct cs_csr_subject *subject)
{
    const uint8_t *end = der_mark(der);

    for (size_t i = subject->dns_count; i > 0; i--)
        der_value(der, DER_CONTEXT_PRIMITIVE_0 + NAME_DNS, cs_slice_str(subject->dns_names[i - 1]));
    if (subject->dns_count) {
        der_wrap(der, DER_SEQUENCE, end);
        der_wrap(der, DER_OCTET_STRING, end);
        der_value(der, DER_OID, OID_SUBJECT_ALT_NAME);
        der_wrap(der, DER_SEQUENCE, end);
        der_wrap(der, DER_SEQUENCE, end);
        der_wrap(der, DER_SET, end);
        der_value(der, DER_OID, OID_EXTENSION_REQUEST);
        der_wrap(der, DER_SEQUENCE, end);
    }
    der_wrap(der, DER_CONTEXT_0, end);
}

/* CertificationRequestInfo: exactly what the subject says, so that it can be compared. */
static int write_info(struct der *info, const struct cs_csr_subject *subject, struct cs_slice spki,
                      struct cs_err *err)
{
    for (size_t i = 0; i < subject->dns_count; i++) {
        int rc = cs_csr_check_dns_name(subject->dns_names[i], err);

        if (rc != CS_OK)
            return rc;
    }
    write_attributes(info, subject);
    der_raw(info, spki);
    write_common_name(info, cs_slice_str(subject->common_name));
    der_small(info, 0);
    der_wrap(info, DER_SEQUENCE, info->end);
    return info->failed ? cs_err_set(err, CS_ETOOBIG, "the names do not fit into a certificate request")
                        : CS_OK;
}

int cs_csr_make_for(const struct cs_key *key, const struct cs_csr_subject *subject, struct cs_buf *out,
                    struct cs_err *err)
{
    uint8_t room[INFO_MOST];
    struct der info = der_begin(room, sizeof room);
    int rc = write_info(&info, subject, cs_key_spki(key), err);

    return rc == CS_OK ? write_signed(der_done(&info), key, out, err) : rc;
}

int cs_csr_make(const struct cs_key *key, const char *common_name, struct cs_buf *out, struct cs_err *err)
{
    const struct cs_csr_subject subject = {.common_name = common_name};

    return cs_csr_make_for(key, &subject, out, err);
}

/* One element with its header; the reader stands behind it. */
static struct cs_slice take_element(uint8_t **at, const uint8_t *end, int tag, struct cs_slice *ret_content)
{
    const uint8_t *start = *at;
    size_t len;

    if (mbedtls_asn1_get_tag(at, end, &len, tag) != 0)
        return CS_SLICE_EMPTY;
    *ret_content = cs_slice(*at, len);
    *at += len;
    return cs_slice(start, (size_t)(*at - start));
}

struct csr_parts {
    struct cs_slice info, spki, signature;
};

static bool split(struct cs_slice der, struct csr_parts *ret)
{
    uint8_t *at = (uint8_t *)(uintptr_t)der.ptr;
    const uint8_t *end = der.ptr + der.len;
    struct cs_slice all, info, algorithm, bits, ignored;

    if (der.len == 0 || take_element(&at, end, DER_SEQUENCE, &all).len != der.len)
        return false;
    at = (uint8_t *)(uintptr_t)all.ptr;
    ret->info = take_element(&at, end, DER_SEQUENCE, &info);
    if (ret->info.len == 0 || take_element(&at, end, DER_SEQUENCE, &algorithm).len == 0 ||
        take_element(&at, end, DER_BIT_STRING, &bits).len == 0 || at != end)
        return false;
    if (!cs_slice_eq(algorithm, CS_SLICE_LIT("\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")) || bits.len < 2 ||
        bits.ptr[0] != 0)
        return false;
    ret->signature = cs_slice_from(bits, 1);

    at = (uint8_t *)(uintptr_t)info.ptr;
    end = info.ptr + info.len;
    if (take_element(&at, end, DER_INTEGER, &ignored).len == 0 ||
        take_element(&at, end, DER_SEQUENCE, &ignored).len == 0)
        return false;
    ret->spki = take_element(&at, end, DER_SEQUENCE, &ignored);
    return ret->spki.len != 0;
}

static int check_signature(const struct csr_parts *parts, struct cs_err *err)
{
    uint8_t raw[CS_SIGNATURE_BYTES];
    size_t raw_len;
    int rc = CS_EAUTH;

    if (mbedtls_ecdsa_der_to_raw(256, parts->signature.ptr, parts->signature.len, raw, sizeof raw,
                                 &raw_len) == 0 &&
        raw_len == sizeof raw)
        rc = cs_verify(parts->spki, &parts->info, 1, CS_SLICE_ARRAY(raw));
    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    return rc == CS_OK
               ? CS_OK
               : cs_err_set(err, CS_EAUTH, "the certificate request is not signed by the key that it is for");
}

int cs_csr_check(struct cs_slice csr_der, uint8_t ret_spki[CS_SPKI_BYTES], struct cs_err *err)
{
    struct csr_parts parts;
    struct cs_slice point;
    int rc;

    if (csr_der.len > CS_LIMIT_CERT_BYTES || !split(csr_der, &parts))
        return cs_err_set(err, CS_EPARSE,
                          "the certificate request is malformed, or not signed with ECDSA and SHA-256");
    if (cs_spki_point(parts.spki, &point) != CS_OK)
        return cs_err_set(err, CS_EUNSUPPORTED, "the certificate request is for another key than P-256");
    rc = check_signature(&parts, err);
    if (rc == CS_OK)
        memcpy(ret_spki, parts.spki.ptr, CS_SPKI_BYTES);
    return rc;
}

int cs_csr_check_for(struct cs_slice csr_der, const struct cs_csr_subject *subject,
                     uint8_t ret_spki[CS_SPKI_BYTES], struct cs_err *err)
{
    uint8_t room[INFO_MOST], spki[CS_SPKI_BYTES];
    struct der expected = der_begin(room, sizeof room);
    struct csr_parts parts;
    int rc = cs_csr_check(csr_der, spki, err);

    if (rc == CS_OK)
        rc = write_info(&expected, subject, CS_SLICE_ARRAY(spki), err);
    if (rc != CS_OK)
        return rc;
    if (!split(csr_der, &parts) || !cs_slice_eq(parts.info, der_done(&expected)))
        return cs_err_set(
            err, CS_EAUTH,
            "the certificate request asks for another subject or other names than were asked for");
    memcpy(ret_spki, spki, CS_SPKI_BYTES);
    return CS_OK;
}
