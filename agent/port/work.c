#include "agent/port/work.h"

#include "agent/port/pause.h"
#include "agent/port/probe.h"
#include "agent/port/process.h"
#include "agent/port/talk.h"

static int check(const struct ag_work *work, struct cs_err *err)
{
    cs_assert(work->loop);
    return ag_task_check(&work->task, err);
}

int ag_work_run(struct ag_work *work, const struct ag_command *command,
                void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
                struct cs_err *err)
{
    int code = check(work, err);

    return code ? code : ag_process_begin(work->loop, &work->task, command, on_end, owner, err);
}

int ag_work_talk(struct ag_work *work, const struct ag_talk *talk,
                 void (*on_end)(void *owner, const struct ag_talk_result *result), void *owner,
                 struct cs_err *err)
{
    int code = check(work, err);

    return code ? code : ag_talk_begin(work->loop, &work->task, talk, on_end, owner, err);
}

int ag_work_probe(struct ag_work *work, const struct ag_probe *probe, uint32_t timeout_ms,
                  void (*on_end)(void *owner, const struct ag_probe_result *result), void *owner,
                  struct cs_err *err)
{
    int code = check(work, err);

    return code ? code : ag_probe_begin(work->loop, &work->task, probe, timeout_ms, on_end, owner, err);
}

int ag_work_wait(struct ag_work *work, uint32_t ms, void (*on_end)(void *owner), void *owner,
                 struct cs_err *err)
{
    int code = check(work, err);

    return code ? code : ag_pause_begin(work->loop, &work->task, ms, on_end, owner, err);
}

void ag_work_stop(struct ag_work *work)
{
    ag_task_stop(&work->task);
}
