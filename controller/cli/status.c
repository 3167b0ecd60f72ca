/* countersign status, audit … - the controller itself. */
#include "controller/cli/nouns.h"

int status_run(struct cli *cli, struct cs_err *err)
{
    cs_auto(out_freep) struct out_doc *doc = out_new();
    cs_auto_free countersign_v1_GetStatusResponse *status = CLI_NEW(countersign_v1_GetStatusResponse, err);
    countersign_v1_GetStatusRequest request = {0};
    int rc;

    if (!status)
        return CS_ENOMEM;
    rc = cli_call(cli, &RPC_GetStatus, &request, status, err);
    if (rc != CS_OK)
        return rc;
    out_field(doc, "version", "Controller", out_text(status->version));
    out_field(doc, "socket", "At", out_text(cli->home.socket));
    out_field(doc, "deployment_id", "Deployment", out_hex(CS_PB_BYTES(&status->deployment_id)));
    out_field(doc, "policy_version", "Policy version", out_number(status->policy_version));
    out_field(doc, "schema", "Store schema", out_number(status->schema));
    out_field(doc, "revision", "Revision", out_number(status->revision));
    out_field(doc, "time", "Its time", out_time(status->time_s));
    out_field(doc, "devices", "Devices", out_number(status->devices));
    out_field(doc, "devices_connected", "Devices connected", out_number(status->devices_connected));
    out_field(doc, "certificates", "Certificates", out_number(status->certificates));
    out_field(doc, "requests_open", "Open requests", out_number(status->requests_open));
    out_field(doc, "orders_open", "Open work orders", out_number(status->orders_open));
    if (status->policy_version == 0)
        out_hint(doc, "It has no trust policy yet: countersign trust init --help");
    return cli_write(cli, doc, err);
}

int audit_list(struct cli *cli, struct cs_err *err)
{
    static const struct out_column columns[] = {
        {"revision", "REVISION", true}, {"time", "TIME", false},       {"command", "COMMAND", false},
        {"actor", "ACTOR", false},      {"subject", "SUBJECT", false}, {"peer", "PEER", false},
        {"detail", "DETAIL", false},    {"hash", "HASH", false},
    };
    const char *after = args_option(&cli->args, "after");
    cs_auto(out_freep) struct out_doc *doc = out_new();
    cs_auto_free countersign_v1_ListAuditResponse *reply = CLI_NEW(countersign_v1_ListAuditResponse, err);
    countersign_v1_ListAuditRequest request = {0};
    int rc = after ? args_number(after, "", &request.after_revision, err) : CS_OK;

    if (!reply)
        return CS_ENOMEM;
    if (rc != CS_OK)
        return cli_usage(cli, err, "--after is the number of a revision");
    out_table(doc, "records", columns, CS_ARRAY_LEN(columns), "Nothing has been recorded yet.");
    do {
        rc = cli_call(cli, &RPC_ListAudit, &request, reply, err);
        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->records_count; i++) {
            const countersign_v1_AuditRecord *record = &reply->records[i];

            OUT_ROW(doc, out_number(record->revision), out_time(record->time_s), out_text(record->command),
                    out_text(record->actor), out_text(record->subject), out_text(record->peer),
                    out_text(record->detail), out_hex(CS_PB_BYTES(&record->hash)));
            request.after_revision = record->revision;
        }
    } while (reply->more && reply->records_count);
    return cli_write(cli, doc, err);
}
