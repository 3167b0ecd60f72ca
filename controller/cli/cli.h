/* cli.h - one run of the program: what a command is given, and what all commands share: the connection, the
 * verified policy, the operator who signs, and how results and questions reach people. */
#ifndef CTL_CLI_CLI_H
#define CTL_CLI_CLI_H

#include "controller/cli/args.h"
#include "controller/cli/home.h"
#include "controller/cli/out.h"
#include "controller/cli/rpc.h"

#include "shared/trust/envelope.h"

/* As `countersign --help` lists them. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_REFUSED = 1,
    CLI_USAGE = 2,
    CLI_UNREACHABLE = 3,
    CLI_ORDER_FAILED = 4,
    CLI_TIMED_OUT = 5,
    CLI_ALTERED = 6,
    CLI_NOT_ANCHORED = 7,
};

struct cli {
    struct cli_args args;
    struct cli_home home;
    struct cli_rpc *rpc;       /* NULL before the first call */
    struct cs_tls_config *tls; /* of the connection, NULL: plain */
    bool signed_in;            /* at an operators' listener */
    bool signed_in_anew;       /* the kept session was refused */
    bool asks_nobody;          /* no key is opened for a session: somebody is typing */
    struct cs_key *key;       /* the operator's, where it stays open longer than for one signature, or NULL */
    struct cs_policy *policy; /* NULL before cli_policy() */
    struct cli_style style;   /* of standard output */
    struct cli_style ask_style; /* of standard error, where statements are shown before they are signed */
    int64_t now_s;
    enum cli_exit failure;   /* the exit status if the command fails */
    struct cli_known *known; /* NULL before cli_known_open() */
    uint32_t hurry_ms;       /* all calls together; 0: as long as they take */
    bool keep_checkpoint;    /* something was changed, or the command looks at the audit (keep.h) */
    bool altered;            /* the controller's audit contradicts what was kept of it */
};

/* Runs the command that argv names; the program's exit status. */
int cli_main(int argc, char *const *argv);

/* Not connected yet, or maybe no longer: its calls see to that. */
CS_MUST_USE int cli_connection(struct cli *cli, struct cli_rpc **ret, struct cs_err *err);
CS_MUST_USE int cli_call(struct cli *cli, const struct cli_rpc_method *method, const void *request,
                         void *reply, struct cs_err *err);

/* The operator whom this run is for: --as, COUNTERSIGN_AS, or the configuration's `as`; NULL if there is
 * none. */
CS_MUST_USE int cli_operator(struct cli *cli, const char **ret, struct cs_err *err);
/* Reads the common options, opens the home, and says how results are written. */
CS_MUST_USE int cli_prepare(struct cli *cli, struct cs_err *err);

/* The newest policy: leads to the own pin, is kept at home. Fetched once a run; valid as long as cli. */
CS_MUST_USE int cli_policy(struct cli *cli, const struct cs_policy **ret, struct cs_err *err);

/* The newest that is kept here, without asking anybody: for those who sign on a machine without a network.
 * The caller owns it. */
CS_MUST_USE int cli_policy_kept(struct cli *cli, struct cs_policy **ret, struct cs_err *err);
/* Keeps a verified policy, and lets the pin follow it: from now on nothing older is taken. */
CS_MUST_USE int cli_keep_policy(struct cli *cli, const struct cs_policy *policy, struct cs_err *err);

/* Fails with the exit status of a wrong command line. */
int cli_usage(struct cli *cli, struct cs_err *err, const char *format, ...) CS_PRINTF(3, 4);

/* The result on standard output. */
CS_MUST_USE int cli_write(struct cli *cli, const struct cli_doc *doc, struct cs_err *err);
/* A page of a long list (cli_doc_page()); cli_write() ends the list. */
CS_MUST_USE int cli_page(struct cli *cli, struct cli_doc *doc, struct cs_err *err);

/* The operator who signs (--as, or the configuration's `as`), known to the policy with this role
 * (ROLE_UNSPECIFIED: any). */
CS_MUST_USE int cli_signer(struct cli *cli, countersign_v1_Role role, const countersign_v1_Operator **ret,
                           struct cs_err *err);
/* Shows `statement` (what the payload's very bytes say) and the payload's digest in words, asks, and signs
 * the payload. The command has the options --yes and --passphrase-file. Appends the envelope. */
CS_MUST_USE int cli_sign(struct cli *cli, enum cs_statement_kind kind, struct cs_slice payload,
                         struct cli_doc *statement, const countersign_v1_Operator *signer,
                         struct cs_buf *envelope, struct cs_err *err);
/* Shows and asks, unless --yes. */
CS_MUST_USE int cli_confirm(struct cli *cli, const struct cli_doc *statement, const char *question,
                            struct cs_err *err);
/* Loads a private key file for signing; asks for its passphrase when it has one. */
CS_MUST_USE int cli_load_key(struct cli *cli, const char *path, struct cs_key **ret, struct cs_err *err);

/* --comment, checked; "" without one. */
CS_MUST_USE int cli_comment(struct cli *cli, const char **ret, struct cs_err *err);
/* The index of the option's word among `words`, which end with NULL; *ret stays as it is without the option.
 */
CS_MUST_USE int cli_choice(struct cli *cli, const char *option, const char *const *words, size_t *ret,
                           struct cs_err *err);
/* The command has --dry-run, and it is given: nothing may be changed or signed. */
bool cli_dry_run(const struct cli *cli);
/* With it: the statement is the result, and nothing was done. */
CS_MUST_USE int cli_dry_end(struct cli *cli, struct cli_doc *statement, struct cs_err *err);
/* The option's duration, or the default. */
CS_MUST_USE int cli_duration(struct cli *cli, const char *option, int64_t otherwise_s, int64_t *ret_s,
                             struct cs_err *err);

/* A zeroed struct on the heap: nanopb's are too large for the stack. NULL sets *err. */
void *cli_alloc(size_t size, struct cs_err *err);
#define CLI_NEW(type, err) ((type *)cli_alloc(sizeof(type), (err)))

#endif
