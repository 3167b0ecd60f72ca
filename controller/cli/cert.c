/* countersign cert … - the certificates, and where they are attached. */
#include "controller/cli/cert_import.h"
#include "controller/cli/fetch.h"
#include "controller/cli/file.h"
#include "controller/cli/key_file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"
#include "shared/crypto/crl.h"

static int read_files(struct cli *cli, struct cs_buf *out, struct cs_err *err)
{
    int rc = CS_OK;

    if (cs_buf_reserve(out, CS_LIMIT_PEM_BYTES + 1) != CS_OK)
        return cs_err_nomem(err);
    for (size_t i = 0; rc == CS_OK && i < cli->args.operand_count; i++) {
        rc = cli_file_read(cli->args.operands[i], CS_LIMIT_PEM_BYTES - out->len, out, err);
        /* Files need not end with a newline, PEM's lines must. */
        if (rc == CS_OK && out->len && out->len < CS_LIMIT_PEM_BYTES && out->ptr[out->len - 1] != '\n')
            rc = cs_buf_append_u8(out, '\n');
    }
    return rc;
}

int cli_import_parse(struct cs_slice content, struct cs_chain **ret, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    int rc;

    if (cli_import_has(content, "-----BEGIN"))
        rc = cs_chain_parse_pem(content, &chain, err);
    else
        rc = cs_chain_parse(content, &chain, err);
    if (rc == CS_OK)
        rc = cs_chain_check_links(chain, err);
    if (rc == CS_OK)
        *ret = cs_steal(chain);
    return rc;
}

static int find_key(struct cli *cli, struct cs_slice content, struct cs_buf *pkcs8, struct cs_err *err)
{
    const char *path = cli_args_option(&cli->args, "key");

    if (path)
        return cli_key_file_read(cli, path, "passphrase-file", pkcs8, err);
    return cli_import_has(content, "PRIVATE KEY-----")
               ? cli_key_file_open(cli, content, cli->args.operands[0], "passphrase-file", pkcs8, err)
               : CS_OK;
}

static void certificate_fields(struct cli *cli, struct cli_doc *doc,
                               const countersign_v1_Certificate *certificate)
{
    char key[CLI_TEXT_BYTES], colour[CLI_TEXT_BYTES], place[CLI_TEXT_BYTES];
    struct cs_buf names = CS_BUF_EMPTY, groups = CS_BUF_EMPTY;

    for (pb_size_t i = 0; i < certificate->groups_count; i++)
        (void)!cs_buf_printf(&groups, "%s%s", i ? "\n" : "", certificate->groups[i]);
    for (pb_size_t i = 0; i < certificate->names_count; i++)
        (void)!cs_buf_printf(&names, "%s%s", i ? "\n" : "", certificate->names[i]);
    snprintf(colour, sizeof colour, "%s (%s)", cli_show_colour_word(certificate->colour),
             cli_show_colour_meaning(certificate->colour));
    cli_field(doc, "common_name", "Common name", cli_tinted(certificate->common_name, CLI_BOLD));
    cli_field(doc, "id", "Id (SHA-256)", cli_hex(CS_PB_BYTES(&certificate->id)));
    cli_field(doc, "colour", "Colour", cli_tinted(colour, cli_show_colour_tint(certificate->colour)));
    if (certificate->revoked_at_s) {
        cli_field(doc, "revoked_at", "Revoked", cli_time(certificate->revoked_at_s));
        cli_field(doc, "revocation_reason", "Because of",
                  cli_text(cs_crl_reason_text((unsigned)certificate->revocation_reason - 1)));
    }
    cli_field(doc, "issuer", "Issuer", cli_text(certificate->issuer));
    cli_field(doc, "serial", "Serial", cli_text(certificate->serial));
    cli_field(doc, "names", "Names", cli_list(cs_buf_slice(&names)));
    cli_field(doc, "not_before", "Valid from", cli_time(certificate->not_before_s));
    cli_field(doc, "not_after", "Valid until", cli_time(certificate->not_after_s));
    cli_field(doc, "key", "Key", cli_text(cli_show_key_kind(certificate->key, certificate->key_bits, key)));
    cli_field(doc, "key_mode", "Private key", cli_text(cli_show_key_mode(cli->style, certificate->key_mode)));
    if (certificate->key_mode == countersign_v1_KeyMode_KEY_MODE_ON_DEVICE)
        cli_field(doc, "made_for", "Made for",
                  cli_text(cli_show_target(certificate->device_name, certificate->connector, place)));
    cli_field(doc, "chain_count", "Certificates in chain", cli_number(certificate->chain_count));
    cli_field(doc, "attachments", "App connectors", cli_number(certificate->attachments));
    cli_field(doc, "groups", "Groups", cli_list(cs_buf_slice(&groups)));
    if (certificate->replaces.size)
        cli_field(doc, "replaces", "Renews", cli_hex(CS_PB_BYTES(&certificate->replaces)));
    if (certificate->replaced_by.size)
        cli_field(doc, "replaced_by", "Renewed by", cli_hex(CS_PB_BYTES(&certificate->replaced_by)));
    cli_field(doc, "imported_at", "Imported", cli_time(certificate->imported_at_s));
    cs_buf_free(&groups);
    cs_buf_free(&names);
}

