#include "tests/support/simfs_calls.h"
#include "tests/support/simfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Numbers that no real descriptor has. */
enum { FIRST_FD = 1000000, FDS = 64 };

struct open_file {
    bool is_open, is_path;
    simfs_id node;
    off_t offset;
    int flags;
};

static struct {
    struct simfs_disk *disk; /* NULL: none */
    struct simfs_trace *trace;
    struct open_file fds[FDS];
    uint64_t stamp;
} mounted;

static int fail(int error)
{
    errno = error;
    return -1;
}

static struct simfs_node *node_at(simfs_id id)
{
    return &mounted.disk->nodes[id];
}

/* ---- mounting */

void simfs_mount(const struct simfs_disk *disk)
{
    cs_assert(!mounted.disk);
    mounted.disk = simfs_disk_copy(disk);
    mounted.trace = simfs_trace_new(disk);
}

struct simfs_trace *simfs_unmount(void)
{
    cs_assert(mounted.disk && !simfs_any_dir());
    for (size_t i = 0; i < FDS; i++)
        cs_assert(!mounted.fds[i].is_open);
    simfs_disk_free(cs_steal(mounted.disk));
    return cs_steal(mounted.trace);
}

const struct simfs_disk *simfs_mounted(void)
{
    return mounted.disk;
}

void simfs_mark(int mark)
{
    const struct simfs_op op = {.kind = SIMFS_OP_MARK, .mark = mark};

    simfs_log(mounted.trace, &op);
}

size_t simfs_changes(void)
{
    size_t count = 0;

    for (size_t i = 0; i < mounted.trace->op_count; i++) {
        enum simfs_op_kind kind = mounted.trace->ops[i].kind;

        count += kind != SIMFS_OP_MARK && kind != SIMFS_OP_SYNC;
    }
    return count;
}

size_t simfs_log_len(void)
{
    return mounted.trace->op_count;
}

static void happen(const struct simfs_op *op)
{
    simfs_log(mounted.trace, op);
    simfs_apply(mounted.disk, op, SIMFS_WHOLE);
    if (op->kind != SIMFS_OP_SYNC)
        node_at(op->node)->stamp = ++mounted.stamp;
}

/* ---- descriptors and paths */

static struct open_file *file_of(int fd)
{
    if (fd < FIRST_FD || fd >= FIRST_FD + FDS || !mounted.fds[fd - FIRST_FD].is_open)
        return NULL;
    return &mounted.fds[fd - FIRST_FD];
}

const struct simfs_node *simfs_fd_node(int fd, bool *ret_is_path)
{
    const struct open_file *file = file_of(fd);

    if (!file)
        return NULL;
    *ret_is_path = file->is_path;
    return node_at(file->node);
}

bool simfs_has_fd(int fd)
{
    return fd >= FIRST_FD && fd < FIRST_FD + FDS;
}

/* "/" is ours as well as what is below /sim: a walk begins there, and leaves by its first step. */
bool simfs_has_path(int from, const char *path)
{
    size_t len = strlen(SIMFS_ROOT);

    if (!mounted.disk)
        return false;
    if (path[0] == '/')
        return path[1] == '\0' ||
               (strncmp(path, SIMFS_ROOT, len) == 0 && (path[len] == '\0' || path[len] == '/'));
    return simfs_has_fd(from);
}

static int begin(int from, const char *path, simfs_id *ret)
{
    const struct open_file *file = file_of(from);

    *ret = SIMFS_TOP;
    if (path[0] == '/')
        return 0;
    if (!file)
        return EBADF;
    *ret = file->node;
    return path[0] == '\0' || node_at(file->node)->kind == 'd' ? 0 : ENOTDIR;
}

static int find(int from, const char *path, unsigned flags, struct simfs_walk *ret)
{
    simfs_id start;
    int error = begin(from, path, &start);

    return error ? error : simfs_resolve(mounted.disk, start, path, flags, ret);
}

/* What has to be there. */
static int find_node(int from, const char *path, unsigned flags, simfs_id *ret)
{
    struct simfs_walk walk = {0};
    int error = find(from, path, flags, &walk);

    if (!error && walk.node == SIMFS_NONE)
        error = ENOENT;
    if (!error)
        *ret = walk.node;
    return error;
}

/* ---- opening */

