/* People who decide as the input says, right or wrong, all with real signatures; then what the evaluation
 * calls decided is looked at afresh. The first byte chooses the rule, every four more are one decision. */
#include "tests/support/deployment.h"

enum { RULES = 4, ORDERS = 3, DECISION_BYTES = 4, DECISIONS = 10 };

static const char *const people[] = {"alice", "bob", "ben", "carol", "clara", "dora", "eve", "mallory"};

/* Rule 0 is the default; rule 1 wants two and two; rule 2 lets the requester decide, and a browser key
 * finish; rule 3 has one stage. */
static void make_rules(struct deployment *d)
{
    countersign_v1_Rule *rule = deployment_add_rule(d, "two-and-two");

    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 2);
    deployment_add_stage(rule, "implement", countersign_v1_Role_ROLE_IMPLEMENTER, 2);
    rule = deployment_add_rule(d, "lax");
    rule->requester_may_decide = rule->browser_may_finish = true;
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 1);
    deployment_add_stage(rule, "implement", countersign_v1_Role_ROLE_IMPLEMENTER, 1);
    rule = deployment_add_rule(d, "one-stage");
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 1);
    deployment_publish(d);
}

static void fill(struct push_story *story, const uint8_t bytes[DECISION_BYTES],
                 countersign_v1_Decision *decision)
{
    story_fill_decision(story, people[bytes[0] & 7], bytes[0] >> 3 & 3, decision);
    if (decision->stage == 0)
        decision->stage = 1;
    if (bytes[1] & 0x0f) {
        decision->orders.size = 1;
        decision->orders.bytes[0] = bytes[1] & 0x0f; /* bit 3 is an order that is not there */
    }
    if (bytes[2] & 1)
        decision->verdict = countersign_v1_Verdict_VERDICT_REJECT;
    if (bytes[2] & 2) {
        decision->mode = countersign_v1_Mode_MODE_SCHEDULED;
        decision->not_before_s = story->d->now_s + bytes[3] * 60;
    }
    if (bytes[2] & 4 && decision->earlier_count > 0)
        decision->earlier_count--;
    decision->decided_at_s += (int8_t)bytes[3];
}

static bool accepts(const countersign_v1_Decision *decision, size_t order, uint32_t stage)
{
    return decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT && decision->stage == stage &&
           (decision->orders.size == 0 || (decision->orders.bytes[0] >> order & 1));
}

/* How many of those who accepted the stage for the order may, by names; also checks that each comes once, and
 * that the start is not before any of them. */
static uint32_t people_who_accept(const struct cs_push *push, struct deployment *d,
                                  const countersign_v1_Rule *rule, size_t order, uint32_t stage,
                                  const struct cs_push_progress *progress)
{
    uint32_t found = 0;

    for (size_t i = 0; i < cs_push_decision_count(push); i++) {
        const countersign_v1_Decision *decision = cs_push_decision(push, i);

        if (!accepts(decision, order, stage))
            continue;
        cs_assert(cs_operator_has_role(d->body, deployment_operator(d, decision->decider),
                                       rule->stages[stage - 1].role));
        cs_assert(rule->requester_may_decide ||
                  strcmp(decision->decider, cs_push_request(push)->requester) != 0);
        cs_assert(progress->start_s >= decision->decided_at_s && progress->start_s >= decision->not_before_s);
        for (size_t k = 0; k < i; k++)
            for (uint32_t any = 1; any <= rule->stages_count; any++)
                cs_assert(!accepts(cs_push_decision(push, k), order, any) ||
                          strcmp(cs_push_decision(push, k)->decider, decision->decider) != 0);
        found++;
    }
    return found;
}

static void check_progress(const struct cs_push *push, struct deployment *d,
                           const struct cs_push_order *order)
{
    struct cs_push_progress progress;

    cs_push_progress(push, order, &progress);
    for (size_t i = 0; i < cs_push_decision_count(push); i++) {
        const countersign_v1_Decision *decision = cs_push_decision(push, i);
        bool rejects = decision->verdict == countersign_v1_Verdict_VERDICT_REJECT &&
                       (decision->orders.size == 0 || (decision->orders.bytes[0] >> order->index & 1));

        cs_assert(decision->earlier_count == i);
        cs_assert(!rejects || progress.reason == CS_PUSH_REJECTED);
    }
    if (progress.reason != CS_PUSH_OK)
        return;
    for (uint32_t stage = 1; stage <= order->rule->stages_count; stage++)
        cs_assert(people_who_accept(push, d, order->rule, order->index, stage, &progress) ==
                  order->rule->stages[stage - 1].required);
}

static void decide_and_check(struct push_story *story, const uint8_t *bytes, struct cs_push *push,
                             const struct cs_push_order orders[ORDERS])
{
    countersign_v1_Decision decision;
    enum cs_push_reason reason;
    struct cs_err err;
    size_t at = story->decision_count;

    fill(story, bytes, &decision);
    story_add_decision(story, &decision, bytes[2] & 8 ? "mallory" : decision.decider);
    if (cs_push_add_decision(push, cs_buf_slice(&story->decision_wires[at]), orders, ORDERS, &reason, &err) !=
        CS_OK) {
        cs_assert(reason != CS_PUSH_OK && reason != CS_PUSH_UNDECIDED);
        cs_buf_free(&story->decision_wires[at]);
        story->decision_count = at;
    }
    cs_assert(cs_push_decision_count(push) == story->decision_count);
    for (size_t i = 0; i < ORDERS; i++)
        check_progress(push, story->d, &orders[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct deployment d;
    struct cs_push_order orders[ORDERS];
    struct push_story story;
    struct cs_push *push = NULL;
    enum cs_push_reason reason;
    struct cs_err err;

    if (!d.policy) {
        deployment_make(&d);
        make_rules(&d);
    }
    if (size == 0)
        return 0;
    for (uint32_t i = 0; i < ORDERS; i++)
        orders[i] = (struct cs_push_order){i, &cs_policy_body(d.policy)->rules[(data[0] >> 2 * i) % RULES]};
    story_prepare(&story, &d, ORDERS);
    if (data[0] & 0x80)
        memcpy(story.request.requester, "dora", sizeof "dora");
    story_submit(&story);
    cs_assert(cs_push_open(d.policy, cs_buf_slice(&story.request_wire), d.now_s, &push, &reason, &err) ==
              CS_OK);
    for (size_t i = 0; i < DECISIONS && 1 + (i + 1) * DECISION_BYTES <= size; i++)
        decide_and_check(&story, data + 1 + i * DECISION_BYTES, push, orders);
    cs_push_free(push);
    story_free(&story);
    return 0;
}
