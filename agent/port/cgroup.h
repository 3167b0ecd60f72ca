/* cgroup.h - a control group for each command, so that all that it starts is counted, limited and found
 * again.
 *
 * Made below the agent's own group, where /proc says that it is: in cgroup v2 with the pids controller, or in
 * v1's hierarchy of pids. There is no program in between: the agent enters the new group, starts the command,
 * which is born there, and goes back. v2 lets no process stay beside the groups that it limits, so there the
 * agent first moves into one of its own, named "countersign-agent"; a service manager may have put it there
 * (DelegateSubgroup=countersign-agent).
 *
 * What cannot be held in so: a command that runs as root and writes itself into another group. */
#ifndef AG_PORT_CGROUP_H
#define AG_PORT_CGROUP_H

#include "shared/base/err.h"

#include <stdbool.h>

enum {
    AG_CGROUP_BASE_BYTES = 448, /* of the group in which they are made */
    AG_CGROUP_PATH_BYTES = AG_CGROUP_BASE_BYTES + 64,
};

struct ag_cgroup {
    char path[AG_CGROUP_PATH_BYTES]; /* "": there is none */
    bool below_agent;                /* the agent's place is the group "countersign-agent" beside it */
};

/* From the return to ag_cgroup_leave(), what the process starts is born in the new group, which may have so
 * many processes. `proc` is the folder "/proc/self" but in tests. On failure there is none, the process is
 * where it was, and the sentence says what this system lacks. Removes the groups of earlier commands in which
 * nothing runs any more. */
CS_MUST_USE int ag_cgroup_enter(const char *proc, unsigned processes, struct ag_cgroup *ret,
                                struct cs_err *err);
/* On failure the process is still in it: then the group limits nobody any more and there is none. */
CS_MUST_USE int ag_cgroup_leave(struct ag_cgroup *group, struct cs_err *err);
/* Kills what is in the group, and lets nothing new begin there. To be repeated, because the dead take a
 * moment to go, until it is true: then the group is gone. */
bool ag_cgroup_end(const struct ag_cgroup *group);
/* Removes it if nothing is in it. What a command left running stays where it is, and within its limit. */
void ag_cgroup_let_go(const struct ag_cgroup *group);

#endif
