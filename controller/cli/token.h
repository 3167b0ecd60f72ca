/* token.h - the one-use token with which a device enrols, as text: "cst1." and the base64url (unpadded) of an
 * EnrolmentToken. Pure. */
#ifndef CTL_CLI_TOKEN_H
#define CTL_CLI_TOKEN_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include "countersign/v1/agent.pb.h"

/* Appends the text; it is a secret: whoever has it may enrol in the device's name. */
CS_MUST_USE int cli_token_write(const countersign_v1_EnrolmentToken *token, struct cs_buf *out,
                                struct cs_err *err);
CS_MUST_USE int cli_token_parse(struct cs_slice text, countersign_v1_EnrolmentToken *ret, struct cs_err *err);

#endif
