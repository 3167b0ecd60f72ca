/* countersign roll-back - the certificate that was at an app connector before. Where the device itself has
 * said, in a report that is verified here, which of its generations that is, the device is asked to go back
 * to that one: nothing but the decision travels. Otherwise it is an ordinary push of the earlier certificate.
 * Requester, stages and signatures are the same for both. */
#include "controller/cli/check.h"
#include "controller/cli/fetch.h"
#include "controller/cli/known.h"
#include "controller/cli/nouns.h"
#include "controller/cli/push.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

/* What completed orders left at one app connector: the newest, and the newest before it that left another
 * certificate. Number 0: none. */
struct before {
    countersign_v1_Order current, earlier;
};

static bool is_removal(const countersign_v1_Order *order)
{
    return order->action == countersign_v1_Action_ACTION_REMOVE;
}

static bool leaves_same(const countersign_v1_Order *a, const countersign_v1_Order *b)
{
    return !is_removal(a) && !is_removal(b) &&
           cs_slice_eq(CS_PB_BYTES(&a->certificate_id), CS_PB_BYTES(&b->certificate_id));
}

static bool is_completed_at(const countersign_v1_Order *order, const char *device, const char *connector)
{
    return order->state == countersign_v1_OrderState_ORDER_STATE_COMPLETED &&
           strcmp(order->device_name, device) == 0 && strcmp(order->connector, connector) == 0;
}

/* As they come, from the newest to the oldest: numbers tell which is newer, also where the device was
 * enrolled anew and its generations began again. True: both are found. */
static bool note(struct before *before, const countersign_v1_Order *order)
{
    if (!before->current.number)
        before->current = *order;
    else if (!is_removal(order) && !leaves_same(order, &before->current))
        before->earlier = *order;
    return before->earlier.number != 0;
}

static int check_found(const struct before *before, const char *device, const char *connector,
                       struct cs_err *err)
{
    if (!before->current.number)
        return cs_err_set(err, CS_ESTATE, "no push to %s/%s has completed: there is nothing to roll back",
                          device, connector);
    if (!before->earlier.number)
        return cs_err_set(err, CS_ESTATE,
                          "WO-%llu is the only certificate that was pushed to %s/%s: there is none before it",
                          (unsigned long long)before->current.number, device, connector);
    return CS_OK;
}

static int find_before(struct cli *cli, const char *device, const char *connector, struct before *ret,
                       struct cs_err *err)
{
    cs_auto_free countersign_v1_ListOrdersResponse *reply = CLI_NEW(countersign_v1_ListOrdersResponse, err);
    countersign_v1_ListOrdersRequest ask = {.state = countersign_v1_OrderState_ORDER_STATE_COMPLETED};
    uint64_t last = UINT64_MAX;
    bool more;

    if (!reply)
        return CS_ENOMEM;
    if (strlen(device) >= sizeof ask.device_name)
        return cli_usage(cli, err, "%.60s is no device name", device);
    memcpy(ask.device_name, device, strlen(device) + 1);
    do {
        int rc = cli_call(cli, &cli_rpc_ListOrders, &ask, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->orders_count; i++) {
            if (reply->orders[i].number >= last)
                return cs_err_set(err, CS_EAUTH, "the controller's list of work orders has no end");
            last = reply->orders[i].number;
            if (is_completed_at(&reply->orders[i], device, connector) && note(ret, &reply->orders[i]))
                return CS_OK;
        }
        more = reply->more && reply->next_before_number &&
               (!ask.before_number || reply->next_before_number < ask.before_number);
        ask.before_number = reply->next_before_number;
    } while (more);
    return check_found(ret, device, connector, err);
}

/* What a roll back is asked for with, in the device's own signed words. Generation 0: there is none that
 * holds, and an ordinary push is left. */
struct way_back {
    uint64_t generation;   /* that it goes back to */
    struct cs_digest goes; /* what the last completed order left there; zero: nothing */
};

static int fetch_order(struct cli *cli, const countersign_v1_Order *order,
                       countersign_v1_GetOrderResponse *reply, countersign_v1_OrderCore **ret_core,
                       struct cs_err *why)
{
    const countersign_v1_GetOrderRequest ask = {.number = order->number};
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    int rc = cli_call(cli, &cli_rpc_GetOrder, &ask, reply, why);

    if (rc == CS_OK)
        rc = cs_core_decode(CS_PB_BYTES(&reply->core), &core, why);
    if (rc == CS_OK && strcmp(core->connector, order->connector) != 0)
        rc = cs_err_set(why, CS_EAUTH, "the controller gave the work order of another app connector");
    if (rc == CS_OK)
        *ret_core = cs_steal(core);
    return rc;
}

