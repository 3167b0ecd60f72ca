/* posix.h - the real machine behind port.h. What takes time runs, and folders are watched, on a libuv loop;
 * all else needs none. */
#ifndef AG_PORT_POSIX_H
#define AG_PORT_POSIX_H

#include "agent/port/port.h"

#include <uv.h>

struct ag_posix;

/* `loop` may be NULL where nothing that takes time will be asked for, and no folder is watched. */
CS_MUST_USE int ag_posix_new(uv_loop_t *loop, struct ag_posix **ret, struct cs_err *err);
struct ag_port *ag_posix_port(struct ag_posix *posix);
/* Ends what is under way, whose handles the loop then closes: run the loop to its end. */
void ag_posix_close(struct ag_posix *posix);

/* Takes the folder for this process, as long as the descriptor is open: CS_EBUSY when another has it. */
CS_MUST_USE int ag_posix_lock(const char *path, int *ret_fd, struct cs_err *err);

/* No command gets the descriptors that the agent itself was started with, but for the first three, which
 * commands have of their own. To be called before anything is opened. */
void ag_posix_close_inherited(void);

#endif
