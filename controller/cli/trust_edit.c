/* countersign trust draft, add-operator, remove-operator, add-key, remove-key, add-group, remove-group,
 * set-stage, remove-stage, add-rule, remove-rule, set-roots, set-expiry - changes to a draft of the next
 * trust policy. Nothing of it counts before the roots have signed. */
#include "controller/cli/compose.h"
#include "controller/cli/draft.h"
#include "controller/cli/file.h"
#include "controller/cli/nouns.h"
#include "controller/cli/public_key.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#include <unistd.h>

static const char *draft_option(const struct cli *cli)
{
    return cli_args_option(&cli->args, "draft");
}

/* What the draft changes by now, and what comes next. */
static int print_draft(struct cli *cli, const char *path, const countersign_v1_TrustPolicy *body,
                       const struct cs_policy *current, size_t signatures_lost, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    cli_field(doc, "draft", "Draft", cli_text(path));
    cli_show_policy_changes(doc, cs_policy_body(current), body);
    if (signatures_lost)
        cli_hint(
            doc,
            "The draft has no signatures any more: %zu were for what it said before. Everybody signs again.",
            signatures_lost);
    cli_hint(doc, "Next: other changes, or countersign trust sign%s%s --root-key KEY",
             draft_option(cli) ? " " : "", draft_option(cli) ? draft_option(cli) : "");
    return cli_write(cli, doc, err);
}

int cli_trust_draft(struct cli *cli, struct cs_err *err)
{
    cs_auto_free countersign_v1_TrustPolicy *body = CLI_NEW(countersign_v1_TrustPolicy, err);
    const struct cs_policy *current;
    char path[PATH_MAX];
    int64_t valid_s;
    int rc = cli_duration(cli, "expires", CLI_POLICY_LIFE_S, &valid_s, err);

    if (!body)
        return CS_ENOMEM;
    if (rc == CS_OK)
        rc = cli_draft_path(cli, draft_option(cli), path, err);
    if (rc != CS_OK)
        return rc;
    if (!cli_args_flag(&cli->args, "replace") && access(path, F_OK) == 0)
        return cs_err_set(
            err, CS_EEXISTS,
            "there is a draft already, %.130s: `countersign trust diff` shows it, --replace begins again",
            path);
    rc = cli_policy(cli, &current, err);
    if (rc != CS_OK)
        return rc;
    cli_compose_next(body, current, cli->now_s, valid_s);
    rc = cli_draft_write(path, body, err);
    return rc == CS_OK ? print_draft(cli, path, body, current, 0, err) : rc;
}

/* Opens the draft, lets `change` at it, checks and writes it. */
static int edit(struct cli *cli,
                int (*change)(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err),
                struct cs_err *err)
{
    cs_auto(cs_policy_freep) struct cs_policy *current = NULL;
    struct cli_draft draft = {0};
    int rc = cli_draft_open_following(cli, draft_option(cli), &draft, &current, err);

    if (rc == CS_OK)
        rc = change(cli, draft.body, err);
    if (rc == CS_OK) {
        rc = cli_draft_write(draft.path, draft.body, err);
        if (rc == CS_EINVAL || rc == CS_EPARSE)
            cs_err_prefix(err, "the draft stays as it was");
    }
    if (rc == CS_OK)
        rc = print_draft(cli, draft.path, draft.body, current, draft.signature_count, err);
    cli_draft_free(&draft);
    return rc;
}

static int add_operators(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < cli->args.operand_count; i++)
        rc = cli_compose_operator(body, cli->args.operands[i], &cli->home, err);
    return rc;
}

int cli_trust_add_operator(struct cli *cli, struct cs_err *err)
{
    return edit(cli, add_operators, err);
}

static int remove_operators(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < cli->args.operand_count; i++)
        rc = cli_compose_remove_operator(body, cli->args.operands[i], err);
    return rc;
}

int cli_trust_remove_operator(struct cli *cli, struct cs_err *err)
{
    return edit(cli, remove_operators, err);
}

/* --kind file, browser or another word of the policy's. */
static int read_kind(struct cli *cli, countersign_v1_KeyKind *ret, struct cs_err *err)
{
    const char *words[_countersign_v1_KeyKind_MAX + 1];
    size_t at = 0;
    int rc;

    for (unsigned kind = 1; kind <= _countersign_v1_KeyKind_MAX; kind++)
        words[kind - 1] = cli_show_key_kind_word((countersign_v1_KeyKind)kind);
    words[_countersign_v1_KeyKind_MAX] = NULL;
    rc = cli_choice(cli, "kind", words, &at, err);
    *ret = (countersign_v1_KeyKind)(at + 1);
    return rc;
}

