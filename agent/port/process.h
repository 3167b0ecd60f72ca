/* process.h - one command on a libuv loop: started with nothing of the agent's but a pipe for what it says,
 * heard, held to its time and to its number of processes, and ended with all that it started.
 *
 * All of that is found again by the command's control group (cgroup.h). Without one its process group is what
 * is known, and a process that left that group outlives the time limit. */
#ifndef AG_PORT_PROCESS_H
#define AG_PORT_PROCESS_H

#include "agent/port/port.h"
#include "agent/port/task.h"

#include <uv.h>

/* As `run` in port.h; what it points to is not needed after the return. The slot must be free. */
CS_MUST_USE int ag_process_begin(uv_loop_t *loop, struct ag_task **slot, const struct ag_command *command,
                                 void (*on_end)(void *owner, const struct ag_command_result *result),
                                 void *owner, struct cs_err *err);

#endif
