/* probe.h - which certificate an application serves: one TLS 1.3 handshake, in which the server proves that
 * it has the key of the leaf that it shows, and nothing else is verified. Before it, what SMTP (RFC 3207) and
 * IMAP (RFC 9051 section 6.2.1) say to change to TLS; behind it a goodbye, so that no server logs an error.
 */
#ifndef AG_PORT_PROBE_H
#define AG_PORT_PROBE_H

#include "agent/port/port.h"
#include "agent/port/task.h"

#include <uv.h>

/* As `probe` in port.h; what it points to is not needed after the return. The slot must be free. */
CS_MUST_USE int ag_probe_begin(uv_loop_t *loop, struct ag_task **slot, const struct ag_probe *probe,
                               uint32_t timeout_ms,
                               void (*on_end)(void *owner, const struct ag_probe_result *result), void *owner,
                               struct cs_err *err);

#endif
