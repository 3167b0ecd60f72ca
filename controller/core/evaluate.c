#include "controller/core/evaluate.h"

#include "shared/crypto/x509.h"

#include <inttypes.h>

void ctl_rules_free(struct ctl_rules *rules)
{
    free(rules->orders);
    *rules = (struct ctl_rules){0};
}

void ctl_evaluation_free(struct ctl_evaluation *evaluation)
{
    cs_push_free(evaluation->push);
    evaluation->push = NULL;
    ctl_rules_free(&evaluation->rules);
}

int ctl_leaf_load(struct ctl_view *view, struct cs_slice chain_digest, struct cs_cert_info *ret,
                  struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CHAIN, chain_digest);
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_slice bytes;
    int rc = ctl_bytes_get(view, &key, &bytes, err);

    if (rc == CS_OK)
        rc = cs_chain_parse(bytes, &chain, err);
    if (rc == CS_OK)
        cs_chain_info(chain, 0, ret);
    return rc;
}

int ctl_rules_load(struct ctl_view *view, const struct cs_policy *policy, uint64_t request_number,
                   uint32_t order_count, struct ctl_rules *ret, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_CORE, request_number);
    struct ctl_walk walk = ctl_walk(&prefix);
    struct ctl_rules rules = {calloc(order_count ? order_count : 1, sizeof *rules.orders), 0};
    struct cs_cert_info leaf;
    bool has_leaf = false;
    int rc = CS_OK;

    if (!rules.orders)
        return cs_err_nomem(err);
    while (rules.count < order_count && (rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        cs_auto_free countersign_v1_OrderCore *core = NULL;

        rc = cs_core_decode(walk.value, &core, err);
        /* All orders of a request name the same chain, or none does. */
        if (rc == CS_OK && !has_leaf && core->chain_digest.size) {
            rc = ctl_leaf_load(view, CTL_BYTES(core->chain_digest), &leaf, err);
            has_leaf = true;
        }
        if (rc != CS_OK)
            break;
        rules.orders[rules.count] = (struct cs_push_order){
            (uint32_t)rules.count, cs_policy_rule(policy, core->device_name, core->connector,
                                                  core->chain_digest.size ? &leaf : NULL)};
        rules.count++;
    }
    if (rc != CS_OK) {
        ctl_rules_free(&rules);
        return rc == CS_ENOTFOUND ? cs_err_set(err, CS_ECORRUPT, "order cores of REQ-%" PRIu64 " are missing",
                                               request_number)
                                  : rc;
    }
    *ret = rules;
    return CS_OK;
}

int ctl_evaluation_add(struct ctl_evaluation *evaluation, struct cs_slice decision_wire, struct cs_err *err)
{
    enum cs_push_reason reason;

    return cs_push_add_decision(evaluation->push, decision_wire, evaluation->rules.orders,
                                evaluation->rules.count, &reason, err);
}

static int add_stored(struct ctl_view *view, uint64_t number, struct ctl_evaluation *evaluation,
                      struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_DECISION, number);
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_decision_row decision;
    int rc;

    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        rc = ctl_decode(walk.value, Decision, &decision, err);
        if (rc == CS_OK)
            rc = ctl_evaluation_add(evaluation, CTL_BYTES(decision.envelope), err);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

int ctl_evaluation_load(struct ctl_view *view, const struct cs_policy *policy, uint64_t request_number,
                        int64_t now_s, struct ctl_evaluation *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST_ENVELOPE, request_number);
    struct ctl_evaluation evaluation = {0};
    enum cs_push_reason reason;
    struct cs_slice envelope;
    int rc = ctl_bytes_get(view, &key, &envelope, err);

    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no REQ-%" PRIu64, request_number);
    if (rc == CS_OK)
        rc = cs_push_open(policy, envelope, now_s, &evaluation.push, &reason, err);
    if (rc == CS_OK)
        rc = ctl_rules_load(view, policy, request_number, cs_push_request(evaluation.push)->order_count,
                            &evaluation.rules, err);
    if (rc == CS_OK)
        rc = add_stored(view, request_number, &evaluation, err);
    if (rc != CS_OK) {
        ctl_evaluation_free(&evaluation);
        return rc;
    }
    *ret = evaluation;
    return CS_OK;
}
