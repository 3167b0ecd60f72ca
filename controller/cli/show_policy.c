/* The part of show.h that is about trust policies: what one says, and what a newer one changes. */
#include "controller/cli/show.h"

#include <stdio.h>

/* What is shown is signed: text that is cut for lack of memory must not be shown at all. */
static void add(struct cli_doc *doc, struct cs_buf *out, const char *text)
{
    if (cs_buf_append_str(out, text) != CS_OK)
        cli_doc_fail(doc);
}

static struct cli_value text_of(const struct cs_buf *buf)
{
    return (struct cli_value){CLI_TEXT, CLI_PLAIN, cs_buf_slice(buf), 0};
}

/* "approve: 1 approver, then implement: 2 implementers of carol, dora" */
static void add_stages(struct cli_doc *doc, const countersign_v1_Rule *rule, struct cs_buf *out)
{
    if (rule->stages_count == 0)
        add(doc, out, "nobody has to decide");
    for (pb_size_t i = 0; i < rule->stages_count; i++) {
        const countersign_v1_Stage *stage = &rule->stages[i];
        char text[2 * CLI_TEXT_BYTES];

        snprintf(text, sizeof text, "%s%s: %u %s%s", i ? ", then " : "", stage->name, stage->required,
                 cli_show_role_word(stage->role), stage->required == 1 ? "" : "s");
        add(doc, out, text);
        for (pb_size_t k = 0; k < stage->operators_count; k++) {
            add(doc, out, k ? ", " : " of ");
            add(doc, out, stage->operators[k]);
        }
    }
}

/* Text of certificates may hold anything, also what would read as a second condition: it is quoted. */
static void add_quoted(struct cli_doc *doc, struct cs_buf *out, const char *text)
{
    add(doc, out, "\"");
    for (; *text; text++) {
        const char one[] = {*text, '\0'};

        add(doc, out, *text == '"' || *text == '\\' ? "\\" : "");
        add(doc, out, one);
    }
    add(doc, out, "\"");
}

static void add_names(struct cli_doc *doc, struct cs_buf *out, const char *what, const char *names,
                      size_t stride, size_t count, bool quoted)
{
    for (size_t i = 0; i < count; i++) {
        add(doc, out, i ? " or " : out->len ? ", " : "");
        add(doc, out, i ? "" : what);
        if (quoted)
            add_quoted(doc, out, names + i * stride);
        else
            add(doc, out, names + i * stride);
    }
}
#define ADD_NAMES(doc, out, what, list, count, quoted)                                                       \
    add_names((doc), (out), (what), (list)[0], sizeof(list)[0], (count), (quoted))

/* 'device gw-1 or gw-2, issuer "Plant CA"' */
static void add_conditions(struct cli_doc *doc, const countersign_v1_Rule *rule, struct cs_buf *out)
{
    ADD_NAMES(doc, out, "device ", rule->devices, rule->devices_count, false);
    ADD_NAMES(doc, out, "connector ", rule->connectors, rule->connectors_count, false);
    ADD_NAMES(doc, out, "issuer ", rule->issuers, rule->issuers_count, true);
    ADD_NAMES(doc, out, "name ", rule->names, rule->names_count, true);
    if (out->len == 0)
        add(doc, out, "everything");
}

static void add_roles(struct cli_doc *doc, const countersign_v1_Role *roles, pb_size_t count,
                      const char *between, struct cs_buf *out)
{
    for (pb_size_t i = 0; i < count; i++) {
        add(doc, out, i ? between : "");
        add(doc, out, cli_show_role_word(roles[i]));
    }
}

static void add_members(struct cli_doc *doc, const countersign_v1_OperatorGroup *group, const char *between,
                        struct cs_buf *out)
{
    for (pb_size_t i = 0; i < group->members_count; i++) {
        add(doc, out, i ? between : "");
        add(doc, out, group->members[i]);
    }
}

static void show_rules(struct cli_doc *doc, const countersign_v1_TrustPolicy *policy)
{
    static const struct cli_column columns[] = {
        {"name", "RULE", false},
        {"matches", "MATCHES", false},
        {"stages", "WHO DECIDES", false},
        {"requester_may_decide", "REQUESTER TOO", false},
        {"browser_may_finish", "BROWSER MAY FINISH", false},
    };

    cli_table(doc, "rules", columns, CS_ARRAY_LEN(columns), NULL);
    for (pb_size_t i = 0; i < policy->rules_count; i++) {
        const countersign_v1_Rule *rule = &policy->rules[i];
        struct cs_buf conditions = CS_BUF_EMPTY, stages = CS_BUF_EMPTY;

        add_conditions(doc, rule, &conditions);
        add_stages(doc, rule, &stages);
        CLI_ROW(doc, cli_text(rule->name), text_of(&conditions), text_of(&stages),
                cli_bool(rule->requester_may_decide), cli_bool(rule->browser_may_finish));
        cs_buf_free(&conditions);
        cs_buf_free(&stages);
    }
}

