/* countersign device … - the machines that run the agent. */
#include "controller/cli/check.h"
#include "controller/cli/fetch.h"
#include "controller/cli/known.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

enum { PAGE = 16 };

static void join_groups(const countersign_v1_Device *device, struct cs_buf *out)
{
    for (pb_size_t i = 0; i < device->groups_count; i++)
        (void)!cs_buf_printf(out, "%s%s", i ? "\n" : "", device->groups[i]);
}

int cli_device_list(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"name", "DEVICE", false},           {"state", "STATE", false},
        {"connectors", "CONNECTORS", false}, {"groups", "GROUPS", false},
        {"platform", "PLATFORM", CLI_WIDE},  {"agent_version", "AGENT", CLI_WIDE},
        {"last_seen", "LAST SEEN", false},   {"identity_until", "IDENTITY UNTIL", CLI_WIDE},
        {"device_id", "DEVICE-ID", false},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListDevicesResponse *reply = CLI_NEW(countersign_v1_ListDevicesResponse, err);
    const char *group = cli_args_option(&cli->args, "group");
    const char *search = cli_args_option(&cli->args, "search");
    countersign_v1_ListDevicesRequest request = {.limit = PAGE};
    int rc = group ? cs_name_check(cs_slice_str(group), "--group", err) : CS_OK;

    if (rc == CS_OK && search)
        rc = cs_name_check(cs_slice_str(search), "--search", err);
    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    if (!reply)
        return CS_ENOMEM;
    snprintf(request.group, sizeof request.group, "%s", group ? group : "");
    snprintf(request.search, sizeof request.search, "%s", search ? search : "");
    cli_table(doc, "devices", columns, CS_ARRAY_LEN(columns),
              group || search ? "There is no such device."
                              : "There are no devices yet: countersign device add NAME --wait --as ADMIN");
    do {
        rc = cli_call(cli, &cli_rpc_ListDevices, &request, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->devices_count; i++) {
            const countersign_v1_Device *device = &reply->devices[i];
            struct cs_buf names = CS_BUF_EMPTY, groups = CS_BUF_EMPTY;

            for (pb_size_t k = 0; k < device->connectors_count; k++)
                (void)!cs_buf_printf(&names, "%s%s", k ? "\n" : "", device->connectors[k].name);
            join_groups(device, &groups);
            CLI_ROW(doc, cli_text(device->name),
                    cli_tinted(cli_show_presence(device), cli_show_presence_tint(device)),
                    cli_list(cs_buf_slice(&names)), cli_list(cs_buf_slice(&groups)),
                    cli_text(device->platform), cli_text(device->agent_version),
                    cli_time(device->last_seen_s), cli_time(device->identity_until_s),
                    cli_hex(CS_PB_BYTES(&device->device_id)));
            cs_buf_free(&names);
            cs_buf_free(&groups);
            if (strcmp(device->name, request.after_name) <= 0)
                return cs_err_set(err, CS_EAUTH, "the controller gave device %s twice: its list has no end",
                                  device->name);
            memcpy(request.after_name, device->name, sizeof request.after_name);
        }
        rc = cli_page(cli, doc, err);
        if (rc != CS_OK)
            return rc;
    } while (reply->more && reply->devices_count);
    return cli_write(cli, doc, err);
}

/* Who vouches for the device: said from the signed admission, not from the controller's word. */
static void show_trust_in(struct cli *cli, struct cli_doc *doc, const countersign_v1_GetDeviceResponse *reply)
{
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    cs_auto_free countersign_v1_DeviceAdvertisement *said = NULL;
    const countersign_v1_Admission *admission;
    const struct cs_policy *policy;
    struct cs_err why;
    int rc = cli_policy(cli, &policy, &why);

    if (rc == CS_OK)
        rc = cli_known_open(cli, reply, reply->device.name, &device, &why);
    if (rc != CS_OK) {
        cli_field(doc, "admission", "Admission", cli_tinted(why.msg, CLI_YELLOW));
        return;
    }
    admission = cs_device_admission(device);
    cli_field(doc, "admission", "Admission", cli_tinted("signed by an admin of the trust policy", CLI_GREEN));
    cli_field(doc, "admitted_by", "Admitted by", cli_text(admission->admin));
    cli_field(doc, "admitted_at", "Admitted at", cli_time(admission->admitted_at_s));
    cli_field(doc, "renewals", "Renewals since", cli_number(cs_device_renewals(device)));
    rc = cli_check_advertisement(device, CS_PB_BYTES(&reply->advertisement), &said, &why);
    cli_field(doc, "advertisement", "Connectors stated by",
              rc == CS_OK ? cli_tinted("the device itself", CLI_GREEN) : cli_tinted(why.msg, CLI_YELLOW));
}

