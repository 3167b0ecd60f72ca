/* Folders: made, synced, listed, removed, and judged. */
#include "agent/port/os_error.h"
#include "agent/port/place.h"
#include "agent/port/posix_impl.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- making */

/* CS_ENOTFOUND: nothing is there. */
static int is_folder(const struct ag_place *place, const char *path, struct cs_err *err)
{
    struct stat info;

    if (AG_AGAIN(fstatat(place->folder, place->name, &info, AT_SYMLINK_NOFOLLOW)) != 0)
        return ag_os_error(err, "cannot look at", path);
    if (S_ISDIR(info.st_mode))
        return CS_OK;
    return cs_err_set(err, CS_EEXISTS, "%s is in the way: it is %s", path,
                      S_ISLNK(info.st_mode) ? "a symbolic link; name the real path" : "no folder");
}

/* In one step, for a chmod by name could be led elsewhere, and a power cut before it would leave a folder
 * with the wrong mode for ever. The umask is the whole process's; this is its only thread that makes files.
 */
static int make_with_mode(const struct ag_place *place, unsigned mode)
{
    mode_t before = umask(0);
    int made = AG_AGAIN(mkdirat(place->folder, place->name, (mode_t)mode));
    int number = errno;

    umask(before);
    errno = number;
    return made;
}

int ag_posix_make_folder(struct ag_port *port CS_UNUSED, const char *path, unsigned mode, struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    int code = ag_place_open(path, &place, err);

    if (code)
        return code;
    const bool present = (code = is_folder(&place, path, err)) == CS_OK;

    if (code == CS_ENOTFOUND)
        code = make_with_mode(&place, mode) == 0 ? CS_OK
               : errno == EEXIST                 ? is_folder(&place, path, err)
                                                 : ag_os_error(err, "cannot make folder", path);
    if (code)
        return code;
    /* One that is there, too: whoever made it may not have come this far; unless its parent is closed to us,
     * so that it was not us. */
    code = ag_place_sync(place.folder, path, err);
    return present && code == CS_EDENIED ? CS_OK : code;
}

int ag_posix_sync_folder(struct ag_port *port CS_UNUSED, const char *path, struct cs_err *err)
{
    int fd = -1, code = ag_place_open_folder(path, &fd, err);

    if (code)
        return code;
    code = ag_place_sync(fd, path, err);
    close(fd);
    return code;
}

/* ---- listing */

/* The folder stays the caller's. */
static int open_list(int folder, const char *path, DIR **ret, struct cs_err *err)
{
    int fd = -1, code = ag_place_list(folder, path, &fd, err);

    if (code)
        return code;
    DIR *list = fdopendir(fd);

    if (!list) {
        code = ag_os_error(err, "cannot list", path);
        close(fd);
        return code;
    }
    *ret = list;
    return CS_OK;
}

/* The next entry but "." and ".."; NULL at the end, and with errno on failure. */
static const char *next_entry(DIR *list)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(list);

        if (!entry)
            return NULL;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry->d_name;
    }
}

int ag_posix_list_folder(struct ag_port *port CS_UNUSED, const char *path,
                         void (*on_entry)(void *data, const char *name), void *data, struct cs_err *err)
{
    DIR *list = NULL;
    int fd = -1, code = ag_place_open_folder(path, &fd, err);

    if (code)
        return code;
    code = open_list(fd, path, &list, err);
    close(fd);
    if (code)
        return code;
    for (const char *name; (name = next_entry(list));)
        on_entry(data, name);
    if (errno != 0)
        code = ag_os_error(err, "cannot list", path);
    closedir(list);
    return code;
}

/* ---- removing */

/* Until a pass finds nothing that it can remove: a list may leave out what is behind an entry that goes. */
static int empty_folder(int folder, const char *path, struct cs_err *err)
{
    DIR *list = NULL;
    int code = open_list(folder, path, &list, err);
    size_t removed = code ? 0 : 1;

    while (!code && removed > 0) {
        removed = 0;
        rewinddir(list);
        for (const char *name; !code && (name = next_entry(list));) {
            if (AG_AGAIN(unlinkat(folder, name, 0)) == 0)
                removed++;
            else if (errno != ENOENT)
                code = ag_os_error(err, "cannot empty folder", path);
        }
        if (!code && errno != 0 && errno != ENOENT)
            code = ag_os_error(err, "cannot list", path);
    }
    if (list)
        closedir(list);
    return code;
}

int ag_posix_remove_folder(struct ag_port *port CS_UNUSED, const char *path, struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    int code = ag_place_open(path, &place, err);

    if (code)
        return code == CS_ENOTFOUND ? CS_OK : code;
    int fd = AG_AGAIN(openat(place.folder, place.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));

    if (fd < 0 && errno == ENOTDIR)
        code = is_folder(&place, path, err);
    else if (fd < 0 && errno != ENOENT)
        code = ag_os_error(err, "cannot open folder", path);
    else if (fd >= 0)
        code = empty_folder(fd, path, err);
    if (!code && fd >= 0 && AG_AGAIN(unlinkat(place.folder, place.name, AT_REMOVEDIR)) != 0 &&
        errno != ENOENT)
        code = ag_os_error(err, "cannot remove folder", path);
    if (fd >= 0)
        close(fd);
    return code ? code : ag_place_sync(place.folder, path, err);
}

/* ---- judging */

int ag_posix_check_place(struct ag_port *port CS_UNUSED, const char *path, const char *owner,
                         struct cs_err *err)
{
    return ag_place_check(path, owner, err);
}

/* Memory without a bound, as the root of an initramfs is, counts no blocks. */
static bool is_endless(int folder)
{
    const uint32_t tmpfs = 0x01021994, ramfs = 0x858458f6; /* statfs(2) */
    struct statfs info;

    return AG_AGAIN(fstatfs(folder, &info)) == 0 && info.f_blocks == 0 &&
           ((uint32_t)info.f_type == tmpfs || (uint32_t)info.f_type == ramfs);
}

int ag_posix_room(struct ag_port *port CS_UNUSED, const char *path, uint64_t *ret_bytes, struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    struct statvfs info;
    int code = ag_place_open(path, &place, err);

    if (code)
        return code;
    if (AG_AGAIN(fstatvfs(place.folder, &info)) != 0)
        return ag_os_error(err, "cannot ask for the room beside", path);
    /* What is kept for root is not ours to fill; and without an inode no room is of use. Some file systems
     * do not count inodes. */
    const bool none = (info.f_flag & ST_RDONLY) || (info.f_files > 0 && info.f_favail == 0);

    *ret_bytes = none ? 0
                 : is_endless(place.folder)
                     ? UINT64_MAX
                     : (uint64_t)info.f_bavail * (info.f_frsize ? info.f_frsize : info.f_bsize);
    return CS_OK;
}
