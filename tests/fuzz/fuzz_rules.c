/* One trust policy whose fields the input edits, four bytes an edit. What cs_policy_check() lets pass has
 * stages that people can satisfy, found out by trying; and the rule that it picks for a push is the one that
 * a plain reading of the policy picks. */
#include "tests/support/deployment.h"

#include <stdio.h>
#include <strings.h>

enum { EDIT_BYTES = 4, MOST_EDITS = 24, PEOPLE = 8 };

static const char *const people[PEOPLE] = {"alice", "bob", "ben", "carol", "clara", "ada", "dora", "eve"};
static const char *const devices[] = {"gw-0", "gw-1", "", "gw 2"};
static const char *const connectors[] = {"web", "mail", "*"};
static const char *const groups[] = {"one", "two", "@one", ""};
static const char *const names_of_groups[] = {"@one", "@two", "@three", "@", "@@one"};
static const char *const issuers[] = {"Example CA", "Other CA", "\n"};
static const char *const patterns[] = {"web.example", "*.example", "WEB.example", "*", "*.", "a*.example"};

#define PUT(field, table, byte)                                                                              \
    do {                                                                                                     \
        const char *text_ = (table)[(byte) % CS_ARRAY_LEN(table)];                                           \
        memset((field), 0, sizeof(field));                                                                   \
        memcpy((field), text_, strlen(text_));                                                               \
    } while (0)

static void edit_group(countersign_v1_OperatorGroup *group, const uint8_t b[EDIT_BYTES])
{
    switch (b[2] >> 6) {
    case 0:
        group->roles_count = b[2] % 3;
        for (pb_size_t i = 0; i < group->roles_count; i++)
            group->roles[i] = (countersign_v1_Role)((b[3] >> 3 * i & 7));
        break;
    case 1:
        PUT(group->name, groups, b[3]);
        break;
    default:
        group->members_count = b[2] % 3;
        for (pb_size_t i = 0; i < group->members_count; i++)
            PUT(group->members[i], people, b[3] >> 3 * i & 7);
        break;
    }
}

static void edit_operator(countersign_v1_TrustPolicy *body, const uint8_t b[EDIT_BYTES])
{
    countersign_v1_Operator *who = &body->operators[b[1] % PEOPLE];
    const countersign_v1_Operator *other = &body->operators[b[2] % PEOPLE];

    switch (b[0] >> 4 & 7) {
    case 0:
        who->roles_count = b[2] % 4;
        for (pb_size_t i = 0; i < who->roles_count; i++)
            who->roles[i] = (countersign_v1_Role)((b[3] >> 2 * i & 3) + 1);
        break;
    case 1:
        who->keys_count = b[3] % 3;
        break;
    case 2:
        who->keys[b[3] % 2].kind = (countersign_v1_KeyKind)(b[2] % 6);
        break;
    case 3:
        who->keys[b[3] % 2] = other->keys[b[3] >> 1 & 1];
        break;
    case 4:
        PUT(who->name, people, b[3]);
        break;
    case 5:
        edit_group(&body->groups[b[1] & 1], b);
        break;
    case 6:
        body->groups_count = b[3] % 3;
        break;
    default:
        body->operators_count = b[3] % (PEOPLE + 1);
        break;
    }
}

static void edit_stage(countersign_v1_Rule *rule, const uint8_t b[EDIT_BYTES])
{
    countersign_v1_Stage *stage = &rule->stages[b[2] % CS_LIMIT_STAGES];

    switch (b[0] >> 5 & 3) {
    case 0:
        rule->stages_count = b[3] % (CS_LIMIT_STAGES + 1);
        break;
    case 1:
        stage->required = b[3] % 8;
        break;
    case 2:
        stage->role = (countersign_v1_Role)(b[3] % 7);
        break;
    default:
        stage->operators_count = (b[3] >> 6) % 3;
        for (pb_size_t i = 0; i < stage->operators_count; i++) {
            if (b[1] >> (6 + i) & 1)
                PUT(stage->operators[i], names_of_groups, b[3] >> 3 * i & 7);
            else
                PUT(stage->operators[i], people, b[3] >> 3 * i & 7);
        }
        break;
    }
}

