/* countersign approve, implement, decide, reject, cancel - what people say to a push request. */
#include "controller/cli/ask.h"
#include "controller/cli/nouns.h"
#include "controller/cli/review.h"
#include "controller/cli/show.h"
#include "controller/cli/when.h"

#include "controller/core/workflow.h"
#include "shared/base/text.h"
#include "shared/trust/spoken.h"

#include <time.h>

/* What the person wants to say. */
struct deciding {
    const char *stage; /* the command's: "approve"; NULL: whatever is open */
    countersign_v1_Verdict verdict;
    uint64_t number;
    uint64_t *orders; /* numbers of WO-n, rising; none: all */
    size_t order_count;
    countersign_v1_Mode mode;
    int64_t not_before_s;
    const char *comment;
    uint32_t open_stage; /* found by find_stage() */
    const char *open_name;
};

/* The Manual Implementation question: --manual or --at, or asked. */
static int read_mode(struct cli *cli, struct deciding *deciding, struct cs_err *err)
{
    const char *at = cli_args_option(&cli->args, "at");
    bool manual = cli_args_flag(&cli->args, "manual");
    struct cs_buf answer = CS_BUF_EMPTY;
    int rc = CS_OK;

    if (manual && at)
        return cli_usage(cli, err,
                         "--manual (Manual Implementation on) and --at TIME (off) exclude each other");
    if (!at && cli_args_option(&cli->args, "zone"))
        return cli_usage(cli, err, "--zone goes with --at TIME");
    if (!manual && !at && !cli_ask_possible())
        return cli_usage(
            cli, err,
            "give --manual (Manual Implementation on: the last decision starts the push), or --at "
            "\"tomorrow 02:00\" (off: not before then)");
    if (!manual && !at) {
        rc = cli_ask_line(
            "Manual Implementation on? Press Enter, or type the time before which the push must not start "
            "(tomorrow 02:00, 2026-12-24 22:00, in 3h):",
            "give --manual or --at TIME", &answer, err);
        if (rc == CS_OK && cs_buf_append_u8(&answer, '\0') != CS_OK)
            rc = cs_err_nomem(err);
        manual = rc == CS_OK && answer.len == 1;
        at = (const char *)answer.ptr;
    }
    deciding->mode = manual ? countersign_v1_Mode_MODE_MANUAL : countersign_v1_Mode_MODE_SCHEDULED;
    if (rc == CS_OK && !manual) {
        rc =
            cli_when_parse(at, cli_args_option(&cli->args, "zone"), cli->now_s, &deciding->not_before_s, err);
        if (rc != CS_OK)
            cli->failure = CLI_USAGE;
    }
    cs_buf_free(&answer);
    return rc;
}