static int add_key(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    uint8_t spki[CS_SPKI_BYTES];
    countersign_v1_KeyKind kind;
    int rc = read_kind(cli, &kind, err);

    if (rc == CS_OK)
        rc = cli_public_key_read(cli->args.operands[1], spki, err);
    return rc == CS_OK ? cli_compose_add_key(body, cli->args.operands[0], CS_SLICE_ARRAY(spki), kind, err)
                       : rc;
}

int cli_trust_add_key(struct cli *cli, struct cs_err *err)
{
    return edit(cli, add_key, err);
}

static int remove_key(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    return cli_compose_remove_key(body, cli->args.operands[0], cli->args.operands[1], err);
}

int cli_trust_remove_key(struct cli *cli, struct cs_err *err)
{
    return edit(cli, remove_key, err);
}

static int add_groups(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < cli->args.operand_count; i++)
        rc = cli_compose_group(body, cli->args.operands[i], err);
    return rc;
}

int cli_trust_add_group(struct cli *cli, struct cs_err *err)
{
    return edit(cli, add_groups, err);
}

static int remove_groups(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < cli->args.operand_count; i++)
        rc = cli_compose_remove_group(body, cli->args.operands[i], err);
    return rc;
}

int cli_trust_remove_group(struct cli *cli, struct cs_err *err)
{
    return edit(cli, remove_groups, err);
}

/* --position, from 1; 0 without one. */
static int read_position(struct cli *cli, uint64_t *ret, struct cs_err *err)
{
    const char *text = cli_args_option(&cli->args, "position");

    *ret = 0;
    if (text && cli_args_number(text, "", ret, NULL) != CS_OK)
        return cli_usage(cli, err, "--position is a number from 1");
    return CS_OK;
}

/* What the options say over what the stage was. */
static int change_stage(struct cli *cli, countersign_v1_Stage *stage, struct cs_err *err)
{
    const char *role = cli_args_option(&cli->args, "role");
    const char *required = cli_args_option(&cli->args, "required");
    const char *name;
    int rc = CS_OK;

    if (role)
        rc = cli_compose_role(role, &stage->role, err);
    if (rc == CS_OK && required)
        rc = cli_compose_count(required, &stage->required, err);
    if (cli_args_flag(&cli->args, "anybody") || cli_args_option(&cli->args, "operator"))
        stage->operators_count = 0;
    for (size_t i = 0; rc == CS_OK && (name = cli_args_option_at(&cli->args, "operator", i)) != NULL; i++)
        rc = cli_compose_stage_person(stage, name, err);
    if (rc != CS_OK)
        cli->failure = CLI_USAGE;
    return rc;
}

static int add_stage(struct cli *cli, countersign_v1_Rule *rule, const char *name, struct cs_err *err)
{
    cs_auto_free countersign_v1_Stage *stage = CLI_NEW(countersign_v1_Stage, err);
    uint64_t position;
    int rc = read_position(cli, &position, err);

    if (!stage || rc != CS_OK)
        return stage ? rc : CS_ENOMEM;
    if (!cli_args_option(&cli->args, "role"))
        return cli_usage(cli, err,
                         "rule %s has no stage \"%.63s\"; to add one, say who decides it: --role ROLE",
                         rule->name, name);
    if (strlen(name) >= sizeof stage->name)
        return cli_usage(cli, err, "the name of the stage is too long");
    memcpy(stage->name, name, strlen(name) + 1);
    stage->required = 1;
    rc = change_stage(cli, stage, err);
    return rc == CS_OK ? cli_compose_add_stage(rule, stage, position, err) : rc;
}

static int set_stage(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    const char *name = cli->args.operands[1];
    countersign_v1_Stage *stage;
    countersign_v1_Rule *rule;
    int rc = cli_compose_find_rule(body, cli->args.operands[0], &rule, err);

    if (rc != CS_OK)
        return rc;
    stage = cli_compose_find_stage(rule, name);
    if (!stage)
        return add_stage(cli, rule, name, err);
    if (cli_args_option(&cli->args, "position"))
        return cli_usage(cli, err, "--position is for a new stage; \"%.63s\" is there", stage->name);
    return change_stage(cli, stage, err);
}

int cli_trust_set_stage(struct cli *cli, struct cs_err *err)
{
    return edit(cli, set_stage, err);
}

static int remove_stage(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    countersign_v1_Rule *rule;
    int rc = cli_compose_find_rule(body, cli->args.operands[0], &rule, err);

    return rc == CS_OK ? cli_compose_remove_stage(rule, cli->args.operands[1], err) : rc;
}

int cli_trust_remove_stage(struct cli *cli, struct cs_err *err)
{
    return edit(cli, remove_stage, err);
}