/* The device reported that the earlier order left its certificate: that generation can come back. */
static int check_earlier(struct cli *cli, const struct cs_device *device, const countersign_v1_Order *earlier,
                         uint64_t *ret_generation, struct cs_err *why)
{
    cs_auto_free countersign_v1_GetOrderResponse *reply = CLI_NEW(countersign_v1_GetOrderResponse, why);
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    struct cli_check_certificate certificate = {0};
    int rc = reply ? fetch_order(cli, earlier, reply, &core, why) : CS_ENOMEM;

    if (rc == CS_OK)
        rc = cli_fetch_chain(cli, CS_PB_BYTES(&earlier->certificate_id), &certificate, why);
    if (rc == CS_OK)
        rc = cli_check_kept(device, core, CS_PB_BYTES(&reply->report), &certificate.chain_digest, why);
    if (rc == CS_OK)
        *ret_generation = core->generation;
    cli_check_certificate_free(&certificate);
    return rc;
}

/* Not what it advertises: after a change by hand its journal still holds what that order left. */
static int check_current(struct cli *cli, const struct cs_device *device, const countersign_v1_Order *current,
                         struct cs_digest *ret_goes, struct cs_err *why)
{
    cs_auto_free countersign_v1_GetOrderResponse *reply = CLI_NEW(countersign_v1_GetOrderResponse, why);
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    int rc = reply ? fetch_order(cli, current, reply, &core, why) : CS_ENOMEM;

    return rc == CS_OK ? cli_check_left(device, core, CS_PB_BYTES(&reply->report), ret_goes, why) : rc;
}

/* Where there is none, *why says why. */
static struct way_back find_way_back(struct cli *cli, const struct before *before, struct cs_err *why)
{
    cs_auto_free countersign_v1_GetDeviceResponse *reply = NULL;
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    const char *name = before->earlier.device_name;
    const enum cli_exit failure = cli->failure;
    const struct cs_policy *policy;
    struct way_back way = {0};
    int rc = cli_policy(cli, &policy, why);

    if (rc == CS_OK)
        rc = cli_fetch_device(cli, name, &reply, why);
    if (rc == CS_OK)
        rc = cli_known_open(cli, reply, name, &device, why);
    if (rc == CS_OK)
        rc = check_earlier(cli, device, &before->earlier, &way.generation, why);
    if (rc == CS_OK)
        rc = check_current(cli, device, &before->current, &way.goes, why);
    cli->failure = failure; /* it is none: the other way is left */
    return rc == CS_OK ? way : (struct way_back){0};
}

static bool wants_push(const struct cli *cli)
{
    return cli_args_flag(&cli->args, "push") || cli_args_option(&cli->args, "key");
}

enum { SAID_BYTES = 3 * CLI_TEXT_BYTES + sizeof((struct cs_err *)NULL)->msg };

static void say_what(const struct before *before, uint64_t generation, const struct cs_err *why,
                     char out[SAID_BYTES])
{
    char now[CLI_TEXT_BYTES], then[CLI_TEXT_BYTES], how[CLI_TEXT_BYTES + sizeof why->msg];

    if (generation)
        snprintf(how, sizeof how, "the device goes back to its own generation %llu",
                 (unsigned long long)generation);
    else
        snprintf(how, sizeof how, "an ordinary push of it (%s)", why->msg);
    snprintf(out, SAID_BYTES, "%s %s what is there now; %s before it brought this certificate; %s",
             cli_show_order_number(before->current.number, now),
             is_removal(&before->current) ? "removed what was there, and nothing is" : "brought",
             cli_show_order_number(before->earlier.number, then), how);
}

int cli_roll_back_run(struct cli *cli, struct cs_err *err)
{
    const char *device = cli->args.operands[0], *connector = cli->args.operands[1];
    cs_auto_free struct before *before = CLI_NEW(struct before, err);
    char id[2 * CS_SHA256_BYTES + 1], said[SAID_BYTES];
    struct cs_err why = {.msg = "as --push or --key asks for"};
    struct way_back way = {0};
    int rc = before ? find_before(cli, device, connector, before, err) : CS_ENOMEM;

    if (rc != CS_OK)
        return rc;
    if (!wants_push(cli))
        way = find_way_back(cli, before, &why);
    cs_hex(CS_PB_BYTES(&before->earlier.certificate_id), id);
    say_what(before, way.generation, &why, said);
    const struct cli_push_wish wish = {.action = way.generation ? countersign_v1_Action_ACTION_ROLL_BACK
                                                                : countersign_v1_Action_ACTION_INSTALL,
                                       .certificate = id,
                                       .device = device,
                                       .connector = connector,
                                       .note = said,
                                       .target_generation = way.generation,
                                       .expects = way.goes};

    return cli_push(cli, &wish, err);
}
