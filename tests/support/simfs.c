#include "tests/support/simfs_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not to be counted or failed by alloc_fail.h: a model that runs out of memory says nothing about the agent.
 */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

void *simfs_alloc(size_t size)
{
    void *made = __real_calloc(1, size);

    cs_assert(made);
    return made;
}

void *simfs_room(void *items, size_t count, size_t *room, size_t item_bytes)
{
    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 8;
    void *grown = __real_realloc(items, *room * item_bytes);

    cs_assert(grown);
    return grown;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9u;
    return hash ^ (hash >> 32);
}

/* ---- blobs and names */

struct simfs_blob *simfs_blob(struct cs_slice bytes)
{
    struct simfs_blob *blob = __real_malloc(sizeof *blob + bytes.len);
    uint64_t word = 0;

    cs_assert(blob);
    *blob = (struct simfs_blob){.refs = 1, .len = bytes.len, .hash = mix(1, bytes.len)};
    if (bytes.len > 0)
        memcpy(blob->bytes, bytes.ptr, bytes.len);
    for (size_t i = 0; i < bytes.len; i += sizeof word) {
        word = 0;
        memcpy(&word, blob->bytes + i, bytes.len - i < sizeof word ? bytes.len - i : sizeof word);
        blob->hash = mix(blob->hash, word);
    }
    return blob;
}

struct simfs_blob *simfs_blob_ref(struct simfs_blob *blob)
{
    if (blob)
        blob->refs++;
    return blob;
}

void simfs_blob_unref(struct simfs_blob *blob)
{
    if (blob && --blob->refs == 0)
        free(blob);
}

enum { NAME_SLOTS = 4096 };

/* Open addressing; never emptied, a test has some dozens. */
static struct {
    char *text;
    size_t len;
} names[NAME_SLOTS];

uint32_t simfs_name(const char *text, size_t len)
{
    uint64_t hash = len;

    for (size_t i = 0; i < len; i++)
        hash = hash * 31 + (unsigned char)text[i];
    for (size_t slot = hash % NAME_SLOTS, tried = 0; tried < NAME_SLOTS; tried++) {
        if (!names[slot].text) {
            names[slot].text = simfs_alloc(len + 1);
            names[slot].len = len;
            memcpy(names[slot].text, text, len);
        }
        if (names[slot].len == len && memcmp(names[slot].text, text, len) == 0)
            return (uint32_t)slot + 1;
        slot = (slot + 1) % NAME_SLOTS;
    }
    cs_assert_failed("too many names", __FILE__, __LINE__);
    return 0;
}

const char *simfs_name_text(uint32_t name)
{
    return name == 0 ? "" : names[name - 1].text;
}

/* ---- disks */

simfs_id simfs_node_add(struct simfs_disk *disk, const struct simfs_node *node)
{
    disk->nodes = simfs_room(disk->nodes, disk->count, &disk->room, sizeof *disk->nodes);
    disk->nodes[disk->count] = *node;
    simfs_blob_ref(node->content);
    return (simfs_id)disk->count++;
}

struct simfs_entry *simfs_entry_find(const struct simfs_node *folder, uint32_t name)
{
    for (size_t i = 0; i < folder->entry_count; i++)
        if (folder->entries[i].name == name)
            return &folder->entries[i];
    return NULL;
}

/* Entries of its own, with room for one more. */
static void own_entries(struct simfs_node *folder)
{
    const struct simfs_entry *shared = folder->entries;

    if (folder->entry_room == 0 && folder->entry_count > 0) {
        folder->entry_room = folder->entry_count + 4;
        folder->entries = simfs_alloc(folder->entry_room * sizeof *folder->entries);
        memcpy(folder->entries, shared, folder->entry_count * sizeof *folder->entries);
    }
    if (folder->entry_room == 0)
        folder->entries = NULL;
    folder->entries =
        simfs_room(folder->entries, folder->entry_count, &folder->entry_room, sizeof *folder->entries);
}

void simfs_entry_set(struct simfs_node *folder, uint32_t name, simfs_id node)
{
    struct simfs_entry *known;
    size_t at;

    own_entries(folder);
    known = simfs_entry_find(folder, name);
    if (known && node == SIMFS_NONE) {
        at = (size_t)(known - folder->entries);
        memmove(known, known + 1, (--folder->entry_count - at) * sizeof *known);
        return;
    }
    if (known)
        known->node = node;
    if (known || node == SIMFS_NONE)
        return;
    /* In the order of the names' numbers, so that equal folders have equal hashes. */
    for (at = folder->entry_count++; at > 0 && folder->entries[at - 1].name > name; at--)
        folder->entries[at] = folder->entries[at - 1];
    folder->entries[at] = (struct simfs_entry){name, node};
}

