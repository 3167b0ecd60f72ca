/* simfs_calls.h - what each system call means on the mounted disk (simfs.h), as the kernel has it: -1 and
 * errno on failure. sys_wrap.c decides which calls come here. */
#ifndef CS_TESTS_SIMFS_CALLS_H
#define CS_TESTS_SIMFS_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct dirent;

bool simfs_has_fd(int fd);
/* A path from the descriptor of a folder, or an absolute one (`from` is then AT_FDCWD). */
bool simfs_has_path(int from, const char *path);

int simfs_openat(int from, const char *path, int flags, mode_t mode, uint64_t resolve);
int simfs_close(int fd);
ssize_t simfs_read(int fd, void *out, size_t len);
ssize_t simfs_pread(int fd, void *out, size_t len, off_t offset);
ssize_t simfs_write(int fd, const void *bytes, size_t len);
int simfs_ftruncate(int fd, off_t len);
int simfs_fsync(int fd);
int simfs_fstat(int fd, struct stat *ret);
int simfs_fstatat(int from, const char *path, struct stat *ret, int flags);
ssize_t simfs_readlinkat(int from, const char *path, char *out, size_t size);
int simfs_symlinkat(const char *target, int to, const char *path);
int simfs_renameat(int from, const char *path, int to, const char *to_path);
int simfs_unlinkat(int from, const char *path, int flags);
int simfs_mkdirat(int from, const char *path, mode_t mode);
int simfs_linkat(int from, const char *path, int to, const char *to_path);
int simfs_fchmodat(int from, const char *path, mode_t mode);
int simfs_fchmod(int fd, mode_t mode);
int simfs_fchownat(int from, const char *path, uid_t uid, gid_t gid, int flags);
int simfs_fchown(int fd, uid_t uid, gid_t gid);

/* A stream of a folder's entries as they were when it was opened; takes the descriptor. */
struct simfs_dir;
struct simfs_dir *simfs_fdopendir(int fd);
bool simfs_has_dir(const void *dir);
struct dirent *simfs_readdir(struct simfs_dir *dir);
void simfs_rewinddir(struct simfs_dir *dir);
int simfs_dirfd(const struct simfs_dir *dir);
int simfs_closedir(struct simfs_dir *dir);

#endif
