/* countersign roll-back - an ordinary push of the certificate that was at an app connector before. The device
 * does nothing of its own: requester, stages and signatures are those of any push. */
#include "controller/cli/fetch.h"
#include "controller/cli/nouns.h"
#include "controller/cli/push.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

/* What completed orders left at one app connector: the newest, and the newest before it that left another
 * certificate. Number 0: none. */
struct before {
    countersign_v1_Order current, earlier;
};

static bool is_same(const countersign_v1_Order *a, const countersign_v1_Order *b)
{
    return cs_slice_eq(CS_PB_BYTES(&a->certificate_id), CS_PB_BYTES(&b->certificate_id));
}

static bool is_installed_at(const countersign_v1_Order *order, const char *device, const char *connector)
{
    return order->state == countersign_v1_OrderState_ORDER_STATE_COMPLETED &&
           order->action == countersign_v1_Action_ACTION_INSTALL && strcmp(order->device_name, device) == 0 &&
           strcmp(order->connector, connector) == 0;
}

/* In any order. Numbers tell which is newer, also where the device was enrolled anew and its generations
 * began again. */
static void note(struct before *before, const countersign_v1_Order *order)
{
    if (!before->current.number || order->number > before->current.number) {
        if (before->current.number && !is_same(order, &before->current))
            before->earlier = before->current;
        before->current = *order;
        return;
    }
    if (!is_same(order, &before->current) && order->number > before->earlier.number)
        before->earlier = *order;
}

static int find_before(struct cli *cli, const char *device, const char *connector, struct before *ret,
                       struct cs_err *err)
{
    cs_auto_free countersign_v1_ListOrdersResponse *reply = CLI_NEW(countersign_v1_ListOrdersResponse, err);
    countersign_v1_ListOrdersRequest ask = {.state = countersign_v1_OrderState_ORDER_STATE_COMPLETED};

    if (!reply)
        return CS_ENOMEM;
    if (strlen(device) >= sizeof ask.device_name)
        return cli_usage(cli, err, "%.60s is no device name", device);
    memcpy(ask.device_name, device, strlen(device) + 1);
    do {
        int rc = cli_call(cli, &cli_rpc_ListOrders, &ask, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->orders_count; i++)
            if (is_installed_at(&reply->orders[i], device, connector))
                note(ret, &reply->orders[i]);
        ask.before_number = reply->next_before_number;
    } while (reply->more && ask.before_number);
    if (!ret->current.number)
        return cs_err_set(err, CS_ESTATE, "no push to %s/%s has completed: there is nothing to roll back",
                          device, connector);
    if (!ret->earlier.number)
        return cs_err_set(err, CS_ESTATE,
                          "WO-%llu is the only certificate that was pushed to %s/%s: there is none before it",
                          (unsigned long long)ret->current.number, device, connector);
    return CS_OK;
}

int cli_roll_back_run(struct cli *cli, struct cs_err *err)
{
    const char *device = cli->args.operands[0], *connector = cli->args.operands[1];
    cs_auto_free struct before *before = CLI_NEW(struct before, err);
    char id[2 * CS_SHA256_BYTES + 1], now[CLI_TEXT_BYTES], then[CLI_TEXT_BYTES], said[3 * CLI_TEXT_BYTES];
    int rc = before ? find_before(cli, device, connector, before, err) : CS_ENOMEM;

    if (rc != CS_OK)
        return rc;
    cs_hex(CS_PB_BYTES(&before->earlier.certificate_id), id);
    snprintf(said, sizeof said, "%s brought what is there now; %s before it brought this certificate",
             cli_show_order_number(before->current.number, now),
             cli_show_order_number(before->earlier.number, then));
    const struct cli_push_wish wish = {
        .certificate = id, .device = device, .connector = connector, .note = said};

    return cli_push(cli, &wish, err);
}
