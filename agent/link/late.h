/* late.h - one call of EnrolmentService.Renew: for a device whose identity certificate has expired, so that
 * it cannot open a session. Lives on the session's loop; ends by itself. */
#ifndef AG_LINK_LATE_H
#define AG_LINK_LATE_H

#include "agent/device.h"

#include <uv.h>

struct ag_late;

/* How it ended: CS_OK with the certificate, or CS_OK and an empty one (an admin has to sign a new admission
 * first); else *why says more. Borrowed. Everything of it is freed when it returns. */
typedef void ag_late_end(void *owner, int code, struct cs_slice certificate, const struct cs_err *why);

/* Says the renewal that is under way. */
CS_MUST_USE int ag_late_start(uv_loop_t *loop, struct ag_device *device, ag_late_end *on_end, void *owner,
                              struct ag_late **ret, struct cs_err *err);
/* Ends it: on_end comes with CS_ECANCELLED. */
void ag_late_cancel(struct ag_late *late);

#endif
