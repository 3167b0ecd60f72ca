/* The overlay is a skip list: ordered, walked in both directions by searching from the top, and undone node
 * by node. Nodes, keys and values live in an arena that is freed as a whole; what a write replaces stays
 * there, so slices that were handed out stay good until the view is rewound or freed. */
#include "controller/core/view.h"

enum {
    MAX_LEVEL = 16,
    CHUNK_BYTES = 64 * 1024,
    ALIGNMENT = 16,
};

struct node {
    struct cs_slice key;
    struct cs_slice value; /* ptr NULL: deleted */
    unsigned levels;
    uint64_t mark; /* the last one since which it was written */
    struct node *next[];
};

/* How to take back one write: the value that the node had, or that it was not there. */
struct undo {
    struct node *node;
    struct cs_slice value;
    bool added;
    bool first; /* of this node since the mark */
};

struct chunk {
    struct chunk *before;
    size_t used, size;
    _Alignas(ALIGNMENT) uint8_t bytes[];
};

struct ctl_view {
    struct ctl_source source;
    struct chunk *chunks;
    struct node *head; /* has MAX_LEVEL levels and no key */
    uint64_t coin;
    uint64_t mark;     /* counts them */
    struct undo *undo; /* since the mark */
    size_t undo_count, undo_capacity;
};

static void *arena_take(struct ctl_view *view, size_t size)
{
    struct chunk *chunk = view->chunks;
    void *taken;

    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;

        chunk = malloc(sizeof *chunk + room);
        if (!chunk)
            return NULL;
        chunk->before = view->chunks;
        chunk->used = 0;
        chunk->size = room;
        view->chunks = chunk;
    }
    taken = chunk->bytes + chunk->used;
    chunk->used += size;
    return taken;
}

static struct node *node_new(struct ctl_view *view, struct cs_slice key, unsigned levels)
{
    struct node *node = arena_take(view, sizeof *node + levels * sizeof node->next[0] + key.len);
    uint8_t *copy;

    if (!node)
        return NULL;
    node->levels = levels;
    node->mark = 0;
    memset(node->next, 0, levels * sizeof node->next[0]);
    copy = (uint8_t *)&node->next[levels];
    if (key.len)
        memcpy(copy, key.ptr, key.len);
    node->key = cs_slice(copy, key.len);
    node->value = CS_SLICE_EMPTY;
    return node;
}

/* One node in four reaches the next level. The sequence is fixed: a run can be repeated exactly. */
static unsigned toss_level(struct ctl_view *view)
{
    unsigned level = 1;
    uint64_t coin;

    view->coin ^= view->coin << 13;
    view->coin ^= view->coin >> 7;
    view->coin ^= view->coin << 17;
    for (coin = view->coin; level < MAX_LEVEL && (coin & 3) == 0; coin >>= 2)
        level++;
    return level;
}

int ctl_view_new(const struct ctl_source *source, struct ctl_view **ret, struct cs_err *err)
{
    struct ctl_view *view = calloc(1, sizeof *view);

    if (!view)
        return cs_err_nomem(err);
    view->source = *source;
    view->mark = 1;
    view->coin = 0x9e3779b97f4a7c15u;
    view->head = node_new(view, CS_SLICE_EMPTY, MAX_LEVEL);
    if (!view->head) {
        ctl_view_free(view);
        return cs_err_nomem(err);
    }
    *ret = view;
    return CS_OK;
}

void ctl_view_free(struct ctl_view *view)
{
    if (!view)
        return;
    while (view->chunks) {
        struct chunk *chunk = view->chunks;

        view->chunks = chunk->before;
        free(chunk);
    }
    free(view->undo);
    free(view);
}

/* The last node before `key` (the head if there is none); before[i] is the last one on level i. */
static struct node *find_before(struct ctl_view *view, struct cs_slice key, struct node *before[MAX_LEVEL])
{
    struct node *at = view->head;

    for (int level = MAX_LEVEL - 1; level >= 0; level--) {
        while (at->next[level] && cs_slice_cmp(at->next[level]->key, key) < 0)
            at = at->next[level];
        if (before)
            before[level] = at;
    }
    return at;
}