/* Every value of a repeated option into a list of fixed places. */
static int fill_list(struct cli *cli, const char *option, char *list, size_t stride, size_t room,
                     pb_size_t *count, struct cs_err *err)
{
    const char *value;

    for (size_t i = 0; (value = cli_args_option_at(&cli->args, option, i)) != NULL; i++) {
        if (i == room || strlen(value) >= stride)
            return cli_usage(cli, err, "--%s can be given %zu times, with at most %zu bytes", option, room,
                             stride - 1);
        memcpy(list + i * stride, value, strlen(value) + 1);
        *count = (pb_size_t)(i + 1);
    }
    return CS_OK;
}
#define FILL_LIST(cli, option, list, count, err)                                                             \
    fill_list((cli), (option), (list)[0], sizeof(list)[0], CS_ARRAY_LEN(list), (count), (err))

static int read_rule(struct cli *cli, countersign_v1_Rule *rule, struct cs_err *err)
{
    const char *name = cli->args.operands[0];
    const char *stage;
    int rc;

    if (strlen(name) >= sizeof rule->name)
        return cli_usage(cli, err, "the name of the rule is too long");
    memcpy(rule->name, name, strlen(name) + 1);
    rule->requester_may_decide = cli_args_flag(&cli->args, "requester-may-decide");
    rule->browser_may_finish = cli_args_flag(&cli->args, "browser-may-finish");
    rc = FILL_LIST(cli, "device", rule->devices, &rule->devices_count, err);
    if (rc == CS_OK)
        rc = FILL_LIST(cli, "connector", rule->connectors, &rule->connectors_count, err);
    if (rc == CS_OK)
        rc = FILL_LIST(cli, "issuer", rule->issuers, &rule->issuers_count, err);
    if (rc == CS_OK)
        rc = FILL_LIST(cli, "name", rule->names, &rule->names_count, err);
    for (size_t i = 0; rc == CS_OK && (stage = cli_args_option_at(&cli->args, "stage", i)) != NULL; i++) {
        if (i == CS_LIMIT_STAGES)
            return cli_usage(cli, err, "a rule has at most %d stages", CS_LIMIT_STAGES);
        rc = cli_compose_stage(stage, &rule->stages[rule->stages_count], err);
        if (rc != CS_OK)
            cli->failure = CLI_USAGE;
        rule->stages_count++;
    }
    if (rc == CS_OK && (rule->stages_count == 0) != cli_args_flag(&cli->args, "nobody-decides"))
        return cli_usage(
            cli, err,
            "say who decides: --stage NAME=ROLE[:COUNT][:PERSON,PERSON] for each stage in its order, "
            "or --nobody-decides");
    return rc;
}

static int add_rule(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    cs_auto_free countersign_v1_Rule *rule = CLI_NEW(countersign_v1_Rule, err);
    uint64_t position;
    int rc = read_position(cli, &position, err);

    if (!rule)
        return CS_ENOMEM;
    if (rc == CS_OK)
        rc = read_rule(cli, rule, err);
    return rc == CS_OK ? cli_compose_add_rule(body, rule, position, err) : rc;
}

int cli_trust_add_rule(struct cli *cli, struct cs_err *err)
{
    return edit(cli, add_rule, err);
}

static int remove_rule(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    return cli_compose_remove_rule(body, cli->args.operands[0], err);
}

int cli_trust_remove_rule(struct cli *cli, struct cs_err *err)
{
    return edit(cli, remove_rule, err);
}

static int set_roots(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    uint8_t spkis[CS_LIMIT_ROOTS][CS_SPKI_BYTES];
    struct cs_slice slices[CS_LIMIT_ROOTS];
    size_t count = cli->args.operand_count;
    uint32_t threshold;
    int rc = cli_trust_threshold(cli, count, &threshold, err);

    for (size_t i = 0; rc == CS_OK && i < count; i++) {
        rc = cli_public_key_read(cli->args.operands[i], spkis[i], err);
        slices[i] = CS_SLICE_ARRAY(spkis[i]);
    }
    if (rc == CS_OK)
        cli_compose_roots(body, slices, count, threshold);
    return rc;
}

int cli_trust_set_roots(struct cli *cli, struct cs_err *err)
{
    return edit(cli, set_roots, err);
}

/* From now on, so that nobody wonders about a time that is in the past already. */
static int set_expiry(struct cli *cli, countersign_v1_TrustPolicy *body, struct cs_err *err)
{
    int64_t valid_s;
    int rc = cs_duration_parse(cs_slice_str(cli->args.operands[0]), &valid_s, err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    body->issued_at_s = cli->now_s > body->issued_at_s ? cli->now_s : body->issued_at_s;
    body->expires_at_s = body->issued_at_s + valid_s;
    return CS_OK;
}

int cli_trust_set_expiry(struct cli *cli, struct cs_err *err)
{
    return edit(cli, set_expiry, err);
}