static int print_imported(struct cli *cli, const countersign_v1_ImportCertificateResponse *reply,
                          struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    certificate_fields(cli, doc, &reply->certificate);
    cli_field(doc, "existed", "Was there before", cli_bool(reply->existed));
    if (reply->certificate.key_mode == countersign_v1_KeyMode_KEY_MODE_NONE)
        cli_hint(doc,
                 "The controller has no private key for it: seal the key to the devices with `countersign "
                 "push CERT --key FILE`, or import it again with --key FILE.");
    else if (reply->certificate.attachments == 0 &&
             reply->certificate.key_mode == countersign_v1_KeyMode_KEY_MODE_ON_DEVICE)
        cli_hint(doc, "Next: countersign cert attach \"%s\" %s %s", reply->certificate.common_name,
                 reply->certificate.device_name, reply->certificate.connector);
    else if (reply->certificate.attachments == 0)
        cli_hint(doc, "Next: countersign cert attach \"%s\" DEVICE CONNECTOR",
                 reply->certificate.common_name);
    return cli_write(cli, doc, err);
}

int cli_import_send(struct cli *cli, const struct cs_chain *chain, struct cs_slice pkcs8,
                    countersign_v1_ImportCertificateResponse *reply, struct cs_err *err)
{
    cs_auto_free countersign_v1_ImportCertificateRequest *request =
        CLI_NEW(countersign_v1_ImportCertificateRequest, err);
    struct cs_buf pem = CS_BUF_EMPTY;
    int rc = request ? cs_chain_write_pem(chain, &pem, err) : CS_ENOMEM;

    if (rc == CS_OK && pkcs8.len > sizeof request->private_key.bytes)
        rc = cs_err_set(err, CS_ETOOBIG, "the private key is larger than any that is supported");
    if (rc == CS_OK) {
        CS_PB_SET(&request->certificates, cs_buf_slice(&pem));
        CS_PB_SET(&request->private_key, pkcs8);
        rc = cli_call(cli, &cli_rpc_ImportCertificate, request, reply, err);
    }
    if (request)
        cs_wipe(request, sizeof *request);
    cs_buf_free(&pem);
    return rc;
}

static int import(struct cli *cli, const struct cs_chain *chain, struct cs_slice pkcs8, struct cs_err *err)
{
    cs_auto_free countersign_v1_ImportCertificateResponse *reply =
        CLI_NEW(countersign_v1_ImportCertificateResponse, err);
    int rc = reply ? cli_import_send(cli, chain, pkcs8, reply, err) : CS_ENOMEM;

    return rc == CS_OK ? print_imported(cli, reply, err) : rc;
}

/* For --dry-run: what the files hold; they were read and checked as for an import. */
static int show_import(struct cli *cli, const struct cs_chain *chain, bool key, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    struct cs_cert_info info;

    cs_chain_info(chain, 0, &info);
    cli_field(doc, "subject", "Would be imported", cli_tinted(info.subject, CLI_BOLD));
    cli_field(doc, "id", "Id", cli_hex(cs_digest_slice(&info.digest)));
    cli_named(doc);
    cli_field(doc, "issuer", "Issuer", cli_text(info.issuer));
    cli_field(doc, "not_after", "Valid until", cli_time(info.not_after_s));
    cli_field(doc, "chain_count", "Certificates", cli_number(cs_chain_count(chain)));
    cli_field(doc, "has_key", "With its private key", cli_bool(key));
    return cli_dry_end(cli, doc, err);
}

int cli_cert_import(struct cli *cli, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_buf content = CS_BUF_EMPTY, pkcs8 = CS_BUF_EMPTY;
    int rc;

    if (cli_import_is_many(cli))
        return cli_import_many(cli, err);
    rc = read_files(cli, &content, err);
    if (rc == CS_OK)
        rc = cli_import_parse(cs_buf_slice(&content), &chain, err);
    if (rc == CS_OK)
        rc = find_key(cli, cs_buf_slice(&content), &pkcs8, err);
    if (rc == CS_OK && pkcs8.len) {
        rc = cs_chain_check_key(chain, cs_buf_slice(&pkcs8), err);
        if (rc == CS_EAUTH)
            cs_err_set(
                err, rc,
                "the private key does not belong to the certificate: are the files a pair, with the leaf "
                "certificate first?");
    }
    if (rc == CS_OK)
        rc = cli_dry_run(cli) ? show_import(cli, chain, pkcs8.len > 0, err)
                              : import(cli, chain, cs_buf_slice(&pkcs8), err);
    cs_buf_wipe(&content);
    cs_buf_wipe(&pkcs8);
    return rc;
}

