/* countersign inbox, whoami - what waits for the person at the keyboard, and who that is. */
#include "controller/cli/nouns.h"
#include "controller/cli/review.h"
#include "controller/cli/show.h"

#include <unistd.h>

/* Whether a decision can still be made at all. */
static bool may_wait(const countersign_v1_Request *request)
{
    return request->state == countersign_v1_OrderState_ORDER_STATE_PUSH_APPROVAL_PENDING ||
           request->state == countersign_v1_OrderState_ORDER_STATE_PUSH_REVIEW_IN_PROGRESS;
}

static void add_waiting(struct cli *cli, struct cli_doc *doc, const countersign_v1_Request *given,
                        const struct cli_review *review, const countersign_v1_Operator *who)
{
    const countersign_v1_PushRequest *request = cs_push_request(review->push);
    const char *stage = "";
    countersign_v1_Action action = countersign_v1_Action_ACTION_UNSPECIFIED;
    char number[CLI_TEXT_BYTES];
    uint64_t waiting = 0;

    for (size_t i = 0; i < review->cores.count; i++) {
        struct cs_push_progress progress;

        if (!cli_review_waits_for(cli, review, i, who))
            continue;
        if (waiting++ > 0)
            continue;
        stage = cli_review_stage_name(review, i, &progress);
        action = review->cores.cores[i]->action;
    }
    if (waiting)
        CLI_ROW(doc, cli_text(cli_show_request_number(request->number, number)),
                cli_text(cli_show_action_word(action)), cli_text(given->certificate_name), cli_text(stage),
                cli_number(waiting), cli_text(request->requester), cli_time(request->decide_by_s),
                cli_text(cli_show_signed_comment(review->given->request.comment,
                                                 CS_PB_BYTES(&request->comment_digest))));
}

/* One that does not verify is no reason to hide the others, nor to pass it over. */
static void add_suspect(struct cli_doc *doc, const countersign_v1_Request *given, const struct cs_err *why)
{
    char number[CLI_TEXT_BYTES];

    CLI_ROW(doc, cli_text(cli_show_request_number(given->number, number)), cli_text("-"),
            cli_text(given->certificate_name), cli_tinted("does not verify", CLI_RED), cli_number(0),
            cli_text(given->requester), cli_time(0), cli_tinted(why->msg, CLI_RED));
}

static int add_page(struct cli *cli, struct cli_doc *doc, const countersign_v1_ListRequestsResponse *page,
                    const countersign_v1_Operator *who, struct cs_err *err)
{
    for (pb_size_t i = 0; i < page->requests_count; i++) {
        struct cli_review review = {0};
        struct cs_err why;
        int rc;

        if (!may_wait(&page->requests[i]))
            continue;
        rc = cli_review_glance(cli, page->requests[i].number, &review, &why);
        if (rc == CS_ENOMEM || (rc != CS_OK && cli_rpc_unreachable(cli->rpc))) {
            *err = why;
            return rc;
        }
        if (rc == CS_OK)
            add_waiting(cli, doc, &page->requests[i], &review, who);
        else
            add_suspect(doc, &page->requests[i], &why);
        cli_review_free(&review);
    }
    return CS_OK;
}

int cli_inbox_run(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"request", "REQUEST", CLI_ID}, {"action", "ACTION", 0},         {"certificate", "CERTIFICATE", 0},
        {"stage", "STAGE", 0},          {"orders", "ORDERS", CLI_RIGHT}, {"requester", "REQUESTER", 0},
        {"decide_by", "DECIDE BY", 0},  {"comment", "COMMENT", 0},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListRequestsResponse *reply =
        CLI_NEW(countersign_v1_ListRequestsResponse, err);
    countersign_v1_ListRequestsRequest ask = {.open_only = true};
    const countersign_v1_Operator *who;
    int rc = reply ? cli_signer(cli, countersign_v1_Role_ROLE_UNSPECIFIED, &who, err) : CS_ENOMEM;

    cli_table(doc, "requests", columns, CS_ARRAY_LEN(columns), "Nothing waits for you.");
    while (rc == CS_OK) {
        rc = cli_call(cli, &cli_rpc_ListRequests, &ask, reply, err);
        if (rc == CS_OK)
            rc = add_page(cli, doc, reply, who, err);
        if (rc == CS_OK)
            rc = cli_page(cli, doc, err);
        if (rc == CS_OK && (!reply->more || !reply->requests_count))
            return cli_write(cli, doc, err);
        for (pb_size_t i = 0; rc == CS_OK && i < reply->requests_count; i++) {
            if (ask.before_number && reply->requests[i].number >= ask.before_number)
                rc = cs_err_set(err, CS_EAUTH, "the controller's list of requests has no end");
            ask.before_number = reply->requests[i].number;
        }
    }
    return rc;
}

/* ---- whoami */

static void show_key(struct cli *cli, struct cli_doc *doc, const char *name)
{
    char path[PATH_MAX];
    struct cs_err ignored;
    bool there = cli_home_operator_key(&cli->home, name, path, &ignored) == CS_OK && access(path, R_OK) == 0;

    cli_field(doc, "key_here", "Private key is here", cli_bool(there));
    cli_field(doc, "key_file", "Its file", cli_text(there ? path : ""));
}

int cli_whoami_run(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    const countersign_v1_Operator *who;
    struct cs_buf roles = CS_BUF_EMPTY;
    int rc = cli_signer(cli, countersign_v1_Role_ROLE_UNSPECIFIED, &who, err);

    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < who->roles_count; i++)
        if (cs_buf_printf(&roles, "%s%s", i ? "\n" : "", cli_show_role_word(who->roles[i])) != CS_OK)
            cli_doc_fail(doc);
    cli_field(doc, "operator", "Operator", cli_tinted(who->name, CLI_BOLD));
    cli_field(doc, "roles", "Roles", cli_list(cs_buf_slice(&roles)));
    cs_buf_free(&roles);
    show_key(cli, doc, who->name);
    cli_field(doc, "policy_version", "Trust policy", cli_number(cs_policy_version(cli->policy)));
    cli_field(doc, "policy_expires_at", "It expires", cli_time(cs_policy_body(cli->policy)->expires_at_s));
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_SLICE_ARRAY(cli->home.pin.deployment_id)));
    cli_field(doc, "home", "Home", cli_text(cli->home.folder));
    cli_field(doc, "socket", "Socket", cli_text(cli->home.socket));
    return cli_write(cli, doc, err);
}
