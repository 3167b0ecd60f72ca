/* countersign cert group - which groups a certificate is in. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"

#include "shared/base/text.h"

static int find_group(const countersign_v1_SetCertificateGroupsRequest *request, const char *name)
{
    for (pb_size_t i = 0; i < request->groups_count; i++)
        if (strcmp(request->groups[i], name) == 0)
            return (int)i;
    return -1;
}

static int add_group(struct cli *cli, countersign_v1_SetCertificateGroupsRequest *request, const char *name,
                     struct cs_err *err)
{
    if (find_group(request, name) >= 0)
        return CS_OK;
    if (request->groups_count == CS_ARRAY_LEN(request->groups))
        return cli_usage(cli, err, "a certificate is in %zu groups at most: take one away with -NAME",
                         CS_ARRAY_LEN(request->groups));
    snprintf(request->groups[request->groups_count++], sizeof request->groups[0], "%s", name);
    return CS_OK;
}

static void remove_group(countersign_v1_SetCertificateGroupsRequest *request, const char *name)
{
    int at = find_group(request, name);

    if (at < 0)
        return;
    request->groups_count--;
    memmove(request->groups[at], request->groups[at + 1],
            ((size_t)request->groups_count - (size_t)at) * sizeof request->groups[0]);
}

/* "+prod" or "prod" adds, "-lab" takes away. */
static int change_group(struct cli *cli, countersign_v1_SetCertificateGroupsRequest *request,
                        const char *change, struct cs_err *err)
{
    const char *name = change + (*change == '+' || *change == '-');

    if (cs_name_check(cs_slice_str(name), "the group", err) != CS_OK) {
        cli->failure = CLI_USAGE;
        return err ? err->code : CS_EINVAL;
    }
    if (*change == '-') {
        remove_group(request, name);
        return CS_OK;
    }
    return add_group(cli, request, name, err);
}

int cli_cert_group(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Certificate *certificate = NULL;
    countersign_v1_SetCertificateGroupsRequest request = {0};
    countersign_v1_SetCertificateGroupsResponse reply;
    struct cs_buf groups = CS_BUF_EMPTY;
    int rc = cli_fetch_certificate(cli, cli->args.operands[0], &certificate, err);

    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&request.certificate_id, CS_PB_BYTES(&certificate->id));
    for (pb_size_t i = 0; i < certificate->groups_count; i++)
        memcpy(request.groups[request.groups_count++], certificate->groups[i], sizeof request.groups[0]);
    for (size_t i = 1; rc == CS_OK && i < cli->args.operand_count; i++)
        rc = change_group(cli, &request, cli->args.operands[i], err);
    if (rc == CS_OK && cli->args.operand_count > 1 && !cli_dry_run(cli))
        rc = cli_call(cli, &cli_rpc_SetCertificateGroups, &request, &reply, err);
    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < request.groups_count; i++)
        (void)!cs_buf_printf(&groups, "%s%s", i ? "\n" : "", request.groups[i]);
    cli_field(doc, "certificate", "Certificate", cli_tinted(certificate->common_name, CLI_BOLD));
    cli_field(doc, "certificate_id", "Id", cli_hex(CS_PB_BYTES(&certificate->id)));
    cli_named(doc);
    cli_field(doc, "groups", "Groups", cli_list(cs_buf_slice(&groups)));
    cs_buf_free(&groups);
    return cli_dry_run(cli) ? cli_dry_end(cli, doc, err) : cli_write(cli, doc, err);
}
