/* What a push would need, from the client's own verified policy: nothing here is the controller's word. */
#include "controller/cli/push.h"
#include "controller/cli/show.h"

#include "shared/trust/need.h"

/* The people one behind the other, or as a list for machines. */
static void add_people(struct cli_doc *doc, const struct cs_need *need, const struct cs_policy *policy,
                       size_t stage, const char *requester, struct cs_buf *out)
{
    const countersign_v1_Operator *who;
    size_t next = 0;

    while ((who = cs_need_person(need, policy, stage, requester, next, &next)) != NULL)
        if ((out->len && cs_buf_append_str(out, "\n") != CS_OK) || cs_buf_append_str(out, who->name) != CS_OK)
            cli_doc_fail(doc);
}

static void add_row(struct cli_doc *doc, const struct cs_need *need, const struct cs_policy *policy,
                    size_t stage, const char *requester)
{
    const countersign_v1_Rule *rule = need->rule;
    const countersign_v1_Stage *of = stage < rule->stages_count ? &rule->stages[stage] : NULL;
    struct cs_buf people = CS_BUF_EMPTY;
    char example[CLI_TEXT_BYTES];

    if (of)
        add_people(doc, need, policy, stage, requester, &people);
    CLI_ROW(
        doc, cli_text(rule->name), cli_number(need->orders),
        cli_text(cli_show_target(need->device_name, need->connector, example)),
        cli_text(of ? of->name : "nobody has to decide"), cli_number(of ? of->required : 0),
        cli_text(of ? cli_show_role_word(of->role) : "-"), cli_list(cs_buf_slice(&people)),
        cli_text(stage + 1 < rule->stages_count || rule->browser_may_finish ? "yes" : "not the last one"));
    cs_buf_free(&people);
}

void cli_show_needs(struct cli_doc *doc, const struct cs_policy *policy, const struct cs_cert_info *leaf,
                    const struct cli_places *places, const char *requester)
{
    static const struct cli_column columns[] = {
        {.key = "rule", .title = "RULE"},
        {.key = "orders", .title = "ORDERS", .flags = CLI_RIGHT},
        {.key = "example", .title = "FOR EXAMPLE"},
        {.key = "stage", .title = "STAGE"},
        {.key = "required", .title = "PEOPLE", .flags = CLI_RIGHT},
        {.key = "role", .title = "ROLE"},
        {.key = "may_decide", .title = "WHO MAY DECIDE"},
        {.key = "browser_keys", .title = "BROWSER KEYS"},
    };
    cs_auto_free struct cs_needs *needs = calloc(1, sizeof *needs);

    cli_table(doc, "needs", columns, CS_ARRAY_LEN(columns), NULL);
    if (!needs) {
        cli_doc_fail(doc);
        return;
    }
    *needs = cs_needs_begin(policy);
    for (size_t i = 0; i < places->count; i++)
        cs_needs_add(needs, places->list[i].device, places->list[i].connector, leaf);
    cs_needs_sort(needs);
    for (size_t i = 0; i < needs->count; i++)
        for (size_t stage = 0; stage == 0 || stage < needs->list[i].rule->stages_count; stage++)
            add_row(doc, &needs->list[i], policy, stage, requester);
}
