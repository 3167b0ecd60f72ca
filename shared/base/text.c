#include "shared/base/text.h"

#include "shared/base/utf8.h"

#include <stdio.h>

char *cs_hex(struct cs_slice bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        out[2 * i] = digits[bytes.ptr[i] >> 4];
        out[2 * i + 1] = digits[bytes.ptr[i] & 15];
    }
    out[2 * bytes.len] = '\0';
    return out;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int cs_unhex(struct cs_slice text, uint8_t *out, size_t len)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (i > 0 && at < text.len && text.ptr[at] == ':')
            at++;
        if (text.len - at < 2)
            return CS_EPARSE;
        high = hex_digit(text.ptr[at]);
        low = hex_digit(text.ptr[at + 1]);
        if (high < 0 || low < 0)
            return CS_EPARSE;
        out[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return at == text.len ? CS_OK : CS_EPARSE;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int cs_base64_encode(struct cs_slice bytes, struct cs_buf *out)
{
    int rc = cs_buf_reserve(out, (bytes.len + 2) / 3 * 4);

    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i;
        uint32_t group = (uint32_t)bytes.ptr[i] << 16;
        uint8_t *at = out->ptr + out->len;

        if (have > 1)
            group |= (uint32_t)bytes.ptr[i + 1] << 8;
        if (have > 2)
            group |= bytes.ptr[i + 2];
        at[0] = (uint8_t)base64_digits[group >> 18];
        at[1] = (uint8_t)base64_digits[group >> 12 & 63];
        at[2] = have > 1 ? (uint8_t)base64_digits[group >> 6 & 63] : '=';
        at[3] = have > 2 ? (uint8_t)base64_digits[group & 63] : '=';
        out->len += 4;
    }
    return CS_OK;
}

int cs_base64url_encode(struct cs_slice bytes, struct cs_buf *out)
{
    size_t begin = out->len;
    int rc = cs_base64_encode(bytes, out);

    if (rc != CS_OK)
        return rc;
    while (out->len > begin && out->ptr[out->len - 1] == '=')
        out->len--;
    for (size_t i = begin; i < out->len; i++)
        if (out->ptr[i] == '+' || out->ptr[i] == '/')
            out->ptr[i] = out->ptr[i] == '+' ? '-' : '_';
    return CS_OK;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int base64_digit_any(uint8_t c)
{
    return c == '-' ? 62 : c == '_' ? 63 : base64_digit(c);
}

static struct cs_slice without_padding(struct cs_slice text)
{
    for (unsigned i = 0; i < 2 && text.len && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    return text;
}

/* `text` is without padding. */
static int decode_digits(struct cs_slice text, int (*digit_of)(uint8_t), struct cs_buf *out)
{
    size_t before = out->len;
    int rc;

    if (text.len % 4 == 1)
        return CS_EPARSE;
    rc = cs_buf_reserve(out, (text.len + 3) / 4 * 3);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t have = text.len - i < 4 ? text.len - i : 4;
        uint32_t group = 0;

        for (size_t k = 0; k < 4; k++) {
            int digit = k < have ? digit_of(text.ptr[i + k]) : 0;

            if (digit < 0)
                goto malformed;
            group = group << 6 | (uint32_t)digit;
        }
        /* Bits that no byte carries must be zero, so that every value has one form (RFC 4648 section 3.5). */
        if ((have == 3 && (group & 0xff)) || (have == 2 && (group & 0xffff)))
            goto malformed;
        out->ptr[out->len++] = (uint8_t)(group >> 16);
        if (have > 2)
            out->ptr[out->len++] = (uint8_t)(group >> 8);
        if (have > 3)
            out->ptr[out->len++] = (uint8_t)group;
    }
    return CS_OK;

malformed:
    cs_wipe(out->ptr + before, out->len - before);
    out->len = before;
    return CS_EPARSE;
}

int cs_base64_decode(struct cs_slice text, struct cs_buf *out)
{
    return text.len % 4 == 0 ? decode_digits(without_padding(text), base64_digit, out) : CS_EPARSE;
}

int cs_base64_decode_any(struct cs_slice text, struct cs_buf *out)
{
    return decode_digits(text.len % 4 == 0 ? without_padding(text) : text, base64_digit_any, out);
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int cs_name_check(struct cs_slice name, const char *what, struct cs_err *err)
{
    if (name.len == 0)
        return cs_err_set(err, CS_EINVAL,
                          "%s is empty: give a name of 1 to 63 letters, digits, '.', '_' or '-'", what);
    if (name.len > 63)
        return cs_err_set(err, CS_EINVAL, "%s is %zu bytes long: at most 63 are allowed", what, name.len);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (!is_alphanumeric(c) && (i == 0 || (c != '.' && c != '_' && c != '-')))
            return cs_err_set(
                err, CS_EINVAL,
                "%s has a character that is not allowed at position %zu: use letters, digits, '.', '_' "
                "or '-', and begin with a letter or digit",
                what, i + 1);
    }
    return CS_OK;
}

int cs_text_check(struct cs_slice text, size_t max_bytes, const char *what, struct cs_err *err)
{
    if (text.len > max_bytes)
        return cs_err_set(err, CS_ETOOBIG, "%s is %zu bytes long: at most %zu are allowed", what, text.len,
                          max_bytes);
    for (size_t at = 0; at < text.len;) {
        struct cs_slice rest = cs_slice_from(text, at);
        size_t step = cs_utf8_char(rest);

        if (step == 0)
            return cs_err_set(err, CS_EINVAL, "%s is not valid UTF-8 at byte %zu", what, at + 1);
        if (cs_utf8_is_control(rest) && rest.ptr[0] != '\n' && rest.ptr[0] != '\t')
            return cs_err_set(err, CS_EINVAL, "%s has a control character at byte %zu", what, at + 1);
        at += step;
    }
    return CS_OK;
}
