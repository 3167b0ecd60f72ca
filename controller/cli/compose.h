/* compose.h - drafts of trust policies, from what the owner says on the command line. Reads public key files
 * only. cs_policy_check() judges the result. */
#ifndef CTL_CLI_COMPOSE_H
#define CTL_CLI_COMPOSE_H

#include "controller/cli/home.h"

/* Version 1 of a new deployment with the default rule: one approver approves, then one implementer
 * implements. */
void cli_compose_first(countersign_v1_TrustPolicy *draft, int64_t now_s, int64_t valid_s);
/* The version behind `current`, otherwise the same. */
void cli_compose_next(countersign_v1_TrustPolicy *draft, const struct cs_policy *current, int64_t now_s,
                      int64_t valid_s);
/* These keys and no others; at most CS_LIMIT_ROOTS. */
void cli_compose_roots(countersign_v1_TrustPolicy *draft, const struct cs_slice *spkis, size_t count,
                       uint32_t threshold);
/* How many of so many roots sign where nothing else is said: more than half. */
uint32_t cli_compose_threshold(size_t roots);

/* "NAME=ROLE[,ROLE][:FILE]": adds the operator, or gives the one with the name other roles. FILE is a public
 * key's PEM; without it an operator keeps the keys that the draft has, and a new one gets the key that
 * `operator keygen` left at home. "-" is no key: whoever works in a browser alone gets one by pairing. */
CS_MUST_USE int cli_compose_operator(countersign_v1_TrustPolicy *draft, const char *text,
                                     const struct cli_home *home, struct cs_err *err);
/* One more key of an operator whom the draft has. */
CS_MUST_USE int cli_compose_add_key(countersign_v1_TrustPolicy *draft, const char *name, struct cs_slice spki,
                                    countersign_v1_KeyKind kind, struct cs_err *err);
/* The one key of the operator whose id (SHA-256) begins so, 8 hex digits at least. */
CS_MUST_USE int cli_compose_remove_key(countersign_v1_TrustPolicy *draft, const char *name,
                                       const char *id_prefix, struct cs_err *err);
/* The groups lose the member, too. */
CS_MUST_USE int cli_compose_remove_operator(countersign_v1_TrustPolicy *draft, const char *name,
                                            struct cs_err *err);
/* "ROLE,ROLE": each one once, appended. `whose` begins the refusal. */
CS_MUST_USE int cli_compose_roles(const char *text, size_t len, const char *whose, countersign_v1_Role *roles,
                                  pb_size_t *count, struct cs_err *err);

/* "NAME=[ROLE[,ROLE]]:PERSON[,PERSON]": adds the group, or replaces the one with the name. One without roles
 * is there to be named by stages. */
CS_MUST_USE int cli_compose_group(countersign_v1_TrustPolicy *draft, const char *text, struct cs_err *err);
CS_MUST_USE int cli_compose_remove_group(countersign_v1_TrustPolicy *draft, const char *name,
                                         struct cs_err *err);
/* Nothing happens if the person is not in it. */
void cli_compose_leave_group(countersign_v1_OperatorGroup *group, const char *name);

/* CS_ENOTFOUND with a sentence that names the rules that there are. */
CS_MUST_USE int cli_compose_find_rule(countersign_v1_TrustPolicy *draft, const char *name,
                                      countersign_v1_Rule **ret, struct cs_err *err);
/* Adds the rule at the position, from 1; 0 finds one: rules that want more people stay before it, those that
 * want fewer, and the first that matches everything, come behind it. */
CS_MUST_USE int cli_compose_add_rule(countersign_v1_TrustPolicy *draft, const countersign_v1_Rule *rule,
                                     uint64_t position, struct cs_err *err);
CS_MUST_USE int cli_compose_remove_rule(countersign_v1_TrustPolicy *draft, const char *name,
                                        struct cs_err *err);

/* "NAME=ROLE[:COUNT][:PERSON,PERSON]": one person where no count is given. "@GROUP" among the people stands
 * for a group's members. */
CS_MUST_USE int cli_compose_stage(const char *text, countersign_v1_Stage *ret, struct cs_err *err);
/* A role's word. */
CS_MUST_USE int cli_compose_role(const char *text, countersign_v1_Role *ret, struct cs_err *err);
/* How many people a stage wants. */
CS_MUST_USE int cli_compose_count(const char *text, uint32_t *ret, struct cs_err *err);
CS_MUST_USE int cli_compose_stage_person(countersign_v1_Stage *stage, const char *name, struct cs_err *err);
/* The stage of this name or number; NULL when there is none. */
countersign_v1_Stage *cli_compose_find_stage(countersign_v1_Rule *rule, const char *name);
/* At the position, from 1; 0: the last. */
CS_MUST_USE int cli_compose_add_stage(countersign_v1_Rule *rule, const countersign_v1_Stage *stage,
                                      uint64_t position, struct cs_err *err);
CS_MUST_USE int cli_compose_remove_stage(countersign_v1_Rule *rule, const char *name, struct cs_err *err);

#endif
