#include "controller/cli/token.h"

#include "shared/base/text.h"
#include "shared/trust/statement.h"

#define TOKEN_PREFIX "cst1."

int cli_token_write(const countersign_v1_EnrolmentToken *token, struct cs_buf *out, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    int rc = cs_message_encode(countersign_v1_EnrolmentToken_fields, token, &bytes, err);

    if (rc == CS_OK && (cs_buf_append_str(out, TOKEN_PREFIX) != CS_OK ||
                        cs_base64url_encode(cs_buf_slice(&bytes), out) != CS_OK))
        rc = cs_err_nomem(err);
    return rc;
}

static bool is_complete(const countersign_v1_EnrolmentToken *token)
{
    return token->deployment_id.size == 16 && token->authentication.size == 16 && token->binding.size == 16 &&
           token->roots_digest.size == CS_SHA256_BYTES && token->policy_version > 0 &&
           token->expires_at_s > 0 && token->agent_ca.size > 0 &&
           cs_name_check(cs_slice_str(token->device_name), "the device's name", NULL) == CS_OK;
}

int cli_token_parse(struct cs_slice text, countersign_v1_EnrolmentToken *ret, struct cs_err *err)
{
    struct cs_slice prefix = CS_SLICE_LIT(TOKEN_PREFIX), body;
    struct cs_buf bytes = CS_BUF_EMPTY;
    int rc;

    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    if (!cs_slice_starts_with(text, prefix))
        return cs_err_set(err, CS_EPARSE, "an enrolment token begins with \"" TOKEN_PREFIX "\"");
    body = cs_slice_from(text, prefix.len);
    rc = cs_base64_decode_any(body, &bytes);
    if (rc == CS_OK)
        rc = cs_message_decode_strict(countersign_v1_EnrolmentToken_fields, cs_buf_slice(&bytes), ret,
                                      "the enrolment token", err);
    if (rc == CS_OK && !is_complete(ret))
        rc = CS_EPARSE;
    if (rc != CS_OK)
        cs_err_set(err, rc, "the enrolment token is cut or mistyped: copy it whole");
    cs_buf_wipe(&bytes);
    return rc;
}