static void show_operators(struct cli_doc *doc, const countersign_v1_TrustPolicy *policy)
{
    static const struct cli_column columns[] = {
        {"name", "OPERATOR", false},
        {"roles", "ROLES", false},
        {"key_id", "KEY (SHA-256)", false},
        {"kind", "KIND OF KEY", false},
    };

    cli_table(doc, "operators", columns, CS_ARRAY_LEN(columns), NULL);
    for (pb_size_t i = 0; i < policy->operators_count; i++) {
        const countersign_v1_Operator *who = &policy->operators[i];
        struct cs_buf roles = CS_BUF_EMPTY;

        add_roles(doc, who->roles, who->roles_count, "\n", &roles);
        for (pb_size_t k = 0; k < who->keys_count; k++) {
            struct cs_digest key_id = cs_key_id(CS_PB_BYTES(&who->keys[k].spki));

            CLI_ROW(doc, cli_text(who->name), cli_list(cs_buf_slice(&roles)),
                    cli_hex(cs_digest_slice(&key_id)), cli_text(cli_show_key_kind_word(who->keys[k].kind)));
        }
        if (who->keys_count == 0)
            CLI_ROW(doc, cli_text(who->name), cli_list(cs_buf_slice(&roles)), cli_hex(CS_SLICE_EMPTY),
                    cli_text(""));
        cs_buf_free(&roles);
    }
}

static void show_groups(struct cli_doc *doc, const countersign_v1_TrustPolicy *policy)
{
    static const struct cli_column columns[] = {
        {"name", "GROUP", false},
        {"roles", "ROLES", false},
        {"members", "MEMBERS", false},
    };

    if (policy->groups_count)
        cli_table(doc, "groups", columns, CS_ARRAY_LEN(columns), NULL);
    for (pb_size_t i = 0; i < policy->groups_count; i++) {
        const countersign_v1_OperatorGroup *group = &policy->groups[i];
        struct cs_buf roles = CS_BUF_EMPTY, members = CS_BUF_EMPTY;

        add_roles(doc, group->roles, group->roles_count, "\n", &roles);
        add_members(doc, group, "\n", &members);
        CLI_ROW(doc, cli_text(group->name), cli_list(cs_buf_slice(&roles)), cli_list(cs_buf_slice(&members)));
        cs_buf_free(&roles);
        cs_buf_free(&members);
    }
}

static void show_hex_table(struct cli_doc *doc, const char *key, const struct cli_column *column,
                           struct cs_slice bytes)
{
    struct cs_digest digest = cs_sha256(bytes);

    if (key)
        cli_table(doc, key, column, 1, NULL);
    CLI_ROW(doc, cli_hex(cs_digest_slice(&digest)));
}

void cli_show_policy(struct cli_doc *doc, const countersign_v1_TrustPolicy *policy)
{
    static const struct cli_column roots_column[] = {{"key_id", "ROOT KEY (SHA-256)", false}};
    static const struct cli_column message_column[] = {
        {"key_id", "MESSAGE KEY OF THE CONTROLLER (SHA-256)", false}};
    static const struct cli_column ca_column[] = {
        {"certificate", "CA OF DEVICES' IDENTITIES (SHA-256)", false}};
    static const struct cli_column clockless_column[] = {{"device", "DEVICE WITHOUT A CLOCK", false}};
    struct cs_digest roots = cs_roots_digest(&policy->roots);
    char signers[CLI_TEXT_BYTES];

    snprintf(signers, sizeof signers, "%u of %u root keys", policy->roots.threshold,
             policy->roots.keys_count);
    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_PB_BYTES(&policy->deployment_id)));
    cli_field(doc, "version", "Policy version", cli_number(policy->version));
    cli_field(doc, "roots_digest", "Roots (SHA-256)", cli_hex(cs_digest_slice(&roots)));
    cli_field(doc, "signers", "Signed by", cli_text(signers));
    cli_field(doc, "issued_at", "Issued", cli_time(policy->issued_at_s));
    cli_field(doc, "expires_at", "Expires", cli_time(policy->expires_at_s));
    show_operators(doc, policy);
    show_groups(doc, policy);
    show_rules(doc, policy);
    for (pb_size_t i = 0; i < policy->roots.keys_count; i++)
        show_hex_table(doc, i ? NULL : "root_keys", roots_column, CS_PB_BYTES(&policy->roots.keys[i]));
    for (pb_size_t i = 0; i < policy->message_keys_count; i++)
        show_hex_table(doc, i ? NULL : "message_keys", message_column, CS_PB_BYTES(&policy->message_keys[i]));
    for (pb_size_t i = 0; i < policy->agent_cas_count; i++)
        show_hex_table(doc, i ? NULL : "agent_cas", ca_column, CS_PB_BYTES(&policy->agent_cas[i]));
    if (policy->clockless_devices_count)
        cli_table(doc, "clockless_devices", clockless_column, 1, NULL);
    for (pb_size_t i = 0; i < policy->clockless_devices_count; i++)
        CLI_ROW(doc, cli_text(policy->clockless_devices[i]));
}

