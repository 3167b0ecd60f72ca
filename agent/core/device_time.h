/* device_time.h - what time it is for a device whose clock may be wrong. Pure.
 * A floor rises only from what is signed or was synchronised: build time, a persisted synchronised clock, a
 * policy's issue time, decided_at of an accepted push; never from a not-before, an expiry or the controller
 * (DESIGN.md, Time). */
#ifndef AG_CORE_DEVICE_TIME_H
#define AG_CORE_DEVICE_TIME_H

#include <stdbool.h>
#include <stdint.h>

struct ag_device_time {
    int64_t now_s;
    bool known; /* false: the clock is below the floor, now_s is the least that it can be */
};

/* `session_s` is the controller's time moved on to now, 0 for none: only a device that the policy marks
 * clockless uses it, and never below the floor. */
static inline struct ag_device_time ag_device_time(int64_t clock_s, int64_t floor_s, bool clockless,
                                                   int64_t session_s)
{
    if (clockless && session_s > 0)
        return (struct ag_device_time){session_s > floor_s ? session_s : floor_s, session_s >= floor_s};
    return (struct ag_device_time){clock_s > floor_s ? clock_s : floor_s, clock_s >= floor_s};
}

#endif
