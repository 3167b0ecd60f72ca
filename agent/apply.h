/* apply.h - carries a plan out, step by step, and stops at the first that fails. Does I/O through the port
 * only; what has to be waited for does not block the loop. What a failure means for the order is its owner's
 * business (device.h). */
#ifndef AG_APPLY_H
#define AG_APPLY_H

#include "agent/application.h"
#include "agent/core/plan.h"

struct ag_applied {
    enum ag_verdict verdict; /* AG_OK: every step was done */
    char detail[400];
    bool switched; /* the connector's link was switched, the application may have seen the new files */
    /* On the way back the application's own failures end nothing; this is the first of them. AG_OK: there was
     * none. */
    enum ag_verdict complaint;
    char complaint_detail[200];
    char unlimited[160]; /* as an answer's */
    bool reloaded;       /* the application was asked to take the files */
    bool proven;         /* the application was seen to serve what it should */
    bool served;         /* the leaf that it was seen to serve last */
    struct cs_digest leaf;
};

struct ag_apply {
    struct ag_port *port;
    struct ag_plan *plan; /* owned while under way */
    size_t next;
    struct ag_application application;
    struct ag_applied applied;
    void (*on_end)(void *owner, const struct ag_applied *applied);
    void *owner;
};

/* Takes the plan. on_end comes once: from here when nothing has to be waited for, else from the loop; the
 * plan is freed before. `apply` must be idle; it may be started again from on_end. */
void ag_apply_start(struct ag_apply *apply, struct ag_port *port, struct ag_plan *plan,
                    void (*on_end)(void *owner, const struct ag_applied *applied), void *owner);
/* Ends what is waited for, without on_end: for a process that ends. What was done stays done, the journal
 * knows. */
void ag_apply_stop(struct ag_apply *apply);

/* What the connector's link leads to, a folder beside it (plan.h); "" when it leads nowhere. CS_OK or an
 * error: what cannot be read is not taken for something else. */
enum { AG_CURRENT_BYTES = 64 };
CS_MUST_USE int ag_apply_current(struct ag_port *port, const char *folder, const char *connector,
                                 char ret[AG_CURRENT_BYTES], struct cs_err *err);

/* Removes old generations of a connector but for the newest `kept`, `current` among them. What was kept of
 * what people had stays. Best effort. */
void ag_apply_tidy(struct ag_port *port, const char *folder, const char *connector, uint64_t current,
                   unsigned kept);

#endif
