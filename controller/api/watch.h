/* watch.h - the calls of WatchService on one shard: what changed, to each as it was asked for. A call has a
 * cursor and nothing queued of its own: when its reader is slow the cursor stays, and goes on from the store
 * when there is room.
 *
 *   core thread ──commit──▶ ctl_watchers_tell() ──one post, if anybody watches──▶ each cursor reads on
 *
 * Everything but ctl_watchers_tell() runs on the shard's loop. */
#ifndef CTL_API_WATCH_H
#define CTL_API_WATCH_H

#include "controller/shard.h"

struct ctl_watchers;

CS_MUST_USE int ctl_watchers_new(struct ctl_shard *shard, struct ctl_watchers **ret, struct cs_err *err);
/* The controller stops: ends every call, takes no new one. */
void ctl_watchers_stop(struct ctl_watchers *watchers);
void ctl_watchers_free(struct ctl_watchers *watchers);

/* On the core thread: revisions were taken and are durable. `data` is a struct ctl_shared. */
void ctl_watchers_tell(void *data);

#endif
