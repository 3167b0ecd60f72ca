/* talk.h - one question to an application's own socket, and what it answered. */
#ifndef AG_PORT_TALK_H
#define AG_PORT_TALK_H

#include "agent/port/port.h"
#include "agent/port/task.h"

#include <uv.h>

/* As `talk` in port.h; what it points to is not needed after the return. The slot must be free.
 * Good is an answer in which `expect` was found; without one, that all was sent and the peer then answered a
 * line, ended, or was silent until the time was over. No more than AG_LIMIT_ANSWER_BYTES are looked at. */
CS_MUST_USE int ag_talk_begin(uv_loop_t *loop, struct ag_task **slot, const struct ag_talk *talk,
                              void (*on_end)(void *owner, const struct ag_talk_result *result), void *owner,
                              struct cs_err *err);

#endif
