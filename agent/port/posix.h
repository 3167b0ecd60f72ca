/* posix.h - the real machine behind port.h. Commands run, and folders are watched, on a libuv loop; all else
 * needs none. */
#ifndef AG_PORT_POSIX_H
#define AG_PORT_POSIX_H

#include "agent/port/port.h"

#include <uv.h>

struct ag_posix;

/* `loop` may be NULL where no command will run and no folder is watched. */
CS_MUST_USE int ag_posix_new(uv_loop_t *loop, struct ag_posix **ret, struct cs_err *err);
struct ag_port *ag_posix_port(struct ag_posix *posix);
/* Ends a command that runs; frees from the loop once its handles are closed, so run the loop to its end. */
void ag_posix_close(struct ag_posix *posix);

/* Takes the folder for this process, as long as the descriptor is open: CS_EBUSY when another has it. */
CS_MUST_USE int ag_posix_lock(const char *path, int *ret_fd, struct cs_err *err);

/* process.c */
struct ag_process;
CS_MUST_USE int ag_process_new(uv_loop_t *loop, struct ag_process **ret, struct cs_err *err);
CS_MUST_USE int ag_process_run(struct ag_process *process, const struct ag_command *command,
                               void (*on_end)(void *owner, const struct ag_command_result *result),
                               void *owner, struct cs_err *err);
void ag_process_stop(struct ag_process *process);
void ag_process_close(struct ag_process *process);

#endif
