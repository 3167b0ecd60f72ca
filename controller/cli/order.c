/* countersign order … - work orders, WO-n, and what devices themselves say about them. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

void order_table(struct out_doc *doc, const countersign_v1_Order *orders, size_t count)
{
    static const struct out_column columns[] = {
        {"order", "ORDER", false},
        {"request", "REQUEST", false},
        {"device", "DEVICE", false},
        {"connector", "CONNECTOR", false},
        {"action", "ACTION", false},
        {"generation", "GENERATION", true},
        {"state", "STATE", false},
        {"reason", "REASON", false},
        {"not_before", "START", false},
        {"updated_at", "UPDATED", false},
        {"certificate_id", "CERTIFICATE", false},
    };

    out_table(doc, "orders", columns, CS_ARRAY_LEN(columns), "There are no work orders.");
    for (size_t i = 0; i < count; i++) {
        const countersign_v1_Order *o = &orders[i];
        char number[SHOW_TEXT_BYTES], request[SHOW_TEXT_BYTES];

        OUT_ROW(doc, out_text(show_order_number(o->number, number)),
                out_text(show_request_number(o->request_number, request)), out_text(o->device_name),
                out_text(o->connector), out_text(show_action_word(o->action)), out_number(o->generation),
                out_tinted(show_order_state(o), show_state_tint(o->state)), out_text(o->reason),
                out_time(o->not_before_s), out_time(o->updated_at_s),
                out_hex(CS_PB_BYTES(&o->certificate_id)));
    }
}

int order_list(struct cli *cli, struct cs_err *err)
{
    const char *request = args_option(&cli->args, "request");
    const char *device = args_option(&cli->args, "device");
    cs_auto(out_freep) struct out_doc *doc = out_new();
    cs_auto_free countersign_v1_Order *orders = NULL;
    uint64_t number = 0;
    size_t count, kept = 0;
    int rc = request ? args_number(request, "REQ-", &number, err) : CS_OK;

    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = fetch_orders(cli, number, &orders, &count, err);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        if (!device || strcmp(orders[i].device_name, device) == 0)
            orders[kept++] = orders[i];
    order_table(doc, orders, kept);
    return cli_write(cli, doc, err);
}

/* The device's own account, believed for its signature by the admitted key alone. */
static void show_account(struct cli *cli, struct out_doc *doc, const countersign_v1_GetOrderResponse *reply,
                         const countersign_v1_OrderCore *core)
{
    cs_auto_free countersign_v1_GetDeviceResponse *device = NULL;
    cs_auto_free countersign_v1_Admission *admission = NULL;
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    const struct cs_policy *policy;
    struct cs_err why;
    int rc;

    if (reply->report.size == 0) {
        out_field(doc, "report_signature", "Device's report", out_text("none yet"));
        return;
    }
    rc = cli_policy(cli, &policy, &why);
    if (rc == CS_OK)
        rc = fetch_device(cli, core->device_name, &device, &why);
    if (rc == CS_OK)
        rc = check_admission(policy, CS_PB_BYTES(&device->admission), core->device_name, &admission, &why);
    if (rc == CS_OK)
        rc = check_report(admission, core, CS_PB_BYTES(&reply->report), &report, &why);
    if (rc != CS_OK) {
        out_field(doc, "report_signature", "Device's report", out_tinted(why.msg, OUT_RED));
        return;
    }
    out_field(doc, "report_signature", "Device's report",
              out_tinted("signed by the device's admitted identity key", OUT_GREEN));
    show_report(doc, report);
}

int order_show(struct cli *cli, struct cs_err *err)
{
    cs_auto(out_freep) struct out_doc *doc = out_new();
    cs_auto_free countersign_v1_GetOrderResponse *reply = CLI_NEW(countersign_v1_GetOrderResponse, err);
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    countersign_v1_GetOrderRequest ask = {0};
    char number[SHOW_TEXT_BYTES], request[SHOW_TEXT_BYTES];
    const countersign_v1_Order *order;
    int rc = args_number(cli->args.operands[0], "WO-", &ask.number, err);

    if (!reply)
        return CS_ENOMEM;
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = cli_call(cli, &RPC_GetOrder, &ask, reply, err);
    if (rc == CS_OK)
        rc = cs_core_decode(CS_PB_BYTES(&reply->core), &core, err);
    if (rc == CS_OK && core->number != ask.number)
        rc = cs_err_set(err, CS_EAUTH, "for WO-%llu the controller gave WO-%llu",
                        (unsigned long long)ask.number, (unsigned long long)core->number);
    if (rc != CS_OK)
        return rc;
    order = &reply->order;
    out_field(doc, "order", "Work order", out_tinted(show_order_number(core->number, number), OUT_BOLD));
    out_field(doc, "request", "Request", out_text(show_request_number(order->request_number, request)));
    out_field(doc, "state", "State", out_tinted(show_order_state(order), show_state_tint(order->state)));
    out_field(doc, "reason", "Reason", out_text(order->reason));
    out_field(doc, "device", "Device", out_text(core->device_name));
    out_field(doc, "connector", "Connector", out_text(core->connector));
    out_field(doc, "action", "Action", out_text(show_action_word(core->action)));
    out_field(doc, "order_generation", "Generation ordered", out_number(core->generation));
    out_field(doc, "order_id", "Order id", out_hex(CS_PB_BYTES(&core->order_id)));
    out_field(doc, "certificate_id", "Certificate", out_hex(CS_PB_BYTES(&order->certificate_id)));
    out_field(doc, "not_before", "Start", out_time(order->not_before_s));
    out_field(doc, "expires_at", "Ends to be valid", out_time(order->expires_at_s));
    out_field(doc, "updated_at", "Updated", out_time(order->updated_at_s));
    show_account(cli, doc, reply, core);
    return cli_write(cli, doc, err);
}
