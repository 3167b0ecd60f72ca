/* pause.h - waiting on a libuv loop, as `wait` in port.h. */
#ifndef AG_PORT_PAUSE_H
#define AG_PORT_PAUSE_H

#include "agent/port/task.h"

#include <stdint.h>
#include <uv.h>

CS_MUST_USE int ag_pause_begin(uv_loop_t *loop, struct ag_task **slot, uint32_t ms,
                               void (*on_end)(void *owner), void *owner, struct cs_err *err);

#endif
