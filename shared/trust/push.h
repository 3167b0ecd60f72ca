/* push.h - is this push decided? One answer for the device, the controller and the client.
 * Pure; the clock is passed in. Feed the verified request and its verified decisions, in the order in which
 * they were made; ask for each order how far it is. A statement that may not stand (wrong signer, stale list
 * of earlier decisions, closed stage, second decision of a person, past decide_by, …) is refused with its
 * reason, and leaves the evaluation as it was. */
#ifndef CS_TRUST_PUSH_H
#define CS_TRUST_PUSH_H

#include "shared/trust/policy.h"

/* Why something is not accepted; each has a word for machines (reports, logs) and a sentence for people.
 * 0 is "undecided": a refusal until proven otherwise. The device's own reasons are in agent/core/verdict.h
 * and build on these. */
#define CS_PUSH_REASONS(X)                                                                                   \
    X(UNDECIDED, "undecided", "the stages of the policy are not all satisfied")                              \
    X(OK, "ok", "every stage is satisfied")                                                                  \
    X(REQUEST_MALFORMED, "request-malformed", "the push request does not parse")                             \
    X(REQUEST_SIGNATURE, "request-signature", "the push request is not signed by a key of the requester")    \
    X(REQUESTER_ROLE, "requester-role", "the requester may not request pushes")                              \
    X(WRONG_DEPLOYMENT, "wrong-deployment", "the statement belongs to another deployment")                   \
    X(POLICY_TOO_OLD, "policy-too-old", "the signer saw a newer trust policy than is known here")            \
    X(POLICY_EXPIRED, "policy-expired", "the trust policy has expired")                                      \
    X(DECISION_MALFORMED, "decision-malformed", "a decision does not parse")                                 \
    X(DECISION_SIGNATURE, "decision-signature", "a decision is not signed by a key of its decider")          \
    X(DECIDER_ROLE, "decider-role", "the decider may not decide this stage")                                 \
    X(DECIDER_IS_REQUESTER, "decider-is-requester", "the requester may not decide on the own request")       \
    X(DECIDER_TWICE, "decider-twice", "the same person has decided on this request before")                  \
    X(DECISION_OTHER_REQUEST, "decision-other-request", "the decision is for another request")               \
    X(DECISION_STALE, "decision-stale", "the decision was made without seeing all earlier ones")             \
    X(DECISION_LATE, "decision-late", "the decision was made after decide_by")                               \
    X(DECISION_EARLY, "decision-early", "the decision was made before the request")                          \
    X(STAGE_CLOSED, "stage-closed", "the stage has its number of people already")                            \
    X(STAGE_NOT_OPEN, "stage-not-open", "an earlier stage is not satisfied yet")                             \
    X(STAGE_UNKNOWN, "stage-unknown", "the policy has no such stage")                                        \
    X(NOT_COVERED, "not-covered", "a decision does not cover this order")                                    \
    X(REJECTED, "rejected", "a decider rejected this order")                                                 \
    X(BROWSER_KEY, "browser-key", "a browser key may not complete the last stage")                           \
    X(TOO_MANY_DECISIONS, "too-many-decisions", "the request has more decisions than are allowed")

enum cs_push_reason {
#define X(name, word, sentence) CS_PUSH_##name,
    CS_PUSH_REASONS(X)
#undef X
        CS_PUSH_REASON_COUNT
};
const char *cs_push_reason_word(enum cs_push_reason reason);
const char *cs_push_reason_sentence(enum cs_push_reason reason);

/* A request and its decisions under one policy, which must outlive it. Owns copies of everything else that it
 * needs; large: made on the heap. */
struct cs_push;

/* Verifies and parses the envelope of a request under the policy. On a refusal *ret_reason says why and *err
 * has a sentence; *ret_reason stays CS_PUSH_UNDECIDED when the memory ran out. `request_wire` may go
 * afterwards. Expiry of the policy is looked at (now_s; CS_TIME_UNKNOWN skips it). */
#define CS_TIME_UNKNOWN INT64_MIN
CS_MUST_USE int cs_push_open(const struct cs_policy *policy, struct cs_slice request_wire, int64_t now_s,
                             struct cs_push **ret, enum cs_push_reason *ret_reason, struct cs_err *err);
void cs_push_free(struct cs_push *push);
CS_DEFINE_AUTO(cs_push_freep, struct cs_push, cs_push_free)

const countersign_v1_PushRequest *cs_push_request(const struct cs_push *push);
struct cs_digest cs_push_request_digest(const struct cs_push *push);

/* Adds the next decision: verifies signature, signer, digests, times, and that its stage is open and the
 * decider admitted for every order that it covers. One request may span orders with different rules: each
 * order is judged under its own, so the caller gives all orders that it knows (the device knows one). A
 * decision that covers none of these is added, too: it belongs to the list that later ones name. */
struct cs_push_order {
    uint32_t index;                  /* of the leaf */
    const countersign_v1_Rule *rule; /* of the policy given to cs_push_open() */
};
CS_MUST_USE int cs_push_add_decision(struct cs_push *push, struct cs_slice decision_wire,
                                     const struct cs_push_order *orders, size_t order_count,
                                     enum cs_push_reason *ret_reason, struct cs_err *err);
size_t cs_push_decision_count(const struct cs_push *push);
const countersign_v1_Decision *cs_push_decision(const struct cs_push *push, size_t index);
struct cs_digest cs_push_decision_digest(const struct cs_push *push, size_t index);

/* How far one order is. */
struct cs_push_progress {
    enum cs_push_reason reason; /* OK: fully decided; UNDECIDED; REJECTED; NOT_COVERED: no such order */
    uint32_t stages, stage;     /* stage: the open one, from 1; 0 when fully decided or rejected */
    uint32_t decided, required; /* people in the open stage */
    int64_t start_s, end_s;     /* valid when OK: latest of all counted not-befores and times of decisions; +
                                   window_s */
    int64_t decided_at_s;       /* latest of the counted decisions' times; before the first, the request's */
};
void cs_push_progress(const struct cs_push *push, const struct cs_push_order *order,
                      struct cs_push_progress *ret);

#endif
