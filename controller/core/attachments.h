/* attachments.h - a certificate comes to an app connector: what attaching one and attaching many share. Pure.
 * Internal to controller/core. */
#ifndef CTL_CORE_ATTACHMENTS_H
#define CTL_CORE_ATTACHMENTS_H

#include "controller/core/run.h"

/* The device is there and advertises the app connector, or CS_ENOTFOUND with a sentence. */
CS_MUST_USE int ctl_attachment_check(struct ctl_run *run, const char *device_name, const char *connector);
/* Counts it in the certificate's row, which the caller stores. *ret_added is false when it was there. */
CS_MUST_USE int ctl_attachment_add(struct ctl_run *run, ctl_certificate_row *certificate,
                                   const char *device_name, const char *connector, bool *ret_added);

#endif
