/* connector_check.h - `countersign-agent connector check NAME`: tries what a connector's section says, and
 * explains it to whoever set the device up. Changes no file; asks the application to reload only when told
 * to. Runs the loop. */
#ifndef AG_CONNECTOR_CHECK_H
#define AG_CONNECTOR_CHECK_H

#include "agent/config.h"
#include "agent/port/port.h"

#include <stdio.h>
#include <uv.h>

/* Writes a line a finding to `out`; returns how many things are wrong. */
unsigned ag_connector_check(uv_loop_t *loop, struct ag_port *port, const struct ag_config *config,
                            const struct ag_connector *connector, bool reload, FILE *out);

#endif
