/* need.h - what a push would need before it is requested: under which rules its orders would come, and who
 * may decide. The same questions that push.h asks of a request that is signed; here nobody has signed
 * anything. Controller and client use the same code, each with its own policy. Pure. */
#ifndef CS_TRUST_NEED_H
#define CS_TRUST_NEED_H

#include "shared/trust/policy.h"

/* All orders that come under one rule. Borrows the rule from the policy. */
struct cs_need {
    const countersign_v1_Rule *rule;
    size_t orders;
    char device_name[CS_LIMIT_NAME_BYTES + 1], connector[CS_LIMIT_NAME_BYTES + 1]; /* the first of them */
};

struct cs_needs {
    const struct cs_policy *policy;
    struct cs_need list[CS_LIMIT_RULES];
    size_t count;
};

/* Nothing is pushed yet. `policy` must outlive it. */
struct cs_needs cs_needs_begin(const struct cs_policy *policy);
/* One more order. `leaf` as cs_policy_rule() takes it: NULL for a removal. */
void cs_needs_add(struct cs_needs *needs, const char *device_name, const char *connector,
                  const struct cs_cert_info *leaf);
/* Most orders first; of as many the stricter first. */
void cs_needs_sort(struct cs_needs *needs);

/* The people who may decide that stage of a request by `requester` (NULL or "": nobody in particular), in the
 * policy's order, from `from` on: NULL behind the last. *next is where to go on. Whoever decides one stage is
 * no more counted in another, and a browser key may not complete the last one where the rule says so. */
const countersign_v1_Operator *cs_need_person(const struct cs_need *need, const struct cs_policy *policy,
                                              size_t stage, const char *requester, size_t from, size_t *next);

#endif
