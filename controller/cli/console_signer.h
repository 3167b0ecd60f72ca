/* console_signer.h - countersign.v1.SignerService, for the page of `countersign console`: opening a link and
 * signing out, who signs, and signing with the key that was opened when the program began. Each signature is
 * a line in the terminal, with the digest in the words that the page shows.
 *
 * Who signs, and under which policy, is asked of the controller first where it may have changed; so handlers
 * only queue, as in console_forward.h, and cli_console_signing_run() answers at the top of the loop. */
#ifndef CTL_CLI_CONSOLE_SIGNER_H
#define CTL_CLI_CONSOLE_SIGNER_H

#include "controller/cli/cli.h"
#include "controller/cli/console_links.h"

#include "shared/net/call.h"

struct cli_console_signing;

struct cli_console_signing_options {
    struct cli *cli;      /* has a policy, and the key in cli->key; NULL there: the page only looks */
    const char *operator; /* NULL: nobody in particular */
    struct cli_links *links;
    void (*on_opened)(void *owner); /* a link was opened */
    void *owner;
};

/* All borrowed but the struct itself. */
CS_MUST_USE int cli_console_signing_new(const struct cli_console_signing_options *options,
                                        struct cs_registry *registry, struct cli_console_signing **ret,
                                        struct cs_err *err);
void cli_console_signing_run(struct cli_console_signing *signing);
bool cli_console_signing_waits(const struct cli_console_signing *signing);
/* After the server has closed. NULL is fine. */
void cli_console_signing_free(struct cli_console_signing *signing);

#endif
