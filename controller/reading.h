/* reading.h - one consistent look at the store, as the pure core wants it: a snapshot under a view.
 * Short-lived: open, ask, copy out, close. One thread each. */
#ifndef CTL_READING_H
#define CTL_READING_H

#include "controller/core/view.h"
#include "controller/store/store.h"

struct ctl_reading {
    struct ctl_snapshot *snapshot;
    struct ctl_source source;
    struct ctl_view *view;
};

#define CTL_READING_NONE ((struct ctl_reading){0})

/* `ret` does not move until it is closed. */
CS_MUST_USE int ctl_reading_open(struct ctl_store *store, struct ctl_reading *ret, struct cs_err *err);
/* A closed one is fine. */
void ctl_reading_close(struct ctl_reading *reading);

#endif
