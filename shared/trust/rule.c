/* rule.c - which rule of the policy is for a push, and who may decide its stages. */
#include "shared/trust/policy.h"

#include <strings.h>

/* Names of a certificate are cut to fit struct cs_cert_info, which has room for 127 bytes. One that is so
 * long that it may have been cut is not known, and matches nothing. */
enum { LONGEST_WHOLE_NAME_BYTES = 120 };

/* DNS names have no case; "*.example" stands for one label before ".example" (as in RFC 6125 section 6.4.3).
 */
static bool name_matches(const char *pattern, const char *name)
{
    const char *dot;

    if (name[0] == '\0' || strlen(name) > LONGEST_WHOLE_NAME_BYTES)
        return false;
    if (strncmp(pattern, "*.", 2) != 0)
        return strcasecmp(pattern, name) == 0;
    dot = strchr(name, '.');
    return dot && dot > name && strcasecmp(pattern + 1, dot) == 0;
}

static bool leaf_has_name(const struct cs_cert_info *leaf, const char *pattern)
{
    if (name_matches(pattern, leaf->common_name))
        return true;
    for (size_t i = 0; i < leaf->names_count; i++)
        if (strncmp(leaf->names[i], "dns:", 4) == 0 && name_matches(pattern, leaf->names[i] + 4))
            return true;
    return false;
}

static bool leaf_has_issuer(const struct cs_cert_info *leaf, const char *issuer)
{
    return strlen(leaf->issuer_common_name) <= LONGEST_WHOLE_NAME_BYTES &&
           strcmp(leaf->issuer_common_name, issuer) == 0;
}

static bool matches_device(const countersign_v1_Rule *rule, const char *device_name)
{
    for (pb_size_t i = 0; i < rule->devices_count; i++)
        if (strcmp(rule->devices[i], device_name) == 0)
            return true;
    return rule->devices_count == 0;
}

static bool matches_connector(const countersign_v1_Rule *rule, const char *connector)
{
    for (pb_size_t i = 0; i < rule->connectors_count; i++)
        if (strcmp(rule->connectors[i], connector) == 0)
            return true;
    return rule->connectors_count == 0;
}

static bool matches_issuer(const countersign_v1_Rule *rule, const struct cs_cert_info *leaf)
{
    for (pb_size_t i = 0; leaf && i < rule->issuers_count; i++)
        if (leaf_has_issuer(leaf, rule->issuers[i]))
            return true;
    return rule->issuers_count == 0;
}

static bool matches_name(const countersign_v1_Rule *rule, const struct cs_cert_info *leaf)
{
    for (pb_size_t i = 0; leaf && i < rule->names_count; i++)
        if (leaf_has_name(leaf, rule->names[i]))
            return true;
    return rule->names_count == 0;
}

uint32_t cs_rule_people(const countersign_v1_Rule *rule)
{
    uint32_t people = 0;

    for (pb_size_t i = 0; i < rule->stages_count; i++)
        people += rule->stages[i].required;
    return people;
}

static bool is_stricter(const countersign_v1_Rule *rule, const countersign_v1_Rule *than)
{
    uint32_t people = cs_rule_people(rule), than_people = cs_rule_people(than);

    if (people != than_people)
        return people > than_people;
    return rule->stages_count > than->stages_count;
}

const countersign_v1_Rule *cs_policy_rule(const struct cs_policy *policy, const char *device_name,
                                          const char *connector, const struct cs_cert_info *leaf)
{
    const countersign_v1_TrustPolicy *body = cs_policy_body(policy);
    const countersign_v1_Rule *strictest = &body->rules[0];

    cs_assert(body->rules_count > 0);
    for (pb_size_t i = 0; i < body->rules_count; i++) {
        const countersign_v1_Rule *rule = &body->rules[i];

        if (matches_device(rule, device_name) && matches_connector(rule, connector) &&
            matches_issuer(rule, leaf) && matches_name(rule, leaf))
            return rule;
        if (is_stricter(rule, strictest))
            strictest = rule;
    }
    return strictest;
}

/* A group that the policy does not have names nobody; a checked policy has them all. */
static bool is_named(const countersign_v1_TrustPolicy *policy, const char *entry, const char *name)
{
    const countersign_v1_OperatorGroup *group;

    if (entry[0] != '@')
        return strcmp(entry, name) == 0;
    group = cs_groups_find(policy, entry + 1);
    return group && cs_group_has(group, name);
}

bool cs_stage_admits(const countersign_v1_TrustPolicy *policy, const countersign_v1_Stage *stage,
                     const countersign_v1_Operator *who)
{
    bool named = stage->operators_count == 0;

    for (pb_size_t i = 0; i < stage->operators_count && !named; i++)
        named = is_named(policy, stage->operators[i], who->name);
    return named && cs_operator_has_role(policy, who, stage->role);
}
