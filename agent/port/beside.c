#include "agent/port/beside.h"

#include "agent/port/os_error.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int ag_beside_open(const char *path, struct ag_beside *ret, struct cs_err *err)
{
    struct ag_beside beside = AG_BESIDE_CLOSED;
    int code = ag_place_open(path, &beside.place, err);

    if (code)
        return code;
    int len = snprintf(beside.name, sizeof beside.name, ".%s.new", beside.place.name);

    if (len < 0 || (size_t)len >= sizeof beside.name) {
        ag_beside_close(&beside);
        return cs_err_set(err, CS_ETOOBIG, "the name is too long: %s", path);
    }
    AG_AGAIN(unlinkat(beside.place.folder, beside.name, 0)); /* what cannot go fails where it is made */
    *ret = beside;
    return CS_OK;
}

void ag_beside_close(struct ag_beside *beside)
{
    ag_place_close(&beside->place);
}

/* ---- a file */

static int write_all(int fd, struct cs_slice content, const char *path, struct cs_err *err)
{
    while (content.len > 0) {
        ssize_t done = AG_AGAIN(write(fd, content.ptr, content.len));

        if (done < 0)
            return ag_os_error(err, "cannot write", path);
        if (done == 0)
            return cs_err_set(err, CS_EIO, "cannot write %s: nothing more is taken, and no reason given",
                              path);
        content = cs_slice_from(content, (size_t)done);
    }
    return CS_OK;
}

/* Some file systems say only here that there was no room. An interrupted close has closed. */
static int close_written(int fd, const char *path, struct cs_err *err)
{
    return close(fd) == 0 || errno == EINTR ? CS_OK : ag_os_error(err, "cannot write", path);
}

int ag_beside_create(int folder, const char *name, const char *path, struct cs_slice content,
                     const struct ag_look *look, struct cs_err *err)
{
    /* Closed to others until the look is set: the content may be a key. */
    int fd =
        AG_AGAIN(openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)0600));

    if (fd < 0)
        return ag_os_error(err, "cannot create", path);
    int code = write_all(fd, content, path, err);

    if (!code)
        code = ag_look_set(fd, path, look, err);
    /* Once, and its answer stands: after a failure the next sync would succeed, without what was lost. */
    if (!code && fsync(fd) != 0)
        code = ag_os_error(err, "cannot sync", path);
    int closed = close_written(fd, path, code ? NULL : err);

    if (!code)
        code = closed;
    if (code)
        AG_AGAIN(unlinkat(folder, name, 0));
    return code;
}

/* ---- beside */

static int in_the_way(const struct ag_beside *beside, const char *path, struct cs_err *err)
{
    return cs_err_set(err, CS_EEXISTS, "%s is in the way beside %s: remove it", beside->name, path);
}

int ag_beside_write(const struct ag_beside *beside, const char *path, struct cs_slice content,
                    const struct ag_look *look, struct cs_err *err)
{
    int code = ag_beside_create(beside->place.folder, beside->name, path, content, look, err);

    return code == CS_EEXISTS ? in_the_way(beside, path, err) : code;
}

int ag_beside_link(const struct ag_beside *beside, const char *path, const char *target, struct cs_err *err)
{
    if (AG_AGAIN(symlinkat(target, beside->place.folder, beside->name)) == 0)
        return CS_OK;
    return errno == EEXIST ? in_the_way(beside, path, err)
                           : ag_os_error(err, "cannot make a link beside", path);
}

int ag_beside_rename(const struct ag_beside *beside, const char *path, struct cs_err *err)
{
    int folder = beside->place.folder;

    if (AG_AGAIN(renameat(folder, beside->name, folder, beside->place.name)) == 0)
        return ag_place_sync(folder, path, err);
    int code = ag_os_error(err, "cannot replace", path);

    AG_AGAIN(unlinkat(folder, beside->name, 0));
    return code;
}
