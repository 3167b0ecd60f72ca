/* filler.h - a store with as much in it as a large fleet has, written straight into it with the very
 * functions that write rows one by one. Rows are made up (inventory.h). For benches: failing ends the
 * program. */
#ifndef CS_TESTS_FILLER_H
#define CS_TESTS_FILLER_H

#include "controller/store/store.h"

struct filler {
    uint64_t certificates;
    uint64_t devices;     /* gw-000000 …: enrolled, admitted, each with the app connector "web" */
    uint64_t attachments; /* of the first certificate, to the first of these devices */
    uint64_t orders;      /* of the due queue alone: what the clock looks at */
};

/* Into a new store, or beside what a controller has left in its own. Says how long it took. */
void filler_fill(struct ctl_store *store, const struct filler *what);

#endif
