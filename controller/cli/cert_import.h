/* cert_import.h - certificates from people's files: one of them with its chain, or many files and folders. */
#ifndef CTL_CLI_CERT_IMPORT_H
#define CTL_CLI_CERT_IMPORT_H

#include "controller/cli/cli.h"

#include "shared/crypto/x509.h"

static inline bool cli_import_has(struct cs_slice text, const char *what)
{
    return text.len && memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

/* Of one file or several that are one: PEM or DER, leaf first, its links checked. */
CS_MUST_USE int cli_import_parse(struct cs_slice content, struct cs_chain **ret, struct cs_err *err);
/* `pkcs8` empty: without a key. */
CS_MUST_USE int cli_import_send(struct cli *cli, const struct cs_chain *chain, struct cs_slice pkcs8,
                                countersign_v1_ImportCertificateResponse *reply, struct cs_err *err);

/* The operands are to be imported one by one: a folder is among them, or there are several and no --key. */
bool cli_import_is_many(const struct cli *cli);
/* A line for each file; what was refused keeps nothing else from being imported, and makes the command fail.
 */
CS_MUST_USE int cli_import_many(struct cli *cli, struct cs_err *err);

#endif
