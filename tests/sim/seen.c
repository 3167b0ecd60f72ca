#include "tests/sim/seen.h"

#include "tests/support/simfs_impl.h"

#include <stdlib.h>

static struct seen_slot *find(struct seen *seen, uint64_t key)
{
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u) & (seen->room - 1);

    while (seen->slots[at].key && seen->slots[at].key != key)
        at = (at + 1) & (seen->room - 1);
    return &seen->slots[at];
}

static void grow(struct seen *seen)
{
    struct seen bigger = {.room = seen->room ? 2 * seen->room : 1024, .count = seen->count};

    bigger.slots = simfs_alloc(bigger.room * sizeof *bigger.slots);
    for (size_t i = 0; i < seen->room; i++)
        if (seen->slots[i].key)
            *find(&bigger, seen->slots[i].key) = seen->slots[i];
    free(seen->slots);
    *seen = bigger;
}

uint32_t *seen_at(struct seen *seen, uint64_t key, bool *ret_new)
{
    struct seen_slot *slot;

    if (2 * (seen->count + 1) > seen->room)
        grow(seen);
    key = key ? key : 1;
    slot = find(seen, key);
    *ret_new = slot->key == 0;
    if (*ret_new) {
        *slot = (struct seen_slot){key, 0};
        seen->count++;
    }
    return &slot->value;
}

void seen_free(struct seen *seen)
{
    free(seen->slots);
    *seen = (struct seen){0};
}
