/* policy_check.c - does a trust policy make sense? First its fields, one by one; then what they say together.
 */
#include "shared/trust/check.h"
#include "shared/trust/policy.h"

static void check_operator(struct cs_check *check, const countersign_v1_Operator *who)
{
    cs_check_name(check, "operators.name", who->name);
    for (pb_size_t i = 0; i < who->keys_count; i++) {
        cs_check_spki(check, "operators.keys.spki", CS_PB_BYTES(&who->keys[i].spki));
        cs_check_enum(check, "operators.keys.kind", who->keys[i].kind, _countersign_v1_KeyKind_MAX);
    }
    for (pb_size_t i = 0; i < who->roles_count; i++)
        cs_check_enum(check, "operators.roles", who->roles[i], _countersign_v1_Role_MAX);
}

static void check_group(struct cs_check *check, const countersign_v1_OperatorGroup *group)
{
    cs_check_name(check, "groups.name", group->name);
    for (pb_size_t i = 0; i < group->roles_count; i++)
        cs_check_enum(check, "groups.roles", group->roles[i], _countersign_v1_Role_MAX);
    for (pb_size_t i = 0; i < group->members_count; i++)
        cs_check_name(check, "groups.members", group->members[i]);
}

static void check_stage(struct cs_check *check, const countersign_v1_Stage *stage)
{
    cs_check_name(check, "rules.stages.name", stage->name);
    cs_check_enum(check, "rules.stages.role", stage->role, _countersign_v1_Role_MAX);
    cs_check_that(check, stage->required >= 1 && stage->required <= CS_LIMIT_DECISIONS,
                  "rules.stages.required must be 1 to 16");
    for (pb_size_t i = 0; i < stage->operators_count; i++)
        cs_check_name(check, "rules.stages.operators", stage->operators[i] + (stage->operators[i][0] == '@'));
}

static void check_rule(struct cs_check *check, const countersign_v1_Rule *rule)
{
    cs_check_name(check, "rules.name", rule->name);
    for (pb_size_t i = 0; i < rule->devices_count; i++)
        cs_check_name(check, "rules.devices", rule->devices[i]);
    for (pb_size_t i = 0; i < rule->connectors_count; i++)
        cs_check_name(check, "rules.connectors", rule->connectors[i]);
    for (pb_size_t i = 0; i < rule->issuers_count; i++)
        cs_check_text_filled(check, "rules.issuers", rule->issuers[i]);
    for (pb_size_t i = 0; i < rule->names_count; i++) {
        const char *pattern = rule->names[i];
        const char *fixed = strncmp(pattern, "*.", 2) == 0 ? pattern + 2 : pattern;

        cs_check_text_filled(check, "rules.names", pattern);
        cs_check_that(check, fixed[0] != '\0' && !strchr(fixed, '*'),
                      "rules.names may have a '*' as its whole first label only");
    }
    for (pb_size_t i = 0; i < rule->stages_count; i++)
        check_stage(check, &rule->stages[i]);
}

static void check_fields(struct cs_check *check, const countersign_v1_TrustPolicy *policy)
{
    cs_check_size(check, "deployment_id", CS_PB_BYTES(&policy->deployment_id), CS_ID_BYTES);
    cs_check_positive(check, "version", policy->version);
    cs_check_size(check, "previous_digest", CS_PB_BYTES(&policy->previous_digest),
                  policy->version == 1 ? 0 : CS_SHA256_BYTES);
    cs_check_time(check, "issued_at_s", policy->issued_at_s);
    cs_check_time(check, "expires_at_s", policy->expires_at_s);
    cs_check_that(check, policy->has_roots, "roots is missing");
    for (pb_size_t i = 0; i < policy->roots.keys_count; i++)
        cs_check_spki(check, "roots.keys", CS_PB_BYTES(&policy->roots.keys[i]));
    for (pb_size_t i = 0; i < policy->operators_count; i++)
        check_operator(check, &policy->operators[i]);
    for (pb_size_t i = 0; i < policy->rules_count; i++)
        check_rule(check, &policy->rules[i]);
    for (pb_size_t i = 0; i < policy->message_keys_count; i++)
        cs_check_spki(check, "message_keys", CS_PB_BYTES(&policy->message_keys[i]));
    for (pb_size_t i = 0; i < policy->agent_cas_count; i++)
        cs_check_filled(check, "agent_cas", CS_PB_BYTES(&policy->agent_cas[i]));
    for (pb_size_t i = 0; i < policy->clockless_devices_count; i++)
        cs_check_name(check, "clockless_devices", policy->clockless_devices[i]);
    for (pb_size_t i = 0; i < policy->groups_count; i++)
        check_group(check, &policy->groups[i]);
}

