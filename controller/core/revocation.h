/* revocation.h - which certificates are revoked: by hand, and by the lists of their issuers. Pure; internal
 * to controller/core. RFC 5280 section 5.
 *
 * By hand is for good. So is what a list says, but for certificateHold: a hold ends with a newer list that
 * does not name the certificate any more, or gives way to another reason. What has once vanished from a list
 * because it has expired stays revoked here. */
#ifndef CTL_CORE_REVOCATION_H
#define CTL_CORE_REVOCATION_H

#include "controller/core/run.h"

/* A certificate that is new in the inventory: says in the row whether a list that came before names it. */
CS_MUST_USE int ctl_revocation_look(struct ctl_run *run, ctl_certificate_row *certificate);

/* Rows of the tables REVOKED and HOLD: an issuer or a list's scope, and a serial as hex. */
struct ctl_key ctl_key_serial(enum ctl_table table, struct cs_slice digest, const char *serial);

#endif
