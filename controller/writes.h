/* writes.h - what a view has written, as the store wants it: collected for one commit, in key order. The list
 * keeps its memory from one commit to the next; keys and values are the view's. */
#ifndef CTL_WRITES_H
#define CTL_WRITES_H

#include "controller/core/view.h"
#include "controller/store/store.h"

struct ctl_writes {
    struct ctl_write *list;
    size_t count, capacity;
    bool out_of_memory;
};

void ctl_writes_free(struct ctl_writes *writes);
/* Everything since the view was made, in one durable transaction; nothing for nothing. As ctl_store_commit().
 */
CS_MUST_USE int ctl_writes_commit(struct ctl_writes *writes, struct ctl_view *view, struct ctl_store *store,
                                  struct cs_err *err);

#endif
