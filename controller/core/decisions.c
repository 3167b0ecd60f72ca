/* Decisions, trust policies, and what a newer policy means for requests that are open. */
#include "controller/core/evaluate.h"
#include "controller/core/orders.h"
#include "controller/core/overrides.h"

#include <inttypes.h>

/* ---- moving a request's orders to where its decisions have brought them */

static bool covers(const countersign_v1_Decision *decision, uint32_t index)
{
    return decision->orders.size == 0 ||
           (index / 8 < decision->orders.size && (decision->orders.bytes[index / 8] >> (index % 8) & 1));
}

struct moved {
    uint32_t covered;                /* undecided orders that the decision covers */
    countersign_v1_OrderState state; /* the least advanced of them */
};

/* With a decision: of its orders, those that still wait for people. Without: every order that is not handed
 * over is held against the newest policy. */
static int move_orders(struct ctl_run *run, ctl_request_row *request, const struct cs_push *push,
                       const struct ctl_rules *rules, const countersign_v1_Decision *decision,
                       struct moved *moved)
{
    request->stage = 0;
    for (uint32_t i = 0; i < request->order_count; i++) {
        struct cs_push_progress progress;
        const struct ctl_phase_info *phase;
        ctl_order_row order;
        int rc = ctl_order_load(run, request->first_order + i, &order);

        if (rc != CS_OK)
            return rc;
        phase = ctl_phase_info(order.phase);
        if (phase->ended || phase->handed_over || (decision && !phase->undecided))
            continue;
        cs_push_progress(push, &rules->orders[i], &progress);
        ctl_request_show_stage(request, rules->orders[i].rule, &progress);
        if (decision && !covers(decision, i))
            continue;
        rc = ctl_order_decided(run, request, &order, &progress, decision ? decision->decider : NULL);
        if (rc != CS_OK)
            return rc;
        phase = ctl_phase_info(order.phase);
        if (moved->covered++ == 0 || phase->shown < moved->state)
            moved->state = phase->shown;
    }
    return CS_OK;
}

/* ---- Decide */

/* The shard's evaluation holds exactly what is stored, and the new decision. */
static int check_push(struct ctl_run *run, const struct ctl_decide *decide, const ctl_request_row *request)
{
    struct cs_digest digest = cs_push_request_digest(decide->push);

    if (!cs_slice_eq(cs_digest_slice(&digest), CTL_BYTES(request->digest)))
        return cs_err_set(run->err, CS_EINVAL, "the decision was evaluated for another request");
    if (cs_push_decision_count(decide->push) != request->decision_count + 1u)
        return cs_err_set(run->err, CS_ESTALE, "another decision was made meanwhile: look again");
    for (uint32_t i = 0; i <= request->decision_count; i++) {
        struct ctl_key key = ctl_key_numbers(CTL_TABLE_DECISION, request->number, i);
        struct cs_slice expected = cs_digest_slice(&decide->digest);
        ctl_decision_row stored;

        if (i < request->decision_count) {
            int rc = ctl_get(run->view, &key, Decision, &stored, run->err);

            if (rc != CS_OK)
                return rc;
            expected = CTL_BYTES(stored.digest);
        }
        digest = cs_push_decision_digest(decide->push, i);
        if (!cs_slice_eq(cs_digest_slice(&digest), expected))
            return cs_err_set(run->err, CS_ESTALE, "another decision was made meanwhile: look again");
    }
    return CS_OK;
}

/* At least one order that it covers waits for people; else the first one's state says why not. */
static int check_covered(struct ctl_run *run, const countersign_v1_Decision *decision,
                         const ctl_request_row *request)
{
    const bool accepts = decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT;
    ctl_order_row order, first = countersign_store_v1_Order_init_zero;

    for (uint32_t i = 0; i < request->order_count; i++) {
        int rc;

        if (!covers(decision, i))
            continue;
        rc = ctl_order_load(run, request->first_order + i, &order);
        if (rc != CS_OK || ctl_phase_info(order.phase)->undecided)
            return rc;
        if (!first.number)
            first = order;
    }
    /* A bitmap beyond the request's orders is told by the evaluation. */
    return first.number ? ctl_workflow_refuse(first.number, first.phase,
                                              accepts ? CTL_ORDER_REVIEWED : CTL_ORDER_REJECTED, run->err)
                        : CS_OK;
}