int cli_device_show(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"name", "CONNECTOR", false},
        {"application", "APPLICATION", false},
        {"generation", "GENERATION", true},
        {"certificate_id", "CERTIFICATE", false},
        {"installed_digest", "INSTALLED CHAIN", false},
        {"remark", "REMARK", false},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_GetDeviceResponse *reply = NULL;
    cs_auto(cs_buf_free) struct cs_buf groups = CS_BUF_EMPTY;
    const countersign_v1_Device *device;
    int rc = cli_fetch_device(cli, cli->args.operands[0], &reply, err);

    if (rc != CS_OK)
        return rc;
    device = &reply->device;
    cli_field(doc, "name", "Device", cli_tinted(device->name, CLI_BOLD));
    cli_field(doc, "state", "State", cli_tinted(cli_show_presence(device), cli_show_presence_tint(device)));
    cli_field(doc, "device_id", "Device-id", cli_hex(CS_PB_BYTES(&device->device_id)));
    cli_field(doc, "platform", "Platform", cli_text(device->platform));
    cli_field(doc, "agent_version", "Agent", cli_text(device->agent_version));
    cli_field(doc, "address", "Address", cli_text(device->address));
    cli_field(doc, "last_seen", "Last seen", cli_time(device->last_seen_s));
    cli_field(doc, "policy_version", "Policy version", cli_number(device->policy_version));
    cli_field(doc, "identity_until", "Identity until", cli_time(device->identity_until_s));
    join_groups(device, &groups);
    cli_field(doc, "groups", "Groups", cli_list(cs_buf_slice(&groups)));
    cli_field(doc, "banned", "Banned", cli_bool(device->banned));
    cli_field(doc, "quarantined", "Quarantined", cli_bool(device->quarantined));
    cli_field(doc, "waits_for_admission", "Waits for admission", cli_bool(device->waits_for_admission));
    show_trust_in(cli, doc, reply);
    cli_table(doc, "connectors", columns, CS_ARRAY_LEN(columns),
              "It has no app connectors: declare one on the device.");
    for (pb_size_t i = 0; i < device->connectors_count; i++) {
        const countersign_v1_DeviceConnector *connector = &device->connectors[i];

        CLI_ROW(doc, cli_text(connector->name), cli_text(connector->application),
                cli_number(connector->generation), cli_hex(CS_PB_BYTES(&connector->certificate_id)),
                cli_hex(CS_PB_BYTES(&connector->installed_digest)), cli_text(connector->remark));
    }
    return cli_write(cli, doc, err);
}

int cli_device_ban(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *what = cli_doc_new();
    cs_auto(cli_doc_freep) struct cli_doc *done = cli_doc_new();
    cs_auto_free countersign_v1_BanDeviceRequest *request = CLI_NEW(countersign_v1_BanDeviceRequest, err);
    countersign_v1_BanDeviceResponse reply;
    const char *device = cli->args.operands[0];
    const char *comment = NULL;
    int rc = cs_name_check(cs_slice_str(device), "the device's name", err);

    if (!request)
        return CS_ENOMEM;
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = cli_comment(cli, &comment, err);
    if (rc != CS_OK)
        return rc;
    cli_field(what, "device", "Device", cli_tinted(device, CLI_BOLD));
    cli_field(what, "comment", "Comment", cli_text(comment));
    if (cli_dry_run(cli))
        return cli_dry_end(cli, what, err);
    rc = cli_confirm(cli, what, "Ban this device?", err);
    if (rc != CS_OK)
        return rc;
    snprintf(request->name, sizeof request->name, "%s", device);
    snprintf(request->comment, sizeof request->comment, "%s", comment);
    rc = cli_call(cli, &cli_rpc_BanDevice, request, &reply, err);
    if (rc != CS_OK)
        return rc;
    cli_field(done, "device", "Device", cli_tinted(device, CLI_BOLD));
    cli_field(done, "state", "State", cli_tinted("banned", CLI_RED));
    cli_hint(done, "A new admission lifts it: countersign device admit %s", device);
    return cli_write(cli, done, err);
}

int cli_device_group(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto(cs_buf_free) struct cs_buf groups = CS_BUF_EMPTY;
    countersign_v1_SetDeviceGroupsRequest request = {0};
    countersign_v1_SetDeviceGroupsResponse reply;
    const char *const *operands = cli->args.operands;
    int rc = cs_name_check(cs_slice_str(operands[0]), "the device's name", err);

    if ((cli->args.operand_count > 1) == cli_args_flag(&cli->args, "none"))
        return cli_usage(cli, err, "give the groups that the device is in, or --none");
    snprintf(request.device_name, sizeof request.device_name, "%s", operands[0]);
    for (size_t i = 1; rc == CS_OK && i < cli->args.operand_count; i++) {
        cs_assert(request.groups_count < CS_ARRAY_LEN(request.groups));
        rc = cs_name_check(cs_slice_str(operands[i]), "the group's name", err);
        snprintf(request.groups[request.groups_count++], sizeof request.groups[0], "%s", operands[i]);
        (void)!cs_buf_printf(&groups, "%s%s", i > 1 ? "\n" : "", operands[i]);
    }
    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    if (!cli_dry_run(cli))
        rc = cli_call(cli, &cli_rpc_SetDeviceGroups, &request, &reply, err);
    if (rc != CS_OK)
        return rc;
    cli_field(doc, "device", "Device", cli_tinted(operands[0], CLI_BOLD));
    cli_field(doc, "groups", "Groups", cli_list(cs_buf_slice(&groups)));
    return cli_dry_run(cli) ? cli_dry_end(cli, doc, err) : cli_write(cli, doc, err);
}
