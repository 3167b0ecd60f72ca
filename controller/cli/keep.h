/* keep.h - the checkpoints that this client has seen, in the file `checkpoints` at home, and older ones in
 * checkpoints.1, checkpoints.2, …: asks the controller for the newest, verifies it, compares it with those
 * that were kept, and keeps it. Whoever takes a controller over cannot take these files over with it. Does
 * file I/O and calls. */
#ifndef CTL_CLI_KEEP_H
#define CTL_CLI_KEEP_H

#include "controller/cli/checkpoint.h"
#include "controller/cli/cli.h"

/* After a command that changed something or asked about the audit. Whatever fails is a warning on standard
 * error, never the command's failure; a checkpoint that contradicts those that were kept is told loudly and
 * sets cli->altered. Without a pin nothing is asked. */
void cli_keep_after(struct cli *cli);

/* The newest checkpoint; with a pin: verified, compared (as above) and kept. The caller owns *ret. Once a
 * run: cli_keep_after() does nothing any more. */
CS_MUST_USE int cli_keep_newest(struct cli *cli, struct cli_checkpoint *ret, struct cs_err *err);

/* Appends all that were kept here, of any deployment; none is fine. */
CS_MUST_USE int cli_keep_load(const struct cli_home *home, struct cli_checkpoints *ret, struct cs_err *err);

#endif