static int check_decision(struct ctl_run *run, const struct ctl_decide *decide,
                          const ctl_request_row *request)
{
    const countersign_v1_Decision *decision = decide->decision;
    int rc = ctl_run_check_comment(run, decide->comment, CTL_BYTES(decision->comment_digest));

    if (rc != CS_OK)
        return rc;
    if (!ctl_request_open(request))
        return cs_err_set(run->err, CS_ESTATE,
                          "REQ-%" PRIu64 " is %s: nothing is left to decide; possible: push again",
                          request->number, ctl_state_text(ctl_request_state(request)));
    /* Devices take decided_at of what they accept as a floor of their time: it must not run ahead. */
    if (decision->decided_at_s > run->now_s + CTL_CLOCK_SKEW_S)
        return cs_err_set(run->err, CS_EINVAL, "the decision is from the future: set the client's clock");
    if (run->now_s > request->decide_by_s)
        return cs_err_set(run->err, CS_ESTATE, "the time to decide REQ-%" PRIu64 " is over", request->number);
    rc = check_covered(run, decision, request);
    if (rc == CS_OK && decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT)
        rc = ctl_request_check_overrides(run, request);
    return rc;
}

/* For those who read of the decision later, when the policy has other names. */
static const char *stage_name(const struct ctl_rules *rules, const countersign_v1_Decision *decision)
{
    for (size_t i = 0; i < rules->count; i++) {
        const countersign_v1_Rule *rule = rules->orders[i].rule;

        if (covers(decision, (uint32_t)i) && decision->stage >= 1 && decision->stage <= rule->stages_count)
            return rule->stages[decision->stage - 1].name;
    }
    return "";
}

static int store_decision(struct ctl_run *run, const struct ctl_decide *decide, const struct ctl_rules *rules,
                          ctl_request_row *request)
{
    struct ctl_key key = ctl_key_numbers(CTL_TABLE_DECISION, request->number, request->decision_count);
    ctl_decision_row row = countersign_store_v1_Decision_init_zero;

    if (decide->envelope.len > sizeof row.envelope.bytes)
        return cs_err_set(run->err, CS_ETOOBIG, "the decision is too large");
    CTL_BYTES_SET(row.envelope, decide->envelope);
    CTL_BYTES_SET(row.digest, cs_digest_slice(&decide->digest));
    CTL_TEXT_SET(row.comment, decide->comment);
    CTL_TEXT_SET(row.stage_name, stage_name(rules, decide->decision));
    request->decision_count++;
    return ctl_put(run->view, &key, Decision, &row, run->err);
}

/* Sent again after a lost answer: the same decision is there already. */
static int find_decision(struct ctl_run *run, const struct ctl_decide *decide, const ctl_request_row *request,
                         bool *ret_there)
{
    *ret_there = false;
    for (uint32_t i = 0; i < request->decision_count; i++) {
        struct ctl_key key = ctl_key_numbers(CTL_TABLE_DECISION, request->number, i);
        ctl_decision_row stored;
        int rc = ctl_get(run->view, &key, Decision, &stored, run->err);

        if (rc != CS_OK)
            return rc;
        if (cs_slice_eq(CTL_BYTES(stored.digest), cs_digest_slice(&decide->digest)))
            *ret_there = true;
    }
    return CS_OK;
}

static int decide_with(struct ctl_run *run, const struct ctl_decide *decide, ctl_request_row *request,
                       const struct cs_push *push, const struct ctl_rules *rules,
                       countersign_v1_DecideResponse *answer)
{
    struct moved moved = {0};
    int rc = store_decision(run, decide, rules, request);

    if (rc == CS_OK)
        rc = move_orders(run, request, push, rules, decide->decision, &moved);
    if (rc == CS_OK && moved.covered == 0)
        return cs_err_set(run->err, CS_ESTATE, "no order of REQ-%" PRIu64 " waits for this decision",
                          request->number);
    if (rc == CS_OK)
        rc = ctl_request_settle(run, request);
    if (rc != CS_OK)
        return rc;
    answer->state = moved.state;
    ctl_run_changed(run, "", "REQ-%" PRIu64, request->number);
    ctl_run_detail(run, "%s by %s, stage %u",
                   decide->decision->verdict == countersign_v1_Verdict_VERDICT_ACCEPT ? "accepted"
                                                                                      : "rejected",
                   decide->decision->decider, (unsigned)decide->decision->stage);
    return ctl_run_wake(run, request->number);
}

static int evaluate_and_decide(struct ctl_run *run, const struct ctl_decide *decide, ctl_request_row *request,
                               countersign_v1_DecideResponse *answer)
{
    struct ctl_evaluation evaluation = {0};
    const struct cs_push *push = decide->push;
    int rc;

    if (push) {
        rc = check_push(run, decide, request);
        if (rc == CS_OK)
            rc = ctl_rules_load(run->view, run->context->policy, request->number, request->order_count,
                                &evaluation.rules, run->err);
    } else {
        rc = ctl_evaluation_load(run->view, run->context->policy, request->number, run->now_s, &evaluation,
                                 run->err);
        if (rc == CS_OK)
            rc = ctl_evaluation_add(&evaluation, decide->envelope, run->err);
        push = evaluation.push;
    }
    if (rc == CS_OK)
        rc = decide_with(run, decide, request, push, &evaluation.rules, answer);
    ctl_evaluation_free(&evaluation);
    return rc;
}

