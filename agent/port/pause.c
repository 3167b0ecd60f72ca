#include "agent/port/pause.h"

struct ag_pause {
    struct ag_task task;
    uv_timer_t timer;
    void (*on_end)(void *owner);
    void *owner;
};

static void on_closed(uv_handle_t *handle)
{
    struct ag_pause *pause = handle->data;

    if (ag_task_end(&pause->task))
        pause->on_end(pause->owner);
    free(pause);
}

static void on_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, on_closed);
}

static void abandon(struct ag_task *task)
{
    struct ag_pause *pause = CS_CONTAINER_OF(task, struct ag_pause, task);

    if (!uv_is_closing((uv_handle_t *)&pause->timer))
        uv_close((uv_handle_t *)&pause->timer, on_closed);
}

int ag_pause_begin(uv_loop_t *loop, struct ag_task **slot, uint32_t ms, void (*on_end)(void *owner),
                   void *owner, struct cs_err *err)
{
    struct ag_pause *pause = calloc(1, sizeof *pause);

    if (!pause)
        return cs_err_nomem(err);
    pause->on_end = on_end;
    pause->owner = owner;
    uv_update_time(loop);
    uv_timer_init(loop, &pause->timer);
    pause->timer.data = pause;
    ag_task_begin(&pause->task, slot, abandon);
    uv_timer_start(&pause->timer, on_timer, ms, 0);
    return CS_OK;
}
