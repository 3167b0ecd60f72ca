/* push.h - a push, a removal or a roll back that a person asks for, from the question to the signed request;
 * what `countersign push`, `remove` and `roll-back` share. Reads the options of the command line. */
#ifndef CTL_CLI_PUSH_H
#define CTL_CLI_PUSH_H

#include "controller/cli/cli.h"
#include "controller/cli/places.h"

#include "shared/trust/push.h"

/* What is to be done with which certificate, and where. `device` and `connector` NULL: as --to says, or
 * wherever it is attached. `note` is shown before the request; NULL: none. All borrowed. */
struct cli_push_wish {
    countersign_v1_Action action;
    const char *certificate; /* as people name it: cli_fetch_certificate() */
    const char *device, *connector;
    const char *note;
    uint64_t target_generation; /* roll back: the one that the device itself reported */
    struct cs_digest expects;   /* roll back: what it reported to be left there last; zero: nothing */
    bool like;                  /* the command has --like and --renew (attach_like.h) */
};

/* Prepares, checks, shows, asks, signs and submits; with --dry-run only says what would be needed. */
CS_MUST_USE int cli_push(struct cli *cli, const struct cli_push_wish *wish, struct cs_err *err);

/* Which rules of the own policy these orders would come under, and who may decide them. `leaf` NULL: a
 * removal.
 */
void cli_show_needs(struct cli_doc *doc, const struct cs_policy *policy, const struct cs_cert_info *leaf,
                    const struct cli_places *places, const char *requester);

#endif
