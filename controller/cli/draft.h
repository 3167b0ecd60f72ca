/* draft.h - a trust policy that is being made: the envelope of the next version in a file, which people
 * change, and then sign one after the other, each on the own machine. Any change takes the signatures away,
 * because they were for other bytes. Does file I/O; asks nobody. Start at cli_draft_open(). */
#ifndef CTL_CLI_DRAFT_H
#define CTL_CLI_DRAFT_H

#include "controller/cli/cli.h"

struct cli_draft {
    char path[PATH_MAX];
    struct cs_buf wire;
    countersign_v1_TrustPolicy *body; /* decoded from the very bytes that are signed */
    struct cs_slice payload;          /* borrowed from wire */
    size_t signature_count;           /* by whomever */
};
void cli_draft_free(struct cli_draft *draft);

/* `given`, or `draft` at home when it is NULL. */
CS_MUST_USE int cli_draft_path(const struct cli *cli, const char *given, char ret[PATH_MAX],
                               struct cs_err *err);
/* Reads and decodes; a policy that contradicts itself is refused. On success the caller frees *ret. */
CS_MUST_USE int cli_draft_open(const struct cli *cli, const char *given, struct cli_draft *ret,
                               struct cs_err *err);
/* The same for one that follows the newest policy kept here, *ret_current, which the caller frees, too. */
CS_MUST_USE int cli_draft_open_following(struct cli *cli, const char *given, struct cli_draft *ret,
                                         struct cs_policy **ret_current, struct cs_err *err);
/* Checks the policy and writes it, unsigned. */
CS_MUST_USE int cli_draft_write(const char *path, const countersign_v1_TrustPolicy *body, struct cs_err *err);

/* Whose signatures are there. */
struct cli_draft_signers {
    struct cs_digest keys[CS_LIMIT_ROOTS];
    size_t count, needed, roots;
};
/* CS_EAUTH when one of these roots has a signature that does not hold. */
CS_MUST_USE int cli_draft_signers(const struct cli_draft *draft, const countersign_v1_RootSet *roots,
                                  struct cli_draft_signers *ret, struct cs_err *err);
/* How many signatures there are and how many it takes, of the roots of `current` (NULL: there is none) and of
 * the draft's own; a row for each root. *ret_complete: it can be published. */
CS_MUST_USE int cli_draft_show_signers(struct cli_doc *doc, const struct cli_draft *draft,
                                       const struct cs_policy *current, bool *ret_complete,
                                       struct cs_err *err);

#endif