int ctl_decide_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_decide *decide = body;
    countersign_v1_DecideResponse *answer = reply;
    ctl_request_row request;
    bool there;
    int rc = ctl_request_load(run, decide->number, &request);

    if (rc == CS_OK)
        rc = find_decision(run, decide, &request, &there);
    if (rc != CS_OK)
        return rc;
    if (there) {
        answer->state = ctl_request_state(&request);
        return CS_OK;
    }
    rc = ctl_run_check_policy(run, decide->policy_version);
    if (rc == CS_OK)
        rc = check_decision(run, decide, &request);
    if (rc == CS_OK)
        rc = ctl_request_review(run, &request);
    return rc == CS_OK ? evaluate_and_decide(run, decide, &request, answer) : rc;
}

/* ---- trust policies */

/* Is this what a newer policy brings about, rather than a fault of ours? */
static bool policy_refuses(int rc)
{
    return rc == CS_EDENIED || rc == CS_EAUTH || rc == CS_ESTATE || rc == CS_ESTALE || rc == CS_EPARSE ||
           rc == CS_EFULL;
}

static int cancel_undelivered(struct ctl_run *run, ctl_request_row *request)
{
    for (uint32_t i = 0; i < request->order_count; i++) {
        ctl_order_row order;
        int rc = ctl_order_load(run, request->first_order + i, &order);

        if (rc != CS_OK)
            return rc;
        if (ctl_phase_info(order.phase)->ended || ctl_phase_info(order.phase)->handed_over)
            continue;
        rc = ctl_order_apply(run, request, &order, CTL_ORDER_POLICY_CHANGED, "policy changed");
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

int ctl_request_review(struct ctl_run *run, ctl_request_row *request)
{
    struct ctl_evaluation evaluation = {0};
    struct moved moved = {0};
    int rc;

    if (request->policy_version == run->meta.policy_version)
        return CS_OK;
    rc = ctl_run_check_policy(run, run->meta.policy_version);
    if (rc != CS_OK)
        return rc;
    rc = ctl_evaluation_load(run->view, run->context->policy, request->number, CS_TIME_UNKNOWN, &evaluation,
                             run->err);
    if (rc == CS_OK)
        rc = move_orders(run, request, evaluation.push, &evaluation.rules, NULL, &moved);
    else if (policy_refuses(rc))
        rc = cancel_undelivered(run, request);
    ctl_evaluation_free(&evaluation);
    if (rc != CS_OK)
        return rc;
    request->policy_version = run->meta.policy_version;
    return ctl_request_settle(run, request);
}

/* Requests are looked at one by one by the clock, and by whoever needs one earlier: doing it here would hold
 * up everybody for as long as it takes to verify all their signatures. */
static int queue_reviews(struct ctl_run *run)
{
    struct ctl_key prefix = ctl_key(CTL_TABLE_OPEN_REQUEST);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        struct ctl_key due = ctl_key_due(run->now_s, CTL_DUE_REVIEW, ctl_key_last_u64(walk.key));

        rc = ctl_index_put(run->view, &due, run->err);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

int ctl_publish_policy_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_publish_policy *publish = body;
    const countersign_v1_TrustPolicy *policy = cs_policy_body(publish->policy);
    const struct ctl_effect effect = {.kind = CTL_EFFECT_POLICY};
    countersign_v1_PublishPolicyResponse *answer = reply;
    struct ctl_key key = ctl_key(CTL_TABLE_POLICY);
    struct cs_slice stored;
    int rc;

    ctl_key_add_u32(&key, policy->version);
    answer->version = policy->version;
    rc = ctl_bytes_get(run->view, &key, &stored, run->err);
    if (rc == CS_OK && cs_slice_eq(stored, publish->envelope))
        return CS_OK;
    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    if (run->meta.policy_version && policy->version != run->meta.policy_version + 1)
        return cs_err_set(run->err, CS_ESTALE,
                          "the newest trust policy is version %u: the next is %u, not %u",
                          (unsigned)run->meta.policy_version, (unsigned)run->meta.policy_version + 1,
                          (unsigned)policy->version);
    rc = ctl_bytes_put(run->view, &key, publish->envelope, run->err);
    if (rc == CS_OK)
        rc = queue_reviews(run);
    if (rc != CS_OK)
        return rc;
    run->meta.policy_version = policy->version;
    CTL_BYTES_COPY(run->meta.deployment_id, policy->deployment_id);
    ctl_run_changed(run, "", "trust policy %u", (unsigned)policy->version);
    return ctl_run_effect(run, &effect);
}