static struct node *find(struct ctl_view *view, struct cs_slice key)
{
    struct node *node = find_before(view, key, NULL)->next[0];

    return node && cs_slice_eq(node->key, key) ? node : NULL;
}

int ctl_view_get(struct ctl_view *view, struct cs_slice key, struct cs_slice *ret_value, struct cs_err *err)
{
    const struct node *node = find(view, key);

    if (!node)
        return view->source.get(view->source.data, key, ret_value, err);
    if (!node->value.ptr)
        return cs_err_set(err, CS_ENOTFOUND, "no such record");
    *ret_value = node->value;
    return CS_OK;
}

/* Where the prefix ends: the first key behind all that begin with it. Empty: it never ends. */
static struct cs_slice prefix_end(struct cs_slice prefix, uint8_t *room)
{
    while (prefix.len && prefix.ptr[prefix.len - 1] == 0xff)
        prefix.len--;
    if (prefix.len == 0)
        return CS_SLICE_EMPTY;
    memcpy(room, prefix.ptr, prefix.len);
    room[prefix.len - 1]++;
    return cs_slice(room, prefix.len);
}

static int seek_source(struct ctl_view *view, struct cs_slice prefix, struct cs_slice from, bool reverse,
                       bool *ret_found, struct cs_slice *ret_key, struct cs_slice *ret_value,
                       struct cs_err *err)
{
    int rc = view->source.seek(view->source.data, prefix, from, reverse, ret_key, ret_value, err);