static void edit_rule(countersign_v1_Rule *rule, const uint8_t b[EDIT_BYTES])
{
    switch (b[0] >> 4 & 7) {
    case 0:
        rule->devices_count = b[2] % 3;
        PUT(rule->devices[b[2] >> 2 & 1], devices, b[3]);
        break;
    case 1:
        rule->connectors_count = b[2] % 3;
        PUT(rule->connectors[b[2] >> 2 & 1], connectors, b[3]);
        break;
    case 2:
        rule->issuers_count = b[2] % 3;
        PUT(rule->issuers[b[2] >> 2 & 1], issuers, b[3]);
        break;
    case 3:
        rule->names_count = b[2] % 3;
        PUT(rule->names[b[2] >> 2 & 1], patterns, b[3]);
        break;
    case 4:
        rule->requester_may_decide = b[3] & 1;
        rule->browser_may_finish = b[3] & 2;
        break;
    default:
        PUT(rule->name, people, b[3]);
        break;
    }
}

static void edit_rest(countersign_v1_TrustPolicy *body, const uint8_t b[EDIT_BYTES])
{
    switch (b[0] >> 4 & 7) {
    case 0:
        body->roots.threshold = b[3] % 5;
        break;
    case 1:
        body->roots.keys[b[2] % 3] = body->roots.keys[b[3] % 3];
        break;
    case 2:
        memcpy(&body->message_keys[0],
               b[2] & 1 ? (const void *)&body->roots.keys[0] : &body->operators[1].keys[0].spki,
               sizeof body->message_keys[0]);
        break;
    case 3:
        body->expires_at_s = body->issued_at_s + (int8_t)b[3];
        break;
    case 4:
        body->rules_count = b[3] % 4;
        break;
    case 5:
        body->agent_cas_count = 1;
        body->agent_cas[0].size = b[3] & 1;
        break;
    case 6:
        body->clockless_devices_count = 1;
        PUT(body->clockless_devices[0], devices, b[3]);
        break;
    default:
        body->version = b[3];
        break;
    }
}

static void edit(countersign_v1_TrustPolicy *body, const uint8_t b[EDIT_BYTES])
{
    switch (b[0] & 3) {
    case 0:
        edit_operator(body, b);
        break;
    case 1:
        edit_stage(&body->rules[b[1] % 3], b);
        break;
    case 2:
        edit_rule(&body->rules[b[1] % 3], b);
        break;
    default:
        edit_rest(body, b);
        break;
    }
}

static bool is_in(const countersign_v1_OperatorGroup *group, const countersign_v1_Operator *who)
{
    bool is = false;

    for (pb_size_t i = 0; i < group->members_count; i++)
        is = is || strcmp(group->members[i], who->name) == 0;
    return is;
}

static bool has(const countersign_v1_TrustPolicy *body, const countersign_v1_Operator *who,
                countersign_v1_Role role)
{
    for (pb_size_t i = 0; i < who->roles_count; i++)
        if (who->roles[i] == role)
            return true;
    for (pb_size_t g = 0; g < body->groups_count; g++)
        for (pb_size_t i = 0; i < body->groups[g].roles_count; i++)
            if (body->groups[g].roles[i] == role && is_in(&body->groups[g], who))
                return true;
    return false;
}

static bool may_decide(const countersign_v1_TrustPolicy *body, const countersign_v1_Stage *stage,
                       const countersign_v1_Operator *who)
{
    bool named = stage->operators_count == 0;

    for (pb_size_t i = 0; i < stage->operators_count; i++) {
        named = named || strcmp(stage->operators[i], who->name) == 0;
        for (pb_size_t g = 0; g < body->groups_count; g++)
            named = named || (stage->operators[i][0] == '@' && is_in(&body->groups[g], who) &&
                              strcmp(stage->operators[i] + 1, body->groups[g].name) == 0);
    }
    return named && who->keys_count > 0 && has(body, who, stage->role);
}

