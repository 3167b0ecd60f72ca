/* attach_like.h - a renewal goes to wherever the certificate before it is. */
#ifndef CTL_CLI_ATTACH_LIKE_H
#define CTL_CLI_ATTACH_LIKE_H

#include "controller/cli/cli.h"

/* With --like CERT, or --renew for the one that `certificate` renews: attaches it to every app connector of
 * that one, and tells on standard error what came of it. CS_OK without either. */
CS_MUST_USE int cli_attach_like(struct cli *cli, const countersign_v1_Certificate *certificate,
                                struct cs_err *err);

#endif
