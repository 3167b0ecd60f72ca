/* mbed.h - what the files of this folder and shared/net/tls*.c tell each other about mbedTLS. Nobody else
 * includes it. */
#ifndef CS_CRYPTO_MBED_H
#define CS_CRYPTO_MBED_H

#include "shared/crypto/x509.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

/* Translates the library's errors: out of memory is CS_ENOMEM, what remains is CS_EINTERNAL with the number.
 * `doing` completes "… failed". Both return CS_OK for success. */
int cs_psa_error(psa_status_t status, const char *doing, struct cs_err *err);
int cs_mbed_error(int rc, const char *doing, struct cs_err *err);

/* The key inside PSA, and its private scalar. */
psa_key_id_t cs_key_psa_id(const struct cs_key *key);

/* What a certificate that we trust may be made of: SHA-256 or better; RSA from 2048 bits, P-256, P-384. */
extern const mbedtls_x509_crt_profile cs_certificate_profile;

const mbedtls_x509_crt *cs_chain_crt(const struct cs_chain *chain, size_t index);
/* A certificate has a critical extension that nobody here understands: fit to be carried, not to be trusted.
 */
bool cs_chain_has_unknown_critical(const struct cs_chain *chain);

/* Seconds since 1970 UTC. */
int64_t cs_x509_time(const mbedtls_x509_time *time);

/* "a P-521 key" and the like, for the sentence that refuses an SPKI or private key; NULL if there is no name
 * for it. */
const char *cs_unsupported_key_text(struct cs_slice der);

/* Reads any private key that we accept (private_key.c); the caller initialised `pk` and frees it. */
int cs_pk_read_private(struct cs_slice encoded, struct cs_slice passphrase, mbedtls_pk_context *pk,
                       struct cs_err *err);

enum { CS_SCALAR_BYTES = 32 };
/* Appends PrivateKeyInfo (RFC 5208) of a P-256 key. */
int cs_pkcs8_write_p256(struct cs_slice scalar, struct cs_slice point, struct cs_buf *out);

/* EncryptedPrivateKeyInfo (pkcs8_crypt.c). The agent's build has neither: CS_EUNSUPPORTED. `plain` is the
 * caller's to wipe. */
int cs_pkcs8_decrypt(struct cs_slice der, struct cs_slice passphrase, struct cs_buf *plain,
                     struct cs_err *err);
int cs_wrong_passphrase(struct cs_err *err);
/* Appends EncryptedPrivateKeyInfo as crypto.h says at cs_key_export_pem(). */
int cs_pkcs8_encrypt(struct cs_slice pkcs8, struct cs_slice passphrase, struct cs_buf *out,
                     struct cs_err *err);

#endif
