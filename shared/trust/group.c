/* group.c - people who have roles together: whom the policy's groups hold, and what that gives them. */
#include "shared/trust/policy.h"

const countersign_v1_OperatorGroup *cs_groups_find(const countersign_v1_TrustPolicy *policy, const char *name)
{
    for (pb_size_t i = 0; i < policy->groups_count; i++)
        if (strcmp(policy->groups[i].name, name) == 0)
            return &policy->groups[i];
    return NULL;
}

bool cs_group_has(const countersign_v1_OperatorGroup *group, const char *operator_name)
{
    for (pb_size_t i = 0; i < group->members_count; i++)
        if (strcmp(group->members[i], operator_name) == 0)
            return true;
    return false;
}

static bool is_among(const countersign_v1_Role *roles, pb_size_t count, countersign_v1_Role role)
{
    for (pb_size_t i = 0; i < count; i++)
        if (roles[i] == role)
            return true;
    return false;
}

bool cs_operator_has_role(const countersign_v1_TrustPolicy *policy, const countersign_v1_Operator *who,
                          countersign_v1_Role role)
{
    if (is_among(who->roles, who->roles_count, role))
        return true;
    for (pb_size_t i = 0; i < policy->groups_count; i++) {
        const countersign_v1_OperatorGroup *group = &policy->groups[i];

        if (is_among(group->roles, group->roles_count, role) && cs_group_has(group, who->name))
            return true;
    }
    return false;
}