    *ret_found = rc == CS_OK;
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static int seek_forward(struct ctl_view *view, struct cs_slice prefix, struct cs_slice from,
                        struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err)
{
    struct cs_slice start = cs_slice_cmp(from, prefix) < 0 ? prefix : from;
    struct node *node = find_before(view, start, NULL)->next[0];
    struct cs_slice key, value;
    bool found;
    int rc = seek_source(view, prefix, start, false, &found, &key, &value, err);

    while (rc == CS_OK) {
        bool mine = node && cs_slice_starts_with(node->key, prefix);
        int order = !mine ? 1 : !found ? -1 : cs_slice_cmp(node->key, key);

        if (!mine && !found)
            return cs_err_set(err, CS_ENOTFOUND, "no more records");
        if (order > 0) {
            *ret_key = key;
            *ret_value = value;
            return CS_OK;
        }
        if (node->value.ptr) {
            *ret_key = node->key;
            *ret_value = node->value;
            return CS_OK;
        }
        /* Deleted here: both sides go past it. */
        if (order == 0) {
            uint8_t past[512];

            cs_assert(key.len < sizeof past);
            memcpy(past, key.ptr, key.len);
            past[key.len] = 0;
            rc = seek_source(view, prefix, cs_slice(past, key.len + 1), false, &found, &key, &value, err);
        }
        node = node->next[0];
    }
    return rc;
}

static int seek_reverse(struct ctl_view *view, struct cs_slice prefix, struct cs_slice from,
                        struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err)
{
    uint8_t room[512];
    struct cs_slice end, key, value;
    const struct node *node;
    bool found;
    int rc;

    cs_assert(prefix.len <= sizeof room);
    end = prefix_end(prefix, room);
    if (from.len == 0 || (end.len && cs_slice_cmp(end, from) < 0))
        from = end;
    /* Without an end at all, the last of everything: beyond every key that there can be. */
    if (from.len == 0) {
        memset(room, 0xff, sizeof room);
        from = cs_slice(room, sizeof room);
    }
    node = find_before(view, from, NULL);
    rc = seek_source(view, prefix, from, true, &found, &key, &value, err);

    while (rc == CS_OK) {
        bool mine = node != view->head && cs_slice_starts_with(node->key, prefix);
        int order = !mine ? -1 : !found ? 1 : cs_slice_cmp(node->key, key);

        if (!mine && !found)
            return cs_err_set(err, CS_ENOTFOUND, "no more records");
        if (order < 0) {
            *ret_key = key;
            *ret_value = value;
            return CS_OK;
        }
        if (node->value.ptr) {
            *ret_key = node->key;
            *ret_value = node->value;
            return CS_OK;
        }
        if (order == 0)
            rc = seek_source(view, prefix, key, true, &found, &key, &value, err);
        node = find_before(view, node->key, NULL);
    }
    return rc;
}

int ctl_view_seek(struct ctl_view *view, struct cs_slice prefix, struct cs_slice from, bool reverse,
                  struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err)
{
    return reverse ? seek_reverse(view, prefix, from, ret_key, ret_value, err)
                   : seek_forward(view, prefix, from, ret_key, ret_value, err);
}

static int remember(struct ctl_view *view, struct node *node, bool added)
{
    if (view->undo_count == view->undo_capacity) {
        size_t capacity = view->undo_capacity ? 2 * view->undo_capacity : 64;
        struct undo *grown = realloc(view->undo, capacity * sizeof *grown);

        if (!grown)
            return CS_ENOMEM;
        view->undo = grown;
        view->undo_capacity = capacity;
    }
    view->undo[view->undo_count++] = (struct undo){node, node->value, added, node->mark != view->mark};
    node->mark = view->mark;
    return CS_OK;
}

/* `value` is in the arena already, or empty for a deletion. */
static int write_value(struct ctl_view *view, struct cs_slice key, struct cs_slice value, struct cs_err *err)
{
    struct node *before[MAX_LEVEL];
    struct node *node = find_before(view, key, before)->next[0];
    bool added = !node || !cs_slice_eq(node->key, key);

    if (added) {
        node = node_new(view, key, toss_level(view));
        if (!node)
            return cs_err_nomem(err);
    }
    if (remember(view, node, added) != CS_OK)
        return cs_err_nomem(err);
    for (unsigned level = 0; added && level < node->levels; level++) {
        node->next[level] = before[level]->next[level];
        before[level]->next[level] = node;
    }
    node->value = value;
    return CS_OK;
}

int ctl_view_put(struct ctl_view *view, struct cs_slice key, struct cs_slice value, struct cs_err *err)
{
    uint8_t *copy = arena_take(view, value.len ? value.len : 1); /* an empty value is not a deletion */

    if (!copy)
        return cs_err_nomem(err);
    if (value.len)
        memcpy(copy, value.ptr, value.len);
    return write_value(view, key, cs_slice(copy, value.len), err);
}

int ctl_view_delete(struct ctl_view *view, struct cs_slice key, struct cs_err *err)
{
    return write_value(view, key, CS_SLICE_EMPTY, err);
}

void ctl_view_mark(struct ctl_view *view)
{
    view->undo_count = 0;
    view->mark++;
}

void ctl_view_rewind(struct ctl_view *view)
{
    while (view->undo_count) {
        const struct undo *last = &view->undo[--view->undo_count];
        struct node *before[MAX_LEVEL];

        if (!last->added) {
            last->node->value = last->value;
            continue;
        }
        find_before(view, last->node->key, before);
        for (unsigned level = 0; level < last->node->levels; level++)
            before[level]->next[level] = last->node->next[level];
    }
    view->mark++;
}

int ctl_view_marked(struct ctl_view *view, int (*each)(void *data, const struct ctl_view_write *write),
                    void *data)
{
    const size_t count = view->undo_count;
    int rc = CS_OK;

    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        const struct undo *undo = &view->undo[i];
        const struct ctl_view_write write = {
            .key = undo->node->key,
            .value = undo->node->value,
            .earlier = undo->value,
            .in_source = undo->added,
        };

        if (undo->first)
            rc = each(data, &write);
    }
    return rc;
}

int ctl_view_before(struct ctl_view *view, const struct ctl_view_write *write, struct cs_slice *ret_value,
                    struct cs_err *err)
{
    if (write->in_source)
        return view->source.get(view->source.data, write->key, ret_value, err);
    if (!write->earlier.ptr)
        return cs_err_set(err, CS_ENOTFOUND, "no such record");
    *ret_value = write->earlier;
    return CS_OK;
}

size_t ctl_view_writes(struct ctl_view *view,
                       void (*each)(void *data, struct cs_slice key, struct cs_slice value), void *data)
{
    size_t count = 0;

    for (const struct node *node = view->head->next[0]; node; node = node->next[0], count++)
        each(data, node->key, node->value);
    return count;
}
