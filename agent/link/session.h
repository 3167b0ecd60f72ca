/* session.h - the device's one connection to its controller: dials, says hello, fetches policies, advertises,
 * takes pushes and carries statements until they are acknowledged; when it ends, waits with jitter and dials
 * again. Lives on a libuv loop.
 *
 *   WAITING ─▶ DIALLING ─▶ GREETING ─welcome─▶ SYNCING ─policies are here─▶ STREAMING
 *      ▲           └───────────┴───────────────────┴──── lost ─────────────────┘
 *      └──────────────────────── back-off ◀─────────────────────────────────────┘
 *
 * When half of the identity certificate's life is over it is renewed in the session, and the next session has
 * the fresh key. When it has expired, by our clock or by the controller's word, no session can be opened:
 * then, in place of dialling, the renewal is said on the enrolment listener (late.h) until an admin has
 * admitted the fresh key.
 *
 * While SYNCING statements wait in the device's outbox; pushes that come early wait in the device. */
#ifndef AG_LINK_SESSION_H
#define AG_LINK_SESSION_H

#include "agent/core/backoff.h"
#include "agent/device.h"
#include "shared/net/client.h"

struct ag_session;

/* `device` was opened and outlives the session, which becomes its listener. `on_fatal`: the device's state
 * cannot be made durable, or the session cannot go on; the process should end. */
CS_MUST_USE int ag_session_new(uv_loop_t *loop, struct ag_device *device,
                               void (*on_fatal)(void *owner, const struct cs_err *why), void *owner,
                               struct ag_session **ret, struct cs_err *err);
void ag_session_start(struct ag_session *session);
/* Idempotent; frees once its handles are closed, then calls on_closed (may be NULL). */
void ag_session_close(struct ag_session *session, void (*on_closed)(void *owner));

#endif
