/* audit_trust.h - which message keys may have signed an audit's checkpoints: those of every trust policy that
 * an export carries, as far as they follow from a pin. Reads files at home only where it is given one. */
#ifndef CTL_CLI_AUDIT_TRUST_H
#define CTL_CLI_AUDIT_TRUST_H

#include "controller/cli/home.h"

/* Versions that rise by one, as far back as the first that was added. */
struct cli_audit_policies {
    struct {
        struct cs_buf wire;
        struct cs_policy *policy; /* NULL before cli_audit_policies_open() */
    } * list;
    uint32_t first; /* version of list[0] */
    size_t count, capacity;
};

/* The next version; CS_EPARSE for any other, CS_EFULL beyond a bound that no deployment reaches. */
CS_MUST_USE int cli_audit_policies_add(struct cli_audit_policies *policies, uint64_t version,
                                       struct cs_slice wire, struct cs_err *err);
/* Verifies all of them: from the one that `pin` accepts forward by signatures and backward by digests. `home`
 * (NULL is fine) adds those that were kept there and are newer. Without a pin they stand on the word of the
 * roots of the first. */
CS_MUST_USE int cli_audit_policies_open(struct cli_audit_policies *policies, const struct cs_pin *pin,
                                        const struct cli_home *home, struct cs_err *err);
/* The pin of the first policy's own roots. */
CS_MUST_USE int cli_audit_policies_own_pin(const struct cli_audit_policies *policies, struct cs_pin *ret,
                                           struct cs_err *err);
/* The message keys of all versions; borrowed. CS_EFULL. */
CS_MUST_USE int cli_audit_policies_keys(const struct cli_audit_policies *policies, struct cs_keyring *ret,
                                        struct cs_err *err);
void cli_audit_policies_free(struct cli_audit_policies *policies);

#endif
