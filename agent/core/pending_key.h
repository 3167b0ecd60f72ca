/* pending_key.h - a private key that this device made on request and whose certificate has not come yet, as
 * one stored record: so that the key is there with its CSR, or not at all. Pure. A damaged record is refused.
 */
#ifndef AG_CORE_PENDING_KEY_H
#define AG_CORE_PENDING_KEY_H

#include "agent/core/limits.h"
#include "shared/crypto/crypto.h"

/* Borrows from the record's bytes. */
struct ag_pending_key {
    struct cs_digest request_digest; /* of the key request's payload: asked again, it gets the same CSR */
    char connector[CS_LIMIT_NAME_BYTES + 1];
    int64_t made_at_s;
    struct cs_slice csr; /* DER */
    struct cs_slice key; /* PEM of the private key, not encrypted */
};

/* Appends. Reserve AG_LIMIT_PENDING_KEY_BYTES before and wipe afterwards: the private key is in it. */
CS_MUST_USE int ag_pending_key_encode(const struct ag_pending_key *pending, struct cs_buf *out,
                                      struct cs_err *err);
CS_MUST_USE int ag_pending_key_decode(struct cs_slice bytes, struct ag_pending_key *ret, struct cs_err *err);

#endif
