/* upgrade.h - a store that an older program wrote becomes one of this program's schema, at the start and
 * before anything else reads it. In transactions of a bounded size; whatever ends it half-way, the next start
 * goes on with what is left. Does I/O and logs. */
#ifndef CTL_UPGRADE_H
#define CTL_UPGRADE_H

#include "controller/store/store.h"

/* CS_OK at once for a store that has the schema already. */
CS_MUST_USE int ctl_upgrade(struct ctl_store *store, struct cs_err *err);

#endif