struct simfs_disk *simfs_disk_new(void)
{
    struct simfs_disk *disk = simfs_alloc(sizeof *disk);
    const struct simfs_node folder = {
        .kind = 'd', .mode = 0755, .uid = (unsigned)geteuid(), .gid = (unsigned)getegid()};

    simfs_node_add(disk, &folder);
    simfs_entry_set(&disk->nodes[SIMFS_TOP], simfs_name("sim", 3), simfs_node_add(disk, &folder));
    return disk;
}

struct simfs_disk *simfs_disk_copy(const struct simfs_disk *disk)
{
    struct simfs_disk *copy = simfs_alloc(sizeof *copy);
    size_t entries = 0;

    for (size_t i = 0; i < disk->count; i++)
        entries += disk->nodes[i].entry_count;
    copy->count = disk->count;
    copy->room = disk->count + 8;
    copy->nodes = simfs_alloc(copy->room * sizeof *copy->nodes);
    copy->shared = simfs_alloc((entries + 1) * sizeof *copy->shared);
    memcpy(copy->nodes, disk->nodes, disk->count * sizeof *copy->nodes);
    entries = 0;
    for (size_t i = 0; i < copy->count; i++) {
        struct simfs_node *node = &copy->nodes[i];

        simfs_blob_ref(node->content);
        if (node->entry_count > 0)
            memcpy(copy->shared + entries, node->entries, node->entry_count * sizeof *node->entries);
        node->entries = copy->shared + entries;
        node->entry_room = 0;
        entries += node->entry_count;
    }
    return copy;
}

void simfs_disk_free(struct simfs_disk *disk)
{
    if (!disk)
        return;
    for (size_t i = 0; i < disk->count; i++) {
        simfs_blob_unref(disk->nodes[i].content);
        if (disk->nodes[i].entry_room > 0)
            free(disk->nodes[i].entries);
    }
    free(disk->shared);
    free(disk->nodes);
    free(disk);
}

static simfs_id keep(const struct simfs_disk *disk, simfs_id id, simfs_id *ids, struct simfs_disk *out)
{
    const struct simfs_node *old = &disk->nodes[id];
    struct simfs_node made = *old;

    if (ids[id])
        return ids[id] - 1;
    made.entries = NULL;
    made.entry_count = made.entry_room = 0;
    simfs_id kept = simfs_node_add(out, &made);

    ids[id] = kept + 1;
    for (size_t i = 0; i < old->entry_count; i++) {
        simfs_id child = keep(disk, old->entries[i].node, ids, out);

        simfs_entry_set(&out->nodes[kept], old->entries[i].name, child);
    }
    return kept;
}

struct simfs_disk *simfs_disk_tidy(const struct simfs_disk *disk)
{
    struct simfs_disk *out = simfs_alloc(sizeof *out);
    simfs_id *ids = simfs_alloc(disk->count * sizeof *ids);

    keep(disk, SIMFS_TOP, ids, out);
    free(ids);
    return out;
}

/* ---- walking all of it */

struct hashing {
    const struct simfs_disk *disk;
    uint32_t *visited; /* a node with two names is one file: 1 + when it was first seen */
    uint32_t count;
    uint64_t hash;
};

static void hash_node(struct hashing *at, simfs_id id)
{
    const struct simfs_node *node = &at->disk->nodes[id];

    at->hash = mix(at->hash, at->visited[id]);
    if (at->visited[id])
        return;
    at->visited[id] = ++at->count;
    at->hash = mix(at->hash, ((uint64_t)node->kind << 32) | node->mode);
    at->hash = mix(at->hash, ((uint64_t)node->uid << 32) | node->gid);
    at->hash = mix(at->hash, node->content ? node->content->hash : node->entry_count);
    for (size_t i = 0; i < node->entry_count; i++) {
        at->hash = mix(at->hash, node->entries[i].name);
        hash_node(at, node->entries[i].node);
    }
}

uint64_t simfs_disk_hash(const struct simfs_disk *disk)
{
    struct hashing at = {disk, simfs_alloc(disk->count * sizeof *at.visited), 0, 0};

    hash_node(&at, SIMFS_TOP);
    free(at.visited);
    return at.hash;
}

static void fill_stat(const struct simfs_node *node, struct simfs_stat *ret)
{
    *ret = (struct simfs_stat){node->kind, node->mode, node->uid, node->gid, CS_SLICE_EMPTY};
    if (node->content)
        ret->content = cs_slice(node->content->bytes, node->content->len);
}

static void walk_folder(const struct simfs_disk *disk, simfs_id id, const char *path,
                        void (*on_entry)(void *data, const char *path, const struct simfs_stat *stat),
                        void *data)
{
    const struct simfs_node *folder = &disk->nodes[id];
    struct simfs_stat stat;
    char below[1024];

    for (size_t i = 0; i < folder->entry_count; i++) {
        int len = snprintf(below, sizeof below, "%s/%s", path, simfs_name_text(folder->entries[i].name));

        cs_assert(len > 0 && (size_t)len < sizeof below);
        fill_stat(&disk->nodes[folder->entries[i].node], &stat);
        on_entry(data, below, &stat);
        if (stat.kind == 'd')
            walk_folder(disk, folder->entries[i].node, below, on_entry, data);
    }
}

