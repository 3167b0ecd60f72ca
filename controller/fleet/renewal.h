/* renewal.h - a device's renewal on its way to the core: whose it is, whether it follows the key that the
 * device has, and a certificate for the fresh one. Both ways lead through here: a statement in a session, and
 * Renew on the enrolment listener. Inside controller/fleet/ only. */
#ifndef CTL_FLEET_RENEWAL_H
#define CTL_FLEET_RENEWAL_H

#include "controller/shard.h"
#include "shared/trust/device.h"

struct ctl_prepared_renewal {
    struct ctl_renewal body; /* of CTL_RENEWAL or CTL_RENEW; borrows from the rest, and from the wire bytes */
    countersign_v1_DeviceRenewal renewal;
    uint8_t before[CS_SPKI_BYTES];
    char device_name[64];
    struct cs_buf certificate;
    struct cs_device *device; /* the keys that speak for it, the fresh one included */
};

/* CS_ENOTFOUND for a device that is not known here, CS_EAUTH and what else cs_device_check_renewal() says.
 * `ret` stands where it is until the command is done; ctl_renewal_free(), also after a failure. */
CS_MUST_USE int ctl_renewal_prepare(const struct ctl_shard *shard, struct cs_slice wire,
                                    struct ctl_prepared_renewal *ret, struct cs_err *err);
void ctl_renewal_free(struct ctl_prepared_renewal *renewal);

#endif
