/* audit_verify.h - is an exported audit the one that the controller's checkpoints signed? Needs files only.
 *
 * Computes the hash chain record by record, names the first record at which it breaks and how, and looks
 * whether every checkpoint that was kept is in it. A chain that was computed anew is whole: only a checkpoint
 * that somebody else kept shows that, so the more of them the better. Memory is bounded by a line and by the
 * checkpoints, not by the export. Start at cli_audit_verify(). */
#ifndef CTL_CLI_AUDIT_VERIFY_H
#define CTL_CLI_AUDIT_VERIFY_H

#include "controller/cli/audit_trust.h"
#include "controller/cli/checkpoint.h"

#include <stdio.h>

/* Against what. All borrowed. */
struct cli_audit_asked {
    const struct cs_pin *pin;    /* NULL: nothing is trusted, keys are taken at the export's own word */
    bool roots_only;             /* the pin's deployment is not known: the export's */
    const struct cli_home *home; /* with policies newer than the export's; NULL: none */
    const struct cli_checkpoints *kept;  /* verified before they were kept: those of its deployment count */
    const struct cli_checkpoints *given; /* to be verified; all have to be of its deployment */
    bool part;                           /* it may begin and end where it wants */
};

struct cli_audit_found {
    uint8_t deployment_id[16];
    uint64_t from, to;  /* revisions */
    size_t held;        /* checkpoints that it contains, its own closing one among them */
    size_t outside;     /* those outside of a part */
    uint64_t confirmed; /* highest revision that a checkpoint confirms; 0: none */
    int64_t confirmed_at_s;
};

/* CS_OK; CS_ECORRUPT for what was altered, CS_EAUTH for signatures and policies that do not hold, CS_EPARSE
 * for what is no export, CS_EINVAL for a part that was not asked for. `stream` is read from its start, and
 * twice when something is wrong: a file. */
CS_MUST_USE int cli_audit_verify(FILE *stream, const struct cli_audit_asked *asked,
                                 struct cli_audit_found *ret, struct cs_err *err);

#endif
