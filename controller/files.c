#include "controller/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define auto_fd cs_auto(close_fd) int

static int from_errno(struct cs_err *err, const char *doing, const char *path)
{
    int code = errno == ENOENT                      ? CS_ENOTFOUND
               : errno == EACCES || errno == EPERM  ? CS_EDENIED
               : errno == ENOSPC || errno == EDQUOT ? CS_EFULL
                                                    : CS_EIO;

    return cs_err_set(err, code, "cannot %s %s: %s", doing, path, strerror(errno));
}

int ctl_folder_make(const char *path, mode_t mode, struct cs_err *err)
{
    struct stat info;

    if (mkdir(path, mode) == 0)
        return CS_OK;
    if (errno != EEXIST)
        return from_errno(err, "make the folder", path);
    if (stat(path, &info) != 0)
        return from_errno(err, "look at", path);
    if (!S_ISDIR(info.st_mode))
        return cs_err_set(err, CS_EEXISTS, "%s is not a folder", path);
    if (info.st_mode & (S_IWGRP | S_IWOTH))
        return cs_err_set(err, CS_EDENIED, "others may write the folder %s: take it away with chmod go-w",
                          path);
    return CS_OK;
}

int ctl_file_exists(const char *path, bool *ret, struct cs_err *err)
{
    if (access(path, F_OK) != 0 && errno != ENOENT)
        return from_errno(err, "look at", path);
    *ret = access(path, F_OK) == 0;
    return CS_OK;
}

static int read_all(int fd, const char *path, size_t size, struct cs_buf *out, struct cs_err *err)
{
    size_t end = out->len + size;

    if (cs_buf_reserve(out, size) != CS_OK)
        return cs_err_nomem(err);
    while (out->len < end) {
        ssize_t got = read(fd, out->ptr + out->len, end - out->len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return from_errno(err, "read", path);
        if (got == 0)
            return CS_OK;
        out->len += (size_t)got;
    }
    return CS_OK;
}

int ctl_file_read(const char *path, size_t most_bytes, bool secret, struct cs_buf *out, struct cs_err *err)
{
    /* Without waiting for the writer of a pipe, which is refused below. */
    auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat info;

    if (fd < 0 || fstat(fd, &info) != 0)
        return from_errno(err, "read", path);
    if (!S_ISREG(info.st_mode))
        return cs_err_set(err, CS_EINVAL, "%s is not a plain file", path);
    if (secret && (info.st_mode & (S_IRWXG | S_IRWXO)))
        return cs_err_set(err, CS_EDENIED, "others may read the key in %s: take it away with chmod 0600",
                          path);
    if ((uint64_t)info.st_size > most_bytes)
        return cs_err_set(err, CS_ETOOBIG, "%s has more than %zu bytes", path, most_bytes);
    return read_all(fd, path, (size_t)info.st_size, out, err);
}

static int write_all(int fd, struct cs_slice bytes)
{
    while (bytes.len) {
        ssize_t wrote = write(fd, bytes.ptr, bytes.len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        bytes = cs_slice_from(bytes, (size_t)wrote);
    }
    return fsync(fd);
}

static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash == path ? 1 : slash ? (int)(slash - path) : 1;

    snprintf(folder, sizeof folder, "%.*s", len, slash ? path : ".");
    auto_fd fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int ctl_file_write(const char *path, struct cs_slice bytes, struct cs_err *err)
{
    char draft[PATH_MAX];
    int fd, code;

    if (snprintf(draft, sizeof draft, "%s.new", path) >= (int)sizeof draft)
        return cs_err_set(err, CS_EINVAL, "the path is too long: %.100s…", path);
    if (unlink(draft) != 0 && errno != ENOENT)
        return from_errno(err, "replace", draft);
    fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return from_errno(err, "write", draft);
    if (write_all(fd, bytes) != 0) {
        code = from_errno(err, "write", draft);
        close(fd);
        unlink(draft);
        return code;
    }
    close(fd);
    if (rename(draft, path) != 0 || sync_folder_of(path) != 0)
        return from_errno(err, "put in place", path);
    return CS_OK;
}