/* ---- changes */

#define NOTHING cli_text("")

static void row(struct cli_doc *doc, const char *what, struct cli_value before, struct cli_value after)
{
    CLI_ROW(doc, cli_text(what), before, after);
}

/* Keys or certificates by their digests. */
struct things {
    struct {
        struct cs_digest digest;
        const char *kind; /* of a key; "" for what has none */
    } things[CS_LIMIT_ROOTS];
    size_t count;
};

static void add_thing(struct things *things, struct cs_slice bytes, const char *kind)
{
    cs_assert(things->count < CS_ARRAY_LEN(things->things));
    things->things[things->count].digest = cs_sha256(bytes);
    things->things[things->count++].kind = kind;
}

static bool has_thing(const struct things *things, const struct cs_digest *digest, const char *kind)
{
    for (size_t i = 0; i < things->count; i++)
        if (cs_digest_eq(&things->things[i].digest, digest) && strcmp(things->things[i].kind, kind) == 0)
            return true;
    return false;
}

static void one_sided(struct cli_doc *doc, const char *what, const struct things *of,
                      const struct things *other, bool is_new)
{
    for (size_t i = 0; i < of->count; i++) {
        const struct cs_digest *digest = &of->things[i].digest;
        const char *kind = of->things[i].kind;
        char text[2 * CLI_TEXT_BYTES];

        if (has_thing(other, digest, kind))
            continue;
        snprintf(text, sizeof text, "%s%s%s", what, *kind ? ", kind " : "", kind);
        row(doc, text, is_new ? NOTHING : cli_hex(cs_digest_slice(digest)),
            is_new ? cli_hex(cs_digest_slice(digest)) : NOTHING);
    }
}

static void thing_changes(struct cli_doc *doc, const char *what, const struct things *from,
                          const struct things *to)
{
    one_sided(doc, what, from, to, false);
    one_sided(doc, what, to, from, true);
}

static void root_changes(struct cli_doc *doc, const countersign_v1_RootSet *from,
                         const countersign_v1_RootSet *to)
{
    struct things before = {.count = 0}, after = {.count = 0};
    char old[CLI_TEXT_BYTES], new[CLI_TEXT_BYTES];

    for (pb_size_t i = 0; i < from->keys_count; i++)
        add_thing(&before, CS_PB_BYTES(&from->keys[i]), "");
    for (pb_size_t i = 0; i < to->keys_count; i++)
        add_thing(&after, CS_PB_BYTES(&to->keys[i]), "");
    thing_changes(doc, "root key", &before, &after);
    snprintf(old, sizeof old, "%u of %u root keys", from->threshold, from->keys_count);
    snprintf(new, sizeof new, "%u of %u root keys", to->threshold, to->keys_count);
    if (strcmp(old, new) != 0)
        row(doc, "who signs the trust policy", cli_text(old), cli_text(new));
}

static void controller_changes(struct cli_doc *doc, const countersign_v1_TrustPolicy *from,
                               const countersign_v1_TrustPolicy *to)
{
    struct things keys[2] = {{.count = 0}, {.count = 0}}, cas[2] = {{.count = 0}, {.count = 0}};
    const countersign_v1_TrustPolicy *const both[] = {from, to};

    for (size_t side = 0; side < 2; side++) {
        for (pb_size_t i = 0; i < both[side]->message_keys_count; i++)
            add_thing(&keys[side], CS_PB_BYTES(&both[side]->message_keys[i]), "");
        for (pb_size_t i = 0; i < both[side]->agent_cas_count; i++)
            add_thing(&cas[side], CS_PB_BYTES(&both[side]->agent_cas[i]), "");
    }
    thing_changes(doc, "message key of the controller", &keys[0], &keys[1]);
    thing_changes(doc, "CA of devices' identities", &cas[0], &cas[1]);
}