void simfs_disk_walk(const struct simfs_disk *disk,
                     void (*on_entry)(void *data, const char *path, const struct simfs_stat *stat),
                     void *data)
{
    walk_folder(disk, SIMFS_TOP, "", on_entry, data);
}

bool simfs_disk_stat(const struct simfs_disk *disk, const char *path, bool follow, struct simfs_stat *ret)
{
    struct simfs_walk walk;

    if (simfs_resolve(disk, SIMFS_TOP, path, follow ? SIMFS_FOLLOW : 0, &walk) != 0 ||
        walk.node == SIMFS_NONE)
        return false;
    fill_stat(&disk->nodes[walk.node], ret);
    return true;
}

/* ---- paths */

enum { LINKS_FOLLOWED = 16, DEPTH = 32 };

struct resolving {
    const struct simfs_disk *disk;
    simfs_id above[DEPTH]; /* the way down, for ".." */
    size_t depth;
    unsigned flags, links;
};

static int resolve(struct resolving *at, const char *path, bool follow_last, struct simfs_walk *ret);

static int follow(struct resolving *at, simfs_id link, bool is_last, struct simfs_walk *ret)
{
    const struct simfs_blob *target = at->disk->nodes[link].content;
    char path[1024];

    if ((at->flags & SIMFS_NO_LINKS) || ++at->links > LINKS_FOLLOWED)
        return ELOOP;
    cs_assert(target->len < sizeof path);
    memcpy(path, target->bytes, target->len);
    path[target->len] = '\0';
    if (path[0] == '/') {
        if (at->flags & SIMFS_BENEATH)
            return EXDEV;
        at->depth = 1;
        at->above[0] = SIMFS_TOP;
    }
    int error = resolve(at, path, true, ret);

    if (!error && !is_last && ret->node == SIMFS_NONE)
        error = ENOENT;
    return error;
}

/* One step down; *ret is where it leads. */
static int step(struct resolving *at, const char *part, size_t len, bool is_last, bool follow_last,
                struct simfs_walk *ret)
{
    simfs_id folder = at->above[at->depth - 1];
    const struct simfs_entry *entry;

    if (at->disk->nodes[folder].kind != 'd')
        return ENOTDIR;
    if (len == 1 && part[0] == '.') {
        *ret = (struct simfs_walk){folder, folder, 0};
        return 0;
    }
    if (len == 2 && part[0] == '.' && part[1] == '.') {
        if (at->depth == 1 && (at->flags & SIMFS_BENEATH))
            return EXDEV;
        at->depth -= at->depth > 1;
        *ret = (struct simfs_walk){at->above[at->depth - 1], at->above[at->depth - 1], 0};
        return 0;
    }
    *ret = (struct simfs_walk){folder, SIMFS_NONE, simfs_name(part, len)};
    entry = simfs_entry_find(&at->disk->nodes[folder], ret->name);
    if (!entry)
        return is_last ? 0 : ENOENT;
    ret->node = entry->node;
    if (at->disk->nodes[entry->node].kind == 'l' && (!is_last || follow_last))
        return follow(at, entry->node, is_last, ret);
    cs_assert(at->depth < DEPTH);
    at->above[at->depth++] = entry->node;
    return 0;
}

static int resolve(struct resolving *at, const char *path, bool follow_last, struct simfs_walk *ret)
{
    bool must_be_folder = path[0] != '\0' && path[strlen(path) - 1] == '/';

    if (path[0] == '\0')
        return ENOENT;
    *ret = (struct simfs_walk){at->above[at->depth - 1], at->above[at->depth - 1], 0};
    while (*path == '/')
        path++;
    while (*path) {
        size_t len = strcspn(path, "/");
        const char *next = path + len + strspn(path + len, "/");
        int error = step(at, path, len, *next == '\0', follow_last || must_be_folder, ret);

        if (error)
            return error;
        path = next;
    }
    if (must_be_folder && ret->node != SIMFS_NONE && at->disk->nodes[ret->node].kind != 'd')
        return ENOTDIR;
    return 0;
}

int simfs_resolve(const struct simfs_disk *disk, simfs_id from, const char *path, unsigned flags,
                  struct simfs_walk *ret)
{
    struct resolving at = {.disk = disk, .above = {from}, .depth = 1, .flags = flags};

    if (path[0] == '/') {
        if (flags & SIMFS_BENEATH)
            return EXDEV;
        at.above[0] = SIMFS_TOP;
    }
    return resolve(&at, path, (flags & SIMFS_FOLLOW) != 0, ret);
}
