/* crypto.h - the primitives that Countersign uses, all through PSA: digests, P-256 keys and signatures, AEAD,
 * HKDF. No I/O but the kernel's random source. Call cs_crypto_init() once, before threads are started and
 * after helpers are forked. Every function may be called from any thread; one cs_key may be used by several
 * threads at once. Secrets are wiped before their memory is given back. */
#ifndef CS_CRYPTO_CRYPTO_H
#define CS_CRYPTO_CRYPTO_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

enum {
    CS_SHA256_BYTES = 32,
    CS_SIGNATURE_BYTES = 64, /* r‖s, each 32 bytes big-endian; high s allowed (as WebCrypto makes it) */
    CS_POINT_BYTES = 65,     /* uncompressed P-256 point, SEC 1 section 2.3.3 */
    CS_SPKI_BYTES = 91,      /* SubjectPublicKeyInfo DER of a P-256 key, RFC 5480 section 2: one form only */
    CS_AEAD_TAG_BYTES = 16,
    CS_AEAD_NONCE_BYTES = 12,
};

CS_MUST_USE int cs_crypto_init(struct cs_err *err);
/* Ends the process if the system has no randomness: nothing sensible can follow. */
void cs_random(void *out, size_t len);

struct cs_digest {
    uint8_t bytes[CS_SHA256_BYTES];
};

static inline struct cs_slice cs_digest_slice(const struct cs_digest *digest)
{
    return CS_SLICE_ARRAY(digest->bytes);
}
static inline bool cs_digest_eq(const struct cs_digest *a, const struct cs_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* FIPS 180-4. Cannot fail: a digest that the library refuses ends the process. */
struct cs_digest cs_sha256(struct cs_slice bytes);
/* Over the concatenation of `count` parts. */
struct cs_digest cs_sha256_parts(const struct cs_slice *parts, size_t count);
struct cs_digest cs_hmac_sha256(struct cs_slice key, const struct cs_slice *parts, size_t count);

/* A P-256 private key that signs (ECDSA, SHA-256) or agrees (ECDH), kept inside PSA. */
struct cs_key;
enum cs_key_use { CS_KEY_SIGN, CS_KEY_AGREE };

CS_MUST_USE int cs_key_generate(enum cs_key_use use, struct cs_key **ret, struct cs_err *err);
/* PKCS#8 or SEC 1, PEM or DER; `passphrase` is empty for a key that is not encrypted. A wrong passphrase is
 * CS_EAUTH, a missing one CS_EDENIED, a key of another curve CS_EUNSUPPORTED. */
CS_MUST_USE int cs_key_parse(struct cs_slice encoded, struct cs_slice passphrase, enum cs_key_use use,
                             struct cs_key **ret, struct cs_err *err);
/* PKCS#8 PEM appended to `out` (which the caller wipes). With a passphrase: PBES2, PBKDF2-HMAC-SHA256 of
 * 210,000 rounds, AES-256-CBC (RFC 8018). */
CS_MUST_USE int cs_key_export_pem(const struct cs_key *key, struct cs_slice passphrase, struct cs_buf *out,
                                  struct cs_err *err);
/* From the 32 bytes of the scalar; for test vectors and HPKE. */
CS_MUST_USE int cs_key_from_scalar(struct cs_slice scalar, enum cs_key_use use, struct cs_key **ret,
                                   struct cs_err *err);
void cs_key_free(struct cs_key *key);
CS_DEFINE_AUTO(cs_key_freep, struct cs_key, cs_key_free)

/* Valid as long as the key. */
struct cs_slice cs_key_spki(const struct cs_key *key);
struct cs_slice cs_key_point(const struct cs_key *key);

/* The point inside a P-256 SPKI of exactly the 91-byte form, CS_EPARSE for anything else. Does not check that
 * the point is on the curve: whoever verifies or agrees does. */
CS_MUST_USE int cs_spki_point(struct cs_slice spki, struct cs_slice *ret_point);
/* The form, and that the point is on the curve: for a key that comes from somebody before anything signed by
 * it does. CS_EPARSE; CS_ENOMEM is no verdict. */
CS_MUST_USE int cs_spki_check(struct cs_slice spki);
void cs_spki_from_point(const uint8_t point[CS_POINT_BYTES], uint8_t spki[CS_SPKI_BYTES]);
/* The key id that envelopes carry: SHA-256 of the SPKI's DER. */
static inline struct cs_digest cs_key_id(struct cs_slice spki)
{
    return cs_sha256(spki);
}

CS_MUST_USE int cs_sign(const struct cs_key *key, const struct cs_slice *parts, size_t count,
                        uint8_t ret_signature[CS_SIGNATURE_BYTES], struct cs_err *err);
/* CS_OK or CS_EAUTH: nothing distinguishes a malformed key from a signature that does not fit. CS_ENOMEM is
 * no verdict: nobody may be refused for good because of it. */
CS_MUST_USE int cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                          struct cs_slice signature);

/* The x coordinate of the shared point (SEC 1 section 3.3.1); the caller wipes it. */
CS_MUST_USE int cs_ecdh(const struct cs_key *key, struct cs_slice peer_point, uint8_t ret_shared[32],
                        struct cs_err *err);

/* AES-GCM with a 16- or 32-byte key, or ChaCha20-Poly1305 with 32. */
enum cs_aead { CS_AEAD_AES_GCM, CS_AEAD_CHACHA20_POLY1305 };
/* Appends ciphertext and tag. A nonce must never be used twice with one key. */
CS_MUST_USE int cs_aead_seal(enum cs_aead aead, struct cs_slice key, const uint8_t nonce[CS_AEAD_NONCE_BYTES],
                             struct cs_slice aad, struct cs_slice plain, struct cs_buf *out,
                             struct cs_err *err);
/* Appends the plaintext; CS_EAUTH if anything does not fit. */
CS_MUST_USE int cs_aead_open(enum cs_aead aead, struct cs_slice key, const uint8_t nonce[CS_AEAD_NONCE_BYTES],
                             struct cs_slice aad, struct cs_slice sealed, struct cs_buf *out,
                             struct cs_err *err);

/* RFC 5869 with SHA-256. */
struct cs_digest cs_hkdf_extract(struct cs_slice salt, struct cs_slice ikm);
CS_MUST_USE int cs_hkdf_expand(struct cs_slice prk, struct cs_slice info, uint8_t *out, size_t out_len);

#endif
