/* console_statement.h - what `countersign console` signs for its page, and what it refuses to: the payload is
 * decoded here, from the very bytes that would be signed, by the decoder that devices use. Pure. */
#ifndef CTL_CLI_CONSOLE_STATEMENT_H
#define CTL_CLI_CONSOLE_STATEMENT_H

#include "shared/trust/policy.h"

/* Whose key it is that would sign, and what is known here. */
struct cli_console_signer {
    const uint8_t *deployment_id; /* 16 bytes, of the own pin */
    const char *operator;
    uint32_t policy_version; /* of the newest policy that was verified here */
};

/* The payload is a statement that people sign in their work, canonical, of this deployment, in the name of
 * this operator, under a policy that is known here. CS_EUNSUPPORTED for another kind, CS_EPARSE, CS_EDENIED
 * for another's, CS_ESTALE for a policy that is not known yet. Appends one line, clean, of what it says. */
CS_MUST_USE int cli_console_look(enum cs_statement_kind kind, struct cs_slice payload,
                                 const struct cli_console_signer *signer, struct cs_buf *ret_line,
                                 struct cs_err *err);

#endif
