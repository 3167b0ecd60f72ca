#include "shared/crypto/write.h"

#include <mbedtls/psa_util.h>

void write_common_name(struct der *der, struct cs_slice name)
{
    const uint8_t *mark = der_mark(der);

    der_value(der, DER_UTF8_STRING, name);
    der_value(der, DER_OID, OID_COMMON_NAME);
    der_wrap(der, DER_SEQUENCE, mark);
    der_wrap(der, DER_SET, mark);
    der_wrap(der, DER_SEQUENCE, mark);
}

void write_ecdsa_sha256(struct der *der)
{
    const uint8_t *mark = der_mark(der);

    der_value(der, DER_OID, OID_ECDSA_SHA256);
    der_wrap(der, DER_SEQUENCE, mark);
}

int write_signed(struct cs_slice part, const struct cs_key *key, struct cs_buf *out, struct cs_err *err)
{
    enum { FRAME_BYTES = 128 }; /* headers, algorithm, and a signature of at most 72 bytes */
    uint8_t raw[CS_SIGNATURE_BYTES], signature[80];
    struct cs_buf room = CS_BUF_EMPTY;
    size_t signature_len = 0;
    struct der der;
    int rc = cs_sign(key, &part, 1, raw, err);

    if (rc != CS_OK)
        return rc;
    if (cs_buf_reserve(&room, part.len + FRAME_BYTES) != CS_OK)
        return cs_err_nomem(err);
    der = der_begin(room.ptr, room.capacity);
    if (mbedtls_ecdsa_raw_to_der(256, raw, sizeof raw, signature, sizeof signature, &signature_len) != 0)
        der.failed = true;
    der_raw(&der, cs_slice(signature, signature_len));
    der_wrap_bits(&der, der.end);
    write_ecdsa_sha256(&der);
    der_raw(&der, part);
    der_wrap(&der, DER_SEQUENCE, der.end);
    if (der.failed)
        rc = cs_err_set(err, CS_EINTERNAL, "writing a signed structure of %zu bytes failed", part.len);
    else if (cs_buf_append(out, der_done(&der)) != CS_OK)
        rc = cs_err_nomem(err);
    cs_buf_free(&room);
    return rc;
}
