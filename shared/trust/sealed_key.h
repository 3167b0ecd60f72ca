/* sealed_key.h - a private key on its way to one device, for one order: sealed by whoever sends it (the
 * requester's client, the controller that holds it), opened by the device. Pure. proto/README.md, "Sealed
 * keys", has padding, info and additional data; HPKE itself is in shared/crypto/hpke.h. */
#ifndef CS_TRUST_SEALED_KEY_H
#define CS_TRUST_SEALED_KEY_H

#include "shared/trust/statement.h"

/* What the seal is bound to. Borrows. */
struct cs_sealed_key_place {
    struct cs_slice deployment_id, device_id, order_id; /* 16 bytes each */
    struct cs_slice core;                               /* the exact bytes of the order core */
};

/* `kem_spki` is the KEM key of the device's admission, which the caller has verified. *ret is set on success
 * only. CS_ETOOBIG for a key that does not fit. No copy of the key stays behind. */
CS_MUST_USE int cs_sealed_key_seal(struct cs_slice kem_spki, const struct cs_sealed_key_place *place,
                                   struct cs_slice pkcs8, countersign_v1_SealedKey *ret, struct cs_err *err);
/* Appends the PKCS#8, which the caller wipes. CS_EAUTH: it does not open here, for this place. CS_EPARSE:
 * what was sealed is no key. */
CS_MUST_USE int cs_sealed_key_open(const struct cs_key *kem_key, const struct cs_sealed_key_place *place,
                                   const countersign_v1_SealedKey *sealed, struct cs_buf *pkcs8,
                                   struct cs_err *err);

#endif
