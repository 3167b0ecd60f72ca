/* countersign device … - the machines that run the agent. */
#include "controller/cli/check.h"
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

enum { PAGE = 16 };

static const char *presence(const countersign_v1_Device *device)
{
    return !device->admitted ? "not admitted" : device->connected ? "connected" : "offline";
}

static enum out_tint presence_tint(const countersign_v1_Device *device)
{
    return !device->admitted ? OUT_YELLOW : device->connected ? OUT_GREEN : OUT_GRAY;
}

int device_list(struct cli *cli, struct cs_err *err)
{
    static const struct out_column columns[] = {
        {"name", "DEVICE", false},           {"state", "STATE", false},
        {"connectors", "CONNECTORS", false}, {"platform", "PLATFORM", false},
        {"agent_version", "AGENT", false},   {"last_seen", "LAST SEEN", false},
        {"device_id", "DEVICE-ID", false},
    };
    cs_auto(out_freep) struct out_doc *doc = out_new();
    cs_auto_free countersign_v1_ListDevicesResponse *reply = CLI_NEW(countersign_v1_ListDevicesResponse, err);
    countersign_v1_ListDevicesRequest request = {.limit = PAGE};

    if (!reply)
        return CS_ENOMEM;
    out_table(doc, "devices", columns, CS_ARRAY_LEN(columns),
              "There are no devices yet: countersign device add NAME --wait --as ADMIN");
    do {
        int rc = cli_call(cli, &RPC_ListDevices, &request, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->devices_count; i++) {
            const countersign_v1_Device *device = &reply->devices[i];
            struct cs_buf names = CS_BUF_EMPTY;

            for (pb_size_t k = 0; k < device->connectors_count; k++)
                (void)!cs_buf_printf(&names, "%s%s", k ? "\n" : "", device->connectors[k].name);
            OUT_ROW(doc, out_text(device->name), out_tinted(presence(device), presence_tint(device)),
                    out_list(cs_buf_slice(&names)), out_text(device->platform),
                    out_text(device->agent_version), out_time(device->last_seen_s),
                    out_hex(CS_PB_BYTES(&device->device_id)));
            cs_buf_free(&names);
            memcpy(request.after_name, device->name, sizeof request.after_name);
        }
    } while (reply->more && reply->devices_count);
    return cli_write(cli, doc, err);
}

/* Who vouches for the device: said from the signed admission, not from the controller's word. */
static void show_trust_in(struct cli *cli, struct out_doc *doc, const countersign_v1_GetDeviceResponse *reply)
{
    cs_auto_free countersign_v1_Admission *admission = NULL;
    cs_auto_free countersign_v1_DeviceAdvertisement *said = NULL;
    const struct cs_policy *policy;
    struct cs_err why;
    int rc = cli_policy(cli, &policy, &why);

    if (rc == CS_OK)
        rc = check_admission(policy, CS_PB_BYTES(&reply->admission), reply->device.name, &admission, &why);
    if (rc != CS_OK) {
        out_field(doc, "admission", "Admission", out_tinted(why.msg, OUT_YELLOW));
        return;
    }
    out_field(doc, "admission", "Admission", out_tinted("signed by an admin of the trust policy", OUT_GREEN));
    out_field(doc, "admitted_by", "Admitted by", out_text(admission->admin));
    out_field(doc, "admitted_at", "Admitted at", out_time(admission->admitted_at_s));
    rc = check_advertisement(admission, CS_PB_BYTES(&reply->advertisement), &said, &why);
    out_field(doc, "advertisement", "Connectors stated by",
              rc == CS_OK ? out_tinted("the device itself", OUT_GREEN) : out_tinted(why.msg, OUT_YELLOW));
}

int device_show(struct cli *cli, struct cs_err *err)
{
    static const struct out_column columns[] = {
        {"name", "CONNECTOR", false},
        {"application", "APPLICATION", false},
        {"generation", "GENERATION", true},
        {"certificate_id", "CERTIFICATE", false},
        {"installed_digest", "INSTALLED CHAIN", false},
    };
    cs_auto(out_freep) struct out_doc *doc = out_new();
    cs_auto_free countersign_v1_GetDeviceResponse *reply = NULL;
    const countersign_v1_Device *device;
    int rc = fetch_device(cli, cli->args.operands[0], &reply, err);

    if (rc != CS_OK)
        return rc;
    device = &reply->device;
    out_field(doc, "name", "Device", out_tinted(device->name, OUT_BOLD));
    out_field(doc, "state", "State", out_tinted(presence(device), presence_tint(device)));
    out_field(doc, "device_id", "Device-id", out_hex(CS_PB_BYTES(&device->device_id)));
    out_field(doc, "platform", "Platform", out_text(device->platform));
    out_field(doc, "agent_version", "Agent", out_text(device->agent_version));
    out_field(doc, "address", "Address", out_text(device->address));
    out_field(doc, "last_seen", "Last seen", out_time(device->last_seen_s));
    out_field(doc, "policy_version", "Policy version", out_number(device->policy_version));
    show_trust_in(cli, doc, reply);
    out_table(doc, "connectors", columns, CS_ARRAY_LEN(columns),
              "It has no app connectors: declare one on the device.");
    for (pb_size_t i = 0; i < device->connectors_count; i++) {
        const countersign_v1_DeviceConnector *connector = &device->connectors[i];

        OUT_ROW(doc, out_text(connector->name), out_text(connector->application),
                out_number(connector->generation), out_hex(CS_PB_BYTES(&connector->certificate_id)),
                out_hex(CS_PB_BYTES(&connector->installed_digest)));
    }
    return cli_write(cli, doc, err);
}
