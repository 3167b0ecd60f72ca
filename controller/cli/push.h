/* push.h - a push that a person asks for, from the question to the signed request; what `countersign push`
 * and `countersign roll-back` share. Reads the options of the command line. */
#ifndef CTL_CLI_PUSH_H
#define CTL_CLI_PUSH_H

#include "controller/cli/cli.h"

#include "shared/trust/push.h"

/* Which certificate goes where. `device` and `connector` NULL: as --to says, or wherever it is attached.
 * `note` is shown before the request; NULL: none. All borrowed. */
struct cli_push_wish {
    const char *certificate; /* as people name it: cli_fetch_certificate() */
    const char *device, *connector;
    const char *note;
    bool like; /* the command has --like and --renew (attach_like.h) */
};

/* Prepares, checks, shows, asks, signs and submits; with --dry-run only says what would be needed. */
CS_MUST_USE int cli_push(struct cli *cli, const struct cli_push_wish *wish, struct cs_err *err);

/* A place that a push would go to. */
struct cli_push_place {
    const char *device, *connector;
    bool taken;
};
/* Which rules of the own policy these pushes would come under, and who may decide them. */
void cli_show_needs(struct cli_doc *doc, const struct cs_policy *policy, const struct cs_cert_info *leaf,
                    const struct cli_push_place *places, size_t count, const char *requester);

#endif
