/* device_impl.h - what the files of device.h share: device.c keeps state, policies and advertisement,
 * device_push.c takes a push from its delivery to its report, device_keys.c makes keys on request. */
#ifndef AG_DEVICE_IMPL_H
#define AG_DEVICE_IMPL_H

#include "agent/device.h"

/* Makes the state durable; a synchronised clock raises the time floor on the way. */
CS_MUST_USE int ag_device_save(struct ag_device *device, struct cs_err *err);
/* Reserves a block of numbers on disk before the first of it is used. */
CS_MUST_USE int ag_device_next_sequence(struct ag_device *device, uint64_t *ret, struct cs_err *err);
/* Fills the outbox with the final reports that are not acknowledged. */
void ag_device_post_unacknowledged(struct ag_device *device);
struct ag_device_time ag_device_now(const struct ag_device *device, const struct cs_policy *policy);

/* The next thing to do: end what was interrupted, then take deliveries, one after the other. */
void ag_device_go_on(struct ag_device *device);

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
