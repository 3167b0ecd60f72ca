/* fleet.h - the agents of one shard: their streams, what is delivered to them, and how a new device enrols.
 * A session is one stream of one device (session.c); deliveries of all sessions of a shard are gathered over
 * one turn of its loop and signed together (delivery.c). Start at session.h for the life of a session. */
#ifndef CTL_FLEET_FLEET_H
#define CTL_FLEET_FLEET_H

#include "controller/shard.h"
#include "shared/net/call.h"

extern const struct cs_method ctl_agent_methods[], ctl_enrolment_methods[];
extern const size_t ctl_agent_methods_count, ctl_enrolment_methods_count;

CS_MUST_USE int ctl_fleet_new(struct ctl_shard *shard, struct ctl_fleet **ret, struct cs_err *err);
void ctl_fleet_free(struct ctl_fleet *fleet);

/* What is due when the loop has come round: deliveries. */
void ctl_fleet_turn(struct ctl_fleet *fleet);
/* The controller stops: ends every session, takes no new one. */
void ctl_fleet_stop(struct ctl_fleet *fleet);

/* On the core thread: hands the effects of a group to the shards that hold the sessions, and the new policy,
 * if there is one, to all. `shared` is a struct ctl_shared. */
void ctl_fleet_route(void *shared, const struct ctl_effect *effects, size_t count, struct ctl_trust *trust);

#endif
