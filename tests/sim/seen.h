/* seen.h - a table from hashes to what is known of them. */
#ifndef CS_TESTS_SIM_SEEN_H
#define CS_TESTS_SIM_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen {
    struct seen_slot {
        uint64_t key; /* 0: empty */
        uint32_t value;
    } * slots;
    size_t count, room;
};

/* A place for the key's value; *ret_new: it was not there, and is 0. Valid until the next call. */
uint32_t *seen_at(struct seen *seen, uint64_t key, bool *ret_new);
void seen_free(struct seen *seen);

#endif
