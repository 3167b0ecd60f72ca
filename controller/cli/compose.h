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
/* One root key, threshold 1. */
void cli_compose_roots(countersign_v1_TrustPolicy *draft, struct cs_slice root_spki);

/* "NAME=ROLE[,ROLE][:FILE]": adds the operator or replaces the one with the name. FILE is a public key's PEM;
 * without it the one that `operator keygen` left at home. */
CS_MUST_USE int cli_compose_operator(countersign_v1_TrustPolicy *draft, const char *text,
                                     const struct cli_home *home, struct cs_err *err);
CS_MUST_USE int cli_compose_remove_operator(countersign_v1_TrustPolicy *draft, const char *name,
                                            struct cs_err *err);

#endif
