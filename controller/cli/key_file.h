/* key_file.h - private keys of certificates, from people's files: opened here, so that the controller never
 * learns a passphrase. Does I/O. */
#ifndef CTL_CLI_KEY_FILE_H
#define CTL_CLI_KEY_FILE_H

#include "controller/cli/cli.h"

/* Appends PKCS#8 DER, which the caller wipes. A passphrase comes from the file that the command's option
 * `passphrase_option` names, or from the person. */
CS_MUST_USE int cli_key_file_read(struct cli *cli, const char *path, const char *passphrase_option,
                                  struct cs_buf *pkcs8, struct cs_err *err);
/* The same from text that was read before; `where` is for questions and sentences. */
CS_MUST_USE int cli_key_file_open(struct cli *cli, struct cs_slice encoded, const char *where,
                                  const char *passphrase_option, struct cs_buf *pkcs8, struct cs_err *err);

#endif
