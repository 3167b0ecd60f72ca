#include "shared/trust/need.h"

#include <stdio.h>

struct cs_needs cs_needs_begin(const struct cs_policy *policy)
{
    return (struct cs_needs){.policy = policy};
}

void cs_needs_add(struct cs_needs *needs, const char *device_name, const char *connector,
                  const struct cs_cert_info *leaf)
{
    const countersign_v1_Rule *rule = cs_policy_rule(needs->policy, device_name, connector, leaf);
    struct cs_need *need = needs->list;

    while (need < needs->list + needs->count && need->rule != rule)
        need++;
    if (need == needs->list + needs->count) {
        cs_assert(needs->count < CS_ARRAY_LEN(needs->list)); /* as many as a policy has rules */
        *need = (struct cs_need){.rule = rule};
        (void)snprintf(need->device_name, sizeof need->device_name, "%s", device_name);
        (void)snprintf(need->connector, sizeof need->connector, "%s", connector);
        needs->count++;
    }
    need->orders++;
}

static int by_orders(const void *a, const void *b)
{
    const struct cs_need *x = a, *y = b;
    const uint32_t people = cs_rule_people(x->rule), others = cs_rule_people(y->rule);

    if (x->orders != y->orders)
        return x->orders < y->orders ? 1 : -1;
    return (people < others) - (people > others);
}

void cs_needs_sort(struct cs_needs *needs)
{
    qsort(needs->list, needs->count, sizeof needs->list[0], by_orders);
}

const countersign_v1_Operator *cs_need_person(const struct cs_need *need, const struct cs_policy *policy,
                                              size_t stage, const char *requester, size_t from, size_t *next)
{
    const countersign_v1_TrustPolicy *body = cs_policy_body(policy);

    cs_assert(stage < need->rule->stages_count);
    for (size_t i = from; i < body->operators_count; i++) {
        const countersign_v1_Operator *who = &body->operators[i];
        const bool asks = requester && strcmp(who->name, requester) == 0;

        if (who->keys_count == 0 || (asks && !need->rule->requester_may_decide) ||
            !cs_stage_admits(body, &need->rule->stages[stage], who))
            continue;
        *next = i + 1;
        return who;
    }
    return NULL;
}
