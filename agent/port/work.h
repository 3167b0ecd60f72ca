/* work.h - what takes time, one thing at a time, on a libuv loop: run, talk, probe and wait of port.h.
 * Each is a file of its own: process.h, talk.h, probe.h, pause.h. */
#ifndef AG_PORT_WORK_H
#define AG_PORT_WORK_H

#include "agent/port/port.h"
#include "agent/port/task.h"

#include <uv.h>

/* Nothing is allocated while nothing is under way. */
struct ag_work {
    uv_loop_t *loop; /* NULL: nothing can be begun */
    struct ag_task *task;
};

CS_MUST_USE int ag_work_run(struct ag_work *work, const struct ag_command *command,
                            void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
                            struct cs_err *err);
CS_MUST_USE int ag_work_talk(struct ag_work *work, const struct ag_talk *talk,
                             void (*on_end)(void *owner, const struct ag_talk_result *result), void *owner,
                             struct cs_err *err);
CS_MUST_USE int ag_work_probe(struct ag_work *work, const struct ag_probe *probe, uint32_t timeout_ms,
                              void (*on_end)(void *owner, const struct ag_probe_result *result), void *owner,
                              struct cs_err *err);
CS_MUST_USE int ag_work_wait(struct ag_work *work, uint32_t ms, void (*on_end)(void *owner), void *owner,
                             struct cs_err *err);
/* What is given up is closed by the loop, and needs `work` no more. */
void ag_work_stop(struct ag_work *work);

#endif
