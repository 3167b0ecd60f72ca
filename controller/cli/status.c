/* countersign status, audit … - the controller itself. */
#include "controller/cli/nouns.h"

int cli_status_run(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_GetStatusResponse *status = CLI_NEW(countersign_v1_GetStatusResponse, err);
    countersign_v1_GetStatusRequest request = {0};
    int rc;

    if (!status)
        return CS_ENOMEM;
    rc = cli_call(cli, &cli_rpc_GetStatus, &request, status, err);
    if (rc != CS_OK)
        return rc;
    cli_field(doc, "version", "Controller", cli_text(status->version));
    cli_field(doc, "socket", "At", cli_text(cli->home.socket));
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_PB_BYTES(&status->deployment_id)));
    cli_field(doc, "policy_version", "Policy version", cli_number(status->policy_version));
    cli_field(doc, "schema", "Store schema", cli_number(status->schema));
    cli_field(doc, "revision", "Revision", cli_number(status->revision));
    cli_field(doc, "time", "Its time", cli_time(status->time_s));
    cli_field(doc, "devices", "Devices", cli_number(status->devices));
    cli_field(doc, "devices_connected", "Devices connected", cli_number(status->devices_connected));
    cli_field(doc, "certificates", "Certificates", cli_number(status->certificates));
    cli_field(doc, "requests_open", "Open requests", cli_number(status->requests_open));
    cli_field(doc, "orders_open", "Open work orders", cli_number(status->orders_open));
    if (status->policy_version == 0)
        cli_hint(doc, "It has no trust policy yet: countersign trust init --help");
    return cli_write(cli, doc, err);
}

int cli_audit_list(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"revision", "REVISION", true}, {"time", "TIME", false},       {"command", "COMMAND", false},
        {"actor", "ACTOR", false},      {"subject", "SUBJECT", false}, {"peer", "PEER", false},
        {"detail", "DETAIL", false},    {"hash", "HASH", false},
    };
    const char *after = cli_args_option(&cli->args, "after");
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListAuditResponse *reply = CLI_NEW(countersign_v1_ListAuditResponse, err);
    countersign_v1_ListAuditRequest request = {0};
    int rc = after ? cli_args_number(after, "", &request.after_revision, err) : CS_OK;

    if (!reply)
        return CS_ENOMEM;
    if (rc != CS_OK)
        return cli_usage(cli, err, "--after is the number of a revision");
    cli_table(doc, "records", columns, CS_ARRAY_LEN(columns), "Nothing has been recorded yet.");
    do {
        rc = cli_call(cli, &cli_rpc_ListAudit, &request, reply, err);
        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->records_count; i++) {
            const countersign_v1_AuditRecord *record = &reply->records[i];

            CLI_ROW(doc, cli_number(record->revision), cli_time(record->time_s), cli_text(record->command),
                    cli_text(record->actor), cli_text(record->subject), cli_text(record->peer),
                    cli_text(record->detail), cli_hex(CS_PB_BYTES(&record->hash)));
            request.after_revision = record->revision;
        }
    } while (reply->more && reply->records_count);
    return cli_write(cli, doc, err);
}
