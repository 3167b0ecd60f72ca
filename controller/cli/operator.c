/* countersign operator … - people's keys. */
#include "controller/cli/ask.h"
#include "controller/cli/file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/public_key.h"

static int make_passphrase(struct cli *cli, const char *path, struct cs_buf *out, struct cs_err *err)
{
    int rc;

    if (cli_args_flag(&cli->args, "no-passphrase"))
        return CS_OK;
    rc = cli_ask_passphrase(path, cli_args_option(&cli->args, "passphrase-file"), true, out, err);
    if (rc == CS_ESTATE)
        cli->failure = CLI_USAGE;
    return rc;
}

int cli_key_make(struct cli *cli, const char *path, struct cs_key **ret, struct cs_err *err)
{
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_buf passphrase = CS_BUF_EMPTY, pem = CS_BUF_EMPTY;
    int rc = make_passphrase(cli, path, &passphrase, err);

    if (rc == CS_OK)
        rc = cs_key_generate(CS_KEY_SIGN, &key, err);
    /* Room for all of it at once, so that growing leaves no copies behind. */
    if (rc == CS_OK && cs_buf_reserve(&pem, CS_LIMIT_PRIVATE_KEY_BYTES) != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cs_key_export_pem(key, cs_buf_slice(&passphrase), &pem, err);
    if (rc == CS_OK)
        rc = cli_file_create(path, 0600, cs_buf_slice(&pem), err);
    if (rc == CS_EEXISTS)
        cs_err_set(err, rc, "%.180s exists: a key is never overwritten, move it away first", path);
    cs_buf_wipe(&passphrase);
    cs_buf_wipe(&pem);
    if (rc == CS_OK)
        *ret = cs_steal(key);
    return rc;
}

int cli_operator_keygen(struct cli *cli, struct cs_err *err)
{
    const char *name = cli->args.operands[0];
    const char *folder = cli_args_option(&cli->args, "keys");
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    char path[PATH_MAX], public_path[PATH_MAX];
    struct cs_digest key_id;
    int rc;

    if (folder && strlen(folder) < sizeof cli->home.keys)
        memcpy(cli->home.keys, folder, strlen(folder) + 1);
    rc = cli_home_operator_key(&cli->home, name, path, err);
    if (rc == CS_OK)
        rc = cli_home_operator_public(&cli->home, name, public_path, err);
    if (rc == CS_OK)
        rc = cli_file_make_folder(cli->home.keys, err);
    if (rc == CS_OK)
        rc = cli_key_make(cli, path, &key, err);
    if (rc == CS_OK)
        rc = cli_public_key_write(public_path, cs_key_spki(key), err);
    if (rc != CS_OK)
        return rc;
    key_id = cs_key_id(cs_key_spki(key));
    cli_field(doc, "operator", "Operator", cli_tinted(name, CLI_BOLD));
    cli_field(doc, "key_id", "Key (SHA-256)", cli_hex(cs_digest_slice(&key_id)));
    cli_field(doc, "private_key", "Private key", cli_text(path));
    cli_field(doc, "public_key", "Public key", cli_text(public_path));
    cli_hint(doc,
             "The owner of the roots needs the public key, for `countersign trust init --operator` or `trust "
             "add-operator`:");
    cli_hint(doc, "  %s=ROLE[,ROLE]:%.300s", name, public_path);
    return cli_write(cli, doc, err);
}
