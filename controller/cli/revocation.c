/* countersign cert revoke, countersign crl … - what is not to be trusted any more. */
#include "controller/cli/fetch.h"
#include "controller/cli/file.h"
#include "controller/cli/nearest.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/crypto/crl.h"

/* RFC 5280 section 5.3.1 has 0 to 10. */
enum { REASONS_MOST = 11 };

static int read_reason(struct cli *cli, countersign_v1_RevocationReason *ret, struct cs_err *err)
{
    const char *word = cli_args_option(&cli->args, "reason");
    unsigned reason;

    if (word && cs_crl_reason_of(word, &reason)) {
        *ret = (countersign_v1_RevocationReason)(reason + 1);
        return CS_OK;
    }
    cli->failure = CLI_USAGE;
    if (word) {
        const char *words[REASONS_MOST + 1] = {NULL};
        size_t count = 0;

        for (unsigned i = 0; i < REASONS_MOST; i++)
            if (i != CS_CRL_REASON_HOLD && cs_crl_reason_text(i))
                words[count++] = cs_crl_reason_text(i);
        return cli_choose(word, "--reason", words, &count, err);
    }
    return cs_err_set(err, CS_EINVAL,
                      "say why with --reason; `countersign cert revoke --help` lists the reasons");
}

static void fields(struct cli_doc *doc, const countersign_v1_Certificate *certificate,
                   const countersign_v1_RevokeCertificateRequest *request)
{
    cli_field(doc, "certificate", "Certificate", cli_tinted(certificate->common_name, CLI_BOLD));
    cli_field(doc, "certificate_id", "Id", cli_hex(CS_PB_BYTES(&certificate->id)));
    cli_field(doc, "reason", "Reason", cli_text(cs_crl_reason_text((unsigned)request->reason - 1)));
    cli_field(doc, "comment", "Comment", cli_text(request->comment));
}

int cli_cert_revoke(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *what = cli_doc_new();
    cs_auto(cli_doc_freep) struct cli_doc *done = cli_doc_new();
    cs_auto_free countersign_v1_RevokeCertificateRequest *request =
        CLI_NEW(countersign_v1_RevokeCertificateRequest, err);
    cs_auto_free countersign_v1_Certificate *certificate = NULL;
    countersign_v1_RevokeCertificateResponse reply;
    const char *comment = NULL;
    int rc;

    if (!request)
        return CS_ENOMEM;
    rc = read_reason(cli, &request->reason, err);
    if (rc == CS_OK)
        rc = cli_comment(cli, &comment, err);
    if (rc == CS_OK)
        rc = cli_fetch_certificate(cli, cli->args.operands[0], &certificate, err);
    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&request->certificate_id, CS_PB_BYTES(&certificate->id));
    snprintf(request->comment, sizeof request->comment, "%s", comment);
    fields(what, certificate, request);
    if (cli_dry_run(cli))
        return cli_dry_end(cli, what, err);
    rc = cli_confirm(cli, what, "Revoke this certificate? It cannot be taken back.", err);
    if (rc == CS_OK)
        rc = cli_call(cli, &cli_rpc_RevokeCertificate, request, &reply, err);
    if (rc != CS_OK)
        return rc;
    fields(done, certificate, request);
    cli_field(done, "colour", "Colour",
              cli_tinted(cli_show_colour_word(countersign_v1_Colour_COLOUR_BLACK),
                         cli_show_colour_tint(countersign_v1_Colour_COLOUR_BLACK)));
    return cli_write(cli, done, err);
}

/* ---- lists */

/* As DER, which is smaller; what is no list is said here already. */
static int read_crl(const char *path, countersign_v1_ImportCrlRequest *ret, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf file = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf der = CS_BUF_EMPTY;
    struct cs_crl crl;
    int rc = cli_file_read(path, CS_LIMIT_CRL_BYTES, &file, err);

    if (rc == CS_OK)
        rc = cs_crl_read(cs_buf_slice(&file), &der, err);
    if (rc == CS_OK)
        rc = cs_crl_parse(cs_buf_slice(&der), &crl, err);
    if (rc != CS_OK)
        return cs_err_prefix(err, "%s", path);
    if (der.len > sizeof ret->crl.bytes)
        return cs_err_set(err, CS_ETOOBIG,
                          "%s has %zu bytes: put it into the controller's watched folder (`crls` in its "
                          "configuration)",
                          path, der.len);
    CS_PB_SET(&ret->crl, cs_buf_slice(&der));
    return CS_OK;
}

/* Its chain may stand behind it: what signed the list is found there. */
static int read_issuer(struct cli *cli, countersign_v1_ImportCrlRequest *ret, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf file = CS_BUF_EMPTY;
    const char *path = cli_args_option(&cli->args, "issuer");
    int rc;

    if (!path)
        return CS_OK;
    rc = cli_file_read(path, sizeof ret->issuer.bytes, &file, err);
    if (rc == CS_OK)
        CS_PB_SET(&ret->issuer, cs_buf_slice(&file));
    return rc;
}

int cli_crl_import(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ImportCrlRequest *request = CLI_NEW(countersign_v1_ImportCrlRequest, err);
    countersign_v1_ImportCrlResponse reply;
    int rc;

    if (!request)
        return CS_ENOMEM;
    rc = read_crl(cli->args.operands[0], request, err);
    if (rc == CS_OK)
        rc = read_issuer(cli, request, err);
    if (rc == CS_OK)
        rc = cli_call(cli, &cli_rpc_ImportCrl, request, &reply, err);
    if (rc != CS_OK)
        return rc;
    cli_field(doc, "issuer", "Issuer", cli_tinted(reply.issuer, CLI_BOLD));
    cli_field(doc, "entries", "Entries", cli_number(reply.entries));
    cli_field(doc, "revoked", "Became revoked here", cli_number(reply.revoked));
    cli_field(doc, "existed", "Was known before", cli_bool(reply.existed));
    return cli_write(cli, doc, err);
}

int cli_crl_list(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"issuer", "ISSUER", false},    {"number", "NUMBER", false},  {"this_update", "OF", false},
        {"next_update", "NEXT", false}, {"entries", "ENTRIES", true}, {"imported_at", "IMPORTED", false},
        {"source", "FROM", false},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListCrlsRequest *request = CLI_NEW(countersign_v1_ListCrlsRequest, err);
    cs_auto_free countersign_v1_ListCrlsResponse *reply = CLI_NEW(countersign_v1_ListCrlsResponse, err);

    if (!request || !reply)
        return CS_ENOMEM;
    cli_table(doc, "crls", columns, CS_ARRAY_LEN(columns),
              "No CRL is known yet: countersign crl import FILE, or let the controller watch a folder");
    do {
        int rc = cli_call(cli, &cli_rpc_ListCrls, request, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->crls_count; i++) {
            const countersign_v1_Crl *crl = &reply->crls[i];

            CLI_ROW(doc, cli_text(crl->issuer), cli_text(crl->number), cli_time(crl->this_update_s),
                    cli_time(crl->next_update_s), cli_number(crl->entries), cli_time(crl->imported_at_s),
                    cli_text(crl->source));
        }
        if (reply->crls_count)
            snprintf(request->after_issuer, sizeof request->after_issuer, "%s",
                     reply->crls[reply->crls_count - 1].issuer);
        rc = cli_page(cli, doc, err);
        if (rc != CS_OK)
            return rc;
    } while (reply->more && reply->crls_count);
    return cli_write(cli, doc, err);
}
