#include "agent/core/token.h"

#include "shared/base/text.h"
#include "shared/trust/statement.h"

static const char prefix[] = "cst1.";

static struct cs_slice trim(struct cs_slice text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[0]))
        text = cs_slice_from(text, 1);
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* base64url without padding becomes what cs_base64_decode() takes. Characters of the standard alphabet that
 * base64url does not have are refused, so that a token has one form. */
static int decode_url(struct cs_slice text, struct cs_buf *out)
{
    cs_auto(cs_buf_wipe) struct cs_buf standard = CS_BUF_EMPTY;
    int code = cs_buf_reserve(&standard, text.len + 3);

    for (size_t i = 0; !code && i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c == '+' || c == '/' || c == '=')
            return CS_EPARSE;
        code = cs_buf_append_u8(&standard, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (!code && standard.len % 4 != 0)
        code = cs_buf_append_u8(&standard, '=');
    return code ? code : cs_base64_decode(cs_buf_slice(&standard), out);
}

static int check(const countersign_v1_EnrolmentToken *token, struct cs_err *err)
{
    if (token->deployment_id.size != 16 || token->authentication.size != 16 || token->binding.size != 16 ||
        token->roots_digest.size != CS_SHA256_BYTES || token->agent_ca.size == 0)
        return cs_err_set(err, CS_EPARSE, "the enrolment token is not complete");
    return cs_name_check(cs_slice_str(token->device_name), "the token's device name", err);
}

int ag_token_parse(struct cs_slice text, countersign_v1_EnrolmentToken **ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;

    text = trim(text);
    if (!cs_slice_starts_with(text, cs_slice_str(prefix)) || text.len > 4096)
        return cs_err_set(
            err, CS_EPARSE,
            "this is not an enrolment token: it begins with \"%s\"; `countersign device add` prints it",
            prefix);
    if (decode_url(cs_slice_from(text, sizeof prefix - 1), &bytes) != CS_OK)
        return cs_err_set(err, CS_EPARSE, "the enrolment token is damaged; copy it again, in full");
    countersign_v1_EnrolmentToken *token = calloc(1, sizeof *token);

    if (!token)
        return cs_err_nomem(err);
    int code = cs_message_decode_strict(countersign_v1_EnrolmentToken_fields, cs_buf_slice(&bytes), token,
                                        "the enrolment token", err);

    if (!code)
        code = check(token, err);
    if (code) {
        cs_wipe(token, sizeof *token);
        free(token);
        return code;
    }
    *ret = token;
    return CS_OK;
}

int ag_token_write(const countersign_v1_EnrolmentToken *token, struct cs_buf *out, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf text = CS_BUF_EMPTY;
    int code = cs_message_encode(countersign_v1_EnrolmentToken_fields, token, &bytes, err);

    if (code)
        return code;
    if (cs_base64_encode(cs_buf_slice(&bytes), &text) != CS_OK || cs_buf_append_str(out, prefix) != CS_OK ||
        cs_buf_reserve(out, text.len) != CS_OK)
        return cs_err_nomem(err);
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        uint8_t c = text.ptr[i];

        out->ptr[out->len++] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    return CS_OK;
}

struct cs_digest ag_token_binding_mac(const countersign_v1_EnrolmentToken *token, struct cs_slice device_id,
                                      struct cs_slice identity_spki, struct cs_slice kem_spki)
{
    struct cs_slice name = cs_slice_str(token->device_name);
    uint8_t name_len = (uint8_t)name.len;
    const struct cs_slice parts[] = {
        CS_SLICE_LIT("countersign/v1/enrol"),
        CS_PB_BYTES(&token->deployment_id),
        cs_slice(&name_len, 1),
        name,
        device_id,
        identity_spki,
        kem_spki,
    };

    return cs_hmac_sha256(CS_PB_BYTES(&token->binding), parts, CS_ARRAY_LEN(parts));
}
