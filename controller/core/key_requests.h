/* key_requests.h - keys that devices make: a requester's signed request, the device's answer, and the
 * certificate that is bound to the key. Pure; internal to controller/core.
 *
 *   RequestKey ─▶ WAITING ─the device's answer─▶ ANSWERED ─a certificate is imported─▶ IMPORTED
 *                    └──────────────────────────▶ REFUSED
 *
 * A request that waits beyond its time shows as EXPIRED; an answer that was under way still counts. */
#ifndef CTL_CORE_KEY_REQUESTS_H
#define CTL_CORE_KEY_REQUESTS_H

#include "controller/core/run.h"

/* The answered request whose key has this SPKI digest; *ret_found is false if there is none. */
CS_MUST_USE int ctl_key_request_of_key(struct ctl_run *run, struct cs_slice spki_digest,
                                       ctl_key_request_row *ret, bool *ret_found);
/* The certificate is for the request's key: both rows say so. The certificate's is the caller's to store. */
CS_MUST_USE int ctl_key_request_bind(struct ctl_run *run, ctl_key_request_row *request,
                                     ctl_certificate_row *certificate);
/* Requests that wait for this device-id end: it will never answer. */
CS_MUST_USE int ctl_key_requests_end_for(struct ctl_run *run, struct cs_slice device_id, const char *reason);

#endif