static bool may_finish(const countersign_v1_Rule *rule, const countersign_v1_Operator *who)
{
    for (pb_size_t i = 0; i < who->keys_count; i++)
        if (who->keys[i].kind != countersign_v1_KeyKind_KEY_KIND_BROWSER)
            return true;
    return rule->browser_may_finish;
}

/* Tries everybody who is left for the next decision: `people_left` are bits of operators; `done` of the stage
 * have decided. */
static bool can_complete(const countersign_v1_TrustPolicy *body, const countersign_v1_Rule *rule,
                         pb_size_t stage, uint32_t done, unsigned people_left)
{
    if (stage == rule->stages_count)
        return true;
    bool fills = done + 1 == rule->stages[stage].required;
    bool last = fills && stage + 1 == rule->stages_count;

    for (pb_size_t i = 0; i < body->operators_count; i++) {
        const countersign_v1_Operator *who = &body->operators[i];

        if ((people_left & 1u << i) && may_decide(body, &rule->stages[stage], who) &&
            (!last || may_finish(rule, who)) &&
            can_complete(body, rule, stage + fills, fills ? 0 : done + 1, people_left & ~(1u << i)))
            return true;
    }
    return false;
}

static bool somebody_gets_through(const countersign_v1_TrustPolicy *body, const countersign_v1_Rule *rule)
{
    unsigned all = (1u << body->operators_count) - 1;
    uint32_t needed = 0;
    bool anybody = false;

    for (pb_size_t i = 0; i < rule->stages_count; i++)
        needed += rule->stages[i].required;
    if (needed > body->operators_count)
        return false;
    for (pb_size_t i = 0; i < body->operators_count; i++) {
        if (!has(body, &body->operators[i], countersign_v1_Role_ROLE_REQUESTER))
            continue;
        anybody = true;
        if (can_complete(body, rule, 0, 0, rule->requester_may_decide ? all : all & ~(1u << i)))
            return true;
    }
    return !anybody && can_complete(body, rule, 0, 0, all);
}

static bool pattern_holds(const char *pattern, const char *name)
{
    const char *rest = strchr(name, '.');

    return pattern[0] == '*' ? rest && strcasecmp(rest, pattern + 1) == 0 : strcasecmp(pattern, name) == 0;
}

#define ANY(list, count, condition)                                                                          \
    for (pb_size_t i = 0; i < (count); i++) {                                                                \
        const char *it = (list)[i];                                                                          \
        found = found || (condition);                                                                        \
    }

static bool matches(const countersign_v1_Rule *rule, const char *device, const char *connector,
                    const struct cs_cert_info *leaf)
{
    bool found = rule->devices_count == 0;

    ANY(rule->devices, rule->devices_count, strcmp(it, device) == 0);
    if (!found)
        return false;
    found = rule->connectors_count == 0;
    ANY(rule->connectors, rule->connectors_count, strcmp(it, connector) == 0);
    if (!found)
        return false;
    found = rule->issuers_count == 0;
    ANY(rule->issuers, rule->issuers_count, leaf && strcmp(it, leaf->issuer_common_name) == 0);
    if (!found)
        return false;
    found = rule->names_count == 0;
    ANY(rule->names, rule->names_count,
        leaf && (pattern_holds(it, leaf->common_name) || pattern_holds(it, leaf->names[0] + 4)));
    return found;
}

static unsigned strictness(const countersign_v1_Rule *rule)
{
    unsigned people_needed = 0;

    for (pb_size_t i = 0; i < rule->stages_count; i++)
        people_needed += rule->stages[i].required;
    return people_needed * 8 + rule->stages_count;
}

static void check_rule_for(const struct cs_policy *policy, const char *device, const char *connector,
                           const struct cs_cert_info *leaf)
{
    const countersign_v1_TrustPolicy *body = cs_policy_body(policy);
    const countersign_v1_Rule *picked = cs_policy_rule(policy, device, connector, leaf);
    size_t at = (size_t)(picked - body->rules);
    bool holds = matches(picked, device, connector, leaf);

    cs_assert(at < body->rules_count);
    for (size_t i = 0; i < body->rules_count; i++) {
        if (holds)
            cs_assert(i >= at || !matches(&body->rules[i], device, connector, leaf));
        else
            cs_assert(!matches(&body->rules[i], device, connector, leaf) &&
                      strictness(&body->rules[i]) <= strictness(picked));
    }
}

