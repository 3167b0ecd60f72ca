/* overrides.h - what a push of a revoked or expired certificate needs, and a roll back to one: that the
 * requester signed that it is meant. A removal needs nothing: it is what people want of such a one. Asked at
 * PreparePush, SubmitPush, every accepting decision and every hand-over, because a certificate can be revoked
 * or expire between any two of them. Pure; internal to controller/core. */
#ifndef CTL_CORE_OVERRIDES_H
#define CTL_CORE_OVERRIDES_H

#include "controller/core/orders.h"

/* CS_OK, or CS_ESTATE with a sentence that names the flag: the certificate is revoked or has expired and the
 * override for that is not among these. */
CS_MUST_USE int ctl_overrides_check(const ctl_certificate_row *certificate, countersign_v1_Action action,
                                    const countersign_v1_Override *overrides, size_t count, int64_t now_s,
                                    struct cs_err *err);

/* All that a request would have to sign now, in rising order: how many. */
pb_size_t ctl_overrides_needed(const ctl_certificate_row *certificate, countersign_v1_Action action,
                               int64_t now_s, countersign_v1_Override ret[2]);

/* As ctl_overrides_check() for a request that was submitted. */
CS_MUST_USE int ctl_request_check_overrides(struct ctl_run *run, const ctl_request_row *request);

/* Before an order is handed over: true when its certificate may go. Else the order has ended as Cancelled,
 * with the reason, and the request is settled; one that was handed over before is asked back. */
CS_MUST_USE int ctl_order_check_fit(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                                    uint64_t session_id, bool *ret_fit);

/* Once in a command, after the rows of certificates say that they are revoked: ends every order of a revoked
 * certificate that is not handed over as Cancelled ("certificate revoked"), and asks devices to leave those
 * that are; all but those whose request signs OVERRIDE_REVOKED. One walk over the open requests. */
CS_MUST_USE int ctl_orders_end_for_revoked(struct ctl_run *run);

#endif
