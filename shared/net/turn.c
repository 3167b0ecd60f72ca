#include "shared/net/turn.h"

static void on_timer(uv_timer_t *timer)
{
    cs_turn_wake(CS_CONTAINER_OF(timer, struct cs_turn, timer));
}

static void set_timer(struct cs_turn *turn)
{
    const struct cs_alarm *first = turn->alarms.root;
    uint64_t now = uv_now(turn->timer.loop);

    if (turn->closing)
        return;
    if (first)
        uv_timer_start(&turn->timer, on_timer, first->at_ms > now ? first->at_ms - now : 0, 0);
    else
        uv_timer_stop(&turn->timer);
}

static void on_idle(uv_idle_t *idle)
{
    struct cs_turn *turn = CS_CONTAINER_OF(idle, struct cs_turn, idle);

    uv_idle_stop(idle);
    cs_alarms_run(&turn->alarms, uv_now(idle->loop));
    turn->on_turn(turn);
    set_timer(turn);
}

void cs_turn_init(struct cs_turn *turn, uv_loop_t *loop, void (*on_turn)(struct cs_turn *turn))
{
    /* Neither call can fail. */
    uv_idle_init(loop, &turn->idle);
    uv_timer_init(loop, &turn->timer);
    turn->alarms = (struct cs_alarms){.now_ms = uv_now(loop)};
    turn->on_turn = on_turn;
    turn->open = 2;
    turn->closing = false;
}

void cs_turn_wake(struct cs_turn *turn)
{
    if (!turn->closing)
        uv_idle_start(&turn->idle, on_idle);
}

void cs_turn_look_at_clock(struct cs_turn *turn)
{
    turn->alarms.now_ms = uv_now(turn->timer.loop);
}

static void handle_closed(struct cs_turn *turn)
{
    if (--turn->open == 0)
        turn->on_closed(turn);
}

static void on_idle_closed(uv_handle_t *handle)
{
    handle_closed(CS_CONTAINER_OF(handle, struct cs_turn, idle));
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(CS_CONTAINER_OF(handle, struct cs_turn, timer));
}

void cs_turn_close(struct cs_turn *turn, void (*on_closed)(struct cs_turn *turn))
{
    if (turn->closing)
        return;
    turn->closing = true;
    turn->on_closed = on_closed;
    uv_close((uv_handle_t *)&turn->idle, on_idle_closed);
    uv_close((uv_handle_t *)&turn->timer, on_timer_closed);
}