static int read_options(struct cli *cli, struct deciding *deciding, struct cs_err *err)
{
    const char *orders = cli_args_option(&cli->args, "orders");
    int rc = cli_args_number(cli->args.operands[0], "REQ-", &deciding->number, err);

    if (rc == CS_OK && orders)
        rc = cli_args_numbers(orders, "WO-", CS_LIMIT_ORDERS_PER_REQUEST, &deciding->orders,
                              &deciding->order_count, err);
    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    return cli_comment(cli, &deciding->comment, err);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool covers(const struct deciding *deciding, const countersign_v1_OrderCore *core)
{
    return deciding->order_count == 0 || bsearch(&core->number, deciding->orders, deciding->order_count,
                                                 sizeof deciding->orders[0], by_number) != NULL;
}

/* By the signatures there is nothing to decide about this order; where it stands now the controller says. */
static int refuse_decided(struct cli *cli, const struct deciding *deciding, uint64_t number,
                          struct cs_err *err)
{
    cs_auto_free countersign_v1_GetOrderResponse *reply = CLI_NEW(countersign_v1_GetOrderResponse, err);
    const countersign_v1_GetOrderRequest ask = {.number = number};
    const bool accepts = deciding->verdict == countersign_v1_Verdict_VERDICT_ACCEPT;
    int rc = reply ? cli_call(cli, &cli_rpc_GetOrder, &ask, reply, err) : CS_ENOMEM;

    if (rc != CS_OK)
        return rc;
    rc = ctl_workflow_refuse(number, ctl_workflow_phase_of(reply->order.state),
                             accepts ? CTL_ORDER_REVIEWED : CTL_ORDER_REJECTED, err);
    return deciding->order_count ? cs_err_prefix(err, "leave it out of --orders") : rc;
}

/* All orders that are covered must be open at one stage, which is the command's. */
static int find_stage(struct cli *cli, struct deciding *deciding, const struct cli_review *review,
                      struct cs_err *err)
{
    size_t found = 0;

    for (size_t i = 0; i < review->cores.count; i++) {
        struct cs_push_progress progress;
        const char *name = cli_review_stage_name(review, i, &progress);
        char number[CLI_TEXT_BYTES];

        if (!covers(deciding, review->cores.cores[i]))
            continue;
        cli_show_order_number(review->cores.cores[i]->number, number);
        found++;
        if (progress.stage == 0)
            return refuse_decided(cli, deciding, review->cores.cores[i]->number, err);
        if (deciding->stage && strcmp(deciding->stage, name) != 0)
            return cs_err_set(
                err, CS_ESTATE, "%s of REQ-%llu is at stage %u, \"%s\": countersign %s REQ-%llu", number,
                (unsigned long long)deciding->number, progress.stage, name,
                strcmp(name, "approve") == 0 || strcmp(name, "implement") == 0 ? name : "decide",
                (unsigned long long)deciding->number);
        if (found > 1 && progress.stage != deciding->open_stage)
            return cs_err_set(err, CS_ESTATE,
                              "the work orders are at different stages: name those of one with --orders");
        deciding->open_stage = progress.stage;
        deciding->open_name = name;
    }
    if (deciding->order_count && found != deciding->order_count)
        return cs_err_set(err, CS_EINVAL,
                          "not every number of --orders is a work order of REQ-%llu: countersign request "
                          "show REQ-%llu",
                          (unsigned long long)deciding->number, (unsigned long long)deciding->number);
    return CS_OK;
}

/* The bitmap over the leaves; absent when all are covered. */
static void set_orders(const struct deciding *deciding, const struct cli_review *review,
                       countersign_v1_Decision *decision)
{
    size_t highest = 0;

    if (deciding->order_count == 0)
        return;
    for (size_t i = 0; i < review->cores.count; i++) {
        if (!covers(deciding, review->cores.cores[i]))
            continue;
        decision->orders.bytes[i / 8] = (pb_byte_t)(decision->orders.bytes[i / 8] | 1u << i % 8);
        highest = i / 8;
    }
    decision->orders.size = (pb_size_t)(highest + 1);
}

static void compose_decision(struct cli *cli, const struct deciding *deciding,
                             const struct cli_review *review, const countersign_v1_Operator *decider,
                             countersign_v1_Decision *ret)
{
    struct cs_digest request = cs_push_request_digest(review->push);
    struct cs_digest comment = cs_sha256(cs_slice_str(deciding->comment));

    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(cli->home.pin.deployment_id));
    ret->policy_version = cs_policy_version(cli->policy);
    memcpy(ret->decider, decider->name, sizeof ret->decider);
    CS_PB_SET(&ret->request_digest, cs_digest_slice(&request));
    ret->stage = deciding->open_stage;
    set_orders(deciding, review, ret);
    ret->verdict = deciding->verdict;
    ret->mode = deciding->mode;
    ret->not_before_s = deciding->not_before_s;
    ret->decided_at_s = time(NULL);
    for (size_t i = 0; i < cs_push_decision_count(review->push) && i < CS_ARRAY_LEN(ret->earlier); i++) {
        struct cs_digest earlier = cs_push_decision_digest(review->push, i);

        CS_PB_SET(&ret->earlier[ret->earlier_count], cs_digest_slice(&earlier));
        ret->earlier_count++;
    }
    CS_PB_SET(&ret->comment_digest, cs_digest_slice(&comment));
}

