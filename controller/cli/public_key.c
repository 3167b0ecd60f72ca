#include "controller/cli/public_key.h"

#include "controller/cli/file.h"

#include "shared/base/text.h"
#include "shared/crypto/x509.h"

enum { PUBLIC_FILE_BYTES = 4096 };

int cli_public_key_write(const char *path, struct cs_slice spki, struct cs_err *err)
{
    struct cs_buf pem = CS_BUF_EMPTY;
    int rc = cs_pem_write("PUBLIC KEY", spki, &pem, err);

    if (rc == CS_OK)
        rc = cli_file_write(path, 0644, cs_buf_slice(&pem), err);
    cs_buf_free(&pem);
    return rc;
}

int cli_public_key_parse(struct cs_slice pem, uint8_t ret_spki[CS_SPKI_BYTES], struct cs_err *err)
{
    static const char begin[] = "-----BEGIN PUBLIC KEY-----", end[] = "-----END PUBLIC KEY-----";
    const char *from = pem.len ? memmem(pem.ptr, pem.len, begin, sizeof begin - 1) : NULL;
    struct cs_buf digits = CS_BUF_EMPTY, spki = CS_BUF_EMPTY;
    struct cs_slice body, point;
    const char *to;
    int rc = CS_OK;

    if (!from)
        return cs_err_set(err, CS_EPARSE, "there is no \"%s\" in it: is it the public half of a P-256 key?",
                          begin);
    from += sizeof begin - 1;
    body = cs_slice(from, pem.len - (size_t)((const uint8_t *)from - pem.ptr));
    to = memmem(body.ptr, body.len, end, sizeof end - 1);
    for (const char *at = from; to && rc == CS_OK && at < to; at++)
        if (*at != '\n' && *at != '\r')
            rc = cs_buf_append_u8(&digits, (uint8_t)*at);
    if (rc == CS_OK)
        rc = to ? cs_base64_decode(cs_buf_slice(&digits), &spki) : CS_EPARSE;
    if (rc == CS_OK)
        rc = cs_spki_point(cs_buf_slice(&spki), &point);
    if (rc == CS_OK)
        memcpy(ret_spki, spki.ptr, CS_SPKI_BYTES);
    else
        cs_err_set(err, rc,
                   "it does not hold a P-256 public key: operators' keys are made by `countersign operator "
                   "keygen`");
    cs_buf_free(&digits);
    cs_buf_free(&spki);
    return rc;
}

int cli_public_key_read(const char *path, uint8_t ret_spki[CS_SPKI_BYTES], struct cs_err *err)
{
    struct cs_buf pem = CS_BUF_EMPTY;
    int rc = cli_file_read(path, PUBLIC_FILE_BYTES, &pem, err);

    if (rc == CS_OK) {
        rc = cli_public_key_parse(cs_buf_slice(&pem), ret_spki, err);
        if (rc != CS_OK)
            cs_err_prefix(err, "%.120s", path);
    }
    cs_buf_free(&pem);
    return rc;
}
