#include "tests/support/memview.h"

void memview_free(struct memview *map)
{
    for (size_t i = 0; i < map->count; i++) {
        cs_buf_free(&map->pairs[i].key);
        cs_buf_free(&map->pairs[i].value);
    }
    free(map->pairs);
    *map = (struct memview){0};
}

/* The place of the first key that is not before `key`. */
static size_t lower_bound(const struct memview *map, struct cs_slice key)
{
    size_t low = 0, high = map->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (cs_slice_cmp(cs_buf_slice(&map->pairs[middle].key), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct memview *map, size_t at, struct cs_slice key)
{
    return at < map->count && cs_slice_eq(cs_buf_slice(&map->pairs[at].key), key);
}

void memview_put(struct memview *map, struct cs_slice key, struct cs_slice value)
{
    size_t at = lower_bound(map, key);

    if (!is_at(map, at, key)) {
        if (map->count == map->capacity) {
            map->capacity = map->capacity ? 2 * map->capacity : 64;
            map->pairs = realloc(map->pairs, map->capacity * sizeof *map->pairs);
            cs_assert(map->pairs);
        }
        memmove(&map->pairs[at + 1], &map->pairs[at], (map->count - at) * sizeof *map->pairs);
        map->pairs[at] = (struct memview_pair){CS_BUF_EMPTY, CS_BUF_EMPTY};
        map->count++;
        cs_assert(cs_buf_append(&map->pairs[at].key, key) == CS_OK);
    }
    cs_buf_free(&map->pairs[at].value);
    cs_assert(cs_buf_append(&map->pairs[at].value, value) == CS_OK);
}

void memview_delete(struct memview *map, struct cs_slice key)
{
    size_t at = lower_bound(map, key);

    if (!is_at(map, at, key))
        return;
    cs_buf_free(&map->pairs[at].key);
    cs_buf_free(&map->pairs[at].value);
    map->count--;
    memmove(&map->pairs[at], &map->pairs[at + 1], (map->count - at) * sizeof *map->pairs);
}

static int get(void *data, struct cs_slice key, struct cs_slice *ret_value, struct cs_err *err)
{
    const struct memview *map = data;
    size_t at = lower_bound(map, key);

    if (!is_at(map, at, key))
        return cs_err_set(err, CS_ENOTFOUND, "no such record");
    *ret_value = cs_buf_slice(&map->pairs[at].value);
    return CS_OK;
}

/* By looking at every pair in its order: slow, and plainly right. */
static int seek(void *data, struct cs_slice prefix, struct cs_slice from, bool reverse,
                struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err)
{
    const struct memview *map = data;
    const struct memview_pair *found = NULL;

    for (size_t i = reverse ? 0 : lower_bound(map, from); i < map->count; i++) {
        struct cs_slice key = cs_buf_slice(&map->pairs[i].key);

        if (reverse && from.len && cs_slice_cmp(key, from) >= 0)
            break;
        if (!cs_slice_starts_with(key, prefix))
            continue;
        found = &map->pairs[i];
        if (!reverse)
            break;
    }
    if (!found)
        return cs_err_set(err, CS_ENOTFOUND, "no more records");
    *ret_key = cs_buf_slice(&found->key);
    *ret_value = cs_buf_slice(&found->value);
    return CS_OK;
}

struct ctl_source memview_source(struct memview *map)
{
    return (struct ctl_source){map, get, seek};
}

static void apply(void *data, struct cs_slice key, struct cs_slice value)
{
    if (value.ptr)
        memview_put(data, key, value);
    else
        memview_delete(data, key);
}

void memview_commit(struct memview *map, struct ctl_view *view)
{
    ctl_view_writes(view, apply, map);
}