/* What stands before the decision: the request with everything that was said so far, and the orders it
 * covers. */
static int show_all(struct cli_doc *doc, const struct deciding *deciding, const struct cli_review *review,
                    const countersign_v1_Decision *decision, struct cs_err *err)
{
    cs_auto_free countersign_v1_OrderCore **covered =
        calloc(review->cores.count, sizeof(countersign_v1_OrderCore *));
    const countersign_v1_PushRequest *request = cs_push_request(review->push);
    struct cs_digest request_digest = cs_push_request_digest(review->push);
    char number[CLI_TEXT_BYTES], words[CS_SPOKEN_TEXT_BYTES];
    size_t count = 0;

    if (!covered)
        return cs_err_nomem(err);
    for (size_t i = 0; i < review->cores.count; i++)
        if (decision->orders.size == 0 ||
            (i / 8 < decision->orders.size && decision->orders.bytes[i / 8] >> i % 8 & 1))
            covered[count++] = review->cores.cores[i];
    cli_show_decision(doc, decision, deciding->open_name, deciding->comment);
    cli_show_task(doc, covered, count, review->certificate.leaf.common_name);
    cli_field(doc, "request", "On request",
              cli_tinted(cli_show_request_number(request->number, number), CLI_BOLD));
    cli_field(doc, "request_words", "Request in words", cli_text(cs_spoken_text(&request_digest, words)));
    cli_field(doc, "requester", "Requested by", cli_text(request->requester));
    cli_field(doc, "request_comment", "Request's comment",
              cli_text(cli_show_signed_comment(review->given->request.comment,
                                               CS_PB_BYTES(&request->comment_digest))));
    cli_show_push_terms(doc, request);
    for (size_t i = 0; i < cs_push_decision_count(review->push); i++) {
        const countersign_v1_Decision *earlier = cs_push_decision(review->push, i);
        char said[2 * CLI_TEXT_BYTES];

        snprintf(said, sizeof said, "%s %s stage %u", earlier->decider,
                 earlier->verdict == countersign_v1_Verdict_VERDICT_ACCEPT ? "accepted" : "rejected",
                 earlier->stage);
        cli_field(doc, "said_before", "Said before", cli_text(said));
    }
    cli_show_certificate(doc, &review->certificate);
    cli_show_cores(doc, covered, count);
    return CS_OK;
}

/* For --dry-run, which signs nothing that could be judged: they may decide, and have not yet. */
static int check_decider(struct cli *cli, const struct deciding *deciding, const struct cli_review *review,
                         const countersign_v1_Operator *decider, struct cs_err *err)
{
    char number[CLI_TEXT_BYTES];

    for (size_t i = 0; i < review->cores.count; i++)
        if (covers(deciding, review->cores.cores[i]) && !cli_review_waits_for(cli, review, i, decider))
            return cs_err_set(
                err, CS_EDENIED,
                "%s of REQ-%llu does not wait for %s, who may not decide the stage \"%s\" or has "
                "decided already",
                cli_show_order_number(review->cores.cores[i]->number, number),
                (unsigned long long)deciding->number, decider->name, deciding->open_name);
    return CS_OK;
}

