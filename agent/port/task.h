/* task.h - what run, talk, probe and wait of port.h have in common: each is made when it begins, lives by its
 * handles and frees itself when they are closed. Its slot holds it until it ends or is given up; the next can
 * take the slot while this one is still being closed. */
#ifndef AG_PORT_TASK_H
#define AG_PORT_TASK_H

#include "shared/base/err.h"

#include <stdbool.h>

struct ag_task {
    struct ag_task **slot; /* NULL: given up, nobody is told of its end */
    void (*abandon)(struct ag_task *task);
};

static inline int ag_task_check(struct ag_task *const *slot, struct cs_err *err)
{
    return *slot ? cs_err_set(err, CS_EBUSY, "something else is under way: wait for its end") : CS_OK;
}

static inline void ag_task_begin(struct ag_task *task, struct ag_task **slot,
                                 void (*abandon)(struct ag_task *task))
{
    *task = (struct ag_task){slot, abandon};
    *slot = task;
}

/* Whether its end is to be told; from here on the next can begin. */
static inline bool ag_task_end(struct ag_task *task)
{
    if (!task->slot)
        return false;
    *task->slot = NULL;
    task->slot = NULL;
    return true;
}

static inline void ag_task_stop(struct ag_task **slot)
{
    struct ag_task *task = *slot;

    if (!task)
        return;
    task->slot = NULL;
    *slot = NULL;
    task->abandon(task);
}

#endif
