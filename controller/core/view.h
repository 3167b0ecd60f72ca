/* view.h - what the pure core reads: the store's snapshot with what this group has written so far laid over
 * it. An interface, so that the core links no store: the shell gives the functions, tests give a map in
 * memory. */
#ifndef CTL_CORE_VIEW_H
#define CTL_CORE_VIEW_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

/* As ctl_snapshot_get() and ctl_snapshot_seek() (controller/store/store.h). Slices are valid until the next
 * command. */
struct ctl_source {
    void *data;
    int (*get)(void *data, struct cs_slice key, struct cs_slice *ret_value, struct cs_err *err);
    int (*seek)(void *data, struct cs_slice prefix, struct cs_slice from, bool reverse,
                struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err);
};

/* An ordered set of writes over a source; reads see the writes. The core thread has one for a group of
 * commands, and marks it before each command, so that a refused one leaves no trace. */
struct ctl_view;
CS_MUST_USE int ctl_view_new(const struct ctl_source *source, struct ctl_view **ret, struct cs_err *err);
void ctl_view_free(struct ctl_view *view);

int ctl_view_get(struct ctl_view *view, struct cs_slice key, struct cs_slice *ret_value, struct cs_err *err);
int ctl_view_seek(struct ctl_view *view, struct cs_slice prefix, struct cs_slice from, bool reverse,
                  struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err);
CS_MUST_USE int ctl_view_put(struct ctl_view *view, struct cs_slice key, struct cs_slice value,
                             struct cs_err *err);
CS_MUST_USE int ctl_view_delete(struct ctl_view *view, struct cs_slice key, struct cs_err *err);

/* Undo everything since the last mark. */
void ctl_view_mark(struct ctl_view *view);
void ctl_view_rewind(struct ctl_view *view);

/* What was written since the last mark: each key once, with its value now (ptr NULL: deleted), in the order
 * of the first writes. Stops at the first code that is not CS_OK and gives it. `each` may read, not write. */
struct ctl_view_write {
    struct cs_slice key, value;
    struct cs_slice earlier; /* from here on: the view's */
    bool in_source;
};
CS_MUST_USE int ctl_view_marked(struct ctl_view *view,
                                int (*each)(void *data, const struct ctl_view_write *write), void *data);
/* The value that it had at the mark; CS_ENOTFOUND: it was not there. */
CS_MUST_USE int ctl_view_before(struct ctl_view *view, const struct ctl_view_write *write,
                                struct cs_slice *ret_value, struct cs_err *err);

/* Every write in key order (value.ptr NULL: delete), for the commit. */
size_t ctl_view_writes(struct ctl_view *view,
                       void (*each)(void *data, struct cs_slice key, struct cs_slice value), void *data);

#endif
