/* roster.h - which devices are connected, and on which shard: the one thing that all shards and the core
 * thread share, behind a lock. A session's id is unique in this run of the process and bears its shard. */
#ifndef CTL_FLEET_ROSTER_H
#define CTL_FLEET_ROSTER_H

#include "controller/core/query.h"

struct ctl_roster;

CS_MUST_USE int ctl_roster_new(struct ctl_roster **ret, struct cs_err *err);
void ctl_roster_free(struct ctl_roster *roster);

static inline uint64_t ctl_session_id(unsigned shard, uint64_t number)
{
    return (uint64_t)shard << 48 | number;
}
static inline unsigned ctl_session_shard(uint64_t session_id)
{
    return (unsigned)(session_id >> 48);
}

/* The newer session takes the device's place; *ret_replaced is the older one's id, 0 if there was none. */
CS_MUST_USE int ctl_roster_enter(struct ctl_roster *roster, const uint8_t device_id[16], uint64_t session_id,
                                 uint64_t *ret_replaced, struct cs_err *err);
/* Only if the place is still this session's. */
void ctl_roster_leave(struct ctl_roster *roster, const uint8_t device_id[16], uint64_t session_id);
/* The id of the device's session, 0 if there is none. */
uint64_t ctl_roster_find(struct ctl_roster *roster, const uint8_t device_id[16]);

/* How many devices are connected. */
size_t ctl_roster_count(struct ctl_roster *roster);
/* For queries. */
struct ctl_presence ctl_roster_presence(struct ctl_roster *roster);

#endif
