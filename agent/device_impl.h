/* device_impl.h - what the files of device.h share: device.c keeps state, policies and advertisement,
 * device_push.c decides deliveries, device_order.c takes an accepted order to its end, device_report.c says
 * what came of it, device_look.c looks at what is installed and served, device_keys.c makes keys on request.
 */
#ifndef AG_DEVICE_IMPL_H
#define AG_DEVICE_IMPL_H

#include "agent/device.h"

/* Makes the state durable; a synchronised clock raises the time floor on the way. */
CS_MUST_USE int ag_device_save(struct ag_device *device, struct cs_err *err);
/* Reserves a block of numbers on disk before the first of it is used. */
CS_MUST_USE int ag_device_next_sequence(struct ag_device *device, uint64_t *ret, struct cs_err *err);
/* Something is wrong with the state itself: the process must end. */
void ag_device_fatal(struct ag_device *device, const struct cs_err *why);
struct ag_device_time ag_device_now(const struct ag_device *device, const struct cs_policy *policy);

/* The next thing to do: end what was interrupted, then take deliveries, one after the other. */
void ag_device_go_on(struct ag_device *device);

/* device_push.c. The message and core of a delivery; the caller frees both, also after a failure. */
CS_MUST_USE int ag_order_of(const countersign_v1_PushDelivery *delivery,
                            countersign_v1_PushMessage **ret_message, countersign_v1_OrderCore **ret_core,
                            struct cs_err *err);

/* Appends chain and key of the generation that the order goes back to, nothing where it is not kept; the
 * caller wipes them. CS_ENOMEM. */
CS_MUST_USE int ag_order_find_kept(struct ag_device *device, const countersign_v1_PushDelivery *delivery,
                                   struct cs_buf *chain, struct cs_buf *key, struct cs_err *err);

/* device_order.c. Takes up an order that was journalled as accepted; `decision` is borrowed for the call. */
void ag_order_begin(struct ag_device *device, const struct ag_decision *decision);
/* True when there was one without an end; it is under way then. */
bool ag_order_recover_one(struct ag_device *device);

/* device_report.c. Gives the report its sequence and time, and its payload. */
CS_MUST_USE int ag_report_finish(struct ag_device *device, countersign_v1_DeviceReport *report,
                                 struct cs_buf *payload, struct cs_err *err);
/* Signs a report's payload, keeps it until it is acknowledged, and hands it to who listens. */
CS_MUST_USE int ag_report_post(struct ag_device *device, const countersign_v1_DeviceReport *report,
                               struct cs_slice payload, struct cs_err *err);
void ag_report_log(const countersign_v1_DeviceReport *report);
/* One that changes nothing here; when it cannot be made, the order is offered again sooner or later. */
void ag_report_pass(struct ag_device *device, countersign_v1_DeviceReport *report);
/* Signs the stored account of an order that has ended (once more): same sequence, same bytes. Where the key
 * of that sequence is gone it gets a new sequence, and says the same. */
void ag_report_repeat(struct ag_device *device, const struct ag_order *order);
/* Fills the outbox with the final reports that are not acknowledged. */
void ag_device_post_unacknowledged(struct ag_device *device);

/* device_look.c. What a push left is looked at anew, its folders are watched. */
void ag_device_look_again(struct ag_device *device);
/* A look at what is served ends without an answer: a push takes its turn. */
void ag_device_stop_looking(struct ag_device *device);

/* device_keys.c. Takes key requests, one after the other, until one waits for a policy. */
void ag_keys_go_on(struct ag_device *device);
void ag_keys_forget_requests(struct ag_device *device);
/* Appends the PKCS#8, which the caller wipes, of the key that was made here for the order's connector and
 * leaf; nothing if there is none, or the order brings its key in another way. CS_ENOMEM. */
CS_MUST_USE int ag_keys_find_own(struct ag_device *device, const countersign_v1_PushDelivery *delivery,
                                 struct cs_buf *pkcs8, struct cs_err *err);
/* A key whose certificate is installed at the connector waits no longer: it is kept with the installed
 * generation. */
void ag_keys_settle(struct ag_device *device, const char *connector, uint64_t generation);
/* The same for all that a process that died may have left. */
void ag_keys_recover(struct ag_device *device);

#endif
