/* evaluate.h - a stored request and its stored decisions, evaluated: shared/trust/push.h over the store's
 * records. Pure. The shards use it to check a new decision before they send it to the core; the core uses it
 * when a newer policy is published. Signatures are verified each time (about 1 ms each), so the core thread
 * does not do it where a shard has. */
#ifndef CTL_CORE_EVALUATE_H
#define CTL_CORE_EVALUATE_H

#include "controller/core/record.h"
#include "shared/trust/push.h"

/* The leaf as a device will see it: parsed from the chain that an order core names. */
CS_MUST_USE int ctl_leaf_load(struct ctl_view *view, struct cs_slice chain_digest, struct cs_cert_info *ret,
                              struct cs_err *err);

/* The rules of a request's orders, by index. Points into the policy. */
struct ctl_rules {
    struct cs_push_order *orders;
    size_t count;
};
void ctl_rules_free(struct ctl_rules *rules);
/* From the order cores of a reservation or request, and the leaf that they name. */
CS_MUST_USE int ctl_rules_load(struct ctl_view *view, const struct cs_policy *policy, uint64_t request_number,
                               uint32_t order_count, struct ctl_rules *ret, struct cs_err *err);

/* The request and all its decisions so far. Both borrow the policy. */
struct ctl_evaluation {
    struct cs_push *push;
    struct ctl_rules rules;
};
void ctl_evaluation_free(struct ctl_evaluation *evaluation);
CS_MUST_USE int ctl_evaluation_load(struct ctl_view *view, const struct cs_policy *policy,
                                    uint64_t request_number, int64_t now_s, struct ctl_evaluation *ret,
                                    struct cs_err *err);
/* Adds the next decision, as it came from the wire. */
CS_MUST_USE int ctl_evaluation_add(struct ctl_evaluation *evaluation, struct cs_slice decision_wire,
                                   struct cs_err *err);

#endif
