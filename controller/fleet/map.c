#include "controller/fleet/map.h"

#include "shared/crypto/crypto.h"

struct ctl_map_slot {
    uint8_t id[16];
    uint64_t value;
    bool used;
};

void ctl_map_init(struct ctl_map *map)
{
    *map = (struct ctl_map){0};
    cs_random(&map->seed, sizeof map->seed);
}

void ctl_map_free(struct ctl_map *map)
{
    free(map->slots);
    map->slots = NULL;
    map->count = map->capacity = 0;
}

static size_t home_of(const struct ctl_map *map, const uint8_t id[16])
{
    uint64_t half[2], mixed;

    memcpy(half, id, sizeof half);
    mixed = (half[0] ^ map->seed) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 32) ^ half[1]) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(mixed >> 32) & (map->capacity - 1);
}

/* Where the id is, or the free slot where it would go. There always is a free one. */
static size_t find(const struct ctl_map *map, const uint8_t id[16])
{
    size_t at = home_of(map, id);

    while (map->slots[at].used && memcmp(map->slots[at].id, id, 16) != 0)
        at = (at + 1) & (map->capacity - 1);
    return at;
}

static int grow(struct ctl_map *map)
{
    struct ctl_map wider = *map;

    wider.capacity = map->capacity ? map->capacity * 2 : 64;
    wider.slots = calloc(wider.capacity, sizeof *wider.slots);
    if (!wider.slots)
        return CS_ENOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].used)
            wider.slots[find(&wider, map->slots[i].id)] = map->slots[i];
    free(map->slots);
    *map = wider;
    return CS_OK;
}

bool ctl_map_get(const struct ctl_map *map, const uint8_t id[16], uint64_t *ret_value)
{
    size_t at;

    if (!map->count)
        return false;
    at = find(map, id);
    if (map->slots[at].used)
        *ret_value = map->slots[at].value;
    return map->slots[at].used;
}

int ctl_map_set(struct ctl_map *map, const uint8_t id[16], uint64_t value)
{
    size_t at;

    if ((map->count + 1) * 4 > map->capacity * 3 && grow(map) != CS_OK)
        return CS_ENOMEM;
    at = find(map, id);
    if (!map->slots[at].used) {
        memcpy(map->slots[at].id, id, 16);
        map->slots[at].used = true;
        map->count++;
    }
    map->slots[at].value = value;
    return CS_OK;
}

void ctl_map_remove(struct ctl_map *map, const uint8_t id[16])
{
    size_t hole, at;

    if (!map->count)
        return;
    hole = find(map, id);
    if (!map->slots[hole].used)
        return;
    map->count--;
    /* Those behind move up unless their home lies between the hole and them (Knuth, 6.4, algorithm R). */
    for (at = (hole + 1) & (map->capacity - 1); map->slots[at].used; at = (at + 1) & (map->capacity - 1)) {
        size_t home = home_of(map, map->slots[at].id);
        bool stays = hole < at ? home > hole && home <= at : home > hole || home <= at;

        if (stays)
            continue;
        map->slots[hole] = map->slots[at];
        hole = at;
    }
    map->slots[hole].used = false;
}