static int check_roots(const countersign_v1_RootSet *roots, struct cs_err *err)
{
    if (roots->threshold < 1 || roots->threshold > roots->keys_count)
        return cs_err_set(
            err, CS_EINVAL,
            "the trust policy: %u of %u roots must sign: the threshold must be at least 1 and at "
            "most the number of keys",
            (unsigned)roots->threshold, (unsigned)roots->keys_count);
    for (pb_size_t i = 0; i < roots->keys_count; i++)
        for (pb_size_t k = 0; k < i; k++)
            if (cs_slice_eq(CS_PB_BYTES(&roots->keys[i]), CS_PB_BYTES(&roots->keys[k])))
                return cs_err_set(err, CS_EINVAL, "the trust policy: root key %u comes twice",
                                  (unsigned)i + 1);
    return CS_OK;
}

/* How often `spki` is a key of any operator. */
static unsigned owners_of(const countersign_v1_TrustPolicy *policy, struct cs_slice spki)
{
    unsigned owners = 0;

    for (pb_size_t i = 0; i < policy->operators_count; i++)
        for (pb_size_t k = 0; k < policy->operators[i].keys_count; k++)
            owners += cs_slice_eq(CS_PB_BYTES(&policy->operators[i].keys[k].spki), spki);
    return owners;
}

static bool has_twice(const countersign_v1_Role *roles, pb_size_t count)
{
    for (pb_size_t i = 0; i < count; i++)
        for (pb_size_t k = 0; k < i; k++)
            if (roles[i] == roles[k])
                return true;
    return false;
}

/* People are counted by name, so two names must not share a key. */
static int check_operators(const countersign_v1_TrustPolicy *policy, struct cs_err *err)
{
    for (pb_size_t i = 0; i < policy->operators_count; i++) {
        const countersign_v1_Operator *who = &policy->operators[i];

        if (cs_operators_find(policy, who->name) != who)
            return cs_err_set(err, CS_EINVAL, "the trust policy: two operators are called %s", who->name);
        for (pb_size_t k = 0; k < who->keys_count; k++)
            if (owners_of(policy, CS_PB_BYTES(&who->keys[k].spki)) != 1)
                return cs_err_set(err, CS_EINVAL,
                                  "the trust policy: a key of %s is there twice: each key has one "
                                  "owner",
                                  who->name);
        if (has_twice(who->roles, who->roles_count))
            return cs_err_set(err, CS_EINVAL, "the trust policy: %s has one role twice", who->name);
    }
    return CS_OK;
}

static int check_members(const countersign_v1_TrustPolicy *policy, const countersign_v1_OperatorGroup *group,
                         struct cs_err *err)
{
    for (pb_size_t i = 0; i < group->members_count; i++) {
        if (!cs_operators_find(policy, group->members[i]))
            return cs_err_set(err, CS_EINVAL, "the trust policy: group %s has %s, who is no operator",
                              group->name, group->members[i]);
        for (pb_size_t k = 0; k < i; k++)
            if (strcmp(group->members[i], group->members[k]) == 0)
                return cs_err_set(err, CS_EINVAL, "the trust policy: group %s has %s twice", group->name,
                                  group->members[i]);
    }
    return CS_OK;
}

