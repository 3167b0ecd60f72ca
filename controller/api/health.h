/* health.h - grpc.health.v1: whether this controller, or one of the services that it serves to operators, can
 * do its work. The same answer as /readyz. */
#ifndef CTL_API_HEALTH_H
#define CTL_API_HEALTH_H

#include "controller/shard.h"
#include "shared/net/call.h"

struct ctl_health;

CS_MUST_USE int ctl_health_new(struct ctl_shard *shard, struct ctl_health **ret, struct cs_err *err);
/* The controller stops: tells those who watch, ends their calls. */
void ctl_health_stop(struct ctl_health *health);
void ctl_health_free(struct ctl_health *health);

extern const struct cs_method ctl_health_methods[];
extern const size_t ctl_health_methods_count;

#endif
