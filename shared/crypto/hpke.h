/* hpke.h - seal a secret to one device's KEM key, so that only that device can open it.
 * RFC 9180, base mode: DHKEM(P-256, HKDF-SHA256) 0x0010, HKDF-SHA256 0x0001, AES-128-GCM 0x0001; one message
 * a context. Pure. */
#ifndef CS_CRYPTO_HPKE_H
#define CS_CRYPTO_HPKE_H

#include "shared/crypto/crypto.h"

enum { CS_HPKE_ENC_BYTES = CS_POINT_BYTES };

/* Appends ciphertext and tag (plain.len + 16 bytes) to `out`. `recipient_spki` is the KEM key as the
 * admission names it. */
CS_MUST_USE int cs_hpke_seal(struct cs_slice recipient_spki, struct cs_slice info, struct cs_slice aad,
                             struct cs_slice plain, uint8_t ret_enc[CS_HPKE_ENC_BYTES], struct cs_buf *out,
                             struct cs_err *err);
/* The same with the ephemeral key given: for the vectors of RFC 9180 appendix A.3. */
CS_MUST_USE int cs_hpke_seal_with(const struct cs_key *ephemeral, struct cs_slice recipient_spki,
                                  struct cs_slice info, struct cs_slice aad, struct cs_slice plain,
                                  uint8_t ret_enc[CS_HPKE_ENC_BYTES], struct cs_buf *out, struct cs_err *err);
/* Appends the plaintext, which the caller wipes; CS_EAUTH if anything does not fit. */
CS_MUST_USE int cs_hpke_open(const struct cs_key *recipient, struct cs_slice enc, struct cs_slice info,
                             struct cs_slice aad, struct cs_slice sealed, struct cs_buf *out,
                             struct cs_err *err);

#endif
