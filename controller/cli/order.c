/* countersign order … - work orders, WO-n, and what devices themselves say about them. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

static void add_row(struct cli_doc *doc, const countersign_v1_Order *order)
{
    char number[CLI_TEXT_BYTES], request[CLI_TEXT_BYTES];

    CLI_ROW(doc, cli_text(cli_show_order_number(order->number, number)),
            cli_text(cli_show_request_number(order->request_number, request)), cli_text(order->device_name),
            cli_text(order->connector), cli_text(cli_show_action_word(order->action)),
            cli_number(order->generation),
            cli_tinted(cli_show_order_state(order), cli_show_state_tint(order->state)),
            cli_text(order->reason), cli_time(order->not_before_s), cli_time(order->updated_at_s),
            cli_hex(CS_PB_BYTES(&order->certificate_id)));
}

void cli_order_table(struct cli_doc *doc, const countersign_v1_Order *orders, size_t count)
{
    static const struct cli_column columns[] = {
        {"order", "ORDER", false},
        {"request", "REQUEST", false},
        {"device", "DEVICE", false},
        {"connector", "CONNECTOR", false},
        {"action", "ACTION", CLI_WIDE},
        {"generation", "GENERATION", CLI_RIGHT | CLI_WIDE},
        {"state", "STATE", false},
        {"reason", "REASON", false},
        {"not_before", "START", false},
        {"updated_at", "UPDATED", CLI_WIDE},
        {"certificate_id", "CERTIFICATE", CLI_WIDE},
    };

    cli_table(doc, "orders", columns, CS_ARRAY_LEN(columns), "There are no work orders.");
    for (size_t i = 0; i < count; i++)
        add_row(doc, &orders[i]);
}

/* What --request, --device and --state ask for. */
static int read_filter(struct cli *cli, countersign_v1_ListOrdersRequest *ret, struct cs_err *err)
{
    const char *request = cli_args_option(&cli->args, "request");
    const char *device = cli_args_option(&cli->args, "device");
    size_t state = 0;
    int rc = request ? cli_args_number(request, "REQ-", &ret->request_number, err) : CS_OK;

    if (rc == CS_OK && device)
        rc = cs_name_check(cs_slice_str(device), "the device's name", err);
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = cli_choice(cli, "state", cli_show_state_options, &state, err);
    if (rc != CS_OK)
        return rc;
    snprintf(ret->device_name, sizeof ret->device_name, "%s", device ? device : "");
    if (cli_args_option(&cli->args, "state"))
        ret->state = (countersign_v1_OrderState)(state + 1);
    return CS_OK;
}

int cli_order_list(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListOrdersResponse *reply = CLI_NEW(countersign_v1_ListOrdersResponse, err);
    const char *device = cli_args_option(&cli->args, "device");
    countersign_v1_ListOrdersRequest ask = {0};
    int rc = reply ? read_filter(cli, &ask, err) : CS_ENOMEM;

    cli_order_table(doc, NULL, 0);
    while (rc == CS_OK) {
        const uint64_t asked_before = ask.before_number;

        rc = cli_call(cli, &cli_rpc_ListOrders, &ask, reply, err);
        for (pb_size_t i = 0; rc == CS_OK && i < reply->orders_count; i++) {
            const countersign_v1_Order *order = &reply->orders[i];

            if (ask.before_number && order->number >= ask.before_number)
                return cs_err_set(err, CS_EAUTH, "the controller gave WO-%llu twice: its list has no end",
                                  (unsigned long long)order->number);
            ask.before_number = order->number;
            if ((!ask.state || order->state == ask.state) &&
                (!device || strcmp(order->device_name, device) == 0))
                add_row(doc, order);
        }
        if (rc == CS_OK)
            rc = cli_page(cli, doc, err);
        if (rc == CS_OK && !reply->more)
            return cli_write(cli, doc, err);
        /* A page may hold none of those that are looked for, and the list go on. */
        if (rc == CS_OK && reply->next_before_number)
            ask.before_number = reply->next_before_number;
        if (rc == CS_OK && (ask.before_number == 0 || (asked_before && ask.before_number >= asked_before)))
            return cs_err_set(err, CS_EAUTH, "the controller's list of work orders has no end");
    }
    return rc;
}

