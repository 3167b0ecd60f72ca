#include "controller/cli/review.h"

void cli_review_free(struct cli_review *review)
{
    cs_push_free(review->push);
    cli_fetched_cores_free(&review->cores);
    cli_check_certificate_free(&review->certificate);
    free(review->orders);
    free(review->given);
    *review = (struct cli_review){0};
}

static int open_request(struct cli *cli, uint64_t number, struct cli_review *review, struct cs_err *err)
{
    countersign_v1_GetRequestRequest request = {.number = number};
    enum cs_push_reason reason;
    const struct cs_policy *policy;
    int rc = cli_policy(cli, &policy, err);

    review->given = CLI_NEW(countersign_v1_GetRequestResponse, err);
    if (!review->given)
        return CS_ENOMEM;
    if (rc == CS_OK)
        rc = cli_call(cli, &cli_rpc_GetRequest, &request, review->given, err);
    if (rc != CS_OK)
        return rc;
    rc = cs_push_open(policy, CS_PB_BYTES(&review->given->envelope), CS_TIME_UNKNOWN, &review->push, &reason,
                      err);
    if (rc == CS_OK && cs_push_request(review->push)->number != number)
        return cs_err_set(err, CS_EAUTH, "for REQ-%llu the controller gave what was signed as REQ-%llu",
                          (unsigned long long)number,
                          (unsigned long long)cs_push_request(review->push)->number);
    return rc;
}

static int open_orders(struct cli *cli, struct cli_review *review, struct cs_err *err)
{
    const countersign_v1_PushRequest *request = cs_push_request(review->push);
    int rc = cli_fetch_cores(cli, request->number, request->order_count, &review->cores, err);

    if (rc == CS_OK)
        rc = cli_check_root(request, review->cores.bytes, review->cores.count, err);
    if (rc == CS_OK)
        rc = cli_fetch_chain(cli, CS_PB_BYTES(&review->given->request.certificate_id), &review->certificate,
                             err);
    if (rc != CS_OK)
        return rc;
    review->orders = calloc(review->cores.count, sizeof *review->orders);
    if (!review->orders)
        return cs_err_nomem(err);
    for (size_t i = 0; i < review->cores.count; i++) {
        const countersign_v1_OrderCore *core = review->cores.cores[i];
        bool removal = core->action == countersign_v1_Action_ACTION_REMOVE;

        review->orders[i].index = (uint32_t)i;
        review->orders[i].rule = cs_policy_rule(cli->policy, core->device_name, core->connector,
                                                removal ? NULL : &review->certificate.leaf);
    }
    return CS_OK;
}

static int open_review(struct cli *cli, uint64_t number, bool devices, struct cli_review *ret,
                       struct cs_err *err)
{
    struct cli_review review = {0};
    int rc = open_request(cli, number, &review, err);

    if (rc == CS_OK)
        rc = open_orders(cli, &review, err);
    if (rc == CS_OK && devices)
        rc = cli_fetch_check_cores(cli, &review.cores, &review.certificate, false, err);
    for (pb_size_t i = 0; rc == CS_OK && i < review.given->decisions_count; i++) {
        enum cs_push_reason reason;

        rc = cs_push_add_decision(review.push, CS_PB_BYTES(&review.given->decisions[i].envelope),
                                  review.orders, review.cores.count, &reason, err);
    }
    if (rc == CS_OK)
        *ret = review;
    else
        cli_review_free(&review);
    return rc;
}

int cli_review_open(struct cli *cli, uint64_t number, struct cli_review *ret, struct cs_err *err)
{
    return open_review(cli, number, true, ret, err);
}

int cli_review_glance(struct cli *cli, uint64_t number, struct cli_review *ret, struct cs_err *err)
{
    return open_review(cli, number, false, ret, err);
}

bool cli_review_waits_for(const struct cli *cli, const struct cli_review *review, size_t index,
                          const countersign_v1_Operator *who)
{
    const struct cs_push_order *order = &review->orders[index];
    struct cs_push_progress progress;

    cs_push_progress(review->push, order, &progress);
    if (progress.stage < 1 || progress.stage > order->rule->stages_count)
        return false;
    if (!order->rule->requester_may_decide &&
        strcmp(cs_push_request(review->push)->requester, who->name) == 0)
        return false;
    for (size_t i = 0; i < cs_push_decision_count(review->push); i++)
        if (strcmp(cs_push_decision(review->push, i)->decider, who->name) == 0)
            return false;
    return cs_stage_admits(cs_policy_body(cli->policy), &order->rule->stages[progress.stage - 1], who);
}

const char *cli_review_stage_name(const struct cli_review *review, size_t index, struct cs_push_progress *ret)
{
    const struct cs_push_order *order = &review->orders[index];

    cs_push_progress(review->push, order, ret);
    return ret->stage >= 1 && ret->stage <= order->rule->stages_count
               ? order->rule->stages[ret->stage - 1].name
               : "";
}