int cli_cert_show(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"subject", "SUBJECT", false},
        {"issuer", "ISSUER", false},
        {"not_after", "VALID UNTIL", false},
        {"digest", "SHA-256", false},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Certificate *certificate = NULL;
    struct cli_check_certificate checked = {0};
    int rc = cli_fetch_certificate(cli, cli->args.operands[0], &certificate, err);

    if (rc == CS_OK)
        rc = cli_fetch_chain(cli, CS_PB_BYTES(&certificate->id), &checked, err);
    if (rc != CS_OK)
        return rc;
    certificate_fields(cli, doc, certificate);
    cli_field(doc, "chain_digest", "Chain (SHA-256)", cli_hex(cs_digest_slice(&checked.chain_digest)));
    cli_table(doc, "chain", columns, CS_ARRAY_LEN(columns), NULL);
    for (size_t i = 0; i < cs_chain_count(checked.chain); i++) {
        struct cs_cert_info info;

        cs_chain_info(checked.chain, i, &info);
        CLI_ROW(doc, cli_text(info.subject), cli_text(info.issuer), cli_time(info.not_after_s),
                cli_hex(cs_digest_slice(&info.digest)));
    }
    cli_check_certificate_free(&checked);
    return cli_write(cli, doc, err);
}

/* The operands CERT DEVICE CONNECTOR, looked up. */
static int read_attachment(struct cli *cli, countersign_v1_AttachRequest *ret,
                           countersign_v1_Certificate **ret_certificate, struct cs_err *err)
{
    const char *device = cli->args.operands[1], *connector = cli->args.operands[2];
    int rc = cs_name_check(cs_slice_str(device), "the device's name", err);

    if (rc == CS_OK)
        rc = cs_name_check(cs_slice_str(connector), "the connector's name", err);
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = cli_fetch_certificate(cli, cli->args.operands[0], ret_certificate, err);
    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&ret->certificate_id, CS_PB_BYTES(&(*ret_certificate)->id));
    snprintf(ret->device_name, sizeof ret->device_name, "%s", device);
    snprintf(ret->connector, sizeof ret->connector, "%s", connector);
    return CS_OK;
}

static void attachment_fields(struct cli_doc *doc, const countersign_v1_Certificate *certificate,
                              const char *label, const countersign_v1_AttachRequest *attachment)
{
    char target[CLI_TEXT_BYTES];

    cli_field(doc, "certificate", "Certificate", cli_tinted(certificate->common_name, CLI_BOLD));
    cli_field(doc, "certificate_id", "Id", cli_hex(CS_PB_BYTES(&certificate->id)));
    cli_field(doc, "connector", label,
              cli_text(cli_show_target(attachment->device_name, attachment->connector, target)));
}

/* For --dry-run: the device has that app connector. */
static int check_attachable(struct cli *cli, const countersign_v1_AttachRequest *attachment,
                            struct cs_err *err)
{
    cs_auto_free countersign_v1_GetDeviceResponse *device = NULL;
    int rc = cli_fetch_device(cli, attachment->device_name, &device, err);

    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < device->device.connectors_count; i++)
        if (strcmp(device->device.connectors[i].name, attachment->connector) == 0)
            return CS_OK;
    return cs_err_set(err, CS_ENOTFOUND, "device %s has no app connector %s: countersign device show %s",
                      attachment->device_name, attachment->connector, attachment->device_name);
}

int cli_cert_attach(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Certificate *certificate = NULL;
    countersign_v1_AttachRequest request = {0};
    countersign_v1_AttachResponse reply;
    int rc = read_attachment(cli, &request, &certificate, err);

    if (rc == CS_OK && cli_dry_run(cli)) {
        rc = check_attachable(cli, &request, err);
        attachment_fields(doc, certificate, "Would be attached to", &request);
        return rc == CS_OK ? cli_dry_end(cli, doc, err) : rc;
    }
    if (rc == CS_OK)
        rc = cli_call(cli, &cli_rpc_Attach, &request, &reply, err);
    if (rc != CS_OK)
        return rc;
    attachment_fields(doc, certificate, "Attached to", &request);
    cli_hint(doc, "Next: countersign push \"%s\" --comment TEXT --as REQUESTER", certificate->common_name);
    return cli_write(cli, doc, err);
}

int cli_cert_detach(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Certificate *certificate = NULL;
    countersign_v1_AttachRequest attachment = {0};
    countersign_v1_DetachRequest request = {0};
    countersign_v1_DetachResponse reply;
    int rc = read_attachment(cli, &attachment, &certificate, err);

    if (rc == CS_OK && cli_dry_run(cli)) {
        attachment_fields(doc, certificate, "Would be detached from", &attachment);
        return cli_dry_end(cli, doc, err);
    }
    if (rc == CS_OK) {
        CS_PB_SET(&request.certificate_id, CS_PB_BYTES(&attachment.certificate_id));
        memcpy(request.device_name, attachment.device_name, sizeof request.device_name);
        memcpy(request.connector, attachment.connector, sizeof request.connector);
        rc = cli_call(cli, &cli_rpc_Detach, &request, &reply, err);
    }
    if (rc != CS_OK)
        return rc;
    attachment_fields(doc, certificate, "Detached from", &attachment);
    return cli_write(cli, doc, err);
}
