/* simfs_impl.h - what the files of simfs.h share: simfs.c knows disks, simfs_log.c the log and the disks that
 * follow from it, simfs_calls.c and simfs_dir.c the system calls' meaning, sys_wrap.c how they get there. */
#ifndef CS_TESTS_SIMFS_IMPL_H
#define CS_TESTS_SIMFS_IMPL_H

#include "tests/support/simfs.h"

#include "shared/base/macros.h"

/* Immutable, counted. */
struct simfs_blob {
    unsigned refs;
    uint64_t hash;
    size_t len;
    uint8_t bytes[];
};
struct simfs_blob *simfs_blob(struct cs_slice bytes);
struct simfs_blob *simfs_blob_ref(struct simfs_blob *blob);
void simfs_blob_unref(struct simfs_blob *blob);

typedef uint32_t simfs_id; /* a node's place in its disk; SIMFS_NONE: there is none */
enum { SIMFS_NONE = UINT32_MAX, SIMFS_TOP = 0 };

/* Names are numbers: equal ones have the same. */
uint32_t simfs_name(const char *text, size_t len);
const char *simfs_name_text(uint32_t name);

struct simfs_entry {
    uint32_t name;
    simfs_id node;
};

struct simfs_node {
    char kind;
    unsigned mode, uid, gid;
    uint64_t stamp;              /* changes with each change; in no hash */
    struct simfs_blob *content;  /* of files and links */
    struct simfs_entry *entries; /* in the disk's `shared` with room 0, or its own */
    size_t entry_count, entry_room;
};

/* nodes[SIMFS_TOP] is "/". Nodes that no entry leads to may lie about. */
struct simfs_disk {
    struct simfs_node *nodes;
    size_t count, room;
    struct simfs_entry *shared; /* of all folders that were not changed since the disk was copied */
};

/* A copy without what no entry leads to. */
struct simfs_disk *simfs_disk_tidy(const struct simfs_disk *disk);
simfs_id simfs_node_add(struct simfs_disk *disk, const struct simfs_node *node); /* takes a ref of content */
struct simfs_entry *simfs_entry_find(const struct simfs_node *folder, uint32_t name);
void simfs_entry_set(struct simfs_node *folder, uint32_t name, simfs_id node); /* SIMFS_NONE: goes */

enum simfs_op_kind {
    SIMFS_OP_ENTRY,  /* `name` in the folder `node` leads to `target`, or goes */
    SIMFS_OP_RENAME, /* from `name` in `node` to `to_name` in `to_node`, which leads to `target` then */
    SIMFS_OP_WRITE,
    SIMFS_OP_TRUNCATE,
    SIMFS_OP_LOOK,
    SIMFS_OP_SYNC,
    SIMFS_OP_MARK,
};

struct simfs_op {
    enum simfs_op_kind kind;
    simfs_id node, to_node, target;
    uint32_t name, to_name;
    uint64_t offset; /* of a write; the length after a truncation */
    struct simfs_blob *bytes;
    unsigned mode, uid, gid;
    int mark;
    size_t durable_at; /* index of the sync, SIZE_MAX: never */
};

struct simfs_trace {
    struct simfs_disk *base;
    struct simfs_node *born; /* nodes made since, as they were made; ids go on behind the base's */
    size_t born_count, born_room;
    struct simfs_op *ops;
    size_t op_count, op_room;
};

enum simfs_tear { SIMFS_WHOLE, SIMFS_FIRST_BYTE, SIMFS_HALF, SIMFS_ALL_BUT_ONE, SIMFS_ZEROS, SIMFS_TEARS };
void simfs_apply(struct simfs_disk *disk, const struct simfs_op *op, enum simfs_tear tear);
/* Appends; a sync makes durable what it does. Takes a ref of op->bytes. */
void simfs_log(struct simfs_trace *trace, const struct simfs_op *op);
void simfs_log_born(struct simfs_trace *trace, const struct simfs_node *node);
struct simfs_trace *simfs_trace_new(const struct simfs_disk *base);

/* Which node a path leads to. */
struct simfs_walk {
    simfs_id folder, node; /* node SIMFS_NONE: the folder has no such entry */
    uint32_t name;         /* in the folder; 0 for "." and "/" */
};
enum { SIMFS_FOLLOW = 1, SIMFS_NO_LINKS = 2, SIMFS_BENEATH = 4 };
/* 0 or an errno. */
int simfs_resolve(const struct simfs_disk *disk, simfs_id from, const char *path, unsigned flags,
                  struct simfs_walk *ret);

/* Of an open descriptor; NULL: it is none. */
const struct simfs_node *simfs_fd_node(int fd, bool *ret_is_path);
/* Streams that were not closed. */
bool simfs_any_dir(void);

void *simfs_alloc(size_t size);
/* Doubles an array when it is full. */
void *simfs_room(void *items, size_t count, size_t *room, size_t item_bytes);

#endif
