/* monitor.h - what monitoring asks of a controller, on the shard that serves operators: the pages /livez,
 * /readyz and /metrics, and grpc.health.v1 (health.h).
 *
 *   /livez    200 as long as the process answers
 *   /readyz   200 when it can do its work: commands are written, the core keeps up, there is a policy; else
 * 503 with a line for each thing that is wrong /metrics  Prometheus text (controller/metrics.h). Nothing
 * reads the store through for it: certificates and orders are counted in the background, some hundred rows at
 * a time, while somebody scrapes or asks for a summary */
#ifndef CTL_API_MONITOR_H
#define CTL_API_MONITOR_H

#include "controller/shard.h"
#include "shared/net/web.h"

struct ctl_monitor;

CS_MUST_USE int ctl_monitor_new(struct ctl_shard *shard, struct ctl_monitor **ret, struct cs_err *err);
/* On the loop; its timer ends. */
void ctl_monitor_stop(struct ctl_monitor *monitor);
void ctl_monitor_free(struct ctl_monitor *monitor);

/* The pages; `guarded`: /metrics takes an operator's session. */
enum { CTL_MONITOR_ROUTES = 3 };
const struct cs_route *ctl_monitor_routes(struct ctl_monitor *monitor, bool guarded);

/* The last count, and the beginning of another one where it is old. */
void ctl_monitor_summary(struct ctl_monitor *monitor, countersign_v1_GetSummaryResponse *ret);

/* Appends a line for each thing that is wrong; false without memory for them. */
bool ctl_monitor_ready(const struct ctl_shard *shard, struct cs_buf *ret_wrong);

#endif
