#include "shared/crypto/pem.h"

#include "shared/base/text.h"
#include "shared/crypto/x509.h"

#define BEGIN CS_SLICE_LIT("-----BEGIN ")
#define END   CS_SLICE_LIT("-----END ")
#define DASH  CS_SLICE_LIT("-----")

enum { LONGEST_LABEL = 64 };

static bool find(struct cs_slice in, struct cs_slice what, size_t *ret_at)
{
    const uint8_t *found = in.len ? memmem(in.ptr, in.len, what.ptr, what.len) : NULL;

    if (!found)
        return false;
    *ret_at = (size_t)(found - in.ptr);
    return true;
}

bool pem_next(struct cs_slice *rest, struct pem_block *ret)
{
    size_t at, label_len, end;
    struct cs_slice label, body;

    for (;;) {
        if (!find(*rest, BEGIN, &at))
            return false;
        *rest = cs_slice_from(*rest, at + BEGIN.len);
        if (find(cs_slice(rest->ptr, rest->len < LONGEST_LABEL ? rest->len : LONGEST_LABEL), DASH,
                 &label_len))
            break;
    }
    label = cs_slice(rest->ptr, label_len);
    body = cs_slice_from(*rest, label_len + DASH.len);
    *rest = body;
    *ret = (struct pem_block){label, CS_SLICE_EMPTY};
    if (!find(body, END, &end))
        return true;
    *rest = cs_slice_from(body, end + END.len);
    if (cs_slice_starts_with(*rest, label) && cs_slice_starts_with(cs_slice_from(*rest, label.len), DASH))
        ret->body = cs_slice(body.ptr, end);
    return true;
}

int pem_decode(const struct pem_block *block, struct cs_buf *out)
{
    struct cs_buf digits = CS_BUF_EMPTY;
    int rc = block->body.len ? cs_buf_reserve(&digits, block->body.len) : CS_EPARSE;

    for (size_t i = 0; rc == CS_OK && i < block->body.len; i++) {
        uint8_t c = block->body.ptr[i];

        if (c == ':')
            rc = CS_EUNSUPPORTED;
        else if (c != '\n' && c != '\r' && c != ' ' && c != '\t')
            rc = cs_buf_append_u8(&digits, c);
    }
    if (rc == CS_OK)
        rc = digits.len ? cs_base64_decode(cs_buf_slice(&digits), out) : CS_EPARSE;
    cs_buf_wipe(&digits);
    return rc;
}

int cs_pem_write(const char *label, struct cs_slice der, struct cs_buf *out, struct cs_err *err)
{
    enum { LINE = 64 };
    struct cs_buf digits = CS_BUF_EMPTY;
    size_t before = out->len, lines = (der.len + 47) / 48;
    int rc = cs_base64_encode(der, &digits);

    /* All at once: growing piecewise would copy a private key about. */
    if (rc == CS_OK)
        rc = cs_buf_reserve(out, digits.len + lines + 2 * strlen(label) +
                                     sizeof "-----BEGIN -----\n-----END -----\n");
    if (rc == CS_OK)
        rc = cs_buf_printf(out, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; rc == CS_OK && at < digits.len; at += LINE) {
        struct cs_slice line = cs_slice_from(cs_buf_slice(&digits), at);

        rc = cs_buf_append(out, cs_slice(line.ptr, line.len < LINE ? line.len : LINE));
        if (rc == CS_OK)
            rc = cs_buf_append_u8(out, '\n');
    }
    if (rc == CS_OK)
        rc = cs_buf_printf(out, "-----END %s-----\n", label);
    cs_buf_wipe(&digits);
    if (rc == CS_OK)
        return CS_OK;
    out->len = before;
    return rc == CS_ENOMEM ? cs_err_nomem(err)
                           : cs_err_set(err, rc, "the PEM text is larger than its buffer may become");
}
