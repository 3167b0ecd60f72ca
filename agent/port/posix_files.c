/* Files: read as an application reads them, written so that there is all of one or nothing. */
#include "agent/port/beside.h"
#include "agent/port/os_error.h"
#include "agent/port/posix_impl.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- reading */

static int not_a_file(const char *path, struct cs_err *err)
{
    return cs_err_set(err, CS_ETOOBIG, "%s is no file", path);
}

/* Looks before it opens, for a FIFO would hold us and a device might do something; and looks again at what it
 * opened. `at` is 0 or AT_SYMLINK_NOFOLLOW. */
static int open_file(const struct ag_place *place, const char *path, int at, int *ret_fd, struct stat *ret,
                     struct cs_err *err)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (at ? O_NOFOLLOW : 0);

    if (AG_AGAIN(fstatat(place->folder, place->name, ret, at)) != 0)
        return ag_os_error(err, "cannot open", path);
    if (!S_ISREG(ret->st_mode))
        return not_a_file(path, err);
    int fd = AG_AGAIN(openat(place->folder, place->name, flags));

    if (fd < 0)
        return ag_os_error(err, "cannot open", path);
    int code = AG_AGAIN(fstat(fd, ret)) != 0 ? ag_os_error(err, "cannot read", path)
               : !S_ISREG(ret->st_mode)      ? not_a_file(path, err)
                                             : CS_OK;

    if (code)
        close(fd);
    else
        *ret_fd = fd;
    return code;
}

/* To the end of the file, which may have grown since it was looked at. */
static int read_rest(int fd, const char *path, size_t limit_bytes, struct cs_buf *out, struct cs_err *err)
{
    uint8_t chunk[512];
    ssize_t got = 0;
    int code = CS_OK;

    while (!code && (got = AG_AGAIN(read(fd, chunk, sizeof chunk))) > 0) {
        if ((size_t)got > limit_bytes)
            code = cs_err_set(err, CS_ETOOBIG, "%s is larger than it may be", path);
        else if (cs_buf_append(out, cs_slice(chunk, (size_t)got)) != CS_OK)
            code = cs_err_nomem(err);
        limit_bytes -= (size_t)got;
    }
    cs_wipe(chunk, sizeof chunk);
    return !code && got < 0 ? ag_os_error(err, "cannot read", path) : code;
}

/* What fstat promised goes straight into `out`, so that a key is nowhere else. */
static int read_content(int fd, const char *path, size_t size, size_t limit_bytes, struct cs_buf *out,
                        struct cs_err *err)
{
    size_t start = out->len;
    ssize_t got = 1;
    int code = CS_OK;

    if (size > limit_bytes)
        return cs_err_set(err, CS_ETOOBIG, "%s is larger than the %zu bytes that it may have", path,
                          limit_bytes);
    if (cs_buf_reserve(out, size) != CS_OK)
        return cs_err_nomem(err);
    while (out->len - start < size && got > 0) {
        got = AG_AGAIN(read(fd, out->ptr + out->len, size - (out->len - start)));
        if (got > 0)
            out->len += (size_t)got;
    }
    if (got < 0)
        code = ag_os_error(err, "cannot read", path);
    else if (got > 0)
        code = read_rest(fd, path, limit_bytes - size, out, err);
    if (code && out->len > start) {
        cs_wipe(out->ptr + start, out->len - start);
        out->len = start;
    }
    return code;
}

int ag_posix_read_file(struct ag_port *port CS_UNUSED, const char *path, size_t limit_bytes,
                       struct cs_buf *out, struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    struct stat info;
    int fd = -1, code = ag_place_open(path, &place, err);

    if (!code)
        code = open_file(&place, path, 0, &fd, &info, err);
    if (code)
        return code;
    code = read_content(fd, path, (size_t)info.st_size, limit_bytes, out, err);
    close(fd);
    return code;
}