/* The device's own account, believed for its signature alone. */
static void show_account(struct cli *cli, struct cli_doc *doc, const countersign_v1_GetOrderResponse *reply,
                         const countersign_v1_OrderCore *core)
{
    cs_auto_free countersign_v1_GetDeviceResponse *fetched = NULL;
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    const struct cs_policy *policy;
    struct cs_err why;
    int rc;

    if (reply->report.size == 0) {
        cli_field(doc, "report_signature", "Device's report", cli_text("none yet"));
        return;
    }
    rc = cli_policy(cli, &policy, &why);
    if (rc == CS_OK)
        rc = cli_fetch_device(cli, core->device_name, &fetched, &why);
    if (rc == CS_OK)
        rc = cli_check_device(policy, fetched, core->device_name, &device, &why);
    if (rc == CS_OK)
        rc = cli_check_report(device, core, CS_PB_BYTES(&reply->report), &report, &why);
    if (rc != CS_OK) {
        cli_field(doc, "report_signature", "Device's report", cli_tinted(why.msg, CLI_RED));
        return;
    }
    cli_field(doc, "report_signature", "Device's report",
              cli_tinted("signed by the identity key that the device had", CLI_GREEN));
    cli_show_report(doc, report);
}

int cli_order_show(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_GetOrderResponse *reply = CLI_NEW(countersign_v1_GetOrderResponse, err);
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    countersign_v1_GetOrderRequest ask = {0};
    char number[CLI_TEXT_BYTES], request[CLI_TEXT_BYTES], attempts[CLI_TEXT_BYTES];
    const countersign_v1_Order *order;
    int rc = cli_args_number(cli->args.operands[0], "WO-", &ask.number, err);

    if (!reply)
        return CS_ENOMEM;
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = cli_call(cli, &cli_rpc_GetOrder, &ask, reply, err);
    if (rc == CS_OK)
        rc = cs_core_decode(CS_PB_BYTES(&reply->core), &core, err);
    if (rc == CS_OK && core->number != ask.number)
        rc = cs_err_set(err, CS_EAUTH, "for WO-%llu the controller gave WO-%llu",
                        (unsigned long long)ask.number, (unsigned long long)core->number);
    if (rc != CS_OK)
        return rc;
    order = &reply->order;
    cli_field(doc, "order", "Work order", cli_tinted(cli_show_order_number(core->number, number), CLI_BOLD));
    cli_field(doc, "request", "Request", cli_text(cli_show_request_number(order->request_number, request)));
    cli_field(doc, "state", "State",
              cli_tinted(cli_show_order_state(order), cli_show_state_tint(order->state)));
    cli_field(doc, "reason", "Reason", cli_text(order->reason));
    snprintf(attempts, sizeof attempts, "%u of %u", order->attempts, order->max_attempts);
    cli_field(doc, "attempts", "Attempts", cli_text(attempts));
    cli_field(doc, "retry_at", "Next attempt", cli_time(order->retry_at_s));
    cli_field(doc, "device", "Device", cli_text(core->device_name));
    cli_field(doc, "connector", "Connector", cli_text(core->connector));
    cli_field(doc, "action", "Action", cli_text(cli_show_action_word(core->action)));
    if (core->target_generation)
        cli_field(doc, "target_generation", "Back to generation", cli_number(core->target_generation));
    cli_field(doc, "key_mode", "Private key", cli_text(cli_show_core_key(cli->style, core)));
    cli_field(doc, "order_generation", "Generation ordered", cli_number(core->generation));
    cli_field(doc, "order_id", "Order id", cli_hex(CS_PB_BYTES(&core->order_id)));
    cli_field(doc, "certificate_id", "Certificate", cli_hex(CS_PB_BYTES(&order->certificate_id)));
    cli_field(doc, "not_before", "Start", cli_time(order->not_before_s));
    cli_field(doc, "expires_at", "Ends to be valid", cli_time(order->expires_at_s));
    cli_field(doc, "updated_at", "Updated", cli_time(order->updated_at_s));
    show_account(cli, doc, reply, core);
    return cli_write(cli, doc, err);
}
