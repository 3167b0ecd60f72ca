/* countersign request … - push requests, REQ-n. */
#include "controller/cli/nouns.h"
#include "controller/cli/review.h"
#include "controller/cli/show.h"

static void state_text(const countersign_v1_Request *request, char out[SHOW_TEXT_BYTES])
{
    if (request->stage && request->required)
        snprintf(out, SHOW_TEXT_BYTES, "%s %u/%u", show_state_word(request->state), request->decided,
                 request->required);
    else
        snprintf(out, SHOW_TEXT_BYTES, "%s", show_state_word(request->state));
}

int request_list(struct cli *cli, struct cs_err *err)
{
    static const struct out_column columns[] = {
        {"request", "REQUEST", false},
        {"certificate", "CERTIFICATE", false},
        {"state", "STATE", false},
        {"stage", "STAGE", false},
        {"orders", "ORDERS", true},
        {"completed", "COMPLETED", true},
        {"failed", "FAILED", true},
        {"requester", "REQUESTER", false},
        {"requested_at", "REQUESTED", false},
        {"comment", "COMMENT", false},
    };
    cs_auto(out_freep) struct out_doc *doc = out_new();
    cs_auto_free countersign_v1_ListRequestsResponse *reply =
        CLI_NEW(countersign_v1_ListRequestsResponse, err);
    countersign_v1_ListRequestsRequest ask = {.open_only = args_flag(&cli->args, "open")};

    if (!reply)
        return CS_ENOMEM;
    out_table(doc, "requests", columns, CS_ARRAY_LEN(columns),
              "There are no push requests: countersign push CERT --comment TEXT --as REQUESTER");
    do {
        int rc = cli_call(cli, &RPC_ListRequests, &ask, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->requests_count; i++) {
            const countersign_v1_Request *r = &reply->requests[i];
            char number[SHOW_TEXT_BYTES], state[SHOW_TEXT_BYTES];

            state_text(r, state);
            OUT_ROW(doc, out_text(show_request_number(r->number, number)), out_text(r->certificate_name),
                    out_tinted(state, show_state_tint(r->state)), out_text(r->stage_name),
                    out_number(r->order_count), out_number(r->completed), out_number(r->failed),
                    out_text(r->requester), out_time(r->requested_at_s), out_text(r->comment));
            ask.before_number = r->number;
        }
    } while (reply->more && reply->requests_count);
    return cli_write(cli, doc, err);
}

static void show_decisions(struct out_doc *doc, const struct review *review)
{
    static const struct out_column columns[] = {
        {"decider", "DECIDER", false},       {"stage", "STAGE", true},         {"verdict", "VERDICT", false},
        {"not_before", "NOT BEFORE", false}, {"decided_at", "DECIDED", false}, {"comment", "COMMENT", false},
    };

    out_table(doc, "decisions", columns, CS_ARRAY_LEN(columns), "Nobody has decided yet.");
    for (size_t i = 0; i < cs_push_decision_count(review->push); i++) {
        const countersign_v1_Decision *decision = cs_push_decision(review->push, i);
        bool accepts = decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT;

        OUT_ROW(doc, out_text(decision->decider), out_number(decision->stage),
                accepts ? out_tinted("accept", OUT_GREEN) : out_tinted("reject", OUT_RED),
                out_time(decision->not_before_s), out_time(decision->decided_at_s),
                out_text(show_signed_comment(review->given->decisions[i].comment,
                                             CS_PB_BYTES(&decision->comment_digest))));
    }
}

int request_show(struct cli *cli, struct cs_err *err)
{
    cs_auto(out_freep) struct out_doc *doc = out_new();
    cs_auto_free countersign_v1_Order *orders = NULL;
    struct review review = {0};
    char state[SHOW_TEXT_BYTES];
    uint64_t number;
    size_t count = 0;
    int rc = args_number(cli->args.operands[0], "REQ-", &number, err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    rc = review_open(cli, number, &review, err);
    if (rc == CS_OK)
        rc = fetch_orders(cli, number, &orders, &count, err);
    if (rc == CS_OK) {
        state_text(&review.given->request, state);
        out_field(doc, "state", "State", out_tinted(state, show_state_tint(review.given->request.state)));
        show_push_request(doc, cs_push_request(review.push), review.given->request.comment);
        show_certificate(doc, &review.certificate);
        out_field(doc, "start", "Start", out_time(review.given->request.start_s));
        out_field(doc, "verified", "Signatures",
                  out_tinted("request and decisions verified here, under the pinned policy", OUT_GREEN));
        show_decisions(doc, &review);
        order_table(doc, orders, count);
        rc = cli_write(cli, doc, err);
    }
    review_free(&review);
    return rc;
}
