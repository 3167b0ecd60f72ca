/* vault.h - the controller's own keys, and the keys of other people that it was given to hold.
 * Files in STATE/keys (folder 0700, files 0600), made at the first start:
 *
 *   kek            32 random bytes; encrypts held keys. May be kept elsewhere (`kek` in the configuration)
 *   message.key    signs push batches; its public half stands in the trust policy
 *   agent-ca.key   issues identities of devices and of this controller
 *   agent-ca.pem   its certificate, 10 years
 *
 * None of them lets anybody decide a push. The key of the server certificate lives in memory only and is new
 * at each start. After ctl_vault_open() everything here is immutable and used by all threads. */
#ifndef CTL_VAULT_H
#define CTL_VAULT_H

#include "shared/crypto/x509.h"

struct ctl_vault;

/* `folder` is made if need be; `kek_path` may lie outside it. A file that is missing while later ones are
 * there is not made anew but asked for: a new key-encryption key could not read what the old one wrote. */
CS_MUST_USE int ctl_vault_open(const char *folder, const char *kek_path, int64_t now_s,
                               struct ctl_vault **ret, struct cs_err *err);
void ctl_vault_close(struct ctl_vault *vault);
CS_DEFINE_AUTO(ctl_vault_closep, struct ctl_vault, ctl_vault_close)

const struct cs_key *ctl_vault_message_key(const struct ctl_vault *vault);
const struct cs_chain *ctl_vault_agent_ca(const struct ctl_vault *vault);
/* Chain (server certificate, agent CA) and key with which listeners prove that they are `countersignd`. */
const struct cs_chain *ctl_vault_server_chain(const struct ctl_vault *vault);
const struct cs_key *ctl_vault_server_key(const struct ctl_vault *vault);

/* Appends the DER of a device's identity certificate for these keys, good until now_s + life_s. */
CS_MUST_USE int ctl_vault_issue_identity(const struct ctl_vault *vault, const char *device_name,
                                         struct cs_slice spki, int64_t now_s, int64_t life_s,
                                         struct cs_buf *out, struct cs_err *err);

/* Held keys at rest: u8 version (1), 12 bytes of nonce, AES-256-GCM ciphertext and tag, with the version and
 * the certificate's id as additional data, so that a key cannot be moved to another certificate. Appends. */
CS_MUST_USE int ctl_vault_hold(const struct ctl_vault *vault, const uint8_t certificate_id[CS_SHA256_BYTES],
                               struct cs_slice pkcs8, struct cs_buf *out, struct cs_err *err);
/* Appends the PKCS#8, which the caller wipes. CS_EAUTH if it was not written so; CS_EUNSUPPORTED for a
 * version that we do not know. */
CS_MUST_USE int ctl_vault_release(const struct ctl_vault *vault,
                                  const uint8_t certificate_id[CS_SHA256_BYTES], struct cs_slice held,
                                  struct cs_buf *out, struct cs_err *err);

#endif