static int take_fd(simfs_id node, int flags)
{
    for (int i = 0; i < FDS; i++) {
        if (mounted.fds[i].is_open)
            continue;
        mounted.fds[i] = (struct open_file){true, (flags & O_PATH) != 0, node, 0, flags};
        return FIRST_FD + i;
    }
    return fail(EMFILE);
}

/* A node and the entry that leads to it. */
static simfs_id make_node(const struct simfs_walk *where, const struct simfs_node *node)
{
    simfs_id made = simfs_node_add(mounted.disk, node);
    const struct simfs_op op = {
        .kind = SIMFS_OP_ENTRY, .node = where->folder, .name = where->name, .target = made};

    simfs_log_born(mounted.trace, node);
    happen(&op);
    return made;
}

static struct simfs_node new_node(char kind, mode_t mode)
{
    return (struct simfs_node){.kind = kind,
                               .mode = (unsigned)mode & 07777,
                               .uid = (unsigned)geteuid(),
                               .gid = (unsigned)getegid(),
                               .stamp = ++mounted.stamp};
}

static int create(const struct simfs_walk *where, mode_t mode, simfs_id *ret)
{
    mode_t mask = umask(0);
    struct simfs_node node = new_node('f', mode & ~mask);

    umask(mask);
    if (where->name == 0)
        return EISDIR;
    node.content = simfs_blob(CS_SLICE_EMPTY);
    *ret = make_node(where, &node);
    simfs_blob_unref(node.content);
    return 0;
}

static int check_open(const struct simfs_node *node, int flags)
{
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return EEXIST;
    if (node->kind == 'l' && !(flags & O_PATH))
        return ELOOP;
    if ((flags & O_DIRECTORY) && node->kind != 'd')
        return ENOTDIR;
    return node->kind == 'd' && (flags & O_ACCMODE) != O_RDONLY ? EISDIR : 0;
}

int simfs_openat(int from, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    bool follow = !(flags & O_NOFOLLOW) && !((flags & O_CREAT) && (flags & O_EXCL));
    unsigned how = (follow ? SIMFS_FOLLOW : 0) | (unsigned)resolve;
    struct simfs_walk walk = {0};
    int error = find(from, path, how, &walk);

    if (!error && walk.node == SIMFS_NONE)
        error = flags & O_CREAT ? create(&walk, mode, &walk.node) : ENOENT;
    else if (!error)
        error = check_open(node_at(walk.node), flags);
    if (error)
        return fail(error);
    if ((flags & O_TRUNC) && node_at(walk.node)->kind == 'f' && node_at(walk.node)->content->len > 0)
        happen(&(struct simfs_op){.kind = SIMFS_OP_TRUNCATE, .node = walk.node});
    return take_fd(walk.node, flags);
}

int simfs_close(int fd)
{
    struct open_file *file = file_of(fd);

    if (!file)
        return fail(EBADF);
    file->is_open = false;
    return 0;
}

/* ---- bytes */

static int bytes_of(int fd, char access, struct open_file **ret)
{
    struct open_file *file = file_of(fd);

    if (!file || file->is_path || (access == 'w' && (file->flags & O_ACCMODE) == O_RDONLY))
        return EBADF;
    *ret = file;
    return node_at(file->node)->kind == 'd' ? EISDIR : 0;
}

ssize_t simfs_pread(int fd, void *out, size_t len, off_t offset)
{
    struct open_file *file = NULL;
    int error = bytes_of(fd, 'r', &file);

    if (error)
        return fail(error);
    const struct simfs_blob *content = node_at(file->node)->content;
    size_t left = (size_t)offset < content->len ? content->len - (size_t)offset : 0;

    if (len > left)
        len = left;
    if (len > 0)
        memcpy(out, content->bytes + offset, len);
    return (ssize_t)len;
}

ssize_t simfs_read(int fd, void *out, size_t len)
{
    const struct open_file *file = file_of(fd);
    ssize_t got = simfs_pread(fd, out, len, file ? file->offset : 0);

    if (got > 0)
        file_of(fd)->offset += got;
    return got;
}

