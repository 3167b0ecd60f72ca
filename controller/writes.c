#include "controller/writes.h"

void ctl_writes_free(struct ctl_writes *writes)
{
    free(writes->list);
    *writes = (struct ctl_writes){0};
}

static void collect(void *data, struct cs_slice key, struct cs_slice value)
{
    struct ctl_writes *writes = data;

    if (writes->count == writes->capacity) {
        size_t capacity = writes->capacity ? 2 * writes->capacity : 256;
        struct ctl_write *grown = realloc(writes->list, capacity * sizeof *grown);

        if (!grown) {
            writes->out_of_memory = true;
            return;
        }
        writes->list = grown;
        writes->capacity = capacity;
    }
    writes->list[writes->count++] = (struct ctl_write){key, value};
}

int ctl_writes_commit(struct ctl_writes *writes, struct ctl_view *view, struct ctl_store *store,
                      struct cs_err *err)
{
    writes->count = 0;
    writes->out_of_memory = false;
    ctl_view_writes(view, collect, writes);
    if (writes->out_of_memory)
        return cs_err_nomem(err);
    return writes->count ? ctl_store_commit(store, writes->list, writes->count, err) : CS_OK;
}
