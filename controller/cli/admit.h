/* admit.h - the admissions that an admin signs. What each is signed on the strength of is said beside it. */
#ifndef CTL_CLI_ADMIT_H
#define CTL_CLI_ADMIT_H

#include "controller/cli/check.h"
#include "controller/cli/cli.h"

/* For exactly the keys that the token's holder enrolled; then the token is of no more use, and dropped. */
CS_MUST_USE int cli_admit_enrolled(struct cli *cli, const countersign_v1_EnrolmentToken *token,
                                   const countersign_v1_GetEnrolmentResponse *enrolment,
                                   const countersign_v1_Operator *admin, struct cs_err *err);

/* The token that `device add` kept at home (enrol.c); the caller wipes *ret. CS_ENOTFOUND with a sentence. */
CS_MUST_USE int cli_token_load(struct cli *cli, const char *device, countersign_v1_EnrolmentToken *ret,
                               struct cs_err *err);
void cli_token_drop(struct cli *cli, const char *device);

#endif