static int64_t in_ns(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

int ag_posix_stamp_of(struct ag_port *port CS_UNUSED, const char *path, struct ag_stamp *ret,
                      struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    struct stat info;
    int code = ag_place_open(path, &place, err);

    if (code)
        return code;
    if (AG_AGAIN(fstatat(place.folder, place.name, &info, 0)) != 0) {
        errno = errno == ENOTDIR ? ENOENT : errno; /* a link that leads through a file */
        return ag_os_error(err, "cannot look at", path);
    }
    *ret = (struct ag_stamp){info.st_dev, info.st_ino, (uint64_t)info.st_size, in_ns(&info.st_mtim),
                             in_ns(&info.st_ctim)};
    return CS_OK;
}

/* ---- writing */

int ag_posix_write_file(struct ag_port *port CS_UNUSED, const char *path, struct cs_slice content,
                        const struct ag_file_look *look, struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    struct ag_look found;
    int code = ag_look_find(look, &found, err);

    if (!code)
        code = ag_place_open(path, &place, err);
    return code ? code : ag_beside_create(place.folder, place.name, path, content, &found, err);
}

static int replace(const char *path, struct cs_slice content, const struct ag_look *look, struct cs_err *err)
{
    cs_auto(ag_beside_close) struct ag_beside beside = AG_BESIDE_CLOSED;
    int code = ag_beside_open(path, &beside, err);

    if (!code)
        code = ag_beside_write(&beside, path, content, look, err);
    return code ? code : ag_beside_rename(&beside, path, err);
}

int ag_posix_replace_file(struct ag_port *port CS_UNUSED, const char *path, struct cs_slice content,
                          const struct ag_file_look *look, struct cs_err *err)
{
    struct ag_look found;
    int code = ag_look_find(look, &found, err);

    return code ? code : replace(path, content, &found, err);
}

/* ---- copying */

static int copy_file(const struct ag_place *from, const char *from_path, const char *to, size_t limit_bytes,
                     struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf content = CS_BUF_EMPTY;
    struct ag_look look;
    struct stat info;
    int fd = -1, code = open_file(from, from_path, AT_SYMLINK_NOFOLLOW, &fd, &info, err);

    if (code)
        return code;
    code = ag_look_of(fd, from_path, &info, &look, err);
    if (!code)
        code = read_content(fd, from_path, (size_t)info.st_size, limit_bytes, &content, err);
    close(fd);
    return code ? code : replace(to, cs_buf_slice(&content), &look, err);
}

/* What a relative link means depends on the folder that it is in. No link leads there, so putting the folder
 * before it does not change what it means. */
static int make_absolute(const char *from_path, char target[PATH_MAX], struct cs_err *err)
{
    char relative[PATH_MAX];
    size_t folder_len = strlen(from_path);

    if (target[0] == '/')
        return CS_OK;
    while (folder_len > 1 && from_path[folder_len - 1] == '/')
        folder_len--;
    while (folder_len > 0 && from_path[folder_len - 1] != '/')
        folder_len--;
    memcpy(relative, target, strlen(target) + 1);
    int len = snprintf(target, PATH_MAX, "%.*s%s", (int)folder_len, from_path, relative);

    return len < 0 || len >= PATH_MAX
               ? cs_err_set(err, CS_ETOOBIG, "the link %s is too long as an absolute one", from_path)
               : CS_OK;
}

static int copy_link(const struct ag_place *from, const char *from_path, const char *to, struct cs_err *err)
{
    cs_auto(ag_beside_close) struct ag_beside beside = AG_BESIDE_CLOSED;
    char target[PATH_MAX];
    ssize_t len = AG_AGAIN(readlinkat(from->folder, from->name, target, sizeof target - 1));

    if (len < 0)
        return ag_os_error(err, "cannot read the link", from_path);
    target[len] = '\0';
    int code = make_absolute(from_path, target, err);

    if (!code)
        code = ag_beside_open(to, &beside, err);
    if (!code)
        code = ag_beside_link(&beside, to, target, err);
    return code ? code : ag_beside_rename(&beside, to, err);
}

int ag_posix_copy(struct ag_port *port CS_UNUSED, const char *from, const char *to, size_t limit_bytes,
                  struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    struct stat info;
    int code = ag_place_open(from, &place, err);

    if (code)
        return code;
    if (AG_AGAIN(fstatat(place.folder, place.name, &info, AT_SYMLINK_NOFOLLOW)) != 0)
        return ag_os_error(err, "cannot copy", from);
    return S_ISLNK(info.st_mode) ? copy_link(&place, from, to, err)
                                 : copy_file(&place, from, to, limit_bytes, err);
}