static int sign_and_send(struct cli *cli, const struct deciding *deciding, const struct cli_review *review,
                         const countersign_v1_Operator *decider, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *statement = cli_doc_new();
    cs_auto_free countersign_v1_Decision *decision = CLI_NEW(countersign_v1_Decision, err);
    cs_auto_free countersign_v1_Decision *decoded = NULL;
    cs_auto_free countersign_v1_DecideRequest *request = CLI_NEW(countersign_v1_DecideRequest, err);
    countersign_v1_DecideResponse reply;
    struct cs_buf payload = CS_BUF_EMPTY, envelope = CS_BUF_EMPTY;
    enum cs_push_reason reason;
    int rc;

    if (!decision || !request)
        return CS_ENOMEM;
    compose_decision(cli, deciding, review, decider, decision);
    rc = cs_message_encode(countersign_v1_Decision_fields, decision, &payload, err);
    if (rc == CS_OK)
        rc = cs_decision_decode(cs_buf_slice(&payload), &decoded, err);
    if (rc == CS_OK)
        rc = show_all(statement, deciding, review, decoded, err);
    if (rc == CS_OK && cli_dry_run(cli)) {
        cs_buf_free(&payload);
        rc = check_decider(cli, deciding, review, decider, err);
        return rc == CS_OK ? cli_dry_end(cli, statement, err) : rc;
    }
    if (rc == CS_OK)
        rc = cli_sign(cli, CS_STATEMENT_DECISION, cs_buf_slice(&payload), statement, decider, &envelope, err);
    /* Judged as device and controller will, so that what they would refuse is never sent. */
    if (rc == CS_OK)
        rc = cs_push_add_decision(review->push, cs_buf_slice(&envelope), review->orders, review->cores.count,
                                  &reason, err);
    if (rc == CS_OK) {
        request->number = deciding->number;
        CS_PB_SET(&request->envelope, cs_buf_slice(&envelope));
        snprintf(request->comment, sizeof request->comment, "%s", deciding->comment);
        rc = cli_call(cli, &cli_rpc_Decide, request, &reply, err);
    }
    cs_buf_free(&payload);
    cs_buf_free(&envelope);
    return rc;
}

static int print_decided(struct cli *cli, uint64_t request_number, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Order *orders = NULL;
    char number[CLI_TEXT_BYTES];
    size_t count;
    int rc = cli_fetch_orders(cli, request_number, &orders, &count, err);

    if (rc != CS_OK)
        return rc;
    cli_show_request_number(request_number, number);
    cli_field(doc, "request", "Request", cli_tinted(number, CLI_BOLD));
    cli_order_table(doc, orders, count);
    return cli_write(cli, doc, err);
}

static int decide(struct cli *cli, struct deciding *deciding, struct cs_err *err)
{
    const countersign_v1_Operator *decider;
    struct cli_review review = {0};
    int rc = read_options(cli, deciding, err);

    if (rc == CS_OK && deciding->verdict == countersign_v1_Verdict_VERDICT_ACCEPT)
        rc = read_mode(cli, deciding, err);
    if (rc == CS_OK)
        rc = cli_signer(cli, countersign_v1_Role_ROLE_UNSPECIFIED, &decider, err);
    if (rc == CS_OK)
        rc = cli_review_open(cli, deciding->number, &review, err);
    if (rc == CS_OK)
        rc = find_stage(cli, deciding, &review, err);
    if (rc == CS_OK)
        rc = sign_and_send(cli, deciding, &review, decider, err);
    cli_review_free(&review);
    if (rc != CS_OK || cli_dry_run(cli))
        return rc;
    if (deciding->verdict == countersign_v1_Verdict_VERDICT_ACCEPT && cli_args_flag(&cli->args, "wait"))
        return cli_wait_for(cli, deciding->number, err);
    return print_decided(cli, deciding->number, err);
}

static int decide_as(struct cli *cli, const char *stage, countersign_v1_Verdict verdict, struct cs_err *err)
{
    struct deciding deciding = {.stage = stage, .verdict = verdict};
    int rc = decide(cli, &deciding, err);

    free(deciding.orders);
    return rc;
}

int cli_approve_run(struct cli *cli, struct cs_err *err)
{
    return decide_as(cli, "approve", countersign_v1_Verdict_VERDICT_ACCEPT, err);
}

int cli_implement_run(struct cli *cli, struct cs_err *err)
{
    return decide_as(cli, "implement", countersign_v1_Verdict_VERDICT_ACCEPT, err);
}

int cli_decide_run(struct cli *cli, struct cs_err *err)
{
    return decide_as(cli, NULL, countersign_v1_Verdict_VERDICT_ACCEPT, err);
}

int cli_reject_run(struct cli *cli, struct cs_err *err)
{
    return decide_as(cli, NULL, countersign_v1_Verdict_VERDICT_REJECT, err);
}