ssize_t simfs_write(int fd, const void *bytes, size_t len)
{
    struct open_file *file = NULL;
    int error = bytes_of(fd, 'w', &file);

    if (error)
        return fail(error);
    if (len == 0)
        return 0;
    if (file->flags & O_APPEND)
        file->offset = (off_t)node_at(file->node)->content->len;
    struct simfs_op op = {
        .kind = SIMFS_OP_WRITE, .node = file->node, .offset = (uint64_t)file->offset, .bytes = NULL};

    op.bytes = simfs_blob(cs_slice(bytes, len));
    happen(&op);
    simfs_blob_unref(op.bytes);
    file->offset += (off_t)len;
    return (ssize_t)len;
}

int simfs_ftruncate(int fd, off_t len)
{
    struct open_file *file = NULL;
    int error = bytes_of(fd, 'w', &file);

    if (error)
        return fail(error);
    happen(&(struct simfs_op){.kind = SIMFS_OP_TRUNCATE, .node = file->node, .offset = (uint64_t)len});
    return 0;
}

int simfs_fsync(int fd)
{
    const struct open_file *file = file_of(fd);

    if (!file || file->is_path)
        return fail(EBADF);
    happen(&(struct simfs_op){.kind = SIMFS_OP_SYNC, .node = file->node});
    return 0;
}

/* ---- looks */

static nlink_t names_of(simfs_id id)
{
    nlink_t count = 0;

    for (size_t i = 0; i < mounted.disk->count; i++)
        for (size_t k = 0; k < mounted.disk->nodes[i].entry_count; k++)
            count += mounted.disk->nodes[i].entries[k].node == id;
    return count;
}

static void fill_stat(simfs_id id, struct stat *ret)
{
    const struct simfs_node *node = node_at(id);

    memset(ret, 0, sizeof *ret);
    ret->st_dev = 77;
    ret->st_ino = id + 1;
    ret->st_mode = node->mode | (mode_t)(node->kind == 'f' ? S_IFREG : node->kind == 'd' ? S_IFDIR : S_IFLNK);
    ret->st_nlink = names_of(id);
    ret->st_uid = node->uid;
    ret->st_gid = node->gid;
    ret->st_size = node->content ? (off_t)node->content->len : 0;
    ret->st_mtim.tv_sec = ret->st_ctim.tv_sec = (time_t)node->stamp;
}

int simfs_fstat(int fd, struct stat *ret)
{
    const struct open_file *file = file_of(fd);

    if (!file)
        return fail(EBADF);
    fill_stat(file->node, ret);
    return 0;
}

int simfs_fstatat(int from, const char *path, struct stat *ret, int flags)
{
    simfs_id node;
    int error;

    if (path[0] == '\0' && (flags & AT_EMPTY_PATH))
        return simfs_fstat(from, ret);
    error = find_node(from, path, flags & AT_SYMLINK_NOFOLLOW ? 0 : SIMFS_FOLLOW, &node);
    if (error)
        return fail(error);
    fill_stat(node, ret);
    return 0;
}

static int set_look(simfs_id id, unsigned mode, unsigned uid, unsigned gid)
{
    happen(&(struct simfs_op){.kind = SIMFS_OP_LOOK, .node = id, .mode = mode, .uid = uid, .gid = gid});
    return 0;
}

static int set_owner(simfs_id id, uid_t uid, gid_t gid)
{
    const struct simfs_node *node = node_at(id);

    return set_look(id, node->mode, uid == (uid_t)-1 ? node->uid : uid, gid == (gid_t)-1 ? node->gid : gid);
}

int simfs_fchmodat(int from, const char *path, mode_t mode)
{
    simfs_id node;
    int error = find_node(from, path, SIMFS_FOLLOW, &node);

    return error ? fail(error) : set_look(node, mode & 07777, node_at(node)->uid, node_at(node)->gid);
}

int simfs_fchmod(int fd, mode_t mode)
{
    const struct open_file *file = file_of(fd);

    if (!file || file->is_path)
        return fail(EBADF);
    return set_look(file->node, mode & 07777, node_at(file->node)->uid, node_at(file->node)->gid);
}

int simfs_fchownat(int from, const char *path, uid_t uid, gid_t gid, int flags)
{
    simfs_id node;
    int error = find_node(from, path, flags & AT_SYMLINK_NOFOLLOW ? 0 : SIMFS_FOLLOW, &node);

    return error ? fail(error) : set_owner(node, uid, gid);
}

int simfs_fchown(int fd, uid_t uid, gid_t gid)
{
    const struct open_file *file = file_of(fd);

    return !file || file->is_path ? fail(EBADF) : set_owner(file->node, uid, gid);
}

