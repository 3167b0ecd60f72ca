/* Streams of a folder's entries. */
#include "tests/support/simfs_calls.h"
#include "tests/support/simfs_impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct simfs_dir {
    struct simfs_dir *next_open;
    int fd;
    size_t at, count;
    struct dirent entry;
    uint32_t *names;
};

static struct simfs_dir *open_dirs;

bool simfs_any_dir(void)
{
    return open_dirs != NULL;
}

void simfs_rewinddir(struct simfs_dir *dir)
{
    bool is_path;
    const struct simfs_node *folder = simfs_fd_node(dir->fd, &is_path);

    free(dir->names);
    dir->at = 0;
    dir->count = folder->entry_count;
    dir->names = simfs_alloc((dir->count + 1) * sizeof *dir->names);
    for (size_t i = 0; i < dir->count; i++)
        dir->names[i] = folder->entries[i].name;
}

struct simfs_dir *simfs_fdopendir(int fd)
{
    bool is_path = false;
    const struct simfs_node *folder = simfs_fd_node(fd, &is_path);

    if (!folder || folder->kind != 'd' || is_path) {
        errno = folder && folder->kind != 'd' ? ENOTDIR : EBADF;
        return NULL;
    }
    struct simfs_dir *dir = simfs_alloc(sizeof *dir);

    dir->fd = fd;
    simfs_rewinddir(dir);
    dir->next_open = open_dirs;
    open_dirs = dir;
    return dir;
}

bool simfs_has_dir(const void *dir)
{
    for (const struct simfs_dir *at = open_dirs; at; at = at->next_open)
        if (at == dir)
            return true;
    return false;
}

struct dirent *simfs_readdir(struct simfs_dir *dir)
{
    if (dir->at == dir->count)
        return NULL;
    dir->entry = (struct dirent){.d_type = DT_UNKNOWN, .d_ino = 1};
    snprintf(dir->entry.d_name, sizeof dir->entry.d_name, "%s", simfs_name_text(dir->names[dir->at++]));
    return &dir->entry;
}

int simfs_dirfd(const struct simfs_dir *dir)
{
    return dir->fd;
}

int simfs_closedir(struct simfs_dir *dir)
{
    struct simfs_dir **at = &open_dirs;

    while (*at != dir)
        at = &(*at)->next_open;
    *at = dir->next_open;
    int status = simfs_close(dir->fd);

    free(dir->names);
    free(dir);
    return status;
}
