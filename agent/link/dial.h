/* dial.h - what both ways to the controller have in common: whom the device trusts at the other end. */
#ifndef AG_LINK_DIAL_H
#define AG_LINK_DIAL_H

#include "agent/device.h"
#include "shared/net/tls.h"

/* `with_identity`: with the device's own certificate, for the agents' listener. The caller frees *ret; the
 * device's key outlives it. */
CS_MUST_USE int ag_dial_tls(const struct ag_device *device, bool with_identity, struct cs_tls_config **ret,
                            struct cs_err *err);

#endif
