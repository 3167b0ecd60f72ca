/* Links, and what is there without following them. */
#include "agent/port/beside.h"
#include "agent/port/os_error.h"
#include "agent/port/posix_impl.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int ag_posix_look_at(struct ag_port *port CS_UNUSED, const char *path, enum ag_entry_kind *ret,
                     struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    struct stat info = {0};
    int code = ag_place_open(path, &place, err);

    if (!code && AG_AGAIN(fstatat(place.folder, place.name, &info, AT_SYMLINK_NOFOLLOW)) != 0)
        code = ag_os_error(err, "cannot look at", path);
    if (code && code != CS_ENOTFOUND)
        return code;
    *ret = code                    ? AG_ENTRY_ABSENT
           : S_ISREG(info.st_mode) ? AG_ENTRY_FILE
           : S_ISDIR(info.st_mode) ? AG_ENTRY_FOLDER
           : S_ISLNK(info.st_mode) ? AG_ENTRY_LINK
                                   : AG_ENTRY_OTHER;
    return CS_OK;
}

int ag_posix_read_link(struct ag_port *port CS_UNUSED, const char *path, char *ret, size_t size,
                       struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    char target[PATH_MAX];
    int code = ag_place_open(path, &place, err);

    if (code)
        return code;
    ssize_t len = AG_AGAIN(readlinkat(place.folder, place.name, target, sizeof target));

    if (len < 0)
        return ag_os_error(err, "cannot read the link", path);
    if ((size_t)len >= size || (size_t)len >= sizeof target)
        return cs_err_set(err, CS_ETOOBIG, "the link %s is too long", path);
    memcpy(ret, target, (size_t)len);
    ret[len] = '\0';
    return CS_OK;
}

/* Asked first, for there is nothing to write then: the folder may be on a file system that is read-only. */
static bool leads_there(const struct ag_place *place, const char *target)
{
    char now[PATH_MAX];
    ssize_t len = AG_AGAIN(readlinkat(place->folder, place->name, now, sizeof now));

    return len >= 0 && (size_t)len == strlen(target) && memcmp(now, target, (size_t)len) == 0;
}

int ag_posix_switch_link(struct ag_port *port CS_UNUSED, const char *path, const char *target,
                         struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    cs_auto(ag_beside_close) struct ag_beside beside = AG_BESIDE_CLOSED;
    int code = ag_place_open(path, &place, err);

    if (code)
        return code;
    /* After a sync that failed only a new rename brings the entry to the disk for sure. */
    if (leads_there(&place, target) && !ag_place_is_unsure())
        return ag_place_sync(place.folder, path, err);
    code = ag_beside_open(path, &beside, err);
    if (!code)
        code = ag_beside_link(&beside, path, target, err);
    return code ? code : ag_beside_rename(&beside, path, err);
}

int ag_posix_remove_link(struct ag_port *port CS_UNUSED, const char *path, struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    struct stat info;
    int code = ag_place_open(path, &place, err);

    if (code)
        return code == CS_ENOTFOUND ? CS_OK : code;
    /* Asked first: a read-only file system would refuse to remove what is not there. */
    if (AG_AGAIN(fstatat(place.folder, place.name, &info, AT_SYMLINK_NOFOLLOW)) != 0) {
        if (errno != ENOENT)
            return ag_os_error(err, "cannot look at", path);
    } else if (AG_AGAIN(unlinkat(place.folder, place.name, 0)) != 0 && errno != ENOENT) {
        return ag_os_error(err, "cannot remove the link or file", path);
    }
    return ag_place_sync(place.folder, path, err);
}
