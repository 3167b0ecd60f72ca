#include "shared/trust/tally.h"

struct cs_tally cs_tally_begin(const countersign_v1_TrustPolicy *policy,
                               const countersign_v1_PushRequest *request)
{
    return (struct cs_tally){.policy = policy, .decided_at_s = request->requested_at_s};
}

static bool has_counted(const struct cs_tally *tally, const countersign_v1_Operator *decider)
{
    for (size_t i = 0; i < tally->people_count; i++)
        if (tally->people[i] == decider)
            return true;
    return false;
}

static bool browser_key_completes(const struct cs_tally *tally, const countersign_v1_Rule *rule,
                                  const struct cs_tally_decision *decision)
{
    return decision->body->verdict == countersign_v1_Verdict_VERDICT_ACCEPT &&
           decision->key_kind == countersign_v1_KeyKind_KEY_KIND_BROWSER && !rule->browser_may_finish &&
           tally->stage + 1 == rule->stages_count &&
           tally->decided + 1 >= rule->stages[tally->stage].required;
}

enum cs_push_reason cs_tally_judge(const struct cs_tally *tally, const countersign_v1_Rule *rule,
                                   const char *requester, const struct cs_tally_decision *decision)
{
    uint32_t stage = decision->body->stage - 1;

    if (stage >= rule->stages_count)
        return CS_PUSH_STAGE_UNKNOWN;
    if (tally->rejected)
        return CS_PUSH_REJECTED;
    if (stage < tally->stage)
        return CS_PUSH_STAGE_CLOSED;
    if (stage > tally->stage)
        return CS_PUSH_STAGE_NOT_OPEN;
    if (!rule->requester_may_decide && strcmp(decision->decider->name, requester) == 0)
        return CS_PUSH_DECIDER_IS_REQUESTER;
    if (!cs_stage_admits(tally->policy, &rule->stages[stage], decision->decider))
        return CS_PUSH_DECIDER_ROLE;
    if (has_counted(tally, decision->decider))
        return CS_PUSH_DECIDER_TWICE;
    if (browser_key_completes(tally, rule, decision))
        return CS_PUSH_BROWSER_KEY;
    return CS_PUSH_OK;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void count(struct cs_tally *tally, const countersign_v1_Rule *rule,
                  const struct cs_tally_decision *decision)
{
    /* Each counts once, and a policy wants no more people than there is room for. */
    cs_assert(tally->people_count < CS_ARRAY_LEN(tally->people));
    tally->people[tally->people_count++] = decision->decider;
    tally->decided_at_s = later(tally->decided_at_s, decision->body->decided_at_s);
    if (decision->body->verdict != countersign_v1_Verdict_VERDICT_ACCEPT) {
        tally->rejected = true;
        return;
    }
    tally->not_before_s = later(tally->not_before_s, decision->body->not_before_s);
    tally->decided++;
    if (tally->decided >= rule->stages[tally->stage].required) {
        tally->stage++;
        tally->decided = 0;
    }
}

enum cs_push_reason cs_tally_take(struct cs_tally *tally, const countersign_v1_Rule *rule,
                                  const char *requester, const struct cs_tally_decision *decision)
{
    enum cs_push_reason reason = cs_tally_judge(tally, rule, requester, decision);

    if (reason == CS_PUSH_OK)
        count(tally, rule, decision);
    return reason;
}
