/* retries.h - whether an order that failed is tried again, and when. The people's bound is `max_attempts` of
 * the signed request, and the device keeps to it by itself; here is decided whether it makes sense, so that
 * a certificate is gray only after its last attempt. Pure; internal to controller/core. */
#ifndef CTL_CORE_RETRIES_H
#define CTL_CORE_RETRIES_H

#include "controller/core/orders.h"

#include "countersign/v1/statement.pb.h"

/* May another attempt of the same order end otherwise? Yes for what was applied and put back, unless the
 * table in retries.c says that a person has to act first; no for refusals, which a device gives again. */
bool ctl_retry_makes_sense(countersign_v1_Outcome outcome, const char *verdict);

/* How long to wait before the next attempt after `retries` earlier ones: retry_first doubled each time, at
 * most retry_most, of which the second half is spread by `random`, so that a fleet that failed together does
 * not come back together. */
int64_t ctl_retry_wait_s(const struct ctl_settings *settings, uint32_t retries, uint32_t random);

/* The device reported that an attempt failed, or refused the order: plans the next attempt (RETRY) with
 * "attempt 1 of 3 failed: …", or ends the order (FAILED) with `reason`, the device's own. */
CS_MUST_USE int ctl_order_fail(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                               const countersign_v1_DeviceReport *report, const char *reason);

/* The device says a report again that is known. Of an order that waits for the answer to a further attempt
 * this means that the attempt reached the device before our acknowledgement of the one before did, and was
 * not taken: it is offered once more. */
CS_MUST_USE int ctl_order_answered_again(struct ctl_run *run, ctl_order_row *order,
                                         const countersign_v1_DeviceReport *report);

#endif
