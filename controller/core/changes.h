/* changes.h - what those who watch are told: one row for each revision with the objects that its command
 * changed (proto/countersign/v1/watch.proto), derived in one place from the keys that the command wrote, so
 * that no handler can forget one. Pure. Start at ctl_changes_write(); the way out is ctl_query_changes().
 *
 * A row has room for CTL_CHANGES_MOST objects. Of the orders of one request, the attachments of one
 * certificate, and any other kind, CTL_CHANGES_NAMED are named; more become one change with their count. A
 * command that touches too many requests for that has one change for a whole kind. Who is told a count reads
 * the list anew. */
#ifndef CTL_CORE_CHANGES_H
#define CTL_CORE_CHANGES_H

#include "controller/core/view.h"

#include "countersign/v1/watch.pb.h"

enum {
    CTL_CHANGES_MOST = 64,
    CTL_CHANGES_NAMED = 24,
    /* Revisions that can be resumed from: days of a busy controller in some 20 MB. Who was away for longer
     * lists anew, which is cheaper for both. */
    CTL_CHANGES_KEPT = 100000,
    /* Rows that one look reads: a client that resumes far behind has its turn, and the next one as well. */
    CTL_CHANGES_AT_ONCE = 256,
};

struct ctl_run;

/* The row of run->meta.revision, from what was written since the mark; drops the one that is no longer kept.
 */
CS_MUST_USE int ctl_changes_write(struct ctl_run *run);

/* What a person asks for is well formed, or CS_EINVAL. */
CS_MUST_USE int ctl_watch_check(const countersign_v1_WatchRequest *request, struct cs_err *err);
/* Everything that was asked for holds. Counts concern all whom they may concern. */
bool ctl_watch_wants(const countersign_v1_WatchRequest *request, const countersign_v1_Change *change);

/* Where a stream begins: after_revision, or the newest revision without one. CS_ERANGE: ahead of the store.
 */
CS_MUST_USE int ctl_query_watch_begin(struct ctl_view *view, const countersign_v1_WatchRequest *request,
                                      uint64_t *ret_cursor, struct cs_err *err);
/* Adds what is wanted behind *cursor to the reply, as far as it has room, and moves *cursor behind what was
 * read. *ret_more: there is more to read at once. CS_ERANGE: what follows the cursor is not kept any more. */
CS_MUST_USE int ctl_query_changes(struct ctl_view *view, const countersign_v1_WatchRequest *request,
                                  int64_t now_s, uint64_t *cursor, countersign_v1_WatchResponse *reply,
                                  bool *ret_more, struct cs_err *err);

#endif
