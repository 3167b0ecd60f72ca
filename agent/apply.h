/* apply.h - carries a plan out, step by step, and stops at the first that fails. Does I/O through the port
 * only; reloads do not block the loop. What a failure means for the order is its owner's business (device.h).
 */
#ifndef AG_APPLY_H
#define AG_APPLY_H

#include "agent/core/plan.h"
#include "agent/port/port.h"

struct ag_applied {
    enum ag_verdict verdict; /* AG_OK: every step was done */
    char detail[512];
    bool switched; /* the connector's link was switched, the application may have seen the new files */
};

struct ag_apply {
    struct ag_port *port;
    struct ag_plan *plan; /* owned while under way */
    size_t next;
    struct ag_applied applied;
    void (*on_end)(void *owner, const struct ag_applied *applied);
    void *owner;
};

/* Takes the plan. on_end comes once: from here when nothing has to be waited for, else from the loop; the
 * plan is freed before. `apply` must be idle; it may be started again from on_end. */
void ag_apply_start(struct ag_apply *apply, struct ag_port *port, struct ag_plan *plan,
                    void (*on_end)(void *owner, const struct ag_applied *applied), void *owner);
/* Ends a reload that runs, without on_end: for a process that ends. What was done stays done, the journal
 * knows. */
void ag_apply_stop(struct ag_apply *apply);

/* Removes old generations of a connector but for `installed` and the `kept` - 1 below it. Best effort. */
void ag_apply_tidy(struct ag_port *port, const char *folder, const char *connector, uint64_t installed,
                   unsigned kept);

#endif