static bool is_clockless(const countersign_v1_TrustPolicy *policy, const char *device)
{
    for (pb_size_t i = 0; i < policy->clockless_devices_count; i++)
        if (strcmp(policy->clockless_devices[i], device) == 0)
            return true;
    return false;
}

static void clockless_changes(struct cli_doc *doc, const countersign_v1_TrustPolicy *from,
                              const countersign_v1_TrustPolicy *to)
{
    for (pb_size_t i = 0; i < from->clockless_devices_count; i++)
        if (!is_clockless(to, from->clockless_devices[i]))
            row(doc, "device without a clock", cli_text(from->clockless_devices[i]), NOTHING);
    for (pb_size_t i = 0; i < to->clockless_devices_count; i++)
        if (!is_clockless(from, to->clockless_devices[i]))
            row(doc, "device without a clock", NOTHING, cli_text(to->clockless_devices[i]));
}

/* Text that was there and text that is: a row where they differ. Frees both. */
static void text_change(struct cli_doc *doc, const char *what, struct cs_buf *before, struct cs_buf *after)
{
    if (!cs_slice_eq(cs_buf_slice(before), cs_buf_slice(after)))
        row(doc, what, text_of(before), text_of(after));
    cs_buf_free(before);
    cs_buf_free(after);
}

/* `from` or `to` is NULL for somebody who comes or goes. */
static void operator_change(struct cli_doc *doc, const countersign_v1_Operator *from,
                            const countersign_v1_Operator *to)
{
    const countersign_v1_Operator *const both[] = {from, to};
    struct cs_buf roles[2] = {CS_BUF_EMPTY, CS_BUF_EMPTY};
    struct things keys[2] = {{.count = 0}, {.count = 0}};
    char what[CLI_TEXT_BYTES];

    for (size_t side = 0; side < 2; side++) {
        for (pb_size_t i = 0; both[side] && i < both[side]->keys_count; i++)
            add_thing(&keys[side], CS_PB_BYTES(&both[side]->keys[i].spki),
                      cli_show_key_kind_word(both[side]->keys[i].kind));
        if (both[side])
            add_roles(doc, both[side]->roles, both[side]->roles_count, ", ", &roles[side]);
        if (both[side] && both[side]->roles_count == 0)
            add(doc, &roles[side], "no roles");
    }
    snprintf(what, sizeof what, "roles of %s", (to ? to : from)->name);
    text_change(doc, what, &roles[0], &roles[1]);
    snprintf(what, sizeof what, "key of %s", (to ? to : from)->name);
    thing_changes(doc, what, &keys[0], &keys[1]);
}

static void operator_changes(struct cli_doc *doc, const countersign_v1_TrustPolicy *from,
                             const countersign_v1_TrustPolicy *to)
{
    for (pb_size_t i = 0; i < from->operators_count; i++)
        operator_change(doc, &from->operators[i], cs_operators_find(to, from->operators[i].name));
    for (pb_size_t i = 0; i < to->operators_count; i++)
        if (!cs_operators_find(from, to->operators[i].name))
            operator_change(doc, NULL, &to->operators[i]);
}

/* `from` or `to` is NULL for a group that comes or goes. */
static void group_change(struct cli_doc *doc, const countersign_v1_OperatorGroup *from,
                         const countersign_v1_OperatorGroup *to)
{
    const countersign_v1_OperatorGroup *const both[] = {from, to};
    struct cs_buf roles[2] = {CS_BUF_EMPTY, CS_BUF_EMPTY}, members[2] = {CS_BUF_EMPTY, CS_BUF_EMPTY};
    char what[CLI_TEXT_BYTES];

    for (size_t side = 0; side < 2; side++) {
        if (!both[side])
            continue;
        add_roles(doc, both[side]->roles, both[side]->roles_count, ", ", &roles[side]);
        if (both[side]->roles_count == 0)
            add(doc, &roles[side], "no roles");
        add_members(doc, both[side], ", ", &members[side]);
    }
    snprintf(what, sizeof what, "roles of group %s", (to ? to : from)->name);
    text_change(doc, what, &roles[0], &roles[1]);
    snprintf(what, sizeof what, "members of group %s", (to ? to : from)->name);
    text_change(doc, what, &members[0], &members[1]);
}

