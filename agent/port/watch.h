/* watch.h - hears that something changes in folders, by inotify through libuv. Only that, never what: the
 * owner looks for himself, after it began to watch and after each call. Does I/O on the loop. */
#ifndef AG_PORT_WATCH_H
#define AG_PORT_WATCH_H

#include "shared/base/err.h"

#include <uv.h>

struct ag_watch;

CS_MUST_USE int ag_watch_new(uv_loop_t *loop, struct ag_watch **ret, struct cs_err *err);

/* As port.h's watch. What cannot be opened is passed over, as what is not there. After CS_EFULL those that
 * the system allowed are watched. `on_change` may call this. Several changes within 100 ms are one. */
CS_MUST_USE int ag_watch_set(struct ag_watch *watch, const char *const *folders, size_t count,
                             void (*on_change)(void *owner), void *owner, struct cs_err *err);

/* Nothing is called any more; frees from the loop once its handles are closed. NULL is fine. */
void ag_watch_close(struct ag_watch *watch);

#endif
