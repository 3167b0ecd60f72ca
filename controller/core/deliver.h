/* deliver.h - which orders a device's open stream gets, and when. Pure; internal to controller/core. */
#ifndef CTL_CORE_DELIVER_H
#define CTL_CORE_DELIVER_H

#include "controller/core/run.h"

/* At most this many orders are handed to one session when it opens. At an app connector at most one order
 * waits for hand-over, because a decided one supersedes those before it; the rest is room for those that are
 * handed over and unanswered. */
enum { CTL_DELIVER_MOST = 2 * CS_LIMIT_CONNECTORS_PER_DEVICE };

/* Everything that is due or was handed over without a final report, in rising generation for each connector.
 */
CS_MUST_USE int ctl_deliver_waiting(struct ctl_run *run, struct cs_slice device_id, uint64_t session_id);

#endif
