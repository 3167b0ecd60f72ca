/* token.h - the enrolment token as text, "cst1." and the unpadded base64url of an EnrolmentToken, and the
 * request that a device makes from it. Pure. */
#ifndef AG_CORE_TOKEN_H
#define AG_CORE_TOKEN_H

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/crypto/crypto.h"

#include "countersign/v1/agent.pb.h"

/* White space around the text is passed over. Allocates *ret: free() it after wiping. */
CS_MUST_USE int ag_token_parse(struct cs_slice text, countersign_v1_EnrolmentToken **ret, struct cs_err *err);
/* The same the other way round, for tests and tools; appended. */
CS_MUST_USE int ag_token_write(const countersign_v1_EnrolmentToken *token, struct cs_buf *out,
                               struct cs_err *err);

/* HMAC-SHA256 with the token's binding half over what the admin's client will check (agent.proto). */
struct cs_digest ag_token_binding_mac(const countersign_v1_EnrolmentToken *token, struct cs_slice device_id,
                                      struct cs_slice identity_spki, struct cs_slice kem_spki);

#endif
