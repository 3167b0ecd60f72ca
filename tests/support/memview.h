/* memview.h - an ordered map in memory behind the core's `struct ctl_source`: what tests have for a store.
 * Simple on purpose (a sorted array): it is also the model that the overlay is compared with. */
#ifndef CS_TESTS_MEMVIEW_H
#define CS_TESTS_MEMVIEW_H

#include "controller/core/view.h"

struct memview_pair {
    struct cs_buf key, value;
};
struct memview {
    struct memview_pair *pairs; /* in key order */
    size_t count, capacity;
};

void memview_free(struct memview *map);
/* Borrows the map. */
struct ctl_source memview_source(struct memview *map);
void memview_put(struct memview *map, struct cs_slice key, struct cs_slice value);
void memview_delete(struct memview *map, struct cs_slice key);
/* Applies every write of the view, as a commit does. Slices from the map are invalid afterwards. */
void memview_commit(struct memview *map, struct ctl_view *view);

#endif
