/* commands.h - what countersign-agent does beside running: each returns the program's exit status, having
 * said what went wrong. */
#ifndef AG_COMMANDS_H
#define AG_COMMANDS_H

#include "agent/config.h"

enum ag_exit { AG_EXIT_OK, AG_EXIT_FAILED, AG_EXIT_USAGE, AG_EXIT_BUSY };

/* Says it on standard error. */
int ag_complain(const struct cs_err *err);
/* Takes the state folder for this process, as long as the descriptor is open. CS_EBUSY when another has it.
 */
CS_MUST_USE int ag_lock_state(const struct ag_config *config, int *ret_lock, struct cs_err *err);

/* Before the applications start at boot (device.h). */
int ag_recover(const struct ag_config *config);
/* `connector WHAT NAME`, but for presets, which need no configuration. */
int ag_connector_command(const struct ag_config *config, const char *what, const char *name, bool reload);
/* All names, or one text. */
int ag_show_presets(const char *name);
/* The systemd drop-in. */
int ag_show_unit(const struct ag_config *config);

#endif
