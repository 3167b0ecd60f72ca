/* envelope.h - decide whether a signed statement may be trusted.
 * Pure: no I/O, no clock. DSSE v1 pre-authentication encoding over the exact payload bytes; proto/README.md
 * has the invariants.
 *
 * Trust is in the type: bytes from the wire become a `struct cs_envelope` (unverified, borrowed slices), and
 * only cs_envelope_verify() makes a `struct cs_verified` of it, which names the distinct keys whose
 * signatures hold. What these keys may do is the policy's business (policy.h). Start at cs_envelope_verify().
 */
#ifndef CS_TRUST_ENVELOPE_H
#define CS_TRUST_ENVELOPE_H

#include "shared/base/limits.h"
#include "shared/trust/statement.h"

/* Parsed, not believed. Borrows from the wire bytes. */
struct cs_envelope {
    enum cs_statement_kind kind;
    struct cs_slice payload_type;
    struct cs_slice payload;
    size_t signature_count;
    struct {
        struct cs_slice key_id, signature;
    } signatures[CS_LIMIT_ENVELOPE_SIGNATURES];
};

/* Strict (canonical) parse of an Envelope, without copying. A key signs once; no signature at all is a draft
 * that nobody has signed yet. CS_EPARSE, or CS_EUNSUPPORTED for a payload type that is not known. */
CS_MUST_USE int cs_envelope_parse(struct cs_slice wire, struct cs_envelope *ret, struct cs_err *err);

/* The keys that may sign, looked up by key id; whoever calls collects them (policy.h has functions).
 * Borrowed. */
struct cs_keyring_key {
    struct cs_digest key_id;
    struct cs_slice spki;
};
struct cs_keyring {
    struct cs_keyring_key keys[CS_LIMIT_OPERATORS * CS_LIMIT_KEYS_PER_OPERATOR];
    size_t count;
};
/* Adds a key; one that is there already is not added twice. CS_EFULL when there is no room. */
CS_MUST_USE int cs_keyring_add(struct cs_keyring *keyring, struct cs_slice spki);

/* Only cs_envelope_verify() fills it. Borrows the payload from the wire bytes. */
struct cs_verified {
    enum cs_statement_kind kind;
    struct cs_slice payload;
    struct cs_digest digest; /* SHA-256 of the payload */
    size_t signer_count;     /* distinct key ids, at least 1 */
    struct cs_digest signers[CS_LIMIT_ENVELOPE_SIGNATURES];
};

/* What a signature covers, DSSE v1's pre-authentication encoding: "DSSEv1" SP LEN(type) SP type SP
 * LEN(payload) SP payload, as parts, so that nothing is copied. Borrows both, and points into itself: not to
 * be copied. */
enum { CS_PAE_PARTS = 4 };
struct cs_pae {
    char before_type[32], before_payload[32];
    struct cs_slice parts[CS_PAE_PARTS];
};
void cs_pae_fill(struct cs_pae *ret, struct cs_slice type, struct cs_slice payload);

/* Parses, requires the kind, checks every signature whose key is in the keyring. CS_EAUTH unless at least one
 * known key signed, and when a known key's signature does not hold; CS_ENOMEM is no verdict. Signatures of
 * unknown keys are passed over. Then *ret is filled. */
CS_MUST_USE int cs_envelope_verify(struct cs_slice wire, enum cs_statement_kind kind,
                                   const struct cs_keyring *keyring, struct cs_verified *ret,
                                   struct cs_err *err);
/* The same with keys of the caller's, distinct. */
CS_MUST_USE int cs_envelope_verify_keys(struct cs_slice wire, enum cs_statement_kind kind,
                                        const struct cs_keyring_key *keys, size_t key_count,
                                        struct cs_verified *ret, struct cs_err *err);
/* The same with one key: what a controller's message key signed. */
CS_MUST_USE int cs_envelope_verify_one(struct cs_slice wire, enum cs_statement_kind kind,
                                       struct cs_slice spki, struct cs_verified *ret, struct cs_err *err);

/* Appends the envelope of `payload` signed by each of `keys`, which are distinct; without keys it is a draft
 * to be cosigned. */
CS_MUST_USE int cs_envelope_sign(enum cs_statement_kind kind, struct cs_slice payload,
                                 const struct cs_key *const *keys, size_t key_count, struct cs_buf *out,
                                 struct cs_err *err);
/* Appends the envelope with one more signature (roots sign one after the other). The others are kept as they
 * are. CS_EEXISTS when the key has signed before. */
CS_MUST_USE int cs_envelope_cosign(struct cs_slice wire, const struct cs_key *key, struct cs_buf *out,
                                   struct cs_err *err);

#endif
