/* unit.h - the part of the systemd unit's sandbox that hangs on this device's connectors: `countersign-agent
 * unit` prints it as a drop-in. Pure. */
#ifndef AG_UNIT_H
#define AG_UNIT_H

#include "agent/config.h"
#include "shared/base/buf.h"

/* CS_ENOMEM. */
CS_MUST_USE int ag_unit_write(const struct ag_config *config, struct cs_buf *out);

#endif
