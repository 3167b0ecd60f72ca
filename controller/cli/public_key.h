/* public_key.h - public halves of P-256 keys as PEM files ("BEGIN PUBLIC KEY", as openssl writes them). */
#ifndef CTL_CLI_PUBLIC_KEY_H
#define CTL_CLI_PUBLIC_KEY_H

#include "shared/crypto/crypto.h"

CS_MUST_USE int cli_public_key_write(const char *path, struct cs_slice spki, struct cs_err *err);
CS_MUST_USE int cli_public_key_read(const char *path, uint8_t ret_spki[CS_SPKI_BYTES], struct cs_err *err);
/* Pure: the first such block of the text. */
CS_MUST_USE int cli_public_key_parse(struct cs_slice pem, uint8_t ret_spki[CS_SPKI_BYTES],
                                     struct cs_err *err);

#endif
