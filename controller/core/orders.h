/* orders.h - work orders in motion: an event of the workflow with all that it brings along. Pure; internal to
 * controller/core. Whoever moves orders of a request holds the request's row and stores it once at the end.
 */
#ifndef CTL_CORE_ORDERS_H
#define CTL_CORE_ORDERS_H

#include "controller/core/run.h"
#include "controller/core/workflow.h"

/* Applies the event and stores the order: phase, due queue, index of the living, counts of the request and of
 * the whole, attachments, wake-up of those who wait. `reason` NULL keeps the one that it has. */
CS_MUST_USE int ctl_order_apply(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                                enum ctl_order_event event, const char *reason);

/* Moves an undecided or scheduled order to where its decisions have brought it; a later order for its
 * connector that is decided supersedes the earlier ones. */
CS_MUST_USE int ctl_order_decided(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                                  const struct cs_push_progress *progress, const char *rejected_by);

/* The window has ended before a device took it: Expired; of an order that was tried and failed, Failed with
 * what the device said then. */
CS_MUST_USE int ctl_order_lapse(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                                const char *reason);

/* The device gave the order back before it began it: it is before hand-over again, where a cancel that was
 * asked meanwhile needs no device, and a later order that was decided meanwhile supersedes. */
CS_MUST_USE int ctl_order_come_back(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order);

/* Hands an order to its device's open session (again): the effect and the phase. */
CS_MUST_USE int ctl_order_hand_over(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                                    uint64_t session_id);

/* Asks the device of an order that was handed over to leave it, as often as this is called. */
CS_MUST_USE int ctl_order_ask_cancel(struct ctl_run *run, ctl_order_row *order, uint64_t session_id);

/* Ends every order of this device-id; of those that are handed over what becomes is the device's to say,
 * unless it is gone for good. */
CS_MUST_USE int ctl_orders_end_for(struct ctl_run *run, struct cs_slice device_id, bool gone,
                                   const char *reason);

/* Is any order of the request still open? */
bool ctl_request_open(const ctl_request_row *request);
/* The least advanced state that one of its orders is in. */
countersign_v1_OrderState ctl_request_state(const ctl_request_row *request);
/* After its last order ended: out of the open ones. Stores the row. */
CS_MUST_USE int ctl_request_settle(struct ctl_run *run, ctl_request_row *request);

/* Which stage people see for the request: that of its least advanced order. Call for each order. */
void ctl_request_show_stage(ctl_request_row *request, const countersign_v1_Rule *rule,
                            const struct cs_push_progress *progress);

/* Evaluates the request under the newest policy if it was not yet; orders that the policy no longer allows
 * become cancelled. CS_ESTALE while the core thread does not hold that policy. */
CS_MUST_USE int ctl_request_review(struct ctl_run *run, ctl_request_row *request);

#endif
