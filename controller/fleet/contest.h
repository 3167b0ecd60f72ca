/* contest.h - two streams of one device at once: which of them is the device? Inside controller/fleet/ only.
 *
 * Usually the older one is a connection that broke and has not been noticed, and the newer one replaces it. A
 * state folder that was copied to a second machine looks the same at first; but then there are two processes,
 * and both answer. So the newer stream waits while the older one is asked:
 *
 *   newer's Hello ─▶ older is challenged ─ gone, silent, or the same process ─▶ the newer replaces it
 *                          │ alive, another process
 *                          ▼
 *                    newer is challenged ─ silent ─▶ the newer ends, the older stays
 *                          │ alive
 *                          ▼
 *                    quarantine: both end
 *
 * The two may be on different shards: a contest goes from the newer's to the older's and back as a post. */
#ifndef CTL_FLEET_CONTEST_H
#define CTL_FLEET_CONTEST_H

#include "controller/fleet/session.h"

/* `newer` has said hello and has an id; it has no place in the roster yet. */
CS_MUST_USE int ctl_contest_begin(struct ctl_session *newer, uint64_t older_id, struct cs_err *err);
/* An answer that nobody waits for any more is passed over. */
CS_MUST_USE int ctl_contest_answer(struct ctl_session *session, const countersign_v1_ChallengeAnswer *answer,
                                   struct cs_err *err);
/* The session has ended: whoever waits for its answer hears so. */
void ctl_contest_left(struct ctl_session *session);
/* The controller stops: nobody waits any more. */
void ctl_contest_stop(struct ctl_fleet *fleet);

#endif
