/* core_thread.h - the only writer. Takes the commands that wait, runs each through the pure core over one
 * view, commits the group once with a full sync, and only then hands replies and effects on:
 *
 *   shards ──submit──▶ waiting ──group──▶ ctl_core_run() … ──▶ one commit ──▶ on_effects, then each on_done
 *                                              ▲ refused: rewound, leaves no trace
 *
 * While one group is being synced the next gathers. A full disk refuses the whole group and goes on; a store
 * that could not sync ends the process, for nobody knows what is on the disk then. The clock's work runs as a
 * command of its own when it is due. */
#ifndef CTL_CORE_THREAD_H
#define CTL_CORE_THREAD_H

#include "controller/core/core.h"
#include "controller/core_stats.h"
#include "controller/store/store.h"
#include "controller/trust.h"
#include "shared/base/list.h"

struct ctl_core_thread;

/* One command and its answer, in memory of the submitter that stays until on_done. */
struct ctl_command {
    enum ctl_command_kind kind;
    const void *body;
    void *reply; /* zeroed by the submitter, filled on success; NULL for kinds without one */
    struct ctl_actor actor;
    /* On the core thread, exactly once, after the group is durable or was refused. Hands the command on;
     * does no work of its own. */
    void (*on_done)(struct ctl_command *command);

    int code; /* from here on: filled when done */
    struct cs_err err;
    struct cs_list node; /* the core thread's */
};

struct ctl_core_thread_options {
    struct ctl_store *store;             /* borrowed */
    const struct ctl_settings *settings; /* borrowed; NULL: the defaults */
    /* On the core thread, after a commit and before the replies of its group. `trust`: a new policy took
     * effect; NULL otherwise. Both borrowed. */
    void (*on_effects)(void *owner, const struct ctl_effect *effects, size_t count, struct ctl_trust *trust);
    /* Likewise, before on_effects: revisions were taken. NULL: nobody asks. */
    void (*on_revision)(void *owner);
    void *owner;
};

/* Loads the newest policy and brings the store into the state of a process that just started. */
CS_MUST_USE int ctl_core_thread_new(const struct ctl_core_thread_options *options,
                                    struct ctl_core_thread **ret, struct cs_err *err);
CS_MUST_USE int ctl_core_thread_start(struct ctl_core_thread *core, struct cs_err *err);
/* From any thread, as long as the core is there. */
const struct ctl_core_stats *ctl_core_thread_stats(const struct ctl_core_thread *core);
/* The newest policy, NULL before the first. Before ctl_core_thread_start() only: later it comes by
 * on_effects.
 */
struct ctl_trust *ctl_core_thread_trust(struct ctl_core_thread *core);

/* From any thread. CS_EBUSY when too many wait, CS_ECLOSED after the stop: then on_done does not come. Ends
 * of sessions are always taken, so that presence cannot go wrong. */
CS_MUST_USE int ctl_core_thread_submit(struct ctl_core_thread *core, struct ctl_command *command,
                                       struct cs_err *err);

/* Finishes what waits, then ends the thread. */
void ctl_core_thread_stop(struct ctl_core_thread *core);
/* After the stop, or before a start. */
void ctl_core_thread_free(struct ctl_core_thread *core);
CS_DEFINE_AUTO(ctl_core_thread_freep, struct ctl_core_thread, ctl_core_thread_free)

#endif
