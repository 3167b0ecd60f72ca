/* turn.h - work that became due during one turn of a libuv loop, done once before the loop sleeps: what many
 * small sends queued leaves in one write, and no event runs inside the call that caused it. Also drives the
 * owner's alarms from one timer. Start at cs_turn_wake(). */
#ifndef CS_NET_TURN_H
#define CS_NET_TURN_H

#include "shared/net/alarm.h"

#include <uv.h>

struct cs_turn {
    uv_idle_t idle; /* started only while woken: a running idle handle keeps the loop from sleeping */
    uv_timer_t timer;
    struct cs_alarms alarms;
    void (*on_turn)(struct cs_turn *turn);
    void (*on_closed)(struct cs_turn *turn);
    unsigned open; /* handles */
    bool closing;
};

void cs_turn_init(struct cs_turn *turn, uv_loop_t *loop, void (*on_turn)(struct cs_turn *turn));
/* on_turn comes before the loop sleeps, after due alarms. */
void cs_turn_wake(struct cs_turn *turn);
/* Brings the alarms' clock up to the loop's. */
void cs_turn_look_at_clock(struct cs_turn *turn);
/* Idempotent; no alarm rings and no turn comes any more. */
void cs_turn_close(struct cs_turn *turn, void (*on_closed)(struct cs_turn *turn));

#endif
