/* countersign status - the controller itself. */
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include <stdio.h>

/* "3 orange, 120 green": the worst first. Nothing is said where the store is not counted yet, or a controller
 * does not know the question: what stands above and below is true without it. */
static void show_colours(struct cli *cli, struct cli_doc *doc)
{
    struct cs_err err;
    cs_auto_free countersign_v1_GetSummaryResponse *summary =
        CLI_NEW(countersign_v1_GetSummaryResponse, &err);
    const countersign_v1_GetSummaryRequest request = {0};
    char text[256] = "";
    size_t used = 0;

    if (!summary || cli_call(cli, &cli_rpc_GetSummary, &request, summary, &err) != CS_OK)
        return;
    for (size_t i = summary->colours_count; i > 0; i--)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%u %s", used ? ", " : "",
                                 (unsigned)summary->colours[i - 1].certificates,
                                 cli_show_colour_word(summary->colours[i - 1].colour));
    if (used)
        cli_field(doc, "colours", "By colour", cli_text(text));
}

int cli_status_run(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_GetStatusResponse *status = CLI_NEW(countersign_v1_GetStatusResponse, err);
    countersign_v1_GetStatusRequest request = {0};
    int rc;

    if (!status)
        return CS_ENOMEM;
    cli->keep_checkpoint = true;
    rc = cli_call(cli, &cli_rpc_GetStatus, &request, status, err);
    if (rc != CS_OK)
        return rc;
    cli_field(doc, "version", "Controller", cli_text(status->version));
    cli_field(doc, "socket", "At",
              cli_text(cli->home.controller[0] ? cli->home.controller : cli->home.socket));
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_PB_BYTES(&status->deployment_id)));
    cli_field(doc, "policy_version", "Policy version", cli_number(status->policy_version));
    cli_field(doc, "schema", "Store schema", cli_number(status->schema));
    cli_field(doc, "revision", "Revision", cli_number(status->revision));
    cli_field(doc, "time", "Its time", cli_time(status->time_s));
    cli_field(doc, "devices", "Devices", cli_number(status->devices));
    cli_field(doc, "devices_connected", "Devices connected", cli_number(status->devices_connected));
    cli_field(doc, "certificates", "Certificates", cli_number(status->certificates));
    show_colours(cli, doc);
    cli_field(doc, "requests_open", "Open requests", cli_number(status->requests_open));
    cli_field(doc, "orders_open", "Open work orders", cli_number(status->orders_open));
    if (status->policy_version == 0)
        cli_hint(doc, "It has no trust policy yet: countersign trust init --help");
    return cli_write(cli, doc, err);
}
