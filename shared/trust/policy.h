/* policy.h - who may decide what: the trust policy, verified, and the questions that everyone asks of it.
 * Pure; the clock is passed in. A `struct cs_policy` exists only verified: it was signed by enough roots and
 * follows from what is pinned. Agent, controller and client use the same functions. TUF's version rules
 * (specification, section 5.3). */
#ifndef CS_TRUST_POLICY_H
#define CS_TRUST_POLICY_H

#include "shared/crypto/x509.h"
#include "shared/trust/envelope.h"

struct cs_policy;

/* What a device or client pins before it has a policy. */
struct cs_pin {
    uint8_t deployment_id[16];
    struct cs_digest roots_digest; /* SHA-256 of the canonical RootSet */
    uint32_t least_version;
};

/* The first policy that a pin accepts: its own roots have the pinned digest, enough of them signed, version ≥
 * least_version. `wire` is copied. CS_EAUTH for other roots or too few signatures, CS_ESTALE for a version
 * below the pin's, CS_EDENIED for another deployment. */
CS_MUST_USE int cs_policy_open_pinned(struct cs_slice wire, const struct cs_pin *pin, struct cs_policy **ret,
                                      struct cs_err *err);
/* The one after `current`: version + 1, previous_digest fits, same deployment, not issued earlier, signed by
 * the threshold of current's roots and of its own. CS_ESTALE for a version that is not newer, CS_ESTATE when
 * versions between are missing: get these first. */
CS_MUST_USE int cs_policy_open_next(struct cs_slice wire, const struct cs_policy *current,
                                    struct cs_policy **ret, struct cs_err *err);
/* What holds of the next version but for its signatures: for a draft. The codes are those above. */
CS_MUST_USE int cs_policy_check_next(const countersign_v1_TrustPolicy *next, const struct cs_policy *current,
                                     struct cs_err *err);
/* Our own stored copy, verified when it was stored: parsed only. Never for bytes from the wire. */
CS_MUST_USE int cs_policy_open_stored(struct cs_slice wire, struct cs_policy **ret, struct cs_err *err);
/* For `trust init`, `trust sign`: what holds of an unsigned policy, too (rules present, thresholds reachable,
 * names unique, no key in two hands, every stage can be satisfied by people that exist). CS_EPARSE for a
 * field that is malformed, CS_EINVAL for a policy that contradicts itself. */
CS_MUST_USE int cs_policy_check(const countersign_v1_TrustPolicy *policy, struct cs_err *err);
void cs_policy_free(struct cs_policy *policy);
CS_DEFINE_AUTO(cs_policy_freep, struct cs_policy, cs_policy_free)

const countersign_v1_TrustPolicy *cs_policy_body(const struct cs_policy *policy);
struct cs_slice cs_policy_wire(const struct cs_policy *policy);
struct cs_digest cs_policy_digest(const struct cs_policy *policy);
uint32_t cs_policy_version(const struct cs_policy *policy);
struct cs_digest cs_roots_digest(const countersign_v1_RootSet *roots);
bool cs_roots_have(const countersign_v1_RootSet *roots, struct cs_slice spki);
bool cs_policy_expired(const struct cs_policy *policy, int64_t now_s);

/* Keys of every operator; of the controller's message keys. */
void cs_policy_operator_keys(const struct cs_policy *policy, struct cs_keyring *ret);
void cs_policy_message_keys(const struct cs_policy *policy, struct cs_keyring *ret);

/* The operator that `name` is, NULL if there is none. */
const countersign_v1_Operator *cs_operators_find(const countersign_v1_TrustPolicy *policy, const char *name);
const countersign_v1_Operator *cs_policy_operator(const struct cs_policy *policy, const char *name);
/* Of the policy: the role is the operator's own, or that of a group that the operator is in. */
bool cs_operator_has_role(const countersign_v1_TrustPolicy *policy, const countersign_v1_Operator *who,
                          countersign_v1_Role role);
/* The group that `name` is (without the "@" with which a stage names it), NULL if there is none. */
const countersign_v1_OperatorGroup *cs_groups_find(const countersign_v1_TrustPolicy *policy,
                                                   const char *name);
bool cs_group_has(const countersign_v1_OperatorGroup *group, const char *operator_name);
/* cs_envelope_verify() with the keys of every operator: somebody signed it. Who it was, and whether he may,
 * is cs_policy_check_signer()'s to say, once the payload names him. Whoever verifies several keeps a keyring.
 */
CS_MUST_USE int cs_policy_verify(const struct cs_policy *policy, struct cs_slice wire,
                                 enum cs_statement_kind kind, struct cs_verified *ret, struct cs_err *err);
/* The statement was signed by a key of the operator `name` (else CS_EAUTH), who has the role (else
 * CS_EDENIED; ROLE_UNSPECIFIED: any). Gives the kind of key; of several, one that is not of kind browser. */
CS_MUST_USE int cs_policy_check_signer(const struct cs_policy *policy, const struct cs_verified *statement,
                                       const char *name, countersign_v1_Role role,
                                       countersign_v1_KeyKind *ret_kind, struct cs_err *err);

/* The operator may be one of the people of the stage, which is the policy's: has its role, and where the
 * stage names people is named, or in a group that is named. */
bool cs_stage_admits(const countersign_v1_TrustPolicy *policy, const countersign_v1_Stage *stage,
                     const countersign_v1_Operator *who);

/* How many people it takes, in all its stages together. */
uint32_t cs_rule_people(const countersign_v1_Rule *rule);
/* The rule for a push: the first that matches; where none matches, the strictest (most people in all, then
 * most stages). Never NULL. `leaf`: of the chain that the order core names, for a roll back the one that
 * comes back; NULL (remove): rules with conditions on the leaf do not match. */
const countersign_v1_Rule *cs_policy_rule(const struct cs_policy *policy, const char *device_name,
                                          const char *connector, const struct cs_cert_info *leaf);

#endif
