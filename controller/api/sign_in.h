/* sign_in.h - how operators sign in on one shard: its sessions (controller/sessions.h) and pairings
 * (controller/pairings.h), how often an address may ask for one, and the ends of sessions in the audit. */
#ifndef CTL_API_SIGN_IN_H
#define CTL_API_SIGN_IN_H

#include "controller/pairings.h"
#include "controller/sessions.h"
#include "controller/shard.h"

struct ctl_sign_in;

CS_MUST_USE int ctl_sign_in_new(struct ctl_shard *shard, struct ctl_sign_in **ret, struct cs_err *err);
void ctl_sign_in_free(struct ctl_sign_in *sign_in);
struct ctl_sessions *ctl_sign_in_sessions(struct ctl_sign_in *sign_in);
struct ctl_pairings *ctl_sign_in_pairings(struct ctl_sign_in *sign_in);
/* An opening costs a signature check: false when this address has had its share. */
bool ctl_sign_in_may_open(struct ctl_sign_in *sign_in, const char *peer);
/* The challenges that wait are bounded, and one address may not push out those of the others. */
bool ctl_sign_in_may_ask(struct ctl_sign_in *sign_in, const char *peer);
/* Nobody guesses a link's 256 bits, however often; this keeps the processor for others. */
bool ctl_sign_in_may_pair(struct ctl_sign_in *sign_in, const char *peer);
/* Ends the sessions that may not go on: after a new policy, and now and then. NULL is fine. */
void ctl_sign_in_sweep(struct ctl_sign_in *sign_in);

#endif
