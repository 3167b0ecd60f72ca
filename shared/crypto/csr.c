/* Certificate signing requests, RFC 2986: CertificationRequest ::= SEQUENCE { info, algorithm, signature }.
 */
#include "shared/crypto/der.h"
#include "shared/crypto/mbed.h"
#include "shared/crypto/write.h"

#include "shared/base/limits.h"

#include <mbedtls/asn1.h>
#include <mbedtls/psa_util.h>

int cs_csr_make(const struct cs_key *key, const char *common_name, struct cs_buf *out, struct cs_err *err)
{
    uint8_t room[512];
    struct der info = der_begin(room, sizeof room);
    int rc = CS_OK;

    der_value(&info, DER_CONTEXT_0, CS_SLICE_EMPTY); /* no attributes */
    der_raw(&info, cs_key_spki(key));
    write_common_name(&info, cs_slice_str(common_name));
    der_small(&info, 0);
    der_wrap(&info, DER_SEQUENCE, info.end);
    if (info.failed)
        rc = cs_err_set(err, CS_ETOOBIG, "a common name of %zu bytes is too long", strlen(common_name));
    if (rc == CS_OK)
        rc = write_signed(der_done(&info), key, out, err);
    return rc;
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

int cs_csr_check(struct cs_slice csr_der, uint8_t ret_spki[CS_SPKI_BYTES], struct cs_err *err)
{
    uint8_t raw[CS_SIGNATURE_BYTES];
    struct csr_parts parts;
    struct cs_slice point;
    size_t raw_len;
    int rc = CS_EAUTH;

    if (csr_der.len > CS_LIMIT_CERT_BYTES || !split(csr_der, &parts))
        return cs_err_set(err, CS_EPARSE,
                          "the certificate request is malformed, or not signed with ECDSA and SHA-256");
    if (cs_spki_point(parts.spki, &point) != CS_OK)
        return cs_err_set(err, CS_EUNSUPPORTED, "the certificate request is for another key than P-256");
    if (mbedtls_ecdsa_der_to_raw(256, parts.signature.ptr, parts.signature.len, raw, sizeof raw, &raw_len) ==
            0 &&
        raw_len == sizeof raw)
        rc = cs_verify(parts.spki, &parts.info, 1, CS_SLICE_ARRAY(raw));
    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    if (rc != CS_OK)
        return cs_err_set(err, CS_EAUTH, "the certificate request is not signed by the key that it is for");
    memcpy(ret_spki, parts.spki.ptr, CS_SPKI_BYTES);
    return CS_OK;
}
