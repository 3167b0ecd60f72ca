/* map.h - a table from 16-byte ids to a number or pointer: open addressing, grows by doubling. Not
 * thread-safe; who shares one guards it. The hash is seeded, for device-ids are chosen by devices. */
#ifndef CTL_FLEET_MAP_H
#define CTL_FLEET_MAP_H

#include "shared/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_map {
    struct ctl_map_slot *slots;
    size_t count, capacity; /* a power of two, or 0 */
    uint64_t seed;
};

void ctl_map_init(struct ctl_map *map);
void ctl_map_free(struct ctl_map *map);

/* False: not there. */
bool ctl_map_get(const struct ctl_map *map, const uint8_t id[16], uint64_t *ret_value);
/* Replaces what was there. CS_ENOMEM leaves the map as it was. */
CS_MUST_USE int ctl_map_set(struct ctl_map *map, const uint8_t id[16], uint64_t value);
void ctl_map_remove(struct ctl_map *map, const uint8_t id[16]);

#endif
