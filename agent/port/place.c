#include "agent/port/place.h"

#include "agent/port/look.h"
#include "agent/port/os_error.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_PATH: a folder that we may pass through and not list is good enough. */
enum { FOLDER_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static enum ag_walk walk_by = AG_WALK_KERNEL;
static bool unsure;

void ag_place_walk_by(enum ag_walk walk)
{
    walk_by = walk;
}

enum ag_walk ag_place_walk(void)
{
    return walk_by;
}

/* ---- a path's text */

/* `path` up to `folder_len` is the folder; nothing stands for "/". */
struct parts {
    const char *path;
    size_t folder_len, name_at, name_len;
};

static size_t without_slashes(const char *path, size_t len)
{
    while (len > 0 && path[len - 1] == '/')
        len--;
    return len;
}

/* Refused rather than resolved: what ".." means depends on what the folder before it is. */
static bool goes_up(const char *path)
{
    for (const char *at = path; *at;) {
        size_t len = strcspn(at, "/");

        if (len == 2 && memcmp(at, "..", 2) == 0)
            return true;
        at += len + strspn(at + len, "/");
    }
    return false;
}

static int check_text(const char *path, struct cs_err *err)
{
    if (path[0] != '/')
        return cs_err_set(err, CS_EINVAL, "the path %s is not absolute", path);
    if (strlen(path) >= PATH_MAX)
        return cs_err_set(err, CS_ETOOBIG, "the path is too long: %s", path);
    if (goes_up(path))
        return cs_err_set(err, CS_EINVAL, "the path %s has \"..\" in it: name the real path", path);
    return CS_OK;
}

static int split(const char *path, struct parts *ret, struct cs_err *err)
{
    int code = check_text(path, err);

    if (code)
        return code;
    size_t len = without_slashes(path, strlen(path)), at = len;

    while (at > 0 && path[at - 1] != '/')
        at--;
    if (at == len || (len - at == 1 && path[at] == '.'))
        return cs_err_set(err, CS_EINVAL, "the path %s names no file", path);
    if (len - at > NAME_MAX)
        return cs_err_set(err, CS_ETOOBIG, "the name is too long: %s", path + at);
    *ret = (struct parts){path, without_slashes(path, at), at, len - at};
    return CS_OK;
}

/* ---- the walk */

struct visitor {
    int (*visit)(void *data, int folder, const char *path, bool last, struct cs_err *err);
    void *data;
};

/* The kernel's own, of Linux 5.6; not every C library's headers have it. */
struct open_how_v0 {
    uint64_t flags, mode, resolve;
};
enum { NO_SYMLINKS = 0x04, BENEATH = 0x08 };

/* -1 where the kernel cannot, or the path cannot be walked so: then the steps say why. */
static int walk_at_once(const char *path, size_t len)
{
    int fd = -1;
#ifdef SYS_openat2
    const struct open_how_v0 how = {FOLDER_FLAGS, 0, NO_SYMLINKS | BENEATH};
    char below[PATH_MAX];
    size_t skip = strspn(path, "/");
    int root = AG_AGAIN(open("/", FOLDER_FLAGS));

    if (root < 0)
        return -1;
    len = len > skip ? len - skip : 0;
    memcpy(below, len > 0 ? path + skip : ".", len > 0 ? len : 1);
    below[len > 0 ? len : 1] = '\0';
    fd = (int)AG_AGAIN(syscall(SYS_openat2, root, below, &how, sizeof how));
    /* A filter of system calls may answer EPERM for what it does not know. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        walk_by = AG_WALK_STEPS;
    close(root);
#else
    (void)path;
    (void)len;
    walk_by = AG_WALK_STEPS;
#endif
    return fd;
}

static int explain(int folder, const char *name, const char *path, struct cs_err *err)
{
    int number = errno;
    struct stat info;

    if (AG_AGAIN(fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW)) == 0) {
        if (S_ISLNK(info.st_mode))
            return cs_err_set(err, CS_EDENIED,
                              "%s is a symbolic link: the agent follows none on the way to a file; name the "
                              "real path",
                              path);
        if (!S_ISDIR(info.st_mode))
            return cs_err_set(err, CS_ENOTFOUND, "%s is no folder", path);
    }
    errno = number;
    return ag_os_error(err, "cannot open folder", path);
}

/* One folder further: *folder becomes the next. `path` is the way up to it. */
static int step(int *folder, const char *path, size_t name_at, struct cs_err *err)
{
    const char *name = path + name_at;

    if (strlen(name) > NAME_MAX)
        return cs_err_set(err, CS_ETOOBIG, "the name is too long: %s", name);
    int next = AG_AGAIN(openat(*folder, name, FOLDER_FLAGS));

    if (next < 0)
        return explain(*folder, name, path, err);
    close(*folder);
    *folder = next;
    return CS_OK;
}

static int visit(const struct visitor *visitor, int folder, const char *path, bool last, struct cs_err *err)
{
    return visitor ? visitor->visit(visitor->data, folder, path, last, err) : CS_OK;
}

static int walk_by_steps(const char *path, size_t len, const struct visitor *visitor, int *ret_fd,
                         struct cs_err *err)
{
    char way[PATH_MAX];
    size_t end = 0;
    int fd = AG_AGAIN(open("/", FOLDER_FLAGS));

    if (fd < 0)
        return ag_os_error(err, "cannot open folder", "/");
    int code = visit(visitor, fd, "/", without_slashes(path, len) == 0, err);

    while (!code) {
        size_t start = end + strspn(path + end, "/");

        if (start >= len)
            break;
        end = start + strcspn(path + start, "/");
        memcpy(way, path, end);
        way[end] = '\0';
        code = step(&fd, way, start, err);
        if (!code)
            code = visit(visitor, fd, way, end >= without_slashes(path, len), err);
    }
    if (code)
        close(fd);
    else
        *ret_fd = fd;
    return code;
}

static int walk(const char *path, size_t len, int *ret_fd, struct cs_err *err)
{
    int fd = walk_by == AG_WALK_KERNEL ? walk_at_once(path, len) : -1;

    if (fd < 0)
        return walk_by_steps(path, len, NULL, ret_fd, err);
    *ret_fd = fd;
    return CS_OK;
}

int ag_place_open(const char *path, struct ag_place *ret, struct cs_err *err)
{
    struct parts parts;
    int fd = -1, code = split(path, &parts, err);

    if (!code)
        code = walk(path, parts.folder_len, &fd, err);
    if (code)
        return code;
    ret->folder = fd;
    memcpy(ret->name, path + parts.name_at, parts.name_len);
    ret->name[parts.name_len] = '\0';
    return CS_OK;
}

void ag_place_close(struct ag_place *place)
{
    if (place->folder >= 0)
        close(place->folder);
    place->folder = -1;
}

int ag_place_open_folder(const char *path, int *ret_fd, struct cs_err *err)
{
    int code = check_text(path, err);

    return code ? code : walk(path, strlen(path), ret_fd, err);
}

int ag_place_list(int folder, const char *path, int *ret_fd, struct cs_err *err)
{
    int fd = AG_AGAIN(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    if (fd < 0)
        return ag_os_error(err, "cannot open folder", path);
    *ret_fd = fd;
    return CS_OK;
}

int ag_place_sync(int folder, const char *path, struct cs_err *err)
{
    int fd = -1, code = ag_place_list(folder, path, &fd, err);

    if (code)
        return code;
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS) {
        unsure = true;
        code = ag_os_error(err, "cannot sync the folder of", path);
    }
    close(fd);
    return code;
}

bool ag_place_is_unsure(void)
{
    return unsure;
}

/* ---- whose folders they are */

struct owners {
    const char *name; /* whom the last folder may belong to, besides root and us; NULL: nobody */
    unsigned uid;
};

static int check_folder(void *data, int folder, const char *path, bool last, struct cs_err *err)
{
    const struct owners *owners = data;
    struct stat info;

    if (AG_AGAIN(fstat(folder, &info)) != 0)
        return ag_os_error(err, "cannot look at", path);
    if (info.st_uid != 0 && info.st_uid != geteuid() && !(last && owners->name && info.st_uid == owners->uid))
        return cs_err_set(err, CS_EDENIED,
                          "%s belongs to user %u, who could put something else there: chown it to root%s%s",
                          path, (unsigned)info.st_uid, last && owners->name ? " or " : "",
                          last && owners->name ? owners->name : "");
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) && !(info.st_mode & S_ISVTX))
        return cs_err_set(err, CS_EDENIED,
                          "%s can be written by others than its owner, who could put something else there: "
                          "chmod go-w it",
                          path);
    return CS_OK;
}

int ag_place_check(const char *path, const char *owner, struct cs_err *err)
{
    struct parts parts;
    struct owners owners = {owner, 0};
    const struct visitor visitor = {check_folder, &owners};
    int fd = -1, code = split(path, &parts, err);

    if (!code && owner)
        code = ag_look_find_user(owner, &owners.uid, err);
    if (!code)
        code = walk_by_steps(path, parts.folder_len, &visitor, &fd, err);
    if (!code)
        close(fd);
    else if (code == CS_ENOTFOUND && err)
        cs_err_prefix(err, "no file can be put at %s", path);
    return code;
}