/* The controller takes a handful of numbers in a call, each call whole or not at all; this takes them all. */
static int cancel_in_steps(struct cli *cli, countersign_v1_CancelRequestRequest *request,
                           const uint64_t *numbers, size_t count, countersign_v1_CancelRequestResponse *total,
                           struct cs_err *err)
{
    const size_t most = CS_ARRAY_LEN(request->orders);

    for (size_t done = 0; done == 0 || done < count; done += most) {
        const size_t step = count - done < most ? count - done : most;
        countersign_v1_CancelRequestResponse reply;
        int rc;

        if (step)
            memcpy(request->orders, numbers + done, step * sizeof numbers[0]);
        request->orders_count = (pb_size_t)step;
        rc = cli_call(cli, &cli_rpc_CancelRequest, request, &reply, err);
        if (rc != CS_OK)
            return done ? cs_err_prefix(err, "the first %zu of %zu were done, the others not", done, count)
                        : rc;
        total->cancelled += reply.cancelled;
        total->handed_over += reply.handed_over;
    }
    return CS_OK;
}

/* What a cancel would reach: the orders of the request as they are now. */
static int show_cancel(struct cli *cli, uint64_t request_number, const uint64_t *numbers,
                       size_t numbers_count, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Order *orders = NULL;
    uint64_t cancelled = 0, handed_over = 0;
    size_t count;
    int rc = cli_fetch_orders(cli, request_number, &orders, &count, err);

    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < count; i++) {
        if ((numbers_count &&
             !bsearch(&orders[i].number, numbers, numbers_count, sizeof numbers[0], by_number)) ||
            cli_show_state_ended(orders[i].state))
            continue;
        if (orders[i].state == countersign_v1_OrderState_ORDER_STATE_PUSH_IN_PROGRESS)
            handed_over++;
        else
            cancelled++;
    }
    cli_field(doc, "cancelled", "Would be cancelled", cli_number(cancelled));
    cli_field(doc, "handed_over", "Handed over already", cli_number(handed_over));
    return cli_dry_end(cli, doc, err);
}

int cli_cancel_run(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_CancelRequestRequest *request =
        CLI_NEW(countersign_v1_CancelRequestRequest, err);
    countersign_v1_CancelRequestResponse reply = {0};
    const char *orders = cli_args_option(&cli->args, "orders");
    cs_auto_free uint64_t *numbers = NULL;
    const char *comment;
    char question[128];
    size_t count = 0;
    int rc;

    if (!request)
        return CS_ENOMEM;
    rc = cli_args_number(cli->args.operands[0], "REQ-", &request->number, err);
    if (rc == CS_OK && orders)
        rc = cli_args_numbers(orders, "WO-", CS_LIMIT_ORDERS_PER_REQUEST, &numbers, &count, err);
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    if (rc == CS_OK)
        rc = cli_comment(cli, &comment, err);
    if (rc != CS_OK)
        return rc;
    snprintf(request->comment, sizeof request->comment, "%s", comment);
    snprintf(question, sizeof question, "Cancel %s of REQ-%llu?",
             count ? "these work orders" : "every open work order", (unsigned long long)request->number);
    if (cli_dry_run(cli))
        return show_cancel(cli, request->number, numbers, count, err);
    if (!cli_args_flag(&cli->args, "yes"))
        rc = cli_ask_yes(question, "give --yes", err);
    if (rc == CS_OK)
        rc = cancel_in_steps(cli, request, numbers, count, &reply, err);
    if (rc != CS_OK)
        return rc;
    cli_field(doc, "cancelled", "Cancelled", cli_number(reply.cancelled));
    cli_field(doc, "handed_over", "Handed over already", cli_number(reply.handed_over));
    if (reply.handed_over)
        cli_hint(doc,
                 "Devices that have their work order already report how it ended: countersign request show "
                 "REQ-%llu",
                 (unsigned long long)request->number);
    return cli_write(cli, doc, err);
}
