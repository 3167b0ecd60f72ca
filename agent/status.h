/* status.h - the device's own account, in people's words: who it is, whom it trusts, what is installed at
 * each connector, who asked for it and who decided. Reads the state folder only, also while an agent runs on
 * it. */
#ifndef AG_STATUS_H
#define AG_STATUS_H

#include "agent/config.h"
#include "agent/store.h"

/* Appends the text. */
CS_MUST_USE int ag_status_write(const struct ag_store *store, const struct ag_config *config,
                                struct cs_buf *out, struct cs_err *err);

#endif