/* A group may be without roles: then it is there to be named by stages. */
static int check_groups(const countersign_v1_TrustPolicy *policy, struct cs_err *err)
{
    for (pb_size_t i = 0; i < policy->groups_count; i++) {
        const countersign_v1_OperatorGroup *group = &policy->groups[i];
        int rc;

        if (cs_groups_find(policy, group->name) != group)
            return cs_err_set(err, CS_EINVAL, "the trust policy: two groups are called %s", group->name);
        if (group->members_count == 0)
            return cs_err_set(err, CS_EINVAL, "the trust policy: group %s has no members", group->name);
        if (has_twice(group->roles, group->roles_count))
            return cs_err_set(err, CS_EINVAL, "the trust policy: group %s has one role twice", group->name);
        rc = check_members(policy, group, err);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

/* The controller holds the message keys. Were one of them a person's or a root, it could decide. */
static int check_message_keys(const countersign_v1_TrustPolicy *policy, struct cs_err *err)
{
    for (pb_size_t i = 0; i < policy->message_keys_count; i++) {
        struct cs_slice spki = CS_PB_BYTES(&policy->message_keys[i]);
        bool is_root = false;

        for (pb_size_t k = 0; k < policy->roots.keys_count; k++)
            is_root = is_root || cs_slice_eq(CS_PB_BYTES(&policy->roots.keys[k]), spki);
        if (is_root || owners_of(policy, spki) > 0)
            return cs_err_set(
                err, CS_EINVAL,
                "the trust policy: message key %u of the controller is a root's or an operator's, too",
                (unsigned)i + 1);
    }
    return CS_OK;
}

static bool has_key_that_finishes(const countersign_v1_Rule *rule, const countersign_v1_Operator *who)
{
    for (pb_size_t i = 0; i < who->keys_count; i++)
        if (rule->browser_may_finish || who->keys[i].kind != countersign_v1_KeyKind_KEY_KIND_BROWSER)
            return true;
    return false;
}

/* A rule's decisions have places: one a stage, for all but its very last decision, which has a place of its
 * own because not every key may take it. Bit i: the operator may take place i. */
struct candidates {
    uint8_t places[CS_ARRAY_LEN(((countersign_v1_TrustPolicy *)NULL)->operators)];
};

static void find_candidates(const countersign_v1_TrustPolicy *policy, const countersign_v1_Rule *rule,
                            struct candidates *ret)
{
    memset(ret, 0, sizeof *ret);
    for (pb_size_t k = 0; k < policy->operators_count; k++) {
        const countersign_v1_Operator *who = &policy->operators[k];

        for (pb_size_t i = 0; i < rule->stages_count; i++) {
            if (who->keys_count == 0 || !cs_stage_admits(policy, &rule->stages[i], who))
                continue;
            ret->places[k] |= (uint8_t)(1u << i);
            if (i + 1 == rule->stages_count && has_key_that_finishes(rule, who))
                ret->places[k] |= (uint8_t)(2u << i);
        }
    }
}

static uint32_t people_needed(const countersign_v1_Rule *rule, pb_size_t place)
{
    if (place == rule->stages_count)
        return 1;
    return rule->stages[place].required - (place + 1 == rule->stages_count);
}

/* Can every place find its people, all of them different, when `requester` may not be one of them (NULL: no
 * such limit)? By Hall's theorem: if any choice of places has at least as many candidates as people needed.
 */
static bool satisfiable(const countersign_v1_TrustPolicy *policy, const countersign_v1_Rule *rule,
                        const struct candidates *candidates, const countersign_v1_Operator *requester)
{
    pb_size_t places = rule->stages_count == 0 ? 0 : rule->stages_count + 1;

    for (unsigned chosen = 1; chosen < 1u << places; chosen++) {
        uint32_t found = 0, needed = 0;

        for (pb_size_t i = 0; i < places; i++)
            if (chosen & 1u << i)
                needed += people_needed(rule, i);
        for (pb_size_t k = 0; k < policy->operators_count; k++)
            found += (candidates->places[k] & chosen) && &policy->operators[k] != requester;
        if (found < needed)
            return false;
    }
    return true;
}

/* At least one of those who may request can get a request through. */
static bool satisfiable_for_somebody(const countersign_v1_TrustPolicy *policy,
                                     const countersign_v1_Rule *rule)
{
    struct candidates candidates;
    bool anybody_requests = false;

    find_candidates(policy, rule, &candidates);
    for (pb_size_t i = 0; i < policy->operators_count; i++) {
        const countersign_v1_Operator *who = &policy->operators[i];

        if (!cs_operator_has_role(policy, who, countersign_v1_Role_ROLE_REQUESTER))
            continue;
        anybody_requests = true;
        if (satisfiable(policy, rule, &candidates, rule->requester_may_decide ? NULL : who))
            return true;
    }
    return !anybody_requests && satisfiable(policy, rule, &candidates, NULL);
}

/* Whom a stage names is there: an operator, or with "@" a group. */
static int check_named(const countersign_v1_TrustPolicy *policy, const countersign_v1_Rule *rule,
                       const char *entry, struct cs_err *err)
{
    if (entry[0] == '@' ? cs_groups_find(policy, entry + 1) != NULL
                        : cs_operators_find(policy, entry) != NULL)
        return CS_OK;
    return cs_err_set(err, CS_EINVAL, "the trust policy: rule %s names %s, %s", rule->name, entry,
                      entry[0] == '@' ? "which is no group" : "who is no operator");
}

static int check_stages(const countersign_v1_TrustPolicy *policy, const countersign_v1_Rule *rule,
                        struct cs_err *err)
{
    uint32_t people = 0;

    for (pb_size_t i = 0; i < rule->stages_count; i++) {
        const countersign_v1_Stage *stage = &rule->stages[i];

        people += stage->required;
        for (pb_size_t k = 0; k < i; k++)
            if (strcmp(rule->stages[k].name, stage->name) == 0)
                return cs_err_set(err, CS_EINVAL, "the trust policy: rule %s has two stages called %s",
                                  rule->name, stage->name);
        for (pb_size_t k = 0; k < stage->operators_count; k++) {
            int rc = check_named(policy, rule, stage->operators[k], err);

            if (rc != CS_OK)
                return rc;
        }
    }
    if (people > CS_LIMIT_DECISIONS)
        return cs_err_set(err, CS_EINVAL, "the trust policy: rule %s wants %u people and may want %d",
                          rule->name, (unsigned)people, CS_LIMIT_DECISIONS);
    if (!satisfiable_for_somebody(policy, rule))
        return cs_err_set(
            err, CS_EINVAL,
            "the trust policy: the stages of rule %s cannot be satisfied: each needs other people with "
            "its role and a key, the requester not among them",
            rule->name);
    return CS_OK;
}

static int check_rules(const countersign_v1_TrustPolicy *policy, struct cs_err *err)
{
    if (policy->rules_count == 0)
        return cs_err_set(err, CS_EINVAL, "the trust policy has no rule: add one that matches everything");
    for (pb_size_t i = 0; i < policy->rules_count; i++) {
        int rc;

        for (pb_size_t k = 0; k < i; k++)
            if (strcmp(policy->rules[k].name, policy->rules[i].name) == 0)
                return cs_err_set(err, CS_EINVAL, "the trust policy: two rules are called %s",
                                  policy->rules[i].name);
        rc = check_stages(policy, &policy->rules[i], err);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

int cs_policy_check(const countersign_v1_TrustPolicy *policy, struct cs_err *err)
{
    struct cs_check check = {.what = "the trust policy", .err = err};
    int rc;

    check_fields(&check, policy);
    if (check.code != CS_OK)
        return check.code;
    if (policy->expires_at_s <= policy->issued_at_s)
        return cs_err_set(err, CS_EINVAL, "the trust policy expires before it is issued");
    rc = check_roots(&policy->roots, err);
    if (rc == CS_OK)
        rc = check_operators(policy, err);
    if (rc == CS_OK)
        rc = check_groups(policy, err);
    if (rc == CS_OK)
        rc = check_message_keys(policy, err);
    if (rc == CS_OK)
        rc = check_rules(policy, err);
    return rc;
}

int cs_policy_decode(struct cs_slice payload, countersign_v1_TrustPolicy **ret, struct cs_err *err)
{
    countersign_v1_TrustPolicy *policy cs_auto_free = calloc(1, sizeof *policy);
    int rc;

    if (!policy)
        return cs_err_nomem(err);
    rc =
        cs_message_decode_strict(countersign_v1_TrustPolicy_fields, payload, policy, "the trust policy", err);
    if (rc == CS_OK)
        rc = cs_policy_check(policy, err);
    if (rc == CS_OK)
        *ret = cs_steal(policy);
    return rc;
}