static void group_changes(struct cli_doc *doc, const countersign_v1_TrustPolicy *from,
                          const countersign_v1_TrustPolicy *to)
{
    for (pb_size_t i = 0; i < from->groups_count; i++)
        group_change(doc, &from->groups[i], cs_groups_find(to, from->groups[i].name));
    for (pb_size_t i = 0; i < to->groups_count; i++)
        if (!cs_groups_find(from, to->groups[i].name))
            group_change(doc, NULL, &to->groups[i]);
}

static const countersign_v1_Rule *find_rule(const countersign_v1_TrustPolicy *policy, const char *name)
{
    for (pb_size_t i = 0; i < policy->rules_count; i++)
        if (strcmp(policy->rules[i].name, name) == 0)
            return &policy->rules[i];
    return NULL;
}

static void rule_change(struct cli_doc *doc, const countersign_v1_Rule *from, const countersign_v1_Rule *to)
{
    const countersign_v1_Rule *const both[] = {from, to};
    struct cs_buf matches[2] = {CS_BUF_EMPTY, CS_BUF_EMPTY}, stages[2] = {CS_BUF_EMPTY, CS_BUF_EMPTY};
    struct cs_buf requester[2] = {CS_BUF_EMPTY, CS_BUF_EMPTY}, browser[2] = {CS_BUF_EMPTY, CS_BUF_EMPTY};
    const char *name = (to ? to : from)->name;
    char what[CLI_TEXT_BYTES];

    for (size_t side = 0; side < 2; side++) {
        if (!both[side])
            continue;
        add_conditions(doc, both[side], &matches[side]);
        add_stages(doc, both[side], &stages[side]);
        add(doc, &requester[side], both[side]->requester_may_decide ? "yes" : "no");
        add(doc, &browser[side], both[side]->browser_may_finish ? "yes" : "no");
    }
    snprintf(what, sizeof what, "rule %s matches", name);
    text_change(doc, what, &matches[0], &matches[1]);
    snprintf(what, sizeof what, "rule %s, who decides", name);
    text_change(doc, what, &stages[0], &stages[1]);
    snprintf(what, sizeof what, "rule %s, requester may decide too", name);
    text_change(doc, what, &requester[0], &requester[1]);
    snprintf(what, sizeof what, "rule %s, a browser's key may finish", name);
    text_change(doc, what, &browser[0], &browser[1]);
}

static void rule_changes(struct cli_doc *doc, const countersign_v1_TrustPolicy *from,
                         const countersign_v1_TrustPolicy *to)
{
    const countersign_v1_TrustPolicy *const both[] = {from, to};
    struct cs_buf order[2] = {CS_BUF_EMPTY, CS_BUF_EMPTY};

    for (pb_size_t i = 0; i < from->rules_count; i++)
        rule_change(doc, &from->rules[i], find_rule(to, from->rules[i].name));
    for (pb_size_t i = 0; i < to->rules_count; i++)
        if (!find_rule(from, to->rules[i].name))
            rule_change(doc, NULL, &to->rules[i]);
    for (size_t side = 0; side < 2; side++)
        for (pb_size_t i = 0; i < both[side]->rules_count; i++) {
            add(doc, &order[side], i ? ", " : "");
            add(doc, &order[side], both[side]->rules[i].name);
        }
    text_change(doc, "order of the rules", &order[0], &order[1]);
}

void cli_show_policy_changes(struct cli_doc *doc, const countersign_v1_TrustPolicy *from,
                             const countersign_v1_TrustPolicy *to)
{
    static const struct cli_column columns[] = {
        {"what", "CHANGE", false},
        {"before", "BEFORE", false},
        {"after", "AFTER", false},
    };

    cli_table(doc, "changes", columns, CS_ARRAY_LEN(columns), NULL);
    row(doc, "version", cli_number(from->version), cli_number(to->version));
    row(doc, "expires", cli_time(from->expires_at_s), cli_time(to->expires_at_s));
    if (!cs_slice_eq(CS_PB_BYTES(&from->deployment_id), CS_PB_BYTES(&to->deployment_id)))
        row(doc, "deployment", cli_hex(CS_PB_BYTES(&from->deployment_id)),
            cli_hex(CS_PB_BYTES(&to->deployment_id)));
    root_changes(doc, &from->roots, &to->roots);
    operator_changes(doc, from, to);
    group_changes(doc, from, to);
    rule_changes(doc, from, to);
    controller_changes(doc, from, to);
    clockless_changes(doc, from, to);
}
