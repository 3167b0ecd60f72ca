/* alarm.h - many deadlines behind one clock: a heap of nodes that live inside whatever they wake.
 * Pure: the clock is handed in. Setting an alarm needs no memory and cannot fail; a loop needs one timer for
 * all of them (a libuv timer of its own would cost each call and each connection 150 bytes and a close
 * callback). Start at cs_alarms_run(). */
#ifndef CS_NET_ALARM_H
#define CS_NET_ALARM_H

#include "shared/base/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* A zeroed alarm is one that is not set. */
struct cs_alarm {
    uint64_t at_ms;
    struct cs_alarm *child, *sibling;
    struct cs_alarm *before; /* the parent of a first child, else the sibling before it; itself at the root */
    void (*ring)(struct cs_alarm *alarm);
};

struct cs_alarms {
    struct cs_alarm *root;
    uint64_t now_ms; /* the time as everything that hangs on these alarms knows it */
};

static inline bool cs_alarm_is_set(const struct cs_alarm *alarm)
{
    return alarm->before != NULL;
}

/* Sets it anew if it is set already. */
void cs_alarm_set(struct cs_alarms *alarms, struct cs_alarm *alarm, uint64_t at_ms,
                  void (*ring)(struct cs_alarm *alarm));
void cs_alarm_clear(struct cs_alarms *alarms, struct cs_alarm *alarm);
/* Moves the clock and rings what is due, earliest first. An alarm is no longer set when it rings. */
void cs_alarms_run(struct cs_alarms *alarms, uint64_t now_ms);

#endif
