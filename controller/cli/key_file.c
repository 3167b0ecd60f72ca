#include "controller/cli/key_file.h"

#include "controller/cli/ask.h"
#include "controller/cli/file.h"
#include "shared/crypto/x509.h"

int cli_key_file_open(struct cli *cli, struct cs_slice encoded, const char *where,
                      const char *passphrase_option, struct cs_buf *pkcs8, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf passphrase = CS_BUF_EMPTY;
    int rc;

    if (cs_buf_reserve(pkcs8, CS_LIMIT_PRIVATE_KEY_BYTES) != CS_OK)
        return cs_err_nomem(err);
    rc = cs_private_key_to_pkcs8(encoded, CS_SLICE_EMPTY, pkcs8, err);
    if (rc != CS_EDENIED)
        return rc;
    rc = cli_ask_passphrase(where, cli_args_option(&cli->args, passphrase_option), false, &passphrase, err);
    if (rc == CS_OK)
        rc = cs_private_key_to_pkcs8(encoded, cs_buf_slice(&passphrase), pkcs8, err);
    if (rc == CS_EAUTH)
        cs_err_set(err, rc, "the passphrase does not open the private key in %.150s", where);
    return rc;
}

int cli_key_file_read(struct cli *cli, const char *path, const char *passphrase_option, struct cs_buf *pkcs8,
                      struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf encoded = CS_BUF_EMPTY;
    int rc;

    if (cs_buf_reserve(&encoded, 2 * CS_LIMIT_PRIVATE_KEY_BYTES + 1) != CS_OK)
        return cs_err_nomem(err);
    rc = cli_file_read(path, 2 * CS_LIMIT_PRIVATE_KEY_BYTES, &encoded, err);
    return rc == CS_OK ? cli_key_file_open(cli, cs_buf_slice(&encoded), path, passphrase_option, pkcs8, err)
                       : rc;
}
