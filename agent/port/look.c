#include "agent/port/look.h"

#include "agent/port/os_error.h"
#include "agent/port/place.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char label_name[] = "security.selinux";

enum { AS_IT_IS = -1 };

/* ---- owners */

/* Digits only: strtoul would take "-1", which means "leave it as it is", and wrap 4294967296 to root. */
static bool parse_number(const char *text, unsigned *ret)
{
    uint64_t number = 0;
    size_t len = strspn(text, "0123456789");

    if (len == 0 || len > 10 || text[len])
        return false;
    for (size_t i = 0; i < len; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    *ret = (unsigned)number;
    return number < UINT32_MAX;
}

int ag_look_find_user(const char *text, unsigned *ret, struct cs_err *err)
{
    unsigned number = 0;
    const struct passwd *user = NULL;

    if (!parse_number(text, &number)) {
        user = getpwnam(text);
        if (!user)
            return cs_err_set(err, CS_ENOTFOUND, "this device has no user \"%s\"", text);
        number = user->pw_uid;
    }
    *ret = number;
    return CS_OK;
}

int ag_look_find_group(const char *text, unsigned *ret, struct cs_err *err)
{
    unsigned number = 0;
    const struct group *group = NULL;

    if (!parse_number(text, &number)) {
        group = getgrnam(text);
        if (!group)
            return cs_err_set(err, CS_ENOTFOUND, "this device has no group \"%s\"", text);
        number = group->gr_gid;
    }
    *ret = number;
    return CS_OK;
}

/* ---- labels */

static bool means_no_labels(int number)
{
    return number == ENODATA || number == ENOTSUP || number == ENOSYS;
}

static int get_label(int fd, const char *path, struct ag_look *ret, struct cs_err *err)
{
    ssize_t len = AG_AGAIN(fgetxattr(fd, label_name, ret->label, sizeof ret->label));

    if (len < 0 && !means_no_labels(errno))
        return ag_os_error(err, "cannot read the SELinux label of", path);
    ret->label_len = len < 0 ? 0 : (size_t)len;
    return CS_OK;
}

static int set_label(int fd, const char *path, const struct ag_look *look, struct cs_err *err)
{
    char now[AG_LOOK_LABEL_BYTES];
    ssize_t len = AG_AGAIN(fgetxattr(fd, label_name, now, sizeof now));

    if (len >= 0 && (size_t)len == look->label_len && memcmp(now, look->label, look->label_len) == 0)
        return CS_OK;
    /* EPERM is how a system without SELinux answers who is not root; SELinux itself says EACCES. */
    if (AG_AGAIN(fsetxattr(fd, label_name, look->label, look->label_len, 0)) != 0 &&
        !means_no_labels(errno) && errno != EPERM)
        return ag_os_error(err, "cannot set the SELinux label of", path);
    return CS_OK;
}

/* What has the label that a file at the place should have; -1 without one that we may open. Only files are
 * opened: with a device that might do something, with a FIFO it would wait. */
static int open_like(const struct ag_place *place)
{
    struct stat info;
    int fd = -1;

    if (AG_AGAIN(fstatat(place->folder, place->name, &info, 0)) == 0 && S_ISREG(info.st_mode))
        fd = AG_AGAIN(openat(place->folder, place->name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    return fd >= 0 ? fd : AG_AGAIN(openat(place->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int find_label(const char *path, struct ag_look *ret, struct cs_err *err)
{
    cs_auto(ag_place_close) struct ag_place place = AG_PLACE_CLOSED;
    int code = ag_place_open(path, &place, err);

    if (code)
        return code == CS_ENOTFOUND ? CS_OK : code;
    int fd = open_like(&place);

    if (fd < 0)
        return CS_OK;
    code = get_label(fd, path, ret, err);
    close(fd);
    return code;
}

/* ---- all of it */

int ag_look_find(const struct ag_file_look *look, struct ag_look *ret, struct cs_err *err)
{
    struct ag_look found = {.mode = look->mode, .uid = (unsigned)AS_IT_IS, .gid = (unsigned)AS_IT_IS};
    int code = look->owner ? ag_look_find_user(look->owner, &found.uid, err) : CS_OK;

    if (!code && look->group)
        code = ag_look_find_group(look->group, &found.gid, err);
    if (!code && look->label_like)
        code = find_label(look->label_like, &found, err);
    if (!code)
        *ret = found;
    return code;
}

int ag_look_of(int fd, const char *path, const struct stat *info, struct ag_look *ret, struct cs_err *err)
{
    /* What runs as somebody else is not copied as such. */
    struct ag_look found = {.mode = info->st_mode & 0777U, .uid = info->st_uid, .gid = info->st_gid};
    int code = get_label(fd, path, &found, err);

    if (!code)
        *ret = found;
    return code;
}

int ag_look_set(int fd, const char *path, const struct ag_look *look, struct cs_err *err)
{
    const unsigned same = (unsigned)AS_IT_IS;

    if ((look->uid != same || look->gid != same) && AG_AGAIN(fchown(fd, look->uid, look->gid)) != 0)
        return ag_os_error(err, "cannot set the owner of", path);
    if (AG_AGAIN(fchmod(fd, (mode_t)look->mode)) != 0)
        return ag_os_error(err, "cannot set the mode of", path);
    return look->label_len > 0 ? set_label(fd, path, look, err) : CS_OK;
}
