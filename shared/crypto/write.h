/* write.h - what certificates and requests have in common when they are written. Pure. RFC 5280 section 4.1.
 */
#ifndef CS_CRYPTO_WRITE_H
#define CS_CRYPTO_WRITE_H

#include "shared/crypto/crypto.h"
#include "shared/crypto/der.h"

/* Name ::= one relative name with a common name. */
void write_common_name(struct der *der, struct cs_slice name);
/* AlgorithmIdentifier of ECDSA with SHA-256. */
void write_ecdsa_sha256(struct der *der);
/* Appends SEQUENCE { signed part, algorithm, signature }. */
CS_MUST_USE int write_signed(struct cs_slice part, const struct cs_key *key, struct cs_buf *out,
                             struct cs_err *err);

#endif
