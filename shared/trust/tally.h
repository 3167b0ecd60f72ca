/* tally.h - counting people: where one order stands after some of the decisions on it, and whether one more
 * counts. Pure, without cryptography: whoever calls has verified the statements and found out whose they are
 * (push.h does), so that a test can try every way in which people may sign. For the files of shared/trust. */
#ifndef CS_TRUST_TALLY_H
#define CS_TRUST_TALLY_H

#include "shared/trust/push.h"

/* One verified decision. Borrows. */
struct cs_tally_decision {
    const countersign_v1_Decision *body;
    const countersign_v1_Operator *decider; /* of the policy: one person, one pointer */
    countersign_v1_KeyKind key_kind;
};

struct cs_tally {
    const countersign_v1_TrustPolicy *policy; /* whose people they are; borrowed */
    uint32_t stage;   /* the open one, from 0; the number of stages when all are satisfied */
    uint32_t decided; /* people in the open stage */
    const countersign_v1_Operator *people[CS_LIMIT_DECISIONS]; /* whose decisions count, in any stage */
    size_t people_count;
    bool rejected;
    int64_t decided_at_s; /* latest of the counted decisions; of the request before the first */
    int64_t not_before_s; /* latest of the counted decisions */
};

/* Before the first decision. The rules that are tallied are of this policy. */
struct cs_tally cs_tally_begin(const countersign_v1_TrustPolicy *policy,
                               const countersign_v1_PushRequest *request);
/* May the decision count for an order that stands there? CS_PUSH_OK or why not. */
enum cs_push_reason cs_tally_judge(const struct cs_tally *tally, const countersign_v1_Rule *rule,
                                   const char *requester, const struct cs_tally_decision *decision);
/* Judges, and counts what may count; a tally that refuses is left as it was. */
enum cs_push_reason cs_tally_take(struct cs_tally *tally, const countersign_v1_Rule *rule,
                                  const char *requester, const struct cs_tally_decision *decision);

#endif