/* ---- entries */

ssize_t simfs_readlinkat(int from, const char *path, char *out, size_t size)
{
    simfs_id node = 0;
    int error = 0;

    if (path[0] == '\0' && file_of(from))
        node = file_of(from)->node;
    else
        error = find_node(from, path, 0, &node);
    if (!error && node_at(node)->kind != 'l')
        error = EINVAL;
    if (error)
        return fail(error);
    const struct simfs_blob *target = node_at(node)->content;
    size_t len = target->len < size ? target->len : size;

    memcpy(out, target->bytes, len);
    return (ssize_t)len;
}

/* Where something new goes. */
static int find_place(int from, const char *path, struct simfs_walk *ret)
{
    int error = find(from, path, 0, ret);

    return error ? error : ret->name == 0 || ret->node != SIMFS_NONE ? EEXIST : 0;
}

int simfs_symlinkat(const char *target, int to, const char *path)
{
    struct simfs_node node = new_node('l', 0777);
    struct simfs_walk walk;
    int error = find_place(to, path, &walk);

    if (error)
        return fail(error);
    node.content = simfs_blob(cs_slice_str(target));
    make_node(&walk, &node);
    simfs_blob_unref(node.content);
    return 0;
}

int simfs_mkdirat(int from, const char *path, mode_t mode)
{
    mode_t mask = umask(0);
    struct simfs_node node = new_node('d', mode & ~mask);
    struct simfs_walk walk;
    int error = find_place(from, path, &walk);

    umask(mask);
    if (error)
        return fail(error);
    make_node(&walk, &node);
    return 0;
}

int simfs_linkat(int from, const char *path, int to, const char *to_path)
{
    struct simfs_walk walk;
    simfs_id node;
    int error = find_node(from, path, 0, &node);

    if (!error)
        error = find_place(to, to_path, &walk);
    if (!error && node_at(node)->kind == 'd')
        error = EPERM;
    if (error)
        return fail(error);
    happen(
        &(struct simfs_op){.kind = SIMFS_OP_ENTRY, .node = walk.folder, .name = walk.name, .target = node});
    return 0;
}

static int check_over(const struct simfs_node *moved, simfs_id over)
{
    const struct simfs_node *old = over == SIMFS_NONE ? NULL : node_at(over);

    if (!old)
        return 0;
    if (old->kind == 'd' && moved->kind != 'd')
        return EISDIR;
    if (old->kind != 'd' && moved->kind == 'd')
        return ENOTDIR;
    return old->kind == 'd' && old->entry_count > 0 ? ENOTEMPTY : 0;
}

int simfs_renameat(int from, const char *path, int to, const char *to_path)
{
    struct simfs_walk what = {0}, where = {0};
    int error = find(from, path, 0, &what);

    if (!error && what.node == SIMFS_NONE)
        error = ENOENT;
    if (!error)
        error = find(to, to_path, 0, &where);
    if (!error && (what.name == 0 || where.name == 0))
        error = EBUSY;
    if (!error)
        error = check_over(node_at(what.node), where.node);
    if (error)
        return fail(error);
    if (what.node == where.node) /* two names of one file: POSIX leaves both */
        return 0;
    happen(&(struct simfs_op){.kind = SIMFS_OP_RENAME,
                              .node = what.folder,
                              .name = what.name,
                              .to_node = where.folder,
                              .to_name = where.name,
                              .target = what.node});
    return 0;
}

int simfs_unlinkat(int from, const char *path, int flags)
{
    struct simfs_walk walk;
    int error = find(from, path, 0, &walk);

    if (!error && walk.node == SIMFS_NONE)
        error = ENOENT;
    if (!error && walk.name == 0)
        error = EBUSY;
    if (!error) {
        const struct simfs_node *node = node_at(walk.node);

        if (node->kind == 'd' && !(flags & AT_REMOVEDIR))
            error = EISDIR;
        else if (node->kind != 'd' && (flags & AT_REMOVEDIR))
            error = ENOTDIR;
        else if (node->entry_count > 0)
            error = ENOTEMPTY;
    }
    if (error)
        return fail(error);
    happen(&(struct simfs_op){
        .kind = SIMFS_OP_ENTRY, .node = walk.folder, .name = walk.name, .target = SIMFS_NONE});
    return 0;
}
