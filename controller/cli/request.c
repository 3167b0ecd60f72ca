/* countersign request … - push requests, REQ-n. */
#include "controller/cli/nouns.h"
#include "controller/cli/review.h"
#include "controller/cli/show.h"

#include "shared/trust/spoken.h"

static void state_text(const countersign_v1_Request *request, char out[CLI_TEXT_BYTES])
{
    if (request->stage && request->required)
        snprintf(out, CLI_TEXT_BYTES, "%s %u/%u", cli_show_state_word(request->state), request->decided,
                 request->required);
    else
        snprintf(out, CLI_TEXT_BYTES, "%s", cli_show_state_word(request->state));
}

int cli_request_list(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"request", "REQUEST", false},
        {"action", "ACTION", false},
        {"certificate", "CERTIFICATE", false},
        {"state", "STATE", false},
        {"stage", "STAGE", false},
        {"orders", "ORDERS", true},
        {"completed", "COMPLETED", true},
        {"failed", "FAILED", true},
        {"requester", "REQUESTER", false},
        {"requested_at", "REQUESTED", CLI_WIDE},
        {"comment", "COMMENT", false},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListRequestsResponse *reply =
        CLI_NEW(countersign_v1_ListRequestsResponse, err);
    countersign_v1_ListRequestsRequest ask = {.open_only = cli_args_flag(&cli->args, "open")};

    if (!reply)
        return CS_ENOMEM;
    cli_table(doc, "requests", columns, CS_ARRAY_LEN(columns),
              "There are no push requests: countersign push CERT --comment TEXT --as REQUESTER");
    do {
        int rc = cli_call(cli, &cli_rpc_ListRequests, &ask, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->requests_count; i++) {
            const countersign_v1_Request *r = &reply->requests[i];
            char number[CLI_TEXT_BYTES], state[CLI_TEXT_BYTES];

            state_text(r, state);
            CLI_ROW(doc, cli_text(cli_show_request_number(r->number, number)),
                    cli_text(cli_show_action_word(r->action)), cli_text(r->certificate_name),
                    cli_tinted(state, cli_show_state_tint(r->state)), cli_text(r->stage_name),
                    cli_number(r->order_count), cli_number(r->completed), cli_number(r->failed),
                    cli_text(r->requester), cli_time(r->requested_at_s), cli_text(r->comment));
            if (ask.before_number && r->number >= ask.before_number)
                return cs_err_set(err, CS_EAUTH, "the controller gave %s twice: its list has no end", number);
            ask.before_number = r->number;
        }
        rc = cli_page(cli, doc, err);
        if (rc != CS_OK)
            return rc;
    } while (reply->more && reply->requests_count);
    return cli_write(cli, doc, err);
}

static void show_decisions(struct cli_doc *doc, const struct cli_review *review)
{
    static const struct cli_column columns[] = {
        {"decider", "DECIDER", false},       {"stage", "STAGE", true},         {"verdict", "VERDICT", false},
        {"not_before", "NOT BEFORE", false}, {"decided_at", "DECIDED", false}, {"comment", "COMMENT", false},
        {"digest_words", "IN WORDS", false},
    };

    cli_table(doc, "decisions", columns, CS_ARRAY_LEN(columns), "Nobody has decided yet.");
    for (size_t i = 0; i < cs_push_decision_count(review->push); i++) {
        const countersign_v1_Decision *decision = cs_push_decision(review->push, i);
        bool accepts = decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT;
        struct cs_digest digest = cs_push_decision_digest(review->push, i);
        char words[CS_SPOKEN_TEXT_BYTES];

        CLI_ROW(doc, cli_text(decision->decider), cli_number(decision->stage),
                accepts ? cli_tinted("accept", CLI_GREEN) : cli_tinted("reject", CLI_RED),
                cli_time(decision->not_before_s), cli_time(decision->decided_at_s),
                cli_text(cli_show_signed_comment(review->given->decisions[i].comment,
                                                 CS_PB_BYTES(&decision->comment_digest))),
                cli_text(cs_spoken_text(&digest, words)));
    }
}

int cli_request_show(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_Order *orders = NULL;
    struct cli_review review = {0};
    struct cs_digest digest;
    char state[CLI_TEXT_BYTES];
    uint64_t number;
    size_t count = 0;
    int rc = cli_args_number(cli->args.operands[0], "REQ-", &number, err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    rc = cli_review_open(cli, number, &review, err);
    if (rc == CS_OK)
        rc = cli_fetch_orders(cli, number, &orders, &count, err);
    if (rc == CS_OK) {
        state_text(&review.given->request, state);
        cli_field(doc, "state", "State", cli_tinted(state, cli_show_state_tint(review.given->request.state)));
        cli_show_task(doc, review.cores.cores, review.cores.count, review.certificate.leaf.common_name);
        cli_show_push_request(doc, cs_push_request(review.push), review.given->request.comment);
        digest = cs_push_request_digest(review.push);
        cli_show_digest(doc, &digest);
        cli_show_certificate(doc, &review.certificate);
        cli_field(doc, "key_mode", "Private key",
                  cli_text(cli_show_core_key(cli->style, review.cores.cores[0])));
        cli_field(doc, "start", "Start", cli_time(review.given->request.start_s));
        cli_field(doc, "verified", "Signatures",
                  cli_tinted("request and decisions verified here, under the pinned policy", CLI_GREEN));
        show_decisions(doc, &review);
        cli_order_table(doc, orders, count);
        rc = cli_write(cli, doc, err);
    }
    cli_review_free(&review);
    return rc;
}
