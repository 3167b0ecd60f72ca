/* sys_wrap.c - where the linker sends the system calls of a test with simfs.h: to the disk in memory if they
 * are its own, past sys_fail.h; else to the machine. */
#include "tests/support/simfs.h"
#include "tests/support/simfs_calls.h"
#include "tests/support/simfs_impl.h"
#include "tests/support/sys_fail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The real one, and the one in its place. */
#define CALL(type, name, ...)                                                                                \
    type __real_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__)

/* Passes a call on to the machine that is none of ours; else lets it fail when its time has come. */
#define PASS(ours, name, writing, failed, ...)                                                               \
    do {                                                                                                     \
        int error_;                                                                                          \
        if (!(ours))                                                                                         \
            return __real_##name(__VA_ARGS__);                                                               \
        if ((error_ = sys_fail_next(#name, (writing))) != 0) {                                               \
            errno = error_;                                                                                  \
            return (failed);                                                                                 \
        }                                                                                                    \
    } while (0)

static bool openat2_is_there;

void simfs_has_openat2(bool has)
{
    openat2_is_there = has;
}

/* ---- opening and closing */

static bool has_mode(int flags)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list rest;

    va_start(rest, flags);
    if (has_mode(flags))
        mode = va_arg(rest, mode_t);
    va_end(rest);
    PASS(simfs_has_path(AT_FDCWD, path), open, (flags & O_CREAT) != 0, -1, path, flags, mode);
    return simfs_openat(AT_FDCWD, path, flags, mode, 0);
}

int __real_openat(int from, const char *path, int flags, ...);
int __wrap_openat(int from, const char *path, int flags, ...);
int __wrap_openat(int from, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list rest;

    va_start(rest, flags);
    if (has_mode(flags))
        mode = va_arg(rest, mode_t);
    va_end(rest);
    PASS(simfs_has_path(from, path), openat, (flags & O_CREAT) != 0, -1, from, path, flags, mode);
    return simfs_openat(from, path, flags, mode, 0);
}

/* What calls become that are given a known number of arguments or room, where _FORTIFY_SOURCE is set. */
CALL(int, __open_2, const char *path, int flags)
{
    PASS(simfs_has_path(AT_FDCWD, path), __open_2, false, -1, path, flags);
    return simfs_openat(AT_FDCWD, path, flags, 0, 0);
}
CALL(int, __openat_2, int from, const char *path, int flags)
{
    PASS(simfs_has_path(from, path), __openat_2, false, -1, from, path, flags);
    return simfs_openat(from, path, flags, 0, 0);
}

static long openat2(int from, const char *path, const struct open_how *how)
{
    uint64_t flags = 0;

    if (!openat2_is_there) {
        errno = ENOSYS;
        return -1;
    }
    if (how->resolve & RESOLVE_NO_SYMLINKS)
        flags |= SIMFS_NO_LINKS;
    if (how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
        flags |= SIMFS_BENEATH;
    return simfs_openat(from, path, (int)how->flags, (mode_t)how->mode, flags);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list rest;

    va_start(rest, number);
    for (size_t i = 0; i < 6; i++)
        a[i] = va_arg(rest, long);
    va_end(rest);
    PASS(number == SYS_openat2 && simfs_has_path((int)a[0], (const char *)a[1]), syscall, false, -1, number,
         a[0], a[1], a[2], a[3], a[4], a[5]);
    return openat2((int)a[0], (const char *)a[1], (const struct open_how *)a[2]);
}

CALL(int, close, int fd)
{
    if (simfs_has_fd(fd)) {
        int error = sys_fail_next("close", false), status = simfs_close(fd);

        if (!error)
            return status;
        errno = error; /* as Linux has it: closed all the same */
        return -1;
    }
    return __real_close(fd);
}

/* ---- bytes */

#define PASS_LENGTH(fd, name, writing, ...)                                                                  \
    do {                                                                                                     \
        int error_;                                                                                          \
        if (!simfs_has_fd(fd))                                                                               \
            return __real_##name(__VA_ARGS__);                                                               \
        if ((error_ = sys_fail_shorten(#name, (writing), &len)) != 0) {                                      \
            errno = error_;                                                                                  \
            return -1;                                                                                       \
        }                                                                                                    \
    } while (0)

CALL(ssize_t, read, int fd, void *out, size_t len)
{
    PASS_LENGTH(fd, read, false, fd, out, len);
    return simfs_read(fd, out, len);
}
CALL(ssize_t, __read_chk, int fd, void *out, size_t len, size_t room)
{
    PASS_LENGTH(fd, __read_chk, false, fd, out, len, room);
    return simfs_read(fd, out, len);
}
CALL(ssize_t, pread, int fd, void *out, size_t len, off_t offset)
{
    PASS_LENGTH(fd, pread, false, fd, out, len, offset);
    return simfs_pread(fd, out, len, offset);
}
CALL(ssize_t, write, int fd, const void *bytes, size_t len)
{
    PASS_LENGTH(fd, write, true, fd, bytes, len);
    return simfs_write(fd, bytes, len);
}
CALL(int, ftruncate, int fd, off_t len)
{
    PASS(simfs_has_fd(fd), ftruncate, true, -1, fd, len);
    return simfs_ftruncate(fd, len);
}
CALL(int, fsync, int fd)
{
    PASS(simfs_has_fd(fd), fsync, true, -1, fd);
    return simfs_fsync(fd);
}
CALL(int, fdatasync, int fd)
{
    PASS(simfs_has_fd(fd), fdatasync, true, -1, fd);
    return simfs_fsync(fd);
}

/* ---- looks */

CALL(int, fstat, int fd, struct stat *ret)
{
    PASS(simfs_has_fd(fd), fstat, false, -1, fd, ret);
    return simfs_fstat(fd, ret);
}
CALL(int, fstatat, int from, const char *path, struct stat *ret, int flags)
{
    PASS(simfs_has_path(from, path), fstatat, false, -1, from, path, ret, flags);
    return simfs_fstatat(from, path, ret, flags);
}
CALL(int, lstat, const char *path, struct stat *ret)
{
    PASS(simfs_has_path(AT_FDCWD, path), lstat, false, -1, path, ret);
    return simfs_fstatat(AT_FDCWD, path, ret, AT_SYMLINK_NOFOLLOW);
}
CALL(int, stat, const char *path, struct stat *ret)
{
    PASS(simfs_has_path(AT_FDCWD, path), stat, false, -1, path, ret);
    return simfs_fstatat(AT_FDCWD, path, ret, 0);
}
CALL(int, fchmod, int fd, mode_t mode)
{
    PASS(simfs_has_fd(fd), fchmod, true, -1, fd, mode);
    return simfs_fchmod(fd, mode);
}
CALL(int, fchmodat, int from, const char *path, mode_t mode, int flags)
{
    PASS(simfs_has_path(from, path), fchmodat, true, -1, from, path, mode, flags);
    return simfs_fchmodat(from, path, mode);
}
CALL(int, fchown, int fd, uid_t uid, gid_t gid)
{
    PASS(simfs_has_fd(fd), fchown, true, -1, fd, uid, gid);
    return simfs_fchown(fd, uid, gid);
}
CALL(int, fchownat, int from, const char *path, uid_t uid, gid_t gid, int flags)
{
    PASS(simfs_has_path(from, path), fchownat, true, -1, from, path, uid, gid, flags);
    return simfs_fchownat(from, path, uid, gid, flags);
}

static int fill_room(struct statvfs *ret)
{
    *ret = (struct statvfs){.f_bsize = 4096,
                            .f_frsize = 4096,
                            .f_blocks = 1 << 20,
                            .f_bfree = 1 << 19,
                            .f_bavail = 1 << 19,
                            .f_files = 1 << 20,
                            .f_ffree = 1 << 19,
                            .f_favail = 1 << 19,
                            .f_namemax = 255};
    return 0;
}

CALL(int, statvfs, const char *path, struct statvfs *ret)
{
    PASS(simfs_has_path(AT_FDCWD, path), statvfs, false, -1, path, ret);
    return fill_room(ret);
}
CALL(int, fstatvfs, int fd, struct statvfs *ret)
{
    PASS(simfs_has_fd(fd), fstatvfs, false, -1, fd, ret);
    return fill_room(ret);
}

/* A file system without extended attributes. */
static int no_attributes(void)
{
    errno = ENOTSUP;
    return -1;
}

CALL(ssize_t, fgetxattr, int fd, const char *name, void *out, size_t size)
{
    PASS(simfs_has_fd(fd), fgetxattr, false, -1, fd, name, out, size);
    return no_attributes();
}
CALL(ssize_t, getxattr, const char *path, const char *name, void *out, size_t size)
{
    PASS(simfs_has_path(AT_FDCWD, path), getxattr, false, -1, path, name, out, size);
    return no_attributes();
}
CALL(ssize_t, lgetxattr, const char *path, const char *name, void *out, size_t size)
{
    PASS(simfs_has_path(AT_FDCWD, path), lgetxattr, false, -1, path, name, out, size);
    return no_attributes();
}
CALL(int, fsetxattr, int fd, const char *name, const void *value, size_t size, int flags)
{
    PASS(simfs_has_fd(fd), fsetxattr, true, -1, fd, name, value, size, flags);
    return no_attributes();
}

/* ---- entries */

CALL(ssize_t, readlinkat, int from, const char *path, char *out, size_t size)
{
    PASS(simfs_has_path(from, path), readlinkat, false, -1, from, path, out, size);
    return simfs_readlinkat(from, path, out, size);
}
CALL(ssize_t, __readlinkat_chk, int from, const char *path, char *out, size_t size, size_t room)
{
    PASS(simfs_has_path(from, path), __readlinkat_chk, false, -1, from, path, out, size, room);
    return simfs_readlinkat(from, path, out, size);
}
CALL(ssize_t, readlink, const char *path, char *out, size_t size)
{
    PASS(simfs_has_path(AT_FDCWD, path), readlink, false, -1, path, out, size);
    return simfs_readlinkat(AT_FDCWD, path, out, size);
}
CALL(int, symlinkat, const char *target, int to, const char *path)
{
    PASS(simfs_has_path(to, path), symlinkat, true, -1, target, to, path);
    return simfs_symlinkat(target, to, path);
}
CALL(int, renameat, int from, const char *path, int to, const char *to_path)
{
    PASS(simfs_has_path(from, path), renameat, true, -1, from, path, to, to_path);
    return simfs_renameat(from, path, to, to_path);
}
CALL(int, rename, const char *path, const char *to_path)
{
    PASS(simfs_has_path(AT_FDCWD, path), rename, true, -1, path, to_path);
    return simfs_renameat(AT_FDCWD, path, AT_FDCWD, to_path);
}
CALL(int, unlinkat, int from, const char *path, int flags)
{
    PASS(simfs_has_path(from, path), unlinkat, false, -1, from, path, flags);
    return simfs_unlinkat(from, path, flags);
}
CALL(int, mkdirat, int from, const char *path, mode_t mode)
{
    PASS(simfs_has_path(from, path), mkdirat, true, -1, from, path, mode);
    return simfs_mkdirat(from, path, mode);
}
CALL(int, linkat, int from, const char *path, int to, const char *to_path, int flags)
{
    PASS(simfs_has_path(from, path), linkat, true, -1, from, path, to, to_path, flags);
    return simfs_linkat(from, path, to, to_path);
}
CALL(int, link, const char *path, const char *to_path)
{
    PASS(simfs_has_path(AT_FDCWD, path), link, true, -1, path, to_path);
    return simfs_linkat(AT_FDCWD, path, AT_FDCWD, to_path);
}

/* ---- folders: a stream of ours is told from the C library's by its address */

CALL(DIR *, opendir, const char *path)
{
    PASS(simfs_has_path(AT_FDCWD, path), opendir, false, NULL, path);
    int fd = simfs_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0);

    return fd < 0 ? NULL : (DIR *)simfs_fdopendir(fd);
}
CALL(DIR *, fdopendir, int fd)
{
    PASS(simfs_has_fd(fd), fdopendir, false, NULL, fd);
    return (DIR *)simfs_fdopendir(fd);
}
CALL(struct dirent *, readdir, DIR *dir)
{
    PASS(simfs_has_dir(dir), readdir, false, NULL, dir);
    return simfs_readdir((struct simfs_dir *)dir);
}
CALL(void, rewinddir, DIR *dir)
{
    if (simfs_has_dir(dir))
        simfs_rewinddir((struct simfs_dir *)dir);
    else
        __real_rewinddir(dir);
}
CALL(int, dirfd, DIR *dir)
{
    return simfs_has_dir(dir) ? simfs_dirfd((struct simfs_dir *)dir) : __real_dirfd(dir);
}
CALL(int, closedir, DIR *dir)
{
    return simfs_has_dir(dir) ? simfs_closedir((struct simfs_dir *)dir) : __real_closedir(dir);
}