static void check_accepted(const countersign_v1_TrustPolicy *body, struct cs_slice payload)
{
    struct cs_cert_info leaf = {
        .common_name = "web.example", .issuer_common_name = "Example CA", .names_count = 1};
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_policy *policy = NULL;

    memcpy(leaf.names[0], "dns:a.b.example", sizeof "dns:a.b.example");
    for (pb_size_t i = 0; i < body->rules_count; i++)
        cs_assert(somebody_gets_through(body, &body->rules[i]));
    cs_assert(cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, payload, NULL, 0, &wire, NULL) == CS_OK);
    cs_assert(cs_policy_open_stored(cs_buf_slice(&wire), &policy, NULL) == CS_OK);
    for (size_t i = 0; i < CS_ARRAY_LEN(devices); i++)
        for (size_t k = 0; k < CS_ARRAY_LEN(connectors); k++) {
            check_rule_for(policy, devices[i], connectors[k], &leaf);
            check_rule_for(policy, devices[i], connectors[k], NULL);
        }
    cs_policy_free(policy);
    cs_buf_free(&wire);
}

/* Two rules more, and room for a second key of everybody, so that edits find something. */
static void make(struct deployment *d)
{
    countersign_v1_Rule *rule;
    char name[32];

    deployment_make(d);
    rule = deployment_add_rule(d, "gateways");
    memcpy(rule->devices[0], "gw-0", sizeof "gw-0");
    rule->devices_count = 1;
    deployment_add_stage(rule, "one", countersign_v1_Role_ROLE_APPROVER, 2);
    deployment_add_stage(rule, "two", countersign_v1_Role_ROLE_IMPLEMENTER, 1);
    deployment_add_stage(rule, "three", countersign_v1_Role_ROLE_ADMIN, 1);
    rule->stages[3] = (countersign_v1_Stage){"four", countersign_v1_Role_ROLE_APPROVER, 1, 0, {{0}}};
    rule = deployment_add_rule(d, "mail");
    memcpy(rule->connectors[0], "mail", sizeof "mail");
    rule->connectors_count = 1;
    deployment_add_stage(rule, "one", countersign_v1_Role_ROLE_APPROVER, 1);
    for (size_t i = 0; i < 2; i++) {
        countersign_v1_OperatorGroup *group = &d->body->groups[d->body->groups_count++];

        PUT(group->name, groups, i);
        PUT(group->members[group->members_count++], people, i + 4);
        group->roles[group->roles_count++] = countersign_v1_Role_ROLE_APPROVER;
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        struct cs_slice spki;

        snprintf(name, sizeof name, "second of %s", people[i]);
        spki = cs_key_spki(deployment_key(d, name));
        CS_PB_SET(&d->body->operators[i].keys[1].spki, spki);
        d->body->operators[i].keys[1].kind = countersign_v1_KeyKind_KEY_KIND_FILE;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct deployment d;
    static countersign_v1_TrustPolicy body;
    countersign_v1_TrustPolicy *decoded = NULL;
    struct cs_buf payload;
    struct cs_err err;
    int rc;

    if (!d.policy)
        make(&d);
    body = *d.body;
    for (size_t i = 0; i < MOST_EDITS && (i + 1) * EDIT_BYTES <= size; i++)
        edit(&body, data + i * EDIT_BYTES);
    rc = cs_policy_check(&body, &err);
    payload = deployment_encode(countersign_v1_TrustPolicy_fields, &body);
    cs_assert(cs_policy_decode(cs_buf_slice(&payload), &decoded, &err) == rc);
    if (rc == CS_OK)
        check_accepted(decoded, cs_buf_slice(&payload));
    free(decoded);
    cs_buf_free(&payload);
    return 0;
}
